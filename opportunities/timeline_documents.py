"""The story of quotes, jobs and agreements in sentences, each with the numbers that it names as links (W0.1, D19)."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import days
from opportunities.access import Person
from opportunities.models import Agreement, Event, Job, Opportunity, Quote
from opportunities.money import format_money

_ROUTES: Mapping[str, tuple[str, Any]] = {
    "Q": ("quote", Quote),
    "J": ("job", Job),
    "A": ("agreement", Agreement),
    "OPP": ("detail", Opportunity),
}
LONG = 80
"""Texts longer than this are said to have changed, not quoted."""


class Links:
    """The numbers that a page of events names, as links to what the reader may see.

    A card that they may not see stays unnamed (AC025); a document there keeps its number, without a link.
    """

    def __init__(self, events: Iterable[Event], reader: Person) -> None:
        named: dict[str, set[int]] = {}
        for number in {number for event in events for number in _numbers(event)}:
            letter, pk = _split(number)
            if letter in _ROUTES:
                named.setdefault(letter, set()).add(pk)
        self.seen = {
            (letter, pk)
            for letter, pks in named.items()
            for pk in _ROUTES[letter][1].objects.visible_to(reader).filter(pk__in=pks).values_list("pk", flat=True)
        }

    def to(self, number: str | None) -> SafeString:
        """Write a number, as a link where it leads somewhere for the reader."""
        letter, pk = _split(number or "")
        if (letter, pk) in self.seen:
            url = reverse(f"opportunities:{_ROUTES[letter][0]}", args=[pk])
            return format_html('<a href="{}">{}</a>', url, number)
        return format_html("{}", _("another card") if letter == "OPP" else number or _("a document"))

    def each(self, numbers: Iterable[str]) -> SafeString:
        """Write several numbers."""
        return format_html_join(", ", "{}", ((self.to(number),) for number in numbers))


def _numbers(event: Event) -> Iterable[str]:
    """Name every card and document that an event mentions."""
    if event.kind not in SENTENCES:
        return
    for key in ("document", "job", "copy", "from"):
        yield from (value for value in event.changes.get(key, ()) if isinstance(value, str))
    yield from _new(event, "detached") or ()


def _split(number: str) -> tuple[str, int]:
    letter, _dash, digits = number.partition("-")
    return (letter, int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 19 else ("", 0)


class Saying:
    """One event on its way to a sentence. `card_id` is the card whose story is told; None in a document's own."""

    def __init__(self, event: Event, links: Links, currency: str, card_id: int | None) -> None:
        self.event = event
        self.links = links
        self.currency = currency
        self.card_id = card_id

    def of(self, words: str, **values: Any) -> SafeString:
        """Fill in the words; {number} is the document, everything else what the event keeps."""
        return format_html(words, number=self.links.to(_new(self.event, "document")), **values)

    def new(self, key: str) -> Any:
        return _new(self.event, key)

    def because(self, plain: str, with_reason: str) -> SafeString:
        """Say why, where somebody said why: the reason of a list, or words of the customer."""
        reason = self.new("reason") or self.new("note")
        if not reason or len(str(reason)) > LONG:
            return self.of(plain)
        return self.of(with_reason, reason=reason)

    def money(self) -> str:
        """The amount of the payment or refund that the event is about."""
        old, new = self.event.changes.get("amount", (None, None))
        return _money(new or old, self.currency)


def sentence(event: Event, links: Links, currency: str, card_id: int | None) -> SafeString:
    """Say what happened to a document, or to a card's documents. :raises KeyError: the event is about none."""
    return SENTENCES[event.kind](Saying(event, links, currency, card_id))


def _always(words: Any) -> Callable[[Saying], SafeString]:
    return lambda said: said.of(str(words))


def _why(plain: Any, with_reason: Any) -> Callable[[Saying], SafeString]:
    return lambda said: said.because(str(plain), str(with_reason))


def _amount(done: Any, pending: Any = None) -> Callable[[Saying], SafeString]:
    """Say of money whether it is there already or still on its way."""

    def say(said: Saying) -> SafeString:
        on_its_way = "pending" in {said.new("payment"), said.new("refund")}
        return said.of(str(pending if on_its_way and pending else done), amount=said.money())

    return say


