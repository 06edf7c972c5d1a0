"""The outbox against a real mail server: nothing is lost, nothing sent twice by itself, what is unsure is said."""

import random
import threading
from datetime import timedelta

import pytest
import requests
from anymail.exceptions import AnymailRecipientsRefused, AnymailRequestsAPIError
from django.db import connections
from urllib3.exceptions import MaxRetryError, NewConnectionError

from opportunities import delivery, outbox
from opportunities.delivery import Fate
from opportunities.errors import Refused
from opportunities.models import BusinessSettings, OutgoingEmail
from tests import mail_server
from tests.factories import NOW, UserFactory, make_card, starter_rows
from tests.mail_server import Unruly

pytestmark = pytest.mark.django_db

ADA, BEN = "ada@customer.test", "ben@customer.test"


@pytest.fixture
def server(settings):
    """A running mail server that the product sends to."""
    handler, port = Unruly(), mail_server.free_port()
    settings.MAIL_KEPT_HERE = False
    settings.MAILERS = mail_server.mailers(port)
    starter_rows()
    with mail_server.running(handler, port):
        yield handler


def queued(subject="Our offer", **given):
    given = {"kind": "cancel", "to": [ADA], "body": "Dear Ada", "actor": None, "now": NOW, **given}
    return outbox.queue(subject=subject, **given)


def send(now=NOW, **given):
    return outbox.send_due(now, **given)


def after(mail):
    mail.refresh_from_db()
    return mail


def later(**delta):
    return NOW + timedelta(**delta)


class TestSending:
    def test_a_mail_arrives_as_it_was_written_from_the_business(self, server, settings):
        settings.DEFAULT_FROM_EMAIL = "Stageboard <board@harbor.test>"
        mail = queued("Ihr Angebot für Öl", body="Grüße", html="<p>Grüße</p>", cc=[BEN], reply_to="ann@harbor.test")

        assert send().sent == 1

        (got,) = server.taken
        assert got["From"] == "Harbor Heating <board@harbor.test>"
        assert (got["To"], got["Cc"], got["Reply-To"]) == (ADA, BEN, "ann@harbor.test")
        assert (got["Subject"], got["Message-ID"]) == ("Ihr Angebot für Öl", mail.message_id)
        assert got["Auto-Submitted"] is None
        assert got.get_body(("plain",)).get_content().strip() == "Grüße"
        assert got.get_body(("html",)).get_content().strip() == "<p>Grüße</p>"
        assert server.envelopes == [[ADA, BEN]]
        assert (after(mail).state, mail.attempts, mail.error, mail.kept_here) == ("sent", 1, "", False)

    def test_the_business_can_name_its_own_sender(self, server):
        BusinessSettings.objects.update(mail_sender="office@harbor.test")
        queued()
        send()
        assert server.taken[0]["From"] == "Harbor Heating <office@harbor.test>"

    @pytest.mark.parametrize("kind", ["notice", "digest", "reminder"])
    def test_what_the_product_writes_by_itself_says_so(self, server, kind):
        queued(kind=kind, person=UserFactory())
        send()
        assert server.taken[0]["Auto-Submitted"] == "auto-generated"

    def test_a_line_with_a_dot_alone_does_not_end_the_mail(self, server):
        queued(body="First\n.\n..second\nlast")
        send()
        assert server.taken[0].get_content().splitlines() == ["First", ".", "..second", "last"]

    def test_a_mail_for_later_waits(self, server):
        queued(not_before=later(hours=1))
        assert send().sent == 0
        assert send(later(hours=1)).sent == 1

    def test_without_a_mail_server_a_mail_is_kept_to_be_read_here(self, settings, capsys):
        settings.MAIL_KEPT_HERE = True
        starter_rows()
        mail = queued()

        assert send().sent == 1

        assert (after(mail).state, mail.kept_here) == ("sent", True)
        assert "Dear Ada" not in capsys.readouterr().out

    def test_the_time_is_kept_and_the_rest_is_asked_for(self, server):
        queued(), queued()
        report = send(seconds=-1)
        assert (report.sent, report.more) == (0, True)
        assert send().sent == 2

    def test_a_process_that_is_to_stop_sends_no_further_mail(self, server):
        queued(), queued()
        assert send(stopping=lambda: len(server.taken) == 1).sent == 1
        assert OutgoingEmail.objects.filter(state="queued").count() == 1

    @pytest.mark.parametrize("evil", ["x\r\nBcc: spy@evil.test", "x\nBcc: spy@evil.test", "x\u2028Bcc: spy@evil.test"])
    def test_nothing_typed_can_add_a_header_or_a_recipient(self, server, evil):
        BusinessSettings.objects.update(name=evil)
        queued(evil)
        addressed = queued("Address", to=[f"ada@customer.test{evil}"])
        OutgoingEmail.objects.filter(pk=queued("Raw").pk).update(subject=evil, reply_to=evil)

        send()

        assert all(mail["Bcc"] is None for mail in server.taken)
        assert all(envelope == [ADA] for envelope in server.envelopes)
        assert after(addressed).state == "failed"

    def test_one_bad_mail_does_not_stop_the_others(self, server):
        bad = queued(to=["not an address"])
        good = queued()

        send()

        assert (after(bad).state, after(good).state) == ("failed", "sent")
        assert "not an address" in bad.error


