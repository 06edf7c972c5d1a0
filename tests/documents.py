"""Documents for the acceptance tests, made by the verbs as people make them, and words for what those tests ask."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from opportunities import agreements, jobs, quotes, sweep
from opportunities.errors import Refused
from opportunities.models import (
    Agreement,
    BusinessSettings,
    Customer,
    Event,
    Job,
    Opportunity,
    OpportunityStatus,
    Payment,
    Quote,
    Recipient,
    Refund,
)
from tests.factories import NOW, CustomerFactory, ReasonFactory, make_card, starter_rows

LABOUR = {"kind": "service", "description": "Installation", "quantity": 4, "unit_price": Decimal("80.00")}
MORE_LABOUR = {**LABOUR, "quantity": 6}
PIPES = {"kind": "material", "description": "Copper pipe", "quantity": 10, "unit_price": Decimal("12.50")}
BOILER = {"kind": "product", "description": "Boiler", "quantity": 1, "unit_price": Decimal("2400.00")}

ADA = {"name": "Ada Lowell", "email": "ada@example.test", "role": "signer"}
BEN = {"name": "Ben Ortiz", "email": "ben@example.test", "role": "signer"}
CAL = {"name": "Cal Weber", "email": "cal@example.test", "role": "signer"}
READER = {"name": "Rita Reader", "email": "rita@example.test", "role": "copy"}


# Days and moments


def day(offset: int) -> date:
    """Return a date, counted from the day of the scenarios."""
    return NOW.date() + timedelta(days=offset)


def at(offset: int) -> datetime:
    """Return nine in the morning of that day."""
    return NOW + timedelta(days=offset)


YESTERDAY, TODAY, TOMORROW = day(-1), day(0), day(1)


# Acts


def act(verb: Callable[..., Any], *subjects: Any, actor: User | None = None, now: datetime = NOW, **given: Any) -> Any:
    """Let the system do this at NOW, unless the test names a person or another moment. A row stands for its id."""
    names = [type(subject).__name__.lower() for subject in subjects]
    ids = {f"{'line' if name == 'jobline' else name}_id": row.pk for name, row in zip(names, subjects, strict=True)}
    return verb(**ids, **given, actor=actor, now=now)


@contextmanager
def refused(*codes: str) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """Expect that the rules refuse, for exactly these reasons; without one, for whichever (the rules name no code)."""
    with pytest.raises(Refused) as refusal:
        yield refusal
    assert not codes or refusal.value.codes == codes


def void_reason() -> int:
    """Return a reason of the void list."""
    return int(ReasonFactory.create(void=True).pk)


def cancel_reason() -> int:
    """Return a reason of the cancel list."""
    return int(ReasonFactory.create().pk)


# What is


def fresh(row: Any) -> Any:
    """Return the row as the database has it now."""
    return type(row)._default_manager.get(pk=row.pk)


def statuses(card: Opportunity) -> tuple[str, str]:
    """Return the card's workflow status and its sales status."""
    card = fresh(card)
    return str(card.workflow_status), str(card.sales_status)


def rule(card: Opportunity) -> str:
    """Return the rule that gave the card its sales status."""
    return str(fresh(card).sales_rule)


def state(document: Quote | Job | Agreement | Recipient | Payment | Refund) -> str:
    """Return the state of a document, recipient, payment or refund."""
    return str(fresh(document).state)


def shown(agreement: Agreement) -> str:
    """Return the status that an agreement shows."""
    return str(fresh(agreement).status)


def card_of(document: Quote | Job | Agreement) -> int | None:
    """Return the id of the card that a document is attached to."""
    return fresh(document).opportunity_id


def history_of(card: Opportunity) -> list[tuple[str, str, str]]:
    """Return what history says: kind, workflow status before and after."""
    rows = Event.objects.filter(opportunity=card).order_by("pk")
    return list(rows.values_list("kind", "workflow_from", "workflow_to"))


# Cards


def business(**settings: Any) -> None:
    """Make the business, or give it these settings."""
    if not OpportunityStatus.objects.filter(is_default=True).exists():
        starter_rows()
    BusinessSettings.objects.filter(pk=1).update(**settings)


def deal(*, now: datetime = NOW, actor: User | None = None, **fields: Any) -> Opportunity:
    """Make a card for one customer."""
    if "customer_ids" not in fields:
        fields["customer_ids"] = [CustomerFactory.create().pk]
    return make_card(now=now, actor=actor, **fields)


def customer_of(card: Opportunity) -> Customer:
    """Return the card's customer."""
    return card.customers.get()


def another_deal_with(card: Opportunity, **fields: Any) -> Opportunity:
    """Make a second card for the same customer."""
    return deal(customer_ids=[customer_of(card).pk], **fields)


# Documents. They are for the card's customer; `attached=False` leaves them on no card.

type Path = Sequence[tuple[Callable[..., Any], dict[str, Any]]]

