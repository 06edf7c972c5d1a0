"""The page "My day", the bell and the choices of the profile: what lands where, for whom, in how many statements."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from opportunities import activity, lifecycle, my_day, notices, sweep
from opportunities.models import ActionItem, BusinessSettings, Notice, NoticeChoice, Reminder
from tests.documents import act, at, business, day, deal, fresh, make_agreement, make_job, make_quote, void_reason
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
URL = "/my-day/"


@pytest.fixture(autouse=True)
def this_day():
    starter_rows()
    BusinessSettings.objects.update(swept_until=NOW.date())
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ann():
    return UserFactory.create(first_name="Ann", last_name="Kowalski")


@pytest.fixture
def bob():
    return UserFactory.create(first_name="Bob", last_name="Reyes")


@pytest.fixture
def boss():
    return UserFactory.create(first_name="Mo", last_name="Boss", role="manager")


@pytest.fixture
def own(client, ann):
    """Ann's browser."""
    client.force_login(ann, backend="opportunities.access.RoleBackend")
    return client


def plan(card, text, due, **given):
    return act(activity.add_action, card, text=text, due_on=day(due), **given)


def shown(person, *, today=NOW):
    """The day of this person as they see it themselves, as plain texts by part."""
    settings = BusinessSettings.current()
    found = my_day.of(person, reader=person, business=settings, today=settings.local_date(today), now=today)
    parts = {group.key: [item.text for item in group.items] for group in found.groups}
    parts["expiring"] = [(line.card.title, line.said) for line in found.expiring]
    parts["lapsing"] = [line.number for line in found.lapsing]
    parts["idle"] = [card.title for card in found.idle]
    return parts


# What lands where


def test_actions_stand_as_overdue_today_or_soon_and_what_is_later_or_done_does_not(ann):
    card = make_card(actor=ann)
    for text, due in (("late", -2), ("now", 0), ("near", 7), ("far", 8)):
        plan(card, text, due)
    activity.finish_action(action_id=plan(card, "done", 0).pk, actor=ann, now=NOW)
    parts = shown(ann)
    assert (parts["late"], parts["today"], parts["soon"]) == (["late"], ["now"], ["near"])


def test_a_persons_day_holds_their_own_actions_and_those_of_their_cards_that_nobody_has(ann, bob):
    own, other = make_card(actor=ann), make_card(actor=bob)
    plan(own, "nobody's, on my card", 0)
    plan(own, "Bob's, on my card", 0, assignee_id=bob.pk)
    plan(other, "mine, on Bob's card", 0, assignee_id=ann.pk)
    plan(other, "nobody's, on Bob's card", 0)
    assert shown(ann)["today"] == ["nobody's, on my card", "mine, on Bob's card"]
    assert shown(bob)["today"] == ["Bob's, on my card", "nobody's, on Bob's card"]


def test_the_day_turns_at_the_business_s_midnight_also_when_the_clocks_go_forward(ann):
    business(time_zone="Europe/Berlin")
    card = make_card(actor=ann)
    act(activity.add_action, card, text="call", due_on=datetime(2026, 3, 29).date())
    before, after = datetime(2026, 3, 28, 22, 59, tzinfo=UTC), datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert "soon" in shown(ann, today=before)
    assert "today" in shown(ann, today=after)
    # That day has 23 hours: it ends at 22:00 UTC.
    assert "today" in shown(ann, today=datetime(2026, 3, 29, 21, 59, tzinfo=UTC))
    assert "late" in shown(ann, today=datetime(2026, 3, 29, 22, 0, tzinfo=UTC))


def test_cards_that_expired_expire_tonight_or_this_week_are_listed_and_waived_or_ended_ones_are_not(ann):
    for title, due in (("gone", -1), ("tonight", 0), ("week", 7), ("later", 8)):
        make_card(actor=ann, title=title, forecast_date=day(due), now=at(-2))
    ended = make_card(actor=ann, title="ended", forecast_date=day(0))
    lifecycle.void(opportunity_id=ended.pk, reason_id=void_reason(), actor=ann, now=NOW)
    put_away = make_card(actor=ann, title="put away", forecast_date=day(0))
    lifecycle.archive(opportunity_id=put_away.pk, actor=ann, now=NOW)
    waived = deal(title="waived", salesperson_id=ann.pk, forecast_date=day(-1), now=at(-3))
    sweep.run(NOW)
    make_job(waived)
    assert shown(ann)["expiring"] == [
        ("gone", "Expired yesterday"),
        ("tonight", "Expires tonight"),
        ("week", "by 17 Jun"),
    ]


