"""Reminders of action items: when they come, that they come once, and when they go (lifecycle.md 5.6)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core.exceptions import ValidationError

from opportunities import activity, business, reminders
from opportunities.models import ActionItem, Notice, Reminder
from opportunities.reminders import Wish
from tests.documents import act, at, day, fresh, history_of
from tests.documents import business as settings_of_business
from tests.factories import NOW, UserFactory, make_card

pytestmark = pytest.mark.django_db

NEVER, BEFORE = Wish("never"), Wish("before")


@pytest.fixture
def ann():
    return UserFactory.create(first_name="Ann", last_name="Kowalski")


@pytest.fixture
def card(ann):
    return make_card(actor=ann)


def plan(card, due=3, *, now=NOW, **given):
    """Plan a call on a day counted from the scenarios' one."""
    return act(activity.add_action, card, text="Call back", due_on=day(due), now=now, **given)


def scheduled(item) -> list[datetime]:
    """The moments at which the item will be recalled."""
    return list(Reminder.objects.filter(action=item, state="scheduled").values_list("fire_at", flat=True))


def told() -> list[str]:
    """What people were reminded of, in order."""
    rows = Notice.objects.filter(kind="reminder").order_by("pk")
    return [notice.parameters["action"] for notice in rows]


def test_an_action_is_recalled_on_its_day_at_eight_unless_chosen_otherwise(card):
    settings_of_business(time_zone="America/New_York")
    item = plan(card)
    assert scheduled(item) == [datetime(2025, 6, 13, 12, 0, tzinfo=UTC)]
    assert fresh(item).remind == "day"


@pytest.mark.parametrize(
    ("wish", "moment"),
    [
        (NEVER, []),
        (BEFORE, [datetime(2025, 6, 12, 8, 0, tzinfo=UTC)]),
        (Wish("moment", date(2025, 6, 11), time(16, 30)), [datetime(2025, 6, 11, 16, 30, tzinfo=UTC)]),
    ],
)
def test_a_reminder_comes_when_it_was_asked_for(card, wish, moment):
    assert scheduled(plan(card, wish=wish)) == moment


def test_a_moment_that_is_past_or_not_said_is_refused_and_nothing_is_planned(card):
    for wish in (Wish("moment", date(2025, 6, 10), time(8, 59)), Wish("moment"), Wish("moment", date(2025, 6, 11))):
        with pytest.raises(ValidationError) as refusal:
            plan(card, wish=wish)
        assert "remind_on" in refusal.value.message_dict
    assert not ActionItem.objects.exists()


