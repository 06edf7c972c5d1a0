"""The agreement or proposal, its recipients and their answers (lifecycle.md 5.5, D3)."""

from collections.abc import Iterable
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
from opportunities.models.quote import make_nonce
from opportunities.models.state_field import ProtectedStateField, ProtectedStateModel, ProtectedStateQuerySet
from opportunities.states import WAITING, AgreementState, AgreementStatus, RecipientState, agreement_status

AGREEMENT_STATES = [
    (AgreementState.INCOMPLETE.value, _("Incomplete")),
    (AgreementState.DRAFT.value, _("Draft")),
    (AgreementState.SUBMITTED.value, _("Submitted")),
    (AgreementState.CANCELED.value, _("Canceled")),
    (AgreementState.VOID.value, _("Void")),
]
AGREEMENT_CHOICES = [
    (AgreementStatus.INCOMPLETE.value, _("Incomplete")),
    (AgreementStatus.DRAFT.value, _("Draft")),
    (AgreementStatus.SUBMITTED.value, _("Submitted")),
    (AgreementStatus.ACCEPTED.value, _("Accepted")),
    (AgreementStatus.REJECTED.value, _("Rejected")),
    (AgreementStatus.EXPIRED.value, _("Expired")),
    (AgreementStatus.CANCELED.value, _("Canceled")),
    (AgreementStatus.VOID.value, _("Void")),
]
RECIPIENT_CHOICES = [
    (RecipientState.PENDING.value, _("Not sent yet")),
    (RecipientState.SENT.value, _("Sent")),
    (RecipientState.VIEWED.value, _("Viewed")),
    (RecipientState.ACCEPTED.value, _("Accepted")),
    (RecipientState.REJECTED.value, _("Rejected")),
    (RecipientState.EXPIRED.value, _("Expired")),
    (RecipientState.CANCELED.value, _("Canceled")),
]
_WAITING = [each.value for each in RecipientState if each in WAITING]
_OUT = [RecipientState.SENT.value, RecipientState.VIEWED.value]


class AgreementQuerySet(DocumentQuerySet["Agreement"]):
    """The vocabulary for agreements."""

    also_protected: ClassVar[frozenset[str]] = frozenset({"status", "opportunity", "submitted_at", "closed_at"})

    def lapsed(self, today: date) -> "AgreementQuerySet":
        """Agreements that are out and whose last day has passed."""
        return self.filter(status=AgreementStatus.SUBMITTED.value, valid_until__lt=today)


class Agreement(Document):
    """A paper that the customer's people sign. Submitted, it makes a card an Agreement; signed by all, Contracted."""

    LETTER = "A"
    REF = "agreement"

    class Kind(models.TextChoices):
        """Two names for the same thing (D3)."""

        AGREEMENT = "agreement", _("Agreement")
        PROPOSAL = "proposal", _("Proposal")

    opportunity = card_key("agreements")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.AGREEMENT)
    text = models.TextField(_("text"), blank=True)
    state = ProtectedStateField(
        max_length=10, choices=AGREEMENT_STATES, default=AgreementState.INCOMPLETE.value, editable=False
    )
    status = models.CharField(
        _("status"), max_length=10, choices=AGREEMENT_CHOICES, default=AgreementStatus.INCOMPLETE.value, editable=False
    )
    """What it shows: its state, or what its signers made of a submitted one. Kept in step by `follow_signers`."""
    submitted_at = models.DateTimeField(null=True, editable=False)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    ended_on = models.DateField(null=True, editable=False)
    signer_count = models.PositiveSmallIntegerField(default=0, editable=False)
    signed_count = models.PositiveSmallIntegerField(default=0, editable=False)
    replaces = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="replaced_by"
    )

    objects = AgreementQuerySet.as_manager()

    class Meta:
        verbose_name = _("agreement")
        verbose_name_plural = _("agreements")
        constraints = (
            *document_constraints("agreement", AgreementState),
            models.CheckConstraint(
                condition=Q(status__in=[each.value for each in AgreementStatus]), name="agreement_status_known"
            ),
            models.CheckConstraint(
                condition=Q(state="submitted", status__in=("submitted", "accepted", "rejected", "expired", "canceled"))
                | ~Q(state="submitted") & Q(status=models.F("state")),
                name="agreement_status_follows_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="submitted") | Q(submitted_at__isnull=False), name="agreement_submitted_at"
            ),
            models.CheckConstraint(condition=Q(kind__in=("agreement", "proposal")), name="agreement_kind_known"),
        )
        indexes = (
            # The list of agreements, newest first, by what they show.
            models.Index(fields=("status", "-id"), name="agreement_by_status"),
            # The sweep: whose last day has passed.
            models.Index(fields=("valid_until",), condition=Q(status="submitted"), name="agreement_by_last_day"),
        )

    @override
    def is_expired_on(self, day: date) -> bool:
        return self.status_on(day) is AgreementStatus.EXPIRED

    def status_on(self, day: date) -> AgreementStatus:
        """What it shows on a local day: one that is still out expires the day after its last, swept or not."""
        late = self.valid_until is not None and self.valid_until < day
        if self.status == AgreementStatus.SUBMITTED and late:
            return AgreementStatus.EXPIRED
        return AgreementStatus(self.status)

    @property
    def last_day(self) -> date | None:
        """The day after which it expires; None while none can make it so."""
        return self.valid_until if self.status == AgreementStatus.SUBMITTED else None

    def follow_signers(self, recipients: Iterable["Recipient"], today: date) -> None:
        """Bring what it shows in line with its state and its signers' answers."""
        signers = [RecipientState(str(each.state)) for each in recipients if each.role == Recipient.Role.SIGNER]
        self.signer_count = len(signers)
        self.signed_count = signers.count(RecipientState.ACCEPTED)
        was = self.status
        self.status = agreement_status(AgreementState(str(self.state)), signers).value
        if self.status != was:
            out = self.status in {"incomplete", "draft", "submitted"}
            self.ended_on = None if out else today

    @transition(field=state, source=AgreementState.INCOMPLETE.value, target=AgreementState.DRAFT.value)
    def complete(self) -> None:
        """It has a text and a signer."""

    @transition(field=state, source=AgreementState.DRAFT.value, target=AgreementState.INCOMPLETE.value)
    def empty(self) -> None:
        """It lost its text or its last signer."""

    @transition(field=state, source=AgreementState.DRAFT.value, target=AgreementState.SUBMITTED.value)
    def submit(self) -> None:
        """It went out to its recipients."""

    @transition(field=state, source=AgreementState.SUBMITTED.value, target=AgreementState.CANCELED.value)
    def withdraw(self) -> None:
        """The business took it back before all had answered."""

    @transition(
        field=state,
        source=[AgreementState.INCOMPLETE.value, AgreementState.DRAFT.value],
        target=AgreementState.CANCELED.value,
    )
    def cancel(self) -> None:
        """Its card was canceled before it went out (6.3)."""

    @transition(
        field=state,
        source=[
            AgreementState.INCOMPLETE.value,
            AgreementState.DRAFT.value,
            AgreementState.SUBMITTED.value,
            AgreementState.CANCELED.value,
        ],
        target=AgreementState.VOID.value,
    )
    def void(self) -> None:
        """It counts as never attached (D16)."""


