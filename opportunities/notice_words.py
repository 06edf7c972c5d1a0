"""What a notice says: one sentence from what was kept with it, its tone, and its icon."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from opportunities import days
from opportunities.models import Notice

Kind = Notice.Kind

ICONS: Mapping[str, str] = {
    Kind.OPENED: "external-link",
    Kind.ACCEPTED: "check",
    Kind.DECLINED: "circle-x",
    Kind.REMINDER: "calendar-clock",
    Kind.GIVEN: "user-plus",
    Kind.TAKEN: "users",
    Kind.WON: "check",
    Kind.LOST: "circle-x",
    Kind.VOIDED: "x",
    Kind.CANCELED: "x",
    Kind.EXPIRED: "calendar-clock",
    Kind.LAPSING: "calendar-clock",
    Kind.MAIL_FAILED: "circle-x",
}
TONES: Mapping[str, str] = {
    Kind.ACCEPTED: "good",
    Kind.WON: "good",
    Kind.DECLINED: "bad",
    Kind.LOST: "bad",
    Kind.MAIL_FAILED: "bad",
    Kind.EXPIRED: "warn",
    Kind.LAPSING: "warn",
    Kind.REMINDER: "info",
}


def sentence(notice: Notice, today: date) -> str:
    """Say what happened, without naming the card."""
    given = notice.parameters
    said = _SENTENCES[notice.kind](given, today)
    result = given.get("result", "")
    if result == notice.kind or notice.kind in _NO_RESULT:
        return said
    return f"{said} {_result(result)}" if result else said


def _result(result: str) -> str:
    return _("The card is won.") if result == "won" else _("The card is lost.")


def _who(given: Mapping[str, Any]) -> str:
    return str(given.get("who") or given.get("by") or _("The customer"))


def _opened(given: Mapping[str, Any], today: date) -> str:
    return _("%(who)s opened %(document)s.") % {"who": _who(given), "document": given.get("document", "")}


def _accepted(given: Mapping[str, Any], today: date) -> str:
    return _("%(who)s accepted %(document)s.") % {"who": _who(given), "document": given.get("document", "")}


def _declined(given: Mapping[str, Any], today: date) -> str:
    said = _("%(who)s declined %(document)s.") % {"who": _who(given), "document": given.get("document", "")}
    return f"{said} “{given['note']}”" if given.get("note") else said


def _reminder(given: Mapping[str, Any], today: date) -> str:
    return _("Reminder: %(action)s, due %(day)s.") % {"action": given.get("action", ""), "day": _day(given, today)}


def _given(given: Mapping[str, Any], today: date) -> str:
    return _("%(by)s gave you this card.") % {"by": given.get("by", "")}


def _taken(given: Mapping[str, Any], today: date) -> str:
    by = given.get("by", "")
    if given.get("to"):
        return _("%(by)s took this card over from you.") % {"by": by}
    return _("%(by)s gave this card of yours to somebody else.") % {"by": by}


def _won(given: Mapping[str, Any], today: date) -> str:
    by = given.get("by")
    return _("%(by)s won this card for you.") % {"by": by} if by else _("This card is won.")


def _lost(given: Mapping[str, Any], today: date) -> str:
    by = given.get("by")
    if by:
        return _("This card is lost, by what %(by)s did.") % {"by": by}
    return _("This card is lost, because what was offered lapsed.")


def _voided(given: Mapping[str, Any], today: date) -> str:
    words = _("%(by)s voided this card: %(reason)s.")
    return words % {"by": given.get("by", ""), "reason": given.get("reason", "")}


def _canceled(given: Mapping[str, Any], today: date) -> str:
    words = _("%(by)s canceled this card: %(reason)s.")
    return words % {"by": given.get("by", ""), "reason": given.get("reason", "")}


def _expired(given: Mapping[str, Any], today: date) -> str:
    if given.get("by"):
        return _("%(by)s set a forecast date that is past, so the card is expired.") % {"by": given["by"]}
    return _("The forecast date has passed, so the card is expired. Move it on, or say how it ended.")


def _lapsing(given: Mapping[str, Any], today: date) -> str:
    named = {"document": given.get("document", ""), "day": _day(given, today)}
    if given.get("ref") == "job":
        return _("%(document)s is to be done by %(day)s. Complete it or move its date, or it expires.") % named
    return _("%(document)s is valid until %(day)s; after that it is expired.") % named


def _failed(given: Mapping[str, Any], today: date) -> str:
    return _("The mail to %(to)s could not be delivered: “%(subject)s”.") % {
        "to": given.get("to", ""),
        "subject": given.get("subject", ""),
    }


def _day(given: Mapping[str, Any], today: date) -> str:
    day = parse_date(str(given.get("day", "")))
    return days.short(day, today) if day else ""


_NO_RESULT = frozenset({Kind.VOIDED.value, Kind.CANCELED.value, Kind.TAKEN.value})
"""Of a void card it goes without saying that it is lost."""

_SENTENCES: Mapping[str, Callable[[Mapping[str, Any], date], str]] = {
    Kind.OPENED: _opened,
    Kind.ACCEPTED: _accepted,
    Kind.DECLINED: _declined,
    Kind.REMINDER: _reminder,
    Kind.GIVEN: _given,
    Kind.TAKEN: _taken,
    Kind.WON: _won,
    Kind.LOST: _lost,
    Kind.VOIDED: _voided,
    Kind.CANCELED: _canceled,
    Kind.EXPIRED: _expired,
    Kind.LAPSING: _lapsing,
    Kind.MAIL_FAILED: _failed,
}
