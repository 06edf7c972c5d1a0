"""Stories of the calendar: a card dragged, moved by keyboard, refused, on a phone; the feed without script."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE
from tests.browser.gestures import carry, drag, lift

CALENDAR = "/boards/1/calendar/"


def today_of(page: Page) -> date:
    """The day that the server calls today."""
    return date.fromisoformat(page.locator(".day.today time").first.get_attribute("datetime") or "")


def day_of(page: Page, day: date) -> Locator:
    """A day of the month or week."""
    return page.locator(f'.day:has(.entries[data-day="{day}"])')


def make_deal(page: Page, title: str, day: date) -> None:
    """Make an opportunity by the form, from the calendar; it comes to its day by itself."""
    page.get_by_role("link", name="New opportunity").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Title").fill(title)
    dialog.locator("input[name=forecast_date]").fill(day.isoformat())
    dialog.locator("footer .filled").click()
    expect(page.locator("#dialog")).to_be_hidden()


def a_day_of_this_month(today: date, away: int = 7) -> date:
    """A day on the same page as today, some days away."""
    later = today + timedelta(days=away)
    return later if later.month == today.month else today - timedelta(days=away)


@pytest.mark.sqlite
def test_drag_a_card_to_another_day_and_undo_it(open_page: Callable[..., Page], fresh_server):
    page = open_page(f"{CALENDAR}?q=Dragged", user="Manager", on=fresh_server)
    today = today_of(page)
    target = a_day_of_this_month(today)
    make_deal(page, "Dragged by mouse", today)
    entry = page.locator(".month .entry", has_text="Dragged by mouse")
    expect(day_of(page, today).locator(".entry")).to_have_count(1)

    drag(page, entry, day_of(page, target), below=60)

    expect(page.locator(".toast")).to_contain_text("is expected by")
    expect(day_of(page, target).locator(".entry")).to_have_count(1)
    expect(entry.locator(".entry-title")).to_be_focused()
    page.reload()
    expect(day_of(page, target).locator(".entry")).to_have_count(1)

    drag(page, entry, day_of(page, today), below=60)
    expect(day_of(page, today).locator(".entry")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(day_of(page, target).locator(".entry")).to_have_count(1)
    expect(day_of(page, today).locator(".entry")).to_have_count(0)


def test_move_a_card_to_another_day_by_keyboard(open_page: Callable[..., Page], fresh_server):
    page = open_page(f"{CALENDAR}?q=Keyed", user="Manager", on=fresh_server)
    today = today_of(page)
    target = a_day_of_this_month(today)
    make_deal(page, "Keyed", today)
    page.locator(".month .entry-title").focus()

    page.keyboard.press("m")
    field = page.locator("#dialog input[name=forecast_date]")
    field.fill(target.isoformat())
    field.press("Enter")

    expect(day_of(page, target).locator(".entry")).to_have_count(1)
    expect(page.locator(".month .entry-title")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".month .entry-move")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=Keyed&card=\d+$"))
    page.keyboard.press("Escape")
    expect(page.locator(".month .entry-title")).to_be_focused()


def test_a_closed_card_does_not_leave_its_day_and_says_why(open_page: Callable[..., Page]):
    page = open_page(f"{CALENDAR}?workflow=canceled&workflow=void", user="Manager")
    for _month in range(3):
        if page.locator(".month .entry.closed").count():
            break
        page.locator("#days-after").click()
    entry = page.locator(".month .entry.closed").first
    expect(entry.locator("del")).to_have_css("text-decoration-line", "line-through")
    expect(entry.locator(".badge").first).to_have_text(re.compile("Void|Canceled"))

    lift(page, entry)
    carry(page, page.locator(".month .day").first, below=60)
    page.mouse.up()

    expect(page.locator(".toast.bad")).to_contain_text("is closed")


def test_a_card_that_somebody_moved_meanwhile_goes_where_they_put_it(open_page: Callable[..., Page], fresh_server):
    page = open_page(f"{CALENDAR}?q=Shared", user="Manager", on=fresh_server)
    today = today_of(page)
    theirs, mine = a_day_of_this_month(today), a_day_of_this_month(today, 14 if today.day > 14 else 8)
    make_deal(page, "Shared", today)
    other = open_page(f"{CALENDAR}?q=Shared", user="Admin", on=fresh_server)
    drag(other, other.locator(".month .entry"), day_of(other, theirs), below=60)
    expect(other.locator(".toast")).to_contain_text("is expected by")

    drag(page, page.locator(".month .entry"), day_of(page, mine), below=60)

    expect(page.locator(".toast.bad")).to_contain_text("changed by someone else meanwhile")
    expect(day_of(page, theirs).locator(".entry")).to_have_count(1)
    expect(page.locator(".month .entry")).to_have_count(1)


def test_month_week_agenda_and_a_day_lead_to_each_other(open_page: Callable[..., Page]):
    page = open_page(CALENDAR, user="Manager")
    title = page.locator("#calendar h1")
    month = title.inner_text()
    views = page.get_by_role("navigation", name="How many days")

    page.locator("#days-after").click()
    expect(title).not_to_have_text(month)
    page.locator("#days-now").click()
    expect(title).to_have_text(month)
    page.locator("#jump-to").select_option(index=0)
    expect(page).to_have_url(re.compile(r"month=\d{4}-\d{2}$"))
    page.goto(CALENDAR)
    views.get_by_role("link", name="Week").click()
    expect(page.locator(".week > .day")).to_have_count(7)
    views.get_by_role("link", name="Agenda").click()
    page.locator(".agenda .day-number").first.click()
    expect(page.locator(".day-list .entry").first).to_be_visible()
    page.get_by_role("link", name="Mine").click()
    expect(page).to_have_url(re.compile(r"/calendar/\?salesperson=me&day=\d{4}-\d{2}-\d{2}$"))


def test_on_a_phone_the_month_is_small_and_the_day_stands_below(open_page: Callable[..., Page]):
    page = open_page(CALENDAR, user="Manager", viewport=PHONE, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    expect(page.locator(".month .entries").first).to_be_hidden()
    expect(page.locator(".day-list")).to_be_visible()
    assert violations(page) == []

    page.locator(".day:has(.day-count) .day-number").first.click()
    expect(page.locator(".day-list .entry").first).to_be_visible()
    for path in (
        "?week=" + today_of(page).isoformat() if page.locator(".day.today").count() else "?list=2026-01",
        "?archived=with",
    ):
        page.goto(CALENDAR + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_the_calendar(scheme, open_page: Callable[..., Page]):
    page = open_page(CALENDAR, user="Manager", color_scheme=scheme)
    today, month = today_of(page).isoformat(), today_of(page).isoformat()[:7]
    for query in ("?archived=with", f"?week={today}", f"?list={month}&archived=with", f"?day={today}"):
        page.goto(CALENDAR + query)
        assert violations(page) == []
    page.goto("/accounts/profile/")
    assert violations(page) == []


def test_without_script_a_date_is_changed_and_the_feed_is_switched_on(open_page: Callable[..., Page], fresh_server):
    page = open_page(CALENDAR, user="Manager", on=fresh_server, scripts=False)
    link = page.locator(".month .entry-move").first
    card = re.search(r"\d+", link.get_attribute("href") or "")
    assert card
    target = a_day_of_this_month(today_of(page))
    page.goto(f"/opportunities/{card[0]}/forecast/")
    page.locator("input[name=forecast_date]").fill(target.isoformat())
    page.get_by_role("button", name="Save the date").last.click()
    page.goto(f"{CALENDAR}?day={target}")
    expect(page.locator(f".day-list .entry[data-card='{card[0]}']")).to_be_visible()

    page.goto("/accounts/profile/")
    page.get_by_role("button", name="Switch the feed on").click()
    address = page.get_by_label("Private address").input_value()
    answer = page.request.get(address.replace(re.sub(r"/feed/.*", "", address), fresh_server.url))
    assert answer.status == 200
    assert "BEGIN:VEVENT" in answer.text()
