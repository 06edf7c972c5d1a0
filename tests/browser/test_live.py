"""Open boards of several people: what one does, the others see, without losing what they were doing."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests import servers
from tests.browser.gestures import card_at, carry, column_at, drag, focused_card, lift, order

pytestmark = pytest.mark.browser

WIDE = (1900, 900)


@pytest.fixture
def open_board(open_page, fresh_server):
    """The default board of one person, listening."""

    def open_board(user: str, path: str = "/boards/1/", *, on=fresh_server, **options) -> Page:
        page = open_page(None, user=user, on=on, viewport=options.pop("viewport", WIDE), **options)
        with page.expect_response(re.compile("/events/")):
            page.goto(path)
        expect(page.locator("#board-line strong")).to_be_visible()
        return page

    return open_board


def card(page: Page, number: str):
    return page.locator(f".card[data-number={number}]")


def announced(page: Page):
    return page.locator("#announcer")


def asks(page: Page) -> list[str]:
    """The fragments that the page asks for from now on, because it heard of a change."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if "/changes/" in request.url else None)
    return seen


def all_columns(page: Page) -> list[list[str]]:
    return [order(page, place) for place in range(page.locator(".column:not(.tray)").count())]


@pytest.mark.sqlite
def test_two_people_see_each_others_moves_within_two_seconds_and_who_made_them(open_board):
    ann, mark = open_board("admin"), open_board("manager")
    number = order(mark, 0)[0]
    sum_before = column_at(ann, 1).locator(".sum").inner_text()

    drag(mark, card_at(mark, 0), card_at(mark, 1, 1))

    expect(column_at(ann, 1).locator(f"[data-number={number}]")).to_be_visible()
    assert all_columns(ann) == all_columns(mark)
    expect(card(ann, number).locator(".card-said")).to_have_text("Moved by Mark Reyes")
    expect(announced(ann)).to_contain_text("Mark Reyes moved")
    expect(column_at(ann, 1).locator(".sum")).not_to_have_text(sum_before)
    expect(column_at(ann, 1).locator(".count")).to_have_text(column_at(mark, 1).locator(".count").inner_text())
    expect(ann.locator(".card-said")).to_have_count(0)

    drag(ann, card_at(ann, 1, 1), card_at(ann, 2, 0))

    expect(column_at(mark, 2).locator(f"[data-number={number}]")).to_be_visible()
    assert all_columns(ann) == all_columns(mark)


def test_what_a_person_does_is_quiet_on_their_own_board(open_board):
    mark, ann = open_board("manager"), open_board("admin")
    fetched = asks(mark)

    for _ in range(3):
        number = order(mark, 0)[0]
        drag(mark, card_at(mark, 0), card_at(mark, 1, 1))
        expect(column_at(ann, 1).locator(f"[data-number={number}]")).to_be_visible()

    assert fetched == []
    assert mark.locator(".card-said").count() == 0


def test_a_new_card_and_an_edit_appear_in_place(open_board):
    ann, mark = open_board("admin"), open_board("manager")

    column_at(mark, 0).get_by_role("link", name="Add opportunity").click()
    column_at(mark, 0).get_by_label("Title").fill("Cellar pump")
    column_at(mark, 0).get_by_role("button", name="Add opportunity").click()
    added = column_at(ann, 0).locator(".card", has_text="Cellar pump")
    expect(added.locator(".card-said")).to_have_text("Added by Mark Reyes")

    number = order(mark, 1)[0]
    node = card(ann, number).element_handle()
    card(mark, number).locator(".card-title").focus()
    mark.keyboard.press("e")
    mark.locator("#dialog").get_by_label("Title").fill("Another name")
    mark.locator("#dialog").get_by_role("button", name="Save").click()

    expect(card(ann, number).locator(".card-title")).to_have_text("Another name")
    expect(card(ann, number).locator(".card-said")).to_have_text("Changed by Mark Reyes")
    assert node.evaluate("node => node.isConnected")


