"""The app's name and label."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BoardsConfig(AppConfig):
    """Boards and their columns."""

    name = "boards"
    verbose_name = _("Boards")
