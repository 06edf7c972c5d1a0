"""The job: work that was ordered, what of it is done, and the money taken for it (lifecycle.md 5.2 to 5.4)."""

from datetime import date
from decimal import Decimal
from typing import ClassVar, override

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import transition

from opportunities.models.document import (
    Document,
    DocumentQuerySet,
    Line,
    card_key,
    document_constraints,
    line_constraints,
)
from opportunities.models.quote import Quote
from opportunities.models.state_field import ProtectedStateField, ProtectedStateModel, ProtectedStateQuerySet
from opportunities.states import JobState, job_expired

JOB_CHOICES = [
    (JobState.SUBMITTED.value, _("Submitted")),
    (JobState.ACCEPTED.value, _("Accepted")),
    (JobState.MODIFIED.value, _("Modified")),
    (JobState.COMPLETED.value, _("Completed")),
    (JobState.VOID.value, _("Void")),
    (JobState.CANCELED.value, _("Canceled")),
]
_OPEN = [JobState.SUBMITTED.value, JobState.ACCEPTED.value, JobState.MODIFIED.value]


class JobQuerySet(DocumentQuerySet["Job"]):
    """The vocabulary for jobs."""

    also_protected: ClassVar[frozenset[str]] = frozenset({"opportunity", "quote", "paid", "refunded", "closed_at"})


