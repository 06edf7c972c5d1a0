"""`manage.py runjobs`: one pass over the periodic jobs that are due, for cron; `--loop` goes on until stopped."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any, override

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from opportunities import background


class Command(BaseCommand):
    """Runs background jobs where there is no Redis."""

    help = "Run the periodic jobs that are due (once, or with --loop until stopped). Not needed where Celery runs."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="one pass, as without any option; for cron, every minute")
        how.add_argument("--loop", action="store_true", help="go on until stopped")

    @override
    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        if not loop:
            self.stdout.write("Ran: " + (", ".join(background.run_until_quiet()) or "nothing was due"))
            return
        if settings.CELERY_BROKER_URL:
            raise CommandError("REDIS_URL is set, so Celery runs the jobs: start its worker and its beat instead.")

        def stop(*_: object) -> None:
            # In a thread: this one may hold the very lock that setting the event takes.
            threading.Thread(target=background.stop).start()

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        self.stdout.write("Running background jobs. Stop with Ctrl-C.")
        background.loop()
