"""The verbs of an agreement or proposal: made, submitted, answered, withdrawn, replaced, voided (lifecycle.md 5.5).

All are one transaction under the locks of the card. Errors that every verb here raises:
`Agreement.DoesNotExist` (no such agreement, or not visible to the actor), `NotAllowed`, and `Refused` with
CARD_TERMINAL where the card is Void or Canceled, WRONG_STATE where what the agreement shows does not allow it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django_fsm import can_proceed

from opportunities import access, document_mail, documents
from opportunities.access import Person
from opportunities.documents import KEEP, Desk, _Keep, refuse_if
from opportunities.errors import Blocker
from opportunities.models import Agreement, Reason, Recipient
from opportunities.models.quote import make_nonce
from opportunities.states import AgreementState, AgreementStatus, RecipientState

type Lines = Sequence[Mapping[str, Any] | documents.LineDraft]
type Recipients = Sequence[Mapping[str, Any]]


@transaction.atomic
def create(
    *,
    customer_id: int,
    opportunity_id: int | None = None,
    kind: str = Agreement.Kind.AGREEMENT.value,
    recipients: Recipients = (),
    text: str = "",
    valid_until: date | None = None,
    title: str = "",
    lines: Lines = (),
    discount_percent: Decimal | int = 0,
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> Agreement:
    """Make an agreement or proposal: Draft, or Incomplete while it lacks a text or a signer (T2, D3).

    `recipients` are mappings of name, email, role ("signer" or "copy") and perhaps contact_id.

    :raises Refused: WRONG_CUSTOMER, CARD_TERMINAL.
    :raises ValidationError: a value is out of its bounds; the customer is gone.
    """
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
    card = desk.card(opportunity_id)
    access.require(actor, "agreement", card)
    agreement = Agreement(
        kind=_kind(kind),
        valid_until=valid_until,
        discount_percent=documents.clean_discount(discount_percent),
    )
    documents.set_plain(agreement, text=text)
    documents.begin(agreement, customer_id=customer_id, card=card, title=title, desk=desk)
    refuse_if(*documents.attach_blockers(agreement, card))
    desk.put_on(agreement, card)
    if reopen:
        desk.reopen(card)
    agreement.save(force_insert=True)
    documents.write_lines(agreement, documents.drafts(lines))
    _write_recipients(agreement, recipients)
    _follow_text(agreement)
    _follow_signers(agreement, desk)
    agreement.compose_search_key()
    agreement.save()
    desk.close("agreement_created", agreement, {})
    return agreement


def _write_recipients(agreement: Agreement, recipients: Recipients) -> None:
    """Make the recipients of an agreement that is not out yet what is wanted; the same people stay as they are."""
    wanted = []
    for each in documents.clean_people(recipients):
        role = each.get("role") or Recipient.Role.SIGNER.value
        if role not in Recipient.Role.values:
            raise ValidationError({"recipients": _("A recipient signs, or gets a copy.")})
        wanted.append((each["name"], each["email"], str(role), each.get("contact_id")))
    present = [(row.name, row.email, row.role, row.contact_id) for row in agreement.recipients.all()]
    if wanted == present:
        return
    agreement.recipients.all().delete()
    for name, email, role, contact_id in wanted:
        Recipient.objects.create(agreement=agreement, name=name, email=email, role=role, contact_id=contact_id)


def _kind(kind: str) -> str:
    if kind not in Agreement.Kind.values:
        raise ValidationError({"kind": _("Choose agreement or proposal.")})
    return str(kind)


def _follow_text(agreement: Agreement) -> None:
    """It is a Draft with a text and a signer, Incomplete without (5.5)."""
    ready = bool(agreement.text.strip()) and agreement.recipients.filter(role=Recipient.Role.SIGNER).exists()
    if ready and can_proceed(agreement.complete):
        agreement.complete()
    elif not ready and can_proceed(agreement.empty):
        agreement.empty()


def _follow_signers(agreement: Agreement, desk: Desk) -> None:
    agreement.follow_signers(agreement.recipients.all(), desk.today)


@transaction.atomic
def revise(
    *,
    agreement_id: int,
    recipients: Recipients | _Keep = KEEP,
    text: str | _Keep = KEEP,
    title: str | _Keep = KEEP,
    kind: str | _Keep = KEEP,
    valid_until: date | None | _Keep = KEEP,
    lines: Lines | _Keep = KEEP,
    discount_percent: Decimal | int | _Keep = KEEP,
    version: int | None = None,
    actor: Person | None,
    now: datetime,
) -> Agreement:
    """Change an agreement that is not out yet; one that is out is replaced instead.

    :raises Stale: somebody changed it since `version`.
    :raises ValidationError: a value is out of its bounds.
    """
    desk, agreement = _open(agreement_id, actor, now)
    refuse_if(*blockers("revise", agreement, desk))
    documents.require_version(agreement, version)
    before = _facts(agreement)
    if not isinstance(recipients, _Keep):
        _write_recipients(agreement, recipients)
    if not isinstance(kind, _Keep):
        agreement.kind = _kind(kind)
    documents.set_plain(agreement, text=text, title=title, valid_until=valid_until)
    if not isinstance(discount_percent, _Keep):
        agreement.discount_percent = documents.clean_discount(discount_percent)
    priced = not isinstance(lines, _Keep) and documents.write_lines(agreement, documents.drafts(lines))
    if agreement.discount_percent != before["discount_percent"]:
        documents.reprice(agreement)
    _follow_text(agreement)
    _follow_signers(agreement, desk)
    changes = documents.compared(before, _facts(agreement))
    if not (changes or priced):
        return agreement
    agreement.compose_search_key()
    agreement.version += 1
    agreement.save()
    desk.close("agreement_revised", agreement, changes)
    return agreement


def _facts(agreement: Agreement) -> dict[str, Any]:
    names = ("title", "kind", "text", "valid_until", "discount_percent", "net", "total", "status")
    people = [f"{row.name} <{row.email}> {row.role}" for row in agreement.recipients.all()]
    return {**{name: getattr(agreement, name) for name in names}, "recipients": people}


@transaction.atomic
def submit(
    *,
    agreement_id: int,
    how: str = "",
    mail: document_mail.Message | None = None,
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> Agreement:
    """Send the agreement to its recipients (T6). `how` it reached them is kept in history.

    With `mail` each recipient it names gets their own link, once this is committed.

    :raises Refused: NO_SIGNER, NO_TEXT; AGREEMENT_EXPIRED: its last day has passed already.
    :raises ValidationError: the mail cannot be written, or goes to nobody.
    """
    desk, agreement = _open(agreement_id, actor, now)
    refuse_if(*blockers("submit", agreement, desk))
    letters = document_mail.compose(agreement, mail, desk=desk)
    if reopen:
        desk.reopen(agreement.opportunity)
    agreement.submit()
    agreement.submitted_at = now
    for recipient in agreement.recipients.all():
        recipient.send()
        recipient.sent_at = now
        recipient.save(update_fields=["state", "sent_at"])
    _follow_signers(agreement, desk)
    _save(agreement, "submitted_at")
    mailed = document_mail.queue(agreement, letters, desk=desk)
    changes = {"status": ["draft", "submitted"], "how": [None, documents.words(how, 200)], **mailed}
    desk.close("agreement_submitted", agreement, changes)
    return agreement


@transaction.atomic
def view(*, recipient_id: int, now: datetime) -> Agreement:
    """Note that a recipient opened the agreement by their link. The first time counts."""
    desk, agreement, recipient = _open_recipient(recipient_id, None, now)
    if not can_proceed(recipient.view) or agreement.status_on(desk.today) is not AgreementStatus.SUBMITTED:
        return agreement
    if str(recipient.state) == RecipientState.VIEWED:
        return agreement
    recipient.view()
    recipient.viewed_at = now
    recipient.save(update_fields=["state", "viewed_at"])
    documents.save(agreement)
    desk.close("agreement_viewed", agreement, {"recipient": [None, recipient.name]})
    return agreement


@transaction.atomic
def respond(
    *, recipient_id: int, accepted: bool, name: str = "", note: str = "", actor: Person | None, now: datetime
) -> Agreement:
    """Note a signer's answer. The last acceptance contracts the deal (T8); one rejection ends it for all (T7, D18).

    :raises Refused: AGREEMENT_EXPIRED; NOT_A_SIGNER; WRONG_STATE: they answered already, or are not asked any more.
    """
    desk, agreement, recipient = _open_recipient(recipient_id, actor, now)
    refuse_if(*respond_blockers(agreement, recipient, desk))
    (recipient.accept if accepted else recipient.reject)()
    recipient.answered_at, recipient.answered_as = now, documents.words(name, 150)
    recipient.decline_note = "" if accepted else documents.words(note, 2_000)
    recipient.noted_by = actor
    recipient.save(update_fields=["state", "answered_at", "answered_as", "decline_note", "noted_by"])
    if not accepted:
        _call_off(agreement)
    old = agreement.status
    _follow_signers(agreement, desk)
    _save(agreement)
    changes: dict[str, Any] = {"recipient": [None, recipient.name]}
    if agreement.status != old:
        changes["status"] = [old, agreement.status]
    if recipient.decline_note:
        changes["note"] = [None, recipient.decline_note]
    desk.close("agreement_signed" if accepted else "agreement_rejected", agreement, changes)
    return agreement


def respond_blockers(agreement: Agreement, recipient: Recipient, desk: Desk) -> list[Blocker | None]:
    """List why this recipient cannot answer now; empty where they can."""
    terminal = documents.terminal(agreement)
    if terminal is not None:
        return [terminal]
    if recipient.role != Recipient.Role.SIGNER:
        words = _("%(name)s gets a copy only, and is asked nothing.") % {"name": recipient.name}
        return [Blocker("NOT_A_SIGNER", words, subject=agreement.number, url=agreement.get_absolute_url())]
    shown = agreement.status_on(desk.today)
    if shown is AgreementStatus.EXPIRED and agreement.status == AgreementStatus.SUBMITTED:
        return [_lapsed(agreement)]
    if shown is not AgreementStatus.SUBMITTED:
        return [documents.wrong_state(agreement, _("%(number)s is %(state)s, so it cannot be answered."))]
    if not can_proceed(recipient.accept):
        words = _("%(name)s has answered already, or is not asked any more: %(state)s.")
        said = words % {"name": recipient.name, "state": recipient.get_state_display()}
        return [Blocker("WRONG_STATE", said, subject=agreement.number, url=agreement.get_absolute_url())]
    return []


def _lapsed(agreement: Agreement) -> Blocker:
    words = _("%(number)s has expired, so it cannot be answered any more.") % {"number": agreement.number}
    return Blocker("AGREEMENT_EXPIRED", words, subject=agreement.number, url=agreement.get_absolute_url())


def _call_off(agreement: Agreement, to: str = "cancel") -> None:
    """Ask nobody any more who has not answered."""
    for recipient in agreement.recipients.all():
        if recipient.is_waiting and recipient.role == Recipient.Role.SIGNER:
            (recipient.cancel if to == "cancel" else recipient.expire)()
            recipient.save(update_fields=["state"])


@transaction.atomic
def cancel_recipient(*, recipient_id: int, actor: Person | None, now: datetime) -> Agreement:
    """Ask a recipient no more. Without one of its signers the agreement is Canceled (T7, S3.1)."""
    desk, agreement, recipient = _open_recipient(recipient_id, actor, now)
    refuse_if(*blockers("cancel_recipient", agreement, desk))
    if not can_proceed(recipient.cancel):
        refuse_if(*_answered(agreement, recipient))
    recipient.cancel()
    recipient.save(update_fields=["state"])
    if recipient.role == Recipient.Role.SIGNER:
        _call_off(agreement)
    old = agreement.status
    _follow_signers(agreement, desk)
    _save(agreement)
    changes: dict[str, Any] = {"recipient": [None, recipient.name]}
    if agreement.status != old:
        changes["status"] = [old, agreement.status]
    desk.close("recipient_canceled", agreement, changes)
    return agreement


@transaction.atomic
def readdress(*, recipient_id: int, name: str, email: str, actor: Person | None, now: datetime) -> Agreement:
    """Correct a recipient's name or address before they answer; it is sent to them again, by a new link (D18).

    Whoever had it by mail gets it by mail again, in the words of the template.

    :raises ValidationError: no name, or no address.
    """
    desk, agreement, recipient = _open_recipient(recipient_id, actor, now)
    refuse_if(*blockers("readdress", agreement, desk))
    if not recipient.is_waiting:
        refuse_if(*_answered(agreement, recipient))
    (person,) = documents.clean_people([{"name": name, "email": email}])
    old = [recipient.name, recipient.email]
    if agreement.status != AgreementStatus.SUBMITTED and old == [person["name"], person["email"]]:
        return agreement
    recipient.name, recipient.email, recipient.nonce = person["name"], person["email"], make_nonce()
    changes = {"recipient": [old[0], recipient.name], "email": [old[1], recipient.email]}
    if agreement.status == AgreementStatus.SUBMITTED:
        if recipient.mails.exists():
            changes |= document_mail.mail_anew(agreement, [recipient], desk=desk)
        recipient.send()
        recipient.sent_at, recipient.viewed_at = now, None
    recipient.save(update_fields=["name", "email", "nonce", "state", "sent_at", "viewed_at"])
    documents.save(agreement)
    desk.close("recipient_readdressed", agreement, changes)
    return agreement


@transaction.atomic
def renew_link(*, recipient_id: int, actor: Person | None, now: datetime) -> Agreement:
    """Give a recipient a new private link; the old one ends.

    :raises Refused: the agreement is dead, or its card closed.
    """
    desk, agreement, recipient = _open_recipient(recipient_id, actor, now)
    refuse_if(*blockers("renew_link", agreement, desk))
    recipient.nonce = make_nonce()
    recipient.save(update_fields=["nonce"])
    document_mail.take_back(recipient)
    desk.close("agreement_link_renewed", agreement, {"recipient": [None, recipient.name]})
    return agreement


def _answered(agreement: Agreement, recipient: Recipient) -> list[Blocker]:
    words = _("%(name)s has answered already, or is not asked any more: %(state)s.")
    said = words % {"name": recipient.name, "state": recipient.get_state_display()}
    return [Blocker("WRONG_STATE", said, subject=agreement.number, url=agreement.get_absolute_url())]


@transaction.atomic
def withdraw(*, agreement_id: int, actor: Person | None, now: datetime) -> Agreement:
    """Take back an agreement that is out: it is Canceled, and the deal lost by it (T7, P6)."""
    desk, agreement = _open(agreement_id, actor, now)
    refuse_if(*blockers("withdraw", agreement, desk))
    agreement.withdraw()
    _call_off(agreement)
    label = _("Withdrawn")
    documents.end(agreement, desk=desk, reason=None, label=label)
    _follow_signers(agreement, desk)
    _save(agreement, *documents.END_FIELDS)
    desk.close("agreement_withdrawn", agreement, {"status": ["submitted", "canceled"]})
    return agreement


@transaction.atomic
def replace(*, agreement_id: int, actor: Person | None, now: datetime) -> Agreement:
    """Void an agreement that is out and make a copy of it as a Draft, in one act; returns the copy (5.5).

    For a correction or a new date. The reason kept is "Replaced by another document".
    """
    desk, agreement = _open(agreement_id, actor, now)
    refuse_if(*blockers("replace", agreement, desk))
    label = _("Replaced by another document")
    reason = Reason.objects.filter(list=Reason.List.VOID, label=label).order_by("pk").first()
    old = agreement.status
    void_at(desk, agreement, reason, label)
    card = agreement.opportunity
    days = desk.business.quote_valid_days
    late = agreement.valid_until is not None and agreement.valid_until <= desk.today
    valid_until = documents.days_on(desk.today, days) if late and days else None if late else agreement.valid_until
    copy = Agreement(
        kind=agreement.kind,
        text=agreement.text,
        valid_until=valid_until,
        discount_percent=agreement.discount_percent,
        replaces=agreement,
    )
    documents.begin(copy, customer_id=agreement.customer_id, card=card, title=agreement.title, desk=desk)
    desk.put_on(copy, card)
    copy.save(force_insert=True)
    documents.take_over(copy, agreement.lines.all())
    _write_recipients(
        copy,
        [
            {"name": each.name, "email": each.email, "role": each.role, "contact_id": each.contact_id}
            for each in agreement.recipients.all()
        ],
    )
    _follow_text(copy)
    _follow_signers(copy, desk)
    copy.compose_search_key()
    copy.save()
    changes = {"status": [old, "void"], "copy": [None, copy.number]}
    desk.close("agreement_replaced", agreement, changes)
    copy.last_event = agreement.last_event
    return copy


@transaction.atomic
def void(*, agreement_id: int, reason_id: int | None, actor: Person | None, now: datetime) -> Agreement:
    """Void an agreement for a reason of the void list: it counts as never attached (T7, T13, D16).

    :raises NotAllowed: it is Accepted, and the actor is no manager (D40).
    :raises Refused: REASON_WRONG_LIST.
    :raises ValidationError: no reason.
    """
    desk, agreement = _open(agreement_id, actor, now)
    if agreement.status == AgreementStatus.ACCEPTED:
        documents.require(desk, "void_accepted", agreement)
    refuse_if(*blockers("void", agreement, desk))
    reason = documents.reason_of(Reason.List.VOID, reason_id)
    old = agreement.status
    void_at(desk, agreement, reason, reason.label)
    desk.close("agreement_voided", agreement, {"status": [old, "void"], "reason": [None, reason.label]})
    return agreement


def void_at(desk: Desk, agreement: Agreement, reason: Reason | None, label: str) -> None:
    """Void an agreement at an open desk: nobody is asked any more. Guards, rights and history are the verb's."""
    agreement.void()
    _call_off(agreement)
    documents.end(agreement, desk=desk, reason=reason, label=label)
    _follow_signers(agreement, desk)
    agreement.ended_on = desk.today
    _save(agreement, *documents.END_FIELDS)


