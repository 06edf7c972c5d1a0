"""A quote or agreement as a paper to give to a customer: finished strings for printing and for private links."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from opportunities import documents
from opportunities.models import Agreement, BusinessSettings, Quote, Recipient
from opportunities.models.document import rounded
from opportunities.money import format_money
from opportunities.states import AgreementState, QuoteState


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a paper."""

    description: str
    quantity: str
    price: str
    tax: str
    amount: str


@dataclass(frozen=True, slots=True)
class Sum:
    """A row below the lines; the last one is what is to be paid."""

    label: str
    amount: str
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """Who has agreed, the name that was given for it, and when; empty while somebody is still asked."""

    name: str
    signed_as: str
    when: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A document as a customer reads it."""

    kind: str
    number: str
    title: str
    mark: str
    """Said across the top of what is no valid paper: Draft, Void."""
    business: BusinessSettings
    customer: str
    customer_address: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    has_tax: bool
    sums: tuple[Sum, ...]
    text: str
    text_label: str
    signatures: tuple[Signature, ...]
    accepted: str = ""
    """Said where a quote was accepted and nobody gave a name for it: no signature that nobody gave."""


def of(document: Quote | Agreement, *, business: BusinessSettings, lines: Iterable[Any]) -> Paper:
    """Compose the paper. `lines` are the document's rows."""
    rows = list(lines)
    has_tax = any(row.tax_percent for row in rows)
    quote = isinstance(document, Quote)
    return Paper(
        kind=_("Quote") if isinstance(document, Quote) else str(document.get_kind_display()),
        number=document.number,
        title=document.title,
        mark=_mark(document),
        business=business,
        customer=document.customer.name,
        customer_address=document.customer.address,
        facts=tuple(_facts(document, business)),
        lines=tuple(_line(row, business.currency) for row in rows),
        has_tax=has_tax,
        sums=tuple(_sums(document, rows, business.currency)) if rows else (),
        text=document.terms if isinstance(document, Quote) else document.text,
        text_label=_("Terms") if quote and document.terms else "",  # type: ignore[union-attr]  # a quote has terms
        signatures=tuple(_signatures(document, business)),
        accepted=_accepted(document, business),
    )


def _mark(document: Quote | Agreement) -> str:
    state = str(document.state)
    if state in {QuoteState.INCOMPLETE, QuoteState.DRAFT, AgreementState.INCOMPLETE, AgreementState.DRAFT}:
        return _("Draft")
    if document.is_dead or state == QuoteState.MODIFIED:
        return documents.state_label(document)
    return ""


def _facts(document: Quote | Agreement, business: BusinessSettings) -> Iterable[tuple[str, str]]:
    yield _("Date"), day(business.local_date(document.submitted_at or document.created_at))
    if document.valid_until is not None:
        yield _("Valid until"), day(document.valid_until)
    if isinstance(document, Quote) and document.service_date is not None:
        yield _("Service date"), day(document.service_date)


def day(value: date) -> str:
    """Write a date as papers do."""
    return formats.date_format(value, "DATE_FORMAT")


def moment(value: datetime, business: BusinessSettings) -> str:
    """Write a moment in the business's time."""
    local = value.astimezone(business.zone)
    said = {"day": day(local.date()), "time": formats.time_format(local, "TIME_FORMAT")}
    return _("%(day)s, %(time)s") % said


def _line(row: Any, currency: str) -> Line:
    return Line(
        description=row.description,
        quantity=formats.number_format(row.quantity.normalize(), use_l10n=True, force_grouping=True),
        price=format_money(row.unit_price, currency),
        tax=percent(row.tax_percent) if row.tax_percent else "",
        amount=format_money(rounded(row.quantity * row.unit_price), currency),
    )


def percent(value: Decimal) -> str:
    """Write a rate: 19%, 7.7%."""
    return _("%(rate)s%%") % {"rate": formats.number_format(documents.plain(value), use_l10n=True)}


def _sums(document: Quote | Agreement, rows: list[Any], currency: str) -> Iterable[Sum]:
    before = sum((rounded(row.quantity * row.unit_price) for row in rows), Decimal(0))
    if document.discount_percent:
        yield Sum(_("Subtotal"), format_money(before, currency))
        label = _("Discount of %(rate)s") % {"rate": percent(document.discount_percent)}
        yield Sum(label, format_money(document.net - before, currency))
    taxes: Mapping[Decimal, Decimal] = _taxes(rows)
    if taxes:
        yield Sum(_("Net"), format_money(document.net, currency))
    for rate, amount in sorted(taxes.items()):
        yield Sum(_("Tax of %(rate)s") % {"rate": percent(rate)}, format_money(amount, currency))
    yield Sum(_("Total"), format_money(document.total, currency), is_total=True)


def _taxes(rows: list[Any]) -> dict[Decimal, Decimal]:
    found: dict[Decimal, Decimal] = {}
    for row in rows:
        if row.tax_percent:
            found[row.tax_percent] = found.get(row.tax_percent, Decimal(0)) + row.tax
    return found


def _accepted(document: Quote | Agreement, business: BusinessSettings) -> str:
    if not isinstance(document, Quote) or document.answered_at is None or document.declined or document.answered_by:
        return ""
    return _("Accepted on %(when)s") % {"when": moment(document.answered_at, business)}


def _signatures(document: Quote | Agreement, business: BusinessSettings) -> Iterable[Signature]:
    if isinstance(document, Quote):
        if document.answered_at is not None and document.answered_by and not document.declined:
            noted = document.answer_noted_by_id is not None
            yield _agreed(document.customer.name, document.answered_by, document.answered_at, noted, business)
        return
    for each in document.recipients.all():
        if each.role != Recipient.Role.SIGNER:
            continue
        if str(each.state) == "accepted" and each.answered_at is not None:
            yield _agreed(each.name, each.answered_as, each.answered_at, each.noted_by_id is not None, business)
        else:
            yield Signature(each.name, "", "")


def _agreed(name: str, signed_as: str, at: datetime, noted: bool, business: BusinessSettings) -> Signature:
    """Print a signature only where somebody signed; a yes that the business noted is told as that."""
    if not noted:
        return Signature(name, signed_as, moment(at, business))
    words = _("Agreed %(when)s, as noted by %(business)s")
    if signed_as:
        words = _("Agreed %(when)s by %(who)s, as noted by %(business)s")
    return Signature(name, "", words % {"when": moment(at, business), "who": signed_as, "business": business.name})
