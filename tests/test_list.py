"""The list of a board and of all cards: the board's set in rows, its order, pages, sums, and search."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from boards import listing
from opportunities import activity, lifecycle, pipeline
from opportunities.models import BusinessSettings, Opportunity, OpportunityStatus
from tests.factories import (
    BoardFactory,
    ContactFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def ann(client):
    starter_rows()
    person = UserFactory(role="manager")
    client.force_login(person)
    return person


@pytest.fixture
def stage():
    return StageFactory(name="Qualified lead", probability=50)


@pytest.fixture
def board(stage):
    return BoardFactory(name="Sales", stages=[stage])


def card(**fields):
    return make_card(now=NOW, **fields)


def page(client, board, query=""):
    """The list as the template got it."""
    return client.get(f"/boards/{board.pk}/list/?{query}").context["view"]


def titles(view):
    return [row.card.title for row in view.rows]


# The rows


def test_a_row_says_all_that_matters(client, ann, board, stage):
    customer = CustomerFactory(name="Harbor View")
    made = card(
        title="Rooftop", actor=ann, stage_id=stage.pk, amount=1500, customer_ids=[customer.pk], forecast_date=NOW.date()
    )
    activity.add_action(
        opportunity_id=made.pk, text="Call Tom", due_on=NOW.date() + timedelta(days=1), actor=ann, now=NOW
    )

    page_text = client.get(f"/boards/{board.pk}/list/").content.decode()
    row = page(client, board).rows[0]

    assert (row.card.number, row.card.title, row.card.customer, row.stage) == (
        f"OPP-{made.pk}",
        "Rooftop",
        "Harbor View",
        "Qualified lead",
    )
    assert (row.card.amount, row.weighted, row.card.forecast) == ("$1,500", "$750", "today")
    assert (row.card.next_action, row.next_due, row.created) == ("Call Tom", "tomorrow", "today")
    for words in ("OPP-", "Rooftop", "Harbor View", "Qualified lead", "$1,500", "$750", "Prospect", "Call Tom"):
        assert words in page_text


def test_a_lost_card_says_why_and_weighs_nothing(client, ann, board):
    lost = card(actor=ann, amount=100, probability=50)
    reason = ReasonFactory(label="Price")
    pipeline.set_status(
        opportunity_id=lost.pk,
        status_id=OpportunityStatus.objects.get(name="Lost").pk,
        reason_id=reason.pk,
        actor=ann,
        now=NOW,
    )

    row = page(client, board, "sales=lost").rows[0]

    assert (row.outcome, row.why, row.weighted) == ("Lost", "Price", "")


def test_what_people_type_is_shown_as_they_typed_it(client, ann, board):
    nasty = "<script>alert(1)</script> & “co”"
    card(title=nasty, customer_ids=[CustomerFactory(name="<b>Bob</b>").pk])

    text = client.get(f"/boards/{board.pk}/list/?q=script").content.decode()

    assert "<script>alert" not in text
    assert "<b>Bob" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("count", [3, 60])
def test_the_list_needs_as_many_statements_for_sixty_cards_as_for_three(
    count, client, ann, board, stage, django_assert_num_queries
):
    for number in range(count):
        contact = ContactFactory()
        made = card(actor=UserFactory(), stage_id=stage.pk, amount=number, contact_ids=[contact.pk])
        activity.add_action(opportunity_id=made.pk, text="Call", due_on=NOW.date(), actor=ann, now=NOW)

    client.get("/search/")  # the first request of a day sweeps

    with django_assert_num_queries(9):
        client.get(f"/boards/{board.pk}/list/")


def test_the_search_needs_two_statements_more(client, ann, board, django_assert_num_queries):
    for _ in range(5):
        card(title="Rooftop")

    client.get("/search/")  # the first request of a day sweeps

    with django_assert_num_queries(11):
        client.get(f"/boards/{board.pk}/list/?q=roof")


# The order


ORDERS = {
    "": "cba",
    "-number": "cba",
    "number": "abc",
    "title": "abc",
    "-title": "cba",
    "customer": "bac",
    "stage": "cab",
    "amount": "bca",
    "-amount": "cba",
    "-weighted": "cba",
    "forecast": "acb",
    "-forecast": "cab",
    "workflow": "bca",
    "salesperson": "bac",
    "next": "cba",
    "days": "bac",
    "-days": "cab",
    "created": "abc",
    "nonsense": "cba",
}


@pytest.mark.parametrize("sort", ORDERS)
def test_each_column_head_sorts_and_empty_values_come_last(sort, client, ann, board):
    first, second = StageFactory(sequence=1, probability=10), StageFactory(sequence=2, probability=50)
    zoe, abe = UserFactory(first_name="Zoe"), UserFactory(first_name="abe")
    harbor, cafe = CustomerFactory(name="harbor"), CustomerFactory(name="Café")
    today = NOW.date()
    past = today - timedelta(days=5)
    a = card(title="a", stage_id=second.pk, salesperson_id=zoe.pk, customer_ids=[harbor.pk], forecast_date=past)
    b = card(title="B", salesperson_id=abe.pk, customer_ids=[cafe.pk], amount=5)
    c = card(title="c", stage_id=first.pk, amount=100, forecast_date=today)
    for days, each in {3: a, 9: b, 1: c}.items():
        Opportunity.objects.filter(pk=each.pk).update(stage_entered_at=NOW - timedelta(days=days))
    activity.add_action(opportunity_id=b.pk, text="later", due_on=today + timedelta(days=2), actor=ann, now=NOW)
    activity.add_action(opportunity_id=c.pk, text="soon", due_on=today, actor=ann, now=NOW)

    shown = "".join(titles(page(client, board, f"sort={sort}"))).lower()

    assert shown == ORDERS[sort]


def test_equal_values_keep_one_order_over_all_pages(client, ann, board, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    made = [card(amount=7).pk for _ in range(5)]

    seen = [row.card.pk for number in (1, 2, 3) for row in page(client, board, f"sort=amount&page={number}").rows]

    assert seen == made


def test_the_column_in_force_says_so_and_turns_round(client, ann, board):
    card()

    heads = {head.key: head for head in page(client, board, "sort=title&q=card").heads}

    assert heads["title"].direction == "ascending"
    assert heads["title"].url == "?q=card&sort=-title"
    assert heads["amount"].url == "?q=card&sort=-amount"


# Pages and sums


@pytest.mark.parametrize(
    ("given", "number", "rows"), [("1", 1, 2), ("3", 3, 1), ("99", 3, 1), ("0", 1, 2), ("x", 1, 2), ("-1", 1, 2)]
)
def test_a_page_that_is_not_there_is_the_nearest_one(given, number, rows, client, ann, board, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    for _ in range(5):
        card()

    view = page(client, board, f"page={given}")

    assert (view.pager.number, len(view.rows), view.pager.pages) == (number, rows, 3)


def test_sums_are_of_the_whole_filtered_set_not_of_the_page(client, ann, board, stage, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    for _ in range(4):
        card(stage_id=stage.pk, amount=Decimal("1000.25"))
    card(amount=10, probability=100)
    card(amount=99_999, title="other")

    view = page(client, board, "amount_to=50000&page=2")

    assert (view.sums.words, view.sums.total, view.sums.weighted) == ("5 opportunities", "$4,011", "$2,010")
    assert view.pager.words == "3 to 4 of 5"


def test_the_list_and_the_board_show_the_same_cards(client, ann, board, stage):
    card(title="open", stage_id=stage.pk)
    card(title="in no column")
    away = card(title="archived", stage_id=stage.pk)
    closed = card(title="closed", stage_id=stage.pk)
    lifecycle.archive(opportunity_id=away.pk, actor=ann, now=NOW)
    inactive = OpportunityStatus.objects.get(name="Inactive")
    pipeline.set_status(opportunity_id=closed.pk, status_id=inactive.pk, actor=ann, now=NOW)

    assert sorted(titles(page(client, board))) == ["in no column", "open"]
    assert sorted(titles(page(client, board, "archived=only"))) == ["archived"]
    assert sorted(titles(page(client, board, f"status={inactive.pk}"))) == ["closed"]


def test_an_empty_list_says_why_and_what_to_do(client, ann, board):
    empty = client.get(f"/boards/{board.pk}/list/").content.decode()
    filtered = client.get(f"/boards/{board.pk}/list/?amount_from=5").content.decode()
    searched = client.get(f"/boards/{board.pk}/list/?q=zzz").content.decode()

    assert "There are no cards yet" in empty
    assert "No card matches the filter" in filtered
    assert "Nothing is called “zzz”" in searched


def test_what_was_left_out_of_the_address_is_named(client, ann, board):
    card()

    assert (
        "“abc” was left out: it is not an amount."
        in client.get(f"/boards/{board.pk}/list/?amount_from=abc").content.decode()
    )


# Who sees it


def test_a_salesperson_sees_and_sums_only_what_is_theirs(client, ann, board):
    BusinessSettings.objects.update(salespeople_see="own")
    sam = UserFactory()
    card(title="sam's", actor=sam, amount=5)
    card(title="ann's", actor=ann, amount=100)
    client.force_login(sam)

    view = page(client, board)

    assert titles(view) == ["sam's"]
    assert (view.sums.count, view.sums.total) == (1, "$5")


def test_somebody_elses_board_is_not_there(client, ann):
    private = BoardFactory(owner=UserFactory())

    for path in ("list", "filter", "save-as"):
        assert client.get(f"/boards/{private.pk}/{path}/").status_code == 404


def test_a_board_that_does_not_exist_is_not_there(client, ann):
    assert client.get("/boards/999/list/").status_code == 404


# Search


@pytest.mark.parametrize("words", ["{pk}", "OPP-{pk}", "opp-{pk}", "#{pk}", "opp {pk}", " {pk} "])
def test_a_whole_number_opens_the_card_wherever_it_is(words, client, ann, board):
    found = card(title="away", actor=ann)
    lifecycle.archive(opportunity_id=found.pk, actor=ann, now=NOW)

    for path in (f"/boards/{board.pk}/list/", "/search/"):
        answer = client.get(path, {"q": words.format(pk=found.pk)})
        assert answer.headers["Location"] == reverse("opportunities:detail", args=[found.pk])


def test_the_number_of_a_card_that_the_person_may_not_see_is_just_a_text(client, ann, board):
    BusinessSettings.objects.update(salespeople_see="own")
    hidden = card(actor=ann)
    client.force_login(UserFactory())

    answer = client.get("/search/", {"q": str(hidden.pk)})

    assert answer.status_code == 200
    assert answer.context["view"].sums.count == 0


@pytest.mark.parametrize("number", ["0", "999999999999999999", "99999999999999999999999"])
def test_a_number_of_no_card_finds_nothing_and_breaks_nothing(number, client, ann, board):
    assert client.get("/search/", {"q": number}).status_code == 200


def test_a_part_of_a_number_lists_what_contains_it(client, ann, board):
    made = card()

    view = client.get("/search/", {"q": str(made.pk)[:2]}).context["view"]

    assert titles(view) == [made.title]


def test_the_board_is_searched_and_says_what_else_there_is(client, ann, board, stage):
    small = BoardFactory(filter=f"stage={stage.pk}")
    card(title="Rooftop one", stage_id=stage.pk)
    card(title="Rooftop two")
    away = card(title="Rooftop three", actor=ann, stage_id=stage.pk)
    lifecycle.archive(opportunity_id=away.pk, actor=ann, now=NOW)

    answer = client.get(f"/boards/{small.pk}/list/?q=rooftop")
    view = answer.context["view"]

    assert titles(view) == ["Rooftop one"]
    assert (view.elsewhere.all_cards, view.elsewhere.archived) == (2, 1)
    assert "2 among all cards" in answer.content.decode()


def test_the_search_over_all_cards_finds_closed_ones_and_archived_ones_when_asked(client, ann):
    closed = card(title="Rooftop closed", actor=ann)
    away = card(title="Rooftop away", actor=ann)
    lifecycle.archive(opportunity_id=away.pk, actor=ann, now=NOW)
    row = OpportunityStatus.objects.get(name="Closed")
    pipeline.set_status(opportunity_id=closed.pk, status_id=row.pk, actor=ann, now=NOW)

    def found(more=""):
        return sorted(titles(client.get(f"/search/?q=roof{more}").context["view"]))

    assert found() == ["Rooftop closed"]
    assert found("&archived=with") == ["Rooftop away", "Rooftop closed"]


def test_the_search_works_before_there_is_a_board(client, ann):
    card(title="Rooftop")

    assert titles(client.get("/search/?q=roof&tray=1").context["view"]) == ["Rooftop"]


# The filter's form


def test_the_status_filter_offers_exactly_eight_workflow_statuses_and_three_sales_statuses(client, ann, board):
    """AC028."""
    groups = client.get(f"/boards/{board.pk}/filter/").context["groups"]

    assert [option.label for option in groups["workflow"].options] == [
        "Prospect",
        "Negotiation",
        "Agreement",
        "Contracted",
        "Completed",
        "Expired",
        "Void",
        "Canceled",
    ]
    assert [option.label for option in groups["sales"].options] == ["Open", "Won", "Lost"]


def test_the_form_shows_what_is_in_force(client, ann, board, stage):
    text = client.get(f"/boards/{board.pk}/filter/?stage={stage.pk}&amount_from=50&forecast=overdue&q=roof")
    content = text.content.decode()

    assert f'name="stage" value="{stage.pk}" checked' in content
    assert 'name="forecast" value="overdue" checked' in content
    assert 'name="amount_from" value="50"' in content
    assert 'type="hidden" name="q" value="roof"' in content


@pytest.mark.parametrize(
    ("view", "target"), [("list", "/boards/{pk}/list/"), ("board", "/boards/{pk}/"), ("", "/boards/{pk}/")]
)
def test_what_was_ticked_becomes_the_address_of_the_board_or_the_list(view, target, client, ann, board):
    answer = client.get(
        f"/boards/{board.pk}/filter/?apply=1&view={view}&salesperson=me&amount_from=&forecast=&archived=&q="
    )

    assert answer.headers["Location"] == target.format(pk=board.pk) + "?salesperson=me"


def test_a_value_that_makes_no_sense_brings_the_form_back(client, ann, board):
    answer = client.get(f"/boards/{board.pk}/filter/?apply=1&amount_from=lots&salesperson=me")

    assert answer.status_code == 422
    assert "“lots” was left out" in answer.content.decode()
    assert 'name="salesperson" value="me" checked' in answer.content.decode()


def test_the_form_of_the_search_has_no_columns_to_speak_of(client, ann):
    assert "tray" not in client.get("/search/filter/").context["groups"]
    assert client.get("/search/filter/?apply=1&q=x").headers["Location"] == "/search/?q=x"


def test_the_dialog_gets_the_form_alone(client, ann, board):
    answer = client.get(f"/boards/{board.pk}/filter/", headers={"HX-Request": "true"}).content.decode()

    assert answer.lstrip().startswith("<form")
    assert "<html" not in answer


# A board of the filter


def test_a_filter_becomes_a_board_of_ones_own(client, ann, board):
    answer = client.post(f"/boards/{board.pk}/save-as/?salesperson=me&amount_from=10", {"name": "My big ones"})

    made = type(board).objects.get(name="My big ones")
    assert answer.headers["Location"] == f"/boards/{made.pk}/"
    assert made.owner == ann
    assert "amount_from=10" in made.filter
    assert made.columns.count() == 1


def test_a_board_needs_a_name(client, ann, board):
    answer = client.post(f"/boards/{board.pk}/save-as/?salesperson=me", {"name": " "})

    assert answer.status_code == 422


def test_the_day_of_a_date_is_the_business_day(client, ann, board):
    BusinessSettings.objects.update(time_zone="Pacific/Auckland")
    made = card()
    local = BusinessSettings.current().local_date(made.created_at)

    assert titles(page(client, board, f"created_from={local}&created_to={local}")) == [made.title]
    assert titles(page(client, board, f"created_to={local - timedelta(days=1)}")) == []
