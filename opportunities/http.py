"""What every request of the product gets: the moment and the day, the business, and its refusals in words."""

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import is_valid_path, resolve, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from opportunities import background, people, sweep
from opportunities.access import Person, Role, role_of
from opportunities.errors import Blocker, NotAllowed, Refused, Stale
from opportunities.models import BusinessSettings

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

LAZY_SWEEP_SECONDS = 1.0

LARGEST_ID = 2**63 - 1
"""An address may hold any number; a database does not."""

type Handler = Callable[[HttpRequest], HttpResponseBase]


class Request(HttpRequest):
    """A request after our middleware: what views may rely on."""

    htmx: HtmxDetails
    user: "User"
    now: datetime
    today: date
    business: BusinessSettings
    sweep_pending: bool


class ClockMiddleware:
    """Reads the clock once a request; settles what the new day made due before anything is shown (3.5)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/static/"):
            return self.get_response(request)
        moment = timezone.now()
        business = BusinessSettings.current()
        setattr(request, "now", moment)
        setattr(request, "sweep_pending", False)
        if sweep.is_due(business, moment):
            setattr(request, "sweep_pending", not settle_the_day(request, business, moment))
            business = BusinessSettings.current()
        setattr(request, "business", business)
        setattr(request, "today", business.today(moment))
        timezone.activate(business.zone)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer what the rules say, for every view that does not answer it better itself."""
        if isinstance(exception, Refused):
            return refusal(request, exception.blockers, status=409)
        if isinstance(exception, Stale):
            return refusal(request, [Blocker("STALE", str(exception) or _("Someone was first."))], status=409)
        if isinstance(exception, NotAllowed):
            return refusal(request, [Blocker("NOT_ALLOWED", str(exception))], status=403)
        if isinstance(exception, ValidationError):
            return refusal(request, [Blocker("INVALID", str(words)) for words in exception.messages], status=422)
        if isinstance(exception, OperationalError) and someone_else_writes(exception):
            # The route's name, never the path: a private link carries its secret there.
            route = request.resolver_match.view_name if request.resolver_match else ""
            log.warning("A request gave up waiting for the database.", extra={"route": route})
            return refusal(
                request, [Blocker("BUSY", _("Something large is being saved. Try again in a minute."))], status=503
            )
        if isinstance(exception, IntegrityError):
            # The rules were asked under their locks, so what is left is a row that somebody deleted in between.
            log.error("The database refused what the rules allowed.", exc_info=exception)
            words = _("Somebody changed or deleted what this needs at the same moment. Nothing was saved: try again.")
            return refusal(request, [Blocker("STALE", words)], status=409)
        if isinstance(exception, ObjectDoesNotExist):
            raise Http404 from exception
        return None


def alarm(request: HttpRequest) -> dict[str, Any]:
    """Give every template `jobs_alarm`: admins are told that a background job went wrong or did not run.

    When was read with the person (`access.RoleBackend`), so it costs no statement; without a person none is read.
    """
    return {"jobs_alarm": SimpleLazyObject(lambda: is_alarmed(request))}


def is_alarmed(request: HttpRequest) -> bool:
    """Tell whether the person of this request is an admin who has to look after the background jobs."""
    user, moment = getattr(request, "user", None), getattr(request, "now", None)
    if user is None or moment is None or role_of(user) is not Role.ADMIN:
        return False
    alarm_at: datetime | None = getattr(user, "jobs_alarm_at", None)
    return alarm_at is not None and alarm_at <= moment


def someone_else_writes(error: OperationalError) -> bool:
    """Tell whether the database gave up waiting for another act: SQLite's one writer, or a deadlock of two."""
    waited = {"40001", "40P01", "55P03"}
    return "database is locked" in str(error) or getattr(error.__cause__, "sqlstate", "") in waited


def settle_the_day(request: HttpRequest, business: BusinessSettings, moment: datetime) -> bool:
    """On the first request of a local day, settle for a second what is due, and hand the rest on. Tells if all is done.

    The card whose own page was asked for comes first. Later requests do not wait: they only say that more is due,
    unless nobody runs the jobs, to whom the rest could be left.
    """
    if not sweep.claim_lazy_run(business, moment) and not background.is_missed("sweep", moment):
        return False
    named = resolve(request.path_info).kwargs if is_valid_path(request.path_info) else {}
    ids = (value for key, value in named.items() if key in {"pk", "opportunity_id", "card_id"})
    cards = [value for value in ids if isinstance(value, int) and value <= LARGEST_ID]
    report = sweep.run(moment, seconds=LAZY_SWEEP_SECONDS, first=cards)
    if not report.finished:
        background.after_commit("opportunities.tasks.sweep")
    return report.finished


class SetupRequiredMiddleware:
    """Until an admin has said what the business is called, every page leads to that question."""

    OPEN_TO_ALL = ("/accounts/", "/setup/", "/admin/jsi18n/", "/static/", "/l/", "/feed/")

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(self.OPEN_TO_ALL) or not request.user.is_authenticated:
            return self.get_response(request)
        if role_of(request.user) is Role.NONE:
            return render(request, "opportunities/no_role.html", {"admins": people.admins()}, status=403)
        if not getattr(request, "business").is_set_up:
            return HttpResponseRedirect(reverse("opportunities:setup"))
        return self.get_response(request)


def refusal(request: HttpRequest, blockers: list[Blocker] | tuple[Blocker, ...], *, status: int) -> HttpResponse:
    """Say why not: as a toast where htmx asked, as a page with a way back elsewhere."""
    context: dict[str, Any] = {"blockers": blockers, "back": came_from(request)}
    template = "refused.html#toast" if getattr(request, "htmx", False) else "refused.html"
    return render(request, template, context, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say that the page was open for too long, and lead back to it."""
    words = _("This page was open for too long, or cookies are switched off. Load it again, then try once more.")
    return refusal(request, [Blocker("CSRF", words)], status=403)


def page_of(request: HttpRequest) -> str | None:
    """Return the page of this site that htmx says the person looks at; None where it says none that can be read.

    The place on the page is left out: an address that differs in it only would not be loaded again.
    """
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    try:
        path = htmx.current_url_abs_path if htmx else None
    except ValueError:
        return None
    return None if path is None else path.partition("#")[0]


def came_from(request: HttpRequest, fallback: str = "/") -> str:
    """Return the page of this site that the person came from: the `next` field, htmx's page, or the referrer."""
    candidates = (
        request.POST.get("next"),
        request.GET.get("next"),
        page_of(request),
        request.headers.get("Referer"),
    )
    for candidate in candidates:
        allowed = {request.get_host()}
        if candidate and url_has_allowed_host_and_scheme(candidate, allowed, require_https=request.is_secure()):
            return candidate
    return fallback


def done(request: HttpRequest, sentence: str, *, to: str = "") -> HttpResponse:
    """Go back to where the person was, or to a page, with a sentence about what was done."""
    messages.success(request, sentence)
    target = to or came_from(request)
    # A redirect that htmx follows by itself would render the page once for nothing, and the sentence with it.
    return HttpResponseClientRedirect(target) if getattr(request, "htmx", False) else HttpResponseRedirect(target)


def person(request: HttpRequest) -> Person:
    """The person of a request behind the login."""
    return request.user  # type: ignore[return-value]  # behind the login it is never anonymous
