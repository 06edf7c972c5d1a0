"""The page that tells what the next run of the calendar will do, and what the last ones did (W6, 3.5)."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from opportunities import tonight
from opportunities.access import Role, is_at_least, role_of
from opportunities.http import Request, person


@require_GET
def show(request: Request) -> HttpResponse:
    """Tell managers of all cards and salespeople of theirs; admins also how the background jobs fare."""
    reader = person(request)
    is_admin = role_of(reader) is Role.ADMIN
    context = {
        "tonight": tonight.coming(reader=reader, business=request.business, now=request.now),
        "done": tonight.done(reader=reader, business=request.business, now=request.now),
        "jobs": tonight.jobs(request.now, request.business) if is_admin else (),
        "all_cards": is_at_least(reader, Role.MANAGER),
    }
    return render(request, "opportunities/tonight.html", context)
