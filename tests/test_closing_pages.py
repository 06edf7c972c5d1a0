"""The void and cancel sheets, and "Why can't I void this?": what they show, ask, do and refuse."""

import json
import re
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from opportunities import attachments, jobs, lifecycle, mail
from opportunities.models import ActionItem, BusinessSettings, EmailTemplate, Event, OutgoingEmail
from tests.documents import (
    PIPES,
    TODAY,
    act,
    deal,
    fresh,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    shown,
    state,
    statuses,
)
from tests.factories import NOW, CustomerFactory, ReasonFactory, UserFactory, starter_rows

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true", "hx-target": "dialog#dialog"}


@pytest.fixture(autouse=True)
def business():
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=TODAY)
        yield


@pytest.fixture
def ann():
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def duplicate():
    return ReasonFactory(void=True, label="Duplicate")


@pytest.fixture
def price():
    return ReasonFactory(label="Price")


@pytest.fixture
def client(ann):
    return signed_in(ann)


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def sheet_of(card, kind="void"):
    return f"/opportunities/{card.pk}/{kind}/"


def words_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def form_of(response) -> dict[str, list[str]]:
    """What the sheet sends back with what a person types: the hidden fields of its form."""
    html = response.content.decode()
    fields = re.findall(r'<input type="hidden" name="(token|seen|shown)" value="([^"]*)"', html)
    return {name: [value for key, value in fields if key == name] for name in ("token", "seen", "shown")}


class TestShowing:
    def test_the_sheet_tells_the_whole_consequence(self, client, ann, duplicate):
        card = deal(actor=ann)
        quote, gone = make_quote(card, "submitted"), make_quote(card, "canceled")
        ActionItem.objects.create(opportunity=card, text="Call", due_on=TODAY, created_at=NOW)

        said = words_of(client.get(sheet_of(card)))

        assert f"Quote {quote.number} Submitted Void" in said
        assert f"Quote {gone.number} Canceled stays as it is, and keeps its reason: {gone.close_reason_label}" in said
        assert "1 action item open closed, and reminders removed" in said
        assert "Workflow status Negotiation Void" in said
        assert "Sales status Lost Lost" in said
        assert "It can't be undone" in said.replace("&#x27;", "'")

    @pytest.mark.parametrize(
        ("kind", "mine", "other"), [("void", "Duplicate", "Price"), ("cancel", "Price", "Duplicate")]
    )
    def test_only_active_reasons_of_its_own_list_are_offered_ac160(
        self, client, ann, duplicate, price, kind, mine, other
    ):
        ReasonFactory(void=True, label="Old one", active=False)
        ReasonFactory(label="Old one", active=False)

        said = words_of(client.get(sheet_of(deal(actor=ann), kind)))

        assert mine in said
        assert other not in said
        assert "Old one" not in said

    def test_every_blocker_is_there_with_the_way_to_clear_it_and_who_may(self, client, ann):
        card = deal(actor=ann)
        job = make_job(card, lines=[PIPES])
        act(jobs.fulfil, line_of(job), quantity=1)
        pay(job, "50")
        agreement = make_agreement(card, "submitted")

        response = client.get(sheet_of(card))

        html, said = response.content.decode(), words_of(response)
        assert f'href="/jobs/lines/{line_of(job).pk}/return/?next={sheet_of(card)}" data-dialog' in html
        assert f'href="/jobs/{job.pk}/#money"' in html
        assert "Only a manager may do that." in said
        assert f'href="/agreements/{agreement.pk}/void/?next={sheet_of(card)}" data-dialog' in html
        assert f'href="/agreements/{agreement.pk}/detach/?next={sheet_of(card)}" data-dialog' in html
        assert "3 things to clear first" in said
        assert re.search(r"<button[^>]* disabled>Void opportunity", html)

    def test_it_costs_the_same_with_many_documents(self, client, ann):
        def asked(n):
            card = deal(actor=ann)
            for _each in range(n):
                make_quote(card)
                make_job(card, lines=[PIPES])
                make_agreement(card, "rejected")
            client.get(sheet_of(card))
            with CaptureQueriesContext(
                connection,
            ) as found:
                assert client.get(sheet_of(card)).status_code == 200
            return len(found)

        one = asked(1)
        assert asked(3) - one <= 2 * 3  # a reason list for each box; everything else once
        assert one <= 22


