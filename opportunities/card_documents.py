"""What a card's page shows of its quotes, jobs and agreements: rows, acts, what was detached, and why it stands so.

A fixed number of statements, however many documents there are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, override

from django.db.models import Q, prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from opportunities import access, days, documents, offers, standing
from opportunities.access import Person
from opportunities.attached import AnyDocument, Attached
from opportunities.documents import Desk
from opportunities.errors import Blocker
from opportunities.explain import Why
from opportunities.models import Agreement, BusinessSettings, Event, Job, Opportunity, Quote
from opportunities.money import format_money
from opportunities.offers import Offer

TONES = {
    "submitted": "info",
    "modified": "info",
    "accepted": "good",
    "completed": "good",
    "converted": "",
    "rejected": "bad",
    "expired": "warn",
    "void": "outlined",
    "canceled": "outlined",
}
"""How the badge of each state looks; the others are plain."""

FIRST_ACTS: dict[str, tuple[str, ...]] = {
    "quote": ("submit", "convert"),
    "job": ("confirm", "complete"),
    "agreement": ("submit",),
}
"""What is probably wanted next, by kind; the first that is to be had becomes the button of the row."""

_NUMBER = re.compile(r"\b[QJA]-[0-9]+\b")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Acts that are not to be had now for one reason, with the way to clear it."""

    acts: str
    message: str
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One document of the card, in words."""

    ref: str
    number: str
    title: str
    url: str
    state: str
    tone: str
    expired: bool
    archived: bool
    struck: bool
    progress: tuple[str, ...]
    amount: str
    day: days.Said | None
    day_words: str
    main: Offer | None
    others: tuple[Offer, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """A document that was on the card. `attach_url` is empty where it is on another card now."""

    number: str
    title: str
    url: str
    state: str
    tone: str
    attach_url: str
    elsewhere: str
    elsewhere_url: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence, perhaps a link."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """A sentence in pieces, with its documents as links, and the acts that would clear what it says."""

    pieces: tuple[Piece, ...]
    detach: tuple[Piece, ...] = ()

    @override
    def __str__(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class CardDocuments:
    """The documents of a card as its page shows them."""

    rows: tuple[Row, ...]
    gone: tuple[Gone, ...]
    may: dict[str, str]
    """By act (quote, job, agreement, attach): why this reader may not; empty where they may."""
    amount_source: str
    may_follow: bool

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why something new cannot be attached, each reason once."""
        return tuple(dict.fromkeys(reason for reason in self.may.values() if reason))


def of(
    card: Opportunity,
    found: Attached,
    *,
    reader: Person,
    business: BusinessSettings,
    now: datetime,
    closed: Blocker | None,
) -> CardDocuments:
    """Put the documents of a card, read by `attached.to_card`, into words. `closed` says why nothing may change."""
    for rows, related in ((found.quotes, "lines"), (found.jobs, "lines"), (found.agreements, "recipients")):
        prefetch_related_objects(rows, related)
    desk = documents.look_at(card, found, business=business, actor=reader, now=now)
    source = standing.amount_source(found)
    left = _left_behind(card, found)
    gone = _visible(left, card, reader)
    may = {
        act: closed.message if closed else "" if access.may(reader, act, card) else access.who_may(act, card)
        for act in ("quote", "job", "agreement", "attach")
    }
    return CardDocuments(
        rows=tuple(_row(each, desk, reader) for each in found),
        gone=tuple(_left(each, card, desk.today, not may["attach"]) for each in gone),
        may=may,
        amount_source=_amount_source(card, source, found, left),
        may_follow=bool(source) and card.amount_by_hand and closed is None and access.may(reader, "edit", card),
    )


