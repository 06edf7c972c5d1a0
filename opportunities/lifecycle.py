"""Acts on the life of a card as a whole: recomputing its two statuses, putting it away and taking it back."""

from datetime import date, datetime

from django.db import transaction

from opportunities import access, history, outcome, workflow
from opportunities.access import Person
from opportunities.models import BusinessSettings, Opportunity, OpportunityStatus
from opportunities.outcome import SalesRule
from opportunities.workflow import WorkflowStatus


def refresh(card: Opportunity, *, today: date) -> None:
    """Bring both statuses of a locked card in line with its facts. The caller saves and notes the change."""
    facts = card.facts(today)
    _follow_workflow(card, workflow.workflow_status(facts))
    _follow_evidence(card, outcome.evidence(facts), today)


def _follow_workflow(card: Opportunity, target: WorkflowStatus) -> None:
    present = WorkflowStatus(str(card.workflow_status))
    if target is present:
        return
    if target is WorkflowStatus.EXPIRED:
        card.expire()
    elif present is WorkflowStatus.EXPIRED:
        card.revive(target)
    else:
        card.progress(target)


def _follow_evidence(card: Opportunity, found: outcome.Evidence, today: date) -> None:
    """Keep the status row in line with the evidence, and give back the hand-chosen one when it is gone (D41)."""
    if found.status is None:
        if card.sales_rule not in (SalesRule.P9, SalesRule.MANUAL):
            row = card.hand_status or OpportunityStatus.objects.default()
            rule = SalesRule.P9 if card.hand_status is None else SalesRule.MANUAL
            put_in_force(card, row, rule=rule, today=today)
        return
    row = card.status
    if row.outcome != found.status:
        flag = {str(found.status): True}
        row = OpportunityStatus.objects.active().filter(**flag).in_order()[0]
    put_in_force(card, row, rule=found.rule, today=today)


def put_in_force(card: Opportunity, row: OpportunityStatus, *, rule: SalesRule, today: date) -> None:
    """Write the status row and everything that follows from it: outcome, rule, date, place on the board (D42)."""
    card.status = row
    card.sales_status = row.outcome
    card.sales_rule = rule.value
    card.off_board = row.closed and rule is SalesRule.MANUAL
    if not row.closed:
        card.decided_on = card.decided_by = card.decided_reason = None
        card.decided_reason_label = ""
    elif card.decided_on is None:
        card.decided_on = today


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
