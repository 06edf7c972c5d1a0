"""`manage.py sample`: the sample business, in a database that holds nothing else."""

from typing import Any, override

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from boards import sample
from opportunities.sample import NotFresh, demo_logins

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Command(BaseCommand):
    """Makes the sample business once; its demo logins are for this machine only."""

    help = "Make the sample business with its demo logins, in an empty database of this machine."
    requires_system_checks = ()

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if settings.SITE.hostname not in LOOPBACK:
            raise CommandError(
                f"STAGEBOARD_URL is {settings.STAGEBOARD_URL}: the sample has logins whose passwords everybody knows, "
                "so it is only made where nobody but this machine gets in."
            )
        try:
            with transaction.atomic():
                made = sample.fill(timezone.now())
        except NotFresh as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] > 0:
            self.stdout.write(f"Made the sample business with {made} opportunities. Log in as:")
            for name, password, role in demo_logins():
                self.stdout.write(f"  {name:<5} password {password}  ({role})")
