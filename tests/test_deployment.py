"""What a deployment relies on: settings that fail loudly, one process that serves and works, honest log lines."""

import logging
import os
import signal
import socket
import stat
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.http import HttpResponse, HttpResponseRedirect
from django.test import RequestFactory

from config import env
from config.logs import JsonFormatter, TerminalFormatter, WithoutPath
from config.middleware import RequestLogMiddleware, SessionEndedMiddleware
from opportunities.background import REGISTRY
from opportunities.checks import mail_server
from opportunities.models import OutgoingEmail
from tests import servers
from tests.factories import NOW
from tests.servers import ROOT


class TestVariables:
    @pytest.mark.parametrize(("word", "meant"), [("1", True), ("Yes", True), ("", False), ("off", False)])
    def test_a_flag_is_yes_or_no(self, monkeypatch, word, meant):
        monkeypatch.setenv("DEBUG", word)
        assert env.flag("DEBUG", default=True) is meant

    def test_any_other_word_stops_the_start(self, monkeypatch):
        monkeypatch.setenv("DEBUG", "maybe")
        with pytest.raises(ImproperlyConfigured, match="DEBUG must be 1 or 0"):
            env.flag("DEBUG")

    @pytest.mark.parametrize("value", ["-1", "eighty", "8000.5"])
    def test_a_number_that_is_none_stops_the_start(self, monkeypatch, value):
        monkeypatch.setenv("PORT", value)
        with pytest.raises(ImproperlyConfigured, match="PORT must be a whole number"):
            env.number("PORT", 8000)

    @pytest.mark.parametrize("value", ["board.example.com", "ftp://x.org", "https://x.org/board"])
    def test_an_address_must_be_a_site(self, monkeypatch, value):
        monkeypatch.setenv("STAGEBOARD_URL", value)
        with pytest.raises(ImproperlyConfigured, match="must look like https"):
            env.web_address("STAGEBOARD_URL", "")

    def test_a_mail_server_is_read_from_its_address(self, monkeypatch):
        monkeypatch.setenv("EMAIL_URL", "smtp://ann%40x.org:p%2Fw@mail.x.org:587?tls=1")
        options = env.mailer("EMAIL_URL")["OPTIONS"]
        assert options["username"] == "ann@x.org"
        assert options["password"] == "p/w"
        assert (options["port"], options["use_tls"], options["use_ssl"]) == (587, True, False)

    def test_a_provider_is_read_from_its_name_and_options(self, monkeypatch):
        monkeypatch.setenv("EMAIL_URL", "anymail+mailgun://?api_key=a%26b&sender_domain=mail.x.org&timeout=9")
        found = env.mailer("EMAIL_URL")
        assert found["BACKEND"] == "anymail.backends.mailgun.EmailBackend"
        given = {"api_key": "a&b", "sender_domain": "mail.x.org", "timeout": 9, "ignore_unsupported_features": True}
        assert found["OPTIONS"] == given

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ("anymail+pidgeon://?key=secret", "no provider is called 'pidgeon'. Known are: amazon_ses, brevo, "),
            ("anymail+postmark://secret", r"must look like anymail\+postmark://\?option=value"),
            ("smtp://ann:secret@mail.x.org:99999", "is not an address"),
            ("smtp://mail.x.org?timeout=900", "from 1 to 60, not '900'"),
            ("imap://ann:secret@mail.x.org", "must look like smtp://user:password@"),
        ],
    )
    def test_a_wrong_mail_server_stops_the_start_in_words_that_hold_no_password(self, monkeypatch, value, words):
        monkeypatch.setenv("EMAIL_URL", value)
        with pytest.raises(ImproperlyConfigured, match=words) as stopped:
            env.mailer("EMAIL_URL")
        assert "secret" not in str(stopped.value)

    @pytest.mark.parametrize("options", [{}, {"server_token": "x", "bogus": "1"}])
    def test_a_provider_with_missing_or_unknown_options_is_said_by_the_check(self, settings, options):
        settings.MAILERS = {"default": {"BACKEND": "anymail.backends.postmark.EmailBackend", "OPTIONS": options}}
        (found,) = mail_server()
        assert "EMAIL_URL cannot be used" in found.msg

    def test_without_a_mail_server_mails_are_printed(self, monkeypatch):
        monkeypatch.delenv("EMAIL_URL", raising=False)
        assert env.mailer("EMAIL_URL")["BACKEND"].endswith("console.EmailBackend")

    def test_the_secret_key_is_made_once_and_for_this_user_only(self, monkeypatch, tmp_path):
        monkeypatch.delenv("SECRET_KEY", raising=False)
        made = env.secret_key(tmp_path / "data", required=False)

        assert env.secret_key(tmp_path / "data", required=False) == made
        assert len(made) > 50
        assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]

    def test_the_production_form_wants_its_own_key(self, monkeypatch, tmp_path):
        monkeypatch.delenv("SECRET_KEY", raising=False)
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY must be set too"):
            env.secret_key(tmp_path, required=True)


