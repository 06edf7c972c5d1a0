"""The board page over HTTP: the page, its fragments, and the acts on its cards."""

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from boards import layout, moves
from boards.changes import changes
from boards.forms import AddForm, MoveForm, OutcomeForm
from boards.health import empty_help
from boards.live import Position
from boards.models import Board, Column, ColumnStage, Fold
from opportunities import access, customers, offers, pipeline
from opportunities.errors import Blocker, NotAllowed, Refused, Stale
from opportunities.http import Request, came_from
from opportunities.models import Opportunity

OWN_KEYS = ("card", "totals", "after", "first", "ids")
"""Keys of the query string that are the page's own; all others are the filter."""


def query_of(request: Request) -> str:
    """The filter of the address as "?…", or nothing."""
    pairs = [(key, value) for key, values in request.GET.lists() if key not in OWN_KEYS for value in values]
    return f"?{urlencode(pairs)}" if pairs else ""


def base_of(board_id: int) -> str:
    """The address of the board, under which those of its parts lie."""
    return reverse("boards:board", args=[board_id])


def context_of(request: Request, board_id: int, **more: Any) -> dict[str, Any]:
    """What every fragment of the board page is rendered with."""
    return {"base": base_of(board_id), "query": query_of(request), **more}


@require_GET
def home(request: Request) -> HttpResponse:
    """Lead to the default board, or say that there is none yet."""
    board = Board.objects.visible_to(request.user).in_order().first()
    if board is not None:
        return HttpResponseRedirect(base_of(board.pk) + query_of(request))
    return render(request, "boards/board.html", {"board": {"empty": "no_board", "help": empty_help(request.user)}})


@require_GET
def board(request: Request, board_id: int) -> HttpResponse:
    """Show a board."""
    totals = request.GET.get("totals") == "1"
    view = layout.board_view(board_id, user=request.user, query=request.GET, today=request.today, totals=totals)
    context = context_of(request, board_id, board=view, position=Position(view.newest, int(request.now.timestamp())))
    return render(request, "boards/board.html", context)


@require_GET
def heads(request: Request, board_id: int) -> HttpResponse:
    """Give the sums of all column heads and of the board."""
    found = layout.heads(board_id, user=request.user, query=request.GET, today=request.today)
    if request.sweep_pending:
        found = {key: replace(head, total="", weighted="") for key, head in found.items()}
    context = context_of(request, board_id, heads=found.items(), board={"head": found.get(0)})
    if not request.htmx:
        query = query_of(request)
        return HttpResponseRedirect(f"{base_of(board_id)}{query}{'&' if query else '?'}totals=1")
    return render(request, "boards/board.html#heads", context)


@require_GET
def column_cards(request: Request, board_id: int, column_id: int) -> HttpResponse:
    """Give the next cards of a column; without script, a page of them."""
    column = layout.column_page(
        board_id,
        column_id,
        user=request.user,
        query=request.GET,
        today=request.today,
        after=after_of(request),
        size=size_of(request),
    )
    return cards_answer(request, board_id, column)


@require_GET
def tray(request: Request, board_id: int) -> HttpResponse:
    """Give the next cards of the tray."""
    view = layout.tray_page(
        board_id,
        user=request.user,
        query=request.GET,
        today=request.today,
        after=after_of(request),
        size=size_of(request),
    )
    return cards_answer(request, board_id, view)


def after_of(request: Request) -> int | None:
    """The card after which the page begins."""
    after = request.GET.get("after", "")
    return int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None


def size_of(request: Request) -> int:
    """How many cards the page has: as many whole pages as stood on the screen, where it is fetched again."""
    first = request.GET.get("first", "")
    return layout.pages_for(int(first) if first.isascii() and first.isdigit() and len(first) < 10 else 0)


def cards_answer(request: Request, board_id: int, column: Any) -> HttpResponse:
    """Answer a page of cards, as a fragment or as a page of its own."""
    template = "boards/board.html#cards" if request.htmx else "boards/cards.html"
    return render(request, template, context_of(request, board_id, column=column))


@require_GET
def card(request: Request, board_id: int, card_id: int) -> HttpResponse:
    """Give one card as it is now; the board does not keep what its filter no longer shows."""
    query = request.GET if request.htmx else None
    face = layout.card_face(board_id, card_id, user=request.user, today=request.today, query=query)
    if not request.htmx:
        return HttpResponseRedirect(face.url)
    context = context_of(request, board_id, column={"cards": (face,)}, oob=True)
    return render(request, "boards/board.html#cards", context)


@require_GET
def targets(request: Request, board_id: int, card_id: int) -> JsonResponse:
    """Say which columns and zones refuse the card, and why."""
    found = moves.targets(board_id, card_id, actor=request.user, now=request.now)
    return JsonResponse({"columns": found.columns, "zones": found.zones})


