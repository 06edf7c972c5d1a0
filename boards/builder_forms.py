"""What people send who make and change boards; and the column editor, which keeps what was typed until it is saved."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from boards.building import COLUMN_NAME_LENGTH, COLUMNS_AT_MOST, NAME_LENGTH, WIP_AT_MOST, ColumnWish
from boards.models import DAYS_AT_MOST, Board
from opportunities.models import Colour, OpportunityStage

ROWS_AT_MOST = COLUMNS_AT_MOST + 20
COLOURS = [("", gettext_lazy("Like its first stage")), *Colour.choices]


class NewBoardForm(forms.Form):
    """A new board in two answers; everything else can wait."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=NAME_LENGTH, widget=forms.TextInput(attrs={"autofocus": True})
    )
    shared = forms.BooleanField(
        label=gettext_lazy("Everybody uses it"),
        required=False,
        help_text=gettext_lazy("Otherwise it is yours alone. Only admins make boards for everybody."),
    )
    with_columns = forms.BooleanField(label=gettext_lazy("Begin with a column for each stage"), required=False)


class BoardForm(forms.Form):
    """A board's own settings. Its saved filter is read from the same form by `CardFilter`.

    Every field remembers what the page showed, so that two people who change different things both succeed.
    """

    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_LENGTH, show_hidden_initial=True)
    sort = forms.ChoiceField(
        label=gettext_lazy("Order of the cards in a column"),
        show_hidden_initial=True,
        choices=[(value, capfirst(label)) for value, label in Board.Sort.choices],
        help_text=gettext_lazy("Only in the order that people give them can cards be dragged between two others."),
    )
    wip_binding = forms.BooleanField(
        label=gettext_lazy("A full column takes no more cards"),
        required=False,
        show_hidden_initial=True,
        help_text=gettext_lazy("Otherwise the most cards of a column is only shown."),
    )
    completed_days = forms.IntegerField(
        label=gettext_lazy("Completed cards leave after (days)"),
        required=False,
        min_value=0,
        max_value=DAYS_AT_MOST,
        show_hidden_initial=True,
        help_text=gettext_lazy("Counted from the day of completion. Empty: never. A filter still finds them."),
    )
    lost_days = forms.IntegerField(
        label=gettext_lazy("Lost cards leave after (days)"),
        required=False,
        min_value=0,
        max_value=DAYS_AT_MOST,
        show_hidden_initial=True,
        help_text=gettext_lazy(
            "One with an offer that is still open stays, a void or canceled one until it is archived. Empty: never."
        ),
    )
    shared = forms.BooleanField(
        label=gettext_lazy("Everybody uses it"),
        required=False,
        show_hidden_initial=True,
        help_text=gettext_lazy("This cannot be taken back. Admins edit it from then on."),
    )
    is_default = forms.BooleanField(
        label=gettext_lazy("This is the default board"),
        required=False,
        show_hidden_initial=True,
        help_text=gettext_lazy("Everybody's first page. There is always one."),
    )


@dataclass(slots=True)
class StageBox:
    """A stage to tick in a column; `elsewhere` is the column that has it now."""

    pk: int
    name: str
    colour: str
    active: bool
    cards: int
    checked: bool = False
    elsewhere: str = ""


@dataclass(slots=True)
class ColumnRow:
    """One column in the editor, as it was typed."""

    key: str
    id: int | None = None
    name: str = ""
    colour: str = ""
    wip_min: str = ""
    wip_max: str = ""
    stages: set[int] = field(default_factory=set)
    removed: bool = False
    cards: int = 0
    boxes: list[StageBox] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ticked(self) -> list[StageBox]:
        """The stages that are ticked, in order."""
        return [box for box in self.boxes if box.checked]

    @property
    def shown_colour(self) -> str:
        """The colour that the column has on the board."""
        return self.colour or next((box.colour for box in self.ticked), Colour.SLATE.value)


