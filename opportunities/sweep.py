"""The clock's part: agreements, then cards, expire and come back by their dates (3.5).

One row a transaction, any number of times. A quote's or job's expiry is an overlay and writes nothing on its own row;
what it makes of its card is settled here (T18).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import Any

from django.db import transaction

from opportunities import agreements, history, lifecycle, standing
from opportunities.models import Agreement, BusinessSettings, Event, Opportunity
from opportunities.workflow import WorkflowStatus

log = logging.getLogger(__name__)

BATCH = 200


@dataclass(slots=True)
class Report:
    """What one run did. `finished` tells whether nothing that is due was left for later.

    `agreements` expired; `lapsed` cards changed by a document's date without expiring or coming back themselves;
    `archived` closed cards were put away.
    """

    today: date
    expired: int = 0
    revived: int = 0
    agreements: int = 0
    lapsed: int = 0
    archived: int = 0
    failed: int = 0
    finished: bool = True

    def as_json(self) -> dict[str, object]:
        """The figures, for the job's last result."""
        return {
            "today": self.today.isoformat(),
            "expired": self.expired,
            "revived": self.revived,
            "agreements": self.agreements,
            "lapsed": self.lapsed,
            "archived": self.archived,
            "failed": self.failed,
            "finished": self.finished,
        }


def run(now: datetime, *, seconds: float | None = None, first: Sequence[int] = ()) -> Report:
    """Settle every card whose date says something else than its status, in batches.

    Idempotent, safe beside any number of other runs, and both ways: a changed time zone may bring a day back. A row
    that fails is logged, counted and left; the rest goes on. `seconds` bounds the run (the lazy sweep of the first
    request of a day), `first` names cards to settle before the others.
    """
    business = BusinessSettings.current()
    report = Report(today=business.local_date(now))
    deadline = None if seconds is None else monotonic() + seconds
    if not _expire_agreements(report, now, deadline):
        report.finished = False
        return report
    passed_over: set[int] = set()
    for ids in (_due(report.today, passed_over, among=first), None):
        while True:
            batch = _due(report.today, passed_over) if ids is None else ids
            for opportunity_id in batch:
                if deadline is not None and monotonic() > deadline:
                    report.finished = False
                    return report
                if not _settle(opportunity_id, report, now):
                    passed_over.add(opportunity_id)
            if ids is not None or not batch:
                break
    if not _archive_closed(business.auto_archive_days, report, now, deadline):
        report.finished = False
        return report
    BusinessSettings.objects.filter(pk=1).exclude(swept_until=report.today).update(swept_until=report.today)
    return report


def _expire_agreements(report: Report, now: datetime, deadline: float | None) -> bool:
    """End the agreements whose last day has passed; tells whether all were done before the deadline."""
    passed_over: set[int] = set()
    while True:
        rows = Agreement.objects.lapsed(report.today).exclude(pk__in=passed_over).order_by("valid_until", "pk")
        batch = list(rows.values_list("pk", flat=True)[:BATCH])
        if not batch:
            return True
        for agreement_id in batch:
            if deadline is not None and monotonic() > deadline:
                return False
            # Whatever becomes of it, the run comes to an end.
            passed_over.add(agreement_id)
            try:
                with history.acting(via=Event.Via.CLOCK):
                    report.agreements += agreements.expire(agreement_id=agreement_id, now=now)
            except Exception:
                log.exception("The sweep could not settle an agreement.", extra={"agreement": agreement_id})
                report.failed += 1


def _due(today: date, passed_over: set[int], among: Sequence[int] | None = None) -> list[int]:
    due = []
    cards = Opportunity.objects
    for rows in (cards.due_to_expire(today), cards.due_to_revive(today), cards.due_by_documents(today)):
        if among is not None:
            rows = rows.filter(pk__in=among)
        found = rows.exclude(pk__in=passed_over).order_by("forecast_date", "pk").values_list("pk", flat=True)
        due += list(found[:BATCH])
    return list(dict.fromkeys(due))


def _settle(opportunity_id: int, report: Report, now: datetime) -> bool:
    """Bring one card in line with its dates, asked again under the lock; a row that somebody holds is theirs.

    Tells whether the card changed; a run passes over one that did not, so that it always comes to an end.
    """
    try:
        with transaction.atomic():
            free = Opportunity.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=opportunity_id)
            if not free.values_list("pk", flat=True):
                return False
            card = Opportunity.objects.for_change(opportunity_id)
            before = history.snapshot(card)
            standing.refresh(card, today=report.today)
            kind = _kind(before, card)
            with history.acting(via=Event.Via.CLOCK):
                event = history.record(card, kind=kind, before=before, actor=None, now=now)
    except Exception:
        log.exception("The sweep could not settle a card.", extra={"opportunity": opportunity_id})
        report.failed += 1
        return False
    if event is None:
        return False
    counter = {"expired": "expired", "revived": "revived"}.get(kind, "lapsed")
    setattr(report, counter, getattr(report, counter) + 1)
    return True


def _archive_closed(days: int | None, report: Report, now: datetime, deadline: float | None) -> bool:
    """Put away the Void and Canceled cards whose days are over (G5.2); tells whether all were done in time."""
    rows, last = Opportunity.objects.due_to_archive(report.today, days), 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        for last in batch:
            if deadline is not None and monotonic() > deadline:
                return False
            try:
                with history.acting(via=Event.Via.CLOCK):
                    report.archived += lifecycle.auto_archive(opportunity_id=last, today=report.today, now=now)
            except Exception:
                log.exception("The sweep could not archive a card.", extra={"opportunity": last})
                report.failed += 1
    return True


def _kind(before: dict[str, Any], card: Opportunity) -> str:
    """Name what the clock did to a card: it expired, came back, or its documents' dates changed how it ended."""
    old, new = str(before["workflow_status"]), str(card.workflow_status)
    if old == new:
        return "documents_lapsed"
    return "expired" if new == WorkflowStatus.EXPIRED else "revived"


def claim_lazy_run(business: BusinessSettings, now: datetime) -> bool:
    """Tell one request of each local day, and only one, that the lazy run of that day is its to do."""
    today = business.local_date(now)
    unclaimed = BusinessSettings.objects.filter(pk=1).exclude(lazily_swept_on=today)
    return bool(unclaimed.update(lazily_swept_on=today))


def is_due(business: BusinessSettings, now: datetime) -> bool:
    """Tell whether the business's local day has moved on, or back, since the last finished run."""
    return business.is_set_up and business.swept_until != business.local_date(now)
