"""The board on a phone: one column a screen, a swipe scrolls, a long press drags, the panel is a page."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.gestures import Finger, box, card_at, column_at, order

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(open_page) -> Page:
    """The default board on a phone, at its first real column."""
    page = open_page("/", user="manager", viewport=PHONE, has_touch=True, is_mobile=True)
    expect(page.locator("#board-line strong")).to_be_visible()
    bar_link(page, "Qualified lead").tap()
    expect(bar_link(page, "Qualified lead")).to_have_attribute("aria-current", "true")
    page.wait_for_timeout(600)
    return page


def bar_link(page: Page, name: str):
    return page.locator("#stage-bar a", has_text=name)


def test_one_column_fills_the_screen_and_the_bar_leads_to_the_others(phone):
    assert box(column_at(phone, 0))["width"] > 330
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE[0]

    bar_link(phone, "Decision pending").tap()

    expect(bar_link(phone, "Decision pending")).to_have_attribute("aria-current", "true")
    expect(column_at(phone, 3)).to_be_in_viewport(ratio=0.9)


def test_a_swipe_scrolls_and_never_drags(phone):
    before = order(phone, 0)
    finger = Finger(phone)

    finger.press(card_at(phone, 0, 2), hold=0)
    finger.slide(finger.x, finger.y - 250, steps=8, pause=16)
    finger.lift()
    phone.wait_for_timeout(500)

    assert order(phone, 0) == before
    assert column_at(phone, 0).locator(".column-body").evaluate("body => body.scrollTop") > 50


def test_a_long_press_drags_within_the_column(phone):
    before = order(phone, 0)
    target = box(card_at(phone, 0, 2))
    finger = Finger(phone)

    finger.press(card_at(phone, 0))
    finger.slide(finger.x, target["y"] + target["height"] - 8, steps=15, pause=50)
    finger.lift()

    expect(phone.locator("#toasts")).to_contain_text("moved within Qualified lead")
    assert order(phone, 0)[:3] == [before[1], before[2], before[0]]


def test_a_held_card_reaches_the_next_column_at_the_edge(phone):
    number = order(phone, 0)[0]
    finger = Finger(phone)

    finger.press(card_at(phone, 0))
    finger.slide(382, finger.y + 90)
    for step in range(60):
        if column_at(phone, 1).evaluate("column => column.getBoundingClientRect().left") < 40:
            break
        finger.slide(382, finger.y + (-1) ** step, steps=1, pause=25)
    finger.slide(200, finger.y, steps=8, pause=60)
    finger.lift()

    expect(phone.locator("#toasts")).to_contain_text("moved to Solution identified")
    assert number in order(phone, 1)


def test_the_panel_is_a_page_and_back_closes_it(phone):
    title = card_at(phone, 0).locator(".card-title")
    words = title.inner_text()

    title.tap()

    panel = phone.locator("#panel")
    expect(panel.locator("h1")).to_have_text(words)
    phone.wait_for_timeout(300)
    assert box(panel)["width"] == PHONE[0]
    assert re.search(r"card=\d+", phone.url)
    phone.go_back()
    expect(panel).to_be_hidden()


def test_what_is_touched_is_large_enough(phone):
    small = phone.evaluate(
        """() => [...document.querySelectorAll('a, button, input, select, summary')]
            .filter(each => each.checkVisibility() && !each.matches('.card-title, .skip, p a, li a:not(.button)'))
            .map(each => [each, each.getBoundingClientRect()])
            .filter(([, box]) => box.width && (box.width < 40 || box.height < 40))
            .map(([each, box]) => `${each.className} ${Math.round(box.width)}x${Math.round(box.height)}`)"""
    )

    assert small == []
