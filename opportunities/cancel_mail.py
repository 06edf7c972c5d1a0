"""The mail that tells customers of a canceled card: to whom, in which words, and into the outbox (C2, D35)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, override

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from opportunities import days, mail, outbox
from opportunities.access import Person
from opportunities.mail import Rendered, UnknownPlaceholder
from opportunities.models import BusinessSettings, Opportunity, OpportunityCustomer, OutgoingEmail, PersonPhone

MOST_EXTRA = 20
LONGEST_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class Address:
    """Who is written to: the name that people know, and the address."""

    name: str
    email: str

    @override
    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


@dataclass(frozen=True, slots=True)
class Prefill:
    """What the mail part of the cancel sheet begins with."""

    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    body: str
    values: Mapping[str, str]
    several: bool
    """More than one customer reads it, so they see each other's address."""
    error: str
    """Why there can be no mail: the stored template names what nobody knows."""

    @property
    def nobody(self) -> bool:
        """Tell whether nobody at the customers' can be written to."""
        return not self.to


@dataclass(frozen=True, slots=True)
class Message:
    """A mail as it was confirmed, checked: addresses without doubles, words not filled in yet."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    body: str
    values: Mapping[str, str] = field(default_factory=dict)


def prefill(card: Opportunity, *, business: BusinessSettings) -> Prefill:
    """Say who would be told of the cancellation, and how the mail begins (C2.3, C2.4). Writes nothing of the card."""
    parties = _parties(card)
    to = _without_doubles(_reached(parties))
    subject, body = mail.begins_with(mail.CANCELED)
    names = mail.unknown(f"{subject}\n{body}", mail.CANCELED)
    return Prefill(
        to=to,
        cc=_without_doubles(_salesperson(card), but=to),
        subject=subject,
        body=body,
        values=values_of(card, parties, business=business),
        several=len({party.customer_id for party in parties}) > 1 and len(to) > 1,
        error=mail.unknown_words(names, mail.CANCELED) if names else "",
    )


def _parties(card: Opportunity) -> list[OpportunityCustomer]:
    rows = OpportunityCustomer.objects.filter(opportunity=card).select_related("customer", "contact")
    return list(rows.order_by("position", "pk"))


def _reached(parties: Sequence[OpportunityCustomer]) -> list[Address]:
    """For each customer: its contacts on the card that have an address, else the customer's own."""
    found: list[Address] = []
    for customer in dict.fromkeys(party.customer for party in parties):
        contacts = [party.contact for party in parties if party.customer_id == customer.pk and party.contact]
        named = [Address(each.name, each.email) for each in contacts if each.active and each.email]
        found += named or ([Address(customer.name, customer.email)] if customer.email else [])
    return found


def _salesperson(card: Opportunity) -> list[Address]:
    person = card.salesperson
    if person is None or not person.is_active or not person.email:
        return []
    return [Address(person.get_full_name() or person.get_username(), person.email)]


def _without_doubles(addresses: Iterable[Address], *, but: Iterable[Address] = ()) -> tuple[Address, ...]:
    seen = {each.email.casefold() for each in but}
    kept = []
    for each in addresses:
        if each.email.casefold() not in seen:
            seen.add(each.email.casefold())
            kept.append(each)
    return tuple(kept)


def values_of(
    card: Opportunity,
    parties: Sequence[OpportunityCustomer],
    *,
    business: BusinessSettings,
    canceled_on: date | None = None,
) -> dict[str, str]:
    """Return what the placeholders stand for on this card; what is not known is empty."""
    person = card.salesperson
    return {
        "customer_name": ", ".join(dict.fromkeys(party.customer.name for party in parties)),
        "opportunity_title": card.title,
        "opportunity_number": card.number,
        "cancel_reason": card.close_reason_label,
        "canceled_on": days.with_year(canceled_on) if canceled_on else "",
        "salesperson_name": "" if person is None else person.get_full_name() or person.get_username(),
        "salesperson_email": "" if person is None else person.email,
        "salesperson_phone": "" if person is None else PersonPhone.of(person.pk),
        "business_name": business.name,
        "business_phone": business.phone,
        "business_email": business.email,
    }


