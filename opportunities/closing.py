"""What the void and cancel screens show: what will happen to the card and all that hangs on it, what stands against it,
and the whole list of conditions, passed or failed. Nothing here writes (setup-and-boards 3.3, 3.4).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import access, card_documents, jobs, lifecycle
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.errors import Blocker
from opportunities.lifecycle import Consequences
from opportunities.models import Agreement, Job, Opportunity, PaymentState, RefundState
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.money import format_money
from opportunities.workflow import ClosedKind

CLEARED_BY = {
    "ITEM_FULFILLED": "job",
    "PAYMENT_TAKEN": "refund",
    "PAYMENT_PENDING": "payment",
    "JOB_COMPLETED": "job",
    "AGREEMENT_ACCEPTED": "void_accepted",
}
"""The right that clearing a blocker asks for; all other agreements ask for that of agreements."""

CLEARS: dict[str, Any] = {
    "ITEM_FULFILLED": gettext_lazy("Return it"),
    "PAYMENT_TAKEN": gettext_lazy("Refund it"),
    "PAYMENT_PENDING": gettext_lazy("Settle it"),
    "JOB_COMPLETED": gettext_lazy("Reopen %(number)s"),
}
"""What the link to the remedy says; that of an agreement voids it."""

JOB_CONDITIONS: dict[str, Any] = {
    "ITEM_FULFILLED": gettext_lazy("%(number)s: nothing of its products and materials is fulfilled."),
    "PAYMENT_TAKEN": gettext_lazy("%(number)s holds no money."),
    "PAYMENT_PENDING": gettext_lazy("%(number)s has no payment on its way."),
    "JOB_COMPLETED": gettext_lazy("%(number)s is not completed."),
}
"""The conditions that every live job must meet, as they are said when it does."""


@dataclass(frozen=True, slots=True)
class Way:
    """A link that leads to what clears a blocker; a sheet opens in the dialog."""

    words: str
    url: str
    is_sheet: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, met or not; where not, the ways out of it, who may take them, and which boxes clear it here."""

    passed: bool
    message: str
    ways: tuple[Way, ...] = ()
    who: str = ""
    first: str = ""
    """The name of the form's box that clears it in the same act."""
    boxes: tuple[Any, ...] = ()
    """That box and its reason, as bound fields."""


@dataclass(frozen=True, slots=True)
class FateRow:
    """One row of "what it takes along": now, and after."""

    name: str
    url: str
    before: str
    after: str
    mark: str = ""
    changed: bool = False
    """It is not as it was when the sheet was shown first (D32)."""


@dataclass(frozen=True, slots=True)
class ClosingView:
    """Everything the sheet shows beside its form."""

    is_cancel: bool
    title: str
    intro: str
    act: str
    keep: str
    checks: tuple[Check, ...]
    rows: tuple[FateRow, ...]
    gone: tuple[str, ...]
    """Documents that were shown and are not on the card any more."""
    may_confirm: bool
    to_clear: str
    fingerprint: str


def of(found: Consequences, *, reader: Person, shown: Collection[str] = ()) -> ClosingView:
    """Put consequences into words. `shown` are the marks of the documents that the person saw before."""
    _read_money(found)
    back = address(found.card, found.kind)
    checks = tuple(_on_sheet(_failed(blocker, found, reader, back)) for blocker in found.blockers)
    hard = [check for check in checks if not check.first]
    is_cancel, card = found.kind is ClosedKind.CANCELED, found.card
    title = _("Cancel “%(title)s”?") if is_cancel else _("Void “%(title)s”?")
    intro = _("Void is for cards that were made by mistake. It can't be undone.")
    if is_cancel:
        intro = _("Cancel a card when the customer does not go on. It can't be undone.")
    words = ngettext("%(count)s thing to clear first", "%(count)s things to clear first", len(hard))
    rows = tuple(_rows(found, shown))
    here = {mark.partition(":")[0] for mark in (row.mark for row in rows)}
    return ClosingView(
        is_cancel=is_cancel,
        title=title % {"title": card.title},
        intro=intro,
        act=_("Cancel opportunity") if is_cancel else _("Void opportunity"),
        keep=_("Keep opportunity"),
        checks=checks,
        rows=rows,
        gone=tuple(number for number in (mark.partition(":")[0] for mark in shown) if number not in here),
        may_confirm=not hard,
        to_clear=words % {"count": len(hard)} if hard else "",
        fingerprint=found.fingerprint,
    )


def _on_sheet(check: Check) -> Check:
    """Leave out the way that a box of the sheet takes in the same act."""
    return replace(check, ways=check.ways[1:]) if check.first else check


