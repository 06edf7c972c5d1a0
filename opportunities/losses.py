"""What lost a deal, in a few words, as cards, lists and the panel label it (D19). Reads nothing."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from opportunities.outcome import LostBecause, SalesRule


def why_lost(because: str, face: Mapping[str, Any], rule: str, reason: str) -> str:
    """Say in a few words what lost the deal; a reason that a person gave counts only where a person lost it."""
    if because == LostBecause.BY_HAND or rule == SalesRule.MANUAL:
        return reason
    words = {
        LostBecause.DECLINED.value: _("declined"),
        LostBecause.LAPSED.value: _("lapsed"),
        LostBecause.REFUNDED.value: _("refunded"),
        LostBecause.WITHDRAWN.value: _("withdrawn"),
    }
    if because in words:
        return words[because]
    if because not in {LostBecause.QUOTE, LostBecause.JOB}:
        return ""
    lost = face.get("lost", {})
    dead = {"void": _("%(number)s void"), "canceled": _("%(number)s canceled"), "archived": _("%(number)s archived")}
    said = dead.get(lost.get("state", ""), "%(number)s") % {"number": lost.get("document", "")}
    still = still_open(face)
    return f"{said}, {still}" if still else said


def still_open(face: Mapping[str, Any]) -> str:
    """Name the offers that the customer of a lost deal could still take up."""
    offers = face.get("lost", {}).get("open", ())
    return _("%(numbers)s still open") % {"numbers": ", ".join(offers)} if offers else ""
