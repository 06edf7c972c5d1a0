"""The list, the search, the filter's form, and acts on many cards over HTTP."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from boards import archive as archived
from boards import building, bulk_words, calendar_days, listing
from boards.list_forms import BulkForm, SaveBoardForm, filter_groups, forecast_group, ids_in
from boards.models import Board
from boards.selection import Selection
from opportunities import access, bulk, closing
from opportunities.errors import Refused
from opportunities.filter_keys import ARCHIVED_ONLY
from opportunities.filters import CardFilter
from opportunities.http import Request
from opportunities.models import BulkAct, OpportunityStage, OpportunityStatus
from opportunities.workflow import ClosedKind

CHOOSABLE = ("stage", "salesperson", "date", "status", "archive", "unarchive", "cancel", "void")
"""What the bar over the list offers for the chosen cards."""


# Addresses


def base_of(board_id: int | None) -> str:
    """The address of a board's list, or of the search over all cards."""
    return reverse("boards:search") if board_id is None else reverse("boards:list", args=[board_id])


def url_of(board_id: int | None, query: str) -> str:
    """The address of the list with this filter; that of archived cards among all is the archive."""
    if board_id is None and QueryDict(query).get("archived") == ARCHIVED_ONLY:
        return with_query(reverse("boards:archive"), archived.without_preset(query))
    return with_query(base_of(board_id), query)


def filter_url_of(board_id: int | None) -> str:
    """The address of the filter's form."""
    return reverse("boards:search-filter") if board_id is None else reverse("boards:filter", args=[board_id])


def with_query(path: str, query: str) -> str:
    """Put a query string behind a path."""
    return f"{path}?{query}" if query else path


def redirect(request: Request, url: str) -> HttpResponse:
    """Lead to another page, whether htmx asked or the browser itself."""
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)


def board_of(request: Request, board_id: int | None) -> Board | None:
    """Return the board that is meant; None for all. :raises Board.DoesNotExist: not there, or not theirs."""
    return None if board_id is None else Board.objects.visible_to(request.user).get(pk=board_id)


def selection_of(request: Request, board: Board | None, query: QueryDict | str) -> Selection:
    """Select the cards of a board, or all, for the person of the request."""
    weekday = request.business.first_day_of_week
    return listing.selected(board, user=request.user, query=query, today=request.today, first_weekday=weekday)


# The list and the search


@require_GET
def card_list(request: Request, board_id: int) -> HttpResponse:
    """Show a board's cards as a list."""
    return list_page(request, board_id)


@require_GET
def search(request: Request) -> HttpResponse:
    """Show what is found among all cards that the person may see."""
    return list_page(request, None)


@require_GET
def archive(request: Request) -> HttpResponse:
    """Show what was put away, of all cards that the person may see (G4, G5)."""
    return list_page(request, None, in_archive=True)


def list_page(request: Request, board_id: int | None, *, in_archive: bool = False) -> HttpResponse:
    """Show a list; the whole number of a card in the search box opens that card."""
    named = listing.card_of_number(request.GET.get("q", ""), user=request.user)
    if named is not None:
        return HttpResponseRedirect(named.get_absolute_url())
    view = listing.list_view(
        board_id,
        user=request.user,
        query=request.GET,
        today=request.today,
        business=request.business,
        in_archive=in_archive,
    )
    return render(request, "boards/list.html", list_context(request, board_id, view))


def list_context(request: Request, board_id: int | None, view: listing.ListView) -> dict[str, Any]:
    """What the list page is rendered with."""
    here = archived.only_archived(request.GET) if view.in_archive else request.GET
    first_board = next((board.pk for board in view.boards), None)
    return {
        "view": view,
        "board": view.board,
        "base": reverse("boards:archive") if view.in_archive else base_of(board_id),
        "view_name": "archive" if view.in_archive else "list",
        "query": f"?{view.query}" if view.query else "",
        "here": here.urlencode(),
        "filter_url": filter_url_of(board_id),
        "save_url": "" if board_id is None else reverse("boards:save-as", args=[board_id]),
        "first_board": board_id or first_board,
        "with_archived": listing.with_archived(view.query),
        "answer": answer_of(request),
        "filter_pairs": [(key, values) for key, values in request.GET.lists() if key not in {"page", "done"}],
    }


def answer_of(request: Request) -> bulk_words.Answer | None:
    """Return how the act went that the address names, if it is the person's own."""
    try:
        number = uuid.UUID(request.GET.get("done", ""))
    except ValueError:
        return None
    act = BulkAct.objects.visible_to(request.user).filter(pk=number).first()
    return None if act is None else bulk_words.answer(act, request.now)


# The filter's form


@require_GET
@vary_on_headers("HX-Request")
def board_filter(request: Request, board_id: int) -> HttpResponse:
    """Show the filter's form of a board, or lead back to the board or its list with what was ticked."""
    return filter_page(request, board_id)