def _rows(found: Consequences, shown: Collection[str]) -> Iterable[FateRow]:
    """Say of each document, of what is planned, and of both statuses, what they are now and after."""
    today = found.desk.today
    for fate in found.fates:
        document, mark = fate.document, lifecycle.mark(fate.document)
        label = str(document._meta.verbose_name).capitalize()
        yield FateRow(
            name=f"{label} {document.number}",
            url=document.get_absolute_url(),
            before=card_documents.state_of(document, today)[0],
            after=_after(fate, found),
            mark=mark,
            changed=bool(shown) and mark not in shown,
        )
    if found.actions:
        words = ngettext("%(count)s action item", "%(count)s action items", len(found.actions))
        after = _("closed, and reminders removed")
        yield FateRow(words % {"count": len(found.actions)}, "", _("open"), after)
    workflow, sales = dict(WORKFLOW_CHOICES), dict(SALES_CHOICES)
    now, then = found.present, found.following
    yield FateRow(_("Workflow status"), "", str(workflow[now.workflow.value]), str(workflow[then.workflow.value]))
    yield FateRow(_("Sales status"), "", str(sales[now.sales.value]), str(sales[then.sales.value]))


def _after(fate: lifecycle.Fate, found: Consequences) -> str:
    document = fate.document
    if fate.after:
        return str(dict(WORKFLOW_CHOICES)[fate.after])
    if document.is_dead:
        words = _("stays as it is, and keeps its reason: %(reason)s")
        return words % {"reason": document.close_reason_label}
    if lifecycle.is_clearable(document, found.desk):
        return _("Void, once you tick it above")
    return _("stands in the way")


def _read_money(found: Consequences) -> None:
    """Read the payments of the jobs that money stands in the way with, at once."""
    held = {blocker.subject for blocker in found.blockers if blocker.code in {"PAYMENT_TAKEN", "PAYMENT_PENDING"}}
    prefetch_related_objects([job for job in found.attached.jobs if job.number in held], "payments__refunds")


def _failed(blocker: Blocker, found: Consequences, reader: Person, back: str) -> Check:
    """Make a failed condition of a blocker; what clears it in a sheet of its own leads `back` afterwards."""
    document = next(each for each in found.attached if each.number == blocker.subject)
    right = CLEARED_BY.get(blocker.code, "agreement")
    may = access.may(reader, right, found.card)
    first = ""
    if blocker.code in {"JOB_COMPLETED", "AGREEMENT_REJECTED", "AGREEMENT_EXPIRED", "AGREEMENT_CANCELED"} and may:
        first = first_name(document)
    ways = list(_ways(blocker, document, found, may=may))
    if isinstance(document, Agreement) and access.may(reader, "detach", found.card):
        words = _("Detach %(number)s") % {"number": document.number}
        url = reverse("opportunities:agreement-detach", args=[document.pk])
        ways.append(Way(words, url, is_sheet=True))
    there_and_back = (replace(way, url=f"{way.url}?next={back}") if way.is_sheet else way for way in ways)
    return Check(False, blocker.message, tuple(there_and_back), "" if may else access.who_may(right, found.card), first)


def _ways(blocker: Blocker, document: AnyDocument, found: Consequences, *, may: bool) -> Iterable[Way]:
    """Lead to what clears a blocker."""
    words = str(CLEARS.get(blocker.code, _("Void %(number)s"))) % {"number": document.number}
    if blocker.code == "PAYMENT_TAKEN" and not may:
        yield Way(words, blocker.url, is_sheet=False)
    elif not may:
        return
    elif isinstance(document, Job) and blocker.code in {"PAYMENT_TAKEN", "PAYMENT_PENDING"}:
        steps = list(_money_steps(document, blocker.code, found.desk.business.currency))
        for each, route, pk in steps:
            is_plain = len(steps) == 1 and route != "refund-settle"
            yield Way(words if is_plain else each, reverse(f"opportunities:{route}", args=[pk]), is_sheet=True)
    else:
        yield Way(words, blocker.url, is_sheet=True)


def _money_steps(job: Job, code: str, currency: str) -> Iterable[tuple[str, str, int]]:
    """Name what is to be done to each payment of a job until it holds no money, or until none is on its way."""
    for payment in job.payments.all():
        if code == "PAYMENT_PENDING" and str(payment.state) == PaymentState.PENDING:
            yield (
                _("Settle %(money)s") % {"money": format_money(payment.amount, currency)},
                "payment-settle",
                payment.pk,
            )
        if code == "PAYMENT_PENDING" or str(payment.state) != PaymentState.SUCCEEDED:
            continue
        left = jobs.refundable(payment)
        if left > 0:
            yield _("Refund %(money)s") % {"money": format_money(left, currency)}, "payment-refund", payment.pk
        for refund in payment.refunds.all():
            if str(refund.state) == RefundState.PENDING:
                words = _("Settle the refund of %(money)s") % {"money": format_money(refund.amount, currency)}
                yield words, "refund-settle", refund.pk