class ColumnEditor:
    """The columns of a board while somebody works on them. Nothing is saved before the verb gets its wishes."""

    def __init__(
        self, rows: list[ColumnRow], *, stages: Sequence[OpportunityStage], saved: Sequence[ColumnWish]
    ) -> None:
        self.rows = rows
        self.stages = stages
        self.home = {stage: wish.id for wish in saved for stage in wish.stages}
        self.cards: Mapping[int, int] = {}
        self.faults: list[str] = []

    @classmethod
    def of_board(cls, saved: Sequence[ColumnWish], stages: Sequence[OpportunityStage]) -> "ColumnEditor":
        """Begin with the columns as they are."""
        rows = [
            ColumnRow(
                key=str(wish.id),
                id=wish.id,
                name=wish.name,
                colour=wish.colour,
                wip_min="" if wish.wip_min is None else str(wish.wip_min),
                wip_max="" if wish.wip_max is None else str(wish.wip_max),
                stages=set(wish.stages),
            )
            for wish in saved
        ]
        return cls(rows, stages=stages, saved=saved)

    @classmethod
    def of_data(
        cls, data: QueryDict, saved: Sequence[ColumnWish], stages: Sequence[OpportunityStage]
    ) -> "ColumnEditor":
        """Go on with what the form held."""
        known = {stage.pk for stage in stages}
        keys = [key for key in dict.fromkeys(data.getlist("row")) if re.fullmatch(r"[a-z0-9]{1,12}", key)]
        rows = [_row(data, key, known) for key in keys[:ROWS_AT_MOST]]
        editor = cls(rows, stages=stages, saved=saved)
        editor._settle_moves()
        return editor

    def act(self, do: str) -> bool:
        """Do what a button of the form asks: "up:3", "remove:3", "add", "add-stage:7"… Tells whether it was one."""
        verb, _colon, value = do.partition(":")
        place = next((index for index, row in enumerate(self.rows) if row.key == value), None)
        if verb in {"up", "down"} and place is not None:
            row = self.rows.pop(place)
            self.rows.insert(max(0, place + (1 if verb == "down" else -1)), row)
        elif verb in {"remove", "keep"} and place is not None:
            self.rows[place].removed = verb == "remove"
            if verb == "remove" and self.rows[place].id is None:
                del self.rows[place]
        elif verb == "add":
            self._add(ColumnRow(key=self._new_key()))
        elif verb in {"add-stage", "add-each"}:
            for stage in self._unmapped():
                if stage.active if verb == "add-each" else str(stage.pk) == value:
                    row = ColumnRow(self._new_key(), name=stage.name, colour=stage.colour, stages={stage.pk})
                    self._add(row)
        else:
            return False
        return True

    def wishes(self) -> list[ColumnWish]:
        """Return the columns that are asked for; what is wrong with them is put in `faults` and beside the fields."""
        order = {stage.pk: place for place, stage in enumerate(self.stages)}
        return [
            ColumnWish(
                id=row.id,
                name=self._name(row),
                colour=row.colour,
                stages=tuple(sorted(row.stages, key=lambda pk: order[pk])),
                wip_min=self._limit(row, "wip_min", least=0),
                wip_max=self._limit(row, "wip_max", least=1),
            )
            for row in self.kept()
        ]

    def kept(self) -> list[ColumnRow]:
        """The columns that stay."""
        return [row for row in self.rows if not row.removed]

    def loose(self) -> list[OpportunityStage]:
        """The stages that would be in no column, of those that are offered."""
        return [stage for stage in self._unmapped() if self._offered(stage)]

    def prepare(self, cards: Mapping[int, int]) -> None:
        """Fill in what the page shows beside each column: its boxes, and how many cards are in question."""
        self.cards = cards
        holder = {stage: row for row in self.kept() for stage in row.stages}
        for row in self.rows:
            row.cards = sum(cards.get(stage, 0) for stage in row.stages if holder.get(stage, row) is row)
            row.boxes = [self._box(stage, row, holder.get(stage.pk)) for stage in self.stages if self._offered(stage)]

    def blank(self) -> ColumnRow:
        """An empty column that a script copies."""
        row = ColumnRow(key="blank")
        row.boxes = [self._box(stage, row, None) for stage in self.stages if self._offered(stage)]
        return row

    def _offered(self, stage: OpportunityStage) -> bool:
        """Stages that take cards, and retired ones that are in a column or still have cards."""
        return stage.active or stage.pk in self.home or bool(self.cards.get(stage.pk))

    def _unmapped(self) -> list[OpportunityStage]:
        mapped = {stage for row in self.kept() for stage in row.stages}
        return [stage for stage in self.stages if stage.pk not in mapped]

    def _box(self, stage: OpportunityStage, row: ColumnRow, holder: ColumnRow | None) -> StageBox:
        return StageBox(
            pk=stage.pk,
            name=stage.name,
            colour=stage.colour,
            active=stage.active,
            cards=self.cards.get(stage.pk, 0),
            checked=stage.pk in row.stages,
            elsewhere=holder.name if holder is not None and holder is not row else "",
        )

    def _add(self, row: ColumnRow) -> None:
        if len(self.rows) < ROWS_AT_MOST:
            self.rows.append(row)

    def _new_key(self) -> str:
        taken = {row.key for row in self.rows}
        return next(f"n{number}" for number in range(1, ROWS_AT_MOST + 2) if f"n{number}" not in taken)

    def _settle_moves(self) -> None:
        """A stage that is ticked in another column moves there, so it leaves the column that it was in."""
        for stage, column in self.home.items():
            ticked = [row for row in self.kept() if stage in row.stages]
            if len(ticked) > 1:
                for row in ticked:
                    if row.id == column:
                        row.stages.discard(stage)

    def _name(self, row: ColumnRow) -> str:
        if not row.name.strip():
            row.errors["name"] = _("Give the column a name.")
        elif len(row.name) > COLUMN_NAME_LENGTH:
            row.errors["name"] = _("The name is too long: %(most)s characters at most.") % {"most": COLUMN_NAME_LENGTH}
        return row.name

    def _limit(self, row: ColumnRow, which: str, *, least: int) -> int | None:
        text = getattr(row, which).strip()
        if not text:
            return None
        number = _count(text)
        if not least <= number <= WIP_AT_MOST:
            row.errors[which] = _("Write a number of cards, or leave it empty.")
            return None
        if which == "wip_max" and number < _count(row.wip_min.strip()):
            row.errors[which] = _("The most cannot be fewer than the least.")
        return number

    @property
    def has_errors(self) -> bool:
        """Tell whether something has to be put right before it can be saved."""
        return bool(self.faults) or any(row.errors for row in self.rows)


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1


def _row(data: QueryDict, key: str, known: Iterable[int]) -> ColumnRow:
    given = data.get(f"id-{key}", "")
    ticked = {int(pk) for pk in data.getlist(f"stages-{key}") if pk.isascii() and pk.isdigit() and len(pk) < 19}
    return ColumnRow(
        key=key,
        id=int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None,
        name=data.get(f"name-{key}", "").replace("\x00", ""),
        colour=data.get(f"colour-{key}", ""),
        wip_min=data.get(f"wip_min-{key}", ""),
        wip_max=data.get(f"wip_max-{key}", ""),
        stages=ticked & set(known),
        removed=data.get(f"removed-{key}") == "1",
    )


class NamesForm(forms.Form):
    """The names of new columns, one in each line."""

    names = forms.CharField(
        label=gettext_lazy("Names, one in each line"), widget=forms.Textarea(attrs={"rows": 4}), max_length=4000
    )
