"""The one order over all cards: neighbours, used-up gaps, and that nothing is ever reordered by accident."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportunities import pipeline, rank
from opportunities.models import RANK_GAP, Event, Opportunity
from tests.factories import NOW, StageFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage():
    starter_rows()
    return StageFactory(is_default=True)


def order(stage):
    return list(Opportunity.objects.filter(stage=stage).order_by("rank", "pk").values_list("pk", flat=True))


def put(card, stage, **neighbour):
    return pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=None, now=NOW, **neighbour)


def test_a_card_goes_right_after_a_neighbour(stage):
    first, second, third = (make_card() for _ in range(3))

    put(third, stage, after_id=first.pk)

    assert order(stage) == [first.pk, third.pk, second.pk]


def test_a_card_goes_right_before_a_neighbour(stage):
    first, second, third = (make_card() for _ in range(3))

    put(third, stage, before_id=first.pk)
    put(first, stage, before_id=second.pk)

    assert order(stage) == [third.pk, first.pk, second.pk]


def test_between_two_neighbours_that_drifted_apart_it_stays_with_the_upper_one(stage):
    first, second, third, moved = (make_card() for _ in range(4))
    put(second, stage, after_id=third.pk)

    put(moved, stage, after_id=first.pk, before_id=second.pk)

    assert order(stage) == [first.pk, moved.pk, third.pk, second.pk]


def test_a_neighbour_that_left_the_stage_gives_way_to_the_one_that_stayed(stage):
    elsewhere = StageFactory()
    first, left, stayed, moved = (make_card() for _ in range(4))
    put(left, elsewhere)

    put(moved, stage, after_id=left.pk, before_id=stayed.pk)

    assert order(stage) == [first.pk, moved.pk, stayed.pk]


def test_a_card_is_never_its_own_neighbour(stage):
    first, second = make_card(), make_card()

    put(first, stage, after_id=first.pk, before_id=second.pk)

    assert order(stage) == [first.pk, second.pk]


def test_a_used_up_gap_is_widened_without_touching_version_or_history(stage):
    upper, lower = make_card(), make_card()
    others = [make_card() for _ in range(30)]

    for card in others:
        put(card, stage, after_id=upper.pk)

    assert order(stage) == [upper.pk, *[card.pk for card in reversed(others)], lower.pk]
    assert Opportunity.objects.get(pk=lower.pk).version == 1
    assert Event.objects.filter(opportunity=lower).count() == 1


def test_equal_ranks_are_legal_and_widened_when_a_card_goes_between_them(stage):
    cards = [make_card() for _ in range(5)]
    Opportunity.objects.update(rank=10)

    put(cards[4], stage, after_id=cards[1].pk)

    assert order(stage) == [cards[0].pk, cards[1].pk, cards[4].pk, cards[2].pk, cards[3].pk]


def test_widening_a_long_row_of_cards_without_room_keeps_their_order(stage):
    cards = [make_card() for _ in range(12)]
    for place, card in enumerate(cards):
        Opportunity.objects.filter(pk=card.pk).update(rank=place)
    before = order(stage)

    rank.widen(5)

    assert order(stage) == before
    gaps = Opportunity.objects.order_by("rank").values_list("rank", flat=True)
    assert all(upper - lower >= 2 for lower, upper in zip(gaps, list(gaps)[1:], strict=False))


def test_more_cards_than_are_widened_at_once_keep_their_order(stage, monkeypatch):
    monkeypatch.setattr(rank, "WIDENED_AT_ONCE", 4)
    cards = [make_card() for _ in range(20)]
    for place, card in enumerate(cards):
        Opportunity.objects.filter(pk=card.pk).update(rank=place)

    put(cards[-1], stage, after_id=cards[8].pk)

    expected = [card.pk for card in cards[:9]] + [cards[-1].pk] + [card.pk for card in cards[9:-1]]
    assert order(stage) == expected


def test_new_cards_go_to_the_bottom_of_all(stage):
    first, second = make_card(), make_card(stage_id=StageFactory().pk)

    assert second.rank == first.rank + RANK_GAP


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=25))
def test_any_sequence_of_moves_gives_the_order_that_a_list_would_have(stage, moves):
    Opportunity.objects.all()._raw_delete(using="default")
    Event.objects.all()._raw_delete(using="default")
    cards = [make_card(title=f"Card {n}") for n in range(6)]
    expected = [card.pk for card in cards]

    for which, where, after in moves:
        card, neighbour = cards[which], cards[where]
        if card == neighbour:
            continue
        put(card, stage, **{"after_id" if after else "before_id": neighbour.pk})
        expected.remove(card.pk)
        expected.insert(expected.index(neighbour.pk) + after, card.pk)

    assert order(stage) == expected
