"""Notes and action items of a card: what was said, what is to be done next, and that it was done."""

from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import access, faces, history, pipeline, reminders
from opportunities.access import Person
from opportunities.errors import Blocker, Refused
from opportunities.models import ActionItem, BusinessSettings, Note, Opportunity
from opportunities.reminders import ON_THE_DAY, Wish

A_MOMENT = timedelta(seconds=10)
"""What one person says again within it is a double click."""

NOTE_LENGTH = 10_000
_REMIND = ("remind", "remind_on", "remind_time")
ACTION_LENGTH = 200


def add_note(*, opportunity_id: int, text: str, actor: Person | None, now: datetime) -> Note:
    """Write a note on a card. :raises Refused: the card is closed. :raises ValidationError: empty or too long."""
    words = _words(text, NOTE_LENGTH, _("Write something first."))
    with transaction.atomic():
        card = _card(opportunity_id, "note", actor)
        again = Note.objects.filter(opportunity=card, text=words, author=actor, created_at__gt=now - A_MOMENT).first()
        if again is not None:
            return again
        note = Note.objects.create(opportunity=card, text=words, author=actor, created_at=now)
        _note_change(card, "note_added", {"note": [None, note.pk]}, actor, now)
    return note


def add_action(
    *,
    opportunity_id: int,
    text: str,
    due_on: date,
    assignee_id: int | None = None,
    wish: Wish = ON_THE_DAY,
    actor: Person | None,
    now: datetime,
) -> ActionItem:
    """Plan the next thing to do, by a local date, with a reminder.

    Errors as `add_note`; an assignee who left, or a reminder in the past, is a ValidationError.
    """
    words = _words(text, ACTION_LENGTH, _("Say what is to be done."))
    with transaction.atomic():
        card = _card(opportunity_id, "action", actor)
        if assignee_id is not None:
            access.require_takes_cards(assignee_id, "assignee")
        alike = ActionItem.objects.filter(opportunity=card, text=words, due_on=due_on, assignee=assignee_id)
        again = alike.filter(created_by=actor, created_at__gt=now - A_MOMENT).first()
        if again is not None:
            return again
        item = ActionItem(
            opportunity=card, text=words, due_on=due_on, assignee_id=assignee_id, created_by=actor, created_at=now
        )
        zone = BusinessSettings.current().zone
        reminders.take_wish(item, wish, now=now, zone=zone)
        item.save(force_insert=True)
        reminders.schedule(item, now=now, zone=zone)
        _note_change(card, "action_added", {"action": [None, words], "due_on": [None, due_on.isoformat()]}, actor, now)
    return item


def edit_action(
    *,
    action_id: int,
    text: str,
    due_on: date,
    assignee_id: int | None,
    wish: Wish | None = None,
    actor: Person | None,
    now: datetime,
) -> ActionItem:
    """Change an open action item; without a wish, its reminder follows its day.

    :raises Refused: it is done already (WRONG_STATE), or the card is closed.
    :raises ValidationError: as `add_action`.
    """
    words = _words(text, ACTION_LENGTH, _("Say what is to be done."))
    with transaction.atomic():
        card, item = _item(action_id, actor)
        _require_open(item)
        if assignee_id is not None and assignee_id != item.assignee_id:
            access.require_takes_cards(assignee_id, "assignee")
        old = [item.text, item.due_on.isoformat(), item.assignee_id]
        item.text, item.due_on, item.assignee_id = words, due_on, assignee_id
        new = [item.text, item.due_on.isoformat(), item.assignee_id]
        zone = BusinessSettings.current().zone
        reminded = wish is not None and reminders.take_wish(item, wish, now=now, zone=zone)
        if new != old or reminded:
            item.save(update_fields=["text", "due_on", "assignee", *_REMIND])
            reminders.schedule(item, now=now, zone=zone)
        if new != old:
            _note_change(card, "action_edited", {"action": [old[0], new[0]], "due_on": [old[1], new[1]]}, actor, now)
    return item


