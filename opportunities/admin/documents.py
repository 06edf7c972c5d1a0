"""Quotes, jobs and agreements to look things up in. States are read here; they change by the verbs, as actions."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar, override

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import agreements, history, jobs, quotes
from opportunities.admin.acts import for_a_reason, on_each
from opportunities.admin.base import ReadOnlyPage
from opportunities.admin.site import site
from opportunities.documents import plain
from opportunities.http import Request
from opportunities.keys import comparison_key
from opportunities.models import (
    Agreement,
    AgreementLine,
    Job,
    JobLine,
    Payment,
    Quote,
    QuoteLine,
    QuoteRecipient,
    Recipient,
    Refund,
)
from opportunities.money import format_money

NOTHING = "-"
"""What stands where there is nothing, as in every table of the admin."""

ENDED: Any = (
    gettext_lazy("How it ended"),
    {"fields": ("reason_shown", "closed_by_shown", "closed_at")},
)
BEHIND: Any = (
    gettext_lazy("Behind the document"),
    {"fields": ("attached_on", "created_at", "created_by_shown", "version")},
)
MONEY: Any = (gettext_lazy("Money"), {"fields": ("discount_shown", "net_shown", "tax_shown", "total_shown")})


class OnCardFilter(admin.SimpleListFilter):
    """Documents that belong to no card get lost easily (D6)."""

    title = gettext_lazy("card")
    parameter_name = "card"

    @override
    def lookups(self, request: Any, model_admin: Any) -> Any:
        return (("none", _("on no card")), ("some", _("on a card")))

    @override
    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {"none", "some"}:
            return queryset.filter(opportunity__isnull=self.value() == "none")
        return queryset


class Shown(admin.TabularInline[Any, Any]):
    """Rows of a document, only to be read."""

    extra = 0
    can_delete = False
    show_change_link = False

    @override
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return site.has_permission(request)

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def get_queryset(self, request: Any) -> QuerySet[Any]:
        self.currency = request.business.currency
        return super().get_queryset(request)


class LinesShown(Shown):
    """What a document offers, line by line."""

    verbose_name_plural = gettext_lazy("lines")
    fields: ClassVar[Any] = ("description", "kind", "quantity_shown", "price_shown", "tax_shown", "net_shown")
    readonly_fields: ClassVar[Any] = ("quantity_shown", "price_shown", "tax_shown", "net_shown")

    @admin.display(description=gettext_lazy("quantity"))
    def quantity_shown(self, line: Any) -> str:
        """How much of it."""
        return plain(line.quantity)

    @admin.display(description=gettext_lazy("unit price"))
    def price_shown(self, line: Any) -> str:
        """What one costs."""
        return format_money(line.unit_price, self.currency)

    @admin.display(description=gettext_lazy("tax"))
    def tax_shown(self, line: Any) -> str:
        """The percentage that the line was made with."""
        return f"{plain(line.tax_percent)} %" if line.tax_percent else NOTHING

    @admin.display(description=gettext_lazy("net"))
    def net_shown(self, line: Any) -> str:
        """What the line comes to, less the discount."""
        return format_money(line.net, self.currency)


class QuoteLines(LinesShown):
    """The lines of a quote."""

    model = QuoteLine


class JobLines(LinesShown):
    """The lines of a job, and how much of each is done."""

    model = JobLine
    fields: ClassVar[Any] = (*LinesShown.fields, "fulfilled_shown")
    readonly_fields: ClassVar[Any] = (*LinesShown.readonly_fields, "fulfilled_shown")

    @admin.display(description=gettext_lazy("fulfilled"))
    def fulfilled_shown(self, line: Any) -> str:
        """How much of it is done or delivered."""
        return plain(line.fulfilled_quantity)


class AgreementLines(LinesShown):
    """The lines of an agreement."""

    model = AgreementLine


class QuoteRecipients(Shown):
    """Who receives a quote."""

    model = QuoteRecipient
    verbose_name_plural = gettext_lazy("recipients")
    fields: ClassVar[Any] = ("name", "email", "viewed_at")
    readonly_fields: ClassVar[Any] = ("viewed_at",)


class Recipients(Shown):
    """Who receives an agreement, and what they answered."""

    model = Recipient
    verbose_name_plural = gettext_lazy("recipients")
    fields: ClassVar[Any] = ("name", "email", "role", "state", "sent_at", "viewed_at", "answered_at", "answered_as")
    readonly_fields = fields


class Payments(Shown):
    """Money taken for a job, with what of it was given back."""

    model = Payment
    verbose_name_plural = gettext_lazy("payments and refunds")
    fields: ClassVar[Any] = ("taken_at", "amount_shown", "state", "note", "refunds_shown")
    readonly_fields = fields

    @override
    def get_queryset(self, request: Any) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related(Prefetch("refunds", Refund.objects.order_by("pk")))

    @admin.display(description=gettext_lazy("amount"))
    def amount_shown(self, payment: Payment) -> str:
        """What was taken."""
        return format_money(payment.amount, self.currency)

    @admin.display(description=gettext_lazy("refunds"))
    def refunds_shown(self, payment: Payment) -> str:
        """What went back, each with its state."""
        said = (f"{format_money(each.amount, self.currency)} ({each.get_state_display()})" for each in _back(payment))
        return " · ".join(said) or NOTHING


def _back(payment: Payment) -> Iterable[Refund]:
    return payment.refunds.all()


class DocumentPage(ReadOnlyPage):
    """A kind of document: found here, worked with on its own page."""

    ordering = ("-pk",)
    list_display: Any = ("number", "title", "customer", "card", "shows", "total_shown")
    list_display_links: Any = ("number", "title")
    list_select_related: ClassVar[Any] = ("customer", "opportunity", "closed_by", "created_by")
    list_filter: ClassVar[Any] = ("state", OnCardFilter)
    search_fields: ClassVar[Any] = ("search_key",)
    search_help_text = gettext_lazy("Number, title or customer")
    sortable_by: ClassVar[Any] = ("number", "title")
    readonly_fields: ClassVar[Any] = (
        "number",
        "card",
        "shows",
        "discount_shown",
        "net_shown",
        "tax_shown",
        "total_shown",
        "reason_shown",
        "closed_by_shown",
        "created_by_shown",
    )

    @override
    def view_on_site(self, document: Any) -> str:
        """The document's own page."""
        return str(document.get_absolute_url())

    @override
    def get_queryset(self, request: Any) -> QuerySet[Any]:
        self.currency, self.today = request.business.currency, request.today
        return super().get_queryset(request).select_related(*self.list_select_related)

    @override
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.is_dead:
            return self.fieldsets
        return tuple(each for each in self.fieldsets or () if each is not ENDED)

    @override
    def get_search_results(self, request: Any, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, comparison_key(search_term))

    @admin.display(description=gettext_lazy("number"), ordering="pk")
    def number(self, document: Any) -> str:
        """Q-1012."""
        return str(document.number)

    @admin.display(description=gettext_lazy("opportunity"))
    def card(self, document: Any) -> str | SafeString:
        """The card that it is on, leading to it."""
        card = document.opportunity
        if card is None:
            return _("on no card")
        return format_html('<a href="{}" title="{}">{}</a>', card.get_absolute_url(), card.title, card.number)

    @admin.display(description=gettext_lazy("status"))
    def shows(self, document: Any) -> str:
        """What it is, as people say it: its state, or that it expired, or was put away."""
        word = self.state_in_words(document)
        if document.is_expired_on(self.today) and word != _("Expired"):
            word = _("Expired (%(state)s)") % {"state": word}
        return _("%(state)s, archived") % {"state": word} if document.is_archived else word

    def state_in_words(self, document: Any) -> str:
        """The state by its name."""
        return str(document.get_state_display())

    def _money(self, amount: Decimal) -> str:
        return format_money(amount, self.currency)

    @admin.display(description=gettext_lazy("discount"))
    def discount_shown(self, document: Any) -> str:
        """The discount on all lines."""
        return f"{plain(document.discount_percent)} %" if document.discount_percent else NOTHING

    @admin.display(description=gettext_lazy("net"))
    def net_shown(self, document: Any) -> str:
        """The sum before tax."""
        return self._money(document.net)

    @admin.display(description=gettext_lazy("tax"))
    def tax_shown(self, document: Any) -> str:
        """The tax on it."""
        return self._money(document.tax)

    @admin.display(description=gettext_lazy("total"))
    def total_shown(self, document: Any) -> str:
        """The sum with tax."""
        return self._money(document.total)

    @admin.display(description=gettext_lazy("ended by"))
    def closed_by_shown(self, document: Any) -> str:
        """Who voided or canceled it."""
        return history.label(document.closed_by) if document.closed_by else NOTHING

    @admin.display(description=gettext_lazy("reason"))
    def reason_shown(self, document: Any) -> str:
        """Why it was voided or canceled, and whether its card was."""
        if document.closed_with_card:
            return _("%(reason)s (together with the card)") % {"reason": document.close_reason_label}
        return str(document.close_reason_label)

    @admin.display(description=gettext_lazy("made by"))
    def created_by_shown(self, document: Any) -> str:
        """Who made it."""
        return history.label(document.created_by) if document.created_by else NOTHING


