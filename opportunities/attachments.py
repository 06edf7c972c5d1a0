"""Attaching documents to cards and detaching them: what may hang where, and what goes along (D6, D7, D9)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import access, documents, pipeline
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.documents import Desk, refuse_if
from opportunities.errors import Blocker
from opportunities.models import Agreement, Job, Opportunity, Quote
from opportunities.states import AgreementState


@transaction.atomic
def attach(
    *,
    opportunity_id: int,
    quote_id: int | None = None,
    job_id: int | None = None,
    agreement_id: int | None = None,
    reopen: bool = False,
    add_customer: bool = False,
    actor: Person | None,
    now: datetime,
) -> Opportunity:
    """Attach one document to a card; a converted quote and its jobs come together (D7). Returns the card.

    `add_customer` makes the document's customer one of the card's first; `reopen` takes back that the card was closed
    by hand (D41).

    :raises Refused: ALREADY_ATTACHED, WRONG_CUSTOMER, DEAD_DOCUMENT, ARCHIVED, CARD_TERMINAL.
    :raises DoesNotExist: no such card or document, or not visible to the actor.
    :raises NotAllowed: the card is somebody else's.
    """
    named: dict[str, Any] = {"quote_id": quote_id, "job_id": job_id, "agreement_id": agreement_id}
    if add_customer:
        documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now, **named)  # all cards, in their order
        _add_customer(opportunity_id, named, actor, now)
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now, **named)
    document = _subject(desk, **named)
    if document.opportunity_id is None:
        access.require_document(actor, "view", document)
    card = desk.card(opportunity_id)
    access.require(actor, "attach", card)
    refuse_if(*attach_blockers(document, card, actor), _dead_family(document, desk))
    if reopen:
        desk.reopen(card)
    for member in family(document, desk):
        desk.put_on(member, card)
        documents.save(member, "opportunity", "attached_on")
    desk.close("attached", document, {"kind": [None, document.REF]})
    fresh = desk.card(opportunity_id)
    assert fresh is not None  # noqa: S101 - it is the card that the desk was opened for
    return fresh


def attach_blockers(document: AnyDocument, card: Opportunity | None, actor: Person | None) -> list[Blocker | None]:
    """List why this document cannot be attached to this card; empty where it can (D9)."""
    if card is None:
        return []
    found = unattachable(document, card, actor)
    if pipeline.closed_blocker(card) is not None or document.opportunity is not None:
        return [*found]
    return [*found, *documents.attach_blockers(document, card)]


def unattachable(document: AnyDocument, card: Opportunity, actor: Person | None) -> list[Blocker]:
    """List the same but for the customer: what can be told from the two in hand, for lists of many."""
    closed = pipeline.closed_blocker(card)
    if closed is not None:
        return [closed]
    if document.opportunity is not None:
        return [_attached_already(document, document.opportunity, card, actor)]
    return [blocker for blocker in (_dead(document), documents.archived(document)) if blocker is not None]


def _dead(document: AnyDocument) -> Blocker | None:
    """Say why a dead document comes to no card: it would lose that deal at once (D9).

    A withdrawn agreement, which the customer has seen, may still move to the card that it belongs to (D6).
    """
    if not document.is_dead or (document.opportunity_id is not None and binds(document)):
        return None
    dead = documents.wrong_state(document, _("%(number)s is %(state)s, so it cannot be attached."))
    return Blocker("DEAD_DOCUMENT", dead.message, subject=dead.subject, url=dead.url)


def _attached_already(document: AnyDocument, other: Opportunity, card: Opportunity, actor: Person | None) -> Blocker:
    """Say where it hangs; a card that the actor may not see stays unnamed (AC025)."""
    said = {"number": document.number, "card": other.number}
    if other.pk == card.pk:
        words = _("%(number)s is attached to this card already.")
    elif access.may_see(actor, other):
        words = _("%(number)s is already attached to %(card)s. Detach it there first.")
    else:
        return Blocker(
            "ALREADY_ATTACHED",
            _("%(number)s is already attached to another card.") % said,
            subject=document.number,
        )
    return Blocker("ALREADY_ATTACHED", words % said, subject=document.number, url=other.get_absolute_url())


def _add_customer(opportunity_id: int, named: dict[str, int | None], actor: Person | None, now: datetime) -> None:
    """Make the document's customer one of the card's, where the actor may see both."""
    model, pk = _named(**named)
    customer_id = model.objects.visible_to(actor).values_list("customer_id", flat=True).get(pk=pk)
    card = Opportunity.objects.for_change(opportunity_id)
    customers = documents.customers_of(card)
    if customer_id not in customers:
        wanted = list(dict.fromkeys([*customers, customer_id]))
        pipeline.edit(opportunity_id=opportunity_id, customer_ids=wanted, actor=actor, now=now)


def family(document: AnyDocument, desk: Desk) -> list[AnyDocument]:
    """Return the document and those that go where it goes: a converted quote and its jobs (D7)."""
    if isinstance(document, Agreement):
        return [document]
    quote_id = document.pk if isinstance(document, Quote) else document.quote_id
    if quote_id is None:
        return [document]
    found: list[AnyDocument] = []
    for each in list(desk.documents_of(document.opportunity_id)):
        is_quote = isinstance(each, Quote) and each.pk == quote_id
        is_job = isinstance(each, Job) and each.quote_id == quote_id
        if is_quote or is_job:
            found.append(each)
    return found


@transaction.atomic
def detach(
    *,
    quote_id: int | None = None,
    job_id: int | None = None,
    agreement_id: int | None = None,
    to_opportunity_id: int | None = None,
    reason: str = "",
    add_customer: bool = False,
    reopen: bool = False,
    actor: Person | None,
    now: datetime,
) -> AnyDocument:
    """Take a document off its card, or move it to the card that it belongs to, in one act (T5, T7, T13, D6).

    The document does not change. A converted quote and its jobs go together (D7). One with money, fulfilled goods or a
    customer's answer behind it needs the card that it belongs to; a manager may leave it on none, with a reason.
    `reopen` takes back that the other card was closed by hand (D41).

    :raises Refused: NEEDS_CARD, NOT_ATTACHED, CARD_TERMINAL, and for the other card what `attach` refuses.
    :raises DoesNotExist: no such document or card, or not visible to the actor.
    :raises NotAllowed: one of the cards is somebody else's.
    """
    named: dict[str, Any] = {"quote_id": quote_id, "job_id": job_id, "agreement_id": agreement_id}
    if add_customer and to_opportunity_id is not None:
        documents.open_desk(card_ids=[to_opportunity_id], actor=actor, now=now, **named)  # both cards, in their order
        _add_customer(to_opportunity_id, named, actor, now)
    desk = documents.open_desk(card_ids=[to_opportunity_id], actor=actor, now=now, **named)
    document = _subject(desk, **named)
    access.require_document(actor, "detach", document)
    target = desk.card(to_opportunity_id)
    if target is not None:
        access.require(actor, "attach", target)
    refuse_if(*detach_blockers(document, desk, target=target, reason=reason, actor=actor))
    if reopen:
        desk.reopen(target)
    left = document.opportunity
    for member in family(document, desk):
        desk.put_on(member, target)
        documents.save(member, "opportunity", "attached_on")
    changes: dict[str, Any] = {"kind": [None, document.REF], "from": [left.number, target.number if target else None]}
    if documents.words(reason):
        changes["reason"] = [None, documents.words(reason, 200)]
    desk.close("detached" if target is None else "reattached", document, changes, past=[left.pk])
    return document


def _dead_family(document: AnyDocument, desk: Desk) -> Blocker | None:
    """Say that a converted quote whose jobs all died would lose the deal that it comes to at once (D9)."""
    jobs = [member for member in family(document, desk) if isinstance(member, Job)]
    if document.is_dead or document.opportunity_id is not None or not jobs or any(job.is_live for job in jobs):
        return None
    words = _("%(number)s comes with %(job)s, which is %(state)s. Duplicate the quote instead.")
    said = words % {"number": document.number, "job": jobs[-1].number, "state": documents.state_label(jobs[-1])}
    return Blocker("DEAD_DOCUMENT", said, subject=jobs[-1].number, url=jobs[-1].get_absolute_url())


def detach_blockers(
    document: AnyDocument, desk: Desk, *, target: Opportunity | None, reason: str, actor: Person | None
) -> list[Blocker | None]:
    """List why this document cannot leave its card this way; empty where it can."""
    card = document.opportunity
    if card is None:
        words = _("%(number)s is attached to no card.") % {"number": document.number}
        return [Blocker("NOT_ATTACHED", words, subject=document.number, url=document.get_absolute_url())]
    terminal = documents.terminal(document)
    if terminal is not None:
        return [terminal]
    if target is not None:
        if target.pk == card.pk:
            return [_attached_already(document, card, target, actor)]
        return [_dead(document), documents.archived(document), *documents.attach_blockers(document, target)]
    bound = [member for member in family(document, desk) if binds(member)]
    if not bound or (access.may(actor, "leave_on_no_card") and documents.words(reason)):
        return []
    words = _("%(number)s has money, goods or a customer's answer behind it: name the card that it belongs to.")
    if access.may(actor, "leave_on_no_card"):
        words = _(
            "%(number)s has money, goods or a customer's answer behind it: name its card, or say why it has none."
        )
    said = words % {"number": bound[0].number}
    return [Blocker("NEEDS_CARD", said, subject=bound[0].number, url=document.get_absolute_url())]


def binds(document: AnyDocument) -> bool:
    """Tell whether a document must not get lost: held or pending money, fulfilled goods, a submitted agreement (D6)."""
    if isinstance(document, Agreement):
        return document.submitted_at is not None and str(document.state) != AgreementState.VOID
    if isinstance(document, Job):
        if document.held > 0 or document.has_pending_payment:
            return True
        return any(line.counts and line.fulfilled_quantity > 0 for line in document.lines.all())
    return False


def _named(*, quote_id: int | None, job_id: int | None, agreement_id: int | None) -> tuple[Any, int]:
    """Return the kind and number of the one document that is named. :raises TypeError: none is, or several are."""
    wanted: tuple[tuple[Any, int | None], ...] = ((Quote, quote_id), (Job, job_id), (Agreement, agreement_id))
    given = [(model, pk) for model, pk in wanted if pk is not None]
    if len(given) != 1:
        raise TypeError("name one of quote_id, job_id, agreement_id")
    return given[0]


def _subject(desk: Desk, **named: int | None) -> AnyDocument:
    """Return the one document that is named, locked."""
    document: AnyDocument = desk.find(*_named(**named))
    return document
