"""The calendar feed: what a calendar program reads without a login, for whom it stops, and what its owner can do."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from icalendar import Calendar

from opportunities import activity, feeds, lifecycle, pipeline, quotes
from opportunities.models import CalendarFeed
from tests.documents import act, at, business, day, deal, make_agreement, make_job, make_quote, void_reason
from tests.factories import NOW, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _the_day():
    cache.clear()
    business()
    with time_machine.travel(at(0)):
        yield


@pytest.fixture
def ann():
    return UserFactory()


def switched_on(person, *, all_cards=False):
    """A person's feed."""
    return feeds.switch_on(all_cards=all_cards, actor=person, now=NOW)


def fetch(feed):
    """What a calendar program gets: no cookie, no login."""
    return Client().get(reverse("opportunities:feed", args=[feeds.token_of(feed)]))


def entries(feed):
    """The events of a feed, by what they are called."""
    answer = fetch(feed)
    assert answer.status_code == 200
    return {str(entry["summary"]): entry for entry in Calendar.from_ical(answer.content).walk("VEVENT")}


def todo(card, when, person, text="Call Tom"):
    """An action item of somebody."""
    return activity.add_action(
        opportunity_id=card.pk, text=text, due_on=when, assignee_id=person.pk, actor=person, now=NOW
    )


def test_the_feed_holds_own_cards_own_action_items_and_the_days_of_documents(ann):
    card = deal(title="Roof", salesperson_id=ann.pk, forecast_date=day(5))
    todo(card, day(3), ann)
    quote = make_quote(card, "submitted", title="Boiler", valid_until=day(4))
    job = make_job(card, title="Swap", service_date=day(8))
    paper = make_agreement(card, "submitted", title="Contract", valid_until=day(9))

    found = entries(switched_on(ann))

    days = {name: entry["dtstart"].dt for name, entry in found.items()}
    assert days == {
        "Roof": day(5),
        "To do: Call Tom": day(3),
        f"Valid until: {quote.number} Boiler": day(4),
        f"Service: {job.number} Swap": day(8),
        f"Sign until: {paper.number} Contract": day(9),
    }
    roof = found["Roof"]
    assert roof["dtend"].dt == day(6)
    assert "$320" in roof["description"]
    assert str(roof["url"]).endswith(f"/opportunities/{card.pk}/")
    assert {str(entry["transp"]) for entry in found.values()} == {"TRANSPARENT"}
    assert all(entry["dtstamp"].dt for entry in found.values())


def test_a_document_on_no_card_is_in_the_feed_of_who_made_it(ann):
    customer = CustomerFactory()
    made = {"customer_id": customer.pk, "valid_until": day(4), "now": NOW}
    quotes.create(**made, title="Mine", actor=ann)
    quotes.create(**made, title="Not mine", actor=UserFactory())

    assert [name.rpartition(" ")[2] for name in entries(switched_on(ann))] == ["Mine"]


def test_an_entry_keeps_its_id_and_counts_its_changes(ann):
    card = deal(title="Roof", salesperson_id=ann.pk, forecast_date=day(5))
    feed = switched_on(ann)
    before = entries(feed)["Roof"]

    pipeline.set_forecast_date(opportunity_id=card.pk, forecast_date=day(9), actor=ann, now=at(0) + timedelta(hours=1))
    after = entries(feed)["Roof"]

    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after["last-modified"].dt > before["last-modified"].dt
    assert after["dtstart"].dt == day(9)


def test_a_void_card_is_cancelled_and_labelled_and_gone_once_it_is_archived(ann):
    card = deal(title="Roof", salesperson_id=ann.pk, forecast_date=day(5))
    todo(card, day(3), ann)
    feed = switched_on(ann)
    act(lifecycle.void, card, reason_id=void_reason())

    found = entries(feed)
    lifecycle.archive(opportunity_id=card.pk, actor=ann, now=NOW)

    assert {name: str(entry["status"]) for name, entry in found.items()} == {"Void: Roof": "CANCELLED"}
    assert entries(feed) == {}


