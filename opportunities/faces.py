"""What a card shows and is found by from other tables, kept on the card itself so that a board reads one table."""

from collections.abc import Iterable
from typing import Any

from opportunities.keys import comparison_key
from opportunities.models import ActionItem, Opportunity, OpportunityCustomer


def compose(card: Opportunity) -> None:
    """Work out the card's face and search key from its customers, contacts and open actions. Saves nothing."""
    parties = list(
        OpportunityCustomer.objects.filter(opportunity=card)
        .select_related("customer", "contact")
        .order_by("position", "pk")
    )
    following = (
        ActionItem.objects.filter(opportunity=card, state=ActionItem.State.OPEN)
        .order_by("due_on", "pk")
        .values("pk", "text", "due_on")
        .first()
    )
    customers = list(dict.fromkeys(party.customer.name for party in parties))
    contacts = [party.contact.name for party in parties if party.contact is not None]
    face: dict[str, Any] = {"customers": customers, "contacts": contacts}
    if following is not None:
        face["next"] = {"id": following["pk"], "text": following["text"], "due": following["due_on"].isoformat()}
    card.face = face
    card.search_key = comparison_key(" ".join([card.number, card.title, *customers, *contacts]))


def compose_many(opportunity_ids: Iterable[int]) -> None:
    """Work the faces of these cards out again and save them: after a customer or contact changed its name."""
    for card in Opportunity.objects.filter(pk__in=list(opportunity_ids)).order_by("pk"):
        compose(card)
        card.save(update_fields=["face", "search_key"])
