"""Every combination of documents, dates and settings against patterns that were written from the specification alone.

`truth_table.csv` was written by somebody who had not seen the code. Each combination must match exactly one pattern.
"""

import csv
import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from opportunities import outcome, workflow
from opportunities.states import AgreementStatus, JobState, QuoteState
from opportunities.workflow import AgreementFacts, ClosedKind, Facts, JobFacts, LostWhen, QuoteFacts

TODAY = date(2025, 6, 10)
PAST = TODAY - timedelta(days=1)
HUNDRED = Decimal(100)
DIMENSIONS = (
    "closed_kind",
    "jobs",
    "dead_jobs",
    "money",
    "agreements",
    "live_quotes",
    "gone_quotes",
    "forecast",
    "lost_setting",
)
JOB_KINDS: dict[str, Any] = {
    "open": {"state": JobState.ACCEPTED},
    "completed": {"state": JobState.COMPLETED},
    "expired": {"state": JobState.ACCEPTED, "expired": True},
}
QUOTE_KINDS = {
    "draft": QuoteFacts(QuoteState.DRAFT),
    "incomplete": QuoteFacts(QuoteState.INCOMPLETE),
    "draft_exp": QuoteFacts(QuoteState.DRAFT, expired=True),
    "sent": QuoteFacts(QuoteState.SUBMITTED, submit_count=1),
    "accepted": QuoteFacts(QuoteState.ACCEPTED, submit_count=1),
    "sent_exp": QuoteFacts(QuoteState.MODIFIED, submit_count=1, expired=True),
    "converted": QuoteFacts(QuoteState.CONVERTED, submit_count=1),
    "dead": QuoteFacts(QuoteState.SUBMITTED, submit_count=1, archived=True),
}
AGREEMENT_KINDS = {
    "void": AgreementStatus.VOID,
    "draft": AgreementStatus.DRAFT,
    "submitted": AgreementStatus.SUBMITTED,
    "accepted": AgreementStatus.ACCEPTED,
    "refused": AgreementStatus.REJECTED,
}
JOBS = (
    "none",
    "open",
    "completed",
    "expired",
    "completed+open",
    "completed+expired",
    "open+expired",
    "completed+open+expired",
)
MONEY = ("kept", "some_refunded", "all_refunded")
AGREEMENTS = (
    "none",
    "void",
    "draft",
    "submitted",
    "accepted",
    "refused",
    "accepted>refused",
    "accepted>submitted",
    "refused>accepted",
    "refused>draft",
    "refused>submitted",
    "refused>void",
    "submitted>accepted",
    "submitted>refused",
    "submitted>void",
)
LIVE_QUOTES = (
    "none",
    "draft",
    "incomplete",
    "draft_exp",
    "draft+draft_exp",
    "sent",
    "accepted",
    "sent_exp",
    "sent_exp+draft",
    "sent+draft_exp",
    "sent_exp+draft_exp",
)
GONE_QUOTES = ("none", "converted", "dead", "converted+dead")
FORECASTS = {
    "none": (None, None),
    "later": (TODAY + timedelta(days=9), None),
    "today": (TODAY, None),
    "past": (PAST, None),
    "past_other": (PAST, PAST - timedelta(days=30)),
    "past_waived": (PAST, PAST),
}


@cache
def jobs_of(kinds: str, money: str) -> tuple[JobFacts, ...]:
    names = [] if kinds == "none" else kinds.split("+")
    if names and money == "some_refunded" and len(names) == 1:
        names *= 2
    refunded = {"kept": 0, "some_refunded": 1, "all_refunded": len(names)}[money]
    return tuple(
        JobFacts(**JOB_KINDS[name], paid=HUNDRED, refunded=HUNDRED if place < refunded else Decimal(0))
        for place, name in enumerate(names)
    )


@cache
def agreements_of(value: str) -> tuple[AgreementFacts, ...]:
    names = [] if value == "none" else value.split(">")
    return tuple(
        AgreementFacts(AGREEMENT_KINDS[name], submitted_order=None if name == "draft" else place)
        for place, name in enumerate(names, start=1)
    )


@cache
def quotes_of(*values: str) -> tuple[QuoteFacts, ...]:
    return tuple(QUOTE_KINDS[name] for value in values if value != "none" for name in value.split("+"))


def patterns() -> list[dict[str, frozenset[str] | str]]:
    path = Path(__file__).with_name("truth_table.csv")
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert 0 < len(rows) <= 60
    return rows


def combinations(closed_kind: str, jobs: str) -> Iterator[tuple[dict[str, str], Facts]]:
    dead = (JobFacts(JobState.CANCELED),)
    for dead_jobs, money, agreements, live, gone, forecast, setting in itertools.product(
        ("no", "yes"), MONEY, AGREEMENTS, LIVE_QUOTES, GONE_QUOTES, FORECASTS, LostWhen
    ):
        forecast_date, waived = FORECASTS[forecast]
        values = dict(
            zip(
                DIMENSIONS,
                (closed_kind, jobs, dead_jobs, money, agreements, live, gone, forecast, setting.value),
                strict=True,
            )
        )
        yield (
            values,
            Facts(
                today=TODAY,
                closed_kind=None if closed_kind == "none" else ClosedKind(closed_kind),
                forecast_date=forecast_date,
                expiry_waived_for=waived,
                quotes=quotes_of(live, gone),
                jobs=jobs_of(jobs, money) + (dead if dead_jobs == "yes" else ()),
                agreements=agreements_of(agreements),
                lost_when=setting,
            ),
        )


def matching(rows, fixed):
    """The patterns that hold for the fixed values, each with its remaining conditions."""
    found = []
    for row in rows:
        if all(row[name] == "*" or value in row[name].split("|") for name, value in fixed.items()):
            rest = [
                (name, frozenset(row[name].split("|"))) for name in DIMENSIONS if name not in fixed and row[name] != "*"
            ]
            found.append((row, rest))
    return found


@pytest.mark.parametrize("jobs", JOBS)
def test_every_combination_has_the_statuses_of_its_one_pattern(jobs):
    rows = matching(patterns(), {"closed_kind": "none", "jobs": jobs})
    for values, facts in combinations("none", jobs):
        own = [row for row, rest in rows if all(values[name] in allowed for name, allowed in rest)]
        assert len(own) == 1, values

        found = outcome.evidence(facts)
        sales = "hand" if found.status is None else found.status.value
        assert (workflow.workflow_status(facts).value, sales, found.rule.value) == (
            own[0]["workflow"],
            own[0]["sales"],
            own[0]["rule"],
        ), (own[0]["id"], values)


@pytest.mark.parametrize("kind", ClosedKind)
def test_a_closed_card_is_lost_whatever_is_attached(kind):
    for _values, facts in itertools.islice(combinations(kind.value, "completed+open"), 0, None, 97):
        assert workflow.workflow_status(facts).value == kind.value
        assert outcome.evidence(facts).rule == outcome.SalesRule.P1
