"""The registry of periodic jobs, the embedded loop, and handing work on after a commit."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from celery.schedules import crontab
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from opportunities import background
from opportunities.models import JobSlot
from tests import servers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
calls: list[str] = []


def note_a_call() -> dict[str, object]:
    calls.append("called")
    return {"more": len(calls) == 1}


def fail() -> None:
    raise ValueError("the customer is gone")


@pytest.fixture
def registry(monkeypatch):
    """A registry of one job that notes its calls."""
    calls.clear()
    only = background.Job("noting", "tests.test_background.note_a_call", timedelta(minutes=5), on_wake=True)
    monkeypatch.setattr(background, "REGISTRY", (only,))
    background._wake.clear()
    return only


def test_every_registered_job_names_a_celery_task():
    for job in background.REGISTRY:
        assert import_string(job.task).name == job.task


def test_beat_runs_the_jobs_of_the_registry():
    from config.celery import app

    beat = {name: (entry["task"], entry["schedule"]) for name, entry in app.conf.beat_schedule.items()}
    assert beat == {job.name: (job.task, job.when) for job in background.REGISTRY}


def test_a_crontab_names_the_next_slot_after_an_instant():
    nightly = background.Job("nightly", "x", crontab(hour="3", minute="20"))

    assert nightly.next_run(NOON) == datetime(2026, 11, 23, 3, 20, tzinfo=UTC)
    assert nightly.next_run(NOON.replace(hour=3, minute=20)) == datetime(2026, 11, 23, 3, 20, tzinfo=UTC)


@pytest.mark.django_db
class TestClaim:
    def test_a_slot_is_taken_once(self, registry):
        assert background.claim(registry, now=NOON)
        assert not background.claim(registry, now=NOON)

    def test_the_next_slot_is_due_after_the_interval(self, registry):
        background.claim(registry, now=NOON)

        assert not background.claim(registry, now=NOON + timedelta(minutes=4))
        assert background.claim(registry, now=NOON + timedelta(minutes=5))

    def test_a_clock_that_ran_ahead_does_not_stop_the_job(self, registry):
        background.claim(registry, now=NOON + timedelta(days=30))

        assert background.claim(registry, now=NOON)

    def test_a_clock_a_little_behind_does_not_run_a_slot_twice(self, registry):
        background.claim(registry, now=NOON + timedelta(seconds=40))

        assert not background.claim(registry, now=NOON)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_processes_one_takes_each_slot(registry):
    background.claim(registry, now=NOON)
    taken: list[bool] = []
    together = threading.Barrier(6)

    def take() -> None:
        together.wait()
        taken.append(background.claim(registry, now=NOON + timedelta(minutes=5)))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [False] * 5 + [True]


@pytest.mark.django_db
class TestRuns:
    def test_a_failure_is_kept_and_does_not_stop_the_other_jobs(self, registry, monkeypatch, caplog):
        failing = background.Job("failing", "tests.test_background.fail", timedelta(minutes=5))
        monkeypatch.setattr(background, "REGISTRY", (failing, registry))

        assert background.run_due() == ["failing", "noting"]

        assert JobSlot.objects.get(name="failing").last_error == "ValueError: the customer is gone"
        assert "a background job failed" in caplog.text
        assert calls == ["called"]

    def test_the_result_is_kept(self, registry):
        background.run_due()

        slot = JobSlot.objects.get(name="noting")
        assert slot.last_result == {"more": True}
        assert slot.last_error == ""
        assert slot.last_finished_at

    def test_a_woken_loop_runs_the_work_queue_before_its_slot(self, registry):
        background.run_due()

        assert background.run_due() == []
        assert background.run_due(woken=True) == ["noting"]

    def test_one_pass_for_cron_says_what_ran(self, registry, capsys):
        call_command("runjobs")
        call_command("runjobs")

        assert capsys.readouterr().out == "Ran: noting\nRan: nothing was due\n"

    def test_one_pass_for_cron_goes_on_until_nothing_is_left(self, registry):
        call_command("runjobs", "--once")

        assert calls == ["called", "called"]

    def test_the_loop_sleeps_until_the_next_slot_or_half_a_minute(self, registry):
        assert background.seconds_to_next() == 0
        background.claim(registry, now=timezone.now() - timedelta(minutes=4, seconds=50))
        assert 5 < background.seconds_to_next() <= 10
        background.claim(registry, now=timezone.now(), at_once=True)
        assert background.seconds_to_next() == background.LONGEST_WAIT


@pytest.mark.django_db(transaction=True)
def test_the_loop_goes_on_at_once_where_a_job_asks_for_more(registry):
    stop = background.start_loop()
    try:
        servers.wait_until(lambda: len(calls) >= 2, seconds=10, what="the second call")
    finally:
        stop()

    time.sleep(0.1)
    assert calls == ["called", "called"]


@pytest.mark.django_db(transaction=True)
def test_a_loop_that_starts_does_not_wait_for_the_slot_of_a_process_that_died(registry):
    calls.append("no more")
    background.claim(registry, now=timezone.now())  # and killed in the middle of it
    stop = background.start_loop()
    try:
        servers.wait_until(lambda: len(calls) == 2, seconds=5, what="the call")
    finally:
        stop()


@pytest.mark.django_db(transaction=True)
class TestAfterCommit:
    def test_wakes_the_loop_where_there_is_no_redis(self, registry):
        with transaction.atomic():
            background.after_commit("opportunities.tasks.work_off_bulk_acts", bulk_act_id=1)
            assert not background._wake.is_set()

        assert background._wake.is_set()

    def test_does_nothing_after_a_rollback(self, registry):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            background.after_commit("opportunities.tasks.work_off_bulk_acts", bulk_act_id=1)
            raise ZeroDivisionError

        assert not background._wake.is_set()

    def test_a_broker_that_is_away_is_logged_and_nothing_else(self, settings, caplog):
        from config.celery import app

        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{servers.free_port()}/0"
        app.conf.broker_url = settings.CELERY_BROKER_URL
        started = time.monotonic()

        with transaction.atomic():
            background.after_commit("opportunities.tasks.work_off_bulk_acts", bulk_act_id=1)

        assert "could not queue a task" in caplog.text
        assert time.monotonic() - started < 15, "nobody waits for a broker that is away"


def test_with_redis_the_worker_and_beat_run_the_jobs(own_database, redis_url):
    worker = servers.celery(own_database, redis_url, "worker", "--loglevel", "info", "--concurrency", "1")
    with worker as log:
        servers.wait_until(lambda: "ready." in log.read_text(), seconds=60, what="the worker")
        own_database.env["REDIS_URL"] = redis_url
        code = (
            "from django.db import transaction; from opportunities import background\n"
            "with transaction.atomic(): background.after_commit('opportunities.background.clear_ended_sessions')"
        )
        own_database.manage("shell", "--no-imports", "-c", code)

        done = "Task opportunities.background.clear_ended_sessions"
        servers.wait_until(lambda: log.read_text().count(done) >= 2, what="the task")
        assert "succeeded" in log.read_text()
        assert json.dumps("Traceback")[1:-1] not in log.read_text()
