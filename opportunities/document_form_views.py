"""The pages that make and change quotes, jobs and agreements."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from opportunities import access, documents, foresight, offers, pipeline
from opportunities.attached import AnyDocument
from opportunities.document_forms import BLOCKERS, CREATE, FORMS, REVISE, DocumentForm
from opportunities.document_views import look
from opportunities.documents import Desk
from opportunities.errors import Refused, Stale
from opportunities.forms import refuse
from opportunities.http import LARGEST_ID, Request, person
from opportunities.models import Customer, Opportunity
from opportunities.money import format_money
from opportunities.once import once_made


@require_http_methods(["GET", "POST"])
def new(request: Request, ref: str, pk: int | None = None) -> HttpResponse:
    """Make a document: on a card, or for a customer and on no card. One form makes one, however often it is sent."""
    desk = _desk(request, pk)
    card = desk.card(pk)
    access.require(person(request), ref, card)
    closed = pipeline.closed_blocker(card) if card is not None else None
    if closed is not None:
        raise Refused(closed)
    data = request.POST if request.method == "POST" else None
    form = FORMS[ref](data, desk=desk, reader=person(request), card=card, customer=_named_customer(request))
    if data is None or form.step(data.get("do", ""), data):
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    return _save(request, form, lambda: CREATE[ref](**form.new_facts(), actor=person(request), now=request.now))


@require_http_methods(["GET", "POST"])
def edit(request: Request, ref: str, pk: int) -> HttpResponse:
    """Change a document. Where somebody was first, nothing is written and what was typed is shown again."""
    document, desk = look(request, ref, pk)
    access.require_document(person(request), ref, document)
    blockers = BLOCKERS[ref]("revise", document, desk)
    if blockers:
        raise Refused(blockers)
    data = request.POST if request.method == "POST" else None
    form = FORMS[ref](data, desk=desk, reader=person(request), card=document.opportunity, document=document)
    if data is None or form.step(data.get("do", ""), data):
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    named = {f"{ref}_id": pk, "version": form.cleaned_data["version"], "actor": person(request), "now": request.now}
    return _save(request, form, lambda: REVISE[ref](**named, **form.facts()))


def _desk(request: Request, card_id: int | None) -> Desk:
    """Look at a card and everything attached to it, without a lock. :raises DoesNotExist: there is none."""
    if card_id is not None and card_id > LARGEST_ID:
        raise Opportunity.DoesNotExist
    return documents.open_desk(card_ids=[card_id], actor=person(request), now=request.now, locked=False)


def _named_customer(request: Request) -> Customer | None:
    wanted = request.GET.get("customer", "")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):
        return None
    return Customer.objects.filter(pk=int(wanted)).first()


def _save(request: Request, form: DocumentForm, act: Any) -> HttpResponse:
    """Let the verb do it once for this form, and lead to the document."""
    kind = f"{form.REF}_created" if form.document is None else f"{form.REF}_revised"
    token = form.cleaned_data["token"] or uuid.uuid4()

    def with_forecast() -> AnyDocument:
        saved: AnyDocument = act()
        changes, day = form.forecast_choice()
        if form.is_completed and str(saved.state) == "completed":
            return saved  # nothing changed that opens it again, so there is nothing for the forecast to follow
        if changes and saved.opportunity_id is not None:
            pipeline.set_forecast_date(
                opportunity_id=saved.opportunity_id, forecast_date=day, actor=person(request), now=request.now
            )
        return saved

    try:
        with transaction.atomic():
            saved = once_made(token, kind, ref=form.REF, actor=person(request), make=with_forecast)
    except Stale:
        return _overtaken(request, form)
    except ValidationError as error:
        refuse(form, error)
        return _page(request, form, status=422)
    except Refused as refused:
        for blocker in refused.blockers:
            form.add_error(None, ValidationError(blocker.message, code=blocker.code))
        return _page(request, form, status=409)
    words = _("%(number)s was created.") if form.document is None else _("%(number)s was saved.")
    messages.success(request, words % {"number": saved.number})
    return HttpResponseRedirect(saved.get_absolute_url())


def _overtaken(request: Request, form: DocumentForm) -> HttpResponse:
    """Show what was typed on the document as it is now: saving again writes it over what somebody else saved."""
    if form.document is None:
        form.add_error(None, _("Something that you chose was deleted just now. Choose anew; nothing was saved yet."))
        return _page(request, form, status=409)
    fresh, desk = look(request, form.REF, form.document.pk)
    data: QueryDict = request.POST.copy()
    data["version"] = str(fresh.version)
    again = FORMS[form.REF](data, desk=desk, reader=person(request), card=fresh.opportunity, document=fresh)
    again.lines.forget_gone(line.pk for line in fresh.lines.all())
    again.is_valid()
    return _page(request, again, status=409, stale=_theirs(again, fresh))


def _theirs(form: DocumentForm, fresh: AnyDocument) -> list[tuple[str, str]]:
    """Say what the document is now, where the form says otherwise."""
    now = type(form)(desk=form.desk, reader=form.reader, card=form.card, document=fresh)
    rows = []
    for name in form.PLAIN:
        theirs, mine = str(now[name].value() or ""), str(form[name].value() or "").replace("\r\n", "\n")
        if theirs != mine:
            rows.append((str(form.fields[name].label), theirs[:200] or _("nothing")))
    rows.append((_("Total"), format_money(fresh.total, form.business.currency)))
    return rows


def _page(request: Request, form: DocumentForm, *, status: int = 200, **extra: Any) -> HttpResponse:
    """Render the form, or only what its lines come to, where the page asks for that while somebody types."""
    if request.htmx and request.POST.get("do") == "totals":
        form.work_out()
        return render(request, "documents/_lines_edit.html#answer", {"form": form, "editor": form.lines})
    if request.htmx and request.method == "GET":
        # The page is too wide for the dialog that its link would open it in.
        return HttpResponseClientRedirect(request.get_full_path())
    if form.lines.totals is None:
        form.work_out()
        if request.POST.get("do") != "totals" and status == 200:
            _forgive(form)
    card, document = form.card, form.document
    context = {
        "form": form,
        "editor": form.lines,
        "people": form.recipients,
        "card": card,
        "document": document,
        "ref": form.REF,
        "consequence": _consequence(form),
        "action": request.get_full_path(),
        "back": _back(form),
        **extra,
    }
    return render(request, "documents/form.html", context, status=status)


def _forgive(form: DocumentForm) -> None:
    """Say nothing yet of what is half typed, while somebody only adds or moves rows."""
    form.errors.clear() if form.is_bound else None
    for row in form.lines.rows:
        row.errors = {}
    form.lines.faults = []


def _back(form: DocumentForm) -> str:
    if form.document is not None:
        return form.document.get_absolute_url()
    return form.card.get_absolute_url() if form.card is not None else reverse(f"opportunities:{form.REF}s")


def _consequence(form: DocumentForm) -> str:
    """Say beforehand what saving makes of the card: the pure rules on changed facts, with the day that is typed."""
    card, document = form.card, form.document
    if card is None:
        return ""
    before = form.desk.facts_of(card.pk)
    typed = form.typed_day()
    if document is None:
        after = foresight.with_new(form.REF, before, service_date=typed.get("service_date"))
        then = (foresight.reopened if "reopen" in form.fields else foresight.foresee)(card, before, after)
    elif typed or form.is_completed or not form.DAY:
        then = foresight.foresee(card, before, foresight.after("revise", document, before, **typed))
    else:
        return offers.by_day("revise", document, card, desk=form.desk, name=form.DAY)
    sentence = offers.in_words(card, foresight.present(card, before), then)[1]
    return _("When you save: %(sentence)s") % {"sentence": sentence} if sentence else ""
