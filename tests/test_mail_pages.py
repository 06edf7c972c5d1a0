"""The outbox in the browser: who reads which mail, what is said of it, and sending it again."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from opportunities import outbox
from opportunities.models import BusinessSettings, OutgoingEmail
from tests.documents import make_agreement, make_quote
from tests.factories import NOW, CustomerFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

ADA = "ada@customer.test"
MAILS = "/mails/"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        yield


@pytest.fixture
def ann():
    return UserFactory(first_name="Ann", last_name="Reed")


@pytest.fixture
def card(ann):
    return make_card(actor=ann, customer_ids=[CustomerFactory().pk])


def signed_in(person):
    client = Client()
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return client


def mail_of(card=None, subject="Your offer is closed", *, state="queued", kind="cancel", **fields):
    row = {"to": [ADA], "body": "Dear Ada,\nsee https://x.test", "actor": None, "now": NOW}
    given = {name: fields.pop(name) for name in ("quote", "agreement", "person", "cc", "html", "to") if name in fields}
    mail = outbox.queue(kind=kind, opportunity=card, subject=subject, **{**row, **given})
    fields.setdefault("attempts", int(state != "queued"))
    sent_at = NOW if state == "sent" else None
    OutgoingEmail.objects.filter(pk=mail.pk).update(state=state, sent_at=sent_at, claimed_at=NOW, **fields)
    mail.refresh_from_db()
    return mail


def text(client, url):
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def again(mail):
    return reverse("opportunities:mail-again", args=[mail.pk])


class TestReading:
    def test_salespeople_read_mails_of_cards_they_see_and_what_was_written_to_them(self, ann, card):
        BusinessSettings.objects.update(salespeople_see="own")
        other = UserFactory()
        theirs = make_card(actor=other)
        seen = [mail_of(card, "Mine"), mail_of(kind="notice", subject="To me", person=ann)]
        seen.append(mail_of(subject="Quote of mine", kind="quote", quote=make_quote(card)))
        hidden = [mail_of(theirs, "Not mine"), mail_of(kind="digest", subject="To them", person=other)]
        client = signed_in(ann)
        listed = text(client, MAILS)

        for mail in seen:
            assert mail.subject in listed
            assert text(client, mail.get_absolute_url())
        for mail in hidden:
            assert mail.subject not in listed
            assert client.get(mail.get_absolute_url()).status_code == 404
            assert client.post(again(mail)).status_code == 404

    @pytest.mark.parametrize(("role", "sees"), [("manager", False), ("admin", True)])
    def test_what_is_written_to_a_colleague_only_they_and_admins_read(self, ann, card, role, sees):
        notice, mail = mail_of(kind="notice", person=ann), mail_of(card)
        client = signed_in(UserFactory(role=role))
        assert client.get(mail.get_absolute_url()).status_code == 200
        assert client.get(notice.get_absolute_url()).status_code == (200 if sees else 404)

    def test_a_mail_shows_all_that_went_out_and_what_the_server_said(self, ann, card):
        words = {"error": "550 <b>No such person</b>", "cc": ["ben@customer.test"]}
        mail = mail_of(card, "Closed <script>alert(1)</script>", state="failed", **words)
        shown = text(signed_in(ann), mail.get_absolute_url())

        for expected in (
            ADA,
            "ben@customer.test",
            mail.message_id.strip("<>"),
            "Harbor Heating",
            "It could not be sent.",
        ):
            assert expected in shown
        assert "550 &lt;b&gt;No such person" in shown
        assert "<script>alert" not in shown

    def test_a_mail_that_was_only_kept_here_says_so(self, ann, card, settings):
        settings.MAIL_KEPT_HERE = True
        mail = mail_of(card, state="sent", kept_here=True)
        client = signed_in(ann)
        assert "No mail server is set up, so it was kept here" in text(client, mail.get_absolute_url())
        assert "No mail server is set up, so mails are kept here" in text(client, MAILS)

    def test_one_that_could_not_be_written_says_why_and_cannot_be_sent(self, ann, card):
        mail = mail_of(card, state="failed", attempts=0, error="The template names nobody knows.")
        shown = text(signed_in(ann), mail.get_absolute_url())
        assert "It could not be written, so nobody got it." in shown
        assert "The template names nobody knows." in shown
        assert again(mail) not in shown

    def test_mails_are_found_by_state_kind_subject_and_address(self, ann, card):
        mail_of(card, "Failed one", state="failed")
        mail_of(card, "Sent one", state="sent", kind="quote", to=["zoe@customer.test"])
        client = signed_in(ann)

        def found(query):
            shown = text(client, f"{MAILS}?{query}")
            return ["Failed one" in shown, "Sent one" in shown]

        assert found("state=failed") == [True, False]
        assert found("kind=quote") == [False, True]
        assert found("q=SENT+o") == [False, True]
        assert found("q=zoe@") == [False, True]
        assert found("q=nothing") == [False, False]
        assert found("state=x&kind=y&page=99&q=%00") == [True, True]

    def test_one_that_waits_says_when_it_is_tried_again(self, ann, card):
        mail_of(card, attempts=2, next_try_at=NOW + timedelta(minutes=5))
        assert "2 tries failed. Next try: today at 9:05 a.m." in text(signed_in(ann), MAILS)

    def test_card_quote_and_agreement_show_their_mails(self, ann, card):
        quote, agreement = make_quote(card), make_agreement(card)
        client = signed_in(ann)
        assert 'id="mails"' not in text(client, card.get_absolute_url())
        mail_of(card, "About the card")
        mail_of(subject="With the quote", kind="quote", quote=quote)
        mail_of(subject="With the agreement", kind="agreement", agreement=agreement)
        mail_of(card, "A notice", kind="notice", person=ann)

        shown = text(client, card.get_absolute_url())
        assert all(words in shown for words in ("About the card", "With the quote", "With the agreement"))
        assert "A notice" not in shown
        assert "With the quote" in text(client, quote.get_absolute_url())
        assert "With the agreement" in text(client, agreement.get_absolute_url())

    @pytest.mark.parametrize("many", [1, 40])
    def test_the_list_asks_the_database_a_fixed_number_of_times(self, ann, many, django_assert_num_queries):
        for number in range(many):
            mail_of(make_card(actor=ann), f"Mail {number}")
        client = signed_in(ann)
        text(client, MAILS)  # settles the day
        with django_assert_num_queries(5):
            text(client, MAILS)

    def test_a_mail_asks_the_database_a_fixed_number_of_times(self, ann, card, django_assert_num_queries):
        mail, client = mail_of(card), signed_in(ann)
        text(client, MAILS)  # settles the day
        with django_assert_num_queries(5):
            text(client, mail.get_absolute_url())


class TestSendingAgain:
    def test_a_failed_mail_is_sent_again_without_a_question(self, ann, card):
        mail, client = mail_of(card, state="failed"), signed_in(ann)
        assert "Send it again anyway" not in text(client, again(mail))

        response = client.post(again(mail), follow=True)

        copy = mail.sent_again.get()
        assert (copy.state, copy.created_by) == ("queued", ann)
        assert response.redirect_chain[-1][0] == copy.get_absolute_url()
        assert "is on its way" in response.content.decode()

    @pytest.mark.parametrize(
        ("state", "words"), [("sent", "arrives twice"), ("unsure", "Nobody knows whether this mail arrived")]
    )
    def test_one_that_may_have_arrived_asks_first(self, ann, card, state, words):
        mail, client = mail_of(card, state=state), signed_in(ann)
        asked = text(client, again(mail))
        assert words in asked
        assert "Send it again anyway" in asked

        refused = client.post(again(mail))
        assert refused.status_code == 409
        assert words in refused.content.decode()
        assert not mail.sent_again.exists()

        assert client.post(again(mail), {"sure": "1"}).status_code == 302
        assert mail.sent_again.count() == 1

    def test_one_that_is_on_its_way_cannot_be_sent_again(self, ann, card):
        mail, client = mail_of(card, state="sending"), signed_in(ann)
        assert "on its way already" in text(client, again(mail))
        assert client.post(again(mail), {"sure": "1"}).status_code == 409

    def test_from_the_card_one_stays_on_the_card(self, ann, card):
        mail = mail_of(card, state="failed")
        response = signed_in(ann).post(
            again(mail), headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{card.get_absolute_url()}"}
        )
        assert response["HX-Redirect"] == card.get_absolute_url()
