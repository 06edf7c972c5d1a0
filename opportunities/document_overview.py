"""What the page of a quote, job or agreement shows: its head, facts, lines, money and acts, in finished strings.

A read model: a fixed number of statements, whatever the number of lines, payments and events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import days, documents, history, job_acts, overview
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.documents import Desk, plain
from opportunities.errors import Blocker
from opportunities.models import Agreement, BusinessSettings, Job, JobLine, Line, Opportunity, Payment, Quote, Refund
from opportunities.money import format_money
from opportunities.offers import Offer
from opportunities.outcome import SalesRule

MAIN = {
    "quote": ("submit", "accept", "convert", "revise"),
    "job": ("confirm", "complete", "reopen", "take_payment"),
    "agreement": ("submit", "revise", "replace"),
}
"""The acts that stand as buttons, by kind of document; the others are in the menu."""

ONWARD = frozenset({"submit", "accept", "convert", "confirm", "complete"})
"""The acts that bring a deal on; the first of them that is possible is the page's one filled button."""

CLEARS: Mapping[str, Any] = {
    "ITEM_FULFILLED": gettext_lazy("Return it"),
    "PAYMENT_TAKEN": gettext_lazy("Refund it"),
    "PAYMENT_PENDING": gettext_lazy("Settle it"),
    "JOB_COMPLETED": gettext_lazy("Reopen it"),
}
"""What the link of a blocker says that leads to its remedy; others are named by their subject."""

TONES = {
    "accepted": "good",
    "converted": "good",
    "completed": "good",
    "submitted": "info",
    "modified": "warn",
    "rejected": "bad",
    "void": "quiet",
    "canceled": "quiet",
}


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in a word, with the tone of its colour."""

    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the facts; `link` leads somewhere, `full` is the exact text for pointing at."""

    name: str
    value: str
    full: str = ""
    link: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """One reason why something cannot be done now, with the link that clears it."""

    message: str
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Impossible:
    """An act that cannot be done now, with each reason."""

    name: str
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class SmallAct:
    """An act on one row; where it is not to be had but worth explaining, `refusal` says why not."""

    name: str
    url: str
    refusal: str = ""
    grave: bool = False


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line in words. `kind` says whether it is goods; done and share are of jobs only."""

    description: str
    kind: str
    quantity: str
    price: str
    tax: str
    net: str
    done: str = ""
    share: int = 0
    is_goods: bool = False
    is_done: bool = False
    acts: tuple[SmallAct, ...] = ()


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """A payment, or a refund of the one above it."""

    pk: int
    is_refund: bool
    what: str
    state: Badge
    amount: str
    when: days.Said
    who: str
    note: str
    acts: tuple[SmallAct, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the partials of a document page show."""

    number: str
    title: str
    kind: str
    plural: str
    badges: tuple[Badge, ...]
    customer: str
    customer_url: str
    card_outcome: str
    card_banner: str
    main: tuple[Offer, ...]
    onward: str
    more: tuple[Offer, ...]
    impossible: tuple[Impossible, ...]
    lines: tuple[LineRow, ...]
    discount: str
    net: str
    tax: str
    total: str
    has_tax: bool
    facts: tuple[Fact, ...]
    goods_done: str
    goods_share: int
    money: tuple[MoneyRow, ...]
    money_facts: tuple[Fact, ...]


def prepare(document: AnyDocument) -> None:
    """Read along what the page and the guards ask of the document, a statement a table."""
    also = {
        "quote": ("recipients",),
        "job": ("payments__taken_by", "payments__refunds__made_by"),
        "agreement": (),
    }
    prefetch_related_objects([document], "lines", "customer", "closed_by", *also[document.REF])


def of(document: AnyDocument, *, desk: Desk, offered: Mapping[str, Offer], reader: Person) -> View:
    """Put a document into words, after `prepare`. `offered` is `offers.of` for the same reader."""
    business, today = desk.business, desk.today
    lines = list(document.lines.all())
    goods = [line for line in lines if isinstance(line, JobLine) and line.counts]
    whole = [line for line in goods if line.is_fulfilled]
    possible = [offer for offer in offered.values() if offer.allowed]
    first = [verb for verb in MAIN[document.REF] if verb != "submit" or str(document.state) != "submitted"]
    main = tuple(offer for offer in possible if offer.verb in first)
    words = ngettext(
        "%(done)s of %(all)s line of goods fulfilled", "%(done)s of %(all)s lines of goods fulfilled", len(goods)
    )
    return View(
        number=document.number,
        title=document.title,
        kind=str(document._meta.verbose_name).capitalize(),
        plural=str(document._meta.verbose_name_plural).capitalize(),
        badges=tuple(badges(document, today)),
        customer=document.customer.name,
        customer_url=reverse("opportunities:customer", args=[document.customer_id]),
        card_outcome=overview.outcome_label(card) if (card := document.opportunity) is not None else "",
        card_banner=_card_banner(document),
        main=main,
        onward=next((offer.verb for offer in main if offer.verb in ONWARD), ""),
        more=tuple(offer for offer in possible if offer not in main),
        impossible=tuple(
            Impossible(offer.name, tuple(why(offer.refusals, document)))
            for offer in offered.values()
            if not offer.allowed
        ),
        lines=tuple(_line_row(line, document, desk, reader) for line in lines),
        discount=_percent(document.discount_percent) if document.discount_percent else "",
        net=format_money(document.net, business.currency),
        tax=format_money(document.tax, business.currency),
        total=format_money(document.total, business.currency),
        has_tax=any(line.tax_percent for line in lines),
        facts=tuple(_facts(document, desk)),
        goods_done=words % {"done": len(whole), "all": len(goods)} if goods else "",
        goods_share=_share(goods),
        money=tuple(_money_rows(document, desk, reader)) if isinstance(document, Job) else (),
        money_facts=tuple(_money_facts(document, business)) if isinstance(document, Job) else (),
    )


