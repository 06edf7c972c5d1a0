"""Acts on many cards over HTTP: what is shown beforehand, what is answered, who may see and undo it."""

import re
import uuid

import pytest
from django.utils import timezone

from boards import list_views
from opportunities import bulk
from opportunities.models import BulkAct, BusinessSettings, Opportunity, OpportunityStatus
from tests.factories import BoardFactory, ReasonFactory, StageFactory, UserFactory, make_card, starter_rows

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
    return StageFactory(name="Decision pending")


@pytest.fixture
def board(stage):
    return BoardFactory(stages=[stage])


def cards(count=3, **fields):
    return [make_card(now=NOW, **fields).pk for _ in range(count)]


def choose(client, what, board, ids=(), **more):
    return client.post(f"/bulk/choose/{what}/", {"board": board.pk, "query": "", "card": ids, **more})


def start(client, do, board, ids=(), **more):
    given = {"board": board.pk, "query": "", "card": ids, "shown": len(ids), "do": do, **more}
    return client.post("/bulk/", given)


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


# Beforehand


def test_every_button_says_in_full_what_it_will_do(client, ann, board, stage):
    ids = cards(18)

    assert "Move 18 cards to Decision pending" in text(choose(client, "stage", board, ids))
    assert f"Give 18 cards to {ann.get_full_name()}" in text(choose(client, "salesperson", board, ids))
    assert "Leave 18 cards to nobody" in text(choose(client, "salesperson", board, ids))
    assert "Move the forecast date of 18 cards on by a month" in text(choose(client, "date", board, ids))
    assert "Mark 18 cards as Won" in text(choose(client, "status", board, ids))
    assert "Archive 18 cards" in text(choose(client, "archive", board, ids))
    assert "Take 18 cards back from the archive" in text(choose(client, "unarchive", board, ids))
    assert "Archive 1 card" in text(choose(client, "archive", board, ids[:1]))


def test_all_that_match_are_counted_over_all_pages(client, ann, board):
    cards(60, amount=5)
    cards(3, amount=1)

    answer = choose(client, "archive", board, all="1", query="amount_from=2&sort=-amount&page=2")

    assert "Archive 60 cards" in text(answer)


def test_without_a_card_it_asks_for_one(client, ann, board):
    answer = choose(client, "stage", board)

    assert answer.status_code == 422
    assert "Tick the cards in the list first." in text(answer)


def test_who_may_not_decide_about_some_is_told_so_beforehand(client, ann, board):
    foreign, free = cards(2, salesperson_id=ann.pk), cards(1)
    sam = UserFactory()
    client.force_login(sam)

    answer = choose(client, "archive", board, [*foreign, *free])

    assert "2 of them are colleagues" in text(answer)


def test_a_salesperson_is_only_offered_to_take_cards(client, ann, board):
    client.force_login(UserFactory())

    answer = text(choose(client, "salesperson", board, cards(2)))

    assert "Take those of 2 cards that nobody has" in answer
    assert "Give" not in answer


# The answer


def test_the_answer_counts_and_names_what_was_refused_and_why(client, ann, board):
    proposal = StageFactory(name="Proposal", requires_amount=True)
    worth, worthless = cards(18, amount=5), cards(2)

    answer = start(client, f"stage:{proposal.pk}", board, worth + worthless)
    page = client.get(answer.headers["Location"])

    assert "18 cards moved, 2 refused." in text(page)
    assert "“Proposal” needs an amount." in text(page)
    assert f'href="/opportunities/{worthless[0]}/"' in page.content.decode()


def test_the_answer_leads_back_to_the_same_filter_and_order(client, ann, board, stage):
    ids = cards(2, amount=5)

    answer = start(client, f"stage:{stage.pk}", board, ids, query="amount_from=1&sort=-amount&page=2")

    act = BulkAct.objects.get()
    assert answer.headers["Location"] == f"/boards/{board.pk}/list/?amount_from=1&sort=-amount&done={act.pk}"


