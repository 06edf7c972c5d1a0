"""Decisions behind the sales status: D17 to D20, D22 and D23 of lifecycle.md 9."""

from decimal import Decimal

import pytest

from opportunities import agreements, attachments, jobs, pipeline, quotes, sweep
from opportunities.models import BusinessSettings
from tests.documents import (
    ADA,
    BEN,
    READER,
    TODAY,
    TOMORROW,
    act,
    at,
    business,
    cancel_reason,
    day,
    deal,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    refused,
    reject,
    rule,
    shown,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)

pytestmark = pytest.mark.django_db


class TestSeveralAgreements:
    """D17"""

    def test_a_signed_one_wins_whatever_was_rejected_later(self):
        card = deal()
        make_agreement(card, "accepted")

        make_agreement(card, "rejected")

        assert (statuses(card), rule(card)) == (("contracted", "won"), "P5")

    def test_a_draft_does_not_govern(self):
        card = deal()
        make_agreement(card, "rejected")

        make_agreement(card, "draft")

        assert (statuses(card), rule(card)) == (("prospect", "lost"), "P6")

    def test_the_last_one_governs_though_an_earlier_one_is_still_out(self):
        card = deal()
        make_agreement(card, "submitted")

        make_agreement(card, "rejected")

        assert (statuses(card), rule(card)) == (("agreement", "lost"), "P6")

    def test_an_earlier_rejection_does_not_count_against_the_one_that_is_out(self):
        card = deal()
        first = make_agreement(card, "submitted")
        make_agreement(card, "submitted")

        reject(signers(first)[0])

        assert statuses(card) == ("agreement", "none")

    def test_when_the_last_one_is_voided_the_one_before_governs_again(self):
        card = deal()
        make_agreement(card, "rejected")
        second = make_agreement(card, "submitted")
        assert statuses(card) == ("agreement", "none")

        act(agreements.void, second, reason_id=void_reason())

        assert statuses(card) == ("prospect", "lost")


class TestRecipients:
    """D18"""

    @pytest.mark.parametrize(
        "refuse",
        [
            lambda ben: reject(ben),
            lambda ben: act(agreements.cancel_recipient, ben),
            lambda _ben: sweep.run(at(1)),
        ],
        ids=["rejected", "canceled", "expired"],
    )
    def test_one_refusal_outweighs_the_signatures(self, refuse):
        card = deal()
        agreement = make_agreement(card, "submitted", recipients=[ADA, BEN], valid_until=TODAY)
        ada, ben = signers(agreement)
        sign(ada)

        refuse(ben)

        assert (statuses(card), rule(card)) == (("prospect", "lost"), "P6")

    def test_every_signature_is_needed(self):
        card = deal()
        agreement = make_agreement(card, "submitted", recipients=[ADA, BEN, READER])
        ada, ben = signers(agreement)

        sign(ada)
        assert statuses(card) == ("agreement", "none")
        sign(ben)

        assert statuses(card) == ("contracted", "won")
        assert state(agreement.recipients.get(role="copy")) == "sent"

    def test_a_corrected_address_can_still_sign(self):
        card = deal()
        ada = signers(make_agreement(card, "submitted"))[0]

        act(agreements.readdress, ada, name="Ada Lowell", email="office@example.test")
        assert statuses(card) == ("agreement", "none")
        sign(ada)

        assert statuses(card) == ("contracted", "won")


ENDINGS = {
    "voided": lambda quote: act(quotes.void, quote, reason_id=void_reason()),
    "canceled": lambda quote: act(quotes.cancel, quote, reason_id=cancel_reason()),
    "declined": lambda quote: act(quotes.decline, quote),
    "archived": lambda quote: act(quotes.archive, quote),
}
ENDS = pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
SETTINGS = pytest.mark.parametrize("lost_when", ["any_dead_quote", "no_live_quote"])