def test_a_wrong_setting_is_said_in_one_sentence(tmp_path):
    wrong = servers.environment(tmp_path / "data", PORT="eighty")
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=wrong, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    expected = "Stageboard is not set up rightly: PORT must be a whole number from 0 up, not 'eighty'.\n"
    assert done.stderr == expected


def test_without_a_mail_server_the_check_of_a_deployment_warns_and_passes(tmp_path):
    given = servers.environment(tmp_path, STAGEBOARD_URL="https://board.example.com", SECRET_KEY="x7Kq" * 20)
    given.pop("EMAIL_URL", None)
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0
    assert "(stageboard.W001) EMAIL_URL is empty: mails to customers" in done.stderr


class TestLogLines:
    def line(self, status: int = 200) -> logging.LogRecord:
        record = logging.LogRecord("django.request", logging.ERROR, "", 0, "Not Found: %s", ("/l/secret/",), None)
        record.status_code = status
        return record

    def test_refusals_of_django_are_left_to_the_request_line(self):
        assert not WithoutPath().filter(self.line(404))

    def test_an_error_is_logged_without_its_path(self):
        record = self.line(500)
        assert WithoutPath().filter(record)
        assert "secret" not in TerminalFormatter("%(message)s").format(record)
        assert "secret" not in JsonFormatter().format(record)

    @pytest.mark.postgres
    @pytest.mark.django_db
    @pytest.mark.parametrize("formatter", [JsonFormatter, TerminalFormatter])
    def test_an_error_of_the_database_is_logged_without_the_row_that_it_repeats(self, formatter):
        row = {"kind": "notice", "to": ["ann@example.test"], "body": "Who had it", "created_at": NOW}
        with pytest.raises(IntegrityError, match="Who had it") as refused:
            OutgoingEmail.objects.create(**row)
        error = (refused.type, refused.value, refused.tb)
        record = logging.LogRecord("stageboard", logging.ERROR, "", 0, "Refused", (), error)

        said = formatter().format(record)

        assert "violates check constraint" in said
        assert "Who had it" not in said
        assert "ann@example.test" not in said

    def test_a_request_is_one_line_with_the_name_of_its_route(self, client, db, caplog):
        with caplog.at_level(logging.INFO, logger="stageboard.request"):
            response = client.get("/accounts/login/?next=/l/secret/")

        record = next(record for record in caplog.records if record.name == "stageboard.request")
        assert (record.route, record.status, record.method) == ("login", 200, "GET")
        assert len(response["X-Request-ID"]) == 12
        assert "secret" not in JsonFormatter().format(record)

    def test_a_failing_view_is_an_error(self, caplog):
        request = RequestFactory().get("/")
        request.resolver_match = None

        RequestLogMiddleware(lambda request: HttpResponse(status=500))(request)

        assert caplog.records[-1].levelno == logging.ERROR


class TestSessionEnded:
    def answer(self, location: str, **headers: str):
        from django_htmx.middleware import HtmxDetails

        request = RequestFactory().get("/boards/3/cards/1042/", headers=headers)
        request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
        return SessionEndedMiddleware(lambda request: HttpResponseRedirect(location))(request)

    def test_htmx_is_sent_to_the_login_and_back_to_the_page(self):
        page = "http://testserver/boards/3/?card=1042"
        headers = {"HX-Request": "true", "HX-Current-URL": page}

        answer = self.answer("/accounts/login/?next=/boards/3/cards/1042/", **headers)

        assert answer.status_code == 200
        assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fboards%2F3%2F%3Fcard%3D1042"

    def test_a_page_of_another_site_is_not_gone_back_to(self):
        headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/"}
        assert self.answer("/accounts/login/?next=/", **headers)["HX-Redirect"] == "/accounts/login/"

    def test_a_plain_page_is_redirected_as_ever(self):
        assert self.answer("/accounts/login/?next=/").status_code == 302

    def test_another_redirect_of_htmx_stays(self):
        assert self.answer("/boards/3/", **{"HX-Request": "true"}).status_code == 302


