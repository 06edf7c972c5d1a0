"""The pages on which boards are made and changed: who gets there, what they say, and that they work without script."""

import re

import pytest
from django.urls import reverse

from boards import building
from boards.models import Board, Column
from opportunities.models import BulkAct, Opportunity, OpportunityStage, OpportunityStatus
from tests.factories import NOW, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db


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
def admin(client, ann):
    client.force_login(ann)
    return client


@pytest.fixture
def salesperson(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def lead():
    return StageFactory(name="Lead", sequence=1)


@pytest.fixture
def offer():
    return StageFactory(name="Offer", sequence=2)


@pytest.fixture
def board(ann, lead, offer):
    return building.create_board(name="Pipeline", shared=True, with_columns=True, actor=ann, now=NOW)


def page(name, board=None):
    return reverse(f"boards:{name}", args=[board.pk] if board else [])


def form_of(board, *rows, **given):
    """What the column editor sends: rows of key, id, name and stages."""
    data = {"fingerprint": building.fingerprint_of(board), "row": [row[0] for row in rows], "do": "save"}
    for key, column, name, *mapped in rows:
        data[f"id-{key}"] = column.pk if column else ""
        data[f"name-{key}"] = name
        data[f"stages-{key}"] = [stage.pk for stage in mapped]
    return {**data, **given}


def names(board):
    return [(c.name, [each.stage.name for each in c.mapped.all()]) for c in board.columns.order_by("sequence", "pk")]


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestAllBoards:
    def test_it_lists_shared_boards_and_ones_own_with_the_default_first(self, salesperson, board, sam, ann):
        building.create_board(name="Anns secret", actor=ann, now=NOW)
        building.create_board(name="Alpha", actor=sam, now=NOW)
        text = words(salesperson.get(page("all")))
        assert "secret" not in text
        assert text.index("Pipeline") < text.index("Alpha")
        assert "Default" in text

    def test_it_takes_as_many_statements_for_ten_boards_as_for_one(
        self, admin, board, ann, django_assert_max_num_queries
    ):
        for n in range(10):
            building.create_board(name=f"Board {n}", shared=True, with_columns=True, actor=ann, now=NOW)
        admin.get(page("all"))  # the first request of a day settles what that day made due
        with django_assert_max_num_queries(5):
            admin.get(page("all"))

    def test_without_any_board_it_says_what_one_is_and_offers_to_make_it(self, salesperson, ann):
        text = words(salesperson.get(page("all")))
        assert "There is no board yet" in text
        assert "ask Ann Kowalski" in text
        assert "There is no board yet" in words(salesperson.get("/"))


class TestNewBoard:
    def test_an_admin_makes_a_board_for_everybody_with_a_column_for_each_stage(self, admin, lead, offer):
        response = admin.post(page("new"), {"name": "Pipeline", "shared": "on", "with_columns": "on"})
        made = Board.objects.get()
        assert (made.owner, made.is_default) == (None, True)
        assert names(made) == [("Lead", ["Lead"]), ("Offer", ["Offer"])]
        assert response.url == page("columns", made)

    def test_a_salesperson_makes_one_for_themselves_whatever_they_send(self, salesperson, sam):
        salesperson.post(page("new"), {"name": "Mine", "shared": "on"})
        assert Board.objects.get().owner == sam

    def test_a_board_without_a_name_comes_back(self, admin):
        response = admin.post(page("new"), {"name": " "})
        assert response.status_code == 422
        assert not Board.objects.exists()

    def test_html_in_a_name_is_shown_as_text(self, admin, lead):
        admin.post(page("new"), {"name": "<b>Bold</b>", "with_columns": "on"})
        made = Board.objects.get()
        for name in ("all", "edit", "columns", "stages", "delete"):
            content = admin.get(page(name, None if name == "all" else made)).content.decode()
            assert "&lt;b&gt;Bold" in content
            assert "<b>Bold" not in content


class TestSettings:
    def test_name_order_and_filter_are_saved(self, admin, board, ann):
        given = {"name": "Renamed", "sort": "amount", "wip_binding": "on", "salesperson": ["me", "none"], "q": "pump"}
        response = admin.post(page("edit", board), given)
        board.refresh_from_db()
        assert response.url == board.get_absolute_url()
        assert (board.name, board.sort, board.wip_binding, board.is_default) == ("Renamed", "amount", True, True)
        assert board.filter == "salesperson=me&salesperson=none&q=pump"

    def test_the_saved_filter_is_shown_in_words_and_ticked(self, admin, board, ann):
        building.edit_board(board_id=board.pk, filter="salesperson=me&amount_from=500", actor=ann, now=NOW)
        content = admin.get(page("edit", board)).content.decode()
        assert "Salesperson: me" in content
        assert "Amount from 500" in content
        assert re.search(r'name="salesperson" value="me" checked', content)

    def test_a_filter_that_makes_no_sense_comes_back_in_words(self, admin, board):
        response = admin.post(page("edit", board), {"name": "Pipeline", "sort": "rank", "amount_from": "lots"})
        board.refresh_from_db()
        assert "not an amount" in words(response)
        assert response.status_code == 422
        assert board.filter == ""

    def test_two_people_who_change_different_settings_both_succeed(self, admin, board, ann):
        shown = {
            "name": "Pipeline",
            "initial-name": "Pipeline",
            "sort": "rank",
            "initial-sort": "rank",
            "filter_was": "",
        }
        building.edit_board(board_id=board.pk, sort="amount", filter="q=pump", actor=ann, now=NOW)
        admin.post(page("edit", board), {**shown, "name": "Renamed"})
        board.refresh_from_db()
        assert (board.name, board.sort, board.filter) == ("Renamed", "amount", "q=pump")

    def test_another_board_becomes_the_default(self, admin, board, ann):
        other = building.create_board(name="Other", shared=True, actor=ann, now=NOW)
        admin.post(page("edit", other), {"name": "Other", "sort": "rank", "is_default": "on"})
        assert Board.objects.get(is_default=True) == other

    def test_deleting_asks_first_and_says_what_goes(self, admin, board, ann, lead):
        make_card(actor=ann, stage_id=lead.pk)
        building.create_board(name="Next", shared=True, actor=ann, now=NOW)
        text = words(admin.get(page("delete", board)))
        assert "Its 2 columns go with it. No opportunity is touched" in text
        assert "“Next” becomes the default" in text
        assert Board.objects.count() == 2
        admin.post(page("delete", board))
        assert Board.objects.get().is_default
        assert Opportunity.objects.get().stage == lead


class TestWhoGetsThere:
    @pytest.mark.parametrize("name", ["edit", "columns", "stages", "delete"])
    def test_a_shared_board_is_changed_by_admins_only(self, salesperson, board, name):
        assert salesperson.get(page(name, board)).status_code == 403
        assert salesperson.post(page(name, board), {"path": "columns", "do": "save"}).status_code == 403
        assert board.columns.count() == 2

    @pytest.mark.parametrize("name", ["edit", "columns", "stages", "delete"])
    def test_somebody_elses_board_is_not_there(self, admin, sam, name):
        own = building.create_board(name="Mine", actor=sam, now=NOW)
        assert admin.get(page(name, own)).status_code == 404
        assert admin.post(page(name, own), {}).status_code == 404
        assert Board.objects.filter(pk=own.pk).exists()

    @pytest.mark.parametrize("name", ["edit", "columns", "stages", "delete"])
    def test_the_owner_changes_an_own_board(self, salesperson, sam, name):
        own = building.create_board(name="Mine", actor=sam, now=NOW)
        assert salesperson.get(page(name, own)).status_code == 200


class TestColumnEditor:
    def test_it_saves_order_names_limits_and_stages(self, admin, board, lead, offer):
        first, second = board.columns.order_by("sequence")
        data = form_of(
            board,
            ("2", second, "Talks", lead, offer),
            ("1", first, "Empty"),
            **{"colour-2": "teal", "wip_min-2": "1", "wip_max-2": "9"},
        )
        response = admin.post(page("columns", board), data)
        assert response.url == board.get_absolute_url()
        assert names(board) == [("Talks", ["Lead", "Offer"]), ("Empty", [])]
        second.refresh_from_db()
        assert (second.colour, second.wip_min, second.wip_max) == ("teal", 1, 9)

    def test_only_stages_are_offered_never_statuses(self, admin, board):
        OpportunityStatus.objects.create(name="Hibernating")
        text = words(admin.get(page("columns", board)))
        assert "Lead" in text
        assert "Hibernating" not in text

    def test_a_stage_that_is_in_another_column_says_so_and_moves(self, admin, board, lead, offer):
        first, second = board.columns.order_by("sequence")
        assert "in “Offer” now; moves here" in words(admin.get(page("columns", board)))
        data = form_of(board, ("1", first, "Lead", lead, offer), ("2", second, "Offer", offer))
        admin.post(page("columns", board), data)
        assert names(board) == [("Lead", ["Lead", "Offer"]), ("Offer", [])]

    def test_a_stage_ticked_in_two_other_columns_is_refused_in_words(self, admin, board, lead, offer):
        first, second = board.columns.order_by("sequence")
        data = form_of(board, ("1", first, "Lead"), ("2", second, "Offer", lead), ("n1", None, "New", lead))
        response = admin.post(page("columns", board), data)
        assert response.status_code == 422
        assert "“Lead” can be in one column" in words(response)
        assert names(board) == [("Lead", ["Lead"]), ("Offer", ["Offer"])]

    def test_buttons_work_without_script_and_save_nothing(self, admin, board, lead, offer):
        first, second = board.columns.order_by("sequence")
        rows = (("1", first, "Lead", lead), ("2", second, "Offer", offer))
        down = admin.post(page("columns", board), form_of(board, *rows, do="down:1")).content.decode()
        assert down.index('value="Offer"') < down.index('value="Lead"')
        added = admin.post(page("columns", board), form_of(board, *rows, do="add")).content.decode()
        assert 'name="name-n1"' in added
        assert "Not saved yet" in added
        assert names(board) == [("Lead", ["Lead"]), ("Offer", ["Offer"])]

    def test_removing_a_column_says_beforehand_how_many_cards_go_to_the_tray(self, admin, board, ann, lead, offer):
        for _each in range(2):
            make_card(actor=ann, stage_id=lead.pk)
        first, second = board.columns.order_by("sequence")
        rows = (("1", first, "Lead", lead), ("2", second, "Offer", offer))
        response = admin.post(page("columns", board), form_of(board, *rows, do="remove:1"))
        text = words(response)
        assert "“Lead” goes when you save. Its 2 cards then sit in the tray" in text
        assert 'name="removed-1" value="1"' in response.content.decode()
        assert board.columns.count() == 2
        admin.post(page("columns", board), form_of(board, *rows, **{"removed-1": "1"}))
        assert names(board) == [("Offer", ["Offer"])]
        assert set(Opportunity.objects.values_list("stage", flat=True)) == {lead.pk}

    def test_stages_in_no_column_are_listed_and_get_one(self, admin, board, lead, offer):
        extra = StageFactory(name="Extra", sequence=9)
        first, second = board.columns.order_by("sequence")
        rows = (("1", first, "Lead", lead), ("2", second, "Offer", offer))
        content = admin.get(page("columns", board)).content.decode()
        assert re.search(rf'data-loose="{extra.pk}"[^>]*data-active>', content)
        response = admin.post(page("columns", board), form_of(board, *rows, do=f"add-stage:{extra.pk}"))
        assert re.search(
            rf'name="stages-n1" value="{extra.pk}" data-stage="{extra.pk}" checked', response.content.decode()
        )
        each = admin.post(page("columns", board), form_of(board, *rows, do="add-each")).content.decode()
        assert 'name="name-n1" value="Extra"' in each

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"name-1": " "}, "Give the column a name."),
            ({"name-1": "x" * 51}, "The name is too long"),
            ({"wip_max-1": "many"}, "Write a number of cards"),
            ({"wip_max-1": "0"}, "Write a number of cards"),
            ({"wip_min-1": "5", "wip_max-1": "2"}, "cannot be fewer"),
            ({"colour-1": "neon"}, "no such colour"),
        ],
    )
    def test_what_cannot_be_comes_back_with_what_was_typed(self, admin, board, lead, given, said):
        first = board.columns.order_by("sequence").first()
        response = admin.post(page("columns", board), form_of(board, ("1", first, "Typed", lead), **given))
        assert response.status_code == 422
        assert said in words(response)
        assert names(board) == [("Lead", ["Lead"]), ("Offer", ["Offer"])]

    def test_who_is_second_sees_the_fresh_columns_and_their_own(self, admin, board, ann, lead, offer):
        first, _second = board.columns.order_by("sequence")
        data = form_of(board, ("1", first, "My name", lead))
        building.set_columns(board_id=board.pk, columns=[building.ColumnWish(name="Theirs")], actor=ann, now=NOW)
        response = admin.post(page("columns", board), data)
        text = words(response)
        assert response.status_code == 409
        assert "Somebody changed the columns" in text
        assert "My name : Lead" in text or "My name: Lead" in text
        assert 'value="Theirs"' in response.content.decode()
        assert names(board) == [("Theirs", [])]

    def test_nonsense_in_the_form_breaks_nothing(self, admin, board):
        data = {
            "row": ["../x", "1", "1", "BIG"],
            "id-1": "9" * 30,
            "stages-1": ["abc", "-1", "99999"],
            "do": "up:nobody",
        }
        assert admin.post(page("columns", board), data).status_code in {409, 422}
        assert board.columns.count() == 2

    def test_its_statements_do_not_grow_with_columns_and_stages(self, admin, board, ann, django_assert_max_num_queries):
        for n in range(12):
            StageFactory(name=f"More {n}")
        building.column_per_stage(board_id=board.pk, actor=ann, now=NOW)
        admin.get(page("columns", board))  # the first request of a day settles what that day made due
        with django_assert_max_num_queries(13):
            admin.get(page("columns", board))


