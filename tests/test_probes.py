"""What those who run the product ask it: is it alive, can it work, how does it fare. No login, no secrets."""

from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.models import QuerySet
from django.utils import timezone

from opportunities import background, lifecycle, standing, tasks
from opportunities.models import JobSlot, Opportunity, OutgoingEmail
from tests import servers
from tests.documents import TODAY, YESTERDAY, act, at, business, deal, statuses, void_reason
from tests.factories import NOW, UserFactory

TOKEN = "a-token-of-prometheus"


@pytest.fixture
def token(settings):
    settings.METRICS_TOKEN = TOKEN
    return {"Authorization": f"Bearer {TOKEN}"}


def test_alive_is_said_without_login_and_database(client):
    """The test has no database: one statement would fail it."""
    response = client.get("/healthz", headers={"host": "10.0.0.7"})

    assert (response.status_code, response.content, response.headers["Cache-Control"]) == (200, b"ok\n", "no-store")
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
class TestReady:
    def test_it_is_where_all_is_there(self, client):
        response = client.get("/readyz")

        assert response.status_code == 200
        assert response.json()["checks"]["database"] == {"ok": True}

    def test_it_is_not_where_the_sweep_did_not_run(self, client):
        background.expect(timezone.now())
        background._note(background.REGISTRY[0], None, "", 0.1)

        with time_machine.travel(timezone.now() + timedelta(hours=2)):
            response = client.get("/readyz")

        told = response.json()
        assert (response.status_code, told["ok"]) == (503, False)
        assert told["checks"]["last_sweep"]["ok"] is False
        assert told["checks"]["last_sweep"]["seconds"] >= 7200

    def test_it_is_not_where_a_mail_waits_for_long(self, client):
        mail = {"kind": "notice", "to": ["ann@example.test"], "subject": "Notice", "body": "Something happened."}
        moment = timezone.now() - timedelta(hours=1)
        OutgoingEmail.objects.create(**mail, message_id="<1@example.test>", created_at=moment, next_try_at=moment)

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["outbox"]["ok"] is False
        assert "ann@" not in response.content.decode()

    def test_a_broker_that_is_away_is_told_without_its_address(self, client, settings):
        settings.CELERY_BROKER_URL = f"redis://:tell-nobody@127.0.0.1:{servers.free_port()}/0"

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["broker"] == {"ok": False}
        assert "tell-nobody" not in response.content.decode()

    def test_a_broker_that_answers_is_fine(self, client, settings, redis_url):
        settings.CELERY_BROKER_URL = redis_url
        assert client.get("/readyz").json()["checks"]["broker"] == {"ok": True}


def test_a_database_that_is_away_is_told(client):
    """The test has no database."""
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"ok": False, "checks": {"database": {"ok": False}}}


def test_the_figures_of_requests_are_told_though_the_database_is_away(client, token):
    """The test has no database."""
    response = client.get("/metrics", headers=token)

    assert response.status_code == 200
    assert "stageboard_database_up 0.0" in response.content.decode()
    assert "# TYPE stageboard_requests_total counter" in response.content.decode()


@pytest.mark.django_db
class TestMetrics:
    def test_there_are_none_unless_a_token_is_set(self, client):
        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404

    @pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}])
    def test_they_are_for_the_token_only(self, client, token, given):
        assert client.get("/metrics", headers=given).status_code == 401

    def test_they_count_requests_jobs_and_rows(self, client, token):
        business()
        client.force_login(UserFactory())
        client.get("/tonight/")
        deal(forecast_date=YESTERDAY, now=at(-2))
        background.run_due()
        late = deal(forecast_date=YESTERDAY, now=at(-2))
        QuerySet(Opportunity).filter(pk=late.pk).update(workflow_status="prospect")

        told = client.get("/metrics", headers=token).content.decode()

        assert 'stageboard_requests_total{method="GET",route="opportunities:tonight",status="200"}' in told
        assert 'stageboard_request_seconds_bucket{le="0.2",route="opportunities:tonight"}' in told
        assert 'stageboard_job_runs_total{job="sweep"} 1.0' in told
        assert 'stageboard_job_failures_total{job="sweep"} 0.0' in told
        assert 'stageboard_due_rows{kind="expire"} 1.0' in told
        assert 'stageboard_cards{status="expired"} 1.0' in told
        assert "stageboard_outbox_oldest_seconds 0.0" in told
        assert "stageboard_database_up 1.0" in told

    def test_no_path_is_told(self, client, token):
        client.get("/l/a-secret-link/")
        client.get("/no-such-page/")

        told = client.get("/metrics", headers=token).content.decode()

        assert "a-secret-link" not in told
        assert "no-such-page" not in told


