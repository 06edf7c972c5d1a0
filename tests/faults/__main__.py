"""`make faults`, or `.venv/bin/python -m tests.faults --only clock,worker --cards 1000`."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import servers
from tests.faults import loops, outages
from tests.faults.ground import Cluster, Finding, Ground, base, ground

TOLD = servers.ROOT / "docs" / "faults.md"
INTRODUCTION = """# The faults

`make faults` really does each of these to a business of its own: a PostgreSQL (with fsync, as in production), a Redis,
Celery's workers and beat, the web server, a mail server. Afterwards `manage.py check_integrity` works every card out
again, and the history is counted. It needs `redis-server` and PostgreSQL's own programs. The beat is in a hurry here:
sweep and mails every four seconds instead of every five minutes and every minute. So is the job loop that does
Celery's work where there is no Redis.

Each run writes its rows into this file: `python -m tests.faults --only worker,mails` does some of them, `--cards` and
`--mails` say how many. "Right" means that all that is claimed was true, and that the integrity check found nothing.
"""
HEAD = """| fault | what was done | what was found | verdict | seconds | when (UTC) |
| --- | --- | --- | --- | --- | --- |"""


def main() -> int:
    """Do the faults one after another, print and keep what was found; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Really do what may go wrong.")
    parser.add_argument("--only", default="", help="some of them, by their names: clock,worker")
    parser.add_argument("--cards", type=int, default=3000, help="how many cards are due")
    parser.add_argument("--mails", type=int, default=10_000, help="how many mails wait")
    given = parser.parse_args()
    faults = all_faults({"cards": given.cards, "mails": given.mails})
    names = given.only.split(",") if given.only else list(faults)
    found: list[Finding] = []
    with TemporaryDirectory(prefix="stageboard-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        cluster = Cluster(folder)
        try:
            os.environ["DATABASE_URL"] = cluster.url
            copied = base(folder)
            for each in names:
                found.append(done := one(each, faults[each], copied, cluster, folder))
                print(said(done), flush=True)
                keep(done)
        finally:
            cluster.stop()
    return 1 if any(each.wrong for each in found) else 0


def all_faults(given: dict[str, int]) -> dict[str, Callable[[Ground], Finding]]:
    """Every fault by its short name, with the sizes of this run."""
    due, mails = given["cards"], given["mails"]
    return {
        "clock": outages.the_nights_when_the_clocks_change,
        "worker": lambda ground: outages.the_worker_is_killed_in_the_middle_of_the_sweep(ground, due),
        "mails": lambda ground: outages.mails_while_the_mail_server_is_away(ground, mails),
        "beats": lambda ground: outages.two_beats_at_once(ground, due // 2, max(100, mails // 10)),
        "loops": lambda ground: loops.loops_are_killed(ground, due, max(100, mails // 10)),
        "serve": lambda ground: loops.the_whole_product_is_killed(ground, due // 2, max(100, mails // 10)),
        "postgres": lambda ground: outages.postgresql_crashes_under_load(ground, 3),
        "redis": lambda ground: outages.redis_is_away_for_a_while(ground, due // 4, 20),
    }


def one(name, fault, copied, cluster, folder) -> Finding:
    """Do one fault, then look through the books."""
    began = time.monotonic()
    with ground(copied, cluster, folder) as place:
        try:
            finding = fault(place)
            finding.wrong += place.wrong_in_the_books()
        except Exception as error:
            traceback.print_exc()
            finding = Finding(name, "did not come to its end", wrong=[f"{type(error).__name__}: {error}"])
    finding.seconds = time.monotonic() - began
    return finding


def said(each: Finding) -> str:
    """A finding for the terminal."""
    verdict = "WRONG: " + "; ".join(each.wrong) if each.wrong else "right"
    return f"{each.fault} ({each.seconds:.0f} s): {each.done}.\n  {each.found or '-'}.\n  {verdict}."


def keep(each: Finding) -> None:
    """Write a finding into docs/faults.md, in the place of an earlier one of the same fault."""
    result = "**wrong**: " + "; ".join(each.wrong) if each.wrong else "right"
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M}, load {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores"
    row = f"| {each.fault} | {each.done} | {each.found} | {result} | {each.seconds:.0f} | {when} |"
    kept = TOLD.read_text().splitlines() if TOLD.exists() else []
    rows = {line.split(" | ")[0]: line for line in kept if line.startswith("| ")}
    for head in ("| fault", "| ---"):
        rows.pop(head, None)
    rows[f"| {each.fault}"] = row
    TOLD.write_text("\n".join([INTRODUCTION, HEAD, *rows.values()]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
