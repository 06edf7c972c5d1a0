"""The deal workflow status as a pure function of a snapshot (lifecycle.md 3). No database, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from opportunities.states import AgreementStatus, JobState, QuoteState


class WorkflowStatus(StrEnum):
    """Where in the process a deal stands, by its documents and dates (W0.2). Never typed or dragged."""

    PROSPECT = "prospect"
    NEGOTIATION = "negotiation"
    AGREEMENT = "agreement"
    CONTRACTED = "contracted"
    COMPLETED = "completed"
    EXPIRED = "expired"
    VOID = "void"
    CANCELED = "canceled"


class ClosedKind(StrEnum):
    """How a person closed a card for good (W7, W8)."""

    VOID = "void"
    CANCELED = "canceled"


class LostWhen(StrEnum):
    """The business's reading of S3.3 (D19): the letter, or the milder one. Only P7 looks at it."""

    ANY_DEAD_QUOTE = "any_dead_quote"
    NO_LIVE_QUOTE = "no_live_quote"


LIVE = (
    WorkflowStatus.PROSPECT,
    WorkflowStatus.NEGOTIATION,
    WorkflowStatus.AGREEMENT,
    WorkflowStatus.CONTRACTED,
    WorkflowStatus.COMPLETED,
)
"""The statuses that documents justify; the card moves freely among them."""

CAN_EXPIRE = (
    WorkflowStatus.PROSPECT,
    WorkflowStatus.NEGOTIATION,
    WorkflowStatus.AGREEMENT,
    WorkflowStatus.CONTRACTED,
)
"""W6.5: Completed, Void and Canceled never expire."""

NOT_CLOSED = (*LIVE, WorkflowStatus.EXPIRED)
"""From any of these a person may void or cancel (T19, T20)."""

