"""How a deal ended by its evidence, each rule at its edge (lifecycle.md 4.1); the table tries all combinations."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from opportunities.outcome import (
    Evidence,
    SalesRule,
    SalesStatus,
    evidence,
    governing_agreement,
    has_live_offer,
    lost_because,
)
from opportunities.states import AgreementStatus, JobState, QuoteState
from opportunities.workflow import AgreementFacts, ClosedKind, Facts, JobFacts, LostWhen, QuoteFacts

TODAY = date(2025, 6, 10)
YESTERDAY = TODAY - timedelta(days=1)
MONEY = Decimal(100)

OPEN_JOB = JobFacts(JobState.ACCEPTED)
LATE_JOB = JobFacts(JobState.ACCEPTED, expired=True)
VOID_JOB = JobFacts(JobState.VOID)
CANCELED_JOB = JobFacts(JobState.CANCELED)
REFUNDED_JOB = JobFacts(JobState.ACCEPTED, paid=MONEY, refunded=Decimal(100))
OPEN_QUOTE = QuoteFacts(QuoteState.SUBMITTED, submit_count=1)
LATE_QUOTE = QuoteFacts(QuoteState.SUBMITTED, submit_count=1, expired=True)
VOID_QUOTE = QuoteFacts(QuoteState.VOID)
CONVERTED_QUOTE = QuoteFacts(QuoteState.CONVERTED, submit_count=1)


def agreement(status, order=1):
    return AgreementFacts(AgreementStatus(status), submitted_order=order)


def decided(*documents, **values):
    """The outcome and the rule of a card with these documents, as two words."""
    by_kind = {kind: tuple(each for each in documents if isinstance(each, kind)) for kind in map(type, documents)}
    found = evidence(
        Facts(
            today=TODAY,
            quotes=by_kind.get(QuoteFacts, ()),
            jobs=by_kind.get(JobFacts, ()),
            agreements=by_kind.get(AgreementFacts, ()),
            **values,
        )
    )
    return found.status and found.status.value, found.rule.value


def overdue(*documents, **values):
    return decided(*documents, forecast_date=YESTERDAY, **values)


class TestP1Closed:
    @pytest.mark.parametrize("kind", ClosedKind)
    def test_a_closed_card_is_lost_though_a_job_is_attached(self, kind):
        assert decided(OPEN_JOB, closed_kind=kind) == ("lost", "P1")


class TestP2MoneyBack:
    def test_a_job_whose_money_all_went_back_is_lost(self):
        assert decided(REFUNDED_JOB) == ("lost", "P2")

    @pytest.mark.parametrize("refunded", [0, 1, 99])
    def test_money_that_went_back_in_part_loses_nothing(self, refunded):
        assert decided(JobFacts(JobState.ACCEPTED, paid=MONEY, refunded=Decimal(refunded))) == ("won", "P4")

    def test_a_job_that_nobody_paid_is_not_refunded(self):
        assert decided(JobFacts(JobState.ACCEPTED, paid=Decimal(0), refunded=Decimal(0))) == ("won", "P4")

    def test_the_smallest_payment_that_went_back_counts(self):
        assert decided(JobFacts(JobState.ACCEPTED, paid=Decimal("0.01"), refunded=Decimal("0.01"))) == ("lost", "P2")

    def test_a_second_job_that_goes_on_keeps_the_sale(self):
        assert decided(REFUNDED_JOB, OPEN_JOB) == ("won", "P4")
        assert decided(REFUNDED_JOB, REFUNDED_JOB) == ("lost", "P2")

    def test_a_canceled_job_does_not_keep_the_sale(self):
        assert decided(REFUNDED_JOB, CANCELED_JOB) == ("lost", "P2")

    def test_a_refund_outweighs_a_signature(self):
        assert decided(REFUNDED_JOB, agreement("accepted")) == ("lost", "P2")

    def test_the_money_of_a_canceled_job_says_nothing(self):
        gone = JobFacts(JobState.CANCELED, paid=MONEY, refunded=MONEY)

        assert decided(gone) == ("lost", "P7")
        assert decided(gone, agreement("accepted")) == ("won", "P5")


class TestP3JobLapsed:
    def test_an_expired_job_on_an_overdue_card_is_lost(self):
        assert overdue(LATE_JOB) == ("lost", "P3")

    def test_an_expired_job_alone_loses_nothing(self):
        assert decided(LATE_JOB) == ("won", "P4")
        assert decided(LATE_JOB, forecast_date=TODAY) == ("won", "P4")

    def test_a_waived_date_loses_nothing(self):
        assert overdue(LATE_JOB, expiry_waived_for=YESTERDAY) == ("won", "P4")

    @pytest.mark.parametrize("still_open", [OPEN_JOB, OPEN_QUOTE, agreement("submitted"), agreement("accepted")])
    def test_one_document_that_is_still_open_keeps_the_sale(self, still_open):
        assert overdue(LATE_JOB, still_open) == ("won", "P4")

    @pytest.mark.parametrize("gone", [LATE_QUOTE, VOID_QUOTE, CONVERTED_QUOTE, VOID_JOB, agreement("draft")])
    def test_what_cannot_be_taken_up_keeps_nothing(self, gone):
        assert overdue(LATE_JOB, gone) == ("lost", "P3")


class TestP4Job:
    def test_a_job_wins(self):
        assert decided(OPEN_JOB) == ("won", "P4")

    def test_a_completed_job_wins_however_late_the_card_is(self):
        assert overdue(JobFacts(JobState.COMPLETED)) == ("won", "P4")

    @pytest.mark.parametrize("side_show", [agreement("rejected"), VOID_QUOTE, CANCELED_JOB, LATE_QUOTE])
    def test_a_job_wins_whatever_else_came_to_nothing(self, side_show):
        assert decided(OPEN_JOB, side_show) == ("won", "P4")

    @pytest.mark.parametrize("state", [JobState.VOID, JobState.CANCELED])
    def test_a_void_or_canceled_job_wins_nothing(self, state):
        assert decided(JobFacts(state)) == ("lost", "P7")


class TestP5Signed:
    def test_an_accepted_agreement_wins(self):
        assert decided(agreement("accepted")) == ("won", "P5")

    def test_a_signature_outranks_lateness(self):
        assert overdue(LATE_QUOTE, agreement("accepted")) == ("won", "P5")

    def test_a_signature_wins_though_a_later_agreement_was_refused(self):
        assert decided(agreement("accepted", 1), agreement("rejected", 2)) == ("won", "P5")

    @pytest.mark.parametrize("status", ["incomplete", "draft", "submitted", "void"])
    def test_no_other_agreement_decides_anything(self, status):
        assert decided(agreement(status)) == (None, "P9")


class TestP6AgreementRefused:
    @pytest.mark.parametrize("status", ["rejected", "expired", "canceled"])
    def test_a_refused_agreement_loses(self, status):
        assert decided(agreement(status)) == ("lost", "P6")

    def test_the_agreement_submitted_last_governs(self):
        refused_first = agreement("rejected", 1), agreement("submitted", 2)
        refused_last = agreement("submitted", 1), agreement("rejected", 2)

        for first, second in (refused_first, refused_first[::-1]):
            assert decided(first, second) == (None, "P9")
        for first, second in (refused_last, refused_last[::-1]):
            assert decided(first, second) == ("lost", "P6")

    def test_the_count_of_submissions_may_begin_at_zero(self):
        assert decided(agreement("rejected", 0), agreement("submitted", 1)) == (None, "P9")

    def test_a_draft_that_was_never_submitted_does_not_govern(self):
        draft = AgreementFacts(AgreementStatus.DRAFT)

        assert decided(agreement("rejected"), draft) == ("lost", "P6")
        assert governing_agreement(Facts(today=TODAY, agreements=(draft,))) is None

    def test_a_void_agreement_does_not_govern(self):
        assert decided(agreement("rejected", 1), agreement("void", 2)) == ("lost", "P6")

    def test_an_agreement_canceled_before_it_was_submitted_refuses_nothing(self):
        assert decided(AgreementFacts(AgreementStatus.CANCELED)) == (None, "P9")


class TestP7DocumentDead:
    @pytest.mark.parametrize(
        "dead",
        [
            VOID_QUOTE,
            QuoteFacts(QuoteState.CANCELED),
            QuoteFacts(QuoteState.SUBMITTED, submit_count=1, archived=True),
            VOID_JOB,
            CANCELED_JOB,
        ],
    )
    def test_a_dead_document_loses_though_a_quote_is_open(self, dead):
        assert decided(dead) == ("lost", "P7")
        assert decided(dead, OPEN_QUOTE) == ("lost", "P7")

    @pytest.mark.parametrize("archived", [False, True])
    def test_a_converted_quote_is_not_dead(self, archived):
        assert decided(QuoteFacts(QuoteState.CONVERTED, archived=archived)) == (None, "P9")

    @pytest.mark.parametrize("state", ["incomplete", "draft", "submitted", "modified", "accepted"])
    def test_no_other_quote_is_dead(self, state):
        assert decided(QuoteFacts(QuoteState(state))) == (None, "P9")

    @pytest.mark.parametrize("status", ["incomplete", "draft", "submitted"])
    def test_an_attached_agreement_lets_a_quote_die(self, status):
        assert decided(VOID_QUOTE, agreement(status)) == (None, "P9")

    def test_a_void_agreement_counts_as_not_attached(self):
        assert decided(VOID_QUOTE, agreement("void")) == ("lost", "P7")

    @pytest.mark.parametrize("dead", [VOID_QUOTE, CANCELED_JOB])
    def test_by_the_milder_setting_an_open_quote_keeps_the_card_open(self, dead):
        milder = LostWhen.NO_LIVE_QUOTE

        assert decided(dead, OPEN_QUOTE, lost_when=milder) == (None, "P9")
        assert decided(dead, LATE_QUOTE, lost_when=milder) == (None, "P9")
        assert decided(dead, CONVERTED_QUOTE, lost_when=milder) == ("lost", "P7")
        assert decided(dead, lost_when=milder) == ("lost", "P7")

    def test_by_the_milder_setting_a_card_without_a_dead_document_is_open(self):
        assert decided(lost_when=LostWhen.NO_LIVE_QUOTE) == (None, "P9")


class TestP8OfferLapsed:
    def test_an_expired_quote_on_an_overdue_card_is_lost(self):
        assert overdue(LATE_QUOTE) == ("lost", "P8")

    def test_an_expired_quote_alone_loses_nothing(self):
        assert decided(LATE_QUOTE) == (None, "P9")
        assert decided(LATE_QUOTE, forecast_date=TODAY) == (None, "P9")

    @pytest.mark.parametrize("still_open", [OPEN_QUOTE, agreement("submitted")])
    def test_one_offer_that_is_still_open_keeps_the_card_open(self, still_open):
        assert overdue(LATE_QUOTE, still_open) == (None, "P9")

    @pytest.mark.parametrize("status", ["incomplete", "draft", "void"])
    def test_an_agreement_that_nobody_can_sign_keeps_nothing(self, status):
        assert overdue(LATE_QUOTE, agreement(status)) == ("lost", "P8")

    @pytest.mark.parametrize("documents", [(), (CONVERTED_QUOTE,), (AgreementFacts(AgreementStatus.DRAFT),)])
    def test_an_overdue_card_without_an_offer_is_not_lost(self, documents):
        assert overdue(*documents) == (None, "P9")


def test_p9_leaves_a_card_with_nothing_attached_to_people():
    assert evidence(Facts(today=TODAY)) == Evidence(None, SalesRule.P9)


def test_won_and_lost_are_the_only_outcomes_that_evidence_gives():
    assert [status.value for status in SalesStatus] == ["none", "won", "lost"]


def test_what_the_facts_said_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        setattr(evidence(Facts(today=TODAY)), "rule", SalesRule.P1)


def day(number):
    return date(2025, 5, number)


def decided_on(*documents, **values):
    """The day of the deciding fact."""
    by_kind = {kind: tuple(each for each in documents if isinstance(each, kind)) for kind in map(type, documents)}
    return evidence(
        Facts(
            today=TODAY,
            quotes=by_kind.get(QuoteFacts, ()),
            jobs=by_kind.get(JobFacts, ()),
            agreements=by_kind.get(AgreementFacts, ()),
            **values,
        )
    ).decided_on


class TestDecidedOn:
    """The day of the deciding fact, not of the recomputation (D42)."""

    def test_a_deal_is_won_on_the_day_its_first_live_job_came(self):
        first, second = JobFacts(JobState.ACCEPTED, since=day(3)), JobFacts(JobState.ACCEPTED, since=day(9))
        dead = JobFacts(JobState.VOID, since=day(1))

        assert decided_on(second, first, dead) == day(3)

    def test_a_deal_is_won_on_the_day_of_the_first_signed_agreement(self):
        signed = [
            AgreementFacts(AgreementStatus.ACCEPTED, submitted_order=order, ended_on=day(order)) for order in (4, 7)
        ]
        refused = AgreementFacts(AgreementStatus.REJECTED, submitted_order=1, ended_on=day(1))

        assert decided_on(*signed, refused) == day(4)

    def test_a_deal_is_lost_on_the_day_the_last_money_went_back(self):
        jobs = [JobFacts(JobState.ACCEPTED, paid=MONEY, refunded=MONEY, refunded_on=day(number)) for number in (5, 8)]

        assert decided_on(*jobs) == day(8)

    def test_a_deal_is_lost_on_the_day_the_governing_agreement_was_refused(self):
        refused = [
            AgreementFacts(AgreementStatus.REJECTED, submitted_order=order, ended_on=day(order)) for order in (2, 6)
        ]

        assert decided_on(*refused) == day(6)

    def test_by_the_letter_the_first_dead_document_loses_the_deal(self):
        quotes = [QuoteFacts(QuoteState.VOID, died_on=day(number)) for number in (9, 5)]
        job = JobFacts(JobState.CANCELED, died_on=day(7))

        assert decided_on(*quotes, job) == day(5)

    def test_by_the_milder_setting_the_last_dead_document_does(self):
        quotes = [QuoteFacts(QuoteState.VOID, died_on=day(number)) for number in (9, 5)]
        job = JobFacts(JobState.CANCELED, died_on=day(11))

        assert decided_on(*quotes, job, lost_when=LostWhen.NO_LIVE_QUOTE) == day(11)

    def test_a_living_document_says_nothing_of_the_day(self):
        dead, living = QuoteFacts(QuoteState.VOID, died_on=day(9)), QuoteFacts(QuoteState.DRAFT, died_on=day(2))

        assert decided_on(dead, living) == day(9)

    def test_an_agreement_that_was_voided_later_let_the_dead_quote_decide_only_then(self):
        quote = QuoteFacts(QuoteState.VOID, died_on=day(5))
        voided = AgreementFacts(AgreementStatus.VOID, ended_on=day(20))

        assert decided_on(quote, voided) == day(20)

    def test_a_lapsed_deal_is_lost_on_the_day_after_the_last_of_its_days(self):
        quote = QuoteFacts(QuoteState.SUBMITTED, expired=True, last_day=day(12))
        earlier = QuoteFacts(QuoteState.SUBMITTED, expired=True, last_day=day(3))
        job = JobFacts(JobState.ACCEPTED, expired=True, last_day=day(28))

        assert decided_on(quote, earlier, forecast_date=day(20)) == day(21)
        assert decided_on(quote, earlier, forecast_date=day(4)) == day(13)
        assert decided_on(quote, job, forecast_date=day(4)) == day(29)

    def test_a_closed_card_knows_its_own_day(self):
        assert decided_on(JobFacts(JobState.ACCEPTED, since=day(3)), closed_kind=ClosedKind.VOID) is None

    def test_a_day_that_is_not_known_is_none(self):
        assert decided_on(OPEN_JOB) is None

    def test_where_no_evidence_speaks_no_day_is_named(self):
        assert decided_on(OPEN_QUOTE) is None


def because(*documents, **values):
    """What lost the deal."""
    by_kind = {kind: tuple(each for each in documents if isinstance(each, kind)) for kind in map(type, documents)}
    facts = Facts(
        today=TODAY,
        quotes=by_kind.get(QuoteFacts, ()),
        jobs=by_kind.get(JobFacts, ()),
        agreements=by_kind.get(AgreementFacts, ()),
        **values,
    )
    return lost_because(facts, evidence(facts).rule).value


class TestLostBecause:
    """What cards, filters and figures name as the cause of a loss."""

    def test_a_closed_card(self):
        assert because(closed_kind=ClosedKind.VOID) == "closed"

    def test_money_that_went_back(self):
        assert because(REFUNDED_JOB) == "refunded"

    def test_lateness_with_and_without_a_job(self):
        assert because(LATE_JOB, forecast_date=YESTERDAY) == "lapsed"
        assert because(LATE_QUOTE, forecast_date=YESTERDAY) == "lapsed"

    @pytest.mark.parametrize(
        ("status", "cause"), [("rejected", "declined"), ("expired", "lapsed"), ("canceled", "withdrawn")]
    )
    def test_an_agreement_that_ended(self, status, cause):
        assert because(agreement(status)) == cause

    def test_a_quote_that_the_customer_declined(self):
        assert because(VOID_QUOTE, QuoteFacts(QuoteState.CANCELED, declined=True)) == "declined"

    def test_a_quote_that_was_ended_inside_the_house(self):
        assert because(VOID_QUOTE) == "quote"
        assert because(VOID_QUOTE, VOID_JOB) == "quote"

    def test_a_declined_quote_that_was_revived_is_no_cause(self):
        assert because(VOID_QUOTE, QuoteFacts(QuoteState.SUBMITTED, submit_count=1, declined=True)) == "quote"

    def test_a_job_that_ended_without_a_quote(self):
        assert because(VOID_JOB) == "job"

    def test_a_person_by_hand(self):
        assert lost_because(Facts(today=TODAY), SalesRule.MANUAL).value == "by_hand"

    @pytest.mark.parametrize("rule", [SalesRule.P4, SalesRule.P5, SalesRule.P9])
    def test_what_loses_nothing_has_no_cause(self, rule):
        assert lost_because(Facts(today=TODAY), rule).value == ""

    def test_a_loss_by_an_agreement_that_is_not_there_counts_as_declined(self):
        assert lost_because(Facts(today=TODAY), SalesRule.P6).value == "declined"


class TestLiveOffer:
    """Whether the customer can still take something up."""

    def test_a_live_quote_is_one(self):
        assert has_live_offer(Facts(today=TODAY, quotes=(VOID_QUOTE, OPEN_QUOTE)))

    def test_an_expired_or_dead_quote_is_none(self):
        assert not has_live_offer(Facts(today=TODAY, quotes=(LATE_QUOTE, VOID_QUOTE, CONVERTED_QUOTE)))

    def test_an_agreement_that_is_out_is_one(self):
        assert has_live_offer(Facts(today=TODAY, agreements=(agreement("rejected"), agreement("submitted"))))

    @pytest.mark.parametrize("status", ["draft", "accepted", "rejected", "void"])
    def test_any_other_agreement_is_none(self, status):
        assert not has_live_offer(Facts(today=TODAY, agreements=(agreement(status),)))

    def test_a_closed_card_has_none(self):
        assert not has_live_offer(Facts(today=TODAY, quotes=(OPEN_QUOTE,), closed_kind=ClosedKind.CANCELED))
