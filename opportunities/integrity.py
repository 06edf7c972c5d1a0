"""Whether every card and document is what its facts say: worked out again by the very rules, and compared. In words.

Reads only, in chunks, so that memory is flat; `repair` alone writes, through `standing.refresh` and with history.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from time import monotonic
from typing import Any, override

from django.db import models, transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Prefetch, Q, Window
from django.db.models.functions import Lag
from django.utils.translation import gettext as _

from opportunities import attached, days, faces, history, standing, sweep
from opportunities.attached import AnyDocument, Attached
from opportunities.models import (
    ActionItem,
    Agreement,
    BusinessSettings,
    Event,
    Job,
    Opportunity,
    Payment,
    Quote,
    Reminder,
)
from opportunities.states import QuoteState

CHUNK = 500

FURTHEST_RANK = 2**62
"""Beyond it there would be no room for cards above or below."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not what the facts say. `card_id` is of a card that `repair` may bring in line."""

    number: str
    sentence: str
    url: str = ""
    card_id: int | None = None

    @override
    def __str__(self) -> str:
        return f"{self.number}: {self.sentence}"


@dataclass(slots=True)
class Look:
    """How far a check came."""

    cards: int = 0
    documents: int = 0
    finished: bool = True


def check(now: datetime, look: Look, *, seconds: float | None = None) -> Iterator[Difference]:
    """Yield what differs, and count in `look`; `seconds` bounds the check for a page."""
    business = BusinessSettings.current()
    deadline = None if seconds is None else monotonic() + seconds
    for found in chain(_ranks(), _cards(business, now, look), _documents(business, now, look)):
        if found is not None:
            yield found
        elif deadline is not None and monotonic() > deadline:
            look.finished = False
            return


def repair(card_id: int, *, now: datetime) -> bool:
    """Bring one card in line with its facts, noted in its history; tells whether anything changed."""
    today = BusinessSettings.current().today(now)
    with transaction.atomic(), history.acting(via=Event.Via.ADMIN, by=_("integrity check")):
        card = Opportunity.objects.for_change(card_id)
        before = history.snapshot(card)
        standing.refresh(card, today=today)
        faces.compose(card)
        changed = history.snapshot(card) != before
        history.record(card, kind="repaired", before=before, actor=None, now=now)
    return changed


def _chunks(rows: models.QuerySet[Any]) -> Iterator[list[Any]]:
    last = 0
    while found := list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield found
        last = found[-1].pk


def _ranks() -> Iterator[Difference | None]:
    """The order of the cards leaves room at both ends."""
    ends = Opportunity.objects.aggregate(top=Min("rank"), bottom=Max("rank"))
    if max(abs(ends["top"] or 0), abs(ends["bottom"] or 0)) > FURTHEST_RANK:
        yield Difference(_("Order of the cards"), _("a rank is so far out that no card can be put beyond it."))


# Cards


def _cards(business: BusinessSettings, now: datetime, look: Look) -> Iterator[Difference | None]:
    today = business.today(now)
    for cards in _chunks(Opportunity.objects.with_people()):
        ids = [card.pk for card in cards]
        papers = attached.to_cards(ids)
        written = faces.sources(ids)
        # Before the day's sweep, what is due is no error yet.
        swept = business.swept_until == today
        due = set() if swept else _due(ids, today)
        left_open = _left_open(cards)
        for card in cards:
            look.cards += 1
            for sentence in chain(_of_closed(card, papers[card.pk]), left_open.get(card.pk, ())):
                yield Difference(card.number, sentence, card.get_absolute_url())
            put_away = card.archive_day(business.auto_archive_days)
            if swept and put_away is not None and put_away <= today:
                words = _("it should have been put away on %(day)s.") % {"day": days.short(put_away, today)}
                yield Difference(card.number, words, card.get_absolute_url())
            for sentence in _of_card(card, papers[card.pk], written[card.pk], business, today):
                if card.pk not in due:
                    yield Difference(card.number, sentence, card.get_absolute_url(), card.pk)
        yield from _history(cards)
        yield None


def _due(ids: list[int], today: date) -> set[int]:
    due = (rows.filter(pk__in=ids).values_list("pk", flat=True) for rows in sweep.due(today))
    return set(chain.from_iterable(due))


def _of_closed(card: Opportunity, papers: Attached) -> Iterator[str]:
    """On a Void or Canceled card every document is closed as well (D25)."""
    for document in papers if card.is_closed else ():
        if not document.is_dead:
            names = {"status": card.get_workflow_status_display(), "number": document.number}
            yield _("it is %(status)s, but %(number)s on it is not (D25).") % names


