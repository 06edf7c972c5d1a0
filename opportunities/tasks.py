"""Celery's way in: each task reads the clock and calls one act. The embedded job loop calls the same functions."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from opportunities import bulk, lapsing, notice_mails, reminders, undelivered
from opportunities import sweep as sweeping
from opportunities.background import after_commit

BULK_SECONDS = 10.0


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
