"""What is amiss with a board: stages and columns that do not meet, and what to do where there are none at all (K1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from boards import adoption
from boards.models import Board, Column
from boards.selection import select
from opportunities import access, people, replacing
from opportunities.access import Person
from opportunities.filters import Chip
from opportunities.models import BusinessSettings, OpportunityStage

if TYPE_CHECKING:
    from boards.layout import Plan, StageRef

ADMINS_NAMED = 3
STAGES_NAMED = 5


@dataclass(frozen=True, slots=True)
class HealthNote:
    """One thing that is amiss, in words, and the page where it is put right."""

    text: str
    url: str
    action: str


@dataclass(frozen=True, slots=True)
class EmptyHelp:
    """How to get out of an empty board: what an admin can do, or whom everybody else can ask."""

    is_admin: bool
    admins: str
    statuses: tuple[adoption.StatusUse, ...]

    @property
    def cards(self) -> int:
        """How many cards would get a stage from their status."""
        return sum(use.cards for use in self.statuses)

    @property
    def holds_others_up(self) -> str:
        """What to know before so many cards get a stage; nothing for a few."""
        return replacing.holds_others_up(self.cards)


def health_notes(
    found: "Plan", *, user: Person, today: date, business: BusinessSettings, saved: Sequence[Chip] = ()
) -> tuple[HealthNote, ...]:
    """Say what is amiss with a board's mapping and with its own filter, of which `saved` are the conditions.

    One statement, and only where a stage is in no column.
    """
    if not found.stages or not found.columns:
        return ()
    mend_filter = HealthNote(
        _of_what_is_gone(saved), reverse("boards:edit", args=[found.board.pk]), _("Edit the board")
    )
    url = reverse("boards:columns", args=[found.board.pk])
    loose = [stage for stage in found.stages.values() if stage.column_id is None]
    cards = counts(found.board, loose, user=user, today=today, business=business)
    said = [
        (_in_no_column(loose, cards), _("Give them a column")),
        (_retired(found), _("Change the columns")),
        (
            _without_stage([column for column in found.columns if not found.by_column[column.pk]]),
            _("Choose its stages"),
        ),
    ]
    notes = (mend_filter, *(HealthNote(text, url, action) for text, action in said))
    return tuple(note for note in notes if note.text)


def _of_what_is_gone(saved: Sequence[Chip]) -> str:
    gone = dict.fromkeys(chip.name for chip in saved if chip.gone)
    if not gone:
        return ""
    words = _("This board's own filter names something that was deleted: %(conditions)s.")
    return words % {"conditions": _listed(list(gone))}


def counts(
    board: Board,
    stages: "Sequence[StageRef | OpportunityStage]",
    *,
    user: Person,
    today: date,
    business: BusinessSettings,
) -> dict[int, int]:
    """Count the cards of these stages that the board shows, whatever else the person filters by at the moment."""
    if not stages:
        return {}
    shown = select(board, user=user, query="", today=today, first_weekday=business.first_day_of_week).cards
    cards = shown.filter(stage__in=[stage.pk for stage in stages])
    return dict(cards.values("stage").annotate(n=Count("pk")).order_by().values_list("stage", "n"))


def _in_no_column(loose: list["StageRef"], cards: dict[int, int]) -> str:
    """Active stages, and retired ones that still have cards."""
    missed = [stage for stage in loose if stage.active or cards.get(stage.pk)]
    if not missed:
        return ""
    words = ngettext("In no column of this board: %(stages)s.", "In no column of this board: %(stages)s.", len(missed))
    return words % {"stages": _listed([f"“{stage.name}” ({cards_label(cards.get(stage.pk, 0))})" for stage in missed])}


def _retired(found: "Plan") -> str:
    old = [stage for stage in found.stages.values() if stage.column_id is not None and not stage.active]
    if not old:
        return ""
    names = {column.pk: column.name for column in found.columns}
    pairs = [f"“{stage.name}” (“{names[stage.column_id or 0]}”)" for stage in old]
    words = ngettext(
        "A retired stage still stands behind a column, and takes no more cards: %(stages)s.",
        "Retired stages still stand behind columns, and take no more cards: %(stages)s.",
        len(old),
    )
    return words % {"stages": _listed(pairs)}


def _without_stage(empty: list[Column]) -> str:
    if not empty:
        return ""
    words = ngettext(
        "The column %(columns)s has no stage, so no card can be in it.",
        "The columns %(columns)s have no stage, so no card can be in them.",
        len(empty),
    )
    return words % {"columns": _listed([f"“{column.name}”" for column in empty])}


def cards_label(count: int) -> str:
    """Say how many cards."""
    return ngettext("%(count)s card", "%(count)s cards", count) % {"count": count} if count else _("no cards")


def _listed(texts: list[str]) -> str:
    shown = texts[:STAGES_NAMED]
    if len(texts) > STAGES_NAMED:
        shown.append(_("%(count)s more") % {"count": len(texts) - STAGES_NAMED})
    return ", ".join(shown)


def empty_help(user: Person) -> EmptyHelp:
    """Find out what this person can do about an empty board."""
    is_admin = access.may(user, "settings")
    return EmptyHelp(
        is_admin=is_admin,
        admins="" if is_admin else whom_to_ask(),
        statuses=tuple(adoption.statuses_in_use()) if is_admin else (),
    )


def whom_to_ask() -> str:
    """Name the admins, as one asks for them."""
    names = [people.name_of(person) for person in people.admins()[:ADMINS_NAMED]]
    if len(names) < 2:
        return "".join(names)
    return _("%(names)s or %(last)s") % {"names": ", ".join(names[:-1]), "last": names[-1]}