@admin.register(Quote, site=site)
class QuotePage(DocumentPage):
    """Every quote."""

    list_filter: ClassVar[Any] = ("state", ("archived_at", admin.EmptyFieldListFilter), OnCardFilter)
    actions = ("submit", "accept", "decline", "convert", "archive", "unarchive", "cancel", "void")
    inlines = (QuoteLines, QuoteRecipients)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("number", "title", "customer", "card", "shows", "valid_until", "service_date", "terms")}),
        MONEY,
        (
            gettext_lazy("What happened to it"),
            {"fields": ("submit_count", "submitted_at", "answered_at", "answered_by", "decline_note", "archived_at")},
        ),
        ENDED,
        BEHIND,
    )

    @admin.action(description=gettext_lazy("Submit, as handed over"))
    def submit(self, request: Request, rows: QuerySet[Quote]) -> None:
        """Note that each chosen quote reached its customer."""
        on_each(self, request, rows, quotes.submit, _("submitted"), how="by_hand")

    @admin.action(description=gettext_lazy("Accepted by the customer"))
    def accept(self, request: Request, rows: QuerySet[Quote]) -> None:
        """Note that the customers accept the chosen quotes."""
        on_each(self, request, rows, quotes.accept, _("accepted"))

    @admin.action(description=gettext_lazy("Declined by the customer"))
    def decline(self, request: Request, rows: QuerySet[Quote]) -> None:
        """Note that the customers decline the chosen quotes; where no other offer is left, that loses their deals."""
        on_each(self, request, rows, quotes.decline, _("declined"))

    @admin.action(description=gettext_lazy("Convert to jobs; forecast dates stay"))
    def convert(self, request: Request, rows: QuerySet[Quote]) -> None:
        """Make a job of each chosen quote; that wins their deals."""
        on_each(self, request, rows, quotes.convert, _("converted"))

    @admin.action(description=gettext_lazy("Archive"))
    def archive(self, request: Request, rows: QuerySet[Quote]) -> None:
        """Put the chosen quotes away."""
        on_each(self, request, rows, quotes.archive, _("archived"))

    @admin.action(description=gettext_lazy("Take back from the archive"))
    def unarchive(self, request: Request, rows: QuerySet[Quote]) -> None:
        """Take the chosen quotes back."""
        on_each(self, request, rows, quotes.unarchive, _("taken back"))

    @admin.action(description=gettext_lazy("Cancel, with a reason…"))
    def cancel(self, request: Request, rows: QuerySet[Quote]) -> HttpResponse | None:
        """Cancel the chosen quotes: the customer does not want them."""
        return for_a_reason(self, request, rows, verb_name="cancel", verb=quotes.cancel)

    @admin.action(description=gettext_lazy("Void, with a reason…"))
    def void(self, request: Request, rows: QuerySet[Quote]) -> HttpResponse | None:
        """Void the chosen quotes: they were a mistake."""
        return for_a_reason(self, request, rows, verb_name="void", verb=quotes.void)


