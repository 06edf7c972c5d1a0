"""Stories of the list: search by "/", filter by chips, choose rows, act on many, undo; on a phone; without script."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE

LIST = "/boards/1/list/"


def rows(page: Page):
    """The cards of the list."""
    return page.locator(".list-table tbody tr")


def total(page: Page) -> int:
    """How many cards the list says it has."""
    return int(re.sub(r"\D", "", page.locator(".sums strong").inner_text()))


def test_filter_by_chips_search_by_slash_and_take_conditions_away(open_page: Callable[..., Page]):
    page = open_page(LIST, user="Manager")
    everything = total(page)

    page.get_by_role("link", name="Filter", exact=True).click()
    dialog = page.locator("#dialog")
    dialog.locator("summary", has_text="Workflow status").click()
    expect(dialog.locator("input[name=workflow]")).to_have_count(8)
    dialog.get_by_label("Expired", exact=True).check()
    dialog.get_by_role("button", name="Show these cards").click()
    expect(page).to_have_url(re.compile(r"/list/\?workflow=expired$"))
    expect(page.locator(".chip.on")).to_have_text("Workflow status: Expired")
    expired = total(page)
    assert 0 < expired < everything

    page.get_by_role("link", name="Mine").click()
    expect(page.locator(".chip.on")).to_have_count(2)
    page.get_by_role("link", name="Remove the filter Workflow status: Expired").click()
    expect(page).to_have_url(re.compile(r"/list/\?salesperson=me$"))

    page.keyboard.press("/")
    page.keyboard.type("ROOFTOP")
    page.keyboard.press("Enter")
    expect(page.locator(".chip.on")).to_have_text("“ROOFTOP”")
    expect(rows(page).first).to_contain_text(re.compile("rooftop", re.IGNORECASE))

    page.get_by_role("link", name="Clear all").click()
    expect(page).to_have_url(re.compile(r"/list/$"))
    assert total(page) == everything


def test_a_whole_number_in_the_search_opens_the_card(open_page: Callable[..., Page]):
    page = open_page(LIST, user="Manager")
    number = rows(page).first.locator(".c-number").inner_text()

    page.keyboard.press("/")
    page.keyboard.type(number.removeprefix("OPP-"))
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(rf"/opportunities/{number.removeprefix('OPP-')}/$"))


def test_the_filter_is_the_same_on_board_and_list(open_page: Callable[..., Page]):
    page = open_page("/boards/1/?salesperson=none", user="Manager")

    page.get_by_role("navigation", name="Views").get_by_role("link", name="List").click()
    expect(page).to_have_url(re.compile(r"/boards/1/list/\?salesperson=none$"))
    expect(page.locator(".chip.on")).to_have_text("Salesperson: nobody")
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Board").click()
    expect(page).to_have_url(re.compile(r"/boards/1/\?salesperson=none$"))


@pytest.mark.sqlite
def test_choose_a_row_of_cards_with_shift_move_them_and_undo(open_page: Callable[..., Page], fresh_server):
    page = open_page(f"{LIST}?workflow=prospect&workflow=expired", user="Manager", on=fresh_server)
    boxes = page.locator("input[name=card]")
    before = [rows(page).nth(place).locator(".c-stage").inner_text() for place in range(2, 7)]

    boxes.nth(2).click()
    boxes.nth(6).click(modifiers=["Shift"])
    expect(page.locator(".bulk-count")).to_have_text("5 cards chosen")
    page.get_by_role("button", name="Stage…").click()
    page.get_by_role("button", name="Move 5 cards to Proposal presented").click()

    expect(page.locator(".bulk-answer")).to_contain_text("5 cards moved.")
    for place in range(2, 7):
        expect(rows(page).nth(place).locator(".c-stage")).to_have_text("Proposal presented")
    assert violations(page) == []

    page.locator(".bulk-answer").get_by_role("button", name="Undo").click()
    expect(page.locator(".bulk-answer")).to_contain_text("5 cards are as they were.")
    assert [rows(page).nth(place).locator(".c-stage").inner_text() for place in range(2, 7)] == before


def test_select_all_that_match_over_pages_and_see_what_was_refused(open_page: Callable[..., Page], fresh_server):
    page = open_page("/search/?archived=with", user="Manager", on=fresh_server)
    everything = total(page)
    assert everything > 50

    page.get_by_label("Choose all on this page").check()
    expect(page.locator(".bulk-count")).to_have_text("50 cards chosen")
    page.get_by_label(f"Choose all {everything} opportunities that match").check()
    expect(page.locator(".bulk-count")).to_have_text(f"All {everything} opportunities chosen")
    page.get_by_role("button", name="Forecast date…").click()
    page.get_by_role("button", name=f"Move the forecast date of {everything} cards on by a week").click()

    answer = page.locator(".bulk-answer")
    expect(answer).to_contain_text(re.compile(r"\d+ forecast dates moved on, \d+ refused"))
    answer.locator("details").evaluate("list => { list.open = true; }")
    expect(answer).to_contain_text("has no forecast date that could be moved on.")
    expect(answer.locator("a[href^='/opportunities/']").first).to_be_visible()

    answer.get_by_role("button", name="Undo").click()
    expect(page.locator(".bulk-answer")).to_contain_text("are as they were")


def test_the_sheet_is_left_without_a_change_and_focus_returns(open_page: Callable[..., Page]):
    page = open_page(LIST, user="Manager")
    page.locator("input[name=card]").first.check()
    page.get_by_role("button", name="Status…").click()
    page.get_by_role("button", name="Mark 1 card as Lost").click()
    expect(page.locator("#dialog .errors")).to_have_text("Say why the deals were lost.")
    assert violations(page) == []

    page.get_by_role("button", name="Change nothing").click()

    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator(".bulk-count")).to_have_text("1 card chosen")


def test_a_card_opens_in_the_panel_beside_the_list(open_page: Callable[..., Page]):
    page = open_page(LIST, user="Manager")

    rows(page).first.locator(".c-title a").click()

    expect(page.locator("#panel")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?card=\d+$"))


def test_a_card_changed_in_the_panel_changes_its_row(open_page: Callable[..., Page], fresh_server):
    page = open_page(LIST, user="Manager", on=fresh_server)
    row = rows(page).nth(1)
    number = row.locator(".c-number").inner_text()
    before = page.locator(".sums").inner_text()
    row.locator(".c-title a").click()
    panel = page.locator("#panel")
    panel.get_by_role("link", name="Edit", exact=True).first.click()
    editor = page.locator("#dialog[open], #panel").filter(has=page.locator("input[name=amount]")).first
    editor.locator("input[name=amount]").fill("123456")
    editor.get_by_role("button", name=re.compile("^Save")).first.click()

    changed = page.locator(f"#card-{number.removeprefix('OPP-')} .c-amount")
    expect(changed).to_have_text("$123,456")
    expect(page.locator(".sums")).not_to_have_text(before)


def test_on_a_phone_the_rows_are_cards_and_nothing_runs_over_the_edge(open_page: Callable[..., Page]):
    page = open_page(LIST, user="Manager", viewport=PHONE, has_touch=True)

    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE[0]
    expect(page.locator(".sort-form select")).to_be_visible()
    page.locator(".sort-form select").select_option("-amount")
    expect(page).to_have_url(re.compile("sort=-amount"))
    page.locator("input[name=card]").nth(1).check()
    expect(page.get_by_role("button", name="Stage…")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_list_search_and_filter(scheme, open_page: Callable[..., Page]):
    page = open_page(LIST, user="Manager", color_scheme=scheme)
    assert violations(page) == []
    for path in ("/search/?q=re&archived=with", "/search/?q=zzz", "/boards/1/filter/", "/boards/1/save-as/?q=re"):
        page.goto(path)
        assert violations(page) == []


def test_without_script_filter_sort_choose_act_and_undo_work_as_pages(open_page: Callable[..., Page], fresh_server):
    page = open_page(LIST, user="Manager", on=fresh_server, scripts=False)
    page.get_by_role("link", name="Filter", exact=True).click()
    page.get_by_label("No stage").check()
    page.get_by_role("button", name="Show these cards").click()
    expect(page.locator(".chip.on")).to_have_text("Stage: none")
    page.get_by_role("link", name="Title", exact=True).click()
    unsorted = total(page)

    page.locator("input[name=card]").first.check()
    page.get_by_role("button", name="Stage…").click()
    page.get_by_role("button", name="Move 1 card to Qualified lead").click()

    expect(page.locator(".bulk-answer")).to_contain_text("1 card moved.")
    assert total(page) == unsorted - 1
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".bulk-answer")).to_contain_text("1 card is as it was.")
    assert total(page) == unsorted
