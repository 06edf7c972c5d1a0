"""Links by which people set their own password: made, mailed, and never kept. Nobody sets a password for another."""

import logging
import sys
import threading

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from opportunities.access import Person
from opportunities.models import BusinessSettings

log = logging.getLogger(__name__)

CONSOLE = "django.core.mail.backends.console.EmailBackend"
THREAD = "password mail"


def mail_is_set_up() -> bool:
    """Tell whether mails reach people. Without a mail server they are printed in the terminal."""
    return bool(settings.MAILERS["default"]["BACKEND"] != CONSOLE)


def link_for(person: Person) -> str:
    """Return an address that lets whoever opens it set this person's password: once, and for three days.

    It dies when the password, the e-mail address or the time of the last login changes.
    """
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    path = reverse("password_reset_confirm", args=[uid, default_token_generator.make_token(person)])
    return f"{settings.STAGEBOARD_URL}{path}"


def mail(person: Person) -> None:
    """Mail the person a link. The mail leaves in a thread of its own: the answer takes as long for an unknown address.

    It is not kept in the outbox, because it carries a secret; who gets none asks again.
    """
    context = {
        "person": person,
        "link": link_for(person),
        "business": BusinessSettings.current(),
        "days": settings.PASSWORD_RESET_TIMEOUT // (24 * 3600),
        "invited": not person.has_usable_password(),
    }
    subject = " ".join(render_to_string("registration/password_mail_subject.txt", context).split())
    message = EmailMessage(subject, render_to_string("registration/password_mail.txt", context), to=[person.email])
    threading.Thread(target=_send, args=(message, person.pk), name=THREAD).start()


def _send(message: EmailMessage, person_id: int) -> None:
    try:
        if mail_is_set_up():
            message.send()
        else:
            # As plain text: the console's mail would break the link in the middle of a line.
            sys.stdout.write(f"\nMail to {message.to[0]}: {message.subject}\n\n{message.body}\n")
            sys.stdout.flush()
    except Exception:
        log.exception("a password mail could not be sent", extra={"person": person_id})
