"""The list of a board's cards, or of all cards: rows, sums of the whole filtered set, pages, and the filter's form.

Finished texts in frozen dataclasses, in a constant number of statements; the set is the one of the board.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import FETCH_RAISE, Case, Count, DecimalField, F, IntegerField, Q, Sum, Value, When
from django.db.models.expressions import OrderBy
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Lower
from django.http import QueryDict
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from boards import archive, layout
from boards.layout import BoardRef, CardFace, ChipView, Plan, StageRef
from boards.models import Board
from boards.selection import Selection, select, select_all
from opportunities import access, days
from opportunities.access import Person
from opportunities.filter_keys import ARCHIVED_WITH, KEYS
from opportunities.filter_words import rule_label
from opportunities.losses import why_lost
from opportunities.models import BusinessSettings, Opportunity, OpportunityStage
from opportunities.models.opportunity import WORKFLOW_CHOICES, OpportunityQuerySet
from opportunities.money import format_money
from opportunities.outcome import SalesRule, SalesStatus

PAGE = 50
"""How many cards stand on a page."""

NEWEST_FIRST = "-number"
"""The order where none is named."""

_MONEY: DecimalField[Any, Any] = DecimalField(max_digits=24, decimal_places=2)


@dataclass(frozen=True, slots=True)
class Row:
    """One card as the list shows it: what the board's card shows, and more."""

    card: CardFace
    stage: str
    stage_colour: str
    weighted: str
    outcome: str
    why: str
    next_due: str
    next_due_full: str
    created: str
    created_full: str
    put_away: archive.PutAway | None = None
    """In the archive: when and why the card went there."""
    may_restore: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A column head that sorts. `direction` is what aria-sort says; `url` turns it round."""

    key: str
    label: str
    title: str
    numeric: bool
    direction: str
    url: str


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of everything that the filter selects, on all pages."""

    count: int
    words: str
    total: str
    weighted: str


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in the pages this one is."""

    number: int
    pages: int
    words: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the search would find outside of the set that is shown, so that nobody thinks it is not there."""

    all_cards: int
    archived: int


@dataclass(frozen=True, slots=True)
class ListView:
    """A whole list page."""

    board: Board | None
    boards: tuple[BoardRef, ...]
    rows: tuple[Row, ...]
    heads: tuple[Head, ...]
    sort: str
    sums: Sums
    pager: Pager
    chips: tuple[ChipView, ...]
    problems: tuple[str, ...]
    query: str
    text: str
    elsewhere: Elsewhere | None
    in_archive: bool = False


# Which cards


def selected(
    board: Board | None, *, user: Person, query: QueryDict | str, today: date, first_weekday: int
) -> Selection:
    """Select the cards of a board, or of all boards together."""
    if board is None:
        return select_all(user=user, query=query, today=today, first_weekday=first_weekday)
    return select(board, user=user, query=query, today=today, first_weekday=first_weekday)


_NUMBER = re.compile(r"(?:opp[\s-]*|#)?([0-9]{1,18})", re.IGNORECASE)


def card_of_number(text: str, *, user: Person) -> Opportunity | None:
    """Find the card that a search names by its whole number ("1042", "OPP-1042"), if the person may see it."""
    named = _NUMBER.fullmatch(text.strip())
    if named is None:
        return None
    return Opportunity.objects.visible_to(user).only("pk").filter(pk=int(named[1])).first()


# In which order


@dataclass(frozen=True, slots=True)
class _Sort:
    label: Any
    by: tuple[Any, ...]
    numeric: bool = False
    largest_first: bool = False
    title: Any = ""


_CHANCE = Coalesce("probability", "stage__probability", Value(0))
_WEIGHTED = Case(When(decided_on=None, then=F("amount") * _CHANCE), output_field=_MONEY)
_PLACES = Case(
    *(When(workflow_status=code, then=Value(place)) for place, (code, _label) in enumerate(WORKFLOW_CHOICES)),
    output_field=IntegerField(),
)

