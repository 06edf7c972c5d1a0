"""Acceptance scenarios, section A: the deal's workflow status follows its documents.

AC028, AC029 and AC031 are about screens (the filter, the empty board, removing a stage) and are tested with them.
"""

import pytest

from opportunities import agreements, attachments, jobs, pipeline, quotes
from opportunities.models import Opportunity
from opportunities.opportunity_forms import OpportunityForm
from tests.documents import (
    LABOUR,
    PIPES,
    TOMORROW,
    act,
    another_deal_with,
    cancel_reason,
    card_of,
    deal,
    finish,
    fresh,
    job_of,
    make_agreement,
    make_job,
    make_quote,
    refused,
    reject,
    shown,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


def test_a_new_card_without_date_and_documents_is_a_prospect_ac001():
    assert statuses(deal()) == ("prospect", "none")


@pytest.mark.parametrize("field", ["workflow_status", "sales_status"])
def test_nobody_types_a_status_ac001(field):
    card = deal()

    assert field not in OpportunityForm.base_fields
    with pytest.raises(TypeError):
        pipeline.create(title="Boiler", actor=None, now=NOW, **{field: "contracted"})
    with pytest.raises(TypeError):
        pipeline.edit(opportunity_id=card.pk, actor=None, now=NOW, **{field: "contracted"})
    assert statuses(card) == ("prospect", "none")


def test_an_attached_draft_leaves_the_card_a_prospect_ac002():
    card = deal()
    quote = make_quote(card, "draft", attached=False)

    act(attachments.attach, card, quote)

    assert card_of(quote) == card.pk
    assert statuses(card) == ("prospect", "none")


def test_attaching_a_submitted_quote_begins_the_negotiation_ac004():
    card = deal()
    quote = make_quote(card, "submitted", attached=False)

    act(attachments.attach, card, quote)

    assert statuses(card) == ("negotiation", "none")


def test_a_quote_that_is_modified_and_sent_again_keeps_the_negotiation_ac005():
    card = deal()
    quote = make_quote(card, "submitted")

    act(quotes.revise, quote, lines=[LABOUR, PIPES])
    assert (state(quote), statuses(card)) == ("modified", ("negotiation", "none"))
    act(quotes.submit, quote)

    quote = fresh(quote)
    assert (str(quote.state), quote.submit_count) == ("submitted", 2)
    assert statuses(card) == ("negotiation", "none")


def test_sending_the_agreement_ends_the_negotiation_ac007():
    card = deal()
    make_quote(card, "submitted")
    agreement = make_agreement(card, "draft")
    assert statuses(card) == ("negotiation", "none")

    act(agreements.submit, agreement)

    assert statuses(card) == ("agreement", "none")


def test_a_proposal_counts_as_an_agreement_ac008():
    card = deal()
    proposal = make_agreement(card, "draft", kind="proposal")
    assert statuses(card) == ("prospect", "none")

    act(agreements.submit, proposal)

    assert statuses(card) == ("agreement", "none")


def test_an_open_job_contracts_and_wins_the_card_ac010():
    card = deal()
    job = make_job(card, attached=False)

    act(attachments.attach, card, job)

    assert statuses(card) == ("contracted", "won")


def test_converting_the_quote_contracts_and_wins_the_card_ac011():
    card = deal()
    quote = make_quote(card, "submitted")

    job = act(quotes.convert, quote)

    assert state(quote) == "converted"
    assert (job.quote_id, job.opportunity_id, str(job.state)) == (quote.pk, card.pk, "accepted")
    assert statuses(card) == ("contracted", "won")


def test_completing_the_only_job_completes_the_card_ac013():
    card = deal()
    job = make_job(card, lines=[LABOUR, PIPES])
    assert statuses(card) == ("contracted", "won")

    finish(job)

    assert statuses(card) == ("completed", "won")


def test_the_card_is_completed_only_when_every_job_is_ac014():
    card = deal()
    first, second = make_job(card), make_job(card)

    act(jobs.complete, first)
    assert statuses(card) == ("contracted", "won")
    act(jobs.complete, second)

    assert statuses(card) == ("completed", "won")


def test_reopening_the_job_brings_the_card_back_to_contracted_ac016():
    card = deal()
    job = make_job(card, "completed")

    act(jobs.reopen, job)

    assert state(job) == "modified"
    assert statuses(card) == ("contracted", "won")


def test_a_completed_card_can_be_edited_ac017():
    card = deal()
    make_job(card, "completed")

    act(pipeline.edit, card, title="Boiler and pipes", amount=900, forecast_date=TOMORROW)

    card = fresh(card)
    assert (card.title, card.amount, card.forecast_date) == ("Boiler and pipes", 900, TOMORROW)
    assert statuses(card) == ("completed", "won")


def test_attaching_a_completed_job_completes_the_card_at_once_ac019():
    card = deal()
    job = make_job(card, "completed", attached=False)

    act(attachments.attach, card, job)

    assert statuses(card) == ("completed", "won")


def test_detaching_the_only_quote_ends_the_negotiation_ac020():
    card = deal()
    quote = make_quote(card, "submitted")

    act(attachments.detach, quote)

    assert statuses(card) == ("prospect", "none")
    quote = fresh(quote)
    assert (quote.opportunity_id, str(quote.state), quote.submit_count) == (None, "submitted", 1)


def test_detaching_the_job_leaves_the_negotiation_over_the_other_quote_ac022():
    card = deal()
    make_quote(card, "submitted")
    job = act(quotes.convert, make_quote(card, "submitted"))
    assert statuses(card) == ("contracted", "won")

    act(attachments.detach, job)

    assert statuses(card) == ("negotiation", "none")


def test_a_rejected_agreement_leads_back_to_the_negotiation_and_is_a_loss_ac023():
    card = deal()
    make_quote(card, "submitted")
    agreement = make_agreement(card, "submitted")
    assert statuses(card) == ("agreement", "none")

    reject(signers(agreement)[0])

    assert shown(agreement) == "rejected"
    assert statuses(card) == ("negotiation", "lost")


def test_a_quote_of_another_card_cannot_be_attached_ac025():
    other = deal()
    card = another_deal_with(other)
    quote = make_quote(other, "submitted")

    with refused("ALREADY_ATTACHED") as refusal:
        act(attachments.attach, card, quote)

    assert other.number in str(refusal.value)
    assert card_of(quote) == other.pk
    assert (statuses(card), statuses(other)) == (("prospect", "none"), ("negotiation", "none"))


@pytest.mark.parametrize(
    ("dead", "code"), [("void", "DEAD_DOCUMENT"), ("canceled", "DEAD_DOCUMENT"), ("archived", "ARCHIVED")]
)
def test_a_dead_quote_cannot_be_attached_ac026(dead, code):
    card = deal()
    quote = make_quote(card, dead, attached=False)

    with refused(code):
        act(attachments.attach, card, quote)

    assert card_of(quote) is None
    assert statuses(card) == ("prospect", "none")


@pytest.mark.parametrize("verb", [quotes.submit, quotes.convert])
def test_a_quote_without_lines_is_neither_submitted_nor_converted_ac032(verb):
    card = deal()
    quote = make_quote(card, "incomplete")

    with refused("NO_LINES"):
        act(verb, quote)

    assert state(quote) == "incomplete"
    assert statuses(card) == ("prospect", "none")


def test_a_quote_whose_job_was_canceled_can_be_converted_again_ac034():
    card = deal()
    quote = make_quote(card, "converted")
    first = job_of(quote)
    act(jobs.cancel, first, reason_id=cancel_reason())
    assert statuses(card) == ("prospect", "lost")

    second = act(quotes.convert, quote)

    assert second.pk != first.pk
    assert (state(first), state(second)) == ("canceled", "accepted")
    assert statuses(card) == ("contracted", "won")


def test_a_signed_agreement_that_a_manager_voids_counts_as_not_attached_ac035():
    card = deal()
    agreement = make_agreement(card, "submitted")
    sign(signers(agreement)[0])
    assert statuses(card) == ("contracted", "won")

    act(agreements.void, agreement, reason_id=void_reason(), actor=UserFactory(role="manager"))

    assert statuses(card) == ("prospect", "none")
    assert Opportunity.objects.get(pk=card.pk).decided_on is None