def badges(document: AnyDocument, today: date) -> Iterable[Badge]:
    """Name the state, with what lies over it: Expired while its date is past, Archived (5)."""
    state = str(document.status if isinstance(document, Agreement) else document.state)
    label = documents.state_label(document)
    if isinstance(document, Quote) and state == "submitted" and document.submit_count > 1:
        label = _("Re-submitted")
    yield Badge(label, TONES.get(state, "quiet"))
    if state != "expired" and document.is_expired_on(today):
        yield Badge(_("Expired"), "warn")
    if document.is_archived:
        yield Badge(_("Archived"), "outlined")


def why(blockers: Iterable[Blocker], document: AnyDocument) -> Iterable[Why]:
    """Put blockers into words with the link to what clears each; none leads to the page that shows them."""
    for blocker in blockers:
        leads = blocker.url and blocker.url != document.get_absolute_url()
        yield Why(blocker.message, blocker.url if leads else "", str(CLEARS.get(blocker.code, blocker.subject)))


def _card_banner(document: AnyDocument) -> str:
    """Say that the card is lost because of this document, while another offer on it may be open (D19)."""
    card: Opportunity | None = document.opportunity
    if card is None or card.is_closed or card.sales_rule != SalesRule.P7 or not isinstance(document, Quote):
        return ""
    if not (document.is_dead or document.is_archived):
        return ""
    state = _("archived") if not document.is_dead else documents.state_label(document).lower()
    words = _("%(card)s is lost because %(number)s on it is %(state)s. Detach it if another offer is still open.")
    return words % {"card": card.number, "number": document.number, "state": state}


def _line_row(line: Any, document: AnyDocument, desk: Desk, reader: Person) -> LineRow:
    currency = desk.business.currency
    row: dict[str, Any] = {
        "description": line.description,
        "kind": line.get_kind_display(),
        "quantity": plain(line.quantity),
        "price": format_money(line.unit_price, currency),
        "tax": _percent(line.tax_percent) if line.tax_percent else "",
        "net": format_money(line.net, currency),
        "is_goods": line.kind != Line.Kind.SERVICE,
    }
    if isinstance(line, JobLine) and isinstance(document, Job):
        done, whole = plain(line.fulfilled_quantity), plain(line.quantity)
        row["done"] = _("%(done)s of %(all)s") % {"done": done, "all": whole}
        row["share"], row["is_done"] = _share([line]), line.is_fulfilled
        row["acts"] = tuple(_small_acts(("fulfil", "return"), line, document, desk, reader))
    return LineRow(**row)


def _share(lines: Sequence[JobLine]) -> int:
    """The share of what is fulfilled, in percent of the quantities, each line alike."""
    shares = [line.fulfilled_quantity / line.quantity if line.quantity else 1 for line in lines]
    return int(sum(shares) * 100 / len(shares)) if shares else 0


def _small_acts(verbs: Iterable[str], subject: Any, job: Job, desk: Desk, reader: Person) -> Iterable[SmallAct]:
    """Offer what may be done to a row; what only others may do is named with who may."""
    for verb in verbs:
        spec = job_acts.ACTS[verb]
        against = job_acts.refusals(verb, subject, job, desk, reader)
        url = reverse(f"opportunities:{job_acts.ROUTES[verb]}", args=[subject.pk])
        if not against:
            yield SmallAct(str(spec.name), url, grave=spec.grave)
        elif verb == "refund" and [each.code for each in against] == ["NOT_ALLOWED"]:
            yield SmallAct(str(spec.name), url, refusal=against[0].message)


