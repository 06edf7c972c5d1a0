"""What a board shows: which cards in which column, finished texts, true figures, and few statements."""

from datetime import timedelta
from decimal import Decimal

import pytest

from boards import layout
from boards.models import Board, Column, ColumnStage, Fold
from opportunities import activity, lifecycle, pipeline
from opportunities.models import BusinessSettings, Opportunity, OpportunityStage
from tests.factories import (
    NOW,
    BoardFactory,
    ContactFactory,
    ReasonFactory,
    StageFactory,
    TypeFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db

TODAY = NOW.date()


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def ann():
    return UserFactory(username="ann")


@pytest.fixture
def lead():
    return StageFactory(name="Lead", is_default=True, probability=10)


@pytest.fixture
def board(lead):
    return BoardFactory(stages=[lead, StageFactory(name="Decision")])


def view(board, user, query="", **given):
    return layout.board_view(board.pk, user=user, query=query, today=TODAY, **given)


def heads(board, user, query=""):
    return layout.heads(board.pk, user=user, query=query, today=TODAY)


class TestCards:
    def test_each_card_stands_in_the_column_of_its_stage_in_order(self, board, ann):
        first, second = make_card(actor=ann), make_card(actor=ann)
        pipeline.move(opportunity_id=second.pk, stage_id=second.stage_id, before_id=first.pk, actor=ann, now=NOW)

        left, right = view(board, ann).columns

        assert [card.pk for card in left.cards] == [second.pk, first.pk]
        assert right.cards == ()

    def test_a_card_says_everything_in_finished_words(self, board, ann):
        contact = ContactFactory(customer__name="Lowell & Sons")
        card = make_card(
            actor=ann,
            title="Boiler <b>",
            amount=Decimal(18400),
            forecast_date=TODAY + timedelta(days=2),
            customer_ids=[contact.customer_id],
        )
        activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=NOW)

        (face,) = view(board, ann).columns[0].cards

        assert (face.number, face.title, face.customer) == (f"OPP-{card.pk}", "Boiler <b>", "Lowell & Sons")
        assert (face.amount, face.forecast, face.forecast_tone) == ("$18,400", "12 Jun", "soon")
        assert (face.workflow_label, face.sales, face.sales_label) == ("Prospect", "none", "")
        assert (face.next_action, face.next_action_tone) == ("Call", "today")
        assert (face.days, face.salesperson, face.url) == ("0 d", ann.get_full_name(), f"/opportunities/{card.pk}/")
        assert face.movable

    def test_an_expired_card_says_since_when(self, board, ann):
        make_card(actor=ann, forecast_date=TODAY - timedelta(days=3))

        (face,) = view(board, ann).columns[0].cards

        assert (face.forecast, face.forecast_tone, face.workflow) == ("Expired 3 d ago", "late", "expired")

    def test_a_card_is_stale_after_the_days_of_its_stage_unless_something_is_planned(self, board, ann, lead):
        OpportunityStage.objects.filter(pk=lead.pk).update(stale_after_days=7)
        long_ago = NOW - timedelta(days=8)
        stale, planned = make_card(actor=ann, now=long_ago), make_card(actor=ann, now=long_ago)
        activity.add_action(
            opportunity_id=planned.pk, text="Call", due_on=TODAY + timedelta(days=1), actor=ann, now=NOW
        )

        found = {face.pk: face.stale for face in view(board, ann).columns[0].cards}

        assert found == {stale.pk: True, planned.pk: False}

    def test_a_lost_card_that_is_asked_for_says_why(self, board, ann, rows):
        card = make_card(actor=ann)
        reason = ReasonFactory(label="Price")
        pipeline.set_status(opportunity_id=card.pk, status_id=rows["Lost"].pk, reason_id=reason.pk, actor=ann, now=NOW)

        (face,) = view(board, ann, "sales=lost").columns[0].cards

        assert (face.sales, face.sales_label) == ("lost", "Lost: Price")

    def test_cards_in_no_column_sit_in_the_tray(self, board, ann):
        elsewhere = make_card(actor=ann, stage_id=StageFactory().pk)
        nowhere = make_card(actor=ann, stage_id=None)
        make_card(actor=ann)

        tray = view(board, ann).tray

        assert tray is not None
        assert {card.pk for card in tray.cards} == {elsewhere.pk, nowhere.pk}
        assert view(board, ann, totals=True).tray.count == 2

    def test_without_such_cards_there_is_no_tray(self, board, ann):
        make_card(actor=ann)

        assert view(board, ann).tray is None

    def test_a_column_of_two_stages_shows_both_in_one_order(self, board, ann, lead):
        other = StageFactory()
        ColumnStage.objects.create(board=board, column=board.columns.get(name="Lead"), stage=other, position=1)
        first = make_card(actor=ann)
        second = make_card(actor=ann, stage_id=other.pk)
        third = make_card(actor=ann)

        column = view(board, ann).columns[0]

        assert [card.pk for card in column.cards] == [first.pk, second.pk, third.pk]
        assert [stage.pk for stage in column.stages] == [lead.pk, other.pk]

    def test_archived_and_hand_decided_cards_are_left_out(self, board, ann, rows):
        archived, won = make_card(actor=ann), make_card(actor=ann)
        lifecycle.archive(opportunity_id=archived.pk, actor=ann, now=NOW)
        pipeline.set_status(opportunity_id=won.pk, status_id=rows["Won"].pk, actor=ann, now=NOW)

        assert view(board, ann).columns[0].cards == ()
        assert {card.pk for card in view(board, ann, "archived=with").columns[0].cards} == {archived.pk, won.pk}
        assert {card.pk for card in view(board, ann, "archived=only").columns[0].cards} == {archived.pk}

    def test_a_salesperson_sees_only_what_the_business_lets_them(self, board, ann):
        BusinessSettings.objects.update(salespeople_see="own")
        mine = make_card(actor=ann)
        make_card(actor=UserFactory())

        (face,) = view(board, ann).columns[0].cards

        assert face.pk == mine.pk
        assert heads(board, ann)[0].count == 1

    def test_somebody_elses_own_board_is_not_there(self, ann):
        board = BoardFactory(owner=UserFactory())

        with pytest.raises(Board.DoesNotExist):
            view(board, ann)


