"""What salespeople do with a card day by day: create, edit, move, date, decide, duplicate, undo."""

import calendar
import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from opportunities import access, attached, days, entry, explain, faces, history, outcome, rank, standing
from opportunities.access import Person
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import (
    BusinessSettings,
    Contact,
    Customer,
    Event,
    Opportunity,
    OpportunityCustomer,
    OpportunityStage,
    OpportunityStatus,
    Reason,
)
from opportunities.outcome import SalesRule


class _Keep(Enum):
    """Stands for an argument that was not given."""

    KEEP = "keep"


KEEP = _Keep.KEEP
UNDO_WITHIN = dt.timedelta(hours=24)
UNDOABLE = frozenset({"edited", "moved", "status_chosen", "archived", "unarchived", "taken"})
_OF_THE_ARCHIVE = frozenset({"archived_at", "archive_clock_from"})
"""What may change on a closed card as well: whether it is put away (G5.1)."""
_RIGHT_TO_UNDO = {"archived": "archive", "unarchived": "archive", "status_chosen": "set_status"}
"""The right that taking an act back asks for, where it is more than seeing the card: the same as of the act (D43)."""
EDITABLE = frozenset(
    {
        "title",
        "description",
        "type_id",
        "salesperson_id",
        "amount",
        "amount_by_hand",
        "probability",
        "forecast_date",
        "stage_id",
        "customer_ids",
        "contact_ids",
    }
)


