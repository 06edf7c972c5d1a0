"""What is done to the lines, payments and refunds of a job: what each asks, calls, and makes of the card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access, foresight, jobs, offers
from opportunities.access import Person
from opportunities.documents import Desk
from opportunities.errors import Blocker
from opportunities.job_forms import QuantityForm, RefundForm, ReturnForm, SettleForm, SubjectForm
from opportunities.models import Job, JobLine, Payment, PaymentState, Refund, RefundState
from opportunities.money import format_money

type Subject = JobLine | Payment | Refund
type Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JobAct:
    """One act: whose it is, the right and guard behind it, its form, its call, and what is said."""

    model: type[Subject]
    guard: str
    right: str
    name: Any
    said: Any
    form: type[SubjectForm]
    run: Callable[[Any, Given, Person, datetime], Any]
    grave: bool = False
    choices: tuple[tuple[str, Any], ...] = ()


def _fulfil(line: JobLine, given: Given, actor: Person, now: datetime) -> Job:
    return jobs.fulfil(line_id=line.pk, quantity=given["quantity"], actor=actor, now=now)


def _return(line: JobLine, given: Given, actor: Person, now: datetime) -> Job:
    return jobs.return_items(line_id=line.pk, quantity=given["quantity"], actor=actor, now=now)


def _settle(payment: Payment, given: Given, actor: Person, now: datetime) -> Payment:
    return jobs.settle_payment(payment_id=payment.pk, succeeded=given["outcome"] == "came", actor=actor, now=now)


def _void(payment: Payment, _given: Given, actor: Person, now: datetime) -> Payment:
    return jobs.void_payment(payment_id=payment.pk, actor=actor, now=now)


def _refund(payment: Payment, given: Given, actor: Person, now: datetime) -> Refund:
    facts = {name: given[name] for name in ("amount", "settled", "note")}
    return jobs.refund(payment_id=payment.pk, **facts, actor=actor, now=now)


def _settle_refund(refund: Refund, given: Given, actor: Person, now: datetime) -> Refund:
    return jobs.settle_refund(refund_id=refund.pk, succeeded=given["outcome"] == "came", actor=actor, now=now)


ACTS: dict[str, JobAct] = {
    "fulfil": JobAct(
        JobLine,
        "fulfil",
        "job",
        gettext_lazy("Fulfil"),
        gettext_lazy("Noted what was fulfilled on %(number)s."),
        QuantityForm,
        _fulfil,
    ),
    "return": JobAct(
        JobLine,
        "return_items",
        "job",
        gettext_lazy("Return"),
        gettext_lazy("Noted what came back on %(number)s."),
        ReturnForm,
        _return,
    ),
    "settle": JobAct(
        Payment,
        "take_payment",
        "payment",
        gettext_lazy("Settle the payment"),
        gettext_lazy("The payment for %(number)s is settled."),
        SettleForm,
        _settle,
        choices=(("came", gettext_lazy("The money came")), ("failed", gettext_lazy("It failed"))),
    ),
    "void": JobAct(
        Payment,
        "take_payment",
        "payment",
        gettext_lazy("Entered by mistake"),
        gettext_lazy("The payment for %(number)s was taken back as entered by mistake."),
        SubjectForm,
        _void,
        grave=True,
    ),
    "refund": JobAct(
        Payment,
        "refund",
        "refund",
        gettext_lazy("Refund"),
        gettext_lazy("The refund for %(number)s is noted."),
        RefundForm,
        _refund,
        grave=True,
    ),
    "settle-refund": JobAct(
        Refund,
        "refund",
        "refund",
        gettext_lazy("Settle the refund"),
        gettext_lazy("The refund for %(number)s is settled."),
        SettleForm,
        _settle_refund,
        choices=(("came", gettext_lazy("It arrived")), ("failed", gettext_lazy("It failed"))),
    ),
}
"""By the name that the addresses give them."""


ROUTES = {
    "fulfil": "line-fulfil",
    "return": "line-return",
    "settle": "payment-settle",
    "void": "payment-void",
    "refund": "payment-refund",
    "settle-refund": "refund-settle",
}
"""The route of each."""


def job_of(subject: Subject) -> int:
    """Tell which job a line, payment or refund belongs to."""
    return int(subject.payment.job_id if isinstance(subject, Refund) else subject.job_id)


def refusals(verb: str, subject: Subject, job: Job, desk: Desk, reader: Person) -> tuple[Blocker, ...]:
    """List what stands against an act now: the rules of the job, the state of its subject, the rights."""
    act = ACTS[verb]
    found = jobs.blockers(act.guard, job, desk)
    why = _state_refusal(verb, subject)
    if why and not found:
        found.append(Blocker("WRONG_STATE", why, subject=job.number, url=job.get_absolute_url()))
    if not access.may_with_document(reader, act.right, job):
        found.append(Blocker("NOT_ALLOWED", access.who_may(act.right, job.opportunity), subject=job.number))
    return tuple(found)


def _state_refusal(verb: str, subject: Subject) -> str:
    if isinstance(subject, JobLine):
        words = {
            "fulfil": _("“%(line)s” is fulfilled in full.") if subject.is_fulfilled else "",
            "return": "" if subject.fulfilled_quantity else _("Nothing of “%(line)s” is fulfilled."),
        }
        return words[verb] % {"line": subject.description}
    label = str(subject.get_state_display())
    if verb in {"settle", "settle-refund"}:
        pending = str(subject.state) in {PaymentState.PENDING, RefundState.PENDING}
        return "" if pending else _("This is settled already: %(state)s.") % {"state": label}
    if str(subject.state) != PaymentState.SUCCEEDED:
        return _("Only a received payment can be taken or given back; this one is: %(state)s.") % {"state": label}
    assert isinstance(subject, Payment)  # noqa: S101 - the other acts are on payments
    if verb == "void" and any(str(each.state) != RefundState.FAILED for each in subject.refunds.all()):
        return _("Some of this payment was given back, so it was no mistake.")
    if verb == "refund" and jobs.refundable(subject) <= 0:
        return _("All of this payment is given back, or on its way back.")
    return ""


def foretold(verb: str, subject: Subject, job: Job, desk: Desk, *, amount: Decimal | None = None) -> tuple[str, str]:
    """Say what an act makes of the card, for its button and as a sentence; empty where nothing changes.

    Without another `amount` it is judged for all of the money that it may move.
    """
    card = job.opportunity
    if card is None or verb == "fulfil":
        return "", ""
    before = desk.facts_of(card.pk)
    given = {} if isinstance(subject, JobLine) else {"amount": _amount_of(verb, subject) if amount is None else amount}
    named = {"return": "return_items", "settle": "take_payment", "void": "void_payment", "settle-refund": "refund"}
    following = foresight.after(named.get(verb, verb), job, before, **given)
    return offers.told(card, before, following)


def _amount_of(verb: str, subject: Payment | Refund) -> Decimal:
    """The amount that an act moves; a refund is foretold for all that is left."""
    if verb == "refund" and isinstance(subject, Payment):
        return jobs.refundable(subject)
    return subject.amount


def notes(verb: str, subject: Subject, job: Job, desk: Desk) -> list[str]:
    """Say what else to know before doing it: what a full refund loses, and the other ways."""
    if verb == "void":
        return [_("It counts as if it had never been taken. Money that did come and goes back is a refund.")]
    if verb == "fulfil" and isinstance(subject, JobLine) and subject.counts:
        return [_("While goods are fulfilled, the job and its card cannot be voided or canceled.")]
    if verb != "refund" or not isinstance(subject, Payment):
        return []
    left = format_money(jobs.refundable(subject), desk.business.currency)
    said = [_("%(left)s of this payment can be given back.") % {"left": left}]
    short, _sentence = foretold(verb, subject, job, desk)
    if short:
        said.append(
            _(
                "Other ways: give back a part, and the deal stays as it is; cancel the job afterwards, with a reason, "
                "if the customer does not want the work; take a new payment, and it is won again."
            )
        )
    return said
