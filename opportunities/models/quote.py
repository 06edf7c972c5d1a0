"""The quote: an offer to a customer, its lines, who receives it, and the steps of its life (lifecycle.md 5.1)."""

import secrets
from datetime import date
from typing import ClassVar, override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import transition

from opportunities.models.customer import Contact
from opportunities.models.document import (
    Document,
    DocumentQuerySet,
    Line,
    card_key,
    document_constraints,
    line_constraints,
)
from opportunities.models.state_field import ProtectedStateField
from opportunities.states import QuoteState, quote_expired

QUOTE_CHOICES = [
    (QuoteState.INCOMPLETE.value, _("Incomplete")),
    (QuoteState.DRAFT.value, _("Draft")),
    (QuoteState.SUBMITTED.value, _("Submitted")),
    (QuoteState.MODIFIED.value, _("Modified")),
    (QuoteState.ACCEPTED.value, _("Accepted")),
    (QuoteState.CONVERTED.value, _("Converted")),
    (QuoteState.VOID.value, _("Void")),
    (QuoteState.CANCELED.value, _("Canceled")),
]
_ALIVE = [
    QuoteState.INCOMPLETE.value,
    QuoteState.DRAFT.value,
    QuoteState.SUBMITTED.value,
    QuoteState.MODIFIED.value,
    QuoteState.ACCEPTED.value,
    QuoteState.CONVERTED.value,
]


def make_nonce() -> str:
    """Make the secret part of a private link; a new one ends the old link."""
    return secrets.token_urlsafe(16)


class QuoteQuerySet(DocumentQuerySet["Quote"]):
    """The vocabulary for quotes."""

    also_protected: ClassVar[frozenset[str]] = frozenset({"submit_count", "opportunity", "archived_at", "closed_at"})


class Quote(Document):
    """An offer with a price. Submitted, it makes a card a Negotiation; converted, it becomes a job."""

    LETTER = "Q"
    REF = "quote"

    opportunity = card_key("quotes")
    state = ProtectedStateField(
        _("state"), max_length=10, choices=QUOTE_CHOICES, default=QuoteState.INCOMPLETE.value, editable=False
    )
    submit_count = models.PositiveSmallIntegerField(default=0, editable=False)
    submitted_at = models.DateTimeField(null=True, editable=False)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    service_date = models.DateField(_("service date"), null=True, blank=True)
    terms = models.TextField(_("terms"), blank=True)
    answered_at = models.DateTimeField(null=True, editable=False)
    answered_by = models.CharField(max_length=150, blank=True, editable=False)
    answer_noted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    """The colleague who noted the answer; none where the customer gave it by a private link."""
    declined = models.BooleanField(default=False, editable=False)
    decline_note = models.TextField(blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)

    objects = QuoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        constraints = (
            *document_constraints("quote", QuoteState),
            models.CheckConstraint(
                condition=~Q(state__in=("submitted", "accepted")) | Q(submit_count__gte=1),
                name="quote_submitted_was_submitted",
            ),
            models.CheckConstraint(
                condition=~Q(state="incomplete") | Q(submit_count=0), name="quote_incomplete_never_submitted"
            ),
        )
        indexes = (
            # The list of quotes, newest first, by what they are.
            models.Index(fields=("state", "-id"), name="quote_by_state"),
            # The sweep: whose last day has passed.
            models.Index(fields=("valid_until",), name="quote_by_last_day"),
            # A calendar's days.
            models.Index(
                fields=("service_date",), condition=Q(service_date__isnull=False), name="quote_by_service_date"
            ),
        )

    @override
    def is_expired_on(self, day: date) -> bool:
        return quote_expired(QuoteState(str(self.state)), self.valid_until, day)

    @property
    def last_day(self) -> date | None:
        """The day after which it stands as Expired; None while none can make it so."""
        return self.valid_until if quote_expired(QuoteState(str(self.state)), date.min, date.max) else None

    @transition(field=state, source=QuoteState.INCOMPLETE.value, target=QuoteState.DRAFT.value)
    def complete(self) -> None:
        """The first line came."""

    @transition(field=state, source=QuoteState.DRAFT.value, target=QuoteState.INCOMPLETE.value)
    def empty(self) -> None:
        """The last line went."""

    @transition(
        field=state,
        source=[QuoteState.DRAFT.value, QuoteState.MODIFIED.value, QuoteState.SUBMITTED.value],
        target=QuoteState.SUBMITTED.value,
    )
    def submit(self) -> None:
        """It reached the customer, for the first time or again."""
        self.submit_count += 1

    @transition(
        field=state,
        source=[QuoteState.SUBMITTED.value, QuoteState.ACCEPTED.value],
        target=QuoteState.MODIFIED.value,
    )
    def modify(self) -> None:
        """Its lines or price changed after the customer had seen it."""

    @transition(field=state, source=QuoteState.SUBMITTED.value, target=QuoteState.ACCEPTED.value)
    def accept(self) -> None:
        """The customer said yes. No contract yet (D2)."""

    @transition(
        field=state,
        source=[
            QuoteState.DRAFT.value,
            QuoteState.SUBMITTED.value,
            QuoteState.MODIFIED.value,
            QuoteState.ACCEPTED.value,
            QuoteState.CONVERTED.value,
        ],
        target=QuoteState.CONVERTED.value,
    )
    def convert(self) -> None:
        """A job came of it; again only after that job died."""

    @transition(field=state, source=_ALIVE, target=QuoteState.VOID.value)
    def void(self) -> None:
        """A mistake (W7)."""

    @transition(field=state, source=_ALIVE, target=QuoteState.CANCELED.value)
    def cancel(self) -> None:
        """The customer does not want it (W8, D20)."""


class QuoteLine(Line):
    """A line of a quote."""

    quote = models.ForeignKey(Quote, on_delete=models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        verbose_name = _("line of a quote")
        verbose_name_plural = _("lines of a quote")
        constraints = line_constraints("quote_line")


class QuoteRecipient(models.Model):
    """Who receives a quote, with a private link of their own. The first answer counts."""

    quote = models.ForeignKey(Quote, on_delete=models.CASCADE, related_name="recipients")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), blank=True)
    nonce = models.CharField(max_length=32, default=make_nonce, editable=False)
    viewed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("recipient of a quote")
        verbose_name_plural = _("recipients of a quote")
        ordering = ("pk",)
        constraints = (models.CheckConstraint(condition=~Q(name=""), name="quote_recipient_name_not_blank"),)

    @override
    def __str__(self) -> str:
        return self.name