def test_a_board_that_lost_its_network_says_so_and_catches_up(open_board, problems):
    problems.allow("ERR_INTERNET_DISCONNECTED")
    ann, mark = open_board("admin"), open_board("manager")
    sign = ann.locator("#live-sign")
    ann.context.set_offline(True)
    ann.wait_for_timeout(1500)
    expect(sign).to_be_hidden()
    expect(sign).to_contain_text("Offline")
    expect(announced(ann)).to_contain_text("Offline")
    number = order(mark, 0)[0]
    drag(mark, card_at(mark, 0), card_at(mark, 2, 1))
    expect(mark.locator("#toasts")).to_contain_text("moved to")
    assert number in order(ann, 0)

    ann.context.set_offline(False)

    expect(column_at(ann, 2).locator(f"[data-number={number}]")).to_be_visible()
    expect(sign).to_contain_text("Connected again")
    expect(sign).to_be_hidden()
    assert all_columns(ann) == all_columns(mark)


MANY = """
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import Opportunity, OpportunityStage
stages = list(OpportunityStage.objects.filter(columns__board=1).order_by("sequence").values_list("pk", flat=True))
for number, card in enumerate(Opportunity.objects.filter(closed_kind="", archived_at=None).order_by("pk")):
    now = timezone.now()
    pipeline.edit(opportunity_id=card.pk, title=f"Deal {number}", actor=None, now=now)
for card in list(Opportunity.objects.filter(stage__in=stages, decided_on=None, closed_kind="")):
    to = stages[0] if card.stage_id == stages[2] else stages[2]
    pipeline.move(opportunity_id=card.pk, stage_id=to, actor=None, now=timezone.now())
"""


def test_who_missed_more_than_can_be_named_gets_all_columns_anew(open_board, fresh_server, problems):
    problems.allow("ERR_INTERNET_DISCONNECTED")
    ann = open_board("admin")
    ann.context.set_offline(True)
    fetched = asks(ann)
    fresh_server.database.sql("UPDATE boards_column SET wip_max = NULL")
    fresh_server.database.sql("UPDATE opportunities_opportunitystage SET requires_amount = false")
    fresh_server.database.manage("shell", "--no-imports", "-c", MANY)
    mark = open_board("manager")

    ann.context.set_offline(False)

    for place in range(len(all_columns(mark))):
        there = order(mark, place)
        expect(column_at(ann, place).locator(".cards > .card")).to_have_count(len(there))
    ann.wait_for_timeout(500)
    assert all_columns(ann) == all_columns(mark)
    assert fetched == []
    assert ann.locator(".card-said").count() == 0
    assert (
        len({number for column in all_columns(ann) for number in column})
        == ann.locator(".column:not(.tray) .card").count()
    )


def test_a_server_that_starts_again_is_found_again(open_board, open_page, sample_database, tmp_path, problems):
    problems.allow("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET")
    with servers.database(tmp_path / "again", like=sample_database) as own:
        with servers.serving(own) as first:
            ann = open_board("admin", on=first)
            number = order(ann, 0)[0]
            port = first.url.rpartition(":")[2]
        expect(ann.locator("#live-sign")).to_contain_text("Offline")
        with servers.serving(own, "--port", port) as second:
            second.url = first.url
            mark = open_board("manager", on=second)
            drag(mark, card_at(mark, 0), card_at(mark, 1, 1))

            expect(column_at(ann, 1).locator(f"[data-number={number}]")).to_be_visible(timeout=20_000)
            expect(ann.locator("#live-sign")).to_be_hidden()
            assert all_columns(ann) == all_columns(mark)


def test_a_drag_in_progress_is_left_alone_and_the_rest_comes_after_the_drop(open_board):
    ann, mark = open_board("admin"), open_board("manager")
    held, other = order(ann, 0)[0], order(ann, 0)[1]
    lift(ann, card_at(ann, 0))
    carry(ann, card_at(ann, 2, 1))
    before = all_columns(ann)

    drag(mark, card(mark, other), card_at(mark, 1, 1))
    expect(mark.locator("#toasts")).to_contain_text("moved to")
    ann.wait_for_timeout(1500)
    assert all_columns(ann) == before

    ann.mouse.up()

    expect(ann.locator("#toasts")).to_contain_text("moved to Proposal presented")
    expect(column_at(ann, 1).locator(f"[data-number={other}]")).to_be_visible()
    expect(column_at(mark, 2).locator(f"[data-number={held}]")).to_be_visible()
    assert all_columns(ann) == all_columns(mark)


