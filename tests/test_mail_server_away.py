"""No mail server can be reached: it is asked by one mail a minute, no try is wasted, and when it answers all leave."""

import threading
from datetime import timedelta

import pytest
from django.db import connections

from opportunities import outbox
from opportunities.models import OutgoingEmail
from tests import mail_server
from tests.factories import NOW, starter_rows
from tests.mail_server import Unruly

pytestmark = pytest.mark.django_db


def queued(subject="Our offer", now=NOW):
    return outbox.queue(subject=subject, kind="cancel", to=["ada@customer.test"], body="Dear Ada", actor=None, now=now)


def send(now=NOW):
    return outbox.send_due(now)


def after(mail):
    mail.refresh_from_db()
    return mail


def later(**delta):
    return NOW + timedelta(**delta)


@pytest.fixture
def port(settings):
    """Where a server will listen, and none does yet."""
    starter_rows()
    port = mail_server.free_port()
    settings.MAIL_KEPT_HERE, settings.MAILERS = False, mail_server.mailers(port)
    return port


def tries():
    return sum(OutgoingEmail.objects.values_list("attempts", flat=True))


def test_it_is_asked_once_a_minute_and_not_once_a_mail(port):
    for number in range(5):
        queued(f"Mail {number}")
        send(later(seconds=number))
    assert tries() == 1
    send(later(seconds=45))
    assert tries() == 1
    send(later(minutes=1))
    send(later(minutes=1, seconds=1))

    assert tries() == 2
    assert set(OutgoingEmail.objects.values_list("attempts", flat=True)) == {0, 1}, "by turns"


def test_when_it_answers_all_leave_even_those_that_were_put_off_for_hours(port):
    old = queued("Old")
    for hours in range(9):
        send(later(hours=hours))
    assert after(old).next_try_at > later(hours=10)
    moment = later(hours=9)
    queued("New", now=moment)

    handler = Unruly()
    with mail_server.running(handler, port):
        assert send(moment).sent == 2
        queued("Next", now=moment)
        assert send(moment).sent == 1

    assert handler.arrived() == ["New", "Old", "Next"]


def test_a_mail_that_only_ever_found_no_server_fails_after_twelve_tries_and_says_why(port):
    mail, moment = queued(), NOW
    while after(mail).state == "queued":
        moment = mail.next_try_at
        send(moment)

    assert (mail.state, mail.attempts) == ("failed", 12)
    assert "refused" in mail.error
    assert outbox.why_not_again(mail) is None


def test_one_of_very_many_that_was_due_for_two_weeks_fails_at_its_next_try(port):
    first, second = queued(), queued()

    send(later(days=15))

    assert (after(first).state, first.attempts, after(second).state) == ("failed", 1, "queued")


def test_a_person_who_has_it_tried_now_need_not_wait(port):
    mail = queued()
    send()
    with mail_server.running(handler := Unruly(), port):
        assert send(later(seconds=5)).sent == 0
        outbox.send_again(mail_id=mail.pk, actor=None, now=later(seconds=5))
        assert send(later(seconds=5)).sent == 1
    assert handler.arrived() == ["Our offer"]


@pytest.mark.django_db(transaction=True)
def test_of_workers_at_the_same_time_one_asks(port):
    for number in range(6):
        queued(f"Mail {number}")
    send()

    start = threading.Barrier(3)

    def work():
        start.wait()
        try:
            send(later(minutes=1))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert tries() == 2
