"""The calendar feed: by which private address a person's own calendar program reads the dates (lifecycle.md 8)."""

from typing import override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from opportunities.models.quote import make_nonce


class CalendarFeed(models.Model):
    """A person's feed. No row: it is switched off. A new nonce ends the old address."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_feed")
    nonce = models.CharField(max_length=32, default=make_nonce, editable=False)
    all_cards = models.BooleanField(_("all cards that I may see"), default=False)
    """Not only the person's own cards, but all that they may see at the time somebody asks."""
    made_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")
        constraints = (models.CheckConstraint(condition=~Q(nonce=""), name="calendar_feed_nonce_not_blank"),)

    @override
    def __str__(self) -> str:
        return f"{self.user_id}"
