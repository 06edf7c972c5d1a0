"""What a calendar feed holds, written as RFC 5545 asks: days of cards, action items and documents, as whole-day events.

A fixed number of statements, and no more entries than calendar programs take: the nearest ones.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, OuterRef, Q, Subquery, When
from django.db.models.fields.json import KT
from django.urls import reverse
from django.utils.translation import gettext as _
from icalendar import Calendar
from icalendar import Event as Entry

from opportunities import access
from opportunities.access import Person
from opportunities.dated import CLOSED, DOCUMENT_DATES, Dated
from opportunities.models import ActionItem, BusinessSettings, CalendarFeed, Event, Opportunity
from opportunities.models.opportunity import WORKFLOW_CHOICES
from opportunities.money import format_money

BACK, AHEAD = timedelta(days=60), timedelta(days=400)
"""How far a feed reaches from today."""
MOST = 500
"""How many entries of each kind it holds; where there are more, the next ones that come."""

_LABELS = dict(WORKFLOW_CHOICES)


def of(feed: CalendarFeed, person: Person, *, business: BusinessSettings, now: datetime) -> bytes:
    """Write the calendar of a feed, with what its person may see at this moment."""
    today = business.today(now)
    calendar = Calendar()
    calendar.add("prodid", "-//Stageboard//Calendar//EN")
    calendar.add("version", "2.0")
    name = _("%(business)s opportunities") % {"business": business.name or "Stageboard"}
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for entry in (*_cards(feed, person, business, today), *_actions(person, today), *_documents(feed, person, today)):
        entry.add("dtstamp", now)
        entry.add("transp", "TRANSPARENT")
        calendar.add_component(entry)
    return bytes(calendar.to_ical())


def _nearest(rows: Any, column: str, today: date) -> Any:
    """Keep what lies within reach: what is still to come first, then what has passed."""
    within = rows.filter(**{f"{column}__gte": today - BACK, f"{column}__lte": today + AHEAD})
    passed = Case(When(**{f"{column}__lt": today}, then=1), default=0)
    return within.order_by(passed, column, "pk")[:MOST]


def _cards(feed: CalendarFeed, person: Person, business: BusinessSettings, today: date) -> Iterator[Entry]:
    """The forecast dates; closed cards say so, and calendar programs strike them through (G5.3)."""
    cards = Opportunity.objects.visible_to(person).not_archived()
    if not feed.all_cards:
        cards = cards.filter(salesperson=person)
    latest = Event.objects.filter(opportunity=OuterRef("pk")).order_by("-pk").values("at")[:1]
    rows = _nearest(cards, "forecast_date", today).values_list(
        "pk",
        "title",
        "forecast_date",
        "amount",
        "workflow_status",
        "closed_kind",
        "version",
        KT("face__customers__0"),
        Subquery(latest),
        "created_at",
    )
    for pk, title, day, amount, workflow, closed, version, customer, changed, created in rows:
        facts = [f"OPP-{pk}", customer, format_money(amount, business.currency, short=True), str(_LABELS[workflow])]
        url = reverse("opportunities:detail", args=[pk])
        entry = _entry(f"card-{pk}", day, f"{CLOSED[closed]}: {title}" if closed else title, facts, url)
        entry.add("sequence", version - 1)
        entry.add("created", created)
        entry.add("last-modified", changed or created)
        entry.add("status", "CANCELLED" if closed else "CONFIRMED")
        yield entry


def _actions(person: Person, today: date) -> Iterator[Entry]:
    """What the person themselves has to do, on cards that they may see and that are not put away."""
    cards = Opportunity.objects.visible_to(person).not_archived().order_by().values("pk")
    items = ActionItem.objects.filter(assignee=person, state=ActionItem.State.OPEN, opportunity__in=cards)
    rows = _nearest(items, "due_on", today).values_list("pk", "text", "due_on", "opportunity", "opportunity__title")
    for pk, text, day, card_id, title in rows:
        url = reverse("opportunities:detail", args=[card_id])
        yield _entry(f"action-{pk}", day, _("To do: %(text)s") % {"text": text}, [f"OPP-{card_id}", title], url)


def _documents(feed: CalendarFeed, person: Person, today: date) -> Iterator[Entry]:
    for dated in DOCUMENT_DATES:
        yield from _days_of(dated, feed, person, today)


def _days_of(dated: Dated, feed: CalendarFeed, person: Person, today: date) -> Iterator[Entry]:
    """One kind of day of the documents of these cards, and of those on no card that the person made."""
    documents = dated.rows().filter(access.visible_documents(person))
    documents = documents.filter(Q(opportunity=None) | Q(opportunity__archived_at=None))
    own = Q(opportunity=None, created_by=person)
    if not feed.all_cards:
        documents = documents.filter(own | Q(opportunity__salesperson=person))
    ref, letter = dated.model.REF, dated.model.LETTER
    rows = _nearest(documents, dated.column, today).values_list(
        "pk", "title", dated.column, "version", "customer__name"
    )
    for pk, title, day, version, customer in rows:
        number = f"{letter}-{pk}"
        words = f"{dated.label}: {number} {title}".strip()
        entry = _entry(f"{dated.key}-{pk}", day, words, [number, customer], reverse(f"opportunities:{ref}", args=[pk]))
        entry.add("sequence", version - 1)
        yield entry


def _entry(key: str, day: date, summary: str, facts: list[str | None], path: str) -> Entry:
    """A whole-day event; its id stays the same whatever becomes of it."""
    entry = Entry()
    entry.add("uid", f"{key}@{_host()}")
    entry.add("dtstart", day)
    entry.add("dtend", day + timedelta(days=1))
    entry.add("summary", summary)
    url = f"{settings.STAGEBOARD_URL}{path}"
    entry.add("description", "\n".join([*(fact for fact in facts if fact), url]))
    entry.add("url", url)
    return entry


def _host() -> str:
    return str(settings.STAGEBOARD_URL).partition("://")[2].partition("/")[0].partition(":")[0] or "stageboard"
