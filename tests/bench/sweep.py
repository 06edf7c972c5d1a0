"""The sweep at scale: how many due cards a second, in how much memory, with how many statements, and who waits for it.

`.ci/on-postgres .venv/bin/python -m tests.bench.sweep --due 100000`. One worker sweeps, as `manage.py sweep` does;
another process moves cards by the verb of a drop meanwhile. Before and after, the plans of the sweep's questions.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import django
import psycopg

from tests import servers

WORKER = """
import json, resource, time
from pathlib import Path
from django.db import connection
from django.utils import timezone
from opportunities import sweep
import psutil

statements, memory, settled, me = 0, [], 0, psutil.Process()

def count(execute, sql, params, many, context):
    global statements
    statements += not sql.startswith(("SAVEPOINT", "RELEASE"))
    return execute(sql, params, many, context)

real = sweep._settle
def settle(card_id, report, now):
    global settled
    settled += 1
    if settled % 500 == 1:
        memory.append(me.memory_info().rss)
    return real(card_id, report, now)
sweep._settle = settle
with connection.execute_wrapper(count):
    begun, busy = time.perf_counter(), time.process_time()
    report = sweep.run(timezone.now())
    took, busy = time.perf_counter() - begun, time.process_time() - busy
told = {"report": report.as_json(), "seconds": took, "cpu": busy}
print(json.dumps(told | {"statements": statements, "memory": memory}))
"""

MOVER = """
import json, random, sys, time
from pathlib import Path
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import Opportunity, OpportunityStage

stop, chance = Path(sys.argv[1]), random.Random(1)
cards = list(Opportunity.objects.filter(archived_at=None).values_list("pk", flat=True))
stages = list(OpportunityStage.objects.values_list("pk", flat=True))
took = []
while not stop.exists() or len(took) < 50:
    begun = time.perf_counter()
    pipeline.move(opportunity_id=chance.choice(cards), stage_id=chance.choice(stages), actor=None, now=timezone.now())
    took.append(1000 * (time.perf_counter() - begun))
    time.sleep(0.02)
    if len(sys.argv) > 2 and len(took) >= int(sys.argv[2]):
        break
print(json.dumps(took))
"""

PLANS = """
import json
from django.utils import timezone
from opportunities import sweep
from opportunities.models import Agreement

today = timezone.now().date()
found = {}
asked = dict(zip(("expire", "revive", "documents"), sweep.due(today), strict=True))
asked["agreements"] = Agreement.objects.lapsed(today)
for name, rows in asked.items():
    plan = sweep.next_batch(rows, 0).explain(analyze=True)
    found[name] = plan
print(json.dumps(found))
"""


def _command(script: str, *arguments: str) -> list[str]:
    from tests.bench.business import BOOT

    return [sys.executable, "-c", BOOT + script, *arguments]


def _asked(script: str, env: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(_command(script, *arguments), cwd=servers.ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.strip().rpartition("\n")[2])


def _said(took: list[float]) -> str:
    ordered = sorted(took)
    p50, p95 = (ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] for percent in (50, 95))
    return f"{len(took)} moves, p50 {p50:.1f} ms, p95 {p95:.1f} ms, longest {ordered[-1]:.1f} ms"


def _print_plans(words: str, plans: dict[str, str]) -> None:
    print(f"\nWhat the sweep asks, {words}:")
    for name, plan in plans.items():
        lines = [line.strip().removeprefix("->  ") for line in plan.splitlines()]
        nodes = [line.partition("  (")[0] for line in lines if " Scan" in line]
        took = next(line for line in lines if line.startswith("Execution Time"))
        print(f"  {name:<11} {took.removeprefix('Execution Time: '):>10}  {'; '.join(nodes)}")


def main() -> None:
    """Make a business, make cards due, sweep while somebody moves cards, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sweep")
    parser.add_argument("--due", type=int, default=10_000, help="how many cards are due")
    parser.add_argument("--cards", type=int, default=0, help="how many open cards there are; the due ones unless told")
    given = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.settings"
    django.setup()
    from tests.bench import data
    from tests.bench.business import PASSWORD, PREPARE, SELLERS, _database, _run

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="stageboard-bench-")))
        url = stack.enter_context(_database("sweep"))
        env = servers.environment(folder / "data", url) | {"DJANGO_SETTINGS_MODULE": "tests.bench.settings"}
        for command in (["migrate", "-v0"], ["starter", "-v0"]):
            _run([sys.executable, "manage.py", *command], env)
        known = _asked(PREPARE, env, json.dumps([PASSWORD, SELLERS]))
        setup = data.Setup(tuple(known["stages"]), known["statuses"], tuple(known["sellers"]))
        now = dt.datetime.now(dt.UTC)
        table = "opportunities_opportunity"
        with psycopg.connect(url, autocommit=True) as connection:
            data.fill(connection, size=max(given.cards, given.due), shape="even", setup=setup, now=now)
            connection.execute(
                "UPDATE opportunities_opportunity SET workflow_status = 'prospect', forecast_date = NULL"
            )
            due = f"UPDATE {table} SET forecast_date = current_date - 1 WHERE id < %s"
            connection.execute(due, [data.FIRST_NUMBER + given.due])
            connection.execute("VACUUM ANALYZE")
        _print_plans(f"{given.due:,} cards being due", _asked(PLANS, env))
        stop = folder / "stop"
        stop.touch()
        alone = _asked(MOVER, env, str(stop))
        stop.unlink()
        mover = subprocess.Popen(
            _command(MOVER, str(stop)), cwd=servers.ROOT, env=env, stdout=subprocess.PIPE, text=True
        )
        time.sleep(1)
        swept = _asked(WORKER, env)
        stop.touch()
        beside = json.loads(mover.communicate()[0].strip().rpartition("\n")[2])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")
        _print_plans("none being due", _asked(PLANS, env))
    report, memory = swept["report"], [size / 1e6 for size in swept["memory"]]
    done, seconds = report["expired"], swept["seconds"]
    print(f"\nSwept {done:,} cards in {seconds:.0f} s: {done / seconds:.0f} a second,", end=" ")
    print(f"{swept['statements'] / max(1, report['due']):.1f} statements and", end=" ")
    print(f"{1000 * swept['cpu'] / max(1, report['due']):.1f} ms of the worker's CPU a card;", end=" ")
    print(f"{report['failed']} failed, {report['stuck']} stuck.")
    print("Memory:", ", ".join(f"{memory[len(memory) * part // 4 - (part == 4)]:.0f} MB" for part in range(5)))
    print(f"A person on an idle database: {_said(alone)}.")
    print(f"A person beside the sweep:    {_said(beside)}.")


if __name__ == "__main__":
    main()
