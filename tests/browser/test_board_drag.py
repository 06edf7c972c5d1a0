"""Dragging cards with the mouse: kept, refused, asked, taken back, and what goes wrong on the way."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gestures import card_at, carry, column_at, drag, focused_card, lift, order

pytestmark = pytest.mark.browser


@pytest.fixture
def board(open_page) -> Page:
    """The default board, as a manager sees it, wide enough for all its columns."""
    page = open_page("/", user="manager", viewport=(1900, 900))
    expect(page.locator("#board-line strong")).to_be_visible()
    return page


def toasts(page: Page):
    return page.locator("#toasts")


def counts(page: Page, *columns: int) -> list[int]:
    return [int(column_at(page, column).locator(".count").inner_text()) for column in columns]


@pytest.mark.sqlite
def test_a_drag_is_kept_counted_announced_and_survives_a_reload(board):
    number, before = order(board, 0)[0], counts(board, 0, 1)

    drag(board, card_at(board, 0), card_at(board, 1, 1))

    expect(toasts(board)).to_contain_text("moved to Solution identified")
    assert order(board, 1)[1] == number
    assert counts(board, 0, 1) == [before[0] - 1, before[1] + 1]
    expect(board.locator("#announcer")).to_contain_text("moved to Solution identified")
    assert focused_card(board) == number
    board.reload()
    assert order(board, 1)[1] == number


def test_the_sums_follow_a_move(board):
    sum_before = column_at(board, 2).locator(".sum").inner_text()

    drag(board, card_at(board, 1), card_at(board, 2, 1))

    expect(column_at(board, 2).locator(".sum")).not_to_have_text(sum_before)


def test_undo_puts_the_card_back_where_it_was(board):
    before = [order(board, 0), order(board, 1)]
    drag(board, card_at(board, 0), card_at(board, 1, 1))
    expect(toasts(board)).to_contain_text("moved to")

    toasts(board).get_by_role("button", name="Undo").click()

    expect(column_at(board, 1).locator(".cards > .card")).to_have_count(len(before[1]))
    expect(column_at(board, 0).locator(".cards > .card")).to_have_count(len(before[0]))
    assert [order(board, 0), order(board, 1)] == before
    board.reload()
    assert [order(board, 0), order(board, 1)] == before


def test_a_drag_within_a_column_changes_the_order_only(board):
    before = order(board, 2)

    drag(board, card_at(board, 2, 0), card_at(board, 2, 2), below=90)

    expect(toasts(board)).to_contain_text("moved within Proposal presented")
    assert order(board, 2)[:3] == [before[1], before[2], before[0]]


def test_escape_in_mid_drag_puts_the_card_back(board):
    before = order(board, 0)
    lift(board, card_at(board, 0))
    carry(board, card_at(board, 1, 1))

    board.keyboard.press("Escape")
    board.mouse.up()

    expect(board.locator("#announcer")).to_contain_text("is back in its place")
    assert order(board, 0) == before
    expect(toasts(board).locator(".toast")).to_have_count(0)


def test_dropping_outside_the_board_puts_the_card_back(board):
    before = order(board, 0)

    drag(board, card_at(board, 0), board.locator(".topbar"))

    expect(board.locator("#announcer")).to_contain_text("is back in its place")
    assert order(board, 0) == before


def test_a_column_that_refuses_says_why_while_dragging_and_after(open_page, fresh_server):
    fresh_server.database.sql(
        "UPDATE opportunities_opportunitystage SET requires_next_action = true WHERE name = 'Verbal commitment'"
    )
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    card = board.locator(".column:not(.tray) .card:not(:has(.card-next))").first
    number = card.get_attribute("data-number")
    before = order(board, 4)
    lift(board, card)
    refusal = column_at(board, 4).locator(".column-refusal")
    expect(refusal).to_contain_text("next action")

    carry(board, card_at(board, 4, 1))
    board.mouse.up()

    expect(toasts(board).locator(".toast.bad")).to_contain_text("needs a next action")
    expect(toasts(board).get_by_role("link", name="Put it right")).to_be_visible()
    expect(refusal).to_be_hidden()
    assert order(board, 4) == before
    assert focused_card(board) == number
    toasts(board).get_by_role("link", name="Put it right").click()
    dialog = board.locator("#dialog")
    expect(dialog).to_contain_text(f"What is next on {number}")
    dialog.get_by_label("What to do").fill("Ask for the signature")
    dialog.get_by_label("Due").fill("2030-01-01")
    with board.expect_response(lambda answer: "/heads/" in answer.url):
        dialog.get_by_role("button", name="Plan it").click()
    expect(board.locator(f'[data-number="{number}"] .card-next')).to_contain_text("Ask for the signature")


def test_a_column_of_several_stages_asks_and_leaving_puts_the_card_back(open_page):
    board = open_page("/boards/2/", user="manager", viewport=(1900, 900))
    number, before = order(board, 1)[0], order(board, 0)
    dialog = board.locator("#dialog")

    drag(board, card_at(board, 1), card_at(board, 0, 1))
    expect(dialog).to_contain_text("Which stage")
    expect(dialog.get_by_role("radio").first).to_be_checked()
    expect(board.locator(".card.unsaved")).to_have_count(1)
    board.keyboard.press("Escape")

    expect(board.locator(".card.unsaved")).to_have_count(0)
    assert order(board, 1)[0] == number
    assert order(board, 0) == before

    drag(board, card_at(board, 1), card_at(board, 0, 1))
    dialog.get_by_role("radio").nth(1).check()
    dialog.get_by_role("button", name="Move here").click()

    expect(toasts(board)).to_contain_text("(Solution identified)")
    assert order(board, 0)[1] == number


def test_shift_drop_takes_the_first_stage_without_asking(open_page):
    board = open_page("/boards/2/", user="manager", viewport=(1900, 900))
    board.keyboard.down("Shift")

    drag(board, card_at(board, 1), card_at(board, 0, 1))
    board.keyboard.up("Shift")

    expect(toasts(board)).to_contain_text("(Qualified lead)")


def test_lost_asks_for_a_reason_and_leaving_changes_nothing(board):
    number = order(board, 0)[0]
    dialog = board.locator("#dialog")
    lift(board, card_at(board, 0))
    carry(board, board.locator(".zone.lost"), below=28)
    board.mouse.up()
    expect(dialog.get_by_role("button", name="Mark as lost")).to_be_visible()

    board.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    assert order(board, 0)[0] == number
    assert focused_card(board) == number


def test_won_is_done_at_once_and_undone(board):
    # One without a quote: that would be asked about first, and other stories move cards about.
    card = column_at(board, 0).locator(".cards > .card:not(:has(.card-chip))").first
    number = card.get_attribute("data-number")
    lift(board, card)
    carry(board, board.locator(".zone.won"), below=28)
    board.mouse.up()

    expect(toasts(board)).to_contain_text("is now Won")
    toasts(board).get_by_role("button", name="Undo").click()

    expect(toasts(board)).to_contain_text(f"Undone on {number}")
    expect(board.locator(f".card[data-number={number}] .badge.sales-won")).to_have_count(0)
    board.reload()
    assert number in order(board, 0)


def test_without_an_answer_the_card_is_put_back_and_said_so(board, problems):
    problems.allow("ERR_INTERNET_DISCONNECTED|Failed to fetch|htmx:error")
    before = order(board, 0)
    board.context.set_offline(True)

    drag(board, card_at(board, 0), card_at(board, 1, 1))

    expect(toasts(board)).to_contain_text("No answer from the server")
    assert order(board, 0) == before
    board.context.set_offline(False)


def test_a_stale_page_does_not_overwrite(open_page, problems):
    problems.allow("ERR_FAILED")
    board = open_page(user="manager", viewport=(1900, 900))
    board.route("**/events/*", lambda route: route.abort())
    board.goto("/boards/1/")
    number = order(board, 0)[0]
    other = open_page("/", user="admin", viewport=(1900, 900))
    drag(other, card_at(other, 0), card_at(other, 3, 1))
    expect(toasts(other)).to_contain_text("moved to Decision pending")

    drag(board, card_at(board, 0), card_at(board, 1, 1))

    expect(toasts(board)).to_contain_text("Not moved. Ann")
    expect(toasts(board)).to_contain_text("to Decision pending")
    expect(column_at(board, 3).locator(f".card[data-number={number}]")).to_have_count(1)
    assert number not in order(board, 0) + order(board, 1)


def test_a_session_that_ended_in_mid_drag_leads_to_login_and_back(open_page, server):
    board = open_page("/boards/1/?card=", user="salesperson", viewport=(1900, 900))
    lift(board, card_at(board, 0))
    board.context.clear_cookies(name="sessionid")
    carry(board, card_at(board, 1, 1))
    board.mouse.up()
    board.wait_for_url(re.compile("/accounts/login/"))
    login = server.login_of("salesperson")

    board.locator("input[name=username]").fill(login.username)
    board.locator("input[name=password]").fill(login.password)
    board.locator("input[name=password]").press("Enter")

    board.wait_for_url(re.compile("/boards/1/"))


def test_a_second_move_right_after_the_first_is_no_conflict(board):
    number = order(board, 3)[0]

    drag(board, card_at(board, 3), card_at(board, 2, 1))
    drag(board, board.locator(f".card[data-number={number}]"), card_at(board, 1, 1))

    expect(toasts(board)).to_contain_text("moved to Solution identified")
    expect(toasts(board).locator(".toast.bad")).to_have_count(0)
    board.reload()
    assert order(board, 1)[1] == number