def address(card: Opportunity, kind: ClosedKind) -> str:
    """The address of the void or cancel sheet of a card."""
    return reverse(f"opportunities:{lifecycle.right_of(kind)}", args=[card.pk])


def first_name(document: AnyDocument) -> str:
    """Name the box that clears this document's blocker in the same act."""
    return f"{'reopen' if isinstance(document, Job) else 'void'}_{document.pk}"


FORETOLD = 50
"""Of how many cards a page says beforehand what closing them takes along."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What closing one of many cards takes along, or why it will be left as it is; `seen` goes back with the form."""

    card: Opportunity
    along: str
    refusals: tuple[str, ...]
    seen: str


def foretell(card_ids: Iterable[int], kind: ClosedKind, *, reader: Person, now: datetime) -> Iterable[Foretold]:
    """Say of each card what becomes of all that is on it; cards that the reader may not see are passed over (D32)."""
    for pk in sorted(set(card_ids))[:FORETOLD]:
        try:
            found = lifecycle.consequences(opportunity_id=pk, kind=kind, actor=reader, now=now)
        except Opportunity.DoesNotExist:
            continue
        against = found.blockers if found.closed is None else (found.closed,)
        refusals = [each.message for each in against]
        if not found.allowed:
            refusals.append(access.who_may(lifecycle.right_of(kind), found.card))
        along = "" if refusals else ", ".join(_along(found))
        yield Foretold(found.card, along, tuple(refusals), f"{pk}:{found.fingerprint}")


def _along(found: Consequences) -> Iterable[str]:
    """Say of each document how it stands now and after, and how many action items are closed."""
    for fate in found.fates:
        if fate.after:
            before, after = card_documents.state_of(fate.document, found.desk.today)[0], _after(fate, found)
            said = {"number": fate.document.number, "before": before, "after": after}
            yield _("%(number)s: %(before)s, then %(after)s") % said
    if found.actions:
        words = ngettext("%(count)s action item closed", "%(count)s action items closed", len(found.actions))
        yield words % {"count": len(found.actions)}


def seen_of(card_ids: Collection[int], shown: Iterable[str]) -> dict[str, str]:
    """Read what a form sends back of what it showed; a card that it should have shown and did not counts as changed."""
    said = dict(each.split(":", 1) for each in shown if ":" in each)
    must = {str(pk): "" for pk in sorted(set(card_ids))[:FORETOLD]}
    return {pk: said.get(pk, "")[:64] for pk in must}


def conditions(found: Consequences, *, reader: Person) -> tuple[Check, ...]:
    """List every condition of voiding and canceling this card, met or not (setup-and-boards 3.3)."""
    if found.closed is not None:
        return (Check(False, found.closed.message),)
    _read_money(found)
    card = found.card
    back = reverse("opportunities:void-why", args=[card.pk])
    checks = [Check(True, _("%(number)s is neither void nor canceled yet.") % {"number": card.number})]
    if found.allowed:
        checks.append(Check(True, _("You may void and cancel it.")))
    else:
        checks.append(Check(False, access.who_may("void", card)))
    for job in found.attached.jobs:
        if job.is_live:
            checks += _of_job(job, found, reader, back)
    for agreement in found.attached.agreements:
        against = [each for each in found.blockers if each.subject == agreement.number]
        label = lifecycle.agreement_label(agreement, found.desk)
        words = _("%(number)s is %(state)s: the customer is asked nothing by it.")
        passed = Check(True, words % {"number": agreement.number, "state": label})
        checks += [_failed(each, found, reader, back) for each in against] or [passed]
    if found.attached.quotes:
        numbers = ", ".join(quote.number for quote in found.attached.quotes)
        checks.append(Check(True, _("Quotes never stand in the way: %(numbers)s.") % {"numbers": numbers}))
    if not found.attached:
        checks.append(Check(True, _("Nothing is attached that could stand in the way.")))
    return tuple(checks)


def _of_job(job: Job, found: Consequences, reader: Person, back: str) -> Iterable[Check]:
    for code, words in JOB_CONDITIONS.items():
        against = [each for each in found.blockers if each.subject == job.number and each.code == code]
        if against:
            yield from (_failed(each, found, reader, back) for each in against)
        else:
            yield Check(True, str(words) % {"number": job.number})