def test_what_the_night_makes_lost_or_open_is_said_the_day_before_beside_what_can_be_done(own, ann):
    BusinessSettings.objects.update(swept_until=None)
    late, refused = deal(title="late", salesperson_id=ann.pk, forecast_date=day(0)), deal(salesperson_id=ann.pk)
    quote = make_quote(late, "submitted", valid_until=day(0))
    unsigned = make_agreement(refused, "submitted", valid_until=day(0))
    gone = deal(title="gone", salesperson_id=ann.pk, forecast_date=day(-1), now=at(-2))
    job = make_job(gone, service_date=day(0), now=at(-2))
    make_agreement(deal(salesperson_id=ann.pk), "submitted", valid_until=day(2))
    sweep.run(NOW)

    settings = BusinessSettings.current()
    found = my_day.of(ann, reader=ann, business=settings, today=NOW.date(), now=NOW)

    assert [(line.card.title, line.turns) for line in found.expiring] == [("late", "Turns Lost tonight")]
    assert {line.number: line.turns for line in found.lapsing if line.turns} == {
        quote.number: "Turns Lost tonight",
        unsigned.number: "Turns Lost tonight",
        job.number: "Turns Lost tonight",
    }
    assert own.get(URL).content.decode().count("Turns Lost tonight") == 4


def test_documents_that_lapse_within_three_days_are_listed_with_the_way_to_another_date(ann, own):
    card = deal(salesperson_id=ann.pk)
    job = make_job(deal(salesperson_id=ann.pk), service_date=day(1))
    agreement = make_agreement(deal(salesperson_id=ann.pk), "submitted", valid_until=day(2))
    quote = make_quote(card, "submitted", valid_until=day(3))
    make_quote(card, "submitted", valid_until=day(4))
    assert shown(ann)["lapsing"] == [job.number, agreement.number, quote.number]
    page = own.get(URL).content.decode()
    for path in (f"/jobs/{job.pk}/reschedule/", f"/agreements/{agreement.pk}/replace/", f"/quotes/{quote.pk}/edit/"):
        assert path in page
        assert own.get(path).status_code == 200


def test_open_cards_for_which_nothing_is_planned_are_listed_with_a_way_to_plan(ann, own):
    idle, planned = make_card(actor=ann, title="idle"), make_card(actor=ann, title="planned")
    plan(planned, "call", 30)
    assert shown(ann)["idle"] == ["idle"]
    assert f"/opportunities/{idle.pk}/action/" in own.get(URL).content.decode()


def test_a_day_without_anything_says_why_it_is_empty_and_what_to_do(own):
    page = own.get(URL).content.decode()
    assert "Nothing to do in the next 7 days" in page
    assert "Open a card and plan an action" in page
    assert "No card of yours expires within 7 days." in page
    assert "No quote, job or agreement of yours lapses soon." in page


# Who may look


def test_a_manager_looks_at_a_colleagues_day_but_not_at_their_notices(client, ann, boss):
    card = make_card(actor=ann, title="Ann's card", forecast_date=day(0))
    plan(card, "call Ada", 0)
    sweep.run(at(1))
    client.force_login(boss, backend="opportunities.access.RoleBackend")
    with time_machine.travel(at(1), tick=False):
        page = client.get(URL, {"person": ann.pk}).content.decode()
    assert "The day of Ann Kowalski" in page
    assert "call Ada" in page
    assert "Since you looked" not in page


def test_a_salesperson_may_not_look_at_somebody_elses_day(own, ann, bob):
    plan(make_card(actor=bob), "Bob's secret", 0)
    answer = own.get(URL, {"person": bob.pk})
    assert answer.status_code == 403
    assert "Bob's secret" not in answer.content.decode()
    assert own.get(URL, {"person": ann.pk}).status_code == 200


@pytest.mark.parametrize("wrong", ["0", "x", "99999999999999999999", "-1"])
def test_the_day_of_somebody_who_is_not_there_is_not_found(client, boss, wrong):
    client.force_login(boss, backend="opportunities.access.RoleBackend")
    assert client.get(URL, {"person": wrong}).status_code == 404


