"""Who receives a quote or agreement, as its page shows them: their answer, their private link, what can be done."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access, agreements, days, document_mail, foresight, history, links, offers, papers, quotes
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.days import Said
from opportunities.documents import Desk
from opportunities.errors import Blocker
from opportunities.links import Standing as LinkStanding
from opportunities.models import Agreement, Job, OutgoingEmail, Quote, QuoteRecipient, Recipient
from opportunities.offers import Offer
from opportunities.states import QuoteState, RecipientState

_TONES = {"viewed": "info", "accepted": "good", "rejected": "bad", "expired": "warn", "canceled": "outlined"}
_IN_HAND = {"sent", "viewed"}


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient: who, in which role, how far, and their link while there is something to see by it."""

    pk: int
    name: str
    email: str
    role: str
    state: str
    tone: str
    said: tuple[str, ...]
    """What they did, one sentence each: when they opened it, as whom they answered, what they said."""
    address: str
    offers: tuple[Offer, ...]
    renewal: Offer | None
    mailed: "Mailed | None" = None
    mailing: Offer | None = None


@dataclass(frozen=True, slots=True)
class Mailed:
    """How far the newest mail to a recipient has come, and the number of its row in the outbox."""

    pk: int
    said: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an agreement is: signed 1 of 2, until when, what it replaces and what replaced it."""

    signed: str
    valid_until: Said | None
    replaces: Agreement | None
    replaced_by: Agreement | None


def standing_of(document: AnyDocument, *, today: date) -> Standing | None:
    """Say how far an agreement is; other documents are not signed."""
    if not isinstance(document, Agreement):
        return None
    said = {"signed": document.signed_count, "signers": document.signer_count}
    return Standing(
        signed=_("%(signed)s of %(signers)s") % said if document.signer_count else _("Nobody signs it yet"),
        valid_until=None if document.valid_until is None else days.say(document.valid_until, today),
        replaces=document.replaces,
        replaced_by=Agreement.objects.filter(replaces=document).first() if document.is_dead else None,
    )


def of(document: AnyDocument, *, desk: Desk, reader: Person) -> list[Row]:
    """List the recipients of a document for this reader, with their mails, in two statements; a job has none."""
    rows: list[Row] = []
    if isinstance(document, Job):
        return rows
    if isinstance(document, Quote):
        rows = [_of_quote(each, document, desk, reader) for each in document.recipients.all()]
    else:
        prefetch_related_objects([document], "recipients__noted_by")
        signers = list(document.recipients.all())
        rows = [_of_agreement(each, signers, document, desk, reader) for each in signers]
    mails = document_mail.latest(document)
    found: dict[int, Any] = {each.pk: each for each in document.recipients.all()}
    return [_with_mail(row, found[row.pk], mails.get(row.pk), document, desk, reader) for row in rows]


def _with_mail(
    row: Row, recipient: Any, mail: OutgoingEmail | None, document: Quote | Agreement, desk: Desk, reader: Person
) -> Row:
    """Add how far the mail to a recipient has come, and whether they can be mailed now."""
    offer = mail_offer(recipient, document, desk, reader, again=mail is not None)
    return replace(
        row,
        mailed=None if mail is None else _mailed(mail, recipient, desk),
        mailing=offer if offer.allowed else None,
    )


def _mailed(mail: OutgoingEmail, recipient: QuoteRecipient | Recipient, desk: Desk) -> Mailed:
    state = OutgoingEmail.State
    words, tone, icon = {
        state.QUEUED: (_("The mail is waiting to be sent"), "", "clock"),
        state.SENDING: (_("The mail is being sent"), "", "clock"),
        state.SENT: (_("Mailed %(when)s"), "", "check"),
        state.FAILED: (_("The mail could not be sent"), "bad", "triangle-alert"),
        state.UNSURE: (_("Perhaps mailed: the line was lost. Ask before you mail it again"), "warn", "triangle-alert"),
    }[state(mail.state)]
    if mail.state == state.QUEUED and mail.attempts:
        words = _("The mail could not be sent yet, and is tried again")
    if mail.state == state.SENT and mail.kept_here:
        words = _("Mailed %(when)s, but only to the outbox here: no mail server is set up")
    said = words % {"when": papers.moment(mail.sent_at, desk.business) if mail.sent_at is not None else ""}
    if links.address(recipient) not in mail.body:
        said = _("%(said)s, with a link that has ended since") % {"said": said}
    return Mailed(mail.pk, said, tone, icon)


def _of_quote(recipient: QuoteRecipient, quote: Quote, desk: Desk, reader: Person) -> Row:
    out = links.is_shown(quote, recipient, business=desk.business, today=desk.today)
    waits = str(quote.state) == QuoteState.SUBMITTED
    state, tone = (_("Viewed"), "info") if recipient.viewed_at else (_("Not opened yet"), "outlined")
    if not quote.submit_count:
        state, tone = _("Not sent yet"), "outlined"
    said = [_opened(recipient.viewed_at, desk)] if recipient.viewed_at is not None else []
    return Row(
        pk=recipient.pk,
        name=recipient.name,
        email=recipient.email,
        role="",
        state=state,
        tone=tone,
        said=tuple(said),
        address=links.address(recipient) if out else "",
        offers=(),
        renewal=renew_offer(recipient, quote, desk, reader) if out and (waits or recipient.viewed_at) else None,
    )


def _of_agreement(
    recipient: Recipient, people: list[Recipient], agreement: Agreement, desk: Desk, reader: Person
) -> Row:
    state = str(recipient.state)
    shown = links.is_shown(agreement, recipient, business=desk.business, today=desk.today)
    out = str(agreement.state) == "submitted" and not _card_is_closed(agreement)
    acts: list[Offer] = []
    if recipient.role == Recipient.Role.SIGNER and state in _IN_HAND:
        acts += [respond_offer(recipient, people, agreement, desk, reader, accepted=yes) for yes in (True, False)]
    if recipient.is_waiting:
        acts.append(readdress_offer(recipient, agreement, desk, reader))
    if out and recipient.is_waiting:
        acts.append(cancel_offer(recipient, agreement, desk, reader))
    return Row(
        pk=recipient.pk,
        name=recipient.name,
        email=recipient.email,
        role=str(recipient.get_role_display()),
        state=str(recipient.get_state_display()),
        tone=_TONES.get(state, "outlined"),
        said=tuple(_said(recipient, desk)),
        address=links.address(recipient) if shown else "",
        offers=tuple(each for each in acts if each.allowed),
        renewal=renew_offer(recipient, agreement, desk, reader) if out else None,
    )


def links_in_words(document: AnyDocument, *, desk: Desk) -> str:
    """Say what the private links of a document are good for now, as colleagues read it; of a job nothing."""
    if isinstance(document, Job):
        return ""
    people = list(document.recipients.all())
    if not people:
        return _("Nobody is named as a recipient yet.")
    found = {each.pk: links.standing_of(document, each, desk.today) for each in people}
    standing = next((each for each in found.values() if each in _STILL_OUT), next(iter(found.values())))
    if standing in _ENDED:
        shown = any(links.is_shown(document, each, business=desk.business, today=desk.today) for each in people)
        after = _("The links still show it.") if shown else _("The links show it no more, only what became of it.")
        return f"{_ENDED[standing]} {after}"
    return str(_LINKS.get(standing, _CLOSED_LINKS))


_STILL_OUT = (LinkStanding.OPEN, LinkStanding.SIGNED, LinkStanding.COPY)
_OPEN_LINKS = gettext_lazy("Each person has a link of their own. Whoever holds it sees the document and may answer it.")
_CLOSED_LINKS = gettext_lazy("It is not open any more. The links only say so, and whom to call.")
_LINKS: dict[LinkStanding, Any] = {
    **dict.fromkeys(_STILL_OUT, _OPEN_LINKS),
    LinkStanding.NOT_OUT: gettext_lazy(
        "It is not submitted yet. Once it is, each person has a link of their own here."
    ),
    LinkStanding.REVISED: gettext_lazy(
        "It was changed since it was submitted. The links show it again once it is submitted again."
    ),
    LinkStanding.REPLACED: gettext_lazy("It was replaced by a newer one. The links only say so."),
}
_ENDED: dict[LinkStanding, Any] = {
    LinkStanding.EXPIRED: gettext_lazy("It has expired, so it cannot be answered."),
    LinkStanding.ACCEPTED: gettext_lazy("It was accepted, so there is nothing left to answer."),
    LinkStanding.ORDERED: gettext_lazy("It became a job, so there is nothing left to answer."),
    LinkStanding.DECLINED: gettext_lazy("It was declined, so it cannot be answered any more."),
    LinkStanding.OTHER_DECLINED: gettext_lazy("It was declined, so it cannot be answered any more."),
}


def _card_is_closed(document: Quote | Agreement) -> bool:
    return document.opportunity is not None and document.opportunity.is_closed


def _said(recipient: Recipient, desk: Desk) -> Iterable[str]:
    if recipient.viewed_at is not None:
        yield _opened(recipient.viewed_at, desk)
    elif recipient.sent_at is not None:
        yield _("Sent %(when)s") % {"when": papers.moment(recipient.sent_at, desk.business)}
    if recipient.answered_at is None:
        return
    said = {"when": papers.moment(recipient.answered_at, desk.business), "name": recipient.answered_as}
    if str(recipient.state) == RecipientState.ACCEPTED:
        words = _("Accepted as “%(name)s” %(when)s") if recipient.answered_as else _("Accepted %(when)s")
    else:
        words = _("Rejected as “%(name)s” %(when)s") if recipient.answered_as else _("Rejected %(when)s")
    yield words % said
    if recipient.noted_by is not None:
        yield _("Noted by %(who)s, not signed by link") % {"who": history.label(recipient.noted_by)}
    if recipient.decline_note:
        yield _("“%(note)s”") % {"note": recipient.decline_note}


def _opened(moment: datetime, desk: Desk) -> str:
    return _("Opened %(when)s") % {"when": papers.moment(moment, desk.business)}


# What may be done with one of them, and what it makes of the card


def respond_offer(
    recipient: Recipient, people: list[Recipient], agreement: Agreement, desk: Desk, reader: Person, *, accepted: bool
) -> Offer:
    """Judge noting this signer's answer, and say beforehand what it makes of the card."""
    others = [each for each in people if each.pk != recipient.pk and each.role == Recipient.Role.SIGNER]
    given = {"signer_left": any(str(each.state) != RecipientState.ACCEPTED for each in others)} if accepted else {}
    refusals = [each for each in agreements.respond_blockers(agreement, recipient, desk) if each is not None]
    words = _("Note that %(name)s accepted") if accepted else _("Note that %(name)s rejected")
    return _offer(
        ("accept" if accepted else "reject", _("Accepted") if accepted else _("Rejected")),
        words % {"name": recipient.name},
        f"{reverse('opportunities:recipient-respond', args=[recipient.pk])}?answer={'yes' if accepted else 'no'}",
        (agreement, desk, reader),
        refusals,
        given,
    )


