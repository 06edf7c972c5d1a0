"""What can be attached where: documents found for a card, cards found for a document, and what would come of each.

A fixed number of statements, however much is found.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, Value, When
from django.urls import reverse
from django.utils.translation import gettext as _

from opportunities import access, attached, attachments, card_documents, foresight, offers, pipeline, workflow
from opportunities.access import Person
from opportunities.attached import AnyDocument, Attached
from opportunities.documents import Desk
from opportunities.errors import Blocker
from opportunities.foresight import Outlook
from opportunities.keys import comparison_key
from opportunities.models import Agreement, BusinessSettings, Job, Opportunity, OpportunityCustomer, Quote
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.money import format_money
from opportunities.workflow import Facts

MOST = 12
"""So many of each kind are shown; more are found by saying more."""

MODELS: dict[str, Any] = {"Q": Quote, "J": Job, "A": Agreement}
_NUMBER = re.compile(r"([QJA])-?([0-9]{1,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that was found. Where it cannot be attached, `refusal` says why, with a link."""

    number: str
    title: str
    customer: str
    state: str
    tone: str
    amount: str
    url: str
    refusal: str = ""
    refusal_url: str = ""


@dataclass(frozen=True, slots=True)
class CardChoice:
    """A card that was found for a document, and what it would become with it."""

    pk: int
    number: str
    title: str
    salesperson: str
    consequence: str
    url: str
    refusal: str = ""
    adds_customer: str = ""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What attaching a document makes of a card, told beforehand."""

    label: str
    consequence: str
    along: tuple[str, ...]
    waived: bool
    contracts: bool


def number_in(text: str) -> tuple[Any, int] | None:
    """Read the number of a document, such as q-12; None where the text is none."""
    match = _NUMBER.fullmatch(text.strip())
    return None if match is None else (MODELS[match[1].upper()], int(match[2]))


def documents_for(
    card: Opportunity, text: str, *, reader: Person, business: BusinessSettings, today: Any
) -> list[Candidate]:
    """Find documents by number, customer or title: those of the card's customers and those on no card first (AC025)."""
    ours = set(OpportunityCustomer.objects.filter(opportunity=card).values_list("customer_id", flat=True))
    key = comparison_key(text)
    found: list[AnyDocument] = []
    for model in MODELS.values():
        rows = model.objects.visible_to(reader)
        rows = (
            rows.filter(search_key__contains=key) if key else rows.on_no_card().exclude(state__in=("void", "canceled"))
        )
        first = Case(
            When(opportunity=None, customer__in=ours, then=Value(0)),
            When(opportunity=None, then=Value(1)),
            default=Value(2),
            output_field=IntegerField(),
        )
        related = rows.select_related("customer", "opportunity__salesperson").alias(place=first)
        found += related.order_by("place", "-pk")[:MOST]
    found.sort(key=lambda each: (each.opportunity_id is not None, each.customer_id not in ours))
    candidates = [_candidate(each, card, reader, business, today) for each in found]
    return candidates or _hidden(text)


def _candidate(
    document: AnyDocument, card: Opportunity, reader: Person, business: BusinessSettings, today: Any
) -> Candidate:
    blocker: Blocker | None = next(iter(attachments.unattachable(document, card, reader)), None)
    state, tone = card_documents.state_of(document, today)
    return Candidate(
        number=document.number,
        title=document.title,
        customer=document.customer.name,
        state=state,
        tone=tone,
        amount=format_money(document.total, business.currency, short=True) if document.total else "",
        url=reverse("opportunities:attach", args=[card.pk], query={"document": document.number}),
        refusal=blocker.message if blocker else "",
        refusal_url=blocker.url if blocker else "",
    )


def _hidden(text: str) -> list[Candidate]:
    """Say that a document named by its number is on a card that this person may not see (AC025)."""
    named = number_in(text)
    if named is None or not named[0].objects.filter(pk=named[1], opportunity__isnull=False).exists():
        return []
    number = f"{named[0].LETTER}-{named[1]}"
    words = _("%(number)s is already attached to another card.") % {"number": number}
    return [Candidate(number, "", "", "", "", "", "", refusal=words)]


def cards_for(document: AnyDocument, desk: Desk, text: str, *, reader: Person) -> list[CardChoice]:
    """Find cards that a document could go to: visible, not closed; those of its customer and the open ones first."""
    party = OpportunityCustomer.objects.filter(opportunity=OuterRef("pk"), customer=document.customer_id)
    rows = Opportunity.objects.visible_to(reader).not_closed().with_people().annotate(is_theirs=Exists(party))
    key = comparison_key(text)
    rows = rows.filter(search_key__contains=key) if key else rows.filter(is_theirs=True)
    if document.opportunity_id is not None:
        rows = rows.exclude(pk=document.opportunity_id)
    cards = list(rows.order_by("-is_theirs", "decided_on", "archived_at", "-pk")[:MOST])
    found = attached.to_cards([card.pk for card in cards])
    family = attachments.family(document, desk)
    return [_choice(card, found[card.pk], family, document, desk, reader) for card in cards]


