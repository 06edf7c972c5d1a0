"""What every act on a quote, job or agreement does: lock the card and its documents, write, refresh, note.

The verbs are in `quotes`, `jobs`, `agreements` and `attachments`. Each opens a `Desk`, asks its guards, takes the
transitions, and closes the desk, which brings the statuses of the cards in line and writes one event a card.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import Enum
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from opportunities import access, attached, history, pipeline, standing
from opportunities.access import Person
from opportunities.attached import AnyDocument, Attached
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import (
    Agreement,
    AgreementLine,
    BusinessSettings,
    Contact,
    Customer,
    Job,
    JobLine,
    Line,
    Opportunity,
    OpportunityCustomer,
    OutgoingEmail,
    Quote,
    QuoteLine,
    Reason,
    TaxRate,
)
from opportunities.workflow import Facts

TRIES = 3
MOST_LINES = 200
MOST_PEOPLE = 20
LONGEST_TEXT = 50_000
LARGEST = standing.LARGEST


class _Keep(Enum):
    """Stands for an argument that was not given."""

    KEEP = "keep"


KEEP = _Keep.KEEP


@dataclass(slots=True)
class _OnDesk:
    """A locked card as it was before the act, and with its documents as they become."""

    card: Opportunity
    documents: Attached
    before: dict[str, Any]
    facts: Facts


@dataclass(slots=True)
class Desk:
    """Locked cards with all their documents, and perhaps one document on no card; where an act is done."""

    business: BusinessSettings
    today: date
    actor: Person | None
    now: datetime
    cards: dict[int, _OnDesk]
    loose: Attached = field(default_factory=Attached)

    def find(self, model: type[AnyDocument], pk: int) -> Any:
        """Return the locked document of this number. :raises DoesNotExist: it is not here."""
        for documents in (self.loose, *(each.documents for each in self.cards.values())):
            for document in documents:
                if isinstance(document, model) and document.pk == pk:
                    return document
        raise model.DoesNotExist

    def card(self, card_id: int | None) -> Opportunity | None:
        """Return the locked card; None for no card."""
        return None if card_id is None else self.cards[card_id].card

    def documents_of(self, card_id: int | None) -> Attached:
        """Return what is attached to the card, or what lies on no card."""
        return self.loose if card_id is None else self.cards[card_id].documents

    def facts_of(self, card_id: int) -> Facts:
        """Take the snapshot of a card as it is now, after what was done at this desk so far."""
        on_desk = self.cards[card_id]
        return on_desk.documents.facts(on_desk.card, business=self.business, today=self.today)

    def put_on(self, document: AnyDocument, card: Opportunity | None) -> None:
        """Move a document to a card, or to none, on the desk. Saving its row is the verb's."""
        self.documents_of(document.opportunity_id).remove(document)
        if card is not None:
            self._first_document(card)
        document.opportunity = card
        document.attached_on = None if card is None else self.today
        self.documents_of(document.opportunity_id).add(document)

    def _first_document(self, card: Opportunity) -> None:
        """From the first document on, the amount follows the documents until somebody types it again."""
        if not self.cards[card.pk].documents:
            card.amount_by_hand = False

    def reopen(self, card: Opportunity | None) -> None:
        """Take back that a card was closed by hand (D41). :raises NotAllowed: this person may not set its status."""
        if card is not None and standing.is_closed_by_hand(card):
            access.require(self.actor, "set_status", card)
            standing.reopen(card, today=self.today)

    @history.one_act()
    def close(self, kind: str, document: AnyDocument, changes: Mapping[str, Any], *, past: Iterable[int] = ()) -> None:
        """Bring the cards in line with what was done and note it, once a card; `past` names a card it left."""
        said = {"document": [None, document.number], **changes}
        for card_id, on_desk in sorted(self.cards.items()):
            card = on_desk.card
            standing.refresh(
                card,
                today=self.today,
                business=self.business,
                documents=on_desk.documents,
                before=on_desk.facts,
            )
            concerned = card_id == document.opportunity_id or card_id in set(past)
            event = history.record(
                card,
                kind=kind,
                before=on_desk.before,
                actor=self.actor,
                now=self.now,
                also=said if concerned else None,
                about=document,
            )
            if card_id == document.opportunity_id:
                document.last_event = event
        if document.opportunity_id is None:
            history.write_loose(document, kind=kind, changes=said, actor=self.actor, now=self.now)


