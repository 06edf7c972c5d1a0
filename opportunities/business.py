"""The business's own settings: its name, clock, money and rules. One row, changed by admins only."""

import zoneinfo
from datetime import datetime
from functools import lru_cache
from typing import Any

from babel.core import get_global
from babel.numbers import get_currency_name
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from opportunities import access, bulk, lost_rule, reminders
from opportunities.access import Person
from opportunities.errors import Blocker, Refused
from opportunities.models import AgreementLine, BusinessSettings, JobLine, Opportunity, Payment, QuoteLine
from opportunities.money import locale_of

EDITABLE = frozenset(
    field.name for field in BusinessSettings._meta.concrete_fields if field.editable and not field.primary_key
) | {"logo", "logo_type"}
"""What `edit_settings` takes."""


def edit_settings(*, actor: Person | None, now: datetime, **fields: Any) -> BusinessSettings:
    """Change the business's settings; what is not named stays as it is.

    A changed time zone moves every date's end with it: the next request settles what that makes due, both ways (D10).
    Reminders keep their time on the wall clock.
    Another reading of "lost" (D19) turns cards in the same transaction, or where they are many, one after the other by
    the job loop.

    :raises NotAllowed: the actor is no admin.
    :raises ValidationError: a value that cannot be: no name, an unknown time zone or currency.
    :raises Refused: CURRENCY_IN_USE, amounts were written in the present currency already.
    :raises TypeError: for a field that is not there to be edited.
    """
    access.require(actor, "settings")
    if unknown := fields.keys() - EDITABLE:
        raise TypeError(f"not a setting: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        BusinessSettings.objects.get_or_create(pk=1)
        business = BusinessSettings.objects.select_for_update().get(pk=1)
        old_currency, old_rule, old_zone = business.currency, business.lost_when, business.time_zone
        for name, value in fields.items():
            setattr(business, name, value)
        _check(business)
        if business.currency != old_currency and currency_is_in_use():
            raise Refused(currency_blocker(old_currency))
        turned = _turned(business, old_rule, now)
        if fields:
            business.save(update_fields=list(fields))
        if business.time_zone != old_zone:
            reminders.follow_zone(business)
        _follow_lost_rule(turned, actor, now)
    return business


def _turned(business: BusinessSettings, old_rule: str, now: datetime) -> list[int]:
    if business.lost_when == old_rule:
        return []
    new_rule = business.lost_when
    business.lost_when = old_rule
    turn = lost_rule.turn(new_rule, business=business, today=business.today(now))
    business.lost_when = new_rule
    return turn.card_ids


def _follow_lost_rule(card_ids: list[int], actor: Person | None, now: datetime) -> None:
    if actor is not None and card_ids:
        bulk.follow(verb=bulk.LOST_RULE, opportunity_ids=card_ids, actor=actor, now=now)
        return
    for card_id in card_ids:
        lost_rule.follow(opportunity_id=card_id, actor=None, now=now)


def _check(business: BusinessSettings) -> None:
    business.name = " ".join(business.name.replace("\x00", "").split())
    if not business.name:
        raise ValidationError({"name": _("Say what your business is called.")})
    if business.currency not in dict(currencies()):
        words = _("“%(code)s” is no currency that is in use. Choose one from the list.")
        raise ValidationError({"currency": words % {"code": business.currency}})
    business.clean_fields()
    business.validate_constraints()


def currency_is_in_use() -> bool:
    """Tell whether any card or document carries an amount: from then on the currency is settled."""
    lines: tuple[Any, ...] = (QuoteLine, JobLine, AgreementLine, Payment)
    priced = Opportunity.objects.filter(amount__isnull=False).exists()
    return priced or any(model.objects.exists() for model in lines)


def currency_blocker(currency: str) -> Blocker:
    """Say why the currency stays."""
    words = _("The currency stays %(code)s: there are amounts in it already.")
    return Blocker("CURRENCY_IN_USE", words % {"code": currency})


def currencies() -> tuple[tuple[str, str], ...]:
    """The currencies in use somewhere today (ISO 4217), each with its name in the reader's language."""
    return _currencies(get_language() or "en")


@lru_cache(maxsize=16)
def _currencies(language: str) -> tuple[tuple[str, str], ...]:
    locale = locale_of(language)
    return tuple((code, str(get_currency_name(code, locale=locale))) for code in sorted(_tender()))


@lru_cache(maxsize=1)
def _tender() -> frozenset[str]:
    """The currencies that are legal tender somewhere and were not given up, as CLDR knows them."""
    territories = get_global("territory_currencies")
    return frozenset(
        code for held in territories.values() for code, _start, end, is_tender in held if is_tender and end is None
    )


def currency_of_country(country: str) -> str | None:
    """Return the currency of a country ("DE"), if it has just one that we know."""
    held = get_global("territory_currencies").get(country.upper(), ())
    present = [code for code, _start, end, is_tender in held if is_tender and end is None]
    return present[0] if present else None


def time_zones() -> list[str]:
    """The names of the IANA time zones that people choose from, without the technical ones."""
    technical = ("Etc/", "SystemV/", "US/", "posix", "right")
    places = (name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(technical))
    return [*sorted(places), "UTC"]


def find_time_zone(words: str) -> str:
    """Return the zone that somebody means: its full name in any case, or just its city, if only one is called so.

    What is not found comes back as it was, for `edit_settings` to refuse.
    """
    wanted = "_".join(words.split()).casefold()
    known = zoneinfo.available_timezones()
    exact = [name for name in known if name.casefold() == wanted]
    cities = [name for name in time_zones() if name.rpartition("/")[2].casefold() == wanted]
    return exact[0] if exact else cities[0] if len(cities) == 1 else words.strip()
