"""The integrity check finds whatever a plain write broke, says it in words, and repairs cards with history."""

import io
from contextlib import redirect_stdout
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db.models import QuerySet
from django.utils import timezone

from opportunities import agreements, integrity, lifecycle, pipeline, sample, starter, sweep
from opportunities.models import (
    ActionItem,
    Agreement,
    BusinessSettings,
    Event,
    Job,
    JobLine,
    Opportunity,
    OpportunityStatus,
    Quote,
    Recipient,
    Reminder,
)
from tests.documents import (
    TODAY,
    YESTERDAY,
    act,
    at,
    day,
    deal,
    fresh,
    make_agreement,
    make_job,
    make_quote,
    pay,
    void_reason,
)
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


def test_a_card_without_any_history_is_found(won):
    QuerySet(Event).filter(opportunity=won).delete()
    assert f"{won.number}: it has no history: not even who made it is known." in found()


UNTOLD = {
    "archived": (
        {"archived_at": NOW},
        "when it was archived is “2025-06-10T09:00:00+00:00”, but its history ends with empty",
    ),
    "waived": (
        {"expiry_waived_for": day(3)},
        "the date that was waived is “2025-06-13”, but its history ends with empty",
    ),
    "date": ({"forecast_date": day(3)}, "the forecast date is “2025-06-13”, but its history ends with “2025-06-17”"),
}


@pytest.mark.parametrize(("values", "words"), UNTOLD.values(), ids=UNTOLD)
def test_a_fact_that_history_does_not_tell_of_is_found(won, values, words):
    act(pipeline.set_forecast_date, won, forecast_date=day(7))
    assert found() == []

    break_(won, **values)

    assert any(each.startswith(won.number) and words in each for each in found()), found()


@pytest.fixture
def void():
    """A void card with its quote."""
    card = deal()
    make_quote(card, "submitted")
    act(lifecycle.void, card, reason_id=void_reason(), now=NOW)
    assert found() == []
    return card


def test_a_document_that_is_open_on_a_closed_card_is_found(void):
    quote = Quote.objects.get()
    break_(quote, state="submitted", closed_at=None, close_reason_label="", closed_with_card=False)
    assert f"{void.number}: it is Void, but {quote.number} on it is not (D25)." in found()


def test_a_reminder_or_an_action_left_on_a_closed_card_is_found(void):
    item = ActionItem.objects.create(opportunity=void, text="Call", due_on=day(1), created_at=NOW)
    assert f"{void.number}: it is Void, but an action on it is open (D33)." in found()

    break_(item, state="done", done_at=NOW)
    Reminder.objects.create(action=item, fire_at=NOW + timedelta(days=1))
    assert f"{void.number}: it is Void, but a reminder on it is still to come (G5.4)." in found()


def test_a_closed_card_that_the_clock_forgot_to_put_away_is_found_after_the_sweep(void):
    break_(void, archive_clock_from=day(-40))
    assert found() == []

    BusinessSettings.objects.update(swept_until=TODAY)
    assert f"{void.number}: it should have been put away on 31 May." in found()


def test_a_converted_quote_without_its_job_is_found():
    quote = make_quote(deal(), "converted")
    assert found() == []

    break_(Job.objects.get(), quote=None)
    assert f"{quote.number}: it is Converted, but no job was made of it." in found()


def test_an_agreement_on_no_card_that_the_clock_forgot_is_found_after_the_sweep():
    paper = make_agreement(deal(), attached=False, valid_until=YESTERDAY, now=at(-3))
    act(agreements.submit, paper, now=at(-3))
    assert found() == []

    BusinessSettings.objects.update(swept_until=TODAY)
    assert f"{paper.number}: its last day has passed, but it is still out." in found()


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
