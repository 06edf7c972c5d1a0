"""Customers, contacts, opportunities and their history, to look things up; what changes goes through the verbs."""

from collections.abc import Callable
from typing import Any, override

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import access, closing, customers, history, lifecycle, pipeline
from opportunities.admin import acts
from opportunities.admin.base import AdminPage, ReadOnlyPage, call
from opportunities.admin.site import site
from opportunities.errors import NotAllowed, Refused, Stale
from opportunities.filter_words import rule_label
from opportunities.forms import SeenForm
from opportunities.http import Request
from opportunities.keys import comparison_key
from opportunities.models import (
    BulkAct,
    Contact,
    Customer,
    Event,
    JobSlot,
    Opportunity,
    OpportunityStage,
    OpportunityType,
)
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.money import format_money
from opportunities.outcome import SalesRule
from opportunities.timeline import KINDS
from opportunities.workflow import ClosedKind

EDITED = ("title", "description", "type", "salesperson", "amount", "probability", "forecast_date", "stage")
BY_KEY = ("type", "salesperson", "stage")
PLAIN_DATES: Any = {models.DateField: {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}}
"""The browser's own field for a date, instead of a script of the admin."""


class RecordPage(AdminPage):
    """A record that is made and put away in the product; here it is found and mended."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OpportunityForm(forms.ModelForm[Opportunity]):
    """The facts of a card that people write, and the version that they saw."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Opportunity
        fields = EDITED
        widgets = {"description": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        card = self.instance
        self.initial["seen_version"] = card.version
        name_of: Any = self.fields["salesperson"]
        name_of.label_from_instance = history.label
        self._offer("salesperson", access.may_take_cards(), card.salesperson_id)
        self._offer("stage", OpportunityStage.objects.active().in_order(), card.stage_id)
        self._offer("type", OpportunityType.objects.filter(active=True), card.type_id)

    def _offer(self, name: str, rows: QuerySet[Any], present: int | None) -> None:
        """Offer the active rows, and the present one whatever has become of it."""
        field: Any = self.fields[name]
        field.queryset = rows.model._default_manager.filter(Q(pk__in=rows.values("pk")) | Q(pk=present)).order_by(
            *rows.query.order_by
        )

    @override
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        stage = self.cleaned_data.get("stage")
        if "stage" in self.changed_data and stage is not None:
            for blocker in pipeline.entry_blockers(self._as_typed(), stage):
                self.add_error("stage", blocker.message)
        return cleaned

    def _as_typed(self) -> Opportunity:
        """The card with the facts that the form would give it, for the stage to judge."""
        card = Opportunity.objects.get(pk=self.instance.pk)
        for name in ("amount", "forecast_date"):
            setattr(card, name, self.cleaned_data.get(name))
        return card


@admin.register(Opportunity, site=site)
class OpportunityPage(RecordPage):
    """Every card, archived ones too. Statuses are read here; they change by what happens to the card."""

    form = OpportunityForm
    formfield_overrides = PLAIN_DATES
    ordering = ("-pk",)
    list_display = ("number", "title", "stage", "workflow_status", "status", "responsible", "money", "forecast_date")
    list_display_links = ("number", "title")
    list_select_related = ("stage", "status", "salesperson")
    list_filter = ("stage", "workflow_status", "status", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("search_key",)
    search_help_text = gettext_lazy("Number, title, customer or contact")
    actions = ("archive", "unarchive", "cancel", "void")
    sortable_by = ("number", "title", "forecast_date")
    readonly_fields = (
        "number",
        "people",
        "workflow_status",
        "sales_status",
        "status",
        "decided_on",
        "decided_by",
        "why",
        "archived_at",
        "rank",
        "created_at",
        "created_by",
    )
    fieldsets = (
        (None, {"fields": ("number", "title", "people", "type", "salesperson", "description")}),
        (gettext_lazy("What it is worth, and when"), {"fields": ("amount", "probability", "forecast_date")}),
        (gettext_lazy("Stage: where you put the deal"), {"fields": ("stage",)}),
        (
            gettext_lazy("Statuses: not written by hand here"),
            {
                "fields": (
                    "workflow_status",
                    "sales_status",
                    "status",
                    "decided_on",
                    "decided_by",
                    "why",
                )
            },
        ),
        (gettext_lazy("Behind the card"), {"fields": ("archived_at", "rank", "created_at", "created_by")}),
    )

    @override
    def view_on_site(self, card: Opportunity) -> str:
        """The card's own page."""
        return card.get_absolute_url()

    @admin.display(description=gettext_lazy("number"), ordering="pk")
    def number(self, card: Opportunity) -> str:
        """OPP-1042."""
        return card.number

    @admin.display(description=gettext_lazy("amount"))
    def money(self, card: Opportunity) -> str | None:
        """The amount in the business's currency."""
        return format_money(card.amount, self.currency, short=True) or None

    @admin.display(description=gettext_lazy("customers and contacts"))
    def people(self, card: Opportunity) -> str | None:
        """Who the deal is with; changed on the card's own page."""
        return ", ".join([*card.face.get("customers", ()), *card.face.get("contacts", ())]) or None

    @admin.display(description=gettext_lazy("salesperson"), ordering="salesperson__first_name")
    def responsible(self, card: Opportunity) -> str | None:
        """The name of the salesperson."""
        return history.label(card.salesperson) if card.salesperson else None

    @admin.display(description=gettext_lazy("decided by what"))
    def why(self, card: Opportunity) -> str:
        """The rule that decided, and the reason that was given."""
        return " · ".join(filter(None, (rule_label(SalesRule(card.sales_rule)), card.decided_reason_label)))

    @override
    def get_queryset(self, request: Any) -> QuerySet[Any]:
        self.currency = request.business.currency
        return super().get_queryset(request).defer("description")

    @override
    def get_search_results(self, request: Any, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, comparison_key(search_term))

    @override
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or obj.is_closed:
            return self.fieldsets
        return ((None, {"fields": ("seen_version", *self.fieldsets[0][1]["fields"])}), *self.fieldsets[1:])

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.is_closed)

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        changed = [name for name in form.changed_data if name in EDITED]
        fields = {f"{name}_id" if name in BY_KEY else name: form.cleaned_data[name] for name in changed}
        for name in BY_KEY:
            if name in changed:
                row = form.cleaned_data[name]
                fields[f"{name}_id"] = None if row is None else row.pk
        call(
            pipeline.edit,
            opportunity_id=obj.pk,
            version=form.cleaned_data.get("seen_version"),
            actor=request.user,
            now=request.now,
            **fields,
        )

    @admin.action(description=gettext_lazy("Archive"))
    def archive(self, request: Request, rows: QuerySet[Opportunity]) -> None:
        """Put the chosen cards away, one by one."""
        self._each(request, rows, lifecycle.archive, _("archived"))

    @admin.action(description=gettext_lazy("Take back from the archive"))
    def unarchive(self, request: Request, rows: QuerySet[Opportunity]) -> None:
        """Take the chosen cards back, one by one."""
        self._each(request, rows, lifecycle.unarchive, _("taken back"))

    @admin.action(description=gettext_lazy("Void, for a reason"))
    def void(self, request: Request, rows: QuerySet[Opportunity]) -> HttpResponse | None:
        """Void the chosen cards, one by one, once a reason is given."""
        return self._close(request, rows, ClosedKind.VOID)

    @admin.action(description=gettext_lazy("Cancel, for a reason"))
    def cancel(self, request: Request, rows: QuerySet[Opportunity]) -> HttpResponse | None:
        """Cancel the chosen cards, one by one, once a reason is given."""
        return self._close(request, rows, ClosedKind.CANCELED)

    def _close(self, request: Request, rows: QuerySet[Opportunity], kind: ClosedKind) -> HttpResponse | None:
        form = acts.asked_to_close(request, kind)
        if not form.is_valid():
            return acts.ask_to_close(self, request, rows, kind, form)
        given: dict[str, Any] = {**form.cleaned_data, "reason_id": form.cleaned_data["reason"].pk}
        del given["reason"]
        seen = closing.seen_of(list(rows.values_list("pk", flat=True)), request.POST.getlist("seen"))
        close = lifecycle.void if kind is ClosedKind.VOID else lifecycle.cancel

        def verb(*, opportunity_id: int, **by: Any) -> Opportunity:
            return close(opportunity_id=opportunity_id, seen=seen.get(str(opportunity_id)), **given, **by)

        done = _("voided") if kind is ClosedKind.VOID else _("canceled")
        self._each(request, rows, verb, done)
        return None

    def _each(self, request: Request, rows: QuerySet[Opportunity], verb: Callable[..., Any], done: str) -> None:
        """Do it to each card by itself; say how many it was done to, and why not to the others."""
        changed, refused = 0, []
        ids = list(rows.order_by("pk").values_list("pk", flat=True))
        for pk in ids:
            try:
                card = verb(opportunity_id=pk, actor=request.user, now=request.now)
                changed += card.last_event is not None
            except (Refused, NotAllowed, Stale, ValidationError, Opportunity.DoesNotExist) as error:
                refused.append(_("OPP-%(number)s: %(why)s") % {"number": pk, "why": error})
        words = ngettext("%(count)s opportunity %(done)s.", "%(count)s opportunities %(done)s.", changed)
        self.message_user(request, words % {"count": changed, "done": done}, messages.SUCCESS)
        unchanged = len(ids) - changed - len(refused)
        if unchanged:
            words = ngettext("%(count)s was so already.", "%(count)s were so already.", unchanged)
            self.message_user(request, words % {"count": unchanged}, messages.INFO)
        if refused:
            words = ngettext("%(count)s refused:", "%(count)s refused:", len(refused)) % {"count": len(refused)}
            self.message_user(request, f"{words} {' · '.join(refused[:10])}", messages.WARNING)


@admin.register(Customer, site=site)
class CustomerPage(RecordPage):
    """Every customer."""

    form = SeenForm
    ordering = ("name", "pk")
    list_display = ("name", "kind", "email", "phone")
    list_filter = ("kind",)
    search_fields = ("search_key",)
    fields = ("name", "kind", "email", "phone", "address", "notes", "created_at", "created_by")
    readonly_fields = ("created_at", "created_by")

    @override
    def get_search_results(self, request: Any, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, comparison_key(search_term))

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        call(
            customers.edit,
            customer_id=obj.pk,
            seen=form.seen(),
            actor=request.user,
            now=request.now,
            **form.changed(),
        )


@admin.register(Contact, site=site)
class ContactPage(RecordPage):
    """Every contact."""

    form = SeenForm
    ordering = ("name", "pk")
    list_display = ("name", "customer", "role", "email", "phone", "active")
    list_select_related = ("customer",)
    list_filter = ("active",)
    search_fields = ("search_key", "customer__search_key")
    fields = ("customer", "name", "role", "email", "phone", "active")
    readonly_fields = ("customer",)

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        call(
            customers.edit_contact,
            contact_id=obj.pk,
            seen=form.seen(),
            actor=request.user,
            now=request.now,
            **form.changed(),
        )


class KindFilter(admin.SimpleListFilter):
    """What happened, by the names that the table shows."""

    title = gettext_lazy("what happened")
    parameter_name = "kind"

    @override
    def lookups(self, request: Any, model_admin: Any) -> Any:
        return tuple(KINDS.items())

    @override
    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in KINDS else queryset


class VerbFilter(admin.SimpleListFilter):
    """What was done to many cards."""

    title = gettext_lazy("what is done")
    parameter_name = "verb"

    @override
    def lookups(self, request: Any, model_admin: Any) -> Any:
        return tuple(BULK_NAMES.items())

    @override
    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(verb=self.value()) if self.value() in BULK_NAMES else queryset


BULK_NAMES: dict[str, Any] = {
    "stage": gettext_lazy("Stage"),
    "salesperson": gettext_lazy("Salesperson"),
    "forecast_date": gettext_lazy("Forecast date"),
    "postpone": gettext_lazy("Forecast date moved on"),
    "status": gettext_lazy("Status"),
    "archive": gettext_lazy("Archive"),
    "unarchive": gettext_lazy("Take back from the archive"),
    "void": gettext_lazy("Void"),
    "cancel": gettext_lazy("Cancel"),
    "lost_rule": gettext_lazy("Setting changed: when a card is lost"),
    "stages_from_statuses": gettext_lazy("Stages made of statuses"),
    "undo": gettext_lazy("Undo"),
}
"""What acts on many cards are called."""


@admin.register(Event, site=site)
class EventPage(ReadOnlyPage):
    """The history of all cards, newest first. Nothing here can be changed by anyone."""

    ordering = ("-pk",)
    list_display = ("at", "card", "what", "by", "via", "workflow", "sales")
    list_display_links = ("at", "what")
    list_filter = (KindFilter, "via")
    fields = ("at", "card", "what", "by", "via", "workflow", "sales", "decided_by", "changes", "act")
    readonly_fields = ("card", "what", "workflow", "sales", "decided_by")
    search_fields = ("=opportunity__id", "by")
    search_help_text = gettext_lazy("Number of a card, or who did it")
    sortable_by = ()
    list_select_related = ("opportunity", "quote", "job", "agreement")

    @admin.display(description=gettext_lazy("about"))
    def card(self, event: Event) -> SafeString:
        """The card, or the document that is on none, leading to its own page."""
        about = event.opportunity or event.quote or event.job or event.agreement
        assert about is not None  # noqa: S101 - a constraint sees to it
        return format_html('<a href="{}">{}</a>', about.get_absolute_url(), about)

    @admin.display(description=gettext_lazy("what happened"))
    def what(self, event: Event) -> str:
        """The kind of the event, in words."""
        return str(KINDS.get(event.kind, event.kind))

    @admin.display(description=gettext_lazy("workflow status"))
    def workflow(self, event: Event) -> str:
        """The workflow status after it."""
        return str(dict(WORKFLOW_CHOICES).get(event.workflow_to, ""))

    @admin.display(description=gettext_lazy("sales status"))
    def sales(self, event: Event) -> str:
        """The sales status after it."""
        return str(dict(SALES_CHOICES).get(event.sales_to, ""))

    @admin.display(description=gettext_lazy("decided by what"))
    def decided_by(self, event: Event) -> str:
        """The rule that decided the sales status."""
        return rule_label(SalesRule(event.rule)) if event.rule else ""

    @override
    def get_search_results(self, request: Any, queryset: QuerySet[Any], search_term: str) -> Any:
        number = search_term.strip().upper().removeprefix("OPP-")
        return super().get_search_results(request, queryset, number if number.isdecimal() else search_term)


@admin.register(BulkAct, site=site)
class BulkActPage(ReadOnlyPage):
    """Acts on many cards: how far each has come."""

    ordering = ("-created_at",)
    list_display = ("created_at", "what", "actor", "state", "position", "changed", "finished_at")
    list_select_related = ("actor",)
    list_filter = ("state", VerbFilter)
    search_fields = ("actor__first_name", "actor__last_name", "actor__username")
    search_help_text = gettext_lazy("Who did it")
    exclude = ("card_ids", "verb")
    readonly_fields = ("what",)

    @admin.display(description=gettext_lazy("what is done"))
    def what(self, act: BulkAct) -> str:
        """The act, in words."""
        return str(BULK_NAMES.get(act.verb, act.verb))


@admin.register(JobSlot, site=site)
class JobPage(ReadOnlyPage):
    """The background jobs: when each ran last, what it did, and what went wrong."""

    ordering = ("name",)
    list_display = ("name", "last_started_at", "last_finished_at", "next_run_at", "last_error")
    search_fields = ("name",)


for place, model, words in (
    (1, Opportunity, gettext_lazy("Every card, archived ones too. Statuses can only be read here.")),
    (5, Customer, gettext_lazy("Whom you sell to.")),
    (6, Contact, gettext_lazy("Whom you write to there.")),
    (7, Event, gettext_lazy("What happened to every card, when and by whom.")),
    (8, BulkAct, gettext_lazy("Changes of many cards at once, and how far they have come.")),
    (9, JobSlot, gettext_lazy("What runs by itself: last run, next run, errors.")),
):
    site.describe(place, "records", model, words)
