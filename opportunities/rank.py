"""The one order over all cards: where a card goes between its neighbours, and how a used-up gap is widened."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar

from django.db import connection, transaction
from django.db.models import Max, Q

from opportunities.models import RANK_GAP, Opportunity

WIDENED_AT_ONCE = 200
_ADVISORY_LOCK = 7_316_215
_TRIES = 4
_within = ContextVar("an act is under way that will be run again when a gap is used up", default=False)


class GapUsedUp(Exception):
    """There is no whole number left between two neighbours; `around` is the lower one's rank."""

    def __init__(self, around: int) -> None:
        self.around = around
        super().__init__(around)


def bottom() -> int:
    """Return a rank below every card."""
    highest = Opportunity.objects.aggregate(highest=Max("rank"))["highest"]
    return RANK_GAP if highest is None else int(highest) + RANK_GAP


def between(card: Opportunity, *, stage_id: int | None, after_id: int | None, before_id: int | None) -> int:
    """Return the rank that puts the card right after one neighbour, or right before the other.

    A neighbour that has meanwhile left the stage counts only when the other has left too. No neighbour: the bottom.

    :raises GapUsedUp: when there is no room.
    """
    wanted = [pk for pk in (after_id, before_id) if pk is not None and pk != card.pk]
    found = {row.pk: row for row in Opportunity.objects.filter(pk__in=wanted).only("pk", "rank", "stage_id")}
    after, before = found.get(after_id or 0), found.get(before_id or 0)
    if after is not None and before is not None and after.stage_id != stage_id and before.stage_id == stage_id:
        after = None
    others = Opportunity.objects.exclude(pk=card.pk)
    if after is not None:
        following = Q(rank__gt=after.rank) | Q(rank=after.rank, pk__gt=after.pk)
        upper = others.filter(following, rank__gte=after.rank).order_by("rank", "pk").values_list("rank", flat=True)
        return _middle(after.rank, upper.first())
    if before is not None:
        preceding = Q(rank__lt=before.rank) | Q(rank=before.rank, pk__lt=before.pk)
        lower = others.filter(preceding, rank__lte=before.rank).order_by("-rank", "-pk").values_list("rank", flat=True)
        lowest = lower.first()
        return before.rank - RANK_GAP if lowest is None else _middle(lowest, before.rank)
    return bottom()


def _middle(lower: int, upper: int | None) -> int:
    if upper is None:
        return lower + RANK_GAP
    if upper - lower < 2:
        raise GapUsedUp(lower)
    return (lower + upper) // 2


def with_room[ResultT](act: Callable[[], ResultT]) -> ResultT:
    """Run an act in a transaction of its own; when a gap is used up, widen it and run the act again.

    The widening happens after the act's locks are gone, so that it can lock its cards in pk order like everyone else.
    An act within another one leaves it to the outer one, whose locks would stay otherwise.
    """
    if _within.get():
        return act()
    for _try in range(_TRIES):
        try:
            return _alone(act)
        except GapUsedUp as used_up:
            widen(used_up.around)
    return _alone(act)


def _alone[ResultT](act: Callable[[], ResultT]) -> ResultT:
    token = _within.set(True)
    try:
        with transaction.atomic():
            return act()
    finally:
        _within.reset(token)


@transaction.atomic
def widen(around: int) -> None:
    """Spread the nearest cards evenly over the room up to the next ones. No version, no history: the order stays."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
    half = WIDENED_AT_ONCE // 2
    while True:
        below = list(_ids(Q(rank__lte=around), "-rank", "-pk", half))[::-1]
        above = list(_ids(Q(rank__gt=around), "rank", "pk", half))
        rows = _locked([*below, *above])
        if _spread(rows, has_more_below=len(below) == half, has_more_above=len(above) == half):
            return
        half *= 4


def _ids(condition: Q, *arguments: str | int) -> Sequence[int]:
    *order, limit = arguments
    ids = Opportunity.objects.filter(condition).order_by(*[str(each) for each in order]).values_list("pk", flat=True)
    return list(ids[: int(limit)])


def _locked(ids: list[int]) -> list[Opportunity]:
    rows = Opportunity.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids).order_by("pk")
    return sorted(rows.only("pk", "rank"), key=lambda row: (row.rank, row.pk))


def _spread(rows: list[Opportunity], *, has_more_below: bool, has_more_above: bool) -> bool:
    """Give the inner rows even distances between the outermost two; at an open end the room is free."""
    if len(rows) < 2:
        return True
    low = rows[0].rank if has_more_below else rows[0].rank - RANK_GAP
    first = 1 if has_more_below else 0
    inner = rows[first:-1] if has_more_above else rows[first:]
    high = rows[-1].rank if has_more_above else low + RANK_GAP * (len(inner) + 1)
    step = (high - low) // (len(inner) + 1)
    if step < 2:
        return False
    for place, row in enumerate(inner, start=1):
        row.rank = low + place * step
    Opportunity.objects.bulk_update(inner, ["rank"])
    return True
