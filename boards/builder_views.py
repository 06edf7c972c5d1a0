"""Making and changing boards over HTTP: all boards, a new one, its settings, its columns, and ways to get stages."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from boards import adoption, building, health
from boards.builder_forms import COLOURS, BoardForm, ColumnEditor, NamesForm, NewBoardForm
from boards.list_forms import filter_groups, forecast_group
from boards.models import Board
from boards.selection import select
from opportunities import access
from opportunities.errors import NotAllowed, Refused, Stale
from opportunities.filters import CardFilter
from opportunities.http import Request, done
from opportunities.models import BulkAct, OpportunityStage


def board_to_edit(request: Request, board_id: int) -> Board:
    """The board, for somebody who may change it. :raises Board.DoesNotExist, NotAllowed: otherwise."""
    board = Board.objects.visible_to(request.user).get(pk=board_id)
    if not board.may_be_edited_by(request.user):
        raise NotAllowed(access.who_may("shared_boards"))
    return board


@require_GET
def all_boards(request: Request) -> HttpResponse:
    """List the shared boards and the person's own, the default first."""
    boards = Board.objects.visible_to(request.user).annotate(width=Count("columns")).in_order()
    rows = [(board, board.may_be_edited_by(request.user)) for board in boards]
    context = {"rows": rows, "help": None if rows else health.empty_help(request.user)}
    return render(request, "boards/builder_all.html", context)


