"""The calendar of a board's cards, or of all cards, as finished texts in a fixed number of statements (G5.3, C0).

Forecast dates of cards, open action items, and the days of their documents. Each day is read up to a limit with the
number of all its entries, so that a month with ten thousand cards is as quick as one with ten.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, DecimalField, F, Q, QuerySet, Sum, When, Window
from django.db.models.fields.json import KT
from django.db.models.functions import RowNumber
from django.http import QueryDict
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from boards.calendar_days import Span, month_of, read
from boards.layout import BoardRef, ChipView, avatar_of, initials_of
from boards.listing import selected
from boards.models import Board
from boards.selection import Selection
from opportunities import days
from opportunities.access import Person
from opportunities.dated import CLOSED, DOCUMENT_DATES, Dated
from opportunities.filter_keys import ARCHIVED_WITH
from opportunities.models import ActionItem, BusinessSettings
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES, OpportunityQuerySet
from opportunities.money import format_money
from opportunities.outcome import SalesStatus

IN_A_CELL = 4
"""How many entries a day of the month shows; where there are more, one line fewer and the way to them."""
IN_A_COLUMN = 40
"""How many a day of the week view shows."""
IN_A_LIST = 20
"""How many a day of the list shows."""
IN_A_DAY = 300
"""How many of each kind the page of one day shows; beyond, the list with its pages is the better place."""

_SHOWN = {"month": IN_A_CELL, "week": IN_A_COLUMN, "list": IN_A_LIST, "day": 1}
_LABELS, _OUTCOMES = dict(WORKFLOW_CHOICES), dict(SALES_CHOICES)
_MONEY: DecimalField[Any, Any] = DecimalField(max_digits=24, decimal_places=2)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a day: a card, an action item, or a day of a document.

    `fixed` says why it cannot be dragged; only a card that can be moved has a `move_url`.
    """

    kind: str
    pk: int
    number: str
    title: str
    url: str
    label: str
    about: str
    amount: str = ""
    tone: str = ""
    outcome: str = ""
    closed: str = ""
    archived: bool = False
    initials: str = ""
    who: str = ""
    avatar: str = ""
    move_url: str = ""
    version: int = 0
    fixed: str = ""

    @property
    def is_card(self) -> bool:
        """A forecast date; what is not lives on a card."""
        return self.kind == "card"


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


@dataclass(slots=True)
class _Day:
    """What was read for one day."""

    entries: list[Entry] = field(default_factory=list)
    count: int = 0
    open_cards: int = 0
    total: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Page:
    """What the parts of a page are laid out with."""

    span: Span
    chosen: date | None
    query: str
    today: date
    currency: str

    def url(self, span: Span | None) -> str:
        """The address of other days with the same filter; "" where there are none."""
        if span is None:
            return ""
        return f"?{self.query}&{span.query}" if self.query else f"?{span.query}"

    def limit(self, column: str, most: int) -> Q:
        """Keep the first entries of each day, and more of the day that is shown whole."""
        few = Q(place__lte=most)
        return few if self.chosen is None else few | Q(**{column: self.chosen}, place__lte=IN_A_DAY)


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
    page = _Page(span, _chosen(span, today), selection.filter.query, today, business.currency)
    found = _read_days(selection.dated, page)
    laid = tuple(_day_view(day, found.get(day, _Day()), page) for day in span.days())
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


def _tabs(page: _Page) -> tuple[Tab, ...]:
    words = (("month", _("Month")), ("week", _("Week")), ("list", _("Agenda")))
    # From a month that holds today, the week is today's.
    day = page.today if page.span.is_about(page.today) and page.span.view != "day" else page.span.first
    now = "month" if page.span.view == "day" else page.span.view
    return tuple(Tab(label, page.url(page.span.at(day, view)), view == now) for view, label in words)


