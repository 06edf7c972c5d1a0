"""One act on many cards: every card by itself, through the same verb, with what was refused and why; and its undo."""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from opportunities import history, lifecycle, lost_rule, pipeline
from opportunities.access import Person
from opportunities.background import after_commit
from opportunities.errors import Blocker, NotAllowed, Refused, Stale
from opportunities.models import BulkAct, Event, Opportunity

log = logging.getLogger(__name__)

AT_ONCE = 200
"""More cards than this are worked off by the job loop."""

CHUNK = 25
"""How many cards a worker takes between two notes of its progress."""

BREATH = 0.11
"""Seconds that a worker leaves the one write lock of SQLite to people after each chunk: who waits asks every 0.1 s."""

LISTED = 200
"""How many refused cards are listed by name; the others are only counted."""

WORKER = "opportunities.tasks.work_off_bulk_acts"


@dataclass(frozen=True, slots=True)
class Act:
    """The verb that a bulk act calls for one card, and what it hands over besides the card."""

    call: Callable[..., Opportunity]
    arguments: Callable[[dict[str, Any]], dict[str, Any]]


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def _closing(given: dict[str, Any]) -> dict[str, Any]:
    return {"reason_id": given["reason_id"], "note": given.get("note", ""), "archive": given.get("archive", False)}


ACTS: dict[str, Act] = {
    "stage": Act(pipeline.move, lambda given: {"stage_id": given["stage_id"]}),
    "salesperson": Act(pipeline.edit, lambda given: {"salesperson_id": given["salesperson_id"]}),
    "forecast_date": Act(pipeline.edit, lambda given: {"forecast_date": _date(given["forecast_date"])}),
    "postpone": Act(
        pipeline.postpone,
        lambda given: {"weeks": given.get("weeks", 0), "months": given.get("months", 0)},
    ),
    "status": Act(
        pipeline.set_status,
        lambda given: {"status_id": given["status_id"], "reason_id": given.get("reason_id")},
    ),
    "archive": Act(lifecycle.archive, lambda given: {}),
    "unarchive": Act(lifecycle.unarchive, lambda given: {}),
    "void": Act(lifecycle.void, _closing),
    "cancel": Act(lifecycle.cancel, _closing),
}
"""What can be done to many cards, by the names that forms use."""

FINAL = frozenset({"void", "cancel"})
"""What has no way back (D38)."""

LOST_RULE = "lost_rule"

FOLLOWING: dict[str, Act] = {LOST_RULE: Act(lost_rule.follow, lambda given: {})}
"""What a changed setting does to many cards. No form offers it, and it is undone by changing the setting back."""

UNDO = "undo"


def start(
    *,
    verb: str,
    arguments: dict[str, Any],
    opportunity_ids: Iterable[int],
    query: str = "",
    board_id: int | None = None,
    token: uuid.UUID | None = None,
    actor: Person,
    now: datetime,
) -> BulkAct:
    """Do it to these cards, in the order of their numbers: at once up to 200, else by the job loop.

    The answer tells how far it has come. Visibility and rules are judged card by card at the time, so one refused card
    never stops the others. With a token, one form does it once, however often it is sent.

    :raises KeyError: for a verb that is not in `ACTS`.
    """
    if verb not in ACTS:
        raise KeyError(verb)
    ACTS[verb].arguments(arguments)
    rows = sorted(set(opportunity_ids))
    act = BulkAct(verb=verb, arguments=arguments, query=query, board_id=board_id)
    if token is None:
        return _begin(act, rows, actor, now)
    act.pk = token
    try:
        return _begin(act, rows, actor, now)
    except IntegrityError:
        made = BulkAct.objects.filter(pk=token, actor=actor).first()
        if made is None:
            raise
        return made


def follow(*, verb: str, opportunity_ids: Iterable[int], actor: Person, now: datetime) -> BulkAct:
    """Bring cards in line with a setting that was changed, in the transaction that changes it; as `start`."""
    if verb not in FOLLOWING:
        raise KeyError(verb)
    return _begin(BulkAct(verb=verb), sorted(set(opportunity_ids)), actor, now)


