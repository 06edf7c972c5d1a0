"""The verbs of a job: made, confirmed, revised, fulfilled, paid, completed, reopened, ended (lifecycle.md 5.2 to 5.4).

All are one transaction under the locks of the card. Errors that every verb here raises:
`Job.DoesNotExist` (no such job, or not visible to the actor), `NotAllowed`, and `Refused` with CARD_TERMINAL where the
card is Void or Canceled, WRONG_STATE where the job's own state does not allow it. Money is in the business's currency.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django_fsm import can_proceed

from opportunities import access, documents
from opportunities.access import Person
from opportunities.documents import KEEP, Desk, _Keep, plain, refuse_if
from opportunities.errors import Blocker
from opportunities.models import Job, JobLine, Payment, PaymentState, Quote, Reason, Refund, RefundState
from opportunities.money import format_money
from opportunities.states import JobState

type Lines = Sequence[Mapping[str, Any] | documents.LineDraft]

FULL = "full"
USED = "used"


@transaction.atomic
def create(
    *,
    customer_id: int,
    opportunity_id: int | None = None,
    lines: Lines = (),
    service_date: date | None = None,
    confirmed: bool = True,
    title: str = "",
    discount_percent: Decimal | int = 0,
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> Job:
    """Make a job without a quote, on a card or on none (T8); not `confirmed`, it awaits the customer.

    :raises Refused: WRONG_CUSTOMER, CARD_TERMINAL.
    :raises ValidationError: a line or the discount is out of its bounds; the customer is gone.
    """
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
    card = desk.card(opportunity_id)
    access.require(actor, "job", card)
    job = Job(service_date=service_date, discount_percent=documents.clean_discount(discount_percent))
    documents.begin(job, customer_id=customer_id, card=card, title=title, desk=desk)
    refuse_if(*documents.attach_blockers(job, card))
    desk.put_on(job, card)
    if reopen:
        desk.reopen(card)
    job.save(force_insert=True)
    documents.write_lines(job, documents.drafts(lines))
    if confirmed:
        _confirm(job, now)
    job.compose_search_key()
    job.save()
    desk.close("job_created", job, {})
    return job


def of_quote(quote: Quote, *, desk: Desk) -> Job:
    """Begin the job that a quote becomes; it starts accepted. Saving is `quotes.convert`'s."""
    job = Job(
        quote=quote,
        customer=quote.customer,
        title=quote.title,
        service_date=quote.service_date,
        discount_percent=quote.discount_percent,
        created_at=desk.now,
        created_by=desk.actor,
    )
    _confirm(job, desk.now)
    return job


def _confirm(job: Job, now: datetime) -> None:
    job.confirm()
    job.confirmed_at = now


@transaction.atomic
def confirm(*, job_id: int, actor: Person | None, now: datetime) -> Job:
    """Note that the customer confirmed the job."""
    desk, job = _open(job_id, actor, now)
    refuse_if(*blockers("confirm", job, desk))
    _confirm(job, now)
    documents.save(job, "state", "confirmed_at")
    desk.close("job_confirmed", job, {"state": ["submitted", "accepted"]})
    return job


@transaction.atomic
def revise(
    *,
    job_id: int,
    lines: Lines | _Keep = KEEP,
    service_date: date | None | _Keep = KEEP,
    title: str | _Keep = KEEP,
    discount_percent: Decimal | int | _Keep = KEEP,
    version: int | None = None,
    actor: Person | None,
    now: datetime,
) -> Job:
    """Change a job: a confirmed one becomes Modified, a Completed one is open again, its card Contracted (T10, W5.2).

    :raises Refused: OVER_FULFILLED.
    :raises Stale: somebody changed it since `version`.
    :raises ValidationError: a value is out of its bounds.
    """
    desk, job = _open(job_id, actor, now)
    refuse_if(*blockers("revise", job, desk))
    documents.require_version(job, version)
    names = ("title", "service_date", "discount_percent", "net", "total")
    before = {name: getattr(job, name) for name in names}
    priced = not isinstance(lines, _Keep) and documents.write_lines(job, documents.drafts(lines))
    if not isinstance(discount_percent, _Keep):
        job.discount_percent = documents.clean_discount(discount_percent)
        if job.discount_percent != before["discount_percent"]:
            documents.reprice(job)
    documents.set_plain(job, service_date=service_date, title=title)
    changes = documents.compared(before, {name: getattr(job, name) for name in names})
    if not (priced or changes):
        return job
    if set(changes) != {"title"}:
        changes.update(_modify(job))
    job.compose_search_key()
    job.version += 1
    job.save()
    desk.close("job_revised", job, changes)
    return job


