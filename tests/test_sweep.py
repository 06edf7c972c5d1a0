"""The clock: cards expire and come back by their dates, once, whoever runs the sweep and however often."""

from datetime import UTC, datetime, timedelta

import pytest

from opportunities import history, lifecycle, pipeline, standing, sweep
from opportunities.models import BusinessSettings, Event, JobSlot, Opportunity
from tests.factories import NOW, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

TODAY = NOW.date()
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


def status(card):
    return Opportunity.objects.get(pk=card.pk).workflow_status


def test_a_card_is_good_for_the_whole_of_its_forecast_day():
    card = make_card(forecast_date=TODAY)

    sweep.run(NOW.replace(hour=23, minute=59))
    assert status(card) == "prospect"
    report = sweep.run(datetime(2025, 6, 11, 0, 0, tzinfo=UTC))

    assert status(card) == "expired"
    assert report.expired == 1


def test_the_day_ends_at_midnight_of_the_business():
    BusinessSettings.objects.update(time_zone="America/New_York")
    card = make_card(forecast_date=TODAY)

    sweep.run(datetime(2025, 6, 11, 3, 59, tzinfo=UTC))
    assert status(card) == "prospect"
    sweep.run(datetime(2025, 6, 11, 4, 0, tzinfo=UTC))

    assert status(card) == "expired"


def test_running_it_again_changes_nothing_and_writes_no_history():
    card = make_card(forecast_date=TODAY)
    sweep.run(TOMORROW)
    events = Event.objects.filter(opportunity=card).count()

    report = sweep.run(TOMORROW)

    assert (report.expired, report.revived) == (0, 0)
    assert Event.objects.filter(opportunity=card).count() == events


def test_history_says_that_the_clock_did_it():
    card = make_card(forecast_date=TODAY)

    sweep.run(TOMORROW)

    event = Event.objects.filter(opportunity=card).latest("pk")
    assert (event.kind, event.actor, event.by, event.via) == ("expired", None, "nightly run", "clock")
    assert (event.workflow_from, event.workflow_to) == ("prospect", "expired")


def test_a_time_zone_that_brings_the_day_back_brings_the_card_back():
    BusinessSettings.objects.update(time_zone="Pacific/Auckland")
    card = make_card(forecast_date=TODAY)
    midnight = datetime(2025, 6, 10, 12, 30, tzinfo=UTC)  # 00:30 on 11 June in Auckland, 02:30 on the 10th in Honolulu
    sweep.run(midnight)
    assert status(card) == "expired"

    BusinessSettings.objects.update(time_zone="Pacific/Honolulu")
    report = sweep.run(midnight)

    assert status(card) == "prospect"
    assert report.revived == 1
    assert BusinessSettings.current().swept_until == TODAY


def test_an_archived_card_expires_and_stays_archived():
    card = make_card(forecast_date=TODAY, actor=UserFactory())
    lifecycle.archive(opportunity_id=card.pk, actor=None, now=NOW)

    sweep.run(TOMORROW)

    card = Opportunity.objects.get(pk=card.pk)
    assert (card.workflow_status, card.is_archived) == ("expired", True)


def test_a_card_without_a_date_never_expires():
    card = make_card()

    sweep.run(NOW + timedelta(days=4000))

    assert status(card) == "prospect"


def test_one_card_that_fails_does_not_stop_the_others(monkeypatch, caplog):
    poison, healthy = make_card(forecast_date=TODAY), make_card(forecast_date=TODAY)
    record = history.record

    def fail_for_poison(card, **given):
        if card.pk == poison.pk:
            raise RuntimeError("poison")
        return record(card, **given)

    monkeypatch.setattr(history, "record", fail_for_poison)
    report = sweep.run(TOMORROW)

    assert (report.expired, report.failed) == (1, 1)
    assert (status(poison), status(healthy)) == ("prospect", "expired")
    assert any(record.opportunity == poison.pk for record in caplog.records if hasattr(record, "opportunity"))


def test_a_card_that_stays_as_it_is_does_not_keep_the_run_going(monkeypatch):
    card = make_card(forecast_date=TODAY)
    monkeypatch.setattr(standing, "refresh", lambda card, *, today, **_rest: None)

    report = sweep.run(TOMORROW)

    assert (report.expired, report.failed, report.finished) == (0, 0, True)
    assert status(card) == "prospect"


def test_more_cards_than_a_batch_are_all_settled(monkeypatch):
    monkeypatch.setattr(sweep, "BATCH", 3)
    for _ in range(8):
        make_card(forecast_date=TODAY)

    assert sweep.run(TOMORROW).expired == 8


