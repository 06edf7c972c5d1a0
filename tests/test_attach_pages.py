"""Attaching and detaching by hand: what is found, what is said beforehand, and where one lands."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from opportunities import attachments, pipeline, quotes
from opportunities.models import BusinessSettings
from tests.documents import (
    LABOUR,
    TODAY,
    act,
    another_deal_with,
    cancel_reason,
    card_of,
    customer_of,
    day,
    deal,
    fresh,
    job_of,
    make_job,
    make_quote,
    pay,
    statuses,
)
from tests.factories import NOW, CustomerFactory, UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def business():
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=TODAY)
        yield BusinessSettings.current()


@pytest.fixture
def ann():
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def manager():
    return UserFactory(role="manager")


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return client


def attach_url(card, **query):
    return reverse("opportunities:attach", args=[card.pk], query=query or None)


def detach_url(document):
    return reverse(f"opportunities:{document.REF}-detach", args=[document.pk])


def own_deal(person, **fields):
    return deal(salesperson_id=person.pk, **fields)


class TestFindingADocument:
    def test_the_loose_documents_of_the_cards_customer_stand_first(self, manager):
        card = deal()
        other = make_quote(deal(), attached=False)
        ours = make_quote(card, attached=False)

        text = signed_in(manager).get(attach_url(card)).text

        assert text.index(ours.number) < text.index(other.number)

    @pytest.mark.parametrize("by", ["number", "customer", "title"])
    def test_a_document_is_found_by_its_number_customer_or_title(self, manager, by):
        card = deal(customer_ids=[CustomerFactory(name="Café Noir").pk])
        quote = make_quote(card, attached=False, title="Warm floors")
        words = {"number": quote.number.lower(), "customer": "cafe noir", "title": "warm fl"}[by]

        assert f"document={quote.number}" in signed_in(manager).get(attach_url(deal(), q=words)).text

    def test_one_on_another_card_says_where_and_is_not_offered(self, ann):
        other = own_deal(ann)
        quote = make_quote(other)

        text = signed_in(ann).get(attach_url(own_deal(ann), q=quote.number)).text

        assert f"{quote.number} is already attached to {other.number}. Detach it there first." in text
        assert f"document={quote.number}" not in text

    def test_one_on_a_card_that_is_hidden_is_only_said_to_be_on_another(self, ann, manager):
        quote = make_quote(own_deal(manager, title="Secret"), title="Hush")
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)

        text = signed_in(ann).get(attach_url(own_deal(ann), q=quote.number)).text

        assert f"{quote.number} is already attached to another card." in text
        assert "Secret" not in text
        assert "Hush" not in text

    def test_somebody_elses_loose_document_is_not_found(self, ann):
        card = own_deal(ann)
        quote = make_quote(card, attached=False)

        client = signed_in(ann)

        assert f"document={quote.number}" not in client.get(attach_url(card, q=quote.number)).text
        assert client.post(attach_url(card), {"document": quote.number}).status_code == 422
        assert card_of(quote) is None

    def test_many_documents_ask_the_database_no_more_than_one(self, manager):
        card = deal()
        client = signed_in(manager)
        counts = []
        for more in (1, 9):
            for _time in range(more):
                make_quote(card, attached=False)
                make_job(card, attached=False)
            client.get(attach_url(card))
            with CaptureQueriesContext(connection) as asked:
                client.get(attach_url(card, q="-"))
            counts.append(len(asked))

        assert counts[0] == counts[1] <= 10


class TestAttaching:
    def test_it_says_beforehand_what_the_card_becomes_and_then_makes_it_so(self, manager):
        card = deal()
        job = make_job(card, attached=False)
        client = signed_in(manager)

        text = client.get(attach_url(card, document=job.number)).text
        answer = client.post(attach_url(card), {"document": job.number})

        assert f"{card.number} becomes Contracted and Won." in text
        assert f"Attach {job.number} and mark {card.number} won" in text
        assert answer.status_code == 302
        assert statuses(card) == ("contracted", "won")

    def test_a_converted_quote_brings_its_job(self, manager):
        card = deal()
        quote = make_quote(card, "converted")
        act(attachments.detach, quote)
        client = signed_in(manager)

        assert f"{job_of(quote).number} comes along." in client.get(attach_url(card, document=quote.number)).text
        client.post(attach_url(card), {"document": quote.number})
        assert card_of(job_of(quote)) == card.pk

    def test_a_document_of_another_customer_offers_to_add_that_customer(self, manager):
        card, quote = deal(), make_quote(deal(), attached=False)
        client = signed_in(manager)
        name = customer_of_quote(quote)

        assert f"Add {name} to the card and attach" in client.get(attach_url(card, document=quote.number)).text
        assert client.post(attach_url(card), {"document": quote.number}).status_code == 409
        client.post(attach_url(card), {"document": quote.number, "add_customer": "1"})
        assert card_of(quote) == card.pk

    @pytest.mark.parametrize(("sent", "after"), [({"reopen": "on"}, "none"), ({}, "lost")])
    def test_a_card_closed_by_hand_asks_whether_to_reopen_it(self, manager, sent, after):
        card = deal()
        quote = make_quote(card, attached=False)
        lost = starter_rows()["Lost"]
        act(pipeline.set_status, card, status_id=lost.pk, reason_id=cancel_reason())
        client = signed_in(manager)

        form = client.get(attach_url(card, document=quote.number)).context["form"]
        client.post(attach_url(card), {"document": quote.number, **sent})

        assert form["reopen"].value() is True
        assert statuses(card)[1] == after

    def test_a_passed_forecast_date_is_waived_or_changed_in_the_same_act(self, manager):
        card = deal(forecast_date=day(-3))
        job = make_job(card, attached=False)
        client = signed_in(manager)

        text = client.get(attach_url(card, document=job.number)).text
        new = day(20).isoformat()
        client.post(attach_url(card), {"document": job.number, "forecast": "new", "forecast_date": new})

        assert "the contract waives that" in text
        assert fresh(card).forecast_date == day(20)
        assert statuses(card) == ("contracted", "won")

    def test_a_changed_date_without_a_date_is_asked_again_and_nothing_is_attached(self, manager):
        card = deal(forecast_date=day(3))
        job = make_job(card, attached=False)

        answer = signed_in(manager).post(
            attach_url(card), {"document": job.number, "forecast": "new", "forecast_date": ""}
        )

        assert answer.status_code == 422
        assert card_of(job) is None

    def test_a_loose_document_finds_the_cards_of_its_customer_with_what_they_would_become(self, manager):
        card = deal(title="Boilers")
        hidden_name = deal(title="Of somebody else").title
        job = make_job(card, attached=False)

        text = signed_in(manager).get(reverse("opportunities:job-attach", args=[job.pk])).text

        assert attach_url(card, document=job.number) in text
        assert f"{card.number} becomes Contracted and Won." in text
        assert hidden_name not in text

    def test_the_page_of_a_loose_document_offers_to_attach_it(self, manager):
        quote = make_quote(deal(), attached=False)

        text = signed_in(manager).get(quote.get_absolute_url()).text

        assert reverse("opportunities:quote-attach", args=[quote.pk]) in text
        assert reverse("opportunities:quote-detach", args=[quote.pk]) not in text


class TestDetaching:
    def test_it_says_what_the_card_becomes_and_what_goes_along(self, manager):
        card = deal()
        quote = make_quote(card, "converted")

        text = signed_in(manager).get(detach_url(quote)).text

        assert f"{card.number} becomes Prospect and Open." in text
        assert f"{job_of(quote).number} goes along." in text

    def test_a_salesperson_who_may_not_see_it_any_more_lands_on_the_card(self, ann):
        card = own_deal(ann)
        quote = make_quote(card)
        client = signed_in(ann)

        answer = client.post(
            detach_url(quote), {"to": ""}, headers={"referer": f"http://testserver{detach_url(quote)}"}
        )

        assert answer.url == card.get_absolute_url()
        assert client.get(answer.url).status_code == 200
        assert card_of(quote) is None

    def test_one_with_money_behind_it_asks_a_salesperson_for_its_card(self, ann):
        card = own_deal(ann)
        other = another_deal_with(card, salesperson_id=ann.pk)
        job = make_job(card)
        pay(job, "100.00")
        client = signed_in(ann)

        refused = client.post(detach_url(job), {"to": ""})
        moved = client.post(detach_url(job), {"to": other.pk})

        assert refused.status_code == 422
        assert "Choose the card that it belongs to." in refused.text
        assert moved.status_code == 302
        assert (card_of(job), statuses(other)) == (other.pk, ("contracted", "won"))

    def test_a_manager_may_leave_it_on_no_card_with_a_reason(self, manager):
        job = make_job(deal())
        pay(job, "100.00")
        client = signed_in(manager)

        assert client.post(detach_url(job), {"to": "", "reason": " "}).status_code == 422
        assert client.post(detach_url(job), {"to": "", "reason": "Belongs to the shop"}).status_code == 302
        assert card_of(job) is None

    def test_moving_it_to_a_card_of_another_customer_adds_that_customer_and_says_so(self, manager):
        card, other = deal(), deal(title="Other firm")
        quote = make_quote(card)
        client = signed_in(manager)

        text = client.get(detach_url(quote), {"q": "other firm"}).text
        client.post(detach_url(quote), {"q": "other firm", "to": other.pk})

        assert f"{customer_of(card).name} becomes one of its customers." in text
        assert card_of(quote) == other.pk

    def test_a_card_of_a_colleague_is_shown_but_cannot_be_chosen(self, ann, manager):
        card = own_deal(ann)
        theirs = another_deal_with(card, salesperson_id=manager.pk)
        quote = make_quote(card)
        client = signed_in(ann)

        assert "whose card this is, or a manager" in client.get(detach_url(quote)).text
        assert client.post(detach_url(quote), {"to": theirs.pk}).status_code == 422
        assert card_of(quote) == card.pk

    def test_a_hidden_card_cannot_be_chosen(self, ann, manager):
        card = own_deal(ann)
        hidden = another_deal_with(card, salesperson_id=manager.pk, title="Hidden")
        quote = make_quote(card)
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
        client = signed_in(ann)

        assert "Hidden" not in client.get(detach_url(quote)).text
        assert client.post(detach_url(quote), {"to": hidden.pk}).status_code == 422

    def test_many_cards_to_choose_from_ask_the_database_no_more_than_one(self, manager):
        card = deal()
        quote = make_quote(card)
        client = signed_in(manager)
        counts = []
        for more in (1, 8):
            for _time in range(more):
                make_quote(another_deal_with(card, forecast_date=TODAY + timedelta(days=9)), "submitted")
            client.get(detach_url(quote))
            with CaptureQueriesContext(connection) as asked:
                client.get(detach_url(quote))
            counts.append(len(asked))

        assert counts[0] == counts[1]


def customer_of_quote(quote):
    return fresh(quote).customer.name


def test_the_maker_of_a_loose_quote_attaches_it_to_their_own_card(ann):
    card = own_deal(ann)
    quote = act(quotes.create, customer_of(card), lines=[LABOUR], actor=ann)

    signed_in(ann).post(attach_url(card), {"document": quote.number})

    assert card_of(quote) == card.pk
