"""How the two statuses follow the facts: every step of the workflow status, and the status row with its evidence."""

from datetime import timedelta

import pytest
from django.db.models import QuerySet
from django_fsm import TransitionNotAllowed, can_proceed

from opportunities import attached, lifecycle, outcome, pipeline, standing, workflow
from opportunities.models import BusinessSettings, Opportunity
from opportunities.workflow import WorkflowStatus
from tests.factories import NOW, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

TODAY = NOW.date()
CLOSED = {
    "closed_kind": "void",
    "workflow_status": "void",
    "closed_at": NOW,
    "close_reason_label": "Duplicate",
    "sales_status": "lost",
    "sales_rule": "P1",
    "decided_on": TODAY,
}


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


def card_with(**facts):
    """A card whose stored facts were written past the verbs, as later issues or an older version may leave them."""
    card = make_card()
    QuerySet(Opportunity).filter(pk=card.pk).update(**facts)
    return Opportunity.objects.get(pk=card.pk)


class TestTransitions:
    @pytest.mark.parametrize("status", WorkflowStatus)
    def test_only_a_card_that_can_expire_expires(self, status):
        card = Opportunity(workflow_status=status.value)

        assert can_proceed(card.expire) is (status in workflow.CAN_EXPIRE)

    @pytest.mark.parametrize("status", WorkflowStatus)
    def test_only_an_expired_card_is_revived(self, status):
        card = Opportunity(workflow_status=status.value)

        assert can_proceed(card.revive) is (status is WorkflowStatus.EXPIRED)

    @pytest.mark.parametrize("status", WorkflowStatus)
    def test_only_a_live_card_progresses(self, status):
        card = Opportunity(workflow_status=status.value)

        assert can_proceed(card.progress) is (status in workflow.LIVE)

    @pytest.mark.parametrize("status", workflow.CLOSED)
    def test_nothing_leaves_void_or_canceled(self, status):
        card = Opportunity(workflow_status=status.value)

        for step in (card.expire, lambda: card.revive(WorkflowStatus.PROSPECT), lambda: card.progress(status)):
            with pytest.raises(TransitionNotAllowed):
                step()

    @pytest.mark.parametrize("target", [WorkflowStatus.VOID, WorkflowStatus.CANCELED, WorkflowStatus.EXPIRED])
    def test_no_card_progresses_or_is_revived_into_another_kind_of_status(self, target):
        with pytest.raises(Exception, match=target.value):
            Opportunity(workflow_status="prospect").progress(target)
        with pytest.raises(Exception, match=target.value):
            Opportunity(workflow_status="expired").revive(target)

    def test_live_statuses_follow_the_documents(self):
        card = card_with(workflow_status="negotiation")

        standing.refresh(card, today=TODAY)

        assert card.workflow_status == "prospect"


class TestStatusRow:
    def test_when_the_evidence_goes_the_default_row_comes_back(self, rows):
        card = card_with(status=rows["Won"], sales_status="won", sales_rule="P4", decided_on=TODAY)

        standing.refresh(card, today=TODAY)

        assert (card.status, card.sales_status, card.sales_rule, card.decided_on) == (
            rows["Default"],
            "none",
            "P9",
            None,
        )

    def test_when_the_evidence_goes_the_row_that_was_chosen_before_it_comes_back(self, rows):
        card = card_with(
            status=rows["Won"],
            hand_status=rows["Inactive"],
            sales_status="won",
            sales_rule="P4",
            decided_on=TODAY - timedelta(days=3),
        )

        standing.refresh(card, today=TODAY)

        assert (card.status, card.sales_rule, card.off_board) == (rows["Inactive"], "manual", True)
        assert card.decided_on == TODAY - timedelta(days=3)

    def test_a_closed_card_stays_lost(self, rows):
        card = card_with(**CLOSED, status=rows["Lost"])

        standing.refresh(card, today=TODAY + timedelta(days=99))

        assert (card.workflow_status, card.sales_status, card.sales_rule) == ("void", "lost", "P1")

    def test_evidence_against_the_row_in_force_brings_the_first_active_row_of_its_outcome(self, rows):
        card = card_with(**CLOSED, status=rows["Won"])

        standing.refresh(card, today=TODAY)

        assert card.status == rows["Lost"]

    def test_evidence_never_takes_a_card_off_the_board(self, rows):
        card = card_with(**CLOSED, status=rows["Won"])

        standing.refresh(card, today=TODAY)

        assert not card.off_board


class TestClosedCard:
    """Void and canceled cards are read-only (G3.1); their verbs come later, the refusals are here."""

    def test_nothing_on_it_can_be_changed(self, rows):
        card, ann, stage = card_with(**CLOSED, status=rows["Lost"]), UserFactory(role="manager"), StageFactory()
        event = card.events.get()

        acts = [
            lambda: pipeline.edit(opportunity_id=card.pk, title="x", actor=ann, now=NOW),
            lambda: pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=ann, now=NOW),
            lambda: pipeline.set_status(opportunity_id=card.pk, status_id=rows["Won"].pk, actor=ann, now=NOW),
            lambda: pipeline.undo(event_id=event.pk, actor=ann, now=NOW),
        ]

        for act in acts:
            with pytest.raises(pipeline.Refused) as refused:
                act()
            assert refused.value.codes == ("CARD_TERMINAL",)
        assert Opportunity.objects.get(pk=card.pk).version == card.version

    def test_it_can_be_archived_and_copied(self, rows):
        card = card_with(**CLOSED, status=rows["Lost"])

        archived = lifecycle.archive(opportunity_id=card.pk, actor=None, now=NOW)
        copy = pipeline.duplicate(opportunity_id=card.pk, actor=None, now=NOW)

        assert (archived.workflow_status, archived.is_archived) == ("void", True)
        assert (copy.workflow_status, copy.title) == ("prospect", card.title)

    def test_while_evidence_speaks_only_rows_of_its_outcome_can_be_chosen(self, rows):
        card = card_with(**CLOSED, status=rows["Lost"])
        found = outcome.evidence(attached.facts_of(card, business=BusinessSettings.current(), today=TODAY))

        assert pipeline.status_blocker(card, rows["Lost"], found) is None
        blocker = pipeline.status_blocker(card, rows["Won"], found)

        assert blocker is not None
        assert blocker.code == "STATUS_BY_EVIDENCE"
