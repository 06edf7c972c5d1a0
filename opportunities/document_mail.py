"""The mails that bring a quote or agreement to its recipients, each with the recipient's own private link (D35, D37).

They are written in the transaction of the act they tell of: what is refused or rolled back mails nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import days, documents, history, link_keys, mail, outbox
from opportunities.access import Person
from opportunities.documents import Desk, refuse_if
from opportunities.errors import Blocker
from opportunities.link_keys import AnyRecipient
from opportunities.mail import Rendered
from opportunities.models import (
    Agreement,
    BusinessSettings,
    OutgoingEmail,
    PersonPhone,
    Quote,
    QuoteRecipient,
    Recipient,
)
from opportunities.money import format_money
from opportunities.states import AgreementStatus, QuoteState

type Offered = Quote | Agreement


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be mailed: the words as they were edited, placeholders not filled in yet, and to which recipients."""

    subject: str
    body: str
    to: frozenset[int]


@dataclass(frozen=True, slots=True)
class Letter:
    """A finished mail to one recipient."""

    recipient: AnyRecipient
    words: Rendered


def key_of(document: Offered) -> str:
    """Name the template that mails of this document begin with."""
    return mail.QUOTE_SUBMITTED if isinstance(document, Quote) else mail.AGREEMENT_SUBMITTED


# Writing


def compose(document: Offered, message: Message | None, *, desk: Desk) -> list[Letter]:
    """Write the mails, in nobody's hands yet; none without a message.

    :raises ValidationError: at subject, body or to: the words are blank or name what nobody knows, the link is missing,
        nobody is named, or somebody who has no address or is no recipient any more.
    """
    if message is None:
        return []
    check(document, message.subject, message.body)
    people = [each for each in document.recipients.all() if each.pk in message.to]
    if not message.to:
        raise ValidationError({"to": _("Tick at least one person, or send it another way.")})
    if len(people) < len(message.to):
        raise ValidationError({"to": _("The recipients were changed meanwhile. Look at them again.")})
    if without := [each.name for each in people if not each.email]:
        raise ValidationError({"to": _("There is no e-mail address of %(names)s.") % {"names": ", ".join(without)}})
    return _letters(document, people, message.subject, message.body, desk.business)


def check(document: Offered, subject: str, body: str) -> None:
    """Let the words of a mail pass, for this document. Errors at subject and body, as `mail.check`."""
    key = key_of(document)
    mail.check(subject, body, key)
    if "link" not in mail.render(subject, body, {}, key).empty:
        words = _("Leave {{ link }} in the text: without their private link nobody can read or answer it.")
        raise ValidationError({"body": words})


def _letters(
    document: Offered, people: Iterable[AnyRecipient], subject: str, body: str, business: BusinessSettings
) -> list[Letter]:
    common = values_of(document, business=business)
    key = key_of(document)
    return [Letter(each, mail.render(subject, body, values_for(each, common), key)) for each in people]


def values_of(document: Offered, *, business: BusinessSettings) -> dict[str, str]:
    """Return what the placeholders stand for, whoever it is written to; what is not known is empty."""
    card, salesperson = document.opportunity, salesperson_of(document)
    priced = isinstance(document, Quote) or bool(document.total)
    return {
        "customer_name": document.customer.name,
        "opportunity_title": "" if card is None else card.title,
        "opportunity_number": "" if card is None else card.number,
        "salesperson_name": "" if salesperson is None else history.label(salesperson),
        "salesperson_email": "" if salesperson is None else salesperson.email,
        "salesperson_phone": "" if salesperson is None else PersonPhone.of(salesperson.pk),
        "business_name": business.name,
        "business_phone": business.phone,
        "business_email": business.email,
        "document_kind": _kind(document),
        "document_number": document.number,
        "document_title": document.title,
        "total": format_money(document.total, business.currency) if priced else "",
        "valid_until": "" if document.valid_until is None else days.full(document.valid_until),
    }


def values_for(recipient: AnyRecipient, common: Mapping[str, str]) -> dict[str, str]:
    """Add what is this recipient's alone: their name and their private link."""
    return {**common, "recipient_name": recipient.name, "link": link_keys.address(recipient)}


def _kind(document: Offered) -> str:
    if isinstance(document, Quote):
        return _("quote")
    return _("proposal") if document.kind == Agreement.Kind.PROPOSAL else _("agreement")


def salesperson_of(document: Offered) -> Person | None:
    """Return whom the customer knows: the card's salesperson, else who made the document; nobody who has left."""
    card = document.opportunity
    for person in (card.salesperson if card is not None else None, document.created_by):
        if person is not None and person.is_active:
            return person
    return None


# Into the outbox


def queue(document: Offered, letters: Iterable[Letter], *, desk: Desk) -> dict[str, Any]:
    """Put the mails in the outbox; returns what history keeps of it: to whom."""
    letters = list(letters)
    if not letters:
        return {}
    salesperson = salesperson_of(document)
    reply_to = (salesperson.email if salesperson is not None else "") or desk.business.email
    for letter in letters:
        of_quote = isinstance(letter.recipient, QuoteRecipient)
        about: dict[str, Any] = {document.REF: document}
        about["quote_recipient" if of_quote else "recipient"] = letter.recipient
        outbox.queue(
            kind=document.REF,
            to=[letter.recipient.email],
            subject=letter.words.subject,
            body=letter.words.text,
            html=letter.words.html,
            reply_to=reply_to,
            actor=desk.actor,
            now=desk.now,
            opportunity=document.opportunity,
            **about,
        )
    return {"mailed": [None, [letter.recipient.name for letter in letters]]}


