"""A whole deal in the browser: card, quote, revision, agreement with two signers, job, payment, completion, refund.

Both statuses of the card are looked at after every step, as the specification says them (issue: the lifecycle engine).
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


class Deal:
    """The card of the story, as a manager sees it in one page and as its page says."""

    def __init__(self, page: Page, number: str) -> None:
        self.page, self.number = page, number

    def open(self) -> None:
        """Go to the card's page."""
        self.page.goto(f"/opportunities/{self.number}/")

    def stands(self, workflow: str, sales: str) -> None:
        """See both statuses on the card's page."""
        self.open()
        marks = self.page.locator(".opportunity-marks")
        expect(marks).to_contain_text(workflow)
        expect(marks).to_contain_text(sales)

    def act(self, name: str, *, confirm: str = "") -> None:
        """Press an act of the document's page, and the same in its dialog."""
        menu = self.page.get_by_role("button", name="More", exact=True)
        link = self.page.locator("main").get_by_role("link", name=re.compile(f"^{name}"))
        if not link.first.is_visible():
            menu.click()
        link.first.click()
        self.page.locator("#dialog").get_by_role("button", name=re.compile(f"^{confirm or name}")).last.click()
        expect(self.page.locator("#dialog")).to_be_hidden()


@pytest.fixture
def deal(open_page) -> Deal:
    """A new card for a customer of the sample."""
    page = open_page("/opportunities/new/", user="manager")
    page.locator("#id_title").fill("Furnace for the workshop")
    page.get_by_label("Add a customer by name").fill("Casa Lucia")
    page.get_by_role("button", name="Create opportunity").click()
    expect(page.locator(".opportunity-marks")).to_be_visible()
    found = re.search(r"/opportunities/(\d+)/", page.url)
    assert found
    return Deal(page, found[1])


def write_line(page: Page, place: int, what: str, quantity: str, price: str, kind: str = "Service") -> None:
    """Fill in a row of the lines editor."""
    row = page.locator("tr.line-row").nth(place)
    row.get_by_label("Description").fill(what)
    row.get_by_label("Kind").select_option(label=kind)
    row.get_by_label("Quantity").fill(quantity)
    row.get_by_label("Unit price").fill(price)


def hand_over(page: Page) -> None:
    """Submit the document of the page, as handed over in person."""
    page.get_by_role("link", name=re.compile("^Submit")).first.click()
    page.get_by_label("I handed it over myself").check()
    page.locator("#dialog").get_by_role("button", name=re.compile("^Submit")).click()


