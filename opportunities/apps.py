"""The app's name and label."""

from typing import override

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpportunitiesConfig(AppConfig):
    """Opportunities, customers, setup tables, history."""

    name = "opportunities"
    verbose_name = _("Stageboard")

    @override
    def ready(self) -> None:
        from opportunities import checks  # noqa: F401  # registers them
