"""What an act on a document would make of its card, told beforehand: the pure rules on changed facts, no second query.

A property test holds each preview against what the act then did.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from opportunities import outcome, workflow
from opportunities.models import Agreement, Job, Opportunity, Quote
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.states import AgreementStatus, JobState, QuoteState, job_expired, quote_expired
from opportunities.workflow import AgreementFacts, Facts, JobFacts, QuoteFacts, WorkflowStatus

NEW_JOB = "J-new"
"""Stands for the number of a job that is not made yet."""

NEW_AGREEMENT = "A-new"
NEW_QUOTE = "Q-new"

type Forecast = tuple[bool, date | None]
"""Whether the card's forecast date changes along with an act, and to what."""

KEPT: Forecast = (False, None)
"""The forecast date stays as it is."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a card stands, or would stand: both statuses and the rule of the second."""

    workflow: WorkflowStatus
    sales: SalesStatus
    rule: SalesRule


def outlook(facts: Facts, hand_outcome: str) -> Outlook:
    """Work out both statuses; where no evidence speaks, the outcome is that of the row chosen by hand (P9, D41)."""
    found = outcome.evidence(facts)
    sales = SalesStatus(hand_outcome) if found.status is None else found.status
    return Outlook(workflow.workflow_status(facts), sales, found.rule)


def present(card: Opportunity, facts: Facts) -> Outlook:
    """Tell where the card stands by these facts."""
    return outlook(facts, _hand_outcome(card))


def foresee(card: Opportunity, before: Facts, after: Facts, *, forecast: Forecast = KEPT) -> Outlook:
    """Tell where the card would stand after an act that makes these facts of those, with the date it waives (3.4)."""
    return outlook(_dated(workflow.with_waiver(before, after), forecast), _hand_outcome(card))


def reopened(card: Opportunity, before: Facts, after: Facts, *, forecast: Forecast = KEPT) -> Outlook:
    """Tell the same where the act also takes back that the card was closed by hand (D41)."""
    return outlook(_dated(workflow.with_waiver(before, after), forecast), SalesStatus.NONE.value)


def _dated(facts: Facts, forecast: Forecast) -> Facts:
    """Give the card the forecast date that is chosen along with the act, after it (D13)."""
    changes, day = forecast
    return replace(facts, forecast_date=day) if changes else facts


def _hand_outcome(card: Opportunity) -> str:
    return SalesStatus.NONE.value if card.hand_status is None else card.hand_status.outcome


def after(verb: str, document: Quote | Job | Agreement, facts: Facts, **given: Any) -> Facts:
    """Return the facts of the card as this verb would leave them. Verbs that change no fact leave them alone.

    `given` holds what an act needs beside its document: `amount` of a payment or refund (nothing while it is on its
    way, or fails), `signer_left` of an answer, another `service_date` or `valid_until`.
    """
    change = _CHANGES.get((document.REF, verb))
    return facts if change is None else change(document, facts, **given)


def with_quote(facts: Facts, number: str, **values: Any) -> Facts:
    """Change what the facts say of one quote."""
    quotes = (replace(each, **values) if each.number == number else each for each in facts.quotes)
    return replace(facts, quotes=tuple(quotes))


def with_job(facts: Facts, number: str, **values: Any) -> Facts:
    """Change what the facts say of one job."""
    jobs = (replace(each, **values) if each.number == number else each for each in facts.jobs)
    return replace(facts, jobs=tuple(jobs))


def with_agreement(facts: Facts, number: str, **values: Any) -> Facts:
    """Change what the facts say of one agreement."""
    agreements = (replace(each, **values) if each.number == number else each for each in facts.agreements)
    return replace(facts, agreements=tuple(agreements))


def without(facts: Facts, numbers: set[str]) -> Facts:
    """Leave documents out of the facts: they were detached."""
    return replace(
        facts,
        quotes=tuple(each for each in facts.quotes if each.number not in numbers),
        jobs=tuple(each for each in facts.jobs if each.number not in numbers),
        agreements=tuple(each for each in facts.agreements if each.number not in numbers),
    )


def joined(facts: Facts, more: Facts) -> Facts:
    """Add the documents of other facts: they were attached. Agreements are in the order of their submission (D17)."""
    agreements = facts.agreements + more.agreements
    submitted = sorted((each for each in agreements if each.submitted_order is not None), key=_submission)
    order = {each.number: place for place, each in enumerate(submitted, start=1)}
    return replace(
        facts,
        quotes=facts.quotes + more.quotes,
        jobs=facts.jobs + tuple(replace(each, since=facts.today) for each in more.jobs),
        agreements=tuple(replace(each, submitted_order=order.get(each.number)) for each in agreements),
    )