def undo(*, bulk_act_id: uuid.UUID, actor: Person, now: datetime) -> BulkAct:
    """Take a bulk act back, card by card; what was changed since is left alone and listed (D43).

    An act that is still running is stopped, and what it did is taken back.

    :raises BulkAct.DoesNotExist: no such act of this person (managers may undo anybody's).
    :raises Refused: WRONG_STATE (it is an undo, was undone already, or changed nothing), TOO_LATE.
    """
    with transaction.atomic():
        original = BulkAct.objects.visible_to(actor).select_for_update(no_key=True, of=("self",)).get(pk=bulk_act_id)
        _require_undoable(original, now)
        if not original.is_done:
            _finish(original, now)
            original.save(update_fields=["state", "finished_at", "card_ids"])
        events = Event.objects.filter(act=original.pk, kind__in=pipeline.UNDOABLE)
        # In the order of the cards, as every other act takes its locks.
        rows = list(events.order_by("opportunity_id", "-pk").values_list("pk", flat=True))
        again = BulkAct(verb=UNDO, undoes=original, query=original.query, board_id=original.board_id)
        if len(rows) > AT_ONCE:
            return _begin(again, rows, actor, now)
        again = _create(again, rows, actor, now)
    return _work_whole(again.pk, now)


def may_be_undone(act: BulkAct, now: datetime) -> bool:
    """Tell whether the undo of this act is worth offering."""
    return not _undo_blockers(act, now)


def _require_undoable(act: BulkAct, now: datetime) -> None:
    blockers = _undo_blockers(act, now)
    if blockers:
        raise Refused(blockers)


def _undo_blockers(act: BulkAct, now: datetime) -> list[Blocker]:
    if act.is_undo:
        return [Blocker("WRONG_STATE", _("An undo is not undone: do the act again instead."))]
    if act.verb not in ACTS:
        return [Blocker("WRONG_STATE", _("This is undone where it was done."))]
    if act.verb in FINAL:
        words = _("There is no way back from void or canceled: duplicate a card as a new one instead.")
        return [Blocker("WRONG_STATE", words)]
    if act.undone_by.exists():
        return [Blocker("WRONG_STATE", _("This was undone already."))]
    if act.is_done and not act.changed:
        return [Blocker("WRONG_STATE", _("This changed no card, so there is nothing to undo."))]
    if act.finished_at is not None and now - act.finished_at > pipeline.UNDO_WITHIN:
        return [Blocker("TOO_LATE", _("Only what was done within a day can be undone."))]
    return []


def _begin(act: BulkAct, rows: Sequence[int], actor: Person, now: datetime) -> BulkAct:
    with transaction.atomic():
        act = _create(act, rows, actor, now)
        if act.total > AT_ONCE:
            after_commit(WORKER)
            return act
    return _work_whole(act.pk, now)


def _create(act: BulkAct, rows: Sequence[int], actor: Person, now: datetime) -> BulkAct:
    act.card_ids = list(rows)
    act.total = len(rows)
    act.actor = actor
    act.created_at = now
    if not rows:
        _finish(act, now)
    act.save(force_insert=True)
    return act


def _finish(act: BulkAct, now: datetime) -> None:
    act.state = BulkAct.State.DONE
    act.finished_at = now
    act.card_ids = []


def _work_whole(bulk_act_id: uuid.UUID, now: datetime) -> BulkAct:
    """Work an act off in the request. If a worker has taken it up meanwhile, the answer says how far it has come."""
    while True:
        act = _advance(bulk_act_id, now)
        if act is None or act.is_done:
            return act or BulkAct.objects.get(pk=bulk_act_id)


