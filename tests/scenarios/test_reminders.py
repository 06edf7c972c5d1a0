"""Acceptance scenarios, section F: what becomes of action items and reminders when a card is closed."""

import pytest

from opportunities import activity, jobs, lifecycle, reminders
from opportunities.models import ActionItem, Notice, Reminder, Way
from tests.documents import BOILER, act, at, cancel_reason, day, deal, fresh, line_of, make_job, refused, void_reason
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def card():
    return deal(salesperson_id=UserFactory.create().pk)


def plan(card, due):
    """Plan an action with a reminder on its day."""
    return act(activity.add_action, card, text=f"Call in {due} days", due_on=day(due))


def scheduled(card) -> int:
    """How many reminders of the card stand on the calendar."""
    return Reminder.objects.filter(action__opportunity=card, state="scheduled").count()


@pytest.mark.parametrize(("verb", "reason"), [(lifecycle.void, void_reason), (lifecycle.cancel, cancel_reason)])
def test_closing_a_card_removes_its_reminders_closes_its_items_and_keeps_what_was_done_ac148(card, verb, reason):
    items, done = [plan(card, due) for due in (1, 2, 3)], plan(card, 4)
    act(activity.finish_action, action_id=done.pk)
    assert scheduled(card) == 3

    act(verb, card, reason_id=reason())

    assert scheduled(card) == 0
    assert reminders.fire(at(30)).sent == 0
    assert not Notice.objects.filter(kind="reminder").exists()
    assert {fresh(item).state for item in items} == {ActionItem.State.CLOSED}
    assert fresh(done).state == ActionItem.State.DONE


def test_the_items_of_a_voided_card_read_closed_by_void_and_the_done_one_stays_done_ac148(card, client):
    plan(card, 1)
    done = plan(card, 2)
    act(activity.finish_action, action_id=done.pk)
    act(lifecycle.void, card, reason_id=void_reason())
    client.force_login(card.salesperson, backend="opportunities.access.RoleBackend")

    page = client.get(card.get_absolute_url()).content.decode()

    assert page.count("closed by void") == 1
    assert page.count(done.text) > 0


def test_a_reminder_that_was_told_but_not_mailed_is_not_mailed_after_the_card_was_closed_ac148(card):
    plan(card, 1)
    reminders.fire(at(1))
    assert Notice.objects.to_mail(Way.MAIL).filter(kind="reminder").count() == 1

    act(lifecycle.void, card, reason_id=void_reason(), now=at(1))

    assert not Notice.objects.to_mail(Way.MAIL).filter(kind="reminder").exists()


def test_a_void_that_is_refused_removes_no_reminder_ac149(card):
    first, second = plan(card, 1), plan(card, 2)
    job = make_job(card, lines=[BOILER])
    act(jobs.fulfil, line_of(job), quantity=1)

    with refused():
        act(lifecycle.void, card, reason_id=void_reason())

    assert scheduled(card) == 2
    assert {fresh(item).state for item in (first, second)} == {ActionItem.State.OPEN}
