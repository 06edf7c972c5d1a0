"""Acceptance scenarios, section B: a card expires by its forecast date, and what brings it back."""

from datetime import UTC, date, datetime

import pytest
import time_machine

from opportunities import agreements, attachments, jobs, lifecycle, pipeline, quotes, sweep
from opportunities.models import BusinessSettings, Opportunity
from tests.documents import (
    TODAY,
    TOMORROW,
    YESTERDAY,
    act,
    at,
    business,
    day,
    deal,
    fresh,
    history_of,
    make_agreement,
    make_job,
    make_quote,
    sign,
    signers,
    state,
    statuses,
)
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory

pytestmark = pytest.mark.django_db

MAY_DAY = date(2025, 5, 1)


def expired_deal(**fields):
    """A card that was made the day before yesterday and expired at midnight, with yesterday's date."""
    card = deal(forecast_date=YESTERDAY, now=at(-2), **fields)
    sweep.run(NOW)
    assert statuses(card) == ("expired", "none")
    return card


def revived_deal():
    """A card that expired with yesterday's date and was contracted today by converting its quote."""
    card = deal(forecast_date=YESTERDAY, now=at(-2))
    quote = make_quote(card, "submitted", now=at(-2))
    sweep.run(NOW)
    job = act(quotes.convert, quote)
    assert statuses(card) == ("contracted", "won")
    return card, job


def test_a_card_is_good_for_the_whole_of_its_forecast_day_ac037():
    card = deal(forecast_date=TODAY)

    sweep.run(datetime(2025, 6, 10, 23, 59, 59, tzinfo=UTC))
    assert statuses(card) == ("prospect", "none")
    sweep.run(datetime(2025, 6, 11, 0, 0, tzinfo=UTC))

    assert statuses(card) == ("expired", "none")


def test_the_day_ends_at_midnight_where_the_business_is_ac038():
    business(time_zone="America/New_York")
    card = deal(forecast_date=date(2025, 6, 10))

    sweep.run(datetime(2025, 6, 11, 3, 59, tzinfo=UTC))
    assert statuses(card) == ("prospect", "none")
    sweep.run(datetime(2025, 6, 11, 4, 0, tzinfo=UTC))

    assert statuses(card) == ("expired", "none")


def test_sweeping_the_same_day_again_changes_nothing_ac040():
    card = deal(forecast_date=TODAY)
    make_quote(card, "submitted", valid_until=TODAY)
    sweep.run(at(1))
    before, version = history_of(card), fresh(card).version

    sweep.run(at(1))

    assert statuses(card) == ("expired", "lost")
    assert (history_of(card), fresh(card).version) == (before, version)
    assert [step[1:] for step in before].count(("negotiation", "expired")) == 1


def test_the_first_look_at_the_board_settles_the_days_that_no_sweep_ran_ac041(client):
    stage, ann = StageFactory(), UserFactory()
    BoardFactory(stages=[stage], is_default=True)
    card = deal(forecast_date=TODAY, stage_id=stage.pk, actor=ann)
    sweep.run(NOW)

    with time_machine.travel(at(3), tick=False):
        client.force_login(ann)
        client.get("/", follow=True)

    assert statuses(card) == ("expired", "none")


@pytest.mark.parametrize(
    ("document", "before"),
    [
        (None, ("prospect", "none")),
        (lambda card: make_quote(card, "submitted"), ("negotiation", "none")),
        (lambda card: make_agreement(card, "submitted"), ("agreement", "none")),
        (lambda card: make_job(card), ("contracted", "won")),
    ],
    ids=["prospect", "negotiation", "agreement", "contracted"],
)
def test_every_card_that_is_under_way_expires_ac043(document, before):
    card = deal(forecast_date=TODAY)
    if document:
        document(card)
    assert statuses(card) == before

    sweep.run(datetime(2025, 6, 11, 0, 0, tzinfo=UTC))

    assert statuses(card) == ("expired", before[1])


def test_a_completed_card_does_not_expire_ac044():
    card = deal(forecast_date=TODAY)
    make_job(card, "completed")

    sweep.run(at(1))

    assert statuses(card) == ("completed", "won")


def test_a_contracted_card_expires_and_stays_won_ac046():
    card = deal(forecast_date=TODAY)
    make_job(card, service_date=day(30))

    sweep.run(at(1))

    assert statuses(card) == ("expired", "won")


def test_an_expired_card_neither_is_archived_nor_ends_its_accepted_quote_ac047():
    card = deal(forecast_date=TODAY)
    quote = make_quote(card, "accepted", valid_until=day(30))

    sweep.run(at(1))

    assert statuses(card) == ("expired", "none")
    assert fresh(card).archived_at is None
    assert state(quote) == "accepted"


def test_the_forecast_date_need_not_match_the_service_date_ac049():
    card = deal(forecast_date=date(2025, 6, 10))
    quote = make_quote(card, "submitted", service_date=date(2026, 1, 1))

    act(pipeline.edit, card, title="Boiler", forecast_date=date(2025, 6, 12))
    act(pipeline.set_forecast_date, card, forecast_date=date(2025, 6, 10))

    assert (fresh(card).forecast_date, fresh(quote).service_date) == (date(2025, 6, 10), date(2026, 1, 1))
    assert statuses(card) == ("negotiation", "none")


