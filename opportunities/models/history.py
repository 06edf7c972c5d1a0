"""What happened to each card and document: append-only, one row a change, with who or what caused it."""

import uuid
from typing import Any, Never, override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from opportunities.models.agreement import Agreement
from opportunities.models.job import Job
from opportunities.models.opportunity import Opportunity
from opportunities.models.quote import Quote


class Event(models.Model):
    """One thing that happened to a card, or to a document on none. Rows are written once and never changed."""

    class Via(models.TextChoices):
        """Through which door the act came."""

        PAGE = "page", _("page")
        ADMIN = "admin", _("admin")
        LINK = "link", _("link")
        CLOCK = "clock", _("clock")
        IMPORT = "import", _("import")

    act = models.UUIDField(default=uuid.uuid4)
    at = models.DateTimeField()
    opportunity = models.ForeignKey(Opportunity, on_delete=models.CASCADE, null=True, related_name="events")
    quote = models.ForeignKey(Quote, on_delete=models.PROTECT, null=True, related_name="events", db_index=False)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, related_name="events", db_index=False)
    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, null=True, related_name="events", db_index=False)
    kind = models.CharField(max_length=30)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    by = models.CharField(max_length=150)
    via = models.CharField(max_length=6, choices=Via, default=Via.PAGE)
    changes = models.JSONField(default=dict)
    version = models.PositiveIntegerField()
    workflow_from = models.CharField(max_length=12, blank=True)
    workflow_to = models.CharField(max_length=12, blank=True)
    sales_from = models.CharField(max_length=5, blank=True)
    sales_to = models.CharField(max_length=5, blank=True)
    rule = models.CharField(max_length=6, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = (
            models.CheckConstraint(
                condition=Q(opportunity__isnull=False)
                | Q(quote__isnull=False)
                | Q(job__isnull=False)
                | Q(agreement__isnull=False),
                name="event_is_about_something",
            ),
        )
        indexes = (
            # The timeline of a card, newest first; what changed since a version.
            models.Index(fields=("opportunity", "-id"), name="event_timeline"),
            # The story of a document, whatever card it was on.
            models.Index(fields=("quote", "-id"), condition=Q(quote__isnull=False), name="event_of_quote"),
            models.Index(fields=("job", "-id"), condition=Q(job__isnull=False), name="event_of_job"),
            models.Index(fields=("agreement", "-id"), condition=Q(agreement__isnull=False), name="event_of_agreement"),
            # What the clock did, newest first.
            models.Index(fields=("-id",), condition=Q(via="clock"), name="event_by_clock"),
            # All events of one bulk act, for its undo.
            models.Index(fields=("act",), name="event_act"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.opportunity_id}"

    @override
    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("History is only ever added to.")
        super().save(*args, **kwargs)

    @override
    def delete(self, *args: Any, **kwargs: Any) -> Never:
        raise TypeError("History is never deleted.")