def cancel_offer(recipient: Recipient, agreement: Agreement, desk: Desk, reader: Person) -> Offer:
    """Judge asking this recipient no more; without one of its signers the agreement, and the deal with it, is lost."""
    signer = recipient.role == Recipient.Role.SIGNER
    refusals = list(agreements.blockers("cancel_recipient", agreement, desk))
    return _offer(
        ("cancel_signer" if signer else "cancel_copy", _("Cancel recipient")),
        _("Cancel %(name)s") % {"name": recipient.name},
        reverse("opportunities:recipient-cancel", args=[recipient.pk]),
        (agreement, desk, reader),
        refusals,
        {},
    )


def readdress_offer(recipient: Recipient, agreement: Agreement, desk: Desk, reader: Person) -> Offer:
    """Judge correcting a name or an address."""
    return _offer(
        ("readdress", _("Correct")),
        _("Correct %(name)s") % {"name": recipient.name},
        reverse("opportunities:recipient-readdress", args=[recipient.pk]),
        (agreement, desk, reader),
        list(agreements.blockers("readdress", agreement, desk)),
        {},
    )


def renew_offer(
    recipient: QuoteRecipient | Recipient, document: Quote | Agreement, desk: Desk, reader: Person
) -> Offer:
    """Judge giving a recipient a new link, which ends the old one."""
    of_quote = isinstance(recipient, QuoteRecipient)
    ask = quotes.blockers if isinstance(document, Quote) else agreements.blockers
    return _offer(
        ("renew_link", _("Make a new link")),
        _("Make a new link for %(name)s") % {"name": recipient.name},
        reverse(
            "opportunities:quote-recipient-renew" if of_quote else "opportunities:recipient-renew", args=[recipient.pk]
        ),
        (document, desk, reader),
        list(ask("renew_link", document, desk)),  # type: ignore[arg-type]  # the one that fits the document
        {},
    )


