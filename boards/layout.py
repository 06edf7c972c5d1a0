"""What a board shows, as finished texts in frozen dataclasses, in a constant number of statements.

Templates print these and decide nothing. Sums come from the database over all cards that the filter selects; they are
fetched by a request of their own (`heads`), so that a large board opens as fast as a small one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import CharField, Count, F, FilteredRelation, Q, Subquery, Sum, Value
from django.db.models.expressions import OrderBy
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from boards.chips import DocumentChip, chips_of
from boards.health import EmptyHelp, HealthNote, empty_help, health_notes
from boards.models import Board, Column, Fold
from boards.selection import Selection, select
from opportunities import access, days
from opportunities.access import Person
from opportunities.filters import Chip
from opportunities.losses import still_open, why_lost
from opportunities.models import BusinessSettings, Colour, Event, Opportunity, OpportunityStage
from opportunities.models.opportunity import WORKFLOW_CHOICES, OpportunityQuerySet
from opportunities.money import format_money
from opportunities.workflow import WorkflowStatus

PAGE = 30
"""How many cards of a column are sent at a time."""

PAGES_AT_ONCE = 20
"""How many pages of a column that were loaded already are sent again at most."""

PARTS_AT_ONCE = 400
"""How many stages one statement asks for; SQLite joins no more than 500."""

_AVATARS = [colour.value for colour in Colour]


@dataclass(frozen=True, slots=True)
class CardFace:
    """One card as the board shows it."""

    pk: int
    number: str
    title: str
    customer: str
    amount: str
    forecast: str
    forecast_full: str
    forecast_tone: str
    workflow: str
    workflow_label: str
    sales: str
    sales_label: str
    next_action: str
    next_action_tone: str
    days: str
    days_full: str
    stale: bool
    initials: str
    salesperson: str
    avatar: str
    stage_id: int | None
    column_id: int | None
    version: int
    closed: bool
    archived: bool
    movable: bool
    url: str
    chips: tuple[DocumentChip, ...] = ()
    offered: str = ""
    """What the customer of a lost deal could still take up; such a card has an outlined mark."""


@dataclass(frozen=True, slots=True)
class Head:
    """The figures over a column, or over the whole board: open cards that are not archived."""

    count: int
    count_label: str
    total: str
    weighted: str
    outcomes: str
    expiring: str
    expiring_short: str
    expired: str
    archived: str
    hidden: str
    wip: str = ""
    wip_tone: str = ""


@dataclass(frozen=True, slots=True)
class StageRef:
    """A stage as columns and dialogs name it. `position` is its place in the business's own order."""

    pk: int
    name: str
    colour: str
    tooltip: str
    active: bool
    stale_after_days: int | None
    column_id: int | None


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column with its first cards."""

    pk: int
    name: str
    colour: str
    tooltip: str
    stages: tuple[StageRef, ...]
    cards: tuple[CardFace, ...]
    more: bool
    folded: bool
    quick_add: bool
    head: Head | None
    empty: str


@dataclass(frozen=True, slots=True)
class TrayView:
    """The cards whose stage is in no column of the board, or that have no stage.

    `count` is None where more of them wait than are laid out: the figures of the heads tell.
    """

    count: int | None
    cards: tuple[CardFace, ...]
    more: bool
    folded: bool


@dataclass(frozen=True, slots=True)
class BoardRef:
    """A board in the switcher."""

    pk: int
    name: str
    current: bool


@dataclass(frozen=True, slots=True)
class ChipView:
    """A condition in force; without `remove_url` it is the board's own."""

    label: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class BoardView:
    """A whole board page."""

    pk: int
    name: str
    columns: tuple[ColumnView, ...]
    tray: TrayView | None
    head: Head | None
    boards: tuple[BoardRef, ...]
    chips: tuple[ChipView, ...]
    problems: tuple[str, ...]
    query: str
    sort_label: str
    may_edit: bool
    may_create: bool
    empty: str | None
    stages: tuple[StageRef, ...] = ()
    health: tuple[HealthNote, ...] = ()
    help: EmptyHelp | None = None
    newest: int = 0
    """The newest event before the cards were read: what comes after it, the page does not know."""


