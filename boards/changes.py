"""What open boards ask for when cards changed: each card as this person's board shows it now, where, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import F, OuterRef, Q, Subquery
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from boards import layout
from boards.layout import CardFace, Plan
from boards.models import Board
from boards.selection import Selection, select
from opportunities.access import Person
from opportunities.models import BusinessSettings, Event, Opportunity

MOST = 60
"""How many cards are told at once; a board that missed more fetches its columns again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A card that the person may see.

    `face` is None where the board does not show it; `after` is the card before it in its column. `said` and
    `sentence` name who did it, and are empty for what the person did.
    """

    pk: int
    face: CardFace | None
    after: int | None
    said: str
    sentence: str


def changes(
    board_id: int, ids: Sequence[int], *, user: Person, query: QueryDict | str, today: date
) -> tuple[Change, ...]:
    """Lay out what became of some cards, in the order of their columns; those not to be seen are left out.

    :raises Board.DoesNotExist: not there, or not theirs.
    """
    found = layout.plan(board_id, user=user)
    business = BusinessSettings.current()
    selection = select(found.board, user=user, query=query, today=today, first_weekday=business.first_day_of_week)
    rows = selection.cards.filter(pk__in=ids).order_by("rank", "pk")
    ranks = dict(rows.values_list("pk", "rank"))
    faces = layout.faces_of(ranks, found, today=today, currency=business.currency)
    after = _before_each(faces, ranks, found, selection) if found.board.sort == Board.Sort.RANK else {}
    events = _last_events(ids, user)
    return tuple(
        Change(pk, faces.get(pk), after.get(pk), *_who(events[pk], faces.get(pk), found, user))
        for pk in [*ranks, *(pk for pk in events if pk not in ranks)]
        if pk in events
    )


def _before_each(
    faces: dict[int, CardFace], ranks: dict[int, Any], found: Plan, selection: Selection
) -> dict[int, int | None]:
    """Find the card before each, by one short walk along each stage of its column."""
    parts = [
        selection.cards.filter(Q(rank__lt=ranks[pk]) | Q(rank=ranks[pk], pk__lt=pk), stage=stage)
        .order_by("-rank", "-pk")
        .values("pk")[:1]
        for pk, face in faces.items()
        for stage in _stages(face.column_id, found)
    ]
    near = Opportunity.objects.filter(pk__in=layout.ids_of(parts)).values_list("rank", "pk", "stage_id")
    columns = {stage.pk: stage.column_id for stage in found.stages.values()}
    candidates = sorted((rank, pk, columns.get(stage or 0)) for rank, pk, stage in near)
    return {
        pk: max(
            (
                (rank, other)
                for rank, other, column in candidates
                if column == face.column_id and (rank, other) < (ranks[pk], pk)
            ),
            default=(0, None),
        )[1]
        for pk, face in faces.items()
    }


def _stages(column_id: int | None, found: Plan) -> list[int | None]:
    if column_id is None:
        return [*found.loose, None]
    return [stage.pk for stage in found.by_column[column_id]]


def _last_events(ids: Sequence[int], user: Person) -> dict[int, dict[str, Any]]:
    """Read the last event of each card that the person may see."""
    newest = Event.objects.filter(opportunity=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    seen = Opportunity.objects.visible_to(user).filter(pk__in=ids).annotate(newest=Subquery(newest))
    events = Event.objects.filter(pk__in=seen.values("newest"))
    rows = events.values("opportunity_id", "actor_id", "by", "kind", "changes", title=F("opportunity__title"))
    return {row["opportunity_id"]: dict(row) for row in rows}


def _who(event: dict[str, Any], face: CardFace | None, found: Plan, user: Person) -> tuple[str, str]:
    """Say who did it: on the card, and for the ear."""
    if event["actor_id"] == user.pk:
        return "", ""
    column = next((each.name for each in found.columns if face is not None and each.pk == face.column_id), "")
    gaps = {"name": event["by"], "who": capfirst(event["by"]), "title": event["title"], "column": column}
    if event["kind"] in {"created", "duplicated"}:
        return _("Added by %(name)s") % gaps, _("%(who)s added “%(title)s”.") % gaps
    if "stage_id" in event["changes"] and column:
        return _("Moved by %(name)s") % gaps, _("%(who)s moved “%(title)s” to %(column)s.") % gaps
    if event["kind"] == "moved":
        return _("Moved by %(name)s") % gaps, _("%(who)s moved “%(title)s”.") % gaps
    return _("Changed by %(name)s") % gaps, _("%(who)s changed “%(title)s”.") % gaps
