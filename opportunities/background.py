"""When background work runs: the registry of periodic jobs, the embedded loop, and handing work on after a commit.

This is an edge: it reads the clock and calls the task shims. With Redis, Celery's beat and workers run the same
registry; without, the loop here does, in the web server's process or in `manage.py runjobs`.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from celery import Task, current_app, shared_task
from celery.schedules import crontab
from django.conf import settings
from django.db import close_old_connections, connections, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

log = logging.getLogger("stageboard.jobs")

# A slot further away than the schedule allows was written by a clock that ran ahead. Small differences
# between the clocks of two machines must not count as that, or both would run every slot.
CLOCK_TOLERANCE = timedelta(hours=1)
LONGEST_WAIT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job: a name that stays, a task by its dotted name, and when it runs.

    `when` is an interval or a crontab (UTC). `on_wake` says that it also runs when somebody calls `wake()`.
    A task answers None or something JSON can hold; `{"more": True}` asks to be called again at once.
    """

    name: str
    task: str
    when: timedelta | crontab
    on_wake: bool = False

    def next_run(self, after: datetime) -> datetime:
        """Return the first slot after that instant."""
        if isinstance(self.when, timedelta):
            return after + self.when
        last: datetime
        wait: timedelta
        last, wait, _ = self.when.remaining_delta(after.astimezone(UTC))
        return last + wait

    def run(self) -> Any:
        """Call the task in this thread."""
        return import_string(self.task)()


REGISTRY: tuple[Job, ...] = (
    # The tick is short; the task itself asks whether the business's day has changed or an hour has passed.
    Job("sweep", "opportunities.tasks.sweep", timedelta(minutes=5), on_wake=True),
    Job("bulk acts", "opportunities.tasks.work_off_bulk_acts", timedelta(minutes=1), on_wake=True),
    Job("mails", "opportunities.tasks.send_mails", timedelta(minutes=1), on_wake=True),
    Job("ended sessions", "opportunities.background.clear_ended_sessions", crontab(hour="3", minute="20")),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Return the registry in the form of Celery's `beat_schedule`."""
    return {job.name: {"task": job.task, "schedule": job.when} for job in REGISTRY}


# Handing work on


def after_commit(task: "str | Task[..., Any]", **ids: int | str) -> None:
    """Have the task run soon after the transaction commits; after a rollback nothing happens.

    Without Redis this only wakes the job loop: the task finds its work in the database, and no request
    waits for it. It must do so anyway, because a broker that is away loses the call (and only the call).
    """
    transaction.on_commit(partial(_hand_over, task, ids), robust=True)


def _hand_over(task: "str | Task[..., Any]", ids: dict[str, int | str]) -> None:
    if not settings.CELERY_BROKER_URL:
        wake()
        return
    name = task if isinstance(task, str) else task.name
    try:
        current_app.send_task(name, kwargs=ids, retry=False)
    except Exception:
        # What the user did is saved: it must not end in an error page because the broker is away.
        log.exception("could not queue a task; the periodic job will find its work", extra={"task": name, **ids})


_wake = threading.Event()


def wake() -> None:
    """Have the job loop of this process work off its queue now."""
    _wake.set()


# The embedded loop


def claim(job: Job, *, now: datetime, at_once: bool = False) -> bool:
    """Take the job's slot if it is due (or at once). Of several processes, one gets True."""
    from opportunities.models import JobSlot

    slot, _ = JobSlot.objects.get_or_create(name=job.name, defaults={"next_run_at": now})
    following = job.next_run(now)
    due = slot.next_run_at <= now or slot.next_run_at > following + CLOCK_TOLERANCE
    if not (due or at_once):
        return False
    seen = JobSlot.objects.filter(pk=slot.pk, next_run_at=slot.next_run_at, last_started_at=slot.last_started_at)
    return bool(seen.update(next_run_at=following, last_started_at=now))


def run(job: Job) -> bool:
    """Run a claimed job and keep how it went; return whether it asks for more. Its failure is logged, not raised."""
    from opportunities.models import JobSlot

    result, error = None, ""
    try:
        result = job.run()
        json.dumps(result)
    except Exception as failure:
        log.exception("a background job failed", extra={"job": job.name})
        result, error = None, f"{type(failure).__name__}: {failure}"
    JobSlot.objects.filter(name=job.name).update(last_finished_at=timezone.now(), last_result=result, last_error=error)
    return isinstance(result, dict) and result.get("more") is True


def run_due(*, woken: bool = False) -> list[str]:
    """Run every job whose slot is due (woken: the work queue too) and return their names."""
    ran = []
    for job in REGISTRY:
        if claim(job, now=timezone.now(), at_once=woken and job.on_wake):
            ran.append(job.name)
            if run(job):
                wake()
    return ran


def seconds_to_next() -> float:
    """Return how long the loop may sleep."""
    from opportunities.models import JobSlot

    names = [job.name for job in REGISTRY]
    soonest = min(JobSlot.objects.filter(name__in=names).values_list("next_run_at", flat=True), default=None)
    if soonest is None:
        return 0.0
    return min(max((soonest - timezone.now()).total_seconds(), 0.0), LONGEST_WAIT)


def loop(stopping: threading.Event) -> None:
    """Run jobs as they fall due, until `stopping` is set and `wake()` is called. Survives a database that is away."""
    woken = False
    while not stopping.is_set():
        wait = LONGEST_WAIT
        try:
            close_old_connections()
            run_due(woken=woken)
            wait = seconds_to_next()
        except Exception:
            log.exception("the job loop was interrupted; it goes on")
        finally:
            connections.close_all()
        woken = _wake.wait(wait)
        _wake.clear()


def start_loop() -> Callable[[], None]:
    """Start the loop in a daemon thread and return the function that stops it."""
    stopping = threading.Event()
    thread = threading.Thread(target=loop, args=(stopping,), name="jobs", daemon=True)
    thread.start()

    def stop() -> None:
        stopping.set()
        wake()
        thread.join(timeout=5)

    return stop


# Housekeeping that needs no rule


@shared_task
def clear_ended_sessions() -> None:
    """Delete the rows of sessions that ended."""
    from django.contrib.sessions.backends.db import SessionStore

    SessionStore.clear_expired()
