"""The story of documents: on their card and by themselves, in sentences with the numbers as links."""

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from opportunities import agreements, attachments, jobs, lifecycle, quotes, sweep, timeline, timeline_documents
from opportunities.models import BusinessSettings, Opportunity
from tests.documents import (
    ADA,
    BEN,
    PIPES,
    TODAY,
    act,
    another_deal_with,
    at,
    business,
    cancel_reason,
    deal,
    job_of,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    reject,
    sign,
    signers,
    void_reason,
)
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db

SEES_OWN = BusinessSettings.SalespeopleSee.OWN


@pytest.fixture
def ann():
    business()
    return UserFactory(role="salesperson", first_name="Ann", last_name="Kowalski")


@pytest.fixture
def card(ann):
    return deal(title="Boiler", salesperson_id=ann.pk)


def story(card, reader, *, now=NOW) -> timeline.Timeline:
    card = Opportunity.objects.select_related("salesperson").get(pk=card.pk)
    return timeline.of(card, reader=reader, business=BusinessSettings.current(), now=now)


def latest(card, reader, *, now=NOW) -> timeline.Entry:
    return story(card, reader, now=now).entries[0]


def said(card, reader) -> str:
    return strip_tags(latest(card, reader).sentence)


def own_story(document, reader) -> list[str]:
    document.refresh_from_db()
    found = timeline.of_document(document, reader=reader, business=BusinessSettings.current(), now=NOW)
    return [strip_tags(entry.sentence) for entry in found.entries]


def test_a_quote_is_named_by_a_link_to_it(card, ann):
    quote = make_quote(card)

    assert latest(card, ann).sentence == f'<a href="/quotes/{quote.pk}/">{quote.number}</a> was made'


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("link", "was submitted, by private link"),
        ("by_hand", "was submitted, handed over"),
        ("", "was submitted"),
    ],
)
def test_it_says_how_a_quote_reached_the_customer(how, words, card, ann):
    quote = make_quote(card)

    act(quotes.submit, quote, how=how)

    entry = latest(card, ann)
    assert strip_tags(entry.sentence) == f"{quote.number} {words}"
    assert [(each.before, each.after) for each in entry.statuses] == [("Prospect", "Negotiation")]


def test_a_quote_that_goes_out_twice_was_submitted_again(card, ann):
    quote = make_quote(card, "submitted")

    act(quotes.submit, quote, how="link")

    assert said(card, ann) == f"{quote.number} was submitted again, by private link"


def test_a_decline_tells_both_statuses_and_the_customers_words(card, ann):
    quote = make_quote(card, "submitted")

    act(quotes.decline, quote, note="Too dear <for us>")

    entry = latest(card, ann)
    assert "was declined by the customer: Too dear &lt;for us&gt;" in entry.sentence
    assert [(each.before, each.after) for each in entry.statuses] == [("Negotiation", "Prospect"), ("Open", "Lost")]
    assert entry.tone == "bad"


def test_a_changed_price_is_told_with_the_amounts_of_before_and_after(card, ann):
    quote = make_quote(card)

    act(quotes.revise, quote, lines=[PIPES])

    entry = latest(card, ann)
    assert strip_tags(entry.sentence) == f"{quote.number} was changed: total"
    assert "Total: $320.00 → $125.00" in [text.replace("€", "$") for text in entry.details]


def test_a_conversion_names_the_job_and_the_offers_that_left(card, ann):
    other = make_quote(card, "submitted")
    quote = make_quote(card, "submitted")

    act(quotes.convert, quote, detach_others=True)

    entry = latest(card, ann)
    assert strip_tags(entry.sentence) == f"{quote.number} became job {job_of(quote).number}"
    assert [strip_tags(detail) for detail in entry.details] == [f"{other.number} left the card"]
    assert entry.tone == "good"


def test_money_and_goods_of_a_job_are_told_in_figures(card, ann):
    job = make_job(card, lines=[PIPES])
    act(jobs.fulfil, line_of(job), quantity=4)
    assert said(card, ann) == f"{job.number}: 4 of “Copper pipe” fulfilled"
    payment = pay(job, "1250.00")
    assert re.fullmatch(rf"{job.number}: \S?1,250\.00 were paid", said(card, ann))
    act(jobs.take_payment, job, amount=Decimal(10), settled=False)
    assert said(card, ann).endswith("10.00 are on their way")
    pay_back(payment, "50")
    assert said(card, ann).endswith("50.00 were given back")


def test_a_signature_says_whether_it_was_the_last(card, ann):
    agreement = make_agreement(card, "submitted", recipients=(ADA, BEN))
    ada, ben = signers(agreement)

    sign(ada)
    assert said(card, ann) == f"Ada Lowell signed {agreement.number}"
    sign(ben)
    assert said(card, ann) == f"Ben Ortiz signed {agreement.number}, the last signature that was missing"


def test_a_rejection_names_who_rejected(card, ann):
    agreement = make_agreement(card, "submitted")

    reject(signers(agreement)[0])

    assert said(card, ann) == f"Ada Lowell rejected {agreement.number}"