def read(url, **headers):
    with urlopen(Request(url, headers=headers)) as response:  # noqa: S310 - our own server
        return response.read().decode()


def test_several_web_processes_tell_one_sum(own_database, tmp_path):
    """In multiprocess mode the answer of any process holds the requests of all."""
    own_database.env |= {"METRICS_TOKEN": TOKEN, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with servers.serving(own_database) as server:
        assert read(f"{server.url}/healthz") == "ok\n"
        assert '"ok": true' in read(f"{server.url}/readyz")
        read(f"{server.url}/accounts/login/")
        with pytest.raises(HTTPError, match="401") as refused:
            read(f"{server.url}/metrics")
        refused.value.close()
        (tmp_path / "counter_99999.db").write_bytes(next(tmp_path.glob("counter_*.db")).read_bytes())
        told = read(f"{server.url}/metrics", Authorization=f"Bearer {TOKEN}")

    assert 'stageboard_requests_total{method="GET",route="login",status="200"} 2.0' in told
    assert 'stageboard_job_runs_total{job="sweep"}' in told


# For those who use cron


@pytest.mark.django_db
class TestCommands:
    @pytest.fixture(autouse=True)
    def today(self):
        with time_machine.travel(NOW, tick=False):
            yield

    def test_a_sweep_by_hand_settles_and_says_what_it_did(self, capsys):
        card = deal(forecast_date=YESTERDAY, now=at(-2))

        call_command("sweep")

        assert statuses(card) == ("expired", "none")
        assert "expired 1" in capsys.readouterr().out
        assert JobSlot.objects.get(name="sweep").runs == 1

    def test_a_sweep_by_hand_goes_on_until_nothing_is_left(self, capsys, monkeypatch):
        cards = [deal(forecast_date=YESTERDAY, now=at(-2)) for _ in range(3)]
        monkeypatch.setattr(tasks, "SWEEP_SECONDS", -1.0)

        call_command("sweep")

        assert {statuses(card) for card in cards} == {("expired", "none")}
        assert "expired 3" in capsys.readouterr().out

    def test_a_preview_by_hand_tells_what_is_put_away(self, capsys):
        business(auto_archive_days=1)
        card = deal()
        act(lifecycle.void, card, reason_id=void_reason(), now=NOW)

        call_command("sweep", "--preview")

        assert capsys.readouterr().out == f"{card.number}: is archived\n"

    def test_a_preview_by_hand_only_tells(self, capsys):
        card = deal(forecast_date=TODAY)

        call_command("sweep", "--preview")

        assert statuses(card) == ("prospect", "none")
        assert capsys.readouterr().out == f"{card.number}: prospect -> expired\n"

    def test_a_sweep_that_leaves_rows_fails_for_cron_to_notice(self, monkeypatch):
        deal(forecast_date=YESTERDAY, now=at(-2))
        monkeypatch.setattr(standing, "refresh", lambda card, *, today, **_rest: None)

        with pytest.raises(CommandError, match="could not be settled"):
            call_command("sweep")

    def test_one_pass_over_the_jobs_may_be_asked_for_by_name(self, capsys):
        call_command("runjobs", "--once")

        assert "Ran: sweep" in capsys.readouterr().out
