"""What the sheets of documents ask beside the act: reopen the card, its date, who said yes, where a copy belongs."""

import re
import uuid

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from opportunities import documents, offers, papers, pipeline, quotes
from opportunities.models import BusinessSettings, Event, Quote
from tests.documents import (
    act,
    another_deal_with,
    cancel_reason,
    card_of,
    day,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    rule,
    statuses,
    void_reason,
)
from tests.factories import NOW, CustomerFactory, UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def business():
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=NOW.date())
        yield BusinessSettings.current()


@pytest.fixture
def ann():
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def sam():
    return UserFactory(role="salesperson", first_name="Sam", last_name="Ito")


@pytest.fixture
def manager():
    return UserFactory(role="manager")


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return client


def at(name: str, *args) -> str:
    return reverse(f"opportunities:{name}", args=args)


def words(response) -> str:
    return " ".join(response.content.decode().replace("&#x27;", "'").replace("&quot;", '"').split())


def sheet(document, verb: str) -> str:
    return at(f"{document.REF}-act", document.pk, verb)


def closed_by_hand(card, row: str = "Lost"):
    act(pipeline.set_status, card, status_id=starter_rows()[row].pk, reason_id=cancel_reason())
    return card


def offer_of(verb: str, document, reader) -> offers.Offer:
    which = {f"{document.REF}_id": document.pk}
    desk = documents.open_desk(**which, actor=reader, now=NOW, locked=False)
    return offers.one(verb, desk.find(type(document), document.pk), desk=desk, reader=reader)


class TestMovingToAnotherCard:
    @pytest.mark.parametrize(("sent", "after"), [({"reopen": "on"}, "none"), ({}, "lost")])
    def test_a_card_closed_by_hand_asks_whether_to_reopen_it_and_only_then_moves_the_document(
        self, manager, sent, after
    ):
        card = deal()
        other = closed_by_hand(another_deal_with(card))
        quote = make_quote(card)
        client = signed_in(manager)

        asked = client.post(at("quote-detach", quote.pk), {"to": other.pk})

        assert asked.status_code == 422
        assert f"Reopen {other.number}, which was marked “Lost” by hand" in words(asked)
        assert f"Move {quote.number} to {other.number} and mark {other.number} open again" in words(asked)
        assert card_of(quote) == card.pk
        moved = client.post(at("quote-detach", quote.pk), {"to": other.pk, "confirmed": "1", **sent})
        assert moved.status_code == 302
        assert (card_of(quote), statuses(other)[1]) == (other.pk, after)

    def test_a_card_that_a_job_comes_to_asks_for_its_forecast_date(self, manager):
        card = deal()
        other = another_deal_with(card, forecast_date=day(3))
        job = make_job(card)
        client = signed_in(manager)
        url, to = at("job-detach", job.pk), {"to": other.pk, "confirmed": "1"}

        asked = client.post(url, {"to": other.pk})
        without = client.post(url, {**to, "forecast": "new", "forecast_date": ""})

        assert (asked.status_code, without.status_code) == (422, 422)
        assert f"{other.number} becomes Contracted and Won." in words(asked)
        assert f"{card.number} becomes Prospect and Open." in words(asked)
        assert "Give the new date." in words(without)
        assert card_of(job) == card.pk
        client.post(url, {**to, "forecast": "new", "forecast_date": day(30).isoformat()})
        assert (card_of(job), fresh(other).forecast_date) == (other.pk, day(30))

    def test_what_the_cards_to_choose_from_become_is_told_as_if_reopened(self, manager):
        card = deal()
        quote = make_quote(card, "submitted")
        other = closed_by_hand(another_deal_with(card))

        said = words(signed_in(manager).get(at("quote-detach", quote.pk)))

        assert f"{other.number} becomes Negotiation and Open." in said

    def test_where_there_is_nothing_to_ask_it_moves_at_once(self, manager):
        card = deal()
        other = another_deal_with(card, forecast_date=day(3))
        quote = make_quote(card)

        assert signed_in(manager).post(at("quote-detach", quote.pk), {"to": other.pk}).status_code == 302
        assert card_of(quote) == other.pk

    def test_the_button_names_what_the_card_becomes(self, manager):
        card = deal()
        quote, job = make_quote(card), make_job(card)

        client = signed_in(manager)

        assert f"Detach {job.number} and mark {card.number} open again</button>" in words(
            client.get(at("job-detach", job.pk))
        )
        assert f"Detach {quote.number}</button>" in words(client.get(at("quote-detach", quote.pk)))


