"""Reminders of action items: when each is told, that it is told once, and that none outlives its item (5.6, D33).

A reminder is asked for as a day and a time on the business's wall clock and kept as an instant. It goes to whoever is
to do the item, else to the card's salesperson, else to who planned it: as a notice, which reaches them as they chose.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from opportunities import access, telling
from opportunities.access import Person
from opportunities.models import ActionItem, BusinessSettings, Notice, Opportunity, OutgoingEmail, Reminder

log = logging.getLogger(__name__)

MORNING = time(8, 0)
"""When a reminder comes that was asked for by its day."""

BATCH = 200
ROUNDS = 5
"""How many batches one run takes before it gives the other jobs their turn."""

Remind = ActionItem.Remind


@dataclass(frozen=True, slots=True)
class Wish:
    """When somebody wants to be reminded; `on` and `at` belong to a moment of their own."""

    remind: str = Remind.DAY.value
    on: date | None = None
    at: time | None = None


ON_THE_DAY = Wish()
"""What a new action item gets unless somebody chooses otherwise."""


def wish_of(item: ActionItem) -> Wish:
    """Return what was chosen for this item."""
    return Wish(item.remind, item.remind_on, item.remind_time)


def take_wish(item: ActionItem, wish: Wish, *, now: datetime, zone: tzinfo) -> bool:
    """Put a choice on an item, without saving it; tells whether it is another one.

    :raises ValidationError: a moment of one's own without its day and time, or one that is past.
    """
    if wish == wish_of(item):
        return False
    own = wish.remind == Remind.MOMENT
    if own and (wish.on is None or wish.at is None):
        raise ValidationError({"remind_on": _("Say on which day and at what time to remind you.")})
    item.remind = wish.remind
    item.remind_on, item.remind_time = (wish.on, wish.at) if own else (None, None)
    wanted = moment(item, zone)
    if own and wanted is not None and wanted <= now:
        raise ValidationError({"remind_on": _("That moment is past already. Choose a later one.")})
    return True


def moment(item: ActionItem, zone: tzinfo) -> datetime | None:
    """Return the instant at which an item is to be recalled; None for never.

    A time that the clock skips in spring counts as the hour after it, one that comes twice in autumn as the first.
    """
    if item.remind == Remind.NEVER:
        return None
    if item.remind == Remind.MOMENT:
        if item.remind_on is None or item.remind_time is None:
            return None
        return _instant(item.remind_on, item.remind_time, zone)
    days_before = 1 if item.remind == Remind.BEFORE else 0
    return _instant(item.due_on - timedelta(days=days_before), MORNING, zone)


def _instant(day: date, clock: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def postpone(item: ActionItem, due_on: date) -> None:
    """Move an item to another day, without saving it; a moment of one's own keeps its distance to the day."""
    if item.remind == Remind.MOMENT and item.remind_on is not None:
        item.remind_on += due_on - item.due_on
    item.due_on = due_on


# Scheduling: always under the lock of the card


def schedule(item: ActionItem, *, now: datetime, zone: tzinfo) -> None:
    """Bring the scheduled reminder of a saved, open item in line with what is wanted; one that is past is not made."""
    wanted = moment(item, zone)
    held = Reminder.objects.filter(action=item, state=Reminder.State.SCHEDULED).first()
    if held is not None and held.fire_at == wanted:
        return
    if wanted is None or wanted <= now:
        if held is not None:
            _take_back(Reminder.objects.filter(pk=held.pk))
        return
    if held is None:
        Reminder.objects.create(action=item, fire_at=wanted)
        return
    Reminder.objects.filter(pk=held.pk, state=Reminder.State.SCHEDULED).update(fire_at=wanted)


def remove(item: ActionItem, now: datetime) -> None:
    """Take back the reminder of an item that is done; one that was told already asks for nothing any more."""
    _take_back(Reminder.objects.filter(action=item))
    told = Reminder.objects.filter(action=item, state=Reminder.State.SENT).values_list("pk", flat=True)
    abouts = [_about(pk) for pk in told]
    if abouts:
        _quiet(Notice.objects.filter(opportunity=item.opportunity_id, about__in=abouts), now)