def test_an_action_that_is_due_today_after_eight_is_planned_without_a_reminder(card):
    assert scheduled(plan(card, due=0)) == []


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        # Berlin skips 02:00 to 03:00 on 29 March 2026 and has it twice on 25 October 2026.
        (datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2026, 3, 29, 8, 0), datetime(2026, 3, 29, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 28, 8, 0), datetime(2026, 3, 28, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_reminder_keeps_its_wall_clock_time_over_daylight_saving(card, local, instant):
    settings_of_business(time_zone="Europe/Berlin")
    item = plan(card, wish=Wish("moment", local.date(), local.time()))
    assert scheduled(item) == [instant]


def test_a_changed_time_zone_moves_what_is_scheduled_along_with_the_wall_clock(card):
    item = plan(card)
    admin = UserFactory.create(role="admin")
    business.edit_settings(time_zone="Asia/Tokyo", actor=admin, now=NOW)
    assert scheduled(item) == [datetime(2025, 6, 12, 23, 0, tzinfo=UTC)]


def test_a_due_reminder_is_told_once_however_often_the_job_runs(card, ann):
    item = plan(card)
    moment = datetime(2025, 6, 13, 8, 0, tzinfo=UTC)
    assert reminders.fire(moment - timedelta(seconds=1)).sent == 0
    assert reminders.fire(moment).sent == 1
    assert reminders.fire(moment + timedelta(hours=1)).sent == 0
    assert told() == ["Call back"]
    notice = Notice.objects.get()
    assert (notice.person, notice.opportunity, notice.way) == (ann, card, "mail")
    sent = Reminder.objects.get(action=item)
    assert (sent.state, sent.sent_at) == ("sent", moment)


def test_what_fell_due_while_no_job_ran_is_told_by_the_next_run_the_oldest_first(card, monkeypatch):
    monkeypatch.setattr(reminders, "BATCH", 1)
    monkeypatch.setattr(reminders, "ROUNDS", 2)
    for number in (3, 1, 2):
        act(activity.add_action, card, text=f"Due in {number}", due_on=day(number))
    first = reminders.fire(at(40))
    assert (first.sent, first.more) == (2, True)
    assert reminders.fire(at(40)).more is False
    assert told() == ["Due in 1", "Due in 2", "Due in 3"]


def test_a_reminder_that_cannot_be_told_keeps_no_other_from_being_told(card, ann, caplog):
    broken, item = plan(card, due=1), plan(card, due=2)
    taken = f"reminder:{broken.reminders.get().pk}"
    Notice.objects.create(
        person=ann, opportunity=card, kind="lapsing", about=taken, way="product", created_at=NOW, parameters={}
    )
    report = reminders.fire(at(5))
    assert (report.sent, report.failed) == (1, 1)
    assert "A reminder could not be told." in caplog.text
    assert scheduled(broken)
    assert not scheduled(item)


def test_who_is_to_do_it_is_reminded_else_the_salesperson_else_who_planned_it_and_nobody_who_left(card, ann):
    bob, left = UserFactory.create(first_name="Bob"), UserFactory.create()
    own = plan(card, assignee_id=bob.pk, actor=ann)
    assert reminders.whom(fresh(own)) == bob
    assert reminders.whom(fresh(plan(card, due=4, actor=bob))) == ann
    loose = make_card()
    assert reminders.whom(fresh(plan(loose, actor=bob))) == bob
    item = plan(card, due=5, assignee_id=left.pk)
    left.is_active = False
    left.save()
    assert reminders.whom(fresh(item)) == ann


def test_nobody_is_reminded_of_an_action_that_is_done(card):
    item = plan(card)
    activity.finish_action(action_id=item.pk, actor=None, now=at(1))
    assert scheduled(item) == []
    reminders.fire(at(5))
    assert told() == []


def test_doing_it_after_the_reminder_came_quiets_the_notice_and_its_mail(card):
    item = plan(card)
    reminders.fire(at(4))
    activity.finish_action(action_id=item.pk, actor=None, now=at(5))
    notice = Notice.objects.get()
    assert (notice.mail, notice.read_at) == ("passed", at(5))


def test_taking_back_that_it_was_done_schedules_the_reminder_again_only_while_it_is_ahead(card):
    item = plan(card)
    activity.finish_action(action_id=item.pk, actor=None, now=at(1))
    activity.reopen_action(action_id=item.pk, actor=None, now=at(2))
    assert scheduled(item) == [datetime(2025, 6, 13, 8, 0, tzinfo=UTC)]
    activity.finish_action(action_id=item.pk, actor=None, now=at(2))
    activity.reopen_action(action_id=item.pk, actor=None, now=at(4))
    assert scheduled(item) == []


def test_putting_an_action_off_moves_its_day_and_its_reminder_and_is_noted_once(card):
    item = plan(card)
    own = act(activity.add_action, card, text="Ring", due_on=day(3), wish=Wish("moment", day(2), time(15, 0)))
    for each in (item, own):
        activity.snooze_action(action_id=each.pk, due_on=day(10), actor=None, now=NOW)
        activity.snooze_action(action_id=each.pk, due_on=day(10), actor=None, now=NOW)
    assert scheduled(item) == [datetime(2025, 6, 20, 8, 0, tzinfo=UTC)]
    assert scheduled(own) == [datetime(2025, 6, 19, 15, 0, tzinfo=UTC)]
    assert fresh(item).due_on == day(10)
    kinds = [kind for kind, *_rest in history_of(card)]
    assert kinds.count("action_edited") == 2


def test_an_action_that_was_recalled_is_recalled_again_after_it_was_put_off(card):
    item = plan(card)
    reminders.fire(at(4))
    activity.snooze_action(action_id=item.pk, due_on=day(6), actor=None, now=at(4))
    reminders.fire(at(7))
    assert told() == ["Call back", "Call back"]


def test_changing_the_words_of_an_action_leaves_its_reminder_alone(card):
    item = plan(card, wish=BEFORE)
    activity.edit_action(action_id=item.pk, text="Ring up", due_on=item.due_on, assignee_id=None, actor=None, now=at(2))
    assert scheduled(item) == [datetime(2025, 6, 12, 8, 0, tzinfo=UTC)]
    activity.edit_action(
        action_id=item.pk, text="Ring up", due_on=day(9), assignee_id=None, wish=NEVER, actor=None, now=at(2)
    )
    assert scheduled(item) == []
    assert Reminder.objects.get(action=item).state == "removed"


def test_nobody_is_reminded_of_a_card_that_they_may_not_see_any_more(card, ann):
    bob = UserFactory.create()
    item = plan(card, assignee_id=bob.pk)
    settings_of_business(salespeople_see="own")

    reminders.fire(at(3))

    assert list(Notice.objects.values_list("person", "parameters__action")) == [(ann.pk, item.text)]