class TestDeadQuotes:
    """D19, with both settings of "A card is lost when"."""

    @ENDS
    @pytest.mark.parametrize(("lost_when", "sales"), [("any_dead_quote", "lost"), ("no_live_quote", "none")])
    def test_one_of_two_quotes_ends(self, lost_when, sales, end):
        business(lost_when=lost_when)
        card = deal()
        make_quote(card, "submitted")

        end(make_quote(card, "submitted"))

        assert statuses(card) == ("negotiation", sales)

    @ENDS
    @SETTINGS
    def test_the_last_of_two_quotes_ends(self, lost_when, end):
        business(lost_when=lost_when)
        card = deal()
        first, second = make_quote(card, "submitted"), make_quote(card, "submitted")

        end(first)
        end(second)

        assert (statuses(card), rule(card)) == (("prospect", "lost"), "P7")

    def test_the_letter_of_the_document_is_the_default(self):
        business()

        assert str(BusinessSettings.current().lost_when) == "any_dead_quote"

    @SETTINGS
    def test_a_card_without_any_document_is_not_lost(self, lost_when):
        business(lost_when=lost_when)
        card = deal()
        quote = make_quote(card, "submitted")

        act(attachments.detach, quote)

        assert statuses(card) == ("prospect", "none")

    @pytest.mark.parametrize("kept", ["incomplete", "draft", "modified", "accepted"])
    def test_any_live_quote_keeps_the_card_open_where_the_setting_says_so(self, kept):
        business(lost_when="no_live_quote")
        card = deal()
        make_quote(card, kept)

        make_quote(card, "void")

        assert statuses(card)[1] == "none"

    def test_an_expired_quote_is_live(self):
        business(lost_when="no_live_quote")
        card = deal()
        make_quote(card, "submitted", valid_until=TODAY)
        make_quote(card, "void")

        sweep.run(at(1))

        assert statuses(card) == ("negotiation", "none")

    @SETTINGS
    def test_an_attached_agreement_stands_before_it(self, lost_when):
        business(lost_when=lost_when)
        card = deal()
        make_agreement(card, "incomplete")

        make_quote(card, "void")

        assert statuses(card) == ("prospect", "none")

    @pytest.mark.parametrize(("lost_when", "sales"), [("any_dead_quote", "lost"), ("no_live_quote", "none")])
    def test_unarchiving_opens_it_again_but_a_void_quote_stays_dead(self, lost_when, sales):
        business(lost_when=lost_when)
        card = deal()
        archived = make_quote(card, "archived")
        make_quote(card, "void")
        assert statuses(card) == ("prospect", "lost")

        act(quotes.unarchive, archived)

        assert statuses(card) == ("prospect", sales)


class TestDeadJobs:
    """D20"""

    @SETTINGS
    @pytest.mark.parametrize("dead", ["void", "canceled"])
    def test_a_card_whose_only_job_died_is_lost(self, dead, lost_when):
        business(lost_when=lost_when)
        card = deal()

        make_job(card, dead)

        assert (statuses(card), rule(card)) == (("prospect", "lost"), "P7")

    def test_another_job_keeps_it_won(self):
        card = deal()
        make_job(card)

        make_job(card, "canceled")

        assert statuses(card) == ("contracted", "won")

    def test_an_attached_agreement_stands_before_it(self):
        card = deal()
        make_agreement(card, "draft")

        make_job(card, "void")

        assert statuses(card) == ("prospect", "none")

    def test_declining_a_quote_is_canceling_it(self):
        card = deal()
        quote = make_quote(card, "submitted")

        act(quotes.decline, quote, note="Chose somebody else")

        assert (state(quote), statuses(card)) == ("canceled", ("prospect", "lost"))


