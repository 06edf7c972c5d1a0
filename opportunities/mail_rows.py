"""Mails as pages show them: in finished words, a fixed number of statements however many there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import formats
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from opportunities import access, days
from opportunities.access import Person
from opportunities.attached import AnyDocument, Attached
from opportunities.models import BusinessSettings, Opportunity, OutgoingEmail

PAGE = 50
ON_CARD = 20
"""How many mails a card's or document's page shows, the newest first."""

TONES = {"queued": "info", "sending": "info", "sent": "good", "failed": "bad", "unsure": "warn"}
"""How the badge of each state looks."""


@dataclass(frozen=True, slots=True)
class MailRow:
    """One mail of a list."""

    pk: int
    url: str
    again_url: str
    subject: str
    kind: str
    to: str
    state: str
    tone: str
    says: str
    """What the state leaves open: why it failed, when it is tried again, that it was only kept here."""
    when: days.Said
    time: str
    about: str
    about_url: str
    again: str
    """What the button says that sends it (again); empty while it is being sent."""


def of_card(
    card: Opportunity, reader: Person, business: BusinessSettings, today: date, *, found: Attached | None = None
) -> list[MailRow]:
    """The newest mails that the reader may see about a card, and its documents where given. One statement."""
    about = Q(opportunity=card)
    if found is not None:
        about |= Q(quote__in=[quote.pk for quote in found.quotes])
        about |= Q(agreement__in=[agreement.pk for agreement in found.agreements])
    return _newest(about, reader, business, today)


def of_document(document: AnyDocument, reader: Person, business: BusinessSettings, today: date) -> list[MailRow]:
    """The newest mails that went out with a quote or an agreement. One statement; jobs have none."""
    if document.REF not in {"quote", "agreement"}:
        return []
    return _newest(Q(**{document.REF: document}), reader, business, today)


def _newest(about: Q, reader: Person, business: BusinessSettings, today: date) -> list[MailRow]:
    to_customers = OutgoingEmail.objects.exclude(kind__in=("notice", "digest", "reminder")).filter(about)
    seen = to_customers.filter(access.visible_mails(reader)).select_related("opportunity", "quote", "agreement")
    return [row(mail, business, today) for mail in seen.order_by("-pk")[:ON_CARD]]


def row(mail: OutgoingEmail, business: BusinessSettings, today: date) -> MailRow:
    """Say one mail in words."""
    moment = _local(mail.sent_at or mail.created_at, business)
    about = mail.quote or mail.agreement or mail.opportunity
    return MailRow(
        pk=mail.pk,
        url=mail.get_absolute_url(),
        again_url=reverse("opportunities:mail-again", args=[mail.pk]),
        subject=mail.subject,
        kind=mail.get_kind_display(),
        to=", ".join(mail.to) or _("nobody"),
        state=_("Kept here") if mail.kept_here else mail.get_state_display(),
        tone="quiet" if mail.kept_here else TONES[mail.state],
        says=says(mail, business, today),
        when=days.say(moment.date(), today),
        time=formats.time_format(moment),
        about=about.number if about else "",
        about_url=about.get_absolute_url() if about else "",
        again=_again(mail),
    )


def _again(mail: OutgoingEmail) -> str:
    if mail.state == OutgoingEmail.State.SENDING or mail.never_had_words:
        return ""
    return _("Try now") if mail.state == OutgoingEmail.State.QUEUED else _("Send again")


def says(mail: OutgoingEmail, business: BusinessSettings, today: date) -> str:
    """Say what the state of a mail leaves open."""
    if mail.kept_here:
        return _("No mail server is set up, so it was kept here and sent to nobody.")
    if mail.state == OutgoingEmail.State.QUEUED and mail.attempts:
        tries = ngettext("%(count)s try failed.", "%(count)s tries failed.", mail.attempts) % {"count": mail.attempts}
        # Translators: the moment ends with its own full stop in English: today at 4:15 p.m.
        following = _("Next try: %(moment)s") % {"moment": said_moment(mail.next_try_at, business, today)}
        return f"{tries} {following}"
    if mail.never_had_words:
        return _("It could not be written, so nobody got it.")
    if mail.state == OutgoingEmail.State.FAILED:
        return _("It could not be sent.")
    if mail.state == OutgoingEmail.State.UNSURE:
        return _("The line was lost at the end, so nobody knows whether it arrived.")
    if mail.state == OutgoingEmail.State.SENT and mail.error:
        return _("Some addresses were refused.")
    return ""


def said_moment(moment: datetime | None, business: BusinessSettings, today: date) -> str:
    """Say a moment: today at 4:15 p.m."""
    if moment is None:
        return ""
    there = _local(moment, business)
    said = {"day": days.short(there.date(), today), "time": formats.time_format(there)}
    return _("%(day)s at %(time)s") % said


def _local(moment: datetime, business: BusinessSettings) -> datetime:
    return moment.astimezone(business.zone)


# The outbox page


@dataclass(frozen=True, slots=True)
class Asked:
    """What the outbox was asked for; nonsense counts as not asked."""

    words: str = ""
    state: str = ""
    kind: str = ""
    page: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "Asked":
        """Read a query string."""
        state, kind = query.get("state", ""), query.get("kind", "")
        return cls(
            words=query.get("q", "")[:200].replace("\x00", "").strip(),
            state=state if state in OutgoingEmail.State.values else "",
            kind=kind if kind in OutgoingEmail.Kind.values else "",
            page=query.get("page", ""),
        )

    @property
    def narrows(self) -> bool:
        """Whether it asks for less than all."""
        return bool(self.words or self.state or self.kind)


class Outbox:
    """The mails that a reader may see, as asked for, the newest first."""

    states = OutgoingEmail.State.choices
    kinds = OutgoingEmail.Kind.choices

    def __init__(self, asked: Asked, *, reader: Person, business: BusinessSettings, today: date) -> None:
        self._asked, self._reader, self._business, self._today = asked, reader, business, today

    @cached_property
    def page(self) -> "Page[OutgoingEmail]":
        """The page that was asked for; a wrong number leads to the nearest one."""
        found = OutgoingEmail.objects.filter(access.visible_mails(self._reader)).order_by("-pk")
        if self._asked.state:
            found = found.filter(state=self._asked.state)
        if self._asked.kind:
            found = found.filter(kind=self._asked.kind)
        if self._asked.words:
            found = found.alias(to_text=Cast("to", TextField()), cc_text=Cast("cc", TextField()))
            words = self._asked.words
            found = found.filter(
                Q(subject__icontains=words) | Q(to_text__icontains=words) | Q(cc_text__icontains=words)
            )
        found = found.select_related("opportunity", "quote", "agreement").defer("body", "html")
        return Paginator(found, PAGE).get_page(self._asked.page)

    @cached_property
    def rows(self) -> list[MailRow]:
        """The mails of this page in words."""
        return [row(mail, self._business, self._today) for mail in self.page.object_list]
