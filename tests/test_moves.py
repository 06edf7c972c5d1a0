"""What dropping a card on a column means, and what is said before."""

import uuid
from decimal import Decimal

import pytest
from django.db.models import QuerySet

from boards import moves
from boards.models import Board, Column, ColumnStage
from opportunities import pipeline
from opportunities.errors import Refused, Stale
from opportunities.models import BusinessSettings, Opportunity, OpportunityStage
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def ann():
    return UserFactory(username="ann")


@pytest.fixture
def board():
    return BoardFactory(stages=[StageFactory(name="Lead", is_default=True), StageFactory(name="Decision")])


@pytest.fixture
def lead(board):
    return board.columns.get(name="Lead")


@pytest.fixture
def decision(board):
    return board.columns.get(name="Decision")


def drop(board, card, column, actor, **given):
    return moves.drop(board.pk, card.pk, column.pk, actor=actor, now=NOW, **given)


def order(column):
    stages = column.mapped.values("stage")
    return list(Opportunity.objects.filter(stage__in=stages).order_by("rank", "pk").values_list("pk", flat=True))


def test_a_drop_moves_the_card_and_answers_with_both_counts(board, lead, decision, ann):
    card, stays = make_card(actor=ann, title="Boiler"), make_card(actor=ann)

    dropped = drop(board, card, decision, ann, version=card.version)

    assert order(decision) == [card.pk]
    assert order(lead) == [stays.pk]
    assert (dropped.from_column_id, dropped.to_column_id) == (lead.pk, decision.pk)
    assert dropped.counts == {lead.pk: 1, decision.pk: 1}
    assert dropped.sentence == "“Boiler” moved to Decision."
    assert dropped.face.column_id == decision.pk
    assert dropped.event_id is not None


def test_a_drop_within_its_column_changes_the_order(board, lead, ann):
    first, second = make_card(actor=ann), make_card(actor=ann)

    dropped = drop(board, second, lead, ann, before_id=first.pk)

    assert order(lead) == [second.pk, first.pk]
    assert "within Lead" in dropped.sentence


def test_a_drop_where_it_was_says_so(board, lead, ann):
    dropped = drop(board, make_card(actor=ann), lead, ann)

    assert dropped.event_id is None
    assert "there already" in dropped.sentence


def test_cards_are_sent_to_the_top_and_to_the_bottom(board, lead, ann):
    first, second, third = (make_card(actor=ann) for _ in range(3))

    drop(board, third, lead, ann, to="top")
    drop(board, first, lead, ann, to="bottom")

    assert order(lead) == [third.pk, second.pk, first.pk]


def test_the_top_of_an_empty_column_is_a_place(board, decision, ann):
    card = make_card(actor=ann)

    drop(board, card, decision, ann, to="top")

    assert order(decision) == [card.pk]


class TestSeveralStages:
    @pytest.fixture
    def second_stage(self, board, decision):
        stage = StageFactory(name="Verbal yes")
        ColumnStage.objects.create(board=board, column=decision, stage=stage, position=1)
        return stage

    def test_the_column_asks_which(self, board, decision, ann, second_stage):
        with pytest.raises(moves.AskStage) as asked:
            drop(board, make_card(actor=ann), decision, ann)

        assert [stage.name for stage in asked.value.stages] == ["Decision", "Verbal yes"]

    def test_the_named_one_is_taken(self, board, decision, ann, second_stage):
        dropped = drop(board, make_card(actor=ann), decision, ann, stage_id=second_stage.pk)

        assert dropped.opportunity.stage == second_stage
        assert "Decision (Verbal yes)" in dropped.sentence

    def test_a_card_of_the_column_keeps_its_stage(self, board, decision, ann, second_stage):
        first = make_card(actor=ann, stage_id=second_stage.pk)
        second = make_card(actor=ann, stage_id=second_stage.pk)

        dropped = drop(board, second, decision, ann, before_id=first.pk)

        assert dropped.opportunity.stage == second_stage
        assert order(decision) == [second.pk, first.pk]

    def test_a_stage_of_another_column_is_not_taken(self, board, lead, decision, ann, second_stage):
        with pytest.raises(OpportunityStage.DoesNotExist):
            drop(board, make_card(actor=ann), lead, ann, stage_id=second_stage.pk)


def test_a_column_without_a_stage_refuses_with_the_reason(board, ann):
    empty = Column.objects.create(board=board, name="Empty")

    with pytest.raises(Refused) as refused:
        drop(board, make_card(actor=ann), empty, ann)

    assert refused.value.codes == ("NO_STAGE",)


def test_a_column_of_another_board_is_not_there(board, ann):
    other = BoardFactory(stages=[StageFactory()]).columns.get()

    with pytest.raises(Column.DoesNotExist):
        drop(board, make_card(actor=ann), other, ann)


def test_a_card_that_somebody_moved_first_is_not_moved_again(board, lead, decision, ann):
    card = make_card(actor=ann)
    drop(board, card, decision, ann, version=card.version)

    with pytest.raises(Stale):
        drop(board, card, lead, ann, version=card.version)


def test_on_a_sorted_board_a_drop_changes_the_stage_only(board, decision, ann):
    Board.objects.filter(pk=board.pk).update(sort="amount")
    first = make_card(actor=ann)
    drop(board, first, decision, ann)
    second = make_card(actor=ann)

    drop(board, second, decision, ann, before_id=first.pk)

    assert order(decision) == [first.pk, second.pk]


