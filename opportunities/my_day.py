"""What the page "My day" shows: what one person has to do, and what of their cards needs a word today.

A read model: finished strings for the template, a fixed number of statements.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from opportunities import access, days, lapsing, notice_list, overview, sweep, workflow
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.models import ActionItem, BusinessSettings, Opportunity, Reminder
from opportunities.models.opportunity import SALES_CHOICES

SOON = timedelta(days=7)
"""How far the page looks ahead."""

LISTED = 100
"""How many rows of a kind are spelled out; of the others the page says how many they are."""

IDLE = 8


@dataclass(frozen=True, slots=True)
class CardLine:
    """A card in one line: what it is called, whose it is for, where it opens."""

    pk: int
    number: str
    title: str
    customers: str
    url: str


@dataclass(frozen=True, slots=True)
class ToDo:
    """An action item with its day, its reminder, and the days that it can be put off to."""

    pk: int
    text: str
    card: CardLine
    due: days.Said
    reminder: str
    unassigned: bool
    snoozes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Action items of one kind of urgency."""

    key: str
    name: str
    items: tuple[ToDo, ...]


@dataclass(frozen=True, slots=True)
class Expiring:
    """A card whose forecast date is past or near, with the days that it can be moved on to.

    `turns` says what tonight's run makes of its outcome (P3, P8); empty if nothing.
    """

    card: CardLine
    day: days.Said
    said: str
    turns: str
    week_later: date
    month_later: date
    may_edit: bool


@dataclass(frozen=True, slots=True)
class Lapsing:
    """A document that lapses within three days, with the way to what can be done about it.

    `turns` says what its card's outcome becomes with it, if that is tonight (P3, P6, P8).
    """

    number: str
    title: str
    url: str
    card: CardLine
    day: days.Said
    turns: str
    act: str
    act_url: str
    in_dialog: bool


@dataclass(frozen=True, slots=True)
class Day:
    """Everything on the page."""

    person: Person
    own: bool
    today: str
    groups: tuple[Group, ...]
    more_to_do: int
    expiring: tuple[Expiring, ...]
    more_expiring: int
    lapsing: tuple[Lapsing, ...]
    idle: tuple[CardLine, ...]
    more_idle: int
    notices: notice_list.Listing | None

    @property
    def nothing_to_do(self) -> bool:
        """Tell whether no action item waits this week."""
        return not any(group.items for group in self.groups)


def of(person: Person, *, reader: Person, business: BusinessSettings, today: date, now: datetime) -> Day:
    """Put somebody's day together, as that person may see it; notices are for their own eyes."""
    groups, more_to_do = _to_do(person, business, today, now)
    turning = _turning(person, now)
    expiring, more_expiring = _expiring(person, reader, today, turning)
    idle, more_idle = _idle(person)
    own = person.pk == reader.pk
    return Day(
        person=person,
        own=own,
        today=days.full(today),
        groups=groups,
        more_to_do=more_to_do,
        expiring=expiring,
        more_expiring=more_expiring,
        lapsing=tuple(_lapsing(person, today, turning)),
        idle=idle,
        more_idle=more_idle,
        notices=notice_list.of(person, business=business, now=now, limit=notice_list.LATEST, unread=True)
        if own
        else None,
    )


def _to_do(person: Person, business: BusinessSettings, today: date, now: datetime) -> tuple[tuple[Group, ...], int]:
    seen = Opportunity.objects.visible_to(person).values("pk")
    theirs = Q(assignee=person) | Q(assignee=None, opportunity__salesperson=person)
    rows = ActionItem.objects.filter(theirs, state=ActionItem.State.OPEN, due_on__lte=today + SOON)
    rows = rows.filter(opportunity__in=seen).select_related("opportunity").order_by("due_on", "pk")
    scheduled = Reminder.objects.filter(state=Reminder.State.SCHEDULED)
    rows = rows.prefetch_related(Prefetch("reminders", queryset=scheduled, to_attr="waiting"))
    found = list(rows[: LISTED + 1])
    more = rows.count() - LISTED if len(found) > LISTED else 0
    items = [_to_do_line(item, business, today) for item in found[:LISTED]]
    sorts = ("late", "today", "soon")
    names = {"late": _("Overdue"), "today": _("Today"), "soon": _("In the next 7 days")}
    by_sort: dict[str, list[ToDo]] = {sort: [] for sort in sorts}
    for line, item in zip(items, found, strict=False):
        by_sort["late" if item.due_on < today else "today" if item.due_on == today else "soon"].append(line)
    return tuple(Group(sort, names[sort], tuple(by_sort[sort])) for sort in sorts if by_sort[sort]), more


def _to_do_line(item: Any, business: BusinessSettings, today: date) -> ToDo:
    return ToDo(
        pk=item.pk,
        text=item.text,
        card=_card(item.opportunity),
        due=days.say(item.due_on, today),
        reminder=overview.when(item.waiting[0].fire_at, business, today) if item.waiting else "",
        unassigned=item.assignee_id is None,
        snoozes=tuple((day.isoformat(), words) for day, words in snoozes(today)),
    )