def get(url: str, path: str = "/accounts/login/", **headers: str):
    """Get a page without following redirects."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode(errors="replace")  # type: ignore[attr-defined]
        return answer
    finally:
        connection.close()


class TestServe:
    def test_prepares_serves_works_and_stops(self, own_database):
        with servers.serving(own_database, "--setup") as running:
            answer = get(running.url)
            slots = "SELECT name FROM opportunities_jobslot WHERE last_finished_at IS NOT NULL"
            servers.wait_until(lambda: len(own_database.sql(slots)) == len(REGISTRY), what="the first round of jobs")
            code = running.stop()

        assert answer.status == 200
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert code == 0
        assert running.text().rstrip().endswith("Stopped.")
        assert "Traceback" not in running.text()

    def test_stops_for_a_supervisor_too(self, own_database):
        with servers.serving(own_database, "--setup") as running:
            assert running.stop(with_signal=signal.SIGTERM) == 0

    def test_static_files_carry_a_hash_and_may_be_kept(self, own_database, tmp_path):
        with servers.serving(own_database, "--setup", STAGEBOARD_STATIC=str(tmp_path / "static")) as running:
            page = get(running.url).text
            path = next(word for word in page.split('"') if word.startswith("/static/") and ".css" in word)
            answer = get(running.url, path)

        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]

    def test_a_host_that_is_not_ours_is_refused(self, own_database):
        with servers.serving(own_database, "--setup") as running:
            assert get(running.url, Host="evil.example").status == 400

    def test_a_taken_port_is_said(self, own_database):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            printed = own_database.manage("serve", "--port", str(port), check=False)

        assert printed.startswith(f"Port {port} is taken")
        assert printed.count("\n") == 1

    def test_an_unprepared_database_is_said(self, tmp_path):
        with servers.database(tmp_path / "data", migrate=False) as bare:
            printed = bare.manage("serve", "--port", str(servers.free_port()), check=False)

        assert "Traceback" not in printed
        assert "migrate" in printed


@pytest.mark.sqlite_only
class TestTheSample:
    def test_comes_into_a_fresh_database_only(self, tmp_path):
        with servers.database(tmp_path / "data", migrate=False) as fresh:
            with servers.serving(fresh, "--setup", "--sample") as running:
                first = running.logins
            with servers.serving(fresh, "--setup", "--sample") as running:
                again = running.logins
        with servers.database(tmp_path / "other", migrate=False) as without:
            with servers.serving(without, "--setup") as running:
                assert running.logins == []
                assert "make admin" in running.text()
            with servers.serving(without, "--setup", "--sample") as running:
                assert running.logins == []

        assert first
        assert again == first

    def test_is_not_served_to_other_machines(self, tmp_path):
        with servers.database(tmp_path / "data", migrate=False) as fresh:
            with servers.serving(fresh, "--setup", "--sample"):
                pass
            printed = fresh.manage("serve", "--host", "0.0.0.0", "--port", str(servers.free_port()), check=False)

        assert "not served on 0.0.0.0" in printed

    def test_a_folder_that_cannot_be_written_is_said(self, tmp_path):
        blocked = tmp_path / "file"
        blocked.write_text("")
        env_without_key = servers.environment(blocked / "data")
        del env_without_key["SECRET_KEY"]
        command = [sys.executable, "manage.py", "serve", "--setup"]
        done = subprocess.run(command, cwd=ROOT, env=env_without_key, capture_output=True, text=True, timeout=60)

        assert done.returncode == 1
        assert "STAGEBOARD_DATA=" in done.stderr
        assert "Traceback" not in done.stderr


def test_no_file_names_a_place_of_somebodys_machine():
    for path in (ROOT / "requirements.txt", ROOT / "requirements-dev.txt"):
        text = path.read_text()
        assert "://" not in text
        assert os.fspath(ROOT) not in text
