"""What `manage.py check` says about the installation beyond what Django says."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
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
