"""The pure rules: what the statuses are, given the facts of a card with nothing attached."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportunities import outcome, workflow
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.workflow import ClosedKind, Facts, WorkflowStatus

TODAY = date(2025, 6, 10)
days = st.integers(-400, 400).map(lambda shift: TODAY + timedelta(days=shift))
facts = st.builds(
    Facts,
    today=st.just(TODAY),
    closed_kind=st.none() | st.sampled_from(ClosedKind),
    forecast_date=st.none() | days,
    expiry_waived_for=st.none() | days,
)


@pytest.mark.parametrize(
    ("forecast_date", "expected"),
    [
        (None, WorkflowStatus.PROSPECT),
        (TODAY, WorkflowStatus.PROSPECT),
        (TODAY + timedelta(days=1), WorkflowStatus.PROSPECT),
        (TODAY - timedelta(days=1), WorkflowStatus.EXPIRED),
    ],
)
def test_a_card_expires_on_the_day_after_its_forecast_date(forecast_date, expected):
    assert workflow.workflow_status(Facts(today=TODAY, forecast_date=forecast_date)) is expected


@pytest.mark.parametrize("kind", ClosedKind)
def test_a_closed_card_stays_closed_whatever_its_date(kind):
    closed = Facts(today=TODAY, closed_kind=kind, forecast_date=TODAY - timedelta(days=9))

    assert workflow.workflow_status(closed).value == kind.value
    assert outcome.evidence(closed) == outcome.Evidence(SalesStatus.LOST, SalesRule.P1)


def test_without_evidence_the_outcome_is_left_to_people():
    assert outcome.evidence(Facts(today=TODAY)) == outcome.Evidence(None, SalesRule.P9)


@given(facts)
def test_expired_means_that_the_forecast_date_has_passed(card):
    if workflow.workflow_status(card) is WorkflowStatus.EXPIRED:
        assert card.forecast_date is not None
        assert card.forecast_date < card.today


@given(facts)
def test_a_passed_date_expires_every_card_with_nothing_attached(card):
    passed = card.forecast_date is not None and card.forecast_date < card.today
    if card.closed_kind is None and passed:
        assert workflow.workflow_status(card) is WorkflowStatus.EXPIRED


def test_there_are_exactly_eight_workflow_statuses():
    assert [status.value for status in WorkflowStatus] == [
        "prospect",
        "negotiation",
        "agreement",
        "contracted",
        "completed",
        "expired",
        "void",
        "canceled",
    ]
