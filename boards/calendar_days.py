"""Which days a calendar page shows, and how its address says so. Pure: today and the first day of the week are given.

One key of the query string names the view and the place: `month=2026-12`, `week=2026-12-07`, `list=2026-12`,
`day=2026-12-09`. None of them: the month of today. The filter stands beside it, as on the board.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _

VIEWS = ("month", "week", "list", "day")
FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Beyond these nobody sells anything; within, a week before and after is a date, too."""

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """The days of one page: what it is about, and the whole weeks in which a month stands."""

    view: str
    first: date
    last: date
    first_weekday: int

    @property
    def key(self) -> str:
        """How the address names the place: 2026-12, or 2026-12-07."""
        return f"{self.first:%Y-%m}" if self.view in {"month", "list"} else self.first.isoformat()

    @property
    def query(self) -> str:
        """The span's own part of the query string."""
        return f"{self.view}={self.key}"

    @property
    def shown_first(self) -> date:
        """The first day that is laid out: a month and a day stand in whole weeks."""
        return week_of(self._month.first, self.first_weekday) if self._has_grid else self.first

    @property
    def shown_last(self) -> date:
        """The last day that is laid out."""
        return week_of(self._month.last, self.first_weekday) + timedelta(days=6) if self._has_grid else self.last

    @property
    def _has_grid(self) -> bool:
        return self.view in {"month", "day"}

    @property
    def _month(self) -> "Span":
        return month_of(self.first, self.first_weekday)

    def days(self) -> Iterator[date]:
        """Every day that is laid out, each once: days are counted by date, so no change of the clock matters."""
        for offset in range((self.shown_last - self.shown_first).days + 1):
            yield self.shown_first + timedelta(days=offset)

    def is_about(self, day: date) -> bool:
        """Tell whether a day belongs to the month, week or day itself, not only to its weeks."""
        month = self._month if self.view == "day" else self
        return month.first <= day <= month.last

    @property
    def before(self) -> "Span | None":
        """The month, week or day before."""
        return self.at(self.first - _ONE_DAY)

    @property
    def after(self) -> "Span | None":
        """The month, week or day after."""
        return self.at(self.last + _ONE_DAY)

    def at(self, day: date, view: str = "") -> "Span | None":
        """The same view, or another, around a day; None beyond the years that there are."""
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            return None
        return span(view or self.view, day, self.first_weekday)


def week_of(day: date, first_weekday: int) -> date:
    """Return the first day of the week in which a day lies; `first_weekday` as in ISO 8601, Monday being 1."""
    return day - timedelta(days=(day.isoweekday() - first_weekday) % 7)


def month_of(day: date, first_weekday: int) -> Span:
    """Return the month in which a day lies."""
    return span("month", day, first_weekday)


def span(view: str, day: date, first_weekday: int) -> Span:
    """Return the month, week, list or day in which a day lies."""
    if view == "day":
        return Span(view, day, day, first_weekday)
    if view == "week":
        first = week_of(day, first_weekday)
        return Span(view, first, first + timedelta(days=6), first_weekday)
    first = day.replace(day=1)
    return Span(view, first, (first + timedelta(days=31)).replace(day=1) - _ONE_DAY, first_weekday)


def read(given: Mapping[str, str], *, today: date, first_weekday: int) -> tuple[Span, tuple[str, ...]]:
    """Read which days an address asks for. Nonsense is left out and named, never an error."""
    for view in VIEWS:
        value = given.get(view, "").strip()
        if not value:
            continue
        day = _day_in(value)
        if day is not None and FIRST_YEAR <= day.year <= LAST_YEAR:
            return span(view, day, first_weekday), ()
        problem = _("“%(value)s” was left out: it is not a date.") % {"value": value[:40]}
        return span(view, today, first_weekday), (problem,)
    return span("month", today, first_weekday), ()


def _day_in(value: str) -> date | None:
    named = _MONTH.fullmatch(value)
    try:
        return date(int(named[1]), int(named[2]), 1) if named else date.fromisoformat(value)
    except ValueError:
        return None


def named(view: str) -> str:
    """Return the part of the query string that a filter's form carries as "month:2026-12"; "" for anything else."""
    name, _colon, value = view.partition(":")
    return f"{name}={value}" if name in VIEWS and _day_in(value) is not None else ""
