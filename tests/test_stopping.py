"""A process that is to stop does so soon, finishes the row at hand, and the next one goes on where it was."""

import signal
import subprocess
import sys
import time

import pytest

from opportunities import sweep
from tests import servers
from tests.documents import YESTERDAY, at, deal
from tests.factories import NOW

CARDS = """
from datetime import timedelta
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import BusinessSettings, Opportunity
now = timezone.now()
BusinessSettings.objects.filter(pk=1).update(name="Harbor", swept_until=None)
then = now - timedelta(days=9)
for n in range(%d):
    pipeline.create(title=f"Card {n}", forecast_date=(now - timedelta(days=3)).date(), actor=None, now=then)
"""
EXPIRED = "SELECT count(*) FROM opportunities_opportunity WHERE workflow_status = 'expired'"
EVENTS = "SELECT count(*) FROM opportunities_event WHERE kind = 'expired'"


@pytest.fixture
def due(own_database):
    """A database with many due cards."""
    own_database.manage("starter")
    own_database.manage("shell", "--no-imports", "-c", CARDS % 600)
    assert own_database.sql(EXPIRED) == [(0,)]
    return own_database


def stopped_in_the_middle(due, process, seconds=30):
    """Stop the process once it has begun to sweep; tell how long it took to end."""
    servers.wait_until(lambda: due.sql(EXPIRED)[0][0] > 5, seconds=60, what="the sweep")
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(seconds)
    return time.monotonic() - begun


def all_whole(due):
    (expired,), (events,) = due.sql(EXPIRED)[0], due.sql(EVENTS)[0]
    assert expired == events, "each card that expired has its history, and no other"
    printed = due.manage("check_integrity")
    assert "everything is what its facts say" in printed
    return expired


def test_the_job_loop_stops_after_the_row_at_hand_and_the_next_run_goes_on(due):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runjobs", "--loop"], cwd=servers.ROOT, env=due.env, stdout=subprocess.DEVNULL
    )
    stopped_in_the_middle(due, process)

    assert process.returncode == 0
    assert all_whole(due) < 600, "it stopped in the middle"
    due.manage("sweep")
    assert all_whole(due) == 600


def test_the_whole_product_stops_in_the_middle_of_a_sweep(due):
    with servers.serving(due) as server:
        stopped_in_the_middle(due, server.process)
        assert "Stopped." in server.text()
    assert all_whole(due) <= 600


def test_a_worker_of_celery_finishes_the_sweep_at_hand_and_ends(due, redis_url):
    with servers.celery(due, redis_url, "worker", "--loglevel", "info", "--concurrency", "1") as log:
        servers.wait_until(lambda: "ready." in log.read_text(), seconds=60, what="the worker")
        asked = "from opportunities import background; background.after_commit('opportunities.tasks.sweep')"
        due.env["REDIS_URL"] = redis_url
        due.manage("shell", "--no-imports", "-c", asked)
        servers.wait_until(lambda: due.sql(EXPIRED)[0][0] > 5, seconds=60, what="the sweep")
    del due.env["REDIS_URL"]

    assert '"job": "sweep"' in log.read_text() or "job=sweep" in log.read_text()
    all_whole(due)
    slot = due.sql("SELECT runs, failures FROM opportunities_jobslot WHERE name = 'sweep'")
    assert slot == [(1, 0)]


@pytest.mark.django_db
def test_a_halted_run_leaves_the_rest_and_says_so():
    for _ in range(3):
        deal(forecast_date=YESTERDAY, now=at(-2))
    answers = iter([False, True])

    report = sweep.run(NOW, stopping=lambda: next(answers))

    assert (report.expired, report.finished) == (1, False)