def _left_open(cards: list[Opportunity]) -> dict[int, list[str]]:
    """Say which closed cards still have something to do or to be reminded of."""
    closed = {card.pk: card.get_workflow_status_display() for card in cards if card.is_closed}
    actions = ActionItem.objects.filter(opportunity__in=list(closed), state=ActionItem.State.OPEN)
    reminders = Reminder.objects.filter(action__opportunity__in=list(closed), state=Reminder.State.SCHEDULED)
    found: dict[int, list[str]] = {}
    for card_id in actions.values_list("opportunity", flat=True).distinct().order_by():
        words = _("it is %(status)s, but an action on it is open (D33).")
        found.setdefault(card_id, []).append(words % {"status": closed[card_id]})
    for card_id in reminders.values_list("action__opportunity", flat=True).distinct().order_by():
        words = _("it is %(status)s, but a reminder on it is still to come (G5.4).")
        found.setdefault(card_id, []).append(words % {"status": closed[card_id]})
    return found


def _of_card(
    card: Opportunity, papers: Attached, written: faces.Sources, business: BusinessSettings, today: date
) -> Iterator[str]:
    """Work a card out again in memory, and say what is stored otherwise."""
    stored = {**history.snapshot(card), "face": dict(card.face)}
    fresh = copy(card)
    fresh.face = dict(card.face)
    try:
        standing.refresh(fresh, today=today, business=business, documents=papers)
        faces.put_together(fresh, written)
    except Exception as error:
        yield _("it cannot be worked out again (%(error)s).") % {"error": f"{type(error).__name__}: {error}"}
        return
    right = history.snapshot(fresh)
    for name, value in stored.items():
        if value != right[name]:
            yield differs(_names().get(name, name), _said(value), _said(right[name]))


def differs(what: str, stored: str, right: str) -> str:
    """Say that something is stored otherwise than the facts have it."""
    words = _("%(what)s is stored as %(stored)s; by the facts it is %(right)s.")
    return words % {"what": what, "stored": stored, "right": right}


def _said(value: Any) -> str:
    if value is None or value == "":
        return _("empty")
    return "“{}”".format(value.isoformat() if hasattr(value, "isoformat") else value)


def _names() -> dict[str, str]:
    return {
        "workflow_status": _("the workflow status"),
        "sales_status": _("the sales status"),
        "sales_rule": _("the rule behind the sales status"),
        "status_id": _("the status row"),
        "decided_on": _("the day of the decision"),
        "off_board": _("whether it left the board"),
        "forecast_date": _("the forecast date"),
        "expiry_waived_for": _("the date that was waived"),
        "closed_kind": _("how it was closed"),
        "archived_at": _("when it was archived"),
        "amount": _("the amount"),
        "completed_on": _("the day of completion"),
        "lost_because": _("what lost it"),
        "live_offer": _("whether an offer is open"),
        "documents_hold_from": _("from when its documents hold"),
        "documents_hold_until": _("until when its documents hold"),
        "face": _("what the card shows of other tables"),
        "search_key": _("what it is found by"),
        "net": _("the net"),
        "tax": _("the tax"),
        "total": _("the total"),
        "paid": _("what was paid"),
        "refunded": _("what was paid back"),
        "has_pending_payment": _("whether a payment is on its way"),
        "signer_count": _("the number of signers"),
        "signed_count": _("the number of signatures"),
        "status": _("the status"),
    }


def _history(cards: list[Opportunity]) -> Iterator[Difference]:
    """History of each card follows on itself and ends where the card stands; versions never go back."""
    by_id = {card.pk: card for card in cards}
    mine: dict[str, Any] = {"partition_by": "opportunity_id", "order_by": "id"}
    rows = (
        Event.objects.filter(opportunity__in=list(by_id))
        .annotate(
            workflow_was=Window(Lag("workflow_to"), **mine),
            sales_was=Window(Lag("sales_to"), **mine),
            version_was=Window(Lag("version"), **mine),
        )
        .filter(
            Q(version_was__gt=F("version"))
            | ~Q(kind="repaired")
            & (~Q(workflow_was=F("workflow_from")) | ~Q(sales_was=F("sales_from")))
            & Q(workflow_was__isnull=False)
        )
    )
    for event in rows.order_by("opportunity_id", "pk"):
        card = by_id[event.opportunity_id or 0]
        words = _("its history does not follow on itself at event %(event)s.") % {"event": event.pk}
        yield Difference(card.number, words, card.get_absolute_url())
    silent = set(by_id)
    last = Event.objects.filter(opportunity__in=list(by_id)).values("opportunity").annotate(last=Max("pk"))
    for end in Event.objects.filter(pk__in=[row["last"] for row in last]):
        card = by_id[end.opportunity_id or 0]
        silent.discard(card.pk)
        told, stands = (end.workflow_to, end.sales_to), (str(card.workflow_status), card.sales_status)
        if told != stands or end.version > card.version:
            words = _("its history ends with %(event)s, but it stands at %(card)s.")
            said = {"event": f"{', '.join(told)}, {end.version}", "card": f"{', '.join(stands)}, {card.version}"}
            yield Difference(card.number, words % said, card.get_absolute_url())
    for card_id in sorted(silent):
        card = by_id[card_id]
        words = _("it has no history: not even who made it is known.")
        yield Difference(card.number, words, card.get_absolute_url())
    yield from _told(by_id, silent)


