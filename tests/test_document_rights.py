"""Who may do what with whose document (D40): allowed, refused with who may, or not even there."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist

from opportunities import agreements, attachments, jobs, quotes
from opportunities.errors import NotAllowed
from opportunities.models import BusinessSettings
from tests.documents import BOILER, LABOUR, another_deal_with, customer_of, deal, line_of, pay, signers, void_reason
from tests.documents import make_agreement as agreement_on
from tests.documents import make_job as job_on
from tests.documents import make_quote as quote_on
from tests.factories import NOW, UserFactory
from tests.test_verbs_properties import rows

pytestmark = pytest.mark.django_db

ON_ANY_VISIBLE = {"submit quote", "revise quote", "void quote", "decline quote", "archive quote", "duplicate quote"}
OF_MANAGERS = {"refund", "void accepted agreement"}
VERBS = sorted(
    ON_ANY_VISIBLE
    | OF_MANAGERS
    | {"convert", "revise job", "fulfil", "take payment", "void job", "submit agreement", "answer", "void agreement"}
    | {"detach", "reattach"}
)


def prepare(verb: str, card: Any) -> tuple[Any, dict[str, Any]]:  # noqa: C901 - a table of verbs
    """Return the verb and what it needs, made ready by the system on this card."""
    if verb in {"submit quote", "revise quote", "void quote", "decline quote", "archive quote", "duplicate quote"}:
        given: dict[str, Any] = {"quote_id": quote_on(card).pk}
        name = verb.split()[0]
        more: dict[str, dict[str, Any]] = {"revise": {"title": "New"}, "void": {"reason_id": void_reason()}}
        given |= more.get(name, {})
        return getattr(quotes, name), given
    if verb == "convert":
        return quotes.convert, {"quote_id": quote_on(card).pk}
    if verb in {"detach", "reattach"}:
        to = {"to_opportunity_id": another_deal_with(card).pk} if verb == "reattach" else {}
        return attachments.detach, {"quote_id": quote_on(card).pk, **to}
    if verb in {"submit agreement", "answer", "void agreement", "void accepted agreement"}:
        if verb == "submit agreement":
            return agreements.submit, {"agreement_id": agreement_on(card).pk}
        agreement = agreement_on(card, "accepted" if "accepted" in verb else "submitted")
        if verb == "answer":
            return agreements.respond, {"recipient_id": signers(agreement)[0].pk, "accepted": True, "name": "Ada"}
        return agreements.void, {"agreement_id": agreement.pk, "reason_id": void_reason()}
    job = job_on(card, lines=[BOILER, LABOUR])
    match verb:
        case "revise job":
            return jobs.revise, {"job_id": job.pk, "title": "New"}
        case "fulfil":
            return jobs.fulfil, {"line_id": line_of(job, "Boiler").pk, "quantity": 1}
        case "take payment":
            return jobs.take_payment, {"job_id": job.pk, "amount": Decimal(10)}
        case "refund":
            return jobs.refund, {"payment_id": pay(job, "10").pk, "amount": Decimal(10)}
    return jobs.void, {"job_id": job.pk, "reason_id": void_reason()}


def expected(verb: str, role: str, whose: str) -> str:
    """The table of D40, in words; salespeople see all cards."""
    if role == "":
        return "not there"
    if role in {"manager", "admin"} or (verb in ON_ANY_VISIBLE and verb not in OF_MANAGERS):
        return "allowed"
    if verb in OF_MANAGERS:
        return "not allowed"
    return "allowed" if whose in {"own", "unassigned"} else "not allowed"


def attempt(verb: Any, given: dict[str, Any], person: Any) -> str:
    before = rows()
    try:
        verb(actor=person, now=NOW, **given)
    except NotAllowed:
        assert rows() == before
        return "not allowed"
    except ObjectDoesNotExist:
        assert rows() == before
        return "not there"
    assert rows() != before
    return "allowed"


@pytest.mark.parametrize("role", ["", "salesperson", "manager", "admin"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_document_on_a_card_obeys_whoever_may_act_on_the_card(verb, role):
    person, colleague = UserFactory(role=role), UserFactory()
    found = {}
    for whose, owner in (("own", person), ("unassigned", None), ("somebody else's", colleague)):
        card = deal(salesperson_id=None)
        act, given = prepare(verb, card)
        for each in {card, *customer_of(card).opportunities.all()}:
            each.salesperson = owner
            each.save(update_fields=["salesperson"])
        found[whose] = attempt(act, given, person)

    assert found == {whose: expected(verb, role, whose) for whose in found}


@pytest.mark.parametrize("sees", ["own", "own_and_unassigned"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_document_on_a_hidden_card_is_not_there(verb, sees):
    person, colleague = UserFactory(), UserFactory()
    card = deal()
    act, given = prepare(verb, card)
    for each in customer_of(card).opportunities.all():
        each.salesperson = colleague
        each.save(update_fields=["salesperson"])
    BusinessSettings.objects.update(salespeople_see=sees)

    assert attempt(act, given, person) == "not there"


@pytest.mark.parametrize("role", ["salesperson", "manager", "admin"])
@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("verb", ["submit", "revise", "convert"])
def test_a_document_on_no_card_obeys_its_maker_and_managers(role, mine, verb):
    person, colleague = UserFactory(role=role), UserFactory()
    quote = quote_on(deal(), attached=False)
    quote.created_by = person if mine else colleague
    quote.save(update_fields=["created_by"])
    given = {"quote_id": quote.pk, **({"title": "New"} if verb == "revise" else {})}

    found = attempt(getattr(quotes, verb), given, person)

    assert found == ("allowed" if mine or role != "salesperson" else "not there")


@pytest.mark.parametrize("role", ["salesperson", "manager"])
def test_only_a_manager_leaves_money_on_no_card(role):
    person = UserFactory(role=role)
    job = job_on(deal(salesperson_id=person.pk))
    pay(job, "10")

    if role == "manager":
        attachments.detach(job_id=job.pk, reason="Wrong deal", actor=person, now=NOW)
    else:
        with pytest.raises(Exception, match="name the card"):
            attachments.detach(job_id=job.pk, reason="Wrong deal", actor=person, now=NOW)
