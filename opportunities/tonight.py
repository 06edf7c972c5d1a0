"""What the page "Tonight's run" shows: what the next run will do and why, what the last ones did, how the jobs fare.

Finished sentences, in a fixed number of statements.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import access, background, days, explain, sweep
from opportunities.access import Person, Role
from opportunities.models import Agreement, BusinessSettings, Event, JobSlot, Opportunity
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.outcome import SalesRule
from opportunities.sweep import Foretold
from opportunities.timeline_kinds import KINDS
from opportunities.workflow import JobFacts, QuoteFacts

REPORTED_DAYS = 7
REPORTED = 200
"""So many days, and so many events of the clock, the report goes back."""

JOB_NAMES: dict[str, Any] = {
    "sweep": gettext_lazy("Expiry by the calendar"),
    "bulk acts": gettext_lazy("Changes of many cards"),
    "ended sessions": gettext_lazy("Clearing ended sessions"),
    "mails": gettext_lazy("Sending mail"),
    "reminders": gettext_lazy("Reminders"),
    "lapsing documents": gettext_lazy("Telling of documents about to lapse"),
    "notices by mail": gettext_lazy("Notices by mail"),
    "morning digests": gettext_lazy("Mails of the morning"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One of the two statuses before and after: codes for their colours, and words."""

    before: str
    before_tone: str
    after: str
    after_tone: str


@dataclass(frozen=True, slots=True)
class Row:
    """A card that the next run will change: what becomes of it, why, and what can be done about it."""

    card: Opportunity
    salesperson: str
    date: days.Said | None
    changes: tuple[Change, ...]
    acts: tuple[str, ...]
    why: tuple[str, ...]
    papers: tuple[tuple[str, str], ...]
    may_move_date: bool


@dataclass(frozen=True, slots=True)
class Loose:
    """An agreement on no card that the next run expires."""

    number: str
    url: str
    title: str
    customer: str
    date: days.Said | None


@dataclass(frozen=True, slots=True)
class Tonight:
    """What the next run will do, as this reader may see it."""

    day: str
    zone: str
    rows: tuple[Row, ...]
    loose: tuple[Loose, ...]
    summary: str
    more: bool


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that the clock did, and whether moving the card's date takes it back."""

    card: Opportunity
    what: str
    changes: tuple[Change, ...]
    at: datetime
    when: str
    may_restore: bool


@dataclass(frozen=True, slots=True)
class DoneDay:
    """What the clock did on a day."""

    day: str
    summary: str
    rows: tuple[Done, ...]


@dataclass(frozen=True, slots=True)
class JobState:
    """A background job, in words. `tone` is good, bad or quiet."""

    name: str
    tone: str
    state: str
    last: str
    following: str
    error: str


def _own(reader: Person) -> Q:
    """Managers look after everybody's cards, salespeople after their own."""
    return Q() if access.is_at_least(reader, Role.MANAGER) else Q(salesperson=reader)


def _own_papers(reader: Person) -> Q:
    return Q() if access.is_at_least(reader, Role.MANAGER) else Q(created_by=reader)


def coming(*, reader: Person, business: BusinessSettings, now: datetime) -> Tonight:
    """Tell what the next run will do to the cards that this reader looks after."""
    among = _own(reader) & access.visible_rows(reader)
    found = sweep.preview(now, among=among, documents=_own_papers(reader) & access.visible_documents(reader))
    today = business.today(now)
    rows = tuple(_row(each, reader, business, today) for each in found.cards)
    loose = tuple(
        Loose(each.number, each.get_absolute_url(), each.title, each.customer.name, _said(each, today))
        for each in found.agreements_on_no_card
    )
    return Tonight(
        day=days.full(found.day),
        zone=business.time_zone.replace("_", " "),
        rows=rows,
        loose=loose,
        summary=_summary(found.cards, len(loose)),
        more=found.more,
    )


def _said(agreement: Agreement, today: Any) -> days.Said | None:
    return None if agreement.valid_until is None else days.say(agreement.valid_until, today)


