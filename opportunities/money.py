"""How amounts of money are written: in the business's currency, as the reader's language writes it (W1, 6)."""

import copy
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import (
    NumberFormatError,
    NumberPattern,
    format_decimal,
    get_currency_precision,
    list_currencies,
    parse_decimal,
)
from django.utils.translation import get_language

CENT = Decimal("0.01")


def format_money(amount: Decimal | int | None, currency: str, *, short: bool = False) -> str:
    """Write an amount: $18,400.00. `short` leaves out the cents of a whole amount, for cards and heads: $18,400.

    No amount is an empty text. A currency that nobody knows is written by its code.
    """
    if amount is None:
        return ""
    return _written(Decimal(amount), currency, short, get_language() or "en")


@lru_cache(maxsize=16_384)
def _written(amount: Decimal, currency: str, short: bool, language: str) -> str:
    locale = locale_of(language)
    whole = short and amount == amount.to_integral_value()
    pattern = _pattern(locale, 0 if whole else get_currency_precision(currency))
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


@lru_cache(maxsize=256)
def _pattern(locale: Locale, digits: int) -> NumberPattern:
    pattern: NumberPattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """Return the rules of one of Django's languages ("en-us"); English where they are not known."""
    for name in (language, language.partition("-")[0]):
        try:
            return Locale.parse(name, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def read_money(text: str, currency: str) -> Decimal:
    """Read an amount as the reader's language writes it, with or without the currency's sign: 18,400.50.

    :raises ValueError: it is no amount.
    """
    locale = locale_of(get_language() or "en")
    bare = text.replace(currency, "").replace(currency_symbol(currency), "").strip()
    if not bare or not set(bare) <= set("0123456789.,'’-−\u00a0\u202f "):  # noqa: RUF001 - as languages write them
        raise ValueError(text)
    plain = bare.replace(" ", "").replace("\u00a0", "").replace("\u202f", "").replace("−", "-")  # noqa: RUF001
    try:
        return Decimal(str(parse_decimal(plain, locale=locale, strict=True)))
    except NumberFormatError:
        pass
    # Typed without the language's separators: 18400.5 or 18400,50.
    try:
        return Decimal(plain.replace(",", ".")) if plain.count(",") + plain.count(".") <= 1 else _refuse(text)
    except ArithmeticError as error:
        raise ValueError(text) from error


def _refuse(text: str) -> Decimal:
    raise ValueError(text)


def write_plain(amount: Decimal | None) -> str:
    """Write an amount for a field to type in: the language's separators, no sign, no needless cents."""
    if amount is None:
        return ""
    pattern = "#,##0" if amount == amount.to_integral_value() else "#,##0.00"
    return str(format_decimal(amount, format=pattern, locale=locale_of(get_language() or "en")))


def write_quantity(quantity: Decimal) -> str:
    """Write a quantity for a field to type in: the language's separators, no needless zeros."""
    return str(format_decimal(quantity, format="#,##0.###", locale=locale_of(get_language() or "en")))


def is_currency(code: str) -> bool:
    """Tell whether this is a code of ISO 4217 that is known here."""
    return code in list_currencies()


def currency_symbol(currency: str) -> str:
    """Return the sign of a currency as the reader's language writes it: $, €, or its code."""
    return str(locale_of(get_language() or "en").currency_symbols.get(currency, currency))
