"""What a stage asks of a card that enters it, as a pure function. It binds entering, not the cards already there."""

from collections.abc import Collection
from typing import Protocol

from django.utils.translation import gettext as _

from opportunities.errors import Blocker


class Asked(Protocol):
    """The part of a stage that says what it asks."""

    name: str
    requires_amount: bool
    requires_forecast_date: bool
    requires_contact: bool
    requires_next_action: bool
    requires_quote_submitted: bool
    requires_quote_accepted: bool
    requires_agreement_submitted: bool
    requires_agreement_accepted: bool


def missing(
    stage: Asked,
    *,
    has_amount: bool,
    has_forecast_date: bool,
    has_contact: bool,
    has_next_action: bool,
    documents: Collection[str] = (),
) -> tuple[Blocker, ...]:
    """List everything that the card lacks for this stage; empty when it may enter.

    `documents` names what is attached to it: quote_submitted, quote_accepted, agreement_submitted, agreement_accepted.
    """
    asked = (
        ("ENTRY_AMOUNT", stage.requires_amount, has_amount, _("“%(stage)s” needs an amount.")),
        (
            "ENTRY_FORECAST_DATE",
            stage.requires_forecast_date,
            has_forecast_date,
            _("“%(stage)s” needs a forecast date."),
        ),
        ("ENTRY_CONTACT", stage.requires_contact, has_contact, _("“%(stage)s” needs a contact.")),
        ("ENTRY_NEXT_ACTION", stage.requires_next_action, has_next_action, _("“%(stage)s” needs a next action.")),
        (
            "ENTRY_QUOTE_SUBMITTED",
            stage.requires_quote_submitted,
            "quote_submitted" in documents,
            _("“%(stage)s” needs a quote that was submitted."),
        ),
        (
            "ENTRY_QUOTE_ACCEPTED",
            stage.requires_quote_accepted,
            "quote_accepted" in documents,
            _("“%(stage)s” needs a quote that was accepted or became a job."),
        ),
        (
            "ENTRY_AGREEMENT_SUBMITTED",
            stage.requires_agreement_submitted,
            "agreement_submitted" in documents,
            _("“%(stage)s” needs an agreement that was submitted."),
        ),
        (
            "ENTRY_AGREEMENT_ACCEPTED",
            stage.requires_agreement_accepted,
            "agreement_accepted" in documents,
            _("“%(stage)s” needs an agreement that everybody signed."),
        ),
    )
    return tuple(
        Blocker(code, words % {"stage": stage.name}, subject=stage.name)
        for code, required, present, words in asked
        if required and not present
    )
