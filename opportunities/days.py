"""How dates are said: today, tomorrow, 12 Dec, "Expired 3 d ago", and in full for pointing at. Pure: today is given."""

from dataclasses import dataclass
from datetime import date

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

SOON = 7
"""A date within so many days is near."""


@dataclass(frozen=True, slots=True)
class Said:
    """A date in words. `tone` is "late" (past), "soon" (today up to a week ahead) or "" for the style sheet."""

    short: str
    full: str
    iso: str
    tone: str


def say(day: date, today: date) -> Said:
    """Say a date as people do, with everything a page needs of it."""
    distance = (day - today).days
    tone = "late" if distance < 0 else "soon" if distance <= SOON else ""
    return Said(short=short(day, today), full=full(day), iso=day.isoformat(), tone=tone)


def short(day: date, today: date) -> str:
    """Say a date in a word or two: yesterday, today, tomorrow, 12 Dec; 12 Dec 2027 in another year."""
    near = {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}
    words = near.get((day - today).days)
    if words is not None:
        return words
    return day_of_month(day) if day.year == today.year else with_year(day)


def day_of_month(day: date) -> str:
    """Say a date without its year: 12 Dec."""
    # Translators: a date without its year, in the letters of Django's date format (12 Dec).
    return formats.date_format(day, _("j M"))


def with_year(day: date) -> str:
    """Say a date with its year: 12 Dec 2027."""
    # Translators: a date with its year, in the letters of Django's date format (12 Dec 2027).
    return formats.date_format(day, _("j M Y"))


def full(day: date) -> str:
    """Say a date in full, for pointing at: Saturday, 12 December 2026."""
    # Translators: a date in full, in the letters of Django's date format (Saturday, 12 December 2026).
    return formats.date_format(day, _("l, j F Y"))


def expired(day: date, today: date) -> str:
    """Say how long ago the forecast date of an Expired card was: Expired yesterday, Expired 3 d ago."""
    ago = (today - day).days
    if ago < 1:
        return _("Expired")
    if ago == 1:
        return _("Expired yesterday")
    return ngettext("Expired %(count)s d ago", "Expired %(count)s d ago", ago) % {"count": ago}


def ago(day: date, today: date) -> str:
    """Say how long ago a day was: today, yesterday, 3 days ago; from a month on the date itself."""
    days = (today - day).days
    if days < 2 or days > 30:
        return short(day, today)
    return ngettext("%(count)s day ago", "%(count)s days ago", days) % {"count": days}


def lasting(since: date, today: date) -> str:
    """Say how many days something has lasted, for a card: 0 d, 12 d."""
    return _("%(count)s d") % {"count": max(0, (today - since).days)}


def lasting_in_words(since: date, today: date) -> str:
    """Say how many days something has lasted, in full: since today, 1 day, 12 days."""
    days = max(0, (today - since).days)
    if days == 0:
        return _("since today")
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
