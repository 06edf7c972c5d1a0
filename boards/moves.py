"""What dropping a card on a column means: which stage it enters, between which neighbours, and what would refuse it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from boards import layout
from boards.layout import CardFace, StageRef
from boards.models import Board, Column
from boards.selection import Selection, select
from opportunities import access, attached, explain, outcome, pipeline, rank
from opportunities.access import Person
from opportunities.errors import Blocker, Refused
from opportunities.models import BusinessSettings, Opportunity, OpportunityStage, OpportunityStatus
from opportunities.pipeline import closed_blocker, entry_blockers, status_blocker

TOP = "top"
BOTTOM = "bottom"
_NO_ROW = Blocker("NO_STATUS", gettext_lazy("There is no status for this: an admin can add one."))  # type: ignore[arg-type]


class AskStage(Exception):
    """The column stands for several stages and none was named: ask which, the first being preselected."""

    def __init__(self, stages: Sequence[StageRef]) -> None:
        self.stages = tuple(stages)
        super().__init__(_("Which stage is it?"))


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a drop did. `sentence` is for the toast and for the ear; without an event nothing changed."""

    opportunity: Opportunity
    face: CardFace
    event_id: int | None
    from_column_id: int | None
    to_column_id: int
    counts: dict[int, int]
    sentence: str


@dataclass(frozen=True, slots=True)
class Targets:
    """Which columns (by id) and which zones (won, lost, closed) would refuse a card, each with the reason."""

    columns: dict[int, str]
    zones: dict[str, str]


def drop(
    board_id: int,
    opportunity_id: int,
    column_id: int,
    stage_id: int | None = None,
    after_id: int | None = None,
    before_id: int | None = None,
    to: str | None = None,
    version: int | None = None,
    *,
    actor: Person,
    now: datetime,
    query: QueryDict | str = "",
) -> Dropped:
    """Put a card where a person dropped it on a board: between two neighbours, at the top or at the bottom.

    On a sorted board only the stage changes. The counts are those of the two columns under the person's filter.

    :raises AskStage: the column has several stages, none was named, and the card is in none of them.
    :raises Refused: NO_STAGE, WIP_FULL, and what `pipeline.move` refuses.
    :raises Stale: somebody moved the card first.
    :raises Board.DoesNotExist, Column.DoesNotExist, OpportunityStage.DoesNotExist: gone, or not to be seen.
    """
    found = layout.plan(board_id, user=actor)
    column = next((each for each in found.columns if each.pk == column_id), None)
    if column is None:
        raise Column.DoesNotExist
    business = BusinessSettings.current()
    today = business.today(now)
    selection = select(found.board, user=actor, query=query, today=today, first_weekday=business.first_day_of_week)
    binding = found.board.wip_binding and column.wip_max is not None

    def act() -> tuple[Opportunity, StageRef]:
        stage = _stage(found.by_column[column_id], stage_id, opportunity_id)
        if binding:
            _require_room(found.by_column[column_id], column, opportunity_id)
        after, before = (None, None)
        if found.board.sort == Board.Sort.RANK:
            after, before = _neighbours(selection, found.by_column[column_id], opportunity_id, after_id, before_id, to)
        card = pipeline.move(
            opportunity_id=opportunity_id,
            stage_id=stage.pk,
            after_id=after,
            before_id=before,
            version=version,
            actor=actor,
            now=now,
        )
        return card, stage

    # Room in a column is kept by the locks of its stages, so they are held until the card is in it.
    card, stage = rank.with_room(act)
    left = _left(card, found)
    return Dropped(
        opportunity=card,
        face=layout.face_of(card, found, today=today, currency=business.currency),
        event_id=card.last_event_id,
        from_column_id=left,
        to_column_id=column_id,
        counts=layout.counts(found, selection, {column_id} if left is None else {column_id, left}),
        sentence=_sentence(card, column, stage, several=len(found.by_column[column_id]) > 1),
    )


def add(
    board_id: int,
    column_id: int,
    *,
    title: str,
    customer_ids: Sequence[int] = (),
    amount: Decimal | None = None,
    token: uuid.UUID,
    actor: Person,
    now: datetime,
) -> Opportunity:
    """Make a card at the foot of a column, in the first of its stages that takes cards. One token makes one card.

    :raises Refused: NO_STAGE, WIP_FULL, and what `pipeline.create` refuses.
    :raises ValidationError: a field is out of its bounds.
    :raises Board.DoesNotExist, Column.DoesNotExist: gone, or not to be seen.
    """
    found = layout.plan(board_id, user=actor)
    column = next((each for each in found.columns if each.pk == column_id), None)
    if column is None:
        raise Column.DoesNotExist
    stage = next((each for each in found.by_column[column_id] if each.active), None)
    if stage is None:
        words = _("No stage that takes cards is mapped to “%(column)s”, so no card can be put here.")
        raise Refused(Blocker("NO_STAGE", words % {"column": column.name}, subject=column.name))
    facts: dict[str, Any] = {"title": title, "customer_ids": customer_ids, "amount": amount, "stage_id": stage.pk}
    with transaction.atomic():
        made = pipeline.made_by(token, actor=actor)
        if made is not None:
            return made
        if found.board.wip_binding and column.wip_max is not None:
            _require_room(found.by_column[column_id], column)
        return pipeline.create_once(token=token, actor=actor, now=now, **facts)