def with_new(ref: str, facts: Facts, *, service_date: date | None = None, confirmed: bool = True) -> Facts:
    """Return the facts with a document that is made on the card: a draft quote or agreement, or a job."""
    if ref == "quote":
        return replace(facts, quotes=(*facts.quotes, QuoteFacts(QuoteState.DRAFT, number=NEW_QUOTE)))
    if ref == "agreement":
        draft = AgreementFacts(AgreementStatus.DRAFT, number=NEW_AGREEMENT)
        return replace(facts, agreements=(*facts.agreements, draft))
    late = service_date is not None and service_date < facts.today
    state = JobState.ACCEPTED if confirmed else JobState.SUBMITTED
    job = JobFacts(state, late, number=NEW_JOB, last_day=service_date, since=facts.today)
    return replace(facts, jobs=(*facts.jobs, job))


def _submission(agreement: AgreementFacts) -> tuple[float, int]:
    moment = agreement.submitted_at.timestamp() if agreement.submitted_at is not None else math.inf
    digits = agreement.number.partition("-")[2]
    return moment, int(digits) if digits.isdecimal() else 0


def _quote(facts: Facts, number: str) -> QuoteFacts:
    return next(each for each in facts.quotes if each.number == number)


def _job(facts: Facts, number: str) -> JobFacts:
    return next(each for each in facts.jobs if each.number == number)


def _submit_quote(quote: Quote, facts: Facts) -> Facts:
    now = _quote(facts, quote.number)
    return with_quote(facts, quote.number, state=QuoteState.SUBMITTED, submit_count=now.submit_count + 1)


def _accept_quote(quote: Quote, facts: Facts) -> Facts:
    return with_quote(facts, quote.number, state=QuoteState.ACCEPTED, expired=False, last_day=None)


def _end_quote(state: QuoteState, *, declined: bool = False) -> "Callable[[Quote, Facts], Facts]":
    def change(quote: Quote, facts: Facts) -> Facts:
        dead: dict[str, Any] = {"expired": False, "last_day": None, "died_on": facts.today, "declined": declined}
        return with_quote(facts, quote.number, state=state, **dead)

    return change


def _revise_quote(quote: Quote, facts: Facts, **given: Any) -> Facts:
    """Another last day lets a quote expire, or be again what it was (5.1); what it costs changes no fact."""
    if "valid_until" not in given:
        return facts
    state, until = QuoteState(str(quote.state)), given["valid_until"]
    last_day = until if quote_expired(state, date.min, date.max) else None
    expired = quote_expired(state, until, facts.today)
    return with_quote(facts, quote.number, expired=expired, last_day=last_day)


def _archive_quote(quote: Quote, facts: Facts) -> Facts:
    return with_quote(facts, quote.number, archived=True, died_on=facts.today)


def _unarchive_quote(quote: Quote, facts: Facts) -> Facts:
    return with_quote(facts, quote.number, archived=False, died_on=None)


def _convert_quote(quote: Quote, facts: Facts) -> Facts:
    changed = with_quote(facts, quote.number, state=QuoteState.CONVERTED, expired=False, last_day=None)
    late = quote.service_date is not None and quote.service_date < facts.today
    job = JobFacts(JobState.ACCEPTED, late, number=NEW_JOB, last_day=quote.service_date, since=facts.today)
    return replace(changed, jobs=(*changed.jobs, job))


def _end_job(state: JobState) -> "Callable[[Job, Facts], Facts]":
    def change(job: Job, facts: Facts) -> Facts:
        return with_job(facts, job.number, state=state, expired=False, last_day=None, died_on=facts.today)

    return change


def _complete_job(job: Job, facts: Facts) -> Facts:
    return with_job(facts, job.number, state=JobState.COMPLETED, expired=False, last_day=None)


def _reopen_job(job: Job, facts: Facts) -> Facts:
    late = job.service_date is not None and job.service_date < facts.today
    return with_job(facts, job.number, state=JobState.MODIFIED, expired=late, last_day=job.service_date)


