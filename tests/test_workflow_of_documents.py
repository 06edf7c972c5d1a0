"""Where a deal stands by its quotes, jobs and agreements, each rule at its edge (lifecycle.md 3.1, 3.4)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from opportunities import workflow
from opportunities.states import AgreementStatus, JobState, QuoteState
from opportunities.workflow import AgreementFacts, ClosedKind, Facts, JobFacts, LostWhen, QuoteFacts, WorkflowStatus

TODAY = date(2025, 6, 10)
YESTERDAY = TODAY - timedelta(days=1)

SENT_QUOTE = QuoteFacts(QuoteState.SUBMITTED, submit_count=1)
OPEN_JOB = JobFacts(JobState.ACCEPTED)
DONE_JOB = JobFacts(JobState.COMPLETED)
SUBMITTED_AGREEMENT = AgreementFacts(AgreementStatus.SUBMITTED, submitted_order=1)
SIGNED_AGREEMENT = AgreementFacts(AgreementStatus.ACCEPTED, submitted_order=1)


def card(*documents, **values):
    """The facts of a card with these documents."""
    return Facts(
        today=TODAY,
        quotes=tuple(each for each in documents if isinstance(each, QuoteFacts)),
        jobs=tuple(each for each in documents if isinstance(each, JobFacts)),
        agreements=tuple(each for each in documents if isinstance(each, AgreementFacts)),
        **values,
    )


def status(*documents, **values):
    return workflow.workflow_status(card(*documents, **values)).value


class TestQuotes:
    def test_a_quote_that_was_never_submitted_is_no_negotiation(self):
        assert status(QuoteFacts(QuoteState.DRAFT, submit_count=0)) == "prospect"

    @pytest.mark.parametrize("times", [1, 2])
    def test_a_quote_that_was_submitted_is_a_negotiation(self, times):
        assert status(QuoteFacts(QuoteState.SUBMITTED, submit_count=times)) == "negotiation"

    def test_one_submitted_quote_among_several_is_enough(self):
        assert status(QuoteFacts(QuoteState.DRAFT), SENT_QUOTE) == "negotiation"

    @pytest.mark.parametrize("state", ["incomplete", "draft", "submitted", "modified", "accepted"])
    def test_a_submitted_quote_negotiates_in_every_state_that_is_still_an_offer(self, state):
        assert status(QuoteFacts(QuoteState(state), submit_count=1)) == "negotiation"

    def test_an_expired_quote_still_negotiates(self):
        assert status(QuoteFacts(QuoteState.SUBMITTED, submit_count=1, expired=True)) == "negotiation"

    @pytest.mark.parametrize("state", [QuoteState.VOID, QuoteState.CANCELED, QuoteState.CONVERTED])
    def test_a_quote_that_is_no_offer_any_more_holds_nothing(self, state):
        assert status(QuoteFacts(state, submit_count=1)) == "prospect"

    def test_an_archived_quote_holds_nothing(self):
        assert status(QuoteFacts(QuoteState.SUBMITTED, submit_count=1, archived=True)) == "prospect"


class TestAgreements:
    def test_a_submitted_agreement_makes_an_agreement(self):
        assert status(SUBMITTED_AGREEMENT) == "agreement"

    def test_a_signed_agreement_contracts(self):
        assert status(SIGNED_AGREEMENT) == "contracted"

    @pytest.mark.parametrize("dead", ["incomplete", "draft", "rejected", "expired", "canceled", "void"])
    def test_any_other_agreement_holds_nothing(self, dead):
        assert status(AgreementFacts(AgreementStatus(dead), submitted_order=1)) == "prospect"


class TestJobs:
    @pytest.mark.parametrize("state", ["submitted", "accepted", "modified"])
    def test_a_job_contracts(self, state):
        assert status(JobFacts(JobState(state))) == "contracted"

    def test_an_expired_job_still_contracts(self):
        assert status(JobFacts(JobState.ACCEPTED, expired=True)) == "contracted"

    @pytest.mark.parametrize("state", [JobState.VOID, JobState.CANCELED])
    def test_a_void_or_canceled_job_holds_nothing(self, state):
        assert status(JobFacts(state)) == "prospect"

    def test_the_card_is_completed_when_every_job_is(self):
        assert status(DONE_JOB) == "completed"
        assert status(DONE_JOB, DONE_JOB) == "completed"
        assert status(DONE_JOB, OPEN_JOB) == "contracted"

    @pytest.mark.parametrize("state", [JobState.VOID, JobState.CANCELED])
    def test_a_void_or_canceled_job_does_not_hold_up_completion(self, state):
        assert status(DONE_JOB, JobFacts(state)) == "completed"


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ((SENT_QUOTE, SUBMITTED_AGREEMENT), "agreement"),
        ((SENT_QUOTE, SUBMITTED_AGREEMENT, SIGNED_AGREEMENT), "contracted"),
        ((SENT_QUOTE, SUBMITTED_AGREEMENT, OPEN_JOB), "contracted"),
        ((SENT_QUOTE, SIGNED_AGREEMENT, DONE_JOB), "completed"),
    ],
)
def test_the_document_furthest_along_decides(documents, expected):
    assert status(*documents) == expected


class TestForecastDate:
    @pytest.mark.parametrize("documents", [(), (SENT_QUOTE,), (SUBMITTED_AGREEMENT,), (SIGNED_AGREEMENT,), (OPEN_JOB,)])
    def test_the_date_expires_every_card_that_is_not_completed(self, documents):
        assert status(*documents, forecast_date=YESTERDAY) == "expired"
        assert status(*documents, forecast_date=YESTERDAY - timedelta(days=400)) == "expired"

    @pytest.mark.parametrize("forecast_date", [None, TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=400)])
    def test_no_date_today_or_later_expires_nothing(self, forecast_date):
        assert status(OPEN_JOB, forecast_date=forecast_date) == "contracted"

    def test_a_completed_card_never_expires(self):
        assert status(DONE_JOB, forecast_date=YESTERDAY) == "completed"

    @pytest.mark.parametrize("kind", ClosedKind)
    def test_a_closed_card_is_neither_completed_nor_expired(self, kind):
        assert status(DONE_JOB, closed_kind=kind) == kind.value
        assert status(OPEN_JOB, closed_kind=kind, forecast_date=YESTERDAY) == kind.value

    @pytest.mark.parametrize("document", [OPEN_JOB, SIGNED_AGREEMENT])
    def test_a_waived_date_expires_no_contracted_card(self, document):
        # Two dates of the same day, as the database gives them: equal, not the same object.
        assert status(document, forecast_date=date(2025, 6, 9), expiry_waived_for=date(2025, 6, 9)) == "contracted"

    @pytest.mark.parametrize("days", [-1, 1])
    def test_a_waiver_holds_for_its_own_date_only(self, days):
        forecast = YESTERDAY - timedelta(days=9)

        assert status(OPEN_JOB, forecast_date=forecast, expiry_waived_for=forecast + timedelta(days=days)) == "expired"

    @pytest.mark.parametrize("documents", [(), (SENT_QUOTE,), (SUBMITTED_AGREEMENT,)])
    def test_a_waiver_holds_while_the_card_is_contracted_only(self, documents):
        assert status(*documents, forecast_date=YESTERDAY, expiry_waived_for=YESTERDAY) == "expired"


class TestGroupsOfStatuses:
    def test_documents_justify_five_statuses(self):
        justified = {workflow.base(card(*each)) for each in [(), (SENT_QUOTE,), (SUBMITTED_AGREEMENT,), (OPEN_JOB,)]}

        assert set(workflow.LIVE) == justified | {workflow.base(card(DONE_JOB))}

    def test_completed_void_and_canceled_cards_never_expire(self):
        never = {WorkflowStatus.COMPLETED, WorkflowStatus.VOID, WorkflowStatus.CANCELED, WorkflowStatus.EXPIRED}

        assert set(workflow.CAN_EXPIRE) == set(WorkflowStatus) - never

    def test_a_card_is_closed_by_void_and_by_cancel(self):
        assert {each.value for each in workflow.CLOSED} == {kind.value for kind in ClosedKind}


class TestFacts:
    def test_a_quote_is_an_unsubmitted_live_offer_unless_said_otherwise(self):
        quote = QuoteFacts(QuoteState.DRAFT)

        assert (quote.submit_count, quote.archived, quote.expired, quote.live) == (0, False, False, True)

    def test_a_job_has_no_money_and_is_in_time_unless_said_otherwise(self):
        job = JobFacts(JobState.ACCEPTED)

        assert (job.paid, job.refunded, job.expired) == (Decimal(0), Decimal(0), False)

    def test_a_card_follows_the_letter_of_the_law_unless_the_business_chose_otherwise(self):
        assert Facts(today=TODAY).lost_when is LostWhen.ANY_DEAD_QUOTE

    @pytest.mark.parametrize(
        ("facts", "name"),
        [(SENT_QUOTE, "submit_count"), (OPEN_JOB, "paid"), (SIGNED_AGREEMENT, "status"), (card(), "today")],
    )
    def test_facts_cannot_be_changed_after_they_were_taken(self, facts, name):
        with pytest.raises(AttributeError):
            setattr(facts, name, None)


JOB_7 = JobFacts(JobState.ACCEPTED, number="J-7")
JOB_8 = JobFacts(JobState.ACCEPTED, number="J-8")
DONE_7 = JobFacts(JobState.COMPLETED, number="J-7")
DONE_8 = JobFacts(JobState.COMPLETED, number="J-8")
DEAD_7 = JobFacts(JobState.VOID, number="J-7")
SENT_5 = AgreementFacts(AgreementStatus.SUBMITTED, submitted_order=1, number="A-5")
SIGNED_5 = AgreementFacts(AgreementStatus.ACCEPTED, submitted_order=1, number="A-5")


def waived(before, after, day=YESTERDAY):
    """The date that an act waives, which made these documents of those."""
    return workflow.waiver(card(*before, forecast_date=day), card(*after, forecast_date=day))


class TestContractEvents:
    """A contract that comes after the forecast date waives that one date (3.4, D13)."""

    def test_a_job_that_comes_waives_the_past_date(self):
        assert waived([], [JOB_7]) == YESTERDAY

    def test_a_second_job_that_comes_is_a_contract_again(self):
        assert waived([JOB_7], [JOB_7, JOB_8]) == YESTERDAY

    def test_a_completed_job_that_comes_is_a_contract_as_well(self):
        assert waived([], [DONE_7]) == YESTERDAY

    def test_the_last_signature_waives_the_past_date(self):
        assert waived([SENT_5], [SIGNED_5]) == YESTERDAY

    @pytest.mark.parametrize("day", [TODAY, TODAY + timedelta(days=1), None])
    def test_a_date_that_is_not_past_is_not_waived(self, day):
        assert waived([], [JOB_7], day) is None

    def test_a_dead_job_that_comes_is_no_contract(self):
        assert waived([], [DEAD_7]) is None

    def test_a_submitted_agreement_is_no_contract(self):
        assert waived([], [SENT_5]) is None

    def test_what_stays_as_it_was_waives_nothing(self):
        assert waived([JOB_7, SIGNED_5], [JOB_7, SIGNED_5]) is None

    def test_a_job_that_goes_waives_nothing(self):
        assert waived([JOB_7, JOB_8], [JOB_7]) is None

    def test_reopening_the_job_of_a_completed_card_is_one(self):
        assert waived([DONE_7], [JOB_7]) == YESTERDAY

    def test_reopening_one_of_two_done_jobs_is_one(self):
        assert waived([DONE_7, DONE_8], [DONE_7, JOB_8]) == YESTERDAY

    def test_reopening_a_job_of_a_card_that_stands_as_expired_is_none(self):
        assert waived([DONE_7, JOB_8], [JOB_7, JOB_8]) is None

    def test_voiding_the_job_of_a_completed_card_is_none(self):
        assert waived([DONE_7], [DEAD_7]) is None

    def test_a_completed_card_that_loses_its_job_to_a_signed_agreement_waives_nothing(self):
        assert waived([DONE_7, SIGNED_5], [DEAD_7, SIGNED_5]) is None

    def test_completing_is_none(self):
        assert waived([JOB_7], [DONE_7]) is None

    def test_the_facts_after_the_act_carry_the_waiver(self):
        before, after = card(forecast_date=YESTERDAY), card(JOB_7, forecast_date=YESTERDAY)

        assert workflow.with_waiver(before, after).expiry_waived_for == YESTERDAY
        assert workflow.workflow_status(workflow.with_waiver(before, after)).value == "contracted"

    def test_without_a_contract_the_facts_stay_as_they_are(self):
        before = card(forecast_date=YESTERDAY, expiry_waived_for=TODAY)
        after = card(SENT_QUOTE, forecast_date=YESTERDAY, expiry_waived_for=TODAY)

        assert workflow.with_waiver(before, after) is after


class TestHolds:
    """From when until when documents' dates make of a card what they make of it today (D10, T18)."""

    def test_without_dates_it_holds_for_ever(self):
        assert workflow.holds([], TODAY) == (None, None)

    def test_the_last_day_itself_still_holds(self):
        assert workflow.holds([TODAY], TODAY) == (None, TODAY)

    def test_a_day_that_passed_holds_from_the_day_after(self):
        assert workflow.holds([YESTERDAY], TODAY) == (TODAY, None)

    def test_the_nearest_day_on_either_side_counts(self):
        days = [TODAY + timedelta(days=each) for each in (-9, -3, 4, 8)]

        assert workflow.holds(days, TODAY) == (TODAY - timedelta(days=2), TODAY + timedelta(days=4))


def test_every_status_but_void_and_canceled_can_still_be_voided():
    assert set(workflow.NOT_CLOSED) == set(WorkflowStatus) - {WorkflowStatus.VOID, WorkflowStatus.CANCELED}
