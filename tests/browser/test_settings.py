"""An admin keeps the setup tables: dragging the order, seeing the effect first, with and without script."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE
from tests.browser.gestures import box

STAGES = "/admin/opportunities/opportunitystage/"
PAGES = (
    "/admin/",
    STAGES,
    f"{STAGES}2/change/",
    f"{STAGES}2/delete/",
    "/admin/opportunities/opportunitystatus/",
    "/admin/opportunities/reason/",
    "/admin/opportunities/businesssettings/1/change/",
    "/admin/opportunities/opportunity/",
    "/admin/boards/board/1/change/",
)


def names(page: Page) -> list[str]:
    """The stages from top to bottom."""
    return [name.strip() for name in page.locator("#result_list tbody th").all_inner_texts()]


def drag(page: Page, place: int, onto: int) -> None:
    """Drag a row by its grip onto the place of another one."""
    start, end = box(page.locator(".drag-handle").nth(place)), box(page.locator(".drag-handle").nth(onto))
    x, y = start["x"] + 10, start["y"] + 14
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 6, steps=2)
    page.mouse.move(x, end["y"] + 16, steps=10)
    for step in range(3):
        page.mouse.move(x, end["y"] + 17 + step)
        page.wait_for_timeout(60)
    page.mouse.up()


def test_stages_are_dragged_into_another_order(open_page, fresh_server):
    page = open_page(STAGES, user="admin", on=fresh_server)
    first, *others = names(page)

    drag(page, 0, 2)

    expect(page.locator("#order-said")).to_have_text("The new order is saved.")
    page.reload()
    assert names(page) == [*others[:2], first, *others[2:]]


def test_an_order_that_could_not_be_saved_goes_back(open_page, fresh_server, problems):
    page = open_page(STAGES, user="admin", on=fresh_server)
    before = names(page)
    page.route("**/reorder/", lambda route: route.abort())
    problems.allow("ERR_FAILED")

    drag(page, 0, 2)

    expect(page.locator("#order-said")).to_contain_text("the rows are back where they were")
    assert names(page) == before


def test_the_effect_is_shown_before_anything_is_saved_without_script(open_page, fresh_server):
    page = open_page(f"{STAGES}2/change/", user="admin", on=fresh_server, scripts=False)
    page.locator("[name=active]").uncheck()

    page.locator(".submit-row [name=_save]").click()
    expect(page.get_by_role("alert")).to_contain_text("No card can enter it any more.")
    page.get_by_role("button", name="Save with this effect").click()

    expect(page.locator("#result_list")).to_contain_text("retired")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_settings_have_no_barriers(open_page, color_scheme):
    page = open_page(user="admin", color_scheme=color_scheme)

    found: list[str] = []
    for path in PAGES:
        page.goto(path)
        found += [f"{path}: {each}" for each in violations(page)]

    assert found == []


def test_the_settings_fit_a_phone(open_page):
    page = open_page(user="admin", viewport=PHONE, has_touch=True)

    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path
