"""Where the sample business is refused: it has logins whose passwords everybody knows."""

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from opportunities import sample, starter
from opportunities.models import Event
from tests.factories import NOW, CustomerFactory


def test_without_the_sample_there_are_no_demo_logins(db):
    starter.fill(NOW)

    assert sample.demo_logins() == []


def test_the_sample_is_refused_where_there_are_customers(db):
    starter.fill(NOW)
    CustomerFactory()

    with pytest.raises(CommandError, match="in use"):
        call_command("sample")
    assert not sample.is_sample()


def test_the_sample_is_refused_before_the_starter_setup(db):
    with pytest.raises(CommandError, match="starter"):
        call_command("sample")


def test_the_sample_is_refused_at_an_address_that_others_reach(db, settings):
    settings.STAGEBOARD_URL = "https://board.example.com"
    settings.SITE = settings.SITE._replace(netloc="board.example.com")
    starter.fill(NOW)

    with pytest.raises(CommandError, match=r"board\.example\.com"):
        call_command("sample")


def test_shortly_after_midnight_the_sample_has_no_act_in_the_future(db):
    just_after_midnight = datetime(2026, 3, 4, 5, 3, tzinfo=UTC)
    starter.fill(just_after_midnight)

    sample.fill(just_after_midnight)

    assert not Event.objects.filter(at__gt=just_after_midnight).exists()
