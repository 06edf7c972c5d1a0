"""Private links: what a customer's link shows today, and the answers that come by it.

A link is the kind and number of its recipient and their nonce, signed. Whoever holds it sees one document and may
answer it; a new nonce ends it. It works as long as the document can be answered, then 90 days for reading, then it
only says what became of the document and whom to call.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import agreements, days, documents, history, quotes
from opportunities.errors import Blocker, Refused
from opportunities.link_keys import AnyRecipient, Key, address, read, token_of
from opportunities.models import Agreement, BusinessSettings, Event, Quote, QuoteRecipient, Recipient
from opportunities.states import AgreementStatus, QuoteState, RecipientState

__all__ = ["Key", "address", "read", "token_of"]

READABLE_FOR = timedelta(days=90)
"""How long a document that nobody can answer any more is still shown."""

type Offered = Quote | Agreement


class Standing(StrEnum):
    """What a link is good for now."""

    OPEN = "open"
    COPY = "copy"
    NOT_OUT = "not_out"
    REVISED = "revised"
    OLD_LINK = "old_link"
    CLOSED = "closed"
    REPLACED = "replaced"
    EXPIRED = "expired"
    SIGNED = "signed"
    ACCEPTED = "accepted"
    ORDERED = "ordered"
    DECLINED = "declined"
    OTHER_DECLINED = "other_declined"


_UNENDING = frozenset({Standing.OPEN, Standing.COPY, Standing.SIGNED})
_READABLE = _UNENDING | {
    Standing.EXPIRED,
    Standing.ACCEPTED,
    Standing.ORDERED,
    Standing.DECLINED,
    Standing.OTHER_DECLINED,
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What the holder of a link sees: how things stand in a sentence, the document if it may be read, whom to call."""

    kind: str
    standing: Standing
    sentence: str
    document: Offered | None
    recipient: AnyRecipient | None
    salesperson: str

    @property
    def can_answer(self) -> bool:
        """Tell whether this recipient is asked for an answer now."""
        return self.standing is Standing.OPEN

    @property
    def is_agreed(self) -> bool:
        """Tell whether the answer was yes."""
        return self.standing in {Standing.SIGNED, Standing.ACCEPTED, Standing.ORDERED}

    @property
    def is_answered(self) -> bool:
        """Tell whether an answer was given, yes or no."""
        return self.is_agreed or self.standing is Standing.DECLINED


# What it shows


def look(key: Key, *, today: date) -> Sight:
    """Tell what this link shows on a local day. Writes nothing."""
    recipient = _recipient_of(key)
    if recipient is None or recipient.nonce != key.nonce:
        return _without_document(key, Standing.OLD_LINK)
    document = recipient.quote if isinstance(recipient, QuoteRecipient) else recipient.agreement
    return _sight(key, document, recipient, today)


def _recipient_of(key: Key) -> AnyRecipient | None:
    if key.kind == "quote":
        people = ("quote__customer", "quote__created_by", "quote__opportunity__salesperson")
        found = QuoteRecipient.objects.select_related(*people).prefetch_related("quote__lines")
        return found.filter(pk=key.recipient_id).first()
    people = ("agreement__customer", "agreement__created_by", "agreement__opportunity__salesperson")
    rows = Recipient.objects.select_related(*people, "agreement__replaced_by")
    rows = rows.prefetch_related("agreement__lines", "agreement__recipients")
    return rows.filter(pk=key.recipient_id).first()


def _without_document(key: Key, standing: Standing) -> Sight:
    return Sight(key.kind, standing, _in_words(standing, key.kind, None, None), None, None, "")


def _sight(key: Key, document: Offered, recipient: AnyRecipient, today: date) -> Sight:
    standing = standing_of(document, recipient, today)
    ended_on = _ended_on(document, recipient)
    sentence = _in_words(standing, key.kind, document, ended_on)
    shown = document if _is_readable(standing, ended_on, today) else None
    return Sight(key.kind, standing, sentence, shown, recipient, _salesperson_of(document))


def standing_of(document: Offered, recipient: AnyRecipient, today: date) -> Standing:
    """Tell what the link of a recipient of this document is good for on a local day."""
    if isinstance(document, Quote):
        return _of_quote(document, today)
    return _of_agreement(document, recipient, today) if isinstance(recipient, Recipient) else Standing.CLOSED