def preview(filled: Prefill, *, subject: str, body: str, reason: str, today: date) -> Rendered | None:
    """Write the mail as it would leave today; None where it cannot be."""
    values = {**filled.values, "cancel_reason": reason, "canceled_on": days.with_year(today)}
    try:
        return mail.render(subject, body, values, mail.CANCELED)
    except UnknownPlaceholder:
        return None


def extra(text: str) -> list[str]:
    """Read the addresses that somebody typed: parted by commas, semicolons or line breaks (C2.5).

    :raises ValidationError: one is no address, which it names, or there are more than twenty.
    """
    typed = [each.strip() for each in re.split(r"[,;\r\n]", text) if each.strip()]
    if len(typed) > MOST_EXTRA:
        raise ValidationError(_("%(most)s further addresses at most.") % {"most": MOST_EXTRA})
    bad = [each for each in typed if not _is_address(each)]
    if bad:
        words = _("This is no e-mail address: %(addresses)s")
        raise ValidationError(words % {"addresses": ", ".join(f"“{each[:80]}”" for each in bad)})
    return typed


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= LONGEST_ADDRESS


def read(card: Opportunity, given: Mapping[str, Any], *, business: BusinessSettings) -> Message:
    """Check a mail as it was confirmed: `to` and `cc` (addresses), `extra` (typed), `subject`, `body`.

    What is not given is as the sheet proposes it. Called before anything is written.

    :raises ValidationError: at `to`, `cc`, `extra`, `subject` or `body`.
    """
    filled = prefill(card, business=business)
    errors: dict[str, Any] = {}
    typed: list[str] = []
    try:
        typed = extra(str(given.get("extra") or ""))
    except ValidationError as error:
        errors["extra"] = error.messages
    chosen: dict[str, list[str]] = {}
    for name, proposed in (("to", filled.to), ("cc", filled.cc)):
        chosen[name] = [each.email for each in proposed] if given.get(name) is None else [*given[name]]
        bad = [each for each in chosen[name] if not _is_address(str(each))]
        if bad:
            words = _("This is no e-mail address: %(addresses)s")
            errors[name] = words % {"addresses": ", ".join(f"“{str(each)[:80]}”" for each in bad)}
    subject, body = (
        str(given.get(name) or "") if name in given else getattr(filled, name) for name in ("subject", "body")
    )
    for name, text, longest in (("subject", subject, mail.LONGEST_SUBJECT), ("body", body, mail.LONGEST_BODY)):
        if not text.strip():
            errors[name] = _("Write something: a mail has a subject and a text.")
        elif len(text) > longest:
            errors[name] = _("That is too long: %(limit)s characters at most.") % {"limit": longest}
    to = _without_doubles(Address("", each) for each in chosen["to"])
    cc = _without_doubles((Address("", each) for each in (*chosen["cc"], *typed)), but=to)
    if not to and not cc and not errors:
        errors["to"] = _("Nobody is left to write to. Choose somebody, type an address, or send no mail.")
    if errors:
        raise ValidationError(errors)
    return Message(tuple(each.email for each in to), tuple(each.email for each in cc), subject, body, filled.values)


def queue(
    card: Opportunity,
    message: Message,
    *,
    business: BusinessSettings,
    today: date,
    actor: Person | None,
    now: datetime,
) -> OutgoingEmail:
    """Put the mail of a card that is being canceled in the outbox; it leaves after the commit, or never was (AC175).

    Words that cannot be filled in do not hold up the cancellation: the mail is kept as failed, and nobody gets it.
    """
    reply_to = next((each.email for each in _salesperson(card)), business.email)
    about: dict[str, Any] = {"kind": OutgoingEmail.Kind.CANCEL, "to": message.to, "cc": message.cc}
    about |= {"reply_to": reply_to, "opportunity": card, "actor": actor, "now": now}
    values = {**message.values, "cancel_reason": card.close_reason_label, "canceled_on": days.with_year(today)}
    try:
        rendered = mail.render(message.subject, message.body, values, mail.CANCELED)
    except UnknownPlaceholder as error:
        said = mail.unknown_words(error.names, mail.CANCELED)
        return outbox.queue(subject=mail.default(mail.CANCELED)[0], body="", error=said, **about)
    return outbox.queue(subject=rendered.subject, body=rendered.text, html=rendered.html, **about)