def test_what_people_type_is_escaped_and_long_lines_are_folded(ann):
    title = "Roof; walls, \\ and ünïcödé " * 7
    deal(title=title.strip(), salesperson_id=ann.pk, forecast_date=day(5))
    feed = switched_on(ann)

    assert list(entries(feed)) == [title.strip()]
    lines = fetch(feed).content.split(b"\r\n")
    assert max(len(line) for line in lines) <= 75


def test_all_cards_are_those_that_the_person_may_see_when_somebody_asks(ann):
    other = UserFactory()
    deal(title="Mine", salesperson_id=ann.pk, forecast_date=day(5))
    theirs = deal(title="Theirs", salesperson_id=other.pk, forecast_date=day(5))
    make_quote(theirs, title="Boiler", valid_until=day(6))
    todo(theirs, day(7), other, text="Not mine")
    feed = switched_on(ann)
    assert list(entries(feed)) == ["Mine"]

    switched_on(ann, all_cards=True)
    assert len(entries(feed)) == 3

    business(salespeople_see="own")
    assert list(entries(feed)) == ["Mine"]


def test_a_feed_stops_with_its_person_or_their_group_and_for_a_wrong_address(ann):
    feed = switched_on(ann)
    token = feeds.token_of(feed)
    assert fetch(feed).status_code == 200

    for wrong in (token[:-1], f"{ann.pk}-{feed.nonce}", token.replace("-", "-x", 1), "x"):
        assert Client().get(f"/feed/{wrong}.ics").status_code == 404

    ann.groups.clear()
    assert fetch(feed).status_code == 404
    ann.groups.add(Group.objects.get(name="Salesperson"))
    ann.is_active = False
    ann.save()
    assert fetch(feed).status_code == 404


def test_the_feed_is_kept_out_of_caches_search_engines_and_referrers(ann):
    feed = switched_on(ann)
    for answer in (fetch(feed), Client().get("/feed/wrong.ics")):
        assert answer["Cache-Control"].startswith("private")
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert not answer.cookies
    assert fetch(feed)["Content-Type"] == "text/calendar; charset=utf-8"


def test_an_address_that_is_asked_too_often_has_to_wait(ann):
    feed = switched_on(ann)
    answers = [fetch(feed) for _ in range(61)]

    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    assert int(answers[-1]["Retry-After"]) <= 60


@pytest.mark.parametrize("count", [1, 8])
def test_the_feed_needs_as_many_statements_for_many_entries_as_for_one(count, ann, django_assert_num_queries):
    for _ in range(count):
        card = deal(salesperson_id=ann.pk, forecast_date=day(5))
        todo(card, day(5), ann)
        make_quote(card, valid_until=day(5), service_date=day(5))
    feed = switched_on(ann)
    fetch(feed)  # the first request of a day sweeps

    with django_assert_num_queries(9):
        fetch(feed)


def test_the_owner_switches_the_feed_on_makes_a_new_address_and_switches_it_off(client, ann):
    client.force_login(ann)
    assert "Private address" not in client.get("/accounts/profile/").content.decode()

    client.post("/accounts/profile/feed/", {"cards": "all"})
    feed = CalendarFeed.objects.get(user=ann)
    assert feed.all_cards
    shown = re.search(r'value="(http[^"]+\.ics)"', client.get("/accounts/profile/").content.decode())
    assert shown
    assert shown[1] == feeds.address(feed)

    client.post("/accounts/profile/feed/", {"cards": "own"})
    assert feeds.address(CalendarFeed.objects.get(user=ann)) == shown[1]

    client.post("/accounts/profile/feed/renew/")
    assert fetch(feed).status_code == 404
    renewed = CalendarFeed.objects.get(user=ann)
    assert fetch(renewed).status_code == 200

    client.post("/accounts/profile/feed/off/")
    assert fetch(renewed).status_code == 404
    assert not CalendarFeed.objects.exists()
