"""The page and panel of an opportunity, and the forms that make and change one."""

import uuid
from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import Resolver404, ResolverMatch, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from opportunities import access, attached, card_documents, customers, mail_rows, overview, pipeline, timeline
from opportunities.errors import Refused, Stale
from opportunities.forms import ActionForm, NoteForm, refuse
from opportunities.http import Request, came_from, page_of, person
from opportunities.models import Opportunity
from opportunities.opportunity_forms import OpportunityForm

PANEL = "article#opportunity"
"""How htmx names the part of the page that shows a card."""


@require_GET
@vary_on_headers("HX-Request")
def detail(request: Request, pk: int) -> HttpResponse:
    """Show a card: as a page, in the panel, or the next older part of its story."""
    return show(request, pk)


def show(request: Request, pk: int, *, status: int = 200, **extra: Any) -> HttpResponse:
    """Render a card from fresh state; `extra` brings a form with its errors, or a sentence to say."""
    reader = person(request)
    card = overview.one(pk, reader)
    before = request.GET.get("before", "")
    older_than = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    found = attached.to_card(card)
    closed = pipeline.closed_blocker(card)
    context = {
        "view": overview.of(card, found, reader=reader, business=request.business, today=request.today),
        "documents": card_documents.of(
            card, found, reader=reader, business=request.business, now=request.now, closed=closed
        ),
        "mails": mail_rows.of_card(card, reader, request.business, request.today, found=found),
        "card": card,
        "timeline": timeline.of(card, reader=reader, business=request.business, now=request.now, before=older_than),
        "is_older": older_than is not None,
        "move_url": _move_url(request, pk),
        "note_form": NoteForm(),
        "duplicate_token": uuid.uuid4(),
        "action_form": ActionForm(initial={"assignee": reader.pk}),
        **extra,
    }
    fragment = "" if not request.htmx else "#older" if older_than is not None else "#panel"
    return render(request, f"opportunities/detail.html{fragment}", context, status=status)


def acted(
    request: Request,
    card: Opportunity,
    sentence: str,
    *,
    undoable: bool = False,
    undo_url: str = "",
    left: Opportunity | None = None,
) -> HttpResponse:
    """Answer an act: the fresh panel, a word to the board that shows the card, or the page the person came from.

    An act that cleared the way for closing a card leads back to that sheet. `left`: the card that a document was on.
    """
    if undoable and card.last_event_id is not None:
        undo_url = reverse("opportunities:undo", args=[card.last_event_id])
    back = came_from(request, card.get_absolute_url())
    if back.partition("?")[0].endswith(request.path):
        # The form was a page of its own: it has done its work.
        back = card.get_absolute_url()
    if not request.htmx:
        messages.success(request, sentence)
        return HttpResponseRedirect(back)
    if request.htmx.target == PANEL:
        response = show(request, card.pk, said=sentence, undo_url=undo_url)
        return trigger_client_event(response, "card-changed", {"card": card.pk, "id": card.pk, "panel": True})
    if not on_board(request):
        messages.success(request, sentence)
        return HttpResponseClientRedirect(back)
    response = render(request, "_toast.html", {"text": sentence, "undo_url": undo_url})
    response.headers["HX-Reswap"] = "none"
    again = closing_sheet(request, {each.pk for each in (card, left) if each is not None})
    if again:
        trigger_client_event(response, "open-dialog", {"url": again})
    else:
        trigger_client_event(response, "close-dialog")
    return trigger_client_event(response, "card-changed", {"card": card.pk, "id": card.pk})


CLOSING_SHEETS = frozenset({"opportunities:void", "opportunities:cancel", "opportunities:void-why"})


def closing_sheet(request: Request, card_ids: Collection[int]) -> str:
    """Return the address of the void or cancel sheet that an act was asked from; empty for any other `next`.

    It is made anew of what the route says, and must be that of a card that the act was about.
    """
    try:
        asked = resolve(request.POST.get("next", ""))
    except Resolver404:
        return ""
    if asked.view_name not in CLOSING_SHEETS or asked.kwargs.get("pk") not in card_ids:
        return ""
    return reverse(asked.view_name, kwargs=asked.kwargs)


def on_board(request: Request) -> bool:
    """Tell whether the person looks at a board, a calendar or their day, which bring themselves up to date."""
    page = _page(request)
    refreshing = {"boards:home", "boards:board", "boards:calendar", "boards:all-calendar", "opportunities:my-day"}
    return page is not None and page.view_name in refreshing


def _page(request: Request) -> ResolverMatch | None:
    """Find out which page of the product an htmx request comes from."""
    path = (page_of(request) or "").partition("?")[0]
    try:
        return resolve(path) if path else None
    except Resolver404:
        return None


def _move_url(request: Request, pk: int) -> str:
    """Lead to the Move menu of the board that the person looks at, which knows its columns; elsewhere to the stages."""
    page = _page(request)
    if page is not None and page.view_name == "boards:board":
        return reverse("boards:move", args=[page.kwargs["board_id"], pk])
    return reverse("opportunities:move", args=[pk])


