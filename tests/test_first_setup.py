"""A new installation: the first admin, and the three questions that come before any board (issue 2, point 1)."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from opportunities import access, business
from opportunities.access import Role
from opportunities.errors import NotAllowed, Refused
from opportunities.models import BusinessSettings
from tests.factories import NOW, UserFactory, make_card, starter_rows
from tests.test_accounts import _set_password, log_in

pytestmark = pytest.mark.django_db

ANSWERS = {"name": "Harbor Heating", "time_zone": "Europe/Berlin", "currency": "EUR"}


def as_role(role, **fields):
    client = Client()
    client.force_login(UserFactory(role=role, **fields), backend="opportunities.access.RoleBackend")
    return client


# Before the business has a name


def test_before_any_page_shows_an_admin_is_asked_three_questions():
    admin = as_role("admin")

    assert admin.get("/").url == "/setup/"
    assert admin.get("/people/").url == "/setup/"
    page = admin.get("/setup/").content.decode()
    assert all(f'name="{name}"' in page for name in ANSWERS)


def test_the_answers_are_kept_and_lead_on():
    admin = as_role("admin")

    answer = admin.post("/setup/", ANSWERS)

    assert answer.url == "/"
    kept = BusinessSettings.current()
    assert {name: getattr(kept, name) for name in ANSWERS} == ANSWERS


@pytest.mark.parametrize("role", ["salesperson", "manager"])
def test_others_are_told_whom_to_ask(role):
    UserFactory(role="admin", first_name="Ada", last_name="Lowell", email="ada@example.test")
    person = as_role(role)

    page = person.get("/", follow=True)

    assert page.status_code == 403
    assert "Ada Lowell" in page.content.decode()
    assert "mailto:ada@example.test" in page.content.decode()


def test_others_cannot_answer_for_the_admin():
    as_role("manager").post("/setup/", ANSWERS)

    assert not BusinessSettings.current().is_set_up


def test_after_the_setup_the_page_is_no_place_for_others():
    starter_rows()

    assert as_role("salesperson").get("/setup/").url == "/"


@pytest.mark.parametrize("typed", ["europe/berlin", "Berlin", "berlin ", "Europe/Berlin"])
def test_a_city_is_enough_to_find_the_time_zone(typed):
    as_role("admin").post("/setup/", {**ANSWERS, "time_zone": typed})

    assert BusinessSettings.current().time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", " ", "required"),
        ("time_zone", "Atlantis", "no time zone called “Atlantis”"),
        ("time_zone", "../../etc/passwd", "no time zone called"),
        ("currency", "DEM", "not one of the available choices"),
        ("name", "x" * 101, "at most 100 characters"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_kept(field, value, words):
    page = as_role("admin").post("/setup/", {**ANSWERS, field: value})

    assert page.status_code == 422
    assert words in page.content.decode()
    assert not BusinessSettings.current().is_set_up


@pytest.mark.parametrize(
    ("languages", "currency"),
    [
        ("de-DE,de;q=0.9", "EUR"),
        ("pl-PL", "PLN"),
        ("en", "USD"),
        ("", "USD"),
        ("xx-XX,!!;q=x", "USD"),
        ("de-CH", "CHF"),
    ],
)
def test_the_currency_is_guessed_from_the_language_of_the_browser(languages, currency):
    page = as_role("admin").get("/setup/", headers={"accept-language": languages}).content.decode()

    assert re.search(rf'<option value="{currency}" selected>', page)


def test_every_time_zone_and_currency_of_today_is_offered():
    assert {"Europe/Kyiv", "America/New_York", "Asia/Kathmandu", "UTC"} <= set(business.time_zones())
    codes = {code for code, _name in business.currencies()}
    assert {"EUR", "USD", "JPY", "XOF", "CHF"} <= codes
    assert not {"DEM", "FRF", "XXX"} & codes


# The verb


@pytest.fixture
def admin():
    starter_rows()
    return UserFactory(role="admin")


def test_the_currency_stays_once_an_amount_exists(admin):
    make_card(amount=100)

    with pytest.raises(Refused, match="The currency stays USD") as refused:
        business.edit_settings(currency="EUR", actor=admin, now=NOW)

    assert refused.value.codes == ("CURRENCY_IN_USE",)
    assert BusinessSettings.current().currency == "USD"


def test_the_currency_may_change_while_no_card_has_an_amount(admin):
    make_card()

    business.edit_settings(currency="EUR", actor=admin, now=NOW)

    assert BusinessSettings.current().currency == "EUR"


def test_everything_else_may_change_at_any_time(admin):
    make_card(amount=100)

    business.edit_settings(currency="USD", salespeople_see="own", auto_archive_days=None, actor=admin, now=NOW)

    kept = BusinessSettings.current()
    assert (kept.salespeople_see, kept.auto_archive_days) == ("own", None)


@pytest.mark.parametrize(
    "fields", [{"auto_archive_days": 0}, {"salespeople_see": "some"}, {"currency": "QQQ"}, {"name": ""}]
)
def test_settings_that_cannot_be_are_refused(admin, fields):
    with pytest.raises(ValidationError):
        business.edit_settings(**fields, actor=admin, now=NOW)

    assert BusinessSettings.current().name == "Harbor Heating"


def test_the_clock_of_the_sweep_is_no_setting(admin):
    with pytest.raises(TypeError):
        business.edit_settings(swept_until=NOW.date(), actor=admin, now=NOW)


def test_only_admins_change_the_settings(admin):
    with pytest.raises(NotAllowed):
        business.edit_settings(name="Mine", actor=UserFactory(role="manager"), now=NOW)


def test_the_refusal_of_the_currency_stands_on_the_page(admin):
    make_card(amount=100)
    client = Client()
    client.force_login(admin, backend="opportunities.access.RoleBackend")

    page = client.post("/setup/", ANSWERS)

    assert page.status_code == 409
    assert "The currency stays USD" in page.content.decode()
    assert BusinessSettings.current().time_zone == "UTC"


# Nobody's page


@pytest.mark.parametrize("path", ["/", "/people/", "/setup/", "/admin/"])
def test_who_is_in_no_group_is_told_whom_to_ask(admin, path):
    page = as_role("").get(path)

    assert page.status_code == 403
    assert admin.get_full_name() in page.content.decode()


def test_who_is_in_no_group_can_still_log_out(admin):
    assert as_role("").post("/accounts/logout/").status_code == 302


def test_a_screen_reader_of_htmx_finds_the_sentence_of_a_refusal(admin):
    page = as_role("").get("/", headers={"HX-Request": "true"})

    assert "data-message" in page.content.decode()


# make admin


def test_the_first_admin_is_made_with_a_link_that_sets_the_password(client, capsys):
    starter_rows()

    call_command("make_admin", "--username", "ada", "--email", "ada@example.test")

    printed = capsys.readouterr().out
    _set_password(client, re.search(r"http://\S+", printed)[0])
    assert log_in(client, "ada", "seven tall ships").status_code == 302
    assert access.role_of(User.objects.get(username="ada")) is Role.ADMIN


def test_the_first_admin_is_made_from_the_environment(client, monkeypatch, capsys):
    monkeypatch.setenv("STAGEBOARD_ADMIN_USERNAME", "ada")
    monkeypatch.setenv("STAGEBOARD_ADMIN_PASSWORD", "seven tall ships")

    call_command("make_admin")

    assert "ada is an Admin." in capsys.readouterr().out
    assert log_in(client, "ada", "seven tall ships").status_code == 302
    assert User.objects.get().is_staff


def test_at_the_terminal_the_command_asks_until_the_answers_will_do(client, monkeypatch, capsys):
    typed = iter(["ada", "ada@example.test", "ada", ""])
    secret = iter(["", "12345678", "other", "12345678", "12345678", "seven tall ships", "seven tall ships"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _words: next(typed))
    monkeypatch.setattr("getpass.getpass", lambda _words: next(secret))

    call_command("make_admin")

    said = capsys.readouterr()
    assert "cannot be empty" in said.err
    assert "not the same" in said.err
    assert "entirely numeric" in said.err
    assert "ada is an Admin." in said.out
    assert log_in(client, "ada", "seven tall ships").status_code == 302


def test_a_weak_password_is_refused_in_words_and_nobody_is_made(monkeypatch):
    monkeypatch.setenv("STAGEBOARD_ADMIN_USERNAME", "ada")
    monkeypatch.setenv("STAGEBOARD_ADMIN_PASSWORD", "12345")

    with pytest.raises(CommandError, match=r"too short.*entirely numeric"):
        call_command("make_admin")

    assert not User.objects.exists()


def test_a_username_of_a_wrong_form_is_refused_in_words():
    with pytest.raises(CommandError, match="Enter a valid username"):
        call_command("make_admin", "--username", "ada lowell")


def test_whoever_runs_the_server_can_make_an_admin_of_somebody_who_has_an_account(capsys):
    UserFactory(username="bob", role="salesperson", is_active=False)

    call_command("make_admin", "--username", "Bob")

    assert "bob is now an Admin." in capsys.readouterr().out
    assert access.role_of(User.objects.get()) is Role.ADMIN


def test_with_nobody_at_the_terminal_the_command_says_what_it_needs(own_database):
    said = own_database.manage("make_admin", check=False)

    assert "Give --username" in said


def test_without_a_prepared_database_the_command_says_what_to_do(tmp_path):
    from tests import servers

    with servers.database(tmp_path / "empty", migrate=False) as empty:
        said = empty.manage("make_admin", "--username", "ada", check=False)

    assert "The database is not prepared" in said
    assert "Traceback" not in said
