"""The sales status by evidence as a pure function of the same snapshot (lifecycle.md 4). No database, no clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
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
    """What the facts say about the outcome. `status` None means that no evidence speaks (P9).

    `decided_on` is the local day of the deciding fact, not of the recomputation (D42); None where it is not known.
    """

    status: SalesStatus | None
    rule: SalesRule
    decided_on: date | None = None


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


def _first(days: Iterable[date | None]) -> date | None:
    return min((day for day in days if day is not None), default=None)


def _last(days: Iterable[date | None]) -> date | None:
    return max((day for day in days if day is not None), default=None)


def _nowhere(_facts: Facts) -> None:
    return None


def _refunded_on(facts: Facts) -> date | None:
    return _last(job.refunded_on for job in facts.live_jobs)


def _lapsed_on(facts: Facts) -> date | None:
    """The day after the last of the days that had to pass."""
    ends = [facts.forecast_date]
    ends += [quote.last_day for quote in facts.live_quotes] + [job.last_day for job in facts.live_jobs]
    last = _last(ends)
    return None if last is None else last + timedelta(days=1)


def _job_since(facts: Facts) -> date | None:
    return _first(job.since for job in facts.live_jobs)


def _signed_on(facts: Facts) -> date | None:
    accepted = (each for each in facts.attached_agreements if each.status is AgreementStatus.ACCEPTED)
    return _first(agreement.ended_on for agreement in accepted)


def _refused_on(facts: Facts) -> date | None:
    governing = governing_agreement(facts)
    return None if governing is None else governing.ended_on


def _died_on(facts: Facts) -> date | None:
    """The first death is enough by the letter, the last one by the milder setting; a void agreement bars it no more."""
    dead = [quote.died_on for quote in facts.quotes if quote.dead]
    dead += [job.died_on for job in facts.jobs]  # none is live here, or P4 had won the deal
    death = _first(dead) if facts.lost_when is LostWhen.ANY_DEAD_QUOTE else _last(dead)
    return _last([death, *(agreement.ended_on for agreement in facts.agreements)])


_RULES: tuple[
    tuple[SalesRule, Callable[[Facts], bool], SalesStatus, Callable[[Facts], date | None]],
    ...,
] = (
    (SalesRule.P1, _closed, SalesStatus.LOST, _nowhere),
    (SalesRule.P2, _money_back, SalesStatus.LOST, _refunded_on),
    (SalesRule.P3, _job_lapsed, SalesStatus.LOST, _lapsed_on),
    (SalesRule.P4, _job, SalesStatus.WON, _job_since),
    (SalesRule.P5, _signed, SalesStatus.WON, _signed_on),
    (SalesRule.P6, _agreement_refused, SalesStatus.LOST, _refused_on),
    (SalesRule.P7, _document_dead, SalesStatus.LOST, _died_on),
    (SalesRule.P8, _offer_lapsed, SalesStatus.LOST, _lapsed_on),
)


def evidence(facts: Facts) -> Evidence:
    """Find the first of P1 to P8 that holds; P9 leaves the outcome to the status row that a person chose (D41)."""
    for rule, holds, status, decided_on in _RULES:
        if holds(facts):
            return Evidence(status, rule, decided_on(facts))
    return Evidence(None, SalesRule.P9)


class LostBecause(StrEnum):
    """What lost a deal, as cards, filters and figures name it."""

    NOTHING = ""
    CLOSED = "closed"
    REFUNDED = "refunded"
    LAPSED = "lapsed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    QUOTE = "quote"
    JOB = "job"
    BY_HAND = "by_hand"


def lost_because(facts: Facts, rule: SalesRule) -> LostBecause:
    """Name what lost the deal by the rule that lost it; who declined is told from what was voided inside the house."""
    if rule is SalesRule.P6:
        governing = governing_agreement(facts)
        refusals = {AgreementStatus.EXPIRED: LostBecause.LAPSED, AgreementStatus.CANCELED: LostBecause.WITHDRAWN}
        return LostBecause.DECLINED if governing is None else refusals.get(governing.status, LostBecause.DECLINED)
    if rule is SalesRule.P7:
        dead = [quote for quote in facts.quotes if quote.dead]
        if any(quote.declined for quote in dead):
            return LostBecause.DECLINED
        return LostBecause.QUOTE if dead else LostBecause.JOB
    names = {
        SalesRule.P1: LostBecause.CLOSED,
        SalesRule.P2: LostBecause.REFUNDED,
        SalesRule.P3: LostBecause.LAPSED,
        SalesRule.P8: LostBecause.LAPSED,
        SalesRule.MANUAL: LostBecause.BY_HAND,
    }
    return names.get(rule, LostBecause.NOTHING)


def has_live_offer(facts: Facts) -> bool:
    """Tell whether the customer can still take something up: a live quote, or an agreement that is out."""
    if facts.closed_kind is not None:
        return False
    quotes = any(not quote.expired for quote in facts.live_quotes)
    return quotes or any(each.status is AgreementStatus.SUBMITTED for each in facts.attached_agreements)