def test_what_a_person_may_not_see_is_not_on_their_day(own, ann, bob):
    other = make_card(actor=bob, title="Bob's secret")
    plan(other, "mine, on a hidden card", 0, assignee_id=ann.pk)
    business(salespeople_see="own")
    assert "hidden card" not in own.get(URL).content.decode()


# Statements


def test_the_number_of_statements_of_the_day_does_not_grow_with_what_is_on_it(own, ann, boss):
    def fill(count):
        for number in range(count):
            card = deal(salesperson_id=ann.pk, forecast_date=day(number % 3))
            plan(card, f"call {number}", number % 7 - 1)
            make_quote(card, "submitted", valid_until=day(number % 3))
            make_agreement(deal(salesperson_id=ann.pk), "submitted", valid_until=day(1))
            make_card(actor=boss, salesperson_id=ann.pk)

    counts = []
    for count in (1, 12):
        fill(count)
        with CaptureQueriesContext(connection) as captured:
            assert own.get(URL).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 24


def test_the_bell_costs_a_board_no_statement_and_counts_what_waits(own, ann, boss):
    board = BoardFactory(stages=[StageFactory()], is_default=True)
    make_card(actor=ann)
    with CaptureQueriesContext(connection) as without:
        page = own.get(f"/boards/{board.pk}/").content.decode()
    assert "Notices, none unread" in page
    for _each in range(3):
        make_card(actor=boss, salesperson_id=ann.pk)
    with CaptureQueriesContext(connection) as captured:
        page = own.get(f"/boards/{board.pk}/").content.decode()
    assert "Notices, 3 unread" in page
    assert len(captured) == len(without) <= 12


def test_the_bell_counts_to_a_hundred_and_then_says_so(own, ann):
    card = make_card(actor=ann)
    facts = {"person": ann, "opportunity": card, "kind": "won", "way": "product", "created_at": NOW}
    Notice.objects.bulk_create(Notice(about=str(number), **facts) for number in range(120))
    Notice.objects.create(about="off", **{**facts, "way": "off"})
    assert ">99+<" in own.get(URL).content.decode()


# Acts


def test_an_action_is_done_in_place_and_the_answer_offers_to_take_it_back(own, ann):
    item = plan(make_card(actor=ann), "call", 0)
    headers = {**HTMX, "HX-Current-URL": f"http://testserver{URL}"}
    answer = own.post(f"/actions/{item.pk}/done/", headers=headers)
    assert answer.status_code == 200
    assert f"/actions/{item.pk}/reopen/" in answer.content.decode()
    assert "card-changed" in answer.headers["HX-Trigger"]
    own.post(f"/actions/{item.pk}/reopen/", headers=headers)
    assert fresh(item).state == ActionItem.State.OPEN


def test_an_action_is_put_off_to_the_day_that_the_button_names_and_its_undo_puts_it_back(own, ann):
    item = plan(make_card(actor=ann), "call", 0)
    headers = {**HTMX, "HX-Current-URL": f"http://testserver{URL}"}
    page = own.get(URL).content.decode()
    assert "Tomorrow, Wed 11 Jun" in page
    assert "Next week, Mon 16 Jun" in page
    answer = own.post(f"/actions/{item.pk}/snooze/", {"to": "2025-06-11"}, headers=headers)
    own.post(f"/actions/{item.pk}/snooze/", {"to": "2025-06-11"}, headers=headers)
    assert fresh(item).due_on == day(1)
    undo = f"/actions/{item.pk}/snooze/?to=2025-06-10"
    assert undo in answer.content.decode()
    own.post(undo, headers=headers)
    assert fresh(item).due_on == day(0)


def test_a_snooze_without_a_day_or_with_none_that_there_is_asks_again(own, ann):
    item = plan(make_card(actor=ann), "call", 0)
    for wrong in ({}, {"to": "2025-02-30"}, {"due_on": ""}):
        assert own.post(f"/actions/{item.pk}/snooze/", wrong).status_code == 422
    assert fresh(item).due_on == day(0)


def test_an_action_that_is_done_cannot_be_put_off(own, ann):
    item = plan(make_card(actor=ann), "call", 0)
    activity.finish_action(action_id=item.pk, actor=ann, now=NOW)
    answer = own.post(f"/actions/{item.pk}/snooze/", {"to": "2025-06-12"})
    assert answer.status_code == 409
    assert "done already" in answer.content.decode()


