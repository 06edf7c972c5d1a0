"""What people do on the board: open it, fetch its sums, move cards; and the floors of that. Every answer is checked."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.bench.business import Business
from tests.bench.client import Answer, Client, Unexpected
from tests.bench.counter import COLD, HEADER

CARD = re.compile(r'id="card-(\d+)"[^>]*?data-version="(\d+)"[^>]*?data-column="(\d+)"')

LOWEST = """
SELECT id, stage_id FROM opportunities_opportunity WHERE archived_at IS NULL ORDER BY rank DESC LIMIT 200
"""

type Act = Callable[[Client, int, dict[str, str]], Answer]


@dataclass
class Card:
    """A card as the page that was loaded first showed it, and what was done with it since."""

    pk: int
    version: int
    column: int
    moves: int = 0


@dataclass
class Board:
    """What the people of one business see and hold: everyone their own cards, dropped between those that stay."""

    business: Business
    own: list[list[Card]] = field(default_factory=list)
    staying: dict[int, list[int]] = field(default_factory=dict)
    deep: list[tuple[Any, ...]] = field(default_factory=list)
    turns: dict[int, int] = field(default_factory=dict)
    draws: list[Random] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @classmethod
    def opened(cls, business: Business) -> "Board":
        """Load the page once and deal the cards out: of thirty in a column, the last six stay where they are."""
        found = cls(business)
        page = ok(business.clients[0].get(found.path))
        business.clients[0].close()
        shown: dict[int, list[Card]] = {column: [] for column in business.columns}
        for pk, version, column in CARD.findall(page.text):
            shown[int(column)].append(Card(int(pk), int(version), int(column)))
        people = len(business.clients)
        found.own = [[] for _ in range(people)]
        for cards in shown.values():
            if not cards:
                raise Unexpected(f"{business.name}: a column of the board is empty")
            staying = cards[-6:]
            found.staying[staying[0].column] = [card.pk for card in staying]
            for place, card in enumerate(cards[:-6]):
                found.own[place % people].append(card)
        found.draws = [Random(number) for number in range(people)]
        found.deep = business.sql(LOWEST)
        return found

    @property
    def path(self) -> str:
        """The address of the board."""
        return f"/boards/{self.business.board}/"

    def acts(self) -> dict[str, Act]:
        """What can be measured, by name."""
        return {
            "board": self.look,
            "board_cold": self.look_cold,
            "board_floor": self.look_floor,
            "move": self.move,
            "move_floor": self.move_floor,
            "heads": self.heads,
        }

    def look(self, client: Client, person: int, headers: dict[str, str]) -> Answer:
        """Open the board page."""
        return ok(client.get(self.path, **headers))

    def look_cold(self, client: Client, person: int, headers: dict[str, str]) -> Answer:
        """Open a board page of which no card was ever rendered."""
        return self.look(client, person, {COLD: "1", **headers})

    def look_floor(self, client: Client, person: int, headers: dict[str, str]) -> Answer:
        """The floor of that."""
        return ok(client.get(f"/floor{self.path}", **headers))

    def heads(self, client: Client, person: int, headers: dict[str, str]) -> Answer:
        """Fetch the sums of all columns, as the page does when it is there."""
        return ok(client.get(f"{self.path}heads/", **client.htmx(self.path), **headers))

    def move(self, client: Client, person: int, headers: dict[str, str]) -> Answer:
        """Drop an own card into the next column, between two cards that stay: what the page posts."""
        cards, draw = self.own[person], self.draws[person]
        turn = self.turns[person] = self.turns.get(person, -1) + 1
        card = cards[turn % len(cards)]
        columns = self.business.columns
        column = columns[(columns.index(card.column) + 1) % len(columns)]
        staying = self.staying[column]
        place = draw.randrange(len(staying) - 1)
        values = {
            "column": column,
            "stage": "",
            "to": "",
            "first": "",
            "after": staying[place],
            "before": staying[place + 1],
            "version": card.version,
        }
        path = f"{self.path}cards/{card.pk}/move/"
        answer = client.post(path, values, **client.htmx(self.path), **headers)
        if answer.status != 200:
            self.refused.append(f"OPP-{card.pk} {answer.status}: {answer.text[:300]}")
            return answer
        shown = re.search(rf'id="card-{card.pk}"[^>]*?data-version="(\d+)"', answer.text)
        if shown is None:
            raise Unexpected(f"the answer to a move lacks the card: {answer.text[:300]}")
        card.version, card.column, card.moves = int(shown[1]), column, card.moves + 1
        return answer

    def move_floor(self, client: Client, person: int, headers: dict[str, str]) -> Answer:
        """The floor of that, on cards at the bottom that nobody else moves."""
        deep = self.deep[person :: len(self.own)]
        pk, stage = deep[self.draws[person].randrange(len(deep))]
        values = {"stage": stage, "rank": 10**12 + self.draws[person].randrange(10**9), "version": 4}
        return ok(client.post(f"/floor/move/{pk}/", values, **client.htmx(self.path), **headers))

    def lost(self) -> list[str]:
        """Compare the database with what was answered: every move once in the history, every card where it was put."""
        cards = {card.pk: card for own in self.own for card in own}
        rows = self.business.sql(
            "SELECT o.id, o.version, m.column_id, count(e.id) FILTER (WHERE e.kind = 'moved' AND e.version > 4) "
            "FROM opportunities_opportunity o JOIN boards_columnstage m ON m.stage_id = o.stage_id AND m.board_id = %s "
            "LEFT JOIN opportunities_event e ON e.opportunity_id = o.id WHERE o.id = ANY(%s) GROUP BY 1, 2, 3",
            (self.business.board, list(cards)),
        )
        wrong = [f"OPP-{pk} is gone" for pk in cards.keys() - {row[0] for row in rows}]
        for pk, version, column, moves in rows:
            card = cards[pk]
            if (version, column, moves) != (card.version, card.column, card.moves):
                wrong.append(
                    f"OPP-{pk}: version {version}, column {column}, {moves} moves; "
                    f"answered was {card.version}, {card.column}, {card.moves}"
                )
        return wrong


def ok(answer: Answer) -> Answer:
    """Let only a good answer pass."""
    if answer.status != 200:
        raise Unexpected(f"answered {answer.status}: {answer.text[:500]}")
    return answer


def counted(act: Act, client: Client, person: int) -> tuple[int, int]:
    """Do something once and return its statements and bytes."""
    answer = act(client, person, {HEADER: "1"})
    return int(answer.headers["x-bench-statements"]), len(answer.body)
