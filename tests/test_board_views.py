"""The board page over HTTP: what it shows, what its acts answer with and without script, and what ends in words."""

import html
import json
import re

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from boards.models import Board, Column, ColumnStage, Fold
from opportunities import lifecycle, pipeline
from opportunities.models import BusinessSettings, Event, Opportunity, OpportunityStatus
from tests.factories import (
    BoardFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/boards/1/"}


@pytest.fixture
def ann(client: Client):
    starter_rows()
    person = UserFactory.create(role="salesperson", first_name="Ann", last_name="Kowalski")
    client.force_login(person)
    return person


@pytest.fixture
def stages():
    return [StageFactory(name=name) for name in ("Lead", "Proposal", "Decision")]


@pytest.fixture
def board(ann, stages):
    return BoardFactory(name="Sales", stages=stages, is_default=True)


@pytest.fixture
def card(ann, stages):
    return card_in(stages[0], title="Boiler", actor=ann)


def card_in(stage, **fields):
    return make_card(stage_id=stage.pk, now=NOW, **fields)


def column_of(board, stage):
    return Column.objects.get(board=board, mapped__stage=stage)


def url(board, card, part="move"):
    return f"/boards/{board.pk}/cards/{card.pk}/{part}/"


def events_of(response):
    return json.loads(response.headers["HX-Trigger"])


# The page


def test_the_front_door_leads_to_the_default_board_with_the_filter(client, board):
    response = client.get("/?q=boiler&card=3")

    assert response.headers["Location"] == f"/boards/{board.pk}/?q=boiler"


def test_the_front_door_without_a_board_says_what_a_board_is(client, ann):
    Board.objects.all().delete()

    response = client.get("/")

    assert response.status_code == 200
    assert "There is no board yet" in response.text


def test_a_board_shows_its_cards_with_plain_links_and_a_move_page(client, board, card):
    text = client.get(f"/boards/{board.pk}/").text

    assert f'href="/opportunities/{card.pk}/"' in text
    assert f'href="/boards/{board.pk}/cards/{card.pk}/move/"' in text


def test_html_in_a_title_is_shown_as_it_was_typed(client, board, stages):
    card_in(stages[0], title='<script>alert("x")</script>')

    text = client.get(f"/boards/{board.pk}/").text

    assert "&lt;script&gt;alert(" in text
    assert "<script>alert(" not in text


def test_nothing_inline_is_on_the_board(client, board, card):
    text = client.get(f"/boards/{board.pk}/?totals=1").text

    assert " style=" not in text
    assert "<style" not in text
    assert "<script>" not in text
    assert " onclick=" not in text


def test_a_board_of_somebody_else_is_not_there(client, board):
    board.is_default, board.owner = False, UserFactory()
    board.save()

    assert client.get(f"/boards/{board.pk}/").status_code == 404


def test_totals_are_in_the_page_only_when_asked_for(client, board, stages):
    card_in(stages[0], amount=1200)

    assert 'class="sum"' not in client.get(f"/boards/{board.pk}/").text
    assert '<span class="sum">$1,200</span>' in client.get(f"/boards/{board.pk}/?totals=1").text


def test_the_heads_come_as_parts_of_the_page(client, board, stages):
    card_in(stages[0], amount=1200)

    response = client.get(f"/boards/{board.pk}/heads/", headers=HTMX)

    assert f'hx-target="#sums-{column_of(board, stages[0]).pk}"' in response.text
    assert "$1,200" in response.text


def test_a_page_of_cards_goes_on_after_a_card(client, board, stages):
    cards = [card_in(stages[0]) for _ in range(35)]
    column = column_of(board, stages[0])

    first = client.get(f"/boards/{board.pk}/").text
    rest = client.get(f"/boards/{board.pk}/columns/{column.pk}/cards/?after={cards[29].pk}", headers=HTMX).text

    assert f"cards/?after={cards[29].pk}" in first
    assert f'id="card-{cards[30].pk}"' in rest
    assert f'id="card-{cards[29].pk}"' not in rest
    assert "Show more" not in rest


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 40, "²"])
def test_a_page_of_cards_after_nonsense_begins_at_the_top(client, board, card, stages, after):
    column = column_of(board, stages[0])

    response = client.get(f"/boards/{board.pk}/columns/{column.pk}/cards/", {"after": after}, headers=HTMX)

    assert f'id="card-{card.pk}"' in response.text


