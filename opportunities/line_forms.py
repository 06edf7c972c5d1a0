"""The lines of a document while somebody works on them: rows as typed, what is wrong, and what they come to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from opportunities import documents
from opportunities.attached import AnyDocument
from opportunities.documents import LARGEST, LineDraft
from opportunities.models import Line, TaxRate
from opportunities.money import format_money, read_money, write_plain, write_quantity

KEY = re.compile(r"[a-z0-9]{1,12}")
BLANKS = 3
"""How many empty rows a new document begins with."""

FIELDS = ("id", "kind", "description", "quantity", "unit_price", "tax_rate")


@dataclass(slots=True)
class LineRow:
    """One line as it was typed, with what is wrong with it and what it comes to."""

    key: str
    id: str = ""
    kind: str = Line.Kind.SERVICE.value
    description: str = ""
    quantity: str = "1"
    unit_price: str = ""
    tax_rate: str = ""
    net: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Nobody has written anything in it."""
        return not (self.id or self.description.strip() or self.unit_price.strip())


@dataclass(frozen=True, slots=True)
class Totals:
    """What all lines come to, in words."""

    net: str
    tax: str
    total: str


def keys_of(data: QueryDict, name: str, most: int) -> list[str]:
    """Return the row keys that a form sent, in their order."""
    return [key for key in dict.fromkeys(data.getlist(name)) if KEY.fullmatch(key)][:most]


def new_key(taken: Iterable[str]) -> str:
    """Return a row key that is free."""
    known = set(taken)
    return next(f"n{number}" for number in range(1, len(known) + 2) if f"n{number}" not in known)


def shifted[RowT](rows: list[RowT], place: int, verb: str) -> None:
    """Move a row up or down by one."""
    row = rows.pop(place)
    rows.insert(max(0, place + (1 if verb == "down" else -1)), row)