@transaction.atomic
def expire(*, agreement_id: int, now: datetime) -> bool:
    """Note that the last day of an agreement passed: who has not answered is Expired for good (3.5, AC074).

    The clock's verb; tells whether anything was to do, so that any number of runs do it once.
    """
    desk, agreement = _open(agreement_id, None, now)
    overdue = agreement.valid_until is not None and agreement.valid_until < desk.today
    if agreement.status != AgreementStatus.SUBMITTED or not overdue or documents.terminal(agreement) is not None:
        return False
    _call_off(agreement, to="expire")
    _follow_signers(agreement, desk)
    if agreement.valid_until is not None:
        agreement.ended_on = documents.days_on(agreement.valid_until, 1)
    _save(agreement)
    desk.close("agreement_expired", agreement, {"status": ["submitted", agreement.status]})
    return True


# Guards: what stands against an act, all at once. Verbs ask under the lock, pages beforehand.


def blockers(verb: str, agreement: Agreement, desk: Desk) -> list[Blocker]:
    """List why this verb would be refused now; empty where it would pass. Rights are not judged here."""
    terminal = documents.terminal(agreement)
    found = [terminal] if terminal is not None else _GUARDS[verb](agreement, desk)
    return [blocker for blocker in found if blocker is not None]


def _may_revise(agreement: Agreement, desk: Desk) -> list[Blocker | None]:
    open_states = {AgreementState.INCOMPLETE, AgreementState.DRAFT}
    if AgreementState(str(agreement.state)) in open_states:
        return []
    words = _("%(number)s is %(state)s, so its text is fixed.")
    if not _may_replace(agreement, desk):
        words = _("%(number)s is %(state)s, so its text is fixed. Replace it instead.")
    return [documents.wrong_state(agreement, words)]