def is_shown(document: Offered, recipient: AnyRecipient, *, business: BusinessSettings, today: date) -> bool:
    """Tell whether the link of a recipient shows the document, and not only what became of it."""
    return _is_readable(standing_of(document, recipient, today), _ended_on(document, recipient, business), today)


def _is_readable(standing: Standing, ended_on: date | None, today: date) -> bool:
    late = standing not in _UNENDING and ended_on is not None and ended_on + READABLE_FOR < today
    return standing in _READABLE and not late


def _is_closed(document: Offered) -> bool:
    return document.opportunity is not None and document.opportunity.is_closed


def _of_quote(quote: Quote, today: date) -> Standing:
    state = QuoteState(str(quote.state))
    if _is_closed(quote) or state is QuoteState.VOID:
        return Standing.CLOSED
    if state is QuoteState.CANCELED:
        return Standing.DECLINED if quote.declined else Standing.CLOSED
    if state is QuoteState.CONVERTED:
        return Standing.ACCEPTED if quote.answered_at is not None else Standing.ORDERED
    if quote.is_archived:
        return Standing.CLOSED
    if state is QuoteState.SUBMITTED:
        return Standing.EXPIRED if quote.is_expired_on(today) else Standing.OPEN
    plain = {QuoteState.ACCEPTED: Standing.ACCEPTED, QuoteState.MODIFIED: Standing.REVISED}
    return plain.get(state, Standing.NOT_OUT)


def _of_agreement(agreement: Agreement, recipient: Recipient, today: date) -> Standing:
    if _is_closed(agreement):
        return Standing.CLOSED
    shown = agreement.status_on(today)
    state = RecipientState(str(recipient.state))
    if shown is AgreementStatus.VOID:
        return Standing.REPLACED if hasattr(agreement, "replaced_by") else Standing.CLOSED
    if shown is AgreementStatus.REJECTED:
        return Standing.DECLINED if state is RecipientState.REJECTED else Standing.OTHER_DECLINED
    if shown is AgreementStatus.SUBMITTED:
        if state is RecipientState.ACCEPTED:
            return Standing.SIGNED
        if state is RecipientState.CANCELED:
            return Standing.CLOSED
        return Standing.OPEN if recipient.role == Recipient.Role.SIGNER else Standing.COPY
    return {
        AgreementStatus.ACCEPTED: Standing.ACCEPTED,
        AgreementStatus.EXPIRED: Standing.EXPIRED,
        AgreementStatus.CANCELED: Standing.CLOSED,
    }.get(shown, Standing.NOT_OUT)


def _ended_on(document: Offered, recipient: AnyRecipient, business: BusinessSettings | None = None) -> date | None:
    """Return the local day on which the document was answered or expired; for a signer who waits, of their answer."""
    if isinstance(recipient, Recipient):
        moment = recipient.answered_at
        if isinstance(document, Agreement) and document.status != AgreementStatus.SUBMITTED:
            return document.ended_on
    else:
        assert isinstance(document, Quote)  # noqa: S101 - a link names both of one kind
        moment = document.answered_at
        if moment is None and str(document.state) == QuoteState.CONVERTED:
            moment = document.submitted_at or document.created_at
    if moment is not None:
        return (business or BusinessSettings.current()).local_date(moment)
    return document.valid_until


def _salesperson_of(document: Offered) -> str:
    """Name whom the customer knows: the card's salesperson, else who made the document; nobody who has left."""
    card = document.opportunity
    for person in (card.salesperson if card is not None else None, document.created_by):
        if person is not None and person.is_active:
            return history.label(person)
    return ""