def _modify(job: Job) -> dict[str, Any]:
    """Take the step that a change brings; tells it for history.

    A job that the customer has not confirmed yet stays submitted: nothing was confirmed that could be changed (5.2).
    """
    old = str(job.state)
    if old == JobState.SUBMITTED:
        return {}
    job.modify()
    return {} if old == str(job.state) else {"state": [old, str(job.state)]}


@transaction.atomic
def complete(*, job_id: int, settle: Mapping[int, str] | str | None = None, actor: Person | None, now: datetime) -> Job:
    """Note that the whole job is done (T9, W5.1). Products and materials must be fulfilled in full.

    `settle` says for each line that is not, by its id, what it was: "full" (all of it was used) or "used" (the
    quantity becomes what was used); one of the words alone holds for all such lines.

    :raises Refused: NOT_FULFILLED: names every such line that `settle` says nothing of.
    """
    desk, job = _open(job_id, actor, now)
    refuse_if(*blockers("complete", job, desk))
    settled = _settle(job, settle)
    refuse_if(*_unfulfilled(job))
    changes: dict[str, Any] = {"state": [str(job.state), "completed"]}
    if settled:
        changes["settled"] = [None, settled]
    job.complete()
    job.completed_at = now
    documents.save(job, "state", "completed_at", "net", "tax", "total")
    desk.close("job_completed", job, changes)
    return job


def unfulfilled(job: Job) -> list[JobLine]:
    """The products and materials of which something is left to fulfil."""
    return [line for line in job.lines.all() if line.counts and not line.is_fulfilled]


def _unfulfilled(job: Job) -> list[Blocker]:
    words = _("%(number)s: %(done)s of %(all)s “%(line)s” are fulfilled.")
    return [
        Blocker(
            "NOT_FULFILLED",
            words
            % {
                "number": job.number,
                "done": plain(line.fulfilled_quantity),
                "all": plain(line.quantity),
                "line": line.description,
            },
            subject=job.number,
            url=job.get_absolute_url(),
        )
        for line in unfulfilled(job)
    ]


def _settle(job: Job, settle: Mapping[int, str] | str | None) -> list[str]:
    """Bring lines in line with what was really used; tells each in words for history."""
    if not settle:
        return []
    said = []
    for line in unfulfilled(job):
        how = settle if isinstance(settle, str) else settle.get(line.pk)
        if how is None:
            continue
        if how not in {FULL, USED}:
            raise ValidationError({"settle": _("Say of “%(line)s” what was used.") % {"line": line.description}})
        if how == FULL:
            line.fulfilled_quantity = line.quantity
            said.append(_("“%(line)s” fulfilled in full") % {"line": line.description})
        else:
            line.quantity = line.fulfilled_quantity
            line.price(job.discount_percent)
            said.append(
                _("“%(line)s” set to %(used)s") % {"line": line.description, "used": plain(line.fulfilled_quantity)}
            )
        line.save(update_fields=["fulfilled_quantity", "quantity", "net", "tax"])
    documents.add_up(job, job.lines.all())
    return said


@transaction.atomic
def reopen(*, job_id: int, actor: Person | None, now: datetime) -> Job:
    """Open a Completed job again: something is left to do (T10, T12, AC016)."""
    desk, job = _open(job_id, actor, now)
    refuse_if(*blockers("reopen", job, desk))
    job.reopen()
    documents.save(job, "state", "completed_at")
    desk.close("job_reopened", job, {"state": ["completed", "modified"]})
    return job


