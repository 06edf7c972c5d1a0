"""How a filter is spelled as a query string: its keys, and how their values are read. Nonsense is named, no error."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation

from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.outcome import SalesRule

ME = "me"
NONE = "none"
ARCHIVED_WITH = "with"
ARCHIVED_ONLY = "only"
LONGEST_TEXT = 100

SEVERAL = ("salesperson", "type", "stage", "workflow", "sales", "status", "rule", "reason", "lost", "has")
AMOUNTS = ("amount_from", "amount_to")
DAYS = ("forecast_from", "forecast_to", "created_from", "created_to", "decided_from", "decided_to")
SINGLE = ("q", "forecast", "archived", "customer", "tray", "offer")
KEYS = (*SEVERAL, *AMOUNTS, *DAYS, *SINGLE)
"""Every key of the query string that belongs to the filter; others (card, sort, page) do not."""

LOST_BECAUSE = ("declined", "lapsed", "refunded", "withdrawn", "quote", "job", "by_hand")

FORECAST_PRESETS = {
    "overdue": gettext_lazy("overdue"),
    "today": gettext_lazy("today"),
    "this_week": gettext_lazy("this week"),
    "this_month": gettext_lazy("this month"),
    "next_30": gettext_lazy("in the next 30 days"),
    NONE: gettext_lazy("no date"),
}

_CODES = {
    "workflow": frozenset(code for code, _label in WORKFLOW_CHOICES),
    "sales": frozenset(code for code, _label in SALES_CHOICES),
    "rule": frozenset(rule.value for rule in SalesRule),
    "lost": frozenset(LOST_BECAUSE),
    "has": frozenset({"quote", "job", "agreement"}),
}
_NULLABLE = frozenset({"salesperson", "type", "stage"})
_LARGEST_ID = 2**62


def read_several(given: MultiValueDict[str, str], key: str, problems: list[str]) -> tuple[str, ...]:
    """Read the choices of a key; several of them mean any of them."""
    found = []
    for value in dict.fromkeys(given.getlist(key)):
        if not value:
            continue
        known = value in _CODES[key] if key in _CODES else _is_id(value)
        if known or (value == NONE and key in _NULLABLE) or (value == ME and key == "salesperson"):
            found.append(value)
        else:
            problems.append(_("“%(value)s” was left out: there is no such choice.") % {"value": value[:40]})
    return tuple(found)


def _is_id(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value) < _LARGEST_ID if len(value) < 20 else False


def read_amount(value: str, problems: list[str]) -> Decimal | None:
    """Read an amount of money."""
    text = value.strip().replace(" ", "")
    if not text:
        return None
    try:
        amount = Decimal(text).quantize(Decimal("0.01"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount.is_finite() and abs(amount) < Decimal(10) ** 12:
        return amount.to_integral_value() if amount == amount.to_integral_value() else amount
    problems.append(_("“%(value)s” was left out: it is not an amount.") % {"value": value[:40]})
    return None


def read_day(value: str, problems: list[str]) -> date | None:
    """Read a day."""
    if not value.strip():
        return None
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        problems.append(_("“%(value)s” was left out: it is not a date.") % {"value": value[:40]})
        return None


def read_single(given: MultiValueDict[str, str], key: str, problems: list[str]) -> str:
    """Read a condition that has one value."""
    value = given.get(key, "").replace("\x00", "").strip()
    if not value:
        return ""
    allowed: dict[str, Callable[[str], bool]] = {
        "q": lambda text: True,
        "forecast": lambda text: text in FORECAST_PRESETS,
        "archived": lambda text: text in {ARCHIVED_WITH, ARCHIVED_ONLY},
        "customer": _is_id,
        "tray": lambda text: text == "1",
        "offer": lambda text: text == "1",
    }
    if allowed[key](value):
        return value[:LONGEST_TEXT]
    problems.append(_("“%(value)s” was left out: there is no such choice.") % {"value": value[:40]})
    return ""
