"""Mails: the texts that the business keeps for them, and the outbox of what was and is to be sent (section 7)."""

from datetime import datetime
from typing import Any, Self, override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from opportunities.models.agreement import Agreement, Recipient
from opportunities.models.opportunity import Opportunity
from opportunities.models.quote import Quote, QuoteRecipient

SYSTEM_KEYS = ("opportunity_canceled", "quote_submitted", "agreement_submitted")
"""The templates that the product itself uses."""


class EmailTemplateQuerySet(models.QuerySet["EmailTemplate"]):
    """Templates of the product pass by no way round their model: not removed, switched off or renamed (C2.2)."""

    @override
    def delete(self) -> Any:
        if self.filter(is_system=True).exists():
            raise TypeError("A template of the product is reset, never removed.")
        return super().delete()

    @override
    def update(self, **kwargs: Any) -> int:
        if {"key", "is_system"} & kwargs.keys():
            raise TypeError("The key of a template and whose it is never change.")
        return super().update(**kwargs)

    @override
    def bulk_update(self, objs: Any, fields: Any, batch_size: int | None = None) -> int:
        if {"key", "is_system"} & set(fields):
            raise TypeError("The key of a template and whose it is never change.")
        return super().bulk_update(objs, fields, batch_size=batch_size)


class EmailTemplate(models.Model):
    """A text that mails to customers begin with; placeholders stand in double braces (C2.1, D37).

    Those that the product itself uses are `is_system`: edited and reset, never removed, switched off or renamed (C2.2).
    """

    key = models.CharField(_("key"), max_length=40, unique=True, editable=False)
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))
    is_system = models.BooleanField(_("belongs to the product"), default=False, editable=False)

    objects = EmailTemplateQuerySet.as_manager()

    class Meta:
        verbose_name = _("e-mail template")
        verbose_name_plural = _("e-mail templates")
        ordering = ("key",)
        constraints = (
            models.CheckConstraint(condition=~Q(subject=""), name="template_subject_not_blank"),
            models.CheckConstraint(condition=~Q(body=""), name="template_body_not_blank"),
            models.CheckConstraint(
                condition=Q(is_system=True, key__in=SYSTEM_KEYS) | (Q(is_system=False) & ~Q(key__in=SYSTEM_KEYS)),
                name="template_of_the_product_by_key",
            ),
        )

    @override
    def __str__(self) -> str:
        return self.key

    @override
    def save(self, *args: Any, **kwargs: Any) -> None:
        kept = EmailTemplate.objects.filter(pk=self.pk).values_list("key", "is_system").first()
        if kept is not None and kept != (self.key, self.is_system):
            raise TypeError("The key of a template and whose it is never change.")
        super().save(*args, **kwargs)

    @override
    def delete(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_system:
            raise TypeError("A template of the product is reset, never removed.")
        return super().delete(*args, **kwargs)


class OutgoingEmailQuerySet(models.QuerySet["OutgoingEmail"]):
    """The vocabulary for mails."""

    def due(self, now: datetime) -> Self:
        """Mails that wait and may be tried now."""
        return self.filter(state=OutgoingEmail.State.QUEUED, next_try_at__lte=now)

    def found_no_server(self) -> Self:
        """Mails whose last try found no mail server, since when none has answered."""
        return self.filter(away_at__isnull=False)


class OutgoingEmail(models.Model):
    """A mail as it is, was or will be sent: one row a message, its words finished. Nothing is sent twice by itself."""

    class Kind(models.TextChoices):
        """What a mail is for."""

        CANCEL = "cancel", _("Opportunity canceled")
        QUOTE = "quote", _("Quote")
        AGREEMENT = "agreement", _("Agreement")
        NOTICE = "notice", _("Notice")
        DIGEST = "digest", _("Morning digest")
        REMINDER = "reminder", _("Reminder")

    class State(models.TextChoices):
        """How far a mail has come. `unsure`: the line or the worker was lost when it may have been taken already."""

        QUEUED = "queued", _("Waiting")
        SENDING = "sending", _("Being sent")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        UNSURE = "unsure", _("Perhaps sent")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    opportunity = models.ForeignKey(Opportunity, on_delete=models.CASCADE, null=True, related_name="mails")
    quote = models.ForeignKey(Quote, on_delete=models.CASCADE, null=True, related_name="mails")
    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, null=True, related_name="mails")
    quote_recipient = models.ForeignKey(QuoteRecipient, on_delete=models.SET_NULL, null=True, related_name="mails")
    recipient = models.ForeignKey(Recipient, on_delete=models.SET_NULL, null=True, related_name="mails")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="mails_to_them"
    )
    """The colleague whom a notice, digest or reminder is for."""
    to = models.JSONField(_("to"))
    cc = models.JSONField(_("cc"), default=list)
    reply_to = models.CharField(_("reply to"), max_length=254, blank=True)
    subject = models.CharField(_("subject"), max_length=250)
    body = models.TextField(_("text"))
    html = models.TextField(_("formatted text"), blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    kept_here = models.BooleanField(default=False)
    """Sent where no mail server is set up: it can be read in the product, and nowhere else."""
    error = models.TextField(blank=True)
    away_at = models.DateTimeField(null=True, editable=False)
    """When its last try found no mail server at all; empty again as soon as one answers to any mail."""
    message_id = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    again_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="sent_again")

    objects = OutgoingEmailQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("outbox")
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=("queued", "sending", "sent", "failed", "unsure")), name="mail_state_known"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("cancel", "quote", "agreement", "notice", "digest", "reminder")),
                name="mail_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at__isnull=True)),
                name="mail_sent_at_iff_sent",
            ),
            models.CheckConstraint(
                condition=~Q(state="queued") | Q(next_try_at__isnull=False), name="mail_queued_has_next_try"
            ),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(claimed_at__isnull=False), name="mail_sending_is_claimed"
            ),
            models.CheckConstraint(condition=~Q(subject=""), name="mail_subject_not_blank"),
        )
        indexes = (
            # What the sender takes next.
            models.Index(fields=("next_try_at", "id"), condition=Q(state="queued"), name="mail_due"),
            # Claimed rows whose worker may be dead.
            models.Index(fields=("claimed_at",), condition=Q(state="sending"), name="mail_being_sent"),
            # Whether a mail server answers, and when it was asked last.
            models.Index(fields=("-away_at",), condition=Q(away_at__isnull=False), name="mail_found_no_server"),
            # The mails of a card, newest first.
            models.Index(fields=("opportunity", "-id"), name="mail_of_card"),
            # The outbox page by state.
            models.Index(fields=("state", "-id"), name="mail_by_state"),
        )

    @override
    def __str__(self) -> str:
        return self.subject

    @property
    def never_had_words(self) -> bool:
        """Whether its template could not be filled in: it was never tried, and must not be (section 7)."""
        return self.state == self.State.FAILED and not self.attempts

    def get_absolute_url(self) -> str:
        """Lead to the page of the mail."""
        return reverse("opportunities:mail", args=[self.pk])
