"""Acts on many cards at once that the job loop works off in chunks."""

import uuid
from typing import override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class BulkAct(models.Model):
    """One act on many cards: what, by whom, how far it has come, and which cards were refused and why.

    `card_ids` are the cards that were selected; visibility and rules are judged again card by card.
    """

    class State(models.TextChoices):
        """Where the work stands."""

        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    verb = models.CharField(max_length=30)
    arguments = models.JSONField(default=dict)
    query = models.TextField(blank=True)
    board_id = models.BigIntegerField(null=True)
    card_ids = models.JSONField(default=list)
    position = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list)
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("bulk act")
        verbose_name_plural = _("bulk acts")
        constraints = (
            models.CheckConstraint(
                condition=Q(state="done", finished_at__isnull=False) | (~Q(state="done") & Q(finished_at__isnull=True)),
                name="bulk_finished_iff_done",
            ),
        )
        indexes = (
            # What the job loop still has to work off, oldest first.
            models.Index(fields=("created_at",), condition=~Q(state="done"), name="bulk_unfinished"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.verb} ({self.position}/{len(self.card_ids)})"
