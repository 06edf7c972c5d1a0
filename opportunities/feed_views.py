"""The calendar feed over HTTP: what calendar programs fetch without a login, and what one's own profile does to it."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from opportunities import feed_calendar, feeds, link_limit
from opportunities.http import Request, done, person
from opportunities.models import CalendarFeed


@login_not_required
@require_safe
def feed(request: Request, token: str) -> HttpResponse:
    """Give the calendar that a private address names, as its person may see it now; 404 for any other address."""
    seconds = link_limit.wait(token, request.META.get("REMOTE_ADDR", ""), request.now)
    if seconds:
        response = _plain(_("Asked too often. Wait a minute."), 429)
        response.headers["Retry-After"] = str(seconds)
        return response
    try:
        found, reader = feeds.read(token)
    except CalendarFeed.DoesNotExist:
        return _plain(
            _("There is no calendar at this address. Its owner can find the present one in their profile."), 404
        )
    content = feed_calendar.of(found, reader, business=request.business, now=request.now)
    response = _private(HttpResponse(content, content_type="text/calendar; charset=utf-8"))
    response.headers["Content-Disposition"] = 'inline; filename="stageboard.ics"'
    return response


def _plain(words: str, status: int) -> HttpResponse:
    return _private(HttpResponse(words, status=status, content_type="text/plain; charset=utf-8"))


def _private(response: HttpResponse) -> HttpResponse:
    """Keep what a private address gives out of caches, search engines and referrers."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@require_POST
def switch_on(request: Request) -> HttpResponse:
    """Switch one's own feed on, or choose which cards it holds."""
    feeds.switch_on(all_cards=request.POST.get("cards") == "all", actor=person(request), now=request.now)
    return done(request, _("Saved. Paste the address into your calendar program."), to=_profile())


@require_POST
def renew(request: Request) -> HttpResponse:
    """Make a new address for one's own feed."""
    feeds.renew(actor=person(request), now=request.now)
    return done(request, _("The feed has a new address; the old one shows nothing any more."), to=_profile())


@require_POST
def switch_off(request: Request) -> HttpResponse:
    """Switch one's own feed off."""
    feeds.switch_off(actor=person(request), now=request.now)
    return done(request, _("The feed is off; its address shows nothing any more."), to=_profile())


def _profile() -> str:
    return f"{reverse('opportunities:profile')}#feed"