def open_desk(
    *,
    actor: Person | None,
    now: datetime,
    quote_id: int | None = None,
    job_id: int | None = None,
    agreement_id: int | None = None,
    card_ids: Iterable[int | None] = (),
    locked: bool = True,
) -> Desk:
    """Lock cards in pk order, then all their documents, then read again where the named document belongs (D32).

    A converted quote and its jobs come together (D7). Must be called inside a transaction, unless `locked` is False:
    then it only looks, for a page that says beforehand what an act would do.

    :raises Stale: the document was moved from card to card three times meanwhile.
    :raises DoesNotExist: no such card or document.
    """
    also = _family(*(None if pk is None else pk if 0 < pk < 2**63 else 0 for pk in (quote_id, job_id, agreement_id)))
    named = {card_id for card_id in card_ids if card_id is not None}
    for _try in range(TRIES):
        try:
            if not locked:
                return _desk(*_read(named, also, locked=False), actor=actor, now=now)
            with transaction.atomic():
                return _desk(*_read(named, also, locked=True), actor=actor, now=now)
        except _Moved:
            continue
    raise Stale(None, _("Somebody else is moving this document from card to card. Try again."))


class _Moved(Exception):
    """The document went to another card meanwhile: its locks are given back, or the next try would take them in
    another order than everybody else does."""


def _read(
    named: set[int], also: dict[str, Q], *, locked: bool
) -> tuple[dict[int, Opportunity], dict[int | None, Attached]]:
    """Read the cards, then everything attached to them. :raises _Moved: the document is on none of them any more."""
    read = Opportunity.objects.for_change if locked else Opportunity.objects.with_people().get
    cards = {card_id: read(pk=card_id) for card_id in sorted(named | _cards_of(also))}
    found = attached.to_cards(cards, locked=locked, also=also)
    if not found.keys() <= {*cards, None}:
        raise _Moved
    return cards, found


def _family(quote_id: int | None, job_id: int | None, agreement_id: int | None) -> dict[str, Q]:
    """Name the document and those that go where it goes."""
    also: dict[str, Q] = {}
    if quote_id is not None:
        also = {"quote": Q(pk=quote_id), "job": Q(quote=quote_id)}
    elif job_id is not None:
        quote = Job.objects.filter(pk=job_id).values("quote")
        also = {"quote": Q(pk__in=quote), "job": Q(pk=job_id) | Q(quote__in=quote)}
    elif agreement_id is not None:
        also = {"agreement": Q(pk=agreement_id)}
    return also


def _cards_of(also: dict[str, Q]) -> set[int]:
    models: dict[str, Any] = {"quote": Quote, "job": Job, "agreement": Agreement}
    on_cards = Q(opportunity__isnull=False)
    return {
        card_id
        for ref, which in also.items()
        for card_id in models[ref].objects.filter(which & on_cards).values_list("opportunity_id", flat=True)
    }


def _desk(
    cards: dict[int, Opportunity], found: dict[int | None, Attached], *, actor: Person | None, now: datetime
) -> Desk:
    business = BusinessSettings.current()
    today = business.today(now)
    on_desk = {}
    for card_id, card in cards.items():
        documents = found[card_id]
        for document in documents:
            document.opportunity = card
        facts = documents.facts(card, business=business, today=today)
        on_desk[card_id] = _OnDesk(card, documents, history.snapshot(card), facts)
    return Desk(business, today, actor, now, on_desk, found.get(None, Attached()))


def look_at(
    card: Opportunity, found: Attached, *, business: BusinessSettings, actor: Person | None, now: datetime
) -> Desk:
    """Return a desk over a card and documents that are in hand already, without a lock: for pages that only tell."""
    today = business.today(now)
    for document in found:
        document.opportunity = card
    facts = found.facts(card, business=business, today=today)
    return Desk(business, today, actor, now, {card.pk: _OnDesk(card, found, history.snapshot(card), facts)})


# Guards


def refuse_if(*blockers: Blocker | None) -> None:
    """Refuse with all blockers at once; pass where there is none. :raises Refused: with every blocker."""
    found = [blocker for blocker in blockers if blocker is not None]
    if found:
        raise Refused(found)


def terminal(document: AnyDocument) -> Blocker | None:
    """Say why nothing on the documents of a Void or Canceled card may change (G3, D25)."""
    card = document.opportunity
    return None if card is None else pipeline.closed_blocker(card)


