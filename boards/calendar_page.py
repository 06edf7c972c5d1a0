"""The calendar of a board's cards, or of all cards, as finished texts in a fixed number of statements (G5.3, C0).

A month in whole weeks, a week, an agenda, or one day beside its month.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.http import QueryDict
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from boards.calendar_days import Span, month_of, read
from boards.calendar_entries import IN_A_CELL, Day, Entry, Page, read_days
from boards.layout import BoardRef, ChipView
from boards.listing import selected
from boards.models import Board
from boards.selection import Selection
from opportunities import days
from opportunities.access import Person
from opportunities.filter_keys import ARCHIVED_WITH
from opportunities.models import BusinessSettings
from opportunities.money import format_money


@dataclass(frozen=True, slots=True)
class DayView:
    """One day with what falls on it, and the few lines of it that a month has room for.

    `more` and `cell_more` say how many entries are not among them, and lead to them.
    """

    iso: str
    number: str
    weekday: str
    full: str
    url: str
    entries: tuple[Entry, ...]
    more: str
    more_url: str
    cell: tuple[Entry, ...]
    cell_more: str
    counted: str
    count: int
    total: str
    today: bool
    past: bool
    outside: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Option:
    """A month to jump to."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Tab:
    """A view of the calendar: month, week, list."""

    label: str
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A whole calendar page."""

    board: Board | None
    boards: tuple[BoardRef, ...]
    name: str
    title: str
    weekdays: tuple[tuple[str, str], ...]
    weeks: tuple[tuple[DayView, ...], ...]
    days: tuple[DayView, ...]
    day: DayView | None
    before: str
    after: str
    before_words: str
    after_words: str
    today_url: str
    is_now: bool
    tabs: tuple[Tab, ...]
    months: tuple[Option, ...]
    sums: str
    closing: str
    undated: str
    undated_query: str
    archived_shown: bool
    archived_url: str
    chips: tuple[ChipView, ...]
    problems: tuple[str, ...]
    query: str
    span: str
    span_name: str
    text: str


# The page


def calendar_view(
    board_id: int | None, *, user: Person, query: QueryDict, today: date, business: BusinessSettings
) -> CalendarView:
    """Lay the calendar out for one person, one filter and one span of days.

    :raises Board.DoesNotExist: no such board, or somebody else's.
    """
    board = None if board_id is None else Board.objects.visible_to(user).get(pk=board_id)
    weekday = business.first_day_of_week
    selection = selected(board, user=user, query=query, today=today, first_weekday=weekday)
    span, problems = read(query, today=today, first_weekday=weekday)
    page = Page(span, _chosen(span, today), selection.filter.query, today, business.currency, business.zone)
    found = read_days(selection.dated, page)
    laid = tuple(_day_view(day, found.get(day, Day()), page) for day in span.days())
    undated = selection.dated.filter(forecast_date=None, decided_on=None).count()
    return CalendarView(
        board=board,
        boards=_boards(user, board_id),
        name=span.view,
        title=title_of(span),
        weekdays=_weekdays(span),
        weeks=tuple(laid[start : start + 7] for start in range(0, len(laid), 7)) if page.chosen else (),
        days=laid,
        day=next((day for day in laid if day.chosen), None),
        before=page.url(span.before),
        after=page.url(span.after),
        before_words=title_of(span.before) if span.before else "",
        after_words=title_of(span.after) if span.after else "",
        today_url=page.url(span.at(today)),
        is_now=span.is_about(today) if span.view != "day" else span.first == today,
        tabs=_tabs(page),
        months=_months(page),
        sums=_sums(found, page),
        closing=_closing(found, page),
        undated=_undated(undated),
        undated_query=_undated_query(selection),
        archived_shown=not selection.hides_archived,
        archived_url=_archived_url(selection, page),
        chips=_chips(selection, page),
        problems=(*selection.filter.problems, *problems),
        query=selection.filter.query,
        span=span.key,
        span_name=f"{span.view}:{span.key}",
        text=selection.filter.text,
    )


def _chosen(span: Span, today: date) -> date | None:
    """The day whose entries stand below a month on a phone: the one asked for, or today, or the first."""
    if span.view not in {"month", "day"}:
        return None
    return today if span.view == "month" and span.is_about(today) else span.first


def title_of(span: Span) -> str:
    """Name the days of a page: December 2026; 7 to 13 December 2026; Wednesday, 9 December 2026."""
    if span.view == "day":
        return days.full(span.first)
    if span.view == "week":
        words = {"first": days.day_of_month(span.first), "last": days.with_year(span.last)}
        return _("%(first)s to %(last)s") % words
    return _month_name(span.first)


def _month_name(day: date) -> str:
    # Translators: a month with its year, in the letters of Django's date format (December 2026).
    return formats.date_format(day, _("F Y"))


def _boards(user: Person, board_id: int | None) -> tuple[BoardRef, ...]:
    rows = Board.objects.visible_to(user).in_order().values_list("pk", "name")
    return tuple(BoardRef(pk, name, pk == board_id) for pk, name in rows)


def _weekdays(span: Span) -> tuple[tuple[str, str], ...]:
    """The heads of the columns, short and in full."""
    first = list(span.days())[:7]
    return tuple((formats.date_format(day, "D"), formats.date_format(day, "l")) for day in first)


def _tabs(page: Page) -> tuple[Tab, ...]:
    words = (("month", _("Month")), ("week", _("Week")), ("list", _("Agenda")))
    # From a month that holds today, the week is today's.
    day = page.today if page.span.is_about(page.today) and page.span.view != "day" else page.span.first
    now = "month" if page.span.view == "day" else page.span.view
    return tuple(Tab(label, page.url(page.span.at(day, view)), view == now) for view, label in words)


def _months(page: Page) -> tuple[Option, ...]:
    """The months around the one that is shown, to jump to."""
    first = month_of(page.span.first, page.span.first_weekday)
    start = first.first.year * 12 + first.first.month - 1
    months = [date(number // 12, number % 12 + 1, 1) for number in range(start - 12, start + 25)]
    return tuple(Option(f"{day:%Y-%m}", _month_name(day), day == first.first) for day in months)


def _sums(found: Mapping[date, Day], page: Page) -> str:
    """Say how many open cards are expected in the month or week, and what they are worth."""
    of_day = page.span.view == "day"
    about = [day for on, day in found.items() if (on == page.chosen if of_day else page.span.is_about(on))]
    count = sum(day.open_cards for day in about)
    words = ngettext("%(count)s open card, %(total)s", "%(count)s open cards, %(total)s", count)
    total = format_money(sum((day.total for day in about), Decimal(0)), page.currency, short=True)
    return words % {"count": formats.number_format(count, force_grouping=True), "total": total}


def _closing(found: Mapping[date, Day], page: Page) -> str:
    """Say that an agenda ends here; of days without anything, why, and what brings something there."""
    if found:
        return _("That is all for %(days)s.") % {"days": title_of(page.span)} if page.span.view == "list" else ""
    if page.query:
        return _("Nothing that the filter selects falls on these days.")
    return _("Nothing falls on these days. A card stands on its forecast date, once somebody has given it one.")


def _undated(count: int) -> str:
    if not count:
        return ""
    written = formats.number_format(count, force_grouping=True)
    words = ngettext("%(count)s open card has no date", "%(count)s open cards have no date", count)
    return words % {"count": written}


def _undated_query(selection: Selection) -> str:
    pairs = QueryDict(selection.filter.query, mutable=True)
    pairs["forecast"] = "none"
    return f"?{pairs.urlencode()}"


def _archived_url(selection: Selection, page: Page) -> str:
    """The same days with archived cards, or without; "" where the board itself asks for them."""
    if selection.saved.archived:
        return ""
    pairs = QueryDict(page.query, mutable=True)
    if selection.filter.archived:
        pairs.pop("archived")
    else:
        pairs["archived"] = ARCHIVED_WITH
    return f"?{pairs.urlencode()}&{page.span.query}" if pairs else f"?{page.span.query}"


def _chips(selection: Selection, page: Page) -> tuple[ChipView, ...]:
    own = []
    for chip in selection.chips:
        query = f"{chip.remove_query}&" if chip.remove_query else ""
        own.append(ChipView(chip.label, f"?{query}{page.span.query}"))
    return (*(ChipView(chip.label, "") for chip in selection.saved.chips()), *own)


# One day


def _day_view(on: date, day: Day, page: Page) -> DayView:
    chosen = on == page.chosen
    url = page.url(page.span.at(on, "day"))
    cell = _first_lines(day)
    return DayView(
        iso=on.isoformat(),
        number=days.day_of_month(on) if on.day == 1 else str(on.day),
        weekday=formats.date_format(on, "D"),
        full=days.full(on),
        url=url,
        entries=tuple(day.entries),
        more=_more(day.count - len(day.entries)),
        # The page of a day that is too full leads on to the list, which has pages.
        more_url=_list_url(on, page) if page.span.view == "day" else url,
        cell=cell,
        cell_more=_more(day.count - len(cell)),
        counted=ngettext("%(count)s entry", "%(count)s entries", day.count) % {"count": day.count},
        count=day.count,
        total=format_money(day.total, page.currency, short=True) if day.total else "",
        today=on == page.today,
        past=on < page.today,
        outside=not page.span.is_about(on),
        chosen=chosen,
    )


def _more(count: int) -> str:
    return _("+%(count)s more") % {"count": formats.number_format(count, force_grouping=True)} if count > 0 else ""


def _first_lines(day: Day) -> tuple[Entry, ...]:
    """As many entries as a cell holds; the line that says how many more there are is one of them."""
    return tuple(day.entries[: IN_A_CELL if day.count <= IN_A_CELL else IN_A_CELL - 1])


def _list_url(on: date, page: Page) -> str:
    pairs = QueryDict(page.query, mutable=True)
    pairs["forecast_from"] = pairs["forecast_to"] = on.isoformat()
    return f"?{pairs.urlencode()}"
