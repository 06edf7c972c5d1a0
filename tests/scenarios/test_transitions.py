"""The transitions of lifecycle.md 3.3 that no scenario covers in full: T1 is AC001 and AC067, T12 AC064, T14 AC043."""

from datetime import timedelta

import pytest

from opportunities import agreements, attachments, jobs, lifecycle, pipeline, quotes, sweep
from opportunities.models import Job, Quote
from tests.documents import (
    LABOUR,
    MORE_LABOUR,
    PIPES,
    TODAY,
    TOMORROW,
    YESTERDAY,
    act,
    at,
    cancel_reason,
    day,
    deal,
    finish,
    fresh,
    history_of,
    job_of,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    refused,
    reject,
    sign,
    signers,
    statuses,
    void_reason,
)
from tests.factories import NOW, StageFactory

pytestmark = pytest.mark.django_db

UNDER_WAY = ["prospect", "negotiation", "agreement", "contracted"]


def deal_in(status, **fields):
    """A card whose documents give it this workflow status; to be expired, its date has passed at NOW."""
    if status == "expired":
        fields = {"forecast_date": YESTERDAY, "now": at(-2)} | fields
    card = deal(**fields)
    when = fields.get("now", NOW)
    if status == "negotiation":
        make_quote(card, "submitted", now=when)
    elif status == "agreement":
        make_agreement(card, "submitted", now=when)
    elif status in ("contracted", "completed"):
        make_job(card, "completed" if status == "completed" else "accepted", now=when)
    elif status == "expired":
        sweep.run(NOW)
    elif status == "void":
        act(lifecycle.void, card, reason_id=void_reason(), now=when)
    elif status == "canceled":
        act(lifecycle.cancel, card, reason_id=cancel_reason(), now=when)
    assert statuses(card)[0] == status
    return card


class TestT2UnsubmittedDocumentAttached:
    @pytest.mark.parametrize("make", [make_quote, make_agreement])
    @pytest.mark.parametrize("status", [*UNDER_WAY, "completed", "expired"])
    def test_the_status_stays(self, status, make):
        card = deal_in(status)
        before = statuses(card)

        act(attachments.attach, card, make(card, "draft", attached=False))

        assert statuses(card) == before


class TestT3QuoteSubmittedOrUnarchived:
    def test_submitting_the_attached_quote_begins_the_negotiation(self):
        card = deal()
        quote = make_quote(card, "draft")

        act(quotes.submit, quote)

        assert statuses(card) == ("negotiation", "none")

    def test_unarchiving_a_submitted_quote_begins_it_again(self):
        card = deal()
        quote = make_quote(card, "submitted")
        act(quotes.archive, quote)
        assert statuses(card) == ("prospect", "lost")

        act(quotes.unarchive, quote)

        assert statuses(card) == ("negotiation", "none")


class TestT4QuoteModifiedResubmittedAcceptedExpired:
    def test_modifying_and_submitting_again_changes_nothing(self):
        card = deal_in("agreement")
        quote = make_quote(card, "submitted")

        act(quotes.revise, quote, lines=[MORE_LABOUR])
        assert statuses(card) == ("agreement", "none")
        act(quotes.submit, quote)

        assert statuses(card) == ("agreement", "none")

    def test_acceptance_is_no_contract(self):
        card = deal()
        quote = make_quote(card, "submitted")

        act(quotes.accept, quote)

        assert statuses(card) == ("negotiation", "none")

    def test_an_expired_quote_keeps_the_negotiation(self):
        card = deal()
        quote = make_quote(card, "submitted", valid_until=TODAY)

        sweep.run(at(1))

        assert quote.is_expired_on(TOMORROW)
        assert statuses(card) == ("negotiation", "none")


class TestT5LastSubmittedQuoteGoes:
    @pytest.mark.parametrize(
        ("verb", "given"),
        [
            (quotes.void, {"reason_id": void_reason}),
            (quotes.cancel, {"reason_id": cancel_reason}),
            (quotes.archive, {}),
        ],
        ids=["voided", "canceled", "archived"],
    )
    def test_the_card_is_a_prospect_again_and_lost(self, verb, given):
        card = deal()
        quote = make_quote(card, "submitted")

        act(verb, quote, **{name: value() for name, value in given.items()})

        assert statuses(card) == ("prospect", "lost")


class TestT6AgreementSubmitted:
    @pytest.mark.parametrize("kind", ["agreement", "proposal"])
    @pytest.mark.parametrize("status", ["prospect", "negotiation"])
    def test_the_card_waits_for_the_signatures(self, status, kind):
        card = deal_in(status)
        agreement = make_agreement(card, "draft", kind=kind)
        assert statuses(card) == (status, "none")

        act(agreements.submit, agreement)

        assert statuses(card) == ("agreement", "none")