def void(*, job_id: int, reason_id: int | None, actor: Person | None, now: datetime) -> Job:
    """Void a job for a reason of the void list (T13), under the guards of section 6.2 for this job.

    :raises Refused: ITEM_FULFILLED, PAYMENT_TAKEN, PAYMENT_PENDING, JOB_COMPLETED, REASON_WRONG_LIST.
    :raises ValidationError: no reason.
    """
    return _end("void", Reason.List.VOID, job_id, reason_id, actor, now)


def cancel(*, job_id: int, reason_id: int | None, actor: Person | None, now: datetime) -> Job:
    """Cancel a job for a reason of the cancel list (T13). Errors as `void`."""
    return _end("cancel", Reason.List.CANCEL, job_id, reason_id, actor, now)


@transaction.atomic
def _end(verb: str, list_: str, job_id: int, reason_id: int | None, actor: Person | None, now: datetime) -> Job:
    desk, job = _open(job_id, actor, now)
    refuse_if(*blockers(verb, job, desk))
    reason = documents.reason_of(list_, reason_id)
    old = str(job.state)
    (job.void if verb == "void" else job.cancel)()
    documents.end(job, desk=desk, reason=reason, label=reason.label)
    documents.save(job, *documents.END_FIELDS)
    kind = "job_voided" if verb == "void" else "job_canceled"
    desk.close(kind, job, {"state": [old, str(job.state)], "reason": [None, reason.label]})
    return job


# Goods


@transaction.atomic
def fulfil(*, line_id: int, quantity: Decimal | int, actor: Person | None, now: datetime) -> Job:
    """Note that so much more of a line is done or delivered (5.3).

    :raises Refused: OVER_FULFILLED: more than the line has.
    :raises ValidationError: no positive quantity.
    """
    desk, job, line = _open_line(line_id, actor, now)
    refuse_if(*blockers("fulfil", job, desk))
    more = _quantity(quantity)
    if line.fulfilled_quantity + more > line.quantity:
        words = _("Only %(left)s of “%(line)s” are left to fulfil.")
        said = words % {"left": plain(line.quantity - line.fulfilled_quantity), "line": line.description}
        refuse_if(Blocker("OVER_FULFILLED", said, subject=job.number, url=job.get_absolute_url()))
    return _set_fulfilled(desk, job, line, line.fulfilled_quantity + more, "item_fulfilled", more)


@transaction.atomic
def return_items(*, line_id: int, quantity: Decimal | int, actor: Person | None, now: datetime) -> Job:
    """Note that so much of a line came back. A Completed job is open again by that (5.3).

    :raises Refused: OVER_FULFILLED: more than was fulfilled.
    :raises ValidationError: no positive quantity.
    """
    desk, job, line = _open_line(line_id, actor, now)
    refuse_if(*blockers("return_items", job, desk))
    back = _quantity(quantity)
    if back > line.fulfilled_quantity:
        words = _("Only %(done)s of “%(line)s” are fulfilled, so no more can come back.")
        said = words % {"done": plain(line.fulfilled_quantity), "line": line.description}
        refuse_if(Blocker("OVER_FULFILLED", said, subject=job.number, url=job.get_absolute_url()))
    return _set_fulfilled(desk, job, line, line.fulfilled_quantity - back, "item_returned", back)


def _set_fulfilled(desk: Desk, job: Job, line: JobLine, done: Decimal, kind: str, by: Decimal) -> Job:
    changes: dict[str, Any] = {
        "line": [None, line.description],
        "quantity": [None, plain(by)],
        "fulfilled": [plain(line.fulfilled_quantity), plain(done)],
    }
    line.fulfilled_quantity = done
    line.save(update_fields=["fulfilled_quantity"])
    if str(job.state) == JobState.COMPLETED and kind == "item_returned":
        changes.update(_modify(job))
    documents.save(job, "state", "completed_at")
    desk.close(kind, job, changes)
    return job


