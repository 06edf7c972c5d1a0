"""What a date makes of quotes and jobs, and what its signers make of an agreement (lifecycle.md 5)."""

from datetime import date, timedelta

import pytest

from opportunities import states
from opportunities.states import AgreementState, AgreementStatus, JobState, QuoteState, RecipientState

TODAY = date(2025, 6, 10)
YESTERDAY = TODAY - timedelta(days=1)


@pytest.mark.parametrize("state", QuoteState)
def test_a_quote_expires_after_its_last_day_until_the_customer_has_answered(state):
    can = state in {QuoteState.DRAFT, QuoteState.SUBMITTED, QuoteState.MODIFIED}

    assert states.quote_expired(state, YESTERDAY, TODAY) is can
    assert not states.quote_expired(state, TODAY, TODAY)
    assert not states.quote_expired(state, TODAY + timedelta(days=1), TODAY)
    assert not states.quote_expired(state, None, TODAY)


@pytest.mark.parametrize("state", JobState)
def test_a_job_expires_after_its_service_date_until_it_is_completed(state):
    can = state in {JobState.SUBMITTED, JobState.ACCEPTED, JobState.MODIFIED}

    assert states.job_expired(state, YESTERDAY, TODAY) is can
    assert not states.job_expired(state, TODAY, TODAY)
    assert not states.job_expired(state, TODAY + timedelta(days=1), TODAY)
    assert not states.job_expired(state, None, TODAY)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (["sent"], "submitted"),
        (["accepted", "viewed"], "submitted"),
        (["accepted", "accepted"], "accepted"),
        (["accepted", "rejected", "canceled"], "rejected"),
        (["accepted", "expired"], "expired"),
        (["expired", "canceled"], "expired"),
        (["accepted", "canceled"], "canceled"),
        ([], "submitted"),
    ],
)
def test_the_signers_say_what_a_submitted_agreement_shows(answers, status):
    signers = [RecipientState(answer) for answer in answers]

    assert states.agreement_status(AgreementState.SUBMITTED, signers) is AgreementStatus(status)


@pytest.mark.parametrize("state", [each for each in AgreementState if each is not AgreementState.SUBMITTED])
def test_any_other_agreement_shows_its_state(state):
    assert states.agreement_status(state, [RecipientState.ACCEPTED]).value == state.value


def test_a_signer_waits_until_an_answer_is_there():
    answered = {RecipientState.ACCEPTED, RecipientState.REJECTED, RecipientState.EXPIRED, RecipientState.CANCELED}

    assert set(RecipientState) - answered == states.WAITING
