"""Boards are made and changed by their verbs: who may, one default, columns and stages, and statuses made stages."""

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import QuerySet

from boards import adoption, building, health, layout
from boards.building import ColumnWish
from boards.models import Board, Column, ColumnStage, Fold
from opportunities import bulk, lifecycle, pipeline, stages
from opportunities.errors import NotAllowed, Refused, Stale
from opportunities.models import BusinessSettings, Event, Opportunity, OpportunityStage, OpportunityStatus
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def ann():
    return UserFactory(role="admin", username="ann", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def sam():
    return UserFactory(role="salesperson", username="sam")


@pytest.fixture
def lead():
    return StageFactory(name="Lead", sequence=1)


@pytest.fixture
def offer():
    return StageFactory(name="Offer", sequence=2)


@pytest.fixture
def board(ann, lead, offer):
    return building.create_board(name="Pipeline", shared=True, with_columns=True, actor=ann, now=NOW)


def mapping(board):
    return [(c.name, [m.stage.name for m in c.mapped.all()]) for c in board.columns.order_by("sequence", "pk")]


def wishes(*named):
    return [ColumnWish(name=name, stages=tuple(stage.pk for stage in mapped)) for name, *mapped in named]


class TestWhoMay:
    def test_a_salesperson_makes_a_board_of_their_own(self, sam):
        made = building.create_board(name="  My   deals ", actor=sam, now=NOW)
        assert (made.owner, made.name, made.is_default) == (sam, "My deals", False)

    def test_only_an_admin_makes_a_board_for_everybody(self, sam):
        with pytest.raises(NotAllowed):
            building.create_board(name="Ours", shared=True, actor=sam, now=NOW)
        assert not Board.objects.exists()

    def test_somebody_without_a_role_makes_no_board(self):
        with pytest.raises(NotAllowed):
            building.create_board(name="Mine", actor=UserFactory(role=""), now=NOW)

    @pytest.mark.parametrize("role", ["salesperson", "manager"])
    def test_only_an_admin_changes_a_shared_board(self, board, role):
        person = UserFactory(role=role)
        for verb, given in (
            (building.edit_board, {"name": "Taken"}),
            (building.delete_board, {}),
            (building.set_columns, {"columns": ()}),
            (building.column_per_stage, {}),
        ):
            with pytest.raises(NotAllowed):
                verb(board_id=board.pk, **given, actor=person, now=NOW)
        assert Board.objects.get().name == "Pipeline"
        assert board.columns.count() == 2

    def test_an_own_board_is_its_owners_alone_even_for_an_admin(self, sam, ann):
        own = building.create_board(name="Mine", actor=sam, now=NOW)
        with pytest.raises(Board.DoesNotExist):
            building.edit_board(board_id=own.pk, name="Yours", actor=ann, now=NOW)
        assert building.edit_board(board_id=own.pk, name="Still mine", actor=sam, now=NOW).name == "Still mine"

    def test_stages_are_made_by_admins_only(self, sam):
        own = building.create_board(name="Mine", actor=sam, now=NOW)
        for verb, given in (
            (building.columns_from_names, {"names": ["New"]}),
            (building.load_starter_stages, {}),
            (adoption.stages_from_statuses, {}),
        ):
            with pytest.raises(NotAllowed):
                verb(board_id=own.pk, **given, actor=sam, now=NOW)
        assert not OpportunityStage.objects.exists()


class TestTheDefault:
    def test_the_first_shared_board_is_the_default_and_the_second_is_not(self, ann):
        building.create_board(name="Own", actor=ann, now=NOW)
        first = building.create_board(name="First", shared=True, actor=ann, now=NOW)
        second = building.create_board(name="Second", shared=True, actor=ann, now=NOW)
        assert (first.is_default, second.is_default) == (True, False)

    def test_naming_another_default_takes_it_from_the_old_one(self, board, ann):
        other = building.create_board(name="Other", shared=True, actor=ann, now=NOW)
        building.edit_board(board_id=other.pk, is_default=True, actor=ann, now=NOW)
        assert Board.objects.get(is_default=True) == other

    def test_the_default_cannot_be_given_up_without_another(self, board, ann):
        with pytest.raises(Refused, match="always the default"):
            building.edit_board(board_id=board.pk, is_default=False, actor=ann, now=NOW)

    def test_an_own_board_cannot_be_the_default(self, ann):
        with pytest.raises(Refused):
            building.create_board(name="Own", is_default=True, actor=ann, now=NOW)
        own = building.create_board(name="Own", actor=ann, now=NOW)
        with pytest.raises(Refused):
            building.edit_board(board_id=own.pk, is_default=True, actor=ann, now=NOW)

    def test_sharing_the_only_board_makes_it_the_default(self, ann):
        own = building.create_board(name="Own", actor=ann, now=NOW)
        shared = building.edit_board(board_id=own.pk, shared=True, actor=ann, now=NOW)
        assert (shared.owner, shared.is_default) == (None, True)

    def test_a_salesperson_cannot_share_their_board(self, sam):
        own = building.create_board(name="Own", actor=sam, now=NOW)
        with pytest.raises(NotAllowed):
            building.edit_board(board_id=own.pk, shared=True, actor=sam, now=NOW)

    def test_a_shared_board_does_not_become_one_persons_again(self, board, ann):
        with pytest.raises(Refused):
            building.edit_board(board_id=board.pk, shared=False, actor=ann, now=NOW)

    def test_deleting_the_default_makes_the_next_shared_board_the_default(self, board, ann):
        building.create_board(name="A private one", actor=ann, now=NOW)
        building.create_board(name="Zebra", shared=True, actor=ann, now=NOW)
        building.create_board(name="Alpha", shared=True, actor=ann, now=NOW)
        building.delete_board(board_id=board.pk, actor=ann, now=NOW)
        assert Board.objects.get(is_default=True).name == "Alpha"

    def test_deleting_a_board_touches_no_card(self, board, ann, lead):
        card = make_card(actor=ann, stage_id=lead.pk)
        Fold.objects.create(user=ann, board=board, column=board.columns.first())
        assert building.delete_board(board_id=board.pk, actor=ann, now=LATER) == "Pipeline"
        after = Opportunity.objects.get()
        assert (after.stage, after.version) == (lead, card.version)
        assert not Column.objects.exists()


class TestSettings:
    @pytest.mark.parametrize("name", ["", "   ", "x" * 61, "\x00"])
    def test_a_board_needs_a_name_of_sixty_characters_at_most(self, ann, name):
        with pytest.raises(ValidationError):
            building.create_board(name=name, actor=ann, now=NOW)

    def test_the_filter_is_kept_in_its_one_spelling(self, board, ann):
        edited = building.edit_board(board_id=board.pk, filter="page=3&q=%20pump%20", actor=ann, now=NOW)
        assert edited.filter == "q=pump"

    def test_a_filter_that_nobody_understands_is_refused(self, board, ann):
        with pytest.raises(ValidationError, match="left out"):
            building.edit_board(board_id=board.pk, filter="sales=maybe", actor=ann, now=NOW)

    def test_a_filter_that_is_too_long_is_refused_in_words(self, board, ann):
        long = "&".join(f"stage={n}" for n in range(1000, 1200))
        with pytest.raises(ValidationError, match="too long"):
            building.edit_board(board_id=board.pk, filter=long, actor=ann, now=NOW)

    def test_an_unknown_order_is_refused(self, board, ann):
        with pytest.raises(ValidationError):
            building.edit_board(board_id=board.pk, sort="colour", actor=ann, now=NOW)

    def test_only_what_is_named_changes(self, board, ann):
        building.edit_board(board_id=board.pk, sort="amount", actor=ann, now=NOW)
        building.edit_board(board_id=board.pk, name="Renamed", actor=ann, now=NOW)
        after = Board.objects.get()
        assert (after.name, after.sort, after.is_default) == ("Renamed", "amount", True)


class TestSaveAs:
    def test_it_keeps_both_filters_and_the_columns_as_an_own_board(self, board, sam, ann):
        building.edit_board(board_id=board.pk, filter="amount_from=100&workflow=prospect", actor=ann, now=NOW)
        made = building.save_as(
            board_id=board.pk, name="Mine", query="amount_from=500&salesperson=me", actor=sam, now=NOW
        )
        assert made.owner == sam
        assert made.filter == "salesperson=me&workflow=prospect&amount_from=500"
        assert mapping(made) == mapping(board)
        assert {c.pk for c in made.columns.all()}.isdisjoint(c.pk for c in board.columns.all())

    def test_me_and_my_number_are_the_same_person(self, board, sam, ann):
        building.edit_board(board_id=board.pk, filter="salesperson=me", actor=ann, now=NOW)
        query = f"salesperson={sam.pk}"
        assert building.save_as(board_id=board.pk, name="Mine", query=query, actor=sam, now=NOW).filter == query

    def test_words_of_both_filters_are_looked_for(self, board, ann):
        building.edit_board(board_id=board.pk, filter="q=pump", actor=ann, now=NOW)
        assert (
            building.save_as(board_id=board.pk, name="Mine", query="q=heat", actor=ann, now=NOW).filter == "q=pump+heat"
        )

    @pytest.mark.parametrize("query", ["workflow=expired", "forecast=today"])
    def test_filters_that_exclude_each_other_are_refused(self, board, ann, query):
        building.edit_board(board_id=board.pk, filter="workflow=prospect&forecast=overdue", actor=ann, now=NOW)
        with pytest.raises(Refused) as refused:
            building.save_as(board_id=board.pk, name="Nothing", query=query, actor=ann, now=NOW)
        assert refused.value.codes == ("FILTERS_PART",)

    def test_nobody_saves_another_persons_board_as_theirs(self, sam):
        hers = building.create_board(name="Hers", actor=UserFactory(), now=NOW)
        with pytest.raises(Board.DoesNotExist):
            building.save_as(board_id=hers.pk, name="Mine", query="", actor=sam, now=NOW)


class TestColumns:
    def test_columns_are_renamed_ordered_and_mapped_in_one_act(self, board, ann, lead, offer):
        first, second = building.wishes_of(board)
        wish = [
            ColumnWish(id=second.id, name="Talks", stages=(offer.pk, lead.pk), colour="teal", wip_min=1, wip_max=9),
            ColumnWish(name="Empty"),
        ]
        building.set_columns(board_id=board.pk, columns=wish, actor=ann, now=NOW)
        assert mapping(board) == [("Talks", ["Offer", "Lead"]), ("Empty", [])]
        talks = board.columns.get(name="Talks")
        assert (talks.pk, talks.colour, talks.wip_min, talks.wip_max) == (second.id, "teal", 1, 9)
        assert not Column.objects.filter(pk=first.id).exists()

    def test_the_board_of_a_mapping_is_always_its_columns(self, board, ann, lead, offer):
        building.set_columns(board_id=board.pk, columns=wishes(("One", lead), ("Two", offer)), actor=ann, now=NOW)
        assert {each.board_id for each in ColumnStage.objects.all()} == {board.pk}
        assert all(each.board_id == each.column.board_id for each in ColumnStage.objects.all())

    def test_removing_a_column_moves_no_card(self, board, ann, lead):
        card = make_card(actor=ann, stage_id=lead.pk)
        building.set_columns(board_id=board.pk, columns=building.wishes_of(board)[1:], actor=ann, now=NOW)
        assert Opportunity.objects.get(pk=card.pk).stage == lead
        view = layout.board_view(board.pk, user=ann, query="", today=NOW.date())
        assert [face.pk for face in view.tray.cards] == [card.pk]

    def test_two_editors_do_not_overwrite_each_other(self, board, ann):
        seen = building.fingerprint_of(board)
        building.set_columns(board_id=board.pk, columns=wishes(("Mine",)), fingerprint=seen, actor=ann, now=NOW)
        with pytest.raises(Stale):
            building.set_columns(board_id=board.pk, columns=wishes(("Theirs",)), fingerprint=seen, actor=ann, now=NOW)
        assert mapping(board) == [("Mine", [])]

    def test_a_column_that_went_meanwhile_is_not_made_anew(self, board, ann):
        gone = building.wishes_of(board)[0]
        building.set_columns(board_id=board.pk, columns=(), actor=ann, now=NOW)
        with pytest.raises(Stale):
            building.set_columns(board_id=board.pk, columns=[gone], actor=ann, now=NOW)

    def test_a_column_of_another_board_cannot_be_taken(self, board, ann):
        other = building.create_board(name="Other", shared=True, with_columns=True, actor=ann, now=NOW)
        with pytest.raises(Stale):
            building.set_columns(board_id=board.pk, columns=building.wishes_of(other), actor=ann, now=NOW)
        assert other.columns.count() == 2

    @pytest.mark.parametrize(
        "wish",
        [
            ColumnWish(name=" "),
            ColumnWish(name="x" * 51),
            ColumnWish(name="Full", wip_max=0),
            ColumnWish(name="Full", wip_min=5, wip_max=4),
            ColumnWish(name="Full", wip_min=-1),
            ColumnWish(name="Full", wip_max=10**6),
            ColumnWish(name="Loud", colour="neon"),
            ColumnWish(name="Gone", stages=(999_999,)),
        ],
    )
    def test_a_column_that_makes_no_sense_is_refused_and_nothing_changes(self, board, ann, wish):
        before = mapping(board)
        with pytest.raises(ValidationError):
            building.set_columns(board_id=board.pk, columns=[wish], actor=ann, now=NOW)
        assert mapping(board) == before

    def test_a_stage_named_twice_is_refused_in_words(self, board, ann, lead):
        with pytest.raises(ValidationError, match="“Lead” can be in one column"):
            building.set_columns(board_id=board.pk, columns=wishes(("A", lead), ("B", lead)), actor=ann, now=NOW)

    def test_the_database_keeps_a_stage_once_a_board_whoever_writes(self, board, lead, offer):
        row = ColumnStage.objects.get(stage=offer)
        with pytest.raises(IntegrityError), transaction.atomic():
            QuerySet(ColumnStage).filter(pk=row.pk).update(stage=lead)

    def test_too_many_columns_are_refused(self, board, ann):
        with pytest.raises(ValidationError, match="too many"):
            building.set_columns(
                board_id=board.pk, columns=wishes(*((f"C{n}",) for n in range(41))), actor=ann, now=NOW
            )

    def test_a_column_for_each_stage_leaves_out_what_has_one_and_what_is_retired(self, board, ann):
        StageFactory(name="Won back", sequence=9)
        StageFactory(name="Old", active=False)
        for _again in range(2):
            building.column_per_stage(board_id=board.pk, actor=ann, now=NOW)
        assert [name for name, _stages in mapping(board)] == ["Lead", "Offer", "Won back"]


class TestNamesAndStarter:
    def test_typed_names_become_stages_and_columns_in_their_order(self, ann):
        board = building.create_board(name="New", shared=True, actor=ann, now=NOW)
        building.columns_from_names(board_id=board.pk, names=["Call", " ", "Visit ", "call"], actor=ann, now=NOW)
        assert mapping(board) == [("Call", ["Call"]), ("Visit", ["Visit"])]
        assert [(s.name, s.is_default) for s in OpportunityStage.objects.in_order()] == [
            ("Call", True),
            ("Visit", False),
        ]

    def test_a_name_that_is_a_stage_already_uses_it_and_doing_it_twice_changes_nothing(self, board, ann, lead):
        for _again in range(2):
            building.columns_from_names(board_id=board.pk, names=["LEAD", "Visit"], actor=ann, now=NOW)
        assert mapping(board) == [("Lead", ["Lead"]), ("Offer", ["Offer"]), ("Visit", ["Visit"])]
        assert OpportunityStage.objects.count() == 3

    def test_the_name_of_a_retired_stage_is_refused(self, board, ann):
        StageFactory(name="Old", active=False)
        with pytest.raises(Refused) as refused:
            building.columns_from_names(board_id=board.pk, names=["New", "old"], actor=ann, now=NOW)
        assert refused.value.codes == ("STAGE_RETIRED",)
        assert not OpportunityStage.objects.filter(name="New").exists()

    @pytest.mark.parametrize("names", [[], ["", " "], ["x" * 51], [f"Name {n}" for n in range(41)]])
    def test_names_that_cannot_be_are_refused(self, board, ann, names):
        with pytest.raises(ValidationError):
            building.columns_from_names(board_id=board.pk, names=names, actor=ann, now=NOW)

    def test_the_starter_stages_come_with_their_columns(self, ann):
        board = building.create_board(name="New", shared=True, actor=ann, now=NOW)
        for _again in range(2):
            building.load_starter_stages(board_id=board.pk, actor=ann, now=NOW)
        assert [name for name, _stages in mapping(board)][:2] == ["Qualified lead", "Solution identified"]
        assert board.columns.count() == 5


class TestStagesFromStatuses:
    @pytest.fixture
    def empty_board(self, ann):
        return building.create_board(name="New", shared=True, actor=ann, now=NOW)

    @pytest.fixture
    def cards(self, ann, rows):
        quoting = OpportunityStatus.objects.create(name="Quoting", sequence=9)
        OpportunityStatus.objects.create(name="Never used", sequence=10)
        first, second, won, archived = (make_card(actor=ann) for _ in range(4))
        pipeline.set_status(opportunity_id=second.pk, status_id=quoting.pk, actor=ann, now=NOW)
        pipeline.set_status(opportunity_id=won.pk, status_id=rows["Won"].pk, actor=ann, now=NOW)
        lifecycle.archive(opportunity_id=archived.pk, actor=ann, now=NOW)
        return first, second, won, archived

    def test_every_open_status_in_use_becomes_a_stage_and_a_column(self, empty_board, cards, ann):
        act = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        assert mapping(empty_board) == [("Default", ["Default"]), ("Quoting", ["Quoting"])]
        names = dict(Opportunity.objects.values_list("pk", "stage__name"))
        assert [names[card.pk] for card in cards] == ["Default", "Quoting", None, "Default"]
        assert act.changed == 3
        assert OpportunityStage.objects.get(is_default=True).name == "Default"

    def test_the_counts_are_known_beforehand(self, cards):
        assert [(use.name, use.cards) for use in adoption.statuses_in_use()] == [("Default", 2), ("Quoting", 1)]

    def test_each_card_has_one_entry_in_its_history_under_one_act(self, empty_board, cards, ann):
        versions = dict(Opportunity.objects.values_list("pk", "version"))
        act = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        events = Event.objects.filter(act=act.pk)
        assert sorted(event.opportunity_id for event in events) == sorted(cards[n].pk for n in (0, 1, 3))
        assert all(event.version == versions[event.opportunity_id] + 1 for event in events)

    def test_no_status_changes_and_cards_with_a_stage_keep_it(self, empty_board, cards, ann, lead):
        pipeline.move(opportunity_id=cards[0].pk, stage_id=lead.pk, actor=ann, now=NOW)
        statuses = list(Opportunity.objects.order_by("pk").values_list("status", "sales_status", "workflow_status"))
        adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        assert Opportunity.objects.get(pk=cards[0].pk).stage == lead
        assert (
            list(Opportunity.objects.order_by("pk").values_list("status", "sales_status", "workflow_status"))
            == statuses
        )

    def test_doing_it_twice_changes_nothing_more(self, empty_board, cards, ann):
        adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        before = mapping(empty_board), Event.objects.count()
        assert adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER).changed == 0
        assert (mapping(empty_board), Event.objects.count()) == before

    def test_undo_takes_back_stages_columns_and_what_the_cards_got(self, empty_board, cards, ann):
        entered = dict(Opportunity.objects.values_list("pk", "stage_entered_at"))
        act = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        back = adoption.undo(bulk_act_id=act.pk, actor=ann, now=LATER)
        assert (back.changed, back.refused_count) == (3, 0)
        assert not OpportunityStage.objects.exists()
        assert mapping(empty_board) == []
        assert set(Opportunity.objects.values_list("stage", flat=True)) == {None}
        assert dict(Opportunity.objects.values_list("pk", "stage_entered_at")) == entered

    def test_undo_leaves_a_card_alone_that_was_moved_since(self, empty_board, cards, ann, lead):
        act = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        default = OpportunityStage.objects.get(name="Default")
        pipeline.move(opportunity_id=cards[1].pk, stage_id=default.pk, actor=ann, now=LATER)
        back = adoption.undo(bulk_act_id=act.pk, actor=ann, now=LATER)
        assert (back.changed, back.refused_count) == (2, 1)
        assert Opportunity.objects.get(pk=cards[1].pk).stage == default
        assert mapping(empty_board) == [("Lead", ["Lead"]), ("Default", ["Default"])]

    def test_undo_works_once_within_a_day_and_for_admins(self, empty_board, cards, ann, sam):
        act = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        with pytest.raises(NotAllowed):
            adoption.undo(bulk_act_id=act.pk, actor=sam, now=LATER)
        with pytest.raises(Refused) as late:
            adoption.undo(bulk_act_id=act.pk, actor=ann, now=LATER + timedelta(hours=25))
        assert late.value.codes == ("TOO_LATE",)
        adoption.undo(bulk_act_id=act.pk, actor=ann, now=LATER)
        with pytest.raises(Refused) as twice:
            adoption.undo(bulk_act_id=act.pk, actor=ann, now=LATER)
        assert twice.value.codes == ("WRONG_STATE",)

    def test_it_may_be_done_again_after_an_undo(self, empty_board, cards, ann):
        first = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        adoption.undo(bulk_act_id=first.pk, actor=ann, now=LATER)
        again = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        assert again.changed == 3

    def test_the_plain_undo_of_bulk_acts_does_not_take_half_of_it_back(self, empty_board, cards, ann):
        act = adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=LATER)
        with pytest.raises(Refused):
            bulk.undo(bulk_act_id=act.pk, actor=ann, now=LATER)
        assert adoption.undoable(act.pk, actor=ann, now=LATER) is not None

    def test_without_open_cards_there_is_nothing_to_go_by(self, empty_board, ann):
        with pytest.raises(Refused) as refused:
            adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=NOW)
        assert refused.value.codes == ("NOTHING_TO_DO",)

    def test_a_retired_stage_of_the_same_name_is_not_filled(self, empty_board, cards, ann):
        StageFactory(name="quoting", active=False)
        with pytest.raises(Refused) as refused:
            adoption.stages_from_statuses(board_id=empty_board.pk, actor=ann, now=NOW)
        assert refused.value.codes == ("STAGE_RETIRED",)
        assert not OpportunityStage.objects.filter(name="Default").exists()


