"""A closed card is final on every path; closing is all or nothing; and no step leads out of Void or Canceled."""

import inspect
import re
import uuid
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse
from django_fsm import TransitionNotAllowed

from opportunities import activity, agreements, attachments, bulk, jobs, lifecycle, pipeline, quotes, workflow
from opportunities.errors import Refused
from opportunities.lifecycle import VoidFirst
from opportunities.models import (
    ActionItem,
    Agreement,
    BulkAct,
    BusinessSettings,
    Event,
    Job,
    Note,
    Opportunity,
    OpportunityStatus,
    Quote,
)
from opportunities.workflow import ClosedKind, WorkflowStatus
from tests.documents import (
    ADA,
    LABOUR,
    TODAY,
    act,
    another_deal_with,
    cancel_reason,
    customer_of,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    refused,
    shown,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, BoardFactory, ContactFactory, ReasonFactory, StageFactory, UserFactory, starter_rows

pytestmark = pytest.mark.django_db

MODULES = (quotes, jobs, agreements, attachments, pipeline, activity)


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


# 0. The state machine

STEPS: dict[str, tuple[Any, ...]] = {
    "progress": (WorkflowStatus.NEGOTIATION,),
    "expire": (),
    "revive": (WorkflowStatus.NEGOTIATION,),
    "void": (),
    "cancel": (),
}


def transitions():
    field = Opportunity._meta.get_field("workflow_status")
    return {found.method.__name__: found for found in field.get_all_transitions(Opportunity)}


def test_these_are_all_steps_of_the_workflow_status():
    assert transitions().keys() == STEPS.keys()


@pytest.mark.parametrize("status", WorkflowStatus)
@pytest.mark.parametrize("step", STEPS)
def test_every_pair_of_status_and_step(status, step):
    may = {
        "progress": workflow.LIVE,
        "expire": workflow.CAN_EXPIRE,
        "revive": {WorkflowStatus.EXPIRED},
        "void": set(WorkflowStatus) - set(workflow.CLOSED),
        "cancel": set(WorkflowStatus) - set(workflow.CLOSED),
    }[step]
    card = Opportunity(workflow_status=status.value)

    if status in may:
        getattr(card, step)(*STEPS[step])
        assert str(card.workflow_status) in {"negotiation", "expired", "void", "canceled"}
    else:
        with pytest.raises(TransitionNotAllowed):
            getattr(card, step)(*STEPS[step])
        assert str(card.workflow_status) == status.value


# 3. Read-only on every path


@pytest.fixture(params=["void", "canceled"])
def closed(request, rows):
    """A closed card with a document of each kind, and everything that a verb might be about."""
    card = deal()
    loose = make_quote(card, attached=False)
    quote = make_quote(card, "submitted", recipients=[{"name": "Ada", "email": "ada@example.test"}])
    job = make_job(card)
    back = pay_back(pay(job, "10"), "10")
    agreement = make_agreement(card, recipients=[ADA])
    open_item = act(activity.add_action, card, text="Call", due_on=TODAY)
    done_item = act(activity.finish_action, SimpleAction(act(activity.add_action, card, text="Write", due_on=TODAY)))
    event = act(pipeline.edit, card, title="Renamed").last_event
    if request.param == "void":
        act(lifecycle.void, card, reason_id=void_reason())
    else:
        act(lifecycle.cancel, card, reason_id=cancel_reason())
    return SimpleNamespace(
        card=card,
        loose=loose,
        quote=quote,
        job=job,
        agreement=agreement,
        recipient=quote.recipients.get(),
        signer=signers(agreement)[0],
        line=job.lines.get(),
        payment=back.payment,
        refund=back,
        open_item=open_item,
        done_item=done_item,
        event=event,
        other=another_deal_with(card),
    )


class SimpleAction:
    """Lets `act` name an action item as verbs do."""

    def __init__(self, item: ActionItem) -> None:
        self.pk = item.pk


SimpleAction.__name__ = "action"

ON_QUOTE = ("accept", "archive", "convert", "decline", "submit", "unarchive")
ON_JOB = ("complete", "confirm", "reopen")
VERBS: dict[str, Any] = {
    **{f"quotes.{verb}": lambda w: {"quote_id": w.quote.pk} for verb in ON_QUOTE},
    "quotes.void": lambda w: {"quote_id": w.quote.pk, "reason_id": void_reason()},
    "quotes.cancel": lambda w: {"quote_id": w.quote.pk, "reason_id": cancel_reason()},
    "quotes.create": lambda w: {"customer_id": customer_of(w.card).pk, "opportunity_id": w.card.pk},
    "quotes.duplicate": lambda w: {"quote_id": w.quote.pk, "opportunity_id": w.card.pk},
    "quotes.renew_link": lambda w: {"recipient_id": w.recipient.pk},
    "quotes.revise": lambda w: {"quote_id": w.quote.pk, "title": "x"},
    **{f"jobs.{verb}": lambda w: {"job_id": w.job.pk} for verb in ON_JOB},
    "jobs.void": lambda w: {"job_id": w.job.pk, "reason_id": void_reason()},
    "jobs.cancel": lambda w: {"job_id": w.job.pk, "reason_id": cancel_reason()},
    "jobs.create": lambda w: {"customer_id": customer_of(w.card).pk, "opportunity_id": w.card.pk},
    "jobs.fulfil": lambda w: {"line_id": w.line.pk, "quantity": 1},
    "jobs.return_items": lambda w: {"line_id": w.line.pk, "quantity": 1},
    "jobs.revise": lambda w: {"job_id": w.job.pk, "lines": [LABOUR, LABOUR]},
    "jobs.take_payment": lambda w: {"job_id": w.job.pk, "amount": Decimal(1)},
    "jobs.settle_payment": lambda w: {"payment_id": w.payment.pk, "succeeded": True},
    "jobs.void_payment": lambda w: {"payment_id": w.payment.pk},
    "jobs.refund": lambda w: {"payment_id": w.payment.pk, "amount": Decimal(1)},
    "jobs.settle_refund": lambda w: {"refund_id": w.refund.pk, "succeeded": True},
    **{f"agreements.{verb}": lambda w: {"agreement_id": w.agreement.pk} for verb in ("submit", "replace", "withdraw")},
    "agreements.create": lambda w: {"customer_id": customer_of(w.card).pk, "opportunity_id": w.card.pk},
    "agreements.revise": lambda w: {"agreement_id": w.agreement.pk, "text": "x"},
    "agreements.void": lambda w: {"agreement_id": w.agreement.pk, "reason_id": void_reason()},
    "agreements.respond": lambda w: {"recipient_id": w.signer.pk, "accepted": True},
    "agreements.cancel_recipient": lambda w: {"recipient_id": w.signer.pk},
    "agreements.renew_link": lambda w: {"recipient_id": w.signer.pk},
    "agreements.readdress": lambda w: {"recipient_id": w.signer.pk, "name": "x", "email": "x@example.test"},
    "attachments.attach": lambda w: {"opportunity_id": w.card.pk, "quote_id": w.loose.pk},
    "attachments.detach": lambda w: {"job_id": w.job.pk, "to_opportunity_id": w.other.pk},
    "pipeline.edit": lambda w: {"opportunity_id": w.card.pk, "title": "x"},
    "pipeline.move": lambda w: {"opportunity_id": w.card.pk, "stage_id": StageFactory.create().pk},
    "pipeline.postpone": lambda w: {"opportunity_id": w.card.pk, "weeks": 1},
    "pipeline.put_contact_on": lambda w: {
        "opportunity_id": w.card.pk,
        "contact_id": ContactFactory.create(customer=customer_of(w.card)).pk,
    },
    "pipeline.set_forecast_date": lambda w: {"opportunity_id": w.card.pk, "forecast_date": TODAY},
    "pipeline.set_status": lambda w: {"opportunity_id": w.card.pk, "status_id": OpportunityStatus.objects.default().pk},
    "pipeline.undo": lambda w: {"event_id": w.event.pk},
    "activity.add_note": lambda w: {"opportunity_id": w.card.pk, "text": "x"},
    "activity.add_action": lambda w: {"opportunity_id": w.card.pk, "text": "x", "due_on": TODAY},
    "activity.edit_action": lambda w: {"action_id": w.open_item.pk, "text": "x", "due_on": TODAY, "assignee_id": None},
    "activity.finish_action": lambda w: {"action_id": w.open_item.pk},
    "activity.snooze_action": lambda w: {"action_id": w.open_item.pk, "due_on": TODAY},
    "activity.reopen_action": lambda w: {"action_id": w.done_item.pk},
}
"""What each verb would be asked to do to the closed card."""

NEW_CARDS = {"pipeline.create", "pipeline.create_once", "pipeline.duplicate"}
"""They make a card of their own."""

TABLES = (Opportunity, Quote, Job, Agreement, ActionItem, Note, Event)


def contents():
    return [list(model._base_manager.order_by("pk").values()) for model in TABLES]


def test_no_verb_is_forgotten():
    found = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in MODULES
        for name, verb in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and inspect.unwrap(verb).__module__ == module.__name__
        and {"actor", "now"} <= inspect.signature(inspect.unwrap(verb)).parameters.keys()
    }

    assert found == VERBS.keys() | NEW_CARDS


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_changes_a_closed_card_or_anything_on_it(closed, verb):
    module, _dot, name = verb.partition(".")
    call = getattr({each.__name__.rpartition(".")[2]: each for each in MODULES}[module], name)
    given = VERBS[verb](closed)
    before = contents()

    with pytest.raises(Refused) as refusal:
        call(**given, actor=UserFactory(role="admin"), now=NOW)

    assert set(refusal.value.codes) <= {"CARD_TERMINAL", "WRONG_STATE"}
    assert contents() == before


