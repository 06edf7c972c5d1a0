"""The clock's part: agreements, then cards, expire and come back by their dates (3.5).

One row a transaction, any number of times. A quote's or job's expiry is an overlay and writes nothing on its own row;
what it makes of its card is settled here (T18).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from opportunities import agreements, attached, foresight, history, lifecycle, standing
from opportunities.foresight import Outlook
from opportunities.models import Agreement, BusinessSettings, Event, Opportunity
from opportunities.models.opportunity import OpportunityQuerySet
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.workflow import Facts, WorkflowStatus

log = logging.getLogger(__name__)

BATCH = 200


@dataclass(slots=True)
class Report:
    """What one run did. `finished` tells whether nothing that is due was left for later.

    `agreements` expired; `lapsed` cards changed by a document's date without expiring or coming back themselves;
    `archived` closed cards were put away. `due` counts the rows that were looked at, `stuck` those of them that nobody
    held, and that are due as before.
    """

    today: date
    expired: int = 0
    revived: int = 0
    agreements: int = 0
    lapsed: int = 0
    archived: int = 0
    due: int = 0
    failed: int = 0
    stuck: int = 0
    finished: bool = True

    def as_json(self) -> dict[str, object]:
        """The figures, for the job's last result."""
        return {
            "today": self.today.isoformat(),
            "expired": self.expired,
            "revived": self.revived,
            "agreements": self.agreements,
            "lapsed": self.lapsed,
            "archived": self.archived,
            "due": self.due,
            "stuck": self.stuck,
            "failed": self.failed,
            "finished": self.finished,
        }


type Halted = Callable[[], bool]
"""Tells, before each row, whether the run is to leave the rest for later."""


def run(
    now: datetime, *, seconds: float | None = None, first: Sequence[int] = (), stopping: Halted = lambda: False
) -> Report:
    """Settle every card whose date says something else than its status, in batches.

    Idempotent, safe beside any number of other runs, and both ways: a changed time zone may bring a day back. A row
    that fails is logged, counted and left; the rest goes on. `seconds` bounds the run, and so does the end of its day,
    or it would take back what the next day's run does meanwhile. `stopping` ends it after the row at hand, `first`
    names cards to settle before the others.
    """
    business = BusinessSettings.current()
    report = Report(today=business.day_to_settle(now))
    left_of_day = (business.day_begins(report.today + timedelta(days=1)) - now).total_seconds()
    deadline = monotonic() + (left_of_day if seconds is None else min(seconds, left_of_day))

    def halted() -> bool:
        return stopping() or monotonic() > deadline

    if not _expire_agreements(report, now, halted):
        report.finished = False
        return report
    rows_due = due(report.today)
    asked_for = [rows.filter(pk__in=first) for rows in rows_due] if first else []
    for rows in (*asked_for, *rows_due):
        if not _settle_all(rows, report, now, halted):
            report.finished = False
            return report
    if not _archive_closed(business.auto_archive_days, report, now, halted):
        report.finished = False
        return report
    if business.swept_until != report.today:
        # Where another run went on to another day meanwhile, that stands.
        unchanged = BusinessSettings.objects.filter(pk=1, swept_until=business.swept_until)
        unchanged.update(swept_until=report.today)
    return report


def due(today: date) -> tuple[OpportunityQuerySet, ...]:
    """Return the cards that a day makes due: the run settles them, the preview tells of them."""
    cards = Opportunity.objects.all()
    return cards.due_to_expire(today), cards.due_to_revive(today), cards.due_by_documents(today)


def _batches(rows: QuerySet[Any]) -> Iterator[list[int]]:
    """Read the ids of rows in batches, each row once whatever becomes of it: the run ends, and its memory is flat."""
    last = 0
    while batch := list(next_batch(rows, last)):
        yield batch
        last = batch[-1]


def next_batch(rows: QuerySet[Any], last: int) -> QuerySet[Any, int]:
    """Return the ids of the rows that follow one, in their order, as many as a batch has."""
    # By a sum, so that PostgreSQL looks for what is due, and not through all rows in the order of their ids.
    return rows.filter(pk__gt=last).order_by(F("pk") + 0).values_list("pk", flat=True)[:BATCH]


def _expire_agreements(report: Report, now: datetime, halted: Halted) -> bool:
    """End the agreements whose last day has passed; tells whether all were done, or the run was halted before."""
    rows = Agreement.objects.lapsed(report.today)
    for batch in _batches(rows):
        same = []
        for agreement_id in batch:
            if halted():
                return False
            report.due += 1
            try:
                with history.acting(via=Event.Via.CLOCK):
                    expired = agreements.expire(agreement_id=agreement_id, now=now)
            except Exception:
                log.exception("The sweep could not settle an agreement.", extra={"agreement": agreement_id})
                report.failed += 1
                continue
            report.agreements += expired
            if not expired:
                same.append(agreement_id)
        report.stuck += rows.filter(pk__in=same).count() if same else 0
    return True


def _settle_all(rows: OpportunityQuerySet, report: Report, now: datetime, halted: Halted) -> bool:
    """Settle these cards; tells whether all were done, or the run was halted before."""
    for batch in _batches(rows):
        same = []
        for opportunity_id in batch:
            if halted():
                return False
            report.due += 1
            if not _settle(opportunity_id, report, now):
                same.append(opportunity_id)
        report.stuck += _free(rows, same)
    return True


def _free(rows: QuerySet[Any], same: list[int]) -> int:
    """Count the rows that are due as before though nobody holds them."""
    if not same:
        return 0
    with transaction.atomic():
        free = rows.filter(pk__in=same).select_for_update(no_key=True, skip_locked=True, of=("self",))
        return len(free.values_list("pk", flat=True))


