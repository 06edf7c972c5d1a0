"""Attaching documents to cards and detaching them: what there is to choose, what comes of it, then the act."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from opportunities import access, attach_choices, attachments, documents, overview, pipeline
from opportunities.attach_forms import AttachForm, DetachForm
from opportunities.attached import AnyDocument
from opportunities.document_views import acted_on, look
from opportunities.documents import Desk
from opportunities.errors import Refused
from opportunities.forms import refuse
from opportunities.http import LARGEST_ID, Request, person
from opportunities.models import Opportunity
from opportunities.opportunity_views import acted


@require_http_methods(["GET", "POST"])
def attach(request: Request, pk: int) -> HttpResponse:
    """Find a document for a card, say what attaching it makes of the card, then attach it (D9)."""
    if pk > LARGEST_ID:
        raise Opportunity.DoesNotExist
    card = overview.one(pk, person(request))
    access.require(person(request), "attach", card)
    wanted = (request.POST if request.method == "POST" else request.GET).get("document", "")
    found = _find(request, card, wanted)
    if found is None:
        return _search(request, card, wanted)
    document, desk = found
    onto = desk.card(pk)
    assert onto is not None  # noqa: S101 - the desk was opened for it
    data = request.POST if request.method == "POST" else None
    form = AttachForm(data, onto=onto, document=document, desk=desk, reader=person(request))
    if not form.is_bound:
        return _confirm(request, form)
    return _attach(request, form) if form.is_valid() else _confirm(request, form, status=422)


def _find(request: Request, card: Opportunity, wanted: str) -> tuple[AnyDocument, Desk] | None:
    """Look at the document of this number and the card; None where it may not be seen, or is none."""
    named = attach_choices.number_in(wanted)
    if named is None or named[1] > LARGEST_ID:
        return None
    model, pk = named
    if not model.objects.visible_to(person(request)).filter(pk=pk).exists():
        return None
    which: dict[str, Any] = {f"{model.REF}_id": pk}
    desk = documents.open_desk(card_ids=[card.pk], **which, actor=person(request), now=request.now, locked=False)
    return desk.find(model, pk), desk


def _search(request: Request, card: Opportunity, wanted: str) -> HttpResponse:
    text = request.GET.get("q", "").strip() or wanted
    reader, blocked = person(request), attach_choices.blocked(card)
    found = (
        []
        if blocked
        else attach_choices.documents_for(card, text, reader=reader, business=request.business, today=request.today)
    )
    context = {"card": card, "text": text, "candidates": found, "blocked": blocked}
    status = 422 if request.method == "POST" else 200
    return render(request, f"documents/attach.html{'#sheet' if request.htmx else ''}", context, status=status)


def _confirm(request: Request, form: AttachForm, *, status: int = 200) -> HttpResponse:
    blockers = [each for each in attachments.attach_blockers(form.document, form.onto, person(request)) if each]
    context = {
        "card": form.onto,
        "document": form.document,
        "form": form,
        "seen": form.seen,
        "blockers": blockers,
        "adds_customer": [each.code for each in blockers] == ["WRONG_CUSTOMER"],
    }
    return render(request, f"documents/attach_confirm.html{'#sheet' if request.htmx else ''}", context, status=status)


def _attach(request: Request, form: AttachForm) -> HttpResponse:
    document = form.document
    which: dict[str, Any] = {f"{document.REF}_id": document.pk}
    try:
        with transaction.atomic():
            card = attachments.attach(
                opportunity_id=form.onto.pk,
                **which,
                reopen=form.cleaned_data.get("reopen", False),
                add_customer="add_customer" in request.POST,
                actor=person(request),
                now=request.now,
            )
            _follow_forecast(request, form)
    except ValidationError as error:
        refuse(form, error)
        return _confirm(request, form, status=422)
    except Refused:
        return _confirm(request, form, status=409)
    said = {"number": document.number, "card": card.number}
    return acted(request, card, _("%(number)s was attached to %(card)s.") % said)


def _follow_forecast(request: Request, form: AttachForm | None) -> None:
    """Give the card the forecast date that was chosen along with the document, in its transaction (D13)."""
    if form is None or not form.is_bound:
        return
    changes, day = form.forecast()
    if changes:
        pipeline.set_forecast_date(
            opportunity_id=form.onto.pk, forecast_date=day, actor=person(request), now=request.now
        )


@require_GET
def attach_to(request: Request, ref: str, pk: int) -> HttpResponse:
    """Find the card that a loose document belongs to; the card's own page of attaching goes on from there."""
    document, desk = look(request, ref, pk)
    access.require_document(person(request), "attach", document)
    text = request.GET.get("q", "").strip()
    loose = document.opportunity_id is None
    choices = attach_choices.cards_for(document, desk, text, reader=person(request)) if loose else []
    context = {"document": document, "card": document.opportunity, "text": text, "choices": choices}
    return render(request, f"documents/attach_to.html{'#sheet' if request.htmx else ''}", context)


