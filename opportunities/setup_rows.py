"""What all setup tables have in common: their order, and writing a row with its rules under the lock."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models, transaction

from opportunities import access
from opportunities.access import Person


def reorder(rows: models.QuerySet[Any], ids: Sequence[int], *, actor: Person | None) -> None:
    """Give the named rows their order, first to last; rows that are not named follow in the order they had.

    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    with transaction.atomic():
        present = list(rows.select_for_update(no_key=True).order_by("pk"))
        places = {pk: place for place, pk in enumerate(dict.fromkeys(ids))}
        ordered = sorted(present, key=lambda row: (places.get(row.pk, len(places)), row.sequence, row.pk))
        changed = [row for place, row in enumerate(ordered, start=1) if _moved(row, place)]
        rows.model._default_manager.bulk_update(changed, ["sequence"])


def _moved(row: Any, place: int) -> bool:
    moved: bool = row.sequence != place
    row.sequence = place
    return moved


def write(row: Any, fields: dict[str, Any], allowed: Iterable[str]) -> None:
    """Put the fields on the row, check them and save.

    :raises ValidationError: a field is out of its bounds, or the name is taken.
    :raises TypeError: a field that the table does not have.
    """
    unknown = set(fields) - set(allowed)
    if unknown:
        raise TypeError(f"{type(row).__name__} does not have {', '.join(sorted(unknown))}")
    for name, value in fields.items():
        setattr(row, name, value)
    row.full_clean()
    row.save()


def last_place(rows: models.QuerySet[Any]) -> int:
    """Return the order number of a row that is added at the end."""
    highest = rows.aggregate(highest=models.Max("sequence"))["highest"]
    return int(highest or 0) + 1
