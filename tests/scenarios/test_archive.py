"""Acceptance scenarios, sections D and E: what is put away, by whom, and what becomes of its clock."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from boards import layout
from opportunities import lifecycle, pipeline, sweep
from opportunities.models import Event, Opportunity
from tests.documents import TODAY, act, at, business, cancel_reason, day, deal, fresh, make_quote, statuses, void_reason
from tests.factories import NOW, BoardFactory, CustomerFactory, StageFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage():
    return StageFactory(name="Qualified lead")


@pytest.fixture
def board(stage):
    return BoardFactory(stages=[stage])


@pytest.fixture
def ann():
    return UserFactory()


def void(card: Opportunity, *, now: datetime = NOW, **given) -> Opportunity:
    return act(lifecycle.void, card, reason_id=void_reason(), now=now, **given)


def on_board(board, ann, query: str = "", *, today: date = TODAY) -> list[str]:
    view = layout.board_view(board.pk, user=ann, query=query, today=today, totals=True)
    return [card.title for column in view.columns for card in column.cards]


def is_archived(card: Opportunity) -> bool:
    return fresh(card).is_archived


def test_voiding_never_unarchives_ac130():
    card = deal()
    act(lifecycle.archive, card)

    void(card)

    assert statuses(card) == ("void", "lost")
    assert is_archived(card)


def test_a_voided_card_stays_on_the_board_unless_it_is_archived_with_it_ac131(board, stage, ann):
    away, stays = deal(title="Away", stage_id=stage.pk), deal(title="Stays", stage_id=stage.pk)

    void(away, archive=True)
    void(stays)

    assert on_board(board, ann) == ["Stays"]


@pytest.mark.parametrize(("verb", "reason"), [(lifecycle.void, void_reason), (lifecycle.cancel, cancel_reason)])
def test_no_number_of_days_takes_a_closed_card_off_the_board_before_it_is_archived_ac131(
    verb, reason, board, stage, ann
):
    card = deal(title="Stays", stage_id=stage.pk)
    act(verb, card, reason_id=reason())

    assert on_board(board, ann, today=TODAY + timedelta(days=900)) == ["Stays"]


def test_a_way_back_is_a_fresh_card_and_the_void_one_stays_as_it_is_ac143(ann):
    customer = CustomerFactory()
    card = deal(title="Boiler", customer_ids=[customer.pk], salesperson_id=ann.pk, amount=1200)
    make_quote(card, "submitted")
    void(card)
    before = Opportunity.objects.filter(pk=card.pk).values().get()

    copy = act(pipeline.duplicate, card, actor=ann)

    assert (copy.title, copy.salesperson_id, copy.amount) == ("Boiler", ann.pk, fresh(card).amount)
    assert list(copy.customers.all()) == list(card.customers.all())
    assert statuses(copy) == ("prospect", "none")
    assert not copy.quotes.exists()
    assert Opportunity.objects.filter(pk=card.pk).values().get() == before
    assert Event.objects.filter(opportunity=copy).latest("pk").changes == {"from": [None, card.number]}
    assert Event.objects.filter(opportunity=card).latest("pk").changes == {"to": [None, copy.number]}


def test_a_copy_of_a_leavers_card_is_of_who_makes_it_and_one_form_makes_one_ac143(ann):
    leaver, token = UserFactory(), uuid4()
    card = void(deal(salesperson_id=leaver.pk))
    leaver.is_active = False
    leaver.save()

    first = act(pipeline.duplicate, card, token=token, actor=ann)
    again = act(pipeline.duplicate, card, token=token, actor=ann)

    assert (first.pk, first.salesperson_id) == (again.pk, ann.pk)


def test_the_page_of_a_closed_card_offers_the_copy_in_plain_sight_ac143(client, ann):
    card = void(deal(salesperson_id=ann.pk))
    client.force_login(ann)

    page = client.get(card.get_absolute_url()).content.decode()

    assert page.count(f'action="/opportunities/{card.pk}/duplicate/"') == 1
    assert page.index("/duplicate/") < page.index('id="more-acts"')


def test_a_void_card_goes_to_the_archive_and_back_and_nothing_else_changes_ac151():
    card = void(deal())
    before = (statuses(card), fresh(card).close_reason_label)

    act(lifecycle.archive, card)
    assert is_archived(card)
    act(lifecycle.unarchive, card)

    assert not is_archived(card)
    assert (statuses(card), fresh(card).close_reason_label) == before


def test_archiving_a_void_card_can_be_undone_ac151(ann):
    card = void(deal(actor=ann))
    archived = act(lifecycle.archive, card, actor=ann, now=at(40))

    act_undone = pipeline.undo(event_id=archived.last_event_id, actor=ann, now=at(40))

    assert not act_undone.is_archived
    assert act_undone.archive_clock_from == day(40)
    assert statuses(card) == ("void", "lost")


def test_a_closed_card_is_archived_on_the_local_day_that_its_days_are_over_ac152():
    business(time_zone="America/New_York", auto_archive_days=30)
    late = datetime(2025, 6, 2, 3, 30, tzinfo=UTC)  # 1 June 23:30 in New York
    card = void(deal(now=late - timedelta(hours=1)), now=late)

    before = sweep.run(datetime(2025, 7, 1, 3, 59, tzinfo=UTC))  # 30 June 23:59
    assert (before.archived, is_archived(card)) == (0, False)
    report = sweep.run(datetime(2025, 7, 1, 4, 1, tzinfo=UTC))

    assert (report.archived, is_archived(card)) == (1, True)
    event = Event.objects.filter(opportunity=card).latest("pk")
    assert (event.kind, event.by, event.via) == ("archived", "nightly run", "clock")
    assert statuses(card) == ("void", "lost")


def test_taking_a_card_back_restarts_its_days_ac154():
    business(auto_archive_days=30)
    card = void(deal())
    sweep.run(at(30))
    assert is_archived(card)

    act(lifecycle.unarchive, card, now=at(31))
    sweep.run(at(31))
    sweep.run(at(60))
    assert not is_archived(card)
    sweep.run(at(61))

    assert is_archived(card)


def test_an_archived_void_card_is_hidden_from_the_board_unless_asked_for_ac155(board, stage, ann):
    void(deal(title="Away", stage_id=stage.pk), archive=True)

    assert on_board(board, ann) == []
    assert on_board(board, ann, "archived=with") == ["Away"]


def test_a_canceled_card_is_archived_by_the_clock_as_well():
    business(auto_archive_days=30)
    card = act(lifecycle.cancel, deal(), reason_id=cancel_reason())

    sweep.run(at(30))

    assert is_archived(card)


def test_no_other_card_is_archived_by_the_clock():
    """W6.3, D26."""
    business(auto_archive_days=1)
    expired = deal(forecast_date=day(1))
    lost = deal()
    make_quote(lost, "void")

    report = sweep.run(at(400))

    assert (report.archived, is_archived(expired), is_archived(lost)) == (0, False, False)
    assert statuses(expired)[0] == "expired"


def test_without_days_nothing_is_archived_by_the_clock():
    business(auto_archive_days=None)
    card = void(deal())

    assert sweep.run(at(4000)).archived == 0
    assert not is_archived(card)


def test_a_card_that_was_taken_back_meanwhile_is_left_by_the_clock():
    card = void(deal())

    assert not lifecycle.auto_archive(opportunity_id=card.pk, today=fresh(card).archive_clock_from, now=NOW)
    assert not is_archived(card)