def _reopen_completed(job: Job, facts: Facts) -> Facts:
    """Any change of a Completed job opens it again (W5.2); of another one it changes no fact known beforehand."""
    return _reopen_job(job, facts) if str(job.state) == JobState.COMPLETED else facts


def _revise_job(job: Job, facts: Facts, **given: Any) -> Facts:
    """Another service date lets a job expire, or be again what it was."""
    changed = _reopen_completed(job, facts)
    if "service_date" not in given:
        return changed
    day = given["service_date"]
    late = job_expired(_job(changed, job.number).state, day, facts.today)
    return with_job(changed, job.number, expired=late, last_day=day)


def _pay(job: Job, facts: Facts, *, amount: Decimal = Decimal(0)) -> Facts:
    return with_job(facts, job.number, paid=_job(facts, job.number).paid + amount)


def _void_payment(job: Job, facts: Facts, *, amount: Decimal = Decimal(0)) -> Facts:
    return with_job(facts, job.number, paid=_job(facts, job.number).paid - amount)


def _refund(job: Job, facts: Facts, *, amount: Decimal = Decimal(0)) -> Facts:
    refunded = _job(facts, job.number).refunded + amount
    return with_job(facts, job.number, refunded=refunded, refunded_on=facts.today)


def _reschedule_job(job: Job, facts: Facts, *, service_date: date | None = None) -> Facts:
    waits = str(job.state) == JobState.SUBMITTED
    state = JobState.SUBMITTED if waits else JobState.MODIFIED
    late = job_expired(state, service_date, facts.today)
    return with_job(facts, job.number, state=state, expired=late, last_day=service_date)


def _submit_agreement(agreement: Agreement, facts: Facts) -> Facts:
    last = max((each.submitted_order or 0 for each in facts.agreements), default=0)
    return with_agreement(facts, agreement.number, status=AgreementStatus.SUBMITTED, submitted_order=last + 1)


def _sign_agreement(agreement: Agreement, facts: Facts, *, signer_left: bool = False) -> Facts:
    if signer_left:
        return facts
    return with_agreement(facts, agreement.number, status=AgreementStatus.ACCEPTED, ended_on=facts.today)


def _end_agreement(status: AgreementStatus) -> "Callable[[Agreement, Facts], Facts]":
    def change(agreement: Agreement, facts: Facts) -> Facts:
        return with_agreement(facts, agreement.number, status=status, ended_on=facts.today)

    return change


def _replace_agreement(agreement: Agreement, facts: Facts) -> Facts:
    changed = with_agreement(facts, agreement.number, status=AgreementStatus.VOID, ended_on=facts.today)
    draft = AgreementFacts(AgreementStatus.DRAFT, number=NEW_AGREEMENT)
    return replace(changed, agreements=(*changed.agreements, draft))


_CHANGES: dict[tuple[str, str], Callable[..., Facts]] = {
    ("quote", "submit"): _submit_quote,
    ("quote", "accept"): _accept_quote,
    ("quote", "decline"): _end_quote(QuoteState.CANCELED, declined=True),
    ("quote", "revise"): _revise_quote,
    ("quote", "void"): _end_quote(QuoteState.VOID),
    ("quote", "cancel"): _end_quote(QuoteState.CANCELED),
    ("quote", "archive"): _archive_quote,
    ("quote", "unarchive"): _unarchive_quote,
    ("quote", "convert"): _convert_quote,
    ("job", "complete"): _complete_job,
    ("job", "reopen"): _reopen_job,
    ("job", "void"): _end_job(JobState.VOID),
    ("job", "cancel"): _end_job(JobState.CANCELED),
    ("job", "reschedule"): _reschedule_job,
    ("job", "take_payment"): _pay,
    ("job", "settle_payment"): _pay,
    ("job", "void_payment"): _void_payment,
    ("job", "refund"): _refund,
    ("job", "settle_refund"): _refund,
    ("job", "revise"): _revise_job,
    ("job", "return_items"): _reopen_completed,
    ("agreement", "submit"): _submit_agreement,
    ("agreement", "accept"): _sign_agreement,
    ("agreement", "reject"): _end_agreement(AgreementStatus.REJECTED),
    ("agreement", "withdraw"): _end_agreement(AgreementStatus.CANCELED),
    ("agreement", "cancel_signer"): _end_agreement(AgreementStatus.CANCELED),
    ("agreement", "void"): _end_agreement(AgreementStatus.VOID),
    ("agreement", "replace"): _replace_agreement,
}
