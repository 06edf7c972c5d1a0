"""Where a card stands: its two statuses and what follows from them, brought in line with its facts after every act."""

from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from opportunities import attached, faces, outcome, workflow
from opportunities.attached import Attached
from opportunities.models import BusinessSettings, Job, Opportunity, OpportunityStatus, Quote
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.states import QuoteState
from opportunities.workflow import Facts, WorkflowStatus

LARGEST = Decimal(10) ** 12
"""No amount of money reaches this."""


def refresh(
    card: Opportunity,
    *,
    today: date,
    business: BusinessSettings | None = None,
    documents: Attached | None = None,
    before: Facts | None = None,
) -> None:
    """Bring both statuses of a locked card in line with its facts, and what follows from them.

    `documents` are those attached to it, where the act has them in hand; `before` is the snapshot from before the act,
    which tells whether it was a contract event (3.4). The caller saves and notes the change.
    """
    business = business or BusinessSettings.current()
    documents = attached.to_card(card) if documents is None else documents
    facts = documents.facts(card, business=business, today=today)
    if before is not None:
        facts = workflow.with_waiver(before, facts)
        card.expiry_waived_for = facts.expiry_waived_for
    _follow_workflow(card, facts)
    _follow_evidence(card, outcome.evidence(facts), today)
    _follow_amount(card, documents)
    lost = card.sales_status == SalesStatus.LOST
    card.lost_because = outcome.lost_because(facts, SalesRule(card.sales_rule)).value if lost else ""
    card.live_offer = outcome.has_live_offer(facts)
    card.documents_hold_from, card.documents_hold_until = documents.hold(today)
    faces.show_documents(card, documents, facts, today)


def _follow_workflow(card: Opportunity, facts: Facts) -> None:
    target, present = workflow.workflow_status(facts), WorkflowStatus(str(card.workflow_status))
    if target is present:
        return
    if target is WorkflowStatus.EXPIRED and present is WorkflowStatus.COMPLETED:
        # Completed itself never expires (W6.5): without its job the card is what the rest justifies, then late (T13).
        card.progress(workflow.base(facts))
    if target is WorkflowStatus.VOID:
        card.void()
    elif target is WorkflowStatus.CANCELED:
        card.cancel()
    elif target is WorkflowStatus.EXPIRED:
        card.expire()
    elif present is WorkflowStatus.EXPIRED:
        card.revive(target)
    else:
        card.progress(target)
    card.completed_on = facts.today if target is WorkflowStatus.COMPLETED else None


def _follow_evidence(card: Opportunity, found: outcome.Evidence, today: date) -> None:
    """Keep the status row in line with the evidence, and give back the hand-chosen one when it is gone (D41)."""
    if found.status is None:
        if card.sales_rule not in (SalesRule.P9, SalesRule.MANUAL):
            row = card.hand_status or OpportunityStatus.objects.default()
            rule = SalesRule.P9 if card.hand_status is None else SalesRule.MANUAL
            put_in_force(card, row, rule=rule, today=today, on=card.hand_decided_on)
        return
    row = card.status
    if row.outcome != found.status:
        flag = {str(found.status): True}
        row = OpportunityStatus.objects.active().filter(**flag).in_order()[0]
    put_in_force(card, row, rule=found.rule, today=today, on=found.decided_on)


def put_in_force(
    card: Opportunity, row: OpportunityStatus, *, rule: SalesRule, today: date, on: date | None = None
) -> None:
    """Write the status row and everything that follows from it: outcome, rule, date, place on the board (D42).

    `on` is the local day of the deciding fact; without one, the day that is known, or else today.
    """
    card.status = row
    card.sales_status = row.outcome
    card.sales_rule = rule.value
    card.off_board = row.closed and rule is SalesRule.MANUAL
    if not row.closed:
        card.decided_on = card.decided_by = card.decided_reason = None
        card.decided_reason_label = ""
    else:
        card.decided_on = on or card.decided_on or today


def is_closed_by_hand(card: Opportunity) -> bool:
    """Tell whether a person, and no evidence, gave the card its closed status row (D42)."""
    return card.sales_rule == SalesRule.MANUAL and card.status.closed


def reopen(card: Opportunity, *, today: date) -> None:
    """Give a card that was closed by hand the default row again, because a document came or went out (D41)."""
    card.hand_status = card.hand_decided_on = None
    put_in_force(card, OpportunityStatus.objects.default(), rule=SalesRule.P9, today=today)


def _follow_amount(card: Opportunity, documents: Attached) -> None:
    """Let the amount follow the documents, unless somebody typed it since they came; in the business's currency."""
    amount = amount_of(documents)
    if not card.amount_by_hand and amount is not None:
        if amount >= LARGEST:
            raise ValidationError({"amount": _("What is attached would make the amount too large.")})
        card.amount = amount


def amount_of(documents: Attached) -> Decimal | None:
    """Say what the documents make the deal worth, net: the live jobs, else the accepted or last submitted quote."""
    source = amount_source(documents)
    return sum((document.net for document in source), Decimal(0)) if source else None


def amount_source(documents: Attached) -> list[Quote] | list[Job]:
    """Return the documents that the amount follows; none where none says what the deal is worth."""
    jobs = [job for job in documents.jobs if job.is_live]
    if jobs:
        return jobs
    quotes = [quote for quote in documents.quotes if not quote.is_dead and not quote.is_archived]
    accepted = [quote for quote in quotes if str(quote.state) == QuoteState.ACCEPTED]
    submitted = [
        quote for quote in quotes if quote.submitted_at is not None and str(quote.state) != QuoteState.CONVERTED
    ]
    for offered in (accepted, submitted):
        if offered:
            return [max(offered, key=lambda quote: (quote.submitted_at, quote.pk))]
    return []
