"""Two people at one document on PostgreSQL: they meet at a lock, one order of their acts comes true, each is told."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from opportunities import agreements, attachments, jobs, quotes, sweep
from opportunities.errors import Refused
from opportunities.models import Event, Job, Opportunity, Quote, Refund
from tests.documents import (
    ADA,
    BEN,
    LABOUR,
    another_deal_with,
    card_of,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    pay,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, starter_rows
from tests.test_races import lock_card, meet

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


def doing(verb: Callable[..., Any], **given: Any) -> Callable[[], Any]:
    return lambda: verb(**{"actor": None, "now": NOW, **given})


def errors(results: list[Any]) -> list[Any]:
    return [result for result in results if isinstance(result, Exception)]


def test_of_convert_and_void_at_once_one_wins_and_the_other_is_told():
    card = deal()
    quote, reason = make_quote(card, "submitted"), void_reason()

    results = meet(
        [doing(quotes.convert, quote_id=quote.pk), doing(quotes.void, quote_id=quote.pk, reason_id=reason)],
        hold=lock_card(card),
    )

    (refusal,) = errors(results)
    assert isinstance(refusal, Refused)
    if state(quote) == "converted":
        assert (refusal.codes, Job.objects.count(), statuses(card)) == (("HAS_LIVE_JOB",), 1, ("contracted", "won"))
    else:
        assert (refusal.codes, Job.objects.count(), statuses(card)) == (("WRONG_STATE",), 0, ("prospect", "lost"))


def test_a_double_click_on_convert_makes_one_job():
    card = deal()
    quote = make_quote(card, "submitted")

    results = meet([doing(quotes.convert, quote_id=quote.pk)] * 2, hold=lock_card(card))

    assert [refusal.codes for refusal in errors(results)] == [("HAS_LIVE_JOB",)]
    assert Job.objects.count() == 1
    assert Event.objects.filter(kind="quote_converted").count() == 1


def test_two_payments_and_a_refund_at_once_add_up():
    card = deal()
    job = make_job(card)
    payment = pay(job, "100.10")
    take = doing(jobs.take_payment, job_id=job.pk, amount=Decimal("0.20"))

    results = meet(
        [take, take, doing(jobs.refund, payment_id=payment.pk, amount=Decimal("100.10"))], hold=lock_card(card)
    )

    assert not errors(results)
    job = fresh(job)
    assert (job.paid, job.refunded) == (Decimal("100.50"), Decimal("100.10"))
    assert statuses(card) == ("contracted", "won")


def test_two_refunds_at_once_never_give_back_more_than_was_paid():
    card = deal()
    job = make_job(card)
    payment = pay(job, "100")
    give_back = doing(jobs.refund, payment_id=payment.pk, amount=Decimal(60))

    results = meet([give_back, give_back], hold=lock_card(card))

    assert [refusal.codes for refusal in errors(results)] == [("OVER_REFUND",)]
    assert fresh(job).refunded == Decimal(60)
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("make", [make_quote, make_job, make_agreement])
def test_one_document_attached_to_two_cards_at_once_comes_to_exactly_one(make):
    first = deal()
    second = another_deal_with(first)
    document = make(first, attached=False)
    named = {f"{document.REF}_id": document.pk}

    def hold() -> None:
        type(document).objects.select_for_update().get(pk=document.pk)

    results = meet([doing(attachments.attach, opportunity_id=card.pk, **named) for card in (first, second)], hold=hold)

    (refusal,) = errors(results)
    assert isinstance(refusal, Refused)
    assert refusal.codes == ("ALREADY_ATTACHED",)
    winner = next(result for result in results if isinstance(result, Opportunity))
    assert card_of(document) == winner.pk
    assert Event.objects.filter(kind="attached").count() == 1


def test_the_last_two_signers_at_once_contract_the_deal_once():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, BEN])

    results = meet(
        [
            doing(agreements.respond, recipient_id=signer.pk, accepted=True, name=signer.name)
            for signer in signers(agreement)
        ],
        hold=lock_card(card),
    )

    assert not errors(results)
    assert [state(signer) for signer in signers(agreement)] == ["accepted", "accepted"]
    assert (fresh(agreement).signed_count, statuses(card)) == (2, ("contracted", "won"))
    contracted = Event.objects.filter(workflow_to="contracted").exclude(workflow_from="contracted")
    assert contracted.count() == 1


def test_of_a_yes_and_a_no_at_once_the_no_is_never_lost():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, BEN])
    ada, ben = signers(agreement)

    results = meet(
        [
            doing(agreements.respond, recipient_id=ada.pk, accepted=True, name="Ada"),
            doing(agreements.respond, recipient_id=ben.pk, accepted=False, name="Ben"),
        ],
        hold=lock_card(card),
    )

    assert state(ben) == "rejected"
    assert state(ada) in {"accepted", "canceled"}
    assert [error.codes for error in errors(results)] in ([], [("WRONG_STATE",)])
    assert (fresh(agreement).status, statuses(card)) == ("rejected", ("prospect", "lost"))


def test_a_document_moves_away_while_the_sweep_settles_the_card_that_it_leaves():
    first = deal(forecast_date=NOW.date())
    second = another_deal_with(first)
    quote = make_quote(first, "submitted", valid_until=NOW.date())
    tomorrow = NOW + timedelta(days=1)

    results = meet(
        [doing(attachments.detach, quote_id=quote.pk, to_opportunity_id=second.pk, now=tomorrow)],
        hold=lambda: (lock_card(first)(), lock_card(second)()),
    )
    sweep.run(tomorrow)

    assert not errors(results)
    assert (statuses(first), statuses(second)) == (("expired", "none"), ("negotiation", "none"))


def test_the_sweep_and_a_move_at_once_leave_both_cards_as_their_documents_say():
    first = deal(forecast_date=NOW.date())
    second = another_deal_with(first)
    quote = make_quote(first, "submitted", valid_until=NOW.date())
    agreement = make_agreement(first, "submitted", valid_until=NOW.date())
    tomorrow = NOW + timedelta(days=1)

    results = meet(
        [
            doing(attachments.detach, quote_id=quote.pk, to_opportunity_id=second.pk, now=tomorrow),
            lambda: sweep.run(tomorrow),
        ],
        hold=lock_card(first),
    )
    sweep.run(tomorrow)

    assert not errors(results)
    assert fresh(agreement).status == "expired"
    assert (statuses(first), statuses(second)) == (("expired", "lost"), ("negotiation", "none"))


def test_documents_that_cross_between_two_cards_both_arrive():
    first = deal()
    second = another_deal_with(first)
    there, back = make_quote(first, "submitted"), make_job(second)

    results = meet(
        [
            doing(attachments.detach, quote_id=there.pk, to_opportunity_id=second.pk),
            doing(attachments.detach, job_id=back.pk, to_opportunity_id=first.pk),
        ],
        hold=lock_card(first),
    )

    assert not errors(results)
    assert (card_of(there), card_of(back)) == (second.pk, first.pk)
    assert (statuses(first), statuses(second)) == (("contracted", "won"), ("negotiation", "none"))


def test_crossing_documents_that_bring_their_customers_along_both_arrive():
    first, second = deal(), deal()
    there, back = make_quote(first, "submitted"), make_job(second)

    results = meet(
        [
            doing(attachments.detach, quote_id=there.pk, to_opportunity_id=second.pk, add_customer=True),
            doing(attachments.detach, job_id=back.pk, to_opportunity_id=first.pk, add_customer=True),
        ],
        hold=lambda: (lock_card(first)(), lock_card(second)()),
    )

    assert not errors(results)
    assert (card_of(there), card_of(back)) == (second.pk, first.pk)


def test_whoever_finds_a_document_moved_gives_his_locks_back_before_the_next_try():
    # The document goes from the middle card to the lowest while somebody waits for it who holds the highest already:
    # who kept that lock would now wait for the lowest out of order.
    lowest = deal()
    middle, highest = another_deal_with(lowest), another_deal_with(lowest)
    quote = make_quote(middle, "submitted")

    def hold() -> None:
        lock_card(middle)()
        attachments.detach(quote_id=quote.pk, to_opportunity_id=lowest.pk, actor=None, now=NOW)

    results = meet([doing(attachments.detach, quote_id=quote.pk, to_opportunity_id=highest.pk)] * 3, hold=hold)

    assert [refusal.codes for refusal in errors(results)] == [("ALREADY_ATTACHED",)] * 2
    assert card_of(quote) == highest.pk
    assert statuses(lowest) == statuses(middle) == ("prospect", "none")


def test_two_people_who_write_the_lines_of_one_quote_leave_no_mixture():
    card = deal()
    quote = make_quote(card)
    line_id = quote.lines.get().pk

    results = meet(
        [
            doing(quotes.revise, quote_id=quote.pk, lines=[{**LABOUR, "quantity": n, "id": line_id}], version=1)
            for n in (2, 3)
        ],
        hold=lock_card(card),
    )

    assert len(errors(results)) <= 1
    quote = Quote.objects.get(pk=quote.pk)
    assert quote.net == sum(line.net for line in quote.lines.all())