SORTS: dict[str, _Sort] = {
    "number": _Sort(gettext_lazy("Number"), (F("pk"),), largest_first=True),
    "title": _Sort(gettext_lazy("Title"), (Lower("title"),)),
    "customer": _Sort(gettext_lazy("Customer"), (Lower(KT("face__customers__0")),)),
    "stage": _Sort(gettext_lazy("Stage"), (F("stage__sequence"), F("stage"))),
    "amount": _Sort(gettext_lazy("Amount"), (F("amount"),), numeric=True, largest_first=True),
    "weighted": _Sort(
        gettext_lazy("Weighted"),
        (_WEIGHTED,),
        numeric=True,
        largest_first=True,
        title=gettext_lazy("Amount times probability, of open cards"),
    ),
    "forecast": _Sort(gettext_lazy("Forecast"), (F("forecast_date"),), title=gettext_lazy("Forecast date")),
    "workflow": _Sort(gettext_lazy("Workflow"), (_PLACES,), title=gettext_lazy("Workflow status")),
    "sales": _Sort(gettext_lazy("Sales status"), (F("status__sequence"), F("status"))),
    "salesperson": _Sort(
        gettext_lazy("Who"),
        (Lower("salesperson__first_name"), Lower("salesperson__last_name"), F("salesperson")),
        title=gettext_lazy("Salesperson"),
    ),
    "next": _Sort(gettext_lazy("Next action"), (KT("face__next__due"),)),
    "days": _Sort(
        gettext_lazy("In stage"), (F("stage_entered_at"),), numeric=True, title=gettext_lazy("Days in the stage")
    ),
    "created": _Sort(gettext_lazy("Created"), (F("created_at"),), largest_first=True),
    "archived": _Sort(gettext_lazy("Put away"), (F("archived_at"),), largest_first=True),
}
"""What a column head sorts by; the first click on some brings the largest first, on "days" the longest."""

IN_THE_ARCHIVE = frozenset({"number", "title", "customer", "amount", "workflow", "sales", "salesperson", "archived"})
"""The columns of the archive; every other list has all but the day on which a card was put away."""

LATEST_FIRST = "-archived"
"""The order of the archive where none is named."""


def sort_of(given: str, usual: str = NEWEST_FIRST) -> str:
    """Return the order that the address names, "amount" or "-amount", or the usual one."""
    return given if given.removeprefix("-") in SORTS else usual


def in_order(cards: OpportunityQuerySet, sort: str) -> OpportunityQuerySet:
    """Put cards in an order that never leaves two of them undecided; cards without a value come last."""
    falling = sort.startswith("-")
    by = SORTS[sort.removeprefix("-")].by
    ends = [OrderBy(each, descending=falling, nulls_last=True) for each in by]
    return cards.order_by(*ends, "-pk" if falling else "pk")


def _heads(sort: str, address: "_Address", in_archive: bool) -> tuple[Head, ...]:
    heads = []
    for key, column in SORTS.items():
        if (key not in IN_THE_ARCHIVE) if in_archive else (key == "archived"):
            continue
        first, other = (f"-{key}", key) if column.largest_first else (key, f"-{key}")
        direction = {key: "ascending", f"-{key}": "descending"}.get(sort, "none")
        url = address.with_sort(other if sort == first else first)
        heads.append(Head(key, str(column.label), str(column.title), column.numeric, direction, url))
    return tuple(heads)


@dataclass(frozen=True, slots=True)
class _Address:
    """The page's own address, as query strings that differ in one thing."""

    query: str
    sort: str
    usual: str = NEWEST_FIRST

    def with_sort(self, sort: str) -> str:
        return self._spelled(sort, 1)

    def with_page(self, page: int) -> str:
        return self._spelled(self.sort, page)

    def _spelled(self, sort: str, page: int) -> str:
        pairs = QueryDict(self.query, mutable=True)
        if sort != self.usual:
            pairs["sort"] = sort
        if page > 1:
            pairs["page"] = str(page)
        return f"?{pairs.urlencode()}"


# The page