class TestClearingTheWay:
    """What stands in the way is cleared in a sheet of its own, which leads back to the void or cancel sheet."""

    @pytest.fixture
    def boss(self):
        return signed_in(UserFactory(role="manager"))

    def test_each_payment_is_refunded_and_each_one_on_its_way_settled_from_the_sheet(self, boss):
        card = deal()
        one, several, waiting = (make_job(card, lines=[PIPES]) for _each in range(3))
        only, first, second = pay(one, "50"), pay(several, "20"), pay(several, "30")
        refund = act(jobs.refund, second, amount=Decimal(30), settled=False)
        late = act(jobs.take_payment, waiting, amount=Decimal(10), settled=False)

        response = boss.get(sheet_of(card))

        found = dict(
            re.findall(
                r'<a href="([^"?]+)\?next=/opportunities/\d+/void/" data-dialog>([^<]+)', response.content.decode()
            )
        )
        assert found == {
            f"/payments/{only.pk}/refund/": "Refund it",
            f"/payments/{first.pk}/refund/": "Refund $20.00",
            f"/refunds/{refund.pk}/settle/": "Settle the refund of $30.00",
            f"/payments/{late.pk}/settle/": "Settle it",
        }

    @pytest.mark.parametrize("kind", ["void", "cancel", "void/why"])
    def test_on_a_board_the_act_leads_back_to_the_sheet_that_it_was_asked_from(self, boss, kind):
        card = deal()
        payment = pay(make_job(card, lines=[PIPES]), "50")
        given = {"amount": "50", "settled": "yes", "next": sheet_of(card, kind)}
        headers = {**HTMX, "hx-current-url": "http://testserver/"}

        response = boss.post(f"/payments/{payment.pk}/refund/", given, headers=headers)

        told = json.loads(response.headers["HX-Trigger"])
        assert told["open-dialog"] == {"url": sheet_of(card, kind)}
        assert "close-dialog" not in told
        assert told["card-changed"]["card"] == card.pk
        assert "The refund for" in words_of(response)

    @pytest.mark.parametrize("kind", ["void", "cancel"])
    def test_a_page_without_script_leads_back_as_well(self, boss, kind):
        card = deal()
        payment = pay(make_job(card, lines=[PIPES]), "50")
        page = boss.get(f"/payments/{payment.pk}/refund/?next={sheet_of(card, kind)}").content.decode()
        assert f'name="next" value="{sheet_of(card, kind)}"' in page

        given = {"amount": "50", "settled": "yes", "next": sheet_of(card, kind)}
        response = boss.post(f"/payments/{payment.pk}/refund/", given, follow=True)

        assert response.redirect_chain == [(sheet_of(card, kind), 302)]
        assert "to clear first" not in words_of(response)

    def test_an_agreement_that_is_detached_leads_back_too(self, boss):
        card = deal()
        agreement = make_agreement(card, "submitted")
        address = f"/agreements/{agreement.pk}/detach/"
        headers = {**HTMX, "hx-current-url": "http://testserver/"}
        assert f'value="{sheet_of(card)}"' in boss.get(f"{address}?next={sheet_of(card)}").content.decode()

        given = {"to": "", "reason": "Wrong card", "next": sheet_of(card)}
        response = boss.post(address, given, headers=headers)

        assert json.loads(response.headers["HX-Trigger"])["open-dialog"] == {"url": sheet_of(card)}

    @pytest.mark.parametrize(
        "wrong",
        [
            "https://evil.test/opportunities/{pk}/void/",
            "//evil.test/opportunities/{pk}/void/",
            "/opportunities/{other}/void/",
            "/opportunities/{pk}/",
            "void/",
            "",
        ],
    )
    def test_no_other_address_is_opened(self, boss, wrong):
        card, other = deal(), deal()
        payment = pay(make_job(card, lines=[PIPES]), "50")
        given = {"amount": "50", "settled": "yes", "next": wrong.format(pk=card.pk, other=other.pk)}
        headers = {**HTMX, "hx-current-url": "http://testserver/"}

        response = boss.post(f"/payments/{payment.pk}/refund/", given, headers=headers)

        told = json.loads(response.headers["HX-Trigger"])
        assert "open-dialog" not in told
        assert "close-dialog" in told


