"""Taking cards off a setup row that goes: all of them, in chunks, each with its event, inside one transaction."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils.translation import ngettext

from opportunities import history
from opportunities.access import Person
from opportunities.models import Opportunity

CHUNK = 1000
NOTICED = 20_000
CARDS_A_MINUTE = 150_000
"""What SQLite does on a slow machine; measured 6,000 a second on two busy cores, half as many on the way back."""

type Values = dict[str, Any]
type Rows = QuerySet[Opportunity]

READ = (
    "pk",
    "version",
    "stage_id",
    "stage_entered_at",
    "status_id",
    "hand_status_id",
    "workflow_status",
    "sales_status",
    "sales_rule",
)


def cards(condition: Q) -> Rows:
    """Return cards as plain rows: the one place besides the verbs of a card where its protected columns are written.

    A setup row that goes is replaced by one that says the same about a card, so neither status changes.
    """
    return QuerySet(Opportunity).filter(condition)


def holds_others_up(count: int) -> str:
    """Say beforehand that an act on so many cards keeps others from saving; nothing where nobody would notice.

    It is one transaction, and SQLite has one writer at a time; on PostgreSQL only the same cards wait.
    """
    if connection.vendor != "sqlite" or count < NOTICED:
        return ""
    words = ngettext(
        "This takes about a minute. Until it is done, nobody else can save: choose a quiet moment.",
        "This takes about %(count)s minutes. Until it is done, nobody else can save: choose a quiet moment.",
        minutes := -(-count // CARDS_A_MINUTE),
    )
    return words % {"count": minutes}


def every_card(
    condition: Q,
    *,
    write: Callable[[Rows], object],
    changes: Callable[[Values], Values],
    kind: str,
    act: uuid.UUID | None = None,
    actor: Person | None,
    now: datetime,
) -> int:
    """Write to every card of the condition, count its version up and note one event each. Returns how many.

    The caller holds the transaction and the lock on the setup rows. Cards are locked in the order of their numbers.
    """
    act = act or uuid.uuid4()
    done, last = 0, 0
    while True:
        chunk = cards(condition & Q(pk__gt=last)).select_for_update(no_key=True).order_by("pk")
        before = list(chunk.values(*READ)[:CHUNK])
        if not before:
            return done
        rows = cards(Q(pk__in=[card["pk"] for card in before]))
        write(rows)
        rows.update(version=F("version") + 1)
        history.write_many(before, kind=kind, changes=changes, act=act, actor=actor, now=now)
        done, last = done + len(before), before[-1]["pk"]
