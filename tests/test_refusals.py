"""How a refusal reaches people: as a page with a way back, as a toast under htmx, never as a bare error."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.test import Client

from opportunities import pipeline, replacing
from tests.factories import NOW, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/boards/1/"}


@pytest.fixture
def admin():
    starter_rows()
    return UserFactory(role="admin", first_name="Ada", last_name="Lowell")


def logged_in(person) -> Client:
    client = Client()
    client.force_login(person, backend="opportunities.access.RoleBackend")
    return client


def test_a_rule_refuses_under_htmx_with_a_toast_that_replaces_nothing_else(admin):
    answer = logged_in(admin).post(f"/people/{admin.pk}/deactivate/", headers=HTMX)

    words = answer.content.decode().strip()
    assert answer.status_code == 409
    assert words.startswith('<div hx-swap-oob="beforeend:#toasts">')
    assert "Ada Lowell is the only admin" in words
    assert "<html" not in words


def test_a_missing_right_is_said_under_htmx_where_the_script_looks_for_it(admin):
    answer = logged_in(UserFactory(role="manager")).get("/people/", headers=HTMX)

    assert answer.status_code == 403
    assert "<p data-message>Only an admin may do that." in answer.content.decode()


def test_a_card_that_may_not_be_seen_is_not_there_under_htmx_either(admin):
    from opportunities.models import BusinessSettings

    BusinessSettings.objects.update(salespeople_see="own")
    card = make_card(salesperson_id=admin.pk, title="Secret deal", now=NOW)

    answer = logged_in(UserFactory()).get(f"/opportunities/{card.pk}/", headers=HTMX)

    assert answer.status_code == 404
    assert "Secret" not in answer.content.decode()


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("http://testserver/people/?page=2", "http://testserver/people/?page=2"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_the_page_of_a_refusal_leads_back_and_never_to_another_site(admin, came_from, back):
    headers = {"Referer": came_from} if came_from else {}

    page = logged_in(admin).post(f"/people/{admin.pk}/deactivate/", headers=headers).content.decode()

    assert f'href="{back}">Go back' in page
    assert "Nothing was changed." in page


@pytest.mark.parametrize("path", ["/nothing/", "/opportunities/999999/", "/people/999999/", "/boards/999999/"])
def test_what_is_not_there_is_said_on_a_page_with_a_way_on(admin, path):
    page = logged_in(admin).get(path)

    assert page.status_code == 404
    assert "Nothing here" in page.content.decode()
    assert 'href="/"' in page.content.decode()
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_ids_that_no_database_can_hold_are_not_there(admin):
    client = logged_in(admin)

    assert client.get("/people/99999999999999999999999/").status_code == 404
    assert client.post("/people/99999999999999999999999/reactivate/").status_code == 404


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/reset/", "/nothing/"])
def test_nobody_gets_a_page_without_the_strict_policy(path):
    policy = Client().get(path).headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def failing(error):
    def verb(**_given):
        raise error

    return verb


def test_who_waits_in_vain_for_the_database_is_told_so(admin, monkeypatch):
    card = make_card(now=NOW)
    monkeypatch.setattr(pipeline, "duplicate", failing(OperationalError("database is locked")))

    page = logged_in(admin).post(f"/opportunities/{card.pk}/duplicate/")
    toast = logged_in(admin).post(f"/opportunities/{card.pk}/duplicate/", headers=HTMX)

    assert (page.status_code, toast.status_code) == (503, 503)
    assert "Something large is being saved" in page.content.decode()
    assert toast.content.decode().strip().startswith('<div hx-swap-oob="beforeend:#toasts">')


def test_a_database_that_is_broken_is_not_called_busy(admin, monkeypatch):
    card = make_card(now=NOW)
    monkeypatch.setattr(pipeline, "duplicate", failing(OperationalError("no such table")))

    with pytest.raises(OperationalError):
        logged_in(admin).post(f"/opportunities/{card.pk}/duplicate/")


def test_what_a_verb_finds_out_of_bounds_ends_in_words_everywhere(admin, monkeypatch):
    card = make_card(now=NOW)
    monkeypatch.setattr(pipeline, "duplicate", failing(ValidationError({"day": f"Not {date(2025, 6, 10)}."})))

    answer = logged_in(admin).post(f"/opportunities/{card.pk}/duplicate/")

    assert answer.status_code == 422
    assert "Not 2025-06-10." in answer.content.decode()


@pytest.mark.sqlite_only
def test_an_act_that_keeps_others_from_saving_says_so_beforehand():
    assert replacing.holds_others_up(1_000) == ""
    assert "about a minute" in replacing.holds_others_up(100_000)
    assert "about 2 minutes" in replacing.holds_others_up(200_000)
