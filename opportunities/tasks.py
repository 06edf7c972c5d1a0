"""Celery's way in: each task reads the clock and calls one act. The embedded job loop calls the same functions."""

from dataclasses import asdict
from typing import Any

from celery import shared_task
from django.utils import timezone

from opportunities import bulk, lapsing, notice_mails, outbox, reminders, undelivered
from opportunities import sweep as sweeping
from opportunities.background import after_commit, is_stopping

BULK_SECONDS = 10.0
MAIL_SECONDS = 20.0
SWEEP_SECONDS = 30.0


@shared_task
def sweep(**_future: Any) -> dict[str, object]:
    """Settle what the clock made due, for a while; then let the other jobs have their turn, and go on.

    A worker's time limit is never reached however many rows are due, and a process that is to stop does so soon.
    """
    report = sweeping.run(timezone.now(), seconds=SWEEP_SECONDS, stopping=is_stopping)
    if not report.finished and not is_stopping():
        after_commit("opportunities.tasks.sweep")
    return report.as_json()


@shared_task
def work_off_bulk_acts(**_future: Any) -> dict[str, object]:
    """Work off the bulk acts that wait, for a while; then let the other jobs have their turn, and go on."""
    left = bulk.work_off(timezone.now(), seconds=BULK_SECONDS)
    if left:
        after_commit(bulk.WORKER)
    return {"finished": not left}


@shared_task
def fire_reminders(**_future: Any) -> dict[str, object]:
    """Tell the reminders that are due."""
    return reminders.fire(timezone.now()).as_json()


@shared_task
def tell_of_lapsing(**_future: Any) -> dict[str, object]:
    """Tell of the documents that lapse soon."""
    return {"told": lapsing.tell(timezone.now())}


@shared_task
def mail_notices(**_future: Any) -> dict[str, object]:
    """Tell of mails that could not be delivered, then mail the notices that are wanted by mail at once."""
    undelivered.tell(timezone.now())
    return notice_mails.send_at_once(timezone.now())


@shared_task
def send_digests(**_future: Any) -> dict[str, object]:
    """Send the mails of the morning, once it is morning."""
    return notice_mails.send_digests(timezone.now())


@shared_task
def send_mails(**_future: Any) -> dict[str, object]:
    """Send the mails that are due, for a while; then let the other jobs have their turn, and go on."""
    report = outbox.send_due(timezone.now(), seconds=MAIL_SECONDS, stopping=is_stopping)
    if report.more and not is_stopping():
        after_commit(outbox.SENDER)
    return asdict(report)