def archived(document: AnyDocument) -> Blocker | None:
    """Say that an archived document has to be taken back first (5.1)."""
    if not document.is_archived:
        return None
    words = _("%(number)s is archived. Take it from the archive first.") % {"number": document.number}
    return Blocker("ARCHIVED", words, subject=document.number, url=document.get_absolute_url())


def wrong_state(document: AnyDocument, words: str, *, state: str = "") -> Blocker:
    """Say that the state of the document does not allow the act. `words` has %(number)s and %(state)s."""
    said = words % {"number": document.number, "state": state or state_label(document)}
    return Blocker("WRONG_STATE", said, subject=document.number, url=document.get_absolute_url())


def state_label(document: AnyDocument) -> str:
    """Name the state of a document as people do."""
    if isinstance(document, Agreement):
        return str(document.get_status_display())
    return str(document.get_state_display())


def require_version(document: AnyDocument, version: int | None) -> None:
    """Refuse to write over what somebody changed since. :raises Stale: the document is newer than `version`."""
    if version is not None and version < document.version:
        raise Stale(document, _("%(number)s was changed by someone else meanwhile.") % {"number": document.number})


def attach_blockers(document: AnyDocument, card: Opportunity | None) -> list[Blocker | None]:
    """List why this card cannot take this document: it is closed, or not of this customer (D9, G3.2)."""
    if card is None:
        return []
    if document.customer_id in customers_of(card):
        return [pipeline.closed_blocker(card)]
    words = _("%(customer)s is no customer of %(card)s. Add them to the card, then attach.")
    said = words % {"customer": document.customer.name, "card": card.number}
    wrong = Blocker("WRONG_CUSTOMER", said, subject=document.customer.name, url=card.get_absolute_url())
    return [pipeline.closed_blocker(card), wrong]


def set_plain(document: AnyDocument, **values: Any) -> None:
    """Set the plain facts that were given. :raises ValidationError: the title or a text is too long."""
    for name, value in values.items():
        if isinstance(value, _Keep):
            continue
        if name == "title":
            value = " ".join(value.replace("\x00", "").split())
            if len(value) > 200:
                raise ValidationError({"title": _("The title is too long: 200 characters at most.")})
        elif isinstance(value, str):
            value = value.replace("\x00", "")
            if len(value) > LONGEST_TEXT:
                words = _("That is too long: %(limit)s characters at most.") % {"limit": LONGEST_TEXT}
                raise ValidationError({name: words})
        setattr(document, name, value)


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Name what changed, each with its old and its new value, for history."""
    return {
        name: [history.json_safe(before[name]), history.json_safe(value)]
        for name, value in after.items()
        if before[name] != value
    }


def days_on(day: date, days: int) -> date:
    """Return the day so many days on."""
    return day + timedelta(days=days)


# People


def people_of(customer: Customer, card: Opportunity | None) -> list[dict[str, Any]]:
    """Name who at a customer receives its documents: the contacts that the card names, else the customer itself."""
    if card is not None:
        parties = OpportunityCustomer.objects.filter(opportunity=card, customer=customer, contact__isnull=False)
        contacts = [party.contact for party in parties.select_related("contact").order_by("position", "pk")]
        named_there = [
            {"name": contact.name, "email": contact.email, "contact_id": contact.pk}
            for contact in contacts
            if contact is not None and contact.active
        ]
        if named_there:
            return named_there
    return [{"name": customer.name, "email": customer.email}]


def clean_people(people: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Read recipients as a caller gives them: name, email, and perhaps role and contact_id.

    :raises ValidationError: a name is missing, an address is none, or there are too many.
    """
    if len(people) > MOST_PEOPLE:
        raise ValidationError({"recipients": _("%(most)s recipients at most.") % {"most": MOST_PEOPLE}})
    cleaned: list[dict[str, Any]] = []
    for each in people:
        name = " ".join(str(each.get("name", "")).replace("\x00", "").split())
        email = words(each.get("email") or "")
        if not name or len(name) > 120:
            raise ValidationError({"recipients": _("Give every recipient a name of 120 characters at most.")})
        if email and (len(email) > 254 or not _is_address(email)):
            said = _("“%(email)s” is no e-mail address.") % {"email": email[:300]}
            raise ValidationError({"recipients": said})
        cleaned.append({**each, "name": name, "email": email})
    _require_contacts({each["contact_id"] for each in cleaned if each.get("contact_id") is not None})
    return cleaned


