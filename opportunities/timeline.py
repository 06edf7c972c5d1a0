"""The story of a card: its events as sentences that say what happened, who or what caused it, and both statuses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import formats
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from opportunities import access, days, history, pipeline, timeline_documents
from opportunities.access import Person
from opportunities.models import (
    Agreement,
    BusinessSettings,
    Contact,
    Customer,
    Event,
    Job,
    Note,
    Opportunity,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
)
from opportunities.models.document import Document
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.money import format_money
from opportunities.timeline_kinds import KINDS as KINDS

PAGE = 20
LONG = 80
"""Texts longer than this are said to have changed, not quoted."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One of the two statuses before and after, in words."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, ready to be shown. `undoable`: the reader may take it back now."""

    pk: int
    sentence: str
    details: tuple[str, ...]
    text: str
    statuses: tuple[StatusChange, ...]
    by: str
    at: datetime
    when: str
    when_full: str
    tone: str
    undoable: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of the story, newest first; `older` is where the next page begins, None at the end."""

    entries: tuple[Entry, ...]
    older: int | None


def of(
    card: Opportunity, *, reader: Person, business: BusinessSettings, now: datetime, before: int | None = None
) -> Timeline:
    """Read a page of a card's history. The number of statements does not grow with the number of events."""
    events, older = _page(Event.objects.filter(opportunity=card), before)
    words = _Words(events, business, reader, card.pk)
    newer = history.touched_since(card, events[0].version) if before is not None and events else set()
    entries = []
    for event in events:
        entries.append(words.entry(event, now, undoable=_undoable(card, event, newer, reader, now)))
        newer |= set(event.changes)
    return Timeline(entries=tuple(entries), older=older)


def of_document(
    document: Document, *, reader: Person, business: BusinessSettings, now: datetime, before: int | None = None
) -> Timeline:
    """Read a page of a document's history, whatever cards it was on; of those, only what the reader may see.

    An act that two cards noted (it left the one for the other) is told once. Nothing here can be undone.
    """
    about = Q(**{document.REF: document})
    if isinstance(document, Job) and document.quote_id is not None:
        about |= Q(quote=document.quote_id, kind="quote_converted", changes__job__1=document.number)
    if isinstance(document, Agreement) and document.replaces_id is not None:
        about |= Q(agreement=document.replaces_id, kind="agreement_replaced", changes__copy__1=document.number)
    seen = Q(opportunity=None) | Q(opportunity__in=Opportunity.objects.visible_to(reader).values("pk"))
    same = Event.objects.filter(
        seen, act=OuterRef("act"), kind=OuterRef("kind"), opportunity__isnull=False, **{document.REF: document}
    )
    newer = same.filter(pk__gt=OuterRef("pk"))
    once = Q(~Exists(newer), opportunity__isnull=False) | Q(~Exists(same), opportunity=None)
    events, older = _page(Event.objects.filter(about & seen & once), before)
    words = _Words(events, business, reader, None)
    return Timeline(entries=tuple(words.entry(event, now, undoable=False) for event in events), older=older)


def _page(rows: QuerySet[Event], before: int | None) -> tuple[Sequence[Event], int | None]:
    """Read the newest events, or those before one, and tell where the next page begins."""
    rows = rows.order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    events = list(rows[: PAGE + 1])
    return events[:PAGE], events[PAGE - 1].pk if len(events) > PAGE else None


def _undoable(card: Opportunity, event: Event, newer: set[str], reader: Person, now: datetime) -> bool:
    """Tell whether to offer the undo; the verb judges again under its lock."""
    if event.kind not in pipeline.UNDOABLE or now - event.at > pipeline.UNDO_WITHIN or card.is_closed:
        return False
    if newer & set(event.changes):
        return False
    return event.actor_id == reader.pk or access.may(reader, "undo_others", card)


def field_names() -> dict[str, str]:
    """Name the facts of a card that history tells of, by the name that an event keeps them under."""
    return {
        "title": _("Title"),
        "description": _("Description"),
        "customers": _("Customers"),
        "type_id": _("Type"),
        "salesperson_id": _("Salesperson"),
        "amount": _("Amount"),
        "probability": _("Probability"),
        "forecast_date": _("Forecast date"),
        "stage_id": _("Stage"),
        "status_id": _("Status"),
        "due_on": _("Due"),
        "archived_at": _("Archived"),
    }


