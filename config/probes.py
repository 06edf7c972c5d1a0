"""What those who run the product ask it: is it alive, can it work, how does it fare. Before login, host check and log.

`/healthz` looks at nothing but this process. `/readyz` also asks the database and the broker, and how old the last
sweep and the oldest waiting mail are. `/metrics` is there only where METRICS_TOKEN is set.
"""

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, cast, override

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from redis import Redis

from opportunities import condition

type Handler = Callable[[HttpRequest], HttpResponseBase]

OF_REQUESTS = CollectorRegistry()
BY_ROUTE = ("route", "method", "status")
REQUESTS = Counter("stageboard_requests", "Requests by the name of their route.", BY_ROUTE, registry=OF_REQUESTS)
DURATIONS = Histogram(
    "stageboard_request_seconds",
    "How long requests took, by the name of their route.",
    ("route",),
    registry=OF_REQUESTS,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


def count(*, route: str, method: str, status: int, seconds: float) -> None:
    """Count a request. The route's name, never the path: labels are few, and private links stay private."""
    if settings.METRICS_TOKEN:
        REQUESTS.labels(route, method if method in METHODS else "other", status).inc()
        DURATIONS.labels(route).observe(seconds)


@sync_and_async_middleware
def probes(get_response: Any) -> Any:
    """Answer the probes before any other middleware; everything else goes on as it came."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            probe = PROBES.get(request.path_info)
            if probe is None:
                return await cast("Awaitable[HttpResponseBase]", get_response(request))
            if probe is alive:
                return asked(probe, request)
            return await sync_to_async(asked)(probe, request)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return cast("HttpResponseBase", get_response(request)) if probe is None else asked(probe, request)

    return answer


def asked(probe: Handler, request: HttpRequest) -> HttpResponseBase:
    """Let a probe answer a reading request; nobody keeps the answer."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    response = probe(request)
    response.headers["Cache-Control"] = "no-store"
    return response


def alive(_request: HttpRequest) -> HttpResponseBase:
    """Say that this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(_request: HttpRequest) -> HttpResponseBase:
    """Say whether everything is there that the work needs; 503 names what is not."""
    now = timezone.now()
    checks = {"database": _tried(_database)}
    if settings.CELERY_BROKER_URL:
        checks["broker"] = _tried(_broker)
    if checks["database"].ok:
        checks["last_sweep"] = _tried(partial(condition.last_sweep, now))
        checks["outbox"] = _tried(partial(condition.oldest_mail, now))
    ok = all(check.ok for check in checks.values())
    told = {name: _as_json(check) for name, check in checks.items()}
    return JsonResponse({"ok": ok, "checks": told}, status=200 if ok else 503)


def _as_json(check: condition.Check) -> dict[str, object]:
    return {"ok": check.ok} if check.seconds is None else {"ok": check.ok, "seconds": check.seconds}


def _tried(look: Callable[[], condition.Check]) -> condition.Check:
    """Look, and take any error for a no: its words may hold an address or a name, so they are not told."""
    try:
        return look()
    except Exception:
        return condition.Check(ok=False)


def _database() -> condition.Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return condition.Check(ok=True)


def _broker() -> condition.Check:
    with Redis.from_url(str(settings.CELERY_BROKER_URL), socket_connect_timeout=1, socket_timeout=1) as broker:
        return condition.Check(ok=bool(broker.ping()))


# Metrics


def metrics(request: HttpRequest) -> HttpResponseBase:
    """Give Prometheus the figures, for the token of METRICS_TOKEN; without that setting there is no such page."""
    if not settings.METRICS_TOKEN:
        return HttpResponse("Not found\n", status=404, content_type="text/plain")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return HttpResponse("Unauthorized\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    of_requests = OF_REQUESTS
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        of_requests = CollectorRegistry()
        MultiProcessCollector(of_requests)  # type: ignore[no-untyped-call]
    of_the_rest = CollectorRegistry()
    of_the_rest.register(FromDatabase())
    lines = generate_latest(of_requests) + generate_latest(of_the_rest)
    return HttpResponse(lines, content_type="text/plain; version=0.0.4; charset=utf-8")


class FromDatabase(Collector):
    """The figures that stand in the database, so that any process of any form tells the same."""

    @override
    def collect(self) -> Iterable[Metric]:
        """Read them."""
        found: list[Metric] = []
        # Where it is away the other figures are wanted most.
        up = _tried(partial(_read_all, found)).ok
        yield GaugeMetricFamily("stageboard_database_up", "1: the figures in the database could be read.", value=up)
        yield from found if up else ()


def _read_all(found: list[Metric]) -> condition.Check:
    now = timezone.now()
    found += _of_jobs(now)
    found.append(_gauge("due_rows", "Rows that the next sweep will look at.", "kind", condition.due(now)))
    found.append(_gauge("cards", "Opportunities by workflow status.", "status", condition.cards()))
    found.append(_gauge("outbox_mails", "Mails by state.", "state", condition.mails()))
    oldest = condition.oldest_mail(now).seconds or 0
    words = "Age of the oldest waiting mail."
    found.append(GaugeMetricFamily("stageboard_outbox_oldest_seconds", words, value=oldest))
    return condition.Check(ok=True)


def _gauge(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"stageboard_{name}", words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _of_jobs(now: Any) -> Iterable[Metric]:
    runs = CounterMetricFamily("stageboard_job_runs", "Runs of a job.", labels=["job"])
    failures = CounterMetricFamily("stageboard_job_failures", "Runs of a job that went wrong.", labels=["job"])
    seconds = CounterMetricFamily("stageboard_job_seconds", "Time that a job took in all.", labels=["job"])
    last = GaugeMetricFamily("stageboard_job_last_finished_timestamp_seconds", "End of the last run.", labels=["job"])
    took = GaugeMetricFamily("stageboard_job_last_duration_seconds", "Time of the last run.", labels=["job"])
    alarm = GaugeMetricFamily("stageboard_job_alarm", "1: it went wrong, or did not run.", labels=["job"])
    for slot in condition.jobs():
        runs.add_metric([slot.name], slot.runs)
        failures.add_metric([slot.name], slot.failures)
        seconds.add_metric([slot.name], slot.seconds)
        alarm.add_metric([slot.name], float(slot.alarm_at is not None and slot.alarm_at <= now))
        if slot.last_finished_at is not None:
            last.add_metric([slot.name], slot.last_finished_at.timestamp())
        if slot.last_seconds is not None:
            took.add_metric([slot.name], slot.last_seconds)
    return (runs, failures, seconds, last, took, alarm)


PROBES: dict[str, Handler] = {"/healthz": alive, "/readyz": ready, "/metrics": metrics}
