"""What a card says of its documents in a glance: one chip a kind. Reads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from opportunities.models import Agreement, Job, Quote

_ICONS = {"quote": "file-text", "job": "wrench", "agreement": "pen-line"}
_TONES = {
    "accepted": "good",
    "converted": "good",
    "completed": "good",
    "expired": "warn",
    "rejected": "bad",
    "void": "dead",
    "canceled": "dead",
    "archived": "dead",
}


@dataclass(frozen=True, slots=True)
class DocumentChip:
    """The documents of one kind: an icon, a figure, and their name for those who hear it or rest upon it."""

    icon: str
    text: str
    name: str
    tone: str


def chips_of(face: Mapping[str, Any]) -> tuple[DocumentChip, ...]:
    """Lay out the chips of a card's face."""
    language = get_language() or "en"
    return tuple(
        _chip(each["kind"], each["count"], each["number"], each["state"], tuple(each.get("signed", ())), language)
        for each in face.get("chips", ())
    )


@lru_cache(maxsize=4096)
def _chip(kind: str, count: int, number: str, state: str, signed: tuple[int, ...], language: str) -> DocumentChip:
    said = {"number": number, "state": _state_label(kind, state), "n": count}
    counted = {
        "quote": ngettext("%(n)s quote", "%(n)s quotes", count),
        "job": ngettext("%(n)s job", "%(n)s jobs", count),
        "agreement": ngettext("%(n)s agreement", "%(n)s agreements", count),
    }[kind] % said
    name = _("%(counted)s, the last one %(state)s") if count > 1 else _("%(counted)s, %(state)s")
    name %= {"counted": counted, **said}
    text = str(count)
    if signed and signed[1]:
        text = f"{signed[0]}/{signed[1]}"
        name = _("%(name)s: %(signed)s of %(all)s signed") % {"name": name, "signed": signed[0], "all": signed[1]}
    return DocumentChip(_ICONS[kind], text, name, _TONES.get(state, ""))


def _state_label(kind: str, state: str) -> str:
    own = {"expired": _("expired"), "archived": _("archived")}
    if state in own:
        return own[state]
    field: Any = {"quote": Quote, "job": Job, "agreement": Agreement}[kind]._meta.get_field(
        "status" if kind == "agreement" else "state"
    )
    return str(dict(field.flatchoices).get(state, state)).lower()