def snooze_action(*, action_id: int, due_on: date, actor: Person | None, now: datetime) -> ActionItem:
    """Put an open action item off to another day; its reminder comes along. Errors as `edit_action`."""
    with transaction.atomic():
        card, item = _item(action_id, actor)
        _require_open(item)
        old = item.due_on
        if due_on != old:
            reminders.postpone(item, due_on)
            item.save(update_fields=["due_on", *_REMIND])
            reminders.schedule(item, now=now, zone=BusinessSettings.current().zone)
            changes: dict[str, list[object]] = {"action": [item.text, item.text]}
            changes["due_on"] = [old.isoformat(), due_on.isoformat()]
            _note_change(card, "action_edited", changes, actor, now)
    return item


def finish_action(*, action_id: int, actor: Person | None, now: datetime) -> ActionItem:
    """Note that an action is done; nobody is reminded of it any more. Doing it twice changes nothing."""
    with transaction.atomic():
        card, item = _item(action_id, actor)
        if item.state == ActionItem.State.OPEN:
            item.state = ActionItem.State.DONE
            item.done_at = now
            item.save(update_fields=["state", "done_at"])
            reminders.remove(item, now)
            _note_change(card, "action_done", {"action": [item.text, None]}, actor, now)
    return item


def reopen_action(*, action_id: int, actor: Person | None, now: datetime) -> ActionItem:
    """Take back that an action was done; its reminder is scheduled again, if it is still ahead.

    :raises Refused: it was closed together with its card (WRONG_STATE).
    """
    with transaction.atomic():
        card, item = _item(action_id, actor)
        if item.state == ActionItem.State.CLOSED:
            _require_open(item)
        if item.state == ActionItem.State.DONE:
            item.state = ActionItem.State.OPEN
            item.done_at = None
            item.save(update_fields=["state", "done_at"])
            reminders.schedule(item, now=now, zone=BusinessSettings.current().zone)
            _note_change(card, "action_reopened", {"action": [None, item.text]}, actor, now)
    return item


def close_actions(card: Opportunity, now: datetime) -> None:
    """Close the open action items with their locked card and take their reminders back; what was done stays (D33)."""
    items = ActionItem.objects.filter(opportunity=card, state=ActionItem.State.OPEN)
    items.update(state=ActionItem.State.CLOSED, done_at=now)
    reminders.remove_of_card(card, now)


def _card(opportunity_id: int, verb: str, actor: Person | None) -> Opportunity:
    card = Opportunity.objects.for_change(opportunity_id)
    access.require(actor, verb, card)
    blocker = pipeline.closed_blocker(card)
    if blocker is not None:
        raise Refused(blocker)
    return card


def _item(action_id: int, actor: Person | None) -> tuple[Opportunity, ActionItem]:
    """Lock the card first, then its action item, as every act does."""
    opportunity_id = ActionItem.objects.values_list("opportunity_id", flat=True).get(pk=action_id)
    card = _card(opportunity_id, "action", actor)
    return card, ActionItem.objects.select_for_update(no_key=True, of=("self",)).get(pk=action_id)


def _require_open(item: ActionItem) -> None:
    if item.state != ActionItem.State.OPEN:
        raise Refused(Blocker("WRONG_STATE", _("“%(action)s” is done already.") % {"action": item.text}))


def _note_change(
    card: Opportunity, kind: str, also: dict[str, list[object]], actor: Person | None, now: datetime
) -> None:
    before = history.snapshot(card)
    faces.compose(card)
    history.record(card, kind=kind, before=before, actor=actor, now=now, also=dict(also))


def _words(text: str, limit: int, empty: str) -> str:
    words = text.replace("\x00", "").strip()
    if not words:
        raise ValidationError({"text": empty})
    if len(words) > limit:
        raise ValidationError({"text": _("That is too long: %(limit)s characters at most.") % {"limit": limit}})
    return words