def _summary(found: tuple[Foretold, ...], loose: int) -> str:
    """Count what is foretold: "3 cards expire, 1 turns lost"."""
    expire = sum(_turns(each, "expired") for each in found)
    revive = sum(each.before.workflow == "expired" and each.after.workflow != "expired" for each in found)
    lost = sum(each.before.sales != "lost" and each.after.sales == "lost" for each in found)
    opened = sum(each.before.sales != "none" and each.after.sales == "none" for each in found)
    papers = loose + sum(len(each.agreements) for each in found)
    put_away = sum(each.archives for each in found)
    parts = (
        (expire, ngettext("%(n)s card expires", "%(n)s cards expire", expire)),
        (revive, ngettext("%(n)s card comes back", "%(n)s cards come back", revive)),
        (lost, ngettext("%(n)s turns lost", "%(n)s turn lost", lost)),
        (opened, ngettext("%(n)s turns open", "%(n)s turn open", opened)),
        (papers, ngettext("%(n)s agreement expires", "%(n)s agreements expire", papers)),
        (put_away, ngettext("%(n)s card is archived", "%(n)s cards are archived", put_away)),
    )
    return ", ".join(words % {"n": count} for count, words in parts if count)


def _turns(each: Foretold, workflow: str) -> bool:
    return each.before.workflow != workflow and each.after.workflow == workflow


def _row(each: Foretold, reader: Person, business: BusinessSettings, today: Any) -> Row:
    card, why = each.card, _reasons(each, today)
    acts = [_("%(number)s expires") % {"number": agreement.number} for agreement in each.agreements]
    if each.agreements and not why:
        why.append(_("Its last day to be signed passes; who has not answered cannot any more."))
    if each.archives and card.archive_clock_from is not None:
        acts.append(_("Archived"))
        words = ngettext(
            "%(status)s, and put away after %(days)s day.", "%(status)s, and put away after %(days)s days.",
            business.auto_archive_days or 0,
        )  # fmt: skip
        why.append(words % {"status": card.get_workflow_status_display(), "days": business.auto_archive_days})
    return Row(
        card=card,
        salesperson="" if card.salesperson is None else (card.salesperson.get_full_name() or str(card.salesperson)),
        date=None if card.forecast_date is None else days.say(card.forecast_date, today),
        changes=_changes(
            each.before.workflow.value, each.after.workflow.value, each.before.sales.value, each.after.sales.value
        ),
        acts=tuple(acts),
        why=tuple(why),
        papers=tuple((paper.number, paper.get_absolute_url()) for paper in each.lapsing),
        may_move_date=not card.is_closed and access.may(reader, "edit", card),
    )


def _reasons(each: Foretold, today: Any) -> list[str]:
    """Say why, as of today: the explanations of the card itself speak as of the day after."""
    why = []
    if _turns(each, "expired") and each.card.forecast_date is not None:
        day = days.short(each.card.forecast_date, today)
        why.append(_("Its forecast date, %(day)s, passes.") % {"day": day})
    elif each.before.workflow != each.after.workflow:
        why.append(explain.workflow_reason(each.facts).text)
    if each.after.rule in (SalesRule.P3, SalesRule.P8) and each.before.sales != each.after.sales:
        offers: list[JobFacts | QuoteFacts] = [*each.facts.live_jobs, *each.facts.live_quotes]
        numbers = get_text_list([offer.number for offer in offers], _("and"))
        words = ngettext(
            "Nothing is open any more: %(offers)s is past its last day, too.",
            "Nothing is open any more: %(offers)s are past their last days, too.",
            len(offers),
        )
        why.append(words % {"offers": numbers})
    elif each.before.sales != each.after.sales or each.before.rule != each.after.rule:
        why.append(explain.sales_reason(each.facts).text)
    return why


def _changes(workflow_from: str, workflow_to: str, sales_from: str, sales_to: str) -> tuple[Change, ...]:
    workflow, sales = dict(WORKFLOW_CHOICES), dict(SALES_CHOICES)
    found = []
    if workflow_from != workflow_to and workflow_from:
        before, after = str(workflow[workflow_from]), str(workflow[workflow_to])
        found.append(Change(before, f"status-{workflow_from}", after, f"status-{workflow_to}"))
    if sales_from != sales_to and sales_from:
        before, after = str(sales[sales_from]), str(sales[sales_to])
        found.append(Change(before, _sales_tone(sales_from), after, _sales_tone(sales_to)))
    return tuple(found)


def _sales_tone(sales: str) -> str:
    return "outlined" if sales == "none" else f"sales-{sales}"


