"""The status rows and the evidence: acceptance scenarios AC178, AC180, AC181, AC182, and `decided_on` (D42).

AC179 (retiring the last lost row), AC183, AC186 (screens), AC184 (Void first), AC185 (detaching: see test_attachments)
and AC187 (starter stages) are tested elsewhere.
"""

from datetime import UTC, date, datetime

import pytest

from opportunities import attachments, jobs, lifecycle, pipeline, quotes, sweep
from opportunities.models import OpportunityStatus
from tests.documents import (
    MORE_LABOUR,
    TODAY,
    TOMORROW,
    act,
    at,
    business,
    cancel_reason,
    day,
    deal,
    fresh,
    job_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    reject,
    rule,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, StageFactory

pytestmark = pytest.mark.django_db


def row(name):
    return OpportunityStatus.objects.get(name=name)


def row_of(card):
    """The name of the status row that is in force."""
    return fresh(card).status.name


def choose(card, name, *, now=NOW, **given):
    """Choose a status row by hand; Lost comes with a reason."""
    if name == "Lost":
        given.setdefault("reason_id", cancel_reason())
    return act(pipeline.set_status, card, status_id=row(name).pk, now=now, **given)


def decided_on(card):
    return fresh(card).decided_on


class TestEvidenceAndTheBoard:
    def test_a_card_that_is_won_stays_in_its_column_ac178(self):
        StageFactory()
        second = StageFactory()
        card = deal(stage_id=second.pk)
        quote = make_quote(card, "submitted")
        assert statuses(card) == ("negotiation", "none")

        act(quotes.convert, quote)

        card = fresh(card)
        assert (card.stage_id, card.off_board, card.archived_at) == (second.pk, False, None)
        assert (statuses(card), row_of(card)) == (("contracted", "won"), "Won")

    def test_when_the_evidence_goes_the_default_row_returns_ac180(self):
        card = deal()
        job = make_job(card)
        OpportunityStatus.objects.create(name="Won: referral", sequence=9, closed=True, won=True)
        choose(card, "Won: referral")
        assert (statuses(card), row_of(card)) == (("contracted", "won"), "Won: referral")

        act(attachments.detach, job)

        assert fresh(card).status.is_default
        assert (statuses(card), rule(card)) == (("prospect", "none"), "P9")

    def test_an_accepted_offer_does_not_lapse_ac182(self):
        card = deal(forecast_date=TODAY)
        quote = make_quote(card, "accepted", valid_until=TODAY)

        sweep.run(at(1))

        assert not quote.is_expired_on(TOMORROW)
        assert statuses(card) == ("expired", "none")


SENDINGS = {
    "quote submitted": lambda card, reopen: act(quotes.submit, make_quote(card, "draft"), reopen=reopen),
    "quote attached": lambda card, reopen: act(
        attachments.attach, card, make_quote(card, "submitted", attached=False), reopen=reopen
    ),
}


class TestReopening:
    """AC181: a new document on a card that was marked Lost by hand asks whether to reopen it."""

    @pytest.fixture
    def card(self):
        card = deal()
        choose(card, "Lost")
        assert (statuses(card), rule(card)) == (("prospect", "lost"), "manual")
        return card

    @pytest.mark.parametrize("send", SENDINGS.values(), ids=SENDINGS)
    def test_yes_brings_the_default_row_back_ac181(self, card, send):
        send(card, reopen=True)

        card = fresh(card)
        assert card.status.is_default
        assert (statuses(card), rule(card)) == (("negotiation", "none"), "P9")
        assert (card.hand_status, card.decided_on, card.off_board) == (None, None, False)

    @pytest.mark.parametrize("send", SENDINGS.values(), ids=SENDINGS)
    def test_no_leaves_the_card_lost_ac181(self, card, send):
        send(card, reopen=False)

        assert (statuses(card), rule(card), row_of(card)) == (("negotiation", "lost"), "manual", "Lost")

    def test_making_a_document_on_it_reopens_it_as_well_ac181(self, card):
        quote = make_quote(card, "draft", reopen=True)

        assert state(quote) == "draft"
        assert (statuses(card), row_of(card)) == (("prospect", "none"), "Default")

    def test_on_an_open_card_there_is_nothing_to_reopen_ac181(self):
        card = deal()

        act(quotes.submit, make_quote(card, "draft"), reopen=True)

        assert (statuses(card), row_of(card)) == (("negotiation", "none"), "Default")

    def test_a_job_wins_the_card_and_when_it_goes_the_choice_returns(self, card):
        job = make_job(card)
        assert (statuses(card), row_of(card)) == (("contracted", "won"), "Won")

        act(attachments.detach, job)

        assert (statuses(card), rule(card), row_of(card)) == (("prospect", "lost"), "manual", "Lost")


class TestDecidedOn:
    """D42: the local date of the deciding fact, not of the recomputation."""

    def test_an_open_card_is_not_decided(self):
        card = deal()
        make_quote(card, "accepted")
        make_agreement(card, "submitted")

        assert decided_on(card) is None

    @pytest.mark.parametrize("name", ["Inactive", "Closed", "Won", "Lost"])
    def test_by_hand(self, name):
        card = deal()

        choose(card, name, now=at(3))

        assert decided_on(card) == day(3)

    def test_an_open_row_by_hand_takes_the_decision_back(self):
        card = deal()
        choose(card, "Closed")

        choose(card, "Default", now=at(1))

        assert decided_on(card) is None

    def test_by_conversion(self):
        card = deal()
        quote = make_quote(card, "submitted")

        act(quotes.convert, quote, now=at(3))

        assert decided_on(card) == day(3)

    def test_by_the_last_signature(self):
        card = deal()
        agreement = make_agreement(card, "submitted")

        sign(signers(agreement)[0], now=at(3))

        assert decided_on(card) == day(3)

    def test_by_a_rejection(self):
        card = deal()
        agreement = make_agreement(card, "submitted")

        reject(signers(agreement)[0], now=at(3))

        assert decided_on(card) == day(3)

    def test_by_the_return_of_the_money(self):
        card = deal()
        payment = pay(make_job(card), "100")
        assert decided_on(card) == TODAY

        pay_back(payment, "100", now=at(3))

        assert (statuses(card)[1], decided_on(card)) == ("lost", day(3))

    def test_by_a_refund_when_it_arrives(self):
        card = deal()
        refund = act(jobs.refund, pay(make_job(card), "100"), amount=100, settled=False, now=at(1))
        assert decided_on(card) == TODAY

        act(jobs.settle_refund, refund, succeeded=True, now=at(4))

        assert decided_on(card) == day(4)

    @pytest.mark.parametrize(
        ("end", "reason"), [(quotes.void, void_reason), (quotes.cancel, cancel_reason)], ids=["voided", "canceled"]
    )
    def test_by_the_end_of_its_quote(self, end, reason):
        card = deal()
        quote = make_quote(card, "submitted")

        act(end, quote, reason_id=reason(), now=at(3))

        assert decided_on(card) == day(3)

    @pytest.mark.parametrize(
        "close",
        [
            lambda card: act(lifecycle.void, card, reason_id=void_reason(), now=at(3)),
            lambda card: act(lifecycle.cancel, card, reason_id=cancel_reason(), now=at(3)),
        ],
        ids=["void", "cancel"],
    )
    def test_by_closing_the_card(self, close):
        card = deal()
        make_job(card)
        assert decided_on(card) == TODAY

        close(card)

        assert (statuses(card)[1], decided_on(card)) == ("lost", day(3))

    def test_it_is_the_date_where_the_business_is(self):
        business(time_zone="America/New_York")
        card = deal()
        quote = make_quote(card, "submitted")

        act(quotes.convert, quote, now=datetime(2025, 6, 11, 2, 0, tzinfo=UTC))

        assert decided_on(card) == date(2025, 6, 10)

    def test_later_acts_and_sweeps_do_not_move_it(self):
        card = deal(forecast_date=day(2))
        job = act(quotes.convert, make_quote(card, "submitted"))

        act(jobs.revise, job, lines=[MORE_LABOUR], now=at(1))
        sweep.run(at(4))
        act(jobs.complete, job, now=at(5))

        assert (statuses(card), decided_on(card)) == (("completed", "won"), TODAY)

    def test_lost_by_lateness_and_won_again_keeps_the_first_date(self):
        card = deal(forecast_date=TOMORROW)
        job = act(quotes.convert, make_quote(card, "submitted"))
        act(jobs.revise, job, service_date=TOMORROW)
        sweep.run(at(2))
        assert statuses(card) == ("expired", "lost")

        act(jobs.revise, job, service_date=day(20), now=at(3))

        assert (statuses(card), decided_on(card)) == (("expired", "won"), TODAY)

    def test_when_the_job_goes_the_signature_says_when_it_was_won(self):
        card = deal()
        agreement = make_agreement(card, "submitted")
        job = make_job(card)
        sign(signers(agreement)[0], now=at(2))
        assert decided_on(card) == TODAY

        act(attachments.detach, job, now=at(5))

        assert (statuses(card), decided_on(card)) == (("contracted", "won"), day(2))

    def test_when_the_evidence_goes_nothing_is_decided(self):
        card = deal()
        quote = make_quote(card, "converted")

        act(attachments.detach, job_of(quote), now=at(1))

        assert (statuses(card), decided_on(card)) == (("prospect", "none"), None)