def test_cards_in_no_column_are_in_the_tray(client, board):
    card = make_card(now=NOW, stage_id=None, title="Lost sheep")

    text = client.get(f"/boards/{board.pk}/").text

    assert "In no column" in text
    assert text.index('id="tray"') < text.index(f'id="card-{card.pk}"') < text.index('class="column colour-blue"')


def test_the_tray_counts_all_its_cards_and_leads_to_them_in_the_list(client, board):
    for _ in range(31):
        make_card(now=NOW, stage_id=None)

    page = client.get(f"/boards/{board.pk}/?q=card").text
    heads = client.get(f"/boards/{board.pk}/heads/", headers=HTMX).text
    folded = client.post(f"/boards/{board.pk}/tray/fold/", headers=HTMX).text

    assert f'href="/boards/{board.pk}/list/?q=card&amp;tray=1"' in page
    assert '<span class="count" id="count-tray"></span>' in page
    assert '<hx-partial hx-target="#count-tray, #tab-count-tray"><span>31</span></hx-partial>' in heads
    assert '<span class="count" id="count-tray"></span>' in folded
    assert "31 opportunities" in client.get(f"/boards/{board.pk}/list/?tray=1").text


def test_a_column_fetched_again_keeps_the_pages_that_were_loaded(client, board, stages):
    cards = [card_in(stages[0]) for _ in range(65)]
    column = column_of(board, stages[0])

    again = client.get(f"/boards/{board.pk}/columns/{column.pk}/cards/?first=60", headers=HTMX).text

    assert f'id="card-{cards[0].pk}"' in again
    assert f'id="card-{cards[59].pk}"' in again
    assert f'id="card-{cards[60].pk}"' not in again
    assert f"cards/?after={cards[59].pk}" in again


def test_the_tray_fetched_again_keeps_the_pages_that_were_loaded(client, board):
    cards = [make_card(now=NOW, stage_id=None) for _ in range(35)]

    again = client.get(f"/boards/{board.pk}/tray/?first=60", headers=HTMX).text

    assert f'id="card-{cards[34].pk}"' in again


@pytest.mark.parametrize("first", ["", "x", "-1", "0", "1", "9" * 40, "²"])
def test_a_column_fetched_again_by_nonsense_is_a_page_of_it(client, board, stages, first):
    cards = [card_in(stages[0]) for _ in range(31)]
    column = column_of(board, stages[0])

    response = client.get(f"/boards/{board.pk}/columns/{column.pk}/cards/", {"first": first}, headers=HTMX)

    assert f'id="card-{cards[29].pk}"' in response.text


def test_the_number_of_statements_does_not_grow_with_the_cards(client, board, stages, django_assert_max_num_queries):
    client.get(f"/boards/{board.pk}/")
    for stage in stages:
        for _ in range(20):
            card_in(stage, customer_ids=[CustomerFactory().pk])

    with django_assert_max_num_queries(12):
        client.get(f"/boards/{board.pk}/")


# Moving


def test_a_move_answers_with_the_card_both_counts_and_undo(client, board, card, stages):
    target = column_of(board, stages[1])

    response = client.post(url(board, card), {"column": target.pk, "version": card.version}, headers=HTMX)

    assert response.status_code == 200
    assert f'id="card-{card.pk}"' in response.text
    assert response.text.count('hx-target="#count-') == 2
    assert f"/events/{Event.objects.latest('pk').pk}/undo/" in response.text
    assert "<html" not in response.text
    assert events_of(response)["card-moved"] == {"card": card.pk, "column": target.pk, "to": ""}


