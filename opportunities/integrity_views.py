"""The integrity check as a page for admins: it reads, and changes nothing."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from opportunities import access, integrity
from opportunities.http import Request, person

SECONDS = 10.0
SHOWN = 200


@require_http_methods(["GET", "POST"])
def show(request: Request) -> HttpResponse:
    """Say what the check is, and on a click what differs, as far as it comes in ten seconds."""
    access.require(person(request), "settings")
    if request.method == "GET":
        return render(request, "opportunities/integrity.html")
    look = integrity.Look()
    found = list(integrity.check(request.now, look, seconds=SECONDS))
    looked = _("%(cards)s cards and %(documents)s documents were looked at.")
    context = {
        "looked": looked % {"cards": look.cards, "documents": look.documents},
        "finished": look.finished,
        "found": found[:SHOWN],
        "more": max(0, len(found) - SHOWN),
        "checked": True,
    }
    return render(request, "opportunities/integrity.html", context)
