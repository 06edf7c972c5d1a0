"""Mistakes in the words that our rules are written in, beside the operators that Cosmic Ray brings along.

The rules are sets of states, membership in them, "any" and "all", and filters.
"""

from collections.abc import Iterator
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import Keyword, Name

Position = tuple[tuple[int, int], tuple[int, int]]


class DropMember(Operator):
    """Leaves one member out of a set, list or tuple. The cells of a table's row are no members."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type in ("dictorsetmaker", "testlist_comp") and node.parent.parent.type != node.type:
            members, commas = node.children[0::2], node.children[1::2]
            if len(members) > 1 and all(comma.get_code().strip() == "," for comma in commas):
                yield from ((member.start_pos, member.end_pos) for member in members)

    def mutate(self, node: Any, index: int) -> Any:
        children, comma = node.children, node.children[1]
        node.children = children[: 2 * index] + children[2 * index + 2 :]
        if node.children[-1] is children[-1] and len(node.children) % 2:
            node.children.append(comma)  # (A,) is a tuple, (A) is none
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("x = {A, B, C}", "x = { B, C,}"),
            Example("x = {A, B, C}", "x = {A, B,}", occurrence=2),
            Example("x = (A, B)", "x = (A,)", occurrence=1),
            Example("x = ((A, 1), (B, 2),)", "x = ( (B, 2),)"),
        )


class ReplaceInWithNotIn(Operator):
    """Turns membership round, both ways."""

    OTHER = {"in": "not in", "not in": "in"}

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "comparison" and node.children[1].get_code().strip() in self.OTHER:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        written = node.children[1]
        node.children[1] = Keyword(self.OTHER[written.get_code().strip()], written.start_pos, prefix=" ")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a in b", "a not in b"), Example("a not in b", "a in b"))


class ReplaceQuantifier(Operator):
    """Takes "any" for "all" and the first for the last, both ways."""

    OTHER = {"any": "all", "all": "any", "max": "min", "min": "max"}

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if isinstance(node, Name) and node.value in self.OTHER:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Name(self.OTHER[node.value], node.start_pos, prefix=node.prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("any(x)", "all(x)"), Example("all(x)", "any(x)"), Example("max(x)", "min(x)"))


class DropFilter(Operator):
    """Leaves out the condition of a comprehension, so that it takes everything."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "comp_if":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> None:
        return None

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("[x for x in y if x.live]", "[x for x in y]"),)


OPERATORS: dict[str, type[Operator]] = {
    operator.__name__: operator for operator in (DropMember, ReplaceInWithNotIn, ReplaceQuantifier, DropFilter)
}


def register() -> None:
    """Make these known to Cosmic Ray in this process, as an installed package would by its entry point."""
    plugins.OPERATOR_PROVIDERS["rules"] = OPERATORS
