"""What a notice says: one sentence from what was kept with it, its tone, and its icon."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from opportunities import days
from opportunities.models import Notice
from opportunities.timeline_kinds import KINDS

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
    if given.get("act") == "status_chosen":
        return _("%(by)s marked this card as won.") % {"by": given.get("by", "")}
    return f"{_act(given)} {_result('won')}".strip()


def _lost(given: Mapping[str, Any], today: date) -> str:
    by, reason = given.get("by", ""), given.get("reason", "")
    if given.get("act") == "status_chosen":
        words = _("%(by)s marked this card as lost: %(reason)s.") if reason else _("%(by)s marked this card as lost.")
        return words % {"by": by, "reason": reason}
    return f"{_act(given) if by else _('What was offered has lapsed.')} {_result('lost')}".strip()


def _act(given: Mapping[str, Any]) -> str:
    """Name what somebody did: Quote voided: Q-1021, by Mark Reyes."""
    act, by, document = KINDS.get(given.get("act", ""), ""), given.get("by", ""), given.get("document", "")
    if not act or not by:
        return ""
    words = _("%(act)s: %(document)s, by %(by)s.") if document else _("%(act)s, by %(by)s.")
    return words % {"act": act, "document": document, "by": by}


def _voided(given: Mapping[str, Any], today: date) -> str:
    words = _("%(by)s voided this card: %(reason)s.")
    return words % {"by": given.get("by", ""), "reason": given.get("reason", "")}


def _canceled(given: Mapping[str, Any], today: date) -> str:
    words = _("%(by)s canceled this card: %(reason)s.")
    return words % {"by": given.get("by", ""), "reason": given.get("reason", "")}


def _expired(given: Mapping[str, Any], today: date) -> str:
    if given.get("by"):
        return f"{_act(given)} {_('Its forecast date is past, so the card is expired.')}".strip()
    return _("The forecast date has passed, so the card is expired. Move it on, or say how it ended.")


def _lapsing(given: Mapping[str, Any], today: date) -> str:
    named = {"document": given.get("document", ""), "day": _day(given, today)}
    if given.get("ref") == "job":
        return _("%(document)s is to be done by %(day)s. Complete it or move its date, or it expires.") % named
    return _("%(document)s is valid until %(day)s; after that it is expired.") % named


def _failed(given: Mapping[str, Any], today: date) -> str:
    words = _("The mail to %(to)s could not be delivered: “%(subject)s”.")
    if given.get("unsure"):
        words = _("The mail to %(to)s was perhaps not delivered: “%(subject)s”. Ask, or send it again.")
    return words % {"to": given.get("to", ""), "subject": given.get("subject", "")}


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