def test_a_held_card_that_was_moved_meanwhile_is_answered_with_what_happened(open_board):
    ann, mark = open_board("admin"), open_board("manager")
    number = order(ann, 0)[0]
    lift(ann, card_at(ann, 0))
    carry(ann, card_at(ann, 2, 1))
    drag(mark, card(mark, number), card_at(mark, 1, 1))
    expect(mark.locator("#toasts")).to_contain_text("moved to Solution identified")

    ann.mouse.up()

    expect(ann.locator("#toasts .toast.bad")).to_contain_text(
        re.compile("Not moved. Mark Reyes moved .* to Solution identified")
    )
    expect(column_at(ann, 1).locator(f"[data-number={number}]")).to_be_visible()
    expect(column_at(ann, 2).locator(f"[data-number={number}]")).to_have_count(0)
    ann.wait_for_timeout(1500)
    assert all_columns(ann) == all_columns(mark)


def test_a_card_carried_by_keyboard_stays_in_hand(open_board):
    ann, mark = open_board("admin"), open_board("manager")
    held, other = order(ann, 0)[0], order(ann, 0)[1]
    card(ann, held).locator(".card-title").focus()
    ann.keyboard.press("Space")
    ann.keyboard.press("ArrowRight")

    drag(mark, card(mark, other), card_at(mark, 2, 1))
    expect(mark.locator("#toasts")).to_contain_text("moved to")
    ann.wait_for_timeout(1200)
    assert focused_card(ann) == held
    assert other in order(ann, 0)
    ann.keyboard.press("Space")

    expect(ann.locator("#toasts")).to_contain_text("moved to Solution identified")
    expect(column_at(ann, 2).locator(f"[data-number={other}]")).to_be_visible()
    assert focused_card(ann) == held


def test_focus_scroll_and_filter_stay(open_board):
    ann, mark = open_board("admin", "/boards/1/?sales=none", viewport=(1440, 600)), open_board("manager")
    open_ones = [number for number in order(mark, 0) if number in order(ann, 0)]
    focused, other = open_ones[3], open_ones[0]
    body = column_at(ann, 1).locator(".column-body")
    body.evaluate("body => { body.scrollTop = 260; }")
    card(ann, focused).locator(".card-title").focus()
    watched = order(ann, 1)[4]
    top = card(ann, watched).evaluate("card => Math.round(card.getBoundingClientRect().top)")

    drag(mark, card(mark, other), card_at(mark, 1, 0))

    expect(column_at(ann, 1).locator(f"[data-number={other}]")).to_have_count(1)
    assert focused_card(ann) == focused
    assert abs(card(ann, watched).evaluate("card => Math.round(card.getBoundingClientRect().top)") - top) <= 2
    assert "sales=none" in ann.url

    # The card that has the focus goes to another column, and keeps it.
    drag(mark, card(mark, focused), card_at(mark, 2, 0))
    expect(column_at(ann, 2).locator(f"[data-number={focused}]")).to_have_count(1)
    assert focused_card(ann) == focused


def test_the_open_panel_follows_unless_somebody_types_in_it(open_board):
    ann, mark = open_board("admin"), open_board("manager")
    number = order(ann, 0)[0]
    card(ann, number).locator(".card-title").click()
    panel = ann.locator("#panel")
    expect(panel.locator("#opportunity")).to_be_visible()

    drag(mark, card(mark, number), card_at(mark, 1, 1))

    expect(panel).to_contain_text("Solution identified")
    note = panel.locator("textarea").first
    if not note.is_visible():
        panel.get_by_text("Add a note").first.click()
    note.fill("They want it before Easter")
    drag(mark, card(mark, number), card_at(mark, 2, 1))
    changed = panel.locator(".panel-note")
    expect(changed).to_contain_text("Moved by Mark Reyes")
    expect(note).to_have_value("They want it before Easter")

    changed.get_by_role("button", name="Show it").click()

    expect(changed).to_have_count(0)
    expect(panel).to_contain_text("Proposal presented")
    expect(note).to_have_value("They want it before Easter")


