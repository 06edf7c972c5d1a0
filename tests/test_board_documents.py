"""What boards, lists and filters make of documents: chips, why a deal is lost, what leaves by itself, the zones."""

from datetime import date, timedelta

import pytest
from django.http import QueryDict

from boards import building, layout, moves
from boards.list_forms import filter_groups
from boards.models import Board
from opportunities import pipeline, quotes
from opportunities.filters import CardFilter
from opportunities.models import Opportunity, OpportunityStatus
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from tests.documents import (
    ADA,
    BEN,
    TODAY,
    YESTERDAY,
    act,
    business,
    cancel_reason,
    deal,
    finish,
    job_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    sign,
    signers,
    void_reason,
)
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    business()
    return UserFactory(role="manager", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def stage(ann):
    return StageFactory(is_default=True)


@pytest.fixture
def board(stage):
    return BoardFactory(stages=[stage], is_default=True)


@pytest.fixture
def card(stage):
    return deal(title="Boiler", stage_id=stage.pk)


def face(board, card, reader, *, today=TODAY, query=None) -> layout.CardFace:
    return layout.card_face(board.pk, card.pk, user=reader, today=today, query=query)


def chips(board, card, reader) -> list[tuple[str, str]]:
    return [(chip.text, chip.name) for chip in face(board, card, reader).chips]


def shown(board, reader, query="", *, today=TODAY) -> list[str]:
    view = layout.board_view(board.pk, user=reader, query=query, today=today, totals=True)
    return [each.title for each in view.columns[0].cards]


def found(reader, query) -> list[str]:
    asked = CardFilter.parse(query, user=reader, today=TODAY)
    return [card.title for card in asked.apply(Opportunity.objects.order_by("pk"))]


# Chips


def test_a_card_without_documents_has_no_chips(board, card, ann):
    assert chips(board, card, ann) == []


def test_chips_count_documents_and_name_the_last_one(board, card, ann):
    make_quote(card)
    make_quote(card, "submitted")
    make_job(card)

    assert chips(board, card, ann) == [
        ("2", "2 quotes, the last one submitted"),
        ("1", "1 job, accepted"),
    ]


def test_an_agreement_shows_how_many_have_signed(board, card, ann):
    agreement = make_agreement(card, "submitted", recipients=(ADA, BEN))
    sign(signers(agreement)[0])

    assert chips(board, card, ann) == [("1/2", "1 agreement, submitted: 1 of 2 signed")]


def test_equal_faces_are_one_value(board, card, ann):
    make_quote(card, "submitted")

    assert hash(face(board, card, ann)) == hash(face(board, card, ann))


# Won and lost


def test_a_loss_is_named_by_the_quote_and_the_offer_that_is_still_open(board, card, ann):
    dead = make_quote(card, "void")
    still = make_quote(card, "submitted")

    shown_face = face(board, card, ann)
    assert shown_face.sales_label == f"Lost: {dead.number} void, {still.number} still open"
    assert shown_face.offered == f"{still.number} still open"


def test_a_loss_by_the_customers_no_says_declined(board, card, ann):
    act(quotes.decline, make_quote(card, "submitted"))

    assert face(board, card, ann).sales_label == "Lost: declined"
    assert face(board, card, ann).offered == ""


@pytest.mark.parametrize(
    ("status", "words"), [("rejected", "Lost: declined"), ("canceled", "Lost: withdrawn"), ("expired", "Lost: lapsed")]
)
def test_a_loss_by_an_agreement_says_how_it_ended(status, words, board, card, ann):
    make_agreement(card, status)

    assert face(board, card, ann).sales_label == words


def test_a_loss_by_a_refund_says_so(board, card, ann):
    pay_back(pay(make_job(card), "50"), "50")

    assert face(board, card, ann).sales_label == "Lost: refunded"


def test_a_loss_by_hand_shows_its_reason_and_a_later_win_does_not(board, card, ann):
    lost = OpportunityStatus.objects.get(name="Lost")
    act(pipeline.set_status, card, status_id=lost.pk, reason_id=cancel_reason())
    assert face(board, card, ann).sales_label.startswith("Lost: ")

    make_job(card)

    assert (face(board, card, ann).sales, face(board, card, ann).sales_label) == ("won", "Won")


def test_expired_stands_beside_the_outcome(board, stage, ann):
    """AC107: an outcome does not hide the workflow status."""
    late = deal(title="Late", stage_id=stage.pk, forecast_date=YESTERDAY)
    act(quotes.void, make_quote(late), reason_id=void_reason())

    shown_face = face(board, late, ann)
    assert (shown_face.workflow_label, shown_face.sales) == ("Expired", "lost")


def test_won_is_green_lost_is_red_and_open_is_neutral_always_with_words(client, board, stage, ann):
    """AC107."""
    make_job(deal(title="Won one", stage_id=stage.pk))
    make_quote(deal(title="Lost one", stage_id=stage.pk), "void")
    deal(title="Open one", stage_id=stage.pk)
    Board.objects.update(lost_days=None)
    client.force_login(ann)

    page = client.get(f"/boards/{board.pk}/").content.decode()
    items = {
        title: page.split(f">{title}</a>")[0].rsplit("<li ", 1)[1] for title in ("Won one", "Lost one", "Open one")
    }
    feet = {title: page.split(f">{title}</a>")[1].split("</li>")[0] for title in items}

    assert 'class="card won"' in items["Won one"]
    assert 'class="badge sales-won"' in feet["Won one"]
    assert 'class="card lost"' in items["Lost one"]
    assert "Lost: Q-" in feet["Lost one"]
    assert 'class="card"' in items["Open one"]
    assert "sales-" not in feet["Open one"]


def test_a_converted_card_stays_in_its_column_marked_won_and_is_counted_apart(board, card, ann):
    """AC178."""
    make_quote(card, "converted")

    view = layout.board_view(board.pk, user=ann, query="", today=TODAY, totals=True)
    assert [(each.title, each.sales_label) for each in view.columns[0].cards] == [("Boiler", "Won")]
    assert view.columns[0].head.count == 0
    assert view.columns[0].head.outcomes.startswith("1 won")


# What leaves by itself (D42)


def test_a_completed_card_leaves_after_the_boards_days(board, card, ann):
    finish(make_job(card))

    assert shown(board, ann, today=TODAY + timedelta(days=13)) == ["Boiler"]
    late = TODAY + timedelta(days=14)
    view = layout.board_view(board.pk, user=ann, query="", today=late, totals=True)
    assert view.columns[0].cards == ()
    assert view.head.hidden == "1 hidden"
    assert view.head.outcomes == ""


def test_a_lost_card_leaves_after_its_own_days_unless_an_offer_is_open(board, stage, ann):
    make_quote(deal(title="Over", stage_id=stage.pk), "void")
    offered = deal(title="Offered", stage_id=stage.pk)
    make_quote(offered, "void")
    make_quote(offered, "submitted")

    assert shown(board, ann, today=TODAY + timedelta(days=29)) == ["Over", "Offered"]
    assert shown(board, ann, today=TODAY + timedelta(days=30)) == ["Offered"]


def test_without_days_nothing_leaves(board, card, ann):
    finish(make_job(card))
    act(building.edit_board, board_id=board.pk, completed_days=None, lost_days=None)

    assert shown(board, ann, today=TODAY + timedelta(days=900)) == ["Boiler"]


@pytest.mark.parametrize("query", ["workflow=completed", "sales=won", "archived=with"])
def test_a_filter_that_asks_for_them_shows_them(query, board, card, ann):
    finish(make_job(card))

    assert shown(board, ann, query, today=TODAY + timedelta(days=90)) == ["Boiler"]


def test_an_open_card_never_leaves(board, card, ann):
    make_quote(card, "submitted")

    assert shown(board, ann, today=date(2031, 1, 1)) == ["Boiler"]


# Filters


def test_the_workflow_filter_has_eight_values_and_the_sales_filter_three(ann):
    """AC028."""
    groups = {each.key: each for each in filter_groups(CardFilter.parse("", user=ann, today=TODAY), board=None)}

    assert [each.value for each in groups["workflow"].options] == [code for code, _label in WORKFLOW_CHOICES]
    assert len(groups["workflow"].options) == 8
    assert [each.value for each in groups["sales"].options] == [code for code, _label in SALES_CHOICES]
    assert len(groups["sales"].options) == 3


def test_cards_are_found_by_what_lost_them(ann):
    make_quote(deal(title="Void"), "void")
    act(quotes.decline, make_quote(deal(title="Declined"), "submitted"))

    assert found(ann, "lost=quote") == ["Void"]
    assert found(ann, "lost=declined") == ["Declined"]
    assert found(ann, "lost=declined&lost=quote") == ["Void", "Declined"]


def test_lost_deals_with_an_open_offer_are_found(ann):
    make_quote(deal(title="Over"), "void")
    offered = deal(title="Offered")
    make_quote(offered, "void")
    make_quote(offered, "submitted")

    assert found(ann, "offer=1") == ["Offered"]


def test_cards_are_found_by_the_documents_that_they_have(ann):
    make_quote(deal(title="Quoted"))
    make_job(deal(title="Ordered"))
    make_agreement(deal(title="Agreed"))
    deal(title="Bare")

    assert found(ann, "has=quote") == ["Quoted"]
    assert found(ann, "has=job&has=agreement") == ["Ordered", "Agreed"]


def test_each_new_condition_is_a_chip_that_can_be_taken_away(ann):
    asked = CardFilter.parse("lost=quote&has=job&offer=1", user=ann, today=TODAY)

    assert [(chip.label, chip.remove_query) for chip in asked.chips()] == [
        ("Lost because: quote void, canceled or archived", "has=job&offer=1"),
        ("Has a document: job", "lost=quote&offer=1"),
        ("Lost, but still open", "lost=quote&has=job"),
    ]


@pytest.mark.parametrize("query", ["lost=nonsense", "has=invoice", "offer=2"])
def test_a_condition_that_nobody_knows_is_named(query, ann):
    asked = CardFilter.parse(query, user=ann, today=TODAY)

    assert asked.is_empty
    assert len(asked.problems) == 1


def test_a_card_is_found_by_the_number_of_its_documents(ann):
    card = deal(title="Boiler")
    deal(title="Other")
    quote = make_quote(card, "converted")
    agreement = make_agreement(card)

    for number in (quote.number, job_of(quote).number, agreement.number.lower()):
        assert found(ann, QueryDict(f"q={number}")) == ["Boiler"]


# How it ended, by hand


def test_winning_by_hand_asks_about_the_live_quote_first(client, board, card, ann):
    quote = make_quote(card, "submitted")
    client.force_login(ann)

    answer = client.post(f"/boards/{board.pk}/cards/{card.pk}/outcome/", {"zone": "won"})

    assert answer.status_code == 422
    page = answer.content.decode()
    assert f"Convert {quote.number} to a job, or mark as won without one?" in page
    assert f'href="/quotes/{quote.pk}/convert/"' in page
    card.refresh_from_db()
    assert card.sales_status == "none"


def test_it_can_be_won_without_a_job(client, board, card, ann):
    make_quote(card, "submitted")
    won = OpportunityStatus.objects.get(name="Won")
    client.force_login(ann)

    answer = client.post(f"/boards/{board.pk}/cards/{card.pk}/outcome/", {"zone": "won", "status": won.pk})

    assert answer.status_code == 302
    card.refresh_from_db()
    assert (card.sales_status, card.sales_rule) == ("won", "manual")


def test_without_a_live_quote_nothing_is_asked(client, board, card, ann):
    make_agreement(card)
    client.force_login(ann)

    assert client.post(f"/boards/{board.pk}/cards/{card.pk}/outcome/", {"zone": "won"}).status_code == 302


def test_a_zone_that_the_evidence_refuses_says_why(board, card, ann):
    make_job(card)

    refused = moves.targets(board.pk, card.pk, actor=ann, now=NOW).zones

    assert "lost" in refused
    assert "won" not in refused


@pytest.mark.parametrize("count", [1, 12])
def test_a_board_of_documents_takes_no_more_statements(count, client, board, stage, ann, django_assert_max_num_queries):
    client.force_login(ann)
    client.get(f"/boards/{board.pk}/")
    for number in range(count):
        card = deal(title=f"Deal {number}", stage_id=stage.pk)
        make_quote(card, "submitted")

    with django_assert_max_num_queries(12):
        assert client.get(f"/boards/{board.pk}/").status_code == 200
