"""What may be attached to a card (D9), what detaching asks for (D6), and what goes together (D7)."""

from decimal import Decimal

import pytest

from opportunities import agreements, attachments, jobs, lifecycle, pipeline, quotes, sweep
from tests.documents import (
    ADA,
    BOILER,
    LABOUR,
    PIPES,
    TODAY,
    TOMORROW,
    act,
    another_deal_with,
    at,
    card_of,
    customer_of,
    deal,
    job_of,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    refused,
    shown,
    state,
    statuses,
    void_reason,
)
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

MAKERS = pytest.mark.parametrize("make", [make_quote, make_job, make_agreement], ids=["quote", "job", "agreement"])


class TestAttaching:
    """D9"""

    def test_a_card_takes_many_documents_of_each_kind(self):
        card = deal()
        documents = [make(card, attached=False) for make in (make_quote, make_job, make_agreement) for _ in range(2)]

        for document in documents:
            act(attachments.attach, card, document)

        assert [card_of(document) for document in documents] == [card.pk] * 6

    @MAKERS
    def test_a_customer_stays_on_the_card_as_long_as_a_document_of_theirs_does(self, make):
        card, other = deal(), CustomerFactory.create()
        customer, document = customer_of(card), make(card)

        with refused("CUSTOMER_OF_DOCUMENT") as why:
            act(pipeline.edit, card, customer_ids=[other.pk])
        assert f"{customer.name} stays on {card.number} as long as {document.number} is attached" in str(why.value)
        assert customer_of(card) == customer

        act(pipeline.edit, card, customer_ids=[customer.pk, other.pk])
        act(attachments.detach, document)
        act(pipeline.edit, card, customer_ids=[other.pk])
        assert customer_of(card) == other

    @MAKERS
    def test_a_document_stands_on_one_card_at_most(self, make):
        other = deal()
        card, document = another_deal_with(other), make(other)

        with refused("ALREADY_ATTACHED"):
            act(attachments.attach, card, document)

        assert card_of(document) == other.pk

    @MAKERS
    def test_a_document_of_another_customer_is_refused(self, make):
        card, document = deal(), make(deal(), attached=False)

        with refused("WRONG_CUSTOMER"):
            act(attachments.attach, card, document)

        assert card_of(document) is None
        assert statuses(card) == ("prospect", "none")

    @pytest.mark.parametrize(
        ("create", "facts"),
        [
            (quotes.create, {"lines": [LABOUR]}),
            (jobs.create, {"lines": [LABOUR]}),
            (agreements.create, {"kind": "agreement", "recipients": [ADA], "text": "We install a boiler."}),
        ],
        ids=["quote", "job", "agreement"],
    )
    def test_a_document_is_not_made_on_a_card_of_another_customer(self, create, facts):
        card, stranger = deal(), customer_of(deal())

        with refused("WRONG_CUSTOMER"):
            act(create, stranger, opportunity_id=card.pk, **facts)

        assert statuses(card) == ("prospect", "none")

    @pytest.mark.parametrize(
        ("make", "dead", "code"),
        [
            (make_quote, "void", "DEAD_DOCUMENT"),
            (make_quote, "canceled", "DEAD_DOCUMENT"),
            (make_quote, "archived", "ARCHIVED"),
            (make_job, "void", "DEAD_DOCUMENT"),
            (make_job, "canceled", "DEAD_DOCUMENT"),
            (make_agreement, "void", "DEAD_DOCUMENT"),
            (make_agreement, "canceled", "DEAD_DOCUMENT"),
        ],
    )
    def test_a_dead_document_is_refused(self, make, dead, code):
        card = deal()
        document = make(card, dead, attached=False)

        with refused(code):
            act(attachments.attach, card, document)

        assert card_of(document) is None
        assert statuses(card) == ("prospect", "none")

    def test_an_unarchived_quote_can_be_attached(self):
        card = deal()
        quote = make_quote(card, "archived", attached=False)
        act(quotes.unarchive, quote)

        act(attachments.attach, card, quote)

        assert card_of(quote) == card.pk

    def test_an_expired_quote_is_fine(self):
        card = deal()
        quote = make_quote(card, "submitted", attached=False, valid_until=TODAY)
        sweep.run(at(1))

        act(attachments.attach, card, quote, now=at(1))

        assert quote.is_expired_on(TOMORROW)
        assert statuses(card) == ("negotiation", "none")

    def test_an_expired_job_is_fine(self):
        card = deal()
        job = make_job(card, attached=False, service_date=TODAY)
        sweep.run(at(1))

        act(attachments.attach, card, job, now=at(1))

        assert job.is_expired_on(TOMORROW)
        assert statuses(card) == ("contracted", "won")

    def test_an_expired_agreement_is_fine(self):
        card = deal()
        agreement = make_agreement(card, "expired", attached=False)

        act(attachments.attach, card, agreement, now=at(1))

        assert statuses(card) == ("prospect", "lost")