def list_view(
    board_id: int | None,
    *,
    user: Person,
    query: QueryDict,
    today: date,
    business: BusinessSettings,
    in_archive: bool = False,
) -> ListView:
    """Lay the list out for one person, one filter and one page; `in_archive`: of all that is put away.

    :raises Board.DoesNotExist: no such board, or somebody else's.
    """
    if in_archive:
        query = archive.only_archived(query)
    found = _plan(board_id, user)
    board = None if board_id is None else found.board
    selection = selected(board, user=user, query=query, today=today, first_weekday=business.first_day_of_week)
    usual = LATEST_FIRST if in_archive else NEWEST_FIRST
    sort = sort_of(query.get("sort", ""), usual)
    own = archive.without_preset(selection.filter.query) if in_archive else selection.filter.query
    address = _Address(own, sort, usual)
    sums, open_weight = _sums(selection.cards, business.currency)
    page = _page(sums.count, query.get("page", ""))
    rows = _rows(in_order(selection.cards, sort), page, found, today, business.currency, user) if open_weight else ()
    if in_archive:
        rows = _put_away(rows, business, today)
    return ListView(
        board=board,
        boards=tuple(
            BoardRef(pk, name, pk == board_id)
            for pk, name in Board.objects.visible_to(user).in_order().values_list("pk", "name")
        ),
        rows=rows,
        heads=_heads(sort, address, in_archive),
        sort=sort,
        sums=sums,
        pager=_pager(sums.count, page, address),
        chips=_chips(selection, address, in_archive),
        problems=selection.filter.problems,
        query=own,
        text=selection.filter.text,
        elsewhere=_elsewhere(selection, user, today, business) if selection.filter.text else None,
        in_archive=in_archive,
    )


def _put_away(rows: tuple[Row, ...], business: BusinessSettings, today: date) -> tuple[Row, ...]:
    """Say of each card when and why it went to the archive; one statement."""
    told = archive.how_put_away([row.card.pk for row in rows], business, today)
    return tuple(replace(row, put_away=told.get(row.card.pk)) for row in rows)


def _plan(board_id: int | None, user: Person) -> Plan:
    if board_id is not None:
        return layout.plan(board_id, user=user)
    rows = OpportunityStage.objects.in_order().values_list(
        "pk", "name", "colour", "description", "active", "stale_after_days"
    )
    return Plan(Board(), (), {row[0]: StageRef(*row, column_id=None) for row in rows})


def _sums(cards: OpportunityQuerySet, currency: str) -> tuple[Sums, bool]:
    figures = cards.aggregate(n=Count("pk"), total=Sum("amount"), weighted=Sum(_WEIGHTED))
    count = figures["n"]
    written = formats.number_format(count, force_grouping=True)
    sums = Sums(
        count=count,
        words=ngettext("%(n)s opportunity", "%(n)s opportunities", count) % {"n": written},
        total=format_money(figures["total"] or 0, currency, short=True),
        weighted=format_money(_hundredth(figures["weighted"] or Decimal(0)), currency, short=True),
    )
    return sums, bool(count)


def _hundredth(percents: Decimal) -> Decimal:
    return (Decimal(percents) / 100).quantize(Decimal(1))


def _page(count: int, given: str) -> int:
    wanted = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 1
    return min(max(wanted, 1), Paginator(range(count), PAGE).num_pages)