def work_off(now: datetime, *, seconds: float | None = None) -> bool:
    """Work off the bulk acts that wait, in turns, so that a small one is not kept waiting by a large one.

    Tell whether any work is left, because the time is up. An act that the database cannot serve now is left for the
    next call, and the others go on.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    set_aside: set[uuid.UUID] = set()
    while True:
        advanced = False
        for pk in list(BulkAct.objects.unfinished().exclude(pk__in=set_aside).values_list("pk", flat=True)):
            if deadline is not None and time.monotonic() > deadline:
                return True
            try:
                advanced |= _advance(pk, now) is not None
                if connection.vendor == "sqlite":
                    time.sleep(BREATH)
            except OperationalError:
                log.exception("A bulk act has to wait.", extra={"bulk_act": str(pk)})
                set_aside.add(pk)
        if not advanced:
            return False


def _advance(bulk_act_id: uuid.UUID, now: datetime) -> BulkAct | None:
    """Do the next chunk. If something unforeseen breaks it, go card by card and leave out only what breaks.

    :raises OperationalError: the database is away, or had to break a deadlock: nothing was done, so try again later.
    """
    try:
        return work_chunk(bulk_act_id, now)
    except OperationalError:
        raise
    except Exception:
        log.exception("A chunk of a bulk act failed; it goes on card by card.", extra={"bulk_act": str(bulk_act_id)})
    act: BulkAct | None = None
    for _each in range(CHUNK):
        try:
            act = work_chunk(bulk_act_id, now, size=1)
        except OperationalError:
            raise
        except Exception:
            log.exception("A bulk act left out a card.", extra={"bulk_act": str(bulk_act_id)})
            act = work_chunk(bulk_act_id, now, size=1, leave_out=True)
        if act is None or act.is_done:
            break
    return act


def work_chunk(
    bulk_act_id: uuid.UUID, now: datetime, *, size: int | None = None, leave_out: bool = False
) -> BulkAct | None:
    """Do the next cards of one bulk act and note how far it has come. None: another worker has it, or it is done.

    The cards and the note of them are one transaction: a worker killed in between has done neither, and the next one
    begins where the note ends. `leave_out` passes over the cards instead of touching them.
    """
    with transaction.atomic():
        waiting = BulkAct.objects.unfinished().select_for_update(no_key=True, skip_locked=True, of=("self",))
        act = waiting.select_related("actor").filter(pk=bulk_act_id).first()
        if act is None:
            return None
        chunk = act.card_ids[act.position : act.position + (size or CHUNK)]
        with history.acting(act=act.pk):
            for row_id in chunk:
                if leave_out:
                    _refuse(
                        act, row_id, [_("This card could not be changed: a fault in the program, noted in its log.")]
                    )
                else:
                    _do_one(act, row_id, now)
        act.position += len(chunk)
        act.state = BulkAct.State.RUNNING
        if act.position >= act.total:
            _finish(act, now)
        noted = ["position", "changed", "refused", "refused_count", "state", "finished_at"]
        act.save(update_fields=[*noted, "card_ids"] if act.is_done else noted)
    return act


def _do_one(act: BulkAct, row_id: int, now: datetime) -> None:
    try:
        with transaction.atomic():
            if act.is_undo:
                card = pipeline.undo(event_id=row_id, actor=act.actor, now=now)
            else:
                verb = (ACTS | FOLLOWING)[act.verb]
                given = verb.arguments(act.arguments) | _seen(act, row_id)
                card = verb.call(opportunity_id=row_id, actor=act.actor, now=now, **given)
        act.changed += card.last_event_id is not None
    except Opportunity.DoesNotExist:
        _leave_out(act)
    except ObjectDoesNotExist:
        _refuse(act, row_id, [_("What it should be changed to was deleted meanwhile.")])
    except (Refused, NotAllowed, Stale, ValidationError) as error:
        _refuse(act, row_id, _reasons(error))


def _seen(act: BulkAct, row_id: int) -> dict[str, str]:
    """Return what the person was shown of this card, where the act confirms just that (D32)."""
    seen = act.arguments.get("seen", {}).get(str(row_id)) if act.verb in FINAL else None
    return {} if seen is None else {"seen": seen}


def _leave_out(act: BulkAct) -> None:
    """Count a card that the person may not see without saying which it is."""
    act.refused_count += 1
    for entry in act.refused:
        if entry["id"] is None:
            entry["count"] += 1
            return
    words = _("Cards that you may not see, or that are gone, were left out.")
    act.refused.append({"id": None, "count": 1, "why": [words]})


def _refuse(act: BulkAct, row_id: int, why: list[str]) -> None:
    act.refused_count += 1
    if len(act.refused) >= LISTED:
        return
    opportunity_id = row_id
    if act.is_undo:
        opportunity_id = Event.objects.values_list("opportunity_id", flat=True).get(pk=row_id)
    act.refused.append({"id": opportunity_id, "why": why})


def _reasons(error: Exception) -> list[str]:
    if isinstance(error, Refused):
        return [blocker.message for blocker in error.blockers]
    if isinstance(error, ValidationError):
        return [str(message) for message in error.messages]
    return [str(error)]
