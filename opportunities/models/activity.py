"""What salespeople do about a card: notes and action items."""

from typing import override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from opportunities.models.opportunity import Opportunity


class Note(models.Model):
    """Something worth remembering about a card, in the words of who wrote it."""

    opportunity = models.ForeignKey(Opportunity, on_delete=models.CASCADE, related_name="notes")
    text = models.TextField(_("note"))
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        constraints = (models.CheckConstraint(condition=~Q(text=""), name="note_text_not_blank"),)

    @override
    def __str__(self) -> str:
        return self.text[:60]


class ActionItem(models.Model):
    """The next thing to do about a card, by someone, by a day."""

    class State(models.TextChoices):
        """Open until it is done, or until the card is closed."""

        OPEN = "open", _("Open")
        DONE = "done", _("Done")
        CLOSED = "closed", _("Closed with the card")

    opportunity = models.ForeignKey(Opportunity, on_delete=models.CASCADE, related_name="action_items")
    text = models.CharField(_("what to do"), max_length=200)
    due_on = models.DateField(_("due"))
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="action_items",
        verbose_name=_("who"),
    )
    state = models.CharField(_("state"), max_length=6, choices=State, default=State.OPEN, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    done_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("action item")
        verbose_name_plural = _("action items")
        constraints = (
            models.CheckConstraint(condition=~Q(text=""), name="action_text_not_blank"),
            models.CheckConstraint(condition=Q(state__in=("open", "done", "closed")), name="action_state_known"),
            models.CheckConstraint(
                condition=Q(state="open", done_at__isnull=True) | (~Q(state="open") & Q(done_at__isnull=False)),
                name="action_done_at_iff_not_open",
            ),
        )
        indexes = (
            # The next action of a card.
            models.Index(fields=("opportunity", "due_on", "id"), condition=Q(state="open"), name="action_next_of_card"),
            # A calendar's days.
            models.Index(fields=("due_on",), condition=Q(state="open"), name="action_by_day"),
        )

    @override
    def __str__(self) -> str:
        return self.text