class TestPages:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch):
        monkeypatch.setattr(layout, "PAGE", 2)

    @pytest.mark.parametrize("sort", [each.value for each in Board.Sort])
    def test_page_after_page_shows_every_card_once_in_the_boards_order(self, board, ann, sort):
        Board.objects.filter(pk=board.pk).update(sort=sort)
        for number in range(7):
            card = make_card(
                actor=ann,
                now=NOW - timedelta(days=number % 3),
                amount=Decimal(number % 3) if number % 2 else None,
                forecast_date=TODAY + timedelta(days=number % 2) if number % 3 else None,
            )
            if number % 2:
                activity.add_action(
                    opportunity_id=card.pk, text="x", due_on=TODAY + timedelta(days=number), actor=ann, now=NOW
                )
        column = board.columns.get(name="Lead")
        shown = view(board, ann).columns[0]
        found = [card.pk for card in shown.cards]
        while shown.more:
            shown = layout.column_page(board.pk, column.pk, user=ann, query="", today=TODAY, after=shown.cards[-1].pk)
            found += [card.pk for card in shown.cards]

        board.refresh_from_db()
        expected = list(layout.in_order(Opportunity.objects.all(), board).values_list("pk", flat=True))
        assert found == expected

    def test_the_tray_has_pages_too(self, board, ann):
        cards = [make_card(actor=ann, stage_id=None) for _ in range(3)]

        tray = view(board, ann).tray
        rest = layout.tray_page(board.pk, user=ann, query="", today=TODAY, after=tray.cards[-1].pk)

        assert tray.more
        assert [card.pk for card in (*tray.cards, *rest.cards)] == [card.pk for card in cards]

    def test_a_page_after_a_card_that_is_gone_begins_again(self, board, ann):
        card = make_card(actor=ann)
        column = board.columns.get(name="Lead")

        page = layout.column_page(board.pk, column.pk, user=ann, query="", today=TODAY, after=999_999)

        assert [face.pk for face in page.cards] == [card.pk]

    def test_a_column_of_another_board_is_not_there(self, board, ann):
        other = BoardFactory(stages=[StageFactory()]).columns.get()

        with pytest.raises(Column.DoesNotExist):
            layout.column_page(board.pk, other.pk, user=ann, query="", today=TODAY, after=None)


