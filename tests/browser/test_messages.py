"""Messages at the foot of the page can be clicked while a dialog is open, which makes the rest of the page inert."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.gestures import card_at, order

pytestmark = pytest.mark.browser


@pytest.fixture
def board(open_page) -> Page:
    page = open_page("/", user="manager")
    expect(page.locator("#board-line strong")).to_be_visible()
    return page


def test_undo_works_beside_an_open_form_and_keeps_what_is_typed(board):
    before = order(board, 0)
    card_at(board, 0).locator(".card-move").click()
    board.locator("#dialog").get_by_role("button", name="Send to bottom").click()
    undo = board.locator("#toasts").get_by_role("button", name="Undo")
    expect(undo).to_be_visible()

    board.keyboard.press("n")
    title = board.locator("#dialog").get_by_label("Title")
    title.fill("A new furnace")
    undo.click()

    expect(board.locator("#toasts")).to_contain_text("Undone")
    expect(title).to_have_value("A new furnace")
    board.keyboard.press("Escape")
    expect(board.locator("#dialog")).to_be_hidden()
    expect(card_at(board, 0).locator(".card-number")).to_have_text(before[0])
    board.locator("#toasts").get_by_role("button", name="Dismiss").click()
    expect(board.locator(".toast")).to_have_count(0)


def test_a_message_over_the_panel_of_a_phone_can_be_dismissed(open_page):
    phone = open_page("/", user="manager", viewport=PHONE, has_touch=True, is_mobile=True)
    card_at(phone, 0).locator(".card-title").tap()
    phone.locator("#panel").get_by_role("textbox", name="Note").fill("They want it before the winter.")
    phone.locator("#panel").get_by_role("button", name="Add note").tap()
    expect(phone.locator("#toasts")).to_contain_text("The note was added.")

    phone.locator("#toasts").get_by_role("button", name="Dismiss").tap()

    expect(phone.locator(".toast")).to_have_count(0)
    expect(phone.locator("#panel h1")).to_be_visible()
