"""Whatever is sent to the verbs of documents: an answer in words, never an error of the database."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist, ValidationError

from opportunities import agreements, attachments, jobs, quotes
from opportunities.errors import Refused, Stale
from opportunities.models import Quote
from tests.documents import (
    ADA,
    BOILER,
    LABOUR,
    customer_of,
    deal,
    fresh,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    refused,
    signers,
)
from tests.factories import NOW

pytestmark = pytest.mark.django_db

IN_WORDS = (ValidationError, Refused, Stale, ObjectDoesNotExist)
WHO: dict[str, Any] = {"actor": None, "now": NOW}
BAD_NUMBERS = ["NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "-1", 10**30, None, "", "x", [], float("nan")]
ALMOST = [Decimal("999999999.9999"), Decimal("999999999999.999")]
HUGE = 10**30


@pytest.mark.parametrize("value", [*BAD_NUMBERS, *ALMOST], ids=repr)
@pytest.mark.parametrize("field", ["quantity", "unit_price"])
def test_no_line_is_written_with_a_number_that_is_none(field, value):
    quote = make_quote(deal())
    line = {**LABOUR, "quantity": 0, field: value} if field == "unit_price" else {**LABOUR, field: value}
    if (field, value) == ("unit_price", ALMOST[0]):
        quotes.revise(quote_id=quote.pk, lines=[line], **WHO)
        return

    with pytest.raises(IN_WORDS):
        quotes.revise(quote_id=quote.pk, lines=[line], **WHO)


@pytest.mark.parametrize("value", [*BAD_NUMBERS, 0, "0.004", ALMOST[1]], ids=repr)
def test_no_money_is_noted_that_is_no_amount(value):
    job = make_job(deal())
    payment = pay(job, "10")

    for verb, given in ((jobs.take_payment, {"job_id": job.pk}), (jobs.refund, {"payment_id": payment.pk})):
        with pytest.raises(IN_WORDS):
            verb(amount=value, **given, **WHO)


@pytest.mark.parametrize("value", [*BAD_NUMBERS, 0, "0.0004"], ids=repr)
def test_nothing_is_fulfilled_by_a_quantity_that_is_none(value):
    line = line_of(make_job(deal(), lines=[BOILER]))

    for verb in (jobs.fulfil, jobs.return_items):
        with pytest.raises(IN_WORDS):
            verb(line_id=line.pk, quantity=value, **WHO)


@pytest.mark.parametrize("value", [*BAD_NUMBERS, 101], ids=repr)
def test_no_discount_is_given_that_is_none(value):
    with pytest.raises(IN_WORDS):
        quotes.revise(quote_id=make_quote(deal()).pk, discount_percent=value, **WHO)


@pytest.mark.parametrize(
    "lines",
    [
        [LABOUR] * 201,
        [{**LABOUR, "tax_rate_id": 7}],
        [{**LABOUR, "tax_rate_id": HUGE}],
        [{**LABOUR, "id": HUGE}],
        [{**LABOUR, "id": 0}],
        [{**LABOUR, "id": -1}],
        [{**LABOUR, "kind": "gift"}],
        [{**LABOUR, "description": "\x00 "}],
        [{**LABOUR, "description": "x" * 301}],
        [{**LABOUR, "quantity": 10**8, "unit_price": 10**8}],
    ],
    ids=lambda lines: str(lines[0])[-60:],
)
def test_no_impossible_lines_are_written(lines):
    card = deal()

    with pytest.raises(IN_WORDS):
        quotes.revise(quote_id=make_quote(card).pk, lines=lines, **WHO)


def test_no_line_of_another_document_is_taken_and_none_twice():
    card = deal()
    quote, other = make_quote(card), make_quote(card)
    own, foreign = line_of(quote).pk, line_of(other).pk

    for ids in ([foreign], [own, own]):
        with pytest.raises(Stale):
            quotes.revise(quote_id=quote.pk, lines=[{**LABOUR, "id": each} for each in ids], **WHO)
    assert line_of(other).quote_id == other.pk
    assert fresh(quote).net == line_of(quote).net


def test_goods_that_are_out_do_not_become_a_service():
    job = make_job(deal(), lines=[BOILER])
    line = line_of(job)
    jobs.fulfil(line_id=line.pk, quantity=1, **WHO)

    with refused("OVER_FULFILLED"):
        jobs.revise(job_id=job.pk, lines=[{**BOILER, "kind": "service", "id": line.pk}], **WHO)


def test_sums_that_no_column_holds_are_refused_in_words():
    card = deal()
    most = {**LABOUR, "quantity": 1, "unit_price": Decimal("999999999999.99")}
    job = make_job(card, lines=[most])
    pay(job, "999999999999.99")

    with pytest.raises(ValidationError):
        jobs.take_payment(job_id=job.pk, amount=Decimal("999999999999.99"), **WHO)
    with pytest.raises(ValidationError):
        make_job(card, lines=[most])


def test_texts_lose_the_character_that_postgresql_cannot_keep():
    card = deal()
    customer_id, text = customer_of(card).pk, "a\x00b 漢字 🧾"
    quote = quotes.create(
        customer_id=customer_id, opportunity_id=card.pk, title=text, terms=text, lines=[LABOUR], **WHO
    )
    quotes.submit(quote_id=quote.pk, how=text, **WHO)
    quotes.accept(quote_id=quote.pk, name=text, **WHO)
    quotes.decline(quote_id=quote.pk, note=text, name=text, **WHO)
    job = make_job(card)
    payment = jobs.take_payment(job_id=job.pk, amount=1, note=text, **WHO)
    jobs.refund(payment_id=payment.pk, amount=1, note=text, **WHO)
    agreement = agreements.create(
        customer_id=customer_id, opportunity_id=card.pk, text=text, recipients=[{**ADA, "name": text}], **WHO
    )
    agreements.submit(agreement_id=agreement.pk, how=text, **WHO)
    agreements.respond(recipient_id=signers(agreement)[0].pk, accepted=False, name=text, note=text, **WHO)
    attachments.detach(agreement_id=agreement.pk, reason=text, **WHO)

    assert fresh(quote).title == fresh(quote).decline_note == "ab 漢字 🧾"


@pytest.mark.parametrize(
    "person",
    [
        {"name": "", "email": ""},
        {"name": "x" * 121, "email": ""},
        {"name": "Ada", "email": "no address"},
        {"name": "Ada", "email": "a" * 60 + "@" + ".".join(["b" * 60] * 4) + ".test"},
        {"name": "Ada", "email": "a\x00@"},
        {"name": "Ada", "email": "", "contact_id": 7},
        {"name": "Ada", "email": "", "contact_id": HUGE},
        {"name": "Ada", "email": "", "role": "boss"},
    ],
    ids=lambda person: str(person)[:60],
)
def test_no_impossible_recipient_is_written(person):
    with pytest.raises(IN_WORDS):
        agreements.revise(agreement_id=make_agreement(deal()).pk, recipients=[person], **WHO)


@pytest.mark.parametrize("number", [HUGE, -HUGE, 0, -1, 2**63])
def test_a_number_of_nothing_is_not_there(number):
    card = deal()
    quote = make_quote(card)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (quotes.submit, {"quote_id": number}),
        (quotes.duplicate, {"quote_id": number}),
        (quotes.duplicate, {"quote_id": quote.pk, "opportunity_id": number}),
        (quotes.create, {"customer_id": number, "opportunity_id": card.pk}),
        (quotes.create, {"customer_id": customer_of(card).pk, "opportunity_id": number}),
        (quotes.void, {"quote_id": quote.pk, "reason_id": number}),
        (jobs.confirm, {"job_id": number}),
        (jobs.fulfil, {"line_id": number, "quantity": 1}),
        (jobs.refund, {"payment_id": number, "amount": 1}),
        (jobs.settle_refund, {"refund_id": number, "succeeded": True}),
        (agreements.submit, {"agreement_id": number}),
        (agreements.respond, {"recipient_id": number, "accepted": True}),
        (attachments.attach, {"opportunity_id": number, "quote_id": quote.pk}),
        (attachments.attach, {"opportunity_id": card.pk, "job_id": number}),
        (attachments.attach, {"opportunity_id": card.pk, "quote_id": number, "add_customer": True}),
        (attachments.detach, {"quote_id": quote.pk, "to_opportunity_id": number}),
    ]

    for verb, given in calls:
        with pytest.raises(IN_WORDS):
            verb(**given, **WHO)
    assert Quote.objects.count() == 1
