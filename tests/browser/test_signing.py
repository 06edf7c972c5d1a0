"""Two people sign an agreement: one by private link on a phone, the other one's answer is noted by a colleague."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser

MAKE = """
from datetime import datetime, UTC
from opportunities import agreements
from opportunities.models import Opportunity
now = datetime.now(UTC)
card = Opportunity.objects.filter(workflow_status='prospect', sales_status='none', customers__isnull=False).first()
people = [{'name': 'Ada Lowell', 'email': 'ada@example.test'}, {'name': 'Ben Ortiz', 'email': 'ben@example.test'}]
made = agreements.create(customer_id=card.customers.first().pk, opportunity_id=card.pk, text='We install a boiler.',
    recipients=people, lines=[{'description': 'Boiler', 'quantity': 1, 'unit_price': '2400'}], actor=None, now=now)
print('MADE', made.pk, card.pk)
"""


@pytest.fixture
def made(server):
    """A draft agreement for two signers on a card of the sample."""
    printed = server.database.manage("shell", "--no-imports", "-c", MAKE)
    return re.search(r"MADE (\d+) (\d+)", printed).groups()


def test_an_agreement_is_signed_by_link_on_a_phone_and_by_a_colleague(open_page, server, made):
    agreement, card = made
    staff = open_page(f"/agreements/{agreement}/", user="manager")
    staff.get_by_role("link", name=re.compile("^Submit")).click()
    staff.get_by_label("Copy the private link").check()
    staff.locator("#dialog").get_by_role("button", name=re.compile("^Submit")).click()

    # One lands where the links can be copied at once.
    staff.wait_for_url("**/links/")
    link = staff.get_by_label("Private link of Ada Lowell").input_value()
    staff.goto(f"/opportunities/{card}/")
    expect(staff.locator(".opportunity-marks")).to_contain_text("Agreement")

    # Ada opens hers on a phone, in a browser that knows nothing of us.
    phone = open_page(link, viewport=PHONE, has_touch=True)
    expect(phone.get_by_role("heading", name=re.compile("Agreement A-"))).to_be_visible()
    expect(phone.get_by_text("New opportunity")).to_have_count(0)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert violations(phone) == []
    with phone.expect_response("**/viewed/") as told:
        pass
    assert told.value.status == 204
    staff.goto(f"/agreements/{agreement}/")
    expect(staff.locator("#recipients")).to_contain_text("Viewed")

    phone.get_by_label("Your name").first.fill("Dr. A. Lowell")
    phone.get_by_role("button", name=re.compile("^Accept A-")).click()
    expect(phone.get_by_role("heading", name="Thank you")).to_be_visible()
    phone.get_by_role("link", name="Copy to print or keep").click()
    expect(phone.locator(".paper")).to_contain_text("Dr. A. Lowell")

    # The salesperson sees it, and notes the other answer.
    staff.reload()
    expect(staff.locator("#recipients")).to_contain_text("Accepted as “Dr. A. Lowell”")
    staff.get_by_role("link", name=re.compile("^Note that Ben Ortiz accepted and mark OPP-.* won")).click()
    dialog = staff.locator("#dialog")
    expect(dialog).to_contain_text("becomes Contracted and Won")
    dialog.get_by_role("button", name=re.compile("^Note that Ben Ortiz accepted")).click()
    expect(staff.locator("#recipients")).to_contain_text("Accepted as “Ben Ortiz”")
    staff.goto(f"/opportunities/{card}/")
    expect(staff.locator(".opportunity-marks")).to_contain_text("Contracted")
    expect(staff.locator(".opportunity-marks")).to_contain_text("Won")

    # Ada's link tells her, and takes no second answer.
    phone.goto(link)
    expect(phone.get_by_text("was accepted on")).to_be_visible()
    expect(phone.get_by_role("button", name=re.compile("^Accept"))).to_have_count(0)


def test_a_link_is_answered_without_scripts_too(open_page, server, made):
    agreement, _card = made
    staff = open_page(f"/agreements/{agreement}/submit/", user="manager")
    staff.get_by_role("button", name=re.compile("^Submit")).click()
    link = staff.get_by_label("Private link of Ben Ortiz").input_value()

    page = open_page(link, viewport=PHONE, scripts=False)
    page.get_by_text("Decline instead").click()
    page.get_by_label("Would you tell us why?").fill("Too dear")
    page.get_by_role("button", name=re.compile("^Decline A-")).click()

    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.get_by_text("was declined on")).to_be_visible()