def _is_address(email: str) -> bool:
    try:
        validate_email(email)
    except ValidationError:
        return False
    return True


def _require_contacts(ids: set[int]) -> None:
    if ids and len(numbers_of(Contact, ids)) < len(ids):
        raise ValidationError({"recipients": _("A contact that you chose is not there any more.")})


def numbers_of(model: type[Any], ids: Iterable[int]) -> set[int]:
    """Tell which of these ids are rows of a table; one beyond all numbers is none."""
    sane = [pk for pk in ids if 0 < pk < 2**63]
    return set(model._default_manager.filter(pk__in=sane).values_list("pk", flat=True))


def words(text: Any, limit: int | None = None) -> str:
    """Take what somebody typed as a database can keep it: without the one character that PostgreSQL has not."""
    return str(text).replace("\x00", "").strip()[:limit]


# Lines


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A line as somebody wants it. `id` names the present line that it changes; None is a new one."""

    kind: str = Line.Kind.SERVICE.value
    description: str = ""
    quantity: Decimal = Decimal(1)
    unit_price: Decimal = Decimal(0)
    tax_rate_id: int | None = None
    id: int | None = None


def drafts(lines: Iterable[Mapping[str, Any] | LineDraft]) -> list[LineDraft]:
    """Read lines that a caller gives, as mappings or drafts. :raises ValidationError: one is out of its bounds."""
    given = [line if isinstance(line, LineDraft) else LineDraft(**line) for line in lines]
    if len(given) > MOST_LINES:
        raise ValidationError({"lines": _("A document has %(most)s lines at most.") % {"most": MOST_LINES}})
    return [_clean_line(line, place) for place, line in enumerate(given, start=1)]


def _clean_line(line: LineDraft, place: int) -> LineDraft:
    description = " ".join(str(line.description).replace("\x00", "").split())
    problems = []
    if not description:
        problems.append(_("Line %(place)s: say what it is.") % {"place": place})
    if len(description) > 300:
        problems.append(_("Line %(place)s: 300 characters at most.") % {"place": place})
    if line.kind not in Line.Kind.values:
        problems.append(_("Line %(place)s: choose product, material or service.") % {"place": place})
    quantity, price = read_decimal(line.quantity), read_decimal(line.unit_price)
    if quantity is None or quantity < 0 or quantity >= 10**9:
        problems.append(_("Line %(place)s: that is no quantity.") % {"place": place})
    if price is None or price < 0 or price >= LARGEST:
        problems.append(_("Line %(place)s: that is no price.") % {"place": place})
    if problems or quantity is None or price is None:
        raise ValidationError({"lines": problems})
    quantity = quantity.quantize(Decimal("0.001"), rounding=ROUND_HALF_UP)
    price = price.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    if quantity * price >= LARGEST or quantity >= 10**9 or price >= LARGEST:  # also once rounded
        raise ValidationError({"lines": _("Line %(place)s: the amount is too large.") % {"place": place}})
    return LineDraft(str(line.kind), description, quantity, price, line.tax_rate_id, line.id)


def read_decimal(value: Any) -> Decimal | None:
    """Read a finite number; None where it is none."""
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return number if number.is_finite() else None


_LINE_MODELS: dict[str, type[QuoteLine | JobLine | AgreementLine]] = {
    "quote": QuoteLine,
    "job": JobLine,
    "agreement": AgreementLine,
}


def write_lines(document: AnyDocument, wanted: Sequence[LineDraft]) -> bool:
    """Make the document's lines what is wanted and work out its money; tells whether anything changed.

    :raises Refused: OVER_FULFILLED: a line would go, or shrink, below what of it is fulfilled (5.3).
    :raises Stale: a line that is to be changed is not there any more.
    """
    model = _LINE_MODELS[document.REF]
    present: dict[int, Any] = {line.pk: line for line in model._default_manager.filter(**{document.REF: document})}
    rates = {rate.pk: rate for rate in TaxRate.objects.all()}
    named = [draft.id for draft in wanted if draft.id is not None]
    kept = set(named)
    if kept - present.keys() or len(kept) < len(named):
        raise Stale(document, _("Somebody else changed the lines of %(number)s.") % {"number": document.number})
    gone = [line for pk, line in present.items() if pk not in kept]
    rows = [_line_row(model, document, draft, place, present, rates) for place, draft in enumerate(wanted)]
    refuse_if(*_fulfilment_blockers(document, gone, wanted, present))
    changed = bool(gone) or any(row.pk is None or _looks(row) != _looks(present[row.pk]) for row in rows)
    if not changed:
        return False
    model._default_manager.filter(pk__in=[line.pk for line in gone]).delete()
    for row in rows:
        row.price(document.discount_percent)
    model._default_manager.bulk_create([row for row in rows if row.pk is None])
    fields = ["position", "kind", "description", "quantity", "unit_price", "tax_rate", "tax_percent", "net", "tax"]
    model._default_manager.bulk_update([row for row in rows if row.pk is not None], fields)
    add_up(document, rows)
    return True


def preview(document: AnyDocument, wanted: Sequence[LineDraft]) -> list[Any]:
    """Price lines as `write_lines` would and sum the document up, without writing anything; a new one is not saved.

    :raises ValidationError: a tax rate is gone, or the total is too large.
    """
    model = _LINE_MODELS[document.REF]
    present: dict[int, Any] = {}
    if document.pk is not None:
        present = {line.pk: line for line in model._default_manager.filter(**{document.REF: document})}
    rates = {rate.pk: rate for rate in TaxRate.objects.all()}
    rows = [_line_row(model, document, draft, place, present, rates) for place, draft in enumerate(wanted)]
    for row in rows:
        row.price(document.discount_percent)
    add_up(document, rows)
    return rows


def _line_row(
    model: Any,
    document: AnyDocument,
    draft: LineDraft,
    place: int,
    present: Mapping[int, Any],
    rates: Mapping[int, TaxRate],
) -> Any:
    old = present.get(draft.id or 0)
    row = model(**{document.REF: document}, pk=draft.id)
    row.position, row.kind, row.description = place, draft.kind, draft.description
    row.quantity, row.unit_price, row.tax_rate_id = draft.quantity, draft.unit_price, draft.tax_rate_id
    if isinstance(row, JobLine) and old is not None:
        row.fulfilled_quantity = old.fulfilled_quantity
    if draft.tax_rate_id is None:
        row.tax_percent = Decimal(0)
    elif old is not None and old.tax_rate_id == draft.tax_rate_id:
        row.tax_percent = old.tax_percent
    elif draft.tax_rate_id in rates:
        row.tax_percent = rates[draft.tax_rate_id].percent
    else:
        raise ValidationError({"lines": _("Line %(place)s: that tax rate is gone.") % {"place": place + 1}})
    return row


def _looks(line: Any) -> tuple[Any, ...]:
    """What of a line people see, for telling whether it changed."""
    return (
        line.position,
        line.kind,
        line.description,
        line.quantity,
        line.unit_price,
        line.tax_rate_id,
    )


def _fulfilment_blockers(
    document: AnyDocument, gone: Iterable[Any], wanted: Iterable[LineDraft], present: Mapping[int, Any]
) -> Iterable[Blocker]:
    """Keep what is fulfilled: such a line neither goes nor shrinks below it."""
    for line in gone:
        if getattr(line, "fulfilled_quantity", 0) > 0:
            words = _("“%(line)s” is partly fulfilled, so it cannot be deleted. Return it first.")
            yield Blocker("OVER_FULFILLED", words % {"line": line.description}, document.number)
    for draft in wanted:
        old = present.get(draft.id or 0)
        fulfilled = getattr(old, "fulfilled_quantity", Decimal(0))
        if old is not None and fulfilled > 0 and old.kind != Line.Kind.SERVICE and draft.kind == Line.Kind.SERVICE:
            words = _("“%(line)s” is partly fulfilled, so it stays a product or material. Return it first.")
            yield Blocker("OVER_FULFILLED", words % {"line": draft.description}, document.number)
        if draft.quantity < fulfilled:
            words = _("%(done)s of “%(line)s” are fulfilled already, so it cannot be fewer. Return some first.")
            said = words % {"done": plain(fulfilled), "line": draft.description}
            yield Blocker("OVER_FULFILLED", said, document.number)


def plain(quantity: Decimal) -> str:
    """Write a quantity without needless zeros."""
    return f"{quantity.normalize():f}"


def add_up(document: AnyDocument, rows: Iterable[Any]) -> None:
    """Sum the lines up: net, tax, total, in the business's currency. :raises ValidationError: it is too much."""
    lines = list(rows)
    document.net = sum((line.net for line in lines), Decimal(0))
    document.tax = sum((line.tax for line in lines), Decimal(0))
    document.total = document.net + document.tax
    if document.total >= LARGEST:
        raise ValidationError({"lines": _("The total is too large.")})


