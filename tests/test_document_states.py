"""Every step of every state, against tables written from lifecycle.md 3.3 and 5; and that nothing else changes one."""

from typing import Any

import pytest
from django.forms import modelform_factory
from django_fsm import TransitionNotAllowed, can_proceed

from opportunities.models import Agreement, Job, Opportunity, Payment, Quote, Recipient, Refund
from opportunities.workflow import WorkflowStatus
from tests.documents import deal, fresh, make_agreement, make_job, make_quote, pay, pay_back, signers

ALIVE = "incomplete draft submitted modified accepted converted"
OPEN = "submitted accepted modified"

# model -> transition -> (states it may leave, state it leads to)
TABLE: dict[type[Any], dict[str, tuple[str, str]]] = {
    Quote: {
        "complete": ("incomplete", "draft"),
        "empty": ("draft", "incomplete"),
        "submit": ("draft modified submitted", "submitted"),
        "modify": ("submitted accepted", "modified"),
        "accept": ("submitted", "accepted"),
        "convert": ("draft submitted modified accepted converted", "converted"),
        "void": (ALIVE, "void"),
        "cancel": (ALIVE, "canceled"),
    },
    Job: {
        "confirm": ("submitted", "accepted"),
        "modify": (f"{OPEN} completed", "modified"),
        "complete": (OPEN, "completed"),
        "reopen": ("completed", "modified"),
        "void": (OPEN, "void"),
        "cancel": (OPEN, "canceled"),
    },
    Agreement: {
        "complete": ("incomplete", "draft"),
        "empty": ("draft", "incomplete"),
        "submit": ("draft", "submitted"),
        "withdraw": ("submitted", "canceled"),
        "cancel": ("incomplete draft", "canceled"),
        "void": ("incomplete draft submitted canceled", "void"),
    },
    Recipient: {
        "send": ("pending sent viewed", "sent"),
        "view": ("sent viewed", "viewed"),
        "accept": ("sent viewed", "accepted"),
        "reject": ("sent viewed", "rejected"),
        "expire": ("pending sent viewed", "expired"),
        "cancel": ("pending sent viewed", "canceled"),
    },
    Payment: {
        "succeed": ("pending", "succeeded"),
        "fail": ("pending", "failed"),
        "void": ("succeeded", "voided"),
    },
    Refund: {"succeed": ("pending", "succeeded"), "fail": ("pending", "failed")},
}
LIVE = "prospect negotiation agreement contracted completed"
CARD = {
    "expire": ("prospect negotiation agreement contracted", "expired"),
    "void": (f"{LIVE} expired", "void"),
    "cancel": (f"{LIVE} expired", "canceled"),
}

PAIRS = [
    (model, state, name)
    for model, steps in TABLE.items()
    for state, _label in model._meta.get_field("state").choices
    for name in steps
]


@pytest.mark.parametrize(("model", "state", "name"), PAIRS)
def test_a_document_takes_exactly_the_steps_of_its_table(model, state, name):
    sources, target = TABLE[model][name]
    row = model(state=state)

    if state in sources.split():
        assert can_proceed(getattr(row, name))
        getattr(row, name)()
        assert str(row.state) == target
    else:
        with pytest.raises(TransitionNotAllowed):
            getattr(row, name)()
        assert str(row.state) == state


@pytest.mark.parametrize("model", TABLE)
def test_no_document_has_a_step_beside_its_table(model):
    assert {each.name for each in model._meta.get_field("state").get_all_transitions(model)} == set(TABLE[model])


@pytest.mark.parametrize("status", [each.value for each in WorkflowStatus])
@pytest.mark.parametrize("name", ["progress", "expire", "revive", "void", "cancel"])
def test_a_card_takes_exactly_the_steps_of_the_specification(status, name):
    for target in LIVE.split():
        card = Opportunity(workflow_status=status)
        given = (WorkflowStatus(target),) if name in {"progress", "revive"} else ()
        sources, leads_to = {
            "progress": (LIVE, target),
            "revive": ("expired", target),
        }.get(name) or CARD[name]
        if status in sources.split():
            getattr(card, name)(*given)
            assert str(card.workflow_status) == leads_to
        else:
            with pytest.raises(TransitionNotAllowed):
                getattr(card, name)(*given)
            assert str(card.workflow_status) == status


def test_no_card_has_a_step_beside_them():
    field = Opportunity._meta.get_field("workflow_status")
    names = {each.name for each in field.get_all_transitions(Opportunity)}

    assert names == {"progress", "expire", "revive", "void", "cancel"}


@pytest.fixture
def stateful(db) -> dict[type[Any], Any]:
    """One row of each kind that has a state."""
    card = deal()
    agreement = make_agreement(card)
    payment = pay(make_job(card), "100")
    made = [card, make_quote(card), payment.job, agreement, signers(agreement)[0], payment, pay_back(payment, "1")]
    return {type(row): fresh(row) for row in made}


STATEFUL = [Opportunity, Quote, Job, Agreement, Recipient, Payment, Refund]
OTHER = {
    Opportunity: "void",
    Quote: "void",
    Job: "completed",
    Agreement: "submitted",
    Recipient: "accepted",
    Payment: "voided",
    Refund: "failed",
}


def field_of(model: type[Any]) -> str:
    return "workflow_status" if model is Opportunity else "state"


@pytest.mark.parametrize("model", STATEFUL)
@pytest.mark.parametrize(
    "way", ["assignment", "update", "bulk_update", "bulk_create", "update_or_create", "get_or_create_then_update"]
)
def test_no_state_changes_in_another_way_than_by_its_steps(stateful, model, way):
    row, name, other = stateful[model], field_of(model), OTHER[model]
    before = str(getattr(row, name))
    rows = model.objects

    with pytest.raises(AttributeError):
        if way == "assignment":
            setattr(row, name, other)
        elif way == "update":
            rows.filter(pk=row.pk).update(**{name: other})
        elif way == "bulk_update":
            rows.bulk_update([row], [name])
        elif way == "bulk_create":
            rows.bulk_create([model(**{name: other})])
        elif way == "update_or_create":
            rows.update_or_create(pk=row.pk, defaults={name: other})
        else:
            rows.filter(pk=row.pk).update(**{name: before, "pk": row.pk})

    assert str(getattr(fresh(row), name)) == before


@pytest.mark.parametrize("model", STATEFUL)
def test_no_form_of_a_row_changes_its_state(stateful, model):
    row, name = stateful[model], field_of(model)
    form_class = modelform_factory(model, fields="__all__")

    assert name not in form_class.base_fields or model is Opportunity
    if model is not Opportunity:
        before = str(getattr(row, name))
        form_class({name: OTHER[model]}, instance=row).is_valid()
        assert str(getattr(row, name)) == before


@pytest.mark.parametrize("model", [Quote, Job, Agreement])
@pytest.mark.parametrize("field", ["opportunity", "closed_at"])
def test_no_bulk_write_moves_or_ends_a_document(stateful, model, field):
    with pytest.raises(AttributeError):
        model.objects.filter(pk=stateful[model].pk).update(**{field: None})
