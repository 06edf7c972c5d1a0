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
from time import perf_counter
from typing import Any, override

from celery import Task, current_app, shared_task
from celery.schedules import crontab
from django.conf import settings
from django.db import close_old_connections, connections, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string

from opportunities import trail

log = logging.getLogger("stageboard.jobs")

# A slot further away than the schedule allows was written by a clock that ran ahead. Small differences
# between the clocks of two machines must not count as that, or both would run every slot.
CLOCK_TOLERANCE = timedelta(hours=1)
LONGEST_WAIT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job: a name that stays, a task by its dotted name, and when it runs.

    `when` is an interval or a crontab (UTC). `on_wake` says that it also runs when somebody calls `wake()`.
    A task answers None or something JSON can hold; `{"more": True}` asks to be called again at once. Figures called
    "failed" and "stuck" raise the alarm for admins, as does a run that has not ended within `patience` of its slot.
    """

    name: str
    task: str
    when: timedelta | crontab
    on_wake: bool = False
    patience: timedelta = timedelta(minutes=30)

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
    Job("reminders", "opportunities.tasks.fire_reminders", timedelta(minutes=1)),
    Job("lapsing documents", "opportunities.tasks.tell_of_lapsing", timedelta(minutes=30)),
    Job("notices by mail", "opportunities.tasks.mail_notices", timedelta(minutes=1)),
    Job("morning digests", "opportunities.tasks.send_digests", timedelta(minutes=5)),
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
    asked_by = {"asked_by": trail.request_id.get(), "person": trail.person_id.get()}
    try:
        current_app.send_task(name, kwargs=ids, headers=asked_by, retry=False)
    except Exception:
        # What the user did is saved: it must not end in an error page because the broker is away.
        log.exception("could not queue a task; the periodic job will find its work", extra={"task": name, **ids})


_wake = threading.Event()
_stopping = threading.Event()


def wake() -> None:
    """Have the job loop of this process work off its queue now."""
    _wake.set()


# The embedded loop


def is_stopping() -> bool:
    """Tell whether the job loop of this process is to end: a job finishes the row at hand and leaves the rest."""
    return _stopping.is_set()


def stop() -> None:
    """Have the job loop of this process end soon."""
    _stopping.set()
    wake()


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
    result = None
    with trail.of_job(job.name):
        try:
            result = keep(job, job.run)
        except Exception:
            log.exception("a background job failed")
    return isinstance(result, dict) and result.get("more") is True


def keep(job: Job, work: Callable[[], Any]) -> Any:
    """Do a job's work and keep how it went: when, how long, with which result or error, and when to raise the alarm.

    :raises Exception: what the work raised.
    """
    result, error, begun = None, "", perf_counter()
    try:
        result = work()
        json.dumps(result)
        return result
    except Exception as failure:
        result, error = None, trail.without_rows(f"{type(failure).__name__}: {failure}", failure)
        raise
    finally:
        _note(job, result, error, perf_counter() - begun)


def _note(job: Job, result: Any, error: str, seconds: float) -> None:
    from opportunities.models import JobSlot

    ended = timezone.now()
    slot = JobSlot(name=job.name, last_result=result, last_error=error)
    wrong = slot.went_wrong
    JobSlot.objects.filter(name=job.name).update(
        last_finished_at=ended,
        last_result=result,
        last_error=error,
        last_seconds=seconds,
        seconds=F("seconds") + seconds,
        runs=F("runs") + 1,
        failures=F("failures") + (1 if wrong else 0),
        alarm_at=ended if wrong else job.next_run(ended) + job.patience,
    )
    log.log(logging.WARNING if wrong else logging.INFO, "job done", extra={"ms": round(seconds * 1000), "wrong": wrong})


def begin(job: Job, now: datetime) -> None:
    """Note that a worker of Celery starts a job; beat keeps the time there, so the next slot is only told."""
    from opportunities.models import JobSlot

    following = job.next_run(now)
    JobSlot.objects.update_or_create(name=job.name, defaults={"last_started_at": now, "next_run_at": following})


def expect(now: datetime) -> None:
    """Make the slots of jobs that never ran, so that admins are told if they do not begin to. Safe to repeat.

    Nobody misses a job that an update took away.
    """
    from opportunities.models import JobSlot

    JobSlot.objects.exclude(name__in=[job.name for job in REGISTRY]).delete()
    for job in REGISTRY:
        defaults = {"next_run_at": now, "alarm_at": job.next_run(now) + job.patience}
        JobSlot.objects.get_or_create(name=job.name, defaults=defaults)


def is_missed(name: str, now: datetime) -> bool:
    """Tell whether a job went wrong or did not run, so that nobody may leave its work to it."""
    from opportunities.models import JobSlot

    return JobSlot.objects.filter(name=name, alarm_at__lte=now).exists()


class JobTask(Task[Any, Any]):
    """A task as Celery's workers run it: its log lines say whose it is, and a periodic one keeps how it went.

    Called as a function, as the embedded loop does, it is the plain function.
    """

    abstract = True

    @override
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        job = next((each for each in REGISTRY if each.task == self.name), None)
        headers = self.request.headers or {}
        name = self.name if job is None else job.name
        with trail.of_job(name, asked_by=headers.get("asked_by") or "", person=headers.get("person")):
            if job is None:
                return super().__call__(*args, **kwargs)
            begin(job, timezone.now())
            return keep(job, partial(super().__call__, *args, **kwargs))


def run_due(*, woken: bool = False) -> list[str]:
    """Run every job whose slot is due (woken: the work queue too) and return their names."""
    ran = []
    for job in REGISTRY:
        if is_stopping():
            break
        if claim(job, now=timezone.now(), at_once=woken and job.on_wake):
            ran.append(job.name)
            if run(job):
                wake()
    return ran


def run_until_quiet() -> list[str]:
    """Run what is due, and on as long as a job says that it has more to do: after this pass nobody else goes on."""
    ran = run_due()
    while _wake.is_set() and not is_stopping():
        _wake.clear()
        ran += run_due(woken=True)
    return list(dict.fromkeys(ran))


def seconds_to_next() -> float:
    """Return how long the loop may sleep."""
    from opportunities.models import JobSlot

    names = [job.name for job in REGISTRY]
    soonest = min(JobSlot.objects.filter(name__in=names).values_list("next_run_at", flat=True), default=None)
    if soonest is None:
        return 0.0
    return min(max((soonest - timezone.now()).total_seconds(), 0.0), LONGEST_WAIT)


def loop() -> None:
    """Run jobs as they fall due, until `stop()` is called. Survives a database that is away.

    It begins as if woken: what a process that was killed has left does not wait for a slot that this process took.
    """
    woken = True
    while not is_stopping():
        wait = LONGEST_WAIT
        try:
            close_old_connections()
            run_due(woken=woken)
            wait = seconds_to_next()
        except Exception:
            log.exception("the job loop was interrupted; it goes on")
        finally:
            connections.close_all()
        woken = _wake.wait(0 if is_stopping() else wait)
        _wake.clear()


def start_loop() -> Callable[[], None]:
    """Start the loop in a daemon thread and return the function that stops it."""
    thread = threading.Thread(target=loop, name="jobs", daemon=True)
    thread.start()

    def end() -> None:
        stop()
        thread.join(timeout=5)
        if not thread.is_alive():
            _stopping.clear()

    return end


# Housekeeping that needs no rule


@shared_task
def clear_ended_sessions() -> None:
    """Delete the rows of sessions that ended."""
    from django.contrib.sessions.backends.db import SessionStore

    SessionStore.clear_expired()