@require_http_methods(["GET", "POST"])
def new(request: Request) -> HttpResponse:
    """Make a board; then come its columns."""
    access.require(request.user, "create")
    stages = OpportunityStage.objects.active().count()
    form = NewBoardForm(request.POST or None, initial={"with_columns": stages > 0})
    if not access.may(request.user, "shared_boards"):
        del form.fields["shared"]
    if not stages:
        del form.fields["with_columns"]
    if request.method == "POST" and form.is_valid():
        board = building.create_board(**form.cleaned_data, actor=request.user, now=request.now)
        sentence = _("“%(board)s” is made.") % {"board": board.name}
        return done(request, sentence, to=reverse("boards:columns", args=[board.pk]))
    context = {"form": form, "stages": stages}
    return render(request, "boards/builder_new.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def edit(request: Request, board_id: int) -> HttpResponse:
    """Change a board's name, filter, order and limits."""
    board = board_to_edit(request, board_id)
    form = board_form(request, board)
    given = filter_of(request, board)
    if request.method == "POST" and form.is_valid() and not given.problems:
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        if given.query != request.POST.get("filter_was", board.filter):
            fields["filter"] = given.query
        try:
            board = building.edit_board(board_id=board_id, **fields, actor=request.user, now=request.now)
        except ValidationError as error:
            form.add_error(None, error.messages)
        except Refused as refused:
            form.add_error(None, [blocker.message for blocker in refused.blockers])
        else:
            return done(request, _("Saved."), to=board.get_absolute_url())
    status = 422 if request.method == "POST" else 200
    return render(request, "boards/builder_edit.html", edit_context(request, board, form, given), status=status)


BOARD_FACTS = ("name", "sort", "wip_binding", "completed_days", "lost_days", "is_default")


def board_form(request: Request, board: Board) -> BoardForm:
    """The form of a board's settings, with what this person can say about this board."""
    held = {name: getattr(board, name) for name in BOARD_FACTS}
    form = BoardForm(request.POST or None, initial={**held, "shared": board.owner_id is None})
    if board.owner_id is None or not access.may(request.user, "shared_boards"):
        del form.fields["shared"]
    if board.owner_id is not None:
        del form.fields["is_default"]
    elif board.is_default:
        form.fields["is_default"].disabled = True
    return form


def filter_of(request: Request, board: Board) -> CardFilter:
    """The filter that the form asks for; before it is sent, the saved one."""
    query = request.POST if request.method == "POST" else board.filter
    return CardFilter.parse(query, user=request.user, today=request.today)


def edit_context(request: Request, board: Board, form: BoardForm, given: CardFilter) -> dict[str, Any]:
    """What the page of a board's settings shows."""
    saved = CardFilter.parse(board.filter, user=request.user, today=request.today)
    first_weekday = request.business.first_day_of_week
    shown = select(board, user=request.user, query="", today=request.today, first_weekday=first_weekday).cards
    return {
        "board": board,
        "form": form,
        "groups": {each.key: each for each in filter_groups(given, board=None)},
        "forecast": forecast_group(given),
        "values": {key: str(value) for key, value in {**given.amounts, **given.days, **given.single}.items()},
        "chips": [chip.label for chip in saved.chips()],
        "customer": next((chip.label for chip in given.chips() if chip.key == "customer"), ""),
        "problems": given.problems,
        "filter_was": request.POST.get("filter_was", board.filter),
        "shown": health.cards_label(shown.count()),
    }


@require_http_methods(["GET", "POST"])
def columns(request: Request, board_id: int) -> HttpResponse:
    """Order, name, colour and map the columns of a board."""
    board = board_to_edit(request, board_id)
    stages = list(OpportunityStage.objects.in_order())
    saved = building.wishes_of(board)
    if request.method == "GET":
        return columns_page(request, board, ColumnEditor.of_board(saved, stages), made=made_lately(request))
    editor = ColumnEditor.of_data(request.POST, saved, stages)
    if editor.act(request.POST.get("do", "")):
        return columns_page(request, board, editor, fingerprint=request.POST.get("fingerprint", ""), unsaved=True)
    return save_columns(request, board, editor, stages)


def made_lately(request: Request) -> BulkAct | None:
    """The act that made these columns of statuses, where the address names it and it can still be taken back."""
    try:
        act = adoption.undoable(UUID(request.GET.get("made", "")), actor=request.user, now=request.now)
    except ValueError:
        return None
    return act


def save_columns(request: Request, board: Board, editor: ColumnEditor, stages: list[OpportunityStage]) -> HttpResponse:
    """Save the columns, or say what keeps them from being saved."""
    fingerprint = request.POST.get("fingerprint", "")
    wishes = editor.wishes()
    try:
        if not editor.has_errors:
            building.set_columns(
                board_id=board.pk, columns=wishes, fingerprint=fingerprint, actor=request.user, now=request.now
            )
            return done(request, _("The columns are saved."), to=board.get_absolute_url())
    except ValidationError as error:
        editor.faults = error.messages
    except Stale as stale:
        names = {stage.pk: stage.name for stage in stages}
        mine = [(wish.name, ", ".join(names[stage] for stage in wish.stages)) for wish in wishes]
        fresh = ColumnEditor.of_board(building.wishes_of(board), stages)
        return columns_page(request, board, fresh, status=409, stale=str(stale), mine=mine)
    return columns_page(request, board, editor, fingerprint=fingerprint, status=422, unsaved=True)


def columns_page(
    request: Request, board: Board, editor: ColumnEditor, *, fingerprint: str = "", status: int = 200, **more: Any
) -> HttpResponse:
    """Show the column editor."""
    cards = health.counts(board, editor.stages, user=request.user, today=request.today, business=request.business)
    editor.prepare(cards)
    loose = {stage.pk for stage in editor.loose()}
    context = {
        "board": board,
        "editor": editor,
        "colours": COLOURS,
        "fingerprint": fingerprint or building.fingerprint_of(board),
        "stages": [(stage, cards.get(stage.pk, 0), stage.pk in loose) for stage in editor.stages],
        "loose": len(loose),
        "blank": [editor.blank()],
        "is_admin": access.may(request.user, "settings"),
        "help": None if editor.stages else health.empty_help(request.user),
        **more,
    }
    return render(request, "boards/builder_columns.html", context, status=status)


@require_http_methods(["GET", "POST"])
def stages(request: Request, board_id: int) -> HttpResponse:
    """Ways to get stages and columns: the starter stages, one for each status in use, one for each name."""
    board = board_to_edit(request, board_id)
    path = request.POST.get("path", "")
    form = NamesForm(request.POST if path == "names" else None)
    if request.method == "POST" and (path != "names" or form.is_valid()):
        try:
            return take_path(request, board, path, form)
        except ValidationError as error:
            form.add_error("names" if path == "names" else None, error.messages)
    is_admin = access.may(request.user, "settings")
    loose = OpportunityStage.objects.active().in_order().exclude(columns__board=board)
    context = {
        "board": board,
        "form": form,
        "is_admin": is_admin,
        "has_stages": OpportunityStage.objects.exists(),
        "loose": [stage.name for stage in loose],
        "help": health.empty_help(request.user),
    }
    return render(request, "boards/builder_stages.html", context, status=422 if form.errors else 200)


def take_path(request: Request, board: Board, path: str, form: NamesForm) -> HttpResponse:
    """Do what was chosen, and lead to the columns that came of it."""
    who: dict[str, Any] = {"board_id": board.pk, "actor": request.user, "now": request.now}
    if path == "statuses":
        act = adoption.stages_from_statuses(**who)
        return adopted(request, board, act)
    if path == "starter":
        made = building.load_starter_stages(**who)
    elif path == "names":
        made = building.columns_from_names(names=form.cleaned_data["names"].splitlines(), **who)
    else:
        made = building.column_per_stage(**who)
    words = ngettext("%(count)s column is added.", "%(count)s columns are added.", len(made))
    sentence = words % {"count": len(made)} if made else _("Every one of them is a column already.")
    return done(request, sentence, to=reverse("boards:columns", args=[board.pk]))


def adopted(request: Request, board: Board, act: BulkAct) -> HttpResponse:
    """Say what became of the cards, and lead to the page where it can be taken back."""
    words = ngettext(
        "%(count)s card has the stage of its status now.",
        "%(count)s cards have the stage of their status now.",
        act.changed,
    )
    messages.success(request, words % {"count": act.changed})
    return HttpResponseRedirect(f"{reverse('boards:columns', args=[board.pk])}?made={act.pk}")


@require_POST
def undo_stages(request: Request, bulk_act_id: UUID) -> HttpResponse:
    """Take "a stage of every status" back."""
    back = adoption.undo(bulk_act_id=bulk_act_id, actor=request.user, now=request.now)
    words = ngettext("%(count)s card has no stage again.", "%(count)s cards have no stage again.", back.changed)
    sentence = words % {"count": back.changed}
    if back.refused_count:
        kept = ngettext(
            "%(count)s was moved since and stays.", "%(count)s were moved since and stay.", back.refused_count
        )
        sentence = f"{sentence} {kept % {'count': back.refused_count}}"
    return done(request, sentence, to=reverse("boards:home"))


@require_http_methods(["GET", "POST"])
def delete(request: Request, board_id: int) -> HttpResponse:
    """Say what goes with the board (GET), and delete it (POST)."""
    board = board_to_edit(request, board_id)
    if request.method == "POST":
        name = building.delete_board(board_id=board_id, actor=request.user, now=request.now)
        sentence = _("“%(board)s” is deleted. Its cards are where they were.") % {"board": name}
        return done(request, sentence, to=reverse("boards:all"))
    following = Board.objects.filter(owner=None).exclude(pk=board_id).order_by("name", "pk").first()
    context = {"board": board, "width": board.columns.count(), "following": following if board.is_default else None}
    template = "boards/builder_delete.html#sheet" if request.htmx else "boards/builder_delete.html"
    return render(request, template, context)