class TestNoStages:
    @pytest.fixture
    def bare(self, ann):
        return building.create_board(name="Bare", shared=True, actor=ann, now=NOW)

    @pytest.mark.parametrize("name", ["board", "columns"])
    def test_an_admin_is_told_why_and_offered_three_ways_and_the_stage_table(self, admin, bare, ann, name):
        make_card(actor=ann)
        response = admin.get(page(name, bare))
        text, content = words(response), response.content.decode()
        assert "No stages are set up yet" in text
        assert "Sales statuses say how a deal ended" in text
        assert "Load the starter stages" in text
        assert "Make a stage of every status in use" in text
        assert "“Default” (1 card)" in text
        assert reverse("admin:opportunities_opportunitystage_changelist") in content

    def test_everybody_else_is_told_whom_to_ask(self, salesperson, bare):
        text = words(salesperson.get(bare.get_absolute_url()))
        assert "No stages are set up yet" in text
        assert "Ask Ann Kowalski" in text
        assert "Load the starter stages" not in text

    def test_the_starter_stages_make_the_board_usable(self, admin, bare):
        response = admin.post(page("stages", bare), {"path": "starter"}, follow=True)
        assert "5 columns are added." in words(response)
        assert bare.columns.count() == 5

    def test_typed_names_make_stages_and_columns(self, admin, bare):
        admin.post(page("stages", bare), {"path": "names", "names": "Call\r\n\r\nVisit"})
        assert names(bare) == [("Call", ["Call"]), ("Visit", ["Visit"])]

    def test_names_that_are_too_long_come_back(self, admin, bare):
        response = admin.post(page("stages", bare), {"path": "names", "names": "x" * 51})
        assert response.status_code == 422
        assert "too long" in words(response)

    def test_statuses_become_stages_and_all_of_it_can_be_undone(self, admin, bare, ann):
        make_card(actor=ann)
        assert "1 card gets the stage of its status." in words(admin.get(page("stages", bare)))
        response = admin.post(page("stages", bare), {"path": "statuses"}, follow=True)
        assert "1 card has the stage of its status now." in words(response)
        assert "Undo all of it" in words(response)
        assert Opportunity.objects.get().stage.name == "Default"
        act = BulkAct.objects.get()
        response = admin.post(reverse("boards:undo-stages", args=[act.pk]), follow=True)
        assert "1 card has no stage again." in words(response)
        assert not OpportunityStage.objects.exists()
        assert Opportunity.objects.get().stage is None

    def test_an_address_that_names_no_act_is_ignored(self, admin, board):
        for made in ("nonsense", "6b1c9b4e-4c7a-4a39-9d5e-0f6f3a1d2c11"):
            assert "Undo all of it" not in words(admin.get(f"{page('columns', board)}?made={made}"))

    def test_a_board_without_columns_offers_one_for_each_stage(self, admin, bare, lead):
        assert "“Bare” has no columns yet" in words(admin.get(bare.get_absolute_url()))
        admin.post(page("stages", bare), {"path": "columns"})
        assert names(bare) == [("Lead", ["Lead"])]


def test_the_board_tells_its_admin_what_is_amiss_and_where_to_mend_it(admin, board):
    StageFactory(name="Extra")
    response = admin.get(board.get_absolute_url())
    assert "In no column of this board: “Extra” (no cards)." in words(response)
    assert page("columns", board) in response.content.decode()


def test_a_card_of_a_removed_column_is_found_in_the_tray(admin, board, ann, lead):
    card = make_card(actor=ann, stage_id=lead.pk)
    Column.objects.filter(name="Lead").delete()
    assert card.title in words(admin.get(board.get_absolute_url()))
    assert Opportunity.objects.get().version == card.version
