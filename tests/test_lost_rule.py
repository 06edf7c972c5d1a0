"""When a card is lost (D19): what another reading turns is told beforehand, done with the change, and noted."""

import pytest

from opportunities import bulk, lifecycle, lost_rule, sweep
from opportunities import business as settings_of_business
from opportunities.models import BulkAct, BusinessSettings, Event, Opportunity
from tests.documents import (
    PIPES,
    at,
    business,
    day,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    rule,
    statuses,
    void_reason,
)
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db

MILD, LETTER = "no_live_quote", "any_dead_quote"


@pytest.fixture
def admin():
    business()
    return UserFactory(role="admin")


def lost_but_open():
    """A card with a void quote beside a live one: lost by the letter, open by the milder reading."""
    card = deal()
    make_quote(card, "submitted")
    make_quote(card, "void")
    return card


def change(lost_when, actor):
    return settings_of_business.edit_settings(lost_when=lost_when, actor=actor, now=NOW)


def preview(lost_when):
    found = BusinessSettings.current()
    return lost_rule.turn(lost_when, business=found, today=found.today(NOW))


def test_the_milder_reading_brings_back_a_card_with_a_live_quote(admin):
    card = lost_but_open()
    assert statuses(card) == ("negotiation", "lost")

    change(MILD, admin)

    assert statuses(card) == ("negotiation", "none")


def test_the_letter_loses_it_again(admin):
    card = lost_but_open()
    change(MILD, admin)

    change(LETTER, admin)

    assert (statuses(card), rule(card)) == (("negotiation", "lost"), "P7")


def test_how_many_cards_turn_is_told_beforehand_and_is_what_happens(admin):
    turned, kept = [lost_but_open() for _ in range(3)], deal()
    make_quote(kept, "void")

    told = preview(MILD)
    change(MILD, admin)

    assert (told.lost, told.back) == (0, 3)
    assert told.card_ids == [card.pk for card in turned]
    assert [statuses(card)[1] for card in turned] == ["none"] * 3
    assert statuses(kept)[1] == "lost"


def test_cards_that_another_rule_decides_do_not_turn(admin):
    won, signed, closed = deal(), deal(), lost_but_open()
    make_quote(won, "void")
    make_job(won)
    make_quote(signed, "void")
    make_agreement(signed, "accepted")
    make_quote(deal(), "submitted")
    lifecycle.void(opportunity_id=closed.pk, reason_id=void_reason(), actor=admin, now=NOW)

    assert preview(MILD).card_ids == []


def test_a_late_card_stays_lost_by_another_rule(admin):
    card = deal(forecast_date=day(1))
    make_quote(card, "submitted", valid_until=day(1))
    make_quote(card, "void")
    sweep.run(at(3))
    found = BusinessSettings.current()

    told = lost_rule.turn(MILD, business=found, today=day(3))
    settings_of_business.edit_settings(lost_when=MILD, actor=admin, now=at(3))

    assert (told.lost, told.back) == (0, 0)
    assert (statuses(card), rule(card)) == (("expired", "lost"), "P8")


def test_each_card_notes_the_change_once_and_by_whom(admin):
    card = lost_but_open()

    change(MILD, admin)
    change(MILD, admin)

    event = Event.objects.get(kind="rule_changed")
    assert (event.opportunity_id, event.actor) == (card.pk, admin)
    assert (event.sales_from, event.sales_to) == ("lost", "none")
    assert BulkAct.objects.get(verb=bulk.LOST_RULE).changed == 1


def test_following_the_rule_twice_changes_nothing(admin):
    card = lost_but_open()
    change(MILD, admin)
    version = fresh(card).version

    lost_rule.follow(opportunity_id=card.pk, actor=admin, now=NOW)

    assert fresh(card).version == version


def test_many_cards_are_left_to_the_job_loop_together_with_the_change(admin, monkeypatch):
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    cards = [lost_but_open(), lost_but_open()]

    change(MILD, admin)
    waiting = [statuses(card)[1] for card in cards]
    bulk.work_off(NOW)

    assert waiting == ["lost", "lost"]
    assert [statuses(card)[1] for card in cards] == ["none", "none"]


def test_the_system_may_change_it_too(admin):
    card = lost_but_open()

    change(MILD, None)

    assert statuses(card)[1] == "none"


def test_the_preview_takes_the_same_statements_for_many_cards(admin, django_assert_num_queries):
    lost_but_open()
    found = BusinessSettings.current()
    for _ in range(4):
        lost_but_open()

    # A page of cards, its three kinds of documents, and the empty page after it.
    with django_assert_num_queries(5):
        assert lost_rule.turn(MILD, business=found, today=found.today(NOW)).back == 5


def test_the_preview_reads_on_in_chunks(admin, monkeypatch):
    monkeypatch.setattr(lost_rule, "CHUNK", 2)
    for _ in range(5):
        lost_but_open()

    assert preview(MILD).back == 5


def test_a_bulk_act_of_a_setting_is_not_undone_card_by_card(admin):
    lost_but_open()
    change(MILD, admin)

    assert not bulk.may_be_undone(BulkAct.objects.get(), NOW)


@pytest.mark.parametrize("make", [make_quote, make_job, make_agreement])
def test_documents_with_lines_settle_the_currency(admin, make):
    card = deal()
    assert not settings_of_business.currency_is_in_use()

    make(card, lines=[PIPES])
    Opportunity.objects.update(amount=None)

    assert settings_of_business.currency_is_in_use()
