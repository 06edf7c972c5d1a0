"""The outbox: a mail is a row first, written in the transaction of the act it tells of, and sent after it (D35)."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import make_msgid
from typing import Any

from django.conf import settings

from opportunities.access import Person
from opportunities.background import after_commit
from opportunities.models import OutgoingEmail

SENDER = "opportunities.tasks.send_mails"


def queue(
    *,
    kind: str,
    to: Sequence[str],
    subject: str,
    body: str,
    html: str = "",
    cc: Sequence[str] = (),
    reply_to: str = "",
    not_before: datetime | None = None,
    error: str = "",
    actor: Person | None,
    now: datetime,
    **about: Any,
) -> OutgoingEmail:
    """Put a mail in the outbox; it leaves soon after the transaction commits, or with it never was.

    `about` names what it tells of: opportunity, quote, agreement, quote_recipient, recipient, person, again_of.
    Nothing that goes into a header keeps its line breaks. With an `error` it cannot be sent, and is kept as failed.
    """
    mail = OutgoingEmail.objects.create(
        kind=kind,
        to=[in_one_line(address) for address in to],
        cc=[in_one_line(address) for address in cc],
        reply_to=in_one_line(reply_to),
        subject=in_one_line(subject)[:250],
        body=body,
        html=html,
        state=OutgoingEmail.State.FAILED if error else OutgoingEmail.State.QUEUED,
        error=error,
        next_try_at=None if error else not_before or now,
        message_id=make_msgid(domain=settings.SITE.hostname),
        created_at=now,
        created_by=actor,
        **about,
    )
    if not error:
        after_commit(SENDER)
    return mail


def in_one_line(text: str) -> str:
    """Take line breaks and other control characters out of what goes into a header."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
