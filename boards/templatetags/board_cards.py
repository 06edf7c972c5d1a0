"""A card of the board as HTML. All that a card shows is one value (`CardFace`), so equal cards are rendered once.

Rendering 240 cards was two thirds of the time of a board page. There is nothing to invalidate: a card that looks
different is another value.
"""

from functools import lru_cache

from django import template
from django.template.context import Context
from django.template.loader import get_template
from django.utils.translation import get_language

from boards.layout import CardFace

register = template.Library()

KEPT = 4096
"""How many rendered cards a process keeps; about 3 kB each."""


@register.simple_tag(takes_context=True)
def board_card(context: Context, face: CardFace) -> str:
    """Render one card with the partial `card` of the board page."""
    return _rendered(face, context["base"], bool(context.get("oob")), get_language())


@lru_cache(maxsize=KEPT)
def _rendered(face: CardFace, base: str, oob: bool, language: str | None) -> str:
    return get_template("boards/board.html#card").render({"card": face, "base": base, "oob": oob})