def snoozes(today: date) -> Iterable[tuple[date, str]]:
    """Offer the days that an item can be put off to, with their names; next week's work begins on its Monday."""
    to_monday = 7 - today.weekday()
    choices = (
        (_("Tomorrow, %(day)s"), today + timedelta(days=1)),
        (_("In 3 days, %(day)s"), today + timedelta(days=3)),
        (_("Next week, %(day)s"), today + timedelta(days=to_monday if to_monday > 1 else 8)),
    )
    for words, day in choices:
        # Translators: a weekday with its date, in the letters of Django's date format (Mon 14 Dec).
        yield day, words % {"day": formats.date_format(day, _("D j M"))}


def _turning(person: Person, now: datetime) -> dict[int, str]:
    """Say of this person's cards which turn Lost, Open or Won with the next run, by the run's own preview."""
    among = Q(salesperson=person) & access.visible_rows(person)
    words = dict(SALES_CHOICES)
    return {
        each.card.pk: _("Turns %(status)s tonight") % {"status": words[each.after.sales.value]}
        for each in sweep.preview(now, among=among, documents=Q(pk__in=())).cards
        if each.before.sales is not each.after.sales
    }


def _expiring(person: Person, reader: Person, today: date, turning: dict[int, str]) -> tuple[tuple[Expiring, ...], int]:
    """List this person's cards that the clock has expired, expires tonight, or would this week."""
    waived = Q(workflow_status="contracted", expiry_waived_for=F("forecast_date"))
    can_expire = [str(each) for each in workflow.CAN_EXPIRE]
    near = Q(workflow_status="expired", decided_on=None) | (
        Q(workflow_status__in=can_expire) & (Q(expiry_waived_for=None) | ~waived)
    )
    rows = _own(person).filter(near, forecast_date__lte=today + SOON).order_by("forecast_date", "pk")
    found = list(rows[: LISTED + 1])
    more = rows.count() - LISTED if len(found) > LISTED else 0
    return tuple(_expiring_line(card, reader, today, turning.get(card.pk, "")) for card in found[:LISTED]), more


def _expiring_line(card: Opportunity, reader: Person, today: date, turns: str) -> Expiring:
    day = card.forecast_date or today
    said = _("by %(day)s") % {"day": days.short(day, today)}
    if day < today:
        said = days.expired(day, today)
    elif day == today:
        said = _("Expires tonight")
    return Expiring(
        card=_card(card),
        day=days.say(day, today),
        said=said,
        turns=turns,
        week_later=overview.postponed(card, today, weeks=1),
        month_later=overview.postponed(card, today, months=1),
        may_edit=access.may(reader, "edit", card),
    )


def _lapsing(person: Person, today: date, turning: dict[int, str]) -> Iterable[Lapsing]:
    visible = Q(opportunity__in=Opportunity.objects.visible_to(person).values("pk"))
    for document in lapsing.of_salesperson(person.pk, visible=visible, today=today):
        act, url, in_dialog = _act(document)
        if document.opportunity is None or document.last_day is None:
            continue
        yield Lapsing(
            number=document.number,
            title=document.title,
            url=document.get_absolute_url(),
            card=_card(document.opportunity),
            day=days.say(document.last_day, today),
            turns=turning.get(document.opportunity.pk, "") if document.last_day == today else "",
            act=act,
            act_url=url,
            in_dialog=in_dialog,
        )


def _act(document: AnyDocument) -> tuple[str, str, bool]:
    """Name the act that gives a document another day, and whether it opens in the dialog."""
    if document.REF == "job":
        return _("Reschedule"), reverse("opportunities:job-act", args=[document.pk, "reschedule"]), True
    if document.REF == "agreement":
        return _("Replace"), reverse("opportunities:agreement-act", args=[document.pk, "replace"]), True
    return _("Change the date"), reverse("opportunities:quote-edit", args=[document.pk]), False


def _idle(person: Person) -> tuple[tuple[CardLine, ...], int]:
    """List this person's open cards for which nothing is planned, those longest in their stage first."""
    planned = ActionItem.objects.filter(opportunity=OuterRef("pk"), state=ActionItem.State.OPEN)
    rows = _own(person).filter(~Exists(planned), decided_on=None, closed_kind="")
    count = rows.aggregate(count=Count("pk"))["count"]
    found = rows.order_by("stage_entered_at", "pk")[:IDLE]
    return tuple(_card(card) for card in found), max(0, count - IDLE)


def _own(person: Person) -> Any:
    return Opportunity.objects.visible_to(person).filter(salesperson=person, archived_at=None)


def _card(card: Opportunity) -> CardLine:
    customers = ", ".join(card.face.get("customers", ()))
    return CardLine(card.pk, card.number, card.title, customers, card.get_absolute_url())