class TestClosing:
    @pytest.mark.parametrize(("kind", "expected"), [("void", "void"), ("cancel", "canceled")])
    def test_it_does_what_it_showed_and_leads_back(self, client, ann, duplicate, price, kind, expected):
        card = deal(actor=ann)
        make_quote(card)
        given = form_of(client.get(sheet_of(card, kind)))
        reason = duplicate if kind == "void" else price

        response = client.post(
            sheet_of(card, kind), {**given, "reason": reason.pk, "note": "They called.", "archive": "on"}
        )

        assert (response.status_code, response.url) == (302, card.get_absolute_url())
        card = fresh(card)
        assert (statuses(card), card.close_reason_label, card.close_note) == (
            (expected, "lost"),
            reason.label,
            "They called.",
        )
        assert (card.is_archived, card.closed_by) == (True, ann)

    def test_without_a_reason_the_form_comes_again_ac110(self, client, ann):
        card = deal(actor=ann)

        response = client.post(sheet_of(card), {"note": "Kept words"})

        assert response.status_code == 422
        assert "Choose a reason." in words_of(response)
        assert "Kept words" in response.content.decode()
        assert fresh(card).closed_kind == ""

    def test_a_reason_of_the_other_list_is_a_form_error_ac160(self, client, ann, duplicate):
        card = deal(actor=ann)

        assert client.post(sheet_of(card, "cancel"), {"reason": duplicate.pk}).status_code == 422
        assert fresh(card).closed_kind == ""

    def test_what_was_changed_meanwhile_is_shown_again_and_marked_ac140(self, client, ann, duplicate):
        card = deal(actor=ann)
        kept, gone = make_quote(card), make_quote(card)
        given = form_of(client.get(sheet_of(card)))
        act(attachments.detach, gone)
        new = make_quote(card)

        response = client.post(sheet_of(card), {**given, "reason": duplicate.pk})

        said = words_of(response)
        assert response.status_code == 409
        assert "was changed meanwhile. Look at it again." in said
        assert f"Not attached any more since you looked: {gone.number}" in said
        assert f"Quote {new.number} Changed since you looked" in said
        assert f"Quote {kept.number} Changed" not in said
        assert fresh(card).closed_kind == ""

        again = client.post(sheet_of(card), {**form_of(response), "reason": duplicate.pk})
        assert (again.status_code, statuses(card)) == (302, ("void", "lost"))

    def test_a_double_click_is_answered_calmly_and_done_once(self, client, ann, duplicate):
        card = deal(actor=ann)
        given = {**form_of(client.get(sheet_of(card))), "reason": duplicate.pk}

        first, second = client.post(sheet_of(card), given), client.post(sheet_of(card), given)

        assert (first.status_code, second.status_code) == (302, 302)
        assert Event.objects.filter(opportunity=card, kind="voided").count() == 1

    @pytest.mark.parametrize("token", ["", "nonsense", "0b5ad2f5-8d3a-4a38-9b4e-0d5a3a3fd1a1"])
    def test_who_comes_second_is_told_who_was_first_and_when(self, client, ann, duplicate, token):
        boss = UserFactory(role="manager", first_name="Mark", last_name="Reyes")
        card = deal(actor=ann)
        act(lifecycle.cancel, card, reason_id=ReasonFactory().pk, actor=boss)

        response = client.post(sheet_of(card), {"reason": duplicate.pk, "token": token})

        assert response.status_code == 409
        assert "is Canceled, by Mark Reyes on" in words_of(response)
        assert client.get(sheet_of(card)).status_code == 409

    def test_an_agreement_is_voided_first_with_its_own_reason_ac184(self, client, ann, duplicate, price):
        card = deal(actor=ann)
        agreement, job = make_agreement(card, "rejected"), make_job(card, "completed")
        page = client.get(sheet_of(card, "cancel"))
        assert f"Void {agreement.number} first" in words_of(page)
        assert f"Reopen {job.number} first" in words_of(page)
        given = {**form_of(page), "reason": price.pk, f"void_{agreement.pk}": "on", f"reopen_{job.pk}": "on"}

        lacking = client.post(sheet_of(card, "cancel"), given)
        assert (lacking.status_code, fresh(card).closed_kind) == (422, "")
        done = client.post(sheet_of(card, "cancel"), {**given, f"void_{agreement.pk}_reason": duplicate.pk})

        assert done.status_code == 302
        assert (statuses(card), shown(agreement), state(job)) == (("canceled", "lost"), "void", "canceled")
        assert fresh(agreement).close_reason_label == "Duplicate"

    def test_an_unticked_box_refuses_and_says_so(self, client, ann, price):
        card = deal(actor=ann)
        make_agreement(card, "rejected")

        given = form_of(client.get(sheet_of(card, "cancel")))
        response = client.post(sheet_of(card, "cancel"), {**given, "reason": price.pk})

        assert response.status_code == 409
        assert "Nothing was done: 1 thing stands in the way." in words_of(response)

    def test_in_the_dialog_on_a_board_the_card_is_told_to_refresh(self, client, ann, duplicate):
        card = deal(actor=ann)
        page = client.get(sheet_of(card), headers=HTMX)
        assert "<html" not in page.content.decode()
        headers = {**HTMX, "hx-current-url": "http://testserver/"}

        response = client.post(sheet_of(card), {**form_of(page), "reason": duplicate.pk}, headers=headers)

        assert response.status_code == 200
        assert "close-dialog" in response.headers["HX-Trigger"]
        assert f'"card": {card.pk}' in response.headers["HX-Trigger"]

    def test_after_an_act_a_page_that_was_open_at_a_place_is_loaded_again(self, client, ann, duplicate):
        card = deal(actor=ann)
        headers = {**HTMX, "hx-current-url": f"http://testserver{card.get_absolute_url()}#documents"}

        given = {**form_of(client.get(sheet_of(card))), "reason": duplicate.pk}
        response = client.post(sheet_of(card), given, headers=headers)

        assert response.headers["HX-Redirect"] == card.get_absolute_url()