def explained(why: Why, found: Attached, *, may_detach: bool = True) -> Explained:
    """Make links of the documents that an explanation names."""
    urls = {document.number: document.get_absolute_url() for document in found}
    pieces, at = [], 0
    for match in _NUMBER.finditer(why.text):
        if match[0] in urls:
            pieces += [Piece(why.text[at : match.start()]), Piece(match[0], urls[match[0]])]
            at = match.end()
    pieces.append(Piece(why.text[at:]))
    detach = [
        Piece(document.number, reverse(f"opportunities:{document.REF}-detach", args=[document.pk]))
        for document in found
        if may_detach and document.number in why.detach
    ]
    return Explained(tuple(piece for piece in pieces if piece.text), tuple(detach))


def signatures(found: Attached) -> dict[str, tuple[int, int]]:
    """Count by agreement how many of its signers accepted, and how many there are."""
    return {each.number: (each.signed_count, each.signer_count) for each in found.agreements}


def state_of(document: AnyDocument, today: date) -> tuple[str, str]:
    """Name the state that a document shows, and how its badge looks."""
    code = document.status_on(today).value if isinstance(document, Agreement) else str(document.state)
    label = documents.state_label(document)
    if isinstance(document, Agreement) and code == "expired":
        label = _("Expired")
    if isinstance(document, Job) and code == "submitted":
        label = _("To be confirmed")
    return label, TONES.get(code, "")


def _amount_source(
    card: Opportunity, source: list[Quote] | list[Job], found: Attached, left: dict[str, set[int]]
) -> str:
    """Say whether the amount was typed, follows documents, or is left of some that are not attached any more."""
    if card.amount is None:
        return ""
    if card.amount_by_hand:
        return _("typed")
    if source:
        return _("follows %(documents)s") % {"documents": ", ".join(each.number for each in source)}
    if found.jobs or any(quote.submit_count for quote in found.quotes):
        return _("of what has ended")
    if left["job"] or Quote.objects.filter(pk__in=left["quote"], submit_count__gt=0).exists():
        return _("of what was attached before")
    return _("typed")


def _row(document: AnyDocument, desk: Desk, reader: Person) -> Row:
    offered = offers.of(document, desk=desk, reader=reader)
    allowed = [offer for offer in offered.values() if offer.allowed]
    wanted = [verb for verb in FIRST_ACTS[document.REF] if (verb, str(document.state)) != ("submit", "submitted")]
    main = next((offer for offer in allowed if offer.verb in wanted), None)
    state, tone = state_of(document, desk.today)
    day, words = _day(document, desk.today)
    return Row(
        ref=document.REF,
        number=document.number,
        title=document.title,
        url=document.get_absolute_url(),
        state=state,
        tone=tone,
        expired=not isinstance(document, Agreement) and document.is_expired_on(desk.today),
        archived=document.is_archived,
        struck=document.is_dead,
        progress=_progress(document, desk.business.currency),
        amount=_amount(document, desk.business.currency),
        day=day,
        day_words=words,
        main=main,
        others=tuple(offer for offer in allowed if offer is not main),
        refusals=_refusals(offered.values(), document),
    )


def _progress(document: AnyDocument, currency: str) -> tuple[str, ...]:
    """Say how far a document has got: goods fulfilled, money taken, signatures."""
    if isinstance(document, Agreement):
        if not document.signer_count or document.submitted_at is None:
            return ()
        said = {"signed": document.signed_count, "all": document.signer_count}
        return (_("%(signed)s of %(all)s signed") % said,)
    if not isinstance(document, Job):
        return ()
    found = []
    goods = [line for line in document.lines.all() if line.counts]
    if goods:
        said = {"done": sum(line.is_fulfilled for line in goods), "all": len(goods)}
        words = ngettext("%(done)s of %(all)s item fulfilled", "%(done)s of %(all)s items fulfilled", len(goods))
        found.append(words % said)
    if document.has_pending_payment:
        found.append(_("a payment is on its way"))
    if document.refunded:
        found.append(_("%(money)s paid back") % {"money": _money(document.refunded, currency)})
    return tuple(found)


