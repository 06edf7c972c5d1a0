"""The integrity check finds whatever a plain write broke, says it in words, and repairs cards with history."""

import io
from contextlib import redirect_stdout

import pytest
import time_machine
from django.core.management import call_command
from django.db.models import QuerySet
from django.utils import timezone

from opportunities import integrity, sample, starter, sweep
from opportunities.models import (
    Agreement,
    Event,
    Job,
    JobLine,
    Opportunity,
    OpportunityStatus,
    Quote,
    Recipient,
)
from tests.documents import TODAY, YESTERDAY, day, deal, fresh, make_agreement, make_job, make_quote, pay
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel(NOW, tick=False):
        yield


def found():
    return [str(each) for each in integrity.check(timezone.now(), integrity.Look())]


def break_(row, **values):
    """Write past all verbs and querysets, as a person at the database would."""
    assert QuerySet(type(row)).filter(pk=row.pk).update(**values) == 1


def run(*arguments):
    """Run the command; return what it printed and its exit code."""
    said = io.StringIO()
    with redirect_stdout(said):
        try:
            call_command("check_integrity", *arguments, stdout=said)
        except SystemExit as end:
            return said.getvalue(), end.code
    return said.getvalue(), 0


@pytest.fixture
def won():
    """A card with a quote, a paid job and an agreement out for signature."""
    card = deal(forecast_date=day(9))
    make_quote(card, "submitted")
    job = make_job(card)
    pay(job, "20.00")
    make_agreement(card, "submitted")
    sweep.run(NOW)
    assert found() == []
    return card


CARD = {
    "workflow status": ({"workflow_status": "prospect"}, "the workflow status is stored as “prospect”"),
    "sales status": ({"sales_rule": "P5"}, "the rule behind the sales status is stored as “P5”"),
    "status row": ({"status": "Lost", "sales_status": "lost"}, "the sales status is stored as “lost”"),
    "lost because": ({"lost_because": "quote"}, "what lost it is stored as “quote”; by the facts it is empty"),
    "live offer": ({"live_offer": False}, "whether an offer is open is stored as “False”"),
    "hold dates": ({"documents_hold_until": TODAY}, "until when its documents hold is stored as “2025-06-10”"),
    "amount": ({"amount": 7}, "the amount is stored as “7.00”; by the facts it is “320.00”"),
    "face": ({"face": {}}, "what the card shows of other tables is stored"),
    "search key": ({"search_key": "x"}, "what it is found by is stored as “x”"),
    "completed on": ({"workflow_status": "completed", "completed_on": TODAY}, "by the facts it is “contracted”"),
    "expired": ({"workflow_status": "expired"}, "the workflow status is stored as “expired”"),
}


@pytest.mark.parametrize(("values", "words"), CARD.values(), ids=CARD)
def test_what_a_plain_write_broke_on_a_card_is_found_and_repaired_with_history(won, values, words):
    if "status" in values:
        values = {**values, "status": OpportunityStatus.objects.get(name=values["status"])}
    break_(won, **values)

    printed, code = run()
    assert code == 1
    assert f"{won.number}: " in printed
    assert words in printed

    printed, code = run("--repair")
    assert "was brought in line with its facts" in printed
    assert found() == []
    if set(values) & {"workflow_status", "sales_rule", "sales_status", "amount"}:
        event = Event.objects.filter(opportunity=won).latest("pk")
        assert (event.kind, event.by, event.actor) == ("repaired", "integrity check", None)


DOCUMENTS = {
    "net": (Quote, {"net": 1, "total": 1}, "the net is stored as “1.00”"),
    "total": (Job, {"total": 1}, "the total is stored as “1.00”"),
    "line": (JobLine, {"net": 1}, "the line “Installation” is not what its quantity and price come to"),
    "paid": (Job, {"paid": 99}, "what was paid is stored as “99.00”; by the facts it is “20.00”"),
    "pending": (Job, {"has_pending_payment": True}, "whether a payment is on its way is stored"),
    "signers": (Agreement, {"signer_count": 5}, "the number of signers is stored as “5”; by the facts it is “1”"),
    "signed": (Agreement, {"signed_count": 1}, "the number of signatures is stored as “1”"),
    "status": (Agreement, {"status": "accepted"}, "the status is stored as “accepted”"),
    "answer": (Recipient, {"state": "rejected", "answered_at": NOW}, "by the facts it is “rejected”"),
    "key": (Quote, {"search_key": ""}, "what it is found by is stored as empty"),
}


@pytest.mark.parametrize(("model", "values", "words"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_a_plain_write_broke_on_a_document_is_found_and_left_to_people(won, model, values, words):
    row = model._default_manager.get()
    break_(row, **values)

    printed, code = run("--repair")

    assert code == 1
    assert words in printed
    for name, value in values.items():
        assert getattr(fresh(row), name) == value


def test_a_document_that_left_its_card_without_the_verb_is_found(won):
    break_(Job.objects.get(), opportunity=None, attached_on=None)

    assert any(
        "the workflow status is stored as “contracted”; by the facts it is “agreement”" in each for each in found()
    )


def test_a_job_apart_from_its_quote_is_found(won):
    other = deal()
    quote = make_quote(other, "converted")
    break_(quote, opportunity=won)

    assert any("another opportunity than" in each for each in found())


def test_history_that_does_not_follow_on_itself_is_found(won):
    event = Event.objects.filter(opportunity=won).order_by("pk")[1]
    break_(event, workflow_from="expired")
    assert any(f"does not follow on itself at event {event.pk}" in each for each in found())


def test_history_that_ends_elsewhere_is_found(won):
    break_(Event.objects.filter(opportunity=won).latest("pk"), version=99)
    assert any("its history ends with" in each for each in found())


def test_a_rank_that_leaves_no_room_is_found(won):
    break_(won, rank=2**62 + 1)
    assert any("no card can be put beyond it" in each for each in found())


def test_what_is_only_due_is_no_error_before_the_sweep_and_one_after_it():
    card = deal(forecast_date=YESTERDAY, now=NOW.replace(day=7))
    assert found() == []

    sweep.run(NOW)
    break_(card, workflow_status="prospect")
    assert any("by the facts it is “expired”" in each for each in found())


def test_the_sample_business_is_what_its_facts_say():
    starter.fill(NOW)
    sample.fill(NOW)

    printed, code = run()

    assert code == 0, printed
    assert "everything is what its facts say" in printed
    assert Opportunity.objects.count() > 40


def test_a_check_writes_nothing_and_its_statements_do_not_grow_with_the_cards(won, django_assert_max_num_queries):
    for _ in range(4):
        make_quote(deal(customer_ids=[won.customers.get().pk]), "submitted")
    with django_assert_max_num_queries(32) as captured:
        assert found() == []
    assert not [query for query in captured if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_admins_check_on_a_page(client, won):
    client.force_login(UserFactory(role="admin"))
    assert "Nothing was checked yet" in client.get("/integrity/").content.decode()
    assert "Everything is what its facts say." in client.post("/integrity/").content.decode()

    break_(won, amount=7)
    page = client.post("/integrity/").content.decode()

    assert "One thing is not what the facts say." in page
    assert f"/opportunities/{won.pk}/" in page
    client.force_login(UserFactory(role="manager"))
    assert client.post("/integrity/").status_code == 403