@require_http_methods(["GET", "POST"])
def detach(request: Request, ref: str, pk: int) -> HttpResponse:
    """Take a document off its card, or move it to the card that it belongs to (D6)."""
    document, desk = look(request, ref, pk)
    reader = person(request)
    access.require_document(reader, "detach", document)
    text = (request.POST if request.method == "POST" else request.GET).get("q", "").strip()
    on_card = document.opportunity is not None and not attach_choices.blocked(document.opportunity)
    choices = attach_choices.cards_for(document, desk, text, reader=reader) if on_card else []
    bound = on_card and any(attachments.binds(each) for each in attachments.family(document, desk))
    form = DetachForm(
        request.POST if request.method == "POST" else None,
        choices=choices,
        leaves=not bound or access.may(reader, "leave_on_no_card"),
        asks_reason=bound and access.may(reader, "leave_on_no_card"),
    )
    context = {"document": document, "card": document.opportunity, "form": form, "choices": choices, "text": text}
    if not form.is_bound:
        return _detach_sheet(request, context, desk)
    if not form.is_valid():
        return _detach_sheet(request, context, desk, status=422)
    to = form.cleaned_data.get("to")
    onto = None if to is None else _arrival(request, document, to)
    if onto is not None and onto.fields and not ("confirmed" in request.POST and onto.is_valid()):
        return _move_sheet(request, context, onto, desk)
    return _detach(request, context, desk, onto)


def _arrival(request: Request, document: AnyDocument, to: int) -> AttachForm:
    """Ask of the card that a document moves to what attaching there asks: reopen it, its date (D13, D41)."""
    which: dict[str, Any] = {f"{document.REF}_id": document.pk}
    desk = documents.open_desk(card_ids=[to], **which, actor=person(request), now=request.now, locked=False)
    onto = desk.card(to)
    assert onto is not None  # noqa: S101 - the desk was opened for it
    data = request.POST if "confirmed" in request.POST else None
    found = desk.find(type(document), document.pk)
    return AttachForm(data, onto=onto, document=found, desk=desk, reader=person(request))


def _move_sheet(request: Request, context: dict[str, Any], onto: AttachForm, desk: Desk) -> HttpResponse:
    """Say what moving makes of both cards, and ask what the other one needs, before it is done."""
    left = attach_choices.leaving(context["document"], desk)[1]
    context |= {"onto": onto, "target": onto.onto, "seen": onto.seen, "left": left}
    return render(request, f"documents/detach_confirm.html{'#sheet' if request.htmx else ''}", context, status=422)


def _detach(request: Request, context: dict[str, Any], desk: Desk, onto: AttachForm | None) -> HttpResponse:
    document, form = context["document"], context["form"]
    to = None if onto is None else onto.onto.pk
    which: dict[str, Any] = {f"{document.REF}_id": document.pk}
    asked = onto.cleaned_data if onto is not None and onto.is_valid() else {}
    try:
        with transaction.atomic():
            done = attachments.detach(
                **which,
                to_opportunity_id=to,
                reason=form.cleaned_data.get("reason", ""),
                reopen=asked.get("reopen", False),
                add_customer=to is not None,
                actor=person(request),
                now=request.now,
            )
            _follow_forecast(request, onto)
    except ValidationError as error:
        refuse(form, error)
        return _detach_sheet(request, context, desk, status=422)
    except Refused as refused:
        for blocker in refused.blockers:
            form.add_error(None, blocker.message)
        return _detach_sheet(request, context, desk, status=409)
    said = {"number": done.number, "card": context["card"].number, "to": done.opportunity.number if to else ""}
    words = _("%(number)s was moved from %(card)s to %(to)s.") if to else _("%(number)s was detached from %(card)s.")
    if not access.may_see_document(person(request), done):
        return acted(request, context["card"], words % said)
    return acted_on(request, done, words % said, before=document)


def _detach_sheet(request: Request, context: dict[str, Any], desk: Desk, *, status: int = 200) -> HttpResponse:
    document, form = context["document"], context["form"]
    blockers = attachments.detach_blockers(document, desk, target=None, reason="x", actor=None)
    context["refusals"] = [each for each in blockers if each is not None and each.code != "NEEDS_CARD"]
    if document.opportunity is not None:
        context["label"], context["consequence"], context["along"] = attach_choices.leaving(document, desk)
    context["may_leave"] = not form.must_name_card
    return render(request, f"documents/detach.html{'#sheet' if request.htmx else ''}", context, status=status)
