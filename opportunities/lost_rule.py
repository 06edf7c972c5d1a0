"""The business's reading of "lost" (D19): what another one does to cards, told beforehand and done afterwards.

Only P7 reads it, so only a card with a dead quote or job can turn. Whether it does is the pure rule on its facts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from opportunities import attached, documents, foresight, history, outcome, standing
from opportunities.access import Person
from opportunities.models import BusinessSettings, Job, Opportunity, Quote
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.workflow import LostWhen

CHUNK = 500
"""How many cards are looked at with one set of statements."""

_DEAD = ("void", "canceled")
_READ = tuple(rule.value for rule in (SalesRule.P7, SalesRule.P8, SalesRule.P9, SalesRule.MANUAL))
"""The rules that P7 stands before or gives way to."""


@dataclass(slots=True)
class Turn:
    """What another reading does: the cards that have to be looked at again, and how many change how they ended."""

    card_ids: list[int]
    lost: int = 0
    back: int = 0


def turn(lost_when: str, *, business: BusinessSettings, today: date) -> Turn:
    """Tell which cards this reading turns, in a number of statements that grows with chunks, not with cards."""
    found = Turn([])
    for cards in _in_chunks(_concerned()):
        attachments = attached.to_cards([card.pk for card in cards])
        for card in cards:
            before = attachments[card.pk].facts(card, business=business, today=today)
            after = replace(before, lost_when=LostWhen(lost_when))
            if outcome.evidence(before) == outcome.evidence(after):
                continue
            found.card_ids.append(card.pk)
            now, then = foresight.present(card, before), foresight.present(card, after)
            found.lost += then.sales is SalesStatus.LOST and now.sales is not SalesStatus.LOST
            found.back += now.sales is SalesStatus.LOST and then.sales is not SalesStatus.LOST
    return found


def _concerned() -> QuerySet[Opportunity]:
    """The cards that the setting can speak of: not closed, with something dead on them that no other rule outranks."""
    gone = Q(state__in=_DEAD)
    here = Q(opportunity=OuterRef("pk"))
    dead_quote = Exists(Quote.objects.filter(here & (gone | Q(archived_at__isnull=False))))
    dead_job = Exists(Job.objects.filter(here & gone))
    return Opportunity.objects.not_closed().filter(dead_quote | dead_job, sales_rule__in=_READ)


def _in_chunks(rows: QuerySet[Opportunity]) -> Iterator[list[Opportunity]]:
    last = 0
    while True:
        chunk = list(rows.select_related("hand_status").filter(pk__gt=last).order_by("pk")[:CHUNK])
        if not chunk:
            return
        yield chunk
        last = chunk[-1].pk


@transaction.atomic
def follow(*, opportunity_id: int, actor: Person | None, now: datetime) -> Opportunity:
    """Bring one card in line with the setting in force; any number of times.

    :raises Opportunity.DoesNotExist: no such card.
    """
    desk = documents.open_desk(card_ids=[opportunity_id], actor=actor, now=now)
    card = desk.cards[opportunity_id].card
    before = history.snapshot(card)
    standing.refresh(card, today=desk.today, business=desk.business, documents=desk.documents_of(opportunity_id))
    history.record(card, kind="rule_changed", before=before, actor=actor, now=now)
    return card
