"""The sample business: believable, true to the rules, and never beside real data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F

from boards import sample as board_sample
from boards import starter as board_starter
from boards.models import Board, ColumnStage
from opportunities import history, sample, standing, starter, sweep
from opportunities.access import Role, role_of
from opportunities.models import (
    ActionItem,
    Agreement,
    BusinessSettings,
    Event,
    Job,
    Opportunity,
    OpportunityStage,
    Quote,
)
from opportunities.sample.deals import DEALS
from opportunities.sample.papers import PAPERS
from opportunities.states import QuoteState
from opportunities.workflow import WorkflowStatus

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
"""Wed 4 Mar 2026, half past ten in the sample's morning."""


@pytest.fixture(scope="module")
def made(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The sample business, made once for all tests of this module, as the command makes it."""
    with django_db_blocker.unblock(), transaction.atomic():
        starter.fill(NOW)
        board_starter.fill(NOW)
        board_sample.fill(NOW)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def business(made, db) -> BusinessSettings:
    """The settings of the sample business."""
    return BusinessSettings.current()


def test_the_sample_has_cards_in_every_stage_and_some_in_none(business):
    in_use = set(Opportunity.objects.on_board().values_list("stage__name", flat=True))

    assert in_use == {None, *OpportunityStage.objects.values_list("name", flat=True)}
    assert 55 <= Opportunity.objects.count() <= 70


def test_the_sample_shows_what_expired_was_won_lost_closed_and_archived(business):
    cards = Opportunity.objects.all()

    assert cards.on_board().open().filter(workflow_status="expired").count() >= 5
    assert cards.filter(sales_status="won").exists()
    assert set(cards.filter(sales_status="lost").values_list("decided_reason_label", flat=True)) >= {"Price"}
    assert cards.filter(status__closed=True, sales_status="none").count() == 2
    assert cards.filter(archived_at__isnull=False).exists()


def test_every_workflow_status_and_outcome_occurs_in_the_sample(business):
    cards = Opportunity.objects.all()
    rules = set(cards.values_list("sales_rule", flat=True))

    assert set(cards.values_list("workflow_status", flat=True)) == {each.value for each in WorkflowStatus}
    # P3 needs a job that nobody did; the other rules decide one card at least.
    assert rules >= {"P1", "P2", "P4", "P5", "P6", "P7", "P8", "P9", "manual"}
    assert cards.filter(sales_status="lost", live_offer=True, closed_kind="").exists()
    assert cards.filter(closed_kind="void").count() == cards.filter(closed_kind="canceled").count() == 2


def test_documents_of_the_sample_are_in_every_state(business):
    today = business.today(NOW)
    quotes, jobs, agreements = Quote.objects.all(), Job.objects.all(), Agreement.objects.all()
    states = set(quotes.values_list("state", flat=True))
    shown = {each.status_on(today).value for each in agreements}

    assert states == {each.value for each in QuoteState}
    assert quotes.filter(submit_count=2, state="submitted").exists()
    assert quotes.filter(declined=True).exists()
    assert quotes.filter(archived_at__isnull=False).exists()
    assert any(each.is_expired_on(today) for each in quotes)
    assert {"submitted", "accepted", "completed"} <= set(jobs.values_list("state", flat=True))
    assert any(each.is_expired_on(today) for each in jobs)
    assert any(each.refunded and each.refunded == each.paid for each in jobs)
    assert shown == {"draft", "submitted", "accepted", "rejected", "expired", "void"}
    assert agreements.filter(status="submitted", signer_count=2, signed_count=1).exists()


def test_a_job_of_the_sample_is_partly_fulfilled_and_partly_paid(business):
    job = Job.objects.get(title="Geothermal loop")
    lines = job.lines.exclude(kind="service")

    assert 0 < job.paid < job.total
    assert any(0 < line.fulfilled_quantity < line.quantity for line in lines)


def test_two_documents_of_the_sample_are_on_no_card(business):
    loose = [*Quote.objects.on_no_card(), *Job.objects.on_no_card(), *Agreement.objects.on_no_card()]

    assert len(loose) == 2


def test_lines_of_the_sample_add_up_to_about_what_the_deal_was_said_to_be_worth(business):
    said = {deal.title: Decimal(deal.amount) for deal in DEALS if deal.amount}

    for card in Opportunity.objects.filter(title__in=PAPERS):
        assert abs(card.amount - said[card.title]) <= said[card.title] * Decimal("0.16")


def test_recomputing_changes_nothing_in_the_sample(business):
    for card in Opportunity.objects.with_people():
        before = history.snapshot(card)
        standing.refresh(card, today=business.today(NOW), business=business)
        assert history.snapshot(card) == before


def test_the_clock_has_nothing_to_do_in_the_sample(business):
    report = sweep.run(NOW)

    assert (report.expired, report.revived, report.agreements, report.lapsed, report.failed) == (0, 0, 0, 0, 0)


def test_the_sample_has_actions_overdue_today_planned_and_done(business):
    today = business.local_date(NOW)
    still_open = ActionItem.objects.filter(state="open")

    assert still_open.filter(due_on__lt=today).exists()
    assert still_open.filter(due_on=today).exists()
    assert still_open.filter(due_on__gt=today).exists()
    assert ActionItem.objects.filter(state="done").exists()


def test_the_sample_has_unassigned_cards_and_cards_of_every_seller(business):
    owners = set(Opportunity.objects.values_list("salesperson__username", flat=True))

    assert owners == {None, "ann", "mark", "sam", "jo"}


def test_history_of_the_sample_runs_over_ninety_days_and_never_backwards(business):
    moments = list(Event.objects.order_by("pk").values_list("at", flat=True))

    assert moments == sorted(moments)
    assert moments[-1] <= NOW
    assert moments[-1] - moments[0] > timedelta(days=85)


def test_a_sample_card_expired_in_the_night_after_its_forecast_date(business):
    expired = Event.objects.filter(kind="expired", via="clock").select_related("opportunity")

    assert len(expired) >= 10
    for event in expired.filter(opportunity__forecast_date__lt=F("at__date")):
        assert business.local_date(event.at) - event.opportunity.forecast_date == timedelta(days=1)


def test_what_the_stored_statuses_say_is_what_the_dates_of_the_sample_say(business):
    today = business.today(NOW)

    assert not Opportunity.objects.due_to_expire(today).exists()
    assert not Opportunity.objects.due_to_revive(today).exists()
    assert business.swept_until == today


def test_every_sample_card_passes_the_constraints(business):
    for card in Opportunity.objects.all():
        card.validate_constraints()


def test_the_sample_is_the_same_every_time(business):
    titles = list(Opportunity.objects.order_by("pk").values_list("pk", "title", "amount"))

    assert titles[0][1] == "Boiler room modernization, phase 1"
    assert len({title for _pk, title, _amount in titles}) == len(titles)


def test_a_board_of_the_sample_maps_several_stages_to_a_column(business):
    meeting = Board.objects.get(name="Weekly meeting")

    assert ColumnStage.objects.filter(board=meeting).count() == OpportunityStage.objects.count()
    assert meeting.columns.count() == 3


def test_the_demo_people_can_log_in_with_the_printed_password(business, rf):
    for name, password, role in sample.demo_logins():
        user = authenticate(rf.post("/"), username=name, password=password)
        assert user is not None
        assert role_of(user) is Role(role)


def test_the_sample_is_refused_a_second_time(business):
    with pytest.raises(CommandError, match="already"):
        call_command("sample")


def test_one_column_of_the_sample_asks_for_an_amount(business):
    last = OpportunityStage.objects.in_order().last()

    assert last is not None
    assert last.requires_amount