class TestHealth:
    def notes(self, board, user, query=""):
        return [note.text for note in layout.board_view(board.pk, user=user, query=query, today=NOW.date()).health]

    def test_a_board_in_order_says_nothing(self, board, ann):
        assert self.notes(board, ann) == []

    def test_stages_in_no_column_are_named_with_their_cards_whatever_is_filtered(self, board, ann):
        extra = StageFactory(name="Extra")
        make_card(actor=ann, stage_id=extra.pk)
        assert self.notes(board, ann, "q=nothing") == ["In no column of this board: “Extra” (1 card)."]

    def test_a_retired_stage_in_no_column_is_named_only_while_it_has_cards(self, board, ann, lead):
        old = StageFactory(name="Old", active=False)
        assert self.notes(board, ann) == []
        card = make_card(actor=ann, stage_id=lead.pk)
        QuerySet(Opportunity).filter(pk=card.pk).update(stage=old)
        assert self.notes(board, ann) == ["In no column of this board: “Old” (1 card)."]

    def test_a_retired_stage_behind_a_column_is_named(self, board, ann, lead):
        stages.retire(stage_id=lead.pk, actor=ann, now=NOW)
        (text,) = self.notes(board, ann)
        assert "“Lead” (“Lead”)" in text

    def test_columns_without_a_stage_are_named(self, board, ann, lead, offer):
        building.set_columns(board_id=board.pk, columns=wishes(("All", lead, offer), ("Idle",)), actor=ann, now=NOW)
        assert self.notes(board, ann) == ["The column “Idle” has no stage, so no card can be in it."]

    @pytest.mark.parametrize(
        ("condition", "name"),
        [
            ("stage=999", "Stage"),
            ("type=999", "Type"),
            ("salesperson=999", "Salesperson"),
            ("customer=999", "Customer"),
        ],
    )
    def test_a_filter_that_names_what_was_deleted_is_told(self, board, ann, condition, name):
        Board.objects.filter(pk=board.pk).update(filter=f"{condition}&workflow=prospect&salesperson=me")
        assert self.notes(board, ann) == [f"This board's own filter names something that was deleted: {name}."]

    def test_a_filter_that_names_what_is_there_is_in_order(self, board, ann, lead):
        Board.objects.filter(pk=board.pk).update(
            filter=f"stage={lead.pk}&stage=none&salesperson=me&q=999&archived=with"
        )
        assert self.notes(board, ann) == []

    def test_only_who_may_put_it_right_is_told(self, board, sam):
        StageFactory(name="Extra")
        assert self.notes(board, sam) == []

    def test_it_costs_one_statement_more_and_only_where_a_stage_is_in_no_column(
        self, board, ann, django_assert_num_queries
    ):
        found = layout.plan(board.pk, user=ann)
        given = {"user": ann, "today": NOW.date(), "business": BusinessSettings.current()}
        with django_assert_num_queries(0):
            health.health_notes(found, **given)
        for _each in range(3):
            StageFactory()
        found = layout.plan(board.pk, user=ann)
        with django_assert_num_queries(1):
            health.health_notes(found, **given)

    def test_whoever_is_no_admin_is_told_whom_to_ask(self, ann, sam):
        assert health.empty_help(sam).admins == "Ann Kowalski"
        UserFactory(role="admin", first_name="Ben", last_name="Ode")
        UserFactory(role="admin", first_name="Cy", last_name="Young")
        assert health.whom_to_ask() == "Ann Kowalski, Ben Ode or Cy Young"
        assert health.empty_help(ann).admins == ""


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_editors_who_save_at_once_one_is_told(rows):
    ann = UserFactory(role="admin")
    board = BoardFactory(stages=[StageFactory()])
    seen = building.fingerprint_of(board)
    outcomes: list[str] = []
    ready = threading.Barrier(2)

    def save(name):
        try:
            ready.wait(10)
            building.set_columns(board_id=board.pk, columns=wishes((name,)), fingerprint=seen, actor=ann, now=NOW)
            outcomes.append("saved")
        except Stale:
            outcomes.append("stale")
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=save, args=(name,)) for name in ("Mine", "Theirs")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert connection.vendor == "postgresql"
    assert sorted(outcomes) == ["saved", "stale"]
    assert board.columns.count() == 1
