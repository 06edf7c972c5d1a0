"""Middleware of the deployment: the line logged for each request, and sessions that ended under htmx."""

import logging
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url

from config import probes
from opportunities import trail
from opportunities.http import page_of

type Handler = Callable[[HttpRequest], HttpResponseBase]

log = logging.getLogger("stageboard.request")


class RequestLogMiddleware:
    """Gives each request an id and logs one line: the route's name (never the path), who, how long, the status."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = trail.new_id()
        token = trail.request_id.set(name)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response.headers["X-Request-ID"] = name
            self.write(request, response.status_code, time.perf_counter() - started)
        finally:
            trail.request_id.reset(token)
        return response

    def write(self, request: HttpRequest, status: int, seconds: float) -> None:
        """Log the line. The user is named only if the request loaded it anyway: no query for a log line."""
        match = request.resolver_match
        user = getattr(request, "_cached_user", None)
        route = (match.view_name or "unnamed") if match else "none"
        probes.count(route=route, method=request.method or "", status=status, seconds=seconds)
        log.log(
            logging.ERROR if status >= 500 else logging.INFO,
            "request",
            extra={
                "method": request.method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "user": getattr(user, "pk", None),
            },
        )


class SessionEndedMiddleware:
    """Sends an htmx request whose session has ended to the login page as a whole page.

    Otherwise htmx follows the redirect and puts the login page into a card.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        htmx = getattr(request, "htmx", None)
        if not htmx or response.status_code != 302:
            return response
        login = resolve_url(settings.LOGIN_URL)
        if urlsplit(response.headers["Location"]).path != login:
            return response
        # Back to the page the person saw, not to the fragment that was asked for.
        page = page_of(request)
        answer = HttpResponse()
        answer.headers["HX-Redirect"] = f"{login}?{urlencode({'next': page})}" if page else login
        return answer
