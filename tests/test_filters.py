"""The one filter of board, list, totals and bulk acts: each condition, bad values, whose cards, and the chips."""

from datetime import date, timedelta

import pytest
from django.http import QueryDict

from boards.selection import select, select_all
from opportunities import customers, lifecycle, pipeline
from opportunities.filters import CardFilter
from opportunities.models import BusinessSettings, Opportunity, OpportunityStatus
from tests.factories import (
    NOW,
    BoardFactory,
    ContactFactory,
    CustomerFactory,
    ReasonFactory,
    StageFactory,
    TypeFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


@pytest.fixture
def ann():
    starter_rows()
    return UserFactory(role="manager")


def found(query, user):
    """The titles of the cards that a query string selects, in alphabetical order."""
    cards = CardFilter.parse(query, user=user, today=TODAY).apply(Opportunity.objects.all())
    return sorted(cards.values_list("title", flat=True))


def q(text):
    """The query string of a search."""
    query = QueryDict(mutable=True)
    query["q"] = text
    return query


def parse(query, user):
    return CardFilter.parse(query, user=user, today=TODAY)


# Each condition


def test_mine_unassigned_and_several_salespeople(ann):
    bob, cid = UserFactory(), UserFactory()
    for title, person in {"ann's": ann, "bob's": bob, "cid's": cid, "nobody's": None}.items():
        make_card(title=title, salesperson_id=person.pk if person else None)

    assert found("salesperson=me", ann) == ["ann's"]
    assert found("salesperson=me", bob) == ["bob's"]
    assert found("salesperson=none", ann) == ["nobody's"]
    assert found(f"salesperson={bob.pk}&salesperson=none", ann) == ["bob's", "nobody's"]


def test_several_stages_and_no_stage(ann):
    first, second, third = StageFactory(), StageFactory(), StageFactory()
    for title, stage in {"a": first, "b": second, "c": third, "d": None}.items():
        make_card(title=title, stage_id=stage.pk if stage else None)

    assert found(f"stage={first.pk}&stage={third.pk}", ann) == ["a", "c"]
    assert found("stage=none", ann) == ["d"]


def test_the_type_and_no_type(ann):
    make_card(title="service", type_id=TypeFactory().pk)
    typed = Opportunity.objects.get()
    make_card(title="untyped")

    assert found(f"type={typed.type_id}", ann) == ["service"]
    assert found("type=none", ann) == ["untyped"]


def test_the_workflow_status(ann):
    make_card(title="past", forecast_date=TODAY - timedelta(days=1))
    make_card(title="ahead", forecast_date=TODAY)

    assert found("workflow=expired", ann) == ["past"]
    assert found("workflow=prospect&workflow=expired", ann) == ["ahead", "past"]


def test_the_sales_status_the_status_row_the_rule_and_the_reason(ann):
    rows = starter_rows()
    price, other = ReasonFactory(label="Price"), ReasonFactory(label="Other")
    for title in ("open", "won", "lost", "closed"):
        make_card(title=title, actor=ann)
    chosen = {"won": ("Won", None), "lost": ("Lost", price.pk), "closed": ("Closed", None)}
    for title, (row, reason) in chosen.items():
        card = Opportunity.objects.get(title=title)
        pipeline.set_status(opportunity_id=card.pk, status_id=rows[row].pk, reason_id=reason, actor=ann, now=NOW)

    assert found("sales=none", ann) == ["closed", "open"]
    assert found("sales=won&sales=lost", ann) == ["lost", "won"]
    assert found(f"status={rows['Closed'].pk}", ann) == ["closed"]
    assert found("rule=manual", ann) == ["closed", "lost", "won"]
    assert found(f"reason={price.pk}", ann) == ["lost"]
    assert found(f"reason={other.pk}", ann) == []


def test_the_amount_from_and_to(ann):
    for amount in (0, 50, 100, None):
        make_card(title=str(amount), amount=amount)

    assert found("amount_from=50", ann) == ["100", "50"]
    assert found("amount_to=50", ann) == ["0", "50"]
    assert found("amount_from=0&amount_to=0", ann) == ["0"]
    assert found("amount_from=50.01&amount_to=1 000", ann) == ["100"]


SPANS = {
    "overdue": ["yesterday"],
    "today": ["today"],
    "this_week": ["sunday", "today", "yesterday"],
    "this_month": ["sunday", "today", "yesterday"],
    "next_30": ["sunday", "today"],
    "none": ["undated"],
}


@pytest.mark.parametrize("span", SPANS)
def test_the_spans_of_the_forecast_date(span, ann):
    days = {
        "yesterday": TODAY - timedelta(days=1),
        "today": TODAY,
        "sunday": date(2025, 6, 15),
        "august": date(2025, 8, 1),
        "undated": None,
    }
    for title, day in days.items():
        make_card(title=title, forecast_date=day)

    assert found(f"forecast={span}", ann) == SPANS[span]


def test_the_week_begins_on_the_business_first_day(ann):
    make_card(title="sunday", forecast_date=date(2025, 6, 8))

    monday_first = CardFilter.parse("forecast=this_week", user=ann, today=TODAY, first_weekday=1)
    sunday_first = CardFilter.parse("forecast=this_week", user=ann, today=TODAY, first_weekday=7)

    assert not monday_first.apply(Opportunity.objects.all()).exists()
    assert sunday_first.apply(Opportunity.objects.all()).exists()


def test_the_days_of_forecast_creation_and_decision(ann):
    make_card(title="early", now=NOW - timedelta(days=10), forecast_date=date(2025, 7, 1))
    make_card(title="late", forecast_date=date(2025, 9, 1), actor=ann)
    won = OpportunityStatus.objects.get(name="Won")
    late = Opportunity.objects.get(title="late")
    pipeline.set_status(opportunity_id=late.pk, status_id=won.pk, actor=ann, now=NOW)

    assert found("forecast_from=2025-07-02", ann) == ["late"]
    assert found("forecast_from=2025-07-01&forecast_to=2025-07-01", ann) == ["early"]
    assert found("created_to=2025-06-09", ann) == ["early"]
    assert found("created_from=2025-06-10&created_to=2025-06-10", ann) == ["late"]
    assert found("decided_from=2025-06-10&decided_to=2025-06-10", ann) == ["late"]
    assert found("decided_to=2025-06-09", ann) == []


def test_the_customer(ann):
    cafe = CustomerFactory()
    make_card(title="theirs", customer_ids=[cafe.pk, CustomerFactory().pk])
    make_card(title="others")

    assert found(f"customer={cafe.pk}", ann) == ["theirs"]


def test_conditions_all_hold_together(ann):
    stage = StageFactory()
    make_card(title="both", stage_id=stage.pk, amount=10)
    make_card(title="stage only", stage_id=stage.pk)
    make_card(title="amount only", amount=10)

    assert found(f"stage={stage.pk}&amount_from=1", ann) == ["both"]


# Text


@pytest.mark.parametrize("text", ["1042", "OPP-1042", "noir", "CAFÉ", "cafe", "lowell", "afé no", "roof  café", "unit"])
def test_any_part_of_number_title_customer_and_contact_is_found(text, ann):
    contact = ContactFactory(customer=CustomerFactory(name="Café Noir"), name="Dr. A. Lowell")
    card = make_card(title="Rooftop unit", contact_ids=[contact.pk])
    text = text.replace("1042", str(card.pk))

    assert found(q(text), ann) == ["Rooftop unit"]


@pytest.mark.parametrize("text", ["zzz", "rooftop zzz", "%", "_", "'", "\\", "roof%unit"])
def test_what_is_in_no_card_is_not_found(text, ann):
    make_card(title="Rooftop unit")

    assert found(q(text), ann) == []


def test_a_renamed_customer_is_found_by_the_new_name(ann):
    customer = CustomerFactory(name="Old name")
    make_card(title="theirs", customer_ids=[customer.pk])
    customers.edit(customer_id=customer.pk, name="Brand new", actor=ann, now=NOW)

    assert found("q=brand", ann) == ["theirs"]
    assert found("q=old", ann) == []


# What makes no sense


BAD = [
    "stage=abc",
    "stage=-1",
    "stage=99999999999999999999",
    "stage=%D9%A1",
    "salesperson=nobody",
    "workflow=dreaming",
    "sales=me",
    "rule=P99",
    "amount_from=abc",
    "amount_from=1e400",
    "amount_to=NaN",
    "amount_to=999999999999.999",
    "forecast_from=2025-02-31",
    "created_to=yesterday",
    "decided_from=10/06/2025",
    "forecast=someday",
    "archived=maybe",
    "customer=x",
    "tray=2",
]


@pytest.mark.parametrize("query", BAD)
def test_a_value_that_makes_no_sense_is_left_out_and_named(query, ann):
    make_card(title="card")

    given = parse(query, ann)

    assert len(given.problems) == 1
    assert given.query == ""
    assert found(query, ann) == ["card"]


@pytest.mark.parametrize(
    "query",
    ["stage=0", "stage=4611686018427387903", "amount_from=999999999999.99", "amount_to=-5", "created_from=0001-01-01"],
)
def test_extreme_values_are_asked_of_the_database_and_do_no_harm(query, ann):
    make_card(title="card")

    assert parse(query, ann).problems == ()
    assert found(query, ann) in ([], ["card"])


def test_keys_of_others_do_not_belong_to_the_filter(ann):
    given = parse("card=1042&sort=-amount&page=7&done=x&utm_source=mail", ann)

    assert given.is_empty
    assert given.problems == ()
    assert given.query == ""


def test_a_very_long_text_is_cut(ann):
    given = parse(q("x" * 5000), ann)

    assert len(given.text) == 100


def test_a_null_character_is_taken_out(ann):
    make_card(title="card")

    assert found(q("ca\x00rd"), ann) == ["card"]


# The address


def test_the_query_string_is_the_same_however_it_was_typed(ann):
    one = parse("amount_from=050&stage=2&q=++roof+&stage=2&page=3", ann)

    assert one.query == "stage=2&amount_from=50&q=roof"
    assert parse(one.query, ann).query == one.query


def test_an_amount_of_zero_stays_in_the_address(ann):
    assert parse("amount_to=0", ann).query == "amount_to=0"


# Chips


def test_every_condition_has_a_chip_in_words_that_takes_away_just_itself(ann):
    bob = UserFactory(first_name="Bob", last_name="Reyes")
    stage = StageFactory(name="Decision pending")
    query = (
        f"salesperson=me&salesperson={bob.pk}&stage={stage.pk}&stage=none&workflow=expired&sales=none&rule=manual"
        "&amount_from=5000&forecast_from=2025-06-10&q=roof&forecast=overdue&archived=with&tray=1"
    )

    chips = parse(query, ann).chips()

    assert [chip.label for chip in chips] == [
        "Salesperson: me",
        "Salesperson: Bob Reyes",
        "Stage: Decision pending",
        "Stage: none",
        "Workflow status: Expired",
        "Sales status: Open",
        "Won or lost by: a person",
        "Amount from 5,000",
        "Forecast from 10 Jun 2025",
        "“roof”",
        "Forecast date: overdue",
        "with archived",
        "In no column of this board",
    ]
    whole = len(chips)
    assert {len(parse(chip.remove_query, ann).chips()) for chip in chips} == {whole - 1}


def test_chips_of_what_is_gone_do_not_break(ann):
    labels = [chip.label for chip in parse("stage=999&customer=999&reason=999", ann).chips()]

    assert labels == ["Stage: deleted", "Reason: deleted", "Customer: deleted"]


# On a board, and whose cards


def test_archived_cards_are_left_out_shown_too_or_alone(ann):
    board = BoardFactory()
    make_card(title="here", actor=ann)
    away = make_card(title="away", actor=ann)
    lifecycle.archive(opportunity_id=away.pk, actor=ann, now=NOW)

    def titles(query):
        chosen = select(board, user=ann, query=query, today=TODAY)
        return sorted(chosen.cards.values_list("title", flat=True))

    assert titles("") == ["here"]
    assert titles("archived=with") == ["away", "here"]
    assert titles("archived=only") == ["away"]


def test_the_tray_holds_what_no_column_of_this_board_shows(ann):
    shown, other = StageFactory(), StageFactory()
    board = BoardFactory(stages=[shown])
    for title, stage in {"shown": shown, "elsewhere": other, "nowhere": None}.items():
        make_card(title=title, stage_id=stage.pk if stage else None)

    chosen = select(board, user=ann, query="tray=1", today=TODAY)

    assert sorted(chosen.cards.values_list("title", flat=True)) == ["elsewhere", "nowhere"]


def test_the_boards_own_filter_holds_beside_the_persons(ann):
    stage = StageFactory()
    board = BoardFactory(filter=f"stage={stage.pk}")
    make_card(title="a", stage_id=stage.pk, amount=1)
    make_card(title="b", stage_id=stage.pk)
    make_card(title="c", amount=1)

    chosen = select(board, user=ann, query="amount_from=1", today=TODAY)

    assert list(chosen.cards.values_list("title", flat=True)) == ["a"]


@pytest.mark.parametrize(
    ("sees", "titles"),
    [("all", ["bob's", "mine", "nobody's"]), ("own_and_unassigned", ["mine", "nobody's"]), ("own", ["mine"])],
)
def test_no_filter_shows_a_card_that_the_person_may_not_see(sees, titles, ann):
    BusinessSettings.objects.update(salespeople_see=sees)
    sam, bob = UserFactory(), UserFactory()
    for title, person in {"mine": sam, "bob's": bob, "nobody's": None}.items():
        make_card(title=title, salesperson_id=person.pk if person else None)
    query = f"salesperson=me&salesperson=none&salesperson={bob.pk}&archived=with"

    on_board = select(BoardFactory(), user=sam, query=query, today=TODAY)
    everywhere = select_all(user=sam, query=query, today=TODAY)

    assert sorted(on_board.cards.values_list("title", flat=True)) == titles
    assert sorted(everywhere.cards.values_list("title", flat=True)) == titles


def test_a_saved_filter_of_mine_means_whoever_looks(ann):
    bob = UserFactory()
    board = BoardFactory(filter="salesperson=me")
    make_card(title="ann's", actor=ann)
    make_card(title="bob's", actor=bob)

    assert list(select(board, user=bob, query="", today=TODAY).cards.values_list("title", flat=True)) == ["bob's"]