class TestHeads:
    def test_they_count_and_weigh_the_open_cards(self, board, ann):
        make_card(actor=ann, amount=Decimal(1000))
        make_card(actor=ann, amount=Decimal(500), probability=50)
        make_card(actor=ann)

        head = heads(board, ann)[board.columns.get(name="Lead").pk]

        assert (head.count, head.count_label, head.total, head.weighted) == (3, "3 open", "$1,500", "$350")

    def test_they_count_all_cards_and_not_only_the_loaded_ones(self, board, ann, monkeypatch):
        monkeypatch.setattr(layout, "PAGE", 1)
        for _ in range(3):
            make_card(actor=ann, amount=Decimal(10))

        assert heads(board, ann)[0].total == "$30"

    def test_expired_cards_count_and_are_shown_apart(self, board, ann):
        make_card(actor=ann, forecast_date=TODAY - timedelta(days=1))
        make_card(actor=ann, forecast_date=TODAY + timedelta(days=6))
        make_card(actor=ann, forecast_date=TODAY + timedelta(days=7))

        head = heads(board, ann)[0]

        assert (head.count, head.expired, head.expiring, head.expiring_short) == (
            3,
            "1 expired",
            "1 expires this week",
            "1 expiring",
        )

    def test_what_is_left_out_is_said(self, board, ann, rows):
        archived, won = make_card(actor=ann), make_card(actor=ann)
        lifecycle.archive(opportunity_id=archived.pk, actor=ann, now=NOW)
        pipeline.set_status(opportunity_id=won.pk, status_id=rows["Won"].pk, actor=ann, now=NOW)

        head = heads(board, ann)[0]

        assert (head.count, head.archived, head.hidden) == (0, "1 archived", "1 hidden")

    def test_decided_cards_that_are_shown_are_counted_beside(self, board, ann, rows):
        reason = ReasonFactory()
        for name in ("Won", "Lost", "Closed"):
            card = make_card(actor=ann, amount=Decimal(47900))
            reason_id = reason.pk if name == "Lost" else None
            pipeline.set_status(
                opportunity_id=card.pk, status_id=rows[name].pk, reason_id=reason_id, actor=ann, now=NOW
            )

        head = heads(board, ann, "archived=with")[0]

        assert (head.count, head.outcomes, head.hidden) == (0, "1 won $47,900 · 1 lost · 1 closed", "")

    def test_a_filter_holds_for_the_figures_too(self, board, ann):
        service = TypeFactory()
        make_card(actor=ann, amount=Decimal(5), type_id=service.pk)
        make_card(actor=ann, amount=Decimal(7))

        assert heads(board, ann, f"type={service.pk}")[0].total == "$5"

    def test_the_boards_saved_filter_holds_always(self, board, ann):
        service = TypeFactory(name="Service")
        mine = make_card(actor=ann, type_id=service.pk)
        make_card(actor=ann)
        Board.objects.filter(pk=board.pk).update(filter=f"type={service.pk}")

        shown = view(board, ann)

        assert [card.pk for card in shown.columns[0].cards] == [mine.pk]
        assert [(chip.label, chip.remove_url) for chip in shown.chips] == [("Type: Service", "")]

    @pytest.mark.parametrize(
        ("least", "most", "cards", "shown"),
        [
            (None, 2, 1, ("1 / 2", "")),
            (None, 2, 2, ("2 / 2", "full")),
            (2, 3, 1, ("1 / 3", "low")),
            (2, None, 1, ("1 of at least 2", "low")),
            (None, None, 1, ("", "")),
        ],
    )
    def test_the_limits_of_a_column_are_shown(self, board, ann, least, most, cards, shown):
        column = board.columns.get(name="Lead")
        Column.objects.filter(pk=column.pk).update(wip_min=least, wip_max=most)
        for _ in range(cards):
            make_card(actor=ann)

        head = heads(board, ann)[column.pk]

        assert (head.wip, head.wip_tone) == shown


class TestEmpty:
    def test_a_business_without_stages_is_told_so(self, ann):
        assert view(BoardFactory(), ann).empty == "no_stages"

    def test_a_board_without_columns_is_told_so(self, ann):
        StageFactory()

        assert view(BoardFactory(), ann).empty == "no_columns"

    def test_a_column_without_a_stage_says_why_it_is_empty(self, board, ann):
        Column.objects.create(board=board, name="Nothing", sequence=9)

        assert "No stage" in view(board, ann).columns[-1].empty


def test_folded_columns_stay_folded_for_the_person(board, ann):
    column = board.columns.get(name="Lead")
    Fold.objects.create(user=ann, board=board, column=column)

    assert view(board, ann).columns[0].folded
    assert not view(board, UserFactory()).columns[0].folded


def test_a_sorted_board_says_so(board, ann):
    Board.objects.filter(pk=board.pk).update(sort="amount")

    assert "dragging changes the stage only" in view(board, ann).sort_label


@pytest.mark.parametrize("cards", [3, 60])
def test_the_statements_do_not_grow_with_the_cards(board, ann, cards, django_assert_num_queries):
    contact = ContactFactory()
    for _ in range(cards):
        card = make_card(actor=ann, customer_ids=[contact.customer_id])
        activity.add_action(opportunity_id=card.pk, text="Call", due_on=TODAY, actor=ann, now=NOW)
    person = ann
    person.role, person.sees = "salesperson", "all"

    with django_assert_num_queries(8):
        view(board, person)
    with django_assert_num_queries(8):
        heads(board, person)
