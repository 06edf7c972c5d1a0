"""Two workers and a closing card at once, on PostgreSQL: each reminder is told once, and each person mailed once."""

import pytest
from django.db import connection

from opportunities import activity, lapsing, lifecycle, notice_mails, reminders
from opportunities.models import Notice, OutgoingEmail, Reminder
from tests.documents import act, at, day, deal, make_quote, void_reason
from tests.factories import UserFactory, starter_rows
from tests.test_races import meet

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def card():
    starter_rows()
    return deal(salesperson_id=UserFactory.create().pk)


@pytest.fixture
def reminder(card):
    return act(activity.add_action, card, text="Call", due_on=day(1)).reminders.get()


def hold(reminder):
    """Hold the reminder's row."""
    return lambda: Reminder.objects.select_for_update().get(pk=reminder.pk)


def test_two_workers_tell_a_reminder_once(card, reminder):
    def worker():
        return reminders.fire(at(2)).sent

    assert sorted(meet([worker, worker], hold=hold(reminder))) == [0, 1]
    assert Notice.objects.filter(kind="reminder").count() == 1


def test_a_card_that_is_closed_while_a_reminder_is_told_leaves_none_scheduled_and_none_to_mail(card, reminder):
    reason = void_reason()

    def close():
        return lifecycle.void(opportunity_id=card.pk, reason_id=reason, actor=None, now=at(2))

    answers = meet([lambda: reminders.fire(at(2)), close], hold=hold(reminder))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert not Reminder.objects.filter(state="scheduled").exists()
    assert not Notice.objects.filter(kind="reminder", mail="", way="mail").exists()


def test_two_workers_tell_of_a_lapsing_document_once(card):
    make_quote(card, "submitted", valid_until=day(2))

    def worker():
        return lapsing.tell(at(0))

    def hold_notices():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE opportunities_notice IN SHARE MODE")

    meet([worker, worker], hold=hold_notices)
    assert Notice.objects.filter(kind="lapsing").count() == 1


@pytest.mark.parametrize(("way", "send"), [("mail", notice_mails.send_at_once), ("digest", notice_mails.send_digests)])
def test_two_workers_mail_a_person_once(card, way, send):
    person = card.salesperson
    facts = {"person": person, "opportunity": card, "kind": "won", "created_at": at(-1)}
    Notice.objects.create(about="x", way=way, **facts)

    def worker():
        return send(at(1))["mails"]

    def hold_notices():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE opportunities_notice IN ACCESS EXCLUSIVE MODE")

    assert sorted(meet([worker, worker], hold=hold_notices)) == [0, 1]
    assert OutgoingEmail.objects.count() == 1