def _money_rows(job: Job, desk: Desk, reader: Person) -> Iterable[MoneyRow]:
    for payment in job.payments.all():
        acts = _small_acts(("settle", "refund", "void"), payment, job, desk, reader)
        yield _money_row(payment, _("Payment"), payment.taken_at, payment.taken_by, desk, tuple(acts))
        for refund in payment.refunds.all():
            refund.payment = payment
            acts = _small_acts(("settle-refund",), refund, job, desk, reader)
            yield _money_row(refund, _("Refund"), refund.made_at, refund.made_by, desk, tuple(acts))


def _money_row(
    row: Payment | Refund, what: str, at: datetime, by: Person | None, desk: Desk, acts: tuple[SmallAct, ...]
) -> MoneyRow:
    tones = {"pending": "warn", "succeeded": "good", "failed": "bad", "voided": "quiet"}
    return MoneyRow(
        pk=row.pk,
        is_refund=isinstance(row, Refund),
        what=what,
        state=Badge(str(row.get_state_display()), tones[str(row.state)]),
        amount=format_money(row.amount, desk.business.currency),
        when=days.say(desk.business.local_date(at), desk.today),
        who=history.label(by) if by else _("system"),
        note=row.note,
        acts=acts,
    )


def _money_facts(job: Job, business: BusinessSettings) -> Iterable[Fact]:
    yield Fact(_("Total"), format_money(job.total, business.currency))
    yield Fact(_("Received"), format_money(job.paid, business.currency))
    if job.refunded:
        yield Fact(_("Given back"), format_money(job.refunded, business.currency))
    left = job.total - job.held
    if left > 0 and not job.is_dead:
        yield Fact(_("Still to come"), format_money(left, business.currency))
    elif left < 0:
        yield Fact(_("More than the total"), format_money(-left, business.currency))


def _percent(value: Any) -> str:
    return f"{plain(value)} %"


def _facts(document: AnyDocument, desk: Desk) -> Iterable[Fact]:
    if isinstance(document, Quote):
        yield from _quote_facts(document, desk)
    elif isinstance(document, Job):
        yield from _job_facts(document, desk)
    if document.is_dead and document.closed_at is not None:
        yield Fact(_("Reason"), document.close_reason_label)
        yield Fact(documents.state_label(document), _by_and_when(document.closed_by, document.closed_at, desk))
        if document.closed_with_card:
            yield Fact(_("How"), _("Closed together with its card"))


def _quote_facts(quote: Quote, desk: Desk) -> Iterable[Fact]:
    yield _day(_("Valid until"), quote.valid_until, desk.today, _("No last day"), late=quote.is_expired_on(desk.today))
    yield _day(_("Service date"), quote.service_date, desk.today, _("Not set"))
    times = ngettext("%(count)s time", "%(count)s times", quote.submit_count) % {"count": quote.submit_count}
    said = _("Not yet")
    if quote.submitted_at is not None and quote.submit_count:
        day = days.short(desk.business.local_date(quote.submitted_at), desk.today)
        said = _("%(times)s, last: %(day)s") % {"times": times, "day": day}
    yield Fact(_("Submitted"), said)
    if quote.answered_at is not None:
        answer = _("Declined") if quote.declined else _("Accepted")
        day = days.full(desk.business.local_date(quote.answered_at))
        words = _("%(answer)s by %(who)s on %(day)s") if quote.answered_by else _("%(answer)s on %(day)s")
        yield Fact(_("Answer"), words % {"answer": answer, "who": quote.answered_by, "day": day})
    if quote.decline_note:
        yield Fact(_("What they said"), quote.decline_note)
    for job in desk.documents_of(quote.opportunity_id).jobs:
        if job.quote_id == quote.pk:
            value = f"{job.number}, {documents.state_label(job)}"
            yield Fact(_("Job"), value, link=job.get_absolute_url())


def _job_facts(job: Job, desk: Desk) -> Iterable[Fact]:
    yield _day(_("Service date"), job.service_date, desk.today, _("Not set"), late=job.is_expired_on(desk.today))
    for quote in desk.documents_of(job.opportunity_id).quotes:
        if quote.pk == job.quote_id:
            yield Fact(_("Made of"), quote.number, link=quote.get_absolute_url())
    if job.confirmed_at is not None:
        yield _day(_("Confirmed"), desk.business.local_date(job.confirmed_at), desk.today, "")
    if job.completed_at is not None:
        yield _day(_("Completed"), desk.business.local_date(job.completed_at), desk.today, "")


def _day(name: str, day: date | None, today: date, none: str, *, late: bool = False) -> Fact:
    if day is None:
        return Fact(name, none, tone="soft")
    said = days.say(day, today)
    return Fact(name, said.short, full=said.full, tone="late" if late else "")


def _by_and_when(who: Person | None, at: datetime, desk: Desk) -> str:
    local = at.astimezone(desk.business.zone)
    day = _("%(day)s, %(time)s") % {
        "day": days.full(local.date()),
        "time": formats.time_format(local, "TIME_FORMAT"),
    }
    return _("%(who)s, %(day)s") % {"who": history.label(who), "day": day} if who else day