class TestFailing:
    def test_a_server_that_is_busy_is_asked_again_later(self, server):
        server.at_mail = lambda: "451 Try again later"
        mail = queued()
        send()
        assert (after(mail).state, mail.error) == ("queued", "451 Try again later")

        server.at_mail = lambda: None
        assert send(later(seconds=59)).sent == 0
        assert send(later(seconds=65)).sent == 1
        assert after(mail).attempts == 2

    def test_waiting_grows_to_half_a_day_and_ends_after_twelve_tries(self, server):
        server.at_mail = lambda: "451 Try again later"
        mail, moment, waits = queued(), NOW, []
        for _ in range(11):
            send(moment)
            waits.append(round((after(mail).next_try_at - moment).total_seconds() / 60))
            moment = mail.next_try_at
        send(moment)

        assert waits == [1, 5, 15, 60, 120, 240, 480, 720, 720, 720, 720]
        assert (after(mail).state, mail.attempts, server.asked) == ("failed", 12, 12)

    @pytest.mark.parametrize("step", ["at_mail", "at_recipient", "after_data"])
    def test_a_server_that_will_never_take_it_ends_it_with_its_words(self, server, step):
        setattr(server, step, lambda *_: "550 No such person here")
        mail = queued()
        send()
        assert after(mail).state == "failed"
        assert "550 No such person here" in mail.error

    def test_a_busy_server_after_the_text_is_asked_again(self, server):
        server.after_data = lambda: "452 Disk full"
        mail = queued()
        send()
        assert (after(mail).state, mail.error) == ("queued", "452 Disk full")

    def test_one_of_two_addresses_refused_is_said_and_the_other_gets_it(self, server):
        server.at_recipient = lambda address: "550 Unknown" if address == BEN else None
        mail = queued(to=[ADA, BEN])
        send()
        assert (after(mail).state, mail.error) == ("sent", f"{BEN}: 550 Unknown")
        assert server.envelopes == [[ADA]]

    @pytest.mark.parametrize("answer", ["drop", "stall"])
    def test_a_line_lost_before_the_text_is_tried_again(self, server, settings, answer):
        settings.MAILERS["default"]["OPTIONS"]["timeout"] = 0.3
        server.at_mail = lambda: answer
        mail = queued()
        send()
        assert after(mail).state == "queued"
        assert mail.error

    @pytest.mark.parametrize("answer", ["drop", "stall"])
    def test_a_line_lost_after_the_text_is_perhaps_sent_and_never_sent_again_by_itself(self, server, settings, answer):
        settings.MAILERS["default"]["OPTIONS"]["timeout"] = 3
        server.after_data = lambda: answer
        mail = queued()
        send()
        assert after(mail).state == "unsure"

        server.after_data = lambda: "250 OK"
        send(later(days=30))
        assert server.arrived() == ["Our offer"]

    def test_while_the_server_is_away_mails_wait_and_none_is_lost(self, settings):
        starter_rows()
        handler, port = Unruly(), mail_server.free_port()
        settings.MAIL_KEPT_HERE, settings.MAILERS = False, mail_server.mailers(port)
        for number in range(5):
            queued(f"Mail {number}")

        report = send()
        assert (report.sent, report.later) == (0, 1), "the others are not tried in vain"
        assert set(OutgoingEmail.objects.values_list("state", flat=True)) == {"queued"}

        with mail_server.running(handler, port):
            send(later(minutes=2))
        assert sorted(handler.arrived()) == [f"Mail {number}" for number in range(5)]

    def test_a_worker_that_died_leaves_a_mail_that_is_perhaps_sent(self, server):
        mail = queued()
        assert outbox._claim(mail.pk, NOW) is not None

        send(later(minutes=14))
        assert after(mail).state == "sending"
        assert send(later(minutes=15)).unsure == 1
        assert (after(mail).state, server.taken) == ("unsure", [])
        send(later(days=1))
        assert server.taken == []

    def test_a_slow_worker_may_still_say_that_it_was_sent_but_never_queue_it_anew(self, server):
        mail, other = queued(), queued()
        claimed = [outbox._claim(each.pk, NOW) for each in (mail, other)]
        outbox.give_up_dead_claims(later(minutes=20))

        report = outbox.Report()
        outbox._note(claimed[0], delivery.Outcome(Fate.TAKEN), later(minutes=21), report)
        outbox._note(claimed[1], delivery.Outcome(Fate.LATER, "busy"), later(minutes=21), report)

        assert (after(mail).state, after(other).state) == ("sent", "unsure")

    @pytest.mark.django_db(transaction=True)
    def test_of_two_hundred_mails_through_a_server_that_fails_half_the_time_each_arrives_once(self, server):
        dice = random.Random(4)
        server.at_mail = lambda: dice.choice([*[None] * 6, "451 Busy", "drop"])
        server.at_recipient = lambda address: dice.choice([*[None] * 5, "450 Grey"])
        server.after_data = lambda: dice.choice([*["250 OK"] * 4, "452 Full"])
        for number in range(200):
            queued(f"Mail {number}")

        moment = NOW
        while OutgoingEmail.objects.filter(state="queued").exists():
            send(moment)
            moment += timedelta(hours=12)

        assert sorted(server.arrived()) == sorted(f"Mail {number}" for number in range(200))
        assert set(OutgoingEmail.objects.values_list("state", flat=True)) == {"sent"}


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_send_each_mail_once(server):
    for number in range(40):
        queued(f"Mail {number}")
    start, reports = threading.Barrier(3), []

    def work():
        start.wait()
        try:
            reports.append(send())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(report.sent for report in reports) == 40
    assert sorted(server.arrived()) == sorted(f"Mail {number}" for number in range(40))
    assert set(OutgoingEmail.objects.values_list("attempts", flat=True)) == {1}


