"""`manage.py backup`: the whole database in one dated file, while the product runs (`make backup`)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, override

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from opportunities import keeping


class Command(BaseCommand):
    """Writes a backup and checks it."""

    help = "Back the whole database up into one dated file. The product may run meanwhile."
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        folder = settings.DATA_DIR / "backups"
        parser.add_argument("--to", type=Path, default=folder, help=f"the folder; {folder} unless told")

    @override
    def handle(self, *args: Any, to: Path, **options: Any) -> None:
        try:
            file = keeping.back_up(to, timezone.now())
        except (keeping.CannotKeep, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Backed up to {file} ({file.stat().st_size / 1e6:.1f} MB), and the file was checked.")
        where = "the variable SECRET_KEY" if settings.PRODUCTION_FORM else f"{settings.DATA_DIR / 'secret_key'}"
        self.stdout.write(
            f"The secret key is not in it: keep {where} apart from it. Without the key people log in again, and "
            "private links of customers end. Keep the backup on another machine."
        )
