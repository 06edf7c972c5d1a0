"""A form that is sent twice, by a double click or by a page sent again, does what it says once."""

import re
from datetime import date, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from opportunities import activity, customers
from opportunities.models import ActionItem, BulkAct, BusinessSettings, Contact, Customer, Event, Note, Opportunity
from tests.factories import NOW, CustomerFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

DAY = date(2025, 7, 1)


@pytest.fixture(autouse=True)
def business():
    """A business that is set up and swept, on the day of the scenarios."""
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=NOW.date())
        yield


@pytest.fixture
def ann():
    return UserFactory(role="salesperson")


@pytest.fixture
def client(ann) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def test_a_bulk_act_is_done_once(client, ann):
    card = make_card(actor=ann, forecast_date=DAY)
    chosen = {"card": [card.pk], "query": "", "board": ""}
    sheet = client.post(reverse("boards:bulk-choose", args=["date"]), chosen).content.decode()
    token = re.search(r'name="token" value="([^"]+)"', sheet)
    assert token is not None
    sent = {**chosen, "do": "postpone:week", "shown": "1", "token": token[1]}

    answers = [client.post(reverse("boards:bulk-start"), sent) for _time in range(2)]

    assert answers[0].url == answers[1].url
    assert Opportunity.objects.get().forecast_date == DAY + timedelta(weeks=1)
    assert BulkAct.objects.count() == 1


def test_a_token_of_somebody_else_shows_nobodys_act(client, ann):
    card = make_card(actor=ann, forecast_date=DAY)
    theirs = BulkAct.objects.create(
        verb="archive", actor=UserFactory(), created_at=NOW, finished_at=NOW, state=BulkAct.State.DONE
    )
    sent = {"card": [card.pk], "query": "", "board": "", "do": "archive", "shown": "1", "token": str(theirs.pk)}

    answer = client.post(reverse("boards:bulk-start"), sent)

    assert answer.status_code == 409
    assert not Opportunity.objects.get().is_archived


def test_a_note_and_an_action_item_are_written_once(ann):
    card = make_card(actor=ann)
    given = {"opportunity_id": card.pk, "actor": ann, "now": NOW}

    for _time in range(2):
        activity.add_note(text="They called.", **given)
        activity.add_action(text="Call", due_on=DAY, **given)

    assert (Note.objects.count(), ActionItem.objects.count()) == (1, 1)
    assert Event.objects.filter(kind="note_added").count() == 1


def test_the_same_note_later_or_by_a_colleague_is_another(ann):
    card = make_card(actor=ann)

    activity.add_note(opportunity_id=card.pk, text="They called.", actor=ann, now=NOW)
    activity.add_note(opportunity_id=card.pk, text="They called.", actor=UserFactory(), now=NOW)
    activity.add_note(opportunity_id=card.pk, text="They called.", actor=ann, now=NOW + timedelta(minutes=1))

    assert Note.objects.count() == 3


def test_a_customer_is_made_once(ann):
    made = [customers.create(name="Acme", phone="1", actor=ann, now=NOW) for _time in range(2)]

    assert made[0] == made[1]
    assert Customer.objects.count() == 1


def test_a_customer_of_the_same_name_is_another_where_anything_differs(ann):
    customers.create(name="Acme", phone="1", actor=ann, now=NOW)
    customers.create(name="Acme", phone="2", actor=ann, now=NOW)
    customers.create(name="Acme", phone="1", actor=ann, now=NOW + timedelta(minutes=1))
    customers.create(name="Acme", phone="1", actor=UserFactory(), now=NOW)

    assert Customer.objects.count() == 4


def test_a_contact_is_made_once(ann):
    customer = CustomerFactory()

    for phone in ("1", "1", "2"):
        customers.add_contact(customer_id=customer.pk, name="Bo", phone=phone, actor=ann, now=NOW)

    assert Contact.objects.count() == 2
