"""Which cards a board shows: its saved filter, the person's own filter, and what a board leaves out by itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q
from django.http import QueryDict

from boards.models import Board
from opportunities.access import Person
from opportunities.filter_keys import ARCHIVED_ONLY, ARCHIVED_WITH
from opportunities.filters import CardFilter, Chip
from opportunities.models import Opportunity
from opportunities.models.opportunity import OpportunityQuerySet


@dataclass(frozen=True, slots=True)
class Selection:
    """The cards of a board for one person and one filter; board, list, totals and bulk acts all start here."""

    board: Board | None
    """None: all boards together, where nothing is left out but what is archived."""
    filter: CardFilter
    saved: CardFilter
    everything: OpportunityQuerySet
    """All cards that both filters select and the person may see, put away or not."""

    @property
    def cards(self) -> OpportunityQuerySet:
        """The cards that are shown: without archived ones and without those decided by hand, unless asked for."""
        return self.everything.filter(self.shown)

    @property
    def dated(self) -> OpportunityQuerySet:
        """The cards of a calendar: each has its entry, however it ended, but archived ones only if asked for (8)."""
        return self.everything.filter(self._archived_as_asked)

    @property
    def _archived_as_asked(self) -> Q:
        asked = self.filter.archived or self.saved.archived
        if asked == ARCHIVED_ONLY:
            return Q(archived_at__isnull=False)
        return Q() if asked == ARCHIVED_WITH else Q(archived_at__isnull=True)

    @property
    def shown(self) -> Q:
        """The condition that leaves out what a board does not show by itself."""
        shown = self._archived_as_asked
        if self.board is not None and not (self.filter.asks_for_decided or self.saved.asks_for_decided):
            # Said apart, so that the index on the cards of a column is found to hold.
            shown &= Q(off_board=False) & ~self._ended
        return shown

    @property
    def left_out(self) -> Q:
        """What a board leaves out by itself of what was decided: by hand, or a while ago (D42)."""
        return Q(off_board=True) | self._ended

    @property
    def _ended(self) -> Q:
        """What ended so long ago that the board does not show it any more; nothing if it keeps all."""
        ended = Q(pk__in=())
        if self.board is not None and self.board.completed_days is not None:
            since = self.filter.today - timedelta(days=self.board.completed_days)
            ended |= Q(completed_on__isnull=False, completed_on__lte=since)
        if self.board is not None and self.board.lost_days is not None:
            since = self.filter.today - timedelta(days=self.board.lost_days)
            # A void or canceled card stays, marked, until it is archived: by a person, or by the clock (G4, D42).
            ended |= Q(
                sales_status="lost", closed_kind="", live_offer=False, decided_on__isnull=False, decided_on__lte=since
            )
        return ended

    @property
    def hides_archived(self) -> bool:
        """Tell whether archived cards are left out."""
        return not (self.filter.archived or self.saved.archived)

    @property
    def chips(self) -> tuple[Chip, ...]:
        """The person's own conditions, each removable."""
        return self.filter.chips()

    def in_no_column(self, loose_stage_ids: Iterable[int]) -> OpportunityQuerySet:
        """The shown cards whose stage is one of these, which are in no column of the board, or that have none."""
        return self.cards.filter(Q(stage=None) | Q(stage__in=list(loose_stage_ids)))


def select(board: Board, *, user: Person, query: QueryDict | str, today: date, first_weekday: int = 1) -> Selection:
    """Select the board's cards for this person, by the board's saved filter and the query string."""
    saved = CardFilter.parse(board.filter, user=user, today=today, first_weekday=first_weekday)
    own = CardFilter.parse(query, user=user, today=today, first_weekday=first_weekday)
    everything = own.apply(saved.apply(Opportunity.objects.visible_to(user)))
    if own.tray or saved.tray:
        mapped = board.columns.values("stages")
        everything = everything.filter(Q(stage=None) | ~Q(stage__in=mapped.exclude(stages=None)))
    return Selection(board=board, filter=own, saved=saved, everything=everything)


def select_all(*, user: Person, query: QueryDict | str, today: date, first_weekday: int = 1) -> Selection:
    """Select from all cards that this person may see, whatever board they are on: for the search."""
    nothing = CardFilter.parse("", user=user, today=today)
    own = CardFilter.parse(query, user=user, today=today, first_weekday=first_weekday).without_tray()
    everything = own.apply(Opportunity.objects.visible_to(user))
    return Selection(board=None, filter=own, saved=nothing, everything=everything)