def sheet(request: Request, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Render a small form: as a page, or its sheet alone for the dialog."""
    fragment = "#sheet" if request.htmx else ""
    return render(request, f"opportunities/{template}.html{fragment}", context, status=status)


def saved_words(sentence: str, card: Opportunity, today: Any) -> str:
    """Add to what was done the warning that a forecast date is past (T17)."""
    if card.forecast_date is None or card.forecast_date >= today or not card.is_expired:
        return sentence
    return f"{sentence} {_('This date is already past, so the card is expired.')}"


@require_http_methods(["GET", "POST"])
def new(request: Request) -> HttpResponse:
    """Make an opportunity. The form's token lets a double click or a page sent again make one card."""
    access.require(person(request), "create")
    options: dict[str, Any] = {"actor": person(request), "business": request.business}
    if request.method == "GET":
        start = {name: request.GET[name] for name in ("stage", "customer", "title", "type") if name in request.GET}
        return _form(request, OpportunityForm(start=start, **options))
    form = OpportunityForm(request.POST, **options)
    if "add" in request.POST:
        return _another_customer(request, form)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        with transaction.atomic():
            token = form.cleaned_data["token"] or uuid.uuid4()
            facts = form.facts(_customer_ids(request, form))
            card = pipeline.create_once(token=token, actor=person(request), now=request.now, **facts)
    except (Refused, ValidationError) as error:
        return _form(request, form, refused=error)
    sentence = saved_words(_("%(number)s was created.") % {"number": card.number}, card, request.today)
    if request.htmx and on_board(request):
        return acted(request, card, sentence)
    messages.success(request, sentence)
    return _to(request, card)


def _to(request: Request, card: Opportunity) -> HttpResponse:
    redirect = HttpResponseClientRedirect if request.htmx else HttpResponseRedirect
    return redirect(card.get_absolute_url())


@require_http_methods(["GET", "POST"])
def edit(request: Request, pk: int) -> HttpResponse:
    """Change a card. Only what this person changed is written; where somebody was first, both versions are shown."""
    card = overview.one(pk, person(request))
    access.require(person(request), "edit", card)
    closed = pipeline.closed_blocker(card)
    if closed is not None:
        raise Refused(closed)
    options: dict[str, Any] = {"actor": person(request), "business": request.business, "card": card}
    if request.method == "GET":
        return _form(request, OpportunityForm(**options))
    form = OpportunityForm(request.POST, **options)
    if "add" in request.POST:
        return _another_customer(request, form)
    if not form.is_valid():
        return _form(request, form, status=422)
    return _save(request, card, form)


def _save(request: Request, card: Opportunity, form: OpportunityForm) -> HttpResponse:
    changed = form.changed_names()
    if not changed:
        return acted(request, card, _("Nothing was changed."))
    try:
        with transaction.atomic():
            facts = form.facts(_customer_ids(request, form) if "customers" in changed else (), changed)
            version = form.cleaned_data["version"]
            saved = pipeline.edit(
                opportunity_id=card.pk, version=version, actor=person(request), now=request.now, **facts
            )
    except Stale:
        return _form(request, form.onto(overview.one(card.pk, person(request))), status=409)
    except (Refused, ValidationError) as error:
        return _form(request, form, refused=error)
    sentence = _("%(number)s was saved.") % {"number": saved.number}
    if "forecast_date" in changed:
        sentence = saved_words(sentence, saved, request.today)
    return acted(request, saved, sentence, undoable=True)


def _customer_ids(request: Request, form: OpportunityForm) -> list[int]:
    """Return the chosen customers and the one that was typed, which is made where there is none of its name."""
    ids = list(form.parties.customers)
    if form.parties.typed:
        typed = customers.named(form.parties.typed, actor=person(request), now=request.now)
        ids += [typed.pk] if typed.pk not in ids else []
    return ids


def _another_customer(request: Request, form: OpportunityForm) -> HttpResponse:
    """Put the typed customer on the form, with its contacts to tick, and show the form again. Nothing is saved."""
    form.take_typed_customer()
    form.errors.clear()
    return _form(request, form)


def _form(
    request: Request,
    form: OpportunityForm,
    *,
    status: int = 200,
    refused: Refused | ValidationError | None = None,
) -> HttpResponse:
    if isinstance(refused, ValidationError):
        refuse(form, refused)
        status = 422
    elif refused is not None:
        for blocker in refused.blockers:
            form.add_error(None, forms.ValidationError(blocker.message, code=blocker.code))
        status = 409
    return sheet(request, "form", {"form": form, "card": form.card}, status=status)


def _token(text: str) -> uuid.UUID | None:
    """Read a form's token; what is none counts as a form without one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@require_POST
def duplicate(request: Request, pk: int) -> HttpResponse:
    """Make a fresh card like this one and show it (D38). Its button makes one, however often it is pressed."""
    card = pipeline.duplicate(
        opportunity_id=pk, token=_token(request.POST.get("token", "")), actor=person(request), now=request.now
    )
    messages.success(request, _("%(number)s was made as a copy.") % {"number": card.number})
    return _to(request, card)
