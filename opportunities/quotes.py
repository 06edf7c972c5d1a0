"""The verbs of a quote: made, submitted, revised, answered, ended, put away, converted to a job (lifecycle.md 5.1).

All are one transaction under the locks of the card. Errors that every verb here raises:
`Quote.DoesNotExist` (no such quote, or not visible to the actor), `NotAllowed`, and `Refused` with CARD_TERMINAL where
the card is Void or Canceled, WRONG_STATE where the quote's own state does not allow it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django_fsm import can_proceed

from opportunities import access, attachments, document_mail, documents, jobs
from opportunities.access import Person
from opportunities.documents import KEEP, Desk, _Keep, refuse_if
from opportunities.errors import Blocker
from opportunities.models import Job, Opportunity, Quote, QuoteRecipient, Reason
from opportunities.models.quote import make_nonce
from opportunities.states import QuoteState

type Lines = Sequence[Mapping[str, Any] | documents.LineDraft]
type Recipients = Sequence[Mapping[str, Any]]

_PLACE = ("opportunity", "attached_on")
_ANSWER = ("answered_at", "answered_by", "answer_noted_by")


@transaction.atomic
def create(
    *,
    customer_id: int,
    opportunity_id: int | None = None,
    lines: Lines = (),
    valid_until: date | None = None,
    service_date: date | None = None,
    title: str = "",
    discount_percent: Decimal | int = 0,
    terms: str = "",
    recipients: Recipients = (),
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> Quote:
    """Make a quote for a customer, on a card of theirs or on none: Draft, or Incomplete without lines (T2).

    :raises Refused: WRONG_CUSTOMER: the customer is not on the card. CARD_TERMINAL.
    :raises ValidationError: a line or the discount is out of its bounds; the customer is gone.
    """
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
    card = desk.card(opportunity_id)
    access.require(actor, "quote", card)
    quote = Quote(
        valid_until=valid_until,
        service_date=service_date,
        discount_percent=documents.clean_discount(discount_percent),
    )
    documents.set_plain(quote, terms=terms)
    documents.begin(quote, customer_id=customer_id, card=card, title=title, desk=desk)
    refuse_if(*documents.attach_blockers(quote, card))
    desk.put_on(quote, card)
    if reopen:
        desk.reopen(card)
    quote.save(force_insert=True)
    documents.write_lines(quote, documents.drafts(lines))
    if lines:
        quote.complete()
    _write_recipients(quote, recipients or _default_recipients(quote, card))
    quote.compose_search_key()
    quote.save()
    desk.close("quote_created", quote, {})
    return quote


def _default_recipients(quote: Quote, card: Opportunity | None) -> Recipients:
    """Those of the customer's contacts that the card names, else the customer itself."""
    return documents.people_of(quote.customer, card)


def _write_recipients(quote: Quote, recipients: Recipients) -> None:
    """Make the recipients what is wanted. A person who stays keeps their link."""
    wanted = documents.clean_people(recipients)
    present = {(row.name, row.email): row for row in quote.recipients.all()}
    keys = [(each["name"], each["email"]) for each in wanted]
    for key, row in present.items():
        if key not in keys:
            document_mail.take_back(row)
            row.delete()
    for each in wanted:
        if (each["name"], each["email"]) not in present:
            QuoteRecipient.objects.create(
                quote=quote, name=each["name"], email=each["email"], contact_id=each.get("contact_id")
            )


