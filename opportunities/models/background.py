"""When each periodic job runs next, and how it went. With Redis, Celery's beat keeps the time, and this the facts."""

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
    last_seconds = models.FloatField(_("seconds of the last run"), null=True, editable=False)
    seconds = models.FloatField(_("seconds of all runs"), default=0, editable=False)
    runs = models.PositiveBigIntegerField(_("runs"), default=0, editable=False)
    failures = models.PositiveBigIntegerField(_("failed runs"), default=0, editable=False)
    alarm_at = models.DateTimeField(_("alarm from"), null=True, editable=False)
    """From when on admins are told: the last run went wrong, or by then the next one should long have ended."""

    class Meta:
        verbose_name = _("background job")
        verbose_name_plural = _("background jobs")

    @override
    def __str__(self) -> str:
        return self.name

    def counted(self, what: str) -> int:
        """A figure of the last run's result; 0 where it has none of this name."""
        value = self.last_result.get(what) if isinstance(self.last_result, dict) else None
        return value if isinstance(value, int) else 0

    @property
    def went_wrong(self) -> bool:
        """The last run failed, could not settle some rows, or found rows due and left them as they were."""
        return bool(self.last_error) or self.counted("failed") > 0 or self.counted("stuck") > 0
