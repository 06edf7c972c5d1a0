"""Whom each event of history tells what: derived in the one place where events are written, in their transaction.

So a notice is never missed and never doubled, whatever wrote the event: page, link, bulk act or clock. Events that tell
nobody (moving a card, for one) cost nothing, others one statement. Nobody is told of their own acts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from opportunities.models import Event, Notice, Opportunity, Subject, way_of

SUBJECTS: Mapping[Notice.Kind, Subject] = {
    Notice.Kind.OPENED: Subject.OPENED,
    Notice.Kind.ACCEPTED: Subject.ANSWERED,
    Notice.Kind.DECLINED: Subject.ANSWERED,
    Notice.Kind.REMINDER: Subject.REMINDER,
    Notice.Kind.GIVEN: Subject.REASSIGNED,
    Notice.Kind.TAKEN: Subject.REASSIGNED,
    Notice.Kind.WON: Subject.RESULT,
    Notice.Kind.LOST: Subject.RESULT,
    Notice.Kind.VOIDED: Subject.CLOSED,
    Notice.Kind.CANCELED: Subject.CLOSED,
    Notice.Kind.EXPIRED: Subject.EXPIRED,
    Notice.Kind.LAPSING: Subject.LAPSING,
    Notice.Kind.MAIL_FAILED: Subject.MAIL_FAILED,
}
"""Under which subject people choose how they are told of each kind."""

_BY_ACT: Mapping[str, Notice.Kind] = {
    "voided": Notice.Kind.VOIDED,
    "canceled": Notice.Kind.CANCELED,
    "quote_viewed": Notice.Kind.OPENED,
    "agreement_viewed": Notice.Kind.OPENED,
    "quote_accepted": Notice.Kind.ACCEPTED,
    "agreement_signed": Notice.Kind.ACCEPTED,
    "quote_declined": Notice.Kind.DECLINED,
    "agreement_rejected": Notice.Kind.DECLINED,
}
"""What the act itself says; elsewhere the change of the card's statuses does."""

_MADE = frozenset({"created", "duplicated"})
_KEPT = {
    "document": "document",
    "recipient": "who",
    "name": "who",
    "note": "note",
    "decided_reason_label": "reason",
    "close_reason_label": "reason",
}
"""What the words of a notice take from the changes of its event, and what they call it."""


def of_event(event: Event, card: Opportunity) -> None:
    """Write the notices that an event of this card brings about."""
    told = dict(_whom(event, card))
    if not told:
        return
    parameters = _parameters(event, card)
    Notice.objects.bulk_create(
        notice(person_id, kind, card, event.at, parameters, event=event) for person_id, kind in told.items()
    )


def notice(
    person_id: int, kind: Notice.Kind, card: Opportunity, at: Any, parameters: Mapping[str, Any], **about: Any
) -> Notice:
    """Put a notice together, told by the way that its person chose; `about` is its event, or else what it is about."""
    named = {"number": card.number, "title": card.title, **parameters}
    way: Any = way_of(person_id, SUBJECTS[kind])
    return Notice(
        person_id=person_id, kind=kind.value, opportunity=card, parameters=named, way=way, created_at=at, **about
    )


def _whom(event: Event, card: Opportunity) -> Iterator[tuple[int, Notice.Kind]]:
    """Name who is told what; of two things about one person, the later one counts."""
    if event.via == Event.Via.IMPORT:
        return
    old, new = event.changes.get("salesperson_id", (None, card.salesperson_id))
    kind = _kind(event)
    if new is not None and new != event.actor_id and kind is not None:
        yield new, kind
    given = new if "salesperson_id" in event.changes or event.kind in _MADE else None
    if old is not None and old != event.actor_id and old != new:
        yield old, Notice.Kind.TAKEN
    if given is not None and given != event.actor_id and event.actor_id is not None:
        yield given, Notice.Kind.GIVEN


def _kind(event: Event) -> Notice.Kind | None:
    if event.kind in _BY_ACT:
        return _BY_ACT[event.kind]
    if event.workflow_from not in {"", event.workflow_to} and event.workflow_to == "expired":
        return Notice.Kind.EXPIRED
    return _result(event)


def _result(event: Event) -> Notice.Kind | None:
    if event.sales_from in {"", event.sales_to}:
        return None
    return {"won": Notice.Kind.WON, "lost": Notice.Kind.LOST}.get(event.sales_to)


def _parameters(event: Event, card: Opportunity) -> dict[str, Any]:
    """Keep what the words need, as it was then."""
    kept = {"act": event.kind}
    if event.actor_id is not None or event.via == Event.Via.LINK:
        kept["by"] = event.by
    for key, called in _KEPT.items():
        value = event.changes.get(key, (None, None))[1]
        if value and isinstance(value, str):
            kept[called] = value[:200]
    result = _result(event)
    if result is not None:
        kept["result"] = result.value
    if event.workflow_to == "expired" and card.forecast_date is not None:
        kept["day"] = card.forecast_date.isoformat()
    if "salesperson_id" in event.changes and card.salesperson_id == event.actor_id:
        kept["to"] = event.by
    return kept