def mailed(document: Offered) -> list[Any]:
    """List the recipients who had the document by mail, or are about to."""
    return list(document.recipients.filter(mails__isnull=False).distinct())


def take_back(recipient: AnyRecipient) -> None:
    """Take out of the outbox what waits there for a recipient: its link is dead, or another mail takes its place."""
    recipient.mails.filter(state=OutgoingEmail.State.QUEUED).delete()


def mail_anew(document: Offered, people: Iterable[AnyRecipient], *, desk: Desk) -> dict[str, Any]:
    """Mail a document that is out to those whose name, address or link is another now, in the words of the template.

    Nobody without an address gets one. :raises ValidationError: the template cannot be filled in.
    """
    people = list(people)
    reachable = [each for each in people if each.email and _waits(document, each, desk)]
    for each in people:
        take_back(each)
    if not reachable:
        return {}
    subject, body = begins_with(document)
    check(document, subject, body)
    return queue(document, _letters(document, reachable, subject, body, desk.business), desk=desk)


def begins_with(document: Offered) -> tuple[str, str]:
    """Return the subject and text that a mail of this document begins with."""
    return mail.begins_with(key_of(document))


# Mailing it later, or again


@transaction.atomic
def send(
    *,
    quote_recipient_id: int | None = None,
    recipient_id: int | None = None,
    subject: str,
    body: str,
    actor: Person | None,
    now: datetime,
) -> Offered:
    """Mail a document that is out to one recipient, with the link in force; what still waits for them gives way.

    :raises DoesNotExist: no such recipient, or the document is not visible to the actor.
    :raises NotAllowed: the actor may not submit it either.
    :raises Refused: CARD_TERMINAL; WRONG_STATE: nobody can answer it now; NO_ADDRESS.
    :raises ValidationError: as `compose`.
    """
    desk, document, recipient = _open(quote_recipient_id, recipient_id, actor, now)
    documents.require(desk, document.REF, document)
    refuse_if(*send_blockers(document, recipient, desk))
    letters = compose(document, Message(subject, body, frozenset({recipient.pk})), desk=desk)
    take_back(recipient)
    queue(document, letters, desk=desk)
    desk.close(f"{document.REF}_mailed", document, {"recipient": [None, recipient.name]})
    return document


def _open(
    quote_recipient_id: int | None, recipient_id: int | None, actor: Person | None, now: datetime
) -> tuple[Desk, Offered, AnyRecipient]:
    """Lock the document of a recipient, then read the recipient as they are now."""
    document: Offered
    if quote_recipient_id is not None:
        pk = QuoteRecipient.objects.values_list("quote_id", flat=True).get(pk=quote_recipient_id)
        desk = documents.open_desk(quote_id=pk, actor=actor, now=now)
        document = desk.find(Quote, pk)
        return desk, document, QuoteRecipient.objects.get(pk=quote_recipient_id)
    assert recipient_id is not None  # noqa: S101 - one of two numbers is given
    pk = Recipient.objects.values_list("agreement_id", flat=True).get(pk=recipient_id)
    desk = documents.open_desk(agreement_id=pk, actor=actor, now=now)
    document = desk.find(Agreement, pk)
    return desk, document, Recipient.objects.get(pk=recipient_id)


def send_blockers(document: Offered, recipient: AnyRecipient, desk: Desk) -> list[Blocker]:
    """List why this recipient cannot be mailed the document now; empty where they can. Rights are not judged here."""
    terminal = documents.terminal(document)
    if terminal is not None:
        return [terminal]
    found = [documents.archived(document), None if _waits(document, recipient, desk) else _not_out(document)]
    if not recipient.email:
        words = _("There is no e-mail address of %(name)s.") % {"name": recipient.name}
        found.append(Blocker("NO_ADDRESS", words, subject=document.number, url=document.get_absolute_url()))
    return [each for each in found if each is not None]


def _waits(document: Offered, recipient: AnyRecipient, desk: Desk) -> bool:
    if isinstance(document, Quote):
        return str(document.state) == QuoteState.SUBMITTED and not document.is_expired_on(desk.today)
    out = document.status_on(desk.today) is AgreementStatus.SUBMITTED
    return out and isinstance(recipient, Recipient) and recipient.is_waiting


def _not_out(document: Offered) -> Blocker:
    words = _("%(number)s does not wait for an answer now, so it is not mailed.") % {"number": document.number}
    return Blocker("WRONG_STATE", words, subject=document.number, url=document.get_absolute_url())


# Reading


def latest(document: Offered) -> dict[int, OutgoingEmail]:
    """Return the newest mail of each recipient of a document, by their number, in one statement."""
    name = "quote_recipient_id" if isinstance(document, Quote) else "recipient_id"
    rows = OutgoingEmail.objects.filter(**{document.REF: document, f"{name}__isnull": False}).order_by("pk")
    return {getattr(row, name): row for row in rows.defer("html", "error")}
