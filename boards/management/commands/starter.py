"""`manage.py starter`: the setup of a new installation."""

from typing import Any, override

from django.core.management.base import BaseCommand
from django.utils import timezone

from boards import starter as boards_starter
from opportunities import background, starter


class Command(BaseCommand):
    """Fills each setup table once; running it again changes nothing."""

    help = "Make the starter stages, statuses, reasons and board, once. What was deleted never comes back."
    requires_system_checks = ()

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        background.expect(now)
        filled = starter.fill(now) + boards_starter.fill(now)
        if options["verbosity"] > 0:
            done = f"Filled: {', '.join(filled)}." if filled else "Everything was set up before; nothing was changed."
            self.stdout.write(done)
