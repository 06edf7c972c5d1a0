"""How a change to a card is noted: compared with what it was, saved, counted, and written down once."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from opportunities import news, telling
from opportunities.access import Person
from opportunities.models import Event, Opportunity
from opportunities.models.document import Document

FIELDS = (
    "title",
    "description",
    "type_id",
    "salesperson_id",
    "amount",
    "amount_by_hand",
    "probability",
    "forecast_date",
    "expiry_waived_for",
    "stage_id",
    "stage_entered_at",
    "rank",
    "workflow_status",
    "sales_status",
    "sales_rule",
    "status_id",
    "hand_status_id",
    "decided_on",
    "decided_by_id",
    "decided_reason_id",
    "decided_reason_label",
    "off_board",
    "hand_decided_on",
    "closed_kind",
    "close_reason_id",
    "close_reason_label",
    "close_note",
    "closed_by_id",
    "closed_at",
    "archived_at",
    "archive_clock_from",
)
"""What history compares, by attribute name."""

DERIVED = (
    "face",
    "search_key",
    "completed_on",
    "lost_because",
    "live_offer",
    "documents_hold_from",
    "documents_hold_until",
)
"""What is worked out from other facts and saved along; no history of its own."""

_via: ContextVar[str | None] = ContextVar("via", default=None)
_act: ContextVar[uuid.UUID | None] = ContextVar("act", default=None)
_by: ContextVar[str] = ContextVar("by", default="")


@contextmanager
def acting(*, via: str | None = None, act: uuid.UUID | None = None, by: str = "") -> Iterator[None]:
    """Note every event inside as one act (bulk), as coming through another door than the page, or as somebody's.

    `by` names who acted where that is no colleague: "Dr. A. Lowell by link".
    """
    tokens = (_via.set(via or _via.get()), _act.set(act or _act.get()), _by.set(by or _by.get()))
    try:
        yield
    finally:
        _via.reset(tokens[0])
        _act.reset(tokens[1])
        _by.reset(tokens[2])


@contextmanager
def one_act() -> Iterator[None]:
    """Note every event inside as one act: a verb that writes to two cards, or to a card and a document on none."""
    with acting(act=_act.get() or uuid.uuid4()):
        yield


def json_safe(value: Any) -> Any:
    """Turn a field's value into what history keeps: a text, number, boolean, list or nothing."""
    if value is None or isinstance(value, bool | int | str | list):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def snapshot(card: Opportunity) -> dict[str, Any]:
    """Remember how a card looks before an act changes it."""
    return {**{name: getattr(card, name) for name in FIELDS}, **{name: getattr(card, name) for name in DERIVED}}


def record(
    card: Opportunity,
    *,
    kind: str,
    before: dict[str, Any],
    actor: Person | None,
    now: datetime,
    also: dict[str, Any] | None = None,
    by: str = "",
    about: Document | None = None,
) -> Event | None:
    """Save what changed, count the version up and write the event. Without a change nothing is written.

    `also` holds changes of other rows that belong to the card, such as its customers or a note; `about` is the
    document that the act was done to.
    """
    changed = [name for name in FIELDS if getattr(card, name) != before[name]]
    derived = [name for name in DERIVED if getattr(card, name) != before[name]]
    if not changed and not also:
        if derived:
            card.save(update_fields=derived)
        return None
    card.version += 1
    card.save(update_fields=[*changed, *derived, "version"])
    changes = {name: [json_safe(before[name]), json_safe(getattr(card, name))] for name in changed}
    changes.update(also or {})
    return write(card, kind=kind, changes=changes, before=before, actor=actor, now=now, by=by, about=about)


def write(
    card: Opportunity,
    *,
    kind: str,
    changes: dict[str, Any],
    before: dict[str, Any],
    actor: Person | None,
    now: datetime,
    by: str = "",
    about: Document | None = None,
) -> Event:
    """Write the event of a change that is saved already, and tell whom it concerns."""
    event = Event.objects.create(
        **({} if about is None else {about.REF: about}),
        act=_act.get() or uuid.uuid4(),
        at=now,
        opportunity=card,
        kind=kind,
        actor=actor,
        by=by or _by.get() or label(actor),
        via=_via.get() or (Event.Via.CLOCK if actor is None else Event.Via.PAGE),
        changes=changes,
        version=card.version,
        workflow_from=before.get("workflow_status", ""),
        workflow_to=str(card.workflow_status),
        sales_from=before.get("sales_status", ""),
        sales_to=card.sales_status,
        rule=card.sales_rule,
    )
    card.last_event = event
    telling.of_event(event, card)
    news.spread()
    return event


def write_loose(
    document: Document, *, kind: str, changes: dict[str, Any], actor: Person | None, now: datetime
) -> Event:
    """Write the event of an act on a document that is on no card."""
    event: Event = Event.objects.create(
        **{document.REF: document},
        act=_act.get() or uuid.uuid4(),
        at=now,
        kind=kind,
        actor=actor,
        by=_by.get() or label(actor),
        via=_via.get() or (Event.Via.CLOCK if actor is None else Event.Via.PAGE),
        changes=changes,
        version=document.version,
    )
    document.last_event = event
    news.spread()
    return event


def write_many(
    cards: Sequence[dict[str, Any]],
    *,
    kind: str,
    changes: Callable[[dict[str, Any]], dict[str, Any]],
    act: uuid.UUID,
    actor: Person | None,
    now: datetime,
) -> None:
    """Write one event a card for a change of many rows that is saved already and left both statuses alone.

    Such a change (a deleted stage, an adopted status) tells nobody.

    `cards` are their values before it, with at least pk, version, workflow_status, sales_status and sales_rule.
    """
    by, via = label(actor), _via.get() or (Event.Via.CLOCK if actor is None else Event.Via.PAGE)
    Event.objects.bulk_create(
        Event(
            act=act,
            at=now,
            opportunity_id=card["pk"],
            kind=kind,
            actor=actor,
            by=by,
            via=via,
            changes=changes(card),
            version=card["version"] + 1,
            workflow_from=card["workflow_status"],
            workflow_to=card["workflow_status"],
            sales_from=card["sales_status"],
            sales_to=card["sales_status"],
            rule=card["sales_rule"],
        )
        for card in cards
    )
    news.spread()


def label(actor: Person | None) -> str:
    """The name that history keeps, whatever becomes of the person later."""
    if actor is None:
        return _("nightly run")
    return actor.get_full_name() or actor.get_username()


def touched_since(card: Opportunity, version: int) -> set[str]:
    """Tell which facts of the card were changed after the version that somebody saw."""
    touched: set[str] = set()
    for changes in Event.objects.filter(opportunity=card, version__gt=version).values_list("changes", flat=True):
        touched.update(changes)
    return touched