def test_an_agreement_that_ran_out_was_told_by_the_clock(card, ann):
    agreement = make_agreement(card, "submitted", valid_until=TODAY)

    sweep.run(at(1))

    entry = latest(card, ann, now=at(1))
    assert strip_tags(entry.sentence) == f"{agreement.number} expired: not everybody had signed in time"
    assert entry.by == "nightly run"


def test_a_voided_document_says_why(card, ann):
    quote = make_quote(card)

    act(quotes.void, quote, reason_id=void_reason())

    assert re.fullmatch(rf"{quote.number} was voided: .+", said(card, ann))


@pytest.mark.parametrize(("archive", "words"), [(False, "Canceled: "), (True, "Canceled and archived: ")])
def test_a_canceled_card_says_why_and_whether_it_was_put_away(archive, words, card, ann):
    act(lifecycle.cancel, card, reason_id=cancel_reason(), archive=archive, note="They called.")

    entry = latest(card, ann)
    assert entry.sentence.startswith(words)
    assert "They called." in entry.details


def test_offers_that_lapse_are_told(ann):
    late = deal(title="Late", salesperson_id=ann.pk, forecast_date=TODAY)
    make_quote(late, "submitted", valid_until=at(3).date())

    sweep.run(at(1))
    sweep.run(at(4))

    entry = latest(late, ann, now=at(4))
    assert entry.sentence == "The last days of everything that was offered have passed"
    assert entry.tone == "bad"


def test_a_move_to_another_card_is_told_on_both(card, ann):
    other = another_deal_with(card, salesperson_id=ann.pk)
    quote = make_quote(card)

    act(attachments.detach, quote_id=quote.pk, to_opportunity_id=other.pk)

    assert said(card, ann) == f"{quote.number} was moved to {other.number}"
    assert said(other, ann) == f"{quote.number} came from {card.number}"
    assert own_story(quote, ann) == [
        f"{quote.number} was moved from {card.number} to {other.number}",
        f"{quote.number} was made",
    ]


def test_a_card_that_the_reader_may_not_see_stays_unnamed(card, ann):
    BusinessSettings.objects.update(salespeople_see=SEES_OWN)
    secret = another_deal_with(card, salesperson_id=UserFactory(role="salesperson").pk)
    quote = make_quote(card)

    act(attachments.detach, quote_id=quote.pk, to_opportunity_id=secret.pk)

    entry = latest(card, ann)
    assert entry.sentence == f"{quote.number} was moved to another card"
    assert secret.number not in entry.sentence
    assert "<a" not in entry.sentence


def test_what_happened_on_a_hidden_card_is_no_part_of_a_documents_story(card, ann):
    BusinessSettings.objects.update(salespeople_see=SEES_OWN)
    secret = another_deal_with(card, salesperson_id=UserFactory(role="salesperson").pk)
    quote = make_quote(secret)
    act(quotes.submit, quote)
    act(attachments.detach, quote_id=quote.pk, to_opportunity_id=card.pk)

    assert own_story(quote, ann) == [f"{quote.number} was moved from another card to {card.number}"]


def test_an_act_that_took_the_document_off_its_card_is_told_once(card, ann):
    quote = make_quote(card, "submitted")

    act(quotes.void, quote, reason_id=void_reason(), detach=True)

    told = own_story(quote, UserFactory(role="manager"))
    assert len(told) == 3
    assert told[0].startswith(f"{quote.number} was voided")


def test_a_job_begins_with_the_quote_that_it_was_made_of(card, ann):
    quote = make_quote(card, "converted")
    job = job_of(quote)

    assert own_story(job, ann) == [f"{quote.number} became job {job.number}"]


def test_a_copy_begins_with_the_agreement_that_it_replaces(card, ann):
    agreement = make_agreement(card, "submitted")
    copy = act(agreements.replace, agreement)

    assert own_story(copy, ann) == [f"{agreement.number} was replaced by {copy.number}"]


def test_nothing_about_documents_can_be_undone(card, ann):
    make_quote(card, "accepted")

    assert not any(entry.undoable for entry in story(card, ann).entries[:3])


@pytest.mark.parametrize("more", [0, 5])
def test_a_story_of_documents_takes_a_fixed_number_of_statements(more, card, ann):
    quote = make_quote(card, "converted")
    make_agreement(card)
    for _time in range(more):
        make_quote(card, "submitted")
        pay(job_of(quote), "10")
    row = Opportunity.objects.select_related("salesperson").get(pk=card.pk)
    shop = BusinessSettings.current()

    with CaptureQueriesContext(connection) as statements:
        timeline.of(row, reader=ann, business=shop, now=NOW)
    with CaptureQueriesContext(connection) as own:
        timeline.of_document(job_of(quote), reader=ann, business=shop, now=NOW)

    assert (len(statements), len(own)) == (7, 5)


def test_every_kind_that_a_verb_writes_has_a_sentence():
    """Looks for the words of kinds in the verbs themselves, so that a new one is not forgotten."""
    kinds = set()
    for name in ("quotes", "jobs", "agreements", "attachments"):
        tree = ast.parse(Path(f"opportunities/{name}.py").read_text())
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        kinds |= {
            text
            for text in texts
            if re.fullmatch(r"(quote|job|agreement|item|payment|refund|recipient|link)_[a-z]+(ed|en|ade|gned)", text)
        }

    assert len(kinds) > 25
    assert kinds <= set(timeline_documents.SENTENCES)