def test_the_dialog_is_led_on_as_a_whole_page(client, ann, board):
    given = {"board": board.pk, "card": cards(1), "shown": 1, "do": "archive"}

    answer = client.post("/bulk/", given, headers={"HX-Request": "true"})

    assert answer.headers["HX-Redirect"].startswith(f"/boards/{board.pk}/list/?done=")


def test_a_count_that_changed_meanwhile_is_said_first_and_nothing_is_done(client, ann, board):
    cards(3)

    answer = start(client, "archive", board, all="1", shown="2")

    assert answer.status_code == 409
    assert "There are 3 cards now, not as many as when you looked. Nothing was changed yet." in text(answer)
    assert 'name="shown" value="3"' in answer.content.decode()
    assert not BulkAct.objects.exists()


def test_all_that_match_are_done_and_no_others(client, ann, board):
    cards(4, amount=5)
    others = cards(2)

    start(client, "archive", board, all="1", shown="4", query="amount_from=1")

    left = Opportunity.objects.filter(archived_at=None).values_list("pk", flat=True)
    assert sorted(left) == sorted(others)


def test_from_the_search_it_works_on_all_boards(client, ann):
    ids = cards(2)

    answer = client.post("/bulk/", {"board": "", "query": "q=card", "all": "1", "shown": "2", "do": "archive"})

    assert answer.headers["Location"].startswith("/search/?q=card&done=")
    assert Opportunity.objects.filter(pk__in=ids, archived_at__isnull=False).count() == 2


def test_a_day_is_set(client, ann, board):
    start(client, "forecast_date:day", board, cards(2), day="2031-02-28")

    assert set(Opportunity.objects.values_list("forecast_date", flat=True)) == {
        BusinessSettings.current().local_date(NOW).replace(year=2031, month=2, day=28)
    }


def test_lost_takes_the_reason(client, ann, board):
    lost = OpportunityStatus.objects.get(name="Lost")
    reason = ReasonFactory(label="Price")
    ids = cards(2)

    without = start(client, f"status:{lost.pk}", board, ids)
    start(client, f"status:{lost.pk}", board, ids, reason=reason.pk)

    assert without.status_code == 422
    assert "Say why the deals were lost." in text(without)
    assert set(Opportunity.objects.values_list("decided_reason_label", flat=True)) == {"Price"}


BAD = [
    {"do": ""},
    {"do": "explode"},
    {"do": "stage:"},
    {"do": "stage:999"},
    {"do": "stage:99999999999999999999999"},
    {"do": "stage:x"},
    {"do": "salesperson:999"},
    {"do": "status:999"},
    {"do": "status:none"},
    {"do": "postpone:year"},
    {"do": "forecast_date:day"},
    {"do": "forecast_date:day", "day": "2025-02-31"},
]


@pytest.mark.parametrize("given", BAD, ids=lambda given: " ".join(given.values()) or "nothing")
def test_what_makes_no_sense_brings_the_sheet_back_and_changes_nothing(given, client, ann, board):
    answer = start(client, given.pop("do"), board, cards(1), **given)

    assert answer.status_code == 422
    assert not BulkAct.objects.exists()


@pytest.mark.parametrize("ids", [["x"], ["-1"], ["99999999999999999999"], ["٣"]])
def test_what_is_no_card_is_not_chosen(ids, client, ann, board):
    assert choose(client, "archive", board, ids).status_code == 422


def test_a_board_of_somebody_else_or_none_at_all_is_not_there(client, ann, board):
    private = BoardFactory(owner=UserFactory())

    assert choose(client, "archive", private, cards(1)).status_code == 404
    assert client.post("/bulk/choose/archive/", {"board": "x"}).status_code == 404
    assert client.post("/bulk/choose/explode/", {"board": board.pk}).status_code == 404


def test_cards_that_the_person_may_not_see_stay_as_they_are(client, ann, board):
    BusinessSettings.objects.update(salespeople_see="own")
    hidden = cards(2, salesperson_id=ann.pk)
    client.force_login(UserFactory())

    answer = start(client, "archive", board, hidden)
    page = text(client.get(answer.headers["Location"]))

    assert "0 cards archived, 2 refused." in page
    assert f"OPP-{hidden[0]}" not in page
    assert not Opportunity.objects.filter(archived_at__isnull=False).exists()


