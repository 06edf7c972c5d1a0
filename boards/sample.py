"""What the sample business adds to its boards: limits on columns, and a board that maps several stages to a column."""

from datetime import datetime

from boards.models import Board, Column, ColumnStage
from opportunities import sample
from opportunities.models import OpportunityStage


def fill(now: datetime) -> int:
    """Make the sample business and its boards. Returns the number of cards.

    :raises sample.NotFresh: there is anything but the starter setup.
    """
    made = sample.fill(now)
    _limit_columns()
    _add_phases()
    return made


def _limit_columns() -> None:
    columns = list(Column.objects.filter(board__is_default=True).order_by("sequence", "pk"))
    for column, least, most in zip(columns, (5, None, None, 3, None), (14, 10, 12, None, None), strict=False):
        column.wip_min, column.wip_max = least, most
        column.save(update_fields=["wip_min", "wip_max"])


def _add_phases() -> None:
    """A board for the weekly meeting: a column may stand for more than one stage."""
    stages = list(OpportunityStage.objects.active().in_order())
    board = Board.objects.create(name="Weekly meeting")
    phases = (("Finding out", "blue", stages[:2]), ("Offered", "violet", stages[2:3]), ("Closing", "teal", stages[3:]))
    for place, (name, colour, mapped) in enumerate(phases, start=1):
        column = Column.objects.create(board=board, name=name, colour=colour, sequence=place)
        for position, stage in enumerate(mapped):
            ColumnStage.objects.create(board=board, column=column, stage=stage, position=position)