class TestDetaching:
    """D6"""

    @pytest.mark.parametrize(
        ("make", "before"),
        [
            (make_quote, "draft"),
            (make_quote, "submitted"),
            (make_quote, "modified"),
            (make_quote, "accepted"),
            (make_quote, "void"),
            (make_quote, "canceled"),
            (make_quote, "archived"),
            (make_job, "submitted"),
            (make_job, "accepted"),
            (make_job, "completed"),
            (make_job, "void"),
            (make_job, "canceled"),
            (make_agreement, "incomplete"),
            (make_agreement, "draft"),
        ],
    )
    def test_it_is_allowed_in_any_state_and_leaves_the_document_as_it_is(self, make, before):
        card = deal()
        document = make(card, before)
        unchanged = state(document)

        act(attachments.detach, document)

        assert (card_of(document), state(document)) == (None, unchanged)
        assert statuses(card) == ("prospect", "none")

    def test_detaching_the_dead_quote_clears_the_loss(self):
        card = deal()
        quote = make_quote(card, "void")
        assert statuses(card) == ("prospect", "lost")

        act(attachments.detach, quote)

        assert statuses(card) == ("prospect", "none")

    def test_a_document_moves_to_another_card_in_one_act(self):
        card = deal()
        right = another_deal_with(card)
        quote = make_quote(card, "submitted")

        act(attachments.detach, quote, to_opportunity_id=right.pk)

        assert card_of(quote) == right.pk
        assert (statuses(card), statuses(right)) == (("prospect", "none"), ("negotiation", "none"))

    @MAKERS
    def test_it_is_not_allowed_on_a_closed_card(self, make):
        card = deal()
        document = make(card)
        act(lifecycle.void, card, reason_id=void_reason())

        with refused("CARD_TERMINAL"):
            act(attachments.detach, document)

        assert card_of(document) == card.pk
        assert statuses(card) == ("void", "lost")

    def test_a_document_does_not_move_to_a_closed_card(self):
        card = deal()
        closed = another_deal_with(card)
        act(lifecycle.void, closed, reason_id=void_reason())
        quote = make_quote(card, "submitted")

        with refused("CARD_TERMINAL"):
            act(attachments.detach, quote, to_opportunity_id=closed.pk)

        assert card_of(quote) == card.pk
        assert (statuses(card), statuses(closed)) == (("negotiation", "none"), ("void", "lost"))

    def test_a_document_does_not_move_to_a_card_of_another_customer(self):
        card, stranger = deal(), deal()
        agreement = make_agreement(card, "submitted")

        with refused("WRONG_CUSTOMER"):
            act(attachments.detach, agreement, to_opportunity_id=stranger.pk)

        assert card_of(agreement) == card.pk
        assert (statuses(card), statuses(stranger)) == (("agreement", "none"), ("prospect", "none"))


def job_with_money(card):
    job = make_job(card)
    pay(job, "1.00")
    return job


def job_with_pending_money(card):
    job = make_job(card)
    act(jobs.take_payment, job, amount=Decimal(50), settled=False)
    return job


def job_with_deliveries(card):
    job = make_job(card, lines=[PIPES, BOILER])
    act(jobs.fulfil, line_of(job, "Copper pipe"), quantity=1)
    return job


BOUND = pytest.mark.parametrize(
    ("make", "workflow", "sales"),
    [
        (job_with_money, "contracted", "won"),
        (job_with_pending_money, "contracted", "won"),
        (job_with_deliveries, "contracted", "won"),
        (lambda card: make_agreement(card, "submitted"), "agreement", "none"),
        (lambda card: make_agreement(card, "accepted"), "contracted", "won"),
        (lambda card: make_agreement(card, "rejected"), "prospect", "lost"),
    ],
    ids=["held money", "pending money", "fulfilled items", "submitted", "accepted", "rejected"],
)