def test_a_move_takes_at_most_fourteen_statements(client, board, card, stages):
    target, back = column_of(board, stages[1]), column_of(board, stages[0])
    client.post(url(board, card), {"column": target.pk}, headers=HTMX)

    with CaptureQueriesContext(connection) as captured:
        client.post(url(board, card), {"column": back.pk}, headers=HTMX)

    statements = [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(statements) <= 14


def test_without_script_a_move_leads_back_to_the_board(client, board, card, stages):
    target = column_of(board, stages[1])

    page = client.get(url(board, card), headers={"Referer": f"http://testserver/boards/{board.pk}/?q=b"})
    response = client.post(url(board, card), {"column": target.pk, "next": f"/boards/{board.pk}/?q=b"}, follow=True)

    assert "<html" in page.text
    assert response.redirect_chain == [(f"/boards/{board.pk}/?q=b", 302)]
    assert "moved to Proposal" in response.text
    assert Opportunity.objects.get(pk=card.pk).stage == stages[1]


def test_a_next_address_of_another_site_is_not_followed(client, board, card, stages):
    target = column_of(board, stages[1])

    response = client.post(url(board, card), {"column": target.pk, "next": "https://evil.example/"})

    assert response.headers["Location"] == f"/boards/{board.pk}/"


def test_a_place_beside_a_neighbour_is_kept(client, board, stages):
    first, second, third = (card_in(stages[0]) for _ in range(3))
    column = column_of(board, stages[0])

    client.post(url(board, third), {"column": column.pk, "after": first.pk, "before": second.pk}, headers=HTMX)

    text = client.get(f"/boards/{board.pk}/").text
    assert text.index(f"card-{first.pk}") < text.index(f"card-{third.pk}") < text.index(f"card-{second.pk}")


@pytest.mark.parametrize(("end", "place"), [("top", 0), ("bottom", 2)])
def test_a_card_is_sent_to_the_top_and_to_the_bottom(client, board, stages, end, place):
    cards = [card_in(stages[0]) for _ in range(3)]

    client.post(url(board, cards[1]), {"to": end}, headers=HTMX)

    order = list(Opportunity.objects.order_by("rank", "pk").values_list("pk", flat=True))
    assert order.index(cards[1].pk) == place


def test_a_refused_move_says_why_with_a_link_and_changes_nothing(client, board, card, stages):
    stages[1].requires_amount = True
    stages[1].save()

    response = client.post(url(board, card), {"column": column_of(board, stages[1]).pk}, headers=HTMX)

    assert response.status_code == 409
    assert reverse("opportunities:edit", args=[card.pk]) in response.text
    assert f'data-column="{column_of(board, stages[0]).pk}"' in response.text
    assert Opportunity.objects.get(pk=card.pk).stage == stages[0]


def test_a_refused_move_without_script_is_a_page_in_words(client, board, card, stages):
    stages[1].requires_amount = True
    stages[1].save()

    response = client.post(url(board, card), {"column": column_of(board, stages[1]).pk})

    assert response.status_code == 409
    assert "Back to the board" in response.text


def test_a_stale_move_answers_with_the_card_as_it_is(client, board, card, stages):
    pipeline.move(opportunity_id=card.pk, stage_id=stages[2].pk, actor=None, now=NOW)

    move = {"column": column_of(board, stages[1]).pk, "version": card.version}
    response = client.post(url(board, card), move, headers=HTMX)

    assert response.status_code == 409
    assert f"Not moved. Nightly run moved “{card.title}” to {stages[2].name}." in response.text
    assert f'data-column="{column_of(board, stages[2]).pk}"' in response.text
    assert "heads-changed" in events_of(response)


def test_a_move_fired_twice_is_one_move(client, board, card, stages):
    move = {"column": column_of(board, stages[1]).pk, "version": card.version}

    answers = [client.post(url(board, card), move, headers=HTMX).status_code for _ in range(2)]

    assert answers[0] == 200
    assert Event.objects.filter(opportunity=card, kind="moved").count() == 1


def test_a_column_of_several_stages_asks_which(client, board, card, stages):
    column = column_of(board, stages[1])
    extra = StageFactory(name="Second offer")
    ColumnStage.objects.create(board=board, column=column, stage=extra, position=2)

    asked = client.post(url(board, card), {"column": column.pk}, headers=HTMX)
    told = client.post(url(board, card), {"column": column.pk, "stage": extra.pk}, headers=HTMX)

    assert asked.status_code == 422
    assert 'hx-target="#dialog"' in asked.text
    assert "Second offer" in asked.text
    assert told.status_code == 200
    assert Opportunity.objects.get(pk=card.pk).stage == extra


def test_a_shift_drop_takes_the_first_stage_of_a_column(client, board, card, stages):
    column = column_of(board, stages[1])
    ColumnStage.objects.create(board=board, column=column, stage=StageFactory(), position=2)

    response = client.post(url(board, card), {"column": column.pk, "first": "1"}, headers=HTMX)

    assert response.status_code == 200
    assert Opportunity.objects.get(pk=card.pk).stage == stages[1]


@pytest.mark.parametrize(
    "nonsense",
    [{"column": "x"}, {"column": "-1"}, {"to": "sideways"}, {"column": "1", "after": "1; DROP"}, {"column": "9" * 30}],
)
def test_nonsense_is_refused_in_words(client, board, card, nonsense):
    response = client.post(url(board, card), nonsense, headers=HTMX)

    assert response.status_code in {404, 409}
    assert Event.objects.filter(kind="moved").count() == 0


def test_a_stage_or_column_that_is_gone_is_not_found(client, board, card, stages):
    column = column_of(board, stages[1])

    assert client.post(url(board, card), {"column": column.pk, "stage": 9999}, headers=HTMX).status_code == 404
    gone = column.pk
    column.delete()
    assert client.post(url(board, card), {"column": gone}, headers=HTMX).status_code == 404


def test_a_card_that_one_may_not_see_is_not_found(client, board, stages):
    BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)
    other = card_in(stages[0], actor=UserFactory())

    for part in ("move", "outcome", "targets"):
        assert client.get(url(board, other, part)).status_code == 404
    assert client.get(f"/boards/{board.pk}/cards/{other.pk}/").status_code == 404
    assert client.post(url(board, other), {"column": column_of(board, stages[1]).pk}).status_code == 404


