"""Handing one mail to a mail server or a provider, and what became of it. Knows no row and no clock.

The one question that counts: may the other side have the mail already? Only if not, it may be tried again by itself.
"""

import email.policy
import logging
import re
import smtplib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, override

import requests
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.smtp import EmailBackend
from django.utils.translation import gettext as _
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

log = logging.getLogger(__name__)

LONGEST_WORDS = 2000
"""How much of a server's answer is kept."""

NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Answers of an SMTP server that ask for (another) login: the set-up is wrong, not the mail."""

PROVIDER_BUSY = frozenset({401, 402, 403, 407, 408, 425, 429, 503})
"""Answers of a provider's API that mean "not now" or "not let in": it has not taken the mail."""


class Fate(StrEnum):
    """What became of a mail that was handed over."""

    TAKEN = "taken"
    LATER = "later"
    """Not taken; the same mail may pass later."""
    REFUSED = "refused"
    """Not taken, and it never will be."""
    UNSURE = "unsure"
    """The line was lost when it may have been taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of a mail, with the other side's words where it said any."""

    fate: Fate
    words: str = ""
    unreachable: bool = False
    """No server was reached at all: no other mail would pass either."""


class NotTaken(Exception):
    """The other side has not taken the mail."""

    def __init__(self, words: str, *, for_good: bool, unreachable: bool = False) -> None:
        super().__init__(words)
        self.for_good = for_good
        self.unreachable = unreachable


class MayBeTaken(Exception):
    """The line was lost after the mail was on its way."""


class SteppedEmailBackend(EmailBackend):
    """Django's SMTP, one step at a time, so that it is known how far a mail has come when something fails.

    Raises `NotTaken` or `MayBeTaken`. Who was refused while others were not stands in the message's `refused_some`.
    """

    @override
    def open(self) -> Any:
        try:
            return super().open()
        except (OSError, smtplib.SMTPException) as error:
            raise NotTaken(_in_words(error), for_good=False, unreachable=True) from error

    @override
    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self.connection = None  # the mail's fate is settled; a clumsy goodbye changes nothing

    def _send(self, email_message: EmailMessage) -> bool:
        if not email_message.recipients():
            return False
        sender = self.prep_address(email_message.from_email)
        recipients = [self.prep_address(address) for address in email_message.recipients()]
        content = email_message.message(policy=email.policy.SMTP).as_bytes()
        line = self.connection
        if line is None:
            raise NotTaken(_("There is no line to the mail server."), for_good=False)
        try:
            refused = _introduce(line, sender, recipients)
        except OSError as error:
            raise NotTaken(_in_words(error), for_good=False) from error
        try:
            line.send(re.sub(rb"(?m)^\.", b"..", content) + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
            code, reply = line.getreply()
        except OSError as error:
            raise MayBeTaken(_in_words(error)) from error
        _require(code == 250, code, reply)
        setattr(email_message, "refused_some", refused)
        return True


def _introduce(line: smtplib.SMTP, sender: str, recipients: list[str]) -> list[str]:
    """Say who writes to whom, up to the word DATA. Answers in words who is refused while others are not."""
    line.ehlo_or_helo_if_needed()
    code, reply = line.mail(sender)
    _require(code == 250, code, reply)
    refused, codes = [], []
    for address in recipients:
        code, reply = line.rcpt(address)
        if code not in {250, 251}:
            refused.append(f"{address}: {_answer(code, reply)}")
            codes.append(code)
    if len(refused) == len(recipients):
        for_good = all(500 <= code < 600 and code not in NOT_LET_IN for code in codes)
        raise NotTaken("\n".join(refused), for_good=for_good)
    code, reply = line.docmd("DATA")
    _require(code == 354, code, reply)
    return refused


def _require(passed: bool, code: int, reply: bytes) -> None:
    if not passed:
        raise NotTaken(_answer(code, reply), for_good=500 <= code < 600 and code not in NOT_LET_IN)


def _answer(code: int, reply: bytes) -> str:
    return f"{code} {reply.decode('utf-8', 'replace')}".strip()


def _in_words(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return _answer(error.smtp_code, reply if isinstance(reply, bytes) else str(reply).encode())
    if isinstance(error, TimeoutError):
        return _("The mail server did not answer in time.")
    return getattr(error, "strerror", "") or str(error) or type(error).__name__


def deliver(message: EmailMessage) -> Outcome:
    """Hand a mail over, and say what became of it. Never raises; what nobody foresaw counts as perhaps sent."""
    try:
        mailer = mailers.default
    except (ImproperlyConfigured, AnymailError) as error:
        log.exception("the mail server is not set up rightly")
        return Outcome(Fate.LATER, _short(error), unreachable=True)
    try:
        sent = mailer.send_messages([message])
    except Exception as error:
        return _judge(error)
    if not sent:
        return Outcome(Fate.REFUSED, _("There is nobody to send it to."))
    return Outcome(Fate.TAKEN, "\n".join([*getattr(message, "refused_some", []), *_refused_by_provider(message)]))


def _judge(error: Exception) -> Outcome:
    words = _short(error)
    if isinstance(error, NotTaken):
        return Outcome(Fate.REFUSED if error.for_good else Fate.LATER, words, error.unreachable)
    if isinstance(error, MayBeTaken):
        return Outcome(Fate.UNSURE, words)
    if isinstance(error, AnymailAPIError):
        return _judge_answer(error, words)
    # Before anything was handed over: an address or a header that no mail may carry, or a provider that said no to all.
    if isinstance(error, (AnymailRecipientsRefused, AnymailError, ValueError)):
        return Outcome(Fate.REFUSED, words)
    log.error("a mail may be lost: the mailer failed in an unforeseen way", exc_info=error)
    return Outcome(Fate.UNSURE, words)


def _judge_answer(error: AnymailAPIError, words: str) -> Outcome:
    """Judge what a provider's API answered, or that it did not."""
    code = error.status_code
    if code is None:
        never_left = _never_left(error.__cause__)
        return Outcome(Fate.LATER if never_left else Fate.UNSURE, words, unreachable=never_left)
    if code in PROVIDER_BUSY:
        return Outcome(Fate.LATER, words)
    # 200: it was taken, but the answer makes no sense. 500: nobody knows how far the provider came.
    return Outcome(Fate.REFUSED if 400 <= code < 500 else Fate.UNSURE, words)


def _never_left(cause: BaseException | None) -> bool:
    """Tell whether the request never left, because no connection was made."""
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    inner = cause.args[0] if cause is not None and cause.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def _refused_by_provider(message: EmailMessage) -> list[str]:
    status = getattr(message, "anymail_status", None)
    found = getattr(status, "recipients", None) or {}
    return [f"{address}: {each.status}" for address, each in found.items() if each.status in {"invalid", "rejected"}]


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:LONGEST_WORDS]