class TestDetachingWhatIsBound:
    """D6: money, deliveries and documents that customers hold stay on a card, unless a manager says why not."""

    @BOUND
    def test_it_moves_to_the_card_that_it_belongs_to(self, make, workflow, sales):
        ann = UserFactory(role="salesperson")
        wrong = deal(actor=ann)
        right = another_deal_with(wrong, actor=ann)
        document = make(wrong)
        unchanged = state(document)

        act(attachments.detach, document, to_opportunity_id=right.pk, actor=ann)

        assert (card_of(document), state(document)) == (right.pk, unchanged)
        assert (statuses(wrong), statuses(right)) == (("prospect", "none"), (workflow, sales))

    @BOUND
    @pytest.mark.parametrize("reason", ["", "Made for the wrong site"])
    def test_a_salesperson_must_name_that_card(self, make, workflow, sales, reason):
        ann = UserFactory(role="salesperson")
        card = deal(actor=ann)
        document = make(card)

        with refused("NEEDS_CARD"):
            act(attachments.detach, document, reason=reason, actor=ann)

        assert card_of(document) == card.pk
        assert statuses(card) == (workflow, sales)

    @BOUND
    def test_a_manager_leaves_it_on_no_card_with_a_reason_only(self, make, workflow, sales):
        manager = UserFactory(role="manager")
        card = deal()
        document = make(card)
        with refused("NEEDS_CARD"):
            act(attachments.detach, document, actor=manager)
        assert (card_of(document), statuses(card)) == (card.pk, (workflow, sales))

        act(attachments.detach, document, reason="Made for the wrong site", actor=manager)

        assert (card_of(document), statuses(card)) == (None, ("prospect", "none"))

    def test_what_was_returned_binds_no_more(self):
        ann = UserFactory(role="salesperson")
        job = make_job(deal(actor=ann), lines=[PIPES])
        act(jobs.fulfil, line_of(job), quantity=2)
        act(jobs.return_items, line_of(job), quantity=2)
        pay_back(pay(job, "100"), "100")

        act(attachments.detach, job, actor=ann)

        assert card_of(job) is None

    def test_moving_it_away_lets_the_wrong_card_be_voided(self):
        wrong = deal()
        right = another_deal_with(wrong)
        agreement = make_agreement(wrong, "submitted")

        act(attachments.detach, agreement, to_opportunity_id=right.pk)
        act(lifecycle.void, wrong, reason_id=void_reason())

        assert (statuses(wrong), statuses(right)) == (("void", "lost"), ("agreement", "none"))
        assert shown(agreement) == "submitted"


class TestConvertedQuoteAndItsJob:
    """D7"""

    @pytest.fixture
    def card(self):
        return deal()

    @pytest.fixture(params=["quote", "job"])
    def pair(self, request, card):
        """The one that is asked for, and the other that goes with it."""
        quote = make_quote(card, "converted")
        job = job_of(quote)
        return (quote, job) if request.param == "quote" else (job, quote)

    def test_they_are_detached_together(self, card, pair):
        asked, other = pair

        act(attachments.detach, asked)

        assert (card_of(asked), card_of(other)) == (None, None)
        assert statuses(card) == ("prospect", "none")

    def test_they_move_together(self, card, pair):
        asked, other = pair
        right = another_deal_with(card)

        act(attachments.detach, asked, to_opportunity_id=right.pk)

        assert (card_of(asked), card_of(other)) == (right.pk, right.pk)
        assert (statuses(card), statuses(right)) == (("prospect", "none"), ("contracted", "won"))

    def test_they_are_attached_together(self, card, pair):
        asked, other = pair
        act(attachments.detach, asked)

        act(attachments.attach, card, asked)

        assert (card_of(asked), card_of(other)) == (card.pk, card.pk)
        assert statuses(card) == ("contracted", "won")

    def test_money_on_the_job_binds_the_quote_as_well(self, card):
        ann = UserFactory(role="salesperson")
        quote = make_quote(card, "converted")
        pay(job_of(quote), "1.00")

        with refused("NEEDS_CARD"):
            act(attachments.detach, quote, actor=ann)

        assert (card_of(quote), card_of(job_of(quote))) == (card.pk, card.pk)

    def test_a_loose_quote_is_converted_to_a_loose_job(self, card):
        quote = make_quote(card, "submitted", attached=False)

        job = act(quotes.convert, quote)
        assert (card_of(quote), card_of(job)) == (None, None)
        act(attachments.attach, card, quote)

        assert card_of(job) == card.pk
        assert statuses(card) == ("contracted", "won")