QUOTE_PATHS: dict[str, Path] = {
    "incomplete": [],
    "draft": [],
    "submitted": [(quotes.submit, {})],
    "modified": [(quotes.submit, {}), (quotes.revise, {"lines": [MORE_LABOUR]})],
    "accepted": [(quotes.submit, {}), (quotes.accept, {})],
    "converted": [(quotes.submit, {}), (quotes.convert, {})],
    "void": [(quotes.void, {"reason_id": void_reason})],
    "canceled": [(quotes.cancel, {"reason_id": cancel_reason})],
    "archived": [(quotes.archive, {})],
}

JOB_PATHS: dict[str, Path] = {
    "submitted": [],
    "accepted": [],
    "modified": [(jobs.revise, {"lines": [MORE_LABOUR]})],
    "completed": [(jobs.complete, {})],
    "void": [(jobs.void, {"reason_id": void_reason})],
    "canceled": [(jobs.cancel, {"reason_id": cancel_reason})],
}


def _walk(document: Any, path: Path, now: datetime) -> Any:
    for verb, given in path:
        act(verb, document, now=now, **{name: value() if callable(value) else value for name, value in given.items()})
    return fresh(document)


def make_quote(
    card: Opportunity, to: str = "draft", *, attached: bool = True, now: datetime = NOW, **facts: Any
) -> Quote:
    """Make a quote and bring it to a state."""
    facts.setdefault("lines", () if to == "incomplete" else [LABOUR])
    on = card.pk if attached else None
    quote = act(quotes.create, customer_of(card), opportunity_id=on, now=now, **facts)
    return _walk(quote, QUOTE_PATHS[to], now)


def make_job(
    card: Opportunity, to: str = "accepted", *, attached: bool = True, now: datetime = NOW, **facts: Any
) -> Job:
    """Make a job without a quote and bring it to a state; it is labour only, unless lines are given."""
    facts.setdefault("lines", [LABOUR])
    on = card.pk if attached else None
    job = act(jobs.create, customer_of(card), opportunity_id=on, confirmed=to != "submitted", now=now, **facts)
    return _walk(job, JOB_PATHS[to], now)


def job_of(quote: Quote) -> Job:
    """Return the job that a quote was converted to."""
    return Job.objects.get(quote=quote)


def line_of(document: Quote | Job, description: str = "") -> Any:
    """Return the line of this description, or the only line."""
    return document.lines.get(description=description) if description else document.lines.get()


def finish(job: Job, *, now: datetime = NOW) -> Job:
    """Fulfil what is to be delivered, and complete the job."""
    for line in job.lines.exclude(kind="service").order_by("pk"):
        if line.fulfilled_quantity < line.quantity:
            act(jobs.fulfil, line, quantity=line.quantity - line.fulfilled_quantity, now=now)
    return act(jobs.complete, job, now=now)


def pay(job: Job, amount: str, *, now: datetime = NOW) -> Payment:
    """Take a payment that succeeds at once."""
    return act(jobs.take_payment, job, amount=Decimal(amount), now=now)


def pay_back(payment: Payment, amount: str, *, now: datetime = NOW) -> Refund:
    """Return money at once."""
    return act(jobs.refund, payment, amount=Decimal(amount), now=now)


def make_agreement(
    card: Opportunity,
    to: str = "draft",
    *,
    recipients: Sequence[dict[str, str]] = (ADA,),
    attached: bool = True,
    now: datetime = NOW,
    **facts: Any,
) -> Agreement:
    """Make an agreement and bring it to a status. To expire, it is valid on this one day, and the next day is swept."""
    facts = {"kind": "agreement", "text": "" if to == "incomplete" else "We install a boiler.", **facts}
    if to == "expired":
        facts["valid_until"] = now.date()
    on = card.pk if attached else None
    made = act(agreements.create, customer_of(card), opportunity_id=on, recipients=recipients, now=now, **facts)
    if to == "void":
        act(agreements.void, made, reason_id=void_reason(), now=now)
    elif to not in ("incomplete", "draft"):
        act(agreements.submit, made, now=now)
        _answer(made, to, now)
    return fresh(made)


def _answer(agreement: Agreement, to: str, now: datetime) -> None:
    if to == "accepted":
        for signer in signers(agreement):
            sign(signer, now=now)
    elif to == "rejected":
        reject(signers(agreement)[0], now=now)
    elif to == "canceled":
        act(agreements.withdraw, agreement, now=now)
    elif to == "expired":
        sweep.run(now + timedelta(days=1))


def signers(agreement: Agreement) -> list[Recipient]:
    """Return who must sign, in their order."""
    return list(agreement.recipients.filter(role="signer").order_by("pk"))


def sign(recipient: Recipient, *, now: datetime = NOW) -> Agreement:
    """Let a signer accept."""
    return act(agreements.respond, recipient, accepted=True, name=recipient.name, now=now)


def reject(recipient: Recipient, *, now: datetime = NOW) -> Agreement:
    """Let a signer reject."""
    return act(agreements.respond, recipient, accepted=False, name=recipient.name, now=now)