class TestLateness:
    """D22: the card's date has passed; is anything still open?"""

    @pytest.fixture
    def card(self):
        return deal(forecast_date=TODAY)

    def test_all_quotes_expired_is_a_loss(self, card):
        make_quote(card, "submitted", valid_until=TODAY)
        make_quote(card, "draft", valid_until=TODAY)

        sweep.run(at(1))

        assert (statuses(card), rule(card)) == (("expired", "lost"), "P8")

    @pytest.mark.parametrize("kept", ["draft", "submitted", "modified"])
    def test_one_quote_that_is_still_valid_keeps_it_open(self, card, kept):
        make_quote(card, "submitted", valid_until=TODAY)
        make_quote(card, kept, valid_until=TOMORROW)

        sweep.run(at(1))
        assert statuses(card) == ("expired", "none")
        sweep.run(at(2))

        assert statuses(card) == ("expired", "lost")

    def test_nothing_attached_is_no_loss(self, card):
        sweep.run(at(1))

        assert statuses(card) == ("expired", "none")

    @pytest.mark.parametrize(
        ("agreement", "sales"),
        [("incomplete", "lost"), ("draft", "lost"), ("submitted", "none"), ("accepted", "won")],
    )
    def test_an_agreement_keeps_it_open_once_it_was_sent(self, card, agreement, sales):
        make_quote(card, "submitted", valid_until=TODAY)
        make_agreement(card, agreement)

        sweep.run(at(1))

        assert statuses(card) == ("expired", sales)

    def test_a_late_job_beside_a_valid_quote_is_still_won(self, card):
        make_job(card, service_date=TODAY)
        make_quote(card, "submitted", valid_until=day(30))

        sweep.run(at(1))

        assert statuses(card) == ("expired", "won")

    def test_a_late_job_beside_one_in_time_is_still_won(self, card):
        make_job(card, service_date=TODAY)
        make_job(card, service_date=day(30))

        sweep.run(at(1))

        assert statuses(card) == ("expired", "won")

    @pytest.mark.parametrize("agreement", ["submitted", "accepted"])
    def test_a_late_job_with_an_agreement_is_still_won(self, card, agreement):
        make_job(card, service_date=TODAY)
        make_agreement(card, agreement)

        sweep.run(at(1))

        assert statuses(card) == ("expired", "won")

    def test_moving_the_date_opens_it_again(self, card):
        make_job(card, service_date=TODAY)
        sweep.run(at(1))
        assert statuses(card) == ("expired", "lost")

        act(pipeline.set_forecast_date, card, forecast_date=TOMORROW, now=at(1))

        assert statuses(card) == ("contracted", "won")

    def test_without_a_forecast_date_nothing_is_late(self):
        card = deal()
        make_quote(card, "submitted", valid_until=TODAY)

        sweep.run(at(9))

        assert statuses(card) == ("negotiation", "none")


class TestMoneyReturned:
    """D23"""

    def test_a_part_of_it_is_no_loss(self):
        card = deal()
        payment = pay(make_job(card), "100")

        pay_back(payment, "99.99")

        assert statuses(card) == ("contracted", "won")

    def test_a_new_payment_makes_it_won_again(self):
        card = deal()
        job = make_job(card)
        pay_back(pay(job, "100"), "100")
        assert statuses(card) == ("contracted", "lost")

        pay(job, "20")

        assert statuses(card) == ("contracted", "won")

    def test_a_payment_that_is_pending_or_failed_does_not(self):
        card = deal()
        job = make_job(card)
        pay_back(pay(job, "100"), "100")

        payment = act(jobs.take_payment, job, amount=Decimal(20), settled=False)
        assert statuses(card) == ("contracted", "lost")
        act(jobs.settle_payment, payment, succeeded=False)

        assert statuses(card) == ("contracted", "lost")

    def test_a_voided_entry_was_never_taken(self):
        card = deal()
        job = make_job(card)
        act(jobs.void_payment, pay(job, "50"))
        assert statuses(card) == ("contracted", "won")

        pay_back(pay(job, "100"), "100")

        assert statuses(card) == ("contracted", "lost")

    def test_it_is_lost_once_the_money_of_every_job_is_back(self):
        card = deal()
        first, second = pay(make_job(card), "100"), pay(make_job(card), "40")

        pay_back(first, "100")
        assert statuses(card) == ("contracted", "won")
        pay_back(second, "40")

        assert (statuses(card), rule(card)) == (("contracted", "lost"), "P2")

    def test_a_dead_job_does_not_count(self):
        card = deal()
        make_job(card, "void")
        payment = pay(make_job(card), "100")

        pay_back(payment, "100")

        assert (statuses(card), rule(card)) == (("contracted", "lost"), "P2")

    def test_no_more_than_was_paid_can_come_back(self):
        card = deal()
        payment = pay(make_job(card), "100")

        with refused("OVER_REFUND"):
            pay_back(payment, "100.01")

        assert statuses(card) == ("contracted", "won")


def test_a_withdrawn_agreement_counts_as_a_refusal():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, BEN])
    sign(signers(agreement)[0])

    act(agreements.withdraw, agreement)

    assert shown(agreement) == "canceled"
    assert (statuses(card), rule(card)) == (("prospect", "lost"), "P6")