def test_what_refuses_a_card_is_told_when_it_is_lifted(client, board, card, stages):
    stages[1].requires_amount = True
    stages[1].save()

    told = client.get(url(board, card, "targets")).json()

    assert list(told["columns"]) == [str(column_of(board, stages[1]).pk)]
    assert told["zones"] == {}


def test_the_move_menu_names_columns_ends_and_outcomes(client, board, card):
    text = client.get(url(board, card), headers=HTMX).text

    for words in ("Lead", "Proposal", "Decision", "Send to top", "Send to bottom", "Won", "Lost", "Closed"):
        assert words in text
    assert "<html" not in text


def test_a_sorted_board_offers_no_place_in_the_column(client, board, card):
    assert "Send to top" in client.get(url(board, card)).text
    Board.objects.update(sort="amount")

    assert "Send to top" not in client.get(url(board, card)).text


@pytest.fixture
def void_card(card):
    """A card that was voided, as plain rows: the act itself belongs to no test of the board."""
    lost, reason = OpportunityStatus.objects.get(name="Lost"), ReasonFactory(void=True)
    closed = {"closed_kind": "void", "workflow_status": "void", "closed_at": NOW, "decided_on": NOW.date()}
    ended = {"sales_status": "lost", "sales_rule": "P1", "status": lost, "close_reason": reason}
    QuerySet(Opportunity).filter(pk=card.pk).update(**closed, **ended, close_reason_label=reason.label)
    return card


def test_a_void_card_is_shown_so_and_cannot_be_picked_up(client, board, void_card):
    text = client.get(f"/boards/{board.pk}/").text

    shown = re.search(rf'<li class="([^"]+)" id="card-{void_card.pk}"', text)
    assert shown
    assert {"closed", "fixed"} <= set(shown[1].split())
    assert "Void" in text
    assert f'href="/boards/{board.pk}/cards/{void_card.pk}/move/"' not in text


def test_a_void_card_is_refused_everywhere_with_the_reason(client, board, void_card, stages):
    why = json.loads(client.get(url(board, void_card, "targets")).content)
    menu = client.get(url(board, void_card))
    moved = client.post(url(board, void_card), {"stage": stages[1].pk}, headers=HTMX)
    won = client.post(url(board, void_card, "outcome"), {"zone": "won"}, headers=HTMX)

    assert len(why["columns"]) == 3
    assert {"won", "lost", "closed"} == set(why["zones"])
    words = why["zones"]["won"]
    assert "is Void: nothing on it can be changed any more" in words
    assert all(reason == words for reason in why["columns"].values())
    assert words in html.unescape(menu.text)
    assert (moved.status_code, won.status_code) == (409, 409)
    assert words in html.unescape(moved.text)
    assert words in html.unescape(won.text)
    assert Opportunity.objects.get(pk=void_card.pk).stage_id == stages[0].pk


