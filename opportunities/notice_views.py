"""The bell: somebody's notices in a sheet or as pages, reading them, and how to be told of what."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from opportunities import notice_list, notices
from opportunities.http import Request, done, page_of, person
from opportunities.models import Notice
from opportunities.people_forms import NoticeChoicesForm


@require_GET
@vary_on_headers("HX-Request")
def listing(request: Request) -> HttpResponse:
    """Show the notices: all of them page by page, the latest in the sheet of the bell, or the next older part."""
    before = _number(request.GET.get("before", ""))
    if not request.htmx:
        return _list(request, "", before=before)
    return _list(request, "#older" if before is not None else "#sheet", before=before)


def _list(request: Request, fragment: str, *, before: int | None = None) -> HttpResponse:
    limit = notice_list.PAGE if fragment in {"", "#older"} or _on_page(request) else notice_list.LATEST
    found = notice_list.of(person(request), business=request.business, now=request.now, limit=limit, before=before)
    context: dict[str, Any] = {"listing": found, "is_page": limit == notice_list.PAGE, "is_older": before is not None}
    return render(request, f"opportunities/notices.html{fragment}", context)


def _on_page(request: Request) -> bool:
    return (page_of(request) or "").partition("?")[0] == reverse("opportunities:notices")


@require_POST
def read(request: Request, pk: int) -> HttpResponse:
    """Note that a notice was read."""
    found = notices.read(notice_id=pk, actor=person(request), now=request.now)
    if not request.htmx:
        return done(request, _("Marked as read."))
    _count_again(request)
    line = notice_list.line_of(found, person(request), business=request.business, now=request.now)
    return render(request, "opportunities/notices.html#read", {"line": line})


@require_POST
def read_all(request: Request) -> HttpResponse:
    """Note that everything up to the newest notice that was shown was read."""
    until = _number(request.POST.get("until", "")) or 0
    count = notices.read_all(until=until, actor=person(request), now=request.now)
    if not request.htmx:
        words = ngettext("%(count)s notice was marked as read.", "%(count)s notices were marked as read.", count)
        return done(request, words % {"count": count})
    _count_again(request)
    return _list(request, "#list-and-bell")


@require_POST
def choices(request: Request) -> HttpResponse:
    """Choose how to be told of what."""
    form = NoticeChoicesForm(request.POST)
    if not form.is_valid():
        raise ValidationError(_("That cannot be chosen. Load the page again, then choose once more."))
    notices.choose(ways=form.cleaned_data, actor=person(request), now=request.now)
    return done(request, _("Saved. It counts from now on."), to=reverse("opportunities:profile"))


def _count_again(request: Request) -> None:
    """Let the bell of this answer show what waits now."""
    waiting = Notice.objects.unread().filter(person=person(request)).count()
    setattr(request.user, "unread", waiting)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