class TestT7AgreementGoes:
    @pytest.mark.parametrize("negotiating", [True, False], ids=["with a quote", "alone"])
    @pytest.mark.parametrize(
        ("go", "sales"),
        [
            (lambda agreement: reject(signers(agreement)[0], now=at(1)), "lost"),
            (lambda agreement: act(agreements.withdraw, agreement, now=at(1)), "lost"),
            (lambda agreement: act(agreements.void, agreement, reason_id=void_reason(), now=at(1)), "none"),
            (lambda agreement: act(attachments.detach, agreement, reason="Wrong customer", now=at(1)), "none"),
            (lambda _agreement: sweep.run(at(2)), "lost"),
        ],
        ids=["rejected", "canceled", "voided", "detached", "expired"],
    )
    def test_the_card_falls_back_to_what_its_quotes_say(self, go, sales, negotiating):
        card = deal()
        if negotiating:
            make_quote(card, "submitted")
        agreement = make_agreement(card, "submitted", valid_until=TOMORROW)
        assert statuses(card) == ("agreement", "none")

        go(agreement)

        assert statuses(card) == ("negotiation" if negotiating else "prospect", sales)


CONTRACT_EVENTS = {
    "job attached": lambda card: act(attachments.attach, card, make_job(card, attached=False)),
    "quote converted": lambda card: act(quotes.convert, make_quote(card, "submitted")),
    "last signature": lambda card: sign(signers(make_agreement(card, "submitted"))[0]),
    "signed agreement attached": lambda card: act(
        attachments.attach, card, make_agreement(card, "accepted", attached=False)
    ),
}


class TestT8ContractEvent:
    @pytest.mark.parametrize("event", CONTRACT_EVENTS.values(), ids=CONTRACT_EVENTS)
    @pytest.mark.parametrize("status", ["prospect", "negotiation", "agreement"])
    def test_a_card_under_way_is_contracted_and_won(self, status, event):
        card = deal_in(status)

        event(card)

        assert statuses(card) == ("contracted", "won")
        assert fresh(card).expiry_waived_for is None

    @pytest.mark.parametrize("event", CONTRACT_EVENTS.values(), ids=CONTRACT_EVENTS)
    def test_an_expired_card_is_revived_and_its_date_waived(self, event):
        card = deal_in("expired")

        event(card)
        sweep.run(at(1))

        assert statuses(card) == ("contracted", "won")
        assert fresh(card).expiry_waived_for == YESTERDAY

    def test_an_expired_card_that_gets_a_completed_job_is_completed(self):
        card = deal_in("expired")

        act(attachments.attach, card, make_job(card, "completed", attached=False))

        assert statuses(card) == ("completed", "won")


class TestT9LastJobCompleted:
    def test_fulfilling_everything_is_not_yet_completing(self):
        card = deal()
        job = make_job(card, lines=[PIPES])
        act(jobs.fulfil, line_of(job), quantity=10)
        assert statuses(card) == ("contracted", "won")

        finish(job)

        assert statuses(card) == ("completed", "won")

    def test_void_and_canceled_jobs_do_not_hold_it_up(self):
        card = deal(forecast_date=day(30))
        make_job(card, "void")
        make_job(card, "canceled")
        job = make_job(card)

        act(jobs.complete, job)

        assert statuses(card) == ("completed", "won")


class TestT10CompletedJobReopened:
    def test_a_date_that_has_passed_meanwhile_is_waived(self):
        card = deal(forecast_date=TODAY)
        job = make_job(card, "completed")
        sweep.run(at(1))
        assert statuses(card) == ("completed", "won")

        act(jobs.reopen, job, now=at(1))
        sweep.run(at(2))

        assert statuses(card) == ("contracted", "won")
        assert fresh(card).expiry_waived_for == TODAY

    def test_changing_a_completed_job_reopens_it(self):
        card = deal_in("completed")
        job = Job.objects.get(opportunity=card)

        act(jobs.revise, job, lines=[MORE_LABOUR])

        assert str(fresh(job).state) == "modified"
        assert statuses(card) == ("contracted", "won")


class TestT11OpenJobOnACompletedCard:
    @pytest.mark.parametrize("forecast_date", [None, TODAY], ids=["no date", "date has passed"])
    def test_the_card_is_contracted_again(self, forecast_date):
        card = deal(forecast_date=forecast_date)
        make_job(card, "completed")
        sweep.run(at(1))

        act(attachments.attach, card, make_job(card, attached=False), now=at(1))
        sweep.run(at(2))

        assert statuses(card) == ("contracted", "won")
        assert fresh(card).expiry_waived_for == forecast_date


