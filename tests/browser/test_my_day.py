"""A salesperson's morning in a real browser: the bell, the day, done and put off; by mouse, keys and thumb."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


@pytest.fixture
def day(open_page):
    """The day of a salesperson of the sample."""
    return open_page("/my-day/", user="salesperson")


def to_do(page: Page):
    return page.locator("[id^=to-do-]:not(h2)")


def test_an_action_is_ticked_off_and_taken_back_in_place(day):
    rows = to_do(day)
    count = rows.count()
    assert count > 1
    words = rows.first.locator("p").first.inner_text()
    rows.first.get_by_role("button", name="Done").click()
    expect(rows).to_have_count(count - 1)
    expect(day.locator("#toasts")).to_contain_text(f"Done: {words}")
    day.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(count)
    expect(rows.first).to_contain_text(words)


def test_an_action_is_put_off_from_its_menu_and_by_a_date_and_the_undo_puts_it_back(day):
    row = to_do(day).first
    words = row.locator("p").first.inner_text()
    row.get_by_role("button", name=f"Put off: {words}").click()
    day.locator(".menu:popover-open").get_by_role("button", name="Tomorrow").click()
    moved = day.locator(".rows[aria-labelledby=group-soon]").get_by_text(words)
    expect(moved).to_be_visible()
    day.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(moved).to_have_count(0)
    day.get_by_role("button", name=f"Put off: {words}").click()
    day.locator(".menu:popover-open").get_by_role("link", name="Choose a date").click()
    expect(day.locator("#dialog h1")).to_contain_text("Put off")
    day.keyboard.press("Escape")


def test_the_day_by_keys_alone_keeps_focus_on_the_work(day):
    ticks = day.locator(".day .tick")
    ticks.first.focus()
    day.keyboard.press("Enter")
    expect(day.locator("#toasts")).to_contain_text("Done:")
    expect(ticks.first).to_be_focused()
    day.locator("#toasts").get_by_role("button", name="Undo").focus()
    day.keyboard.press("Enter")
    expect(day.locator("#toasts")).to_contain_text("To do again:")


def test_a_card_is_moved_on_from_the_day_and_leaves_the_list(day):
    lines = day.locator("[id^=expiring-]:not(h2)")
    name = lines.first.get_attribute("id")
    lines.first.get_by_role("button").click()
    expect(day.locator("#toasts")).to_contain_text("is expected by")
    # A week on it is still within the next seven days: the row says so with another day.
    expect(day.locator(f"#{name} .late")).to_have_count(0)
    day.locator(f"#{name}").get_by_role("link", name="Date…").click()
    expect(day.locator("#dialog h1")).to_contain_text("Forecast date of")
    day.keyboard.press("Escape")


def test_the_bell_opens_the_latest_and_marks_them_as_read(open_page):
    page = open_page("/", user="salesperson")
    bell = page.locator("#bell")
    expect(bell).to_contain_text("unread")
    bell.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#dialog")
    expect(dialog.get_by_role("heading", name="Notices")).to_be_visible()
    assert violations(page) == []
    unread = dialog.locator(".notice.unread")
    count = unread.count()
    unread.first.get_by_role("button", name="Mark as read").click()
    expect(unread).to_have_count(count - 1)
    dialog.get_by_role("button", name="Mark all as read").click()
    expect(unread).to_have_count(0)
    expect(bell).to_contain_text("Notices, none unread")
    page.keyboard.press("Escape")
    expect(bell).to_be_focused()


def test_a_notice_opens_its_card_beside_the_page_and_counts_as_read(open_page):
    page = open_page("/notices/", user="manager")
    first = page.locator(".notice").first
    title = first.locator(".notice-card a")
    words = title.inner_text()
    title.click()
    expect(page.locator("#panel #opportunity h1")).to_have_text(words.partition(" ")[2])
    expect(page.locator(".notice").first).not_to_have_class(re.compile("unread"))


def test_the_reminder_of_an_action_asks_for_a_moment_only_where_it_is_wanted(open_page):
    page = open_page("/my-day/", user="salesperson")
    page.locator(".day").get_by_role("link", name="Plan").first.click()
    dialog = page.locator("#dialog")
    expect(dialog.get_by_label("Remind on")).not_to_be_visible()
    dialog.get_by_label("What to do").fill("Ring the bell")
    dialog.get_by_label("Due").fill("2030-01-15")
    dialog.get_by_label("Reminder").select_option("moment")
    dialog.get_by_label("Remind on").fill("2030-01-14")
    dialog.get_by_label("Remind at").fill("14:30")
    dialog.get_by_role("button", name="Plan it").click()
    expect(page.locator("#toasts")).to_contain_text("Planned: Ring the bell")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_on_the_day_the_notices_and_the_choices(open_page, colours):
    page = open_page(user="salesperson", color_scheme=colours)
    for path in ("/my-day/", "/notices/", "/accounts/profile/"):
        page.goto(path)
        assert violations(page) == [], path


def test_on_a_phone_the_day_fits_and_its_targets_are_large_enough(open_page):
    page = open_page("/my-day/", user="salesperson", viewport=PHONE, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    menu = to_do(page).first.get_by_role("button", name="Put off")
    box = menu.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 44
    menu.tap()
    expect(page.locator(".menu:popover-open")).to_be_visible()


def test_without_scripts_an_action_is_done_by_a_plain_form(open_page):
    page = open_page("/my-day/", user="salesperson", scripts=False)
    words = to_do(page).first.locator("p").first.inner_text()
    to_do(page).first.get_by_role("button", name="Done").click()
    expect(page.locator("#toasts")).to_contain_text(f"Done: {words}")
    assert page.url.endswith("/my-day/")
