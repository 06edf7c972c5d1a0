"""The setup tables that admins keep: stages, sales statuses, types, reasons and the business itself."""

import zoneinfo
from datetime import date, datetime, time, timedelta
from typing import Any, Self, override

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from opportunities.keys import comparison_key

CLOCKS_DIFFER = timedelta(minutes=1)
"""So much the clocks of two machines, or the beginning of an act and its end, may lie apart."""


class Colour(models.TextChoices):
    """The twelve named colours; the style sheet knows how each looks by day and by night."""

    SLATE = "slate", _("Slate")
    RED = "red", _("Red")
    ORANGE = "orange", _("Orange")
    AMBER = "amber", _("Amber")
    LIME = "lime", _("Lime")
    GREEN = "green", _("Green")
    TEAL = "teal", _("Teal")
    CYAN = "cyan", _("Cyan")
    BLUE = "blue", _("Blue")
    INDIGO = "indigo", _("Indigo")
    VIOLET = "violet", _("Violet")
    PINK = "pink", _("Pink")


class NamedRow(models.Model):
    """A setup row known to people by its name, unique without regard to case, accents and spacing.

    `name_key` is derived on `save()`; a bulk write must set it itself (`comparison_key`).
    """

    name_key = models.CharField(max_length=200, editable=False)

    class Meta:
        abstract = True

    @override
    def __str__(self) -> str:
        return str(self.key_source())

    def key_source(self) -> str:
        """The text that must be unique."""
        return str(getattr(self, "name", ""))

    @override
    def clean_fields(self, exclude: Any = None) -> None:
        self.name_key = comparison_key(self.key_source())
        super().clean_fields(exclude=exclude)

    @override
    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = comparison_key(self.key_source())
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "name_key"}
        super().save(*args, **kwargs)


class StageQuerySet(models.QuerySet["OpportunityStage"]):
    """The vocabulary for stages."""

    def active(self) -> Self:
        """Stages that new moves may use."""
        return self.filter(active=True)

    def in_order(self) -> Self:
        """The business's own order: by sequence, never by name."""
        return self.order_by("sequence", "pk")


class OpportunityStage(NamedRow):
    """Where people put a deal: a step of the business's own process, and so a column of a board (K2, K5)."""

    name = models.CharField(_("name"), max_length=50)
    sequence = models.PositiveIntegerField(_("order"), default=0)
    colour = models.CharField(_("colour"), max_length=10, choices=Colour, default=Colour.SLATE)
    probability = models.PositiveSmallIntegerField(
        _("default probability (%)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("Weighs the amounts of cards in this stage that have no probability of their own."),
    )
    description = models.TextField(
        _("when a card leaves this stage"), blank=True, help_text=_("Shown when pointing at the column's name.")
    )
    stale_after_days = models.PositiveSmallIntegerField(
        _("stale after (days)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("A card that stays longer without a planned action is marked as stale. Empty: never."),
    )
    requires_amount = models.BooleanField(_("amount"), default=False)
    requires_forecast_date = models.BooleanField(_("forecast date"), default=False)
    requires_contact = models.BooleanField(_("contact"), default=False)
    requires_next_action = models.BooleanField(_("next action"), default=False)
    requires_quote_submitted = models.BooleanField(_("a quote submitted"), default=False)
    requires_quote_accepted = models.BooleanField(_("a quote accepted or converted"), default=False)
    requires_agreement_submitted = models.BooleanField(_("an agreement submitted"), default=False)
    requires_agreement_accepted = models.BooleanField(_("an agreement accepted"), default=False)
    active = models.BooleanField(
        _("active"), default=True, help_text=_("Retired stages keep their cards but take no new ones.")
    )
    is_default = models.BooleanField(_("default for new cards"), default=False)

    objects = StageQuerySet.as_manager()

    class Meta:
        verbose_name = _("stage (board column)")
        verbose_name_plural = _("stages (board columns)")
        ordering = ("sequence", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("name_key",),
                name="stage_name_unique",
                violation_error_message=_("There is a stage of this name already."),
            ),
            models.CheckConstraint(condition=~Q(name=""), name="stage_name_not_blank"),
            models.CheckConstraint(
                condition=Q(probability__lte=100),
                name="stage_probability_percent",
                violation_error_message=_("The probability lies between 0 and 100 percent."),
            ),
            models.CheckConstraint(
                condition=Q(stale_after_days__isnull=True) | Q(stale_after_days__gte=1), name="stage_stale_positive"
            ),
            models.UniqueConstraint(
                fields=("is_default",),
                condition=Q(is_default=True),
                name="stage_one_default",
                violation_error_message=_("Another stage is the default for new cards already."),
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(active=True),
                name="stage_default_is_active",
                violation_error_message=_("A retired stage cannot be the default for new cards."),
            ),
        )


class StatusQuerySet(models.QuerySet["OpportunityStatus"]):
    """The vocabulary for status rows."""

    def active(self) -> Self:
        """Rows that pickers offer."""
        return self.filter(retired=False)

    def in_order(self) -> Self:
        """By sequence, never by name."""
        return self.order_by("sequence", "pk")

    def default(self) -> "OpportunityStatus":
        """Return the one default row. :raises OpportunityStatus.DoesNotExist: before the starter command ran."""
        return self.get(is_default=True)


class OpportunityStatus(NamedRow):
    """How a deal ended, by the business's own names; won and lost rows carry the sales status (D41, D42)."""

    name = models.CharField(_("name"), max_length=30)
    sequence = models.PositiveIntegerField(_("order"), default=0)
    is_default = models.BooleanField(_("default"), default=False, help_text=_("What a new card begins with."))
    inactive = models.BooleanField(_("inactive"), default=False, help_text=_("A final result, neither won nor lost."))
    closed = models.BooleanField(_("closed"), default=False, help_text=_("Choosing it takes the card off the board."))
    won = models.BooleanField(_("won"), default=False)
    lost = models.BooleanField(_("lost"), default=False)
    retired = models.BooleanField(_("retired"), default=False, help_text=_("No longer offered; old cards keep it."))

    objects = StatusQuerySet.as_manager()

    class Meta:
        verbose_name = _("sales status (how a deal ended)")
        verbose_name_plural = _("sales statuses (how a deal ended)")
        ordering = ("sequence", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("name_key",),
                name="status_name_unique",
                violation_error_message=_("There is a sales status of this name already."),
            ),
            models.CheckConstraint(condition=~Q(name=""), name="status_name_not_blank"),
            models.CheckConstraint(
                condition=~Q(won=True, lost=True),
                name="status_won_or_lost",
                violation_error_message=_("A status cannot be both won and lost."),
            ),
            models.CheckConstraint(
                condition=Q(closed=True) | Q(won=False, lost=False, inactive=False),
                name="status_final_is_closed",
                violation_error_message=_("A won, lost or inactive status is also a closed one."),
            ),
            models.UniqueConstraint(
                fields=("is_default",),
                condition=Q(is_default=True),
                name="status_one_default",
                violation_error_message=_("Another status is the default already."),
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(closed=False, retired=False),
                name="status_default_is_open",
                violation_error_message=_("The default status is an open one that is not retired."),
            ),
        )

    @property
    def outcome(self) -> str:
        """The sales status that this row names: won, lost or none."""
        if self.won:
            return "won"
        return "lost" if self.lost else "none"


