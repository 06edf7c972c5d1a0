"""The setup that a new installation begins with: stages, statuses, reasons, groups and the business's one row.

Each table is filled once. What an admin deletes or renames afterwards stays deleted or renamed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, models, transaction
from django.utils.translation import gettext as _

from opportunities import access, mail, numbers
from opportunities.access import GROUPS, Person
from opportunities.keys import comparison_key
from opportunities.models import BusinessSettings, FilledTable, OpportunityStage, OpportunityStatus, Reason


def fill(now: datetime) -> list[str]:
    """Fill every setup table that was never filled. Returns their names; safe to repeat and to run twice at once."""
    numbers.begin_numbers(connection)
    for name in GROUPS.values():
        Group.objects.get_or_create(name=name)
    BusinessSettings.objects.get_or_create(pk=1)
    parts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("stages", lambda: _add(OpportunityStage, _stages())),
        ("statuses", lambda: _add(OpportunityStatus, _statuses())),
        ("reasons", lambda: _add(Reason, _reasons())),
    )
    filled = [name for name, make in parts if once(name, make, now)]
    for key in mail.PLACEHOLDERS:
        mail.template(key)
    return filled


def once(table: str, make: Callable[[], object], now: datetime) -> bool:
    """Let `make` fill a table unless that was done before; the memory and the rows are one transaction."""
    with transaction.atomic():
        _memory, fresh = FilledTable.objects.get_or_create(table=table, defaults={"at": now})
        if fresh:
            make()
    return fresh


def load_stages(*, actor: Person | None, now: datetime) -> list[OpportunityStage]:
    """Make the starter stages on an admin's word, where a business has none; names that are taken are left alone.

    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    with transaction.atomic():
        FilledTable.objects.get_or_create(table="stages", defaults={"at": now})
        taken = set(OpportunityStage.objects.values_list("name_key", flat=True))
        default_taken = OpportunityStage.objects.filter(is_default=True).exists()
        rows = [row for row in _stages() if comparison_key(row["name"]) not in taken]
        return [
            OpportunityStage.objects.create(**{**row, "is_default": row["is_default"] and not default_taken})
            for row in rows
        ]


def _add(model: type[models.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Make the rows, unless somebody was there first."""
    if model._default_manager.exists():
        return
    for row in rows:
        model._default_manager.create(**row)


def _stages() -> list[dict[str, Any]]:
    """The steps of a sale, after the source document; no name is one of a workflow status (K5)."""
    rows = (
        (_("Qualified lead"), 10, "slate", 14, _("There is a need, a budget and somebody who decides.")),
        (_("Solution identified"), 30, "blue", 14, _("We know what would help, and roughly what it costs.")),
        (_("Proposal presented"), 50, "violet", 10, _("The customer has seen our proposal and its price.")),
        (_("Decision pending"), 70, "amber", 10, _("All questions are answered; we wait for a yes or no.")),
        (_("Verbal commitment"), 90, "teal", 7, _("They said yes; the paper is still to come.")),
    )
    return [
        {
            "name": name,
            "sequence": place,
            "probability": probability,
            "colour": colour,
            "stale_after_days": stale_after_days,
            "description": description,
            "is_default": place == 1,
        }
        for place, (name, probability, colour, stale_after_days, description) in enumerate(rows, start=1)
    ]


def _statuses() -> list[dict[str, Any]]:
    """The five rows of the source document with their flags (K6, D42)."""
    rows: tuple[tuple[str, dict[str, bool]], ...] = (
        (_("Default"), {"is_default": True}),
        (_("Inactive"), {"inactive": True, "closed": True}),
        (_("Closed"), {"closed": True}),
        (_("Won"), {"closed": True, "won": True}),
        (_("Lost"), {"closed": True, "lost": True}),
    )
    return [{"name": name, "sequence": place, **flags} for place, (name, flags) in enumerate(rows, start=1)]


def _reasons() -> list[dict[str, Any]]:
    """The two lists (D24). The last two void reasons are meant for documents."""
    lists = {
        Reason.List.VOID: (
            _("Created by mistake"),
            _("Duplicate"),
            _("Wrong customer"),
            _("Test"),
            _("Replaced by another document"),
            _("Declined by the customer"),
        ),
        Reason.List.CANCEL: (
            _("Price"),
            _("Chose a competitor"),
            _("Postponed"),
            _("No longer needed"),
            _("No response"),
        ),
    }
    return [
        {"list": each, "label": label, "sequence": place}
        for each, labels in lists.items()
        for place, label in enumerate(labels, start=1)
    ]
