"""Ways round the rules of documents that somebody once found open, each closed and held so."""

import pytest

from opportunities import attachments, customers, jobs, lifecycle, pipeline, quotes
from opportunities.errors import NotAllowed, Refused
from opportunities.models import Job, JobLine, Opportunity, Payment, Quote, Refund
from tests.documents import (
    LABOUR,
    PIPES,
    act,
    another_deal_with,
    cancel_reason,
    card_of,
    customer_of,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    refused,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def ann():
    return UserFactory(role="salesperson")


@pytest.fixture
def jo():
    return UserFactory(role="salesperson")


class TestMoneyAndGoodsStayOnTheirCard:
    """Ending a quote may take it off its card, but never a job with something behind it (D6, V3.2, V3.3)."""

    def test_archiving_a_converted_quote_does_not_carry_its_paid_job_away(self, ann):
        card = deal(actor=ann)
        quote = make_quote(card, "converted")
        job = Job.objects.get(quote=quote)
        act(jobs.take_payment, job, amount=100, actor=ann)

        with refused("NEEDS_CARD"):
            act(quotes.archive, quote, detach=True, actor=ann)

        assert card_of(job) == card.pk
        assert not fresh(quote).is_archived

    def test_nor_one_with_goods_delivered(self, ann):
        card = deal(actor=ann)
        quote = make_quote(card, "converted", lines=[PIPES])
        job = Job.objects.get(quote=quote)
        act(jobs.fulfil, JobLine.objects.get(job=job), quantity=1, actor=ann)

        with refused("NEEDS_CARD"):
            act(quotes.archive, quote, detach=True, actor=ann)
        with refused("ITEM_FULFILLED"):
            lifecycle.void(opportunity_id=card.pk, reason_id=void_reason(), actor=ann, now=NOW)

    def test_a_quote_with_nothing_behind_it_leaves_its_card_and_is_voided(self, ann):
        card = deal(actor=ann)
        first, second = make_quote(card, "submitted"), make_quote(card, "submitted")

        act(quotes.void, second, reason_id=void_reason(), detach=True, actor=ann)

        assert (state(second), card_of(second), card_of(first)) == ("void", None, card.pk)
        assert statuses(card) == ("negotiation", "none")


class TestReopening:
    """A card that was closed by hand is reopened only by who may set its status (D40, D41)."""

    @pytest.fixture
    def lost(self, jo, rows):
        card = deal(actor=jo)
        pipeline.set_status(
            opportunity_id=card.pk, status_id=rows["Lost"].pk, reason_id=cancel_reason(), actor=jo, now=NOW
        )
        return fresh(card)

    def test_a_colleague_s_quote_does_not_reopen_it(self, lost, ann):
        with pytest.raises(NotAllowed):
            act(quotes.create, customer_of(lost), opportunity_id=lost.pk, lines=[LABOUR], reopen=True, actor=ann)

        assert statuses(lost) == ("prospect", "lost")
        assert not Quote.objects.exists()

    def test_a_colleague_s_quote_may_come_without_reopening_it(self, lost, ann):
        act(quotes.create, customer_of(lost), opportunity_id=lost.pk, lines=[LABOUR], actor=ann)

        assert statuses(lost) == ("prospect", "lost")

    def test_its_salesperson_reopens_it(self, lost, jo):
        act(quotes.create, customer_of(lost), opportunity_id=lost.pk, lines=[LABOUR], reopen=True, actor=jo)

        assert statuses(lost) == ("prospect", "none")

    def test_asking_to_reopen_an_open_card_asks_no_further_right(self, ann, jo):
        card = deal(actor=jo)

        act(quotes.create, customer_of(card), opportunity_id=card.pk, lines=[LABOUR], reopen=True, actor=ann)

        assert statuses(card) == ("prospect", "none")

    def test_moving_a_document_to_it_reopens_it(self, lost, jo):
        quote = make_quote(another_deal_with(lost), "submitted")

        act(attachments.detach, quote, to_opportunity_id=lost.pk, reopen=True)

        assert statuses(lost) == ("negotiation", "none")


class TestDeadFamilies:
    def test_a_converted_quote_whose_job_died_is_not_attached_to_another_deal(self):
        card = deal()
        quote = make_quote(card, "converted")
        act(jobs.void, Job.objects.get(quote=quote), reason_id=void_reason())
        act(attachments.detach, quote)
        other = another_deal_with(card)

        with refused("DEAD_DOCUMENT"):
            act(attachments.attach, other, quote_id=quote.pk)

        assert statuses(other) == ("prospect", "none")

    def test_with_a_new_live_job_it_is(self):
        card = deal()
        quote = make_quote(card, "converted")
        act(jobs.void, Job.objects.get(quote=quote), reason_id=void_reason())
        act(quotes.convert, quote)
        act(attachments.detach, quote)
        other = another_deal_with(card)

        act(attachments.attach, other, quote_id=quote.pk)

        assert statuses(other) == ("contracted", "won")


class TestWhatTheCustomerAnswered:
    def test_other_terms_are_another_offer(self):
        quote = make_quote(deal(), "accepted")

        act(quotes.revise, quote, terms="Pay double.")

        assert (state(quote), fresh(quote).answered_by) == ("modified", "")

    def test_a_later_day_is_the_same_offer(self):
        quote = make_quote(deal(), "accepted")

        act(quotes.revise, quote, service_date=NOW.date())

        assert state(quote) == "accepted"


def test_a_customer_that_changed_its_name_is_found_by_the_new_one():
    card = deal()
    papers = [make_quote(card), make_job(card), make_agreement(card)]

    customers.edit(customer_id=customer_of(card).pk, name="Zebra Tiles", actor=None, now=NOW)

    assert all("zebra tiles" in fresh(paper).search_key for paper in papers)


def test_documents_and_money_are_not_written_in_bulk():
    job = make_job(deal())
    act(jobs.take_payment, job, amount=100)

    for write in (
        lambda: Quote.objects.bulk_create([Quote(customer=job.customer, created_at=NOW)]),
        lambda: Payment.objects.update(amount=1),
        lambda: Refund.objects.update(amount=1),
        lambda: Job.objects.update(opportunity=None),
    ):
        with pytest.raises(AttributeError):
            write()


def test_a_refusal_leaves_everything_as_it_was(ann):
    card = deal(actor=ann)
    quote = make_quote(card, "converted")
    act(jobs.take_payment, Job.objects.get(quote=quote), amount=100, actor=ann)
    before = fresh(card).version

    with pytest.raises(Refused):
        act(quotes.archive, quote, detach=True, actor=ann)

    assert Opportunity.objects.get(pk=card.pk).version == before