def test_a_deal_goes_from_a_new_card_to_a_refund_and_says_at_each_step_where_it_stands(deal, open_page):
    page = deal.page
    deal.stands("Prospect", "Open")

    # A quote is made: not yet a negotiation.
    page.get_by_role("link", name="+ Quote").click()
    write_line(page, 0, "Furnace", "1", "2400", "Product")
    write_line(page, 1, "Installation", "8", "95")
    expect(page.locator("#line-totals")).to_contain_text("3,160.00")
    page.get_by_role("button", name="Create quote").click()
    page.wait_for_url(re.compile(r"/quotes/\d+/$"))
    quote = page.url
    deal.stands("Prospect", "Open")

    # It is submitted, revised, and submitted again.
    page.goto(quote)
    hand_over(page)
    expect(page.locator("main")).to_contain_text("1 time")
    expect(page.locator(".document-acts").get_by_role("link", name=re.compile("^Accepted by"))).to_be_focused()
    deal.stands("Negotiation", "Open")
    page.goto(f"{quote}edit/")
    write_line(page, 1, "Installation", "10", "95")
    page.get_by_role("button", name=re.compile("^Save")).click()
    page.wait_for_url(quote)
    expect(page.locator("main")).to_contain_text("Modified")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    hand_over(page)
    expect(page.locator("main")).to_contain_text("2 times")
    deal.stands("Negotiation", "Open")

    # An agreement with two signers goes out: one signs by link on a phone, the other one's yes is noted.
    page.get_by_role("link", name="+ Agreement").click()
    page.locator("[name=text]").fill("We install the furnace before the winter.")
    page.get_by_role("button", name="Add a recipient").click()
    names = page.locator("[data-rows] input[name^=who-name-]")
    names.nth(0).fill("Lucia Moretti")
    names.nth(1).fill("Paolo Moretti")
    page.get_by_role("button", name="Create agreement").click()
    page.wait_for_url(re.compile(r"/agreements/\d+/$"))
    agreement = page.url
    deal.stands("Negotiation", "Open")
    page.goto(agreement)
    page.get_by_role("link", name=re.compile("^Submit")).click()
    page.get_by_label("Copy the private link").check()
    page.locator("#dialog").get_by_role("button", name=re.compile("^Submit")).click()
    page.wait_for_url("**/links/")
    link = page.get_by_label("Private link of Lucia Moretti").input_value()
    deal.stands("Agreement", "Open")
    phone = open_page(link, viewport=PHONE, has_touch=True)
    phone.get_by_label("Your name").first.fill("Lucia Moretti")
    phone.get_by_role("button", name=re.compile("^Accept A-")).click()
    expect(phone.get_by_role("heading", name="Thank you")).to_be_visible()
    deal.stands("Agreement", "Open")
    page.goto(agreement)
    page.get_by_role("link", name=re.compile("^Note that Paolo Moretti accepted")).click()
    page.locator("#dialog").get_by_role("button", name=re.compile("^Note that Paolo")).click()
    expect(page.locator("#recipients")).to_contain_text("Accepted as “Paolo Moretti”")
    expect(page.locator("#recipients li", has_text="Paolo Moretti").locator("a:focus")).to_have_count(1)
    deal.stands("Contracted", "Won")

    # The quote becomes a job; it is paid, delivered and done.
    page.goto(quote)
    deal.act("Convert to a job")
    page.wait_for_url(re.compile(r"/jobs/\d+/$"))
    job = page.url
    deal.stands("Contracted", "Won")
    page.goto(job)
    page.get_by_role("link", name="Take a payment").first.click()
    page.locator("#dialog").get_by_label("Amount").fill("1000")
    page.locator("#dialog").get_by_role("button", name=re.compile("payment")).click()
    expect(page.locator("#money, main").first).to_contain_text("$1,000.00")
    expect(page.locator(".document-acts").get_by_role("link", name="Take a payment")).to_be_focused()
    page.get_by_role("link", name=re.compile("^Fulfil: Furnace")).click()
    page.locator("#dialog").get_by_label("Quantity").fill("1")
    page.locator("#dialog").get_by_role("button", name=re.compile("^Fulfil")).last.click()
    expect(page.locator("main")).to_contain_text("1 of 1")
    expect(page.get_by_role("link", name="Return: Furnace")).to_be_focused()
    deal.stands("Contracted", "Won")
    page.goto(job)
    deal.act("Complete")
    deal.stands("Completed", "Won")

    # Something is left to do after all; then it is done again, and the money goes back.
    page.goto(job)
    deal.act("Reopen")
    deal.stands("Contracted", "Won")
    page.goto(job)
    deal.act("Complete")
    deal.stands("Completed", "Won")
    page.goto(job)
    page.get_by_role("link", name=re.compile("^Refund")).first.click()
    expect(page.locator("#dialog")).to_contain_text("Lost")
    page.locator("#dialog").get_by_role("button", name=re.compile("^Refund")).last.click()
    expect(page.locator("#dialog")).to_be_hidden()
    deal.stands("Completed", "Lost: refunded")
    expect(page.locator("#why")).to_contain_text(re.compile("J-\\d+"))

    # The card's story tells it all.
    story = page.locator("#story, .timeline").first
    for words in ("became job", "signed", "was submitted", "was completed", "given back"):
        expect(story).to_contain_text(words)