def test_who_sees_only_their_own_cards_is_shown_no_others(open_board, fresh_server):
    fresh_server.database.sql("UPDATE opportunities_businesssettings SET salespeople_see = 'own'")
    sam, mark = open_board("salesperson"), open_board("manager")
    fetched = asks(sam)
    own = [number for column in all_columns(sam) for number in column]
    foreign = next(number for number in order(mark, 0) if number not in own)
    mine = next(number for number in order(mark, 0) if number in own)

    drag(mark, card(mark, foreign), card_at(mark, 1, 1))
    expect(mark.locator("#toasts")).to_contain_text("moved to")
    sam.wait_for_timeout(2000)
    assert fetched == []
    assert foreign not in sam.content()

    drag(mark, card(mark, mine), card_at(mark, 1, 1))
    expect(column_at(sam, 1).locator(f"[data-number={mine}]")).to_be_visible()

    # Mark gives the card to somebody else: it leaves.
    card(mark, mine).locator(".card-title").focus()
    mark.keyboard.press("e")
    mark.locator("#dialog").get_by_label("Salesperson").select_option(label="Jo Sanders")
    mark.locator("#dialog").get_by_role("button", name="Save").click()
    expect(card(sam, mine)).to_have_count(0)


def test_a_tab_in_the_background_hangs_up_and_catches_up_when_it_is_looked_at(open_page, open_board, fresh_server):
    mark = open_board("manager")
    ann = open_page(None, user="admin", on=fresh_server, viewport=WIDE)
    ann.clock.install()
    with ann.expect_response(re.compile("/events/")):
        ann.goto("/boards/1/")
    expect(ann.locator("#board-line strong")).to_be_visible()  # no request is on its way when the clock jumps
    look = (
        "hidden => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    gone: list[str] = []
    ann.on("requestfailed", lambda request: gone.append(request.url))
    ann.evaluate(look, True)
    ann.clock.fast_forward(61_000)
    ann.wait_for_timeout(500)
    assert any("/events/" in url for url in gone)
    number = order(mark, 0)[0]
    drag(mark, card_at(mark, 0), card_at(mark, 1, 1))
    expect(mark.locator("#toasts")).to_contain_text("moved to")
    ann.wait_for_timeout(1000)
    assert number in order(ann, 0)

    ann.evaluate(look, False)

    ann.clock.run_for(2000)
    expect(column_at(ann, 1).locator(f"[data-number={number}]")).to_be_visible()
    expect(ann.locator("#live-sign")).to_be_hidden()


def test_who_logs_out_elsewhere_is_told_on_the_board(open_board, fresh_server):
    ann = open_board("admin")
    fresh_server.database.sql("DELETE FROM django_session")

    expect(ann.locator("#live-sign")).to_contain_text("You are logged out here", timeout=25_000)


def test_a_list_says_that_others_changed_cards_and_shows_them_when_asked(open_page, open_board, fresh_server):
    mark = open_board("manager")
    ann = open_page(None, user="admin", on=fresh_server, viewport=(1440, 900))
    with ann.expect_response(re.compile("/events/")):
        ann.goto("/boards/1/list/")
    ann.wait_for_timeout(500)
    number = order(mark, 0)[0]
    row = ann.locator(f"#card-{number.removeprefix('OPP-')}")
    expect(row).to_contain_text("Qualified lead")

    drag(mark, card_at(mark, 0), card_at(mark, 1, 1))

    note = ann.locator("#list-news")
    expect(note).to_contain_text("1 card was changed by others.")
    expect(row).to_contain_text("Qualified lead")
    note.get_by_role("link", name="Show").click()
    expect(row).to_contain_text("Solution identified")
    expect(note).to_be_hidden()
