"""Stages as admins keep them: made, changed, ordered, retired, and deleted without losing a card (K8, AC031)."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from opportunities import access, replacing, setup_rows
from opportunities.access import Person
from opportunities.errors import Blocker, Refused, Stale
from opportunities.models import Opportunity, OpportunityStage

FIELDS = (
    "name",
    "sequence",
    "colour",
    "probability",
    "description",
    "stale_after_days",
    "requires_amount",
    "requires_forecast_date",
    "requires_contact",
    "requires_next_action",
    "requires_quote_submitted",
    "requires_quote_accepted",
    "requires_agreement_submitted",
    "requires_agreement_accepted",
    "active",
    "is_default",
)


class _Unsaid(Enum):
    """Stands for a replacement that was not named; None names "no stage"."""

    UNSAID = "unsaid"


UNSAID = _Unsaid.UNSAID


@transaction.atomic
def create(*, actor: Person | None, now: datetime, **fields: Any) -> OpportunityStage:
    """Make a stage, last in the order unless another place is given. A new default takes over from the old one.

    :raises ValidationError: a field is out of its bounds, or the name is taken.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    _locked()
    fields.setdefault("sequence", setup_rows.last_place(OpportunityStage.objects.all()))
    stage = OpportunityStage()
    _write(stage, fields)
    return stage


@transaction.atomic
def edit(*, stage_id: int, actor: Person | None, now: datetime, **fields: Any) -> OpportunityStage:
    """Change a stage; its cards stay where they are. Errors as `create`.

    A stage that is retired is no default any more. What it asks binds the cards that enter from now on.
    """
    access.require(actor, "settings")
    stage = _locked().get(stage_id)
    if stage is None:
        raise OpportunityStage.DoesNotExist
    if fields.get("active") is False:
        fields["is_default"] = False
    _write(stage, fields)
    return stage


def set_default(*, stage_id: int, actor: Person | None, now: datetime) -> OpportunityStage:
    """Let new cards begin in this stage. Errors as `create`; a retired stage is refused as a ValidationError."""
    return edit(stage_id=stage_id, is_default=True, actor=actor, now=now)


def retire(*, stage_id: int, actor: Person | None, now: datetime) -> OpportunityStage:
    """Let the stage keep its cards and take no new ones. Errors as `create`."""
    return edit(stage_id=stage_id, active=False, actor=actor, now=now)


def activate(*, stage_id: int, actor: Person | None, now: datetime) -> OpportunityStage:
    """Let a retired stage take cards again. Errors as `create`."""
    return edit(stage_id=stage_id, active=True, actor=actor, now=now)


def reorder(*, ids: Sequence[int], actor: Person | None, now: datetime) -> None:
    """Put the stages in this order. :raises NotAllowed: the actor is no admin."""
    setup_rows.reorder(OpportunityStage.objects.all(), ids, actor=actor)


def delete(*, stage_id: int, replacement_id: int | None | _Unsaid = UNSAID, actor: Person | None, now: datetime) -> int:
    """Delete a stage; its cards, open or not, go to the replacement or to "no stage" (None). Returns how many went.

    All in one transaction with one event a card. No status changes, and the replacement asks nothing of them: it is
    the business that moves, not the deal. Their time in the stage goes on counting.

    :raises Refused: cards use it and no replacement was named (REPLACEMENT_NEEDED), or the replacement is the stage
        itself (WRONG_REPLACEMENT) or retired (STAGE_RETIRED).
    :raises OpportunityStage.DoesNotExist: no such stage, or no such replacement.
    :raises Stale: a card was put into the stage at that very moment.
    :raises NotAllowed: the actor is no admin.
    """
    access.require(actor, "settings")
    try:
        with transaction.atomic():
            return _delete(stage_id, replacement_id, actor, now)
    except IntegrityError as error:
        raise Stale(None, _("A card was put into this stage just now. Try again.")) from error


def _delete(stage_id: int, replacement_id: int | None | _Unsaid, actor: Person | None, now: datetime) -> int:
    ids = [stage_id] if replacement_id in (None, UNSAID) else [stage_id, replacement_id]
    found = OpportunityStage.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    rows = {stage.pk: stage for stage in found}
    if len(rows) != len(set(ids)):
        raise OpportunityStage.DoesNotExist
    stage = rows[stage_id]
    moved = 0
    if Opportunity.objects.filter(stage=stage).exists():
        if isinstance(replacement_id, _Unsaid):
            words = _("“%(stage)s” has cards: choose where they go.") % {"stage": stage.name}
            raise Refused(Blocker("REPLACEMENT_NEEDED", words, subject=stage.name))
        replacement = None if replacement_id is None else rows[replacement_id]
        _require_fit(stage, replacement)
        named = [stage.name, replacement.name if replacement else None]
        moved = replacing.every_card(
            Q(stage=stage),
            write=lambda cards: cards.update(stage=replacement),
            changes=lambda _card: {"stage_id": [stage_id, replacement_id], "stage": named},
            kind="stage_replaced",
            actor=actor,
            now=now,
        )
    stage.delete()
    return moved


def _require_fit(stage: OpportunityStage, replacement: OpportunityStage | None) -> None:
    if replacement is None:
        return
    if replacement.pk == stage.pk:
        words = _("A stage cannot replace itself: choose another one.")
        raise Refused(Blocker("WRONG_REPLACEMENT", words, subject=stage.name))
    if not replacement.active:
        words = _("“%(stage)s” is retired and takes no more cards.") % {"stage": replacement.name}
        raise Refused(Blocker("STAGE_RETIRED", words, subject=replacement.name))


def _locked() -> dict[int, OpportunityStage]:
    """Lock all stages in the order of their keys: the table is small, and only one of them may be the default."""
    return {row.pk: row for row in OpportunityStage.objects.select_for_update(no_key=True).order_by("pk")}


def _write(stage: OpportunityStage, fields: dict[str, Any]) -> None:
    if fields.get("is_default"):
        OpportunityStage.objects.exclude(pk=stage.pk).filter(is_default=True).update(is_default=False)
    setup_rows.write(stage, fields, FIELDS)
