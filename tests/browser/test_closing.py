"""A blocked void explained and cleared step by step, by keyboard alone; a cancel from the board; without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser

MAKE = """
from datetime import datetime, UTC
from opportunities import agreements, jobs, pipeline, quotes
from opportunities.models import Customer, OpportunityStage
now, customer = datetime.now(UTC), Customer.objects.order_by('pk').first()
card = pipeline.create(title='Clinic annex', customer_ids=[customer.pk], amount=900, actor=None, now=now,
    stage_id=OpportunityStage.objects.active().in_order()[0].pk)
on = {'customer_id': customer.pk, 'opportunity_id': card.pk, 'actor': None, 'now': now}
quotes.create(**on, lines=[{'description': 'Ducts', 'unit_price': '900'}])
if BLOCKED:
    goods = {'kind': 'product', 'description': 'Air handler', 'quantity': 2, 'unit_price': '450'}
    job = jobs.create(**on, lines=[goods])
    jobs.fulfil(line_id=job.lines.get().pk, quantity=1, actor=None, now=now)
    jobs.take_payment(job_id=job.pk, amount=50, actor=None, now=now)
    out = agreements.create(**on, text='We install.', recipients=[{'name': 'Ada', 'email': 'ada@example.test'}])
    agreements.submit(agreement_id=out.pk, actor=None, now=now)
    agreements.respond(recipient_id=out.recipients.get().pk, accepted=False, actor=None, now=now)