def _settle(opportunity_id: int, report: Report, now: datetime) -> bool:
    """Bring one card in line with its dates, asked again under the lock; a row that somebody holds is theirs.

    Tells whether all was done that can be: false for one that nobody held and that stayed as it was.
    """
    try:
        with transaction.atomic():
            free = Opportunity.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=opportunity_id)
            if not free.values_list("pk", flat=True):
                return True
            card = Opportunity.objects.for_change(opportunity_id)
            before = history.snapshot(card)
            standing.refresh(card, today=report.today)
            changed, kind = history.snapshot(card) != before, _kind(before, card)
            with history.acting(via=Event.Via.CLOCK):
                event = history.record(card, kind=kind, before=before, actor=None, now=now)
    except Exception:
        log.exception("The sweep could not settle a card.", extra={"opportunity": opportunity_id})
        report.failed += 1
        return True
    if event is None:
        return changed
    counter = {"expired": "expired", "revived": "revived"}.get(kind, "lapsed")
    setattr(report, counter, getattr(report, counter) + 1)
    return True


def _archive_closed(days: int | None, report: Report, now: datetime, halted: Halted) -> bool:
    """Put away the Void and Canceled cards whose days are over (G5.2); tells whether all were done in time."""
    rows = Opportunity.objects.due_to_archive(report.today, days)
    for batch in _batches(rows):
        same = []
        for opportunity_id in batch:
            if halted():
                return False
            report.due += 1
            try:
                with history.acting(via=Event.Via.CLOCK):
                    done = lifecycle.auto_archive(opportunity_id=opportunity_id, today=report.today, now=now)
            except Exception:
                log.exception("The sweep could not archive a card.", extra={"opportunity": opportunity_id})
                report.failed += 1
            else:
                report.archived += done
                if not done:
                    same.append(opportunity_id)
        report.stuck += _free(rows, same)
    return True


def _kind(before: dict[str, Any], card: Opportunity) -> str:
    """Name what the clock did to a card: it expired, came back, or its documents' dates changed how it ended."""
    old, new = str(before["workflow_status"]), str(card.workflow_status)
    if old == new:
        return "documents_lapsed"
    return "expired" if new == WorkflowStatus.EXPIRED else "revived"


def claim_lazy_run(business: BusinessSettings, now: datetime) -> bool:
    """Tell one request of each local day, and only one, that the lazy run of that day is its to do."""
    today = business.day_to_settle(now)
    unclaimed = BusinessSettings.objects.filter(pk=1).exclude(lazily_swept_on=today)
    return bool(unclaimed.update(lazily_swept_on=today))


def is_due(business: BusinessSettings, now: datetime) -> bool:
    """Tell whether the business's local day has moved on, or back, since the last finished run."""
    return business.is_set_up and business.swept_until != business.day_to_settle(now)


# What the next run will do, told beforehand


@dataclass(frozen=True, slots=True)
class Foretold:
    """What the next run will do to a card. `facts` are those of that day.

    `agreements` are those that expire; `lapsing` are the documents, quotes and jobs too, whose last day is the eve.
    """

    card: Opportunity
    before: Outlook
    after: Outlook
    facts: Facts
    lapsing: tuple[attached.AnyDocument, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    archives: bool = False

    @property
    def changes_status(self) -> bool:
        """One of the two statuses, or the rule behind the second, becomes another."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Preview:
    """What the run after the next local midnight will do. `more` cards beyond those told may be due as well."""

    day: date
    cards: tuple[Foretold, ...]
    agreements_on_no_card: tuple[Agreement, ...]
    more: bool


def preview(now: datetime, *, among: Q | None = None, documents: Q | None = None, limit: int = 500) -> Preview:
    """Tell what the run after the next local midnight will do: the same rules, on the facts of that day; no writing.

    `among` and `documents` say which cards, and which agreements on no card, are asked for.
    """
    business = BusinessSettings.current()
    day = business.today(now) + timedelta(days=1)
    rows_due = (*due(day), Opportunity.objects.due_to_archive(day, business.auto_archive_days))
    found: dict[int, None] = {}
    for rows in rows_due:
        ids = rows.filter(among or Q()).order_by("forecast_date", "pk").values_list("pk", flat=True)
        found.update(dict.fromkeys(ids[: limit + 1]))
    cards = Opportunity.objects.with_people().filter(pk__in=list(found)).order_by("forecast_date", "pk")[:limit]
    papers = attached.to_cards(card.pk for card in cards)
    foretold = (_foretell(card, papers[card.pk], business, day) for card in cards)
    loose = Agreement.objects.lapsed(day).on_no_card().filter(documents or Q()).select_related("customer")
    return Preview(
        day=day,
        cards=tuple(each for each in foretold if each.changes_status or each.agreements or each.archives),
        agreements_on_no_card=tuple(loose.order_by("valid_until", "pk")[:limit]),
        more=len(found) > limit,
    )


def _foretell(card: Opportunity, papers: attached.Attached, business: BusinessSettings, day: date) -> Foretold:
    facts = papers.facts(card, business=business, today=day)
    rule = SalesRule(card.sales_rule)
    before = Outlook(
        WorkflowStatus(str(card.workflow_status)),
        SalesStatus(card.sales_status),
        # What a person chose stands under P9, where no evidence speaks.
        SalesRule.P9 if rule is SalesRule.MANUAL else rule,
    )
    eve = day - timedelta(days=1)
    archive_day = card.archive_day(business.auto_archive_days)
    return Foretold(
        card=card,
        before=before,
        after=foresight.present(card, facts),
        facts=facts,
        lapsing=tuple(each for each in papers if each.last_day == eve),
        agreements=tuple(each for each in papers.agreements if each.last_day is not None and each.last_day < day),
        archives=archive_day is not None and archive_day <= day,
    )
