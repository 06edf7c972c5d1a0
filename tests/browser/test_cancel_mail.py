"""A cancellation that tells the customer, from the board to the outbox."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.browser


def a_card_with_an_address(page: Page) -> str:
    """The number of an open card whose customer can be written to."""
    page.goto("/boards/1/list/?workflow=prospect")
    for number in page.locator(".c-number").all_inner_texts():
        page.goto(f"/opportunities/{number.removeprefix('OPP-')}/cancel/")
        if page.locator("#mail-send").count() and page.locator("#mail-send").is_enabled():
            return number
    raise AssertionError("No open card of the sample has a customer with an address.")


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_a_cancellation_with_a_mail_is_read_in_the_outbox(open_page, size, scheme):
    page = open_page("/my-day/", user="manager", viewport=size, color_scheme=scheme)
    number = a_card_with_an_address(page)

    page.get_by_label("Tell the customer by mail").check()
    subject = page.get_by_label("Subject")
    expect(subject).to_be_visible()
    subject.fill(f"About {number} on {{{{ canceled_on }}}}")
    page.get_by_label("Further addresses").fill("bob@x.test")
    assert violations(page) == []
    page.get_by_role("button", name="Show the mail as it will be").click()
    expect(page.locator("#mail-preview")).to_contain_text(f"About {number} on 2")
    page.get_by_label("Reason").select_option(index=1)
    page.get_by_role("button", name="Cancel opportunity").click()
    expect(page.locator("#toasts")).to_contain_text(f"{number} was canceled")

    page.goto("/mails/")
    page.get_by_role("link", name=f"About {number}").first.click()
    expect(page.locator("main")).to_contain_text("bob@x.test")
    expect(page.locator("main")).to_contain_text("we have closed our offer to you")


def test_without_any_address_typing_one_lets_the_mail_be_sent(open_page):
    page = open_page("/opportunities/new/", user="manager")
    page.get_by_role("textbox", name="Title").fill("Nobody to write to")
    page.get_by_role("button", name="Create opportunity").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody to write to")

    page.goto(page.url.rstrip("/").partition("?")[0] + "/cancel/")
    box = page.get_by_label("Tell the customer by mail")
    expect(box).to_be_disabled()
    page.get_by_text("Who gets it, and the words").click()
    page.get_by_label("Further addresses").press_sequentially("a@x.test")
    expect(box).to_be_enabled()
    page.get_by_label("Further addresses").fill("")
    expect(box).to_be_disabled()