# The acts. Each answers htmx with the card and both counts, and leads back to the board without script.


@require_http_methods(["GET", "POST"])
def move(request: Request, board_id: int, card_id: int) -> HttpResponse:
    """Offer where a card can go (GET), or take it there (POST)."""
    if request.method == "GET":
        return move_menu(request, board_id, card_id)
    form = MoveForm(request.POST)
    if not form.is_valid():
        return refusal(request, board_id, card_id, [Blocker("BAD_INPUT", _("The board could not read where to."))])
    wish = form.cleaned_data
    column_id = wish["column"] or column_for(request, board_id, card_id, wish["stage"])
    stage_id = wish["stage"] or (first_stage(column_id) if wish["first"] else None)
    try:
        dropped = moves.drop(
            board_id,
            card_id,
            column_id,
            stage_id=stage_id,
            after_id=wish["after"],
            before_id=wish["before"],
            to=wish["to"] or None,
            version=wish["version"],
            actor=request.user,
            now=request.now,
            query=request.GET,
        )
    except moves.AskStage as asked:
        return ask_stage(request, board_id, card_id, column_id, asked, wish)
    except Stale as error:
        return refusal(request, board_id, card_id, [Blocker("STALE", what_happened(request, board_id, card_id, error))])
    except Refused as error:
        return refusal(request, board_id, card_id, blockers_of(error))
    return moved(request, board_id, card_id, dropped, wish["to"])


def column_for(request: Request, board_id: int, card_id: int, stage_id: int | None) -> int:
    """The column that a move means when it names only a stage, or only an end of the card's own column."""
    if stage_id is not None:
        return Column.objects.get(board_id=board_id, mapped__stage_id=stage_id).pk
    column_id = layout.card_face(board_id, card_id, user=request.user, today=request.today).column_id
    if column_id is None:
        raise Column.DoesNotExist
    return column_id


def first_stage(column_id: int) -> int | None:
    """The stage that a Shift-drop and quick add take."""
    mapped = ColumnStage.objects.filter(column_id=column_id, stage__active=True)
    return mapped.values_list("stage_id", flat=True).first()


def blockers_of(error: Refused | Stale) -> list[Blocker]:
    """Why not, in words."""
    if isinstance(error, Refused):
        return list(error.blockers)
    return [Blocker("STALE", str(error) or _("Someone was first; this is the card as it is now."))]


def what_happened(request: Request, board_id: int, card_id: int, error: Stale) -> str:
    """Say what somebody else did to the card that was dropped."""
    found = changes(board_id, [card_id], user=request.user, query=request.GET, today=request.today)
    sentence = next((change.sentence for change in found), "")
    return _("Not moved. %(what)s") % {"what": sentence} if sentence else blockers_of(error)[0].message


def moved(request: Request, board_id: int, card_id: int, dropped: moves.Dropped, to: str) -> HttpResponse:
    """Answer a move: the card, both counts, what happened, and Undo."""
    if not request.htmx:
        messages.success(request, dropped.sentence)
        return HttpResponseRedirect(came_from(request, base_of(board_id)))
    context = context_of(
        request,
        board_id,
        column={"cards": (dropped.face,)},
        oob=True,
        counts=dropped.counts.items(),
        sentence=dropped.sentence,
        undo_url=reverse("opportunities:undo", args=[dropped.event_id]) if dropped.event_id else "",
    )
    response = render(request, "boards/board.html#moved", context)
    told = {"card": card_id, "column": dropped.to_column_id, "to": to}
    return with_events(response, {"card-moved": told, "close-dialog": {}})


def with_events(response: HttpResponse, events: dict[str, dict[str, Any]]) -> HttpResponse:
    """Tell the page's scripts what happened."""
    for name, detail in events.items():
        trigger_client_event(response, name, detail)
    return response


def refusal(request: Request, board_id: int, card_id: int, blockers: list[Blocker], status: int = 409) -> HttpResponse:
    """Answer what was refused: every reason in words, and the card as it is."""
    sentence = blockers[0].message if len(blockers) == 1 and not blockers[0].url else ""
    context = context_of(
        request,
        board_id,
        sentence=sentence or _("Not moved."),
        blockers=() if sentence else blockers,
    )
    if not request.htmx:
        return render(request, "boards/refused.html", context, status=status)
    try:
        face = layout.card_face(board_id, card_id, user=request.user, today=request.today)
        context |= {"column": {"cards": (face,)}, "oob": True}
    except ObjectDoesNotExist:
        pass
    response = render(request, "boards/board.html#refused", context, status=status)
    return with_events(response, {"heads-changed": {}, "close-dialog": {}})


