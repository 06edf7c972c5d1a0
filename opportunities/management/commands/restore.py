"""`manage.py restore FILE`: put a backup in the place of the whole database (`make restore FILE=… CONFIRM=yes`)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, override

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from opportunities import keeping


class Command(BaseCommand):
    """Checks the file, keeps what is there, restores, migrates, and checks every card."""

    help = "Restore a backup over the whole database. Stop web, worker, beat and loop first."
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="overwrite what is in the database now")

    @override
    def handle(self, *args: Any, file: Path, yes: bool, **options: Any) -> None:
        try:
            keeping.check(file)
            if keeping.is_in_use():
                if not yes:
                    raise CommandError(
                        f"{file} is a good backup, but the database is in use and would be overwritten. Stop web, "
                        f"worker, beat and loop, then: make restore FILE={file} CONFIRM=yes"
                    )
                kept = keeping.back_up(settings.DATA_DIR / "backups", timezone.now(), prefix="before-restore")
                self.stdout.write(f"What was there is kept in {kept}")
            keeping.restore(file)
        except (keeping.CannotKeep, OSError) as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(f"Restored {file}.")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("check_integrity", stdout=self.stdout)