def test_converting_an_expired_quote_revives_the_expired_card_for_good_ac050():
    card = deal(forecast_date=YESTERDAY, now=at(-2))
    quote = make_quote(card, "submitted", valid_until=YESTERDAY, now=at(-2))
    sweep.run(NOW)
    assert quote.is_expired_on(TODAY)
    assert statuses(card) == ("expired", "lost")

    act(quotes.convert, quote)
    assert statuses(card) == ("contracted", "won")
    sweep.run(NOW)
    sweep.run(at(1))

    assert statuses(card) == ("contracted", "won")
    assert fresh(card).expiry_waived_for == YESTERDAY


def test_saving_a_revived_card_with_the_same_date_changes_nothing_ac052():
    card, _job = revived_deal()
    before = history_of(card)

    act(pipeline.edit, card, title=card.title, forecast_date=YESTERDAY)

    assert statuses(card) == ("contracted", "won")
    assert history_of(card) == before


def test_another_past_date_expires_a_revived_card_at_once_ac053():
    card, _job = revived_deal()

    act(pipeline.set_forecast_date, card, forecast_date=day(-4))

    assert statuses(card) == ("expired", "won")


def test_the_last_signature_revives_a_card_that_expired_while_waiting_for_it_ac055():
    card = deal(forecast_date=TODAY)
    agreement = make_agreement(card, "submitted")
    sweep.run(at(1))
    assert statuses(card) == ("expired", "none")

    sign(signers(agreement)[0], now=at(1))
    sweep.run(at(2))

    assert statuses(card) == ("contracted", "won")


def test_a_quote_that_is_attached_submitted_and_accepted_does_not_revive_the_card_ac056():
    card = expired_deal()
    quote = make_quote(card, "draft", attached=False)

    act(attachments.attach, card, quote)
    assert statuses(card) == ("expired", "none")
    act(quotes.submit, quote)
    assert statuses(card) == ("expired", "none")
    act(quotes.accept, quote)

    assert state(quote) == "accepted"
    assert statuses(card) == ("expired", "none")


@pytest.mark.parametrize("new", [TODAY, None], ids=["today", "no date"])
def test_a_date_of_today_or_none_brings_an_expired_card_back_ac058(new):
    card = expired_deal()

    act(pipeline.set_forecast_date, card, forecast_date=new)

    assert statuses(card) == ("prospect", "none")


def test_a_new_date_reopens_a_card_that_was_lost_by_lateness_ac059():
    card = deal(forecast_date=TODAY)
    make_quote(card, "submitted", valid_until=TODAY)
    sweep.run(at(1))
    assert statuses(card) == ("expired", "lost")

    act(pipeline.set_forecast_date, card, forecast_date=day(20), now=at(1))

    assert statuses(card) == ("negotiation", "none")


def test_a_revived_card_that_loses_its_job_is_expired_again_ac061():
    card, job = revived_deal()

    act(attachments.detach, job)

    assert statuses(card) == ("expired", "none")


def test_completing_the_job_of_an_expired_card_completes_it_ac062():
    card = deal(forecast_date=TODAY)
    job = make_job(card)
    sweep.run(at(1))
    assert statuses(card) == ("expired", "won")

    act(jobs.complete, job, now=at(1))

    assert statuses(card) == ("completed", "won")


def test_reopening_one_of_two_jobs_does_not_revive_an_expired_card_ac064():
    card = deal(forecast_date=TODAY)
    done = make_job(card, "completed")
    make_job(card)
    sweep.run(at(1))

    act(jobs.reopen, done, now=at(1))

    assert state(done) == "modified"
    assert statuses(card) == ("expired", "won")


def test_a_time_zone_that_brings_the_day_back_brings_the_card_back_ac065():
    business(time_zone="Pacific/Auckland")
    card = deal(forecast_date=date(2025, 6, 10), now=at(-1))
    midnight = datetime(2025, 6, 10, 12, 30, tzinfo=UTC)  # 00:30 on the 11th in Auckland, 02:30 on the 10th in Honolulu
    sweep.run(midnight)
    assert statuses(card) == ("expired", "none")

    BusinessSettings.objects.update(time_zone="Pacific/Honolulu")
    sweep.run(midnight)

    assert statuses(card) == ("prospect", "none")


def test_a_back_dated_card_is_saved_as_expired_ac067():
    card = deal(forecast_date=date(2025, 5, 10))

    assert fresh(card).forecast_date == date(2025, 5, 10)
    assert statuses(card) == ("expired", "none")


def test_putting_the_waived_date_back_revives_the_card_again_ac068():
    card, _job = revived_deal()
    act(pipeline.set_forecast_date, card, forecast_date=MAY_DAY)
    assert statuses(card) == ("expired", "won")

    act(pipeline.set_forecast_date, card, forecast_date=YESTERDAY)

    assert statuses(card) == ("contracted", "won")


def test_an_archived_card_still_expires_and_completes_ac070():
    card = deal(forecast_date=TODAY)
    job = make_job(card)
    act(lifecycle.archive, card)

    sweep.run(at(1))
    assert statuses(card) == ("expired", "won")
    act(jobs.complete, job, now=at(1))

    assert statuses(card) == ("completed", "won")
    assert Opportunity.objects.get(pk=card.pk).archived_at is not None


def test_a_crew_that_completes_late_wins_the_lost_card_back_ac071():
    card = deal(forecast_date=TODAY)
    job = make_job(card, service_date=TODAY)
    sweep.run(at(1))
    assert job.is_expired_on(TOMORROW)
    assert statuses(card) == ("expired", "lost")

    act(jobs.complete, job, now=at(1))

    assert statuses(card) == ("completed", "won")


def test_sending_an_agreement_does_not_revive_an_expired_card():
    card = expired_deal()
    agreement = make_agreement(card, "draft")

    act(agreements.submit, agreement)

    assert statuses(card) == ("expired", "none")