def move_menu(request: Request, board_id: int, card_id: int) -> HttpResponse:
    """Show where the card can go, and what refuses it."""
    face = layout.card_face(board_id, card_id, user=request.user, today=request.today)
    refused = moves.targets(board_id, card_id, actor=request.user, now=request.now)
    columns = Column.objects.filter(board_id=board_id).prefetch_related("mapped__stage").order_by("sequence", "pk")
    places = [
        {
            "column": column,
            "stages": [mapped.stage for mapped in column.mapped.all()],
            "refused": refused.columns.get(column.pk, ""),
            "here": column.pk == face.column_id,
        }
        for column in columns
    ]
    zones = [
        {"code": code, "label": label, "icon": icon, "refused": refused.zones.get(code, "")}
        for code, label, icon in (
            ("won", _("Won"), "trophy"),
            ("lost", _("Lost"), "circle-x"),
            ("closed", _("Closed"), "archive"),
        )
    ]
    context = context_of(
        request,
        board_id,
        card=face,
        places=places,
        zones=zones,
        is_sorted=Board.objects.exclude(sort=Board.Sort.RANK).filter(pk=board_id).exists(),
        next=came_from(request, ""),
    )
    return render(request, "boards/move.html#menu" if request.htmx else "boards/move.html", context)


def ask_stage(
    request: Request, board_id: int, card_id: int, column_id: int, asked: moves.AskStage, wish: dict[str, Any]
) -> HttpResponse:
    """Ask which of the column's stages is meant; the first is chosen beforehand."""
    face = layout.card_face(board_id, card_id, user=request.user, today=request.today)
    context = context_of(
        request,
        board_id,
        card=face,
        ask=True,
        stages=asked.stages,
        column=Column.objects.get(pk=column_id),
        wish=wish,
        next=came_from(request, base_of(board_id)),
    )
    return render(request, "boards/move.html#ask-dialog" if request.htmx else "boards/move.html", context, status=422)


@require_http_methods(["GET", "POST"])
def outcome(request: Request, board_id: int, card_id: int) -> HttpResponse:
    """Choose by hand how a deal ended (D41): ask for what is needed (GET), and do it (POST)."""
    zone = request.POST.get("zone", "") or request.GET.get("zone", "")
    try:
        access.require(request.user, "set_status", Opportunity.objects.select_related("salesperson").get(pk=card_id))
    except NotAllowed as error:
        return refusal(request, board_id, card_id, [Blocker("NOT_ALLOWED", str(error))], status=403)
    form = OutcomeForm(zone=zone)
    if request.method == "POST":
        given = request.POST.copy()
        if "status" not in given:
            refused = moves.targets(board_id, card_id, actor=request.user, now=request.now).zones.get(zone)
            if refused:
                return refusal(request, board_id, card_id, [Blocker("REFUSED", refused)])
            if zone == "won" and offers.open_quotes(card_id):
                return ask_outcome(request, board_id, card_id, form, zone)
            if form.only_row is not None:
                given["status"] = str(form.only_row.pk)
        if "status" in given:
            form = OutcomeForm(given, zone=zone)
            try:
                if form.is_valid():
                    return decide(request, board_id, card_id, form)
            except ValidationError as error:
                form.add_error("reason", error.messages)
    return ask_outcome(request, board_id, card_id, form, zone)


def ask_outcome(request: Request, board_id: int, card_id: int, form: OutcomeForm, zone: str) -> HttpResponse:
    """Show the dialog that asks for a status row and a reason."""
    face = layout.card_face(board_id, card_id, user=request.user, today=request.today)
    context = context_of(request, board_id, card=face, form=form, zone=zone, next=came_from(request, ""))
    context["offers"] = offers.open_quotes(card_id) if zone == "won" else ()
    template = "boards/outcome.html"
    if request.htmx:
        template += "#sheet" if request.method == "GET" else "#sheet-dialog"
    return render(request, template, context, status=200 if request.method == "GET" else 422)


def decide(request: Request, board_id: int, card_id: int, form: OutcomeForm) -> HttpResponse:
    """Set the chosen status row, and say what happened."""
    row, reason = form.cleaned_data["status"], form.cleaned_data["reason"]
    try:
        changed = pipeline.set_status(
            opportunity_id=card_id,
            status_id=row.pk,
            reason_id=reason.pk if reason is not None and row.closed else None,
            actor=request.user,
            now=request.now,
        )
    except Refused as error:
        return refusal(request, board_id, card_id, blockers_of(error))
    except NotAllowed as error:
        return refusal(request, board_id, card_id, [Blocker("NOT_ALLOWED", str(error))], status=403)
    sentence = _("“%(title)s” is now %(status)s.") % {"title": changed.title, "status": row.name}
    if not request.htmx:
        messages.success(request, sentence)
        return HttpResponseRedirect(came_from(request, base_of(board_id)))
    undo_url = reverse("opportunities:undo", args=[changed.last_event_id]) if changed.last_event_id else ""
    response = render(request, "boards/board.html#moved", {"sentence": sentence, "undo_url": undo_url})
    return with_events(response, {"card-changed": {"card": card_id}, "close-dialog": {}})


