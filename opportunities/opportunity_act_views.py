"""What is done to a card from its page, panel and badge: one act a view, each a plain form."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from opportunities import access, activity, attached, days, explain, lifecycle, offers, outcome, overview, pipeline
from opportunities.errors import Refused
from opportunities.forms import ActionForm, ForecastForm, NoteForm, StatusForm, refuse, wish_fields
from opportunities.http import Request, person
from opportunities.models import ActionItem, Opportunity, OpportunityStage, OpportunityStatus, Quote
from opportunities.opportunity_views import PANEL, acted, saved_words, sheet, show


@require_POST
def archive(request: Request, pk: int) -> HttpResponse:
    """Put a card away (D26)."""
    card = lifecycle.archive(opportunity_id=pk, actor=person(request), now=request.now)
    return acted(request, card, _("%(number)s was archived.") % {"number": card.number}, undoable=True)


@require_POST
def unarchive(request: Request, pk: int) -> HttpResponse:
    """Take a card back from the archive (D26)."""
    card = lifecycle.unarchive(opportunity_id=pk, actor=person(request), now=request.now)
    return acted(request, card, _("%(number)s is back from the archive.") % {"number": card.number}, undoable=True)


@require_POST
def take(request: Request, pk: int) -> HttpResponse:
    """Take a card that nobody has (D40)."""
    me = person(request)
    card = pipeline.edit(opportunity_id=pk, salesperson_id=me.pk, actor=me, now=request.now)
    return acted(request, card, _("%(number)s is yours now.") % {"number": card.number}, undoable=True)


@require_POST
def follow_amount(request: Request, pk: int) -> HttpResponse:
    """Let the amount follow the documents again, after somebody had typed it."""
    card = pipeline.edit(opportunity_id=pk, amount_by_hand=False, actor=person(request), now=request.now)
    sentence = _("The amount of %(number)s follows its documents again.") % {"number": card.number}
    return acted(request, card, sentence, undoable=True)


@require_http_methods(["GET", "POST"])
def forecast(request: Request, pk: int) -> HttpResponse:
    """Promise another day: a week on, a month on, or a date (T16, D14)."""
    card = overview.one(pk, person(request))
    access.require(person(request), "edit", card)
    # The buttons send the day that they name, so that a double click promises no further one.
    sent = request.POST.get("to", request.POST.get("forecast_date"))
    form = ForecastForm(
        None if sent is None else {"forecast_date": sent, "version": request.POST.get("version")},
        initial={"forecast_date": card.forecast_date},
    )
    if not form.is_valid():
        steps: dict[str, dict[str, int]] = {"week": {"weeks": 1}, "month": {"months": 1}}
        choices = {by: overview.postponed(card, request.today, **step) for by, step in steps.items()}
        context = {"form": form, "card": card, "choices": choices}
        return sheet(request, "forecast", context, status=422 if request.method == "POST" else 200)
    day: date | None = form.cleaned_data["forecast_date"]
    saved = pipeline.set_forecast_date(
        opportunity_id=pk,
        forecast_date=day,
        version=form.cleaned_data["version"],
        actor=person(request),
        now=request.now,
    )
    words = _("%(number)s has no forecast date any more.")
    if day is not None:
        words = _("%(number)s is expected by %(day)s.")
    said = words % {"number": saved.number, "day": "" if day is None else days.full(day)}
    return acted(request, saved, saved_words(said, saved, request.today), undoable=True)


@require_http_methods(["GET", "POST"])
def move(request: Request, pk: int) -> HttpResponse:
    """Put a card into another stage, without a board."""
    card = overview.one(pk, person(request))
    access.require(person(request), "move", card)
    if request.method == "GET":
        rows = [(stage, _refusals(card, stage)) for stage in OpportunityStage.objects.active().in_order()]
        return sheet(request, "move", {"card": card, "rows": rows, "closed": pipeline.closed_blocker(card)})
    wanted = request.POST.get("stage", "")
    stage_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    if stage_id is None and wanted:
        raise OpportunityStage.DoesNotExist
    moved = pipeline.move(opportunity_id=pk, stage_id=stage_id, actor=person(request), now=request.now)
    name = moved.stage.name if moved.stage else _("no stage")
    return acted(
        request, moved, _("%(number)s is in %(stage)s.") % {"number": moved.number, "stage": name}, undoable=True
    )


def _refusals(card: Opportunity, stage: OpportunityStage) -> str:
    if stage.pk == card.stage_id:
        return ""
    return " ".join(blocker.message for blocker in pipeline.entry_blockers(card, stage))


@require_http_methods(["GET", "POST"])
def status(request: Request, pk: int) -> HttpResponse:
    """Choose how the deal ended, by hand (D41)."""
    card = overview.one(pk, person(request))
    access.require(person(request), "set_status", card)
    wanted = request.GET.get("status") or card.status_id
    form = StatusForm(request.POST if request.method == "POST" else None, initial={"status": wanted})
    if not form.is_bound:
        return _status_sheet(request, card, form)
    if not form.is_valid():
        return _status_sheet(request, card, form, code=422)
    row, reason = form.cleaned_data["status"], form.cleaned_data["reason"]
    if convertible := _convertible(request, card, row):
        return _status_sheet(request, card, form, code=422, convertible=convertible)
    try:
        saved = pipeline.set_status(
            opportunity_id=pk,
            status_id=row.pk,
            reason_id=reason.pk if reason and row.closed else None,
            actor=person(request),
            now=request.now,
        )
    except ValidationError as error:
        refuse(form, error)
        return _status_sheet(request, card, form, code=422)
    except Refused as refused:
        form.add_error(None, [blocker.message for blocker in refused.blockers])
        return _status_sheet(request, card, form, code=409)
    said = _("%(number)s: %(status)s.") % {"number": saved.number, "status": row.name}
    return acted(request, saved, said, undoable=True)


def _convertible(request: Request, card: Opportunity, row: OpportunityStatus) -> list[Quote]:
    """List the quotes that could become a job, where a card is about to be marked as won without one; asked once."""
    if not row.won or row.pk == card.status_id or "without" in request.POST:
        return []
    found = outcome.evidence(attached.facts_of(card, business=request.business, today=request.today))
    if found.status is not None or pipeline.closed_blocker(card) or pipeline.status_blocker(card, row, found, why=""):
        return []
    return offers.open_quotes(card.pk)


def _status_sheet(
    request: Request, card: Opportunity, form: StatusForm, *, code: int = 200, convertible: Sequence[Quote] = ()
) -> HttpResponse:
    facts = attached.facts_of(card, business=request.business, today=request.today)
    found, why = outcome.evidence(facts), explain.sales_reason(facts).text
    rows: list[dict[str, Any]] = []
    for row in OpportunityStatus.objects.in_order():
        if row.retired and row.pk != card.status_id:
            continue
        blocker = pipeline.closed_blocker(card) or pipeline.status_blocker(card, row, found, why=why)
        checked = str(form["status"].value()) == str(row.pk)
        rows.append({"row": row, "refusal": blocker.message if blocker else "", "checked": checked})
    context = {"form": form, "card": card, "rows": rows, "why": why if found.status is not None else ""}
    context["offers"] = convertible
    return sheet(request, "status", context, status=code)


@require_POST
def note(request: Request, pk: int) -> HttpResponse:
    """Write a note."""
    form = NoteForm(request.POST)
    if not form.is_valid():
        return show(request, pk, status=422, note_form=form)
    written = activity.add_note(
        opportunity_id=pk, text=form.cleaned_data["text"], actor=person(request), now=request.now
    )
    return acted(request, written.opportunity, _("The note was added."))


@require_http_methods(["GET", "POST"])
def action(request: Request, pk: int) -> HttpResponse:
    """Plan the next thing to do: on the card, or in a sheet, to which a stage that asks for it leads."""
    if request.method == "GET":
        card = overview.one(pk, person(request))
        access.require(person(request), "action", card)
        form = ActionForm(initial={"assignee": person(request).pk}, auto_id="planned-%s")
        return sheet(request, "action", {"form": form, "card": card})
    in_sheet = bool(request.htmx) and request.htmx.target != PANEL
    form = ActionForm(request.POST, auto_id="planned-%s" if in_sheet else "action-%s")
    if not form.is_valid():
        return _planning_again(request, pk, form, in_sheet)
    try:
        item = activity.add_action(opportunity_id=pk, actor=person(request), now=request.now, **form.arguments())
    except ValidationError as error:
        refuse(form, error)
        return _planning_again(request, pk, form, in_sheet)
    return acted(request, item.opportunity, _planned(item))


def _planning_again(request: Request, pk: int, form: ActionForm, in_sheet: bool) -> HttpResponse:
    if in_sheet:
        return sheet(request, "action", {"form": form, "card": overview.one(pk, person(request))}, status=422)
    return show(request, pk, status=422, action_form=form)


def _planned(item: ActionItem) -> str:
    return _("Planned: %(action)s") % {"action": item.text}


@require_POST
def action_done(request: Request, pk: int) -> HttpResponse:
    """Tick an action item off."""
    item = activity.finish_action(action_id=pk, actor=person(request), now=request.now)
    undo_url = reverse("opportunities:action-reopen", args=[pk])
    return acted(request, item.opportunity, _("Done: %(action)s") % {"action": item.text}, undo_url=undo_url)


@require_POST
def action_reopen(request: Request, pk: int) -> HttpResponse:
    """Take back that an action item was done."""
    item = activity.reopen_action(action_id=pk, actor=person(request), now=request.now)
    return acted(request, item.opportunity, _("To do again: %(action)s") % {"action": item.text})


@require_http_methods(["GET", "POST"])
def action_edit(request: Request, pk: int) -> HttpResponse:
    """Change an action item: what, by when, who."""
    item = ActionItem.objects.select_related("assignee").get(pk=pk)
    card = overview.one(item.opportunity_id, person(request))
    access.require(person(request), "action", card)
    initial = {"text": item.text, "due_on": item.due_on, "assignee": item.assignee_id, **wish_fields(item)}
    given = request.POST if request.method == "POST" else None
    form = ActionForm(given, initial=initial, present=item.assignee, auto_id="planned-%s")
    if not form.is_valid():
        context = {"form": form, "card": card, "item": item}
        return sheet(request, "action", context, status=422 if form.is_bound else 200)
    try:
        changed = activity.edit_action(action_id=pk, actor=person(request), now=request.now, **form.arguments())
    except ValidationError as error:
        refuse(form, error)
        return sheet(request, "action", {"form": form, "card": card, "item": item}, status=422)
    return acted(request, card, _planned(changed))


@require_POST
def undo(request: Request, event_id: int) -> HttpResponse:
    """Take one change back (D43)."""
    card = pipeline.undo(event_id=event_id, actor=person(request), now=request.now)
    return acted(request, card, _("Undone on %(number)s.") % {"number": card.number})
