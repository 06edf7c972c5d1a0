"""How the installation fares, in figures: for the probes of those who run it. No card, no name, no secret."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, Min, Q, When

from opportunities import sweep
from opportunities.models import Agreement, BusinessSettings, JobSlot, Opportunity, OutgoingEmail

OLDEST_MAIL = timedelta(minutes=30)
"""A mail that waits for longer says that none goes out."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be so for the product to do its work, and a figure to it."""

    ok: bool
    seconds: int | None = None


def last_sweep(now: datetime) -> Check:
    """Tell how long ago the calendar was settled last, and whether that is as it should be."""
    slot = JobSlot.objects.filter(name="sweep").first()
    if slot is None:
        return Check(ok=True)
    ended = slot.last_finished_at
    return Check(
        ok=slot.alarm_at is None or slot.alarm_at > now,
        seconds=None if ended is None else max(0, round((now - ended).total_seconds())),
    )


def oldest_mail(now: datetime) -> Check:
    """Tell how long the mail that waits longest has waited; one that is not to leave before a time waits from then."""
    waiting = OutgoingEmail.objects.filter(state=OutgoingEmail.State.QUEUED)
    tried_or_due = waiting.filter(Q(attempts__gt=0) | Q(next_try_at__lte=now))
    since = Case(When(attempts=0, then=F("next_try_at")), default=F("created_at"))
    oldest = tried_or_due.aggregate(oldest=Min(since))["oldest"]
    age = timedelta(0) if oldest is None else now - oldest
    return Check(ok=age < OLDEST_MAIL, seconds=max(0, round(age.total_seconds())))


def mails() -> dict[str, int]:
    """Count the mails by what became of them."""
    return _counted(OutgoingEmail, "state")


def cards() -> dict[str, int]:
    """Count the cards by workflow status."""
    return _counted(Opportunity, "workflow_status")


def _counted(model: Any, name: str) -> dict[str, int]:
    rows = model._default_manager.order_by().values_list(name).annotate(count=Count("pk"))
    return {str(value): count for value, count in rows}


def due(now: datetime) -> dict[str, int]:
    """Count the rows whose dates say something else than what is stored: a sweep leaves none."""
    today = BusinessSettings.current().day_to_settle(now)
    expire, revive, documents = (rows.count() for rows in sweep.due(today))
    agreements = Agreement.objects.lapsed(today).count()
    return {"expire": expire, "revive": revive, "documents": documents, "agreements": agreements}


def jobs() -> list[JobSlot]:
    """Return how each background job went."""
    return list(JobSlot.objects.order_by("name"))