@transaction.atomic
def revise(
    *,
    quote_id: int,
    lines: Lines | _Keep = KEEP,
    valid_until: date | None | _Keep = KEEP,
    service_date: date | None | _Keep = KEEP,
    title: str | _Keep = KEEP,
    discount_percent: Decimal | int | _Keep = KEEP,
    terms: str | _Keep = KEEP,
    recipients: Recipients | _Keep = KEEP,
    version: int | None = None,
    actor: Person | None,
    now: datetime,
) -> Quote:
    """Change a quote. Changed lines, price or words make a submitted or accepted one Modified; dates do not (T4).

    :raises Stale: somebody changed it since `version`.
    :raises ValidationError: a value is out of its bounds.
    """
    desk, quote = _open(quote_id, actor, now)
    refuse_if(*blockers("revise", quote, desk))
    documents.require_version(quote, version)
    before = _facts(quote)
    priced = _set_price(quote, lines, discount_percent)
    people = not isinstance(recipients, _Keep)
    mailed: list[QuoteRecipient] = []
    if not isinstance(recipients, _Keep):
        old = [(row.name, row.email) for row in quote.recipients.all()]
        mailed = document_mail.mailed(quote)
        _write_recipients(quote, recipients)
        people = old != [(row.name, row.email) for row in quote.recipients.all()]
    documents.set_plain(quote, valid_until=valid_until, service_date=service_date, title=title, terms=terms)
    changes = documents.compared(before, _facts(quote))
    if not (priced or people or changes):
        return quote
    old_state = str(quote.state)
    if priced or {"terms", "title"} & changes.keys():
        # The customer answered to these words, too: nothing may change under their name (W2.1).
        _follow_lines(quote)
    if old_state != str(quote.state):
        changes["state"] = [old_state, str(quote.state)]
    if people:
        changes["recipients"] = [None, [row.name for row in quote.recipients.all()]]
        changes |= document_mail.mail_anew(quote, _readdressed(quote, mailed), desk=desk)
    quote.compose_search_key()
    quote.version += 1
    quote.save()
    desk.close("quote_revised", quote, changes)
    return quote


def _readdressed(quote: Quote, mailed: Sequence[QuoteRecipient]) -> list[QuoteRecipient]:
    """Name who stands in the place of somebody who had the quote by mail: the same person, contact or address."""
    present = list(quote.recipients.all())
    gone = [row for row in mailed if row.pk not in {each.pk for each in present}]
    kept = {row.pk for row in mailed}
    contacts = {row.contact_id for row in gone} - {None}
    names, addresses = {row.name for row in gone}, {row.email.casefold() for row in gone}
    return [
        each
        for each in present
        if each.pk not in kept
        and (each.name in names or each.email.casefold() in addresses or each.contact_id in contacts)
    ]


def _facts(quote: Quote) -> dict[str, Any]:
    names = ("title", "valid_until", "service_date", "discount_percent", "net", "total", "terms")
    return {name: getattr(quote, name) for name in names}


def _set_price(quote: Quote, lines: Lines | _Keep, discount_percent: Decimal | int | _Keep) -> bool:
    """Write lines and discount; tells whether the customer would see another offer."""
    discounted = False
    if not isinstance(discount_percent, _Keep):
        wanted = documents.clean_discount(discount_percent)
        discounted = wanted != quote.discount_percent
        quote.discount_percent = wanted
    changed = not isinstance(lines, _Keep) and documents.write_lines(quote, documents.drafts(lines))
    if discounted:
        documents.reprice(quote)
    return changed or discounted


def _follow_lines(quote: Quote) -> None:
    """Take the step that changed lines bring: first line, last line, or another offer than the customer saw."""
    has_lines = quote.lines.exists()
    state = QuoteState(str(quote.state))
    if state is QuoteState.INCOMPLETE and has_lines:
        quote.complete()
    elif state is QuoteState.DRAFT and not has_lines:
        quote.empty()
    elif state in {QuoteState.SUBMITTED, QuoteState.ACCEPTED}:
        quote.modify()
        quote.answered_at, quote.answered_by, quote.answer_noted_by = None, "", None


