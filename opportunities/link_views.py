"""What customers see and send by their private links. No login, no session: the link is what lets them in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import decorator_from_middleware
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from opportunities import link_limit, links, papers
from opportunities.errors import Refused
from opportunities.http import Request
from opportunities.link_forms import LinkAcceptForm, LinkDeclineForm
from opportunities.links import Key, Sight

type View = Callable[..., HttpResponseBase]


class LinkCsrf(CsrfViewMiddleware):
    """Django's protection of forms on pages that send no referrer: browsers call the origin of such a form "null"."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        return request.META["HTTP_ORIGIN"] == "null" or bool(super()._origin_verified(request))  # type: ignore[misc]

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        words = _("This page was open for too long, or cookies are switched off. Load it again, then try once more.")
        return _notice(request, words, status=403)


_csrf_protect = decorator_from_middleware(LinkCsrf)


def private(view: View) -> View:
    """Make a view one of a private link: open to whoever holds it, not too often, never kept or found."""

    @csrf_exempt  # from the general protection; this one follows
    @login_not_required
    @wraps(view)
    def guarded(request: Request, token: str) -> HttpResponseBase:
        response = _answer(request, token)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _answer(request: Request, token: str) -> HttpResponseBase:
        seconds = link_limit.wait(token, request.META.get("REMOTE_ADDR", ""), request.now)
        if seconds:
            words = _("This page was opened too often in a short time. Please wait a minute and load it again.")
            response = _notice(request, words, status=429)
            response.headers["Retry-After"] = str(seconds)
            return response
        try:
            key = links.read(token)
        except BadSignature:
            words = _("This address is not complete. Please copy the whole link, or ask whoever sent it to you.")
            return _notice(request, words, status=404)
        return protected(request, token=token, key=key)

    protected = _csrf_protect(view)
    return guarded


@private
@require_safe
def page(request: Request, token: str, key: Key) -> HttpResponse:
    """Show the document with what may be answered, or what became of it. Looking answers nothing."""
    return _show(request, token, links.look(key, today=request.today))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: Request, token: str, key: Key) -> HttpResponse:
    """Take a yes."""
    return _take_answer(request, token, key, accepted=True)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def decline(request: Request, token: str, key: Key) -> HttpResponse:
    """Take a no."""
    return _take_answer(request, token, key, accepted=False)


def _take_answer(request: Request, token: str, key: Key, *, accepted: bool) -> HttpResponse:
    here = reverse("opportunities:link", args=[token])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    sight = links.look(key, today=request.today)
    if not sight.can_answer:
        return _show(request, token, sight, status=409)
    form = (LinkAcceptForm if accepted else LinkDeclineForm)(request.POST, auto_id=f"{accepted}-%s", label_suffix="")
    bound = {"accept_form" if accepted else "decline_form": form}
    if not form.is_valid():
        return _show(request, token, sight, status=422, **bound)
    given = form.cleaned_data
    try:
        links.answer(
            key,
            accepted=accepted,
            name=given["name"],
            note=given.get("note", ""),
            seen=given["seen"],
            now=request.now,
        )
    except Refused as refused:
        fresh = links.look(key, today=request.today)
        said = str(refused) if fresh.can_answer else ""
        return _show(request, token, fresh, status=409, said=said)
    return HttpResponseRedirect(f"{here}?thanks")


@private
@require_POST
def viewed(request: Request, token: str, key: Key) -> HttpResponse:
    """Note that the page ran in somebody's browser; a colleague who looks does not count."""
    if not request.user.is_authenticated:
        links.note_view(key, today=request.today, now=request.now)
    return HttpResponse(status=204)


@private
@require_safe
def paper(request: Request, token: str, key: Key) -> HttpResponse:
    """Show the document as a paper to print, while it may be read."""
    sight = links.look(key, today=request.today)
    if sight.document is None:
        return _show(request, token, sight)
    context = {
        "paper": papers.of(sight.document, business=request.business, lines=sight.document.lines.all()),
        "back": reverse("opportunities:link", args=[token]),
        "logo_url": reverse("opportunities:link-logo", args=[token]),
    }
    return render(request, "documents/print.html", context)


@private
@require_safe
def logo(request: Request, token: str, key: Key) -> HttpResponse:
    """Serve the business's logo to the page of a link, as the kind of picture that it was found to be."""
    business = request.business
    if not business.logo_type:
        return HttpResponse(status=404)
    return HttpResponse(bytes(business.logo), content_type=business.logo_type)


def _show(request: Request, token: str, sight: Sight, *, status: int = 200, **more: Any) -> HttpResponse:
    """Render what a link shows: its sentence, the document if it may be read, the forms if it may be answered."""
    context: dict[str, Any] = {"sight": sight, "business": request.business, "thanks": "thanks" in request.GET}
    context["logo_url"] = reverse("opportunities:link-logo", args=[token])
    context["token"] = token
    if sight.document is not None:
        lines = sight.document.lines.all()
        context["paper"] = papers.of(sight.document, business=request.business, lines=lines)
    if sight.can_answer and sight.document is not None and sight.recipient is not None:
        seen = links.fingerprint(sight.document)
        about: Any = {"initial": {"seen": seen, "name": sight.recipient.name}, "label_suffix": ""}
        context["accept_form"] = LinkAcceptForm(auto_id="True-%s", initial={"seen": seen}, label_suffix="")
        context["decline_form"] = LinkDeclineForm(auto_id="False-%s", **about)
    return render(request, "links/page.html", {**context, **more}, status=status)


def _notice(request: HttpRequest, words: str, *, status: int) -> HttpResponse:
    """Say one sentence to whoever came by a link, and nothing of the business."""
    return render(request, "links/notice.html", {"words": words}, status=status)