@dataclass(slots=True)
class Plan:
    """A board with its columns and every stage of the business, read in three statements."""

    board: Board
    columns: Sequence[Column]
    stages: dict[int, StageRef]
    by_column: dict[int, list[StageRef]] = field(default_factory=dict)
    newest: int = 0

    @property
    def loose(self) -> list[int]:
        """The stages that are in no column."""
        return [stage.pk for stage in self.stages.values() if stage.column_id is None]


def plan(board_id: int, *, user: Person) -> Plan:
    """Read a board's columns and stages. :raises Board.DoesNotExist: no such board, or somebody else's."""
    newest = Event.objects.order_by("-pk").values("pk")[:1]
    board = Board.objects.visible_to(user).annotate(newest=Subquery(newest)).get(pk=board_id)
    columns = list(Column.objects.filter(board=board).order_by("sequence", "pk"))
    rows = (
        OpportunityStage.objects.alias(here=FilteredRelation("mapped", condition=Q(mapped__board=board)))
        .order_by("here__position", "sequence", "pk")
        .values_list("pk", "name", "colour", "description", "active", "stale_after_days", "here__column")
    )
    found = Plan(board, columns, {row[0]: StageRef(*row) for row in rows}, newest=getattr(board, "newest") or 0)
    for column in columns:
        found.by_column[column.pk] = [stage for stage in found.stages.values() if stage.column_id == column.pk]
    return found


def board_view(board_id: int, *, user: Person, query: QueryDict | str, today: date, totals: bool = False) -> BoardView:
    """Lay a board out for one person and one filter. :raises Board.DoesNotExist: not there, or not theirs."""
    found = plan(board_id, user=user)
    business = BusinessSettings.current()
    selection = select(found.board, user=user, query=query, today=today, first_weekday=business.first_day_of_week)
    folded = set(Fold.objects.filter(user=user, board=found.board).values_list("column_id", flat=True))
    figures = _heads(found, selection, business, today) if totals else {}
    groups = {column.pk: [stage.pk for stage in found.by_column[column.pk]] for column in found.columns}
    cards = _first_cards(found, selection, groups, user=user, today=today, business=business)
    may_create, may_edit = access.may(user, "create"), found.board.may_be_edited_by(user)
    empty = "no_stages" if not found.stages else None if found.columns else "no_columns"
    columns = tuple(
        _column_view(column, found, cards[column.pk], column.pk in folded, figures.get(column.pk), may_create)
        for column in found.columns
    )
    saved = selection.saved.chips()
    tray, in_tray = None, cards[None]
    if in_tray:
        tray = _tray_view(in_tray, PAGE, folded=None in folded)
        tray = replace(tray, count=figures[-1].count) if totals else tray
    return BoardView(
        pk=found.board.pk,
        name=found.board.name,
        columns=columns,
        tray=tray,
        head=figures.get(0),
        boards=tuple(
            BoardRef(pk, name, pk == found.board.pk)
            for pk, name in Board.objects.visible_to(user).in_order().values_list("pk", "name")
        ),
        chips=_chips(saved, selection),
        problems=selection.filter.problems,
        query=selection.filter.query,
        sort_label=_sort_label(found.board),
        may_edit=may_edit,
        may_create=may_create,
        empty=empty,
        stages=tuple(found.stages.values()),
        health=health_notes(found, user=user, today=today, business=business, saved=saved) if may_edit else (),
        help=empty_help(user) if empty else None,
        newest=found.newest,
    )


def _tray_view(cards: list[CardFace], size: int, *, folded: bool) -> TrayView:
    more = len(cards) > size
    return TrayView(None if more else len(cards), tuple(cards[:size]), more, folded)


