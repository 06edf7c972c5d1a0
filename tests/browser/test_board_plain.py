"""The board without scripts, and what no rule of accessibility may be broken by."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import LOOKS, violations
from tests.browser.gestures import card_at, column_at, order

pytestmark = pytest.mark.browser


@pytest.fixture
def plain(open_page) -> Page:
    """The default board in a browser that runs no script."""
    return open_page("/", user="manager", scripts=False)


def numbers(page: Page, column: int) -> str:
    """The text of a column: without scripts the page cannot be asked for more."""
    return column_at(page, column).inner_text()


def number_of(page: Page, column: int) -> str:
    return card_at(page, column).locator(".card-number").inner_text()


def test_a_card_is_moved_by_its_move_page(plain):
    number = number_of(plain, 0)

    card_at(plain, 0).locator(".card-move").click()
    plain.get_by_role("button", name="Decision pending").click()

    expect(plain.locator("#toasts")).to_contain_text("moved to Decision pending")
    assert number in numbers(plain, 3)


def test_a_card_is_added_folded_away_and_the_totals_shown(plain):
    column_at(plain, 1).get_by_role("link", name="Add opportunity").click()
    plain.get_by_role("textbox", name="Title").fill("Made without scripts")
    plain.get_by_role("button", name="Add opportunity").click()
    expect(column_at(plain, 1)).to_contain_text("Made without scripts")

    plain.get_by_role("link", name="Show the totals").click()
    expect(plain.locator("#board-line strong")).to_be_visible()


def test_a_deal_is_lost_with_a_reason(plain):
    number = number_of(plain, 0)

    card_at(plain, 0).locator(".card-move").click()
    plain.get_by_role("link", name="Lost").click()
    plain.get_by_label("Reason").select_option(index=1)
    plain.get_by_role("button", name="Mark as lost").click()

    expect(plain.locator("#toasts")).to_contain_text("is now Lost")
    assert plain.url.endswith("/boards/1/")
    assert number not in numbers(plain, 0)


def test_a_card_opens_as_a_page(plain):
    words = card_at(plain, 0).locator(".card-title").inner_text()

    card_at(plain, 0).locator(".card-title").click()

    expect(plain.get_by_role("heading", level=1)).to_have_text(words)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_no_state_of_the_board_breaks_a_rule_of_accessibility(open_page, size, scheme):
    board = open_page("/", user="admin", viewport=size, color_scheme=scheme)
    expect(board.locator("#board-line strong")).to_be_visible()
    assert violations(board) == []

    card_at(board, 0).locator(".card-title").focus()
    board.keyboard.press("m")
    expect(board.locator("#dialog")).to_contain_text("Send to top")
    assert violations(board) == []
    board.keyboard.press("Escape")

    column_at(board, 0).get_by_role("link", name="Add opportunity").click()
    expect(column_at(board, 0).get_by_role("textbox", name="Title")).to_be_focused()
    assert violations(board) == []
    board.keyboard.press("Escape")

    card_at(board, 0).locator(".card-title").focus()
    board.keyboard.press("Space")
    board.keyboard.press("ArrowDown")
    board.keyboard.press("Space")
    expect(board.locator("#toasts")).to_contain_text("moved within")
    assert violations(board) == []


def test_at_twice_the_size_and_on_the_smallest_screen_nothing_is_lost(open_page):
    for viewport in ((720, 450), (320, 640), (320, 256)):
        board = open_page("/", user="manager", viewport=viewport)
        expect(board.locator("#board-line strong")).to_be_visible()
        assert board.evaluate("document.documentElement.scrollWidth") <= viewport[0]
        card_at(board, 0).locator(".card-title").click()
        expect(board.locator("#panel h1")).to_be_visible()


def test_reduced_motion_and_forced_colours_are_respected(open_page):
    board = open_page("/", user="manager", reduced_motion="reduce", forced_colors="active")

    assert order(board, 0)
    assert card_at(board, 0).evaluate("card => getComputedStyle(card).borderTopStyle") == "solid"
    assert board.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--settle').trim()") == "1ms"
