"""What `manage.py check` says about the installation beyond what Django says."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import mailers


@register
def mail_server(**_given: Any) -> list[CheckMessage]:
    """Say what is wrong with EMAIL_URL. Nothing is connected to."""
    try:
        mailers["default"]
    except ImproperlyConfigured as error:
        return [Error(f"EMAIL_URL cannot be used: {error}", id="stageboard.E001")]
    return []


@register(Tags.security, deploy=True)
def mail_kept_here(**_given: Any) -> list[CheckMessage]:
    """Say what becomes of mails without EMAIL_URL.

    That is a way to work: it is told, but keeps nothing from starting.
    """
    if not settings.MAIL_KEPT_HERE:
        return []
    return [
        checks.Warning(
            "EMAIL_URL is empty: mails to customers and colleagues wait on the page “Mails”, and password links are "
            "printed among the log lines of the web process.",
            hint="Name a mail server: EMAIL_URL='smtp://user:password@mail.example.com:587?tls=1'",
            id="stageboard.W001",
        )
    ]
