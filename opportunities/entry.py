"""What a stage asks of a card that enters it, as a pure function. It binds entering, not the cards already there."""

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


def missing(
    stage: Asked, *, has_amount: bool, has_forecast_date: bool, has_contact: bool, has_next_action: bool
) -> tuple[Blocker, ...]:
    """List everything that the card lacks for this stage; empty when it may enter."""
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
    )
    return tuple(
        Blocker(code, words % {"stage": stage.name}, subject=stage.name)
        for code, required, present, words in asked
        if required and not present
    )