def _may_submit(agreement: Agreement, desk: Desk) -> list[Blocker | None]:
    if AgreementState(str(agreement.state)) is AgreementState.INCOMPLETE:
        return [_no_text(agreement), _no_signer(agreement)]
    if not can_proceed(agreement.submit):
        return [documents.wrong_state(agreement, _("%(number)s is %(state)s, so it cannot be submitted."))]
    if agreement.valid_until is not None and agreement.valid_until < desk.today:
        words = _("The last day of %(number)s has passed. Give it a later one first.") % {"number": agreement.number}
        return [Blocker("AGREEMENT_EXPIRED", words, subject=agreement.number, url=agreement.get_absolute_url())]
    return []


def _no_text(agreement: Agreement) -> Blocker | None:
    if agreement.text.strip():
        return None
    words = _("%(number)s has no text yet.") % {"number": agreement.number}
    return Blocker("NO_TEXT", words, subject=agreement.number, url=agreement.get_absolute_url())


def _no_signer(agreement: Agreement) -> Blocker | None:
    if any(each.role == Recipient.Role.SIGNER for each in agreement.recipients.all()):
        return None
    words = _("%(number)s has nobody to sign it yet.") % {"number": agreement.number}
    return Blocker("NO_SIGNER", words, subject=agreement.number, url=agreement.get_absolute_url())


