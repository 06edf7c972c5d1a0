"""When each periodic job runs next. Only the embedded loop uses it; with Redis, Celery's beat keeps the time."""

from typing import override

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobSlot(models.Model):
    """One periodic job of `opportunities.background.REGISTRY`: its next slot, and how the last run went.

    A process takes a slot by writing the slot after it over the one it saw; who finds another value was too late.
    """

    name = models.CharField(_("job"), max_length=100, unique=True)
    next_run_at = models.DateTimeField(_("next run"))
    last_started_at = models.DateTimeField(_("last started"), null=True, blank=True)
    last_finished_at = models.DateTimeField(_("last finished"), null=True, blank=True)
    last_result = models.JSONField(_("last result"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")

    class Meta:
        verbose_name = _("background job")
        verbose_name_plural = _("background jobs")

    @override
    def __str__(self) -> str:
        return self.name
