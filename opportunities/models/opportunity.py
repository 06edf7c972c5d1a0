"""The opportunity card: its facts, its constraints, and what one row may become."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar, Self, override

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_fsm import RETURN_VALUE, transition

from opportunities import access, workflow
from opportunities.access import Person
from opportunities.models.customer import Contact, Customer
from opportunities.models.setup import OpportunityStage, OpportunityStatus, OpportunityType, Reason
from opportunities.models.state_field import ProtectedStateField, ProtectedStateModel, ProtectedStateQuerySet
from opportunities.outcome import LostBecause, SalesRule, SalesStatus
from opportunities.workflow import WorkflowStatus

if TYPE_CHECKING:
    from opportunities.models.history import Event

RANK_GAP = 65_536
"""The room left between two neighbours, so that most moves write one row."""


WORKFLOW_CHOICES = [
    (WorkflowStatus.PROSPECT.value, _("Prospect")),
    (WorkflowStatus.NEGOTIATION.value, _("Negotiation")),
    (WorkflowStatus.AGREEMENT.value, _("Agreement")),
    (WorkflowStatus.CONTRACTED.value, _("Contracted")),
    (WorkflowStatus.COMPLETED.value, _("Completed")),
    (WorkflowStatus.EXPIRED.value, _("Expired")),
    (WorkflowStatus.VOID.value, _("Void")),
    (WorkflowStatus.CANCELED.value, _("Canceled")),
]
SALES_CHOICES = [
    (SalesStatus.NONE.value, _("Open")),
    (SalesStatus.WON.value, _("Won")),
    (SalesStatus.LOST.value, _("Lost")),
]


class OpportunityQuerySet(ProtectedStateQuerySet["Opportunity"]):
    """The vocabulary for cards."""

    also_protected: ClassVar[frozenset[str]] = frozenset(
        {
            "sales_status",
            "sales_rule",
            "status",
            "hand_status",
            "decided_on",
            "off_board",
            "completed_on",
            "lost_because",
            "live_offer",
            "closed_kind",
            "closed_at",
        }
    )

    def not_closed(self) -> Self:
        """Cards that are neither Void nor Canceled."""
        return self.filter(closed_kind="")

    def not_archived(self) -> Self:
        """Cards that nobody has put away."""
        return self.filter(archived_at=None)

    def open(self) -> Self:
        """Cards with no final result: neither closed nor decided, neither won nor lost."""
        return self.filter(decided_on=None)

    def on_board(self) -> Self:
        """Cards of a board's default filter: not archived, and not given a closed status by hand (D42)."""
        return self.filter(archived_at=None, off_board=False)

    def forecast_passed(self, today: date) -> Self:
        """Cards whose forecast date lies before today."""
        return self.filter(forecast_date__lt=today)

    def due_to_expire(self, today: date) -> Self:
        """Cards that the clock expires today (T14), without those whose date was waived (3.4)."""
        waived = Q(workflow_status=WorkflowStatus.CONTRACTED.value, expiry_waived_for=F("forecast_date"))
        can_expire = [str(each) for each in workflow.CAN_EXPIRE]
        # A comparison with an empty column is neither true nor false, so only a present one may be negated.
        unwaived = Q(expiry_waived_for=None) | ~waived
        return self.filter(unwaived, forecast_date__lt=today, workflow_status__in=can_expire)

    def due_to_revive(self, today: date) -> Self:
        """Cards that stand as Expired though their date does not say so (T16; a changed time zone)."""
        return self.filter(workflow_status=WorkflowStatus.EXPIRED.value).filter(
            Q(forecast_date=None) | Q(forecast_date__gte=today)
        )

    def due_by_documents(self, today: date) -> Self:
        """Cards of which a document's last day has passed, or is to come again, since they were looked at (T18)."""
        return self.filter(Q(documents_hold_until__lt=today) | Q(documents_hold_from__gt=today))

    def due_to_archive(self, today: date, days: int | None) -> Self:
        """Closed cards that the clock puts away today, so many days after closing or taking back (G5.2, D26)."""
        if days is None:
            return self.none()
        closed = self.exclude(closed_kind="").filter(archived_at=None)
        return closed.filter(archive_clock_from__lte=today - timedelta(days=days))

    def with_people(self) -> Self:
        """Cards with the rows that acts look at beside their own."""
        return self.select_related("salesperson", "status", "hand_status", "stage", "closed_by")

    def for_change(self, pk: int) -> "Opportunity":
        """Return one card locked until the end of the transaction, with what its acts look at.

        :raises Opportunity.DoesNotExist: no such card.
        """
        rows = self.with_people().select_for_update(no_key=True, of=("self",))
        card = rows.filter(pk=pk).first()
        # Where another act changed the card while this one waited for it, PostgreSQL joins the changed card to the rows
        # that the old one named: they are missing, or the card with them. It is locked by now, so read it once more.
        whole = card is not None and all(
            getattr(card, f"{name}_id") is None or getattr(card, name) is not None
            for name in ("salesperson", "hand_status", "stage", "closed_by")
        )
        return card if whole and card is not None else rows.get(pk=pk)

    def visible_to(self, user: Person | None) -> Self:
        """Cards that this person may see; None is the system and sees all."""
        return self.filter(access.visible_rows(user))