@admin.register(Job, site=site)
class JobPage(DocumentPage):
    """Every job."""

    list_display: Any = ("number", "title", "customer", "card", "shows", "held_shown")
    list_select_related: ClassVar[Any] = ("customer", "opportunity", "closed_by", "created_by", "quote")
    actions = ("confirm", "complete", "reopen", "cancel", "void")
    inlines = (JobLines, Payments)
    readonly_fields: ClassVar[Any] = (
        *DocumentPage.readonly_fields,
        "made_of",
        "paid_shown",
        "refunded_shown",
        "held_shown",
    )
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("number", "title", "customer", "card", "made_of", "shows", "service_date")}),
        (
            MONEY[0],
            {
                "fields": (*MONEY[1]["fields"], "paid_shown", "refunded_shown", "held_shown"),
                "description": gettext_lazy("Payments and refunds are noted on the page of the job: “View on site”."),
            },
        ),
        (gettext_lazy("What happened to it"), {"fields": ("confirmed_at", "completed_at", "refunded_on")}),
        ENDED,
        BEHIND,
    )

    @admin.display(description=gettext_lazy("made of quote"))
    def made_of(self, job: Job) -> str | SafeString:
        """The quote that became the job."""
        quote = job.quote
        return format_html('<a href="{}">{}</a>', quote.get_absolute_url(), quote) if quote else NOTHING

    @admin.display(description=gettext_lazy("paid"))
    def paid_shown(self, job: Job) -> str:
        """What was taken."""
        return self._money(job.paid)

    @admin.display(description=gettext_lazy("refunded"))
    def refunded_shown(self, job: Job) -> str:
        """What was given back."""
        return self._money(job.refunded)

    @admin.display(description=gettext_lazy("held"))
    def held_shown(self, job: Job) -> str:
        """What was taken and not given back."""
        return self._money(job.held)

    @admin.action(description=gettext_lazy("Confirmed by the customer"))
    def confirm(self, request: Request, rows: QuerySet[Job]) -> None:
        """Note that the customers confirmed the chosen jobs."""
        on_each(self, request, rows, jobs.confirm, _("confirmed"))

    @admin.action(description=gettext_lazy("Complete"))
    def complete(self, request: Request, rows: QuerySet[Job]) -> None:
        """Complete the chosen jobs; one that is not fulfilled in full says what is left."""
        on_each(self, request, rows, jobs.complete, _("completed"))

    @admin.action(description=gettext_lazy("Reopen"))
    def reopen(self, request: Request, rows: QuerySet[Job]) -> None:
        """Open the chosen completed jobs again."""
        on_each(self, request, rows, jobs.reopen, _("reopened"))

    @admin.action(description=gettext_lazy("Cancel, with a reason…"))
    def cancel(self, request: Request, rows: QuerySet[Job]) -> HttpResponse | None:
        """Cancel the chosen jobs: the customer does not want them."""
        return for_a_reason(self, request, rows, verb_name="cancel", verb=jobs.cancel)

    @admin.action(description=gettext_lazy("Void, with a reason…"))
    def void(self, request: Request, rows: QuerySet[Job]) -> HttpResponse | None:
        """Void the chosen jobs: they were a mistake."""
        return for_a_reason(self, request, rows, verb_name="void", verb=jobs.void)