def _amount(document: AnyDocument, currency: str) -> str:
    if isinstance(document, Job) and document.held > 0:
        said = {"held": _money(document.held, currency), "all": _money(document.total, currency)}
        return _("%(held)s of %(all)s paid") % said
    if not document.total and isinstance(document, Agreement):
        return ""
    total = _money(document.total, currency)
    # The amount of the card beside it is net.
    return _("%(total)s incl. tax") % {"total": total} if document.tax else total


def _money(amount: Decimal, currency: str) -> str:
    return format_money(amount, currency, short=True)


def _day(document: AnyDocument, today: date) -> tuple[days.Said | None, str]:
    """The day that matters now: the last day of an offer, the day of the work, the day it ended."""
    if isinstance(document, Job):
        day = document.service_date
        words = _("on %(day)s")
    elif isinstance(document, Agreement) and document.ended_on is not None:
        day = document.ended_on
        words = "%(day)s"
    else:
        day = document.last_day
        words = _("until %(day)s")
    if day is None or document.is_dead:
        return None, ""
    said = days.say(day, today)
    return said, words % {"day": said.short}


def _refusals(offered: Iterable[Offer], document: AnyDocument) -> tuple[Refusal, ...]:
    """Say once for each reason which acts it keeps away. That an act does not fit the state needs no words."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for offer in offered:
        for blocker in offer.refusals:
            if any(each.code == "WRONG_STATE" for each in offer.refusals):
                continue
            url = blocker.url if blocker.url != document.get_absolute_url() else ""
            by_reason.setdefault((blocker.message, url), []).append(offer.name)
    return tuple(Refusal(", ".join(dict.fromkeys(names)), message, url) for (message, url), names in by_reason.items())


def _left_behind(card: Opportunity, found: Attached) -> dict[str, set[int]]:
    """Find by kind what history knows on this card and what is not on it now (D6)."""
    about = Event.objects.filter(opportunity=card).filter(
        Q(quote__isnull=False) | Q(job__isnull=False) | Q(agreement__isnull=False)
    )
    ids: dict[str, set[int]] = {"quote": set(), "job": set(), "agreement": set()}
    for quote_id, job_id, agreement_id in about.values_list("quote", "job", "agreement").distinct():
        for ref, pk in (("quote", quote_id), ("job", job_id), ("agreement", agreement_id)):
            if pk is not None:
                ids[ref].add(pk)
    here = {(each.REF, each.pk) for each in found}
    return {ref: {pk for pk in pks if (ref, pk) not in here} for ref, pks in ids.items()}


def _visible(left: dict[str, set[int]], card: Opportunity, reader: Person) -> list[AnyDocument]:
    """Read what left the card, with those that went along (D7), as far as this reader sees it."""
    kinds: tuple[tuple[Any, Q], ...] = (
        (Quote, Q(pk__in=left["quote"]) | Q(jobs__in=left["job"])),
        (Job, Q(pk__in=left["job"]) | Q(quote__in=left["quote"])),
        (Agreement, Q(pk__in=left["agreement"])),
    )
    if not any(left.values()):
        return []
    rows: list[AnyDocument] = []
    for model, which in kinds:
        visible = model.objects.visible_to(reader).filter(which).exclude(opportunity=card)
        rows += visible.select_related("opportunity__salesperson").distinct().order_by("pk")
    return rows


def _left(document: AnyDocument, card: Opportunity, today: date, may_attach: bool) -> Gone:
    state, tone = state_of(document, today)
    other = document.opportunity
    again = may_attach and other is None and not document.is_dead and not document.is_archived
    attach = reverse("opportunities:attach", args=[card.pk], query={"document": document.number}) if again else ""
    return Gone(
        number=document.number,
        title=document.title,
        url=document.get_absolute_url(),
        state=state,
        tone=tone,
        attach_url=attach,
        elsewhere=other.number if other is not None else "",
        elsewhere_url=other.get_absolute_url() if other is not None else "",
    )
