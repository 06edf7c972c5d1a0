"""The states of quotes, jobs and agreements, and what a date makes of them, as pure facts (lifecycle.md 5)."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum


class QuoteState(StrEnum):
    """Where a quote stands. Expired is no state but an overlay: see `quote_expired`."""

    INCOMPLETE = "incomplete"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    MODIFIED = "modified"
    ACCEPTED = "accepted"
    CONVERTED = "converted"
    VOID = "void"
    CANCELED = "canceled"


class JobState(StrEnum):
    """Where a job stands. Expired is an overlay: see `job_expired`."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    MODIFIED = "modified"
    COMPLETED = "completed"
    VOID = "void"
    CANCELED = "canceled"


class AgreementState(StrEnum):
    """Where an agreement stands; while it is submitted, its signers say the rest: see `agreement_status`."""

    INCOMPLETE = "incomplete"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    CANCELED = "canceled"
    VOID = "void"


class AgreementStatus(StrEnum):
    """What an agreement shows: its state, or what its signers made of a submitted one (5.5)."""

    INCOMPLETE = "incomplete"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"
    VOID = "void"


class RecipientState(StrEnum):
    """What a recipient did with an agreement; the last four are final."""

    PENDING = "pending"
    SENT = "sent"
    VIEWED = "viewed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"


WAITING = frozenset({RecipientState.PENDING, RecipientState.SENT, RecipientState.VIEWED})
"""A signer who has not answered yet."""

QUOTE_CAN_EXPIRE = frozenset({QuoteState.DRAFT, QuoteState.SUBMITTED, QuoteState.MODIFIED})
"""An Accepted quote does not expire: the customer answered in time (D2)."""

JOB_CAN_EXPIRE = frozenset({JobState.SUBMITTED, JobState.ACCEPTED, JobState.MODIFIED})

REFUSED = frozenset({AgreementStatus.REJECTED, AgreementStatus.EXPIRED, AgreementStatus.CANCELED})


def quote_expired(state: QuoteState, valid_until: date | None, today: date) -> bool:
    """Tell whether the quote's last day has passed in a state that can expire (5.1)."""
    return state in QUOTE_CAN_EXPIRE and valid_until is not None and valid_until < today


def job_expired(state: JobState, service_date: date | None, today: date) -> bool:
    """Tell whether the job's service date has passed before it was completed (5.2)."""
    return state in JOB_CAN_EXPIRE and service_date is not None and service_date < today


def agreement_status(state: AgreementState, signers: Iterable[RecipientState]) -> AgreementStatus:
    """Work out what a submitted agreement shows: one refusal ends it, all acceptances conclude it (5.5)."""
    if state is not AgreementState.SUBMITTED:
        return AgreementStatus(state.value)
    answers = list(signers)
    for refusal in (RecipientState.REJECTED, RecipientState.EXPIRED, RecipientState.CANCELED):
        if refusal in answers:
            return AgreementStatus(refusal.value)
    if answers and all(answer is RecipientState.ACCEPTED for answer in answers):
        return AgreementStatus.ACCEPTED
    return AgreementStatus.SUBMITTED
