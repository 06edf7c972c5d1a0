"""Tonight's run: what is foretold comes true, each reader is told of theirs, and admins hear when a job fails them."""

import random
from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from boards.models import Board
from opportunities import agreements, background, lifecycle, standing, sweep, tonight
from opportunities.errors import Refused
from opportunities.models import BusinessSettings, Event, JobSlot, Opportunity
from tests.documents import (
    TODAY,
    YESTERDAY,
    act,
    at,
    business,
    day,
    deal,
    fresh,
    make_agreement,
    make_quote,
    statuses,
    void_reason,
)
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory
from tests.test_verbs_properties import BEGINNINGS, STEPS, new_world, undone

pytestmark = pytest.mark.django_db

BY_DAY = sorted(set(STEPS) - {"days_pass", "midnight_passes_unswept"})
PAGE = "/tonight/"


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel(NOW, tick=False):
        yield


def standings():
    return {card.pk: (str(card.workflow_status), card.sales_status) for card in Opportunity.objects.all()}


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_next_run_does_what_was_foretold_and_nothing_else(seed):
    chance = random.Random(seed)
    with undone():
        world = new_world()
        BusinessSettings.objects.update(auto_archive_days=2)
        sweep.run(world.now)
        _a_day_passes(world, chance.sample(BEGINNINGS, 5), chance)
        for _night in range(4):
            _a_day_passes(world, chance.choices(BY_DAY, k=5), chance)
            _a_night_passes(world)


def _a_day_passes(world, names, chance):
    for name in names:
        note(f"{name} on {world.now:%d %b}")
        try:
            STEPS[name](world, chance.randrange(12), chance.randrange(60))
        except (Refused, ValidationError):
            continue


def _a_night_passes(world):
    foretold = sweep.preview(world.now)
    before, last = standings(), Event.objects.latest("pk").pk
    expiring = {each.pk for card in foretold.cards for each in card.agreements}
    expiring |= {each.pk for each in foretold.agreements_on_no_card}

    world.now = world.now.replace(hour=0, minute=0) + timedelta(days=1)
    report = sweep.run(world.now)

    expected = before | {
        each.card.pk: (each.after.workflow.value, each.after.sales.value) for each in foretold.cards
    }  # fmt: skip
    assert standings() == expected
    done = Event.objects.filter(pk__gt=last)
    assert set(done.filter(kind="agreement_expired").values_list("agreement", flat=True)) == expiring
    told = {each.card.pk for each in foretold.cards}
    assert set(done.exclude(opportunity=None).values_list("opportunity", flat=True)) == told
    archived = {each.card.pk for each in foretold.cards if each.archives}
    assert set(done.filter(kind="archived").values_list("opportunity", flat=True)) == archived
    assert (report.failed, report.stuck) == (0, 0)


def test_it_says_per_card_what_comes_and_why(client):
    ann = UserFactory(role="manager")
    card = deal(forecast_date=TODAY, title="New boiler", actor=ann)
    quote = make_quote(card, "submitted", valid_until=TODAY)
    deal(forecast_date=day(1))
    client.force_login(ann)

    page = client.get(PAGE).content.decode()

    assert "1 card expires, 1 turns lost." in page
    assert f"{card.number} New boiler" in page
    assert "Its forecast date, today, passes." in page
    assert f"Nothing is open any more: {quote.number} is past its last day, too." in page
    assert f"/opportunities/{card.pk}/forecast/" in page


def test_looking_changes_nothing(client):
    card = deal(forecast_date=TODAY)
    make_agreement(card, "submitted", valid_until=TODAY)
    before = Opportunity.objects.values().get(pk=card.pk)

    sweep.preview(NOW)

    assert Opportunity.objects.values().get(pk=card.pk) == before


def test_salespeople_are_told_of_their_own_cards_managers_of_all(client):
    ann, bea, manager = UserFactory(), UserFactory(), UserFactory(role="manager")
    hers, other = deal(forecast_date=TODAY, actor=ann), deal(forecast_date=TODAY, actor=bea)

    def told(person):
        client.force_login(person)
        page = client.get(PAGE).content.decode()
        return [card for card in (hers, other) if card.number in page]

    assert (told(ann), told(bea), told(manager)) == ([hers], [other], [hers, other])


def test_an_agreement_on_no_card_that_expires_is_told_to_its_maker(client):
    ann, bea = UserFactory(), UserFactory()
    made = make_agreement(deal(actor=ann), attached=False, valid_until=TODAY)
    type(made)._base_manager.filter(pk=made.pk).update(created_by=ann)
    act(agreements.submit, made)

    client.force_login(ann)
    assert made.number in client.get(PAGE).content.decode()
    client.force_login(bea)
    assert made.number not in client.get(PAGE).content.decode()


def test_a_closed_card_is_told_to_be_put_away_on_its_day():
    business(auto_archive_days=1)
    card = deal()
    act(lifecycle.void, card, reason_id=void_reason(), now=NOW)

    (told,) = sweep.preview(NOW).cards

    assert (told.card, told.archives) == (card, True)