def _choice(
    card: Opportunity,
    found: Attached,
    family: list[AnyDocument],
    document: AnyDocument,
    desk: Desk,
    reader: Person,
) -> CardChoice:
    before = found.facts(card, business=desk.business, today=desk.today)
    following = joined(found, family).facts(card, business=desk.business, today=desk.today)
    look = foresight.reopened if offers.asks_reopen(card, reader) else foresight.foresee
    now, then = foresight.present(card, before), look(card, before, following)
    refusal = "" if access.may(reader, "attach", card) else access.who_may("attach", card)
    theirs = bool(getattr(card, "is_theirs", True))
    return CardChoice(
        pk=card.pk,
        number=card.number,
        title=card.title,
        salesperson=card.salesperson.get_full_name() if card.salesperson else "",
        consequence=offers.in_words(card, now, then)[1] or stays(card, now),
        url=reverse("opportunities:attach", args=[card.pk], query={"document": document.number}),
        refusal=refusal,
        adds_customer="" if theirs else document.customer.name,
    )


def joined(found: Attached, more: Iterable[AnyDocument]) -> Attached:
    """Return what is attached together with what would be, in the order in which agreements were submitted."""
    both = Attached(list(found.quotes), list(found.jobs), list(found.agreements))
    for each in more:
        both.add(each)
    return both


def stays(card: Opportunity, now: Outlook) -> str:
    """Say that an act changes neither status."""
    said = {
        "card": card.number,
        "workflow": dict(WORKFLOW_CHOICES)[now.workflow.value],
        "sales": dict(SALES_CHOICES)[now.sales.value],
    }
    return _("%(card)s stays %(workflow)s and %(sales)s.") % said


def prospect(document: AnyDocument, card: Opportunity, desk: Desk, *, reopen: bool) -> Prospect:
    """Tell what attaching makes of the card, what goes along, and whether a passed forecast date is waived (3.4)."""
    family = attachments.family(document, desk)
    before = desk.facts_of(card.pk)
    both = joined(desk.documents_of(card.pk), family)
    following = both.facts(card, business=desk.business, today=desk.today)
    look = foresight.reopened if reopen else foresight.foresee
    now, then = foresight.present(card, before), look(card, before, following)
    short, sentence = offers.in_words(card, now, then)
    act = _("Attach %(number)s") if document.opportunity_id is None else _("Move %(number)s to %(card)s")
    act %= {"number": document.number, "card": card.number}
    return Prospect(
        label=_("%(act)s and %(consequence)s") % {"act": act, "consequence": short} if short else act,
        consequence=sentence or stays(card, now),
        along=tuple(each.number for each in family if each is not document),
        waived=workflow.waiver(before, following) is not None,
        contracts=_contracts(before, following),
    )


def _contracts(before: Facts, following: Facts) -> bool:
    """Tell whether attaching is a contract event: the card's forecast date is worth a thought (T8, D13)."""
    return len(following.live_jobs) > len(before.live_jobs) or (
        workflow.base(following) is workflow.WorkflowStatus.CONTRACTED
        and workflow.base(before) is not workflow.base(following)
    )


def cards_of_customer(document: AnyDocument, reader: Person) -> list[Opportunity]:
    """List the other cards of its customer that could take a document: visible, not closed, the open ones first."""
    theirs = Opportunity.objects.visible_to(reader).not_closed().with_people().filter(customers=document.customer_id)
    if document.opportunity_id is not None:
        theirs = theirs.exclude(pk=document.opportunity_id)
    return list(theirs.distinct().order_by("decided_on", "archived_at", "-pk")[:MOST])


def leaving(document: AnyDocument, desk: Desk) -> tuple[str, str, tuple[str, ...]]:
    """Tell what its card becomes without a document: on the button, as a sentence, and what goes along (D7)."""
    card = document.opportunity
    before = desk.facts_of(card.pk)
    following = offers.changed("detach", document, before, desk=desk)
    now, then = foresight.present(card, before), foresight.foresee(card, before, following)
    short, sentence = offers.in_words(card, now, then)
    along = tuple(each.number for each in attachments.family(document, desk) if each is not document)
    act = _("Detach %(number)s") % {"number": document.number}
    label = _("%(act)s and %(consequence)s") % {"act": act, "consequence": short} if short else act
    return label, sentence or stays(card, now), along


def blocked(card: Opportunity) -> str:
    """Say why nothing may be attached to the card; empty where something may."""
    closed = pipeline.closed_blocker(card)
    return closed.message if closed else ""