def _stage(stages: Sequence[StageRef], stage_id: int | None, opportunity_id: int) -> StageRef:
    """Find the stage that the column means for this card."""
    if not stages:
        words = _("No stage is mapped to this column, so no card can be put here.")
        raise Refused(Blocker("NO_STAGE", words))
    if stage_id is not None:
        named = next((stage for stage in stages if stage.pk == stage_id), None)
        if named is None:
            raise OpportunityStage.DoesNotExist
        return named
    if len(stages) == 1:
        return stages[0]
    present = Opportunity.objects.filter(pk=opportunity_id).values_list("stage_id", flat=True).first()
    kept = next((stage for stage in stages if stage.pk == present), None)
    if kept is not None:
        return kept
    raise AskStage([stage for stage in stages if stage.active])


def _require_room(stages: Sequence[StageRef], column: Column, opportunity_id: int | None = None) -> None:
    """Refuse a card from elsewhere when the column is full; the stages' locks keep two from taking the last place."""
    ids = sorted(stage.pk for stage in stages)
    list(OpportunityStage.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    here = Opportunity.objects.not_archived().open().filter(stage__in=ids)
    if opportunity_id is not None and here.filter(pk=opportunity_id).exists():
        return
    if here.count() >= (column.wip_max or 0):
        raise Refused(_full(column))


def _full(column: Column) -> Blocker:
    words = _("“%(column)s” is full: it takes %(most)s cards at most. Move one on first.")
    return Blocker("WIP_FULL", words % {"column": column.name, "most": column.wip_max}, subject=column.name)


def _neighbours(
    selection: Selection,
    stages: Sequence[StageRef],
    opportunity_id: int,
    after_id: int | None,
    before_id: int | None,
    to: str | None,
) -> tuple[int | None, int | None]:
    """Say "to the top" and "to the bottom" by a neighbour, in the column as this person sees it."""
    if to not in {TOP, BOTTOM}:
        return after_id, before_id
    here = selection.cards.filter(stage__in=[stage.pk for stage in stages]).exclude(pk=opportunity_id)
    order = ("rank", "pk") if to == TOP else ("-rank", "-pk")
    neighbour = here.order_by(*order).values_list("pk", flat=True).first()
    return (None, neighbour) if to == TOP else (neighbour, None)


def _left(card: Opportunity, found: layout.Plan) -> int | None:
    """The column that the card came from."""
    changes = card.last_event.changes if card.last_event is not None else {}
    stage = (
        found.stages.get(changes["stage_id"][0] or 0) if "stage_id" in changes else found.stages.get(card.stage_id or 0)
    )
    return stage.column_id if stage is not None else None


def _sentence(card: Opportunity, column: Column, stage: StageRef, *, several: bool) -> str:
    if card.last_event is None:
        return _("“%(title)s” is there already.") % {"title": card.title}
    if "stage_id" not in card.last_event.changes:
        return _("“%(title)s” moved within %(column)s.") % {"title": card.title, "column": column.name}
    place = f"{column.name} ({stage.name})" if several else column.name
    return _("“%(title)s” moved to %(column)s.") % {"title": card.title, "column": place}


def targets(board_id: int, opportunity_id: int, *, actor: Person, now: datetime) -> Targets:
    """Say beforehand which columns and zones would refuse this card, and why. Writes nothing.

    :raises Opportunity.DoesNotExist: no such card, or not to be seen.
    """
    found = layout.plan(board_id, user=actor)
    card = Opportunity.objects.visible_to(actor).select_related("salesperson", "status").get(pk=opportunity_id)
    closed = closed_blocker(card)
    if closed is not None:
        everywhere = {column.pk: closed.message for column in found.columns}
        return Targets(everywhere, dict.fromkeys(("won", "lost", "closed"), closed.message))
    stages = {stage.pk: stage for stage in OpportunityStage.objects.all()}
    columns = {}
    for column in found.columns:
        reason = _refusal(card, column, found, stages)
        if reason:
            columns[column.pk] = reason
    return Targets(columns, _zone_refusals(card, actor, BusinessSettings.current(), now))


def _refusal(card: Opportunity, column: Column, found: layout.Plan, stages: dict[int, OpportunityStage]) -> str:
    mapped = found.by_column[column.pk]
    if not mapped:
        return _("No stage is mapped to this column.")
    if any(stage.pk == card.stage_id for stage in mapped):
        return ""
    refusals = [entry_blockers(card, stages[stage.pk]) for stage in mapped if stage.pk in stages]
    if all(refusals):
        return " ".join(dict.fromkeys(blocker.message for blocker in refusals[0]))
    if found.board.wip_binding and column.wip_max is not None:
        here = Opportunity.objects.not_archived().open().filter(stage__in=[stage.pk for stage in mapped])
        if here.count() >= column.wip_max:
            return _full(column).message
    return ""


def _zone_refusals(card: Opportunity, actor: Person, business: BusinessSettings, now: datetime) -> dict[str, str]:
    if not access.may(actor, "set_status", card):
        return dict.fromkeys(("won", "lost", "closed"), access.who_may("set_status", card))
    facts = attached.facts_of(card, business=business, today=business.today(now))
    found, why = outcome.evidence(facts), explain.sales_reason(facts).text
    refused = {}
    for zone, row in zone_rows().items():
        blocker = _NO_ROW if row is None else status_blocker(card, row, found, why=why)
        if blocker is not None:
            refused[zone] = str(blocker.message)
    return refused


def zone_rows() -> dict[str, OpportunityStatus | None]:
    """Return the status row that each drop zone preselects: the first active one of its kind."""
    rows = list(OpportunityStatus.objects.active().in_order())
    return {
        "won": next((row for row in rows if row.won), None),
        "lost": next((row for row in rows if row.lost), None),
        "closed": next((row for row in rows if row.closed and not row.won and not row.lost and not row.inactive), None),
    }