def test_what_the_last_run_did_is_told_with_the_way_back(client):
    ann = UserFactory()
    card = deal(forecast_date=YESTERDAY, actor=ann, now=at(-2))
    sweep.run(NOW)
    client.force_login(ann)

    page = client.get(PAGE).content.decode()
    assert "Expired: 1" in page
    assert "Restore: move its date" in page

    client.post(f"/opportunities/{card.pk}/forecast/", {"to": day(7).isoformat()})
    assert statuses(card) == ("prospect", "none")
    assert "Restore: move its date" not in client.get(PAGE).content.decode()


def test_the_number_of_statements_does_not_grow_with_what_comes(client):
    manager = UserFactory(role="manager")
    client.force_login(manager)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            client.get(PAGE)
        return len(captured)

    def fill(count):
        for _ in range(count):
            card = deal(forecast_date=TODAY, actor=manager)
            make_quote(card, "submitted", valid_until=TODAY)
            make_agreement(card, "submitted", valid_until=TODAY)
            deal(forecast_date=YESTERDAY, now=at(-2))
        sweep.run(NOW)

    fill(1)
    client.get(PAGE)
    few = statements()
    fill(8)
    assert statements() == few <= 18


# The alarm


@pytest.fixture
def jobs():
    """All jobs ran a moment ago."""
    background.expect(timezone.now())
    for job in background.REGISTRY:
        background._note(job, None, "", 0.1)


@pytest.fixture
def board():
    return BoardFactory(stages=[StageFactory()], is_default=True)


WARNING = "A background job went wrong or did not run"


def warned(client, role="admin", address="/"):
    client.force_login(UserFactory(role=role))
    return WARNING in client.get(address, follow=True).content.decode()


def test_where_all_jobs_run_nobody_is_warned(client, jobs, board):
    business()
    assert not warned(client)
    assert not warned(client, address="/admin/")


def test_admins_are_warned_on_every_page_where_a_job_did_not_run_and_nobody_else(client, jobs, board):
    business()
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        assert warned(client)
        assert warned(client, address="/admin/")
        assert not warned(client, role="manager")
        client.force_login(UserFactory(role="admin"))
        assert "It should have run long ago" in client.get(PAGE).content.decode()


def test_a_job_that_never_begins_to_run_is_missed(client, board):
    business()
    background.expect(NOW)
    assert not warned(client)
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        assert warned(client)


def test_a_run_that_fails_warns_until_one_succeeds(client, jobs, board):
    business()
    job = background.REGISTRY[0]
    with pytest.raises(ZeroDivisionError):
        background.keep(job, lambda: 1 / 0)
    assert JobSlot.objects.get(name=job.name).failures == 1
    assert warned(client)

    background.run(job)
    assert not warned(client)


def test_a_run_that_finds_rows_due_and_changes_none_warns(client, jobs, board, monkeypatch):
    deal(forecast_date=YESTERDAY, now=at(-2))
    monkeypatch.setattr(standing, "refresh", lambda card, *, today, **_rest: None)

    background.run(background.REGISTRY[0])

    assert JobSlot.objects.get(name="sweep").last_result["stuck"] == 1
    assert warned(client)


def test_a_card_that_only_had_to_be_looked_at_again_is_no_alarm():
    card = deal()
    make_quote(card, "submitted", valid_until=YESTERDAY, now=at(-2))
    make_quote(card, "submitted", valid_until=day(9), now=at(-2))

    report = sweep.run(NOW)

    assert (report.due, report.stuck, report.failed) == (1, 0, 0)
    assert fresh(card).documents_hold_from is not None


@pytest.mark.parametrize("role", ["salesperson", "manager", "admin"])
def test_the_alarm_costs_the_board_no_statement(client, jobs, role, board, django_assert_max_num_queries):
    business()
    client.force_login(UserFactory(role=role))
    sweep.run(timezone.now())
    address = f"/boards/{Board.objects.get().pk}/"
    client.get(address)
    with django_assert_max_num_queries(12) as captured:
        client.get(address)
    assert not [query for query in captured if 'FROM "opportunities_jobslot"' in query["sql"][:400]]


def test_a_closed_card_that_is_due_to_be_put_away_and_stays_warns(client, jobs, board, monkeypatch):
    business(auto_archive_days=1)
    act(lifecycle.void, deal(), reason_id=void_reason(), now=at(-5))
    monkeypatch.setattr(lifecycle, "auto_archive", lambda **_rest: False)

    background.run(background.REGISTRY[0])

    assert JobSlot.objects.get(name="sweep").last_result["stuck"] == 1
    assert warned(client)


def test_a_job_that_an_update_took_away_is_not_missed(client, jobs, board):
    business()
    JobSlot.objects.create(name="retired", next_run_at=NOW, alarm_at=NOW - timedelta(days=1))
    background.expect(NOW)

    assert not warned(client)


def test_every_job_has_a_name_in_words():
    assert {job.name for job in background.REGISTRY} == set(tonight.JOB_NAMES)