def reprice(document: AnyDocument) -> None:
    """Work out the lines again after the document's discount changed."""
    model = _LINE_MODELS[document.REF]
    rows: list[Any] = list(model._default_manager.filter(**{document.REF: document}))
    for row in rows:
        row.price(document.discount_percent)
    model._default_manager.bulk_update(rows, ["net", "tax"])
    add_up(document, rows)


def copies(lines: Iterable[Any]) -> list[LineDraft]:
    """Take lines over to another document, as new ones."""
    return [LineDraft(line.kind, line.description, line.quantity, line.unit_price, line.tax_rate_id) for line in lines]


def take_over(document: AnyDocument, lines: Iterable[Any]) -> None:
    """Copy lines to a new document at the very prices and tax rates that they had."""
    model = _LINE_MODELS[document.REF]
    rows: list[Any] = []
    for place, line in enumerate(lines):
        row: Any = model(**{document.REF: document}, position=place)
        for name in ("kind", "description", "quantity", "unit_price", "tax_rate_id", "tax_percent"):
            setattr(row, name, getattr(line, name))
        row.price(document.discount_percent)
        rows.append(row)
    model._default_manager.bulk_create(rows)
    add_up(document, rows)


# Making and ending


def begin(document: AnyDocument, *, customer_id: int, card: Opportunity | None, title: str, desk: Desk) -> None:
    """Fill in what every new document has, before it is saved for the first time.

    :raises ValidationError: there is no such customer, or the title is too long.
    """
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise ValidationError({"customer": _("This customer does not exist any more.")})
    words = " ".join(title.replace("\x00", "").split()) or (card.title if card is not None else "")
    if len(words) > 200:
        raise ValidationError({"title": _("The title is too long: 200 characters at most.")})
    document.customer, document.title = customer, words
    document.created_at, document.created_by = desk.now, desk.actor