class OpportunityType(NamedRow):
    """A kind of deal by which the business sorts its work, such as Installation or Maintenance."""

    name = models.CharField(_("name"), max_length=50)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("opportunity type")
        verbose_name_plural = _("opportunity types")
        ordering = ("name", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("name_key",),
                name="type_name_unique",
                violation_error_message=_("There is a type of this name already."),
            ),
            models.CheckConstraint(condition=~Q(name=""), name="type_name_not_blank"),
        )


class Reason(NamedRow):
    """Why a card was voided, or canceled and lost: two lists of the business (D24, C1)."""

    class List(models.TextChoices):
        """Which list a reason stands in."""

        VOID = "void", _("Void")
        CANCEL = "cancel", _("Cancel and lost")

    list = models.CharField(_("list"), max_length=10, choices=List)
    label = models.CharField(_("label"), max_length=60)
    active = models.BooleanField(_("active"), default=True)
    sequence = models.PositiveIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("reason")
        verbose_name_plural = _("reasons")
        ordering = ("list", "sequence", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("list", "name_key"),
                name="reason_label_unique",
                violation_error_message=_("This list has that reason already."),
            ),
            models.CheckConstraint(condition=~Q(label=""), name="reason_label_not_blank"),
            models.CheckConstraint(condition=Q(list__in=("void", "cancel")), name="reason_list_known"),
        )

    @override
    def key_source(self) -> str:
        return self.label


