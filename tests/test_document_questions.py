"""What the sheets of documents ask beside the act: reopen the card, its date, who said yes, where a copy belongs."""

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from opportunities import documents, offers, pipeline
from opportunities.models import BusinessSettings
from tests.documents import (
    act,
    cancel_reason,
    deal,
    make_quote,
    rule,
    statuses,
)
from tests.factories import NOW, UserFactory, starter_rows

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
