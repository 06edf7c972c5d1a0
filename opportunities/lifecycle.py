"""Acts on the life of a card as a whole: voiding and canceling it, putting it away and taking it back."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _

from opportunities import (
    access,
    activity,
    agreements,
    cancel_mail,
    documents,
    faces,
    foresight,
    history,
    jobs,
    pipeline,
    standing,
)
from opportunities.access import Person
from opportunities.attached import AnyDocument, Attached
from opportunities.documents import Desk
from opportunities.errors import Blocker, Refused
from opportunities.foresight import Outlook
from opportunities.models import ActionItem, Agreement, BusinessSettings, Job, Opportunity, Reason
from opportunities.states import AgreementStatus, JobState
from opportunities.workflow import ClosedKind, Facts

CLEARABLE = frozenset({AgreementStatus.REJECTED, AgreementStatus.EXPIRED, AgreementStatus.CANCELED})
"""What an agreement may show to be voided along with its card: the customer has no say in it any more (D30)."""


@dataclass(frozen=True, slots=True)
class VoidFirst:
    """Void this agreement before its card, for its own reason of the void list: "Void A-31 first" (D30)."""

    agreement_id: int
    reason_id: int | None


@dataclass(frozen=True, slots=True)
class ReopenFirst:
    """Reopen this completed job before its card is closed: "Reopen J-77 first" (D29)."""

    job_id: int


type First = VoidFirst | ReopenFirst


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a person confirmed on the void or cancel sheet."""

    reason_id: int | None
    note: str
    archive: bool
    seen: str | None
    first: Sequence[First]
    mail: Mapping[str, Any] | None = None


