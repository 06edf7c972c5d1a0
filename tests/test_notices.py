"""Who is told what: derived from history, never of one's own acts, and once (issue 4, point 6)."""

from datetime import date

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from opportunities import (
    bulk,
    history,
    lapsing,
    lifecycle,
    links,
    notice_list,
    notice_words,
    notices,
    pipeline,
    quotes,
    sweep,
)
from opportunities.access import RoleBackend
from opportunities.models import BusinessSettings, Event, Notice, NoticeChoice, OpportunityStatus, Way
from opportunities.telling import SUBJECTS
from tests.documents import (
    at,
    business,
    cancel_reason,
    day,
    deal,
    make_agreement,
    make_job,
    make_quote,
    signers,
    void_reason,
)
from tests.factories import NOW, StageFactory, UserFactory, make_card

pytestmark = pytest.mark.django_db

TO_ADA = [{"name": "Ada Lowell", "email": "ada@example.test"}]


@pytest.fixture
def ann():
    return UserFactory.create(first_name="Ann", last_name="Kowalski")


@pytest.fixture
def bob():
    return UserFactory.create(first_name="Bob", last_name="Reyes", role="manager")


@pytest.fixture
def card(ann):
    """A card of Ann's, due today."""
    return deal(salesperson_id=ann.pk, forecast_date=day(0))


def told(person) -> list[str]:
    """What this person is told, in order, as kinds."""
    return list(Notice.objects.filter(person=person).order_by("pk").values_list("kind", flat=True))


def words(person) -> str:
    """What the newest notice of this person says."""
    return notice_words.sentence(Notice.objects.filter(person=person).latest("pk"), NOW.date())


def key_of(recipient):
    return links.read(links.token_of(recipient))


# Customers, by their private links


def test_the_salesperson_is_told_that_a_customer_opened_and_accepted_a_quote(card, ann):
    quote = make_quote(card, "submitted", recipients=TO_ADA, actor=ann)
    Notice.objects.all().delete()
    key = key_of(quote.recipients.get())
    links.note_view(key, today=NOW.date(), now=NOW)
    links.note_view(key, today=NOW.date(), now=at(1))
    assert told(ann) == ["opened"]
    assert words(ann) == f"Ada Lowell opened {quote.number}."
    seen = links.fingerprint(quotes_fresh(quote))
    links.answer(key, accepted=True, name="Dr. A. Lowell", note="", seen=seen, now=NOW)
    assert told(ann) == ["opened", "accepted"]
    assert words(ann) == f"Dr. A. Lowell accepted {quote.number}."


def quotes_fresh(quote):
    return links.look(key_of(quote.recipients.get()), today=NOW.date()).document


def test_the_salesperson_is_told_of_a_refusal_with_its_reason_and_that_it_lost_the_card(card, ann):
    quote = make_quote(card, "submitted", recipients=TO_ADA)
    seen = links.fingerprint(quotes_fresh(quote))
    key = key_of(quote.recipients.get())
    links.answer(key, accepted=False, name="Ada Lowell", note="Too dear", seen=seen, now=NOW)
    assert told(ann) == ["opened", "declined"]
    assert words(ann) == f"Ada Lowell declined {quote.number}. “Too dear” The card is lost."


def test_the_salesperson_is_told_of_each_signature_and_the_last_one_says_that_it_won(card, ann):
    agreement = make_agreement(card, "submitted")
    Notice.objects.all().delete()
    with_link = signers(agreement)[0]
    key = key_of(with_link)
    seen = links.fingerprint(links.look(key, today=NOW.date()).document)
    links.answer(key, accepted=True, name="Ada Lowell", note="", seen=seen, now=NOW)
    assert told(ann) == ["opened", "accepted"]
    assert words(ann) == f"Ada Lowell accepted {agreement.number}. The card is won."


def test_an_answer_that_a_colleague_noted_is_told_and_ones_own_note_is_not(card, ann, bob):
    quote = make_quote(card, "submitted")
    Notice.objects.all().delete()
    quotes.accept(quote_id=quote.pk, actor=ann, now=NOW)
    assert told(ann) == []
    other = make_quote(card, "submitted")
    Notice.objects.all().delete()
    quotes.accept(quote_id=other.pk, actor=bob, now=NOW)
    assert told(ann) == ["accepted"]


# Colleagues and the clock


def test_the_clock_tells_the_salesperson_that_a_card_expired_once_however_often_it_runs(card, ann):
    for _run in range(3):
        sweep.run(at(1))
    assert told(ann) == ["expired"]
    assert "forecast date has passed" in words(ann)


def test_the_clock_tells_that_a_lapsed_offer_lost_the_card_beside_its_expiry_in_one_notice(card, ann):
    make_quote(card, "submitted", valid_until=day(0))
    Notice.objects.all().delete()
    sweep.run(at(1))
    assert told(ann) == ["expired"]
    assert words(ann).endswith("The card is lost.")