def validate_time_zone(name: str) -> None:
    """Accept the names of the IANA time zones only."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("There is no time zone called “%(name)s”."), params={"name": name})


class BusinessSettings(models.Model):
    """The one business that this installation serves: who it is, its clock and its money. Exactly one row."""

    class SalespeopleSee(models.TextChoices):
        """Which cards a salesperson sees; managers and admins see all."""

        ALL = "all", _("every card")
        OWN_AND_UNASSIGNED = "own_and_unassigned", _("their own and unassigned cards")
        OWN = "own", _("only their own cards")

    class Weekday(models.IntegerChoices):
        """The first day of the week, Monday being 1 (ISO 8601)."""

        MONDAY = 1, _("Monday")
        SATURDAY = 6, _("Saturday")
        SUNDAY = 7, _("Sunday")

    class LostWhen(models.TextChoices):
        """When dead documents lose a deal that has no agreement (D19); `workflow.LostWhen` with words."""

        ANY_DEAD_QUOTE = "any_dead_quote", _("any attached quote is void, canceled or archived")
        NO_LIVE_QUOTE = "no_live_quote", _("no live quote is left")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("business name"), max_length=100, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    address = models.TextField(_("address"), blank=True)
    tax_number = models.CharField(_("tax number"), max_length=40, blank=True)
    logo = models.BinaryField(_("logo"), blank=True, default=b"", editable=False)
    logo_type = models.CharField(max_length=20, blank=True, editable=False)
    time_zone = models.CharField(_("time zone"), max_length=60, default="UTC", validators=[validate_time_zone])
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    first_day_of_week = models.PositiveSmallIntegerField(
        _("first day of the week"), choices=Weekday, default=Weekday.MONDAY
    )
    auto_archive_days = models.PositiveSmallIntegerField(
        _("archive void and canceled cards after (days)"), null=True, blank=True, default=30
    )
    mail_sender = models.EmailField(_("mail sender"), blank=True)
    salespeople_see = models.CharField(
        _("salespeople see"), max_length=20, choices=SalespeopleSee, default=SalespeopleSee.ALL
    )
    lost_when = models.CharField(
        _("a card is lost when"),
        max_length=20,
        choices=LostWhen,
        default=LostWhen.ANY_DEAD_QUOTE,
        help_text=_("Only as long as no agreement is attached."),
    )
    quote_terms = models.TextField(
        _("terms of quotes"), blank=True, help_text=_("What a new quote begins with below its total.")
    )
    quote_valid_days = models.PositiveSmallIntegerField(
        _("quotes are valid for (days)"),
        null=True,
        blank=True,
        default=30,
        help_text=_("What a new quote or agreement begins with. Empty: no last day."),
    )
    swept_until = models.DateField(null=True, editable=False)
    lazily_swept_on = models.DateField(null=True, editable=False)

    class Meta:
        verbose_name = _("business settings")
        verbose_name_plural = _("business settings")
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="business_one_row"),
            models.CheckConstraint(
                condition=Q(auto_archive_days__isnull=True) | Q(auto_archive_days__gte=1),
                name="business_auto_archive_positive",
                violation_error_message=_("Give at least one day, or leave it empty to switch it off."),
            ),
            models.CheckConstraint(condition=Q(first_day_of_week__in=(1, 6, 7)), name="business_first_weekday"),
            models.CheckConstraint(
                condition=Q(lost_when__in=("any_dead_quote", "no_live_quote")), name="business_lost_when_known"
            ),
            models.CheckConstraint(
                condition=Q(quote_valid_days__isnull=True) | Q(quote_valid_days__gte=1),
                name="business_quote_valid_days_positive",
                violation_error_message=_("Give at least one day, or leave it empty for no last day."),
            ),
            models.CheckConstraint(
                condition=Q(salespeople_see__in=("all", "own_and_unassigned", "own")), name="business_salespeople_see"
            ),
        )

    @override
    def __str__(self) -> str:
        return self.name or str(_("This business"))

    @classmethod
    def current(cls) -> "BusinessSettings":
        """Return the business's settings; before the starter command ran, unsaved defaults.

        Every request reads them, so the logo stays where it is until somebody looks at it.
        """
        return cls.objects.defer("logo").filter(pk=1).first() or cls()

    @property
    def is_set_up(self) -> bool:
        """Tell whether an admin has given the business a name."""
        return bool(self.name)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The business's time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def local_date(self, now: datetime) -> date:
        """Return the date on the business's wall calendar at an instant (D10)."""
        return now.astimezone(self.zone).date()

    def today(self, now: datetime) -> date:
        """Return the local day that an act counts with: never earlier than what the sweep has already settled."""
        local = self.local_date(now)
        return local if self.swept_until is None else max(local, self.swept_until)

    def day_begins(self, day: date) -> datetime:
        """Return the instant at which a local day begins."""
        return datetime.combine(day, time.min, tzinfo=self.zone)

    def day_to_settle(self, now: datetime) -> date:
        """Return the local day that the clock settles (3.5); it may go back, as after a change of the time zone.

        A clock that lags by less than a minute does not take the day back that another has settled already.
        """
        local = self.local_date(now)
        if self.swept_until is None or self.swept_until <= local:
            return local
        return self.swept_until if self.day_begins(self.swept_until) - now < CLOCKS_DIFFER else local


class FilledTable(models.Model):
    """Remembers that the starter setup filled a table, so that what an admin deleted never comes back."""

    table = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("filled table")
        verbose_name_plural = _("filled tables")

    @override
    def __str__(self) -> str:
        return self.table