# Many cards


@pytest.fixture
def running(client, ann, board, monkeypatch):
    """An act on five cards that the job loop has not begun yet, and the page that shows it."""
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    monkeypatch.setattr(bulk, "BREATH", 0)
    answer = start(client, "archive", board, cards(5), query="sort=-amount")
    return BulkAct.objects.get(), answer.headers["Location"]


def test_many_cards_lead_to_a_page_that_shows_how_far_it_has_come(client, running):
    act, url = running
    bulk.work_chunk(act.pk, NOW)

    page = client.get(url)

    assert url == f"/bulk/{act.pk}/"
    assert "2 of 5 cards looked at." in text(page)
    assert 'hx-trigger="load delay:2s"' in page.content.decode()
    assert '<meta http-equiv="refresh"' in page.content.decode()


def test_the_page_stops_asking_when_it_is_done_and_offers_the_undo(client, running):
    act, url = running
    bulk.work_off(NOW)

    part = client.get(url, headers={"HX-Request": "true"})

    assert "5 cards archived." in text(part)
    assert "hx-trigger" not in part.content.decode()
    assert f'action="/bulk/{act.pk}/undo/"' in part.content.decode()


def test_a_running_act_is_stopped_and_taken_back(client, running):
    act, url = running
    bulk.work_chunk(act.pk, NOW)

    answer = client.post(f"{url}undo/")

    assert "2 cards are as they were" in text(client.get(answer.headers["Location"]))
    assert not Opportunity.objects.filter(archived_at__isnull=False).exists()


# Undo


def test_the_undo_takes_the_whole_act_back_and_leads_to_the_list(client, ann, board, stage):
    ids = cards(3)
    start(client, f"stage:{stage.pk}", board, ids)
    act = BulkAct.objects.get()

    answer = client.post(f"/bulk/{act.pk}/undo/")

    assert "3 cards are as they were." in text(client.get(answer.headers["Location"]))
    assert not Opportunity.objects.exclude(stage=None).exists()


def test_twice_taken_back_is_refused_in_words(client, ann, board):
    start(client, "archive", board, cards(1))
    act = BulkAct.objects.get()
    client.post(f"/bulk/{act.pk}/undo/")

    answer = client.post(f"/bulk/{act.pk}/undo/")

    assert answer.status_code == 409
    assert "This was undone already." in text(answer)


@pytest.mark.parametrize(("role", "status"), [("salesperson", 404), ("manager", 200), ("admin", 200)])
def test_the_act_of_a_colleague_is_for_managers_only(role, status, client, ann, board):
    start(client, "archive", board, cards(1, salesperson_id=ann.pk))
    act = BulkAct.objects.get()
    client.force_login(UserFactory(role=role))

    assert client.get(f"/bulk/{act.pk}/").status_code == status
    assert (client.post(f"/bulk/{act.pk}/undo/").status_code == 404) is (status == 404)
    shown = client.get(f"/boards/{board.pk}/list/?done={act.pk}").context["answer"]
    assert (shown is None) is (status == 404)


@pytest.mark.parametrize("name", ["x", "", str(uuid.UUID(int=0))])
def test_an_act_that_is_not_there_shows_nothing(name, client, ann, board):
    assert client.get(f"/boards/{board.pk}/list/?done={name}").context["answer"] is None
    assert client.get(f"/bulk/{uuid.uuid4()}/").status_code == 404


@pytest.mark.parametrize("path", ["/bulk/", "/bulk/choose/stage/", f"/bulk/{uuid.UUID(int=0)}/undo/"])
def test_acts_are_only_ever_sent_as_forms(path, client, ann):
    assert client.get(path).status_code == 405


def test_every_choosable_act_has_a_sheet(client, ann, board):
    ids = cards(1)

    assert {choose(client, what, board, ids).status_code for what in list_views.CHOOSABLE} == {200}
