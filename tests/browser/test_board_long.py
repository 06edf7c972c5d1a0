"""Boards that are long, sorted, or hold what cannot be moved: what a browser shows after acts on them."""

import time
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gestures import card_at, carry, column_at, drag, lift, order

pytestmark = pytest.mark.browser

CARDS = """
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import OpportunityStage
for place in range({count}):
    stage = OpportunityStage.objects.filter(name={stage!r}).first()
    facts = dict(title="More %s" % place, stage_id=stage and stage.pk, amount=place, actor=None, now=timezone.now())
    pipeline.create(**facts)
"""


def toasts(page: Page):
    return page.locator("#toasts")


def with_more(server, *, stage: str = "", count: int = 0):
    """Make more cards in a stage, or without one."""
    server.database.manage("shell", "-v", "0", "-c", CARDS.format(stage=stage, count=count))


def load_all(page: Page, column: int) -> list[str]:
    """Scroll a column down until nothing more comes."""
    more = column_at(page, column).locator(".cards > .more")
    body = column_at(page, column).locator(".column-body")
    limit = time.monotonic() + 30
    while more.count():
        assert time.monotonic() < limit, f"only {len(order(page, column))} cards were loaded"
        body.evaluate("body => body.scrollTop = body.scrollHeight")
        page.wait_for_timeout(50)
    body.evaluate("body => body.scrollTop = 0")
    return order(page, column)


def undo(page: Page) -> None:
    with page.expect_response(lambda response: "/columns/" in response.url):
        toasts(page).get_by_role("button", name="Undo").last.click()


def test_undo_keeps_all_the_cards_that_were_loaded(fresh_server, open_page):
    with_more(fresh_server, stage="Qualified lead", count=70)
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    before = load_all(board, 0)
    assert len(before) > 80

    drag(board, card_at(board, 0), card_at(board, 1, 1))
    expect(toasts(board)).to_contain_text("moved to Solution identified")
    undo(board)

    expect(column_at(board, 0).locator(".card")).to_have_count(len(before))
    assert order(board, 0) == before


def test_a_column_that_is_fetched_again_while_it_is_scrolled_shows_all_its_cards(fresh_server, open_page):
    with_more(fresh_server, stage="Qualified lead", count=70)
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    expect(board.locator("#board-line strong")).to_be_visible()
    held, released = [], []
    board.route("**/columns/*/cards/?*", lambda route: route.continue_() if released else held.append(route))
    # So much changes that the board asks for its columns again.
    with_more(fresh_server, stage="Qualified lead", count=50)
    body = column_at(board, 0).locator(".column-body")
    limit = time.monotonic() + 30
    while not held:
        assert time.monotonic() < limit, "the board did not ask for its columns again"
        board.wait_for_timeout(50)
    body.evaluate("body => body.scrollTop = body.scrollHeight")
    board.wait_for_timeout(500)
    released.append(True)
    for route in held:
        route.continue_()

    expect(column_at(board, 0).locator(".column-title .count")).to_have_text("133")
    numbers = load_all(board, 0)

    # Among them a card that was decided, which the count leaves out.
    assert len(numbers) == len(set(numbers)) == 134


def test_a_card_that_was_decided_comes_back_to_its_place(fresh_server, open_page):
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    before = order(board, 0)
    lift(board, card_at(board, 0))
    carry(board, board.locator(".zone.won"), below=28)
    board.mouse.up()
    expect(toasts(board)).to_contain_text("is now Won")
    expect(column_at(board, 0).locator(f"[data-number={before[0]}]")).to_have_count(0)

    undo(board)

    expect(column_at(board, 0).locator(f"[data-number={before[0]}]")).to_have_count(1)
    assert order(board, 0) == before


def test_slow_sums_and_a_slow_answer_keep_nothing_from_the_board(fresh_server, open_page):
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    expect(board.locator("#board-line strong")).to_be_visible()
    before, held = order(board, 0), []
    board.route("**/heads/**", lambda route: held.append(route))
    lift(board, card_at(board, 0))
    carry(board, board.locator(".zone.won"), below=28)
    board.mouse.up()
    expect(toasts(board)).to_contain_text("is now Won")
    expect(column_at(board, 0).locator(f"[data-number={before[0]}]")).to_have_count(0)
    board.wait_for_timeout(1200)
    assert held

    board.route("**/undo/", lambda route: (time.sleep(0.6), route.continue_()))
    toasts(board).get_by_role("button", name="Undo").last.click()

    expect(column_at(board, 0).locator(f"[data-number={before[0]}]")).to_have_count(1)
    expect(toasts(board)).to_contain_text(f"Undone on {before[0]}")
    assert order(board, 0) == before


def test_the_tray_counts_what_waits_in_it_and_leads_to_the_list(fresh_server, open_page):
    with_more(fresh_server, count=40)
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    count = board.locator("#count-tray")
    expect(count).to_have_text("42")

    drag(board, board.locator("#tray .card").first, card_at(board, 0, 1))
    expect(count).to_have_text("41")
    board.get_by_role("link", name="Set their stages in the list").click()

    expect(board.get_by_text("41 opportunities")).to_be_visible()


def test_a_sorted_board_keeps_its_order_whatever_is_dragged(fresh_server, open_page):
    fresh_server.database.sql("UPDATE boards_board SET sort = 'amount'")
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    expect(board.get_by_text("Sorted by amount, largest first: dragging changes the stage only")).to_be_visible()
    number = order(board, 1)[0]

    drag(board, card_at(board, 1), card_at(board, 2, 3))
    expect(toasts(board)).to_contain_text("moved to Proposal presented")

    expect(column_at(board, 2).locator(".card").nth(2)).to_have_attribute("data-number", number)
    shown = order(board, 2)
    drag(board, card_at(board, 2), card_at(board, 2, 3), below=90)
    expect(toasts(board)).to_contain_text("is there already")
    expect(column_at(board, 2).locator(".card").first).to_have_attribute("data-number", shown[0])
    board.reload()
    assert order(board, 2) == shown


def test_a_void_card_cannot_be_picked_up_and_says_why(fresh_server, open_page):
    board = open_page("/", user="manager", on=fresh_server, viewport=(1900, 900))
    number = order(board, 1)[0]
    close(fresh_server, number)
    board.reload()
    card = column_at(board, 1).locator(f"[data-number={number}]")
    title = card.locator(".card-title")
    expect(card).to_contain_text("Void")
    expect(card.get_by_role("link", name="Move")).to_have_count(0)

    lift(board, card)
    carry(board, card_at(board, 2, 1))
    board.mouse.up()

    expect(toasts(board)).to_contain_text("is void or canceled: it stays where it ended")
    assert number in order(board, 1)
    title.focus()
    board.keyboard.press("Space")
    expect(board.locator("#announcer")).to_contain_text("is void or canceled")
    assert card.evaluate("card => card.classList.contains('lifted')") is False


def close(server, number: str) -> None:
    """Void a card as a plain row: the act itself belongs to no story of the board."""
    server.database.sql(
        "UPDATE opportunities_opportunity SET closed_kind = 'void', workflow_status = 'void', sales_status = 'lost',"
        " sales_rule = 'P1', status_id = (SELECT id FROM opportunities_opportunitystatus WHERE name = 'Lost'),"
        " close_reason_id = (SELECT min(id) FROM opportunities_reason WHERE list = 'void'),"
        f" close_reason_label = 'Mistake', decided_on = '{date.today()}', closed_at = created_at, off_board = false"
        f" WHERE id = {int(number.removeprefix('OPP-'))}"
    )
