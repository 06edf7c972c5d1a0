"""Which cards a person asked for: the one filter of board, list, totals and bulk acts, spelled as a query string."""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils import formats
from django.utils.translation import gettext as _

from opportunities.access import Person
from opportunities.filter_keys import (
    AMOUNTS,
    ARCHIVED_ONLY,
    DAYS,
    FORECAST_PRESETS,
    ME,
    NONE,
    SEVERAL,
    SINGLE,
    read_amount,
    read_day,
    read_several,
    read_single,
)
from opportunities.filter_words import LABELS, names_of
from opportunities.keys import comparison_key
from opportunities.models import Agreement, Customer, Job, OpportunityCustomer, Quote
from opportunities.models.opportunity import OpportunityQuerySet

_ENDED = frozenset({"completed", "void", "canceled"})

COLUMNS = {
    "salesperson": "salesperson",
    "type": "type",
    "stage": "stage",
    "status": "status",
    "reason": "decided_reason",
    "workflow": "workflow_status",
    "sales": "sales_status",
    "rule": "sales_rule",
    "lost": "lost_because",
}

DOCUMENTS: Mapping[str, Any] = {"quote": Quote, "job": Job, "agreement": Agreement}


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in force, in words, and the query string without it. `gone`: what it asks for was deleted."""

    key: str
    label: str
    remove_query: str
    gone: bool = False

    @property
    def name(self) -> str:
        """What the condition is about, such as "Stage"."""
        return str(LABELS[self.key])


@dataclass(frozen=True, slots=True)
class CardFilter:
    """The conditions that a query string names. Never fails: nonsense is left out and named in `problems`."""

    today: date
    user: Person
    first_weekday: int = 1
    several: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    days: Mapping[str, date] = field(default_factory=dict)
    single: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(cls, query: QueryDict | str, *, user: Person, today: date, first_weekday: int = 1) -> "CardFilter":
        """Read a query string; unknown keys are somebody else's."""
        given = QueryDict(query) if isinstance(query, str) else query
        problems: list[str] = []
        return cls(
            today=today,
            user=user,
            first_weekday=first_weekday,
            several={key: values for key in SEVERAL if (values := read_several(given, key, problems))},
            amounts={key: sum_ for key in AMOUNTS if (sum_ := read_amount(given.get(key, ""), problems)) is not None},
            days={key: day for key in DAYS if (day := read_day(given.get(key, ""), problems)) is not None},
            single={key: text for key in SINGLE if (text := read_single(given, key, problems))},
            problems=tuple(problems),
        )

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing narrows the set."""
        return not (self.several or self.amounts or self.days or self.single)

    @property
    def text(self) -> str:
        """What was typed into the search box."""
        return self.single.get("q", "")

    @property
    def archived(self) -> str:
        """Which archived cards are asked for: "" (none), "with" or "only"."""
        return self.single.get("archived", "")

    @property
    def tray(self) -> bool:
        """Tell whether only cards in no column of the board are asked for."""
        return "tray" in self.single

    @property
    def offer(self) -> bool:
        """Tell whether only lost cards are asked for whose customer can still take an offer up."""
        return "offer" in self.single

    @property
    def asks_for_decided(self) -> bool:
        """Tell whether cards that were decided are asked for, of which a board leaves some out by itself (D42)."""
        named = {"sales", "status", "rule", "reason", "lost"} & self.several.keys()
        ended = _ENDED & set(self.several.get("workflow", ()))
        return (
            bool(named or ended)
            or self.offer
            or "decided_from" in self.days
            or "decided_to" in self.days
            or bool(self.archived)
        )

    def without_tray(self) -> "CardFilter":
        """Leave out what only means something on a board."""
        return replace(self, single={key: value for key, value in self.single.items() if key != "tray"})

    @property
    def query(self) -> str:
        """The canonical query string of this filter."""
        return self._without("", "")

    def _without(self, key: str, value: str) -> str:
        """The query string, with one value left out."""
        pairs = QueryDict(mutable=True)
        for name in SEVERAL:
            pairs.setlist(name, [each for each in self.several.get(name, ()) if (name, each) != (key, value)])
        for name in (*AMOUNTS, *DAYS, *SINGLE):
            found = self.amounts.get(name, self.days.get(name, self.single.get(name)))
            if name != key and found is not None:
                pairs[name] = str(found)
        return pairs.urlencode()

    def apply(self, cards: OpportunityQuerySet) -> OpportunityQuerySet:
        """Narrow the cards to those that every named condition holds for; `tray` is the board's to apply."""
        condition = Q()
        for key, values in self.several.items():
            condition &= self._any_of(key, values)
        for key, bound in self.amounts.items():
            condition &= Q(amount__gte=bound) if key == "amount_from" else Q(amount__lte=bound)
        condition &= self._days() & self._forecast_preset()
        for word in comparison_key(self.text).split():
            condition &= Q(search_key__contains=word) | _with_document_of_number(word)
        if self.offer:
            condition &= Q(sales_status="lost", live_offer=True)
        if "customer" in self.single:
            own = OpportunityCustomer.objects.filter(customer=int(self.single["customer"])).values("opportunity")
            condition &= Q(pk__in=own)
        return cards.filter(condition)

    def _any_of(self, key: str, values: tuple[str, ...]) -> Q:
        if key == "has":
            return Q(*(_has(value) for value in values), _connector=Q.OR)
        if key in {"workflow", "sales", "rule", "lost"}:
            return Q(**{f"{COLUMNS[key]}__in": values})
        wanted = [int(value) for value in values if value.isdigit()]
        if ME in values:
            wanted.append(self.user.pk)
        condition = Q(**{f"{COLUMNS[key]}__in": wanted})
        return condition | Q(**{COLUMNS[key]: None}) if NONE in values else condition

    def _days(self) -> Q:
        condition = Q()
        for key, day in self.days.items():
            column, bound = key.rsplit("_", 1)
            lookup = {
                "forecast": "forecast_date",
                "created": "created_at__date",
                "decided": "decided_on",
            }[column]
            condition &= Q(**{f"{lookup}__{'gte' if bound == 'from' else 'lte'}": day})
        return condition

    def _forecast_preset(self) -> Q:
        preset = self.single.get("forecast")
        if preset is None:
            return Q()
        if preset == NONE:
            return Q(forecast_date=None)
        if preset == "overdue":
            return Q(forecast_date__lt=self.today)
        first, last = self._span(preset)
        return Q(forecast_date__gte=first, forecast_date__lte=last)

    def _span(self, preset: str) -> tuple[date, date]:
        if preset == "this_week":
            first = self.today - timedelta(days=(self.today.isoweekday() - self.first_weekday) % 7)
            return first, first + timedelta(days=6)
        if preset == "this_month":
            length = calendar.monthrange(self.today.year, self.today.month)[1]
            return self.today.replace(day=1), self.today.replace(day=length)
        return self.today, self.today + timedelta(days=30 if preset == "next_30" else 0)

    def chips(self) -> tuple[Chip, ...]:
        """Name every condition in force, in words, each with the query string without it."""
        chips = []
        for key, values in self.several.items():
            names = names_of(key, values)
            chips += [
                Chip(
                    key,
                    f"{LABELS[key]}: {names.get(value, _('deleted'))}",
                    self._without(key, value),
                    gone=value not in names,
                )
                for value in values
            ]
        bounds = {key: formats.number_format(amount, force_grouping=True) for key, amount in self.amounts.items()}
        # Translators: a date with its year, in the letters of Django's date format (12 Dec 2027).
        bounds |= {key: formats.date_format(day, _("j M Y")) for key, day in self.days.items()}
        chips += [Chip(key, f"{LABELS[key]} {bound}", self._without(key, "")) for key, bound in bounds.items()]
        for key, value in self.single.items():
            label, gone = self._single_label(key, value)
            chips.append(Chip(key, label, self._without(key, ""), gone))
        return tuple(chips)

    def _single_label(self, key: str, value: str) -> tuple[str, bool]:
        """Name a condition, and tell whether what it asks for is gone."""
        if key == "q":
            return f"“{value}”", False
        if key == "forecast":
            return f"{LABELS[key]}: {FORECAST_PRESETS[value]}", False
        if key == "archived":
            return str(_("archived only") if value == ARCHIVED_ONLY else _("with archived")), False
        if key == "customer":
            customer = Customer.objects.filter(pk=int(value)).first()
            return f"{LABELS[key]}: {customer or _('deleted')}", customer is None
        return str(LABELS[key]), False


def _has(ref: str) -> Exists:
    """Find cards to which such a document is attached, alive or not."""
    return Exists(DOCUMENTS[ref].objects.filter(opportunity=OuterRef("pk")))


_NUMBER = re.compile(r"([qja])-?([0-9]{1,18})")


def _with_document_of_number(word: str) -> Q:
    """Find the card to which the document of this number is attached ("Q-1042"), by its key."""
    named = _NUMBER.fullmatch(word)
    if named is None:
        return Q()
    model = DOCUMENTS[{"q": "quote", "j": "job", "a": "agreement"}[named[1]]]
    cards = model.objects.filter(pk=int(named[2]), opportunity__isnull=False).values("opportunity")
    return Q(pk__in=cards)
