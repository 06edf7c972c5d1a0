"""One act on many cards: every card by itself, through the same verb, with what was refused and why; and its undo."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import history, lifecycle, pipeline
from opportunities.access import Person
from opportunities.errors import NotAllowed, Refused, Stale
from opportunities.jobs import after_commit
from opportunities.models import BulkAct, Event, Opportunity

log = logging.getLogger(__name__)

AT_ONCE = 200
"""More cards than this are worked off by the job loop."""

CHUNK = 50
"""How many cards a worker takes between two notes of its progress."""


@dataclass(frozen=True, slots=True)
class Act:
    """The verb that a bulk act calls for one card; answers whether the card changed."""

    call: Callable[..., Opportunity]
    arguments: Callable[[dict[str, Any]], dict[str, Any]]


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


ACTS: dict[str, Act] = {
    "stage": Act(pipeline.move, lambda given: {"stage_id": given["stage_id"]}),
    "salesperson": Act(pipeline.edit, lambda given: {"salesperson_id": given["salesperson_id"]}),
    "forecast_date": Act(pipeline.edit, lambda given: {"forecast_date": _date(given["forecast_date"])}),
    "status": Act(
        pipeline.set_status,
        lambda given: {"status_id": given["status_id"], "reason_id": given.get("reason_id")},
    ),
    "archive": Act(lifecycle.archive, lambda given: {}),
    "unarchive": Act(lifecycle.unarchive, lambda given: {}),
}
"""What can be done to many cards, by the names that forms use."""


def start(
    *,
    verb: str,
    arguments: dict[str, Any],
    opportunity_ids: Sequence[int],
    query: str = "",
    board_id: int | None = None,
    actor: Person,
    now: datetime,
) -> BulkAct:
    """Do it to these cards: at once up to 200, else by the job loop. The answer tells how far it has come.

    Visibility and rules are judged card by card at the time, so one refused card never stops the others.

    :raises KeyError: for a verb that is not in `ACTS`.
    """
    if verb not in ACTS:
        raise KeyError(verb)
    with transaction.atomic():
        act = BulkAct.objects.create(
            verb=verb,
            arguments=arguments,
            card_ids=list(dict.fromkeys(opportunity_ids)),
            query=query,
            board_id=board_id,
            actor=actor,
            created_at=now,
        )
        if len(act.card_ids) > AT_ONCE:
            after_commit("opportunities.tasks.work_off_bulk_acts")
    return act if len(act.card_ids) > AT_ONCE else _work_whole(act.pk, now)


def undo(*, bulk_act_id: uuid.UUID, actor: Person, now: datetime) -> BulkAct:
    """Take a bulk act back, card by card; what was changed since is left alone and listed (D43).

    :raises BulkAct.DoesNotExist: no such act of this person (managers may undo anybody's).
    """
    original = BulkAct.objects.get(pk=bulk_act_id)
    with transaction.atomic():
        act = BulkAct.objects.create(
            verb="undo",
            undoes=original,
            card_ids=list(Event.objects.filter(act=original.pk).order_by("pk").values_list("pk", flat=True)),
            actor=actor,
            created_at=now,
        )
        if len(act.card_ids) > AT_ONCE:
            after_commit("opportunities.tasks.work_off_bulk_acts")
    return act if len(act.card_ids) > AT_ONCE else _work_whole(act.pk, now)


def _work_whole(bulk_act_id: uuid.UUID, now: datetime) -> BulkAct:
    while True:
        act = work_chunk(bulk_act_id, now)
        if act is None or act.state == BulkAct.State.DONE:
            return act or BulkAct.objects.get(pk=bulk_act_id)


def work_off(now: datetime) -> int:
    """Work off every bulk act that waits, in turns, so that a small one is not kept waiting by a large one."""
    chunks = 0
    while True:
        waiting = BulkAct.objects.exclude(state=BulkAct.State.DONE).order_by("created_at").values_list("pk", flat=True)
        taken = [act for act in (work_chunk(pk, now) for pk in waiting) if act is not None]
        chunks += len(taken)
        if not taken:
            return chunks


def work_chunk(bulk_act_id: uuid.UUID, now: datetime) -> BulkAct | None:
    """Do the next cards of one bulk act and note how far it has come. None: another worker has it, or it is done.

    The chunk and the note of it are one transaction: a worker killed in between has done neither.
    """
    with transaction.atomic():
        act = (
            BulkAct.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("actor")
            .filter(pk=bulk_act_id)
            .exclude(state=BulkAct.State.DONE)
            .first()
        )
        if act is None:
            return None
        chunk = act.card_ids[act.position : act.position + CHUNK]
        with history.acting(act=act.pk):
            for row_id in chunk if act.verb == "undo" else sorted(chunk):
                _do_one(act, row_id, now)
        act.position += len(chunk)
        finished = act.position >= len(act.card_ids)
        act.state = BulkAct.State.DONE if finished else BulkAct.State.RUNNING
        act.finished_at = now if finished else None
        act.save(update_fields=["position", "changed", "refused", "state", "finished_at"])
    return act


def _do_one(act: BulkAct, row_id: int, now: datetime) -> None:
    try:
        with transaction.atomic():
            if act.verb == "undo":
                card = pipeline.undo(event_id=row_id, actor=act.actor, now=now)
            else:
                verb = ACTS[act.verb]
                card = verb.call(opportunity_id=row_id, actor=act.actor, now=now, **verb.arguments(act.arguments))
            act.changed += card.last_event_id is not None
    except Opportunity.DoesNotExist:
        act.refused.append({"id": None, "why": [_("A card that you may not see, or that is gone, was left out.")]})
    except (Refused, NotAllowed, Stale, ValidationError) as error:
        opportunity_id = row_id
        if act.verb == "undo":
            opportunity_id = Event.objects.values_list("opportunity_id", flat=True).get(pk=row_id)
        act.refused.append({"id": opportunity_id, "why": _reasons(error)})


def _reasons(error: Exception) -> list[str]:
    if isinstance(error, Refused):
        return [blocker.message for blocker in error.blockers]
    if isinstance(error, ValidationError):
        return [str(message) for message in error.messages]
    return [str(error)]
