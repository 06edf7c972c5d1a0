"""Opportunity types as admins keep them. Making and changing one is plain editing; deleting has a rule."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from opportunities import access
from opportunities.access import Person
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import Opportunity, OpportunityType


def delete(*, type_id: int, actor: Person | None, now: datetime) -> None:
    """Delete a type that no card has.

    :raises Refused: cards have it (TYPE_USED): switch it off instead, they keep it.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    try:
        with transaction.atomic():
            row = OpportunityType.objects.select_for_update().get(pk=type_id)
            blocker = blocker_to_delete(row)
            if blocker is not None:
                raise Refused(blocker)
            row.delete()
    except IntegrityError as error:
        raise Stale(None, _("A card was given this type just now. Try again.")) from error


def blocker_to_delete(row: OpportunityType) -> Blocker | None:
    """Say why this type cannot be deleted; None where it can."""
    if not Opportunity.objects.filter(type=row).exists():
        return None
    words = _("“%(type)s” is used by cards. Switch it off instead: they keep it, and nobody can choose it any more.")
    return Blocker("TYPE_USED", words % {"type": row.name}, subject=row.name)