@transaction.atomic
def submit(
    *,
    quote_id: int,
    how: str = "",
    mail: document_mail.Message | None = None,
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> Quote:
    """Note that the quote reached the customer, for the first time or again (T3, AC005). `how` is kept in history.

    With `mail` each recipient it names gets their own link, once this is committed.

    :raises Refused: NO_LINES, ARCHIVED.
    :raises ValidationError: the mail cannot be written, or goes to nobody.
    """
    desk, quote = _open(quote_id, actor, now)
    refuse_if(*blockers("submit", quote, desk))
    letters = document_mail.compose(quote, mail, desk=desk)
    if reopen:
        desk.reopen(quote.opportunity)
    changes = {"state": [str(quote.state), "submitted"], "submit_count": [quote.submit_count, quote.submit_count + 1]}
    if QuoteState(str(quote.state)) is QuoteState.MODIFIED:
        # Nobody has seen this offer yet.
        quote.recipients.update(viewed_at=None)
    quote.submit()
    quote.submitted_at = now
    quote.answered_at, quote.answered_by, quote.answer_noted_by = None, "", None
    documents.save(quote, "state", "submit_count", "submitted_at", *_ANSWER)
    mailed = document_mail.queue(quote, letters, desk=desk)
    desk.close("quote_submitted", quote, {**changes, "how": [None, documents.words(how, 200)], **mailed})
    return quote


@transaction.atomic
def view(*, recipient_id: int, now: datetime) -> Quote:
    """Note that a recipient opened the quote by their link, while it can be answered. The first time counts.

    The quote itself does not change by it, so a colleague who is editing it is not told to begin again.
    """
    desk, quote, recipient = _open_recipient(recipient_id, None, now)
    out = QuoteState(str(quote.state)) is QuoteState.SUBMITTED and not blockers("accept", quote, desk)
    if not out or recipient.viewed_at is not None:
        return quote
    recipient.viewed_at = now
    recipient.save(update_fields=["viewed_at"])
    desk.close("quote_viewed", quote, {"recipient": [None, recipient.name]})
    return quote


@transaction.atomic
def renew_link(*, recipient_id: int, actor: Person | None, now: datetime) -> Quote:
    """Give a recipient a new private link; the old one ends.

    :raises Refused: the quote is dead, or its card closed.
    """
    desk, quote, recipient = _open_recipient(recipient_id, actor, now)
    refuse_if(*blockers("renew_link", quote, desk))
    recipient.nonce = make_nonce()
    recipient.save(update_fields=["nonce"])
    document_mail.take_back(recipient)
    desk.close("quote_link_renewed", quote, {"recipient": [None, recipient.name]})
    return quote


@transaction.atomic
def accept(*, quote_id: int, name: str = "", detach_others: bool = False, actor: Person | None, now: datetime) -> Quote:
    """Note that the customer accepts; `name` is what they typed by link. No contract yet (D2, AC056).

    `detach_others` takes the other live quotes of the card off it in the same act.

    :raises Refused: ARCHIVED; QUOTE_EXPIRED: its last day has passed.
    """
    desk, quote = _open(quote_id, actor, now)
    refuse_if(*blockers("accept", quote, desk))
    quote.accept()
    quote.answer_noted_by = actor
    quote.answered_at, quote.answered_by = now, documents.words(name, 150)
    documents.save(quote, "state", *_ANSWER)
    changes: dict[str, Any] = {"state": ["submitted", "accepted"], "name": [None, quote.answered_by]}
    if detach_others and quote.opportunity is not None:
        access.require(actor, "detach", quote.opportunity)
        changes["detached"] = [None, _detach_others(desk, quote)]
    desk.close("quote_accepted", quote, changes)
    return quote


@transaction.atomic
def decline(
    *, quote_id: int, note: str = "", name: str = "", detach: bool = False, actor: Person | None, now: datetime
) -> Quote:
    """Note that the customer declines: the quote is Canceled (D20, AC083). `note` is why, in their words.

    With `detach` it leaves its card first, so that another offer there stays open (D19).

    :raises Refused: HAS_LIVE_JOB.
    """
    desk, quote = _open(quote_id, actor, now)
    refuse_if(*blockers("decline", quote, desk))
    label = _("Declined by the customer")
    old = str(quote.state)
    past = _leave(desk, quote) if detach else []
    quote.answer_noted_by = actor
    quote.cancel()
    quote.declined, quote.decline_note = True, documents.words(note, 2_000)
    quote.answered_at, quote.answered_by = now, documents.words(name, 150)
    reason = Reason.objects.filter(label=label).order_by("pk").first()
    documents.end(quote, desk=desk, reason=reason, label=label)
    documents.save(quote, *documents.END_FIELDS, "declined", "decline_note", *_ANSWER, *_PLACE)
    changes: dict[str, Any] = {
        "state": [old, "canceled"],
        "name": [None, quote.answered_by],
        "note": [None, quote.decline_note],
    }
    if past:
        changes["detached"] = [None, [quote.number]]
    desk.close("quote_declined", quote, {key: value for key, value in changes.items() if value[1]}, past=past)
    return quote


def void(*, quote_id: int, reason_id: int | None, detach: bool = False, actor: Person | None, now: datetime) -> Quote:
    """Void a quote for a reason of the void list (T5); with `detach`, it leaves its card first (D19, AC183).

    :raises Refused: HAS_LIVE_JOB, REASON_WRONG_LIST.
    :raises ValidationError: no reason.
    """
    return _end("void", Reason.List.VOID, quote_id, reason_id, detach, actor, now)


def cancel(*, quote_id: int, reason_id: int | None, detach: bool = False, actor: Person | None, now: datetime) -> Quote:
    """Cancel a quote for a reason of the cancel list (T5). Errors as `void`."""
    return _end("cancel", Reason.List.CANCEL, quote_id, reason_id, detach, actor, now)


@transaction.atomic
def _end(
    verb: str, list_: str, quote_id: int, reason_id: int | None, detach: bool, actor: Person | None, now: datetime
) -> Quote:
    desk, quote = _open(quote_id, actor, now)
    refuse_if(*blockers(verb, quote, desk))
    reason = documents.reason_of(list_, reason_id)
    old = str(quote.state)
    past = _leave(desk, quote) if detach else []
    (quote.void if verb == "void" else quote.cancel)()
    documents.end(quote, desk=desk, reason=reason, label=reason.label)
    documents.save(quote, *documents.END_FIELDS, *_PLACE)
    kind = "quote_voided" if verb == "void" else "quote_canceled"
    changes: dict[str, Any] = {"state": [old, str(quote.state)], "reason": [None, reason.label]}
    if past:
        changes["detached"] = [None, [quote.number]]
    desk.close(kind, quote, changes, past=past)
    return quote


def _leave(desk: Desk, quote: Quote) -> list[int]:
    """Take the quote off its card, in the course of another act; tells the card that it left.

    :raises Refused: NEEDS_CARD: its job has money or goods behind it (D6).
    """
    card = quote.opportunity
    if card is None:
        return []
    access.require(desk.actor, "detach", card)
    refuse_if(*attachments.detach_blockers(quote, desk, target=None, reason="", actor=desk.actor))
    for member in attachments.family(quote, desk):
        desk.put_on(member, None)
        if member is not quote:
            documents.save(member, *_PLACE)
    return [card.pk]


def archive(*, quote_id: int, detach: bool = False, actor: Person | None, now: datetime) -> Quote:
    """Put a quote away: it does not count as an offer any more (T5), unless it became a job (AC085).

    With `detach` it leaves its card first, so that another offer there stays open (D19, AC183).
    """
    return _set_archived(quote_id, archived=True, detach=detach, actor=actor, now=now)


def unarchive(*, quote_id: int, actor: Person | None, now: datetime) -> Quote:
    """Take a quote back from the archive (T3)."""
    return _set_archived(quote_id, archived=False, actor=actor, now=now)


@transaction.atomic
def _set_archived(quote_id: int, *, archived: bool, detach: bool = False, actor: Person | None, now: datetime) -> Quote:
    desk, quote = _open(quote_id, actor, now)
    refuse_if(*blockers("archive" if archived else "unarchive", quote, desk))
    if quote.is_archived is archived:
        return quote
    past = _leave(desk, quote) if detach else []
    quote.archived_at = now if archived else None
    documents.save(quote, "archived_at", *_PLACE)
    changes = {"detached": [None, [quote.number]]} if past else {}
    desk.close("quote_archived" if archived else "quote_unarchived", quote, changes, past=past)
    return quote


@transaction.atomic
def convert(
    *,
    quote_id: int,
    detach_others: bool = False,
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> Job:
    """Make a job of the quote, on the same card; the quote becomes Converted (T8, W6.9, AC011, AC050).

    `detach_others` takes the other live quotes of the card off it in the same act.

    :raises Refused: NO_LINES, ARCHIVED, HAS_LIVE_JOB.
    """
    desk, quote = _open(quote_id, actor, now, right="convert")
    refuse_if(*blockers("convert", quote, desk))
    card = quote.opportunity
    if reopen:
        desk.reopen(card)
    old = str(quote.state)
    quote.convert()
    documents.save(quote, "state")
    job = jobs.of_quote(quote, desk=desk)
    desk.put_on(job, card)
    job.save(force_insert=True)
    documents.take_over(job, quote.lines.all())
    job.compose_search_key()
    job.save()
    changes: dict[str, Any] = {"state": [old, "converted"], "job": [None, job.number]}
    if detach_others and card is not None:
        changes["detached"] = [None, _detach_others(desk, quote)]
    desk.close("quote_converted", quote, changes)
    job.last_event = quote.last_event
    return job


def _detach_others(desk: Desk, quote: Quote) -> list[str]:
    """Take the other live quotes of the card off it; each keeps what it is."""
    others = [
        each
        for each in list(desk.documents_of(quote.opportunity_id).quotes)
        if each.pk != quote.pk and not each.is_dead and not each.is_archived and str(each.state) != QuoteState.CONVERTED
    ]
    for other in others:
        desk.put_on(other, None)
        documents.save(other, "opportunity", "attached_on")
    return [other.number for other in others]


@transaction.atomic
def duplicate(
    *, quote_id: int, opportunity_id: int | None = None, reopen: bool = False, actor: Person | None, now: datetime
) -> Quote:
    """Make a new Draft with the lines and terms of another quote, on its card or on the one named.

    :raises Refused: WRONG_CUSTOMER: the other card is not of this customer.
    """
    original = Quote.objects.select_related("opportunity", "customer").get(pk=quote_id)
    target = original.opportunity_id if opportunity_id is None else opportunity_id
    desk = documents.open_desk(quote_id=quote_id, card_ids=[target], actor=actor, now=now)
    original = desk.find(Quote, quote_id)
    access.require_document(actor, "quote", original)
    card = desk.card(target)
    access.require(actor, "quote", card)
    days = desk.business.quote_valid_days
    copy = Quote(
        valid_until=None if days is None else documents.days_on(desk.today, days),
        service_date=original.service_date if original.service_date and original.service_date >= desk.today else None,
        discount_percent=original.discount_percent,
        terms=original.terms,
    )
    documents.begin(copy, customer_id=original.customer_id, card=card, title=original.title, desk=desk)
    refuse_if(*documents.attach_blockers(copy, card))
    if reopen:
        desk.reopen(card)
    desk.put_on(copy, card)
    copy.save(force_insert=True)
    lines = list(original.lines.all())
    documents.take_over(copy, lines)
    if lines:
        copy.complete()
    _write_recipients(
        copy, [{"name": r.name, "email": r.email, "contact_id": r.contact_id} for r in original.recipients.all()]
    )
    copy.compose_search_key()
    copy.save()
    desk.close("quote_created", copy, {"from": [None, original.number]})
    return copy


# Guards: what stands against an act, all at once. Verbs ask under the lock, pages beforehand.


def blockers(verb: str, quote: Quote, desk: Desk) -> list[Blocker]:
    """List why this verb would be refused now; empty where it would pass. Rights are not judged here."""
    found = [documents.terminal(quote)]
    if found[0] is None:
        found += _GUARDS[verb](quote, desk)
    return [blocker for blocker in found if blocker is not None]


def _may_revise(quote: Quote, _desk: Desk) -> list[Blocker | None]:
    fixed = {QuoteState.CONVERTED, QuoteState.VOID, QuoteState.CANCELED}
    words = _("%(number)s is %(state)s, so it cannot be changed. Duplicate it instead.")
    state = documents.wrong_state(quote, words) if QuoteState(str(quote.state)) in fixed else None
    return [state, documents.archived(quote)]


def _may_submit(quote: Quote, _desk: Desk) -> list[Blocker | None]:
    if QuoteState(str(quote.state)) is QuoteState.INCOMPLETE:
        return [_no_lines(quote), documents.archived(quote)]
    if not can_proceed(quote.submit):
        return [documents.wrong_state(quote, _("%(number)s is %(state)s, so it cannot be submitted."))]
    return [None if quote.lines.exists() else _no_lines(quote), documents.archived(quote)]


def _no_lines(quote: Quote) -> Blocker:
    words = _("%(number)s has no lines yet. Add what it offers first.") % {"number": quote.number}
    return Blocker("NO_LINES", words, subject=quote.number, url=quote.get_absolute_url())


def _may_accept(quote: Quote, desk: Desk) -> list[Blocker | None]:
    if not can_proceed(quote.accept):
        words = _("%(number)s is %(state)s: only a submitted quote can be accepted.")
        return [documents.wrong_state(quote, words)]
    expired = None
    if quote.is_expired_on(desk.today):
        words = _("%(number)s has expired. Give it a later last day, or submit a new one.") % {"number": quote.number}
        expired = Blocker("QUOTE_EXPIRED", words, subject=quote.number, url=quote.get_absolute_url())
    return [expired, documents.archived(quote)]


def _may_end(quote: Quote, desk: Desk) -> list[Blocker | None]:
    if quote.is_dead:
        return [documents.wrong_state(quote, _("%(number)s is %(state)s already."))]
    return [_live_job(quote, desk)]


def _live_job(quote: Quote, desk: Desk) -> Blocker | None:
    for job in desk.documents_of(quote.opportunity_id).jobs:
        if job.quote_id == quote.pk and job.is_live:
            words = _("%(job)s was made of %(number)s and is live. End that job first.")
            said = words % {"job": job.number, "number": quote.number}
            return Blocker("HAS_LIVE_JOB", said, subject=job.number, url=job.get_absolute_url())
    return None


def _may_renew(quote: Quote, _desk: Desk) -> list[Blocker | None]:
    words = _("%(number)s is %(state)s, so its links stay closed.")
    return [documents.wrong_state(quote, words) if quote.is_dead else None]


def _may_archive(_quote: Quote, _desk: Desk) -> list[Blocker | None]:
    return []


def _may_convert(quote: Quote, desk: Desk) -> list[Blocker | None]:
    state = QuoteState(str(quote.state))
    if state is QuoteState.INCOMPLETE:
        return [_no_lines(quote), documents.archived(quote)]
    if quote.is_dead:
        return [documents.wrong_state(quote, _("%(number)s is %(state)s, so no job can be made of it."))]
    lines = None if quote.lines.exists() else _no_lines(quote)
    return [lines, documents.archived(quote), _live_job(quote, desk)]


_GUARDS: dict[str, Callable[[Quote, Desk], list[Blocker | None]]] = {
    "revise": _may_revise,
    "submit": _may_submit,
    "accept": _may_accept,
    "decline": _may_end,
    "void": _may_end,
    "cancel": _may_end,
    "archive": _may_archive,
    "unarchive": _may_archive,
    "convert": _may_convert,
    "renew_link": _may_renew,
}


def _open(quote_id: int, actor: Person | None, now: datetime, *, right: str = "quote") -> tuple[Desk, Quote]:
    desk = documents.open_desk(quote_id=quote_id, actor=actor, now=now)
    quote: Quote = desk.find(Quote, quote_id)
    documents.require(desk, right, quote)
    return desk, quote


def _open_recipient(recipient_id: int, actor: Person | None, now: datetime) -> tuple[Desk, Quote, QuoteRecipient]:
    quote_id = QuoteRecipient.objects.values_list("quote_id", flat=True).get(pk=recipient_id)
    desk, quote = _open(quote_id, actor, now)
    return desk, quote, QuoteRecipient.objects.get(pk=recipient_id)