def _column_view(
    column: Column,
    found: Plan,
    cards: list[CardFace],
    folded: bool,
    head: Head | None,
    may_create: bool,
    size: int | None = None,
) -> ColumnView:
    size = size or PAGE
    stages = tuple(found.by_column[column.pk])
    return ColumnView(
        pk=column.pk,
        name=column.name,
        colour=column.colour or (stages[0].colour if stages else Colour.SLATE.value),
        tooltip="\n".join(stage.tooltip for stage in stages if stage.tooltip),
        stages=stages,
        cards=tuple(cards[:size]),
        more=len(cards) > size,
        folded=folded,
        quick_add=may_create and any(stage.active for stage in stages),
        head=head,
        empty=_("No card is here yet.") if stages else _("No stage is mapped to this column, so nothing can be here."),
    )


def _sort_label(board: Board) -> str:
    if board.sort == Board.Sort.RANK:
        return ""
    return _("Sorted %(order)s: dragging changes the stage only") % {"order": board.get_sort_display()}


def _chips(saved: Iterable[Chip], selection: Selection) -> tuple[ChipView, ...]:
    own = tuple(ChipView(chip.label, f"?{chip.remove_query}") for chip in selection.chips)
    return tuple(ChipView(chip.label, "") for chip in saved) + own