def remove_of_card(card: Opportunity, now: datetime) -> None:
    """Take back all reminders of a card that is closed, and every notification of one that waits to go out (D33)."""
    items = ActionItem.objects.filter(opportunity=card).values("pk")
    # No join: only conditions on the row itself are asked again where a worker was just telling it.
    _take_back(Reminder.objects.filter(action__in=items))
    _quiet(Notice.objects.filter(opportunity=card, kind=Notice.Kind.REMINDER), now)
    waiting = OutgoingEmail.objects.filter(opportunity=card, kind=OutgoingEmail.Kind.REMINDER)
    waiting.filter(state=OutgoingEmail.State.QUEUED).delete()


def _take_back(rows: QuerySet[Reminder]) -> None:
    rows.filter(state=Reminder.State.SCHEDULED).update(state=Reminder.State.REMOVED)


def _quiet(told: QuerySet[Notice], now: datetime) -> None:
    told.filter(mail="").update(mail=Notice.Mail.PASSED)
    told.filter(read_at=None).update(read_at=now)


def follow_zone(business: BusinessSettings) -> None:
    """Keep the wall-clock time of what is scheduled, after the business's time zone was changed."""
    rows = Reminder.objects.filter(state=Reminder.State.SCHEDULED).select_related("action").order_by("pk")
    moved = []
    for reminder in rows.iterator(chunk_size=2000):
        wanted = moment(reminder.action, business.zone)
        if wanted is not None and wanted != reminder.fire_at:
            reminder.fire_at = wanted
            moved.append(reminder)
    Reminder.objects.bulk_update(moved, ["fire_at"], batch_size=500)


# Telling


@dataclass(slots=True)
class Report:
    """What one run did."""

    sent: int = 0
    failed: int = 0
    more: bool = False

    def as_json(self) -> dict[str, object]:
        """The figures, for the job's last result."""
        return {"sent": self.sent, "failed": self.failed, "more": self.more}


def fire(now: datetime) -> Report:
    """Tell what is due, the oldest first, however long the job was away; each once under any number of workers.

    A row that fails is logged and left for the next run; the others go on.
    """
    report = Report()
    failed: set[int] = set()
    due = Reminder.objects.filter(state=Reminder.State.SCHEDULED, fire_at__lte=now).order_by("fire_at", "pk")
    for _round in range(ROUNDS):
        ids = list(due.exclude(pk__in=failed).values_list("pk", flat=True)[:BATCH])
        if not ids:
            return report
        for pk in ids:
            try:
                report.sent += fire_one(pk, now)
            except Exception:
                log.exception("A reminder could not be told.", extra={"reminder": pk})
                failed.add(pk)
                report.failed += 1
    report.more = due.exclude(pk__in=failed).exists()
    return report


@transaction.atomic
def fire_one(reminder_id: int, now: datetime) -> bool:
    """Tell one reminder, unless another worker has, or somebody took it back meanwhile."""
    due = Reminder.objects.filter(pk=reminder_id, state=Reminder.State.SCHEDULED, fire_at__lte=now)
    if not due.update(state=Reminder.State.SENT, sent_at=now):
        return False
    people = ("assignee", "created_by", "opportunity__salesperson")
    item = ActionItem.objects.select_related(*people).get(reminders=reminder_id)
    person = whom(item)
    if person is not None:
        said = {"action": item.text, "day": item.due_on.isoformat()}
        about = {"about": _about(reminder_id)}
        telling.notice(person.pk, Notice.Kind.REMINDER, item.opportunity, now, said, **about).save(force_insert=True)
    return True


def whom(item: ActionItem) -> Person | None:
    """Say who is reminded: who is to do it, else whose card it is, else who planned it; nobody who may not see it."""
    people = (item.assignee, item.opportunity.salesperson, item.created_by)
    return next((each for each in people if each is not None and access.may(each, "view", item.opportunity)), None)


def _about(reminder_id: int) -> str:
    return f"reminder:{reminder_id}"