class _Words:
    """Puts a page of events into words, with the names of everything that they mention read once."""

    def __init__(
        self, events: Sequence[Event], business: BusinessSettings, reader: Person, card_id: int | None
    ) -> None:
        self.business = business
        self.card_id = card_id
        self.links = timeline_documents.Links(events, reader)
        self.names: dict[str, dict[int, str]] = {
            "stage_id": _named(OpportunityStage, _ids(events, "stage_id")),
            "status_id": _named(OpportunityStatus, _ids(events, "status_id")),
            "type_id": _named(OpportunityType, _ids(events, "type_id")),
            "salesperson_id": _people(_ids(events, "salesperson_id")),
        }
        self.notes = _texts(_ids(events, "note"))
        parties = [pair for event in events for side in event.changes.get("customers", ()) for pair in side or ()]
        self.customers = _named(Customer, {pair[0] for pair in parties})
        self.contacts = _named(Contact, {pair[1] for pair in parties if pair[1]})
        self.workflow = {value: str(label) for value, label in WORKFLOW_CHOICES}
        self.sales = {value: str(label) for value, label in SALES_CHOICES}

    def entry(self, event: Event, now: datetime, *, undoable: bool) -> Entry:
        local = event.at.astimezone(self.business.zone)
        today = self.business.local_date(now)
        clock = formats.time_format(local, "TIME_FORMAT")
        statuses = tuple(self._statuses(event))
        return Entry(
            pk=event.pk,
            sentence=self._sentence(event),
            details=tuple(self._details(event)),
            text=self.notes.get(_new(event, "note") or 0, "") if event.kind == "note_added" else "",
            statuses=statuses,
            by=self._by(event),
            at=event.at,
            when=_("%(day)s, %(time)s") % {"day": days.ago(local.date(), today), "time": clock},
            when_full=_("%(day)s, %(time)s") % {"day": days.full(local.date()), "time": clock},
            tone=_tone(event),
            undoable=undoable,
        )

    def _by(self, event: Event) -> str:
        doors = {
            Event.Via.ADMIN.value: _("%(who)s, in the settings"),
            Event.Via.IMPORT.value: _("%(who)s, by an import"),
        }
        return doors.get(event.via, "%(who)s") % {"who": event.by}

    def _statuses(self, event: Event) -> Iterable[StatusChange]:
        if event.workflow_from and event.workflow_from != event.workflow_to:
            yield StatusChange(
                _("workflow status"),
                self.workflow.get(event.workflow_from, event.workflow_from),
                self.workflow.get(event.workflow_to, event.workflow_to),
            )
        if event.sales_from and event.sales_from != event.sales_to:
            yield StatusChange(
                _("sales status"),
                self.sales.get(event.sales_from, event.sales_from),
                self.sales.get(event.sales_to, event.sales_to),
            )

    def _sentence(self, event: Event) -> str:
        """Put it into words; a sentence with links in it is marked as safe."""
        if event.kind in timeline_documents.SENTENCES:
            return timeline_documents.sentence(event, self.links, self.business.currency, self.card_id)
        said = _SENTENCES.get(event.kind)
        return said(self, event) if said else self._changed(event)

    def _created(self, event: Event) -> str:
        if event.workflow_to == "expired":
            return _("Created, with a forecast date that was past already")
        return _("Created")

    def _duplicated(self, event: Event) -> str:
        return _("Made as a copy of %(number)s") % {"number": _new(event, "from")}

    def _copied(self, event: Event) -> str:
        return _("%(number)s was made as a copy of this") % {"number": _new(event, "to")}

    def _changed(self, event: Event) -> str:
        names = [name for key, name in field_names().items() if key in event.changes]
        if not names:
            return _("Changed")
        return _("Changed: %(facts)s") % {"facts": ", ".join(name.lower() for name in names)}

    def _moved(self, event: Event) -> str:
        if "stage_id" not in event.changes:
            return _("Put in another place of its column")
        old, new = event.changes["stage_id"]
        return _("Moved from %(old)s to %(new)s") % {
            "old": self._quoted("stage_id", old, _("no stage")),
            "new": self._quoted("stage_id", new, _("no stage")),
        }

    def _status_chosen(self, event: Event) -> str:
        reason = _new(event, "decided_reason_label")
        status = _new(event, "status_id")
        if status is None:
            return _("Gave another reason: %(reason)s") % {"reason": reason} if reason else _("Confirmed the status")
        name = self._quoted("status_id", status, "")
        if reason:
            return _("Marked as %(status)s: %(reason)s") % {"status": name, "reason": reason}
        return _("Marked as %(status)s") % {"status": name}

    def _stage_replaced(self, event: Event) -> str:
        old, new = event.changes["stage"]
        if new is None:
            return _("Left without a stage: “%(old)s” was deleted") % {"old": old}
        return _("Moved to %(new)s: “%(old)s” was deleted") % {"old": old, "new": new}

    def _status_replaced(self, event: Event) -> str:
        old, new = event.changes.get("status", (None, None))
        if old is None:
            return _("A status that was kept for later was deleted")
        return _("Given the status %(new)s: “%(old)s” was deleted") % {"old": old, "new": new}

    def _undone(self, event: Event) -> str:
        names = [name.lower() for key, name in field_names().items() if key in event.changes]
        if not names:
            return _("Undid a move")
        return _("Undid a change of: %(facts)s") % {"facts": ", ".join(names)}

    def _stage_adopted(self, event: Event) -> str:
        return _("Given the stage %(new)s, made of its status") % {"new": _new(event, "stage")}

    def _action(self, event: Event) -> str:
        old, new = event.changes.get("action", (None, None))
        due = _new(event, "due_on")
        if event.kind == "action_added" and due:
            return _("Planned: %(action)s, due %(day)s") % {"action": new, "day": _day(due)}
        words = {
            "action_added": _("Planned: %(action)s"),
            "action_edited": _("Changed the plan: %(action)s"),
            "action_done": _("Done: %(action)s"),
            "action_reopened": _("Not done after all: %(action)s"),
        }
        return words[event.kind] % {"action": new or old}

    def _quoted(self, field: str, pk: int | None, nothing: str) -> str:
        if pk is None:
            return nothing
        return self.names[field].get(pk, _("something that was deleted"))

    def _details(self, event: Event) -> Iterable[str]:
        nothing = _("nothing")
        if event.kind in timeline_documents.SENTENCES:
            yield from timeline_documents.details(event, self.links, self.business.currency)
            return
        if event.kind not in {"edited", "undone", "action_edited"} and event.kind in _SENTENCES:
            return
        for key, name in field_names().items():
            if key not in event.changes:
                continue
            old, new = (self._value(key, value) for value in event.changes[key])
            if old == new:
                continue
            if len(old) > LONG or len(new) > LONG:
                yield _("%(fact)s rewritten") % {"fact": name}
            else:
                yield _("%(fact)s: %(old)s → %(new)s") % {"fact": name, "old": old or nothing, "new": new or nothing}

    def _value(self, key: str, value: Any) -> str:
        if value is None or value == "":
            return ""
        writers: dict[str, Callable[[Any], str]] = {
            "amount": self._money,
            "probability": lambda percent: f"{percent} %",
            "forecast_date": _day,
            "due_on": _day,
            "customers": self._parties,
            "archived_at": lambda _at: _("yes"),
        }
        if key in writers:
            return writers[key](value)
        if key in self.names:
            return self._quoted(key, value, "")
        return str(value)

    def _money(self, value: str) -> str:
        try:
            return format_money(Decimal(value), self.business.currency, short=True)
        except InvalidOperation:
            return value

    def _parties(self, pairs: Sequence[Sequence[int | None]]) -> str:
        said: dict[str, list[str]] = {}
        for customer, contact in pairs:
            contacts = said.setdefault(self.customers.get(customer or 0, "?"), [])
            if contact:
                contacts.append(self.contacts.get(contact, "?"))
        return "; ".join(f"{name} ({', '.join(who)})" if who else name for name, who in said.items())