def _open_line(line_id: int, actor: Person | None, now: datetime) -> tuple[Desk, Job, JobLine]:
    job_id = JobLine.objects.values_list("job_id", flat=True).get(pk=line_id)
    desk, job = _open(job_id, actor, now)
    return desk, job, JobLine.objects.get(pk=line_id, job=job)


def _quantity(quantity: Decimal | int) -> Decimal:
    value = documents.read_decimal(quantity)
    rounded = None if value is None or value >= 10**9 else value.quantize(Decimal("0.001"), ROUND_HALF_UP)
    if rounded is None or rounded <= 0:
        raise ValidationError({"quantity": _("Give a quantity above zero.")})
    return rounded


# Money


@transaction.atomic
def take_payment(
    *, job_id: int, amount: Decimal | int, settled: bool = True, note: str = "", actor: Person | None, now: datetime
) -> Payment:
    """Note money taken for a job, or on its way (`settled` False: pending until `settle_payment`).

    :raises ValidationError: no positive amount.
    """
    desk, job = _open(job_id, actor, now, right="payment")
    refuse_if(*blockers("take_payment", job, desk))
    payment = Payment(job=job, amount=_amount(amount), note=documents.words(note, 200), taken_at=now, taken_by=actor)
    if settled:
        payment.succeed()
    payment.save(force_insert=True)
    _count_money(job, desk)
    desk.close("payment_taken", job, {"amount": [None, str(payment.amount)], "payment": [None, str(payment.state)]})
    return payment


@transaction.atomic
def settle_payment(*, payment_id: int, succeeded: bool, actor: Person | None, now: datetime) -> Payment:
    """Note that a pending payment came, or failed."""
    desk, job, payment = _open_payment(payment_id, "payment", actor, now)
    if not can_proceed(payment.succeed):
        refuse_if(_settled_already(job, str(payment.get_state_display())))
    (payment.succeed if succeeded else payment.fail)()
    payment.save(update_fields=["state"])
    _count_money(job, desk)
    kind = "payment_settled" if succeeded else "payment_failed"
    desk.close(kind, job, {"amount": [None, str(payment.amount)], "payment": ["pending", str(payment.state)]})
    return payment


@transaction.atomic
def void_payment(*, payment_id: int, actor: Person | None, now: datetime) -> Payment:
    """Take back a payment that was entered by mistake, as if it had never been taken (5.4).

    :raises Refused: PAYMENT_REFUNDED: some of it was given back, or is on its way back.
    """
    desk, job, payment = _open_payment(payment_id, "payment", actor, now)
    if not can_proceed(payment.void):
        words = _("Only a received payment can be taken back; this one is: %(state)s.")
        said = words % {"state": payment.get_state_display()}
        refuse_if(Blocker("WRONG_STATE", said, subject=job.number, url=job.get_absolute_url()))
    if payment.refunds.exclude(state=RefundState.FAILED).exists():
        words = _("Some of this payment was given back, so it was no mistake.")
        refuse_if(Blocker("PAYMENT_REFUNDED", words, subject=job.number, url=job.get_absolute_url()))
    payment.void()
    payment.save(update_fields=["state"])
    _count_money(job, desk)
    desk.close("payment_voided", job, {"amount": [str(payment.amount), None], "payment": ["succeeded", "voided"]})
    return payment