@require_GET
@vary_on_headers("HX-Request")
def search_filter(request: Request) -> HttpResponse:
    """Show the filter's form of the search over all cards."""
    return filter_page(request, None)


def filter_page(request: Request, board_id: int | None) -> HttpResponse:
    """Show the form; with "apply" in the address, lead to the filtered page. What makes no sense is named first."""
    board = board_of(request, board_id)
    given = selection_of(request, board, request.GET).filter
    view, target, place = page_of_view(board_id, request.GET.get("view", ""))
    query = archived.without_preset(given.query) if view == "archive" else given.query
    if "apply" in request.GET and not given.problems:
        return HttpResponseRedirect(with_query(target, "&".join(filter(None, (query, place)))))
    context = filter_context(given, board) | {
        "action": filter_url_of(board_id),
        "target": target,
        "view_name": view,
    }
    template = "boards/filter.html#sheet" if request.htmx else "boards/filter.html"
    return render(request, template, context, status=422 if "apply" in request.GET else 200)


def page_of_view(board_id: int | None, view: str) -> tuple[str, str, str]:
    """Which page a filter is for: its name, its address, and the days of a calendar ("month:2026-12") as a query."""
    if place := calendar_days.named(view):
        name = "boards:all-calendar" if board_id is None else "boards:calendar"
        return view, reverse(name, args=[] if board_id is None else [board_id]), place
    if board_id is None and view == "archive":
        return "archive", reverse("boards:archive"), ""
    if board_id is None or view == "list":
        return "list", base_of(board_id), ""
    return "board", reverse("boards:board", args=[board_id]), ""


def filter_context(given: CardFilter, board: Board | None) -> dict[str, Any]:
    """What the filter's form is rendered with."""
    groups = {group.key: group for group in filter_groups(given, board=board)}
    return {
        "board": board,
        "filter": given,
        "problems": given.problems,
        "groups": groups,
        "forecast": forecast_group(given),
        "values": {key: str(value) for key, value in {**given.amounts, **given.days, **given.single}.items()},
    }


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def save_as(request: Request, board_id: int) -> HttpResponse:
    """Make a board of the filter in force, with the columns of this one."""
    board = Board.objects.visible_to(request.user).get(pk=board_id)
    form = SaveBoardForm(request.POST or None)
    query = selection_of(request, board, request.GET).filter.query
    if request.method == "POST" and form.is_valid():
        try:
            made = building.save_as(
                board_id=board_id, name=form.cleaned_data["name"], query=query, actor=request.user, now=request.now
            )
        except ValidationError as error:
            form.add_error(None, error.messages)
        except Refused as error:
            form.add_error(None, [blocker.message for blocker in error.blockers])
        else:
            return redirect(request, reverse("boards:board", args=[made.pk]))
    context = {
        "form": form,
        "board": board,
        "action": with_query(request.path, query),
        "chips": board_chips(request, board),
    }
    template = "boards/save_as.html#sheet" if request.htmx else "boards/save_as.html"
    return render(request, template, context, status=422 if form.errors else 200)


def board_chips(request: Request, board: Board) -> list[str]:
    """The conditions that the new board will have, in words."""
    selection = selection_of(request, board, request.GET)
    return [chip.label for chip in (*selection.saved.chips(), *selection.chips)]