def test_a_confirmation_that_does_not_say_what_was_shown_is_shown_the_sheet(client, ann, duplicate):
    card = deal(actor=ann)
    quote = make_quote(card, "submitted")

    response = client.post(sheet_of(card), {"reason": duplicate.pk})

    assert response.status_code == 409
    assert f"Quote {quote.number} Submitted Void" in words_of(response)
    assert (statuses(card)[0], state(quote)) == ("negotiation", "submitted")


class TestRights:
    def test_who_may_not_is_told_who_may_ac142(self, ann, duplicate):
        card = deal(actor=ann)
        ben = signed_in(UserFactory())

        for kind in ("void", "cancel"):
            assert ben.get(sheet_of(card, kind)).status_code == 403
            assert ben.post(sheet_of(card, kind), {"reason": duplicate.pk}).status_code == 403
        assert fresh(card).closed_kind == ""

    def test_who_may_not_see_the_card_finds_none_ac142(self, ann):
        card = deal(actor=ann)
        BusinessSettings.objects.update(salespeople_see="own")
        ben = signed_in(UserFactory())

        for path in (sheet_of(card), sheet_of(card, "cancel"), f"{sheet_of(card)}why/"):
            assert ben.get(path).status_code == 404


class TestWhyNot:
    def test_every_condition_is_listed_for_who_may_not_void_it_and_nothing_is_written(self, ann):
        card = deal(actor=ann)
        job = make_job(card, lines=[PIPES])
        pay(job, "50")
        quote, draft, out = make_quote(card), make_agreement(card), make_agreement(card, "submitted")
        before = (Event.objects.count(), fresh(card).version)

        response = signed_in(UserFactory()).get(f"{sheet_of(card)}why/")

        said = words_of(response)
        assert response.status_code == 200
        for sentence in (
            f"Fine: {card.number} is neither void nor canceled yet.",
            "In the way: Only Ann",
            f"Fine: {job.number}: nothing of its products and materials is fulfilled.",
            f"In the way: {job.number} holds $50.00. Refund it first.",
            f"Fine: {job.number} has no payment on its way.",
            f"Fine: {job.number} is not completed.",
            f"Fine: {draft.number} is Draft: the customer is asked nothing by it.",
            f"In the way: {out.number} is Submitted. Void it first.",
            f"Quotes never stand in the way: {quote.number}.",
        ):
            assert sentence in said
        assert (Event.objects.count(), fresh(card).version) == before

    def test_a_bare_card_passes_every_condition(self, client, ann):
        card = deal(actor=ann)

        said = words_of(client.get(f"{sheet_of(card)}why/"))

        assert f"{card.number} can be voided or canceled" in said
        assert "In the way" not in said
        assert "Nothing is attached that could stand in the way." in said

    def test_of_a_closed_card_it_says_that_it_is_closed(self, client, ann, duplicate):
        card = deal(actor=ann)
        make_agreement(card, "draft")
        act(lifecycle.void, card, reason_id=duplicate.pk, actor=ann)

        said = words_of(client.get(f"{sheet_of(card)}why/"))

        assert f"{card.number} is closed" in said
        assert "is Void, by Ann Kowalski on" in said


