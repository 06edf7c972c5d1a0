"""The outbox: what was and is to be sent, one mail as it went out, and sending it again."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from opportunities import access, mail_rows, outbox
from opportunities.errors import Blocker, Refused
from opportunities.http import LARGEST_ID, Request, came_from, done, person
from opportunities.models import OutgoingEmail


@require_GET
def listing(request: Request) -> HttpResponse:
    """List the mails that the reader may see, filtered and searched."""
    asked = mail_rows.Asked.of(request.GET)
    found = mail_rows.Outbox(asked, reader=person(request), business=request.business, today=request.today)
    query = request.GET.copy()
    query.pop("page", None)
    context = {"outbox": found, "asked": asked, "kept_here": settings.MAIL_KEPT_HERE, "query": query.urlencode()}
    return render(request, "mail/list.html", context)


def one(request: Request, pk: int) -> OutgoingEmail:
    """Read a mail with what it is about.

    :raises DoesNotExist: no such mail, or not visible to the reader.
    """
    if pk > LARGEST_ID:
        raise OutgoingEmail.DoesNotExist
    about = ("opportunity", "quote", "agreement", "quote_recipient", "recipient", "again_of", "created_by")
    seen = OutgoingEmail.objects.filter(access.visible_mails(person(request)))
    return seen.select_related(*about).get(pk=pk)


@require_GET
def detail(request: Request, pk: int) -> HttpResponse:
    """Show a mail as it was or will be sent, with all that is known of its way."""
    mail = one(request, pk)
    business, today = request.business, request.today
    context = {
        "mail": mail,
        "row": mail_rows.row(mail, business, today),
        "sender": outbox.sender_of(business),
        "written": mail_rows.said_moment(mail.created_at, business, today),
        "left": mail_rows.said_moment(mail.sent_at, business, today),
        "again": mail.sent_again.order_by("-pk").first(),
    }
    return render(request, "mail/detail.html", context)


@require_http_methods(["GET", "POST"])
def again(request: Request, pk: int) -> HttpResponse:
    """Send a mail once more; where it may have arrived already, ask first."""
    mail = one(request, pk)
    if request.method == "POST":
        sure = request.POST.get("sure") == "1"
        try:
            sent = outbox.send_again(mail_id=pk, sure=sure, actor=person(request), now=request.now)
        except Refused as refused:
            return again_sheet(request, mail, refused.blockers[0], status=409)
        back = came_from(request, sent.get_absolute_url())
        if back.partition("?")[0].startswith(mail.get_absolute_url()):
            back = sent.get_absolute_url()
        return done(request, _("“%(subject)s” is on its way.") % {"subject": sent.subject}, to=back)
    waits = mail.state == OutgoingEmail.State.QUEUED
    return again_sheet(request, mail, None if waits else outbox.why_not_again(mail))


def again_sheet(request: Request, mail: OutgoingEmail, question: Blocker | None, *, status: int = 200) -> HttpResponse:
    """Render the question whether a mail is sent again."""
    context: dict[str, Any] = {
        "mail": mail,
        "row": mail_rows.row(mail, request.business, request.today),
        "question": question,
        "may": question is None or question.code in outbox.ASKED,
    }
    return render(request, f"mail/again.html{'#sheet' if request.htmx else ''}", context, status=status)
