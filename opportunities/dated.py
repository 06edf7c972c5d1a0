"""Which days of a card's documents matter to a calendar and to a feed, beside its forecast date (lifecycle.md 8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy

from opportunities.models import Agreement, Job, Quote
from opportunities.states import (
    JOB_CAN_EXPIRE,
    QUOTE_CAN_EXPIRE,
    AgreementStatus,
    JobState,
    QuoteState,
)

CLOSED: Mapping[str, Any] = {"void": gettext_lazy("Void"), "canceled": gettext_lazy("Canceled")}
"""How a closed card is labelled where it is struck through (G5.3)."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A kind of day that documents bring: of which rows, in which column, and how it is called."""

    key: str
    model: Any
    column: str
    live: Q
    label: Any

    def rows(self) -> Any:
        """The documents for which this day still matters."""
        return self.model.objects.filter(self.live, **{f"{self.column}__isnull": False})


_QUOTE_OUT = [QuoteState.INCOMPLETE.value, *sorted(state.value for state in QUOTE_CAN_EXPIRE)]
_JOB_LIVE = [*sorted(state.value for state in JOB_CAN_EXPIRE), JobState.COMPLETED.value]
_AGREEMENT_OUT = [AgreementStatus.INCOMPLETE.value, AgreementStatus.DRAFT.value, AgreementStatus.SUBMITTED.value]

DOCUMENT_DATES = (
    # An accepted quote was answered in time, so its last day says nothing any more.
    Dated("quote-until", Quote, "valid_until", Q(state__in=_QUOTE_OUT, archived_at=None), gettext_lazy("Valid until")),
    # The day of service moves on to the job that a quote becomes.
    Dated(
        "quote-service",
        Quote,
        "service_date",
        Q(state__in=[*_QUOTE_OUT, QuoteState.ACCEPTED.value], archived_at=None),
        gettext_lazy("Service planned"),
    ),
    Dated("job-service", Job, "service_date", Q(state__in=_JOB_LIVE), gettext_lazy("Service")),
    Dated("agreement-until", Agreement, "valid_until", Q(status__in=_AGREEMENT_OUT), gettext_lazy("Sign until")),
)
"""The days of documents. Dead, converted and archived ones have none."""