print('MADE', card.pk)
"""


def make(server, *, blocked: bool) -> str:
    script = MAKE.replace("BLOCKED", str(blocked))
    found = re.search(r"MADE (\d+)", server.database.manage("shell", "--no-imports", "-c", script))
    assert found
    return found[1]


def press(target, key: str = "Enter") -> None:
    """Go there by keyboard, and press."""
    target.focus()
    expect(target).to_be_focused()
    target.press(key)


def void_from_the_move_menu(page: Page, card: str):
    press(page.locator(f"#card-{card} a.card-title"), "m")
    dialog = page.locator("#dialog")
    press(dialog.get_by_role("link", name=re.compile("^Void…")))
    expect(dialog.get_by_role("heading", name="Void “Clinic annex”?")).to_be_visible()
    return dialog


def test_a_blocked_void_is_explained_and_cleared_step_by_step_by_keyboard(fresh_server, open_page):
    card = make(fresh_server, blocked=True)
    page = open_page("/", user="manager", on=fresh_server)

    # Everything that stands in the way is told at once; nothing can be confirmed.
    dialog = void_from_the_move_menu(page, card)
    expect(dialog.locator(".check-line.failed")).to_have_count(3)
    expect(dialog).to_contain_text("2 things to clear first")
    expect(dialog.get_by_role("button", name="Void opportunity")).to_be_disabled()
    assert not violations(page)

    # The air handler comes back, in the same dialog, which leads back to what is left.
    press(dialog.get_by_role("link", name="Return it"))
    quantity = dialog.get_by_label("Quantity")
    quantity.fill("1")
    quantity.press("Enter")
    expect(dialog).to_contain_text("1 thing to clear first")
    expect(dialog.get_by_role("heading", name="Void “Clinic annex”?")).to_be_visible()
    expect(page.locator("#toasts")).to_contain_text("Noted what came back")

    # So does the money, and the focus stays in the dialog.
    expect(dialog.get_by_role("link", name="Refund it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("heading", name="Refund: $50.00")).to_be_visible()
    press(dialog.locator("footer button.filled").first)
    expect(dialog.get_by_role("heading", name="Void “Clinic annex”?")).to_be_visible()
    expect(dialog.locator(".check-line.failed")).to_have_count(1)
    expect(dialog.locator(":focus")).to_have_count(1)
    assert not violations(page)
    page.keyboard.press("Escape")
    expect(page.locator(f"#card-{card} a.card-title")).to_be_focused()

    # "Why can't I void this?" agrees, and leads on.
    page.goto(f"/opportunities/{card}/")
    press(page.get_by_role("button", name="More acts", exact=True))
    press(page.get_by_role("link", name=re.compile("^Why can.t I void this")))
    dialog = page.locator("#dialog")
    expect(dialog.locator(".check-line.failed")).to_have_count(1)
    assert not violations(page)
    press(dialog.get_by_role("link", name="Void opportunity…"))

    # What is left is cleared together with the card.
    press(dialog.get_by_role("checkbox", name=re.compile("^Void A-.* first")), "Space")
    dialog.get_by_label(re.compile("^Why A-")).select_option(label="Wrong customer")
    dialog.get_by_label("Reason", exact=True).select_option(label="Duplicate")
    press(dialog.get_by_role("button", name="Void opportunity"))

    expect(page.locator("#closed")).to_contain_text("Voided by")
    expect(page.locator("#closed")).to_contain_text("Reason: Duplicate.")
    expect(page.locator(".opportunity-marks")).to_contain_text("Void")
    assert not violations(page)

    # On the board it stays where it was, struck through.
    page.goto("/")
    expect(page.locator(f"#card-{card}.closed")).to_contain_text("Void")


def test_a_lost_deal_leads_to_the_choice_of_canceling_and_the_card_stays_on_the_board(fresh_server, open_page):
    card = make(fresh_server, blocked=False)
    page = open_page("/", user="manager", on=fresh_server)
    press(page.locator(f"#card-{card} a.card-title"), "m")
    dialog = page.locator("#dialog")
    press(dialog.get_by_role("link", name=re.compile("^Lost")))
    press(dialog.get_by_role("link", name="Cancel it with a reason"))
    expect(dialog.get_by_role("heading", name="Cancel “Clinic annex”?")).to_be_visible()

    # Without a reason it asks, and keeps what was typed.
    dialog.get_by_label(re.compile("^Note")).fill("They called.")
    press(dialog.get_by_role("button", name="Cancel opportunity"))
    expect(dialog.get_by_text("Choose a reason.")).to_be_visible()
    expect(dialog.get_by_label(re.compile("^Note"))).to_have_value("They called.")
    assert not violations(page)
    dialog.get_by_label("Reason", exact=True).select_option(label="Price")
    press(dialog.get_by_role("button", name="Cancel opportunity"))

    expect(dialog).not_to_be_visible()
    expect(page.locator("#toasts")).to_contain_text("was canceled")
    expect(page.locator(f"#card-{card}.closed")).to_contain_text("Canceled")


def test_it_is_voided_and_archived_on_a_phone_without_scripts(fresh_server, open_page):
    card = make(fresh_server, blocked=False)
    page = open_page(
        f"/opportunities/{card}/void/", user="manager", on=fresh_server, viewport=PHONE, has_touch=True, scripts=False
    )
    page.get_by_label("Reason", exact=True).select_option(label="Test")
    page.get_by_label("Move to archive").check()
    page.get_by_role("button", name="Void opportunity").click()

    expect(page.locator("#closed")).to_contain_text("Reason: Test.")
    expect(page.locator(".opportunity-marks")).to_contain_text("Archived")


def test_the_mail_of_a_cancellation_opens_when_it_is_ticked_and_is_shown_with_the_words_as_changed(
    fresh_server, open_page
):
    card = make(fresh_server, blocked=False)
    page = open_page(f"/opportunities/{card}/", user="manager", on=fresh_server)
    press(page.get_by_role("button", name="More acts", exact=True).first)
    press(page.get_by_role("link", name=re.compile("^Cancel opportunity")))
    dialog = page.locator("#dialog")
    subject = dialog.get_by_label("Subject")
    expect(subject).not_to_be_visible()

    press(dialog.get_by_role("checkbox", name="Tell the customer by mail"), "Space")
    expect(subject).to_be_visible()

    # It stays open, and the preview has the focus.
    press(dialog.get_by_role("checkbox", name="Tell the customer by mail"), "Space")
    subject.fill("Good luck, {{ customer_name }}")
    press(dialog.get_by_role("button", name="Show the mail as it will be"))
    preview = dialog.locator("#mail-preview")
    expect(preview).to_contain_text("Good luck, ")
    expect(preview).not_to_contain_text("{{")
    expect(preview).to_be_focused()
    assert not violations(page)
