"""The clock's part: cards expire and come back by their dates, one row a transaction, any number of times (3.5)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic

from django.db import transaction

from opportunities import history, lifecycle
from opportunities.models import BusinessSettings, Event, Opportunity
from opportunities.workflow import WorkflowStatus

log = logging.getLogger(__name__)

BATCH = 200


@dataclass(slots=True)
class Report:
    """What one run did. `finished` tells whether nothing that is due was left for later."""

    today: date
    expired: int = 0
    revived: int = 0
    failed: int = 0
    finished: bool = True

    def as_json(self) -> dict[str, object]:
        """The figures, for the job's last result."""
        return {
            "today": self.today.isoformat(),
            "expired": self.expired,
            "revived": self.revived,
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
    BusinessSettings.objects.filter(pk=1).exclude(swept_until=report.today).update(swept_until=report.today)
    return report


def _due(today: date, passed_over: set[int], among: Sequence[int] | None = None) -> list[int]:
    due = []
    for rows in (Opportunity.objects.due_to_expire(today), Opportunity.objects.due_to_revive(today)):
        if among is not None:
            rows = rows.filter(pk__in=among)
        found = rows.exclude(pk__in=passed_over).order_by("forecast_date", "pk").values_list("pk", flat=True)
        due += list(found[:BATCH])
    return due


def _settle(opportunity_id: int, report: Report, now: datetime) -> bool:
    """Bring one card in line with its dates, asked again under the lock; a row that somebody holds is theirs.

    Tells whether the card changed; a run passes over one that did not, so that it always comes to an end.
    """
    try:
        with transaction.atomic():
            card = (
                Opportunity.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
                .select_related("status", "hand_status")
                .filter(pk=opportunity_id)
                .first()
            )
            if card is None:
                return False
            before = history.snapshot(card)
            lifecycle.refresh(card, today=report.today)
            expired = str(card.workflow_status) == WorkflowStatus.EXPIRED
            kind = "expired" if expired else "revived"
            with history.acting(via=Event.Via.CLOCK):
                event = history.record(card, kind=kind, before=before, actor=None, now=now)
    except Exception:
        log.exception("The sweep could not settle a card.", extra={"opportunity": opportunity_id})
        report.failed += 1
        return False
    if event is None:
        return False
    if expired:
        report.expired += 1
    else:
        report.revived += 1
    return True


def claim_lazy_run(business: BusinessSettings, now: datetime) -> bool:
    """Tell one request of each local day, and only one, that the lazy run of that day is its to do."""
    today = business.local_date(now)
    unclaimed = BusinessSettings.objects.filter(pk=1).exclude(lazily_swept_on=today)
    return bool(unclaimed.update(lazily_swept_on=today))


def is_due(business: BusinessSettings, now: datetime) -> bool:
    """Tell whether the business's local day has moved on, or back, since the last finished run."""
    return business.is_set_up and business.swept_until != business.local_date(now)
