"""The outbox: a mail is a row first, written in the transaction of the act it tells of, and sent after it (D35)."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formataddr, make_msgid, parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _

from opportunities import access, link_keys
from opportunities.access import Person
from opportunities.background import after_commit
from opportunities.delivery import Fate, Outcome, deliver
from opportunities.errors import Blocker, Refused
from opportunities.models import BusinessSettings, OutgoingEmail

log = logging.getLogger(__name__)

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


# Sending

TRIES = 12
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 120, 240, 480, 720))
"""How long a mail waits after each try that failed; the last counts for all that follow."""

DEAD_AFTER = timedelta(minutes=15)
"""A mail that is being sent for longer has lost its worker."""

PAUSE = timedelta(seconds=50)
"""How long a mail server that could not be reached is left alone; shorter than the minute between two regular runs."""

TOO_LATE = timedelta(days=14)
"""A mail that was due for so long, because thousands took turns at asking, has no twelve tries before it."""

BATCH = 50
WRITTEN_BY_ITSELF = frozenset({OutgoingEmail.Kind.NOTICE, OutgoingEmail.Kind.DIGEST, OutgoingEmail.Kind.REMINDER})


type Halted = Callable[[], bool]
"""Whether the process is to stop."""


@dataclass(slots=True)
class Report:
    """What a run of the sender did."""

    sent: int = 0
    later: int = 0
    failed: int = 0
    unsure: int = 0
    more: bool = False
    """Mails that are due are left, because the time is up."""


def send_due(now: datetime, *, seconds: float | None = None, stopping: Halted = lambda: False) -> Report:
    """Send the mails that are due, each at most once, however many workers do this at the same time (D35).

    A mail is claimed by one UPDATE, sent outside any transaction, and its fate noted by another. A worker that dies in
    between leaves a claim behind, which becomes "perhaps sent": never sent again by itself. `seconds` bounds the run,
    `stopping` ends it after the mail in hand.

    Where no server could be reached, one mail a minute asks for all, by turns, and only its try counts. All the other
    runs, such as those that each new mail causes, do nothing. Once it is answered, all that found no server leave.
    """
    began = time.monotonic()
    report = Report(unsure=give_up_dead_claims(now))
    asking = OutgoingEmail.objects.found_no_server().exists()
    if asking and not (OutgoingEmail.objects.due(now).exists() and _may_ask(now)):
        return report
    passed_over: list[int] = []
    while True:
        due = OutgoingEmail.objects.due(now).exclude(pk__in=passed_over).order_by("next_try_at", "pk")
        batch = list(due.values_list("pk", flat=True)[:BATCH])
        if not batch:
            return report
        for pk in batch:
            passed = time.monotonic() - began
            if stopping() or (seconds is not None and passed > seconds):
                report.more = True
                return report
            mail = _claim(pk, now + timedelta(seconds=passed))
            if mail is None:
                passed_over.append(pk)  # another worker has it
                continue
            outcome = _hand_over(mail)
            _note(mail, outcome, now + timedelta(seconds=time.monotonic() - began), report)
            if outcome.unreachable:
                return report  # the others wait as they are, for the next run
            if asking:
                asking = False
                _let_all_leave(now)


def _may_ask(now: datetime) -> bool:
    """Take the turn to ask whether the server is back. Of several workers at once, one gets True."""
    newest = OutgoingEmail.objects.found_no_server().order_by("-away_at").values_list("pk", "away_at").first()
    if newest is None:
        return True
    pk, asked_at = newest
    # Not only "earlier": a clock that ran ahead must not stop the mails.
    if asked_at is not None and abs(now - asked_at) < PAUSE:
        return False
    return bool(OutgoingEmail.objects.filter(pk=pk, away_at=asked_at).update(away_at=now))


def _let_all_leave(now: datetime) -> None:
    """A server answers: what was put off for want of one is due, and nobody has to ask any more."""
    rows = OutgoingEmail.objects.found_no_server()
    rows.filter(state=OutgoingEmail.State.QUEUED, next_try_at__gt=now).update(next_try_at=now)
    rows.update(away_at=None)


def give_up_dead_claims(now: datetime) -> int:
    """Call mails whose worker is lost "perhaps sent"; tells how many."""
    dead = OutgoingEmail.objects.filter(state=OutgoingEmail.State.SENDING, claimed_at__lte=now - DEAD_AFTER)
    words = _("Sending was cut off before it was noted whether the mail had left.")
    return dead.update(state=OutgoingEmail.State.UNSURE, next_try_at=None, error=words)


def _claim(pk: int, moment: datetime) -> OutgoingEmail | None:
    claimed = OutgoingEmail.objects.due(moment).filter(pk=pk)
    changes = {"state": OutgoingEmail.State.SENDING, "claimed_at": moment, "attempts": F("attempts") + 1}
    # Gone: its card called it off in this very moment.
    return OutgoingEmail.objects.filter(pk=pk).first() if claimed.update(**changes) else None


def _hand_over(mail: OutgoingEmail) -> Outcome:
    if settings.MAIL_KEPT_HERE:
        log.info("a mail was kept here: no mail server is set up (EMAIL_URL)", extra={"mail": mail.pk})
        return Outcome(Fate.TAKEN)
    try:
        message = message_of(mail, BusinessSettings.current())
    except Exception as error:
        log.exception("a mail could not be put together", extra={"mail": mail.pk})
        return Outcome(Fate.REFUSED, str(error))
    return deliver(message)


def message_of(mail: OutgoingEmail, business: BusinessSettings) -> EmailMultiAlternatives:
    """Put a mail together from its row: from the business, with the row's own Message-ID."""
    own_headers = {"Message-ID": in_one_line(mail.message_id)}
    if mail.kind in WRITTEN_BY_ITSELF:
        own_headers["Auto-Submitted"] = "auto-generated"
    message = EmailMultiAlternatives(
        subject=in_one_line(mail.subject),
        body=mail.body,
        from_email=sender_of(business),
        to=[in_one_line(address) for address in mail.to],
        cc=[in_one_line(address) for address in mail.cc],
        reply_to=[in_one_line(mail.reply_to)] if mail.reply_to else None,
        headers=own_headers,
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    return message


def sender_of(business: BusinessSettings) -> str:
    """Return whom mails come from: the business by its name, at its own address or that of the installation."""
    name, address = parseaddr(str(settings.DEFAULT_FROM_EMAIL))
    return formataddr((in_one_line(business.name) or name, business.mail_sender or address))


def _note(mail: OutgoingEmail, outcome: Outcome, moment: datetime, report: Report) -> None:
    """Write down what became of a claimed mail. What a later look at a slow worker already called unsure stays true."""
    own_claim = OutgoingEmail.objects.filter(pk=mail.pk, claimed_at=mail.claimed_at, attempts=mail.attempts)
    being_sent = own_claim.filter(state=OutgoingEmail.State.SENDING)
    away_at = moment if outcome.unreachable else None
    if outcome.fate is Fate.TAKEN:
        known = own_claim.filter(state__in=(OutgoingEmail.State.SENDING, OutgoingEmail.State.UNSURE))
        changes: dict[str, Any] = {"state": OutgoingEmail.State.SENT, "sent_at": moment, "next_try_at": None}
        report.sent += known.update(**changes, kept_here=settings.MAIL_KEPT_HERE, error=outcome.words)
    elif outcome.fate is Fate.UNSURE:
        report.unsure += being_sent.update(state=OutgoingEmail.State.UNSURE, next_try_at=None, error=outcome.words)
    elif outcome.fate is Fate.REFUSED or mail.attempts >= TRIES or (away_at and _is_too_late(mail, away_at)):
        changes = {"state": OutgoingEmail.State.FAILED, "next_try_at": None, "away_at": away_at}
        report.failed += being_sent.update(**changes, error=outcome.words)
    else:
        next_try_at = moment + WAITS[min(mail.attempts, len(WAITS)) - 1]
        changes = {"state": OutgoingEmail.State.QUEUED, "claimed_at": None, "next_try_at": next_try_at}
        report.later += being_sent.update(**changes, away_at=away_at, error=outcome.words)
    if outcome.fate is not Fate.TAKEN:
        log.warning("a mail was not sent", extra={"mail": mail.pk, "fate": outcome.fate, "try": mail.attempts})


def _is_too_late(mail: OutgoingEmail, moment: datetime) -> bool:
    return mail.next_try_at is not None and mail.next_try_at <= moment - TOO_LATE


# Sending again


@transaction.atomic
def send_again(*, mail_id: int, sure: bool = False, actor: Person | None, now: datetime) -> OutgoingEmail:
    """Send a mail once more, as a new one with the same words; one that waits is tried now. Cards may be closed.

    :raises OutgoingEmail.DoesNotExist: no such mail, or one that the person may not see.
    :raises Refused: BEING_SENT; HAS_NO_WORDS; LINK_ENDED; SENT_ALREADY or PERHAPS_SENT while not `sure`.
    """
    OutgoingEmail.objects.select_for_update(no_key=True).filter(pk=mail_id).first()  # two clicks take turns
    mail = OutgoingEmail.objects.filter(access.visible_mails(actor)).get(pk=mail_id)
    if mail.state == OutgoingEmail.State.QUEUED:
        OutgoingEmail.objects.filter(pk=mail.pk, state=OutgoingEmail.State.QUEUED).update(next_try_at=now)
        # Who asks for it has perhaps just mended the server: it is asked at once.
        OutgoingEmail.objects.found_no_server().filter(away_at__gt=now - PAUSE).update(away_at=now - PAUSE)
        after_commit(SENDER)
        return mail
    blocker = why_not_again(mail)
    if blocker is not None and not (sure and blocker.code in ASKED):
        raise Refused(blocker)
    about = {f"{name}_id": getattr(mail, f"{name}_id") for name in ABOUT}
    return queue(
        kind=mail.kind,
        to=mail.to,
        cc=mail.cc,
        reply_to=mail.reply_to,
        subject=mail.subject,
        body=mail.body,
        html=mail.html,
        again_of=mail,
        actor=actor,
        now=now,
        **about,
    )


ABOUT = ("opportunity", "quote", "agreement", "quote_recipient", "recipient", "person")
ASKED = frozenset({"SENT_ALREADY", "PERHAPS_SENT"})
"""Reasons against sending again that a person may overrule."""


def why_not_again(mail: OutgoingEmail) -> Blocker | None:
    """Say what speaks against sending this mail once more; None where nothing does."""
    if mail.never_had_words:
        return Blocker("HAS_NO_WORDS", _("This mail could not be written, so there is nothing to send."))
    copies = mail.sent_again.values_list("state", "kept_here")
    # One that was only kept here reached nobody.
    states = {state for state, kept_here in [(mail.state, mail.kept_here), *copies] if not kept_here}
    if states & {OutgoingEmail.State.SENDING, OutgoingEmail.State.QUEUED}:
        return Blocker("BEING_SENT", _("This mail is on its way already. Look again in a minute."))
    if has_dead_link(mail):
        return _link_ended(mail)
    if OutgoingEmail.State.SENT in states:
        return Blocker("SENT_ALREADY", _("This mail was sent already. Sent again, it arrives twice."))
    if OutgoingEmail.State.UNSURE in states:
        words = _(
            "Nobody knows whether this mail arrived: the line was lost at the end. Sent again, it may arrive twice."
        )
        return Blocker("PERHAPS_SENT", words)
    return None


def has_dead_link(mail: OutgoingEmail) -> bool:
    """Tell whether the private link in a mail has ended: its recipient has another one by now, or is gone."""
    if mail.kind not in {OutgoingEmail.Kind.QUOTE, OutgoingEmail.Kind.AGREEMENT}:
        return False
    recipient = mail.quote_recipient or mail.recipient
    return recipient is None or link_keys.address(recipient) not in mail.body


def _link_ended(mail: OutgoingEmail) -> Blocker:
    """Say that a mail would bring a dead link, and lead to where the document is mailed with the one in force."""
    document, recipient = mail.quote or mail.agreement, mail.quote_recipient or mail.recipient
    number = "" if document is None else document.number
    if recipient is None:
        words = _("Its private link has ended: %(to)s is no recipient of %(number)s any more. It is not sent again.")
        url = "" if document is None else reverse(f"opportunities:{document.REF}-links", args=[document.pk])
        return Blocker("LINK_ENDED", words % {"to": ", ".join(mail.to), "number": number}, subject=number, url=url)
    words = _(
        "The private link in this mail has ended, so the mail is not sent again. "
        "“Mail again” sends %(number)s to %(name)s with the link in force."
    )
    route = "quote-recipient-mail" if mail.quote_recipient else "recipient-mail"
    url = reverse(f"opportunities:{route}", args=[recipient.pk])
    return Blocker("LINK_ENDED", words % {"name": recipient.name, "number": number}, subject=number, url=url)
