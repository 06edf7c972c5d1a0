"""The calendar's own faults: midnight, the two daylight-saving jumps, and a day that a country left out."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from opportunities import sweep
from opportunities.models import BusinessSettings, Event, Opportunity

NIGHTS = {
    "America/New_York": (date(2025, 3, 9), date(2025, 11, 2)),
    "Europe/Berlin": (date(2025, 3, 30), date(2025, 10, 26)),
    "America/Havana": (date(2025, 3, 9), date(2025, 11, 2)),  # the hour after midnight is the one that is left out
    "Australia/Lord_Howe": (date(2025, 4, 6), date(2025, 10, 5)),  # half an hour
    "Pacific/Apia": (date(2011, 12, 30), date(2012, 4, 1)),  # 30 December 2011 never was
}


def watch(zone: str, day: date, cards: dict[date, int], *, step: timedelta = timedelta(minutes=30)) -> list[str]:
    """Sweep every half hour from the eve to the day after, and say where a card was not what the local day makes it.

    `cards` are prospects by their forecast date.
    """
    BusinessSettings.objects.filter(pk=1).update(time_zone=zone, swept_until=None)
    wrong: list[str] = []
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=36)
    for _ in range(int(timedelta(hours=84) / step)):
        sweep.run(now)
        local = now.astimezone(ZoneInfo(zone)).date()
        status = dict(Opportunity.objects.filter(pk__in=cards.values()).values_list("pk", "workflow_status"))
        for forecast, pk in cards.items():
            right = "expired" if forecast < local else "prospect"
            if status[pk] != right:
                wrong.append(f"{zone}, {now:%Y-%m-%d %H:%M} UTC: forecast {forecast} is {status[pk]}, not {right}")
        now += step
    for forecast, pk in cards.items():
        count = Event.objects.filter(opportunity=pk, kind__in=("expired", "revived")).count()
        if count != (1 if status[pk] == "expired" else 0):
            wrong.append(f"{zone}: forecast {forecast} has {count} entries of the clock in its history")
    return wrong


def days_around(day: date) -> list[date]:
    """The forecast dates that such a night could get wrong."""
    return [day + timedelta(days=away) for away in (-1, 0, 1, 5)]