class LinesEditor:
    """The table of lines. It reads what was typed into drafts for the verbs and puts errors at their lines."""

    kinds = Line.Kind.choices

    def __init__(self, rows: list[LineRow], *, currency: str) -> None:
        self.rows, self.currency = rows, currency
        self.faults: list[str] = []
        self.totals: Totals | None = None
        self.rates = list(TaxRate.objects.order_by("percent", "pk"))
        default = next((rate for rate in self.rates if rate.active and rate.is_default), None)
        self.default_rate = "" if default is None else str(default.pk)

    @classmethod
    def of_lines(cls, lines: Iterable[Any], *, currency: str, blanks: int = 1) -> "LinesEditor":
        """Begin with lines as they are, and some empty rows."""
        editor = cls([_row_of(line, key=str(line.pk)) for line in lines], currency=currency)
        for _each in range(blanks):
            editor.add()
        return editor

    @classmethod
    def of_data(cls, data: QueryDict, *, currency: str) -> "LinesEditor":
        """Go on with what the form held."""
        rows = []
        for key in keys_of(data, "row", documents.MOST_LINES + BLANKS + 1):
            typed: dict[str, Any] = {name: data.get(f"{name}-{key}", "").replace("\x00", "")[:1000] for name in FIELDS}
            rows.append(LineRow(key=key, **{**typed, "kind": typed["kind"] or Line.Kind.SERVICE.value}))
        return cls(rows, currency=currency)

    @property
    def has_tax(self) -> bool:
        """Whether tax rates are shown: the business has one that is in use, or a line carries one."""
        return any(rate.active for rate in self.rates) or any(row.tax_rate for row in self.rows)

    @property
    def has_errors(self) -> bool:
        """Whether something has to be put right first."""
        return bool(self.faults) or any(row.errors for row in self.rows)

    def rates_for(self, row: LineRow) -> list[tuple[str, str]]:
        """The tax rates to choose from: those in use, and the one that the line has."""
        offered = (rate for rate in self.rates if rate.active or str(rate.pk) == row.tax_rate)
        return [(str(rate.pk), f"{documents.plain(rate.percent)} % {rate.name}") for rate in offered]

    def with_rates(self) -> list[tuple[LineRow, list[tuple[str, str]]]]:
        """The rows, each with the tax rates to choose from."""
        return [(row, self.rates_for(row)) for row in self.rows]

    def blank(self) -> list[tuple[LineRow, list[tuple[str, str]]]]:
        """An empty row that a script copies."""
        row = LineRow(key="blank", tax_rate=self.default_rate)
        return [(row, self.rates_for(row))]

    def add(self) -> None:
        """Put an empty row at the end."""
        if len(self.rows) < documents.MOST_LINES + BLANKS:
            self.rows.append(LineRow(key=new_key(row.key for row in self.rows), tax_rate=self.default_rate))

    def take(self, lines: Iterable[Any]) -> None:
        """Put lines of another document at the end, as new ones, in the place of empty rows."""
        self.rows = [row for row in self.rows if not row.is_blank]
        for line in lines:
            row = _row_of(line, key=new_key(row.key for row in self.rows))
            row.id = ""
            self.rows.append(row)
        self.add()

    def act(self, do: str) -> bool:
        """Do what a button of the table asks: "up:3", "down:3", "remove:3", "add". Tells whether it was one."""
        verb, _colon, value = do.partition(":")
        place = next((index for index, row in enumerate(self.rows) if row.key == value), None)
        if verb == "add":
            self.add()
        elif verb in {"up", "down"} and place is not None:
            shifted(self.rows, place, verb)
        elif verb == "remove" and place is not None:
            del self.rows[place]
        else:
            return False
        return True

    def forget_gone(self, present: Iterable[int]) -> None:
        """Make lines that somebody else deleted new ones, so that nothing typed is lost."""
        known = {str(pk) for pk in present}
        for row in self.rows:
            row.id = row.id if row.id in known else ""

    def drafts(self) -> list[LineDraft]:
        """Return the lines that are asked for, without the empty rows; errors are put at their lines."""
        read = [(row, self._draft(row)) for row in self.rows if not row.is_blank]
        found: list[LineDraft] = []
        for row, draft in read:
            if draft is None:
                continue
            try:
                found += documents.drafts([draft])
            except ValidationError as error:
                row.errors.setdefault("description", " ".join(error.messages).partition(": ")[2])
        if len(read) > documents.MOST_LINES:
            self.faults.append(_("A document has %(most)s lines at most.") % {"most": documents.MOST_LINES})
        return found

    def work_out(self, document: AnyDocument) -> list[LineDraft]:
        """Fill in what each line and all of them come to, by the code that the verbs price with; answers the lines."""
        for row in self.rows:
            row.errors, row.net = {}, ""
        self.faults = []
        wanted = self.drafts()
        good = [row for row in self.rows if not row.is_blank and not row.errors]
        try:
            priced = documents.preview(document, wanted)
        except ValidationError as error:
            self.faults += error.messages
            return wanted
        for row, line in zip(good, priced, strict=True):
            row.net = format_money(line.net, self.currency)
        self.totals = Totals(
            *(format_money(each, self.currency) for each in (document.net, document.tax, document.total))
        )
        return wanted

    def _draft(self, row: LineRow) -> LineDraft | None:
        if not row.description.strip():
            row.errors["description"] = _("Say what it is.")
        if row.kind not in Line.Kind.values:
            row.errors["kind"] = _("Choose product, material or service.")
        quantity = self._number(row, "quantity", _("Write a quantity, like 2 or 1.5."), Decimal(10) ** 9)
        price = self._number(row, "unit_price", _("Write a price; 0 if it costs nothing."), LARGEST)
        rate = row.tax_rate
        if rate and rate not in {str(each.pk) for each in self.rates}:
            row.errors["tax_rate"] = _("That tax rate is gone. Choose another.")
        if row.errors or quantity is None or price is None:
            return None
        own = int(row.id) if row.id.isascii() and row.id.isdigit() and len(row.id) < 19 else None
        return LineDraft(row.kind, row.description, quantity, price, int(rate) if rate else None, own)

    def _number(self, row: LineRow, name: str, words: str, limit: Decimal) -> Decimal | None:
        try:
            number = read_money(getattr(row, name), self.currency)
        except ValueError:
            row.errors[name] = words
            return None
        if not 0 <= number < limit:
            row.errors[name] = words
            return None
        return number


def _row_of(line: Any, *, key: str) -> LineRow:
    return LineRow(
        key=key,
        id=str(line.pk),
        kind=line.kind,
        description=line.description,
        quantity=write_quantity(line.quantity),
        unit_price=write_plain(line.unit_price),
        tax_rate=str(line.tax_rate_id or ""),
    )