CLOSED = (WorkflowStatus.VOID, WorkflowStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """What the rules look at in an attached quote. `number` names it in explanations (Q-1012).

    `last_day` is the day after which it expires, `died_on` the day on which it was voided, canceled or archived.
    """

    state: QuoteState
    submit_count: int = 0
    archived: bool = False
    expired: bool = False
    number: str = ""
    last_day: date | None = None
    died_on: date | None = None
    declined: bool = False

    @property
    def live(self) -> bool:
        """Still an offer that can become a job; an expired one can (W6.9)."""
        dead = {QuoteState.VOID, QuoteState.CANCELED, QuoteState.CONVERTED}
        return self.state not in dead and not self.archived

    @property
    def dead(self) -> bool:
        """Canceled, void or archived (S3.3); a converted one lives on in its job (AC085)."""
        if self.state is QuoteState.CONVERTED:
            return False
        return self.archived or self.state in {QuoteState.VOID, QuoteState.CANCELED}


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What the rules look at in an attached job. `paid` and `refunded` count what succeeded, in money.

    `since` is the day on which it came to the card; `refunded_on` and `died_on` are the days of what their names say.
    """

    state: JobState
    expired: bool = False
    paid: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    number: str = ""
    last_day: date | None = None
    since: date | None = None
    refunded_on: date | None = None
    died_on: date | None = None

    @property
    def live(self) -> bool:
        """Neither Void nor Canceled."""
        return self.state not in {JobState.VOID, JobState.CANCELED}

    @property
    def fully_refunded(self) -> bool:
        """Money was taken and all of it was given back (D23)."""
        return self.paid > 0 and self.refunded == self.paid


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """What the rules look at in an attached agreement. `submitted_order` grows with the moment of submission.

    `submitted_at` is that moment, for whoever puts the documents of two cards together.

    `ended_on` is the day on which the last signer accepted, one refused, or it was voided.
    """

    status: AgreementStatus
    submitted_order: int | None = None
    number: str = ""
    ended_on: date | None = None
    submitted_at: datetime | None = None

    @property
    def attached(self) -> bool:
        """A Void agreement counts as not attached (D16)."""
        return self.status is not AgreementStatus.VOID


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one card that its two statuses depend on, as of one local day of the business."""

    today: date
    closed_kind: ClosedKind | None = None
    forecast_date: date | None = None
    expiry_waived_for: date | None = None
    quotes: tuple[QuoteFacts, ...] = ()
    jobs: tuple[JobFacts, ...] = ()
    agreements: tuple[AgreementFacts, ...] = ()
    lost_when: LostWhen = LostWhen.ANY_DEAD_QUOTE

    @property
    def live_quotes(self) -> tuple[QuoteFacts, ...]:
        """The quotes that are still an offer."""
        return tuple(quote for quote in self.quotes if quote.live)

    @property
    def live_jobs(self) -> tuple[JobFacts, ...]:
        """The jobs that are neither Void nor Canceled."""
        return tuple(job for job in self.jobs if job.live)

    @property
    def attached_agreements(self) -> tuple[AgreementFacts, ...]:
        """The agreements that are not Void."""
        return tuple(agreement for agreement in self.agreements if agreement.attached)


def base(facts: Facts) -> WorkflowStatus:
    """What the attached documents justify, furthest along first (D4)."""
    jobs, agreements = facts.live_jobs, facts.attached_agreements
    if jobs and all(job.state is JobState.COMPLETED for job in jobs):
        return WorkflowStatus.COMPLETED
    if jobs or any(agreement.status is AgreementStatus.ACCEPTED for agreement in agreements):
        return WorkflowStatus.CONTRACTED
    if any(agreement.status is AgreementStatus.SUBMITTED for agreement in agreements):
        return WorkflowStatus.AGREEMENT
    if any(quote.submit_count > 0 for quote in facts.live_quotes):
        return WorkflowStatus.NEGOTIATION
    return WorkflowStatus.PROSPECT


def forecast_expired(facts: Facts) -> bool:
    """Tell whether the forecast date has passed and was not waived; the day itself still counts (D10, 3.4)."""
    if facts.forecast_date is None or facts.forecast_date >= facts.today:
        return False
    waived = base(facts) is WorkflowStatus.CONTRACTED and facts.expiry_waived_for == facts.forecast_date
    return not waived


def workflow_status(facts: Facts) -> WorkflowStatus:
    """Work out the workflow status: closed by hand, else completed, else expired, else the base (3.1)."""
    if facts.closed_kind is not None:
        return WorkflowStatus(facts.closed_kind.value)
    justified = base(facts)
    if justified is not WorkflowStatus.COMPLETED and forecast_expired(facts):
        return WorkflowStatus.EXPIRED
    return justified


def waiver(before: Facts, after: Facts) -> date | None:
    """Return the forecast date that an act waived, because it was a contract event on a card whose date is past (3.4).

    A contract event: a live job came to the card (also by conversion), an agreement was accepted or came accepted
    (T8, T11), or a card that was Completed has an open job again (T10). Reopening a job of a card that stands as
    Expired is none (T12).
    """
    if after.forecast_date is None or after.forecast_date >= after.today:
        return None
    came = _contracts(after) - _contracts(before)
    reopened = (
        workflow_status(before) is WorkflowStatus.COMPLETED
        and bool(after.live_jobs)
        and base(after) is WorkflowStatus.CONTRACTED
    )
    return after.forecast_date if came or reopened else None


def _contracts(facts: Facts) -> set[str]:
    """The numbers of what makes a deal contracted: live jobs and accepted agreements."""
    accepted = (each for each in facts.attached_agreements if each.status is AgreementStatus.ACCEPTED)
    return {job.number for job in facts.live_jobs} | {agreement.number for agreement in accepted}


def with_waiver(before: Facts, after: Facts) -> Facts:
    """Return the facts after an act together with the date that it waived, if it waived one (D13)."""
    waived = waiver(before, after)
    return after if waived is None else replace(after, expiry_waived_for=waived)


def holds(last_days: Iterable[date], today: date) -> tuple[date | None, date | None]:
    """Return the first and the last day on which everything that ends on these days stands as it does today.

    None stands for no bound. Outside of them somebody has to look again, whichever way the calendar went (D10).
    """
    days = list(last_days)
    first = max((day + timedelta(days=1) for day in days if day < today), default=None)
    last = min((day for day in days if day >= today), default=None)
    return first, last
