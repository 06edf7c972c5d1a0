"""The cards of a board as HTML: rendered once for each look, and never shown as something they are not any more."""

from dataclasses import replace

import pytest
from django.template import Context, Template
from django.utils import translation

from boards.layout import CardFace
from boards.templatetags import board_cards

TEMPLATE = Template("{% load board_cards %}{% board_card face %}")


@pytest.fixture
def face() -> CardFace:
    """A card as the board shows it."""
    empty = dict.fromkeys(CardFace.__dataclass_fields__, "")
    given = {
        "pk": 1042,
        "number": "OPP-1042",
        "title": "Rooftop <b>unit</b>",
        "url": "/opportunities/1042/",
        "workflow": "prospect",
        "sales": "none",
        "version": 3,
        "column_id": 2,
        "stage_id": 2,
        "movable": True,
        "chips": (),
        "salesperson": "Ann Kowalski",
        "initials": "AK",
    }
    return CardFace(**{**empty, **given})  # type: ignore[arg-type]


def rendered(face: CardFace, **context: object) -> str:
    """Render a card as the board page does."""
    return TEMPLATE.render(Context({"face": face, "base": "/boards/1/", **context}))


def test_a_card_that_looks_the_same_is_rendered_once(face):
    board_cards._rendered.cache_clear()

    assert rendered(face) == rendered(replace(face))
    assert board_cards._rendered.cache_info().misses == 1


@pytest.mark.parametrize("change", [{"title": "Another"}, {"version": 4}, {"days": "7 d"}, {"sales": "won"}])
def test_a_card_that_looks_different_is_rendered_anew(face, change):
    assert rendered(face) != rendered(replace(face, **change))


def test_every_fact_of_a_card_counts_for_its_look(face):
    for name in CardFace.__dataclass_fields__:
        assert hash(replace(face, **{name: "other"})) != hash(face), name


def test_a_card_belongs_to_the_board_it_is_shown_on(face):
    assert "/boards/1/cards/1042/move/" in rendered(face)
    assert "/boards/2/cards/1042/move/" in rendered(face, base="/boards/2/")


def test_a_card_is_swapped_in_place_only_where_that_is_asked_for(face):
    assert "hx-swap-oob" not in rendered(face)
    assert "hx-swap-oob" in rendered(face, oob=True)
    assert "hx-swap-oob" not in rendered(face)


def test_a_card_is_rendered_in_the_language_of_the_reader(face):
    english = rendered(face)
    calls = board_cards._rendered.cache_info().misses

    with translation.override("de"):
        rendered(face)

    assert board_cards._rendered.cache_info().misses == calls + 1
    assert rendered(face) == english


def test_a_title_with_html_in_it_stays_text(face):
    assert "Rooftop &lt;b&gt;unit&lt;/b&gt;" in rendered(face)