class TestReopening:
    @pytest.mark.parametrize("verb", ["submit", "duplicate"])
    def test_the_preview_of_a_card_closed_by_hand_is_that_of_the_reopened_one(self, manager, verb):
        card = deal()
        quote = make_quote(card)
        closed_by_hand(card)

        offer = offer_of(verb, quote, manager)

        assert offer.label.endswith(f"and mark {card.number} open again")
        assert offer.consequence.startswith(f"{card.number} becomes ")
        assert "Open" in offer.consequence

    def test_the_preview_of_an_agreement_too(self, manager):
        card = deal()
        agreement = make_agreement(card)
        closed_by_hand(card, "Won")

        assert offer_of("submit", agreement, manager).consequence == f"{card.number} becomes Agreement and Open."

    def test_who_may_not_set_the_status_is_not_asked_and_told_that_it_stays(self, ann, sam):
        card = deal(salesperson_id=ann.pk)
        quote = make_quote(card)
        closed_by_hand(card)
        client = signed_in(sam)

        said = words(client.get(sheet(quote, "submit")))

        assert "Reopen" not in said
        assert f"make {card.number} Negotiation" in said
        assert "Reopen" not in words(client.get(at("quote-new", card.pk)))
        client.post(sheet(quote, "submit"), {"how": "by_hand", "reopen": "on"})
        assert statuses(card) == ("negotiation", "lost")


class TestOtherOffers:
    @pytest.mark.parametrize("verb", ["accept", "convert"])
    def test_only_who_may_detach_them_is_asked(self, ann, sam, verb):
        card = deal(salesperson_id=ann.pk)
        quote, other = make_quote(card, "submitted"), make_quote(card, "submitted")

        own = words(signed_in(ann).get(sheet(quote, verb)))
        theirs = words(signed_in(sam).get(sheet(quote, verb)))

        assert f"Detach the other quotes: {other.number}" in own
        assert "Detach the other quotes" not in theirs

    def test_detaching_first_is_offered_only_where_it_saves_the_deal(self, ann):
        card = deal()
        quote, third = make_quote(card, "submitted"), make_quote(card, "submitted")
        make_quote(card, "submitted")

        assert offer_of("void", quote, ann).detach_first
        act(quotes.void, third, reason_id=void_reason())
        assert not offer_of("void", quote, ann).detach_first


class TestWhoAccepted:
    def accepted(self, ann, name, **facts) -> Quote:
        quote = make_quote(deal(), "submitted", **facts)
        signed_in(ann).post(sheet(quote, "accept"), {"name": name})
        return fresh(quote)

    def test_the_only_recipient_is_filled_in(self, ann):
        quote = make_quote(deal(), "submitted", recipients=[{"name": "Ada Lowell", "email": ""}])

        form = signed_in(ann).get(sheet(quote, "accept")).context["form"]

        assert form["name"].value() == "Ada Lowell"

    def test_without_recipients_it_is_the_customer_and_of_several_nobody(self, ann):
        card = deal(customer_ids=[CustomerFactory(name="Acme").pk])
        none, two = make_quote(card, "submitted", recipients=[]), make_quote(card, "submitted")
        act(quotes.revise, two, recipients=[{"name": "Ada", "email": ""}, {"name": "Ben", "email": ""}])
        act(quotes.submit, two)
        client = signed_in(ann)

        assert client.get(sheet(none, "accept")).context["form"]["name"].value() == "Acme"
        assert client.get(sheet(two, "accept")).context["form"]["name"].value() == ""

    def test_the_name_that_was_given_is_kept_and_printed(self, ann):
        quote = self.accepted(ann, "Ada Lowell")

        paper = words(signed_in(ann).get(at("quote-print", quote.pk)))

        assert quote.answered_by == "Ada Lowell"
        assert "Agreed by" in paper
        assert "Ada Lowell" in paper

    def test_without_a_name_the_paper_says_when_and_bears_no_signature(self, ann, business):
        quote = self.accepted(ann, "")

        paper = words(signed_in(ann).get(at("quote-print", quote.pk)))

        assert quote.answered_by == ""
        assert "Accepted on June 10, 2025" in paper
        assert "Agreed by" not in paper
        assert papers.of(quote, business=business, lines=quote.lines.all()).signatures == ()