@require_http_methods(["GET", "POST"])
def add(request: Request, board_id: int, column_id: int) -> HttpResponse:
    """Add a card at the foot of a column: the short form (GET), and the act (POST)."""
    board = Board.objects.visible_to(request.user).get(pk=board_id)
    column = Column.objects.get(pk=column_id, board=board)
    form = short_form(request, column, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return added(request, board_id, column, create(request, column, form.cleaned_data))
        except Refused as error:
            form.add_error(None, [blocker.message for blocker in error.blockers])
        except ValidationError as error:
            form.add_error(None, error.messages)
    status = 200 if request.method == "GET" else 422
    return add_form(request, board_id, column, form, status=status)


def short_form(request: Request, column: Column, data: QueryDict | None = None) -> AddForm:
    """The short form of a column, in the business's currency."""
    return AddForm(data, column_id=column.pk, currency=request.business.currency)


def add_form(request: Request, board_id: int, column: Column, form: AddForm, *, status: int = 200) -> HttpResponse:
    """Show the short form."""
    context = context_of(request, board_id, column=column, form=form, next=came_from(request, ""))
    template = "boards/add.html#form" if request.htmx else "boards/add.html"
    return render(request, template, context, status=status)


def create(request: Request, column: Column, given: dict[str, Any]) -> Opportunity:
    """Make the card, and its customer if the name is new, in one transaction; a double click makes one."""
    with transaction.atomic():
        name = given["customer"].strip()
        customer = customers.named(name, actor=request.user, now=request.now) if name else None
        return moves.add(
            column.board_id,
            column.pk,
            token=given["token"] or uuid.uuid4(),
            title=given["title"],
            customer_ids=[customer.pk] if customer else [],
            amount=given["amount"],
            actor=request.user,
            now=request.now,
        )


def added(request: Request, board_id: int, column: Column, made: Opportunity) -> HttpResponse:
    """Show the new card at the foot of its column, and the form again for the next one."""
    sentence = _("%(number)s “%(title)s” added to %(column)s.") % {
        "number": made.number,
        "title": made.title,
        "column": column.name,
    }
    if not request.htmx:
        messages.success(request, sentence)
        return HttpResponseRedirect(came_from(request, base_of(board_id)))
    context = context_of(request, board_id, column=column, form=short_form(request, column), sentence=sentence)
    try:
        face = layout.card_face(board_id, made.pk, user=request.user, today=request.today, query=request.GET)
        context["added"] = {"cards": (face,)}
    except ObjectDoesNotExist:
        context["sentence"] = _("%(sentence)s The filter in force hides it.") % {"sentence": sentence}
    response = render(request, "boards/add.html#added", context)
    return with_events(response, {"card-added": {"card": made.pk, "column": column.pk}})


@require_POST
def fold(request: Request, board_id: int, column_id: int) -> HttpResponseBase:
    """Fold a column for this person, or unfold it."""
    board = Board.objects.visible_to(request.user).get(pk=board_id)
    column = Column.objects.get(pk=column_id, board=board)
    toggle_fold(request, board, column)
    if not request.htmx:
        return HttpResponseRedirect(came_from(request, base_of(board_id)))
    view = layout.column_page(
        board_id, column_id, user=request.user, query=request.GET, today=request.today, after=None
    )
    view = replace(view, folded=Fold.objects.filter(user=request.user, column=column).exists())
    about = {"pk": board_id, "may_edit": board.may_be_edited_by(request.user)}
    context = context_of(request, board_id, column=view, board=about)
    return render(request, "boards/board.html#column", context)


@require_POST
def fold_tray(request: Request, board_id: int) -> HttpResponseBase:
    """Fold the tray for this person, or unfold it."""
    board = Board.objects.visible_to(request.user).get(pk=board_id)
    toggle_fold(request, board, None)
    if not request.htmx:
        return HttpResponseRedirect(came_from(request, base_of(board_id)))
    view = layout.tray_page(board_id, user=request.user, query=request.GET, today=request.today, after=None)
    folded = Fold.objects.filter(user=request.user, board=board, column=None).exists()
    view = replace(view, folded=folded)
    return render(request, "boards/board.html#tray", context_of(request, board_id, tray=view))


def toggle_fold(request: Request, board: Board, column: Column | None) -> None:
    """Keep a column folded for this person, or no longer."""
    with transaction.atomic():
        deleted, _rows = Fold.objects.filter(user=request.user, board=board, column=column).delete()
        if not deleted:
            Fold.objects.get_or_create(user=request.user, board=board, column=column)