# What the last runs did


def done(*, reader: Person, business: BusinessSettings, now: datetime) -> tuple[DoneDay, ...]:
    """Tell what the clock did in the last days to the cards that this reader looks after, newest first."""
    seen = Opportunity.objects.visible_to(reader).filter(_own(reader))
    events = (
        Event.objects.filter(via=Event.Via.CLOCK, at__gte=now - timedelta(days=REPORTED_DAYS), opportunity__in=seen)
        .select_related("opportunity")
        .order_by("-pk")[:REPORTED]
    )
    by_day: dict[Any, list[Event]] = {}
    for event in events:
        by_day.setdefault(business.local_date(event.at), []).append(event)
    return tuple(
        DoneDay(
            day=days.full(day),
            summary=_counted(rows),
            rows=tuple(_done(event, reader, business) for event in rows),
        )
        for day, rows in by_day.items()
    )


def _counted(events: Iterable[Event]) -> str:
    counts: dict[str, int] = {}
    for event in events:
        counts[event.kind] = counts.get(event.kind, 0) + 1
    return ", ".join(f"{KINDS.get(kind, kind)}: {count}" for kind, count in sorted(counts.items()))


def _done(event: Event, reader: Person, business: BusinessSettings) -> Done:
    card = event.opportunity
    assert card is not None  # noqa: S101  # only events of cards are read
    return Done(
        card=card,
        what=str(KINDS.get(event.kind, event.kind)),
        changes=_changes(event.workflow_from, event.workflow_to, event.sales_from, event.sales_to),
        at=event.at,
        when=formats.time_format(timezone.localtime(event.at, business.zone)),
        may_restore=card.is_expired and access.may(reader, "edit", card),
    )


# How the jobs fare


def jobs(now: datetime, business: BusinessSettings) -> tuple[JobState, ...]:
    """Tell of every background job when it ran, when it runs next, and what is wrong; those in trouble first."""
    slots = {slot.name: slot for slot in JobSlot.objects.all()}
    found = [_job(job.name, slots.get(job.name), now, business) for job in background.REGISTRY]
    return tuple(sorted(found, key=lambda state: state.tone != "bad"))


def _job(name: str, slot: JobSlot | None, now: datetime, business: BusinessSettings) -> JobState:
    label = str(JOB_NAMES.get(name, name.capitalize()))
    if slot is None:
        return JobState(label, "quiet", _("Has not run yet"), "", "", "")
    alarmed = slot.alarm_at is not None and slot.alarm_at <= now
    last = "" if slot.last_finished_at is None else _moment(slot.last_finished_at, business, now)
    return JobState(
        name=label,
        tone="bad" if alarmed or slot.went_wrong else "good" if last else "quiet",
        state=_trouble(slot, alarmed=alarmed) or (_("All is well") if last else _("Has not run yet")),
        last=last,
        following=_moment(slot.next_run_at, business, now),
        error=slot.last_error,
    )


def _trouble(slot: JobSlot, *, alarmed: bool) -> str:
    """Say what is wrong with a job and what to do about it; nothing where nothing is."""
    if slot.last_error:
        return _("The last run failed. The log says where; it is tried again by itself.")
    failed, stuck = slot.counted("failed"), slot.counted("stuck")
    if failed:
        words = ngettext(
            "The last run could not settle %(n)s row. The log names it.",
            "The last run could not settle %(n)s rows. The log names them.",
            failed,
        )
        return words % {"n": failed}
    if stuck:
        words = ngettext(
            "%(n)s row was due and stayed as it was. Run: manage.py check_integrity",
            "%(n)s rows were due and stayed as they were. Run: manage.py check_integrity",
            stuck,
        )
        return words % {"n": stuck}
    if alarmed:
        return _("It should have run long ago. See whether the process that runs the jobs is up.")
    return ""


def _moment(moment: datetime, business: BusinessSettings, now: datetime) -> str:
    local = timezone.localtime(moment, business.zone)
    day = days.short(local.date(), business.local_date(now))
    return _("%(day)s, %(time)s") % {"day": day, "time": formats.time_format(local)}


def alarm_url() -> str:
    """Where admins are led by the alarm."""
    return f"{reverse('opportunities:tonight')}#jobs"
