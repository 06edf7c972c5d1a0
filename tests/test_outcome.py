"""How a deal ended by its evidence, each rule at its edge (lifecycle.md 4.1); the table tries all combinations."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from opportunities.outcome import Evidence, SalesRule, SalesStatus, evidence, governing_agreement
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
