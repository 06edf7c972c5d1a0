"""The deal workflow status as a pure function of a snapshot (lifecycle.md 3). No database, no clock.

Quotes, jobs and agreements join `Facts` with the documents themselves; until then nothing can be attached, so the base
of every card is Prospect (W1.1).
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


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

CLOSED = (WorkflowStatus.VOID, WorkflowStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one card that its two statuses depend on, as of one local day of the business."""

    today: date
    closed_kind: ClosedKind | None = None
    forecast_date: date | None = None
    expiry_waived_for: date | None = None


def base(facts: Facts) -> WorkflowStatus:
    """What the attached documents justify, furthest along first (D4). Nothing attached: Prospect (W1.1)."""
    return WorkflowStatus.PROSPECT


def forecast_expired(facts: Facts) -> bool:
    """Tell whether the forecast date has passed and was not waived; the day itself still counts (D10, 3.4)."""
    if facts.forecast_date is None or facts.forecast_date >= facts.today:
        return False
    waived = base(facts) is WorkflowStatus.CONTRACTED and facts.expiry_waived_for == facts.forecast_date
    return not waived


def workflow_status(facts: Facts) -> WorkflowStatus:
    """Work out the workflow status: closed by hand, else expired, else what the documents justify (3.1)."""
    if facts.closed_kind is not None:
        return WorkflowStatus(facts.closed_kind.value)
    if forecast_expired(facts):
        return WorkflowStatus.EXPIRED
    return base(facts)