def _in_words(standing: Standing, kind: str, document: Offered | None, ended_on: date | None) -> str:
    what = _("This quote") if kind == "quote" else _("This agreement")
    if isinstance(document, Agreement) and document.kind == Agreement.Kind.PROPOSAL:
        what = _("This proposal")
    said = {"what": what, "day": "" if ended_on is None else days.full(ended_on)}
    words = {
        Standing.OPEN: "",
        Standing.COPY: _("You get a copy. Nothing is asked of you."),
        Standing.NOT_OUT: _("%(what)s is still being prepared. You will hear when it is ready."),
        Standing.REVISED: _("%(what)s is being revised. You will hear when the new version is ready."),
        Standing.OLD_LINK: _("This link was replaced by a newer one. Please ask for the new link."),
        Standing.CLOSED: _("%(what)s is not open any more, so it cannot be answered."),
        Standing.REPLACED: _("%(what)s was replaced by a newer version. Please ask for its link."),
        Standing.EXPIRED: _("%(what)s has expired: its last day was %(day)s. Ask for a new one if you are interested."),
        Standing.SIGNED: _("You accepted on %(day)s. It is settled once everybody has accepted."),
        Standing.ACCEPTED: _("%(what)s was accepted on %(day)s."),
        Standing.ORDERED: _("%(what)s is ordered already, so there is nothing left to answer."),
        Standing.DECLINED: _("%(what)s was declined on %(day)s."),
        Standing.OTHER_DECLINED: _("%(what)s was declined by another signer, so it cannot be answered any more."),
    }[standing]
    if standing is Standing.EXPIRED and document is not None and document.valid_until is not None:
        said["day"] = days.full(document.valid_until)
    return words % said


def fingerprint(document: Offered) -> str:
    """Name what the customer sees of a document in one short text: an answer sends it back, so nobody signs unseen."""
    facts = [document.title, document.discount_percent, document.total, document.valid_until]
    facts += [document.terms, document.service_date] if isinstance(document, Quote) else [document.text]
    facts += [
        (line.description, documents.plain(line.quantity), line.unit_price, line.net, line.tax)
        for line in document.lines.all()
    ]
    return hashlib.sha256(repr([str(fact) for fact in facts]).encode()).hexdigest()[:16]


# What comes by it


@transaction.atomic
def answer(key: Key, *, accepted: bool, name: str, note: str, seen: str, now: datetime) -> Offered:
    """Take a recipient's answer. The first one counts (D18, D20); it is noted as theirs, "Dr. A. Lowell by link".

    :raises Refused: it cannot be answered by this link any more, or not as it was shown: CHANGED_SINCE_SHOWN.
    """
    document, sight = _under_lock(key, now)
    if document is None or not sight.can_answer:
        raise Refused(Blocker("WRONG_STATE", sight.sentence))
    if seen != fingerprint(document):
        words = _("This was changed since you opened it. Please read it again before you answer.")
        raise Refused(Blocker("CHANGED_SINCE_SHOWN", words))
    with history.acting(via=Event.Via.LINK, by=_by_link(name)):
        # Who answers has seen it, though no script told so.
        (agreements.view if key.kind == "agreement" else quotes.view)(recipient_id=key.recipient_id, now=now)
        if key.kind == "agreement":
            return agreements.respond(
                recipient_id=key.recipient_id, accepted=accepted, name=name, note=note, actor=None, now=now
            )
        if accepted:
            return quotes.accept(quote_id=document.pk, name=name, actor=None, now=now)
        return quotes.decline(quote_id=document.pk, name=name, note=note, actor=None, now=now)


def _under_lock(key: Key, now: datetime) -> tuple[Offered | None, Sight]:
    """Look again with the card and the document locked: what is seen now stays so until the answer is written."""
    recipient = _recipient_of(key)
    if recipient is None:
        return None, _without_document(key, Standing.OLD_LINK)
    of_quote = isinstance(recipient, QuoteRecipient)
    pk = recipient.quote_id if isinstance(recipient, QuoteRecipient) else recipient.agreement_id
    named = {"quote_id" if of_quote else "agreement_id": pk}
    desk = documents.open_desk(**named, actor=None, now=now)  # type: ignore[arg-type]  # one of two numbers
    sight = look(key, today=desk.today)
    return sight.document, sight


def note_view(key: Key, *, today: date, now: datetime) -> None:
    """Note that the page of this link was looked at, while it can be answered; otherwise nothing."""
    sight = look(key, today=today)
    if sight.recipient is None or sight.standing not in {Standing.OPEN, Standing.COPY}:
        return
    view = quotes.view if key.kind == "quote" else agreements.view
    with history.acting(via=Event.Via.LINK, by=_by_link(sight.recipient.name)):
        view(recipient_id=key.recipient_id, now=now)


def _by_link(name: str) -> str:
    return (_("%(name)s by link") % {"name": name})[:150]