class TestT13ContractGoes:
    @pytest.mark.parametrize(
        ("verb", "reason"), [(jobs.void, void_reason), (jobs.cancel, cancel_reason)], ids=["voided", "canceled"]
    )
    def test_without_its_job_the_card_falls_back_and_is_lost(self, verb, reason):
        card = deal()
        make_quote(card, "submitted")
        job = make_job(card)

        act(verb, job, reason_id=reason())

        assert statuses(card) == ("negotiation", "lost")

    @pytest.mark.parametrize(
        "go",
        [
            lambda agreement: act(agreements.void, agreement, reason_id=void_reason()),
            lambda agreement: act(attachments.detach, agreement, reason="Signed for another site"),
        ],
        ids=["voided", "detached"],
    )
    def test_without_its_signed_agreement_the_card_falls_back(self, go):
        card = deal()
        make_quote(card, "submitted")
        agreement = make_agreement(card, "accepted")
        assert statuses(card) == ("contracted", "won")

        go(agreement)

        assert statuses(card) == ("negotiation", "none")

    @pytest.mark.parametrize(
        "go",
        [
            lambda job: act(jobs.void, job, reason_id=void_reason()),
            lambda job: act(jobs.cancel, job, reason_id=cancel_reason()),
            lambda job: act(attachments.detach, job),
        ],
        ids=["voided", "canceled", "detached"],
    )
    def test_when_the_only_open_job_goes_the_completed_one_decides(self, go):
        card = deal()
        make_job(card, "completed")
        open_job = make_job(card)
        assert statuses(card) == ("contracted", "won")

        go(open_job)

        assert statuses(card) == ("completed", "won")

    def test_a_completed_card_whose_date_has_passed_expires_without_its_job(self):
        card = deal(forecast_date=TODAY)
        job = make_job(card, "completed")
        sweep.run(at(1))
        assert statuses(card) == ("completed", "won")

        act(attachments.detach, job, now=at(1))

        assert statuses(card) == ("expired", "none")


class TestT15ClosedAndCompletedCardsDoNotExpire:
    @pytest.mark.parametrize("status", ["void", "canceled", "completed"])
    def test_midnight_passes_them_by(self, status):
        card = deal_in(status, forecast_date=TODAY)
        before, history = statuses(card), history_of(card)

        sweep.run(at(1))

        assert (statuses(card), history_of(card)) == (before, history)


class TestT16ForecastDateMovedOrCleared:
    @pytest.mark.parametrize("new", [TOMORROW, None], ids=["moved", "cleared"])
    @pytest.mark.parametrize("status", UNDER_WAY)
    def test_an_expired_card_returns_to_what_its_documents_say(self, status, new):
        card = deal_in(status, forecast_date=TODAY)
        before = statuses(card)
        sweep.run(at(1))
        assert statuses(card) == ("expired", before[1])

        act(pipeline.set_forecast_date, card, forecast_date=new, now=at(1))

        assert statuses(card) == before


class TestT17PastForecastDateSet:
    @pytest.mark.parametrize("status", UNDER_WAY)
    def test_the_card_expires_at_once(self, status):
        card = deal_in(status)
        sales = statuses(card)[1]

        act(pipeline.set_forecast_date, card, forecast_date=YESTERDAY)

        assert statuses(card) == ("expired", sales)


class TestT18QuoteOrJobExpires:
    @pytest.mark.parametrize(
        ("make", "before"),
        [
            (lambda card: make_quote(card, "submitted", valid_until=TODAY), ("negotiation", "none")),
            (lambda card: make_job(card, service_date=TODAY), ("contracted", "won")),
        ],
        ids=["quote", "job"],
    )
    def test_the_workflow_status_stays(self, make, before):
        card = deal()
        document = make(card)
        assert statuses(card) == before

        sweep.run(at(1))

        assert document.is_expired_on(TOMORROW)
        assert statuses(card) == before

    def test_the_sales_status_may_change(self):
        card = deal_in("negotiation", forecast_date=TODAY)
        make_job(card, service_date=TOMORROW)
        quote = Quote.objects.get(opportunity=card)
        act(quotes.revise, quote, valid_until=TODAY)
        sweep.run(at(1))
        assert statuses(card) == ("expired", "won")

        sweep.run(at(2))

        assert statuses(card) == ("expired", "lost")