@pytest.mark.parametrize(("row", "kind"), [("Won", "won"), ("Lost", "lost")])
def test_a_result_by_somebody_else_is_told_and_ones_own_is_not(card, ann, bob, row, kind):
    status = OpportunityStatus.objects.get(name=row)
    reason = cancel_reason() if row == "Lost" else None
    for actor in (ann, bob):
        own = make_card(actor=ann)
        pipeline.set_status(opportunity_id=own.pk, status_id=status.pk, reason_id=reason, actor=actor, now=NOW)
    assert told(ann) == [kind]
    assert told(bob) == []
    assert words(ann).startswith(f"Bob Reyes marked this card as {kind}")


def test_a_loss_by_what_somebody_did_to_a_document_names_it(card, ann, bob):
    quote = make_quote(card, "submitted")
    quotes.void(quote_id=quote.pk, reason_id=void_reason(), actor=bob, now=NOW)
    assert words(ann) == f"Quote voided: {quote.number}, by Bob Reyes. The card is lost."


def test_voiding_and_canceling_somebody_elses_card_is_told_with_the_reason(card, ann, bob):
    lifecycle.cancel(opportunity_id=card.pk, reason_id=cancel_reason(), actor=bob, now=NOW)
    reason = void_reason()
    lifecycle.void(opportunity_id=make_card(actor=ann).pk, reason_id=reason, actor=bob, now=NOW)
    lifecycle.void(opportunity_id=make_card(actor=ann).pk, reason_id=reason, actor=ann, now=NOW)
    assert told(ann) == ["canceled", "voided"]
    assert words(ann).startswith("Bob Reyes voided this card: Reason")


def test_a_reassignment_is_told_to_who_gets_the_card_and_to_who_had_it(card, ann, bob):
    cleo = UserFactory.create(first_name="Cleo", last_name="Dane")
    pipeline.edit(opportunity_id=card.pk, salesperson_id=cleo.pk, actor=bob, now=NOW)
    assert (told(ann), told(cleo), told(bob)) == (["taken"], ["given"], [])
    assert words(cleo) == "Bob Reyes gave you this card."
    assert words(ann) == "Bob Reyes gave this card of yours to somebody else."


def test_taking_a_card_over_tells_only_the_other_one(card, ann, bob):
    pipeline.edit(opportunity_id=card.pk, salesperson_id=bob.pk, actor=bob, now=NOW)
    assert (told(ann), told(bob)) == (["taken"], [])
    assert words(ann) == "Bob Reyes took this card over from you."


def test_a_card_that_somebody_else_makes_for_a_person_is_told_as_given(ann, bob):
    make_card(actor=bob, salesperson_id=ann.pk)
    make_card(actor=ann)
    assert told(ann) == ["given"]


def test_an_undone_reassignment_is_told_like_any_other(card, ann, bob):
    edited = pipeline.edit(opportunity_id=card.pk, salesperson_id=bob.pk, actor=bob, now=NOW)
    pipeline.undo(event_id=edited.last_event_id, actor=bob, now=NOW)
    assert told(ann) == ["taken", "given"]


def test_a_bulk_act_tells_each_salesperson_of_each_card_of_theirs(ann, bob):
    cards = [make_card(actor=ann) for _each in range(3)] + [make_card(actor=bob)]
    reason = cancel_reason()
    status = OpportunityStatus.objects.get(name="Lost")
    bulk.start(
        verb="status",
        arguments={"status_id": status.pk, "reason_id": reason},
        opportunity_ids=[each.pk for each in cards],
        actor=bob,
        now=NOW,
    )
    assert told(ann) == ["lost"] * 3
    assert told(bob) == []


def test_moving_editing_and_archiving_tell_nobody_and_cost_nothing_more(card, ann, bob):
    stage = StageFactory.create()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=bob, now=NOW)
    assert not any("notice" in query["sql"].lower() for query in captured)
    pipeline.edit(opportunity_id=card.pk, title="Another", actor=bob, now=NOW)
    lifecycle.archive(opportunity_id=card.pk, actor=bob, now=NOW)
    assert not Notice.objects.exists()


def test_a_notice_costs_one_statement_more_than_the_same_act_that_tells_nobody(card, ann, bob):
    status = OpportunityStatus.objects.get(name="Won")
    counts = []
    for actor in (ann, bob):
        own = make_card(actor=ann)
        with CaptureQueriesContext(connection) as captured:
            pipeline.set_status(opportunity_id=own.pk, status_id=status.pk, actor=actor, now=NOW)
        counts.append(len([query for query in captured if "SAVEPOINT" not in query["sql"]]))
    assert counts[1] - counts[0] <= 1


def test_an_act_that_is_taken_back_whole_tells_nobody(card, ann, bob):
    with pytest.raises(RuntimeError), transaction.atomic():
        lifecycle.void(opportunity_id=card.pk, reason_id=void_reason(), actor=bob, now=NOW)
        raise RuntimeError
    assert told(ann) == []


def test_a_card_that_nobody_has_tells_nobody():
    deal(forecast_date=day(0))
    sweep.run(at(1))
    assert not Notice.objects.exists()


# Documents that lapse


