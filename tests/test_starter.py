"""The starter setup: what a new installation begins with, filled once (AC187)."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from boards.models import Board, ColumnStage
from opportunities import starter
from opportunities.errors import NotAllowed
from opportunities.models import BusinessSettings, Opportunity, OpportunityStage, OpportunityStatus, Reason
from opportunities.workflow import WorkflowStatus
from tests.factories import NOW, StageFactory, UserFactory, make_card

pytestmark = pytest.mark.django_db


def run():
    call_command("starter", verbosity=0)


def test_a_new_installation_has_the_stages_of_the_source_document_in_order():
    run()

    names = list(OpportunityStage.objects.in_order().values_list("name", flat=True))
    assert names[:3] == ["Qualified lead", "Solution identified", "Proposal presented"]
    assert list(OpportunityStage.objects.filter(is_default=True).values_list("name", flat=True)) == names[:1]


def test_no_starter_stage_bears_the_name_of_a_workflow_status():
    run()

    assert not {stage.name.lower() for stage in OpportunityStage.objects.all()} & {s.value for s in WorkflowStatus}


def test_a_new_installation_has_the_five_statuses_with_their_flags():
    run()

    flags = ("name", "is_default", "inactive", "closed", "won", "lost", "retired")
    assert list(OpportunityStatus.objects.in_order().values_list(*flags)) == [
        ("Default", True, False, False, False, False, False),
        ("Inactive", False, True, True, False, False, False),
        ("Closed", False, False, True, False, False, False),
        ("Won", False, False, True, True, False, False),
        ("Lost", False, False, True, False, True, False),
    ]


def test_a_new_installation_has_both_reason_lists():
    run()

    assert Reason.objects.filter(list="void", label="Duplicate", active=True).exists()
    assert list(Reason.objects.filter(list="cancel").order_by("sequence").values_list("label", flat=True)) == [
        "Price",
        "Chose a competitor",
        "Postponed",
        "No longer needed",
        "No response",
    ]


def test_a_new_installation_has_a_default_board_with_a_column_a_stage():
    run()

    board = Board.objects.get()
    assert (board.name, board.is_default, board.owner) == ("Sales pipeline", True, None)
    assert board.columns.count() == OpportunityStage.objects.count()
    assert ColumnStage.objects.filter(board=board).count() == OpportunityStage.objects.count()


def test_a_new_installation_has_the_groups_and_a_business_without_a_name():
    run()

    assert set(Group.objects.values_list("name", flat=True)) == {"Salesperson", "Manager", "Admin"}
    assert not BusinessSettings.objects.get().is_set_up


def test_numbers_begin_at_1001():
    run()

    assert make_card().pk == 1001


def test_running_it_again_changes_nothing():
    run()
    before = list(OpportunityStage.objects.values()), list(Reason.objects.values()), list(Board.objects.values())

    run()

    assert before == (
        list(OpportunityStage.objects.values()),
        list(Reason.objects.values()),
        list(Board.objects.values()),
    )


def test_what_an_admin_deleted_or_renamed_does_not_come_back():
    run()
    OpportunityStage.objects.get(name="Decision pending").delete()
    OpportunityStage.objects.filter(name="Qualified lead").update(name="Lead", name_key="lead")
    Board.objects.all().delete()

    run()

    assert not OpportunityStage.objects.filter(name__in=["Decision pending", "Qualified lead"]).exists()
    assert not Board.objects.exists()


def test_a_table_that_was_emptied_stays_empty():
    run()
    OpportunityStage.objects.all().delete()

    run()

    assert not OpportunityStage.objects.exists()


def test_what_is_there_before_the_first_run_is_left_alone():
    own = StageFactory(name="Our own")

    run()

    assert list(OpportunityStage.objects.all()) == [own]


def test_an_admin_can_ask_for_the_starter_stages_later():
    admin = UserFactory(role="admin")
    run()
    OpportunityStage.objects.all().delete()
    StageFactory(name="qualified LEAD", is_default=True)

    made = starter.load_stages(actor=admin, now=NOW)

    assert [stage.name for stage in made] == [
        "Solution identified",
        "Proposal presented",
        "Decision pending",
        "Verbal commitment",
    ]
    assert OpportunityStage.objects.filter(is_default=True).count() == 1


def test_only_an_admin_can_ask_for_the_starter_stages():
    with pytest.raises(NotAllowed):
        starter.load_stages(actor=UserFactory(role="manager"), now=NOW)


def test_the_starter_makes_no_cards():
    run()

    assert not Opportunity.objects.exists()
