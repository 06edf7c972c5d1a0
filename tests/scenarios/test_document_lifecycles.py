"""Quotes, jobs, lines, money and agreements: every row of the tables of lifecycle.md 5, allowed steps and refusals."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from opportunities import agreements, jobs, quotes, sweep
from opportunities.errors import NotAllowed
from opportunities.models import Agreement, Payment, Quote
from tests.documents import (
    ADA,
    BEN,
    BOILER,
    CAL,
    JOB_PATHS,
    LABOUR,
    MORE_LABOUR,
    PIPES,
    QUOTE_PATHS,
    READER,
    TODAY,
    TOMORROW,
    act,
    another_deal_with,
    at,
    business,
    cancel_reason,
    card_of,
    customer_of,
    day,
    deal,
    finish,
    fresh,
    job_of,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    refused,
    reject,
    shown,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import ReasonFactory, UserFactory

pytestmark = pytest.mark.django_db

QUOTE_STATES = [each for each in QUOTE_PATHS if each != "archived"]
AGREEMENT_STATUSES = ["incomplete", "draft", "submitted", "accepted", "rejected", "expired", "canceled", "void"]


def but(states, *left_out):
    """The states without these."""
    return [each for each in states if each not in left_out]


class TestQuote:
    """The table of 5.1."""

    def test_the_first_line_makes_it_a_draft_and_the_last_one_takes_it_back(self):
        quote = make_quote(deal(), "incomplete")

        act(quotes.revise, quote, lines=[LABOUR])
        assert state(quote) == "draft"
        act(quotes.revise, quote, lines=())

        assert state(quote) == "incomplete"

    @pytest.mark.parametrize(("before", "count"), [("draft", 1), ("modified", 2), ("submitted", 2)])
    def test_submitting_and_resending_is_counted(self, before, count):
        quote = make_quote(deal(), before)

        act(quotes.submit, quote)

        assert (state(quote), fresh(quote).submit_count) == ("submitted", count)

    def test_a_quote_worth_nothing_can_be_submitted(self):
        quote = make_quote(deal(), lines=[{**LABOUR, "unit_price": Decimal("0.00")}])

        act(quotes.submit, quote)

        assert state(quote) == "submitted"

    @pytest.mark.parametrize("before", but(QUOTE_STATES, "incomplete", "draft", "modified", "submitted"))
    def test_it_is_not_submitted_after_an_answer_or_its_end(self, before):
        quote = make_quote(deal(), before)

        with refused("WRONG_STATE"):
            act(quotes.submit, quote)

        assert state(quote) == before

    @pytest.mark.parametrize("before", ["submitted", "accepted"])
    @pytest.mark.parametrize(
        "changed", [[LABOUR, PIPES], [{**LABOUR, "unit_price": Decimal("75.00")}]], ids=["lines", "price"]
    )
    def test_changing_lines_or_price_after_submission_modifies_it(self, before, changed):
        quote = make_quote(deal(), before)

        act(quotes.revise, quote, lines=changed)

        assert (state(quote), fresh(quote).submit_count) == ("modified", 1)

    @pytest.mark.parametrize("before", ["draft", "modified"])
    def test_changing_what_waits_to_be_sent_keeps_its_state(self, before):
        quote = make_quote(deal(), before)

        act(quotes.revise, quote, lines=[LABOUR, BOILER])

        assert state(quote) == before

    @pytest.mark.parametrize("before", ["submitted", "accepted"])
    def test_changing_a_date_does_not_modify_it(self, before):
        quote = make_quote(deal(), before)

        act(quotes.revise, quote, valid_until=day(9), service_date=day(20))

        quote = fresh(quote)
        assert (str(quote.state), quote.valid_until, quote.service_date) == (before, day(9), day(20))

    @pytest.mark.parametrize("before", ["converted", "void", "canceled"])
    def test_it_cannot_be_changed_any_more(self, before):
        quote = make_quote(deal(), before)

        with refused("WRONG_STATE"):
            act(quotes.revise, quote, lines=[PIPES])

        assert line_of(quote).description == "Installation"

    def test_the_customer_accepts_it(self):
        quote = make_quote(deal(), "submitted")

        act(quotes.accept, quote)

        assert state(quote) == "accepted"

    @pytest.mark.parametrize("before", but(QUOTE_STATES, "submitted", "accepted"))
    def test_only_what_was_submitted_is_accepted(self, before):
        quote = make_quote(deal(), before)

        with refused("WRONG_STATE"):
            act(quotes.accept, quote)

        assert state(quote) == before

    def test_an_expired_quote_is_not_accepted(self):
        quote = make_quote(deal(), "submitted", valid_until=TODAY)

        with refused():
            act(quotes.accept, quote, now=at(1))

        assert state(quote) == "submitted"

    @pytest.mark.parametrize("before", ["draft", "submitted", "modified", "accepted"])
    def test_it_is_converted_to_one_job_with_its_lines(self, before):
        card = deal()
        quote = make_quote(card, before)

        job = act(quotes.convert, quote)

        assert (state(quote), state(job)) == ("converted", "accepted")
        assert (job.quote_id, job.opportunity_id) == (quote.pk, card.pk)
        copied = line_of(job)
        assert (copied.description, copied.quantity, copied.unit_price, copied.fulfilled_quantity) == (
            "Installation",
            line_of(quote).quantity,
            Decimal("80.00"),
            0,
        )

    @pytest.mark.parametrize("before", ["draft", "submitted", "modified"])
    def test_it_is_converted_though_it_expired(self, before):
        quote = make_quote(deal(), before, valid_until=TODAY)

        act(quotes.convert, quote, now=at(1))

        assert state(quote) == "converted"

    @pytest.mark.parametrize(
        ("before", "code"),
        [
            ("incomplete", "NO_LINES"),
            ("converted", "HAS_LIVE_JOB"),
            ("void", "WRONG_STATE"),
            ("canceled", "WRONG_STATE"),
            ("archived", "ARCHIVED"),
        ],
    )
    def test_it_is_not_converted(self, before, code):
        quote = make_quote(deal(), before)
        unchanged = state(quote)

        with refused(code):
            act(quotes.convert, quote)

        assert state(quote) == unchanged

    @pytest.mark.parametrize(("end", "reason"), [(jobs.void, void_reason), (jobs.cancel, cancel_reason)])
    def test_it_is_converted_again_once_its_job_has_ended(self, end, reason):
        quote = make_quote(deal(), "converted")
        act(end, job_of(quote), reason_id=reason())

        again = act(quotes.convert, quote)

        assert (state(quote), state(again)) == ("converted", "accepted")
        with refused("HAS_LIVE_JOB"):
            act(quotes.convert, quote)

    @pytest.mark.parametrize(
        ("end", "reason", "after"), [(quotes.void, void_reason, "void"), (quotes.cancel, cancel_reason, "canceled")]
    )
    @pytest.mark.parametrize("before", but(QUOTE_STATES, "converted", "void", "canceled"))
    def test_it_is_voided_or_canceled(self, before, end, reason, after):
        quote = make_quote(deal(), before)

        act(end, quote, reason_id=reason())

        assert state(quote) == after

    @pytest.mark.parametrize(
        ("end", "reason", "after"), [(quotes.void, void_reason, "void"), (quotes.cancel, cancel_reason, "canceled")]
    )
    def test_it_is_voided_or_canceled_once_its_job_has_ended(self, end, reason, after):
        quote = make_quote(deal(), "converted")
        act(jobs.void, job_of(quote), reason_id=void_reason())

        act(end, quote, reason_id=reason())

        assert state(quote) == after

    @pytest.mark.parametrize(("end", "reason"), [(quotes.void, void_reason), (quotes.cancel, cancel_reason)])
    @pytest.mark.parametrize(
        ("before", "code"), [("converted", "HAS_LIVE_JOB"), ("void", "WRONG_STATE"), ("canceled", "WRONG_STATE")]
    )
    def test_it_is_not_voided_or_canceled(self, before, code, end, reason):
        quote = make_quote(deal(), before)

        with refused(code):
            act(end, quote, reason_id=reason())

        assert state(quote) == before

    @pytest.mark.parametrize(("end", "wrong"), [(quotes.void, cancel_reason), (quotes.cancel, void_reason)])
    def test_the_reason_is_one_of_the_right_list(self, end, wrong):
        quote = make_quote(deal(), "submitted")

        with refused("REASON_WRONG_LIST"):
            act(end, quote, reason_id=wrong())

        assert state(quote) == "submitted"

    def test_declining_cancels_it(self):
        quote = make_quote(deal(), "submitted")

        act(quotes.decline, quote, note="Too dear")

        assert state(quote) == "canceled"

    @pytest.mark.parametrize("before", ["converted", "void", "canceled"])
    def test_what_has_ended_or_become_a_job_is_not_declined(self, before):
        quote = make_quote(deal(), before)

        with refused():
            act(quotes.decline, quote)

        assert state(quote) == before

    @pytest.mark.parametrize(
        ("before", "lapses"),
        [(each, each in ("draft", "submitted", "modified")) for each in but(QUOTE_STATES, "incomplete")],
    )
    def test_it_expires_after_its_last_day_unless_it_was_answered(self, before, lapses):
        quote = make_quote(deal(), before, valid_until=TODAY)

        assert (quote.is_expired_on(TODAY), quote.is_expired_on(TOMORROW)) == (False, lapses)
        assert state(quote) == before

    @pytest.mark.parametrize("before", ["draft", "submitted", "modified"])
    def test_a_new_date_restores_an_expired_quote(self, before):
        quote = make_quote(deal(), before, valid_until=TODAY)
        sweep.run(at(1))

        act(quotes.revise, quote, valid_until=day(9), now=at(1))

        assert (state(quote), fresh(quote).is_expired_on(TOMORROW)) == (before, False)

    @pytest.mark.parametrize("verb", [quotes.submit, quotes.convert])
    def test_an_archived_quote_rests_until_it_is_unarchived(self, verb):
        quote = make_quote(deal(), "archived")
        with refused("ARCHIVED"):
            act(verb, quote)

        act(quotes.unarchive, quote)
        act(verb, quote)

        assert state(quote) == ("submitted" if verb is quotes.submit else "converted")

    @pytest.mark.parametrize("before", ["submitted", "void", "converted"])
    def test_it_is_duplicated_as_a_new_draft(self, before):
        card = deal()
        other = another_deal_with(card)
        quote = make_quote(card, before)

        here = act(quotes.duplicate, quote, opportunity_id=card.pk)
        there = act(quotes.duplicate, quote, opportunity_id=other.pk)

        assert [(state(copy), fresh(copy).submit_count, card_of(copy)) for copy in (here, there)] == [
            ("draft", 0, card.pk),
            ("draft", 0, other.pk),
        ]
        assert line_of(here).description == "Installation"
        assert (state(quote), Quote.objects.count()) == (before, 3)


class TestJob:
    """The table of 5.2."""

    @pytest.mark.parametrize(("confirmed", "first"), [(True, "accepted"), (False, "submitted")])
    def test_made_directly_it_is_accepted_or_waits_for_the_customer(self, confirmed, first):
        card = deal()

        job = act(jobs.create, customer_of(card), opportunity_id=card.pk, lines=[LABOUR], confirmed=confirmed)

        assert state(job) == first
        assert statuses(card) == ("contracted", "won")

    def test_it_is_confirmed(self):
        job = make_job(deal(), "submitted")

        act(jobs.confirm, job)

        assert state(job) == "accepted"

    @pytest.mark.parametrize("before", ["modified", "completed", "void", "canceled"])
    def test_only_what_waits_for_it_is_confirmed(self, before):
        job = make_job(deal(), before)

        with refused("WRONG_STATE"):
            act(jobs.confirm, job)

        assert state(job) == before

    def test_a_change_before_the_customer_confirmed_it_leaves_it_to_be_confirmed(self):
        """5.2: modified is a change after confirmation."""
        job = make_job(deal(), "submitted")

        act(jobs.revise, job, lines=[MORE_LABOUR])
        assert (state(job), line_of(job).quantity) == ("submitted", 6)
        act(jobs.confirm, job)

        assert state(job) == "accepted"

    @pytest.mark.parametrize("before", ["accepted", "modified", "completed"])
    def test_a_change_modifies_it(self, before):
        job = make_job(deal(), before)

        act(jobs.revise, job, lines=[MORE_LABOUR])

        assert (state(job), line_of(job).quantity) == ("modified", 6)

    @pytest.mark.parametrize("before", ["submitted", "accepted", "modified"])
    def test_it_is_completed_when_everything_is_delivered(self, before):
        job = make_job(deal(), before)
        act(jobs.revise, job, lines=[PIPES, BOILER, LABOUR])

        finish(job)

        assert state(job) == "completed"

    @pytest.mark.parametrize("before", ["submitted", "accepted", "modified"])
    def test_it_is_completed_though_it_expired(self, before):
        job = make_job(deal(), before, service_date=TODAY)

        act(jobs.complete, job, now=at(1))

        assert state(job) == "completed"

    @pytest.mark.parametrize("delivered", [0, 9])
    def test_it_is_not_completed_before_everything_is_delivered(self, delivered):
        card = deal()
        job = make_job(card, lines=[PIPES, LABOUR])
        if delivered:
            act(jobs.fulfil, line_of(job, "Copper pipe"), quantity=delivered)

        with refused("NOT_FULFILLED"):
            act(jobs.complete, job)

        assert (state(job), statuses(card)) == ("accepted", ("contracted", "won"))

    def test_labour_need_not_be_ticked_to_complete(self):
        job = make_job(deal(), lines=[LABOUR])

        act(jobs.complete, job)

        assert (state(job), line_of(job).fulfilled_quantity) == ("completed", 0)

    @pytest.mark.parametrize("before", ["completed", "void", "canceled"])
    def test_it_is_not_completed_twice_or_after_its_end(self, before):
        job = make_job(deal(), before)

        with refused("WRONG_STATE"):
            act(jobs.complete, job)

        assert state(job) == before

    def test_a_completed_job_is_reopened(self):
        job = make_job(deal(), "completed")

        act(jobs.reopen, job)

        assert state(job) == "modified"

    @pytest.mark.parametrize("before", but(JOB_PATHS, "completed"))
    def test_only_a_completed_job_is_reopened(self, before):
        job = make_job(deal(), before)

        with refused("WRONG_STATE"):
            act(jobs.reopen, job)

        assert state(job) == before

    ENDS = pytest.mark.parametrize(
        ("end", "reason", "after"), [(jobs.void, void_reason, "void"), (jobs.cancel, cancel_reason, "canceled")]
    )

    @ENDS
    @pytest.mark.parametrize("before", ["submitted", "accepted", "modified"])
    def test_it_is_voided_or_canceled(self, before, end, reason, after):
        job = make_job(deal(), before)

        act(end, job, reason_id=reason())

        assert state(job) == after

    @ENDS
    @pytest.mark.parametrize(
        ("before", "code"), [("completed", "JOB_COMPLETED"), ("void", "WRONG_STATE"), ("canceled", "WRONG_STATE")]
    )
    def test_it_is_not_voided_or_canceled_when_completed_or_ended(self, before, code, end, reason, after):
        job = make_job(deal(), before)

        with refused(code):
            act(end, job, reason_id=reason())

        assert state(job) == before

    @ENDS
    def test_what_was_delivered_must_be_returned_first(self, end, reason, after):
        job = make_job(deal(), lines=[PIPES, LABOUR])
        pipes = line_of(job, "Copper pipe")
        act(jobs.fulfil, pipes, quantity=1)
        with refused("ITEM_FULFILLED"):
            act(end, job, reason_id=reason())
        assert state(job) == "accepted"

        act(jobs.return_items, pipes, quantity=1)
        act(end, job, reason_id=reason())

        assert state(job) == after

    @ENDS
    def test_labour_that_was_done_does_not_stand_in_the_way(self, end, reason, after):
        job = make_job(deal(), lines=[LABOUR])
        act(jobs.fulfil, line_of(job), quantity=4)

        act(end, job, reason_id=reason())

        assert state(job) == after

    @ENDS
    def test_money_that_is_held_must_be_returned_first(self, end, reason, after):
        job = make_job(deal())
        payment = pay(job, "1.00")
        with refused("PAYMENT_TAKEN"):
            act(end, job, reason_id=reason())
        assert state(job) == "accepted"

        pay_back(payment, "1.00")
        act(end, job, reason_id=reason())

        assert state(job) == after

    @ENDS
    def test_a_pending_payment_must_be_settled_first(self, end, reason, after):
        job = make_job(deal())
        payment = act(jobs.take_payment, job, amount=Decimal(50), settled=False)
        with refused("PAYMENT_PENDING"):
            act(end, job, reason_id=reason())
        assert state(job) == "accepted"

        act(jobs.settle_payment, payment, succeeded=False)
        act(end, job, reason_id=reason())

        assert state(job) == after

    def test_all_blockers_are_named_at_once(self):
        job = make_job(deal(), lines=[PIPES])
        act(jobs.fulfil, line_of(job), quantity=1)
        pay(job, "100")
        act(jobs.take_payment, job, amount=Decimal(50), settled=False)

        with refused() as refusal:
            act(jobs.void, job, reason_id=void_reason())

        assert sorted(refusal.value.codes) == ["ITEM_FULFILLED", "PAYMENT_PENDING", "PAYMENT_TAKEN"]

    @pytest.mark.parametrize(("end", "wrong"), [(jobs.void, cancel_reason), (jobs.cancel, void_reason)])
    def test_the_reason_is_one_of_the_right_list(self, end, wrong):
        job = make_job(deal())

        with refused("REASON_WRONG_LIST"):
            act(end, job, reason_id=wrong())

        assert state(job) == "accepted"

    @pytest.mark.parametrize(
        ("before", "lapses"), [(each, each in ("submitted", "accepted", "modified")) for each in JOB_PATHS]
    )
    def test_it_expires_after_its_service_date_unless_it_is_done(self, before, lapses):
        job = make_job(deal(), before, service_date=TODAY)

        assert (job.is_expired_on(TODAY), job.is_expired_on(TOMORROW)) == (False, lapses)
        assert state(job) == before

    def test_rescheduling_restores_an_expired_job(self):
        card = deal(forecast_date=TODAY)
        job = make_job(card, service_date=TODAY)
        sweep.run(at(1))
        assert statuses(card) == ("expired", "lost")

        act(jobs.revise, job, service_date=day(9), now=at(1))

        assert not fresh(job).is_expired_on(TOMORROW)
        assert statuses(card) == ("expired", "won")

    @pytest.mark.parametrize("ended", ["void", "canceled"])
    def test_nothing_is_done_with_an_ended_job(self, ended):
        job = make_job(deal(), ended, lines=[PIPES])
        pipes = line_of(job)

        with refused("WRONG_STATE"):
            act(jobs.fulfil, pipes, quantity=1)
        with refused("WRONG_STATE"):
            act(jobs.take_payment, job, amount=Decimal(10))
        with refused("WRONG_STATE"):
            act(jobs.revise, job, lines=[LABOUR])

        assert (fresh(pipes).fulfilled_quantity, Payment.objects.count()) == (0, 0)


class TestLine:
    """The table of 5.3."""

    def test_fulfilling_raises_and_returning_lowers_what_is_fulfilled(self):
        pipes = line_of(make_job(deal(), lines=[PIPES]))
        assert pipes.fulfilled_quantity == 0

        act(jobs.fulfil, pipes, quantity=4)
        assert fresh(pipes).fulfilled_quantity == 4
        act(jobs.fulfil, pipes, quantity=6)
        assert fresh(pipes).fulfilled_quantity == 10
        act(jobs.return_items, pipes, quantity=3)

        assert fresh(pipes).fulfilled_quantity == 7

    def test_a_part_of_a_unit_can_be_fulfilled(self):
        pipes = line_of(make_job(deal(), lines=[{**PIPES, "quantity": Decimal("2.5")}]))

        act(jobs.fulfil, pipes, quantity=Decimal("0.5"))

        assert fresh(pipes).fulfilled_quantity == Decimal("0.5")

    def test_no_more_is_fulfilled_than_was_ordered(self):
        pipes = line_of(make_job(deal(), lines=[PIPES]))
        act(jobs.fulfil, pipes, quantity=8)

        with refused("OVER_FULFILLED"):
            act(jobs.fulfil, pipes, quantity=3)

        assert fresh(pipes).fulfilled_quantity == 8

    def test_no_more_is_returned_than_was_fulfilled(self):
        pipes = line_of(make_job(deal(), lines=[PIPES]))
        act(jobs.fulfil, pipes, quantity=2)

        with refused():
            act(jobs.return_items, pipes, quantity=3)

        assert fresh(pipes).fulfilled_quantity == 2

    def test_the_quantity_is_not_set_below_what_is_fulfilled(self):
        job = make_job(deal(), lines=[PIPES])
        pipes = line_of(job)
        act(jobs.fulfil, pipes, quantity=4)

        with refused("OVER_FULFILLED"):
            act(jobs.revise, job, lines=[{**PIPES, "id": pipes.pk, "quantity": 3}])
        act(jobs.revise, job, lines=[{**PIPES, "id": pipes.pk, "quantity": 4}])

        pipes = fresh(pipes)
        assert (pipes.quantity, pipes.fulfilled_quantity) == (4, 4)

    def test_a_line_that_is_fulfilled_in_part_is_not_deleted(self):
        job = make_job(deal(), lines=[PIPES, BOILER])
        act(jobs.fulfil, line_of(job, "Copper pipe"), quantity=1)

        with refused():
            act(jobs.revise, job, lines=[BOILER])

        assert sorted(job.lines.values_list("description", flat=True)) == ["Boiler", "Copper pipe"]

    def test_a_line_that_is_untouched_is_deleted(self):
        job = make_job(deal(), lines=[PIPES, BOILER])
        boiler = line_of(job, "Boiler")

        act(jobs.revise, job, lines=[{**BOILER, "id": boiler.pk}])

        assert line_of(job).pk == boiler.pk

    def test_a_return_reopens_a_completed_job(self):
        card = deal()
        job = make_job(card, lines=[PIPES])
        finish(job)

        act(jobs.return_items, line_of(job), quantity=1)

        assert (state(job), line_of(job).fulfilled_quantity) == ("modified", 9)
        assert statuses(card) == ("contracted", "won")


class TestPayment:
    """The table of 5.4."""

    def test_a_payment_succeeds_at_once_unless_it_has_to_be_settled(self):
        job = make_job(deal())

        assert state(act(jobs.take_payment, job, amount=Decimal(10))) == "succeeded"
        assert state(act(jobs.take_payment, job, amount=Decimal(10), settled=False)) == "pending"

    @pytest.mark.parametrize(("succeeded", "after"), [(True, "succeeded"), (False, "failed")])
    def test_a_pending_payment_is_settled_once(self, succeeded, after):
        payment = act(jobs.take_payment, make_job(deal()), amount=Decimal(10), settled=False)

        act(jobs.settle_payment, payment, succeeded=succeeded)
        with refused("WRONG_STATE"):
            act(jobs.settle_payment, payment, succeeded=not succeeded)

        assert state(payment) == after

    def test_an_entry_by_mistake_is_voided_as_if_never_taken(self):
        card = deal()
        job = make_job(card)
        payment = pay(job, "100")

        act(jobs.void_payment, payment)

        assert (state(payment), statuses(card)) == ("voided", ("contracted", "won"))
        act(jobs.void, job, reason_id=void_reason())
        assert state(job) == "void"

    def test_a_payment_that_was_refunded_is_not_voided(self):
        payment = pay(make_job(deal()), "100")
        pay_back(payment, "1")

        with refused():
            act(jobs.void_payment, payment)

        assert state(payment) == "succeeded"

    @pytest.mark.parametrize("settled", [None, False], ids=["pending", "failed"])
    def test_only_a_payment_that_succeeded_is_voided_or_refunded(self, settled):
        payment = act(jobs.take_payment, make_job(deal()), amount=Decimal(10), settled=False)
        if settled is not None:
            act(jobs.settle_payment, payment, succeeded=settled)
        before = state(payment)

        with refused("WRONG_STATE"):
            act(jobs.void_payment, payment)
        with refused("WRONG_STATE"):
            pay_back(payment, "10")

        assert (state(payment), fresh(payment).refunds.count()) == (before, 0)

    def test_a_voided_payment_is_not_refunded(self):
        payment = pay(make_job(deal()), "10")
        act(jobs.void_payment, payment)

        with refused("WRONG_STATE"):
            pay_back(payment, "10")

        assert fresh(payment).refunds.count() == 0

    @pytest.mark.parametrize(("succeeded", "after"), [(True, "succeeded"), (False, "failed")])
    def test_a_pending_refund_is_settled_once(self, succeeded, after):
        refund = act(jobs.refund, pay(make_job(deal()), "10"), amount=Decimal(10), settled=False)
        assert state(refund) == "pending"

        act(jobs.settle_refund, refund, succeeded=succeeded)
        with refused("WRONG_STATE"):
            act(jobs.settle_refund, refund, succeeded=not succeeded)

        assert state(refund) == after

    @pytest.mark.parametrize("settled", [True, False], ids=["succeeded", "pending"])
    def test_no_more_is_refunded_than_was_paid(self, settled):
        payment = pay(make_job(deal()), "100")
        act(jobs.refund, payment, amount=Decimal(60), settled=settled)

        with refused("OVER_REFUND"):
            pay_back(payment, "40.01")

        assert fresh(payment).refunds.count() == 1

    def test_a_failed_refund_leaves_the_money_to_be_refunded(self):
        card = deal()
        payment = pay(make_job(card), "100")
        failed = act(jobs.refund, payment, amount=Decimal(100), settled=False)
        act(jobs.settle_refund, failed, succeeded=False)

        pay_back(payment, "100")

        assert statuses(card) == ("contracted", "lost")

    def test_cents_add_up(self):
        card = deal()
        payment = pay(make_job(card), "3.30")

        pay_back(payment, "1.10")
        assert statuses(card) == ("contracted", "won")
        pay_back(payment, "2.20")

        assert statuses(card) == ("contracted", "lost")


class TestAgreement:
    """The table of 5.5."""

    @pytest.mark.parametrize(
        ("text", "recipients", "first"),
        [
            ("We install.", [ADA], "draft"),
            ("We install.", [ADA, READER], "draft"),
            ("", [ADA], "incomplete"),
            ("We install.", [], "incomplete"),
            ("We install.", [READER], "incomplete"),
        ],
        ids=["complete", "with a reader", "no text", "nobody", "only a reader"],
    )
    def test_it_is_a_draft_with_a_text_and_a_signer(self, text, recipients, first):
        agreement = make_agreement(deal(), text=text, recipients=recipients)

        assert (state(agreement), shown(agreement)) == (first, first)

    def test_submitting_sends_it_to_every_recipient(self):
        agreement = make_agreement(deal(), recipients=[ADA, BEN, READER])
        assert {state(each) for each in agreement.recipients.all()} == {"pending"}

        act(agreements.submit, agreement)

        assert shown(agreement) == "submitted"
        assert [state(each) for each in agreement.recipients.all()] == ["sent"] * 3

    @pytest.mark.parametrize("missing", [{"text": ""}, {"recipients": [READER]}], ids=["text", "signer"])
    def test_what_is_incomplete_is_not_submitted(self, missing):
        card = deal()
        agreement = make_agreement(card, **missing)

        with refused():
            act(agreements.submit, agreement)

        assert (shown(agreement), statuses(card)) == ("incomplete", ("prospect", "none"))

    @pytest.mark.parametrize("before", but(AGREEMENT_STATUSES, "incomplete", "draft"))
    def test_nothing_is_submitted_twice(self, before):
        agreement = make_agreement(deal(), before)

        with refused("WRONG_STATE"):
            act(agreements.submit, agreement)

        assert shown(agreement) == before

    def test_the_last_signature_concludes_it(self):
        agreement = make_agreement(deal(), "submitted", recipients=[ADA, BEN])
        ada, ben = signers(agreement)

        assert str(sign(ada).status) == "submitted"
        assert str(sign(ben).status) == "accepted"

        assert [state(each) for each in (ada, ben)] == ["accepted", "accepted"]

    def test_the_first_rejection_ends_it_for_all(self):
        agreement = make_agreement(deal(), "submitted", recipients=[ADA, BEN, CAL])
        ada, ben, cal = signers(agreement)

        assert str(reject(ada).status) == "rejected"

        assert [state(each) for each in (ada, ben, cal)] == ["rejected", "canceled", "canceled"]
        with refused("WRONG_STATE"):
            sign(ben)

    def test_an_answer_is_final(self):
        agreement = make_agreement(deal(), "submitted", recipients=[ADA, BEN])
        ada = signers(agreement)[0]
        sign(ada)

        with refused("WRONG_STATE"):
            reject(ada)

        assert (state(ada), shown(agreement)) == ("accepted", "submitted")

    def test_who_only_receives_a_copy_does_not_answer(self):
        agreement = make_agreement(deal(), "submitted", recipients=[ADA, READER])

        with refused():
            reject(agreement.recipients.get(role="copy"))

        assert shown(agreement) == "submitted"

    @pytest.mark.parametrize("before", ["draft", "expired", "canceled", "void"])
    def test_nobody_signs_what_is_not_out_for_signature(self, before):
        agreement = make_agreement(deal(), before)

        with refused("WRONG_STATE"):
            sign(signers(agreement)[0], now=at(1))

        assert shown(agreement) == before

    def test_nobody_signs_after_the_last_day_even_before_the_sweep(self):
        card = deal()
        agreement = make_agreement(card, "submitted", valid_until=TODAY)

        with refused():
            sign(signers(agreement)[0], now=datetime(2025, 6, 11, 0, 0, tzinfo=UTC))

        assert statuses(card)[1] != "won"

    def test_it_can_be_signed_on_its_last_day(self):
        agreement = make_agreement(deal(), "submitted", valid_until=TODAY)

        signed = sign(signers(agreement)[0], now=datetime(2025, 6, 10, 23, 59, tzinfo=UTC))

        assert str(signed.status) == "accepted"

    def test_it_expires_after_its_last_day_and_stays_so(self):
        business(time_zone="Pacific/Auckland")
        card = deal()
        agreement = make_agreement(card, "submitted", recipients=[ADA, BEN], valid_until=date(2025, 6, 10))
        ada, ben = signers(agreement)
        sign(ada)
        midnight = datetime(2025, 6, 10, 12, 30, tzinfo=UTC)  # the 11th in Auckland, still the 10th in Honolulu

        sweep.run(midnight)
        assert (shown(agreement), state(ada), state(ben)) == ("expired", "accepted", "expired")
        business(time_zone="Pacific/Honolulu")
        sweep.run(midnight)

        assert (shown(agreement), state(ben)) == ("expired", "expired")
        assert statuses(card) == ("prospect", "lost")

    def test_a_signed_agreement_does_not_expire(self):
        card = deal()
        agreement = make_agreement(card, "accepted", valid_until=TODAY)

        sweep.run(at(1))

        assert (shown(agreement), statuses(card)) == ("accepted", ("contracted", "won"))

    def test_the_business_withdraws_it(self):
        card = deal()
        agreement = make_agreement(card, "submitted")

        act(agreements.withdraw, agreement)

        assert (state(agreement), shown(agreement)) == ("canceled", "canceled")
        assert statuses(card) == ("prospect", "lost")

    @pytest.mark.parametrize("before", but(AGREEMENT_STATUSES, "submitted"))
    def test_only_what_is_out_for_signature_is_withdrawn(self, before):
        agreement = make_agreement(deal(), before)

        with refused("WRONG_STATE"):
            act(agreements.withdraw, agreement)

        assert shown(agreement) == before

    def test_canceling_a_signer_cancels_it(self):
        card = deal()
        agreement = make_agreement(card, "submitted", recipients=[ADA, BEN])

        canceled = act(agreements.cancel_recipient, signers(agreement)[1])

        assert (str(canceled.status), state(signers(agreement)[1])) == ("canceled", "canceled")
        assert statuses(card) == ("prospect", "lost")

    def test_canceling_a_reader_changes_nothing(self):
        card = deal()
        agreement = make_agreement(card, "submitted", recipients=[ADA, READER])

        act(agreements.cancel_recipient, agreement.recipients.get(role="copy"))

        assert (shown(agreement), statuses(card)) == ("submitted", ("agreement", "none"))

    def test_a_signature_is_not_canceled(self):
        agreement = make_agreement(deal(), "submitted", recipients=[ADA, BEN])
        ada = signers(agreement)[0]
        sign(ada)

        with refused("WRONG_STATE"):
            act(agreements.cancel_recipient, ada)

        assert (state(ada), shown(agreement)) == ("accepted", "submitted")

    def test_correcting_an_address_sends_it_again(self):
        card = deal()
        agreement = make_agreement(card, "submitted")
        ada = signers(agreement)[0]

        act(agreements.readdress, ada, name="Ada Lovell", email="ada.lovell@example.test")

        ada = fresh(ada)
        assert (ada.name, ada.email, str(ada.state)) == ("Ada Lovell", "ada.lovell@example.test", "sent")
        assert (shown(agreement), statuses(card)) == ("submitted", ("agreement", "none"))

    def test_an_address_is_not_corrected_after_the_answer(self):
        agreement = make_agreement(deal(), "submitted", recipients=[ADA, BEN])
        ada = signers(agreement)[0]
        sign(ada)

        with refused("WRONG_STATE"):
            act(agreements.readdress, ada, name="Ada Lovell", email="ada.lovell@example.test")

        assert (fresh(ada).name, state(ada)) == ("Ada Lowell", "accepted")

    @pytest.mark.parametrize("before", ["submitted", "rejected", "expired"])
    def test_replacing_it_voids_it_and_leaves_a_copy_as_draft(self, before):
        ReasonFactory(void=True, label="Replaced by another document")
        card = deal()
        agreement = make_agreement(card, before, kind="proposal", recipients=[ADA, READER])

        act(agreements.replace, agreement, now=at(1))

        copy = Agreement.objects.exclude(pk=agreement.pk).get()
        assert (shown(agreement), shown(copy)) == ("void", "draft")
        assert (card_of(copy), copy.kind) == (card.pk, "proposal")
        assert sorted(copy.recipients.values_list("name", "role", "state")) == [
            ("Ada Lowell", "signer", "pending"),
            ("Rita Reader", "copy", "pending"),
        ]
        assert statuses(card) == ("prospect", "none")

    @pytest.mark.parametrize("before", but(AGREEMENT_STATUSES, "submitted", "rejected", "expired"))
    def test_nothing_else_is_replaced(self, before):
        ReasonFactory(void=True, label="Replaced by another document")
        agreement = make_agreement(deal(), before)

        with refused("WRONG_STATE"):
            act(agreements.replace, agreement)

        assert (shown(agreement), Agreement.objects.count()) == (before, 1)

    @pytest.mark.parametrize("before", but(AGREEMENT_STATUSES, "void"))
    def test_it_is_voided_whatever_became_of_it(self, before):
        card = deal()
        agreement = make_agreement(card, before)

        act(agreements.void, agreement, reason_id=void_reason())

        assert (state(agreement), shown(agreement)) == ("void", "void")
        assert statuses(card) == ("prospect", "none")

    def test_it_is_not_voided_twice(self):
        agreement = make_agreement(deal(), "void")

        with refused("WRONG_STATE"):
            act(agreements.void, agreement, reason_id=void_reason())

    def test_its_reason_is_one_of_the_void_list(self):
        agreement = make_agreement(deal(), "draft")

        with refused("REASON_WRONG_LIST"):
            act(agreements.void, agreement, reason_id=cancel_reason())

        assert shown(agreement) == "draft"

    def test_a_salesperson_voids_what_is_not_signed(self):
        ann = UserFactory(role="salesperson")
        agreement = make_agreement(deal(actor=ann), "submitted")

        act(agreements.void, agreement, reason_id=void_reason(), actor=ann)

        assert shown(agreement) == "void"

    def test_only_a_manager_voids_what_is_signed(self):
        ann = UserFactory(role="salesperson")
        card = deal(actor=ann)
        agreement = make_agreement(card, "accepted")

        with pytest.raises(NotAllowed):
            act(agreements.void, agreement, reason_id=void_reason(), actor=ann)
        assert (shown(agreement), statuses(card)) == ("accepted", ("contracted", "won"))
        act(agreements.void, agreement, reason_id=void_reason(), actor=UserFactory(role="manager"))

        assert shown(agreement) == "void"