def test_the_clock_and_a_reader_by_link_change_nothing_either(closed):
    before = contents()

    agreements.view(recipient_id=closed.signer.pk, now=NOW)
    quotes.view(recipient_id=closed.recipient.pk, now=NOW)
    agreements.expire(agreement_id=closed.agreement.pk, now=NOW)

    assert contents() == before


def test_forms_drags_and_bulk_acts_are_refused_too(closed):
    # A request sweeps as well, and must not archive the card meanwhile.
    BusinessSettings.objects.update(auto_archive_days=None)
    stage = StageFactory()
    board = BoardFactory(stages=[stage])
    admin = UserFactory(role="admin")
    client = Client()
    client.force_login(admin)
    column = board.columns.get()
    version = fresh(closed.card).version

    answers = [
        client.get(reverse("opportunities:edit", args=[closed.card.pk])),
        client.post(reverse("opportunities:edit", args=[closed.card.pk]), {"title": "x"}),
        client.post(reverse("boards:move", args=[board.pk, closed.card.pk]), {"column": column.pk}),
        client.post(reverse("opportunities:note", args=[closed.card.pk]), {"text": "x"}),
    ]
    done = bulk.start(
        verb="stage", arguments={"stage_id": stage.pk}, opportunity_ids=[closed.card.pk], actor=admin, now=NOW
    )
    admin_page = client.post(reverse("admin:opportunities_opportunity_change", args=[closed.card.pk]), {"title": "x"})

    assert [answer.status_code for answer in answers] == [409] * 4
    assert admin_page.status_code == 403
    assert (done.changed, done.refused_count) == (0, 1)
    assert fresh(closed.card).version == version