class TestProviders:
    """A provider's API: the same question, whether it may have the mail."""

    def failing(self, cause=None, code=None):
        response = requests.Response()
        response.status_code = code
        error = AnymailRequestsAPIError("Error posting", response=response if code else None)
        error.__cause__ = cause
        return delivery._judge(error).fate

    @pytest.mark.parametrize(
        ("code", "fate"), [(401, "later"), (429, "later"), (503, "later"), (422, "refused"), (500, "unsure")]
    )
    def test_its_answer_decides(self, code, fate):
        assert self.failing(code=code) == fate

    def test_no_connection_means_that_nothing_left(self):
        lost = requests.exceptions.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused")))
        assert self.failing(lost) is Fate.LATER

    def test_a_line_lost_while_waiting_for_the_answer_is_unsure(self):
        assert self.failing(requests.exceptions.ReadTimeout("late")) is Fate.UNSURE
        assert self.failing(requests.exceptions.ConnectionError("reset by peer")) is Fate.UNSURE

    def test_everybody_refused_is_the_end_of_it(self):
        assert delivery._judge(AnymailRecipientsRefused()).fate is Fate.REFUSED

    def test_a_wrong_set_up_leaves_the_mails_waiting(self, server, settings):
        settings.MAILERS = {"default": {"BACKEND": "anymail.backends.postmark.EmailBackend"}}
        mail = queued()
        send()
        assert after(mail).state == "queued"
        assert "server_token" in mail.error


class TestSendingAgain:
    def settled(self, state, **fields):
        sent_at = NOW if state == "sent" else None
        fields.setdefault("attempts", 1)
        mail = queued(opportunity=make_card(), html="<p>Dear Ada</p>", cc=[BEN], reply_to="ann@harbor.test")
        OutgoingEmail.objects.filter(pk=mail.pk).update(state=state, sent_at=sent_at, claimed_at=NOW, **fields)
        return after(mail)

    def again(self, mail, **given):
        return outbox.send_again(mail_id=mail.pk, **{"actor": None, "now": later(days=1), **given})

    def test_a_failed_mail_goes_out_as_a_new_one_with_the_same_words(self, server):
        old = self.settled("failed", next_try_at=None)
        new = self.again(old)

        assert (new.pk != old.pk, new.again_of, new.state) == (True, old, "queued")
        for name in ("kind", "opportunity", "to", "cc", "reply_to", "subject", "body", "html"):
            assert getattr(new, name) == getattr(old, name)
        assert new.message_id != old.message_id
        assert send(later(days=1)).sent == 1

    @pytest.mark.parametrize(("state", "code"), [("sent", "SENT_ALREADY"), ("unsure", "PERHAPS_SENT")])
    def test_one_that_may_have_arrived_is_asked_about_first(self, server, state, code):
        old = self.settled(state)
        with pytest.raises(Refused) as refused:
            self.again(old)
        assert refused.value.blockers[0].code == code
        assert self.again(old, sure=True).again_of == old

    def test_one_that_was_only_kept_here_is_sent_without_a_question(self, server):
        assert self.again(self.settled("sent", kept_here=True)).state == "queued"

    def test_one_that_could_not_be_written_is_never_sent(self, server):
        mail = queued(error="The template names {{nobody}}.", body="")
        with pytest.raises(Refused) as refused:
            self.again(mail, sure=True)
        assert refused.value.blockers[0].code == "HAS_NO_WORDS"
        send(later(days=1))
        assert (after(mail).state, server.taken) == ("failed", [])

    def test_a_double_click_sends_it_once(self, server):
        old = self.settled("failed")
        self.again(old)
        with pytest.raises(Refused) as refused:
            self.again(old, sure=True)
        assert refused.value.blockers[0].code == "BEING_SENT"

    def test_one_that_waits_is_tried_now(self, server):
        waiting = queued(not_before=later(days=9))
        assert self.again(waiting).pk == waiting.pk
        assert send(later(days=1)).sent == 1

    def test_who_may_not_see_the_card_cannot_send_its_mail(self, server):
        BusinessSettings.objects.update(salespeople_see="own")
        old = self.settled("failed")
        with pytest.raises(OutgoingEmail.DoesNotExist):
            self.again(old, actor=UserFactory())