def _is_out(agreement: Agreement, desk: Desk) -> list[Blocker | None]:
    if agreement.status_on(desk.today) is AgreementStatus.SUBMITTED:
        return []
    if agreement.status == AgreementStatus.SUBMITTED:  # its last day has passed, and the clock has not come to it yet
        return [_lapsed(agreement)]
    words = _("%(number)s is %(state)s: only one that waits for answers can be taken back or readdressed.")
    return [documents.wrong_state(agreement, words)]


def _may_readdress(agreement: Agreement, desk: Desk) -> list[Blocker | None]:
    if str(agreement.state) in {AgreementState.INCOMPLETE, AgreementState.DRAFT}:
        return []
    return _is_out(agreement, desk)


def _may_replace(agreement: Agreement, _desk: Desk) -> list[Blocker | None]:
    can = {AgreementStatus.SUBMITTED, AgreementStatus.REJECTED, AgreementStatus.EXPIRED}
    if AgreementStatus(agreement.status) in can:
        return []
    words = _("%(number)s is %(state)s: only a submitted, rejected or expired one is replaced.")
    return [documents.wrong_state(agreement, words)]


def _may_renew(agreement: Agreement, _desk: Desk) -> list[Blocker | None]:
    words = _("%(number)s is %(state)s, so its links stay closed.")
    return [documents.wrong_state(agreement, words) if agreement.is_dead else None]


