"""Closing a card on PostgreSQL while somebody else acts on it: nothing stays alive on a closed card, it closes once."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connections

from opportunities import attachments, jobs, lifecycle, pipeline, quotes, sweep
from opportunities.errors import Refused
from opportunities.models import Event, Job, Quote
from tests.documents import cancel_reason, deal, fresh, make_job, make_quote, statuses, void_reason
from tests.factories import NOW, StageFactory, starter_rows
from tests.test_document_races import doing, errors
from tests.test_races import PATIENCE, lock_card, meet

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

CLOSED = ("voided", "canceled")


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


def voiding(card, **given):
    return doing(lifecycle.void, opportunity_id=card.pk, reason_id=void_reason(), **given)


def seen(card):
    return lifecycle.consequences(opportunity_id=card.pk, actor=None, now=NOW).fingerprint


def all_is_closed_once(card):
    """Nothing on the card is alive, and history tells of one close."""
    dead = {"void", "canceled"}
    assert {str(each.state) for model in (Quote, Job) for each in model.objects.filter(opportunity=card)} <= dead
    assert Event.objects.filter(opportunity=card, kind__in=CLOSED).count() == 1
    changes = Event.objects.filter(opportunity=card, workflow_to__in=dead).exclude(workflow_from__in=dead)
    assert changes.count() == 1


def test_void_against_a_drag_ends_void():
    card, stage = deal(), StageFactory()
    make_quote(card, "submitted")

    results = meet(
        [voiding(card, seen=seen(card)), doing(pipeline.move, opportunity_id=card.pk, stage_id=stage.pk)],
        hold=lock_card(card),
    )

    assert [error.codes for error in errors(results)] in ([], [("CARD_TERMINAL",)])
    assert statuses(card) == ("void", "lost")
    all_is_closed_once(card)


def test_void_against_convert_leaves_no_live_job_on_a_void_card():
    card = deal()
    quote = make_quote(card, "submitted")

    results = meet([voiding(card, seen=seen(card)), doing(quotes.convert, quote_id=quote.pk)], hold=lock_card(card))

    (refusal,) = errors(results)
    assert isinstance(refusal, Refused)
    if fresh(card).is_closed:
        assert refusal.codes == ("CARD_TERMINAL",)
        assert not Job.objects.exists()
        all_is_closed_once(card)
    else:
        assert refusal.codes == ("CHANGED_SINCE_SHOWN",)
        assert statuses(card) == ("contracted", "won")


def test_void_against_a_payment_never_buries_money():
    card = deal()
    job = make_job(card)

    results = meet([voiding(card), doing(jobs.take_payment, job_id=job.pk, amount=Decimal(100))], hold=lock_card(card))

    (refusal,) = errors(results)
    if fresh(card).is_closed:
        assert (refusal.codes, fresh(job).held) == (("CARD_TERMINAL",), 0)
        all_is_closed_once(card)
    else:
        assert (refusal.codes, fresh(job).held) == (("PAYMENT_TAKEN",), 100)


def test_void_against_attaching_leaves_nothing_alive_on_a_void_card():
    card = deal()
    quote = make_quote(card, attached=False)

    results = meet(
        [voiding(card, seen=seen(card)), doing(attachments.attach, opportunity_id=card.pk, quote_id=quote.pk)],
        hold=lock_card(card),
    )

    (refusal,) = errors(results)
    if fresh(card).is_closed:
        assert (refusal.codes, fresh(quote).opportunity_id) == (("CARD_TERMINAL",), None)
        all_is_closed_once(card)
    else:
        assert (refusal.codes, fresh(quote).opportunity_id) == (("CHANGED_SINCE_SHOWN",), card.pk)


def test_void_against_the_sweep_ends_void_ac146():
    """The sweep passes over a card that somebody holds, and skips one that was closed before it came to it."""
    cards = [deal(forecast_date=NOW.date()) for _each in range(10)]
    for card in cards:
        make_quote(card, "submitted", valid_until=NOW.date())
    tomorrow, start = NOW + timedelta(days=1), threading.Barrier(2)

    def run(acts):
        start.wait()
        for each in acts:
            each()
        connections.close_all()

    threads = [
        threading.Thread(target=run, args=([voiding(card, now=tomorrow) for card in cards],)),
        threading.Thread(target=run, args=([lambda: sweep.run(tomorrow)] * 2,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    sweep.run(tomorrow)

    assert {statuses(card) for card in cards} == {("void", "lost")}
    for card in cards:
        all_is_closed_once(card)


@pytest.mark.parametrize("second", ["void", "cancel"])
def test_of_two_who_close_a_card_at_once_one_does_and_the_other_is_told(second):
    card = deal()
    make_quote(card)
    other = doing(lifecycle.cancel, opportunity_id=card.pk, reason_id=cancel_reason())

    results = meet([voiding(card), voiding(card) if second == "void" else other], hold=lock_card(card))

    assert [refusal.codes for refusal in errors(results)] == [("CARD_TERMINAL",)]
    all_is_closed_once(card)
