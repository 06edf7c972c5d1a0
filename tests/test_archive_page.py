"""The archive: what is put away, since when and why, and the way back."""

import pytest

from opportunities import lifecycle, sweep
from opportunities.models import BulkAct
from tests.documents import act, at, business, deal, fresh, void_reason
from tests.factories import UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(client):
    person = UserFactory(first_name="Ann", last_name="Kowalski")
    client.force_login(person)
    return person


def page(client, query: str = "") -> str:
    return client.get(f"/archive/{query}").content.decode()


def put_away(ann, title: str = "Boiler"):
    card = deal(title=title, salesperson_id=ann.pk)
    return act(lifecycle.archive, card, actor=ann)


def test_it_shows_what_was_put_away_and_nothing_else(client, ann):
    put_away(ann)
    deal(title="Still here", salesperson_id=ann.pk)

    shown = page(client)

    assert "Boiler" in shown
    assert "By Ann Kowalski" in shown
    assert "Still here" not in shown


def test_it_says_how_a_card_came_there(client, ann):
    business(auto_archive_days=30)
    act(lifecycle.void, deal(title="One", salesperson_id=ann.pk), reason_id=void_reason(), archive=True, actor=ann)
    act(lifecycle.void, deal(title="Two", salesperson_id=ann.pk), reason_id=void_reason(), actor=ann)
    sweep.run(at(30))

    shown = page(client)

    assert "When Ann Kowalski voided it" in shown
    assert "By the nightly run" in shown


def test_it_can_be_searched_and_filtered_and_stays_the_archive(client, ann):
    put_away(ann, "Boiler")
    put_away(ann, "Heat pump")

    assert "Heat pump" not in page(client, "?q=boiler")
    answer = client.get(f"/search/filter/?view=archive&apply=1&salesperson={ann.pk}")
    assert answer.url == f"/archive/?salesperson={ann.pk}"


def test_restore_brings_a_card_back_and_can_be_undone(client, ann):
    card = put_away(ann)
    sent = {"do": "unarchive", "shown": "1", "board": "", "query": "archived=only", "card": str(card.pk)}

    answer = client.post("/bulk/", sent)

    assert answer.url.startswith("/archive/?done=")
    assert not fresh(card).is_archived
    client.post(f"/bulk/{BulkAct.objects.get().pk}/undo/")
    assert fresh(card).is_archived


def test_a_colleagues_card_shows_no_way_back(client, ann):
    put_away(UserFactory())

    shown = page(client)

    assert "Boiler" in shown
    assert 'form="restore-form"' not in shown


def test_somebody_who_may_not_see_the_card_does_not_find_it_there(client, ann):
    put_away(UserFactory())
    business(salespeople_see="own")

    assert "Boiler" not in page(client)


def test_an_empty_archive_says_what_it_is_for(client, ann):
    starter_rows()
    assert "The archive is empty" in page(client)


@pytest.mark.parametrize("count", [1, 12])
def test_it_needs_as_many_statements_for_many_cards_as_for_one(count, client, ann, django_assert_num_queries):
    for number in range(count):
        put_away(ann, f"Card {number}")
    page(client)

    with django_assert_num_queries(8):
        page(client)
