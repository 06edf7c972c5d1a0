"""The sales status by evidence as a pure function of the same snapshot (lifecycle.md 4). No database, no clock."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from opportunities.states import REFUSED, AgreementStatus
from opportunities.workflow import AgreementFacts, Facts, LostWhen, forecast_expired


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


def governing_agreement(facts: Facts) -> AgreementFacts | None:
    """Return the one submitted last among those ever submitted and not Void (D17)."""
    submitted = [agreement for agreement in facts.attached_agreements if agreement.submitted_order is not None]
    return max(submitted, key=lambda agreement: agreement.submitted_order or 0, default=None)


def nothing_is_open(facts: Facts) -> bool:
    """Tell whether every live quote and job has expired and no agreement can still be signed (4.1)."""
    offers = [quote.expired for quote in facts.live_quotes] + [job.expired for job in facts.live_jobs]
    still_out = {AgreementStatus.SUBMITTED, AgreementStatus.ACCEPTED}
    signable = any(agreement.status in still_out for agreement in facts.attached_agreements)
    return bool(offers) and all(offers) and not signable


def _closed(facts: Facts) -> bool:
    return facts.closed_kind is not None


def _money_back(facts: Facts) -> bool:
    jobs = facts.live_jobs
    return bool(jobs) and all(job.fully_refunded for job in jobs)


def _job_lapsed(facts: Facts) -> bool:
    return bool(facts.live_jobs) and nothing_is_open(facts) and forecast_expired(facts)


def _job(facts: Facts) -> bool:
    return bool(facts.live_jobs)


def _signed(facts: Facts) -> bool:
    return any(agreement.status is AgreementStatus.ACCEPTED for agreement in facts.attached_agreements)


def _agreement_refused(facts: Facts) -> bool:
    governing = governing_agreement(facts)
    return governing is not None and governing.status in REFUSED


def _document_dead(facts: Facts) -> bool:
    """S3.3: without an agreement a dead quote or job loses the sale; by the milder setting, only when no quote is left.

    A dead job counts like a dead quote (D20), so the setting holds for both.
    """
    if facts.attached_agreements:
        return False
    dead = any(quote.dead for quote in facts.quotes) or any(not job.live for job in facts.jobs)
    return dead and (facts.lost_when is LostWhen.ANY_DEAD_QUOTE or not facts.live_quotes)


def _offer_lapsed(facts: Facts) -> bool:
    return nothing_is_open(facts) and forecast_expired(facts)


_RULES: tuple[tuple[SalesRule, Callable[[Facts], bool], SalesStatus], ...] = (
    (SalesRule.P1, _closed, SalesStatus.LOST),
    (SalesRule.P2, _money_back, SalesStatus.LOST),
    (SalesRule.P3, _job_lapsed, SalesStatus.LOST),
    (SalesRule.P4, _job, SalesStatus.WON),
    (SalesRule.P5, _signed, SalesStatus.WON),
    (SalesRule.P6, _agreement_refused, SalesStatus.LOST),
    (SalesRule.P7, _document_dead, SalesStatus.LOST),
    (SalesRule.P8, _offer_lapsed, SalesStatus.LOST),
)


def evidence(facts: Facts) -> Evidence:
    """Find the first of P1 to P8 that holds; P9 leaves the outcome to the status row that a person chose (D41)."""
    for rule, holds, status in _RULES:
        if holds(facts):
            return Evidence(status, rule)
    return Evidence(None, SalesRule.P9)
