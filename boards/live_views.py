"""Open boards over HTTP: the stream that names what changed, and what became of those cards."""

from copy import copy

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET

from boards import changes as read
from boards.feed import TICKET
from boards.live import Position, Watcher
from boards.models import Board
from boards.views import base_of, context_of, query_of
from opportunities.http import LARGEST_ID, Request


@require_GET
def events(request: Request, board_id: int) -> HttpResponse:
    """Open the stream of a board; where the server cannot stream, say that there is none."""
    Board.objects.visible_to(request.user).get(pk=board_id)
    ticket = getattr(request, "scope", {}).get(TICKET)
    response = HttpResponse(status=204) if ticket is None else HttpResponse(content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    if ticket is not None:
        ticket.watcher = Watcher(
            board_id=board_id,
            # Without the request, which the lazy object would keep as long as the stream lasts.
            user=copy(request.user),
            session=request.session.session_key or "",
            since=Position.read(request.GET.get("since", "")),
            tray=request.GET.get("tray") == "1",
        )
    return response


@require_GET
def changes(request: Request, board_id: int) -> HttpResponse:
    """Give some cards as they are now, each with its place and with who changed it."""
    asked = request.GET.get("ids", "").split(",")
    ids = [int(text) for text in asked if text.isascii() and text.isdigit() and len(text) < 20][: read.MOST]
    found = read.changes(
        board_id,
        [pk for pk in ids if pk <= LARGEST_ID],
        user=request.user,
        query=request.GET,
        today=request.today,
    )
    if not request.htmx:
        return HttpResponseRedirect(base_of(board_id) + query_of(request))
    return render(request, "boards/changes.html", context_of(request, board_id, changes=found))
