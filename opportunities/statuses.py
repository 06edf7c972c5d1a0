"""Sales statuses as admins keep them: made, changed, ordered, retired, and deleted without a card losing its result."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from opportunities import access, replacing, setup_rows
from opportunities.access import Person
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import Opportunity, OpportunityStatus
from opportunities.outcome import SalesRule

FLAGS = ("inactive", "closed", "won", "lost")
FIELDS = ("name", "sequence", "is_default", *FLAGS, "retired")


@transaction.atomic
def create(*, actor: Person | None, now: datetime, **fields: Any) -> OpportunityStatus:
    """Make a status, last in the order unless another place is given. A new default takes over from the old one.

    :raises ValidationError: a field is out of its bounds, the name is taken, or the flags contradict each other.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    _locked()
    fields.setdefault("sequence", setup_rows.last_place(OpportunityStatus.objects.all()))
    row = OpportunityStatus()
    _write(row, fields)
    return row


@transaction.atomic
def edit(*, status_id: int, actor: Person | None, now: datetime, **fields: Any) -> OpportunityStatus:
    """Change a status. What it means is fixed while cards use it (D42). Errors as `create`.

    :raises Refused: FLAGS_IN_USE, DEFAULT_ROW (there is always one default), LAST_ACTIVE_ROW.
    """
    access.require(actor, "settings")
    rows = _locked()
    row = _found(rows, status_id)
    turned = [flag for flag in FLAGS if flag in fields and fields[flag] != getattr(row, flag)]
    if turned and in_use(row):
        words = _("“%(status)s” is used by cards, so what it means is fixed. Make a new status instead.")
        raise Refused(Blocker("FLAGS_IN_USE", words % {"status": row.name}, subject=row.name))
    if fields.get("retired") and not row.retired:
        _require_spare(row, rows)
    for flag in {"won", "lost"} & set(turned):
        if getattr(row, flag):
            _require_another(row, rows, flag)
    if row.is_default and fields.get("is_default") is False:
        raise Refused(_default_blocker(row))
    _write(row, fields)
    return row


def set_default(*, status_id: int, actor: Person | None, now: datetime) -> OpportunityStatus:
    """Let new cards begin with this status; it must be an open one. Cards that have the old one keep it.

    :raises ValidationError: the status is closed or retired.
    :raises NotAllowed: the actor is no admin.
    """
    return edit(status_id=status_id, is_default=True, actor=actor, now=now)


def retire(*, status_id: int, actor: Person | None, now: datetime) -> OpportunityStatus:
    """Hide a status from pickers; cards keep it (D42).

    :raises Refused: it is the default (DEFAULT_ROW), or the last active won or lost one (LAST_ACTIVE_ROW, AC179).
    :raises NotAllowed: the actor is no admin.
    """
    return edit(status_id=status_id, retired=True, actor=actor, now=now)


def activate(*, status_id: int, actor: Person | None, now: datetime) -> OpportunityStatus:
    """Offer a retired status again. :raises NotAllowed: the actor is no admin."""
    return edit(status_id=status_id, retired=False, actor=actor, now=now)


def reorder(*, ids: Sequence[int], actor: Person | None, now: datetime) -> None:
    """Put the statuses in this order. :raises NotAllowed: the actor is no admin."""
    setup_rows.reorder(OpportunityStatus.objects.all(), ids, actor=actor)


def used_by(row: OpportunityStatus) -> Q:
    """The cards that have this status now, or get it back when evidence is gone (D41)."""
    return Q(status=row) | Q(hand_status=row)


def in_use(row: OpportunityStatus) -> bool:
    """Tell whether any card uses this status."""
    return Opportunity.objects.filter(used_by(row)).exists()


def fits(row: OpportunityStatus, replacement: OpportunityStatus) -> bool:
    """Tell whether cards may go from one status to the other and keep their result: open, closed, won or lost."""
    same = replacement.outcome == row.outcome and replacement.closed == row.closed
    return same and not replacement.retired and replacement.pk != row.pk