def mail_offer(
    recipient: QuoteRecipient | Recipient, document: Quote | Agreement, desk: Desk, reader: Person, *, again: bool
) -> Offer:
    """Judge mailing a document that is out to one recipient, with the link that is in force."""
    of_quote = isinstance(recipient, QuoteRecipient)
    words = _("Mail it again to %(name)s") if again else _("Mail it to %(name)s")
    return _offer(
        ("mail", _("Mail again") if again else _("Mail it")),
        words % {"name": recipient.name},
        reverse(
            "opportunities:quote-recipient-mail" if of_quote else "opportunities:recipient-mail", args=[recipient.pk]
        ),
        (document, desk, reader),
        document_mail.send_blockers(document, recipient, desk),
        {},
    )


def _offer(
    named: tuple[str, str],
    label: str,
    url: str,
    about: tuple[Quote | Agreement, Desk, Person],
    refusals: list[Blocker],
    given: dict[str, bool],
) -> Offer:
    verb, name = named
    document, desk, reader = about
    right = document.REF
    if not access.may_with_document(reader, right, document):
        words = access.who_may(right, document.opportunity)
        refusals = [*refusals, Blocker("NOT_ALLOWED", words, subject=document.number)]
    short, sentence = "", ""
    card = document.opportunity
    if card is not None and not refusals:
        before = desk.facts_of(card.pk)
        following = foresight.after(verb, document, before, **given)
        now, then = foresight.present(card, before), foresight.foresee(card, before, following)
        short, sentence = offers.in_words(card, now, then)
    return Offer(
        verb=verb,
        name=name,
        label=_("%(act)s and %(consequence)s") % {"act": label, "consequence": short} if short else label,
        consequence=sentence,
        refusals=tuple(refusals),
        url=url,
        grave=verb in {"reject", "cancel_signer"},
    )
