"""How many statements each document verb needs: bounded, and the same with one and with thirty documents."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from opportunities import agreements, attachments, jobs, lifecycle, quotes
from opportunities.models import Opportunity
from tests.documents import (
    ADA,
    BOILER,
    LABOUR,
    MORE_LABOUR,
    another_deal_with,
    cancel_reason,
    customer_of,
    deal,
    finish,
    fresh,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    signers,
    void_reason,
)
from tests.factories import NOW

pytestmark = pytest.mark.django_db

type Ready = Callable[[], Any]


def _of_quote(verb: Callable[..., Any], to: str = "submitted", **given: Any) -> Callable[[Opportunity], Ready]:
    def prepare(card: Opportunity) -> Ready:
        quote = make_quote(card, to)
        values = {name: value() if callable(value) else value for name, value in given.items()}
        return lambda: verb(quote_id=quote.pk, actor=None, now=NOW, **values)

    return prepare


def _of_job(verb: Callable[..., Any], to: str = "accepted", **given: Any) -> Callable[[Opportunity], Ready]:
    def prepare(card: Opportunity) -> Ready:
        job = make_job(card, to)
        values = {name: value() if callable(value) else value for name, value in given.items()}
        return lambda: verb(job_id=job.pk, actor=None, now=NOW, **values)

    return prepare


def _of_agreement(verb: Callable[..., Any], to: str = "submitted", **given: Any) -> Callable[[Opportunity], Ready]:
    def prepare(card: Opportunity) -> Ready:
        agreement = make_agreement(card, to)
        values = {name: value() if callable(value) else value for name, value in given.items()}
        return lambda: verb(agreement_id=agreement.pk, actor=None, now=NOW, **values)

    return prepare


def _create(verb: Callable[..., Any], **given: Any) -> Callable[[Opportunity], Ready]:
    def prepare(card: Opportunity) -> Ready:
        customer_id = customer_of(card).pk
        return lambda: verb(customer_id=customer_id, opportunity_id=card.pk, actor=None, now=NOW, **given)

    return prepare


def _fulfil(card: Opportunity) -> Ready:
    line_id = line_of(make_job(card, lines=[BOILER])).pk
    return lambda: jobs.fulfil(line_id=line_id, quantity=1, actor=None, now=NOW)


def _return(card: Opportunity) -> Ready:
    line_id = line_of(finish(make_job(card, lines=[BOILER]))).pk
    return lambda: jobs.return_items(line_id=line_id, quantity=1, actor=None, now=NOW)


def _refund(card: Opportunity) -> Ready:
    payment_id = pay(make_job(card), "10").pk
    return lambda: jobs.refund(payment_id=payment_id, amount=Decimal(10), actor=None, now=NOW)


def _answer(card: Opportunity) -> Ready:
    recipient_id = signers(make_agreement(card, "submitted"))[0].pk
    return lambda: agreements.respond(recipient_id=recipient_id, accepted=True, name="Ada", actor=None, now=NOW)


def _attach(card: Opportunity) -> Ready:
    quote_id = make_quote(card, "submitted", attached=False).pk
    return lambda: attachments.attach(opportunity_id=card.pk, quote_id=quote_id, actor=None, now=NOW)


def _detach(card: Opportunity) -> Ready:
    quote_id = make_quote(card, "submitted").pk
    return lambda: attachments.detach(quote_id=quote_id, actor=None, now=NOW)


def _reattach(card: Opportunity) -> Ready:
    quote_id, other = make_quote(card, "submitted").pk, another_deal_with(card)
    return lambda: attachments.detach(quote_id=quote_id, to_opportunity_id=other.pk, actor=None, now=NOW)


AT_MOST: dict[str, tuple[Callable[[Opportunity], Ready], int]] = {
    "quotes.create": (_create(quotes.create, lines=[LABOUR]), 22),
    "quotes.submit": (_of_quote(quotes.submit), 14),
    "quotes.revise": (_of_quote(quotes.revise, lines=[MORE_LABOUR]), 18),
    "quotes.accept": (_of_quote(quotes.accept), 14),
    "quotes.decline": (_of_quote(quotes.decline), 14),
    "quotes.void": (_of_quote(quotes.void, reason_id=void_reason), 14),
    "quotes.cancel": (_of_quote(quotes.cancel, reason_id=cancel_reason), 14),
    "quotes.archive": (_of_quote(quotes.archive), 14),
    "quotes.unarchive": (_of_quote(quotes.unarchive, "archived"), 14),
    "quotes.convert": (_of_quote(quotes.convert), 20),
    "quotes.duplicate": (_of_quote(quotes.duplicate), 26),
    "jobs.create": (_create(jobs.create, lines=[LABOUR]), 20),
    "jobs.confirm": (_of_job(jobs.confirm, "submitted"), 14),
    "jobs.revise": (_of_job(jobs.revise, lines=[MORE_LABOUR]), 18),
    "jobs.complete": (_of_job(jobs.complete), 14),
    "jobs.reopen": (_of_job(jobs.reopen, "completed"), 14),
    "jobs.void": (_of_job(jobs.void, reason_id=void_reason), 15),
    "jobs.cancel": (_of_job(jobs.cancel, reason_id=cancel_reason), 15),
    "jobs.fulfil": (_fulfil, 16),
    "jobs.return_items": (_return, 16),
    "jobs.take_payment": (_of_job(jobs.take_payment, amount=Decimal(10)), 16),
    "jobs.refund": (_refund, 18),
    "agreements.create": (_create(agreements.create, recipients=[ADA], text="x", lines=[LABOUR]), 24),
    "agreements.submit": (_of_agreement(agreements.submit, "draft"), 16),
    "agreements.withdraw": (_of_agreement(agreements.withdraw), 16),
    "agreements.replace": (_of_agreement(agreements.replace), 28),
    "agreements.void": (_of_agreement(agreements.void, reason_id=void_reason), 17),
    "agreements.respond": (_answer, 17),
    "attachments.attach": (_attach, 14),
    "attachments.detach": (_detach, 15),
    "attachments.detach to another card": (_reattach, 17),
}


def statements(ready: Ready) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        ready()
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for query in found)


def crowded(of_each_kind: int) -> Opportunity:
    """A card with so many documents of each kind."""
    card = deal()
    for _each in range(of_each_kind):
        make_quote(card, "submitted")
        make_job(card)
        make_agreement(card, "submitted")
    return fresh(card)


@pytest.fixture(scope="module")
def crowds(django_db_setup, django_db_blocker) -> Iterator[tuple[Opportunity, Opportunity]]:
    """A card with one document of each kind and one with ten, made once for all verbs."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield crowded(1), crowded(10)
        transaction.set_rollback(True)


@pytest.mark.parametrize("verb", AT_MOST)
def test_a_verb_needs_few_statements_whatever_the_number_of_documents(verb, crowds):
    prepare, at_most = AT_MOST[verb]

    few, many = (statements(prepare(fresh(card))) for card in crowds)

    assert few == many
    assert few <= at_most


def test_voiding_a_card_reads_its_documents_at_once():
    def needed(number: int) -> int:
        card = deal()
        for _each in range(number):
            make_agreement(card, "void")
            make_quote(card, "void")
        reason_id = void_reason()
        return statements(lambda: lifecycle.void(opportunity_id=card.pk, reason_id=reason_id, actor=None, now=NOW))

    assert needed(1) == needed(15)
