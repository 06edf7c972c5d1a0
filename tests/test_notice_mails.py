"""Notices by mail: at once and gathered, or one digest each morning; nothing twice, nothing that was read."""

from datetime import UTC, date, datetime, timedelta

import pytest

from opportunities import (
    activity,
    lifecycle,
    notice_mails,
    notice_words,
    notices,
    outbox,
    pipeline,
    reminders,
    sweep,
    undelivered,
)
from opportunities.models import Digest, Notice, OutgoingEmail
from tests.documents import act, at, business, day, deal, fresh, void_reason
from tests.factories import NOW, UserFactory, make_card

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return UserFactory.create(first_name="Ann", email="ann@example.test")


@pytest.fixture
def bob():
    return UserFactory.create(first_name="Bob", last_name="Reyes", role="manager")


@pytest.fixture
def card(ann):
    return deal(title="Boiler", salesperson_id=ann.pk, forecast_date=day(0))


def mails() -> list[tuple[str, list[str], str, str, int | None]]:
    """What lies in the outbox, in order: kind, to, subject, text, card."""
    rows = OutgoingEmail.objects.order_by("pk")
    return list(rows.values_list("kind", "to", "subject", "body", "opportunity"))


def give(person, actor, count=1):
    """Let somebody give this person cards, of which they are told at once."""
    return [make_card(actor=actor, salesperson_id=person.pk) for _each in range(count)]


def morning(offset, *, hour=7, minute=0):
    """A moment of that morning, in UTC."""
    return datetime(2025, 6, 10, hour, minute, tzinfo=UTC) + timedelta(days=offset)


# At once


def test_one_thing_is_mailed_at_once_with_the_card_s_address_and_only_once(ann, bob):
    (card,) = give(ann, bob)
    assert notice_mails.send_at_once(NOW) == {"mails": 1, "failed": 0}
    assert notice_mails.send_at_once(NOW) == {"mails": 0, "failed": 0}
    ((kind, to, subject, text, card_id),) = mails()
    assert (kind, to, card_id) == ("notice", ["ann@example.test"], card.pk)
    assert subject == f"{card.number}: Bob Reyes gave you this card."
    assert card.title in text
    assert f"http://127.0.0.1:8000{card.get_absolute_url()}" in text
    assert "/accounts/profile/" in text


def test_what_came_together_is_mailed_together(ann, bob):
    give(ann, bob, 3)
    notice_mails.send_at_once(NOW)
    ((_kind, _to, subject, text, card_id),) = mails()
    assert card_id is None
    assert subject == "3 things happened on your cards"
    assert text.count("Bob Reyes gave you this card.") == 3


def test_a_mail_spells_out_fifty_and_counts_the_rest(ann, bob, card):
    facts = {"person": ann, "opportunity": card, "kind": "given", "way": "mail", "created_at": NOW}
    Notice.objects.bulk_create(Notice(about=str(number), **facts) for number in range(60))
    notice_mails.send_at_once(NOW)
    ((*_rest, text, _card_id),) = mails()
    assert text.count("gave you this card") == 50
    assert "And 10 more" in text


def test_what_was_read_meanwhile_is_not_mailed(ann, bob):
    give(ann, bob)
    notices.read_all(until=Notice.objects.latest("pk").pk, actor=ann, now=NOW)
    notice_mails.send_at_once(NOW)
    assert mails() == []
    assert Notice.objects.get().mail == "passed"


@pytest.mark.parametrize("change", [{"email": ""}, {"is_active": False}])
def test_who_has_no_address_or_has_left_gets_no_mail(ann, bob, change):
    give(ann, bob)
    type(ann).objects.filter(pk=ann.pk).update(**change)
    notice_mails.send_at_once(NOW)
    assert mails() == []
    assert Notice.objects.get().mail == "passed"


def test_only_what_somebody_wants_by_mail_at_once_is_mailed_at_once(ann, bob, card):
    notices.choose(ways={"reassigned": "product"}, actor=ann, now=NOW)
    give(ann, bob)
    sweep.run(at(1))
    notice_mails.send_at_once(at(1))
    assert mails() == []


def test_a_reminder_comes_by_a_mail_of_its_own_that_names_its_card(ann, card):
    for text in ("Call", "Write"):
        act(activity.add_action, card, text=text, due_on=day(1))
    reminders.fire(at(1))
    notice_mails.send_at_once(at(1))
    assert [(kind, card_id) for kind, _to, _subject, _text, card_id in mails()] == [("reminder", card.pk)] * 2
    assert mails()[0][2] == f"{card.number}: Reminder: Call, due today."


def test_a_title_with_line_breaks_makes_no_second_header(ann, bob, card):
    Notice.objects.create(
        person=ann,
        opportunity=card,
        kind="reminder",
        about="x",
        way="mail",
        created_at=NOW,
        parameters={"number": card.number, "action": "Call\r\nBcc: all@example.test", "day": "2025-06-10"},
    )
    notice_mails.send_at_once(NOW)
    assert "\n" not in mails()[0][2]
    assert "\r" not in mails()[0][2]


def test_a_reminder_that_waits_in_the_outbox_goes_with_its_card(ann, card):
    act(activity.add_action, card, text="Call", due_on=day(1))
    reminders.fire(at(1))
    notice_mails.send_at_once(at(1))
    lifecycle.void(opportunity_id=card.pk, reason_id=void_reason(), actor=ann, now=at(1))
    assert mails() == []


# Mails to customers that failed


