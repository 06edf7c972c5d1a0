"""The board without a mouse: walking, lifting, carrying, dropping, menus, the panel and its address."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gestures import card_at, column_at, focused_card, order

pytestmark = pytest.mark.browser


@pytest.fixture
def board(open_page) -> Page:
    """The default board with its first card in focus."""
    page = open_page("/", user="manager")
    expect(page.locator("#board-line strong")).to_be_visible()
    card_at(page, 0).locator(".card-title").focus()
    return page


def said(page: Page):
    return page.locator("#announcer")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.sqlite
def test_a_card_is_lifted_carried_and_dropped(board):
    number = order(board, 0)[0]

    press(board, "Space")
    expect(said(board)).to_contain_text("lifted, place 1 of")
    press(board, "ArrowRight")
    expect(said(board)).to_contain_text("Solution identified, place 1 of")
    press(board, "ArrowDown")
    expect(said(board)).to_contain_text("place 2 of")
    press(board, "Space")

    expect(said(board)).to_contain_text("moved to Solution identified")
    assert order(board, 1)[1] == number
    assert focused_card(board) == number
    board.reload()
    assert order(board, 1)[1] == number


def test_escape_puts_a_carried_card_back(board):
    before = [order(board, 0), order(board, 1)]

    press(board, "Space", "ArrowRight", "ArrowDown", "Escape")

    expect(said(board)).to_contain_text("is back in its place in Qualified lead")
    assert [order(board, 0), order(board, 1)] == before
    assert focused_card(board) == before[0][0]


def test_leaving_a_carried_card_puts_it_back(board):
    before = order(board, 0)

    press(board, "Space", "ArrowRight")
    board.locator("#search-words").focus()

    expect(said(board)).to_contain_text("is back in its place")
    assert order(board, 0) == before


def test_carrying_passes_by_a_column_that_refuses_and_says_why(open_page, fresh_server):
    fresh_server.database.sql(
        "UPDATE opportunities_opportunitystage SET requires_next_action = true WHERE name = 'Solution identified'"
    )
    board = open_page("/", user="manager", on=fresh_server)
    column_at(board, 0).locator(".card:not(:has(.card-next)) .card-title").first.focus()
    with board.expect_response(re.compile("/targets/")):
        press(board, "Space")
    expect(column_at(board, 1)).to_have_class(re.compile("refuses"))

    press(board, "ArrowRight")

    expect(said(board)).to_contain_text("Solution identified refuses the card")
    expect(said(board)).to_contain_text("Proposal presented, place")


def test_arrows_walk_over_the_board_and_one_card_a_column_is_in_the_tab_order(board):
    press(board, "ArrowDown")
    assert focused_card(board) == order(board, 0)[1]
    press(board, "ArrowRight")
    assert focused_card(board) == order(board, 1)[1]
    press(board, "End")
    assert focused_card(board) == order(board, 1)[-1]
    press(board, "Home", "ArrowLeft")
    assert focused_card(board) == order(board, 0)[0]
    expect(column_at(board, 0).locator('.card-title[tabindex="0"]')).to_have_count(1)
    expect(column_at(board, 1).locator('.card-title[tabindex="0"]')).to_have_count(1)


def test_m_opens_the_move_menu_and_the_focus_comes_back(board):
    number = order(board, 0)[0]
    dialog = board.locator("#dialog")

    press(board, "m")
    expect(dialog).to_contain_text("Send to bottom")
    press(board, "Escape")
    expect(dialog).to_be_hidden()
    assert focused_card(board) == number

    press(board, "m")
    dialog.get_by_role("button", name="Send to bottom").click()
    expect(said(board)).to_contain_text("moved within Qualified lead")
    assert order(board, 0)[-1] == number
    assert focused_card(board) == number


def test_the_move_button_is_a_way_without_dragging(board):
    number = order(board, 0)[0]

    card_at(board, 0).get_by_role("link", name=f"Move {number}").click()
    board.locator("#dialog").get_by_role("button", name="Decision pending").click()

    expect(said(board)).to_contain_text("moved to Decision pending")
    assert number in order(board, 3)


def test_enter_opens_the_panel_whose_address_can_be_shared(board, open_page):
    number = order(board, 0)[0].removeprefix("OPP-")
    panel = board.locator("#panel")

    press(board, "Enter")

    expect(panel.locator("h1")).to_be_visible()
    assert board.url.endswith(f"?card={number}")
    expect(board.locator(f"#card-{number}")).to_have_attribute("aria-current", "true")
    colleague = open_page(board.url, user="salesperson")
    expect(colleague.locator("#panel h1")).to_have_text(panel.locator("h1").inner_text())

    board.go_back()
    expect(panel).to_be_hidden()
    assert "card=" not in board.url
    board.go_forward()
    expect(panel.locator("h1")).to_be_visible()
    press(board, "Escape")
    expect(panel).to_be_hidden()
    assert focused_card(board) == f"OPP-{number}"


def test_the_board_stays_usable_beside_the_panel(board):
    press(board, "Enter")
    expect(board.locator("#panel h1")).to_be_visible()

    title = card_at(board, 0, 1).locator(".card-title")
    words = title.inner_text()
    title.click()

    expect(board.locator("#panel h1")).to_have_text(words)


def test_single_letter_keys_work_and_can_be_switched_off(board):
    press(board, "?")
    keys = board.locator("#keys-help")
    expect(keys).to_be_visible()
    keys.get_by_role("checkbox").uncheck()
    press(board, "Escape")
    card_at(board, 0).locator(".card-title").focus()

    press(board, "m")
    board.wait_for_timeout(300)
    expect(board.locator("#dialog")).to_be_hidden()

    board.reload()
    card_at(board, 0).locator(".card-title").focus()
    press(board, "n")
    board.wait_for_timeout(300)
    expect(board.locator("#dialog")).to_be_hidden()


def test_letters_typed_in_a_field_are_letters(board):
    press(board, "/")
    board.keyboard.type("mne?")

    expect(board.locator("#search-words")).to_have_value("mne?")
    expect(board.locator("#dialog")).to_be_hidden()


def test_n_and_e_open_their_dialogs(board):
    number = order(board, 0)[0]
    dialog = board.locator("#dialog")

    press(board, "e")
    expect(dialog).to_contain_text(f"Edit {number}")
    press(board, "Escape")
    press(board, "n")
    expect(dialog.get_by_label("Title")).to_be_focused()


def test_quick_add_makes_card_after_card(board):
    column = column_at(board, 2)
    before = len(order(board, 2))
    column.get_by_role("link", name="Add opportunity").click()
    expect(column.get_by_label("Title")).to_be_focused()

    board.keyboard.type("First new one")
    press(board, "Enter")
    expect(column.locator(".cards > .card")).to_have_count(before + 1)
    expect(column.get_by_label("Title")).to_be_focused()
    expect(column.get_by_label("Title")).to_have_value("")
    board.keyboard.type("Second new one")
    column.get_by_label("Amount").fill("-3")
    press(board, "Enter")
    expect(column.locator(".errors")).to_contain_text("cannot be negative")
    column.get_by_label("Amount").fill("3,000")
    press(board, "Enter")

    expect(column.locator(".cards > .card").last).to_contain_text("$3,000")
    press(board, "Escape")
    expect(column.locator(".adding form")).to_have_count(0)


def test_a_folded_column_keeps_its_count_and_the_focus(board):
    column = column_at(board, 2)
    count = column.locator(".count").inner_text()

    column.get_by_role("button", name="About Proposal presented").click()
    board.get_by_role("button", name="Fold column").click()

    expect(column.locator(".unfold .count")).to_have_text(count)
    expect(column.locator(".unfold")).to_be_focused()
    board.reload()
    press(board, "Tab")
    column.locator(".unfold").click()
    expect(column.locator(".cards > .card")).not_to_have_count(0)