@admin.register(Agreement, site=site)
class AgreementPage(DocumentPage):
    """Every agreement and proposal."""

    list_display: Any = ("number", "title", "customer", "card", "shows", "signatures")
    list_filter: ClassVar[Any] = ("status", "kind", OnCardFilter)
    actions = ("submit", "replace", "withdraw", "void")
    inlines = (Recipients, AgreementLines)
    list_select_related: ClassVar[Any] = ("customer", "opportunity", "closed_by", "created_by", "replaces")
    readonly_fields: ClassVar[Any] = (*DocumentPage.readonly_fields, "signatures", "replaces")
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "number",
                    "title",
                    "kind",
                    "customer",
                    "card",
                    "shows",
                    "signatures",
                    "valid_until",
                    "text",
                )
            },
        ),
        MONEY,
        (gettext_lazy("What happened to it"), {"fields": ("submitted_at", "ended_on", "replaces")}),
        ENDED,
        BEHIND,
    )

    @override
    def state_in_words(self, document: Any) -> str:
        return str(dict(document._meta.get_field("status").flatchoices)[document.status_on(self.today).value])

    @admin.display(description=gettext_lazy("signatures"))
    def signatures(self, agreement: Agreement) -> str:
        """How many of its signers have signed."""
        if not agreement.signer_count:
            return NOTHING
        return _("%(signed)s of %(all)s") % {"signed": agreement.signed_count, "all": agreement.signer_count}

    @admin.action(description=gettext_lazy("Submit, as handed over"))
    def submit(self, request: Request, rows: QuerySet[Agreement]) -> None:
        """Note that the chosen agreements went out to their recipients."""
        on_each(self, request, rows, agreements.submit, _("submitted"), how="by_hand")

    @admin.action(description=gettext_lazy("Replace by a draft"))
    def replace(self, request: Request, rows: QuerySet[Agreement]) -> None:
        """Void the chosen agreements and make a copy of each, for a correction or a new date."""
        on_each(self, request, rows, agreements.replace, _("replaced"))

    @admin.action(description=gettext_lazy("Withdraw"))
    def withdraw(self, request: Request, rows: QuerySet[Agreement]) -> None:
        """Take the chosen agreements back from their signers; that loses their deals."""
        on_each(self, request, rows, agreements.withdraw, _("withdrawn"))

    @admin.action(description=gettext_lazy("Void, with a reason…"))
    def void(self, request: Request, rows: QuerySet[Agreement]) -> HttpResponse | None:
        """Void the chosen agreements: they count as never attached."""
        return for_a_reason(self, request, rows, verb_name="void", verb=agreements.void)


for place, model, words in (
    (2, Quote, gettext_lazy("What was offered, at which price, and what became of it.")),
    (3, Job, gettext_lazy("What was ordered, what of it is done, and the money taken for it.")),
    (4, Agreement, gettext_lazy("Agreements and proposals, and who has signed.")),
):
    site.describe(place, "records", model, words)
