"""Documents whose last day is near: who is told of which, once a document and date, and what "My day" lists."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from opportunities import telling
from opportunities.attached import AnyDocument
from opportunities.models import Agreement, BusinessSettings, Job, Notice, Quote

WITHIN = timedelta(days=3)
"""How long before its last day a document is told of."""

BATCH = 500

_LAST_DAYS: tuple[tuple[Any, str], ...] = (
    (Quote, "valid_until"),
    (Job, "service_date"),
    (Agreement, "valid_until"),
)


def _near(today: date) -> Iterator[tuple[str, QuerySet[Any]]]:
    """Ask for what lies on a card that is neither closed nor put away and has its day soon; each kind by itself."""
    for model, field in _LAST_DAYS:
        rows = model.objects.filter(**{f"{field}__gte": today, f"{field}__lte": today + WITHIN})
        alive = Q(opportunity__closed_kind="", opportunity__archived_at=None)
        if model is Quote:
            alive &= Q(archived_at=None)
        yield field, rows.filter(alive, opportunity__isnull=False).select_related("opportunity")


def of_salesperson(person_id: int, *, visible: Q, today: date) -> list[AnyDocument]:
    """List the documents on this person's cards that lapse soon, the nearest first: three statements."""
    found: list[AnyDocument] = []
    for field, rows in _near(today):
        own = rows.filter(visible, opportunity__salesperson=person_id).order_by(field, "pk")
        found += [document for document in own[:BATCH] if document.last_day is not None]
    return sorted(found, key=lambda document: (document.last_day or today, document.REF, document.pk))


def tell(now: datetime) -> int:
    """Tell the salesperson of each card of its documents that lapse soon; returns how many notices were written.

    Any number of runs and of workers at once tell each person once of a document and date.
    """
    today = BusinessSettings.current().local_date(now)
    told = 0
    for _field, rows in _near(today):
        rows = rows.filter(opportunity__salesperson__isnull=False).order_by("pk")
        last = 0
        while batch := list(rows.filter(pk__gt=last)[:BATCH]):
            told += _tell(batch, now)
            last = batch[-1].pk
    return told


def _tell(documents: list[AnyDocument], now: datetime) -> int:
    wanted = {}
    for document in documents:
        card, day = document.opportunity, document.last_day
        if card is None or card.salesperson_id is None or day is None:
            continue
        about = f"{document.REF}:{document.pk}:{day.isoformat()}"
        said = {"document": document.number, "ref": document.REF, "day": day.isoformat()}
        wanted[card.salesperson_id, about] = telling.notice(
            card.salesperson_id, Notice.Kind.LAPSING, card, now, said, about=about
        )
    held = Notice.objects.filter(about__in={about for _person, about in wanted}).values_list("person_id", "about")
    for pair in held:
        wanted.pop(pair, None)
    # Of two workers at once, the slower one finds the rows there.
    Notice.objects.bulk_create(wanted.values(), ignore_conflicts=True)
    return len(wanted)