_SENTENCES: Mapping[str, Callable[[_Words, Event], str]] = {
    "rule_changed": lambda _words, _event: _("The business changed when a card is lost"),
    "repaired": lambda _words, _event: _("Brought in line with its facts by the integrity check"),
    "created": _Words._created,
    "duplicated": _Words._duplicated,
    "copied": _Words._copied,
    "edited": _Words._changed,
    "moved": _Words._moved,
    "status_chosen": _Words._status_chosen,
    "archived": lambda _words, _event: _("Archived"),
    "unarchived": lambda _words, _event: _("Taken back from the archive"),
    "taken": lambda _words, event: _("Taken by %(who)s") % {"who": event.by},
    "stage_replaced": _Words._stage_replaced,
    "status_replaced": _Words._status_replaced,
    "stage_adopted": _Words._stage_adopted,
    "stage_adoption_undone": lambda _words, _event: _("Left without a stage: the stages made of statuses were undone"),
    "undone": _Words._undone,
    "note_added": lambda _words, _event: _("Note"),
    "action_added": _Words._action,
    "action_edited": _Words._action,
    "action_done": _Words._action,
    "action_reopened": _Words._action,
    "expired": lambda _words, _event: _("The forecast date passed"),
    "revived": lambda _words, _event: _("The forecast date is not past any more"),
}


def _tone(event: Event) -> str:
    """Colour the dot where an outcome or a status changed; the words say it, too."""
    if event.sales_from != event.sales_to and event.sales_to in {"won", "lost"} and event.sales_from:
        return "good" if event.sales_to == "won" else "bad"
    if event.workflow_from != event.workflow_to and event.workflow_to == "expired":
        return "warn"
    return ""


def _new(event: Event, key: str) -> Any:
    return event.changes.get(key, (None, None))[1]


def _day(value: str) -> str:
    day: date | None = parse_date(value)
    return days.with_year(day) if day else value


def _ids(events: Iterable[Event], key: str) -> set[int]:
    return {pk for event in events for pk in event.changes.get(key, ()) if isinstance(pk, int)}


def _named(model: Any, ids: set[int]) -> dict[int, str]:
    return dict(model._default_manager.filter(pk__in=ids).values_list("pk", "name")) if ids else {}


def _people(ids: set[int]) -> dict[int, str]:
    if not ids:
        return {}
    people = get_user_model()._default_manager.filter(pk__in=ids)
    return {person.pk: history.label(person) for person in people}


def _texts(ids: set[int]) -> dict[int, str]:
    return dict(Note.objects.filter(pk__in=ids).values_list("pk", "text")) if ids else {}
