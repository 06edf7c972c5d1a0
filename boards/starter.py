"""The board that a new installation begins with."""

from datetime import datetime

from django.utils.translation import gettext as _

from boards.models import Board, Column, ColumnStage
from opportunities import starter
from opportunities.models import OpportunityStage


def fill(now: datetime) -> list[str]:
    """Make the board "Sales pipeline", a column a stage, unless that was done before. Safe to repeat."""
    return ["boards"] if starter.once("boards", _make_pipeline, now) else []


def _make_pipeline() -> None:
    if Board.objects.exists():
        return
    board = Board.objects.create(name=_("Sales pipeline"), is_default=True)
    for place, stage in enumerate(OpportunityStage.objects.active().in_order(), start=1):
        column = Column.objects.create(board=board, name=stage.name, colour=stage.colour, sequence=place)
        ColumnStage.objects.create(board=board, column=column, stage=stage)
