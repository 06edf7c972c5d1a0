"""The calendar over HTTP: a view of the same cards beside board and list. A move of a date is the card's own act."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from boards import calendar_page
from boards.list_views import base_of as list_of
from boards.list_views import filter_url_of
from opportunities.http import Request


def base_of(board_id: int | None) -> str:
    """The address of a board's calendar, or of the one with all cards."""
    return reverse("boards:all-calendar") if board_id is None else reverse("boards:calendar", args=[board_id])


@require_GET
def board_calendar(request: Request, board_id: int) -> HttpResponse:
    """Show when a board's cards are expected, and what is to be done until then."""
    return calendar(request, board_id)


@require_GET
def all_calendar(request: Request) -> HttpResponse:
    """Show the same of all cards that the person may see."""
    return calendar(request, None)


def calendar(request: Request, board_id: int | None) -> HttpResponse:
    """Show a calendar; the address says which days, and which cards."""
    view = calendar_page.calendar_view(
        board_id, user=request.user, query=request.GET, today=request.today, business=request.business
    )
    first_board = board_id or next((board.pk for board in view.boards), None)
    context: dict[str, Any] = {
        "view": view,
        "board": view.board,
        "base": base_of(board_id),
        "query": f"?{view.query}" if view.query else "",
        "list_url": list_of(board_id),
        "filter_url": filter_url_of(board_id),
        "save_url": "" if board_id is None else reverse("boards:save-as", args=[board_id]),
        "first_board": first_board,
        # What a form of this page sends along, so that the filter stays; an open card and a place in time do not.
        "filter_pairs": QueryDict(view.query).lists(),
    }
    return render(request, "boards/calendar.html", context)
