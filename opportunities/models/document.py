"""What quotes, jobs and agreements have in common: a card or none, a customer, lines with money, and how they end."""

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self, override

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from opportunities import access
from opportunities.access import Person
from opportunities.keys import comparison_key
from opportunities.models.customer import Customer
from opportunities.models.opportunity import Opportunity
from opportunities.models.setup import NamedRow, Reason
from opportunities.models.state_field import ProtectedStateModel, ProtectedStateQuerySet

if TYPE_CHECKING:
    from opportunities.models.history import Event

CENT = Decimal("0.01")


def rounded(amount: Decimal) -> Decimal:
    """Round an amount of money half up to cents, as every line is."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


class TaxRate(NamedRow):
    """A rate of sales tax that lines of documents can carry, in percent of their net."""

    name = models.CharField(_("name"), max_length=40)
    percent = models.DecimalField(
        _("percent"),
        max_digits=6,
        decimal_places=3,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    is_default = models.BooleanField(_("default for new lines"), default=False)
    active = models.BooleanField(_("active"), default=True, help_text=_("Old lines keep a rate that is not active."))

    class Meta:
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        ordering = ("percent", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("name_key",),
                name="tax_rate_name_unique",
                violation_error_message=_("There is a tax rate of this name already."),
            ),
            models.CheckConstraint(condition=~Q(name=""), name="tax_rate_name_not_blank"),
            models.CheckConstraint(
                condition=Q(percent__gte=0, percent__lte=100),
                name="tax_rate_percent",
                violation_error_message=_("A tax rate lies between 0 and 100 percent."),
            ),
            models.UniqueConstraint(
                fields=("is_default",),
                condition=Q(is_default=True),
                name="tax_rate_one_default",
                violation_error_message=_("Another tax rate is the default already."),
            ),
        )


class DocumentQuerySet[DocumentT: "Document"](ProtectedStateQuerySet[DocumentT]):
    """The vocabulary that all documents share."""

    @override
    def bulk_create(self, objs: Iterable[DocumentT], *args: Any, **kwargs: Any) -> list[DocumentT]:
        """Refuse: a document comes by its verbs, which bring its card in line with it."""
        raise AttributeError(f"{self.model.__name__} rows are made by their verbs only.")

    def visible_to(self, user: Person | None) -> Self:
        """Documents of cards that this person may see; one on no card is seen by its maker and by managers."""
        return self.filter(access.visible_documents(user))

    def on_no_card(self) -> Self:
        """Documents that belong to no card."""
        return self.filter(opportunity=None)


class Document(ProtectedStateModel):
    """A paper about a deal. Money is net of tax unless it says so, in the business's currency."""

    LETTER: ClassVar[str]
    """Begins the number that people call it by."""
    REF: ClassVar[str]
    """How history and acts name the kind: quote, job, agreement."""

    title = models.CharField(_("title"), max_length=200, blank=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", verbose_name=_("customer"))
    discount_percent = models.DecimalField(
        _("discount (%)"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    net = models.DecimalField(_("net"), max_digits=14, decimal_places=2, default=Decimal(0), editable=False)
    tax = models.DecimalField(_("tax"), max_digits=14, decimal_places=2, default=Decimal(0), editable=False)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=Decimal(0), editable=False)
    attached_on = models.DateField(null=True, editable=False)

    close_reason = models.ForeignKey(Reason, on_delete=models.PROTECT, null=True, editable=False, related_name="+")
    close_reason_label = models.CharField(max_length=60, blank=True, editable=False)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, editable=False)
    closed_with_card = models.BooleanField(default=False, editable=False)

    version = models.PositiveIntegerField(default=1, editable=False)
    search_key = models.CharField(max_length=400, editable=False, default="")
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    opportunity: Any
    opportunity_id: int | None
    state: Any
    last_event: "Event | None" = None

    class Meta:
        abstract = True

    @override
    def __str__(self) -> str:
        return f"{self.number} {self.title}".strip()

    @property
    def number(self) -> str:
        """What people call the document: Q-1012, J-1077, A-1031."""
        return f"{self.LETTER}-{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse(f"opportunities:{self.REF}", args=[self.pk])

    @property
    def is_dead(self) -> bool:
        """Void or Canceled: nothing on it may change any more."""
        return str(self.state) in {"void", "canceled"}

    @property
    def is_archived(self) -> bool:
        """Put away; agreements never are."""
        return getattr(self, "archived_at", None) is not None

    def is_expired_on(self, day: date) -> bool:
        """Tell whether its date had passed on that local day; an overlay over the state, no state of its own."""
        raise NotImplementedError

    def key_source(self) -> str:
        """What the document is found by."""
        return f"{self.number} {self.title} {self.customer.name}"

    def compose_search_key(self) -> None:
        """Work out the search key from the title and the customer's name."""
        self.search_key = comparison_key(self.key_source())[:400]


def card_key(related_name: str) -> Any:
    """The card that a document belongs to; none while it is loose."""
    return models.ForeignKey(
        Opportunity,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name=related_name,
        verbose_name=_("opportunity"),
    )


def document_constraints(name: str, states: Any) -> tuple[models.CheckConstraint, ...]:
    """What must hold for every kind of document, as constraints of this one."""
    dead = ("void", "canceled")
    return (
        models.CheckConstraint(condition=Q(state__in=[each.value for each in states]), name=f"{name}_state_known"),
        models.CheckConstraint(
            condition=Q(discount_percent__gte=0, discount_percent__lte=100),
            name=f"{name}_discount_percent",
            violation_error_message=_("A discount lies between 0 and 100 percent."),
        ),
        models.CheckConstraint(
            condition=Q(state__in=dead, closed_at__isnull=False) & ~Q(close_reason_label="")
            | ~Q(state__in=dead) & Q(closed_at__isnull=True, close_reason_label="", closed_with_card=False),
            name=f"{name}_closed_iff_dead",
        ),
        models.CheckConstraint(
            condition=Q(opportunity__isnull=True, attached_on__isnull=True)
            | Q(opportunity__isnull=False, attached_on__isnull=False),
            name=f"{name}_attached_on_iff_on_card",
        ),
        models.CheckConstraint(condition=Q(net__gte=0, tax__gte=0), name=f"{name}_money_not_negative"),
    )


class Line(models.Model):
    """One line of a document: what, how much of it, at which price. `net` is after the document's discount."""

    class Kind(models.TextChoices):
        """What is sold; only products and materials are fulfilled out of stock (V3.2)."""

        PRODUCT = "product", _("Product")
        MATERIAL = "material", _("Material")
        SERVICE = "service", _("Service")

    position = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.SERVICE)
    description = models.CharField(_("description"), max_length=300)
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3, default=Decimal(1))
    unit_price = models.DecimalField(_("unit price"), max_digits=14, decimal_places=2, default=Decimal(0))
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    tax_percent = models.DecimalField(max_digits=6, decimal_places=3, default=Decimal(0))
    net = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(0))
    tax = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(0))

    class Meta:
        abstract = True
        ordering = ("position", "pk")

    @override
    def __str__(self) -> str:
        return self.description

    def price(self, discount_percent: Decimal) -> None:
        """Work out net and tax, each rounded half up: the line, less the document's discount, times its tax rate."""
        gross = self.quantity * self.unit_price
        self.net = rounded(gross * (100 - discount_percent) / 100)
        self.tax = rounded(self.net * self.tax_percent / 100)


def line_constraints(name: str) -> tuple[models.CheckConstraint, ...]:
    """What must hold for the lines of every kind of document."""
    return (
        models.CheckConstraint(condition=~Q(description=""), name=f"{name}_description_not_blank"),
        models.CheckConstraint(condition=Q(quantity__gte=0), name=f"{name}_quantity_not_negative"),
        models.CheckConstraint(condition=Q(unit_price__gte=0), name=f"{name}_price_not_negative"),
        models.CheckConstraint(condition=Q(kind__in=("product", "material", "service")), name=f"{name}_kind_known"),
    )
