"""Making and tending an opportunity in a real browser: dialog, panel, two people at once, and without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import LOOKS, violations
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


@pytest.fixture
def board(open_page):
    """The board of the sample, as a manager sees it."""
    return open_page("/", user="manager")


def open_card(page: Page, number: int = 0) -> str:
    """Open a card of the first real column in the panel; answers its title."""
    title = page.locator(".column:not(.tray) a.card-title").nth(number)
    words = title.inner_text()
    title.click()
    expect(page.locator("#panel #opportunity h1")).to_have_text(words)
    return words


def panel(page: Page):
    return page.locator("#panel")


def test_a_card_is_made_in_the_dialog_and_stands_on_the_board(board):
    board.get_by_role("link", name="New opportunity").click()
    dialog = board.locator("#dialog")
    dialog.get_by_label("Title").fill("Roof vents")
    dialog.get_by_label("Add a customer by name").fill("A brand new customer")
    dialog.get_by_label("Amount").fill("1,250.50")
    dialog.get_by_role("button", name="Create opportunity").click()

    card = board.locator(".card", has_text="Roof vents")
    expect(card).to_contain_text("A brand new customer")
    expect(card).to_contain_text("$1,250.50")
    expect(dialog).not_to_be_visible()
    expect(board.locator("#toasts")).to_contain_text("was created")


def test_enter_in_the_title_creates_and_a_bad_date_ends_in_words(board):
    board.get_by_role("link", name="New opportunity").click()
    dialog = board.locator("#dialog")
    dialog.get_by_label("Title").press("Enter")

    expect(dialog.get_by_text("Give the opportunity a title.")).to_be_visible()


def test_a_dialog_that_was_left_stays_away_whatever_comes_in_that_moment(board):
    board.get_by_role("link", name="New opportunity").click()
    expect(board.get_by_role("dialog").get_by_label("Title")).to_be_visible()

    # Between the click and the browser's word that the dialog is closed, news of the board are put into the page.
    board.evaluate("""
        document.querySelector("#dialog [data-close]").click();
        const detail = { ctx: { target: document.getElementById("totals") } };
        document.dispatchEvent(new CustomEvent("htmx:after:swap", { detail }));
    """)

    expect(board.locator("#dialog")).not_to_be_visible()
    board.get_by_role("link", name="New opportunity").click()
    expect(board.get_by_role("dialog").get_by_label("Title")).to_be_visible()


def test_add_shows_the_contacts_of_a_known_customer(board):
    board.get_by_role("link", name="New opportunity").click()
    dialog = board.locator("#dialog")
    dialog.get_by_label("Title").fill("Air curtain")
    name = dialog.get_by_label("Add a customer by name")
    name.press_sequentially("casa")
    expect(board.locator("#customer-names option")).to_have_attribute("value", "Casa Lucia")
    name.fill("casa lucia")
    dialog.get_by_role("button", name="Add", exact=True).click()

    expect(dialog.get_by_role("checkbox", name="Casa Lucia")).to_be_checked()
    dialog.get_by_role("checkbox", name=re.compile("Lucia Moretti")).check()
    expect(dialog.get_by_label("Title")).to_have_value("Air curtain")


def test_an_edit_reaches_the_panel_and_the_card(board):
    open_card(board)
    panel(board).get_by_role("link", name="Edit").click()
    board.locator("#dialog").get_by_label("Title").fill("A better title")
    board.locator("#dialog").get_by_role("button", name="Save", exact=True).click()

    expect(panel(board).get_by_role("heading", level=1)).to_have_text("A better title")
    expect(board.locator(".card[aria-current]")).to_contain_text("A better title")


def test_undo_in_the_toast_brings_the_old_title_back(board):
    before = open_card(board, 1)
    panel(board).get_by_role("link", name="Edit").click()
    board.locator("#dialog").get_by_label("Title").fill("A worse title")
    board.locator("#dialog").get_by_role("button", name="Save", exact=True).click()
    expect(panel(board).get_by_role("heading", level=1)).to_have_text("A worse title")
    board.locator("#toasts").get_by_role("button", name="Undo").click()

    expect(panel(board).get_by_role("heading", level=1)).to_have_text(before)
    expect(board.locator(".card", has_text="A worse title")).to_have_count(0)


def test_a_note_an_action_and_its_end_keep_the_panel_true(board):
    open_card(board, 2)
    panel(board).get_by_label("Note", exact=True).fill("They like the quiet one.")
    panel(board).get_by_role("button", name="Add note").click()
    expect(panel(board).locator(".timeline")).to_contain_text("They like the quiet one.")
    expect(panel(board).get_by_label("Note", exact=True)).to_have_value("")

    panel(board).get_by_text("Plan an action").click()
    panel(board).get_by_label("What to do").fill("Measure the noise")
    panel(board).get_by_label("Due").fill("2020-01-01")
    panel(board).get_by_role("button", name="Plan it").click()
    expect(panel(board).locator(".rows")).to_contain_text(["Measure the noise", ""])
    expect(board.locator(".card[aria-current]")).to_contain_text("Measure the noise")

    panel(board).get_by_role("button", name="Done: Measure the noise").click()
    expect(panel(board).get_by_role("button", name="Done: Measure the noise")).to_have_count(0)
    expect(board.locator(".card[aria-current]")).not_to_contain_text("Measure the noise")


def test_what_is_being_typed_survives_an_act_beside_it(board):
    open_card(board, 3)
    panel(board).get_by_label("Note", exact=True).fill("Half a sent")
    panel(board).get_by_role("link", name="Change the forecast date").click()
    board.locator("#dialog").get_by_role("button", name=re.compile("A week on")).click()

    expect(panel(board).locator(".timeline")).to_contain_text("Changed: forecast date")
    expect(panel(board).get_by_label("Note", exact=True)).to_have_value("Half a sent")


def test_an_empty_note_is_asked_for_again_in_the_panel(board):
    open_card(board)
    panel(board).get_by_role("button", name="Add note").click()

    expect(panel(board).get_by_text("Write something first.")).to_be_visible()


def test_who_saves_second_is_told_what_changed_and_keeps_what_was_typed(board, open_page):
    open_card(board, 4)
    address = panel(board).get_by_role("link", name="Edit").get_attribute("href")
    panel(board).get_by_role("link", name="Edit").click()
    board.locator("#dialog").get_by_label("Amount").fill("111")
    other = open_page(address, user="admin")
    other.get_by_label("Amount").fill("222")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.locator("#toasts")).to_contain_text("was saved")

    board.locator("#dialog").get_by_role("button", name="Save", exact=True).click()

    clash = board.locator("#dialog").get_by_role("alert")
    expect(clash).to_contain_text("is now: $222.00. You typed: $111.00.")
    expect(board.locator("#dialog").get_by_label("Amount")).to_have_value("111")
    board.locator("#dialog").get_by_role("button", name="Save", exact=True).click()
    expect(panel(board).locator(".facts")).to_contain_text("$111.00")


def test_a_lost_deal_needs_a_reason_and_then_leaves_the_board(board):
    title = open_card(board, 5)
    panel(board).get_by_role("link", name="Status…").click()
    dialog = board.locator("#dialog")
    dialog.get_by_role("radio", name=re.compile("^Lost")).check()
    dialog.get_by_role("button", name="Set the status").click()
    expect(dialog.get_by_text("Say why the deal was lost.")).to_be_visible()
    dialog.get_by_label("Reason").select_option(index=1)
    dialog.get_by_role("button", name="Set the status").click()

    expect(panel(board).locator(".opportunity-marks")).to_contain_text("Lost")
    expect(board.locator("a.card-title", has_text=title)).to_have_count(0)


def test_an_expired_card_moves_on_by_a_week_from_its_banner(open_page):
    page = open_page("/boards/1/list/?workflow=expired&sales=none", user="manager")
    address = page.locator("a[href^='/opportunities/']:not([href*='new'])").first.get_attribute("href")
    page.goto(address.partition("?")[0])
    page.get_by_role("button", name=re.compile("A week, to")).click()

    expect(page.locator("#opportunity .badge").first).to_have_text("Prospect")
    expect(page.locator(".timeline li").first).to_contain_text("Expired → Prospect")


def test_without_scripts_everything_is_a_form(open_page):
    page = open_page("/opportunities/new/", user="manager", scripts=False)
    without = page.locator("main")
    without.get_by_label("Title").fill("Plain paper")
    without.get_by_label("Add a customer by name").fill("Casa Lucia")
    without.get_by_role("button", name="Add", exact=True).click()
    expect(without.get_by_label("Title")).to_have_value("Plain paper")
    without.get_by_label(re.compile("Lucia Moretti")).check()
    without.get_by_role("button", name="Create opportunity").click()
    expect(without.get_by_role("heading", level=1)).to_have_text("Plain paper")
    expect(without.locator(".people")).to_contain_text("Lucia Moretti")

    without.get_by_role("link", name="Edit").click()
    without.get_by_label("Amount").fill("500")
    without.get_by_role("button", name="Save", exact=True).last.click()
    expect(without.locator(".facts")).to_contain_text("$500.00")

    without.get_by_label("Note", exact=True).fill("On paper")
    without.get_by_role("button", name="Add note").click()
    expect(without.locator(".timeline")).to_contain_text("On paper")

    without.get_by_text("Plan an action").click()
    without.get_by_label("What to do").fill("Ring up")
    without.get_by_label("Due").fill("2030-01-01")
    without.get_by_role("button", name="Plan it").click()
    without.get_by_role("button", name="Done: Ring up").click()
    expect(without.locator(".done")).to_contain_text("1 done")

    without.get_by_role("link", name="Move to…").click()
    without.get_by_role("radio").nth(1).check()
    without.get_by_role("button", name="Move it").click()
    without.get_by_role("button", name=re.compile("Undo: Moved")).click()
    expect(page.locator("#toasts")).to_contain_text("Undone on")


def test_on_a_phone_the_panel_is_a_full_page(open_page):
    page = open_page("/", user="manager", viewport=PHONE, has_touch=True)
    page.locator("a.card-title").first.click()

    expect(page.locator("#panel #opportunity")).to_be_visible()
    page.wait_for_timeout(400)  # it slides in
    box = page.locator("#panel").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
def test_no_screen_breaks_a_rule_of_accessibility(open_page, scheme, viewport):
    page = open_page("/customers/", user="manager", color_scheme=scheme, viewport=viewport)
    customer = page.locator("td a").first.get_attribute("href")
    page.goto(customer)
    card = page.locator("a[data-panel]").first.get_attribute("href")
    acts = [f"{card}{act}/" for act in ("edit", "move", "status", "forecast")]
    found: list[str] = []
    for address in [
        "/customers/",
        "/customers/new/",
        customer,
        "/contacts/1/",
        card,
        "/opportunities/new/",
        *acts,
        "/help/stages-and-statuses/",
    ]:
        page.goto(address)
        for part in page.locator("main details summary").all():
            part.click()
        found += [f"{address}: {each}" for each in violations(page)]

    assert found == []


def test_the_panel_breaks_no_rule_of_accessibility(board):
    open_card(board)

    assert violations(board, within="#panel") == []
