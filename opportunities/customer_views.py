"""The pages of customers and their contacts. Their cards are listed only as far as the reader may see them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models, transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from opportunities import access, customers, days, document_lists, overview, pipeline
from opportunities.errors import Stale
from opportunities.forms import ContactForm, CustomerForm, SeenForm, refuse
from opportunities.http import Request, came_from, person
from opportunities.models import Contact, Customer, Opportunity, OpportunityCustomer
from opportunities.money import format_money
from opportunities.opportunity_views import acted, sheet

PAGE = 50
CARDS_SHOWN = 100
SUGGESTED = 20


@require_GET
def customer_list(request: Request) -> HttpResponse:
    """List customers by name, searched by name, mail, phone and contact."""
    words = request.GET.get("q", "")[:200].replace("\x00", "")
    rows = customers.search(words).annotate(
        open_cards=_counted(
            OpportunityCustomer.objects.filter(opportunity__in=_open_cards(request)).values("customer"), "opportunity"
        ),
        active_contacts=_counted(Contact.objects.filter(active=True).values("customer"), "pk"),
    )
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "opportunities/customers.html", {"page": page, "words": words})


def _counted(rows: models.QuerySet[Any, Any], what: str) -> Coalesce:
    counted = rows.filter(customer=OuterRef("pk")).annotate(counted=Count(what, distinct=True)).values("counted")
    return Coalesce(Subquery(counted.order_by()), 0)


def _open_cards(request: Request) -> models.QuerySet[Opportunity]:
    return Opportunity.objects.visible_to(person(request)).open().not_archived().order_by()


@require_GET
def suggest(request: Request) -> HttpResponse:
    """Offer customers for what is being typed, in the form of a card or in quick add."""
    typed = request.GET.get("customer_name") or request.GET.get("customer", "")
    words = typed[:120].replace("\x00", "")
    found = customers.labels(customers.search(words)[:SUGGESTED]) if words.strip() else []
    return render(request, "opportunities/form.html#suggestions", {"suggestions": found})


@require_GET
def customer(request: Request, pk: int) -> HttpResponse:
    """Show a customer: facts, contacts, and the cards that the reader may see."""
    found = Customer.objects.get(pk=pk)
    contacts = Contact.objects.filter(customer=found).order_by("-active", "search_key", "pk")
    cards = _cards(request, parties__customer=found)
    rows = document_lists.of_customer(found, reader=person(request), business=request.business, today=request.today)
    context = {"customer": found, "contacts": contacts, "cards": cards, "documents": rows}
    return render(request, "opportunities/customer.html", context)


@require_GET
def contact(request: Request, pk: int) -> HttpResponse:
    """Show a contact: facts, and the cards that the reader may see."""
    found = Contact.objects.select_related("customer").get(pk=pk)
    return render(
        request, "opportunities/contact.html", {"contact": found, "cards": _cards(request, parties__contact=found)}
    )


def _cards(request: Request, **where: Any) -> list[dict[str, Any]]:
    """Put the visible cards of a customer or contact into words: the open ones first, then the newest."""
    rows = (
        Opportunity.objects.visible_to(person(request))
        .filter(**where)
        .select_related("stage", "status")
        .distinct()
        .order_by(models.F("decided_on").desc(nulls_first=True), "-pk")
        .fetch_mode(models.FETCH_RAISE)
    )
    return [
        {
            "card": card,
            "amount": format_money(card.amount, request.business.currency, short=True),
            "forecast": days.say(card.forecast_date, request.today) if card.forecast_date else None,
            "sales": overview.outcome_label(card),
        }
        for card in rows[:CARDS_SHOWN]
    ]


@require_http_methods(["GET", "POST"])
def customer_new(request: Request) -> HttpResponse:
    """Make a customer."""
    access.require(person(request), "create")
    form = CustomerForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = customers.create(**form.cleaned_data, actor=person(request), now=request.now)
        except ValidationError as error:
            refuse(form, error)
        else:
            messages.success(request, _("%(name)s was added.") % {"name": made.name})
            return HttpResponseRedirect(reverse("opportunities:customer", args=[made.pk]))
    return render(request, "opportunities/customer_form.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def customer_edit(request: Request, pk: int) -> HttpResponse:
    """Change a customer; the cards that show its name follow."""
    access.require(person(request), "edit")
    found = Customer.objects.get(pk=pk)
    form = CustomerForm(request.POST if request.method == "POST" else None, instance=found)
    if form.is_valid():
        try:
            saved = customers.edit(
                customer_id=pk, seen=form.seen(), actor=person(request), now=request.now, **form.changed()
            )
        except Stale as error:
            return _customer_form(request, form.onto(error.fresh), pk, status=409)
        except ValidationError as error:
            refuse(form, error)
        else:
            messages.success(request, _("%(name)s was saved.") % {"name": saved.name})
            return HttpResponseRedirect(reverse("opportunities:customer", args=[pk]))
    return _customer_form(request, form, pk, status=422 if form.is_bound else 200)


def _customer_form(request: Request, form: SeenForm, pk: int, *, status: int) -> HttpResponse:
    context = {"form": form, "customer": Customer.objects.get(pk=pk)}
    return render(request, "opportunities/customer_form.html", context, status=status)


@require_http_methods(["GET", "POST"])
def contact_new(request: Request, customer_id: int) -> HttpResponse:
    """Add a contact to a customer; with `?opportunity=1042`, to that card, too."""
    access.require(person(request), "create")
    context: dict[str, Any] = {"customer": Customer.objects.get(pk=customer_id)}
    card = _named_card(request)
    form = ContactForm(request.POST if request.method == "POST" else None, new=True)
    if form.is_valid():
        try:
            with transaction.atomic():
                made = _add_contact(request, customer_id, form, card)
        except ValidationError as error:
            refuse(form, error)
        else:
            said = _("%(name)s was added.") % {"name": made.name}
            if card is not None:
                return acted(request, card, said)
            messages.success(request, said)
            return HttpResponseRedirect(reverse("opportunities:customer", args=[customer_id]))
    context |= {"form": form, "card": card}
    return sheet(request, "contact_form", context, status=422 if form.is_bound else 200)


def _named_card(request: Request) -> Opportunity | None:
    wanted = request.GET.get("opportunity", "")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):
        return None
    return overview.one(int(wanted), person(request))


def _add_contact(request: Request, customer_id: int, form: ContactForm, card: Opportunity | None) -> Contact:
    made = customers.add_contact(customer_id=customer_id, **form.cleaned_data, actor=person(request), now=request.now)
    if card is not None:
        pipeline.put_contact_on(opportunity_id=card.pk, contact_id=made.pk, actor=person(request), now=request.now)
    return made


@require_http_methods(["GET", "POST"])
def contact_edit(request: Request, pk: int) -> HttpResponse:
    """Change a contact; the cards that show its name follow."""
    access.require(person(request), "edit")
    found = Contact.objects.select_related("customer").get(pk=pk)
    form = ContactForm(request.POST if request.method == "POST" else None, new=False, instance=found)
    if form.is_valid():
        try:
            saved = customers.edit_contact(
                contact_id=pk, seen=form.seen(), actor=person(request), now=request.now, **form.changed()
            )
        except Stale as error:
            return _contact_form(request, form.onto(error.fresh), pk, status=409)
        except ValidationError as error:
            refuse(form, error)
        else:
            messages.success(request, _("%(name)s was saved.") % {"name": saved.name})
            return HttpResponseRedirect(reverse("opportunities:contact", args=[pk]))
    return _contact_form(request, form, pk, status=422 if form.is_bound else 200)


def _contact_form(request: Request, form: SeenForm, pk: int, *, status: int) -> HttpResponse:
    shown = Contact.objects.select_related("customer").get(pk=pk)
    context = {"form": form, "contact": shown, "customer": shown.customer}
    return sheet(request, "contact_form", context, status=status)


@require_POST
def contact_active(request: Request, pk: int) -> HttpResponse:
    """Take a contact out of what is offered, or bring them back; the cards that name them stay as they are."""
    active = request.POST.get("active") == "1"
    saved = customers.edit_contact(contact_id=pk, active=active, actor=person(request), now=request.now)
    words = _("%(name)s is offered again.") if active else _("%(name)s is no longer offered.")
    messages.success(request, words % {"name": saved.name})
    return HttpResponseRedirect(came_from(request, reverse("opportunities:contact", args=[pk])))