# How it ended


def test_won_needs_no_dialog(client, board, card):
    response = client.post(url(board, card, "outcome"), {"zone": "won"}, headers=HTMX)

    assert response.status_code == 200
    assert "card-changed" in events_of(response)
    assert Opportunity.objects.get(pk=card.pk).sales_status == "won"


def test_lost_asks_for_a_reason_and_then_does_it(client, board, card):
    reason = ReasonFactory(label="Price")

    asked = client.post(url(board, card, "outcome"), {"zone": "lost"}, headers=HTMX)
    row = OpportunityStatus.objects.get(name="Lost")
    bare = client.post(url(board, card, "outcome"), {"zone": "lost", "status": row.pk}, headers=HTMX)
    told = {"zone": "lost", "status": row.pk, "reason": reason.pk}
    done = client.post(url(board, card, "outcome"), told, headers=HTMX)

    assert (asked.status_code, bare.status_code, done.status_code) == (422, 422, 200)
    assert "Say why the deal was lost" in bare.text
    assert Opportunity.objects.get(pk=card.pk).decided_reason_label == "Price"


def test_lost_among_all_rows_asks_for_a_reason_too(client, board, card):
    row = OpportunityStatus.objects.get(name="Lost")

    response = client.post(url(board, card, "outcome"), {"status": row.pk})

    assert response.status_code == 422
    assert "Say why the deal was lost" in response.text


def test_the_outcome_of_somebody_elses_card_is_refused_before_anything_is_asked(client, board, stages):
    other = card_in(stages[0], actor=UserFactory(first_name="Sam"))

    dropped = client.post(url(board, other, "outcome"), {"zone": "lost"}, headers=HTMX)
    asked = client.get(url(board, other, "outcome"), {"zone": "lost"}, headers=HTMX)

    assert (dropped.status_code, asked.status_code) == (403, 403)
    assert "or a manager may do that" in dropped.text
    assert "or a manager may do that" in asked.text
    assert f'id="card-{other.pk}"' in dropped.text


def test_a_card_decided_off_the_board_is_gone_from_it(client, board, card):
    row = OpportunityStatus.objects.get(name="Closed")
    client.post(url(board, card, "outcome"), {"zone": "closed", "status": row.pk}, headers=HTMX)

    assert f'id="card-{card.pk}"' not in client.get(f"/boards/{board.pk}/").text


# Adding, folding


def test_quick_add_makes_the_card_and_its_customer(client, board, ann, stages):
    column = column_of(board, stages[1])
    given = {"title": "Heat pump", "customer": "New Firm", "amount": "18,400.50"}

    response = client.post(f"/boards/{board.pk}/columns/{column.pk}/add/", given, headers=HTMX)

    card = Opportunity.objects.get(title="Heat pump")
    assert (card.stage, card.salesperson, str(card.amount)) == (stages[1], ann, "18400.50")
    assert card.face["customers"] == ["New Firm"]
    assert f'id="card-{card.pk}"' in response.text
    assert events_of(response)["card-added"]["column"] == column.pk


