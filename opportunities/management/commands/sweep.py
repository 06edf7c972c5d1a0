"""`manage.py sweep`: settle now what the calendar made due; `--preview` only tells what the next midnight will do."""

from argparse import ArgumentParser
from typing import Any, override

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from opportunities import background, sweep


class Command(BaseCommand):
    """Runs the sweep once, for cron or by hand; safe beside any other run."""

    help = "Expire and revive what the calendar made due, once. With --preview: tell what the next midnight will do."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--preview", action="store_true", help="tell what the next run will do; write nothing")

    @override
    def handle(self, *args: Any, preview: bool, **options: Any) -> None:
        if preview:
            self._tell()
            return
        job = next(job for job in background.REGISTRY if job.name == "sweep")
        background.begin(job, timezone.now())
        report = background.keep(job, self._settle_all)
        said = ", ".join(f"{name} {value}" for name, value in report.items())
        self.stdout.write(f"Swept: {said}")
        if report["failed"] or report["stuck"]:
            raise CommandError("Some rows could not be settled; the log names them.")

    def _settle_all(self) -> dict[str, Any]:
        """Run until nothing is left: nobody goes on after this command. A run ends at midnight, and so does its day."""
        total: dict[str, Any] = {}
        while not total.get("finished"):
            found = sweep.run(timezone.now()).as_json()
            for name, value in found.items():
                adds_up = type(value) is int
                total[name] = total.get(name, 0) + value if adds_up else value
        return total

    def _tell(self) -> None:
        found = sweep.preview(timezone.now())
        for each in found.cards:
            before, after = each.before, each.after
            what = [
                f"{a} -> {b}" for a, b in ((before.workflow, after.workflow), (before.sales, after.sales)) if a != b
            ]
            what += [f"{agreement.number} expires" for agreement in each.agreements]
            what += ["is archived"] if each.archives else []
            self.stdout.write(f"{each.card.number}: {', '.join(what) or 'another rule decides'}")
        for agreement in found.agreements_on_no_card:
            self.stdout.write(f"{agreement.number}: expires")
        if not found.cards and not found.agreements_on_no_card:
            self.stdout.write("Nothing changes at the next midnight.")
