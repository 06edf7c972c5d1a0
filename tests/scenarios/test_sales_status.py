"""Acceptance scenarios, section C: the sales status follows the evidence (rules P1 to P9).

AC107 is about a screen (colours of won and lost on the board) and is tested with it.
"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from opportunities import agreements, attachments, jobs, lifecycle, quotes, sweep
from tests.documents import (
    ADA,
    BEN,
    CAL,
    READER,
    TODAY,
    TOMORROW,
    YESTERDAY,
    act,
    at,
    cancel_reason,
    day,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    reject,
    rule,
    shown,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def refund_on_its_way(payment):
    """Ask for the return of 100 that has not arrived yet."""
    return act(jobs.refund, payment, amount=Decimal(100), settled=False)


def test_one_rejection_ends_the_agreement_and_loses_the_card_ac073():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, BEN, CAL])
    ada, ben, cal = signers(agreement)
    sign(ada)

    reject(ben)

    assert [state(each) for each in (ada, ben, cal)] == ["accepted", "rejected", "canceled"]
    assert shown(agreement) == "rejected"
    assert statuses(card) == ("prospect", "lost")


def test_an_agreement_that_is_not_signed_in_time_expires_and_loses_the_card_ac074():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, BEN], valid_until=TODAY)
    ada, ben = signers(agreement)
    sign(ada)

    sweep.run(datetime(2025, 6, 10, 23, 59, tzinfo=UTC))
    assert (shown(agreement), statuses(card)) == ("submitted", ("agreement", "none"))
    sweep.run(datetime(2025, 6, 11, 0, 0, tzinfo=UTC))

    assert (state(ada), state(ben)) == ("accepted", "expired")
    assert shown(agreement) == "expired"
    assert statuses(card) == ("prospect", "lost")


def test_who_only_receives_a_copy_does_not_count_ac076():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, READER])

    sign(signers(agreement)[0])

    assert shown(agreement) == "accepted"
    assert statuses(card) == ("contracted", "won")


def test_the_agreement_that_was_sent_last_governs_ac077():
    card = deal()
    make_agreement(card, "rejected")
    assert statuses(card) == ("prospect", "lost")

    second = make_agreement(card, "draft", attached=False)
    act(attachments.attach, card, second)
    assert statuses(card) == ("prospect", "lost")
    act(agreements.submit, second)
    assert statuses(card) == ("agreement", "none")
    sign(signers(second)[0])

    assert statuses(card) == ("contracted", "won")


def test_a_void_agreement_no_longer_stands_before_the_void_quote_ac079():
    card = deal()
    make_quote(card, "void")
    agreement = make_agreement(card, "draft")
    assert statuses(card) == ("prospect", "none")

    act(agreements.void, agreement, reason_id=void_reason())

    assert statuses(card) == ("prospect", "lost")


def test_one_of_two_quotes_voided_is_a_loss_though_the_other_is_negotiated_ac080():
    card = deal()
    make_quote(card, "submitted")
    second = make_quote(card, "submitted")

    act(quotes.void, second, reason_id=void_reason())
    assert statuses(card) == ("negotiation", "lost")
    act(attachments.detach, second)

    assert statuses(card) == ("negotiation", "none")


def test_a_job_outranks_a_dead_quote_ac082():
    card = deal()
    kept = make_quote(card, "submitted")
    act(quotes.void, make_quote(card, "submitted"), reason_id=void_reason())
    assert statuses(card) == ("negotiation", "lost")

    act(quotes.convert, kept)

    assert statuses(card) == ("contracted", "won")


def test_a_declined_quote_is_canceled_and_loses_the_card_ac083():
    card = deal()
    quote = make_quote(card, "submitted")

    act(quotes.decline, quote)

    assert state(quote) == "canceled"
    assert statuses(card) == ("prospect", "lost")


def test_archiving_a_converted_quote_is_housekeeping_ac085():
    card = deal()
    quote = make_quote(card, "converted")

    act(quotes.archive, quote)

    assert fresh(quote).archived_at is not None
    assert statuses(card) == ("contracted", "won")


def test_quote_and_forecast_date_both_expired_is_a_loss_ac086():
    card = deal(forecast_date=TODAY)
    make_quote(card, "submitted", valid_until=TODAY)

    sweep.run(at(1))

    assert statuses(card) == ("expired", "lost")


def test_an_agreement_that_can_still_be_signed_keeps_a_late_card_open_ac088():
    card = deal(forecast_date=TODAY)
    make_quote(card, "submitted", valid_until=TODAY)
    make_agreement(card, "submitted")

    sweep.run(at(1))

    assert statuses(card) == ("expired", "none")


def test_job_and_forecast_date_both_expired_is_a_loss_ac089():
    card = deal(forecast_date=TODAY)
    make_job(card, service_date=TODAY)
    assert statuses(card) == ("contracted", "won")

    sweep.run(at(1))

    assert (statuses(card), rule(card)) == (("expired", "lost"), "P3")


def test_an_expired_job_alone_is_no_loss_ac091():
    card = deal(forecast_date=day(30))
    job = make_job(card, service_date=TODAY)

    sweep.run(at(1))

    assert job.is_expired_on(TOMORROW)
    assert statuses(card) == ("contracted", "won")


def test_a_waived_forecast_date_does_not_count_as_expired_ac092():
    card = deal(forecast_date=YESTERDAY, now=at(-2))
    quote = make_quote(card, "submitted", now=at(-2))
    sweep.run(NOW)
    job = act(quotes.convert, quote)
    act(jobs.revise, job, service_date=TODAY)

    sweep.run(at(1))

    assert fresh(job).is_expired_on(TOMORROW)
    assert statuses(card) == ("contracted", "won")


def test_a_completed_job_never_expires_ac094():
    card = deal(forecast_date=TODAY)
    job = make_job(card, "completed", service_date=TODAY)

    sweep.run(at(1))

    assert not job.is_expired_on(TOMORROW)
    assert statuses(card) == ("completed", "won")


def test_all_the_money_returned_is_a_loss_of_a_contracted_card_ac095():
    card = deal()
    payment = pay(make_job(card), "100")
    assert statuses(card) == ("contracted", "won")

    pay_back(payment, "100")

    assert (statuses(card), rule(card)) == (("contracted", "lost"), "P2")


def test_the_card_is_lost_when_the_last_of_two_payments_is_returned_ac097():
    card = deal()
    job = make_job(card)
    sixty, forty = pay(job, "60"), pay(job, "40")

    pay_back(sixty, "60")
    assert statuses(card) == ("contracted", "won")
    pay_back(forty, "40")

    assert statuses(card) == ("contracted", "lost")


def test_a_refund_counts_when_it_succeeds_ac098():
    card = deal()
    refund = refund_on_its_way(pay(make_job(card), "100"))
    assert (state(refund), statuses(card)) == ("pending", ("contracted", "won"))

    act(jobs.settle_refund, refund, succeeded=True)

    assert (state(refund), statuses(card)) == ("succeeded", ("contracted", "lost"))


def test_a_failed_refund_changes_nothing_ac098():
    card = deal()
    refund = refund_on_its_way(pay(make_job(card), "100"))

    act(jobs.settle_refund, refund, succeeded=False)

    assert (state(refund), statuses(card)) == ("failed", ("contracted", "won"))


def test_a_completed_card_can_be_lost_ac100():
    card = deal()
    job = make_job(card)
    payment = pay(job, "100")
    act(jobs.complete, job)
    assert statuses(card) == ("completed", "won")

    pay_back(payment, "100")

    assert statuses(card) == ("completed", "lost")


def test_a_second_job_that_goes_on_keeps_the_card_won_ac101():
    card = deal()
    payment = pay(make_job(card), "100")
    make_job(card)

    pay_back(payment, "100")

    assert statuses(card) == ("contracted", "won")


def test_a_job_outranks_a_rejected_agreement_ac103():
    card = deal()
    make_job(card)
    agreement = make_agreement(card, "submitted")

    reject(signers(agreement)[0])

    assert statuses(card) == ("contracted", "won")


def test_money_back_outranks_a_signed_agreement_ac104():
    card = deal()
    make_agreement(card, "accepted")
    payment = pay(make_job(card), "100")
    assert statuses(card) == ("contracted", "won")

    pay_back(payment, "100")

    assert statuses(card) == ("contracted", "lost")


def test_canceling_a_won_card_loses_it_ac106():
    card = deal()
    make_job(card)
    assert statuses(card) == ("contracted", "won")

    act(lifecycle.cancel, card, reason_id=cancel_reason())

    assert (statuses(card), rule(card)) == (("canceled", "lost"), "P1")