def test_a_document_that_lapses_within_three_days_is_told_once_a_document_and_date(card, ann):
    quote = make_quote(card, "submitted", valid_until=day(3))
    make_quote(card, "submitted", valid_until=day(4))
    make_quote(card, "accepted", valid_until=day(1))
    assert lapsing.tell(NOW) == 1
    assert lapsing.tell(NOW) == 0
    assert words(ann) == f"{quote.number} is valid until {date(2025, 6, 13):%-d %b}; after that it is expired."
    quotes.revise(quote_id=quote.pk, valid_until=day(2), actor=None, now=NOW)
    assert lapsing.tell(NOW) == 1


def test_jobs_and_agreements_are_told_of_too_but_nothing_on_closed_or_archived_cards(ann):
    cards = [deal(salesperson_id=ann.pk) for _each in range(4)]
    make_job(cards[0], service_date=day(2))
    make_agreement(cards[1], "submitted", valid_until=day(1))
    make_quote(cards[2], "submitted", valid_until=day(1))
    make_quote(cards[3], "submitted", valid_until=day(1))
    lifecycle.void(opportunity_id=cards[2].pk, reason_id=void_reason(), actor=ann, now=NOW)
    lifecycle.archive(opportunity_id=cards[3].pk, actor=ann, now=NOW)
    Notice.objects.all().delete()
    assert lapsing.tell(NOW) == 2


def test_documents_are_told_of_by_the_business_s_day_not_by_utc(card, ann):
    business(time_zone="Asia/Tokyo")
    make_quote(card, "submitted", valid_until=day(4))
    assert lapsing.tell(NOW.replace(hour=14, minute=59)) == 0
    assert lapsing.tell(NOW.replace(hour=15)) == 1


# Ways and reading


def test_a_notice_keeps_the_way_that_its_person_chose_and_what_is_off_is_not_shown(card, ann, bob):
    notices.choose(ways={"closed": "off", "expired": "mail"}, actor=ann, now=NOW)
    sweep.run(at(1))
    lifecycle.void(opportunity_id=card.pk, reason_id=void_reason(), actor=bob, now=at(1))
    assert list(Notice.objects.order_by("pk").values_list("kind", "way")) == [("expired", "mail"), ("voided", "off")]
    assert list(Notice.objects.shown().values_list("kind", flat=True)) == ["expired"]


def test_every_subject_has_a_default_and_choosing_twice_keeps_one_row(ann):
    assert notices.choices_of(ann)["answered"] == Way.MAIL
    for way in ("off", "digest"):
        notices.choose(ways={"answered": way}, actor=ann, now=NOW)
    assert notices.choices_of(ann)["answered"] == Way.DIGEST
    assert NoticeChoice.objects.count() == 1


def test_marking_all_as_read_leaves_what_came_after_the_page_was_shown(card, ann, bob):
    sweep.run(at(1))
    shown = Notice.objects.get()
    lifecycle.void(opportunity_id=card.pk, reason_id=void_reason(), actor=bob, now=at(1))
    assert notices.read_all(until=shown.pk, actor=ann, now=at(1)) == 1
    assert [notice.kind for notice in Notice.objects.unread()] == ["voided"]


def test_nobody_reads_another_persons_notice(card, ann, bob):
    sweep.run(at(1))
    with pytest.raises(Notice.DoesNotExist):
        notices.read(notice_id=Notice.objects.get().pk, actor=bob, now=NOW)
    assert Notice.objects.unread().count() == 1


def test_a_notice_of_a_card_that_its_person_may_not_see_any_more_leads_nowhere_and_keeps_its_title_back(card, ann, bob):
    business(salespeople_see="own")
    pipeline.edit(opportunity_id=card.pk, salesperson_id=bob.pk, title="Secret", actor=bob, now=NOW)
    listing = notice_list.of(ann, business=BusinessSettings.current(), now=NOW)
    (line,) = listing.lines
    assert line.url == ""
    assert line.card == f"{card.number} (an opportunity you can no longer see)"
    assert "Secret" not in line.sentence


def test_a_hundred_notices_are_listed_in_two_statements_page_by_page(card, ann, django_assert_num_queries):
    for number in range(100):
        Notice.objects.create(
            person=ann, opportunity=card, kind="won", about=f"x:{number}", way="product", created_at=NOW
        )
    settings, ann = BusinessSettings.current(), RoleBackend().get_user(ann.pk)
    with django_assert_num_queries(2):
        first = notice_list.of(ann, business=settings, now=NOW)
    second = notice_list.of(ann, business=settings, now=NOW, before=first.older)
    assert (len(first.lines), len(second.lines), second.older) == (50, 50, None)


def test_what_an_import_brings_tells_nobody(ann, bob):
    with history.acting(via=Event.Via.IMPORT):
        make_card(actor=bob, salesperson_id=ann.pk)
    assert told(ann) == []


def test_everything_that_can_be_told_has_words_an_icon_and_a_subject(card, ann):
    for kind in Notice.Kind:
        notice = Notice(kind=kind.value, parameters={})
        assert notice_words.sentence(notice, NOW.date())
        assert notice_words.ICONS[kind]
        assert SUBJECTS[kind]