class Opportunity(ProtectedStateModel):
    """A possible deal. Four facts are kept apart: workflow status, sales status, stage, archived (lifecycle.md 2)."""

    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    type = models.ForeignKey(
        OpportunityType, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("type")
    )
    salesperson = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="opportunities",
        verbose_name=_("salesperson"),
    )
    customers = models.ManyToManyField(
        Customer, through="OpportunityCustomer", related_name="opportunities", verbose_name=_("customers")
    )
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, null=True, blank=True)
    amount_by_hand = models.BooleanField(default=True, editable=False)
    probability = models.PositiveSmallIntegerField(_("probability (%)"), null=True, blank=True)
    forecast_date = models.DateField(_("forecast date"), null=True, blank=True)
    expiry_waived_for = models.DateField(null=True, editable=False)

    stage = models.ForeignKey(
        OpportunityStage,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="opportunities",
        verbose_name=_("stage"),
        db_index=False,
    )
    stage_entered_at = models.DateTimeField(editable=False)
    rank = models.BigIntegerField(editable=False)

    workflow_status = ProtectedStateField(
        _("workflow status"), max_length=12, choices=WORKFLOW_CHOICES, default=WorkflowStatus.PROSPECT.value
    )
    sales_status = models.CharField(
        _("sales status"), max_length=5, choices=SALES_CHOICES, default=SalesStatus.NONE.value, editable=False
    )
    sales_rule = models.CharField(max_length=6, default=SalesRule.P9.value, editable=False)
    status = models.ForeignKey(
        OpportunityStatus, on_delete=models.PROTECT, related_name="opportunities", verbose_name=_("status")
    )
    hand_status = models.ForeignKey(
        OpportunityStatus, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    hand_decided_on = models.DateField(null=True, editable=False)
    decided_on = models.DateField(_("decided on"), null=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    decided_reason = models.ForeignKey(
        Reason, on_delete=models.PROTECT, null=True, editable=False, related_name="decided_opportunities"
    )
    decided_reason_label = models.CharField(max_length=60, blank=True, editable=False)
    off_board = models.BooleanField(default=False, editable=False)
    completed_on = models.DateField(_("completed on"), null=True, editable=False)
    lost_because = models.CharField(max_length=10, blank=True, default="", editable=False)
    live_offer = models.BooleanField(default=False, editable=False)
    documents_hold_from = models.DateField(null=True, editable=False)
    documents_hold_until = models.DateField(null=True, editable=False)
    """From when until when what the documents' dates make of the card stays as it is; the sweep looks again outside."""

    closed_kind = models.CharField(max_length=8, blank=True, default="", editable=False)
    close_reason = models.ForeignKey(
        Reason, on_delete=models.PROTECT, null=True, editable=False, related_name="closed_opportunities"
    )
    close_reason_label = models.CharField(max_length=60, blank=True, editable=False)
    close_note = models.TextField(blank=True, editable=False)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)
    archive_clock_from = models.DateField(null=True, editable=False)

    version = models.PositiveIntegerField(default=1, editable=False)
    face = models.JSONField(default=dict, editable=False)
    search_key = models.TextField(default="", editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = OpportunityQuerySet.as_manager()

    last_event: "Event | None" = None
    """The event that the act which returned this object wrote, for its undo; None when nothing changed."""

    class Meta:
        verbose_name = _("opportunity")
        verbose_name_plural = _("opportunities")
        constraints = (
            models.CheckConstraint(condition=~Q(title=""), name="opportunity_title_not_blank"),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0),
                name="opportunity_amount_not_negative",
                violation_error_message=_("The amount cannot be negative."),
            ),
            models.CheckConstraint(
                condition=Q(probability__isnull=True) | Q(probability__lte=100),
                name="opportunity_probability_percent",
                violation_error_message=_("The probability lies between 0 and 100 percent."),
            ),
            models.CheckConstraint(
                condition=Q(workflow_status__in=[each.value for each in WorkflowStatus]),
                name="opportunity_workflow_status_known",
            ),
            models.CheckConstraint(
                condition=Q(sales_status__in=[each.value for each in SalesStatus]),
                name="opportunity_sales_status_known",
            ),
            models.CheckConstraint(
                condition=Q(sales_rule__in=[each.value for each in SalesRule]), name="opportunity_sales_rule_known"
            ),
            models.CheckConstraint(
                condition=Q(lost_because__in=[each.value for each in LostBecause]),
                name="opportunity_lost_because_known",
            ),
            models.CheckConstraint(
                condition=Q(workflow_status="completed", completed_on__isnull=False)
                | ~Q(workflow_status="completed") & Q(completed_on__isnull=True),
                name="opportunity_completed_on_iff_completed",
            ),
            # A closed kind and the workflow status that shows it never part (T19, T20).
            models.CheckConstraint(
                condition=Q(closed_kind="", closed_at__isnull=True, close_reason_label="")
                & ~Q(workflow_status__in=("void", "canceled"))
                | Q(closed_kind="void", workflow_status="void", closed_at__isnull=False) & ~Q(close_reason_label="")
                | Q(closed_kind="canceled", workflow_status="canceled", closed_at__isnull=False)
                & ~Q(close_reason_label=""),
                name="opportunity_closed_iff_void_or_canceled",
            ),
            models.CheckConstraint(
                condition=Q(closed_kind="") | Q(sales_status="lost", sales_rule="P1"),
                name="opportunity_closed_is_lost",
            ),
            models.CheckConstraint(
                condition=~Q(workflow_status="expired") | Q(forecast_date__isnull=False),
                name="opportunity_expired_has_forecast_date",
            ),
            models.CheckConstraint(
                condition=Q(sales_status="none") | Q(decided_on__isnull=False),
                name="opportunity_won_or_lost_is_decided",
            ),
            # A closed status row takes the card off the board only when a person chose it (D42).
            models.CheckConstraint(
                condition=Q(off_board=False) | Q(sales_rule="manual", decided_on__isnull=False),
                name="opportunity_off_board_by_hand",
            ),
        )
        indexes = (
            # A column of a board: the cards of a stage in their order.
            models.Index(
                fields=("stage", "rank", "id"),
                condition=Q(archived_at__isnull=True, off_board=False),
                name="opportunity_column",
            ),
            # The heads: how many open cards a stage has and what they are worth, without touching the rows.
            models.Index(
                fields=("stage",),
                include=("amount", "probability", "workflow_status", "forecast_date", "salesperson"),
                condition=Q(archived_at__isnull=True, decided_on__isnull=True),
                name="opportunity_head",
            ),
            # The heads again: what was won and lost, and what is hidden, among the cards that are not put away.
            models.Index(
                fields=("stage",),
                include=(
                    "amount",
                    "sales_status",
                    "off_board",
                    "salesperson",
                    "completed_on",
                    "decided_on",
                    "live_offer",
                    "closed_kind",
                ),
                condition=Q(archived_at__isnull=True, decided_on__isnull=False),
                name="opportunity_decided",
            ),
            # The heads once more: how many open cards are put away.
            models.Index(
                fields=("stage",),
                condition=Q(archived_at__isnull=False, decided_on__isnull=True),
                name="opportunity_put_away",
            ),
            # The neighbours of a rank; the bottom of all cards.
            models.Index(fields=("rank", "id"), name="opportunity_rank"),
            # The sweep: what is due, by date.
            models.Index(fields=("workflow_status", "forecast_date"), name="opportunity_due"),
            # A calendar's days.
            models.Index(
                fields=("forecast_date",), condition=Q(forecast_date__isnull=False), name="opportunity_by_forecast"
            ),
            # The sweep again: of which cards a document's last day has passed.
            models.Index(
                fields=("documents_hold_until",),
                condition=Q(documents_hold_until__isnull=False),
                name="opportunity_documents_due",
            ),
            # The sweep once more: of which cards such a day is to come again, because the calendar went back.
            models.Index(
                fields=("documents_hold_from",),
                condition=Q(documents_hold_from__isnull=False),
                name="opportunity_documents_back",
            ),
            # The sweep, too: which closed cards are to be put away.
            models.Index(
                fields=("archive_clock_from",),
                condition=Q(archived_at__isnull=True) & ~Q(closed_kind=""),
                name="opportunity_to_archive",
            ),
            # A salesperson's own cards, newest first.
            models.Index(fields=("salesperson", "-id"), name="opportunity_own"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("opportunities:detail", args=[self.pk])

    @property
    def number(self) -> str:
        """What people call the card: OPP-1042."""
        return f"OPP-{self.pk}"

    @property
    def last_event_id(self) -> int | None:
        """The id of `last_event`, for the Undo button."""
        return None if self.last_event is None else self.last_event.pk

    @property
    def is_closed(self) -> bool:
        """Void or Canceled: nothing on it may be changed any more (G3)."""
        return bool(self.closed_kind)

    @property
    def is_archived(self) -> bool:
        """Put away; a visibility flag that changes no status (D26)."""
        return self.archived_at is not None

    def archive_day(self, days: int | None) -> date | None:
        """The local day on which the clock puts the card away, so many days after closing; None if never (D26)."""
        if days is None or not self.is_closed or self.is_archived or self.archive_clock_from is None:
            return None
        return self.archive_clock_from + timedelta(days=days)

    @property
    def is_expired(self) -> bool:
        """The forecast date has passed and nothing keeps the card alive."""
        return str(self.workflow_status) == WorkflowStatus.EXPIRED

    @transition(
        field=workflow_status,
        source=[each.value for each in workflow.LIVE],
        target=RETURN_VALUE(*[each.value for each in workflow.LIVE]),
    )
    def progress(self, to: WorkflowStatus) -> str:
        """Follow the documents among the five live statuses (T3 to T13)."""
        return to.value

    @transition(
        field=workflow_status,
        source=[each.value for each in workflow.CAN_EXPIRE],
        target=WorkflowStatus.EXPIRED.value,
    )
    def expire(self) -> None:
        """The forecast date has passed (T14, T17)."""

    @transition(
        field=workflow_status,
        source=WorkflowStatus.EXPIRED.value,
        target=RETURN_VALUE(*[each.value for each in workflow.LIVE]),
    )
    def revive(self, to: WorkflowStatus) -> str:
        """Return to what the documents justify: the date moved, or a contract came (T8, T9, T16)."""
        return to.value

    @transition(
        field=workflow_status,
        source=[each.value for each in workflow.NOT_CLOSED],
        target=WorkflowStatus.VOID.value,
    )
    def void(self) -> None:
        """It was a mistake (T19). Nothing leaves this status."""

    @transition(
        field=workflow_status,
        source=[each.value for each in workflow.NOT_CLOSED],
        target=WorkflowStatus.CANCELED.value,
    )
    def cancel(self) -> None:
        """The customer does not go on (T20). Nothing leaves this status."""


class OpportunityCustomer(models.Model):
    """A customer of a card, with the contact there that the deal is talked over with."""

    opportunity = models.ForeignKey(Opportunity, on_delete=models.CASCADE, related_name="parties")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="parties")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="parties")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("customer of an opportunity")
        verbose_name_plural = _("customers of an opportunity")
        ordering = ("position", "pk")
        constraints = (
            models.UniqueConstraint(fields=("opportunity", "customer", "contact"), name="party_unique_with_contact"),
            models.UniqueConstraint(
                fields=("opportunity", "customer"),
                condition=Q(contact__isnull=True),
                name="party_unique_without_contact",
            ),
        )

    @override
    def __str__(self) -> str:
        return f"{self.opportunity_id} - {self.customer_id}"