def test_a_bounded_run_settles_the_cards_of_its_page_first_and_says_that_more_is_left(monkeypatch):
    early, mine = make_card(forecast_date=TODAY - timedelta(days=0)), make_card(forecast_date=TODAY)
    moments = iter([0.0, 0.0, 9.0, 9.0])
    monkeypatch.setattr(sweep, "monotonic", lambda: next(moments))

    report = sweep.run(TOMORROW, seconds=1, first=[mine.pk])

    assert not report.finished
    assert (status(mine), status(early)) == ("expired", "prospect")
    assert BusinessSettings.current().swept_until is None


def test_it_is_due_once_a_local_day():
    business = BusinessSettings.current()
    assert sweep.is_due(business, NOW)

    sweep.run(NOW)

    business = BusinessSettings.current()
    assert not sweep.is_due(business, NOW)
    assert sweep.is_due(business, TOMORROW)


def test_a_page_on_the_first_visit_of_a_day_shows_what_the_day_made_of_it(client):
    person = UserFactory()
    card = make_card(forecast_date=TODAY, actor=person)
    client.force_login(person)

    client.get("/")

    assert status(card) == "expired"


def test_only_the_first_page_of_a_day_settles_it_and_later_ones_say_that_more_is_due(client, monkeypatch):
    person = UserFactory()
    shown, waiting = make_card(forecast_date=TODAY, actor=person), make_card(forecast_date=TODAY, actor=person)
    client.force_login(person)
    moments = iter([0.0, 0.0])
    monkeypatch.setattr(sweep, "monotonic", lambda: next(moments, 9.0))

    first = client.get(shown.get_absolute_url())
    later = client.get(shown.get_absolute_url())

    assert (status(shown), status(waiting)) == ("expired", "prospect")
    assert first.wsgi_request.sweep_pending
    assert later.wsgi_request.sweep_pending
    assert "still being brought up to date" in later.content.decode()


def test_where_no_job_runs_every_page_goes_on_settling_the_day(client, monkeypatch):
    person = UserFactory()
    shown, waiting = make_card(forecast_date=TODAY, actor=person), make_card(forecast_date=TODAY, actor=person)
    JobSlot.objects.create(name="sweep", next_run_at=NOW, alarm_at=NOW + timedelta(minutes=35))
    client.force_login(person)
    moments = iter([0.0, 0.0])
    monkeypatch.setattr(sweep, "monotonic", lambda: next(moments, 9.0))

    client.get(shown.get_absolute_url())
    assert status(waiting) == "prospect"
    later = client.get(shown.get_absolute_url())

    assert status(waiting) == "expired"
    assert not later.wsgi_request.sweep_pending


def test_an_act_that_began_before_midnight_counts_with_the_day_that_was_swept():
    card = make_card(forecast_date=TODAY)
    sweep.run(TOMORROW)

    edited = pipeline.edit(opportunity_id=card.pk, title="Late", actor=None, now=NOW)

    assert edited.workflow_status == "expired"


def kinds_of(card):
    return list(Event.objects.filter(opportunity=card).order_by("pk").values_list("kind", flat=True))


def test_a_run_ends_with_its_day_so_that_it_cannot_take_back_what_the_next_one_did(monkeypatch):
    card = make_card(forecast_date=TODAY - timedelta(days=1), now=NOW - timedelta(days=2))
    moments = iter([0.0])
    monkeypatch.setattr(sweep, "monotonic", lambda: next(moments, 2.0))

    report = sweep.run(NOW.replace(hour=23, minute=59, second=59))

    assert not report.finished
    assert (status(card), BusinessSettings.current().swept_until) == ("prospect", None)


def test_a_clock_that_lags_a_little_does_not_bring_the_old_day_back():
    card = make_card(forecast_date=TODAY)
    midnight = datetime(2025, 6, 11, 0, 0, tzinfo=UTC)
    sweep.run(midnight)
    late = midnight - timedelta(seconds=2)

    sweep.run(late)

    assert kinds_of(card) == ["created", "expired"]
    business = BusinessSettings.current()
    assert business.swept_until == TOMORROW.date()
    assert not sweep.is_due(business, late)


def test_a_clock_that_was_far_ahead_is_forgotten_once_it_is_right_again():
    card = make_card(forecast_date=TODAY)
    sweep.run(TOMORROW + timedelta(days=300))

    sweep.run(NOW)

    assert status(card) == "prospect"
    assert not sweep.is_due(BusinessSettings.current(), NOW)