@transaction.atomic
def refund(
    *, payment_id: int, amount: Decimal | int, settled: bool = True, note: str = "", actor: Person | None, now: datetime
) -> Refund:
    """Give money of a payment back, at once or on its way. All of it back loses the deal (P2, AC095).

    :raises Refused: OVER_REFUND: more than is left of the payment, counting refunds on their way.
    :raises NotAllowed: the actor is no manager.
    :raises ValidationError: no positive amount.
    """
    desk, job, payment = _open_payment(payment_id, "refund", actor, now)
    if str(payment.state) != PaymentState.SUCCEEDED:
        words = _("Only a received payment can be given back; this one is: %(state)s.")
        said = words % {"state": payment.get_state_display()}
        refuse_if(Blocker("WRONG_STATE", said, subject=job.number, url=job.get_absolute_url()))
    wanted = _amount(amount)
    left = refundable(payment)
    if wanted > left:
        words = _("Only %(left)s of this payment are left to give back.")
        said = words % {"left": format_money(left, desk.business.currency)}
        refuse_if(Blocker("OVER_REFUND", said, subject=job.number, url=job.get_absolute_url()))
    given = Refund(payment=payment, amount=wanted, note=documents.words(note, 200), made_at=now, made_by=actor)
    if settled:
        given.succeed()
    given.save(force_insert=True)
    _count_money(job, desk)
    desk.close("refund_made", job, {"amount": [None, str(given.amount)], "refund": [None, str(given.state)]})
    return given


def refundable(payment: Payment) -> Decimal:
    """What of a payment is neither given back nor on its way back."""
    back = (each.amount for each in payment.refunds.all() if str(each.state) != RefundState.FAILED)
    return payment.amount - sum(back, Decimal(0))


@transaction.atomic
def settle_refund(*, refund_id: int, succeeded: bool, actor: Person | None, now: datetime) -> Refund:
    """Note that a refund on its way arrived, or failed (AC098)."""
    payment_id = Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id)
    desk, job, _payment = _open_payment(payment_id, "refund", actor, now)
    given = Refund.objects.get(pk=refund_id)
    if not can_proceed(given.succeed):
        refuse_if(_settled_already(job, str(given.get_state_display())))
    (given.succeed if succeeded else given.fail)()
    given.save(update_fields=["state"])
    _count_money(job, desk)
    kind = "refund_settled" if succeeded else "refund_failed"
    desk.close(kind, job, {"amount": [None, str(given.amount)], "refund": ["pending", str(given.state)]})
    return given


def _settled_already(job: Job, state: str) -> Blocker:
    words = _("This is settled already: %(state)s.") % {"state": state}
    return Blocker("WRONG_STATE", words, subject=job.number, url=job.get_absolute_url())


def _open_payment(payment_id: int, right: str, actor: Person | None, now: datetime) -> tuple[Desk, Job, Payment]:
    job_id = Payment.objects.values_list("job_id", flat=True).get(pk=payment_id)
    desk, job = _open(job_id, actor, now, right=right)
    refuse_if(documents.terminal(job))
    return desk, job, Payment.objects.get(pk=payment_id)


def _count_money(job: Job, desk: Desk) -> None:
    """Add payments and refunds up again, in exact decimals, under the lock of the job."""
    payments = list(job.payments.all())
    refunds = list(Refund.objects.filter(payment__job=job))
    paid = (each.amount for each in payments if str(each.state) == PaymentState.SUCCEEDED)
    back = (each.amount for each in refunds if str(each.state) == RefundState.SUCCEEDED)
    old = job.refunded
    job.paid, job.refunded = sum(paid, Decimal(0)), sum(back, Decimal(0))
    if job.paid >= documents.LARGEST:
        raise ValidationError({"amount": _("The payments come to too much.")})
    job.has_pending_payment = any(str(each.state) == PaymentState.PENDING for each in payments)
    if job.refunded != old:
        job.refunded_on = desk.today if job.refunded else None
    documents.save(job, "paid", "refunded", "refunded_on", "has_pending_payment")


def _amount(amount: Decimal | int) -> Decimal:
    value = documents.read_decimal(amount)
    rounded = None if value is None or value >= documents.LARGEST else value.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if rounded is None or rounded <= 0 or rounded >= documents.LARGEST:
        raise ValidationError({"amount": _("Give an amount above zero.")})
    return rounded


# Guards: what stands against an act, all at once. Verbs ask under the lock, pages beforehand.


