"""Logging in, passwords and sessions: what an outsider can find out or try (issue 2, point 8)."""

import re
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from opportunities import password_links
from tests import servers
from tests.factories import PASSWORD, UserFactory, starter_rows

pytestmark = pytest.mark.django_db

CONSOLE = {"default": {"BACKEND": password_links.CONSOLE}}
NEW = "seven tall ships"


def mails() -> list[mail.EmailMessage]:
    """The mails that were sent, once those that are on their way have left."""
    for thread in threading.enumerate():
        if thread.name == password_links.THREAD:
            thread.join(timeout=10)
    return mail.outbox


def log_in(client: Client, username: str, password: str = PASSWORD):
    return client.post("/accounts/login/", {"username": username, "password": password})


@pytest.fixture
def ann():
    starter_rows()
    return UserFactory(username="ann", email="ann@example.test")


# Logging in


def test_the_right_password_leads_to_where_one_wanted_to_go(client, ann):
    page = client.post("/accounts/login/?next=/accounts/profile/", {"username": "ann", "password": PASSWORD})

    assert page.url == "/accounts/profile/"


def test_a_wrong_password_is_said_and_the_name_stays(client, ann):
    page = log_in(client, "ann", "wrong")

    assert page.status_code == 422
    assert "Please enter a correct username and password" in page.content.decode()
    assert 'value="ann"' in page.content.decode()


def test_an_unknown_name_gets_the_same_answer_as_a_wrong_password(client, ann):
    known = log_in(client, "ann", "wrong").content.decode()
    unknown = log_in(client, "bob", "wrong").content.decode()

    assert _without_secrets(known) == _without_secrets(unknown).replace('value="bob"', 'value="ann"')


def test_login_never_leads_to_another_site(client, ann):
    page = client.post("/accounts/login/?next=https://evil.example/", {"username": "ann", "password": PASSWORD})

    assert page.url == "/"


def test_who_is_deactivated_cannot_log_in(client, ann):
    User.objects.update(is_active=False)

    assert log_in(client, "ann").status_code == 422


def test_where_nobody_can_log_in_yet_the_page_says_how_to_begin(client):
    assert "make admin" in client.get("/accounts/login/").content.decode()


def test_where_an_admin_exists_the_page_says_nothing_of_it(client):
    UserFactory(role="admin")

    assert "make admin" not in client.get("/accounts/login/").content.decode()


