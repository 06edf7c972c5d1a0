"""From status to stage: a stage for every open status in use, for a business that tracked its deals by status (K7).

One act on many cards, which can be taken back as a whole: the cards' stages, the new columns and the new stages.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from boards import building
from boards.models import Column
from opportunities import access, bulk, pipeline, replacing, stages
from opportunities.access import Person
from opportunities.errors import Blocker, Refused
from opportunities.keys import comparison_key
from opportunities.models import BulkAct, Colour, Event, Opportunity, OpportunityStage, OpportunityStatus

VERB = "stages_from_statuses"
KIND = "stage_adopted"
KIND_BACK = "stage_adoption_undone"


@dataclass(frozen=True, slots=True)
class StatusUse:
    """An open status in use: how many cards have it and no stage yet, and whether its stage is there already."""

    status_id: int
    name: str
    cards: int
    stage_exists: bool
    is_default: bool


def statuses_in_use() -> list[StatusUse]:
    """Count, for every open status, the cards that have it and no stage; statuses that nobody uses are left out."""
    waiting = Count("opportunities", filter=Q(opportunities__stage=None, opportunities__closed_kind=""))
    rows = OpportunityStatus.objects.filter(closed=False).annotate(uses=Count("opportunities"), waiting=waiting)
    present = set(OpportunityStage.objects.values_list("name_key", flat=True))
    facts = rows.in_order().values_list("pk", "name", "waiting", "name_key", "is_default", "uses")
    return [
        StatusUse(pk, name, cards, key in present, is_default)
        for pk, name, cards, key, is_default, uses in facts
        if uses
    ]


@building.in_one_go
def stages_from_statuses(*, board_id: int, actor: Person, now: datetime) -> BulkAct:
    """Make a stage of every open status in use, a column for each, and put the cards that have no stage into theirs.

    Cards that have a stage, and those that are void or canceled, stay as they are; no status changes. Doing it twice
    changes nothing more. `BulkAct.changed` tells how many cards went, and its id takes everything back.

    :raises NotAllowed: the actor is no admin.
    :raises Board.DoesNotExist: no such board, or somebody else's.
    :raises Refused: NOTHING_TO_DO: no open status is in use, or STAGE_RETIRED: a stage of its name is retired.
    """
    access.require(actor, "settings")
    building.board_for_change(board_id, actor)
    uses = statuses_in_use()
    if not uses:
        raise Refused(Blocker("NOTHING_TO_DO", _("No opportunity has an open status, so there is nothing to go by.")))
    stage_of, made = _stages_for(uses, actor, now)
    columns = building.column_per_stage(board_id=board_id, actor=actor, now=now)
    act = BulkAct(
        verb=VERB,
        arguments={"stages": made, "columns": [column.pk for column in columns]},
        board_id=board_id,
        actor=actor,
        created_at=now,
        finished_at=now,
        state=BulkAct.State.DONE,
    )
    act.total = act.position = act.changed = _enter(stage_of, act.pk, actor, now)
    act.save(force_insert=True)
    return act


@building.in_one_go
def undo(*, bulk_act_id: uuid.UUID, actor: Person, now: datetime) -> BulkAct:
    """Take `stages_from_statuses` back: the cards lose the stage that it gave them, and what it made goes.

    A card that was moved since stays where it was put, and so do its stage and column.

    :raises BulkAct.DoesNotExist: no such act.
    :raises NotAllowed: the actor is no admin.
    :raises Refused: WRONG_STATE: it was undone already; TOO_LATE: it was done more than a day ago.
    """
    access.require(actor, "settings")
    act = BulkAct.objects.select_for_update(no_key=True, of=("self",)).get(pk=bulk_act_id, verb=VERB)
    blockers = _undo_blockers(act, now)
    if blockers:
        raise Refused(blockers)
    events = Event.objects.filter(act=act.pk, kind=KIND)
    back = BulkAct(verb=bulk.UNDO, undoes=act, actor=actor, created_at=now, finished_at=now, state=BulkAct.State.DONE)
    back.total = back.position = events.count()
    back.changed = _leave(act.pk, back.pk, actor, now)
    back.refused_count = back.total - back.changed
    back.save(force_insert=True)
    _remove_unused(act.arguments, actor, now)
    return back


def undoable(bulk_act_id: uuid.UUID, *, actor: Person, now: datetime) -> BulkAct | None:
    """Return that act if this person may take it back now."""
    act = BulkAct.objects.filter(pk=bulk_act_id, verb=VERB).first()
    if act is None or not access.may(actor, "settings") or _undo_blockers(act, now):
        return None
    return act


def _stages_for(
    uses: Sequence[StatusUse], actor: Person, now: datetime
) -> tuple[dict[int, OpportunityStage], list[int]]:
    """Find or make the stage of each status, by its name; returns also which are new."""
    present = {stage.name_key: stage for stage in OpportunityStage.objects.all()}
    colours = list(Colour)
    stage_of: dict[int, OpportunityStage] = {}
    made = []
    for use in uses:
        key = comparison_key(use.name)
        stage = present.get(key)
        if stage is None:
            colour = colours[(len(present) + 8) % len(colours)]
            is_default = use.is_default and not any(each.is_default for each in present.values())
            stage = stages.create(name=use.name, colour=colour, is_default=is_default, actor=actor, now=now)
            present[key] = stage
            made.append(stage.pk)
        elif not stage.active:
            words = _("“%(stage)s” is a retired stage. Activate it in the settings first.") % {"stage": stage.name}
            raise Refused(Blocker("STAGE_RETIRED", words, subject=stage.name))
        stage_of[use.status_id] = stage
    return stage_of, made


def _enter(stage_of: dict[int, OpportunityStage], act: uuid.UUID, actor: Person, now: datetime) -> int:
    def write(cards: replacing.Rows) -> None:
        for status_id, stage in stage_of.items():
            cards.filter(status_id=status_id, stage=None).update(stage=stage, stage_entered_at=now)

    def changes(card: replacing.Values) -> replacing.Values:
        stage = stage_of[card["status_id"]]
        entered = [card["stage_entered_at"].isoformat(), now.isoformat()]
        return {"stage_id": [None, stage.pk], "stage": [None, stage.name], "stage_entered_at": entered}

    waiting = Q(stage=None, closed_kind="", status__in=list(stage_of))
    return replacing.every_card(waiting, write=write, changes=changes, kind=KIND, act=act, actor=actor, now=now)


def _undo_blockers(act: BulkAct, now: datetime) -> list[Blocker]:
    if act.undone_by.exists():
        return [Blocker("WRONG_STATE", _("This was undone already."))]
    if act.finished_at is not None and now - act.finished_at > pipeline.UNDO_WITHIN:
        return [Blocker("TOO_LATE", _("Only what was done within a day can be undone."))]
    return []


def _leave(act: uuid.UUID, back: uuid.UUID, actor: Person, now: datetime) -> int:
    """Take the stage from the cards that nobody has moved since."""
    own = Event.objects.filter(act=act, kind=KIND, opportunity=OuterRef("pk"))
    moved = Event.objects.filter(opportunity=OuterRef("pk"), changes__has_key="stage_id")
    first = Event.objects.filter(act=act, kind=KIND).order_by("pk").values("pk")[:1]
    untouched = Exists(own) & ~Exists(moved.filter(pk__gt=Subquery(first)).exclude(act__in=(act, back)))

    def write(cards: replacing.Rows) -> None:
        rows = list(cards.only("pk", "stage_entered_at"))
        was = dict(Event.objects.filter(act=act, opportunity__in=rows).values_list("opportunity_id", "changes"))
        for row in rows:
            entered = parse_datetime(was[row.pk]["stage_entered_at"][0])
            row.stage_entered_at = entered or now
        replacing.cards(Q()).bulk_update(rows, ["stage_entered_at"], batch_size=200)
        cards.update(stage=None)

    def changes(card: replacing.Values) -> replacing.Values:
        return {"stage_id": [card["stage_id"], None], "stage_entered_at": [card["stage_entered_at"].isoformat(), None]}

    return replacing.every_card(
        Q(untouched) & Q(stage__isnull=False, closed_kind=""),
        write=write,
        changes=changes,
        kind=KIND_BACK,
        act=back,
        actor=actor,
        now=now,
    )


def _remove_unused(made: dict[str, Any], actor: Person, now: datetime) -> None:
    """Delete the stages of the act that have no card now, and the columns of the act that stand for nothing."""
    for stage_id in made["stages"]:
        present = OpportunityStage.objects.filter(pk=stage_id).exists()
        if present and not Opportunity.objects.filter(stage=stage_id).exists():
            stages.delete(stage_id=stage_id, actor=actor, now=now)
    Column.objects.filter(pk__in=made["columns"], mapped=None).delete()