def _pager(count: int, page: int, address: _Address) -> Pager:
    pages = max(1, -(-count // PAGE))
    first, last = (page - 1) * PAGE + 1, min(page * PAGE, count)
    words = _("%(first)s to %(last)s of %(count)s") % {
        "first": formats.number_format(first, force_grouping=True),
        "last": formats.number_format(last, force_grouping=True),
        "count": formats.number_format(count, force_grouping=True),
    }
    return Pager(
        number=page,
        pages=pages,
        words=words if count else "",
        before=address.with_page(page - 1) if page > 1 else "",
        after=address.with_page(page + 1) if page < pages else "",
    )


def _chips(selection: Selection, address: _Address, in_archive: bool) -> tuple[ChipView, ...]:
    own = (
        ChipView(chip.label, replace(address, query=archive.without_preset(chip.remove_query)).with_page(1))
        if in_archive
        else ChipView(chip.label, replace(address, query=chip.remove_query).with_page(1))
        for chip in selection.chips
        if not (in_archive and chip.key == "archived")
    )
    return (*(ChipView(chip.label, "") for chip in selection.saved.chips()), *own)


def _elsewhere(selection: Selection, user: Person, today: date, business: BusinessSettings) -> Elsewhere:
    archived = 0
    if selection.hides_archived:
        shown = selection.everything.filter(archived_at__isnull=False)
        archived = shown.count()
    if selection.board is None:
        return Elsewhere(0, archived)
    query = selection.filter.query
    everywhere = select_all(user=user, query=query, today=today, first_weekday=business.first_day_of_week)
    return Elsewhere(everywhere.cards.count(), archived)


_SHOWN = (
    "title",
    "amount",
    "probability",
    "forecast_date",
    "workflow_status",
    "sales_status",
    "sales_rule",
    "status",
    "decided_on",
    "decided_reason_label",
    "salesperson",
    "stage_id",
    "stage_entered_at",
    "version",
    "closed_kind",
    "close_reason_label",
    "lost_because",
    "live_offer",
    "archived_at",
    "face",
    "created_at",
    "status__name",
    "status__won",
    "status__lost",
    "salesperson__first_name",
    "salesperson__last_name",
    "salesperson__username",
)


def _rows(
    cards: OpportunityQuerySet, page: int, found: Plan, today: date, currency: str, user: Person
) -> tuple[Row, ...]:
    wanted = cards.select_related("status", "salesperson").only(*_SHOWN).annotate(chance=_CHANCE)
    shown = wanted.fetch_mode(FETCH_RAISE)[(page - 1) * PAGE : page * PAGE]
    return tuple(_row(card, found, today, currency, user) for card in shown)


def _row(card: Opportunity, found: Plan, today: date, currency: str, user: Person) -> Row:
    stage = found.stages.get(card.stage_id or 0)
    weighted = None
    if card.amount is not None and card.decided_on is None:
        weighted = _hundredth(card.amount * getattr(card, "chance"))
    following: Mapping[str, str] | None = card.face.get("next")
    due = days.say(date.fromisoformat(following["due"]), today) if following else None
    created = card.created_at.astimezone(timezone.get_current_timezone()).date()
    outcome, why = _outcome(card)
    return Row(
        card=layout.face_of(card, found, today=today, currency=currency),
        stage=stage.name if stage else "",
        stage_colour=stage.colour if stage else "",
        weighted=format_money(weighted, currency, short=True),
        outcome=outcome,
        why=why,
        next_due=due.short if due else "",
        next_due_full=due.full if due else "",
        created=days.short(created, today),
        created_full=days.full(created),
        may_restore=card.is_archived and access.may(user, "archive", card),
    )


def _outcome(card: Opportunity) -> tuple[str, str]:
    """Say how a card ended, by the business's own name for it, and why."""
    if card.decided_on is None:
        return "", ""
    rule = SalesRule(card.sales_rule)
    by_hand = card.decided_reason_label if rule is SalesRule.MANUAL else ""
    why = card.close_reason_label or by_hand
    if not why and card.sales_status == SalesStatus.LOST:
        why = why_lost(card.lost_because, card.face, rule, card.decided_reason_label)
    if not why and rule is not SalesRule.MANUAL:
        why = rule_label(rule)
    return card.status.name, why


# The filter's form


@dataclass(frozen=True, slots=True)
class Option:
    """One box to tick."""

    value: str
    label: str
    checked: bool
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The boxes of one condition. `chosen` says how many are ticked; `one` allows a single one (radio buttons)."""

    key: str
    title: str
    options: tuple[Option, ...]
    chosen: int
    one: bool = False


def with_archived(query: str) -> str:
    """The same filter, with archived cards."""
    pairs = QueryDict(query, mutable=True)
    pairs["archived"] = ARCHIVED_WITH
    return pairs.urlencode()


def group(
    key: str, title: Any, choices: Iterable[tuple[Any, ...]], ticked: Sequence[str], *, one: bool = False
) -> Group:
    """Make a group of boxes of (value, label[, colour]); the first box of radio buttons means "whichever"."""
    options = tuple(
        Option(str(value), str(label), str(value) in ticked or (one and not value and not ticked), *rest)
        for value, label, *rest in choices
    )
    return Group(key, str(title), options, sum(option.checked and option.value != "" for option in options), one)


def own_query(query: QueryDict) -> QueryDict:
    """Keep what belongs to the filter; a page number, an order or an open card does not."""
    kept = QueryDict(mutable=True)
    for key in KEYS:
        kept.setlist(key, query.getlist(key))
    return kept


def cards_of_others(ids: Sequence[int], user: Person) -> int:
    """Count the cards among these that a colleague has: a salesperson may not decide about them (D40)."""
    others = Opportunity.objects.visible_to(user).exclude(Q(salesperson=user) | Q(salesperson=None))
    return sum(others.filter(pk__in=ids[start : start + 500]).count() for start in range(0, len(ids), 500))