# All or nothing


@pytest.mark.parametrize("broken", ["agreement", "job", "event"])
def test_a_database_that_fails_half_way_through_the_cascade_leaves_everything_as_it_was(broken):
    card = deal()
    make_quote(card, "submitted")
    job = make_job(card)
    draft, old = make_agreement(card), make_agreement(card, "rejected")
    ActionItem.objects.create(opportunity=card, text="Call", due_on=TODAY, created_at=NOW)
    reason, own = void_reason(), void_reason()
    before = contents()
    if broken == "event":
        fail_on("opportunities_event", "INSERT", "NEW.kind = 'closed_with_card'")
    else:
        pk = draft.pk if broken == "agreement" else job.pk
        fail_on(f"opportunities_{broken}", "UPDATE", f"NEW.id = {pk}")

    with pytest.raises(IntegrityError):
        act(lifecycle.void, card, reason_id=reason, first=[VoidFirst(old.pk, own)])

    assert contents() == before


def fail_on(table: str, event: str, condition: str) -> None:
    """Let the database break when this is written; the test's own rollback takes the trigger away."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'broken'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition}) "
                "EXECUTE FUNCTION break_down()"
            )
        else:
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE {event} ON {table} WHEN {condition} "
                "BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )


# Told beforehand


@pytest.mark.parametrize("kind", ClosedKind)
def test_what_was_told_beforehand_is_what_happens(kind):
    card = deal()
    make_quote(card, "converted")
    make_quote(card, "canceled")
    make_job(card, "completed")
    make_job(card, "void")
    make_agreement(card)
    old = make_agreement(card, "rejected")
    own = void_reason()
    first = [VoidFirst(old.pk, own), *(lifecycle.ReopenFirst(job.pk) for job in Job.objects.filter(state="completed"))]
    told = lifecycle.consequences(opportunity_id=card.pk, kind=kind, first=first, actor=None, now=NOW)
    assert not told.blockers

    verb, reason = (lifecycle.void, void_reason()) if kind is ClosedKind.VOID else (lifecycle.cancel, cancel_reason())
    act(verb, card, reason_id=reason, seen=told.fingerprint, first=first)

    assert {fate.document.number: fate.after or state(fate.document) for fate in told.fates} == {
        fate.document.number: state(fate.document) for fate in told.fates
    }
    assert statuses(card) == (told.following.workflow.value, told.following.sales.value)


# Many at once


@pytest.mark.parametrize(("verb", "expected"), [("void", "void"), ("cancel", "canceled")])
def test_a_bulk_act_closes_each_card_by_itself_and_lists_all_reasons_of_the_others(verb, expected):
    boss = UserFactory(role="manager")
    reason = ReasonFactory(void=verb == "void", label="Tidied up")
    fine, stuck = deal(), deal()
    quote = make_quote(fine)
    make_agreement(stuck, "submitted")
    pay(make_job(stuck), "5")
    arguments = {"reason_id": reason.pk, "note": "Spring cleaning", "archive": True}

    done = bulk.start(verb=verb, arguments=arguments, opportunity_ids=[fine.pk, stuck.pk], actor=boss, now=NOW)

    assert (done.changed, done.refused_count) == (1, 1)
    assert [len(entry["why"]) for entry in done.refused] == [2]
    assert (statuses(fine), state(quote), statuses(stuck)[0]) == ((expected, "lost"), expected, "contracted")
    assert (fresh(fine).close_note, fresh(fine).is_archived) == ("Spring cleaning", True)
    assert not bulk.may_be_undone(done, NOW)
    with refused("WRONG_STATE"):
        bulk.undo(bulk_act_id=done.pk, actor=boss, now=NOW)


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def seen_on(response) -> list[str]:
    """What a page of many cards sends back of what it showed."""
    return re.findall(r'<input type="hidden" name="seen" value="([^"]*)"', response.content.decode())


@pytest.mark.parametrize("where", ["list", "admin"])
def test_many_cards_are_closed_as_they_were_shown_and_a_changed_one_is_left_as_it_is(client, where):
    client.force_login(UserFactory(role="admin"))
    reason, fine, meanwhile, unseen = ReasonFactory(void=True), deal(), deal(), deal()
    quote = make_quote(fine, "submitted")
    ids = [fine.pk, meanwhile.pk, unseen.pk]
    if where == "list":
        given = {"board": "", "query": "", "card": ids, "shown": 3, "do": "void", "token": str(uuid.uuid4())}
        given["void_reason"] = reason.pk
        page, asked = "/bulk/", client.post("/bulk/choose/void/", given)
    else:
        page, given = reverse("admin:opportunities_opportunity_changelist"), {"action": "void"}
        given |= {"_selected_action": ids}
        asked = client.post(page, given)
        given["reason"] = reason.pk
    added = make_quote(meanwhile)
    seen = [each for each in seen_on(asked) if not each.startswith(f"{unseen.pk}:")]

    done = client.post(page, {**given, "seen": seen}, follow=True)

    assert f"{quote.number}: Submitted, then Void" in words(asked)
    assert (statuses(fine)[0], state(quote)) == ("void", "void")
    assert (fresh(meanwhile).closed_kind, state(added), fresh(unseen).closed_kind) == ("", "draft", "")
    assert f"What is attached to {meanwhile.number} was changed meanwhile." in words(done)


@pytest.mark.parametrize("verb", ["void", "cancel"])
def test_the_list_says_beforehand_that_there_is_no_way_back_and_asks_for_a_reason_of_the_right_list(client, verb):
    client.force_login(UserFactory(role="manager"))
    right, wrong = ReasonFactory(void=verb == "void", label="Right"), ReasonFactory(void=verb != "void", label="Wrong")
    board, cards = BoardFactory(stages=[StageFactory()]), [deal(), deal()]
    chosen = {"board": board.pk, "query": "", "card": [card.pk for card in cards]}
    field = "void_reason" if verb == "void" else "reason"

    asked = client.post(f"/bulk/choose/{verb}/", chosen)
    sheet = words(asked)
    given = {**chosen, "shown": 2, "do": verb, "token": str(uuid.uuid4()), "seen": seen_on(asked)}
    without = client.post("/bulk/", given)
    other = client.post("/bulk/", {**given, field: wrong.pk})
    done = client.post("/bulk/", {**given, field: right.pk, "note": "Both", "archive": "on"}, follow=True)

    assert "There is no way back" in sheet
    assert "Reason optional" not in sheet
    assert f"{verb.capitalize()} 2 cards" in sheet
    assert "Right" in sheet
    assert "Wrong" not in sheet
    assert (without.status_code, other.status_code) == (422, 422)
    assert "Choose a reason." in words(without)
    assert {(fresh(card).close_reason_label, fresh(card).close_note, fresh(card).is_archived) for card in cards} == {
        ("Right", "Both", True)
    }
    assert BulkAct.objects.count() == 1
    assert "Undo" not in words(done)


@pytest.mark.parametrize("verb", ["void", "cancel"])
def test_the_admin_closes_by_the_same_verb_after_asking_for_a_reason(client, verb):
    client.force_login(UserFactory(role="admin"))
    reason = ReasonFactory(void=verb == "void", label="Right")
    fine, stuck = deal(), deal()
    quote, agreement = make_quote(fine), make_agreement(stuck, "submitted")
    page = reverse("admin:opportunities_opportunity_changelist")
    data = {"action": verb, "_selected_action": [fine.pk, stuck.pk]}

    asked = client.post(page, data)
    lacking = client.post(page, {**data, "reason": ""})
    done = client.post(page, {**data, "reason": reason.pk, "note": "By the admin", "seen": seen_on(asked)}, follow=True)

    assert (asked.status_code, lacking.status_code) == (200, 422)
    assert f"{quote.number}: Draft, then " in words(asked)
    assert f"{agreement.number} is Submitted. Void it first." in words(asked)
    assert "There is no way back" in words(asked)
    assert "1 opportunity" in words(done)
    assert "1 refused:" in words(done)
    assert (fresh(fine).close_reason_label, fresh(fine).close_note) == ("Right", "By the admin")
    assert (fresh(stuck).closed_kind, shown(agreement)) == ("", "submitted")
    assert Event.objects.get(opportunity=fine, kind__in=("voided", "canceled")).via == "admin"
