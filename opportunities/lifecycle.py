"""Acts on the life of a card as a whole: voiding and canceling it, putting it away and taking it back."""

import hashlib
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import access, activity, documents, faces, history, jobs, pipeline, standing
from opportunities.access import Person
from opportunities.attached import AnyDocument, Attached
from opportunities.documents import Desk
from opportunities.errors import Blocker, Refused
from opportunities.models import Agreement, BusinessSettings, Opportunity, Reason
from opportunities.states import AgreementStatus
from opportunities.workflow import ClosedKind


def void(
    *,
    opportunity_id: int,
    reason_id: int | None,
    note: str = "",
    archive: bool = False,
    seen: str | None = None,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Void a card that should never have been, and everything attached to it, for a reason of the void list (6).

    `seen` is the fingerprint of what the person was shown. There is no way back (D38).

    :raises Refused: CARD_TERMINAL; CHANGED_SINCE_SHOWN; every guard of 6.2 at once; REASON_WRONG_LIST.
    :raises ValidationError: no reason.
    :raises NotAllowed: the card is somebody else's.
    """
    return _close(ClosedKind.VOID, opportunity_id, reason_id, note, archive, seen, actor, now)


def cancel(
    *,
    opportunity_id: int,
    reason_id: int | None,
    note: str = "",
    archive: bool = False,
    seen: str | None = None,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Cancel a card because the customer does not go on, for a cancel reason (C0, D34). Errors as `void`."""
    return _close(ClosedKind.CANCELED, opportunity_id, reason_id, note, archive, seen, actor, now)


@transaction.atomic
def _close(
    kind: ClosedKind,
    opportunity_id: int,
    reason_id: int | None,
    note: str,
    archive: bool,
    seen: str | None,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
    card, attached = desk.cards[opportunity_id].card, desk.documents_of(opportunity_id)
    access.require(actor, "void" if kind is ClosedKind.VOID else "cancel", card)
    closed = pipeline.closed_blocker(card)
    if closed is not None:
        raise Refused(closed)
    if seen is not None and seen != fingerprint(attached):
        words = _("What is attached to %(number)s was changed meanwhile. Look at it again.") % {"number": card.number}
        raise Refused(Blocker("CHANGED_SINCE_SHOWN", words, subject=card.number, url=card.get_absolute_url()))
    list_ = Reason.List.VOID if kind is ClosedKind.VOID else Reason.List.CANCEL
    reason = documents.reason_of(list_, reason_id)
    documents.refuse_if(*_guards(attached, desk))
    ended = _cascade(attached)
    for document in ended:
        (document.void if kind is ClosedKind.VOID else document.cancel)()
        documents.end(document, desk=desk, reason=reason, label=reason.label, with_card=True)
        _save_ended(document, desk)
    before = history.snapshot(card)
    card.closed_kind = kind.value
    card.close_reason, card.close_reason_label, card.close_note = reason, reason.label, documents.words(note, 2_000)
    card.closed_by, card.closed_at = actor, now
    card.archive_clock_from = desk.today
    if archive and not card.is_archived:
        card.archived_at = now
    _close_actions(card, now)
    faces.compose(card)
    standing.refresh(card, today=desk.today, business=desk.business, documents=attached)
    card.decided_on, card.decided_by = desk.today, actor
    _note_closed(card, ended, kind, before, desk)
    return card


def _note_closed(card: Opportunity, ended: list[Any], kind: ClosedKind, before: dict[str, Any], desk: Desk) -> None:
    """Note the close once on the card, and in the story of each document that ended with it."""
    kinds = {ClosedKind.VOID: "voided", ClosedKind.CANCELED: "canceled"}
    with history.one_act():
        history.record(card, kind=kinds[kind], before=before, actor=desk.actor, now=desk.now)
        for document in ended:
            changes = {"document": [None, document.number], "reason": [None, document.close_reason_label]}
            history.write_loose(document, kind="closed_with_card", changes=changes, actor=desk.actor, now=desk.now)


def _save_ended(document: AnyDocument, desk: Desk) -> None:
    if isinstance(document, Agreement):
        document.follow_signers(document.recipients.all(), desk.today)
        documents.save(document, *documents.END_FIELDS, "status", "ended_on", "signer_count", "signed_count")
    else:
        documents.save(document, *documents.END_FIELDS)


def _close_actions(card: Opportunity, now: datetime) -> None:
    """Close the open action items with the card; what was done stays as it is (D33)."""
    activity.close_actions(card, now)


def _cascade(attached: Attached) -> list[Any]:
    """The documents that are closed with the card: jobs before the quotes that they were made of (6.3)."""
    jobs_ = [job for job in attached.jobs if job.is_live]
    quotes_ = [quote for quote in attached.quotes if not quote.is_dead]
    drafts = [each for each in attached.agreements if each.status in {"incomplete", "draft"}]
    return [*jobs_, *quotes_, *drafts]


def blockers(*, opportunity_id: int, actor: Person | None, now: datetime) -> list[Blocker]:
    """List everything that would keep this card from being voided or canceled now (6.2). Writes nothing.

    :raises DoesNotExist: no such card, or not visible to the actor.
    """
    with transaction.atomic():
        desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
        card = desk.cards[opportunity_id].card
        access.require(actor, "view", card)
        closed = pipeline.closed_blocker(card)
        return [closed] if closed is not None else _guards(desk.documents_of(opportunity_id), desk)


def _guards(attached: Attached, desk: Desk) -> list[Blocker]:
    found = [blocker for job in attached.jobs if job.is_live for blocker in jobs.closing_blockers(job, desk)]
    for agreement in attached.agreements:
        shown = agreement.status_on(desk.today)
        if shown in {AgreementStatus.INCOMPLETE, AgreementStatus.DRAFT, AgreementStatus.VOID}:
            continue
        words = _("%(number)s is %(state)s. Void it first.")
        said = words % {"number": agreement.number, "state": documents.state_label(agreement)}
        code = f"AGREEMENT_{shown.value.upper()}"
        found.append(Blocker(code, said, subject=agreement.number, url=agreement.get_absolute_url()))
    return found


def fingerprint(attached: Attached) -> str:
    """Name what is attached, and how it stands, in one short text: a page sends it back with the confirmation (D32)."""
    said = "|".join(f"{each.number}:{each.state}:{each.version}" for each in attached)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def archive(*, opportunity_id: int, actor: Person | None, now: datetime) -> Opportunity:
    """Put a card away; no status changes (D26). Putting it away twice changes nothing.

    :raises Opportunity.DoesNotExist: no such card, or not visible to the actor.
    :raises NotAllowed: the card is somebody else's.
    """
    return _set_archived(opportunity_id, archived=True, actor=actor, now=now)


def unarchive(*, opportunity_id: int, actor: Person | None, now: datetime) -> Opportunity:
    """Take a card back from the archive; the auto-archive clock starts again (D26). Errors as `archive`."""
    return _set_archived(opportunity_id, archived=False, actor=actor, now=now)


@transaction.atomic
def _set_archived(opportunity_id: int, *, archived: bool, actor: Person | None, now: datetime) -> Opportunity:
    card = Opportunity.objects.for_change(opportunity_id)
    access.require(actor, "archive", card)
    if card.is_archived is archived:
        return card
    before = history.snapshot(card)
    card.archived_at = now if archived else None
    if not archived:
        card.archive_clock_from = BusinessSettings.current().today(now)
    history.record(card, kind="archived" if archived else "unarchived", before=before, actor=actor, now=now)
    return card


@transaction.atomic
def auto_archive(*, opportunity_id: int, today: date, now: datetime) -> bool:
    """Put a Void or Canceled card away if the business's days after its closing are over (G5.2, D26); tells if it was.

    It is asked again under the lock; a card that somebody holds at that moment is left for the next run.
    """
    days = BusinessSettings.current().auto_archive_days
    due = Opportunity.objects.due_to_archive(today, days).filter(pk=opportunity_id)
    card = due.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if card is None:
        return False
    before = history.snapshot(card)
    card.archived_at = now
    history.record(card, kind="archived", before=before, actor=None, now=now)
    return True