class TestDuplicating:
    def test_a_copy_comes_on_the_same_card_or_on_another_of_the_customer(self, manager):
        card = deal()
        other, foreign = another_deal_with(card, title="Second floor"), deal(title="Of somebody else")
        quote = make_quote(card)
        client = signed_in(manager)

        said = words(client.get(sheet(quote, "duplicate")))
        client.post(sheet(quote, "duplicate"), {"to": ""})
        client.post(sheet(quote, "duplicate"), {"to": other.pk})

        assert "Second floor" in said
        assert foreign.title not in said
        assert client.post(sheet(quote, "duplicate"), {"to": foreign.pk}).status_code == 422
        copies = Quote.objects.exclude(pk=quote.pk).order_by("pk")
        assert [copy.opportunity_id for copy in copies] == [card.pk, other.pk]

    def test_the_form_sent_twice_makes_one_copy(self, ann):
        quote, client = make_quote(deal()), signed_in(ann)
        form = {"to": "", "token": str(uuid.uuid4())}

        answers = [client.post(sheet(quote, "duplicate"), form) for _time in range(2)]

        assert Quote.objects.count() == 2
        assert answers[0].url == answers[1].url == Quote.objects.order_by("pk").last().get_absolute_url()

    def test_a_loose_quote_has_its_copy_on_no_card_or_on_one(self, manager):
        card = deal()
        quote = make_quote(card, attached=False)
        client = signed_in(manager)

        assert "On no card" in words(client.get(sheet(quote, "duplicate")))
        client.post(sheet(quote, "duplicate"), {"to": ""})
        client.post(sheet(quote, "duplicate"), {"to": card.pk})

        copies = Quote.objects.exclude(pk=quote.pk).order_by("pk")
        assert [copy.opportunity_id for copy in copies] == [None, card.pk]

    @pytest.mark.parametrize(("sent", "after"), [({"reopen": "on"}, "none"), ({}, "lost")])
    def test_a_card_closed_by_hand_is_reopened_if_wanted(self, manager, sent, after):
        card = deal()
        quote = make_quote(card)
        closed_by_hand(card)
        client = signed_in(manager)

        assert client.get(sheet(quote, "duplicate")).context["form"]["reopen"].value() is True
        client.post(sheet(quote, "duplicate"), {"to": "", **sent})
        assert statuses(card)[1] == after

    def test_reopening_concerns_the_chosen_card_only(self, manager):
        card = deal()
        closed = closed_by_hand(another_deal_with(card))
        quote = make_quote(card)
        client = signed_in(manager)

        said = words(client.get(sheet(quote, "duplicate")))
        client.post(sheet(quote, "duplicate"), {"to": "", "reopen": "on"})

        assert f"Reopen it, if it is one that was closed by hand: {closed.number}" in said
        assert statuses(closed)[1] == "lost"
        client.post(sheet(quote, "duplicate"), {"to": closed.pk, "reopen": "on"})
        assert statuses(closed)[1] == "none"

    def test_many_cards_to_choose_from_ask_the_database_no_more_than_one(self, manager):
        card = deal()
        quote = make_quote(card)
        client = signed_in(manager)
        counts = []
        for more in (1, 8):
            for _time in range(more):
                closed_by_hand(another_deal_with(card))
            client.get(sheet(quote, "duplicate"))
            with CaptureQueriesContext(connection) as asked:
                client.get(sheet(quote, "duplicate"))
            counts.append(len(asked))

        assert counts[0] == counts[1]


class TestSubmitting:
    @pytest.mark.parametrize("make", [make_quote, make_agreement])
    @pytest.mark.parametrize("how", ["link", "by_hand"])
    def test_sent_twice_it_is_submitted_once(self, ann, make, how):
        document, client = make(deal()), signed_in(ann)
        token = re.search(r'name="token" value="([^"]+)"', client.get(sheet(document, "submit")).text)
        assert token is not None
        form = {"how": how, "token": token[1]}

        answers = [client.post(sheet(document, "submit"), form) for _time in range(2)]

        assert [answer.status_code for answer in answers] == [302, 302]
        assert Event.objects.filter(kind=f"{document.REF}_submitted").count() == 1
        assert getattr(fresh(document), "submit_count", 1) == 1

    def test_another_form_submits_again(self, ann):
        quote, client = make_quote(deal()), signed_in(ann)
        for _time in range(2):
            client.post(sheet(quote, "submit"), {"how": "by_hand", "token": str(uuid.uuid4())})

        assert fresh(quote).submit_count == 2


class TestMarkingAsWonByHand:
    def post(self, person, card, row="Won", **more):
        given = {"status": starter_rows()[row].pk, **more}
        return signed_in(person).post(at("status", card.pk), given)

    def test_with_an_open_quote_it_asks_first_whether_to_convert_that(self, ann):
        card = deal()
        quote = make_quote(card, "submitted")

        asked = self.post(ann, card)

        assert asked.status_code == 422
        assert f"Convert {quote.number} to a job, or mark as won without one?" in words(asked)
        assert sheet(quote, "convert") in words(asked)
        assert statuses(card)[1] == "none"
        assert self.post(ann, card, without="1").status_code == 302
        assert (statuses(card)[1], rule(card)) == ("won", "manual")

    def test_without_one_it_does_not_ask(self, ann):
        card = deal()
        make_quote(card, "incomplete")

        assert self.post(ann, card).status_code == 302
        assert statuses(card)[1] == "won"

    def test_marking_it_as_closed_does_not_ask(self, ann):
        card = deal()
        make_quote(card, "submitted")

        assert self.post(ann, card, "Closed").status_code == 302

    def test_where_the_documents_decide_the_refusal_is_said_at_once(self, ann):
        card = deal()
        make_quote(card, "void")
        make_quote(card, "submitted")

        assert self.post(ann, card).status_code == 409
