"""Somebody makes a board and its columns: with the mouse, with the keyboard, and without any script."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import LOOKS, violations
from tests.browser.conftest import PHONE
from tests.browser.gestures import box

WAY = 6


def new_board(page: Page, name: str, *, with_columns: bool = True) -> str:
    """Make a board of one's own and return the address of its columns."""
    page.goto("/boards/new/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Begin with a column for each stage").set_checked(with_columns)
    page.get_by_role("button", name="Make the board").click()
    expect(page).to_have_url(re.compile(r"/boards/\d+/columns/"))
    page.wait_for_load_state()
    return page.url


def column_names(page: Page) -> list[str]:
    """The names in the editor, from left to right."""
    return [field.input_value() for field in page.locator(".builder-row:not(.removed) .builder-name input").all()]


def drag(page: Page, place: int, onto: int) -> None:
    """Drag a column by its grip to the place of another one."""
    grip = box(page.locator("[data-grip]").nth(place))
    target = box(page.locator(".builder-row").nth(onto))
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    end = target["y"] + (6 if onto < place else target["height"] - 6)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + (WAY if end > y else -WAY), steps=2)
    page.mouse.move(x, end, steps=10)
    for by in (1, 2, 3):
        page.mouse.move(x, end + (by if end > y else -by))
        page.wait_for_timeout(60)
    page.mouse.up()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save the columns").last.click()
    expect(page).to_have_url(re.compile(r"/boards/\d+/$"))
    page.wait_for_load_state()


def heads(page: Page) -> list[str]:
    """The column names on the board itself."""
    return page.locator(".column:not(.tray) .column-title h2").all_inner_texts()


@pytest.mark.sqlite
def test_a_board_is_made_and_its_columns_are_put_in_order_with_the_mouse(open_page) -> None:
    page = open_page(user="Salesperson")
    new_board(page, "By mouse")
    before = column_names(page)
    expect(page.get_by_role("button", name="Move to the left").first).to_be_disabled()  # the script is there
    drag(page, 0, 2)
    expect(page.locator("#unsaved")).to_be_visible()
    assert column_names(page)[:3] == [before[1], before[2], before[0]]
    drag(page, 3, 0)
    wanted = column_names(page)
    assert wanted[0] == before[3]
    save(page)
    assert heads(page) == wanted


def test_columns_are_ordered_renamed_and_mapped_by_keyboard_alone(open_page) -> None:
    page = open_page(user="Salesperson")
    new_board(page, "By keyboard")
    before = column_names(page)
    first = page.locator(".builder-row").nth(0)
    expect(first.get_by_role("button", name="Move to the left")).to_be_disabled()  # the script is there
    first.get_by_role("button", name="Move to the right").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert column_names(page)[2] == before[0]
    expect(page.locator("#announcer")).to_contain_text("place 3 of 5")
    moved = page.locator(".builder-row").nth(2)
    expect(moved.get_by_role("button", name="Move to the right")).to_be_focused()
    moved.get_by_label("Name of the column").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("First talks")
    moved.locator("summary").focus()
    page.keyboard.press("Enter")
    moved.get_by_role("checkbox", name=before[1]).focus()
    page.keyboard.press("Space")
    expect(page.locator("#announcer")).to_contain_text(f"{before[1]} moved here")
    expect(page.locator(".builder-row").nth(0).locator("[data-chosen]")).to_have_text("none yet")
    page.locator(".builder-name input").nth(0).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/boards/\d+/$"))
    page.wait_for_load_state()
    assert heads(page)[2] == "First talks"
    expect(page.locator(".notices")).to_contain_text(f"The column “{before[1]}” has no stage")


def test_a_column_is_removed_kept_and_removed_again_and_its_cards_wait_in_the_tray(open_page) -> None:
    page = open_page(user="Admin")
    new_board(page, "Fewer columns")
    row = page.locator(".builder-row").nth(1)
    name = row.get_by_label("Name of the column").input_value()
    row.get_by_role("button", name="Remove the column").click()
    expect(row).to_contain_text(re.compile(r"goes when you save. Its \d+ cards then sit in the tray"))
    expect(page.locator("#loose")).to_contain_text(name)
    row.get_by_role("button", name="Keep it").click()
    expect(page.locator("#loose")).to_be_hidden()
    row.get_by_role("button", name="Remove the column").click()
    save(page)
    assert name not in heads(page)
    expect(page.locator("#tray")).to_be_visible()
    expect(page.locator(".notices")).to_contain_text(f"In no column of this board: “{name}”")
    page.get_by_role("link", name="Give them a column").click()
    page.get_by_role("button", name=f"Add a column for {name}").click()
    expect(page.locator(".builder-row").last.get_by_label("Name of the column")).to_have_value(name)
    save(page)
    assert heads(page)[-1] == name


def test_leaving_with_unsaved_columns_is_asked_about(open_page) -> None:
    page = open_page(user="Salesperson")
    new_board(page, "Unsaved")
    page.get_by_role("button", name="Add a column", exact=True).click()
    expect(page.locator(".builder-row").last.get_by_label("Name of the column")).to_be_focused()
    asked: list[str] = []

    def stay(dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="All boards").click()
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    expect(page).to_have_url(re.compile("/columns/"))


def test_without_script_a_board_gets_its_columns_by_buttons(open_page) -> None:
    page = open_page(user="Salesperson", scripts=False)
    address = new_board(page, "Plain", with_columns=False)
    assert column_names(page) == []
    page.get_by_role("button", name="A column for each").click()
    before = column_names(page)
    save(page)
    page.goto(address)
    page.locator(".builder-row").nth(0).get_by_role("button", name="Move to the right").click()
    assert column_names(page)[:2] == [before[1], before[0]]
    page.locator(".builder-row").nth(2).get_by_role("button", name="Remove the column").click()
    expect(page.locator(".builder-row.removed")).to_contain_text(f"“{before[2]}” goes when you save")
    first = page.locator(".builder-row").nth(0)
    first.locator("summary").click()
    first.get_by_role("checkbox", name=before[2]).check()
    save(page)
    assert heads(page) == [before[1], before[0], *before[3:]]
    expect(page.locator(".notices")).to_have_count(0)


def test_the_second_of_two_editors_sees_the_fresh_columns_and_loses_nothing_silently(open_page) -> None:
    mine = open_page(user="Admin")
    address = new_board(mine, "Two editors")
    theirs = open_page(address, user="Admin")
    theirs.get_by_label("Name of the column").nth(0).fill("Theirs")
    save(theirs)
    mine.get_by_label("Name of the column").nth(0).fill("Mine")
    mine.get_by_role("button", name="Save the columns").last.click()
    banner = mine.get_by_role("alert")
    expect(banner).to_contain_text("Somebody changed the columns")
    expect(banner).to_contain_text("Mine")
    assert column_names(mine)[0] == "Theirs"


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
def test_every_page_about_boards_is_accessible_and_fits(open_page, scheme, viewport) -> None:
    page = open_page(user="Admin", color_scheme=scheme, viewport=viewport, has_touch=viewport == PHONE)
    for path in (
        "/boards/",
        "/boards/new/",
        "/boards/1/columns/",
        "/boards/1/edit/",
        "/boards/1/stages/",
        "/boards/1/delete/",
    ):
        page.goto(path)
        if path.endswith("columns/"):
            page.locator(".builder-row summary").first.click()
            page.locator(".builder-row").nth(1).get_by_role("button", name="Remove the column").click()
        assert violations(page) == []
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport[0], f"{path} is {width} px wide"