def _recipient(words: Any) -> Callable[[Saying], SafeString]:
    return lambda said: said.of(str(words), name=said.new("recipient") or _("a recipient"))


def _created(said: Saying) -> SafeString:
    if said.new("from"):
        return said.of(_("{number} was made as a copy of {other}"), other=said.links.to(said.new("from")))
    return said.of(_("{number} was made"))


def _submitted(said: Saying) -> SafeString:
    """Say how it reached the customer, and whether for the first time."""
    again = (said.new("submit_count") or 1) > 1
    how = said.new("how")
    names = said.new("mailed")
    if names:
        words = (
            _("{number} was submitted again, by mail to {names}")
            if again
            else _("{number} was submitted, by mail to {names}")
        )
        return said.of(words, names=", ".join(map(str, names)))
    if how in {"link", "sent", "mail"}:
        words = (
            _("{number} was submitted again, by private link")
            if again
            else _("{number} was submitted, by private link")
        )
    elif how in {"by_hand", "handed_over"}:
        words = _("{number} was submitted again, handed over") if again else _("{number} was submitted, handed over")
    else:
        words = _("{number} was submitted again") if again else _("{number} was submitted")
    return said.of(words)


def _revised(said: Saying) -> SafeString:
    names = [name.lower() for key, name in field_names().items() if key in said.event.changes]
    if not names:
        return said.of(_("{number} was changed"))
    return said.of(_("{number} was changed: {facts}"), facts=", ".join(names))


def _viewed(said: Saying) -> SafeString:
    name = said.new("recipient") or said.new("name")
    return said.of(_("{name} looked at {number}"), name=name) if name else said.of(_("{number} was looked at"))


def _accepted(said: Saying) -> SafeString:
    name = said.new("name")
    if name:
        return said.of(_("{number} was accepted by {name}"), name=name)
    return said.of(_("{number} was accepted"))


def _converted(said: Saying) -> SafeString:
    return said.of(_("{number} became job {job}"), job=said.links.to(said.new("job")))


def _items(said: Saying) -> SafeString:
    words = {
        "item_fulfilled": _("{number}: {quantity} of “{line}” fulfilled"),
        "item_returned": _("{number}: {quantity} of “{line}” came back"),
    }
    return said.of(words[said.event.kind], quantity=said.new("quantity"), line=said.new("line"))


def _signed(said: Saying) -> SafeString:
    noted = said.event.actor_id is not None
    words = _("{number}: a yes of {name} was noted") if noted else _("{name} signed {number}")
    if said.new("status") == "accepted":
        words = (
            _("{number}: a yes of {name} was noted, the last one that was missing")
            if noted
            else _("{name} signed {number}, the last signature that was missing")
        )
    return said.of(words, name=said.new("recipient"))


def _rejected(said: Saying) -> SafeString:
    if said.new("note") and len(said.new("note")) <= LONG:
        return said.of(_("{name} rejected {number}: {reason}"), name=said.new("recipient"), reason=said.new("note"))
    return said.of(_("{name} rejected {number}"), name=said.new("recipient"))


def _replaced(said: Saying) -> SafeString:
    return said.of(_("{number} was replaced by {copy}"), copy=said.links.to(said.new("copy")))


def _readdressed(said: Saying) -> SafeString:
    old, new = said.event.changes.get("recipient", (None, None))
    email = said.new("email")
    whom = f"{new} <{email}>" if email else new
    if old != new:
        return said.of(_("{number} goes to {whom} in place of {old}"), whom=whom, old=old)
    return said.of(_("{number} goes to {whom} from now on"), whom=whom)


def _detached(said: Saying) -> SafeString:
    """Say whence, in the document's own story; in a card's, that it left this card."""
    if said.card_id is not None:
        return said.because(_("{number} was detached"), _("{number} was detached: {reason}"))
    left = said.links.to(said.event.changes.get("from", (None, None))[0])
    return said.of(_("{number} was detached from {card}"), card=left)