TOLD = {"forecast_date": False, "expiry_waived_for": True, "closed_kind": True, "archived_at": True}
"""Facts of a card that no rule can work out again, but of which its history tells; True: all begin as empty."""


def _told(by_id: dict[int, Opportunity], silent: set[int]) -> Iterator[Difference]:
    """Compare such facts with the last event that changed them."""
    for name, begins_empty in TOLD.items():
        events = Event.objects.filter(opportunity__in=list(by_id), changes__has_key=name)
        last = events.order_by().values("opportunity").annotate(last=Max("pk")).values("last")
        changed = dict(Event.objects.filter(pk__in=last).values_list("opportunity", f"changes__{name}"))
        for card in by_id.values():
            if card.pk in silent or (card.pk not in changed and not begins_empty):
                continue
            told, stands = changed.get(card.pk, [None, None])[1], history.json_safe(getattr(card, name))
            # The same instant is written in different ways, so of instants it is asked whether there is one.
            same = bool(told) == bool(stands) if name.endswith("_at") else (told or None) == (stands or None)
            if not same:
                words = _("%(what)s is %(card)s, but its history ends with %(event)s.")
                said = {"what": _names()[name], "card": _said(stands), "event": _said(told)}
                yield Difference(card.number, words % said, card.get_absolute_url())


# Documents


def _documents(business: BusinessSettings, now: datetime, look: Look) -> Iterator[Difference | None]:
    today = business.today(now)
    lapsed = today if business.swept_until == today else date.min
    quotes = Quote.objects.annotate(was_made_a_job=Exists(Job.objects.filter(quote=OuterRef("pk"))))
    agreements = Agreement.objects.prefetch_related("recipients")
    payments = Payment.objects.prefetch_related("refunds")
    jobs = Job.objects.select_related("quote").prefetch_related(Prefetch("payments", payments))
    for rows in (quotes, jobs, agreements):
        for documents in _chunks(rows.select_related("customer").prefetch_related("lines")):
            for document in documents:
                look.documents += 1
                for sentence in _of_document(document, lapsed):
                    yield Difference(document.number, sentence, document.get_absolute_url())
            yield None


def _of_document(document: AnyDocument, lapsed: date) -> Iterator[str]:
    yield from _money(document)
    key = copy(document)
    key.compose_search_key()
    yield from _compared(document, {"search_key": key.search_key})
    if isinstance(document, Job):
        yield from _job(document)
    if str(document.state) == QuoteState.CONVERTED and not getattr(document, "was_made_a_job", True):
        yield _("it is Converted, but no job was made of it.")
    if isinstance(document, Agreement):
        if document.last_day is not None and document.last_day < lapsed:
            yield _("its last day has passed, but it is still out.")
        fresh = copy(document)
        fresh.follow_signers(document.recipients.all(), date.min)
        yield from _compared(
            document,
            {name: getattr(fresh, name) for name in ("signer_count", "signed_count", "status")},
        )


def _compared(document: AnyDocument, right: dict[str, Any]) -> Iterator[str]:
    for name, value in right.items():
        stored = getattr(document, name)
        if stored != value:
            yield differs(_names().get(name, name), _said(stored), _said(value))


def _money(document: AnyDocument) -> Iterator[str]:
    lines: Iterable[Any] = document.lines.all()
    net = tax = Decimal(0)
    for line in lines:
        fresh = copy(line)
        fresh.price(document.discount_percent)
        if (fresh.net, fresh.tax) != (line.net, line.tax):
            yield _("the line “%(line)s” is not what its quantity and price come to.") % {"line": line.description}
        net, tax = net + line.net, tax + line.tax
    yield from _compared(document, {"net": net, "tax": tax, "total": net + tax})


def _job(job: Job) -> Iterator[str]:
    payments = list(job.payments.all())
    paid = sum((each.amount for each in payments if str(each.state) == "succeeded"), Decimal(0))
    refunds = [back for each in payments for back in each.refunds.all() if str(back.state) == "succeeded"]
    refunded = sum((each.amount for each in refunds), Decimal(0))
    pending = any(str(each.state) == "pending" for each in payments)
    yield from _compared(job, {"paid": paid, "refunded": refunded, "has_pending_payment": pending})
    if job.quote is not None and job.quote.opportunity_id != job.opportunity_id:
        words = _("it is on another opportunity than %(quote)s, of which it was made (D7).")
        yield words % {"quote": job.quote.number}
