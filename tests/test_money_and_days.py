"""How money and dates are written."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation

from opportunities import days
from opportunities.money import currency_symbol, format_money, is_currency

TODAY = date(2026, 11, 15)


@pytest.mark.parametrize(
    ("language", "currency", "written"),
    [
        ("en-us", "USD", "$18,400.50"),
        ("en-us", "EUR", "€18,400.50"),
        ("en-us", "JPY", "¥18,400"),
        ("de", "EUR", "18.400,50\xa0€"),
        ("en-us", "QQQ", "QQQ18,400.50"),
    ],
)
def test_money_is_written_as_the_language_and_the_currency_ask(language, currency, written):
    with translation.override(language):
        assert format_money(Decimal("18400.50"), currency).replace("QQQ\xa0", "QQQ") == written


def test_on_a_card_a_whole_amount_has_no_cents():
    assert format_money(Decimal("18400.00"), "USD", short=True) == "$18,400"


def test_on_a_card_cents_that_matter_are_kept():
    assert format_money(Decimal("18400.5"), "USD", short=True) == "$18,400.50"


def test_no_amount_is_nothing_to_write():
    assert format_money(None, "USD") == ""


def test_nothing_is_an_amount_too():
    assert format_money(0, "USD", short=True) == "$0"


def test_only_codes_of_the_standard_are_currencies():
    assert is_currency("EUR")
    assert not is_currency("euro")
    assert currency_symbol("EUR") == "€"


@pytest.mark.parametrize(
    ("day", "said", "tone"),
    [
        (date(2026, 11, 14), "yesterday", "late"),
        (date(2026, 11, 15), "today", "soon"),
        (date(2026, 11, 16), "tomorrow", "soon"),
        (date(2026, 11, 22), "22 Nov", "soon"),
        (date(2026, 12, 12), "12 Dec", ""),
        (date(2027, 1, 3), "3 Jan 2027", ""),
        (date(2026, 11, 2), "2 Nov", "late"),
    ],
)
def test_a_date_is_said_as_people_say_it(day, said, tone):
    words = days.say(day, TODAY)

    assert (words.short, words.tone) == (said, tone)


def test_pointing_at_a_date_says_it_in_full():
    assert days.say(date(2026, 12, 12), TODAY).full == "Saturday, 12 December 2026"


@pytest.mark.parametrize(("day", "said"), [(14, "Expired yesterday"), (12, "Expired 3 d ago"), (15, "Expired")])
def test_an_expired_card_says_since_when(day, said):
    assert days.expired(date(2026, 11, day), TODAY) == said


def test_the_past_is_counted_in_days_for_a_month():
    assert days.ago(date(2026, 11, 12), TODAY) == "3 days ago"
    assert days.ago(date(2026, 9, 12), TODAY) == "12 Sep"


def test_time_in_a_stage_is_counted_in_days():
    assert days.lasting(date(2026, 11, 3), TODAY) == "12 d"
    assert days.lasting_in_words(date(2026, 11, 15), TODAY) == "since today"
    assert days.lasting_in_words(date(2026, 11, 14), TODAY) == "1 day"
