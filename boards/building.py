"""Making and changing boards: their names, filters and order, their columns, and which stages stand behind each (K5).

No card is ever touched from here: a stage that loses its column only sends its cards to the tray.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import wraps
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from boards.models import DAYS_AT_MOST, Board, Column, ColumnStage
from opportunities import access, stages, starter
from opportunities.access import Person
from opportunities.errors import Blocker, NotAllowed, Refused, Stale
from opportunities.filter_keys import ME
from opportunities.filters import CardFilter
from opportunities.keys import comparison_key
from opportunities.models import BusinessSettings, Colour, OpportunityStage

NAME_LENGTH = 60
COLUMN_NAME_LENGTH = 50
COLUMNS_AT_MOST = 40
WIP_AT_MOST = 32_767
EDITABLE = frozenset({"name", "filter", "sort", "wip_binding", "is_default", "shared", "completed_days", "lost_days"})


@dataclass(frozen=True, slots=True)
class ColumnWish:
    """A column as somebody wants it; without an id it is a new one."""

    name: str
    colour: str = ""
    stages: tuple[int, ...] = ()
    wip_min: int | None = None
    wip_max: int | None = None
    id: int | None = None


def in_one_go[**P, R](verb: Callable[P, R]) -> Callable[P, R]:
    """Run the verb in a transaction; where the database finds two people in each other's way, say so."""

    @wraps(verb)
    def together(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return verb(*args, **kwargs)
        except IntegrityError as error:
            words = _("Somebody changed the boards or the stages at the same moment. Try again.")
            raise Stale(None, words) from error

    return together


@in_one_go
def create_board(
    *,
    name: str,
    shared: bool = False,
    filter: str = "",  # noqa: A002 - the field's name
    sort: str = Board.Sort.RANK,
    wip_binding: bool = False,
    is_default: bool = False,
    with_columns: bool = False,
    actor: Person | None,
    now: datetime,
) -> Board:
    """Make a board: one's own, or a shared one. The first shared board is the default.

    `with_columns` gives it a column for each active stage.

    :raises ValidationError: the name is empty or too long, or nobody knows such an order.
    :raises NotAllowed: a shared board, by somebody who is no admin; or somebody without a role.
    :raises Refused: WRONG_STATE: an own board cannot be the default.
    """
    access.require(actor, "shared_boards" if shared or actor is None else "create")
    board = Board(owner=None if shared else actor)
    if board.owner_id is None:
        _locked_shared()
    if is_default and board.owner_id is not None:
        raise Refused(_own_as_default(board))
    _apply(board, {"name": name, "filter": filter, "sort": sort, "wip_binding": wip_binding}, actor, now)
    board.save(force_insert=True)
    _keep_one_default(board, wanted=is_default)
    if with_columns:
        _add_columns(board, OpportunityStage.objects.active().in_order())
    return board


@in_one_go
def edit_board(*, board_id: int, actor: Person | None, now: datetime, **fields: Any) -> Board:
    """Change a board's name, filter, order, limits, days, is_default or shared; only what is named changes.

    Taking the default to another board takes it from the one that had it.

    :raises Board.DoesNotExist: no such board, or somebody else's.
    :raises NotAllowed: a shared board, by somebody who is no admin.
    :raises ValidationError: as `create_board`.
    :raises Refused: WRONG_STATE: the default is given up without naming another, or an own board is to be it, or a
        shared board is to be one person's again.
    """
    unknown = set(fields) - EDITABLE
    if unknown:
        raise TypeError(f"edit_board() does not know {', '.join(sorted(unknown))}")
    _locked_shared()
    board = board_for_change(board_id, actor)
    if fields.pop("shared", board.owner_id is None) != (board.owner_id is None):
        _share(board, actor)
    if "is_default" in fields:
        _require_default_kept(board, fields["is_default"])
    wanted = bool(fields.pop("is_default", board.is_default))
    _apply(board, fields, actor, now)
    board.save()
    _keep_one_default(board, wanted=wanted)
    return board


@in_one_go
def delete_board(*, board_id: int, actor: Person | None, now: datetime) -> str:
    """Delete a board with its columns; the cards stay as they are. Returns its name.

    If it was the default, the next shared board by name takes its place. Errors as `edit_board`.
    """
    _locked_shared()
    board = board_for_change(board_id, actor)
    name = board.name
    was_default = board.is_default
    board.delete()
    if was_default:
        following = Board.objects.filter(owner=None).order_by("name", "pk").first()
        if following is not None:
            _keep_one_default(following, wanted=True)
    return name


@in_one_go
def save_as(*, board_id: int, name: str, query: str, actor: Person, now: datetime) -> Board:
    """Keep what a person sees on a board, with their own filter on top, as a board of their own.

    The columns and their limits come along; later changes of the one do not touch the other.

    :raises Board.DoesNotExist: no such board, or somebody else's.
    :raises ValidationError: the name is empty or too long, or the filter names what is not there.
    :raises Refused: FILTERS_PART: the board's filter and the person's have nothing in common.
    """
    access.require(actor, "create")
    original = Board.objects.visible_to(actor).get(pk=board_id)
    board = Board(owner=actor)
    fields = {
        "name": name,
        "filter": _both(original.filter, query, actor, now),
        "sort": original.sort,
        "wip_binding": original.wip_binding,
        "completed_days": original.completed_days,
        "lost_days": original.lost_days,
    }
    _apply(board, fields, actor, now)
    board.save(force_insert=True)
    _write_columns(board, [replace(wish, id=None) for wish in wishes_of(original)], present={})
    return board


@in_one_go
def set_columns(
    *, board_id: int, columns: Sequence[ColumnWish], fingerprint: str | None = None, actor: Person | None, now: datetime
) -> Board:
    """Give a board these columns, in this order; a column that is not named goes, and its cards sit in the tray.

    :raises Stale: the columns are not those of `fingerprint` any more: somebody else changed them.
    :raises ValidationError: a name is missing or too long, the limits contradict, a stage is named twice or is gone.
    :raises NotAllowed, Board.DoesNotExist: as `edit_board`.
    """
    board = board_for_change(board_id, actor)
    if fingerprint is not None and fingerprint != fingerprint_of(board):
        raise Stale(board, _("Somebody changed the columns of this board meanwhile. Nothing of yours was saved."))
    _check(columns)
    present = {column.pk: column for column in board.columns.all()}
    if {wish.id for wish in columns if wish.id is not None} - present.keys():
        raise Stale(board, _("A column was removed by somebody else meanwhile. Nothing of yours was saved."))
    if list(columns) != wishes_of(board):
        _write_columns(board, columns, present)
    return board


@in_one_go
def column_per_stage(*, board_id: int, actor: Person | None, now: datetime) -> list[Column]:
    """Add a column for every active stage that is in none, in the business's own order. Errors as `edit_board`."""
    board = board_for_change(board_id, actor)
    missing = OpportunityStage.objects.active().in_order().exclude(columns__board=board)
    return _add_columns(board, missing)


@in_one_go
def columns_from_names(*, board_id: int, names: Iterable[str], actor: Person | None, now: datetime) -> list[Column]:
    """Add a column for each name, with the stage of that name; stages that do not exist are made.

    A stage that is in a column of the board stays there, so that doing it twice changes nothing.

    :raises NotAllowed: the actor is no admin, for the stages are everybody's.
    :raises Refused: STAGE_RETIRED: a stage of that name is retired.
    :raises ValidationError: no name at all, too many, or one that is too long.
    """
    access.require(actor, "settings")
    board = board_for_change(board_id, actor)
    wanted = _clean_names(names)
    present = {stage.name_key: stage for stage in OpportunityStage.objects.all()}
    retired = [stage for key in wanted if (stage := present.get(key)) is not None and not stage.active]
    if retired:
        words = _("“%(stage)s” is a retired stage. Activate it in the settings, or take another name.")
        raise Refused([Blocker("STAGE_RETIRED", words % {"stage": each.name}, subject=each.name) for each in retired])
    colours = list(Colour)
    rows = []
    for key, name in wanted.items():
        colour = colours[(len(present) + 8) % len(colours)]
        stage = present.get(key)
        if stage is None:
            stage = stages.create(name=name, colour=colour, is_default=not present, actor=actor, now=now)
            present[key] = stage
        rows.append(stage)
    mapped = set(ColumnStage.objects.filter(board=board).values_list("stage_id", flat=True))
    return _add_columns(board, [stage for stage in rows if stage.pk not in mapped])


@in_one_go
def load_starter_stages(*, board_id: int, actor: Person | None, now: datetime) -> list[Column]:
    """Make the starter stages where a business has none, and a column for each.

    :raises NotAllowed: the actor is no admin. Otherwise as `edit_board`.
    """
    access.require(actor, "settings")
    board_for_change(board_id, actor)
    starter.load_stages(actor=actor, now=now)
    return column_per_stage(board_id=board_id, actor=actor, now=now)


def wishes_of(board: Board) -> list[ColumnWish]:
    """Return the columns of a board as they are, in their order."""
    rows = board.columns.order_by("sequence", "pk").prefetch_related("mapped")
    return [
        ColumnWish(
            id=row.pk,
            name=row.name,
            colour=row.colour,
            stages=tuple(mapped.stage_id for mapped in row.mapped.all()),
            wip_min=row.wip_min,
            wip_max=row.wip_max,
        )
        for row in rows
    ]


def fingerprint_of(board: Board) -> str:
    """Return what tells one state of a board's columns from another, for an editor to send back."""
    state = [[w.id, w.name, w.colour, w.stages, w.wip_min, w.wip_max] for w in wishes_of(board)]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


# Rights and the default


def board_for_change(board_id: int, actor: Person | None) -> Board:
    """Lock a board that this person may edit."""
    boards = Board.objects.all() if actor is None else Board.objects.visible_to(actor)
    board = boards.select_for_update(no_key=True, of=("self",)).get(pk=board_id)
    access.require(actor, "view")
    if actor is not None and not board.may_be_edited_by(actor):
        raise NotAllowed(access.who_may("shared_boards"))
    return board


def _locked_shared() -> None:
    """Lock the shared boards, in the order of their keys, for one of them is the default."""
    rows = Board.objects.filter(owner=None).select_for_update(no_key=True, of=("self",)).order_by("pk")
    list(rows.values_list("pk", flat=True))


def _own_as_default(board: Board) -> Blocker:
    words = _("The default board is one that everybody sees. Share this board first.")
    return Blocker("WRONG_STATE", words, subject=board.name)


def _share(board: Board, actor: Person | None) -> None:
    if board.owner_id is None:
        words = _("Everybody uses this board. To take it away from them, delete it; to have one of your own, make one.")
        raise Refused(Blocker("WRONG_STATE", words, subject=board.name))
    access.require(actor, "shared_boards")
    board.owner = None


def _require_default_kept(board: Board, wanted: bool) -> None:
    if wanted and board.owner_id is not None:
        raise Refused(_own_as_default(board))
    if board.is_default and not wanted:
        words = _("One board is always the default. Make another one the default instead.")
        raise Refused(Blocker("WRONG_STATE", words, subject=board.name))


def _keep_one_default(board: Board, *, wanted: bool) -> None:
    """Make the board the default if it is asked for, or if it is shared and there is none yet."""
    if board.owner_id is not None or (board.is_default and wanted):
        return
    others = Board.objects.exclude(pk=board.pk).filter(is_default=True)
    if wanted or not others.exists():
        others.update(is_default=False)
        board.is_default = True
        board.save(update_fields=["is_default"])


# What a board may be


def _apply(board: Board, fields: dict[str, Any], actor: Person | None, now: datetime) -> None:
    if "name" in fields:
        board.name = _clean_name(fields["name"], NAME_LENGTH, _("Give the board a name."))
    if "filter" in fields:
        board.filter = _clean_filter(fields["filter"], actor, now)
    if "sort" in fields:
        if fields["sort"] not in Board.Sort.values:
            raise ValidationError({"sort": _("There is no such order.")})
        board.sort = fields["sort"]
    if "wip_binding" in fields:
        board.wip_binding = bool(fields["wip_binding"])
    for name in ("completed_days", "lost_days"):
        if name in fields:
            setattr(board, name, _clean_days(name, fields[name]))


def _clean_days(name: str, days: int | None) -> int | None:
    """Read after how many days something leaves a board; None is never."""
    if days is not None and not 0 <= days <= DAYS_AT_MOST:
        raise ValidationError({name: _("Write a number of days up to %(most)s.") % {"most": DAYS_AT_MOST}})
    return days


def _clean_name(name: str, length: int, missing: str) -> str:
    text = " ".join(str(name).replace("\x00", "").split())
    if not text:
        raise ValidationError({"name": missing})
    if len(text) > length:
        raise ValidationError({"name": _("The name is too long: %(most)s characters at most.") % {"most": length}})
    return text


def _clean_filter(query: str, actor: Person | None, now: datetime) -> str:
    """Spell a filter the one way that it is always spelled; what nobody understands is refused, not kept."""
    found = _parsed(query, actor, now)
    if found.problems:
        raise ValidationError({"filter": list(found.problems)})
    longest = Board._meta.get_field("filter").max_length or 0
    if len(found.query) > longest:
        raise ValidationError({"filter": _("The filter is too long to keep: take some conditions away.")})
    return found.query


def _parsed(query: str, actor: Person | None, now: datetime) -> CardFilter:
    business = BusinessSettings.current()
    return CardFilter.parse(
        query,
        user=actor,  # type: ignore[arg-type]  # only asked for when cards are selected
        today=business.today(now),
        first_weekday=business.first_day_of_week,
    )


def _both(saved_query: str, own_query: str, actor: Person, now: datetime) -> str:
    """Join two filters into the one that selects what both of them select."""
    saved, own = _parsed(saved_query, actor, now), _parsed(own_query, actor, now)
    several = {**saved.several, **own.several}
    for key in saved.several.keys() & own.several.keys():
        meant = {str(actor.pk) if value == ME else value for value in saved.several[key]}
        several[key] = tuple(v for v in own.several[key] if (str(actor.pk) if v == ME else v) in meant)
    amounts, days = {**saved.amounts, **own.amounts}, {**saved.days, **own.days}
    for key in saved.amounts.keys() & own.amounts.keys():
        amounts[key] = (max if key.endswith("_from") else min)(saved.amounts[key], own.amounts[key])
    for key in saved.days.keys() & own.days.keys():
        days[key] = (max if key.endswith("_from") else min)(saved.days[key], own.days[key])
    single = {**saved.single, **own.single}
    if saved.text and own.text:
        single["q"] = f"{saved.text} {own.text}"
    parting = any(saved.single.get(key, single[key]) != single[key] for key in {"forecast", "customer"} & single.keys())
    if parting or not all(several.values()):
        words = _("The filter of this board and yours exclude each other, so there is no card to keep a board of.")
        raise Refused(Blocker("FILTERS_PART", words))
    return replace(own, several=several, amounts=amounts, days=days, single=single).query


# Columns


def _check(columns: Sequence[ColumnWish]) -> None:
    """Judge the columns together. :raises ValidationError: with every fault at once."""
    if len(columns) > COLUMNS_AT_MOST:
        words = _("That is too many columns: %(most)s at most.") % {"most": COLUMNS_AT_MOST}
        raise ValidationError({"columns": words})
    faults = [fault for wish in columns for fault in _faults(wish)]
    named = [stage for wish in columns for stage in wish.stages]
    twice = {stage for stage in named if named.count(stage) > 1}
    known = dict(OpportunityStage.objects.filter(pk__in=named).values_list("pk", "name"))
    words = _("“%(stage)s” can be in one column of a board only.")
    faults += [words % {"stage": known[stage]} for stage in sorted(twice & known.keys())]
    if set(named) - known.keys():
        faults.append(_("One of the stages does not exist any more."))
    if faults:
        raise ValidationError({"columns": faults})


def _faults(wish: ColumnWish) -> list[str]:
    faults = []
    try:
        _clean_name(wish.name, COLUMN_NAME_LENGTH, _("Give every column a name."))
    except ValidationError as error:
        faults += error.messages
    if wish.colour not in {"", *Colour.values}:
        faults.append(_("There is no such colour."))
    if any(limit is not None and not 0 <= limit <= WIP_AT_MOST for limit in (wish.wip_min, wish.wip_max)):
        faults.append(_("“%(column)s”: a limit is a number of cards.") % {"column": wish.name})
    elif wish.wip_max is not None and wish.wip_max < max(1, wish.wip_min or 0):
        words = _("“%(column)s”: the most cards cannot be fewer than the least, nor none.")
        faults.append(words % {"column": wish.name})
    return faults


def _write_columns(board: Board, columns: Sequence[ColumnWish], present: dict[int, Column]) -> None:
    """Write the columns and what they stand for; the board of a mapping is always its column's."""
    kept = {wish.id for wish in columns if wish.id is not None}
    Column.objects.filter(board=board).exclude(pk__in=kept).delete()
    ColumnStage.objects.filter(board=board).delete()
    mapped = []
    for place, wish in enumerate(columns, start=1):
        column = Column(board=board) if wish.id is None else present[wish.id]
        column.name = _clean_name(wish.name, COLUMN_NAME_LENGTH, _("Give every column a name."))
        column.colour, column.wip_min, column.wip_max = wish.colour, wish.wip_min, wish.wip_max
        column.sequence = place
        column.save()
        mapped += [
            ColumnStage(board=board, column=column, stage_id=stage, position=position)
            for position, stage in enumerate(wish.stages)
        ]
    ColumnStage.objects.bulk_create(mapped)


def _add_columns(board: Board, rows: Iterable[OpportunityStage]) -> list[Column]:
    """Add a column for each of these stages behind the present ones."""
    place = board.columns.count()
    highest = board.columns.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    made = []
    for offset, stage in enumerate(rows, start=1):
        if place + offset > COLUMNS_AT_MOST:
            raise ValidationError(
                {"columns": _("That is too many columns: %(most)s at most.") % {"most": COLUMNS_AT_MOST}}
            )
        column = Column.objects.create(
            board=board, name=stage.name, colour=stage.colour, sequence=max(place, highest) + offset
        )
        ColumnStage.objects.create(board=board, column=column, stage=stage)
        made.append(column)
    return made


def _clean_names(names: Iterable[str]) -> dict[str, str]:
    """The names by what tells them apart, in the order typed."""
    wanted: dict[str, str] = {}
    for name in names:
        if not str(name).replace("\x00", "").strip():
            continue
        try:
            text = _clean_name(name, COLUMN_NAME_LENGTH, "")
        except ValidationError as error:
            raise ValidationError({"names": [f"“{str(name)[:30]}…”: {each}" for each in error.messages]}) from None
        wanted.setdefault(comparison_key(text), text)
    if not wanted:
        raise ValidationError({"names": _("Write a name in each line.")})
    if len(wanted) > COLUMNS_AT_MOST:
        raise ValidationError({"names": _("That is too many columns: %(most)s at most.") % {"most": COLUMNS_AT_MOST}})
    return wanted
