"""The archive as a list: which cards it shows, and how each of them came there, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Max
from django.http import QueryDict
from django.utils.translation import gettext as _

from opportunities import days
from opportunities.filter_keys import ARCHIVED_ONLY
from opportunities.models import BusinessSettings, Event


@dataclass(frozen=True, slots=True)
class PutAway:
    """When a card was put away, and how: by hand, as it was voided or canceled, or by the clock (G4, G5.1, G5.2)."""

    day: str
    day_full: str
    how: str


def only_archived(query: QueryDict) -> QueryDict:
    """The same filter, for archived cards only."""
    preset = query.copy()
    preset["archived"] = ARCHIVED_ONLY
    return preset


def without_preset(query: str) -> str:
    """The filter as the address of the archive spells it: that the cards are archived goes without saying."""
    pairs = QueryDict(query, mutable=True)
    pairs.pop("archived", None)
    return pairs.urlencode()


def how_put_away(card_ids: Sequence[int], business: BusinessSettings, today: date) -> dict[int, PutAway]:
    """Tell from their history how these cards came to the archive. One statement."""
    moved = Event.objects.filter(opportunity__in=card_ids, changes__has_key="archived_at")
    latest = moved.values("opportunity").annotate(last=Max("pk")).values("last")
    events = Event.objects.filter(pk__in=latest).only("opportunity", "at", "kind", "by", "via")
    return {event.opportunity_id or 0: _told(event, business, today) for event in events}


def _told(event: Event, business: BusinessSettings, today: date) -> PutAway:
    day = business.local_date(event.at)
    words = {"voided": _("When %(who)s voided it"), "canceled": _("When %(who)s canceled it")}
    how = words.get(event.kind, _("By %(who)s"))
    if event.via == Event.Via.CLOCK:
        how = _("By the nightly run")
    return PutAway(day=days.short(day, today), day_full=days.full(day), how=how % {"who": event.by})