def void(
    *,
    opportunity_id: int,
    reason_id: int | None,
    note: str = "",
    archive: bool = False,
    seen: str | None = None,
    first: Sequence[First] = (),
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Void a card that should never have been, and everything attached to it, for a reason of the void list (6).

    `seen` is the fingerprint of what the person was shown; `first` names what clears the way, done before it in the
    same transaction (D29, D30). There is no way back (D38).

    :raises Refused: CARD_TERMINAL; CHANGED_SINCE_SHOWN; every guard of 6.2 at once; REASON_WRONG_LIST.
    :raises ValidationError: no reason.
    :raises NotAllowed: the card is somebody else's.
    """
    return _close(ClosedKind.VOID, opportunity_id, _Wish(reason_id, note, archive, seen, first), actor, now)


def cancel(
    *,
    opportunity_id: int,
    reason_id: int | None,
    note: str = "",
    archive: bool = False,
    seen: str | None = None,
    first: Sequence[First] = (),
    mail: Mapping[str, Any] | None = None,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Cancel a card because the customer does not go on, for a cancel reason (C0, D34). Errors as `void`.

    `mail` tells the customers (C2, section 7): `to` and `cc` (addresses), `extra` (typed ones), `subject`, `body`; what
    it leaves out is as the sheet proposes it. None: no mail. It leaves after the commit; its failure undoes nothing.

    :raises ValidationError: also at a field of the mail, before anything is written.
    """
    return _close(ClosedKind.CANCELED, opportunity_id, _Wish(reason_id, note, archive, seen, first, mail), actor, now)


@transaction.atomic
def _close(kind: ClosedKind, opportunity_id: int, wish: _Wish, actor: Person | None, now: datetime) -> Opportunity:
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
    card, attached = desk.cards[opportunity_id].card, desk.documents_of(opportunity_id)
    access.require(actor, right_of(kind), card)
    documents.refuse_if(pipeline.closed_blocker(card))
    documents.refuse_if(_changed(card, attached, wish.seen))
    reason = documents.reason_of(list_of(kind), wish.reason_id)
    message = None if wish.mail is None else cancel_mail.read(card, wish.mail, business=desk.business)
    before = history.snapshot(card)
    with history.one_act():
        _do_first(wish.first, card, before, desk)
        documents.refuse_if(*_guards(attached, desk))
        ended = _cascade(attached)
        for document in ended:
            (document.void if kind is ClosedKind.VOID else document.cancel)()
            documents.end(document, desk=desk, reason=reason, label=reason.label, with_card=True)
            _save_ended(document, desk)
        card.closed_kind = kind.value
        card.close_reason, card.close_reason_label = reason, reason.label
        card.close_note = documents.words(wish.note, 2_000)
        card.closed_by, card.closed_at = actor, now
        card.archive_clock_from = desk.today
        if wish.archive and not card.is_archived:
            card.archived_at = now
        _close_actions(card, now)
        faces.compose(card)
        standing.refresh(card, today=desk.today, business=desk.business, documents=attached)
        card.decided_on, card.decided_by = desk.today, actor
        _note_closed(card, ended, kind, before, desk, told=() if message is None else (*message.to, *message.cc))
        if message is not None:
            cancel_mail.queue(card, message, business=desk.business, today=desk.today, actor=actor, now=now)
    return card


def right_of(kind: ClosedKind) -> str:
    """Name the right that closing a card this way asks for."""
    return "void" if kind is ClosedKind.VOID else "cancel"


def list_of(kind: ClosedKind) -> str:
    """Name the list that the reason comes from (V1.2, C1)."""
    return Reason.List.VOID if kind is ClosedKind.VOID else Reason.List.CANCEL


def _changed(card: Opportunity, attached: Attached, seen: str | None) -> Blocker | None:
    """Say that what is attached is not what the person was shown (D32)."""
    if seen is None or seen == fingerprint(attached):
        return None
    words = _("What is attached to %(number)s was changed meanwhile. Look at it again.") % {"number": card.number}
    return Blocker("CHANGED_SINCE_SHOWN", words, subject=card.number, url=card.get_absolute_url())


def _do_first(first: Sequence[First], card: Opportunity, before: dict[str, Any], desk: Desk) -> None:
    """Clear the way: agreements are voided and jobs reopened, each noted, without a change of the card's statuses.

    :raises Refused: WRONG_STATE: this cannot be cleared here.
    :raises DoesNotExist: it is not on this card.
    """
    for wanted in first:
        document: AnyDocument = (
            desk.find(Job, wanted.job_id)
            if isinstance(wanted, ReopenFirst)
            else desk.find(Agreement, wanted.agreement_id)
        )
        documents.require(desk, document.REF, document)
        if not is_clearable(document, desk):
            words = _("%(number)s is %(state)s, so it cannot be cleared along with its card.")
            raise Refused(documents.wrong_state(document, words))
        changes: dict[str, Any] = {"document": [None, document.number]}
        if isinstance(document, Job):
            document.reopen()
            documents.save(document, "state", "completed_at")
            changes["state"] = ["completed", "modified"]
        elif isinstance(document, Agreement) and isinstance(wanted, VoidFirst):
            reason = documents.reason_of(Reason.List.VOID, wanted.reason_id)
            old = document.status
            agreements.void_at(desk, document, reason, reason.label)
            changes.update({"status": [old, "void"], "reason": [None, reason.label]})
        kind = "job_reopened" if isinstance(document, Job) else "agreement_voided"
        history.write(card, kind=kind, changes=changes, before=before, actor=desk.actor, now=desk.now, about=document)


def is_clearable(document: AnyDocument, desk: Desk) -> bool:
    """Tell whether what this document stands in the way with can be cleared together with closing the card."""
    if isinstance(document, Agreement):
        return document.status_on(desk.today) in CLEARABLE
    return isinstance(document, Job) and str(document.state) == JobState.COMPLETED


def _note_closed(
    card: Opportunity, ended: list[Any], kind: ClosedKind, before: dict[str, Any], desk: Desk, *, told: Sequence[str]
) -> None:
    """Note the close once on the card, and in the story of each document that ended with it."""
    kinds = {ClosedKind.VOID: "voided", ClosedKind.CANCELED: "canceled"}
    also = {"mail": [None, ", ".join(told)]} if told else None
    history.record(card, kind=kinds[kind], before=before, actor=desk.actor, now=desk.now, also=also)
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
    """List everything that would keep this card from being voided or canceled now (6.2). Locks and writes nothing.

    :raises DoesNotExist: no such card, or not visible to the actor.
    """
    found = consequences(opportunity_id=opportunity_id, actor=actor, now=now)
    return [found.closed] if found.closed is not None else list(found.blockers)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one document: the state it ends in, or none where it stays as it is and keeps its reason."""

    document: AnyDocument
    after: str


@dataclass(frozen=True, slots=True)
class Consequences:
    """What closing a card would do: told beforehand, by the pure rules on changed facts (setup-and-boards 3.4)."""

    kind: ClosedKind
    card: Opportunity
    desk: Desk
    fates: tuple[Fate, ...]
    actions: tuple[ActionItem, ...]
    present: Outlook
    following: Outlook
    blockers: tuple[Blocker, ...]
    closed: Blocker | None
    """Why nothing can happen to it any more: it is closed already."""
    allowed: bool
    fingerprint: str

    @property
    def attached(self) -> Attached:
        """What is attached to the card."""
        return self.desk.documents_of(self.card.pk)


def consequences(
    *,
    opportunity_id: int,
    kind: ClosedKind = ClosedKind.VOID,
    first: Sequence[First] = (),
    actor: Person | None,
    now: datetime,
) -> Consequences:
    """Tell what voiding or canceling this card would do, and all that stands against it. Locks and writes nothing.

    With `first`, the guards are judged as after these acts.

    :raises DoesNotExist: no such card, or not visible to the actor.
    """
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now, locked=False)
    card, attached = desk.cards[opportunity_id].card, desk.documents_of(opportunity_id)
    access.require(actor, "view", card)
    prefetch_related_objects(attached.jobs, "lines")
    cleared = {(Job if isinstance(each, ReopenFirst) else Agreement, _id_of(each)) for each in first}
    named = [each for each in attached if (type(each), each.pk) in cleared and is_clearable(each, desk)]
    closed = pipeline.closed_blocker(card)
    before = desk.facts_of(card.pk)
    ended = [] if closed is not None else _cascade(attached)
    items = ActionItem.objects.filter(opportunity=card, state=ActionItem.State.OPEN).order_by("due_on", "pk")
    return Consequences(
        kind=kind,
        card=card,
        desk=desk,
        fates=tuple(Fate(each, _after(each, kind, ended, named)) for each in attached),
        actions=tuple(items),
        present=foresight.present(card, before),
        following=foresight.present(card, _facts_after(kind, before, ended, named)),
        blockers=() if closed is not None else tuple(_guards(attached, desk, cleared=named)),
        closed=closed,
        allowed=access.may(actor, right_of(kind), card),
        fingerprint=fingerprint(attached),
    )


def _id_of(first: First) -> int:
    return first.job_id if isinstance(first, ReopenFirst) else first.agreement_id


def _after(
    document: AnyDocument, kind: ClosedKind, ended: Sequence[AnyDocument], cleared: Sequence[AnyDocument]
) -> str:
    if any(each is document for each in ended):
        return kind.value
    return ClosedKind.VOID.value if any(each is document for each in cleared) else ""


def _facts_after(kind: ClosedKind, facts: Facts, ended: Sequence[AnyDocument], cleared: Sequence[AnyDocument]) -> Facts:
    for document in cleared:
        facts = foresight.after("void" if isinstance(document, Agreement) else "reopen", document, facts)
    for document in ended:
        facts = foresight.after(
            "withdraw" if kind is ClosedKind.CANCELED and isinstance(document, Agreement) else right_of(kind),
            document,
            facts,
        )
    return replace(facts, closed_kind=facts.closed_kind or kind)


def _guards(attached: Attached, desk: Desk, *, cleared: Collection[AnyDocument] = ()) -> list[Blocker]:
    """List what stands against closing (6.2), once the way is cleared of what these documents stand in it with."""
    found = []
    for job in attached.jobs:
        if job.is_live:
            reopened = any(each is job for each in cleared)
            against = jobs.closing_blockers(job, desk)
            found += [each for each in against if not (reopened and each.code == "JOB_COMPLETED")]
    for agreement in attached.agreements:
        shown = agreement.status_on(desk.today)
        passes = shown in {AgreementStatus.INCOMPLETE, AgreementStatus.DRAFT, AgreementStatus.VOID}
        if passes or any(each is agreement for each in cleared):
            continue
        words = _("%(number)s is %(state)s. Void it first.")
        said = words % {"number": agreement.number, "state": agreement_label(agreement, desk)}
        clear = reverse("opportunities:agreement-act", args=[agreement.pk, "void"])
        found.append(Blocker(f"AGREEMENT_{shown.value.upper()}", said, subject=agreement.number, url=clear))
    return found


def agreement_label(agreement: Agreement, desk: Desk) -> str:
    """Name what an agreement shows today: Expired as soon as its last day has passed, swept or not."""
    late = agreement.is_expired_on(desk.today)
    return _("Expired") if late else documents.state_label(agreement)


def mark(document: AnyDocument) -> str:
    """Name a document and how it stands, so that a page can tell which one was changed since it was shown."""
    return f"{document.number}:{document.state}:{document.version}"


def fingerprint(attached: Attached) -> str:
    """Name what is attached, and how it stands, in one short text: a page sends it back with the confirmation (D32)."""
    said = "|".join(mark(each) for each in attached)
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