def delete(*, status_id: int, replacement_id: int | None = None, actor: Person | None, now: datetime) -> int:
    """Delete a status; its cards go to a replacement that says the same of them. Returns how many went.

    All in one transaction with one event a card; sales status, dates and reasons stay (AC031).

    :raises Refused: DEFAULT_ROW, LAST_ACTIVE_ROW, REPLACEMENT_NEEDED, WRONG_REPLACEMENT.
    :raises OpportunityStatus.DoesNotExist: no such status, or no such replacement.
    :raises Stale: a card was given the status at that very moment.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    try:
        with transaction.atomic():
            return _delete(status_id, replacement_id, actor, now)
    except IntegrityError as error:
        raise Stale(None, _("A card was given this status just now. Try again.")) from error


def _delete(status_id: int, replacement_id: int | None, actor: Person | None, now: datetime) -> int:
    rows = {row.pk: row for row in OpportunityStatus.objects.select_for_update().order_by("pk")}
    row = _found(rows, status_id)
    _require_spare(row, rows)
    moved = 0
    if in_use(row):
        if replacement_id is None:
            words = _("“%(status)s” is used by cards: choose the status that they get instead.")
            raise Refused(Blocker("REPLACEMENT_NEEDED", words % {"status": row.name}, subject=row.name))
        replacement = _found(rows, replacement_id)
        if not fits(row, replacement):
            words = _("“%(status)s” can only be replaced by an active status with the same result.")
            raise Refused(Blocker("WRONG_REPLACEMENT", words % {"status": row.name}, subject=replacement.name))
        moved = _move_cards(row, replacement, actor, now)
    row.delete()
    return moved


def _move_cards(row: OpportunityStatus, to: OpportunityStatus, actor: Person | None, now: datetime) -> int:
    # The default chosen by hand is no choice by hand (D41): such a card says "nobody" again.
    by_hand = None if to.is_default else to.pk

    def write(cards: replacing.Rows) -> None:
        if to.is_default:
            cards.filter(status=row, sales_rule=SalesRule.MANUAL.value).update(sales_rule=SalesRule.P9.value)
        cards.filter(hand_status=row).update(hand_status=by_hand)
        cards.filter(status=row).update(status=to)

    def changes(card: replacing.Values) -> replacing.Values:
        changed: replacing.Values = {}
        if card["status_id"] == row.pk:
            changed |= {"status_id": [row.pk, to.pk], "status": [row.name, to.name]}
        if card["hand_status_id"] == row.pk:
            changed["hand_status_id"] = [row.pk, by_hand]
        return changed

    return replacing.every_card(
        used_by(row), write=write, changes=changes, kind="status_replaced", actor=actor, now=now
    )


def _locked() -> dict[int, OpportunityStatus]:
    """Lock all rows in the order of their keys: "the last active one" is asked of all of them at once."""
    return {row.pk: row for row in OpportunityStatus.objects.select_for_update(no_key=True).order_by("pk")}


def _found(rows: dict[int, OpportunityStatus], status_id: int) -> OpportunityStatus:
    row = rows.get(status_id)
    if row is None:
        raise OpportunityStatus.DoesNotExist
    return row


def blocker_to_take_away(row: OpportunityStatus, rows: Sequence[OpportunityStatus]) -> Blocker | None:
    """Say why this row can neither be retired nor deleted; None where it can. `rows` is the whole table."""
    if row.is_default:
        return _default_blocker(row)
    for flag in ("won", "lost"):
        others = [other for other in rows if getattr(other, flag) and not other.retired and other.pk != row.pk]
        if getattr(row, flag) and not row.retired and not others:
            return _last_blocker(row, flag)
    return None


def _require_spare(row: OpportunityStatus, rows: dict[int, OpportunityStatus]) -> None:
    blocker = blocker_to_take_away(row, list(rows.values()))
    if blocker is not None:
        raise Refused(blocker)


def _require_another(row: OpportunityStatus, rows: dict[int, OpportunityStatus], flag: str) -> None:
    if not any(getattr(other, flag) and not other.retired for other in rows.values() if other.pk != row.pk):
        raise Refused(_last_blocker(row, flag))


def _default_blocker(row: OpportunityStatus) -> Blocker:
    words = _("“%(status)s” is the default: make another open status the default first.")
    return Blocker("DEFAULT_ROW", words % {"status": row.name}, subject=row.name)


def _last_blocker(row: OpportunityStatus, flag: str) -> Blocker:
    words = {
        "won": _("“%(status)s” is the last active won status: cards could not be won without it."),
        "lost": _("“%(status)s” is the last active lost status: void, cancel and lost need it."),
    }[flag]
    return Blocker("LAST_ACTIVE_ROW", words % {"status": row.name}, subject=row.name)


def _write(row: OpportunityStatus, fields: dict[str, Any]) -> None:
    if fields.get("is_default"):
        closed, retired = fields.get("closed", row.closed), fields.get("retired", row.retired)
        if closed or retired:
            raise ValidationError({"is_default": _("The default status is an open one that is not retired.")})
        OpportunityStatus.objects.exclude(pk=row.pk).filter(is_default=True).update(is_default=False)
    setup_rows.write(row, fields, FIELDS)
