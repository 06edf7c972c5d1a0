"""The pages of quotes, jobs and agreements, and the sheets of the acts on them."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from opportunities import access, document_overview, documents, mail_rows, offers, pipeline, recipients, timeline
from opportunities.attach_forms import DuplicateForm
from opportunities.attached import AnyDocument
from opportunities.document_act_forms import ActForm
from opportunities.document_acts import ACTS
from opportunities.documents import Desk
from opportunities.errors import Refused
from opportunities.forms import refuse
from opportunities.http import LARGEST_ID, Request, came_from, person
from opportunities.models import Agreement, Job, Quote
from opportunities.opportunity_views import acted, on_board

MODELS: dict[str, Any] = {"quote": Quote, "job": Job, "agreement": Agreement}


def look(request: Request, ref: str, pk: int) -> tuple[AnyDocument, Desk]:
    """Read a document with its card and everything attached there, without a lock.

    :raises DoesNotExist: no such document, or not visible to the reader.
    """
    reader = person(request)
    if pk > LARGEST_ID:
        raise MODELS[ref].DoesNotExist
    named: dict[str, Any] = {f"{ref}_id": pk}
    desk = documents.open_desk(**named, actor=reader, now=request.now, locked=False)
    document: AnyDocument = desk.find(MODELS[ref], pk)
    if not access.may_see_document(reader, document):
        raise MODELS[ref].DoesNotExist
    return document, desk


@require_GET
def detail(request: Request, ref: str, pk: int) -> HttpResponse:
    """Show a document with what may be done with it."""
    document, desk = look(request, ref, pk)
    reader = person(request)
    document_overview.prepare(document)
    offered = offers.of(document, desk=desk, reader=reader)
    context = {
        "document": document,
        "card": document.opportunity,
        "offers": offered,
        "view": document_overview.of(document, desk=desk, offered=offered, reader=reader),
        "recipients": recipients.of(document, desk=desk, reader=reader),
        "links_say": recipients.links_in_words(document, desk=desk),
        "standing": recipients.standing_of(document, today=desk.today),
        "mails": mail_rows.of_document(document, reader, request.business, request.today),
        "timeline": timeline.of_document(document, reader=reader, business=request.business, now=request.now),
    }
    return render(request, f"documents/{ref}.html", context)


@require_http_methods(["GET", "POST"])
def act(request: Request, ref: str, pk: int, verb: str) -> HttpResponse:
    """Ask what an act needs and say what it would make of the card; then do it."""
    if (ref, verb) not in ACTS:
        raise Http404
    document, desk = look(request, ref, pk)
    spec = ACTS[ref, verb]
    data = request.POST if request.method == "POST" else None
    form = spec.form(data, document=document, desk=desk, reader=person(request))
    if not form.is_bound or ("preview" in request.POST and (form.is_valid() or says_only(request))):
        return act_sheet(request, document, desk, verb, form)
    if not form.is_valid():
        return act_sheet(request, document, desk, verb, form, status=422)
    try:
        with transaction.atomic():
            given = {**form.cleaned_data, "detach": "detach" in request.POST}
            done = spec.run(document, given, person(request), request.now)
            follow_forecast(request, done, form)
    except ValidationError as error:
        refuse(form, error)
        return act_sheet(request, document, desk, verb, form, status=422)
    except Refused as refused:
        for blocker in refused.blockers:
            form.add_error(None, blocker.message)
        return act_sheet(request, *look(request, ref, pk), verb, form, status=409)
    sentence = str(spec.said) % {"number": done.number}
    if form.cleaned_data.get("how") in {"link", "mail"}:
        return at_links(request, done, sentence)
    return acted_on(request, done, sentence, before=document)


def says_only(request: Request) -> bool:
    """Tell whether an open sheet only asks what it would make of the card now, while it is being filled in."""
    return bool(request.htmx) and request.htmx.target == "div#act-says"


def at_links(request: Request, document: AnyDocument, sentence: str) -> HttpResponse:
    """Lead on to where the private links can be copied at once, and where one sees whether the mails have left."""
    messages.success(request, sentence)
    to = reverse(f"opportunities:{document.REF}-links", args=[document.pk])
    return HttpResponseClientRedirect(to) if request.htmx else HttpResponseRedirect(to)


def act_sheet(
    request: Request, document: AnyDocument, desk: Desk, verb: str, form: ActForm, *, status: int = 200
) -> HttpResponse:
    """Render the sheet of an act: what it makes of the card, what it asks, or why it cannot be done."""
    given = {**form.foretold_by(), "forecast": form.foretold_forecast()}
    offer = offers.one(verb, document, desk=desk, reader=person(request), **given)
    if isinstance(form, DuplicateForm) and form.is_asked_where:
        offer = replace(offer, label=offer.name)  # the consequence is that of one of several cards
    context = {"document": document, "card": document.opportunity, "offer": form.worded(offer), "form": form}
    context["reasons"] = tuple(document_overview.why(offer.refusals, document))
    fragment = "#heard" if says_only(request) else "#sheet" if request.htmx else ""
    return render(request, f"documents/act.html{fragment}", context, status=status)


def follow_forecast(request: Request, document: AnyDocument, form: ActForm) -> None:
    """Give the card the forecast date that was chosen along with the act, in its transaction."""
    changes, day = form.forecast()
    if changes and document.opportunity_id is not None:
        pipeline.set_forecast_date(
            opportunity_id=document.opportunity_id, forecast_date=day, actor=person(request), now=request.now
        )


def acted_on(request: Request, document: AnyDocument, sentence: str, *, before: AnyDocument) -> HttpResponse:
    """Answer an act on a document: a word to the board that shows its card, or the page of what came of it."""
    card = document.opportunity or before.opportunity
    if request.htmx and on_board(request) and card is not None:
        return acted(request, card, sentence, left=before.opportunity)
    messages.success(request, sentence)
    to = document.get_absolute_url() if document != before else came_from(request, document.get_absolute_url())
    if to.partition("?")[0].endswith(request.path):
        to = document.get_absolute_url()
    if not access.may_see_document(person(request), document):
        to = card.get_absolute_url() if card is not None else "/"
    return HttpResponseClientRedirect(to) if request.htmx else HttpResponseRedirect(to)
