"""Acts on many cards at once that the job loop works off in chunks."""

import uuid
from typing import Self, override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from opportunities import access
from opportunities.access import Person


class BulkActQuerySet(models.QuerySet["BulkAct"]):
    """The vocabulary for acts on many cards."""

    def unfinished(self) -> Self:
        """What the job loop still has to work off, oldest first."""
        return self.exclude(state=BulkAct.State.DONE).order_by("created_at", "pk")

    def visible_to(self, user: Person | None) -> Self:
        """A person's own acts; managers see everybody's, because they may take them back."""
        return self if access.may(user, "undo_others") else self.filter(actor=user)


class BulkAct(models.Model):
    """One act on many cards: what, by whom, how far it has come, and which cards were refused and why.

    `card_ids` are the cards that were selected (of an undo: the events to take back), in the order of the work; they
    are forgotten when it is done. Visibility and rules are judged again card by card. `refused` lists the first of the
    cards that were refused, `refused_count` counts them all.
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
    total = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list)
    refused_count = models.PositiveIntegerField(default=0)
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = BulkActQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk act")
        verbose_name_plural = _("bulk acts")
        constraints = (
            models.CheckConstraint(
                condition=Q(state="done", finished_at__isnull=False) | (~Q(state="done") & Q(finished_at__isnull=True)),
                name="bulk_finished_iff_done",
            ),
            # Whoever asks twice to take an act back is answered once.
            models.UniqueConstraint(fields=("undoes",), name="bulk_undone_once"),
        )
        indexes = (
            # What the job loop still has to work off, oldest first.
            models.Index(fields=("created_at",), condition=~Q(state="done"), name="bulk_unfinished"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.verb} ({self.position}/{self.total})"

    @property
    def is_done(self) -> bool:
        """Every card was judged, or somebody stopped the work."""
        return self.state == self.State.DONE

    @property
    def is_undo(self) -> bool:
        """It takes another act back."""
        return self.undoes_id is not None

    @property
    def unchanged(self) -> int:
        """How many cards were as asked for already."""
        return self.position - self.changed - self.refused_count

    @property
    def not_reached(self) -> int:
        """How many cards nobody has looked at (yet; or never, where the work was stopped)."""
        return self.total - self.position