def _may_void(agreement: Agreement, _desk: Desk) -> list[Blocker | None]:
    if can_proceed(agreement.void):
        return []
    return [documents.wrong_state(agreement, _("%(number)s is %(state)s already."))]


_GUARDS: dict[str, Callable[[Agreement, Desk], list[Blocker | None]]] = {
    "revise": _may_revise,
    "submit": _may_submit,
    "cancel_recipient": _is_out,
    "readdress": _may_readdress,
    "withdraw": _is_out,
    "replace": _may_replace,
    "void": _may_void,
    "renew_link": _may_renew,
}


def _save(agreement: Agreement, *fields: str) -> None:
    documents.save(agreement, "state", "status", "ended_on", "signer_count", "signed_count", *fields)


def _open(
    agreement_id: int, actor: Person | None, now: datetime, *, right: str = "agreement"
) -> tuple[Desk, Agreement]:
    desk = documents.open_desk(agreement_id=agreement_id, actor=actor, now=now)
    agreement: Agreement = desk.find(Agreement, agreement_id)
    documents.require(desk, right, agreement)
    return desk, agreement


def _open_recipient(recipient_id: int, actor: Person | None, now: datetime) -> tuple[Desk, Agreement, Recipient]:
    agreement_id = Recipient.objects.values_list("agreement_id", flat=True).get(pk=recipient_id)
    desk, agreement = _open(agreement_id, actor, now)
    return desk, agreement, Recipient.objects.get(pk=recipient_id)