def _reattached(said: Saying) -> SafeString:
    """Say it as the reader stands: on the card it left, on the card it came to, or beside both."""
    left, target = said.event.changes.get("from", (None, None))
    if said.card_id is not None and target == f"OPP-{said.card_id}":
        return said.of(_("{number} came from {card}"), card=said.links.to(left))
    if said.card_id is not None:
        return said.of(_("{number} was moved to {card}"), card=said.links.to(target))
    return said.of(
        _("{number} was moved from {card} to {other}"), card=said.links.to(left), other=said.links.to(target)
    )


def _attached(said: Saying) -> SafeString:
    if said.card_id is None and said.event.opportunity_id is not None:
        card = format_html(
            '<a href="{}">OPP-{}</a>',
            reverse("opportunities:detail", args=[said.event.opportunity_id]),
            said.event.opportunity_id,
        )
        return said.of(_("{number} was attached to {card}"), card=card)
    return said.of(_("{number} was attached"))


def _lapsed(said: Saying) -> SafeString:
    if said.event.sales_to == "lost":
        return said.of(_("The last days of everything that was offered have passed"))
    return said.of(_("The dates of what is attached changed how the deal stands"))


def _closed(said: Saying) -> SafeString:
    """A card that was voided or canceled: why, and whether it was put away with it (G2, G4)."""
    reason = said.new("close_reason_label") or ""
    archived = said.new("archived_at")
    if said.event.kind == "voided":
        words = _("Voided and archived: {reason}") if archived else _("Voided: {reason}")
    else:
        words = _("Canceled and archived: {reason}") if archived else _("Canceled: {reason}")
    if told := said.new("mail"):
        mailed = _("Mail to {told}")
        return said.of(f"{words} · {mailed}", reason=reason, told=told)
    return said.of(words, reason=reason)


SENTENCES: Mapping[str, Callable[[Saying], SafeString]] = {
    "quote_created": _created,
    "quote_submitted": _submitted,
    "quote_revised": _revised,
    "quote_viewed": _viewed,
    "quote_accepted": _accepted,
    "quote_declined": _why(
        gettext_lazy("{number} was declined by the customer"),
        gettext_lazy("{number} was declined by the customer: {reason}"),
    ),
    "quote_voided": _why(gettext_lazy("{number} was voided"), gettext_lazy("{number} was voided: {reason}")),
    "quote_canceled": _why(gettext_lazy("{number} was canceled"), gettext_lazy("{number} was canceled: {reason}")),
    "quote_archived": _always(gettext_lazy("{number} was archived")),
    "quote_unarchived": _always(gettext_lazy("{number} was taken back from the archive")),
    "quote_converted": _converted,
    "job_created": _created,
    "job_confirmed": _always(gettext_lazy("{number} was confirmed")),
    "job_revised": _revised,
    "job_completed": _always(gettext_lazy("{number} was completed")),
    "job_reopened": _always(gettext_lazy("{number} was opened again")),
    "job_voided": _why(gettext_lazy("{number} was voided"), gettext_lazy("{number} was voided: {reason}")),
    "job_canceled": _why(gettext_lazy("{number} was canceled"), gettext_lazy("{number} was canceled: {reason}")),
    "item_fulfilled": _items,
    "item_returned": _items,
    "payment_taken": _amount(
        gettext_lazy("{number}: {amount} were paid"), gettext_lazy("{number}: {amount} are on their way")
    ),
    "payment_settled": _amount(gettext_lazy("{number}: {amount} arrived")),
    "payment_failed": _amount(gettext_lazy("{number}: the payment of {amount} failed")),
    "payment_voided": _amount(gettext_lazy("{number}: the payment of {amount} was an error and was taken back")),
    "refund_made": _amount(
        gettext_lazy("{number}: {amount} were given back"),
        gettext_lazy("{number}: {amount} are on their way back"),
    ),
    "refund_settled": _amount(gettext_lazy("{number}: the refund of {amount} arrived")),
    "refund_failed": _amount(gettext_lazy("{number}: the refund of {amount} failed")),
    "agreement_created": _created,
    "agreement_revised": _revised,
    "agreement_submitted": _submitted,
    "agreement_viewed": _viewed,
    "agreement_signed": _signed,
    "agreement_rejected": _rejected,
    "agreement_withdrawn": _always(gettext_lazy("{number} was withdrawn")),
    "agreement_replaced": _replaced,
    "agreement_voided": _why(gettext_lazy("{number} was voided"), gettext_lazy("{number} was voided: {reason}")),
    "agreement_expired": _always(gettext_lazy("{number} expired: not everybody had signed in time")),
    "recipient_canceled": _recipient(gettext_lazy("{name} is not asked to sign {number} any more")),
    "recipient_readdressed": _readdressed,
    "quote_mailed": _recipient(gettext_lazy("{number} was mailed to {name}")),
    "agreement_mailed": _recipient(gettext_lazy("{number} was mailed to {name}")),
    "quote_link_renewed": _recipient(gettext_lazy("{name} got a new link to {number}: the old one leads nowhere")),
    "agreement_link_renewed": _recipient(gettext_lazy("{name} got a new link to {number}: the old one leads nowhere")),
    "closed_with_card": _why(
        gettext_lazy("{number} was ended together with its card"),
        gettext_lazy("{number} was ended together with its card: {reason}"),
    ),
    "attached": _attached,
    "detached": _detached,
    "reattached": _reattached,
    "documents_lapsed": _lapsed,
    "voided": _closed,
    "canceled": _closed,
}
"""What is said of each kind of event about documents."""


