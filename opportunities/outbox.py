"""Mails that the product writes to people, handed to the mail server.

A stand-in with the signature of the outbox that keeps, retries and shows its mails: it sends at once, within the
transaction of the caller. If the server refuses, that is rolled back, and the job finds its work again a minute later.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.mail import EmailMessage

from opportunities.access import Person


def queue(
    *,
    kind: str,
    to: Sequence[str],
    subject: str,
    body: str,
    actor: Person | None,
    now: datetime,
    **_kept: Any,
) -> None:
    """Send a mail. What it is about (a card, a person) is of no use without an outbox that keeps it."""
    headers = {"Auto-Submitted": "auto-generated", "X-Stageboard-Kind": kind}
    EmailMessage(subject, body, to=list(to), headers=headers).send()