class Job(Document):
    """Work for a customer. Attached and alive, it makes a card Contracted and won; done, Completed."""

    LETTER = "J"
    REF = "job"

    opportunity = card_key("jobs")
    quote = models.ForeignKey(
        Quote, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs", verbose_name=_("made of quote")
    )
    state = ProtectedStateField(
        _("state"), max_length=10, choices=JOB_CHOICES, default=JobState.SUBMITTED.value, editable=False
    )
    service_date = models.DateField(_("service date"), null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    paid = models.DecimalField(_("paid"), max_digits=14, decimal_places=2, default=Decimal(0), editable=False)
    refunded = models.DecimalField(_("refunded"), max_digits=14, decimal_places=2, default=Decimal(0), editable=False)
    refunded_on = models.DateField(null=True, editable=False)
    has_pending_payment = models.BooleanField(default=False, editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = (
            *document_constraints("job", JobState),
            models.UniqueConstraint(
                fields=("quote",),
                condition=Q(quote__isnull=False) & ~Q(state__in=("void", "canceled")),
                name="job_one_live_of_quote",
                violation_error_message=_("There is a live job of this quote already."),
            ),
            models.CheckConstraint(
                condition=Q(paid__gte=0, refunded__gte=0, refunded__lte=F("paid")), name="job_refunded_within_paid"
            ),
            models.CheckConstraint(
                condition=Q(state="completed", completed_at__isnull=False)
                | ~Q(state="completed") & Q(completed_at__isnull=True),
                name="job_completed_at_iff_completed",
            ),
        )
        indexes = (
            # The list of jobs, newest first, by what they are.
            models.Index(fields=("state", "-id"), name="job_by_state"),
            # The sweep: whose last day has passed.
            models.Index(fields=("service_date",), name="job_by_service_date"),
        )

    @override
    def is_expired_on(self, day: date) -> bool:
        return job_expired(JobState(str(self.state)), self.service_date, day)

    @property
    def last_day(self) -> date | None:
        """The day after which it stands as Expired; None while none can make it so."""
        return self.service_date if str(self.state) in _OPEN else None

    @property
    def held(self) -> Decimal:
        """The money that was taken and not given back."""
        return self.paid - self.refunded

    @property
    def is_live(self) -> bool:
        """Neither Void nor Canceled."""
        return not self.is_dead

    @transition(field=state, source=JobState.SUBMITTED.value, target=JobState.ACCEPTED.value)
    def confirm(self) -> None:
        """The customer confirmed it."""

    @transition(
        field=state,
        source=[JobState.SUBMITTED.value, JobState.ACCEPTED.value, JobState.MODIFIED.value, JobState.COMPLETED.value],
        target=JobState.MODIFIED.value,
    )
    def modify(self) -> None:
        """Its lines, price or date changed; a completed one is open again (W5.2)."""
        self.completed_at = None

    @transition(field=state, source=_OPEN, target=JobState.COMPLETED.value)
    def complete(self) -> None:
        """The whole of it is done (W5.1)."""

    @transition(field=state, source=JobState.COMPLETED.value, target=JobState.MODIFIED.value)
    def reopen(self) -> None:
        """There is something left to do after all."""
        self.completed_at = None

    @transition(field=state, source=_OPEN, target=JobState.VOID.value)
    def void(self) -> None:
        """A mistake (W7)."""

    @transition(field=state, source=_OPEN, target=JobState.CANCELED.value)
    def cancel(self) -> None:
        """The customer does not want it (W8)."""


class JobLine(Line):
    """A line of a job, and how much of it is fulfilled."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="lines")
    fulfilled_quantity = models.DecimalField(_("fulfilled"), max_digits=12, decimal_places=3, default=Decimal(0))

    class Meta(Line.Meta):
        verbose_name = _("line of a job")
        verbose_name_plural = _("lines of a job")
        constraints = (
            *line_constraints("job_line"),
            models.CheckConstraint(
                condition=Q(fulfilled_quantity__gte=0, fulfilled_quantity__lte=F("quantity")),
                name="job_line_fulfilled_within_quantity",
            ),
        )

    @property
    def counts(self) -> bool:
        """Tell whether it is goods: only products and materials hold a job or a void up (D27)."""
        return self.kind != Line.Kind.SERVICE

    @property
    def is_fulfilled(self) -> bool:
        """Tell whether nothing of it is left to do."""
        return self.fulfilled_quantity >= self.quantity


class PaymentState(models.TextChoices):
    """Where a payment stands (5.4)."""

    PENDING = "pending", _("Pending")
    SUCCEEDED = "succeeded", _("Received")
    FAILED = "failed", _("Failed")
    VOIDED = "voided", _("Entered by mistake")


class RefundState(models.TextChoices):
    """Where a refund stands."""

    PENDING = "pending", _("Pending")
    SUCCEEDED = "succeeded", _("Returned")
    FAILED = "failed", _("Failed")


class PaymentQuerySet(ProtectedStateQuerySet["Payment"]):
    """The vocabulary for payments."""

    also_protected: ClassVar[frozenset[str]] = frozenset({"amount", "job"})


class RefundQuerySet(ProtectedStateQuerySet["Refund"]):
    """The vocabulary for refunds."""

    also_protected: ClassVar[frozenset[str]] = frozenset({"amount", "payment"})


class Payment(ProtectedStateModel):
    """Money taken for a job, in the business's currency."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="payments")
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    state = ProtectedStateField(
        _("state"), max_length=10, choices=PaymentState, default=PaymentState.PENDING.value, editable=False
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    taken_at = models.DateTimeField(editable=False)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=PaymentState.values), name="payment_state_known"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.amount} ({self.state})"

    @transition(field=state, source=PaymentState.PENDING.value, target=PaymentState.SUCCEEDED.value)
    def succeed(self) -> None:
        """The money is here."""

    @transition(field=state, source=PaymentState.PENDING.value, target=PaymentState.FAILED.value)
    def fail(self) -> None:
        """The money did not come."""

    @transition(field=state, source=PaymentState.SUCCEEDED.value, target=PaymentState.VOIDED.value)
    def void(self) -> None:
        """It was entered by mistake, as if never taken."""


class Refund(ProtectedStateModel):
    """Money of a payment that was given back."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    state = ProtectedStateField(
        _("state"), max_length=10, choices=RefundState, default=RefundState.PENDING.value, editable=False
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    made_at = models.DateTimeField(editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_known"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.amount} ({self.state})"

    @transition(field=state, source=RefundState.PENDING.value, target=RefundState.SUCCEEDED.value)
    def succeed(self) -> None:
        """The customer has the money back."""

    @transition(field=state, source=RefundState.PENDING.value, target=RefundState.FAILED.value)
    def fail(self) -> None:
        """The money did not get back."""
