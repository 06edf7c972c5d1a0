"""The two lists of reasons as admins keep them; cards keep the label they were closed with (D24, AC136, AC137)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from opportunities import access, setup_rows
from opportunities.access import Person
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import Reason

FIELDS = ("list", "label", "active", "sequence")


@transaction.atomic
def create(*, actor: Person | None, now: datetime, **fields: Any) -> Reason:
    """Make a reason, last in its list unless another place is given.

    :raises ValidationError: a field is out of its bounds, or the list has that reason already.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    fields.setdefault("sequence", setup_rows.last_place(Reason.objects.filter(list=fields.get("list"))))
    reason = Reason()
    setup_rows.write(reason, fields, FIELDS)
    return reason


@transaction.atomic
def edit(*, reason_id: int, actor: Person | None, now: datetime, **fields: Any) -> Reason:
    """Change a reason. Cards that were closed with it keep its old words. Errors as `create`.

    :raises Refused: LAST_ACTIVE_ROW, or REASON_USED where a used reason would change its list.
    """
    access.require(actor, "settings")
    reason = _locked(reason_id)
    moves = "list" in fields and fields["list"] != reason.list
    if moves and is_used(reason):
        raise Refused(_used_blocker(reason))
    if (moves or fields.get("active") is False) and reason.active:
        _require_another(reason)
    setup_rows.write(reason, fields, FIELDS)
    return reason


def deactivate(*, reason_id: int, actor: Person | None, now: datetime) -> Reason:
    """Offer a reason no longer. :raises Refused: LAST_ACTIVE_ROW. :raises NotAllowed: the actor is no admin."""
    return edit(reason_id=reason_id, active=False, actor=actor, now=now)


def activate(*, reason_id: int, actor: Person | None, now: datetime) -> Reason:
    """Offer a reason again. :raises NotAllowed: the actor is no admin."""
    return edit(reason_id=reason_id, active=True, actor=actor, now=now)


def reorder(*, ids: Sequence[int], actor: Person | None, now: datetime) -> None:
    """Put the reasons in this order, each within its list. :raises NotAllowed: the actor is no admin."""
    setup_rows.reorder(Reason.objects.all(), ids, actor=actor)


def delete(*, reason_id: int, actor: Person | None, now: datetime) -> None:
    """Delete a reason that nothing was ever closed with.

    :raises Refused: REASON_USED (deactivate it instead), LAST_ACTIVE_ROW.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    try:
        with transaction.atomic():
            reason = _locked(reason_id)
            blocker = blocker_to_delete(reason)
            if blocker is not None:
                raise Refused(blocker)
            reason.delete()
    except IntegrityError as error:
        raise Stale(None, _("The reason was used just now. Try again.")) from error


def is_used(reason: Reason) -> bool:
    """Tell whether anything was closed with this reason, whatever table it stands in."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: reason}).exists()
        for relation in Reason._meta.related_objects
    )


def blocker_to_delete(reason: Reason) -> Blocker | None:
    """Say why this reason cannot be deleted; None where it can."""
    if is_used(reason):
        return _used_blocker(reason)
    return blocker_to_deactivate(reason) if reason.active else None


def blocker_to_deactivate(reason: Reason) -> Blocker | None:
    """Say why this active reason cannot be deactivated: each list keeps one (AC137); None where it can."""
    if Reason.objects.filter(list=reason.list, active=True).exclude(pk=reason.pk).exists():
        return None
    words = _("“%(reason)s” is the last active reason of its list: without one nobody could void or cancel.")
    return Blocker("LAST_ACTIVE_ROW", words % {"reason": reason.label}, subject=reason.label)


def _locked(reason_id: int) -> Reason:
    """Lock all reasons in the order of their keys: "the last active one" is asked of the whole list."""
    rows = {row.pk: row for row in Reason.objects.select_for_update(no_key=True).order_by("pk")}
    if reason_id not in rows:
        raise Reason.DoesNotExist
    return rows[reason_id]


def _used_blocker(reason: Reason) -> Blocker:
    words = _("“%(reason)s” was used, so it stays with its list. Deactivate it instead: nobody can choose it then.")
    return Blocker("REASON_USED", words % {"reason": reason.label}, subject=reason.label)


def _require_another(reason: Reason) -> None:
    blocker = blocker_to_deactivate(reason)
    if blocker is not None:
        raise Refused(blocker)
