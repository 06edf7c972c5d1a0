"""What the page and the panel of one card show: its facts in words, why it stands where it stands, what may be done.

A read model: finished strings for the template, a fixed number of statements.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import models
from django.utils import formats
from django.utils.translation import gettext as _

from opportunities import access, card_documents, days, explain, history, pipeline
from opportunities.access import Person
from opportunities.attached import Attached
from opportunities.card_documents import Explained, Piece
from opportunities.losses import why_lost
from opportunities.models import (
    ActionItem,
    BusinessSettings,
    Contact,
    Customer,
    Opportunity,
    OpportunityCustomer,
    Reminder,
)
from opportunities.money import format_money
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.workflow import ClosedKind, Facts

DONE_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that may be done to the card; where not, `refusal` says why."""

    refusal: str = ""

    @property
    def allowed(self) -> bool:
        return not self.refusal


@dataclass(frozen=True, slots=True)
class Party:
    """A customer of the card with the contacts there that the deal is talked over with."""

    customer: Customer
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """An open action item with its day and its reminder in words."""

    item: ActionItem
    due: days.Said
    who: str
    reminder: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """An action item that is open no more; `closed` says so where its card ended, not the work."""

    item: ActionItem
    closed: str


@dataclass(frozen=True, slots=True)
class Closed:
    """How a closed card ended, for the head of its page."""

    sentence: str
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything about one card except its timeline. `overdue`: expired, and nothing has decided it yet."""

    card: Opportunity
    overdue: bool
    workflow_why: Explained
    sales_why: Explained
    sales_label: str
    amount: str
    weighted: str
    probability: str
    forecast: days.Said | None
    stage_since: str
    stage_since_full: str
    salesperson: str
    parties: tuple[Party, ...]
    open_actions: tuple[Action, ...]
    done_actions: tuple[Finished, ...]
    acts: dict[str, Act]
    refusals: tuple[str, ...]
    next_step: str
    week_later: date
    month_later: date
    closed: Closed | None


def one(opportunity_id: int, reader: Person) -> Opportunity:
    """Fetch a card with all that its page shows.

    :raises Opportunity.DoesNotExist: no such card, or not visible to the reader.
    """
    rows = Opportunity.objects.visible_to(reader).fetch_mode(models.FETCH_RAISE)
    return rows.select_related("stage", "status", "hand_status", "type", "salesperson", "decided_by", "closed_by").get(
        pk=opportunity_id
    )


def of(card: Opportunity, found: Attached, *, reader: Person, business: BusinessSettings, today: date) -> Overview:
    """Put a card, as `one` fetched it, with what is attached to it, into words."""
    facts = found.facts(card, business=business, today=today)
    parties = _parties(card)
    open_actions, done_actions = _actions(card, business, today)
    acts = _acts(card, reader)
    entered = business.local_date(card.stage_entered_at)
    return Overview(
        card=card,
        overdue=card.is_expired and card.decided_on is None,
        workflow_why=workflow_why(card, facts, found),
        sales_why=sales_why(card, facts, found, may_detach=access.may(reader, "detach", card)),
        sales_label=outcome_label(card),
        amount=format_money(card.amount, business.currency),
        weighted=format_money(weighted(card), business.currency),
        probability=_probability(card),
        forecast=days.say(card.forecast_date, today) if card.forecast_date else None,
        stage_since=days.lasting_in_words(entered, today),
        stage_since_full=days.full(entered),
        salesperson=history.label(card.salesperson) if card.salesperson else "",
        parties=parties,
        open_actions=open_actions,
        done_actions=done_actions,
        acts=acts,
        refusals=tuple(dict.fromkeys(act.refusal for act in acts.values() if act.refusal)),
        next_step=_next_step(card, open_actions),
        week_later=postponed(card, today, weeks=1),
        month_later=postponed(card, today, months=1),
        closed=closed(card),
    )


def workflow_why(card: Opportunity, facts: Facts, found: Attached) -> Explained:
    """Say in words why the card has its workflow status, with the documents that decide (W1 to W8)."""
    signed = card_documents.signatures(found)
    return card_documents.explained(
        explain.workflow_reason(facts, signed=signed, closed_for=card.close_reason_label), found
    )


def sales_why(card: Opportunity, facts: Facts, found: Attached, *, may_detach: bool) -> Explained:
    """Say in words why the card has its sales status: by which document, or who marked it, when, and why (D41)."""
    if card.sales_rule != SalesRule.MANUAL:
        return card_documents.explained(explain.sales_reason(facts), found, may_detach=may_detach)
    who = history.label(card.decided_by) if card.decided_by else ""
    words = _("%(status)s: marked by hand.")
    if who and card.decided_on:
        words = _("%(status)s: marked by hand by %(who)s on %(day)s.")
    reason = card.decided_reason_label
    day = days.full(card.decided_on) if card.decided_on else ""
    said = words % {"status": sales_label(card), "who": who, "day": day}
    text = f"{said} {_('Reason: %(reason)s.') % {'reason': reason}}" if reason else said
    return Explained((Piece(text),))


def sales_label(card: Opportunity) -> str:
    """Name the sales status; a row of the business's own that is neither won nor lost goes by its name."""
    if card.sales_status == SalesStatus.NONE and not card.status.is_default:
        return card.status.name
    return card.get_sales_status_display()