def test_a_double_click_on_quick_add_makes_one_card(client, board, stages):
    address = f"/boards/{board.pk}/columns/{column_of(board, stages[0]).pk}/add/"
    token = re.search(r'name="token" value="([0-9a-f-]{36})"', client.get(address, headers=HTMX).text)

    answers = [client.post(address, {"title": "Boiler", "token": token[1]}, headers=HTMX) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert Opportunity.objects.filter(title="Boiler").count() == 1
    assert token[1] not in answers[0].text


def test_quick_add_finds_every_customer_by_what_is_typed(client, board, stages):
    for place in range(201):
        CustomerFactory(name=f"Aa {place}")
    CustomerFactory(name="Zebra Crossing Ltd")

    form = client.get(f"/boards/{board.pk}/columns/{column_of(board, stages[0]).pk}/add/", headers=HTMX).text
    offered = re.search(r'hx-get="([^"]+)" hx-trigger="input', form)

    assert "Zebra Crossing Ltd" in client.get(offered[1], {"customer": "zebra"}, headers=HTMX).text


def test_quick_add_under_a_filter_that_hides_the_card_says_so(client, board, stages):
    column = column_of(board, stages[1])

    response = client.post(f"/boards/{board.pk}/columns/{column.pk}/add/?q=other", {"title": "Pump"}, headers=HTMX)

    assert "The filter in force hides it" in response.text
    assert f'id="card-{Opportunity.objects.get(title="Pump").pk}"' not in response.text


def test_quick_add_without_script_leads_back(client, board, stages):
    column = column_of(board, stages[1])

    response = client.post(f"/boards/{board.pk}/columns/{column.pk}/add/", {"title": "Heat pump"})

    assert response.headers["Location"] == f"/boards/{board.pk}/"


@pytest.mark.parametrize(
    "given",
    [
        {"title": ""},
        {"title": "x" * 10_000},
        {"title": "ok", "amount": "-5"},
        {"title": "ok", "amount": "1e400"},
        {"title": "ok", "amount": "9" * 20},
        {"title": "ok", "amount": "NaN"},
        {"title": "ok", "customer": "x" * 10_000},
    ],
)
def test_quick_add_of_nonsense_shows_the_form_again(client, board, stages, given):
    column = column_of(board, stages[1])

    response = client.post(f"/boards/{board.pk}/columns/{column.pk}/add/", given, headers=HTMX)

    assert response.status_code == 422
    assert 'class="errors"' in response.text
    assert Opportunity.objects.count() == 0


def test_quick_add_into_a_stage_that_asks_for_more_says_so(client, board, stages):
    stages[1].requires_amount = True
    stages[1].save()
    column = column_of(board, stages[1])

    response = client.post(f"/boards/{board.pk}/columns/{column.pk}/add/", {"title": "Heat pump"}, headers=HTMX)

    assert response.status_code == 422
    assert "amount" in response.text


def test_a_column_folds_for_one_person_and_unfolds_again(client, board, ann, card, stages):
    column = column_of(board, stages[0])
    fold = f"/boards/{board.pk}/columns/{column.pk}/fold/"

    folded = client.post(fold, headers=HTMX).text
    assert "unfold" in folded
    assert f'id="card-{card.pk}"' not in folded
    assert Fold.objects.filter(user=ann, column=column).exists()

    unfolded = client.post(fold, headers=HTMX).text
    assert f'id="card-{card.pk}"' in unfolded
    assert not Fold.objects.exists()


def test_the_tray_folds_and_stays_folded(client, board):
    make_card(now=NOW, stage_id=None)

    assert client.post(f"/boards/{board.pk}/tray/fold/").status_code == 302
    assert "folded; unfold" in client.get(f"/boards/{board.pk}/").text


def test_an_archived_closed_card_answers_its_own_page_without_script(client, board, card):
    lifecycle.archive(opportunity_id=card.pk, actor=None, now=NOW)

    response = client.get(f"/boards/{board.pk}/cards/{card.pk}/")

    assert response.headers["Location"] == f"/opportunities/{card.pk}/"


# Who and how


def test_a_session_that_ended_leads_htmx_to_login_and_back_to_the_page(client, board, card, stages):
    client.logout()
    move = {"column": column_of(board, stages[1]).pk}

    response = client.post(
        url(board, card), move, headers={**HTMX, "HX-Current-URL": "http://testserver/boards/7/?q=b"}
    )

    assert response.headers["HX-Redirect"] == "/accounts/login/?next=%2Fboards%2F7%2F%3Fq%3Db"


@pytest.mark.parametrize("part", ["heads/", "tray/", "cards/1/", "cards/1/targets/"])
def test_what_only_shows_takes_no_post(client, board, part):
    assert client.post(f"/boards/{board.pk}/{part}").status_code == 405


@pytest.mark.parametrize("part", ["columns/1/fold/", "tray/fold/"])
def test_what_changes_takes_no_get(client, board, part):
    assert client.get(f"/boards/{board.pk}/{part}").status_code == 405