def pages_for(cards: int) -> int:
    """How many cards to send where so many stand on the screen: whole pages, one at least, and not without end."""
    return PAGE * min(max(-(-cards // PAGE), 1), PAGES_AT_ONCE)


def column_page(
    board_id: int,
    column_id: int,
    *,
    user: Person,
    query: QueryDict | str,
    today: date,
    after: int | None,
    size: int | None = None,
) -> ColumnView:
    """Lay out the next cards of a column, after a card. :raises Column.DoesNotExist: no such column on this board."""
    found = plan(board_id, user=user)
    column = next((each for each in found.columns if each.pk == column_id), None)
    if column is None:
        raise Column.DoesNotExist
    stage_ids = [stage.pk for stage in found.by_column[column_id]]
    cards = _next_cards(found, stage_ids, user=user, query=query, today=today, after=after, size=size)
    return _column_view(column, found, cards, False, None, access.may(user, "create"), size)


def tray_page(
    board_id: int, *, user: Person, query: QueryDict | str, today: date, after: int | None, size: int | None = None
) -> TrayView:
    """Lay out the next cards that are in no column, after a card."""
    found = plan(board_id, user=user)
    cards = _next_cards(found, None, user=user, query=query, today=today, after=after, size=size)
    return _tray_view(cards, size or PAGE, folded=False)


def _next_cards(
    found: Plan,
    stage_ids: list[int] | None,
    *,
    user: Person,
    query: QueryDict | str,
    today: date,
    after: int | None,
    size: int | None,
) -> list[CardFace]:
    business = BusinessSettings.current()
    selection = select(found.board, user=user, query=query, today=today, first_weekday=business.first_day_of_week)
    here = selection.in_no_column(found.loose) if stage_ids is None else selection.cards.filter(stage__in=stage_ids)
    rows = in_order(_after(here, found.board, after, user), found.board)[: (size or PAGE) + 1]
    return [_face(row, found, today, business.currency) for row in rows.values_list(*_FACTS)]


def card_face(
    board_id: int, card_id: int, *, user: Person, today: date, query: QueryDict | str | None = None
) -> CardFace:
    """Lay out one card as it is now; with `query`, only if the board shows it under that filter.

    :raises Opportunity.DoesNotExist: no such card, not to be seen, or not shown (D42).
    """
    found = plan(board_id, user=user)
    business = BusinessSettings.current()
    rows = Opportunity.objects.visible_to(user)
    if query is not None:
        weekday = business.first_day_of_week
        rows = select(found.board, user=user, query=query, today=today, first_weekday=weekday).cards
    row = rows.filter(pk=card_id).values_list(*_FACTS).first()
    if row is None:
        raise Opportunity.DoesNotExist
    return _face(row, found, today, business.currency)


def faces_of(ids: Iterable[int], found: Plan, *, today: date, currency: str) -> dict[int, CardFace]:
    """Lay out some cards that the person's board is known to show, in the order of their ids in hand."""
    rows = {row[0]: row for row in Opportunity.objects.filter(pk__in=list(ids)).values_list(*_FACTS)}
    return {pk: _face(rows[pk], found, today, currency) for pk in ids if pk in rows}


def heads(board_id: int, *, user: Person, query: QueryDict | str, today: date) -> dict[int, Head]:
    """Work out the figures of every column by its id, of the whole board under 0, and of the tray under -1."""
    found = plan(board_id, user=user)
    business = BusinessSettings.current()
    selection = select(found.board, user=user, query=query, today=today, first_weekday=business.first_day_of_week)
    return _heads(found, selection, business, today)


def counts(found: Plan, selection: Selection, column_ids: Iterable[int]) -> dict[int, int]:
    """Count the open cards of some columns, for the answer to a move."""
    columns = {stage.pk: stage.column_id for stage in found.stages.values() if stage.column_id in set(column_ids)}
    rows = _open(selection).filter(stage__in=columns).values("stage").annotate(n=Count("*")).order_by()
    result = dict.fromkeys(column_ids, 0)
    for row in rows:
        result[columns[row["stage"]]] += row["n"]
    return result


# Which cards, in which order


_ORDERS: dict[str, tuple[Any, bool]] = {
    Board.Sort.RANK: ("rank", False),
    Board.Sort.FORECAST_DATE: ("forecast_date", False),
    Board.Sort.AMOUNT: ("amount", True),
    Board.Sort.STAGE_AGE: ("stage_entered_at", False),
    Board.Sort.NEXT_ACTION: (Cast(KT("face__next__due"), CharField()), False),
}
"""What each order compares, and whether the largest comes first; cards without a value come last."""


def in_order(cards: OpportunityQuerySet, board: Board) -> OpportunityQuerySet:
    """Put cards in the board's order, which never leaves two of them undecided."""
    if board.sort == Board.Sort.RANK:
        return cards.order_by("rank", "pk")
    by, largest_first = _ORDERS[board.sort]
    ordered = cards.annotate(sorts_by=F(by) if isinstance(by, str) else by)
    return ordered.order_by(OrderBy(F("sorts_by"), descending=largest_first, nulls_last=True), "pk")


def _after(cards: OpportunityQuerySet, board: Board, card_id: int | None, user: Person) -> OpportunityQuerySet:
    """Leave out everything up to and including a card. Where it is gone, begin again: no card is lost.

    A card that this person may not see counts as gone, or the page would tell what it is worth beside theirs.
    """
    if card_id is None:
        return cards
    by, largest_first = _ORDERS[board.sort]
    keyed = cards.annotate(compared=F(by) if isinstance(by, str) else by)
    found = (
        Opportunity.objects.visible_to(user)
        .filter(pk=card_id)
        .annotate(compared=F(by) if isinstance(by, str) else by)
        .values_list("compared")
        .first()
    )
    if found is None:
        return cards
    (last,) = found
    if last is None:
        return keyed.filter(compared=None, pk__gt=card_id)
    further = Q(compared__lt=last) if largest_first else Q(compared__gt=last)
    return keyed.filter(further | Q(compared=last, pk__gt=card_id) | Q(compared=None))


def _first_cards(
    found: Plan,
    selection: Selection,
    groups: dict[int, list[int]],
    *,
    user: Person,
    today: date,
    business: BusinessSettings,
) -> dict[int | None, list[CardFace]]:
    """Read the first cards of every column and of the tray (None): one statement for which, one for what they show."""
    # One part a stage, each a walk along the index of that stage. "Not one of these stages" would read all cards.
    stage_ids = [*(stage_id for group in groups.values() for stage_id in group), *found.loose, None]
    parts = [
        in_order(selection.cards.filter(stage=stage_id), found.board).values("pk")[: PAGE + 1] for stage_id in stage_ids
    ]
    ids = ids_of(parts)
    rows = in_order(Opportunity.objects.filter(pk__in=ids), found.board).values_list(*_FACTS)
    cards: dict[int | None, list[CardFace]] = {None: [], **{column: [] for column in groups}}
    for row in rows:
        face = _face(row, found, today, business.currency)
        if len(cards[face.column_id]) <= PAGE:
            cards[face.column_id].append(face)
    return cards


def ids_of(parts: Sequence[Any]) -> list[int]:
    """Read the ids that several limited querysets select: one statement for all that a database joins at a time."""
    ids: list[int] = []
    for start in range(0, len(parts), PARTS_AT_ONCE):
        texts, arguments = [], []
        for place, part in enumerate(parts[start : start + PARTS_AT_ONCE]):
            text, given = part.query.sql_with_params()
            texts.append(f"SELECT part_{place}.pk FROM ({text}) part_{place}")  # noqa: S608 - compiled by Django
            arguments += given
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(texts), arguments)
            ids += [row[0] for row in cursor.fetchall()]
    return ids


# What a card shows


_FACTS = (
    "pk",
    "title",
    "amount",
    "forecast_date",
    "workflow_status",
    "sales_status",
    "sales_rule",
    "decided_on",
    "decided_reason_label",
    "status__name",
    "salesperson_id",
    "salesperson__first_name",
    "salesperson__last_name",
    "salesperson__username",
    "stage_id",
    "stage_entered_at",
    "version",
    "closed_kind",
    "archived_at",
    "face",
    "lost_because",
    "live_offer",
)

_WORKFLOW_LABELS = dict(WORKFLOW_CHOICES)


def face_of(card: Opportunity, found: Plan, *, today: date, currency: str) -> CardFace:
    """Lay out a card that is in hand, with its salesperson and status; reads nothing."""
    person = card.salesperson
    row = (
        card.pk,
        card.title,
        card.amount,
        card.forecast_date,
        str(card.workflow_status),
        card.sales_status,
        card.sales_rule,
        card.decided_on,
        card.decided_reason_label,
        card.status.name,
        card.salesperson_id,
        person.first_name if person else "",
        person.last_name if person else "",
        person.username if person else "",
        card.stage_id,
        card.stage_entered_at,
        card.version,
        card.closed_kind,
        card.archived_at,
        card.face,
        card.lost_because,
        card.live_offer,
    )
    return _face(row, found, today, currency)


def _face(row: Sequence[Any], found: Plan, today: date, currency: str) -> CardFace:
    (
        pk,
        title,
        amount,
        forecast_date,
        workflow,
        sales,
        rule,
        decided_on,
        reason,
        status,
        person_id,
        first_name,
        last_name,
        username,
        stage_id,
        stage_entered_at,
        version,
        closed_kind,
        archived_at,
        face,
        because,
        live_offer,
    ) = row
    language = get_language() or "en"
    stage = found.stages.get(stage_id)
    forecast, forecast_full, tone = _forecast(forecast_date, today, workflow, language)
    following = face.get("next")
    action_tone = _action_tone(following, today)
    in_stage, in_stage_full, in_days = _in_stage(_local_date(stage_entered_at), today, language)
    name = f"{first_name} {last_name}".strip() or username or ""
    return CardFace(
        pk=pk,
        number=f"OPP-{pk}",
        title=title,
        customer=", ".join(face.get("customers", ())),
        amount=format_money(amount, currency, short=True),
        forecast=forecast,
        forecast_full=forecast_full,
        forecast_tone=tone,
        workflow=workflow,
        workflow_label=_label(workflow, language),
        sales=sales,
        sales_label=_sales_label(sales, status, why_lost(because, face, rule, reason))
        if decided_on is not None
        else "",
        next_action=following["text"] if following else "",
        next_action_tone=action_tone,
        days=in_stage,
        days_full=in_stage_full,
        stale=decided_on is None and action_tone in {"none", "overdue"} and _is_over(stage, in_days),
        initials=initials_of(first_name or "", last_name or "", username or ""),
        salesperson=name,
        avatar=avatar_of(person_id),
        stage_id=stage_id,
        column_id=stage.column_id if stage else None,
        version=version,
        closed=bool(closed_kind),
        archived=archived_at is not None,
        movable=not closed_kind,
        url=f"{_opportunities_url()}{pk}/",
        chips=chips_of(face),
        offered=(still_open(face) or _("An offer is still open")) if sales == "lost" and live_offer else "",
    )


def _is_over(stage: StageRef | None, in_days: int) -> bool:
    return stage is not None and stage.stale_after_days is not None and in_days > stage.stale_after_days


@lru_cache(maxsize=1)
def _opportunities_url() -> str:
    return reverse("opportunities:detail", args=[0]).removesuffix("0/")


@lru_cache(maxsize=4096)
def _forecast(day: date | None, today: date, workflow: str, language: str) -> tuple[str, str, str]:
    if day is None:
        return "", "", ""
    said = days.say(day, today)
    if workflow == WorkflowStatus.EXPIRED:
        return days.expired(day, today), said.full, "late"
    return said.short, said.full, "soon" if said.tone == "soon" else ""


@lru_cache(maxsize=4096)
def _in_stage(since: date, today: date, language: str) -> tuple[str, str, int]:
    return days.lasting(since, today), days.lasting_in_words(since, today), (today - since).days


def _local_date(moment: datetime) -> date:
    return moment.astimezone(timezone.get_current_timezone()).date()


def _action_tone(following: dict[str, str] | None, today: date) -> str:
    if following is None:
        return "none"
    due = following["due"]
    day = today.isoformat()
    return "overdue" if due < day else "today" if due == day else "planned"


@lru_cache(maxsize=256)
def _label(workflow: str, language: str) -> str:
    return str(_WORKFLOW_LABELS[workflow])


def _sales_label(sales: str, status: str, why: str) -> str:
    """Name the outcome by its row, and a loss by what lost it."""
    if sales == "lost" and why:
        return _("Lost: %(reason)s") % {"reason": why}
    return status


def avatar_of(person_id: int | None) -> str:
    """Return the colour of a person's avatar."""
    return _AVATARS[person_id % len(_AVATARS)] if person_id else "slate"


@lru_cache(maxsize=1024)
def initials_of(first_name: str, last_name: str, username: str) -> str:
    """Return what stands in a person's avatar."""
    letters = first_name[:1] + last_name[:1]
    return (letters or username[:2]).upper()


# The figures


@dataclass(slots=True)
class _Sum:
    """The figures of some stages, added up."""

    open: int = 0
    total: Decimal = Decimal(0)
    weighted: Decimal = Decimal(0)
    expired: int = 0
    expiring: int = 0
    won: int = 0
    won_total: Decimal = Decimal(0)
    lost: int = 0
    decided: int = 0
    archived: int = 0
    hidden: int = 0


def _open(selection: Selection) -> OpportunityQuerySet:
    """The cards that heads count. Open cards are never off the board, so the index on open cards answers alone."""
    return selection.everything.filter(archived_at=None, decided_on=None)


def _heads(found: Plan, selection: Selection, business: BusinessSettings, today: date) -> dict[int, Head]:
    probabilities = dict(OpportunityStage.objects.values_list("pk", "probability"))
    sums: dict[int, _Sum] = {0: _Sum(), -1: _Sum(), **{column.pk: _Sum() for column in found.columns}}

    def places(stage_id: int | None) -> tuple[_Sum, _Sum]:
        stage = found.stages.get(stage_id or 0)
        return sums[0], sums[(stage.column_id if stage else None) or -1]

    week = today.fromordinal(today.toordinal() + 6)
    for row in _open_figures(selection, today, week):
        chance = Decimal(probabilities.get(row["stage"] or 0, 0))
        for each in places(row["stage"]):
            each.open += row["n"]
            each.total += row["total"] or 0
            each.weighted += ((row["unweighted"] or 0) * chance + (row["by_own"] or 0)) / 100
            each.expired += row["expired"]
            each.expiring += row["expiring"]
    for row in _decided_figures(selection):
        for each in places(row["stage"]):
            each.won += row["won"]
            each.won_total += row["won_total"] or 0
            each.lost += row["lost"]
            each.decided += row["n"]
            each.hidden += row["hidden"]
    for row in _put_away(selection):
        for each in places(row["stage"]):
            each.archived += row["archived"]
    columns = {column.pk: column for column in found.columns}
    return {key: _head(each, columns.get(key), business.currency) for key, each in sums.items()}


def _open_figures(selection: Selection, today: date, week: date) -> Iterable[Any]:
    """Add up the open cards of each stage. It counts columns that the index holds, so the table is not read."""
    expired = Q(workflow_status=WorkflowStatus.EXPIRED.value)
    return (
        _open(selection)
        .values("stage")
        .annotate(
            n=Count("*"),
            total=Sum("amount"),
            unweighted=Sum("amount", filter=Q(probability=None)),
            by_own=Sum(F("amount") * F("probability"), filter=Q(probability__isnull=False)),
            expired=Count("workflow_status", filter=expired),
            expiring=Count("forecast_date", filter=~expired & Q(forecast_date__gte=today, forecast_date__lte=week)),
        )
        .order_by()
    )


def _decided_figures(selection: Selection) -> Iterable[Any]:
    """Count what was decided and is not put away: what the board shows of it, and what it hides."""
    shown = selection.shown or Q(decided_on__isnull=False)
    asked = selection.filter.asks_for_decided or selection.saved.asks_for_decided
    return (
        selection.everything.filter(archived_at=None, decided_on__isnull=False)
        .values("stage")
        .annotate(
            n=Count("sales_status", filter=shown),
            won=Count("sales_status", filter=shown & Q(sales_status="won")),
            won_total=Sum("amount", filter=shown & Q(sales_status="won")),
            lost=Count("sales_status", filter=shown & Q(sales_status="lost")),
            hidden=Value(0) if asked else Count("sales_status", filter=selection.left_out),
        )
        .order_by()
    )


def _put_away(selection: Selection) -> Iterable[Any]:
    """Count the open cards in the archive, which no head counts otherwise."""
    archived = selection.everything.filter(archived_at__isnull=False, decided_on=None)
    return archived.values("stage").annotate(archived=Count("*")).order_by()


def _head(figures: _Sum, column: Column | None, currency: str) -> Head:
    wip, tone = _wip(figures.open, column)
    return Head(
        count=figures.open,
        count_label=ngettext("%(n)s open", "%(n)s open", figures.open) % {"n": figures.open},
        total=format_money(figures.total, currency, short=True),
        weighted=format_money(figures.weighted.quantize(Decimal(1)), currency, short=True),
        outcomes=_outcomes(figures, currency),
        expiring=_counted(
            figures.expiring, ngettext("%(n)s expires this week", "%(n)s expire this week", figures.expiring)
        ),
        expiring_short=_counted(figures.expiring, _("%(n)s expiring")),
        expired=_counted(figures.expired, _("%(n)s expired")),
        archived=_counted(figures.archived, _("%(n)s archived")),
        hidden=_counted(figures.hidden, _("%(n)s hidden")),
        wip=wip,
        wip_tone=tone,
    )


def _counted(count: int, words: str) -> str:
    return words % {"n": count} if count else ""


def _outcomes(figures: _Sum, currency: str) -> str:
    parts = []
    if figures.won:
        money = format_money(figures.won_total, currency, short=True)
        parts.append(_("%(n)s won %(total)s") % {"n": figures.won, "total": money})
    if figures.lost:
        parts.append(_("%(n)s lost") % {"n": figures.lost})
    other = figures.decided - figures.won - figures.lost
    if other:
        parts.append(_("%(n)s closed") % {"n": other})
    return " · ".join(parts)


def _wip(count: int, column: Column | None) -> tuple[str, str]:
    if column is None or (column.wip_max is None and column.wip_min is None):
        return "", ""
    if column.wip_max is not None:
        return f"{count} / {column.wip_max}", "full" if count >= column.wip_max else _low(count, column)
    return _("%(n)s of at least %(least)s") % {"n": count, "least": column.wip_min}, _low(count, column)


def _low(count: int, column: Column) -> str:
    return "low" if column.wip_min is not None and count < column.wip_min else ""