def field_names() -> dict[str, str]:
    """Name the facts of a document that history tells of, by the name that an event keeps them under."""
    return {
        "title": _("Title"),
        "kind": _("Kind"),
        "text": _("Text"),
        "terms": _("Terms"),
        "valid_until": _("Valid until"),
        "service_date": _("Service date"),
        "discount_percent": _("Discount"),
        "total": _("Total"),
        "recipients": _("Recipients"),
    }


def details(event: Event, links: Links, currency: str) -> Iterable[SafeString | str]:
    """Tell what went along with an act: what was changed, settled or taken off the card, and longer words."""
    if event.kind in {"quote_revised", "job_revised", "agreement_revised"}:
        yield from _changed(event, currency)
    yield from _new(event, "settled") or ()
    detached = _new(event, "detached")
    if detached:
        words = ngettext("{numbers} left the card", "{numbers} left the card", len(detached))
        yield format_html(words, numbers=links.each(detached))
    for key in ("note", "close_note"):
        note = _new(event, key)
        if note and (len(note) > LONG or key == "close_note"):
            yield note
    if "amount" in event.changes and not event.kind.startswith(("payment", "refund")):
        old, new = (_money(value, currency) or _("nothing") for value in event.changes["amount"])
        yield _("Amount of the deal: %(old)s → %(new)s") % {"old": old, "new": new}


def _changed(event: Event, currency: str) -> Iterable[str]:
    nothing = _("nothing")
    for key, name in field_names().items():
        if key not in event.changes:
            continue
        old, new = (_value(key, value, currency) for value in event.changes[key])
        if key in {"text", "terms"} or len(old) > LONG or len(new) > LONG:
            yield _("%(fact)s rewritten") % {"fact": name}
        elif old != new and key != "recipients":
            yield _("%(fact)s: %(old)s → %(new)s") % {"fact": name, "old": old or nothing, "new": new or nothing}
        elif key == "recipients" and new:
            yield _("%(fact)s: %(new)s") % {"fact": name, "new": new}


def _value(key: str, value: Any, currency: str) -> str:
    if value is None or value == "":
        return ""
    if key == "total":
        return _money(value, currency)
    if key == "discount_percent":
        return f"{Decimal(value).normalize():f} %"
    if key in {"valid_until", "service_date"}:
        day = parse_date(value)
        return days.with_year(day) if day else str(value)
    if key == "kind":
        return str(dict(Agreement.Kind.choices).get(value, value))
    if key == "recipients":
        return ", ".join(str(name).partition(" <")[0] for name in value)
    return str(value)


def _money(value: Any, currency: str) -> str:
    if value is None:
        return ""
    try:
        return format_money(Decimal(value), currency)
    except InvalidOperation:
        return str(value)


def _new(event: Event, key: str) -> Any:
    return event.changes.get(key, (None, None))[1]