class TestClosedCard:
    def test_its_page_says_by_whom_when_and_why_and_offers_a_copy(self, client, ann, duplicate):
        card = deal(actor=ann)
        act(lifecycle.void, card, reason_id=duplicate.pk, note="Typed twice.", actor=ann)

        said = words_of(client.get(card.get_absolute_url()))

        assert "Voided by Ann Kowalski on" in said
        assert "Reason: Duplicate." in said
        assert "Typed twice." in said
        assert said.count("Duplicate as a new card") == 1
        assert "Void opportunity…" in said  # with the reason why not

    def test_a_document_says_that_it_ended_with_its_card(self, client, ann, duplicate):
        card = deal(actor=ann)
        quote = make_quote(card)
        act(lifecycle.void, card, reason_id=duplicate.pk, actor=ann)

        said = words_of(client.get(quote.get_absolute_url()))

        assert "Closed together with its card" in said
        assert "Duplicate" in said


class TestTellingTheCustomer:
    """The mail part of the cancel sheet (section 7)."""

    @pytest.fixture
    def card(self, ann):
        customer = CustomerFactory(name="Lowell Dental", email="office@lowell.test")
        return deal(actor=ann, customer_ids=[customer.pk])

    def given(self, client, card, price, **typed):
        return {**form_of(client.get(sheet_of(card, "cancel"))), "reason": price.pk, **typed}

    def test_it_is_off_until_somebody_ticks_it_ac163(self, client, card, price):
        html = client.get(sheet_of(card, "cancel")).content.decode()
        client.post(sheet_of(card, "cancel"), self.given(client, card, price))

        assert "Tell the customer by mail" in html
        assert not re.search(r'<input[^>]*name="mail-send"[^>]*checked', html)
        assert statuses(card) == ("canceled", "lost")
        assert not OutgoingEmail.objects.exists()

    def test_what_the_sheet_proposed_is_mailed(self, client, card, price, ann):
        typed = {
            "mail-send": "on",
            "mail-to": ["office@lowell.test"],
            "mail-extra": "bob@x.test",
            "mail-subject": "Sorry, {{ customer_name }}",
            "mail-body": "Until next time.",
        }
        client.post(sheet_of(card, "cancel"), self.given(client, card, price, **typed))

        mail = OutgoingEmail.objects.get()
        assert (mail.to, mail.cc, mail.subject) == (["office@lowell.test"], ["bob@x.test"], "Sorry, Lowell Dental")

    @pytest.mark.parametrize(
        ("field", "text", "said"),
        [
            ("mail-extra", "not-an-email", "not-an-email"),
            ("mail-subject", "", "Write something"),
            ("mail-body", "Dear {{ custmer_name }}", "custmer_name"),
            ("mail-to", [], "Nobody is left to write to"),
        ],
    )
    def test_what_is_wrong_with_the_mail_stops_the_cancellation_ac166(self, client, card, price, field, text, said):
        typed = {
            "mail-send": "on",
            "mail-to": ["office@lowell.test"],
            "mail-subject": "Sorry",
            "mail-body": "Bye",
            field: text,
        }
        response = client.post(sheet_of(card, "cancel"), self.given(client, card, price, **typed))

        assert response.status_code == 422
        assert said in words_of(response)
        assert statuses(card) == ("prospect", "none")

    def test_without_any_address_it_cannot_be_ticked_until_one_is_typed_ac167(self, client, ann, price):
        card = deal(actor=ann, customer_ids=[CustomerFactory(email="").pk])
        sheet = client.get(sheet_of(card, "cancel"))
        typed = {"preview": "1", "mail-extra": "home@x.test", "mail-subject": "Sorry", "mail-body": "Bye"}
        looked = client.post(sheet_of(card, "cancel"), self.given(client, card, price, **typed))

        assert "No customer of this opportunity has an e-mail address" in words_of(sheet)
        assert re.search(r'<input[^>]*name="mail-send"[^>]*disabled', sheet.content.decode())
        assert not re.search(r'<input[^>]*name="mail-send"[^>]*disabled', looked.content.decode())
        assert statuses(card) == ("prospect", "none")

    def test_a_look_at_the_mail_keeps_what_was_typed_and_does_nothing(self, client, card, price):
        typed = {"preview": "1", "mail-subject": "About {{ cancel_reason }}", "mail-body": "Call {{ business_phone }}"}
        response = client.post(sheet_of(card, "cancel"), self.given(client, card, price, note="Hm", **typed))

        said = words_of(response)
        assert response.status_code == 200
        assert "About Price" in said
        assert "Empty here: business_phone" in said
        assert "Hm" in said
        assert statuses(card) == ("prospect", "none")

    def test_a_broken_template_cannot_be_sent_ac172(self, client, card):
        mail.template(mail.CANCELED)
        EmailTemplate.objects.filter(key=mail.CANCELED).update(subject="{{ nobody_knows }}")

        sheet = client.get(sheet_of(card, "cancel"))

        assert "“nobody_knows”" in words_of(sheet)
        assert re.search(r'<input[^>]*name="mail-send"[^>]*disabled', sheet.content.decode())

    def test_several_customers_are_told_that_they_see_each_other(self, client, ann):
        firms = [CustomerFactory(email=f"{name}@x.test").pk for name in ("a", "b")]
        card = deal(actor=ann, customer_ids=firms)

        assert "see each other" in words_of(client.get(sheet_of(card, "cancel")))

    def test_voiding_offers_no_mail_ac176(self, client, card):
        assert "mail-send" not in client.get(sheet_of(card)).content.decode()
