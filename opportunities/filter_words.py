"""What the conditions of a filter, and what can be asked for by each, are called."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities.filter_keys import ME, NONE
from opportunities.models import OpportunityStage, OpportunityStatus, OpportunityType, Reason
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.outcome import SalesRule

LABELS = {
    "salesperson": gettext_lazy("Salesperson"),
    "type": gettext_lazy("Type"),
    "stage": gettext_lazy("Stage"),
    "workflow": gettext_lazy("Workflow status"),
    "sales": gettext_lazy("Sales status"),
    "status": gettext_lazy("Status"),
    "rule": gettext_lazy("Won or lost by"),
    "reason": gettext_lazy("Reason"),
    "lost": gettext_lazy("Lost because"),
    "has": gettext_lazy("Has a document"),
    "offer": gettext_lazy("Lost, but still open"),
    "amount_from": gettext_lazy("Amount from"),
    "amount_to": gettext_lazy("Amount up to"),
    "forecast": gettext_lazy("Forecast date"),
    "forecast_from": gettext_lazy("Forecast from"),
    "forecast_to": gettext_lazy("Forecast up to"),
    "created_from": gettext_lazy("Created from"),
    "created_to": gettext_lazy("Created up to"),
    "decided_from": gettext_lazy("Decided from"),
    "decided_to": gettext_lazy("Decided up to"),
    "customer": gettext_lazy("Customer"),
    "tray": gettext_lazy("In no column of this board"),
}


def names_of(key: str, values: Iterable[str]) -> dict[str, str]:
    """What people call these values."""
    ids = [int(value) for value in values if value.isdigit()]
    names = {ME: _("me"), NONE: _("nobody") if key == "salesperson" else _("none")}
    if key == "salesperson":
        people = get_user_model()._default_manager.filter(pk__in=ids) if ids else ()
        return names | {str(each.pk): each.get_full_name() or each.get_username() for each in people}
    if key == "workflow":
        return {code: str(label) for code, label in WORKFLOW_CHOICES}
    if key == "sales":
        return {code: str(label) for code, label in SALES_CHOICES}
    if key == "rule":
        return {rule.value: rule_label(rule) for rule in SalesRule}
    if key == "lost":
        return lost_labels()
    if key == "has":
        return document_labels()
    model = {"type": OpportunityType, "stage": OpportunityStage, "status": OpportunityStatus, "reason": Reason}[key]
    return names | {str(row.pk): str(row) for row in model._default_manager.filter(pk__in=ids)}


def lost_labels() -> dict[str, str]:
    """Say in words what loses a deal."""
    return {
        "declined": _("declined by the customer"),
        "lapsed": _("lapsed"),
        "refunded": _("all money refunded"),
        "withdrawn": _("agreement withdrawn"),
        "quote": _("quote void, canceled or archived"),
        "job": _("job void or canceled"),
        "by_hand": _("marked by hand"),
    }


def document_labels() -> dict[str, str]:
    """Name the kinds of documents."""
    return {"quote": _("quote"), "job": _("job"), "agreement": _("agreement")}


def rule_label(rule: SalesRule) -> str:
    """Say in words which rule decided how a card ended."""
    return {
        SalesRule.P1: _("void or canceled"),
        SalesRule.P2: _("all money returned"),
        SalesRule.P3: _("job and forecast date expired"),
        SalesRule.P4: _("a job"),
        SalesRule.P5: _("an accepted agreement"),
        SalesRule.P6: _("a refused agreement"),
        SalesRule.P7: _("a dead quote or job"),
        SalesRule.P8: _("quote and forecast date expired"),
        SalesRule.P9: _("nobody yet"),
        SalesRule.MANUAL: _("a person"),
    }[rule]