class TestMaximum:
    @pytest.fixture(autouse=True)
    def full(self, board, decision, ann):
        Column.objects.filter(pk=decision.pk).update(wip_max=1)
        drop(board, make_card(actor=ann), decision, ann)

    def test_it_is_advice_unless_the_board_makes_it_binding(self, board, decision, ann):
        drop(board, make_card(actor=ann), decision, ann)

        assert len(order(decision)) == 2

    def test_a_binding_one_refuses_a_card_from_elsewhere(self, board, decision, ann):
        Board.objects.filter(pk=board.pk).update(wip_binding=True)

        with pytest.raises(Refused) as refused:
            drop(board, make_card(actor=ann), decision, ann)

        assert refused.value.codes == ("WIP_FULL",)
        assert "“Decision” is full" in refused.value.blockers[0].message

    def test_a_binding_one_lets_the_cards_inside_change_places(self, board, decision, ann):
        Board.objects.filter(pk=board.pk).update(wip_binding=True)
        (inside,) = Opportunity.objects.filter(stage__name="Decision")

        assert drop(board, inside, decision, ann, to="top").to_column_id == decision.pk


class TestTargets:
    def test_nothing_refuses_a_card_that_may_go_anywhere(self, board, ann):
        found = moves.targets(board.pk, make_card(actor=ann).pk, actor=ann, now=NOW)

        assert (found.columns, found.zones) == ({}, {})

    def test_they_say_the_same_words_as_the_refusal_of_the_drop(self, board, lead, decision, ann):
        OpportunityStage.objects.filter(name="Decision").update(requires_amount=True, requires_contact=True)
        card = make_card(actor=ann)

        found = moves.targets(board.pk, card.pk, actor=ann, now=NOW)
        with pytest.raises(Refused) as refused:
            drop(board, card, decision, ann)

        assert found.columns == {decision.pk: str(refused.value)}

    def test_the_column_that_the_card_is_in_never_refuses_it(self, board, lead, ann):
        card = make_card(actor=ann)
        OpportunityStage.objects.filter(name="Lead").update(requires_amount=True)

        assert lead.pk not in moves.targets(board.pk, card.pk, actor=ann, now=NOW).columns

    def test_a_full_column_and_one_without_a_stage_refuse(self, board, decision, ann):
        Board.objects.filter(pk=board.pk).update(wip_binding=True)
        Column.objects.filter(pk=decision.pk).update(wip_max=1)
        empty = Column.objects.create(board=board, name="Empty")
        drop(board, make_card(actor=ann), decision, ann)

        found = moves.targets(board.pk, make_card(actor=ann).pk, actor=ann, now=NOW)

        assert set(found.columns) == {decision.pk, empty.pk}

    def test_zones_refuse_who_may_not_decide(self, board, ann):
        card = make_card(actor=UserFactory(first_name="Bob", last_name="Stone"))

        zones = moves.targets(board.pk, card.pk, actor=ann, now=NOW).zones

        assert set(zones) == {"won", "lost", "closed"}
        assert "Bob Stone" in zones["won"]

    def test_a_zone_without_a_status_row_says_who_can_help(self, board, ann, rows):
        rows["Closed"].retired = True
        rows["Closed"].save()

        zones = moves.targets(board.pk, make_card(actor=ann).pk, actor=ann, now=NOW).zones

        assert set(zones) == {"closed"}

    def test_everything_refuses_a_closed_card(self, board, lead, decision, ann, rows):
        card = make_card(actor=ann)
        QuerySet(Opportunity).filter(pk=card.pk).update(
            closed_kind="void",
            workflow_status="void",
            closed_at=NOW,
            close_reason_label="Duplicate",
            sales_status="lost",
            sales_rule="P1",
            decided_on=NOW.date(),
            status=rows["Lost"],
        )

        found = moves.targets(board.pk, card.pk, actor=ann, now=NOW)

        assert set(found.columns) == {lead.pk, decision.pk}
        assert set(found.zones) == {"won", "lost", "closed"}
        assert "is Void" in found.zones["won"]

    def test_a_binding_maximum_with_room_refuses_nothing(self, board, decision, ann):
        Board.objects.filter(pk=board.pk).update(wip_binding=True)
        Column.objects.filter(pk=decision.pk).update(wip_max=1)

        assert moves.targets(board.pk, make_card(actor=ann).pk, actor=ann, now=NOW).columns == {}

    def test_a_card_that_one_may_not_see_is_not_there(self, board, ann):
        card = make_card(actor=UserFactory())
        BusinessSettings.objects.update(salespeople_see="own")

        with pytest.raises(Opportunity.DoesNotExist):
            moves.targets(board.pk, card.pk, actor=ann, now=NOW)


def test_a_move_takes_few_statements(board, decision, ann, django_assert_max_num_queries):
    first, card = make_card(actor=ann, amount=Decimal(1)), make_card(actor=ann)
    drop(board, first, decision, ann)
    ann.role, ann.sees = "salesperson", "all"

    # Session, user and settings are three more in a request, and the whole may take 14.
    with django_assert_max_num_queries(15) as statements:
        drop(board, card, decision, ann, before_id=first.pk, version=card.version)

    asked = [each["sql"] for each in statements.captured_queries if "SAVEPOINT" not in each["sql"]]
    assert len(asked) <= 11, "\n".join(asked)


def test_a_card_is_dropped_back_from_the_tray(board, lead, ann):
    card = make_card(actor=ann, stage_id=None)

    dropped = drop(board, card, lead, ann)

    assert dropped.from_column_id is None
    assert dropped.counts == {lead.pk: 1}
    assert pipeline.undo(event_id=dropped.event_id, actor=ann, now=NOW).stage is None


def test_a_card_is_not_added_to_a_column_of_another_board(board, ann):
    other = BoardFactory(stages=[StageFactory()]).columns.get()

    with pytest.raises(Column.DoesNotExist):
        moves.add(board.pk, other.pk, title="Boiler", token=uuid.uuid4(), actor=ann, now=NOW)
