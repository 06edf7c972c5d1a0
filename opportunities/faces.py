"""What a card shows and is found by from other tables, kept on the card itself so that a board reads one table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from opportunities.attached import Attached
from opportunities.keys import comparison_key
from opportunities.models import ActionItem, Opportunity, OpportunityCustomer
from opportunities.outcome import LostBecause
from opportunities.states import QuoteState
from opportunities.workflow import Facts

OF_DOCUMENTS = ("chips", "has", "lost")
"""The parts of a face that come from documents; `compose` leaves them as they are."""


@dataclass(slots=True)
class Sources:
    """The rows of other tables that a card's face is made of: its customers, and the next open action."""

    parties: list[OpportunityCustomer] = field(default_factory=list)
    following: ActionItem | None = None


def sources(card_ids: Sequence[int]) -> dict[int, Sources]:
    """Read what the faces of these cards are made of, in two statements."""
    found = {card_id: Sources() for card_id in card_ids}
    parties = OpportunityCustomer.objects.filter(opportunity__in=card_ids).select_related("customer", "contact")
    for party in parties.order_by("position", "pk"):
        found[party.opportunity_id].parties.append(party)
    actions = ActionItem.objects.filter(opportunity__in=card_ids, state=ActionItem.State.OPEN)
    for action in actions.only("pk", "text", "due_on", "opportunity").order_by("-due_on", "-pk"):
        found[action.opportunity_id].following = action
    return found


def compose(card: Opportunity) -> None:
    """Work out the card's face and search key from its customers, contacts and open actions. Saves nothing."""
    put_together(card, sources([card.pk])[card.pk])


def put_together(card: Opportunity, of: Sources) -> None:
    """Write what the card's face and search key take from these rows."""
    customers = list(dict.fromkeys(party.customer.name for party in of.parties))
    contacts = [party.contact.name for party in of.parties if party.contact is not None]
    kept = {part: card.face[part] for part in OF_DOCUMENTS if part in card.face}
    face: dict[str, Any] = {"customers": customers, "contacts": contacts, **kept}
    if of.following is not None:
        following = of.following
        face["next"] = {"id": following.pk, "text": following.text, "due": following.due_on.isoformat()}
    card.face = face
    card.search_key = comparison_key(" ".join([card.number, card.title, *customers, *contacts]))


def compose_many(opportunity_ids: Iterable[int]) -> None:
    """Work the faces of these cards out again and save them: after a customer or contact changed its name."""
    for card in Opportunity.objects.filter(pk__in=list(opportunity_ids)).order_by("pk"):
        compose(card)
        card.save(update_fields=["face", "search_key"])


def show_documents(card: Opportunity, attached: Attached, facts: Facts, today: date) -> None:
    """Work out what the card's face shows of its documents: chips, what entry requirements ask, and why it is lost."""
    face = {part: value for part, value in card.face.items() if part not in OF_DOCUMENTS}
    chips = [chip for chip in (_quotes(attached, today), _jobs(attached, today), _agreements(attached, today)) if chip]
    if chips:
        face["chips"] = chips
    has = entry_facts(attached)
    if has:
        face["has"] = has
    if card.lost_because not in (LostBecause.NOTHING, LostBecause.CLOSED, LostBecause.BY_HAND):
        face["lost"] = _lost(facts)
    card.face = face


def entry_facts(attached: Attached) -> list[str]:
    """Name what the entry requirements of stages find among the documents."""
    quotes = [quote for quote in attached.quotes if not quote.is_dead and not quote.is_archived]
    taken = {QuoteState.ACCEPTED.value, QuoteState.CONVERTED.value}
    agreements = [each for each in attached.agreements if not each.is_dead]
    found = {
        "quote_submitted": any(quote.submit_count or str(quote.state) in taken for quote in quotes),
        "quote_accepted": any(str(quote.state) in taken for quote in quotes),
        "agreement_submitted": any(each.status in {"submitted", "accepted"} for each in agreements),
        "agreement_accepted": any(each.status == "accepted" for each in agreements),
    }
    return [name for name, is_so in found.items() if is_so]


def _quotes(attached: Attached, today: date) -> dict[str, Any] | None:
    """The chip of the quotes: how many, and the state of the newest that is alive."""
    if not attached.quotes:
        return None
    alive = [quote for quote in attached.quotes if not quote.is_dead and not quote.is_archived]
    shown = (alive or attached.quotes)[-1]
    state = "expired" if shown.is_expired_on(today) else "archived" if shown.is_archived else str(shown.state)
    return {"kind": "quote", "count": len(attached.quotes), "number": shown.number, "state": state}


def _jobs(attached: Attached, today: date) -> dict[str, Any] | None:
    if not attached.jobs:
        return None
    shown = ([job for job in attached.jobs if job.is_live] or attached.jobs)[-1]
    state = "expired" if shown.is_expired_on(today) else str(shown.state)
    return {"kind": "job", "count": len(attached.jobs), "number": shown.number, "state": state}


def _agreements(attached: Attached, today: date) -> dict[str, Any] | None:
    if not attached.agreements:
        return None
    shown = ([each for each in attached.agreements if str(each.state) != "void"] or attached.agreements)[-1]
    return {
        "kind": "agreement",
        "count": len(attached.agreements),
        "number": shown.number,
        "state": shown.status_on(today).value,
        "signed": [shown.signed_count, shown.signer_count],
    }


def _lost(facts: Facts) -> dict[str, Any]:
    """Name the document that lost the deal, and the offers that are still open beside it."""
    dead = [(quote.number, quote.state.value, quote.archived) for quote in facts.quotes if quote.dead]
    dead += [(job.number, job.state.value, False) for job in facts.jobs if not job.live]
    lost: dict[str, Any] = {"open": [quote.number for quote in facts.live_quotes if not quote.expired]}
    if dead:
        number, state, archived = dead[0]
        lost["document"] = number
        lost["state"] = state if state in {"void", "canceled"} else "archived" if archived else state
    return lost
