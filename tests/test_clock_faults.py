"""Nights that are shorter, longer or left out: a card expires with its own local day, once. More: `make faults`."""

from datetime import date, timedelta

import pytest

from tests.factories import NOW, make_card, starter_rows
from tests.faults import clock

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("zone", "day"),
    [("America/Havana", date(2025, 11, 2)), ("Pacific/Apia", date(2011, 12, 30))],
)
def test_a_card_expires_once_with_its_local_day_whatever_the_clocks_do(zone, day):
    starter_rows()
    early = NOW.replace(year=2011)
    cards = {forecast: make_card(forecast_date=forecast, now=early).pk for forecast in clock.days_around(day)[1:3]}

    assert clock.watch(zone, day, cards, step=timedelta(hours=2)) == []