def test_demo_logins_are_not_shown_outside_of_a_sample_database(client, ann):
    assert "Sample business" not in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(
    ("meta", "shown"),
    [
        ({"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000"}, True),
        ({"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}, True),
        ({"SERVER_NAME": "::1", "REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8000"}, True),
        ({"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "board.example.com"}, False),
        ({"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "203.0.113.7", "HTTP_HOST": "127.0.0.1:8000"}, False),
        ({"SERVER_NAME": "10.0.0.5", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}, False),
    ],
)
def test_only_this_machine_counts_as_this_machine(rf, settings, meta, shown):
    from opportunities.accounts_views import is_on_this_machine

    settings.ALLOWED_HOSTS = ["*"]

    assert is_on_this_machine(rf.get("/accounts/login/", **meta)) is shown


def test_logging_out_takes_a_post_so_that_no_link_can_do_it(client, ann):
    client.force_login(ann, backend="opportunities.access.RoleBackend")

    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/").url == "/accounts/login/"
    assert "_auth_user_id" not in client.session


# The limit


def test_after_five_wrong_passwords_the_name_rests_and_the_page_says_for_how_long(client, ann, login_limit):
    answers = [log_in(client, "ann", "wrong").status_code for _each in range(login_limit)]
    page = log_in(client, "ann")

    assert answers == [422] * (login_limit - 1) + [429]
    assert page.status_code == 429
    assert "Try again in 15 minutes" in page.content.decode()
    assert "/accounts/reset/" in page.content.decode()


def test_a_name_that_nobody_has_rests_as_well(client, ann, login_limit):
    answers = [log_in(client, "nobody", "wrong").status_code for _each in range(login_limit)]

    assert answers[-1] == 429


def test_the_limit_of_one_name_does_not_keep_others_out(client, ann, login_limit):
    UserFactory(username="bob")
    for _each in range(login_limit):
        log_in(client, "ann", "wrong")

    assert log_in(client, "bob").status_code == 302


def test_the_limit_ends_by_itself(client, ann, login_limit):
    with time_machine.travel(datetime(2026, 11, 20, 9, 0, tzinfo=UTC), tick=False) as clock:
        for _each in range(login_limit):
            log_in(client, "ann", "wrong")
        clock.shift(timedelta(minutes=16))

        assert log_in(client, "ann").status_code == 302


def test_who_sets_a_new_password_by_the_link_can_log_in_at_once(client, ann, login_limit):
    for _each in range(login_limit):
        log_in(client, "ann", "wrong")

    _set_password(client, password_links.link_for(ann))

    assert log_in(client, "ann", NEW).status_code == 302


# The password link


def _set_password(client: Client, link: str, password: str = NEW):
    form = client.get(urlsplit(link).path, follow=True)
    return client.post(form.request["PATH_INFO"], {"new_password1": password, "new_password2": password})


def test_a_forgotten_password_is_set_anew_by_a_mailed_link(client, ann):
    client.post("/accounts/reset/", {"email": "Ann@Example.test"})

    (letter,) = mails()
    link = re.search(r"http://\S+", letter.body)[0]
    _set_password(client, link)

    assert letter.to == ["ann@example.test"]
    assert log_in(client, "ann", NEW).status_code == 302


def test_the_mail_goes_to_the_address_that_we_have_and_leads_to_our_own_address(client, ann, settings):
    settings.STAGEBOARD_URL = "https://board.example.com"

    client.post("/accounts/reset/", {"email": "ann@example.test"})

    assert "https://board.example.com/accounts/reset/" in mails()[0].body


def test_asking_for_a_link_never_tells_whether_the_address_is_known(client, ann):
    known = client.post("/accounts/reset/", {"email": "ann@example.test"}, follow=True)
    unknown = client.post("/accounts/reset/", {"email": "who@example.test"}, follow=True)

    assert _without_secrets(known.content.decode()) == _without_secrets(unknown.content.decode())
    assert [letter.to for letter in mails()] == [["ann@example.test"]]


def test_a_mail_server_that_is_away_does_not_tell_either(client, ann, settings):
    port = servers.free_port()
    backend = "django.core.mail.backends.smtp.EmailBackend"
    settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"host": "127.0.0.1", "port": port, "timeout": 2}}}

    known = client.post("/accounts/reset/", {"email": "ann@example.test"}, follow=True)
    unknown = client.post("/accounts/reset/", {"email": "who@example.test"}, follow=True)
    mails()

    assert _without_secrets(known.content.decode()) == _without_secrets(unknown.content.decode())


def test_without_a_mail_server_the_whole_link_stands_in_the_terminal(client, ann, settings, capsys):
    settings.MAILERS = CONSOLE
    settings.STAGEBOARD_URL = "https://a-rather-long-name-of-a-server.sales.example.com"

    client.post("/accounts/reset/", {"email": "ann@example.test"})
    mails()

    printed = capsys.readouterr().out
    link = re.search(r"https://\S+/", printed)[0]
    _set_password(client, link)
    assert log_in(client, "ann", NEW).status_code == 302


def test_who_never_set_a_password_can_still_ask_for_a_link(client, ann):
    ann.set_unusable_password()
    ann.save()

    client.post("/accounts/reset/", {"email": "ann@example.test"})

    assert "You log in as ann" in mails()[0].body


def test_who_is_deactivated_gets_no_mail(client, ann):
    User.objects.update(is_active=False)

    client.post("/accounts/reset/", {"email": "ann@example.test"})

    assert mails() == []


def test_a_link_works_once(client, ann):
    link = password_links.link_for(ann)
    _set_password(client, link)

    assert "This link no longer works" in Client().get(urlsplit(link).path).content.decode()


def test_a_link_lasts_three_days(client, ann):
    with time_machine.travel(datetime(2026, 11, 20, 9, 0, tzinfo=UTC), tick=False) as clock:
        path = urlsplit(password_links.link_for(ann)).path
        clock.shift(timedelta(days=2, hours=23))
        assert client.get(path).status_code == 302
        clock.shift(timedelta(hours=2))

        assert "no longer works" in Client().get(path).content.decode()


def test_a_link_of_somebody_deactivated_since_is_dead(client, ann):
    link = password_links.link_for(ann)
    User.objects.update(is_active=False)

    assert "no longer works" in client.get(urlsplit(link).path).content.decode()


@pytest.mark.parametrize(
    "path", ["/accounts/reset/MQ/abc-def/", "/accounts/reset/%F0/x/", "/accounts/reset/OTk5OQ/a-b/"]
)
def test_a_link_that_was_not_copied_whole_says_so(client, ann, path):
    assert "This link no longer works" in client.get(path).content.decode()


def test_a_weak_password_is_refused_in_words(client, ann):
    form = client.get(urlsplit(password_links.link_for(ann)).path, follow=True)

    page = client.post(form.request["PATH_INFO"], {"new_password1": "password", "new_password2": "password"})

    assert page.status_code == 422
    assert "too common" in page.content.decode()


def test_changing_the_password_asks_for_the_old_one(client, ann):
    client.force_login(ann, backend="opportunities.access.RoleBackend")

    page = client.post("/accounts/password/", {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW})

    assert page.status_code == 422
    assert User.objects.get(pk=ann.pk).check_password(PASSWORD)


def test_changing_the_password_logs_out_everywhere_else(client, ann):
    elsewhere = Client()
    for each in (client, elsewhere):
        each.force_login(ann, backend="opportunities.access.RoleBackend")

    client.post("/accounts/password/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})

    assert client.get("/accounts/profile/").status_code == 200
    assert elsewhere.get("/accounts/profile/").status_code == 302


# Sessions and the browser's protection


def test_an_htmx_request_whose_session_ended_sends_the_whole_page_to_the_login(client, ann):
    answer = client.get(
        "/people/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/boards/3/?q=pump"}
    )

    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=%2Fboards%2F3%2F%3Fq%3Dpump"
    assert answer.content == b""


def test_a_form_that_was_open_for_too_long_says_so_and_changes_nothing(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, backend="opportunities.access.RoleBackend")

    page = client.post("/accounts/profile/", {"first_name": "Eve", "last_name": "", "email": ""})

    assert page.status_code == 403
    assert "open for too long" in page.content.decode()
    assert User.objects.get(pk=ann.pk).first_name == "Ann"


def test_secure_cookies_and_https_follow_from_the_address(own_database):
    script = (
        "from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0)"
    )
    own_database.env["STAGEBOARD_URL"] = "https://board.example.com"
    secure = own_database.manage("shell", "--no-imports", "-c", script)
    own_database.env["STAGEBOARD_URL"] = "http://127.0.0.1:8000"
    plain = own_database.manage("shell", "--no-imports", "-c", script)

    assert "True True True True" in secure
    assert "False False False False" in plain


def _without_secrets(page: str) -> str:
    """The page without what differs from one request to the next."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"', "", page)