def clean_discount(percent: Any) -> Decimal:
    """Read a discount. :raises ValidationError: it is not between 0 and 100 percent."""
    value = read_decimal(percent)
    if value is None or not 0 <= value <= 100:
        raise ValidationError({"discount_percent": _("A discount lies between 0 and 100 percent.")})
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def customers_of(card: Opportunity) -> list[int]:
    """The customers of a card."""
    return list(OpportunityCustomer.objects.filter(opportunity=card).values_list("customer_id", flat=True))


def end(document: AnyDocument, *, desk: Desk, reason: Reason | None, label: str, with_card: bool = False) -> None:
    """Write why, when and by whom a document was voided or canceled; its state is the transition's.

    What waits in the outbox to bring it to its recipients never leaves any more.
    """
    document.close_reason, document.close_reason_label = reason, label
    document.closed_by, document.closed_at = desk.actor, desk.now
    document.closed_with_card = with_card
    if not isinstance(document, Job):
        document.mails.filter(state=OutgoingEmail.State.QUEUED).delete()


END_FIELDS = ("state", "close_reason", "close_reason_label", "closed_by", "closed_at", "closed_with_card")


def reason_of(list_: str, reason_id: int | None) -> Reason:
    """Return the active reason of a list (D24).

    :raises ValidationError: none is given.
    :raises Refused: REASON_WRONG_LIST: it stands in the other list, or is not offered any more.
    """
    if reason_id is None:
        raise ValidationError({"reason": _("Choose a reason.")})
    reason = Reason.objects.filter(pk=reason_id).first()
    if reason is None or reason.list != list_ or not reason.active:
        raise Refused(Blocker("REASON_WRONG_LIST", _("Choose one of the reasons that are offered.")))
    return reason


def save(document: AnyDocument, *fields: str) -> None:
    """Save what changed, and count the version up."""
    document.version += 1
    document.save(update_fields=[*fields, "version"])


def require(desk: Desk, verb: str, document: AnyDocument) -> None:
    """Let the actor pass, by the card that the document is on. Errors as `access.require_document`."""
    access.require_document(desk.actor, verb, document)