def test_a_reminder_is_chosen_in_the_form_and_shown_on_the_card(own, ann):
    card = make_card(actor=ann)
    given = {"text": "call", "due_on": "2025-06-20", "assignee": "", "remind": "moment"}
    answer = own.post(f"/opportunities/{card.pk}/action/", {**given, "remind_on": "2025-06-09", "remind_time": "10:00"})
    assert answer.status_code == 422
    assert "That moment is past already." in answer.content.decode()
    own.post(f"/opportunities/{card.pk}/action/", {**given, "remind_on": "2025-06-11", "remind_time": "14:30"})
    assert Reminder.objects.get().fire_at == datetime(2025, 6, 11, 14, 30, tzinfo=UTC)
    assert "tomorrow, 2:30 p.m." in own.get(card.get_absolute_url()).content.decode()


def test_changing_an_action_shows_its_reminder_and_keeps_it_where_the_form_does_not_ask(own, ann):
    item = plan(make_card(actor=ann), "call", 5)
    page = own.get(f"/actions/{item.pk}/edit/").content.decode()
    assert '<option value="day" selected>' in page
    own.post(f"/actions/{item.pk}/edit/", {"text": "ring", "due_on": "2025-06-15", "assignee": ""})
    assert Reminder.objects.get(state="scheduled").fire_at == datetime(2025, 6, 15, 8, 0, tzinfo=UTC)
    own.post(f"/actions/{item.pk}/edit/", {"text": "ring", "due_on": "2025-06-15", "assignee": "", "remind": "never"})
    assert not Reminder.objects.filter(state="scheduled").exists()


# Notices over HTTP


def test_reading_a_notice_takes_its_mark_away_and_counts_the_bell_again(own, ann, boss):
    make_card(actor=boss, salesperson_id=ann.pk)
    make_card(actor=boss, salesperson_id=ann.pk)
    notice = Notice.objects.filter(person=ann)[0]
    answer = own.post(f"/notices/{notice.pk}/read/", headers=HTMX).content.decode()
    assert "Notices, 1 unread" in answer
    assert "Mark as read" not in answer
    answer = own.post("/notices/read/", {"until": Notice.objects.latest("pk").pk}, headers=HTMX).content.decode()
    assert "Notices, none unread" in answer
    assert not Notice.objects.unread().exists()


def test_without_a_script_reading_leads_back_with_a_word(own, ann, boss):
    make_card(actor=boss, salesperson_id=ann.pk)
    notice = Notice.objects.get(person=ann)
    assert own.post(f"/notices/{notice.pk}/read/", {"next": "/notices/"}).headers["Location"] == "/notices/"
    assert "Marked as read." in own.get("/notices/").content.decode()


def test_the_bell_shows_the_latest_and_the_page_all_of_them_in_parts(own, ann):
    card = make_card(actor=ann)
    facts = {"person": ann, "opportunity": card, "kind": "won", "way": "product", "created_at": NOW}
    Notice.objects.bulk_create(Notice(about=str(number), **facts) for number in range(60))
    assert own.get("/notices/", headers=HTMX).content.decode().count('class="notice ') == 12
    page = own.get("/notices/").content.decode()
    assert page.count('class="notice ') == 50
    oldest = Notice.objects.order_by("-pk")[49].pk
    assert f"?before={oldest}" in page
    assert own.get("/notices/", {"before": oldest}).content.decode().count('class="notice ') == 10


def test_whoever_has_no_notices_is_told_what_would_be_there(own):
    page = own.get("/notices/").content.decode()
    assert "Nothing to tell you yet" in page
    assert "Never of what you did yourself." in page


def test_the_profile_shows_how_one_is_told_and_takes_another_choice(own, ann):
    page = own.get(reverse("opportunities:profile")).content.decode()
    assert "A customer accepts or declines" in page
    ways = {subject.value: way.value for subject, way in notices.choices_of(ann).items()}
    own.post("/notices/choices/", {**ways, "answered": "off"})
    assert NoticeChoice.objects.get(person=ann, subject="answered").way == "off"
    assert own.post("/notices/choices/", {**ways, "answered": "pigeon"}).status_code == 422
