"""The calendar: what stands on which day, for whom, with which filter; its spans; and that a move is an edit."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest
import time_machine
from django.http import QueryDict

from boards import calendar_days
from boards.calendar_entries import IN_A_CELL
from boards.calendar_page import calendar_view
from boards.models import Board
from opportunities import activity, lifecycle
from opportunities.models import BusinessSettings, Opportunity
from opportunities.reminders import ON_THE_DAY, Wish
from tests.documents import (
    TODAY,
    act,
    at,
    business,
    cancel_reason,
    day,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    pay,
    refused,
    statuses,
    void_reason,
)
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def ann(client):
    starter_rows()
    person = UserFactory(role="manager")
    client.force_login(person)
    return person


@pytest.fixture
def board():
    return BoardFactory(name="Sales", stages=[StageFactory()])


def seen(who, query="", *, board: Board | None = None, today: date = TODAY):
    """The calendar as the template gets it."""
    return calendar_view(
        board.pk if board else None,
        user=who,
        query=QueryDict(query),
        today=today,
        business=BusinessSettings.current(),
    )


def on(view, when):
    """What stands on a day: kind, and how it reads."""
    return [(entry.kind, entry.title) for shown in view.days if shown.iso == str(when) for entry in shown.entries]


def everything(view):
    """All that stands on any day."""
    return [entry for shown in view.days for entry in shown.entries]


def todo(card, when, actor=None, text="Call them", wish=ON_THE_DAY):
    """An action item of the card."""
    return activity.add_action(opportunity_id=card.pk, text=text, due_on=when, wish=wish, actor=actor, now=NOW)


# What stands on which day


def test_a_card_stands_on_its_forecast_date_and_one_without_a_date_nowhere(ann):
    make_card(title="Roof", forecast_date=day(5), amount=1200)
    make_card(title="Some day")

    view = seen(ann)

    assert on(view, day(5)) == [("card", "Roof")]
    assert [entry.title for entry in everything(view)] == ["Roof"]
    assert (view.sums, view.undated) == ("1 open card, $1,200", "1 open card has no date")
    assert view.undated_query == "?forecast=none"


def test_what_is_to_do_stands_on_its_day_until_it_is_done(ann):
    card = make_card(title="Roof")
    open_item, done = todo(card, day(3), text="Call Tom"), todo(card, day(3), text="Write")
    activity.finish_action(action_id=done.pk, actor=ann, now=NOW)
    late = todo(card, day(-2), text="Measure")

    view = seen(ann)

    assert on(view, day(3)) == [("action", open_item.text)]
    assert (everything(view)[0].title, everything(view)[0].label) == (late.text, "Overdue")


def test_the_days_of_live_documents_stand_there_and_those_of_dead_ones_do_not(ann):
    business(lost_when="no_live_quote")
    card = deal()
    quote = make_quote(card, "submitted", title="Boiler", valid_until=day(4), service_date=day(6))
    make_quote(card, "accepted", title="In time", valid_until=day(4))
    make_quote(card, "void", title="Dead", valid_until=day(4))
    job = make_job(card, title="Swap", service_date=day(8))
    paper = make_agreement(card, "submitted", title="Contract", valid_until=day(9))
    make_agreement(card, "void", title="Old contract", valid_until=day(9))

    view = seen(ann)

    assert on(view, day(4)) == [("quote", f"{quote.number} Boiler")]
    assert on(view, day(6)) == [("quote", f"{quote.number} Boiler")]
    assert on(view, day(8)) == [("job", f"{job.number} Swap")]
    assert on(view, day(9)) == [("agreement", f"{paper.number} Contract")]
    labels = {entry.label for entry in everything(view)}
    assert labels == {"Valid until", "Service planned", "Service", "Sign until"}


@pytest.mark.parametrize(
    ("verb", "label", "reason"), [("void", "Void", void_reason), ("cancel", "Canceled", cancel_reason)]
)
def test_a_closed_card_is_struck_through_labelled_and_stays_where_it_is(client, ann, board, verb, label, reason):
    business(auto_archive_days=None)
    card = deal(title="Roof", forecast_date=day(5))
    act(getattr(lifecycle, verb), card, reason_id=reason())

    entry = everything(seen(ann))[0]
    page = client.get(f"/boards/{board.pk}/calendar/?month=2025-06").content.decode()

    assert (entry.closed, entry.move_url) == (label, "")
    assert entry.fixed == f"OPP-{card.pk} is closed ({label}), so its date stays."
    assert f'<span class="badge status-void">{label}</span> <del>Roof</del>' in page
    assert f"/opportunities/{card.pk}/forecast/" not in page


def test_a_reminder_stands_on_its_own_local_day_until_the_card_is_closed_ac148(ann):
    business(time_zone="Pacific/Auckland")
    card = deal(title="Roof")
    todo(card, day(5), actor=ann, wish=Wish("moment", day(3), time(0, 30)))
    todo(card, day(6), actor=ann)

    assert on(seen(ann), day(3)) == [("action", "Call them")]
    assert [entry.label for entry in everything(seen(ann)) if entry.label.startswith("Reminder")] == [
        "Reminder 12:30 a.m."
    ]
    act(lifecycle.void, card, reason_id=void_reason())
    assert [entry.kind for entry in everything(seen(ann))] == []


def test_ac155_an_archived_void_card_is_hidden_until_archived_cards_are_asked_for(ann, board):
    card = deal(title="Roof", forecast_date=day(5))
    act(lifecycle.void, card, reason_id=void_reason(), archive=True)

    hidden, shown = seen(ann, board=board), seen(ann, "archived=with", board=board)

    assert everything(hidden) == []
    assert (hidden.archived_shown, hidden.archived_url) == (False, "?archived=with&month=2025-06")
    assert [(entry.title, entry.closed, entry.archived) for entry in everything(shown)] == [("Roof", "Void", True)]
    assert (shown.archived_shown, shown.archived_url) == (True, "?month=2025-06")


def test_a_card_that_left_the_board_long_ago_keeps_its_day(ann, board):
    """G5.3 knows one exception only: the archive. The board leaves out what was lost 30 days ago (D42)."""
    card = deal(title="Roof", forecast_date=day(5))
    act(lifecycle.void, card, reason_id=void_reason())

    view = seen(ann, "month=2025-06", board=board, today=day(200))

    assert [entry.title for entry in everything(view)] == ["Roof"]


def test_ac149_a_refused_void_takes_nothing_from_the_calendar(ann):
    card = deal(forecast_date=day(20))
    job = make_job(card)
    pay(job, 10)
    todo(card, day(3), text="Call"), todo(card, day(4), text="Write")
    before = everything(seen(ann))

    with refused():
        act(lifecycle.void, card, reason_id=void_reason())

    assert everything(seen(ann)) == before
    assert [entry.title for entry in before if entry.kind == "action"] == ["Call", "Write"]


def test_ac148_voiding_a_card_takes_what_was_to_do_from_the_calendar(ann):
    card = deal(forecast_date=day(20))
    todo(card, day(3)), todo(card, day(4))

    act(lifecycle.void, card, reason_id=void_reason())

    assert [entry.kind for entry in everything(seen(ann))] == ["card"]


# For whom, and with which filter


def test_a_salesperson_finds_on_the_calendar_only_what_they_may_see(ann):
    business(salespeople_see="own")
    me, other = UserFactory(), UserFactory()
    mine = deal(title="Mine", salesperson_id=me.pk, forecast_date=day(5))
    theirs = deal(title="Theirs", salesperson_id=other.pk, forecast_date=day(5), amount=900)
    for card in (mine, theirs):
        todo(card, day(6), text=f"Call for {card.title}")
        make_quote(card, title=card.title, valid_until=day(7))

    view = seen(me)

    assert len(everything(view)) == 3
    assert not [entry for entry in everything(view) if "Theirs" in entry.title]
    assert view.sums == "1 open card, $0"


def test_somebody_elses_board_has_no_calendar(client, ann):
    foreign = BoardFactory(owner=UserFactory())

    assert client.get(f"/boards/{foreign.pk}/calendar/").status_code == 404


def test_the_filter_of_the_board_and_the_persons_own_hold_for_all_entries(client, ann, board):
    kept, left = deal(title="Kept", forecast_date=day(5)), deal(title="Left", forecast_date=day(5))
    for card in (kept, left):
        todo(card, day(6), text=f"Call for {card.title}")
        make_quote(card, title=card.title, valid_until=day(7))

    view = seen(ann, "q=kept", board=board)
    Board.objects.filter(pk=board.pk).update(filter="q=left")
    saved = seen(ann, board=board)

    assert len(everything(view)) == len(everything(saved)) == 3
    assert {"Left" in entry.title for entry in everything(view)} == {False}
    assert {"Left" in entry.title for entry in everything(saved)} == {True}
    assert [chip.remove_url for chip in view.chips] == ["?month=2025-06"]


def test_board_list_and_calendar_lead_to_each_other_with_the_same_filter(client, ann, board):
    for path in ("", "list/", "calendar/"):
        page = client.get(f"/boards/{board.pk}/{path}?salesperson=me").content.decode()
        for other in ("", "list/", "calendar/"):
            assert f'href="/boards/{board.pk}/{other}?salesperson=me"' in page


def test_filtering_a_month_leads_back_to_that_month(client, ann, board):
    form = client.get(f"/boards/{board.pk}/filter/?view=month:2025-07").content.decode()
    answer = client.get(f"/boards/{board.pk}/filter/?view=month:2025-07&salesperson=me&apply=1")

    assert 'name="view" value="month:2025-07"' in form
    assert answer["Location"] == f"/boards/{board.pk}/calendar/?salesperson=me&month=2025-07"
    assert client.get("/search/filter/?view=day:2025-07-04&apply=1")["Location"] == "/calendar/?day=2025-07-04"


def test_nonsense_in_the_address_is_named_and_shows_today(client, ann, board):
    for query in ("month=2025-13", "week=soon", "day=2025-02-30", "list=9999-12", "month=%00", "day=0001-01-01"):
        answer = client.get(f"/boards/{board.pk}/calendar/?{query}")
        assert answer.status_code == 200
        assert "it is not a date" in answer.content.decode()


# Which days


@pytest.mark.parametrize(
    ("weekday", "query", "first", "last"),
    [
        (1, "month=2025-06", "2025-05-26", "2025-07-06"),
        (7, "month=2025-06", "2025-06-01", "2025-07-05"),
        (6, "month=2025-06", "2025-05-31", "2025-07-04"),
        (1, "month=2027-02", "2027-02-01", "2027-02-28"),
        (1, "week=2025-06-01", "2025-05-26", "2025-06-01"),
        (7, "week=2025-06-01", "2025-06-01", "2025-06-07"),
        (1, "list=2024-02", "2024-02-01", "2024-02-29"),
        (1, "day=2025-12-31", "2025-12-01", "2026-01-04"),
    ],
)
def test_a_month_stands_in_whole_weeks_that_begin_as_the_business_says(ann, weekday, query, first, last):
    business(first_day_of_week=weekday)

    shown = seen(ann, query).days

    assert (shown[0].iso, shown[-1].iso) == (first, last)
    assert len({each.iso for each in shown}) == len(shown)


def test_the_neighbouring_days_of_a_month_are_shown_and_not_summed(ann):
    business(first_day_of_week=1)
    for when in ("2025-05-31", "2025-06-01", "2025-06-30", "2025-07-01"):
        make_card(title=when, forecast_date=date.fromisoformat(when), amount=100)

    view = seen(ann, "month=2025-06")

    assert [entry.title for entry in everything(view)] == ["2025-05-31", "2025-06-01", "2025-06-30", "2025-07-01"]
    assert view.sums == "2 open cards, $200"
    assert [shown.outside for shown in view.days if shown.count] == [True, False, False, True]


def test_the_way_leads_to_the_days_before_and_after_and_to_today():
    def ways(query):
        span, _problems = calendar_days.read(QueryDict(query), today=TODAY, first_weekday=1)
        return [each.query if each else None for each in (span.before, span.after, span.at(TODAY))]

    assert ways("month=2025-12") == ["month=2025-11", "month=2026-01", "month=2025-06"]
    assert ways("week=2025-01-01") == ["week=2024-12-23", "week=2025-01-06", "week=2025-06-09"]
    assert ways("list=2025-01") == ["list=2024-12", "list=2025-02", "list=2025-06"]
    assert ways("day=2024-03-01") == ["day=2024-02-29", "day=2024-03-02", "day=2025-06-10"]
    assert ways("month=1970-01")[0] is None
    assert ways("month=2199-12")[1] is None


@pytest.mark.parametrize(
    ("zone", "moment", "today"),
    [
        # The hour that is missing or comes twice, and the day that a whole country left out.
        ("America/Sao_Paulo", datetime(2018, 11, 4, 2, 59, tzinfo=UTC), "2018-11-03"),
        ("America/Sao_Paulo", datetime(2018, 11, 4, 3, 0, tzinfo=UTC), "2018-11-04"),
        ("Europe/Berlin", datetime(2025, 10, 26, 22, 59, tzinfo=UTC), "2025-10-26"),
        ("Pacific/Apia", datetime(2011, 12, 30, 9, 59, tzinfo=UTC), "2011-12-29"),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, 0, tzinfo=UTC), "2011-12-31"),
    ],
)
def test_today_is_the_businesss_own_day_and_every_day_stands_there_once(client, ann, board, zone, moment, today):
    business(time_zone=zone, swept_until=None)

    with time_machine.travel(moment, tick=False):
        client.force_login(ann)
        view = client.get(f"/boards/{board.pk}/calendar/").context["view"]

    assert [shown.iso for shown in view.days if shown.today] == [today]
    days = [date.fromisoformat(shown.iso) for shown in view.days]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert len(days) % 7 == 0


# Many


def test_a_crowded_day_shows_a_few_and_leads_to_all_of_them(client, ann, board):
    for number in range(IN_A_CELL + 5):
        make_card(title=f"Deal {number}", forecast_date=day(5), amount=number)
    todo(Opportunity.objects.all()[0], day(5))

    month, whole = seen(ann, "month=2025-06", board=board), seen(ann, f"day={day(5)}", board=board)
    crowded = next(shown for shown in month.days if shown.count)

    assert (len(crowded.cell), crowded.cell_more, crowded.counted) == (IN_A_CELL - 1, "+7 more", "10 entries")
    assert [entry.title for entry in crowded.cell] == ["Deal 8", "Deal 7", "Deal 6"]
    assert (crowded.url, crowded.total) == (f"?day={day(5)}", "$36")
    assert whole.day is not None
    assert (len(whole.day.entries), whole.day.more) == (10, "")
    page = client.get(f"/boards/{board.pk}/calendar/?month=2025-06").content.decode()
    assert re.search(rf'href="/boards/{board.pk}/calendar/\?day={day(5)}">\+7 more', page)


def test_days_without_anything_say_why(ann):
    assert seen(ann, "list=2025-06").closing.startswith("Nothing falls on these days.")
    assert "filter" in seen(ann, "list=2025-06&q=roof").closing

    make_card(forecast_date=day(5))
    assert seen(ann, "list=2025-06").closing == "That is all for June 2025."
    assert seen(ann, "month=2025-06").closing == ""


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("query", ["month=2025-06", "week=2025-06-12", "list=2025-06", "day=2025-06-14"])
def test_the_calendar_needs_as_many_statements_for_many_entries_as_for_one(
    count, query, client, ann, board, django_assert_num_queries
):
    for number in range(count):
        card = deal(actor=UserFactory(), forecast_date=day(4), amount=number)
        todo(card, day(4), actor=ann, wish=Wish("before"))
        make_quote(card, valid_until=day(4), service_date=day(4))
        make_job(card, service_date=day(4))
        make_agreement(card, "submitted", valid_until=day(4))
    client.get("/search/")  # the first request of a day sweeps

    with django_assert_num_queries(13):
        client.get(f"/boards/{board.pk}/calendar/?{query}")


# Moving a card to another day


def move(client, card, to, **more):
    """What a drop on another day sends."""
    page = f"http://testserver/boards/{Board.objects.first().pk}/calendar/"
    data = {"to": str(to), **more}
    return client.post(f"/opportunities/{card.pk}/forecast/", data, HTTP_HX_CURRENT_URL=page, **HTMX)


def test_a_drop_on_another_day_is_an_edit_of_the_forecast_date_with_undo(client, ann, board):
    card = deal(forecast_date=day(5))
    with time_machine.travel(at(0)):
        client.force_login(ann)
        answer = move(client, card, day(9), version=card.version)
        undo = re.search(r"/events/\d+/undo/", answer.content.decode())
        assert fresh(card).forecast_date == day(9)

        assert undo
        client.post(undo[0], HTTP_HX_CURRENT_URL="http://testserver/calendar/", **HTMX)

    assert "is expected by Thursday, 19 June 2025." in answer.content.decode()
    assert '"card-changed"' in answer["HX-Trigger"]
    assert fresh(card).forecast_date == day(5)


def test_a_drop_on_a_past_day_is_saved_with_a_warning(client, ann, board):
    card = deal(forecast_date=day(5))
    with time_machine.travel(at(0)):
        client.force_login(ann)
        answer = move(client, card, day(-1))

    assert "This date is already past, so the card is expired." in answer.content.decode()
    assert statuses(card)[0] == "expired"


def test_a_drop_of_a_closed_card_is_refused_with_the_reason(client, ann, board):
    card = deal(forecast_date=day(5))
    act(lifecycle.void, card, reason_id=void_reason())

    answer = move(client, card, day(9))

    assert answer.status_code == 409
    assert f"OPP-{card.pk}" in answer.content.decode()
    assert fresh(card).forecast_date == day(5)


def test_a_drop_from_a_page_that_is_out_of_date_does_not_overwrite_anothers_day(client, ann, board):
    card = deal(forecast_date=day(5))
    move(client, card, day(7), version=card.version)

    answer = move(client, card, day(9), version=card.version)

    assert answer.status_code == 409
    assert fresh(card).forecast_date == day(7)


def test_the_calendar_shows_what_people_typed_as_they_typed_it(client, ann, board):
    deal(title="<b>Roof</b>", forecast_date=day(5))

    page = client.get(f"/boards/{board.pk}/calendar/?month=2025-06").content.decode()

    assert "<b>Roof" not in page
    assert "&lt;b&gt;Roof" in page