def create(
    *,
    title: str,
    customer_ids: Sequence[int] = (),
    contact_ids: Sequence[int] = (),
    stage_id: int | None | _Keep = KEEP,
    salesperson_id: int | None | _Keep = KEEP,
    type_id: int | None = None,
    amount: Decimal | None = None,
    probability: int | None = None,
    forecast_date: date | None = None,
    description: str = "",
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Make a card at the bottom of its stage (T1). Without a stage given it takes the default stage, if there is one.

    Amounts are in the business's currency. A back-dated card is Expired at once (AC067). Its salesperson is the actor
    unless another is named.

    :raises ValidationError: a field is out of its bounds.
    :raises Refused: the stage is retired or asks for more (ENTRY_*, STAGE_RETIRED).
    :raises NotAllowed: a salesperson gives the card to somebody else.
    :raises Stale: its stage, type or customer was deleted at that moment.
    """
    with _naming_rows_that_stay():
        access.require(actor, "create")
        if isinstance(salesperson_id, _Keep):
            salesperson_id = None if actor is None else actor.pk
        elif salesperson_id is not None and (actor is None or salesperson_id != actor.pk):
            access.require(actor, "reassign")
            access.require_takes_cards(salesperson_id, "salesperson_id")
        elif salesperson_id is None and not access.sees_unassigned(actor):
            words = _("You would not see a card that nobody has: it stays yours, or a manager makes it.")
            raise ValidationError({"salesperson_id": words})
        card = Opportunity(
            title=_clean_title(title),
            description=description,
            type_id=type_id,
            salesperson_id=salesperson_id,
            amount=_clean_amount(amount),
            probability=_clean_probability(probability),
            forecast_date=forecast_date,
            stage_entered_at=now,
            rank=rank.bottom(),
            status=OpportunityStatus.objects.default(),
            created_at=now,
            created_by=actor,
        )
        stage = _stage_for_new(stage_id)
        card.stage = stage
        standing.refresh(card, today=BusinessSettings.current().today(now))
        card.save(force_insert=True)
        _set_parties(card, customer_ids, contact_ids)
        faces.compose(card)
        card.save(update_fields=["face", "search_key"])
        _require_entry(card, stage, is_new=True)
        history.write(card, kind="created", changes={}, before={}, actor=actor, now=now)
    return card


@contextmanager
def _naming_rows_that_stay() -> Iterator[None]:
    """Run an act that names rows of other tables, in a transaction; where one is deleted at that moment, say so.

    PostgreSQL would notice only at the commit, behind everybody who could say it in words.

    :raises Stale: a row that the act names was deleted.
    """
    try:
        with transaction.atomic():
            yield
            if connection.vendor == "postgresql":
                connection.check_constraints()
    except IntegrityError as error:
        words = _("Something that you chose was deleted just now. Load the page again, and choose anew.")
        raise Stale(None, words) from error


def create_once(*, token: uuid.UUID, actor: Person, now: datetime, **facts: Any) -> Opportunity:
    """Make a card as `create` does, or return the one that this form has made already.

    A double click or a page sent again makes one card: the token is the act that history keeps, and one person's
    forms wait for each other. Errors as `create`.
    """
    return _once(token, "created", actor, lambda: create(actor=actor, now=now, **facts))


def _once(token: uuid.UUID, kind: str, actor: Person, make: Callable[[], Opportunity]) -> Opportunity:
    """Return the card that this form has made already, or let it be made, under the lock of the person."""
    with transaction.atomic():
        made = made_by(token, kind=kind, actor=actor)
        if made is not None:
            return made
        with history.acting(act=token):
            return make()


def made_by(token: uuid.UUID, *, kind: str = "created", actor: Person) -> Opportunity | None:
    """Return the card that a form with this token has made already. The person is locked: their forms take turns."""
    get_user_model()._default_manager.select_for_update(no_key=True).get(pk=actor.pk)
    made = Event.objects.select_related("opportunity").filter(act=token, kind=kind, actor=actor).order_by("pk").first()
    return None if made is None else made.opportunity


def _stage_for_new(stage_id: int | None | _Keep) -> OpportunityStage | None:
    if isinstance(stage_id, _Keep):
        return OpportunityStage.objects.active().filter(is_default=True).first()
    return None if stage_id is None else OpportunityStage.objects.get(pk=stage_id)


def edit(
    *, opportunity_id: int, version: int | None = None, actor: Person | None, now: datetime, **fields: Any
) -> Opportunity:
    """Change facts of a card. `fields` are those of `create`; only what is named changes.

    A page that showed an older version is refused only where it would overwrite what was changed since.

    :raises Stale: a named field was changed since `version`.
    :raises Refused: the card is closed (CARD_TERMINAL), or its new stage refuses it.
    :raises NotAllowed: a salesperson gives the card to somebody else.
    :raises ValidationError: a field is out of its bounds.
    """
    unknown = set(fields) - EDITABLE
    if unknown:
        raise TypeError(f"edit() does not know {', '.join(sorted(unknown))}")

    def act() -> Opportunity:
        with _naming_rows_that_stay():
            return write()

    def write() -> Opportunity:
        if fields.get("stage_id") is not None:
            _locked_stage(fields["stage_id"])  # stages before cards, as in a move, or the two would wait for each other
        card = Opportunity.objects.for_change(opportunity_id)
        access.require(actor, "edit", card)
        _require_not_closed(card)
        before = history.snapshot(card)
        wanted = _cleaned(fields)
        touches = {name for name, value in wanted.items() if _differs(card, name, value)}
        _require_fresh(card, version, touches)
        kind = _change_salesperson(card, wanted, actor)
        also = _apply(card, wanted, now)
        standing.refresh(card, today=BusinessSettings.current().today(now))
        history.record(card, kind=kind, before=before, actor=actor, now=now, also=also)
        return card

    return rank.with_room(act)


def _cleaned(fields: dict[str, Any]) -> dict[str, Any]:
    cleaners: dict[str, Callable[[Any], Any]] = {
        "title": _clean_title,
        "amount": _clean_amount,
        "probability": _clean_probability,
    }
    return {name: cleaners[name](value) if name in cleaners else value for name, value in fields.items()}


def _differs(card: Opportunity, name: str, value: Any) -> bool:
    if name == "customer_ids":
        return [party[0] for party in _parties(card)] != list(value)
    if name == "contact_ids":
        return sorted(party[1] for party in _parties(card) if party[1]) != sorted(value)
    return bool(getattr(card, name) != value)


def _change_salesperson(card: Opportunity, wanted: dict[str, Any], actor: Person | None) -> str:
    """Let a salesperson take an unassigned card; anything else needs a manager. Returns the event's kind."""
    new = wanted.get("salesperson_id", card.salesperson_id)
    if new == card.salesperson_id:
        return "edited"
    if new is not None:
        access.require_takes_cards(new, "salesperson_id")
    if actor is not None and card.salesperson_id is None and new == actor.pk:
        access.require(actor, "take", card)
        return "taken" if set(wanted) == {"salesperson_id"} else "edited"
    access.require(actor, "reassign", card)
    return "edited"


def _apply(card: Opportunity, wanted: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Write the wanted facts on the locked card; returns what changed in its customers."""
    plain = {"title", "description", "type_id", "salesperson_id", "probability", "forecast_date", "amount_by_hand"}
    for name in plain & wanted.keys():
        setattr(card, name, wanted[name])
    if "amount" in wanted and wanted["amount"] != card.amount:
        card.amount = wanted["amount"]
        card.amount_by_hand = True
    also: dict[str, Any] = {}
    if {"customer_ids", "contact_ids"} & wanted.keys():
        old = _parties(card)
        customers = wanted.get("customer_ids", list(dict.fromkeys(customer for customer, _contact in old)))
        _require_customers_of_documents(card, customers)
        contacts = wanted.get("contact_ids", [contact for _customer, contact in old if contact])
        _set_parties(card, customers, contacts)
        new = _parties(card)
        if new != old:
            also["customers"] = [old, new]
    if also or "title" in wanted:
        faces.compose(card)
    if "stage_id" in wanted and wanted["stage_id"] != card.stage_id:
        _enter(card, _locked_stage(wanted["stage_id"]), now=now)
    return also


def _require_customers_of_documents(card: Opportunity, customer_ids: Sequence[int]) -> None:
    """Keep the customers on a card whose documents are attached to it (D9)."""
    held = {document.customer_id: document.number for document in attached.to_card(card)}
    gone = held.keys() - set(customer_ids)
    if not gone:
        return
    names = dict(Customer.objects.filter(pk__in=gone).values_list("pk", "name"))
    words = _("%(customer)s stays on %(card)s as long as %(document)s is attached to it. Detach that first.")
    raise Refused(
        [
            Blocker(
                "CUSTOMER_OF_DOCUMENT",
                words % {"customer": names[pk], "card": card.number, "document": held[pk]},
                subject=held[pk],
                url=f"{card.get_absolute_url()}#documents",
            )
            for pk in sorted(gone)
        ]
    )


def put_contact_on(*, opportunity_id: int, contact_id: int, actor: Person | None, now: datetime) -> Opportunity:
    """Put one more contact on a card, beside whoever is on it at that moment. Errors as `edit`."""
    with transaction.atomic():
        card = Opportunity.objects.for_change(opportunity_id)
        access.require(actor, "edit", card)
        contacts = [contact for _customer, contact in _parties(card) if contact]
        if contact_id in contacts:
            return card
        customers = list(dict.fromkeys(customer for customer, _contact in _parties(card)))
        contacts = [*contacts, contact_id]
        return edit(opportunity_id=opportunity_id, customer_ids=customers, contact_ids=contacts, actor=actor, now=now)


def move(
    *,
    opportunity_id: int,
    stage_id: int | None,
    after_id: int | None = None,
    before_id: int | None = None,
    version: int | None = None,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Put a card into a stage, right after or right before a neighbour; without a neighbour, at the bottom.

    Within its own stage and without a neighbour nothing changes. The workflow status never changes by a move (T21).

    :raises Stale: the card was moved since `version`; `fresh` is the card as it is.
    :raises Refused: CARD_TERMINAL, STAGE_RETIRED, ENTRY_*.
    :raises OpportunityStage.DoesNotExist: no such stage.
    """

    def act() -> Opportunity:
        stage = _locked_stage(stage_id)
        card = Opportunity.objects.for_change(opportunity_id)
        access.require(actor, "move", card)
        _require_not_closed(card)
        _require_fresh(card, version, {"stage_id", "rank"})
        before = history.snapshot(card)
        if after_id is not None or before_id is not None:
            card.rank = rank.between(card, stage_id=stage_id, after_id=after_id, before_id=before_id)
        if stage_id != card.stage_id:
            _enter(card, stage, now=now, keep_rank=after_id is not None or before_id is not None)
        history.record(card, kind="moved", before=before, actor=actor, now=now)
        return card

    return rank.with_room(act)


def _locked_stage(stage_id: int | None) -> OpportunityStage | None:
    if stage_id is None:
        return None
    return OpportunityStage.objects.select_for_update(no_key=True).get(pk=stage_id)


def _enter(card: Opportunity, stage: OpportunityStage | None, *, now: datetime, keep_rank: bool = False) -> None:
    card.stage = stage
    card.stage_entered_at = now
    if not keep_rank:
        card.rank = rank.bottom()
    _require_entry(card, stage)


def entry_blockers(card: Opportunity, stage: OpportunityStage) -> tuple[Blocker, ...]:
    """List why this stage would not take the card now; empty when it may enter. Reads no other table."""
    retired: tuple[Blocker, ...] = ()
    if not stage.active:
        words = _("“%(stage)s” is retired and takes no more cards.") % {"stage": stage.name}
        retired = (Blocker("STAGE_RETIRED", words, subject=stage.name),)
    lacking = entry.missing(
        stage,
        has_amount=card.amount is not None,
        has_forecast_date=card.forecast_date is not None,
        has_contact=bool(card.face.get("contacts")),
        has_next_action="next" in card.face,
        documents=card.face.get("has", ()),
    )
    return retired + lacking


def _require_entry(card: Opportunity, stage: OpportunityStage | None, *, is_new: bool = False) -> None:
    """Refuse the stage with everything that it asks for, each with the way to fill it in."""
    blockers = entry_blockers(card, stage) if stage is not None else ()
    if not blockers:
        return
    if is_new:
        raise Refused(blockers)
    documents_url = f"{card.get_absolute_url()}#documents"
    ways = {
        "ENTRY_NEXT_ACTION": reverse("opportunities:action", args=[card.pk]),
        "ENTRY_QUOTE_SUBMITTED": documents_url,
        "ENTRY_QUOTE_ACCEPTED": documents_url,
        "ENTRY_AGREEMENT_SUBMITTED": documents_url,
        "ENTRY_AGREEMENT_ACCEPTED": documents_url,
    }
    edit_url = reverse("opportunities:edit", args=[card.pk])
    raise Refused([replace(blocker, url=ways.get(blocker.code, edit_url)) for blocker in blockers])


def _require_not_closed(card: Opportunity) -> None:
    blocker = closed_blocker(card)
    if blocker is not None:
        raise Refused(blocker)


def closed_blocker(card: Opportunity) -> Blocker | None:
    """Say why nothing on a Void or Canceled card may change (G3.1); None for every other card.

    It names who closed it and when, where that was read along with the card, as every verb does (D32).
    """
    if not card.is_closed:
        return None
    words = _("%(number)s is %(status)s: nothing on it can be changed any more.")
    who = card.closed_by if "closed_by" in card._state.fields_cache else None
    if who is not None and card.decided_on is not None:
        words = _("%(number)s is %(status)s, by %(who)s on %(day)s: nothing on it can be changed any more.")
    said = words % {
        "number": card.number,
        "status": card.get_workflow_status_display(),
        "who": "" if who is None else history.label(who),
        "day": "" if card.decided_on is None else days.full(card.decided_on),
    }
    return Blocker("CARD_TERMINAL", said, subject=card.number, url=card.get_absolute_url())


def _require_fresh(card: Opportunity, version: int | None, touches: set[str]) -> None:
    if version is None or version >= card.version or not touches:
        return
    both = touches & {{"customers": "customer_ids"}.get(name, name) for name in history.touched_since(card, version)}
    if "contact_ids" in touches and "customers" in history.touched_since(card, version):
        both.add("contact_ids")
    if both:
        raise Stale(card, _("%(number)s was changed by someone else meanwhile.") % {"number": card.number})


def set_forecast_date(
    *,
    opportunity_id: int,
    forecast_date: date | None,
    version: int | None = None,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Promise another day, or none (T16, T17, D14). Errors as `edit`."""
    return edit(opportunity_id=opportunity_id, forecast_date=forecast_date, version=version, actor=actor, now=now)


@transaction.atomic
def postpone(
    *, opportunity_id: int, weeks: int = 0, months: int = 0, actor: Person | None, now: datetime
) -> Opportunity:
    """Move the promised day on by weeks or months, counted from today where it has passed (T16). Errors as `edit`.

    :raises Refused: NO_FORECAST_DATE: there is no day to move on.
    """
    card = Opportunity.objects.for_change(opportunity_id)
    access.require(actor, "edit", card)
    _require_not_closed(card)
    if card.forecast_date is None:
        words = _("%(number)s has no forecast date that could be moved on.") % {"number": card.number}
        raise Refused(Blocker("NO_FORECAST_DATE", words, subject=card.number, url=card.get_absolute_url()))
    start = max(card.forecast_date, BusinessSettings.current().today(now))
    return set_forecast_date(
        opportunity_id=opportunity_id, forecast_date=_later(start, weeks, months), actor=actor, now=now
    )


def _later(day: date, weeks: int, months: int) -> date:
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        length = calendar.monthrange(years, month + 1)[1]
        return date(years, month + 1, min(day.day, length)) + dt.timedelta(weeks=weeks)
    except (ValueError, OverflowError):
        raise ValidationError({"forecast_date": _("This date is too far away.")}) from None


def set_status(
    *, opportunity_id: int, status_id: int, reason_id: int | None = None, actor: Person | None, now: datetime
) -> Opportunity:
    """Choose a row of the status table by hand (D41). Lost asks for a reason of the cancel list, Closed may have one.

    :raises Refused: CARD_TERMINAL, STATUS_BY_EVIDENCE, STATUS_RETIRED, REASON_WRONG_LIST.
    :raises ValidationError: Lost without a reason.
    :raises NotAllowed: the card is somebody else's.
    :raises Stale: the row or the reason was deleted at that moment.
    """
    with _naming_rows_that_stay():
        return _set_status(opportunity_id, status_id, reason_id, actor, now)


def _set_status(
    opportunity_id: int, status_id: int, reason_id: int | None, actor: Person | None, now: datetime
) -> Opportunity:
    card = Opportunity.objects.for_change(opportunity_id)
    access.require(actor, "set_status", card)
    _require_not_closed(card)
    row = OpportunityStatus.objects.get(pk=status_id)
    business = BusinessSettings.current()
    today = business.today(now)
    documents = attached.to_card(card)
    facts = documents.facts(card, business=business, today=today)
    found = outcome.evidence(facts)
    _require_choosable(card, row, found, explain.sales_reason(facts).text)
    reason = _lost_reason(row, reason_id)
    before = history.snapshot(card)
    by_hand = found.status is None
    if by_hand and row.pk != card.status_id:
        card.decided_on = None
    if by_hand:
        card.hand_status = None if row.is_default else row
    rule = (SalesRule.P9 if row.is_default else SalesRule.MANUAL) if by_hand else found.rule
    standing.put_in_force(card, row, rule=rule, today=today, on=found.decided_on)
    if by_hand:
        card.hand_decided_on = card.decided_on
    if row.closed:
        card.decided_by = actor
        card.decided_reason = reason
        card.decided_reason_label = reason.label if reason else ""
    standing.refresh(card, today=today, business=business, documents=documents)
    history.record(card, kind="status_chosen", before=before, actor=actor, now=now)
    return card


def status_blocker(
    card: Opportunity, row: OpportunityStatus, found: outcome.Evidence, *, why: str = ""
) -> Blocker | None:
    """Say why a person may not choose this row now; None where they may. `why` explains what the evidence is (D41)."""
    if row.retired and row.pk != card.status_id:
        words = _("“%(status)s” is retired: choose another status.") % {"status": row.name}
        return Blocker("STATUS_RETIRED", words, subject=row.name)
    if found.status is not None and row.outcome != found.status:
        words = _("%(number)s is %(outcome)s by what is attached to it: no other outcome can be chosen.")
        if why:
            words = _("%(why)s No other outcome can be chosen for %(number)s.")
        words %= {"number": card.number, "outcome": card.get_sales_status_display(), "why": why}
        return Blocker("STATUS_BY_EVIDENCE", words, subject=card.number, url=card.get_absolute_url())
    return None


def _require_choosable(card: Opportunity, row: OpportunityStatus, found: outcome.Evidence, why: str) -> None:
    blocker = status_blocker(card, row, found, why=why)
    if blocker is not None:
        raise Refused(blocker)


def _lost_reason(row: OpportunityStatus, reason_id: int | None) -> Reason | None:
    if reason_id is None:
        if row.lost:
            raise ValidationError({"reason": _("Say why the deal was lost.")})
        return None
    reason = Reason.objects.filter(pk=reason_id).first()
    if not row.closed or reason is None or reason.list != Reason.List.CANCEL or not reason.active:
        raise Refused(Blocker("REASON_WRONG_LIST", _("Choose one of the reasons that are offered.")))
    return reason


def duplicate(
    *, opportunity_id: int, token: uuid.UUID | None = None, actor: Person | None, now: datetime
) -> Opportunity:
    """Make a fresh card with the title, customers, contacts, salesperson, type and amount of another (D38).

    It starts in the default stage, open and undated; documents, notes and history stay with the old card. Where its
    salesperson has left, it is the actor's. With a token, one form makes one copy, as in `create_once`.
    """
    if token is not None and actor is not None:
        return _once(token, "duplicated", actor, lambda: duplicate(opportunity_id=opportunity_id, actor=actor, now=now))
    with _naming_rows_that_stay():
        original = Opportunity.objects.for_change(opportunity_id)
        access.require(actor, "duplicate", original)
        parties = _parties(original)
        stage = OpportunityStage.objects.active().filter(is_default=True).first()
        salesperson_id = original.salesperson_id
        if salesperson_id is not None and not access.may_take_cards().filter(pk=salesperson_id).exists():
            salesperson_id = actor.pk if actor is not None else None
        card = Opportunity(
            title=original.title,
            description=original.description,
            type_id=original.type_id,
            salesperson_id=salesperson_id,
            amount=original.amount,
            probability=original.probability,
            stage_entered_at=now,
            rank=rank.bottom(),
            status=OpportunityStatus.objects.default(),
            created_at=now,
            created_by=actor,
        )
        card.save(force_insert=True)
        _set_parties(
            card,
            list(dict.fromkeys(customer for customer, _contact in parties)),
            [contact for _customer, contact in parties if contact],
        )
        faces.compose(card)
        card.stage = stage if stage is not None and not entry_blockers(card, stage) else None
        card.save(update_fields=["face", "search_key", "stage"])
        with history.one_act():
            came_from = {"from": [None, original.number]}
            history.write(card, kind="duplicated", changes=came_from, before={}, actor=actor, now=now)
            # The old card only remembers it: nothing on it changes (AC143).
            unchanged, went_to = history.snapshot(original), {"to": [None, card.number]}
            history.write(original, kind="copied", changes=went_to, before=unchanged, actor=actor, now=now)
    return card


def undo(*, event_id: int, actor: Person | None, now: datetime) -> Opportunity:
    """Take one change of a card back, as a new act (D43). The stage asks nothing of a card on its way back.

    Only who made the change or a manager, and only within 24 hours.

    :raises Refused: NEWER_CHANGE where a field that it would restore was changed since, TOO_LATE, WRONG_STATE.
    :raises Stale: what the card would get back was deleted at that moment.
    """
    with _naming_rows_that_stay():
        event = Event.objects.get(pk=event_id, opportunity__isnull=False)
        card = Opportunity.objects.for_change(event.opportunity_id or 0)
        access.require(actor, _RIGHT_TO_UNDO.get(event.kind, "view"), card)
        if actor is not None and event.actor_id != actor.pk:
            access.require(actor, "undo_others", card)
        _require_undoable(card, event, now)
        before = history.snapshot(card)
        was_archived = card.is_archived
        also = _restore(card, event.changes)
        if was_archived and not card.is_archived:
            card.archive_clock_from = BusinessSettings.current().today(now)
        standing.refresh(card, today=BusinessSettings.current().today(now))
        history.record(card, kind="undone", before=before, actor=actor, now=now, also=also)
    return card


def _require_undoable(card: Opportunity, event: Event, now: datetime) -> None:
    if not event.changes or not set(event.changes) <= _OF_THE_ARCHIVE:
        _require_not_closed(card)
    if event.kind not in UNDOABLE:
        raise Refused(Blocker("WRONG_STATE", _("This cannot be undone."), subject=card.number))
    if now - event.at > UNDO_WITHIN:
        raise Refused(Blocker("TOO_LATE", _("Only what was done within a day can be undone."), subject=card.number))
    newer = history.touched_since(card, event.version) & set(event.changes)
    if newer:
        words = _("%(number)s was changed again since, so the earlier change cannot be undone.")
        raise Refused(
            Blocker(
                "NEWER_CHANGE",
                words % {"number": card.number},
                subject=card.number,
                url=card.get_absolute_url(),
            )
        )
    if any(_is_gone(name, change[0]) for name, change in event.changes.items()) or _parties_gone(event):
        words = _("What %(number)s would get back was deleted since.") % {"number": card.number}
        raise Refused(Blocker("NEWER_CHANGE", words, subject=card.number, url=card.get_absolute_url()))


def _is_gone(name: str, old: Any) -> bool:
    """Tell whether an event would bring back a row of another table that was deleted since, such as a stage."""
    if old is None or not name.endswith("_id"):
        return False
    rows: Any = Opportunity._meta.get_field(name.removesuffix("_id")).related_model
    return not rows._default_manager.filter(pk=old).exists()


def _parties_gone(event: Event) -> bool:
    """Tell whether an event would bring back a customer or contact that was deleted since."""
    pairs = event.changes.get("customers", ([],))[0]
    customers, contacts = {pair[0] for pair in pairs}, {pair[1] for pair in pairs if pair[1]}
    return Customer.objects.filter(pk__in=customers).count() != len(customers) or Contact.objects.filter(
        pk__in=contacts
    ).count() != len(contacts)


def _restore(card: Opportunity, changes: dict[str, Any]) -> dict[str, Any]:
    also: dict[str, Any] = {}
    for name, (old, _new) in changes.items():
        if name == "customers":
            present = _parties(card)
            _require_customers_of_documents(card, [pair[0] for pair in old])
            _set_parties(card, [pair[0] for pair in old], [pair[1] for pair in old if pair[1]])
            also["customers"] = [present, _parties(card)]
        elif name not in {"workflow_status"}:
            field = Opportunity._meta.get_field(name.removesuffix("_id"))
            setattr(card, name, None if old is None else field.to_python(old))  # type: ignore[union-attr]
    if also or "title" in changes:
        faces.compose(card)
    return also


def _parties(card: Opportunity) -> list[list[int]]:
    """The card's customers, each with its contact; 0 stands for none."""
    rows = OpportunityCustomer.objects.filter(opportunity=card).order_by("position", "pk")
    return [[customer, contact or 0] for customer, contact in rows.values_list("customer_id", "contact_id")]


def _set_parties(card: Opportunity, customer_ids: Sequence[int], contact_ids: Sequence[int]) -> None:
    """Write the card's customers in their order, each with its chosen contacts; a contact brings its customer."""
    contacts = list(Contact.objects.filter(pk__in=contact_ids).order_by("pk"))
    if len(contacts) != len(set(contact_ids)):
        raise ValidationError({"contact_ids": _("One of the contacts does not exist any more.")})
    wanted = list(dict.fromkeys([*customer_ids, *(contact.customer_id for contact in contacts)]))
    if Customer.objects.filter(pk__in=wanted).count() != len(wanted):
        raise ValidationError({"customer_ids": _("One of the customers does not exist any more.")})
    OpportunityCustomer.objects.filter(opportunity=card).delete()
    rows: list[tuple[int, int | None]] = []
    for customer_id in wanted:
        own = [contact.pk for contact in contacts if contact.customer_id == customer_id]
        rows += [(customer_id, contact_id) for contact_id in own] or [(customer_id, None)]
    OpportunityCustomer.objects.bulk_create(
        OpportunityCustomer(opportunity=card, customer_id=customer, contact_id=contact, position=position)
        for position, (customer, contact) in enumerate(rows)
    )


def _clean_title(title: str) -> str:
    text = " ".join(str(title).replace("\x00", "").split())
    if not text:
        raise ValidationError({"title": _("Give the opportunity a title.")})
    if len(text) > 200:
        raise ValidationError({"title": _("The title is too long: 200 characters at most.")})
    return text


def _clean_amount(amount: Decimal | None) -> Decimal | None:
    if amount is None:
        return None
    value = Decimal(amount)
    if not value.is_finite() or value < 0:
        raise ValidationError({"amount": _("The amount cannot be negative.")})
    if value >= Decimal(10) ** 12:
        raise ValidationError({"amount": _("The amount is too large.")})
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _clean_probability(probability: int | None) -> int | None:
    if probability is not None and not 0 <= probability <= 100:
        raise ValidationError({"probability": _("The probability lies between 0 and 100 percent.")})
    return probability
