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

    class Remind(models.TextChoices):
        """When it is recalled: in the morning of its day or of the day before, or at a moment of one's own."""

        NEVER = "never", _("No reminder")
        DAY = "day", _("On the day")
        BEFORE = "before", _("A day before")
        MOMENT = "moment", _("At a time of your own")

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
    remind = models.CharField(_("reminder"), max_length=6, choices=Remind, default=Remind.NEVER, editable=False)
    remind_on = models.DateField(null=True, editable=False)
    remind_time = models.TimeField(null=True, editable=False)
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
            models.CheckConstraint(
                condition=Q(remind="moment", remind_on__isnull=False, remind_time__isnull=False)
                | Q(remind__in=("never", "day", "before"), remind_on__isnull=True, remind_time__isnull=True),
                name="action_moment_iff_own_time",
            ),
        )
        indexes = (
            # The next action of a card.
            models.Index(fields=("opportunity", "due_on", "id"), condition=Q(state="open"), name="action_next_of_card"),
            # What somebody has to do, by day: the page "My day".
            models.Index(fields=("assignee", "due_on", "id"), condition=Q(state="open"), name="action_of_person"),
            # A calendar's days.
            models.Index(fields=("due_on",), condition=Q(state="open"), name="action_by_day"),
        )

    @override
    def __str__(self) -> str:
        return self.text


class Reminder(models.Model):
    """An action item recalled at a moment, once (5.6). A row is scheduled until it is sent, or removed."""

    class State(models.TextChoices):
        """It waits for its moment; it was told; it was taken back before."""

        SCHEDULED = "scheduled", _("Scheduled")
        SENT = "sent", _("Sent")
        REMOVED = "removed", _("Removed")

    action = models.ForeignKey(ActionItem, on_delete=models.CASCADE, related_name="reminders")
    fire_at = models.DateTimeField(_("when"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.SCHEDULED)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = (
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False)
                | Q(state__in=("scheduled", "removed"), sent_at__isnull=True),
                name="reminder_sent_at_iff_sent",
            ),
            models.UniqueConstraint(
                fields=("action",), condition=Q(state="scheduled"), name="reminder_one_scheduled_an_action"
            ),
        )
        indexes = (
            # What is due to be told, by moment.
            models.Index(fields=("fire_at", "id"), condition=Q(state="scheduled"), name="reminder_due"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.action_id} {self.fire_at:%Y-%m-%d %H:%M}"