# Acts on many cards


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cards that an act is about, as they are at the click."""

    board: Board | None
    query: str
    everything: bool
    ids: list[int]


def chosen_in(request: Request) -> Chosen:
    """Read which cards were chosen: those ticked, or all that the filter selects now.

    :raises Http404: the board is none of theirs.
    """
    given = request.POST.get("board", "")
    if given and not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Http404
    board = board_of(request, int(given) if given else None)
    query = QueryDict(request.POST.get("query", "")[:4000]).urlencode()
    if "all" not in request.POST:
        return Chosen(board, query, False, ids_in(request.POST))
    cards = selection_of(request, board, query).cards
    return Chosen(board, query, True, list(cards.order_by("pk").values_list("pk", flat=True)))


@require_POST
def bulk_choose(request: Request, what: str) -> HttpResponse:
    """Ask what shall happen to the chosen cards; each button says it in full."""
    if what not in CHOOSABLE:
        raise Http404
    return sheet(request, what, chosen_in(request), BulkForm())


def sheet(
    request: Request, what: str, chosen: Chosen, form: BulkForm, *, status: int = 200, changed: str = ""
) -> HttpResponse:
    """Show the sheet of an act, in the dialog or as a page."""
    n = len(chosen.ids)
    context = {
        "what": what,
        "chosen": chosen,
        "n": n,
        "cards": bulk_words.counted(n),
        "buttons": buttons_for(request, what, n),
        "others": others_among(request, what, chosen),
        "token": uuid.uuid4(),
        "form": form,
        "reasons": form.fields["reason"].queryset.order_by("sequence", "pk"),  # type: ignore[attr-defined]
        "changed": changed,
        "is_final": what in bulk.FINAL,
        "foretold": foretold(request, what, chosen),
        "not_foretold": max(n - closing.FORETOLD, 0),
        "closing_reason": closing_reason(form, what),
        "by_job": n > bulk.AT_ONCE,
        "back": url_of(chosen.board.pk if chosen.board else None, chosen.query),
    }
    template = "boards/bulk_sheet.html#sheet" if request.htmx else "boards/bulk_sheet.html"
    return render(request, template, context, status=status if n else 422)


def buttons_for(request: Request, what: str, n: int) -> list[bulk_words.Button]:
    """The buttons of a sheet."""
    if what == "stage":
        return bulk_words.stage_buttons(n, list(OpportunityStage.objects.active().in_order()))
    if what == "salesperson":
        may = access.may(request.user, "reassign")
        return bulk_words.people_buttons(n, list(access.may_take_cards()), me=request.user, may_reassign=may)
    if what == "status":
        return bulk_words.status_buttons(n, list(OpportunityStatus.objects.active().in_order()))
    if what == "date":
        return bulk_words.date_buttons(n)
    if what in bulk.FINAL:
        words = bulk_words.void(n) if what == "void" else bulk_words.cancel(n)
        return [bulk_words.Button(what, words, needs="closing")]
    words = bulk_words.archive(n) if what == "archive" else bulk_words.unarchive(n)
    return [bulk_words.Button(what, words)]


def closing_reason(form: BulkForm, what: str) -> BoundField:
    """The reason that voiding or canceling asks for; no other act of the form needs one."""
    field = form["void_reason" if what == "void" else "reason"]
    field.field.required = what in bulk.FINAL
    return field


def foretold(request: Request, what: str, chosen: Chosen) -> list[closing.Foretold]:
    """What voiding or canceling the chosen cards takes along, told beforehand."""
    if what not in bulk.FINAL:
        return []
    kind = ClosedKind.VOID if what == "void" else ClosedKind.CANCELED
    return list(closing.foretell(chosen.ids, kind, reader=request.user, now=request.now))


def others_among(request: Request, what: str, chosen: Chosen) -> int:
    """Count the chosen cards of colleagues, which this person's act will be refused for."""
    if what not in {"status", "archive", "unarchive", *bulk.FINAL} or access.may(request.user, "undo_others"):
        return 0
    return listing.cards_of_others(chosen.ids, request.user)


SHEET_OF = {"postpone": "date", "forecast_date": "date"}


@require_POST
def bulk_start(request: Request) -> HttpResponse:
    """Do it: at once up to 200 cards, else by the job loop. What differs from what was shown is said first."""
    chosen = chosen_in(request)
    form = BulkForm(request.POST)
    valid = form.is_valid()
    what = SHEET_OF.get(form.verb, form.verb if form.verb in CHOOSABLE else "stage")
    if not valid or not chosen.ids:
        return sheet(request, what, chosen, form, status=422)
    if request.POST.get("shown") != str(len(chosen.ids)):
        words = _("There are %(cards)s now, not as many as when you looked. Nothing was changed yet.")
        return sheet(
            request, what, chosen, form, status=409, changed=words % {"cards": bulk_words.counted(len(chosen.ids))}
        )
    seen = {"seen": closing.seen_of(chosen.ids, request.POST.getlist("seen"))} if form.verb in bulk.FINAL else {}
    act = bulk.start(
        verb=form.verb,
        arguments=form.arguments | seen,
        opportunity_ids=chosen.ids,
        query=chosen.query,
        board_id=chosen.board.pk if chosen.board else None,
        token=form.cleaned_data["token"],
        actor=request.user,
        now=request.now,
    )
    return redirect(request, url_after(act))


def url_after(act: BulkAct) -> str:
    """Where an act leads: back to the list with its answer, or to the page that shows how far it has come."""
    if not act.is_done:
        return reverse("boards:bulk-act", args=[act.pk])
    query = QueryDict(act.query, mutable=True)
    query["done"] = str(act.pk)
    query.pop("page", None)
    return url_of(act.board_id, query.urlencode())


@require_GET
@vary_on_headers("HX-Request")
def bulk_act(request: Request, bulk_act_id: uuid.UUID) -> HttpResponse:
    """Show how far an act has come, and in the end how it went."""
    act = BulkAct.objects.visible_to(request.user).defer("card_ids").get(pk=bulk_act_id)
    context = {
        "answer": bulk_words.answer(act, request.now),
        "act": act,
        "back": url_of(act.board_id, act.query),
    }
    return render(request, "boards/bulk_act.html#state" if request.htmx else "boards/bulk_act.html", context)


@require_POST
def bulk_undo(request: Request, bulk_act_id: uuid.UUID) -> HttpResponse:
    """Take an act back."""
    act = bulk.undo(bulk_act_id=bulk_act_id, actor=request.user, now=request.now)
    return redirect(request, url_after(act))