def outcome_label(card: Opportunity) -> str:
    """Name the sales status as boards do: a loss with what lost it, such as "Lost: refunded"."""
    if card.sales_status == SalesStatus.LOST:
        why = why_lost(card.lost_because, card.face, card.sales_rule, card.decided_reason_label)
        if why:
            return _("Lost: %(reason)s") % {"reason": why}
    return sales_label(card)


def chance(card: Opportunity) -> int:
    """The card's own probability, or else its stage's."""
    if card.probability is not None:
        return card.probability
    return card.stage.probability if card.stage else 0


def closed(card: Opportunity) -> Closed | None:
    """Say of a closed card by whom and when it was closed, and why; None for every other card."""
    if not card.is_closed or card.decided_on is None:
        return None
    words = _("Voided on %(day)s.") if card.closed_kind == ClosedKind.VOID else _("Canceled on %(day)s.")
    if card.closed_by is not None:
        words = _("Voided by %(who)s on %(day)s.")
        if card.closed_kind == ClosedKind.CANCELED:
            words = _("Canceled by %(who)s on %(day)s.")
    who = "" if card.closed_by is None else history.label(card.closed_by)
    sentence = words % {"who": who, "day": days.full(card.decided_on)}
    return Closed(sentence, card.close_reason_label, card.close_note)


def weighted(card: Opportunity) -> Decimal | None:
    """The amount times the probability, rounded half up."""
    if card.amount is None:
        return None
    return (card.amount * chance(card) / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def postponed(card: Opportunity, today: date, *, weeks: int = 0, months: int = 0) -> date:
    """Return the forecast date moved on: from the day it says, or from today where that has passed or is missing."""
    return later(max(card.forecast_date or today, today), weeks=weeks, months=months)


def later(day: date, *, weeks: int = 0, months: int = 0) -> date:
    """Return the day so many weeks or months on; the 31st becomes the last day of a shorter month."""
    moved = day + dt.timedelta(weeks=weeks)
    for _month in range(months):
        following = (moved.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
        last = (following.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
        moved = following.replace(day=min(day.day, last.day))
    return moved


def _probability(card: Opportunity) -> str:
    if card.probability is not None:
        return _("%(percent)s %%") % {"percent": card.probability}
    if card.stage is None:
        return ""
    return _("%(percent)s %% (the stage's)") % {"percent": card.stage.probability}


def _next_step(card: Opportunity, open_actions: Sequence[Action]) -> str:
    if card.is_closed or card.decided_on is not None or card.is_archived or open_actions:
        return ""
    return _("Nothing is planned: say what comes next, and when.")


def _acts(card: Opportunity, reader: Person) -> dict[str, Act]:
    """Judge every act that the page offers, by the predicates that the verbs ask again."""
    closed = pipeline.closed_blocker(card)
    acts = {
        verb: Act() if access.may(reader, verb, card) else Act(access.who_may(verb, card))
        for verb in ("edit", "move", "set_status", "archive", "note", "action", "duplicate", "void", "cancel")
    }
    if card.salesperson is None:
        acts["take"] = Act() if access.may(reader, "take", card) else Act(access.who_may("take", card))
    if closed is not None:
        for verb in acts.keys() - {"archive", "duplicate"}:
            acts[verb] = Act(closed.message)
    return acts


def _parties(card: Opportunity) -> tuple[Party, ...]:
    rows = (
        OpportunityCustomer.objects.filter(opportunity=card)
        .select_related("customer", "contact")
        .order_by("position", "pk")
    )
    found: dict[int, tuple[Customer, list[Contact]]] = {}
    for row in rows:
        _customer, contacts = found.setdefault(row.customer_id, (row.customer, []))
        if row.contact is not None:
            contacts.append(row.contact)
    return tuple(Party(customer, tuple(contacts)) for customer, contacts in found.values())


def _actions(
    card: Opportunity, business: BusinessSettings, today: date
) -> tuple[tuple[Action, ...], tuple[Finished, ...]]:
    """Read the open items in the order they are due, each with its reminder, and the latest finished ones."""
    reminder = Reminder.objects.filter(action=models.OuterRef("pk"), state=Reminder.State.SCHEDULED)
    rows = ActionItem.objects.filter(opportunity=card).select_related("assignee").order_by("due_on", "pk")
    items = list(rows.annotate(fire_at=models.Subquery(reminder.values("fire_at")[:1])))
    open_items = [item for item in items if item.state == ActionItem.State.OPEN]
    finished = [item for item in items if item.done_at is not None]
    finished.sort(key=lambda item: (str(item.done_at), item.pk), reverse=True)
    actions = tuple(
        Action(
            item,
            days.say(item.due_on, today),
            history.label(item.assignee) if item.assignee else "",
            _reminded(item, business, today),
        )
        for item in open_items
    )
    return actions, tuple(Finished(item, _closed_with(item, card)) for item in finished[:DONE_SHOWN])


def _reminded(item: Any, business: BusinessSettings, today: date) -> str:
    return "" if item.fire_at is None else when(item.fire_at, business, today)


def _closed_with(item: ActionItem, card: Opportunity) -> str:
    if item.state != ActionItem.State.CLOSED:
        return ""
    return _("closed by void") if card.closed_kind == ClosedKind.VOID else _("closed by cancel")


def when(moment: dt.datetime, business: BusinessSettings, today: date) -> str:
    """Say a moment on the business's wall clock: tomorrow, 8 a.m."""
    local = moment.astimezone(business.zone)
    clock = formats.time_format(local, "TIME_FORMAT")
    return _("%(day)s, %(time)s") % {"day": days.short(local.date(), today), "time": clock}