def _months(page: _Page) -> tuple[Option, ...]:
    """The months around the one that is shown, to jump to."""
    first = month_of(page.span.first, page.span.first_weekday)
    start = first.first.year * 12 + first.first.month - 1
    months = [date(number // 12, number % 12 + 1, 1) for number in range(start - 12, start + 25)]
    return tuple(Option(f"{day:%Y-%m}", _month_name(day), day == first.first) for day in months)


def _sums(found: Mapping[date, _Day], page: _Page) -> str:
    """Say how many open cards are expected in the month or week, and what they are worth."""
    of_day = page.span.view == "day"
    about = [day for on, day in found.items() if (on == page.chosen if of_day else page.span.is_about(on))]
    count = sum(day.open_cards for day in about)
    words = ngettext("%(count)s open card, %(total)s", "%(count)s open cards, %(total)s", count)
    total = format_money(sum((day.total for day in about), Decimal(0)), page.currency, short=True)
    return words % {"count": formats.number_format(count, force_grouping=True), "total": total}


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


def _archived_url(selection: Selection, page: _Page) -> str:
    """The same days with archived cards, or without; "" where the board itself asks for them."""
    if selection.saved.archived:
        return ""
    pairs = QueryDict(page.query, mutable=True)
    if selection.filter.archived:
        pairs.pop("archived")
    else:
        pairs["archived"] = ARCHIVED_WITH
    return f"?{pairs.urlencode()}&{page.span.query}" if pairs else f"?{page.span.query}"


def _chips(selection: Selection, page: _Page) -> tuple[ChipView, ...]:
    own = []
    for chip in selection.chips:
        query = f"{chip.remove_query}&" if chip.remove_query else ""
        own.append(ChipView(chip.label, f"?{query}{page.span.query}"))
    return (*(ChipView(chip.label, "") for chip in selection.saved.chips()), *own)


# What falls on the days


def _read_days(cards: OpportunityQuerySet, page: _Page) -> Mapping[date, _Day]:
    """Read all entries of the days, each day up to its limit: cards first, then what is to be done, then documents."""
    found: dict[date, _Day] = defaultdict(_Day)
    most = _SHOWN[page.span.view]
    _add_cards(found, cards, page, most)
    ids = cards.order_by().values("pk")
    _add_actions(found, ids, page, most)
    for dated in DOCUMENT_DATES:
        _add_documents(found, dated, ids, page, most)
    return found


def _by_day(rows: Any, column: str, order: Sequence[Any], page: _Page, most: int, **more: Any) -> Any:
    """Keep the rows of the page's days, the first of each day, each with the number of all rows of its day."""
    day = F(column)
    within = {f"{column}__gte": page.span.shown_first, f"{column}__lte": page.span.shown_last}
    numbered = rows.filter(**within).annotate(
        place=Window(RowNumber(), partition_by=day, order_by=order),
        on_day=Window(Count("pk"), partition_by=day),
        **{name: Window(what, partition_by=day) for name, what in more.items()},
    )
    return numbered.filter(page.limit(column, most)).order_by(column, "place")


def _add_cards(found: dict[date, _Day], cards: OpportunityQuerySet, page: _Page, most: int) -> None:
    is_open = Case(When(decided_on=None, then=F("pk")))
    worth = Case(When(decided_on=None, then=F("amount")), output_field=_MONEY)
    order = (F("closed_kind").asc(), F("amount").desc(nulls_last=True), F("pk").asc())
    rows = _by_day(
        cards, "forecast_date", order, page, most, open_on_day=Count(is_open), worth=Sum(worth, output_field=_MONEY)
    )
    for row in rows.values_list(
        "forecast_date",
        "on_day",
        "open_on_day",
        "worth",
        "pk",
        "title",
        "amount",
        "workflow_status",
        "sales_status",
        "closed_kind",
        "archived_at",
        "version",
        KT("face__customers__0"),
        "salesperson",
        "salesperson__first_name",
        "salesperson__last_name",
        "salesperson__username",
    ):
        on, count, open_cards, total, *facts = row
        day = found[on]
        if not day.count:
            day.count, day.open_cards, day.total = count, open_cards, Decimal(total or 0)
        day.entries.append(_card(facts, page))


def _card(facts: Sequence[Any], page: _Page) -> Entry:
    pk, title, amount, workflow, sales, closed, archived, version, customer, *person = facts
    person_id, first_name, last_name, username = person
    label = str(CLOSED[closed]) if closed else str(_LABELS[workflow])
    fixed = _("OPP-%(pk)s is closed (%(label)s), so its date stays.") % {"pk": pk, "label": label} if closed else ""
    return Entry(
        kind="card",
        pk=pk,
        number=f"OPP-{pk}",
        title=title,
        url=reverse("opportunities:detail", args=[pk]),
        label=label,
        about=customer or "",
        amount=format_money(amount, page.currency, short=True),
        tone=f"status-{workflow} sales-{sales}",
        outcome="" if closed or sales == SalesStatus.NONE else str(_OUTCOMES[sales]),
        closed=label if closed else "",
        archived=archived is not None,
        initials=initials_of(first_name or "", last_name or "", username or ""),
        who=f"{first_name or ''} {last_name or ''}".strip() or username or "",
        avatar=avatar_of(person_id),
        move_url="" if closed else reverse("opportunities:forecast", args=[pk]),
        version=version,
        fixed=fixed,
    )


def _add_actions(found: dict[date, _Day], ids: QuerySet[Any, Any], page: _Page, most: int) -> None:
    items = ActionItem.objects.filter(state=ActionItem.State.OPEN, opportunity__in=ids)
    rows = _by_day(items, "due_on", (F("pk").asc(),), page, most).values_list(
        "due_on",
        "on_day",
        "place",
        "opportunity",
        "text",
        "opportunity__title",
        "assignee",
        "assignee__first_name",
        "assignee__last_name",
        "assignee__username",
    )
    for on, count, place, card_id, text, title, person_id, first_name, last_name, username in rows:
        if place == 1:
            found[on].count += count
        overdue = on < page.today
        found[on].entries.append(
            Entry(
                kind="action",
                pk=card_id,
                number=f"OPP-{card_id}",
                title=text,
                url=f"{reverse('opportunities:detail', args=[card_id])}#actions-title",
                label=_("Overdue") if overdue else _("To do"),
                about=title,
                tone="overdue" if overdue else "",
                initials=initials_of(first_name or "", last_name or "", username or ""),
                who=f"{first_name or ''} {last_name or ''}".strip() or username or "",
                avatar=avatar_of(person_id),
                fixed=_("Only forecast dates move by dragging. Open the card to change what is to be done."),
            )
        )


def _add_documents(found: dict[date, _Day], dated: Dated, ids: QuerySet[Any, Any], page: _Page, most: int) -> None:
    rows = _by_day(dated.rows().filter(opportunity__in=ids), dated.column, (F("pk").asc(),), page, most)
    ref, letter = dated.model.REF, dated.model.LETTER
    for on, count, place, pk, title, customer in rows.values_list(
        dated.column, "on_day", "place", "pk", "title", "customer__name"
    ):
        if place == 1:
            found[on].count += count
        number = f"{letter}-{pk}"
        found[on].entries.append(
            Entry(
                kind=ref,
                pk=pk,
                number=number,
                title=f"{number} {title}".strip(),
                url=reverse(f"opportunities:{ref}", args=[pk]),
                label=str(dated.label),
                about=customer,
                fixed=_("Only forecast dates move by dragging. Open %(number)s to change its dates.")
                % {"number": number},
            )
        )


def _day_view(on: date, day: _Day, page: _Page) -> DayView:
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


def _first_lines(day: _Day) -> tuple[Entry, ...]:
    """As many entries as a cell holds; the line that says how many more there are is one of them."""
    return tuple(day.entries[: IN_A_CELL if day.count <= IN_A_CELL else IN_A_CELL - 1])


def _list_url(on: date, page: _Page) -> str:
    pairs = QueryDict(page.query, mutable=True)
    pairs["forecast_from"] = pairs["forecast_to"] = on.isoformat()
    return f"?{pairs.urlencode()}"
