"""The documents on a card's page: what each row says and offers, what was detached, and how the amount comes about."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from opportunities import attached, attachments, card_documents, jobs, pipeline, quotes
from opportunities.models import BusinessSettings
from tests.documents import (
    ADA,
    BEN,
    BOILER,
    LABOUR,
    PIPES,
    TODAY,
    act,
    another_deal_with,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    pay,
    sign,
    signers,
    void_reason,
)
from tests.factories import NOW, UserFactory, starter_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def business():
    with time_machine.travel(NOW, tick=False):
        starter_rows()
        BusinessSettings.objects.filter(pk=1).update(swept_until=TODAY)
        yield BusinessSettings.current()


@pytest.fixture
def ann():
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return client


def shown(card, reader):
    card = fresh(card)
    found = attached.to_card(card)
    return card_documents.of(
        card,
        found,
        reader=reader,
        business=BusinessSettings.current(),
        now=NOW,
        closed=pipeline.closed_blocker(card),
    )


def row_of(document, reader):
    card = fresh(document).opportunity
    return next(row for row in shown(card, reader).rows if row.number == document.number)


def page(person, card):
    return signed_in(person).get(card.get_absolute_url()).text


class TestRows:
    def test_a_job_says_what_is_fulfilled_and_what_is_paid(self, ann):
        job = make_job(deal(actor=ann), lines=[PIPES, BOILER])
        act(jobs.fulfil, job.lines.get(description="Boiler"), quantity=1)
        pay(job, "1000.00")

        row = row_of(job, ann)

        assert (row.state, row.progress, row.amount) == (
            "Accepted",
            ("1 of 2 items fulfilled",),
            "$1,000 of $2,525 paid",
        )

    def test_an_agreement_says_how_many_have_signed(self, ann):
        agreement = make_agreement(deal(actor=ann), "submitted", recipients=[ADA, BEN])
        sign(signers(agreement)[0])

        assert row_of(agreement, ann).progress == ("1 of 2 signed",)

    def test_a_quote_whose_last_day_has_passed_is_marked_as_expired_beside_its_state(self, ann):
        quote = make_quote(deal(actor=ann), "submitted", valid_until=TODAY - timedelta(days=1))

        row = row_of(quote, ann)

        assert (row.state, row.expired) == ("Submitted", True)

    def test_an_archived_quote_says_so(self, ann):
        assert row_of(make_quote(deal(actor=ann), "archived"), ann).archived

    def test_the_act_that_comes_next_names_its_consequence(self, ann):
        card = deal(actor=ann)
        quote = make_quote(card, "submitted")

        main = row_of(quote, ann).main

        assert main is not None
        assert main.label == f"Convert to a job and mark {card.number} won"

    def test_an_act_that_is_refused_says_why(self, ann):
        job = make_job(deal(actor=ann))
        pay(job, "100.00")

        refusals = row_of(job, ann).refusals

        assert [(each.acts, "Refund it first" in each.message) for each in refusals] == [("Cancel, Void", True)]

    def test_a_colleague_reads_whose_card_it_is(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        make_job(card)

        text = page(UserFactory(role="salesperson"), card)

        assert "Only Ann Kowalski, whose card this is, or a manager may do that." in text
        assert reverse("opportunities:attach", args=[card.pk]) not in text

    def test_nobody_sees_the_documents_of_a_card_that_is_hidden_from_them(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        make_quote(card)
        BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)

        assert signed_in(UserFactory(role="salesperson")).get(card.get_absolute_url()).status_code == 404

    def test_the_page_and_the_panel_have_the_place_that_refusals_lead_to(self, ann):
        card = deal(actor=ann)
        client = signed_in(ann)

        assert 'id="documents"' in client.get(card.get_absolute_url()).text
        assert 'id="documents"' in client.get(card.get_absolute_url(), headers={"hx-request": "true"}).text

    def test_thirty_documents_ask_the_database_no_more_than_one_of_each(self, ann):
        few, many = deal(actor=ann), deal(actor=ann)
        for card, times in ((few, 1), (many, 10)):
            for _time in range(times):
                make_quote(card, "submitted")
                make_job(card, lines=[PIPES, LABOUR])
                make_agreement(card, "submitted")
        client = signed_in(ann)
        client.get(few.get_absolute_url())
        counts = []

        for card in (few, many):
            with CaptureQueriesContext(connection) as asked:
                assert client.get(card.get_absolute_url()).status_code == 200
            counts.append(len(asked))

        # The longer story does not reach back to the card's making, whose customers the shorter one names.
        assert counts[1] <= counts[0] <= 20


class TestNoLongerAttached:
    def test_what_was_detached_can_be_attached_again(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        quote = act(quotes.create, card.customers.get(), opportunity_id=card.pk, lines=[LABOUR], actor=ann)
        act(attachments.detach, quote, actor=ann)

        (gone,) = shown(card, ann).gone

        assert gone.number == quote.number
        assert gone.attach_url == f"/opportunities/{card.pk}/attach/?document={quote.number}"
        assert "No longer attached" in page(ann, card)

    def test_a_job_that_went_along_with_its_quote_is_listed_too(self, ann):
        card = deal()
        quote = make_quote(card, "converted")
        act(attachments.detach, quote)

        assert len(shown(card, UserFactory(role="manager")).gone) == 2

    def test_a_quote_that_was_detached_and_then_voided_stays_listed_but_cannot_come_back(self, ann):
        card = deal()
        quote = make_quote(card, "submitted")
        act(quotes.void, quote, reason_id=void_reason(), detach=True)

        (gone,) = shown(card, UserFactory(role="manager")).gone

        assert (gone.state, gone.attach_url) == ("Void", "")

    def test_what_went_to_another_card_says_where_it_is(self, ann):
        card = deal(actor=ann)
        other = another_deal_with(card)
        job = make_job(card)
        act(attachments.detach, job, to_opportunity_id=other.pk)

        (gone,) = shown(card, ann).gone

        assert (gone.elsewhere, gone.attach_url) == (other.number, "")

    def test_what_the_reader_may_not_see_is_not_listed(self, ann):
        card = deal(actor=ann)
        act(attachments.detach, make_quote(card))

        assert shown(card, ann).gone == ()

    def test_what_came_back_is_not_listed(self, ann):
        card = deal(actor=ann)
        quote = make_quote(card)
        act(attachments.detach, quote)
        act(attachments.attach, quote, opportunity_id=card.pk)

        assert shown(card, UserFactory(role="manager")).gone == ()


class TestWhy:
    def test_the_page_says_which_job_won_the_deal_with_a_link(self, ann):
        card = deal(actor=ann)
        job = make_job(card, "submitted")

        text = page(ann, card)

        assert f'Won, because job <a href="{job.get_absolute_url()}">{job.number}</a> is attached' in text
        assert "(the customer has not confirmed it)" in text
        assert 'href="#why"' in text

    def test_a_lost_deal_offers_to_detach_the_quote_that_lost_it(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        quote, other = make_quote(card, "void"), make_quote(card, "submitted")

        text = page(ann, card)

        assert f"{other.number}</a> is still open" in text
        assert reverse("opportunities:quote-detach", args=[quote.pk]) in text

    def test_the_status_picker_names_the_job(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        job = make_job(card)

        text = signed_in(ann).get(reverse("opportunities:status", args=[card.pk])).text

        assert f"Won, because job {job.number} is attached." in text

    def test_choosing_another_outcome_is_refused_with_the_document(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        job = make_job(card)
        default = starter_rows()["Inactive"]

        answer = signed_in(ann).post(reverse("opportunities:status", args=[card.pk]), {"status": default.pk})

        assert answer.status_code == 409
        assert f"because job {job.number} is attached. No other outcome" in answer.text


class TestTheAmount:
    def test_it_follows_the_documents_and_says_so(self, ann):
        card = deal(actor=ann)
        job = make_job(card, lines=[BOILER])

        assert shown(card, ann).amount_source == f"follows {job.number}"

    def test_typing_it_fixes_it_and_a_small_act_lets_it_follow_again(self, ann):
        card = deal(actor=ann, salesperson_id=ann.pk)
        make_job(card, lines=[BOILER])
        pipeline.edit(opportunity_id=card.pk, amount=Decimal(99), actor=ann, now=NOW)

        typed = shown(card, ann)
        answer = signed_in(ann).post(reverse("opportunities:follow-amount", args=[card.pk]))

        assert (typed.amount_source, typed.may_follow) == ("typed", True)
        assert answer.status_code == 302
        assert fresh(card).amount == Decimal("2400.00")

    def test_without_documents_there_is_nothing_to_follow(self, ann):
        card = deal(actor=ann, amount=Decimal(50))

        assert not shown(card, ann).may_follow
        assert shown(card, ann).amount_source == "typed"
        assert "typed" in page(ann, card)

    def test_beside_a_draft_only_it_is_still_what_was_typed(self, ann):
        card = deal(actor=ann, amount=Decimal(50))
        make_quote(card)
        assert shown(card, ann).amount_source == "typed"

    def test_after_the_documents_left_it_is_said_to_be_theirs(self, ann):
        card = deal(actor=ann)
        job = make_job(card, lines=[BOILER])
        act(attachments.detach, job)
        assert fresh(card).amount == Decimal("2400.00")
        assert shown(card, ann).amount_source == "of what was attached before"
        assert "of what was attached before" in page(ann, card)
