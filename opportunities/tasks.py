"""Celery's way in: each task reads the clock and calls one act. The embedded job loop calls the same functions."""

from dataclasses import asdict
from typing import Any

from celery import shared_task
from django.utils import timezone

from opportunities import bulk, outbox
from opportunities import sweep as sweeping
from opportunities.background import after_commit

BULK_SECONDS = 10.0
MAIL_SECONDS = 20.0


@shared_task
def sweep(**_future: Any) -> dict[str, object]:
    """Settle what the clock made due."""
    return sweeping.run(timezone.now()).as_json()


@shared_task
def work_off_bulk_acts(**_future: Any) -> dict[str, object]:
    """Work off the bulk acts that wait, for a while; then let the other jobs have their turn, and go on."""
    left = bulk.work_off(timezone.now(), seconds=BULK_SECONDS)
    if left:
        after_commit(bulk.WORKER)
    return {"finished": not left}


@shared_task
def send_mails(**_future: Any) -> dict[str, object]:
    """Send the mails that are due, for a while; then let the other jobs have their turn, and go on."""
    report = outbox.send_due(timezone.now(), seconds=MAIL_SECONDS)
    if report.more:
        after_commit(outbox.SENDER)
    return asdict(report)
