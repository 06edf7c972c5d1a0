"""`make bench`, or `.ci/on-postgres .venv/bin/python -m tests.bench --sizes 1000,10000`."""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import django


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the board and a move.")
    parser.add_argument("--sizes", default="1000,10000,100000", help="how many open cards, comma-separated")
    parser.add_argument("--shapes", default="even,skewed", help="even, skewed or both")
    parser.add_argument("--seconds", type=float, default=150, help="how long to measure, besides making the data")
    parser.add_argument("--json", default="bench.json", help="where the figures go, a key a figure")
    parser.add_argument("--strict", action="store_true", help="end with 1 if a target is missed")
    return parser.parse_args()


def main() -> int:
    """Make the businesses, measure, print."""
    given = arguments()
    if not os.environ.get("DATABASE_URL"):
        raise SystemExit("The benchmark runs on PostgreSQL: make bench (or set DATABASE_URL).")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.settings"
    django.setup()

    from tests.bench.business import businesses
    from tests.bench.measure import Run
    from tests.bench.report import Report

    started = time.monotonic()
    print("Making the businesses ...", flush=True)
    sizes = [int(size) for size in given.sizes.split(",")]
    with businesses(sizes, given.shapes.split(",")) as made:
        print(f"{len(made)} businesses after {time.monotonic() - started:.0f} s; measuring ...", flush=True)
        run = Run(made, given.seconds)
        run.measure()
        report = Report(run)
        report.print()
    figures = report.figures() | {"seconds": round(time.monotonic() - started), "python": platform.python_version()}
    Path(given.json).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    print(f"All figures: {given.json}. Took {figures['seconds']} s.")
    if report.wrong:
        return 2
    return 1 if given.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