@pytest.mark.parametrize(("state", "words"), [("failed", "could not be delivered"), ("unsure", "perhaps not")])
def test_the_salesperson_is_told_once_of_a_mail_to_a_customer_that_failed(ann, card, state, words):
    mail = outbox.queue(
        kind="cancel",
        to=["ada@example.test"],
        subject="Goodbye",
        body="We cancel.",
        opportunity=card,
        actor=ann,
        now=NOW,
    )
    assert undelivered.tell(NOW) == 0
    OutgoingEmail.objects.filter(pk=mail.pk).update(state=state)
    assert undelivered.tell(at(1)) == 1
    assert undelivered.tell(at(1)) == 0
    notice = Notice.objects.get()
    assert (notice.person, notice.kind) == (ann, "failed")
    assert words in notice_words.sentence(notice, NOW.date())


def test_a_notice_that_cannot_be_mailed_is_told_nobody(ann, bob):
    give(ann, bob)
    notice_mails.send_at_once(NOW)
    OutgoingEmail.objects.update(state="failed")
    assert undelivered.tell(NOW) == 0


# In the morning


def test_what_the_clock_did_comes_in_one_mail_at_seven_of_the_business_s_morning(ann, bob):
    business(time_zone="America/New_York")
    cards = [deal(salesperson_id=ann.pk, forecast_date=day(0)) for _each in range(2)]
    sweep.run(datetime(2025, 6, 11, 4, 5, tzinfo=UTC))
    assert notice_mails.send_digests(datetime(2025, 6, 11, 10, 59, tzinfo=UTC))["mails"] == 0
    assert notice_mails.send_digests(datetime(2025, 6, 11, 11, 0, tzinfo=UTC))["mails"] == 1
    assert notice_mails.send_digests(datetime(2025, 6, 11, 11, 5, tzinfo=UTC))["mails"] == 0
    ((kind, _to, subject, text, _card_id),) = mails()
    assert (kind, subject) == ("digest", "Your morning: 2 things to know")
    assert all(card.number in text for card in cards)


def test_what_happens_after_seven_waits_for_the_next_morning_however_late_the_job_runs(ann, bob, card):
    sweep.run(morning(1, hour=0, minute=5))
    other = make_card(actor=ann)
    lifecycle.void(opportunity_id=other.pk, reason_id=void_reason(), actor=bob, now=morning(1, hour=9))
    notice_mails.send_digests(morning(1, hour=10))
    assert card.number in mails()[0][3]
    assert other.number not in mails()[0][3]
    notice_mails.send_digests(morning(1, hour=15))
    assert len(mails()) == 1
    notice_mails.send_digests(morning(2))
    assert len(mails()) == 2
    assert other.number in mails()[1][3]


def test_a_morning_with_nothing_to_say_sends_nothing(ann, card):
    notice_mails.send_digests(morning(0, hour=8))
    assert mails() == []
    assert not Digest.objects.exists()


def test_a_digest_goes_out_once_a_local_day_over_both_changes_of_the_clock_and_a_changed_zone(ann, card):
    business(time_zone="Europe/Berlin")
    # 29 March 2026 has 23 hours, 25 October 2026 has 25: seven is 05:00 and 06:00 in UTC.
    for number, seven in enumerate((datetime(2026, 3, 29, 5, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC))):
        facts = {"way": "digest", "created_at": seven - timedelta(hours=6), "kind": "expired"}
        Notice.objects.create(person=ann, opportunity=card, about=str(number), **facts)
        before, late = seven - timedelta(minutes=1), seven + timedelta(hours=16)
        sent = [notice_mails.send_digests(moment)["mails"] for moment in (before, seven, late)]
        assert sent == [0, 1, 0]
    # From Berlin to New York it is the morning of the same day once more.
    business(time_zone="America/New_York")
    again = datetime(2026, 10, 25, 12, tzinfo=UTC)
    Notice.objects.create(
        person=ann, opportunity=card, about="z", way="digest", kind="expired", created_at=again - timedelta(hours=3)
    )
    assert notice_mails.send_digests(again)["mails"] == 0
    assert notice_mails.send_digests(again + timedelta(days=1))["mails"] == 1
    assert list(Digest.objects.order_by("day").values_list("day", flat=True)) == [
        date(2026, 3, 29),
        date(2026, 10, 25),
        date(2026, 10, 26),
    ]


def test_a_digest_that_fails_for_one_person_reaches_the_others_and_is_tried_again(ann, bob, card, caplog):
    other = deal(salesperson_id=bob.pk, forecast_date=day(0))
    sweep.run(at(1))
    broken = Notice.objects.filter(person=ann)
    held = broken.get().parameters
    broken.update(parameters=["no words can be made of this"])
    assert notice_mails.send_digests(morning(2)) == {"mails": 1, "failed": 1}
    assert other.number in mails()[0][3]
    assert "Notices could not be mailed." in caplog.text
    broken.update(parameters=held)
    assert notice_mails.send_digests(morning(2)) == {"mails": 1, "failed": 0}


def test_an_act_that_was_taken_back_before_the_job_ran_is_still_told(ann, bob, card):
    edited = pipeline.edit(opportunity_id=card.pk, salesperson_id=bob.pk, actor=bob, now=NOW)
    pipeline.undo(event_id=edited.last_event_id, actor=bob, now=NOW)
    notice_mails.send_at_once(NOW)
    assert mails()[0][2] == "2 things happened on your cards"
    assert fresh(card).salesperson == ann
