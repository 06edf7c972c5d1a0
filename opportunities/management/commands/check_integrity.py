"""`manage.py check_integrity`: work every card and document out again and say what is stored otherwise."""

import sys
from argparse import ArgumentParser
from typing import Any, override

from django.core.management.base import BaseCommand
from django.utils import timezone

from opportunities import integrity


class Command(BaseCommand):
    """Prints each difference in words and exits with 1 if there is one; changes nothing without --repair."""

    help = "Compare every card and document with what its facts say. Exit code 1 if anything differs."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="bring cards in line with their facts, with history")

    @override
    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        look, found, broken = integrity.Look(), 0, 0
        last_card: int | None = None
        for difference in integrity.check(timezone.now(), look):
            self.stdout.write(str(difference))
            broken += 1
            if repair and difference.card_id is not None and difference.card_id != last_card:
                last_card = difference.card_id
                if integrity.repair(last_card, now=timezone.now()):
                    self.stdout.write(f"{difference.number}: was brought in line with its facts.")
                    found += 1
        said = f"Looked at {look.cards} cards and {look.documents} documents: "
        said += f"{broken} differences" if broken else "everything is what its facts say"
        self.stdout.write(f"{said}, {found} cards repaired." if repair else f"{said}.")
        if broken:
            sys.exit(1)
