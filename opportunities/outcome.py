"""The sales status by evidence as a pure function of the same snapshot (lifecycle.md 4). No database, no clock.

P2 to P8 speak of documents and join when documents do; P1 and P9 need none.
"""

from dataclasses import dataclass
from enum import StrEnum

from opportunities.workflow import Facts


class SalesStatus(StrEnum):
    """How a deal ended: not yet, won or lost (S0.3)."""

    NONE = "none"
    WON = "won"
    LOST = "lost"


class SalesRule(StrEnum):
    """Which rule decided the sales status, so that the card can say why (4.1)."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    P5 = "P5"
    P6 = "P6"
    P7 = "P7"
    P8 = "P8"
    P9 = "P9"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the facts say about the outcome. `status` None means that no evidence speaks (P9)."""

    status: SalesStatus | None
    rule: SalesRule


def evidence(facts: Facts) -> Evidence:
    """Find the first of P1 to P8 that holds; P9 leaves the outcome to the status row that a person chose (D41)."""
    if facts.closed_kind is not None:
        return Evidence(SalesStatus.LOST, SalesRule.P1)
    return Evidence(None, SalesRule.P9)