CLOSINGS = pytest.mark.parametrize(
    ("close", "closed"),
    [
        (lambda card: act(lifecycle.void, card, reason_id=void_reason()), "void"),
        (lambda card: act(lifecycle.cancel, card, reason_id=cancel_reason()), "canceled"),
    ],
    ids=["T19 void", "T20 cancel"],
)


class TestT19VoidT20Cancel:
    @CLOSINGS
    @pytest.mark.parametrize("status", ["prospect", "negotiation", "contracted", "expired"])
    def test_closing_is_final_and_a_loss(self, status, close, closed):
        card = deal_in(status)

        close(card)

        assert statuses(card) == (closed, "lost")

    @CLOSINGS
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("agreement", "AGREEMENT_SUBMITTED"),
            ("completed", "JOB_COMPLETED"),
            ("void", "CARD_TERMINAL"),
            ("canceled", "CARD_TERMINAL"),
        ],
    )
    def test_what_is_signed_for_done_or_closed_stands_in_the_way(self, status, code, close, closed):
        card = deal_in(status)
        before = statuses(card)

        with refused(code):
            close(card)

        assert statuses(card) == before


class TestT21WhatChangesNoWorkflowStatus:
    @pytest.mark.parametrize("status", [*UNDER_WAY, "completed", "expired", "void", "canceled"])
    def test_archiving_and_unarchiving_the_card(self, status):
        card = deal_in(status)
        before = statuses(card)

        act(lifecycle.archive, card)
        assert (statuses(card), fresh(card).archived_at) == (before, NOW)
        act(lifecycle.unarchive, card)

        assert (statuses(card), fresh(card).archived_at) == (before, None)

    @pytest.mark.parametrize("status", [*UNDER_WAY, "completed", "expired"])
    def test_dragging_it_to_another_stage(self, status):
        card, stage = deal_in(status), StageFactory()
        before = statuses(card)

        act(pipeline.move, card, stage_id=stage.pk)

        assert (fresh(card).stage_id, statuses(card)) == (stage.pk, before)

    @pytest.mark.parametrize("forecast_date", [None, YESTERDAY], ids=["contracted", "expired"])
    def test_payment_fulfilment_and_refund(self, forecast_date):
        card = deal()
        job = make_job(card, lines=[LABOUR, PIPES])
        act(pipeline.set_forecast_date, card, forecast_date=forecast_date)
        workflow = statuses(card)[0]

        act(jobs.fulfil, line_of(job, "Copper pipe"), quantity=4)
        payment = pay(job, "100")
        assert statuses(card) == (workflow, "won")
        pay_back(payment, "100")

        assert statuses(card) == (workflow, "lost")


class TestT22DocumentsOfClosedCards:
    @CLOSINGS
    def test_nothing_that_is_asked_of_them_changes_the_card(self, close, closed):
        card = deal()
        quote = make_quote(card, "submitted")
        converted = make_quote(card, "converted")
        job, agreement = job_of(converted), make_agreement(card, "draft")
        close(card)
        assert [str(fresh(each).state) for each in (quote, converted, job, agreement)] == [closed] * 4
        history = history_of(card)

        for verb, document in [
            (quotes.submit, quote),
            (quotes.accept, quote),
            (quotes.convert, quote),
            (quotes.convert, converted),
            (jobs.complete, job),
            (jobs.reopen, job),
            (agreements.submit, agreement),
            (attachments.detach, quote),
            (attachments.detach, job),
            (attachments.detach, agreement),
        ]:
            with refused():
                act(verb, document)

        assert (statuses(card), history_of(card)) == ((closed, "lost"), history)

    @CLOSINGS
    @pytest.mark.parametrize("make", [make_quote, make_job, make_agreement])
    def test_nothing_is_attached_to_them(self, make, close, closed):
        card = deal()
        document = make(card, attached=False)
        close(card)

        with refused("CARD_TERMINAL"):
            act(attachments.attach, card, document)

        assert fresh(document).opportunity_id is None
        assert statuses(card) == (closed, "lost")

    @CLOSINGS
    @pytest.mark.parametrize("make", [make_quote, make_job, make_agreement])
    def test_nothing_is_made_on_them(self, make, close, closed):
        card = deal()
        close(card)

        with refused("CARD_TERMINAL"):
            make(card)

        assert statuses(card) == (closed, "lost")

    def test_the_clock_leaves_them_alone(self):
        card = deal(forecast_date=TODAY)
        make_quote(card, "submitted", valid_until=TODAY)
        make_agreement(card, "draft", valid_until=TODAY)
        act(lifecycle.void, card, reason_id=void_reason())

        sweep.run(NOW + timedelta(days=2))

        assert statuses(card) == ("void", "lost")
