"""`make faults`, or `.venv/bin/python -m tests.faults --only clock,worker --cards 1000`."""

import argparse
import os
import platform
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import servers
from tests.faults.ground import Cluster, Finding, base, ground
from tests.faults.outages import all_faults

TOLD = servers.ROOT / "docs" / "faults.md"
INTRODUCTION = """# The faults

`make faults` really does each of these to a business of its own: a PostgreSQL (with fsync, as in production), a Redis,
Celery's workers and beat, the web server, a mail server. Afterwards `manage.py check_integrity` works every card out
again, and the history is counted. It needs `redis-server` and PostgreSQL's own programs. The beat is in a hurry here:
sweep and mails every four seconds instead of every five minutes and every minute.

The run writes this file. `--only worker,mails` does some of them, and writes nothing; `--cards` and `--mails` say how
many.
"""


def main() -> int:
    """Do the faults one after another, print and keep what was found; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Really do what may go wrong.")
    parser.add_argument("--only", default="", help="some of them: clock, worker, mails, beats, postgres, redis")
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
        finally:
            cluster.stop()
    if not given.only:
        TOLD.write_text(INTRODUCTION + "\n" + table(found))
    return 1 if any(each.wrong for each in found) else 0


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


def table(found: list[Finding]) -> str:
    """All findings, for people who read documentation."""
    lines = [
        f"Done on {datetime.now(UTC):%-d %B %Y at %H:%M} UTC, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores (load {os.getloadavg()[1]:.0f} by whatever else ran there).",
        "",
        "| fault | what was done | what was found | integrity | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in found:
        result = "**wrong**: " + "; ".join(each.wrong) if each.wrong else "right"
        lines.append(f"| {each.fault} | {each.done} | {each.found} | {result} | {each.seconds:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
