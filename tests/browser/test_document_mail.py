"""A quote is mailed on submitting, opened on a phone by the link of the mail, and accepted there."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser

MAKE = """
from datetime import datetime, UTC
from opportunities import quotes
from opportunities.models import Opportunity
now = datetime.now(UTC)
card = Opportunity.objects.filter(workflow_status='prospect', sales_status='none', customers__isnull=False).first()
people = [{'name': 'Ada Lowell', 'email': 'ada@example.test'}, {'name': 'Ben Ortiz', 'email': ''}]
made = quotes.create(customer_id=card.customers.first().pk, opportunity_id=card.pk, recipients=people,
    lines=[{'description': 'Boiler', 'quantity': 1, 'unit_price': '2400'}], actor=None, now=now)
print('MADE', made.pk)
"""
MAILS = "SELECT subject, body FROM opportunities_outgoingemail WHERE quote_id = %s"


@pytest.fixture
def quote(server):
    """A draft quote for two people, of whom one has an address, on a card of the sample."""
    printed = server.database.manage("shell", "--no-imports", "-c", MAKE)
    return int(re.search(r"MADE (\d+)", printed)[1])


def test_a_quote_is_mailed_and_accepted_by_the_link_in_the_mail(open_page, server, quote):
    staff = open_page(f"/quotes/{quote}/", user="manager")
    staff.get_by_role("link", name=re.compile("^Submit")).click()
    dialog = staff.locator("#dialog")
    expect(dialog.get_by_label("Mail it from here")).to_be_checked()
    expect(dialog.get_by_label("Ada Lowell, ada@example.test")).to_be_checked()
    expect(dialog.get_by_label("Ben Ortiz: no e-mail address")).to_be_disabled()
    assert violations(staff) == []

    # The words are changed for this mail alone, and looked at before they leave.
    dialog.get_by_label("Subject").fill("Your boiler, {{ recipient_name }}")
    dialog.get_by_role("button", name="Update the preview").click()
    expect(dialog.locator(".mail-paper")).to_contain_text("Your boiler, Ada Lowell")

    # Whoever sends it another way is shown no mail.
    dialog.get_by_label("I handed it over myself").check()
    expect(dialog.get_by_label("Subject")).to_be_hidden()
    dialog.get_by_label("Mail it from here").check()
    dialog.get_by_role("button", name=re.compile("^Submit")).click()

    staff.wait_for_url("**/links/")
    expect(staff.locator(".mailed")).to_contain_text(re.compile("mail", re.IGNORECASE))
    ((subject, body),) = server.database.sql(MAILS, [quote])
    assert subject == "Your boiler, Ada Lowell"
    link = re.search(r"https?://\S+", body)[0]
    assert link == staff.get_by_label("Private link of Ada Lowell").input_value()

    phone = open_page(link, viewport=PHONE, has_touch=True)
    phone.get_by_label("Your name").first.fill("Ada Lowell")
    phone.get_by_role("button", name=re.compile("^Accept")).first.click()
    expect(phone.get_by_role("heading", name="Thank you")).to_be_visible()
    staff.goto(f"/quotes/{quote}/")
    expect(staff.locator("#document")).to_contain_text("Accepted")


def test_a_quote_is_mailed_again_without_scripts(open_page, server, quote):
    staff = open_page(f"/quotes/{quote}/submit/", user="manager", scripts=False)
    staff.get_by_role("button", name="Update the preview").click()
    expect(staff.locator(".mail-paper")).to_contain_text("Dear Ada Lowell")
    staff.get_by_role("button", name=re.compile("^Submit")).click()
    staff.get_by_role("link", name="Mail it again to Ada Lowell").click()
    staff.get_by_label("Subject").fill("Once more")
    staff.get_by_role("button", name=re.compile("^Mail it again")).click()

    expect(staff.get_by_text("is mailed to Ada Lowell")).to_be_visible()
    assert "Once more" in [subject for subject, _body in server.database.sql(MAILS, [quote])]