class AgreementLine(Line):
    """A line of an agreement."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        verbose_name = _("line of an agreement")
        verbose_name_plural = _("lines of an agreement")
        constraints = line_constraints("agreement_line")


class Recipient(ProtectedStateModel):
    """A person who receives an agreement: a signer answers it, a copy recipient never counts (D18)."""

    class Role(models.TextChoices):
        """What is expected of them."""

        SIGNER = "signer", _("Signs")
        COPY = "copy", _("Gets a copy")

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="recipients")
    role = models.CharField(_("role"), max_length=6, choices=Role, default=Role.SIGNER)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), blank=True)
    state = ProtectedStateField(
        _("state"), max_length=10, choices=RECIPIENT_CHOICES, default=RecipientState.PENDING.value, editable=False
    )
    nonce = models.CharField(max_length=32, default=make_nonce, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    viewed_at = models.DateTimeField(null=True, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)
    answered_as = models.CharField(max_length=150, blank=True, editable=False)
    noted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    """The colleague who noted the answer; none where they gave it themselves by their link."""
    decline_note = models.TextField(blank=True, editable=False)

    objects = ProtectedStateQuerySet["Recipient"].as_manager()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(name=""), name="recipient_name_not_blank"),
            models.CheckConstraint(condition=Q(role__in=("signer", "copy")), name="recipient_role_known"),
            models.CheckConstraint(
                condition=Q(state__in=[each.value for each in RecipientState]), name="recipient_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("accepted", "rejected"), answered_at__isnull=False)
                | ~Q(state__in=("accepted", "rejected")) & Q(answered_at__isnull=True),
                name="recipient_answered_at_iff_answered",
            ),
        )

    @override
    def __str__(self) -> str:
        return self.name

    @property
    def is_waiting(self) -> bool:
        """Has not answered yet."""
        return str(self.state) in _WAITING

    @transition(field=state, source=_WAITING, target=RecipientState.SENT.value)
    def send(self) -> None:
        """The agreement is on its way to them, for the first time or again."""

    @transition(field=state, source=_OUT, target=RecipientState.VIEWED.value)
    def view(self) -> None:
        """They opened it."""

    @transition(field=state, source=_OUT, target=RecipientState.ACCEPTED.value)
    def accept(self) -> None:
        """They agreed."""

    @transition(field=state, source=_OUT, target=RecipientState.REJECTED.value)
    def reject(self) -> None:
        """They refused."""

    @transition(field=state, source=_WAITING, target=RecipientState.EXPIRED.value)
    def expire(self) -> None:
        """The last day passed without their answer; final for them."""

    @transition(field=state, source=_WAITING, target=RecipientState.CANCELED.value)
    def cancel(self) -> None:
        """They are not asked any more."""