def blockers(verb: str, job: Job, desk: Desk) -> list[Blocker]:
    """List why this verb would be refused now; empty where it would pass. Rights are not judged here."""
    terminal = documents.terminal(job)
    found = [terminal] if terminal is not None else _GUARDS[verb](job, desk)
    return [blocker for blocker in found if blocker is not None]


def _may_confirm(job: Job, _desk: Desk) -> list[Blocker | None]:
    words = _("%(number)s is %(state)s: only a submitted job waits to be confirmed.")
    return [None if can_proceed(job.confirm) else documents.wrong_state(job, words)]


def _is_alive(job: Job, _desk: Desk) -> list[Blocker | None]:
    return [documents.wrong_state(job, _("%(number)s is %(state)s: nothing on it changes.")) if job.is_dead else None]


def _may_complete(job: Job, _desk: Desk) -> list[Blocker | None]:
    words = _("%(number)s is %(state)s, so it cannot be completed.")
    return [None if can_proceed(job.complete) else documents.wrong_state(job, words)]


def _may_reschedule(job: Job, desk: Desk) -> list[Blocker | None]:
    if str(job.state) == JobState.COMPLETED:
        return [documents.wrong_state(job, _("%(number)s is %(state)s: reopen it first, then give it another day."))]
    return _is_alive(job, desk)


def _may_reopen(job: Job, _desk: Desk) -> list[Blocker | None]:
    words = _("%(number)s is %(state)s: only a completed job is reopened.")
    return [None if can_proceed(job.reopen) else documents.wrong_state(job, words)]


def _may_end(job: Job, desk: Desk) -> list[Blocker | None]:
    if job.is_dead:
        return [documents.wrong_state(job, _("%(number)s is %(state)s already."))]
    return [*closing_blockers(job, desk)]


def closing_blockers(job: Job, desk: Desk) -> list[Blocker]:
    """List what keeps a live job from being voided or canceled, alone or with its card (6.2)."""
    found = []
    for line in job.lines.all():
        if line.counts and line.fulfilled_quantity > 0:
            words = _("%(number)s has %(done)s of %(all)s “%(line)s” fulfilled. Return it first.")
            said = words % {
                "number": job.number,
                "done": plain(line.fulfilled_quantity),
                "all": plain(line.quantity),
                "line": line.description,
            }
            back = reverse("opportunities:line-return", args=[line.pk])
            found.append(Blocker("ITEM_FULFILLED", said, subject=job.number, url=back))
    if job.held > 0:
        words = _("%(number)s holds %(money)s. Refund it first.")
        said = words % {"number": job.number, "money": format_money(job.held, desk.business.currency)}
        found.append(Blocker("PAYMENT_TAKEN", said, subject=job.number, url=f"{job.get_absolute_url()}#money"))
    if job.has_pending_payment:
        words = _("A payment for %(number)s is on its way. Settle it first.") % {"number": job.number}
        found.append(Blocker("PAYMENT_PENDING", words, subject=job.number, url=f"{job.get_absolute_url()}#money"))
    if str(job.state) == JobState.COMPLETED:
        words = _("%(number)s is completed. Reopen it first.") % {"number": job.number}
        again = reverse("opportunities:job-act", args=[job.pk, "reopen"])
        found.append(Blocker("JOB_COMPLETED", words, subject=job.number, url=again))
    return found


_GUARDS: dict[str, Callable[[Job, Desk], list[Blocker | None]]] = {
    "confirm": _may_confirm,
    "revise": _is_alive,
    "reschedule": _may_reschedule,
    "complete": _may_complete,
    "reopen": _may_reopen,
    "void": _may_end,
    "cancel": _may_end,
    "fulfil": _is_alive,
    "return_items": _is_alive,
    "take_payment": _is_alive,
    "refund": _is_alive,
}


def _open(job_id: int, actor: Person | None, now: datetime, *, right: str = "job") -> tuple[Desk, Job]:
    desk = documents.open_desk(job_id=job_id, actor=actor, now=now)
    job: Job = desk.find(Job, job_id)
    documents.require(desk, right, job)
    return desk, job
