"""How texts are compared: without regard to case, accents and spacing. One function for names and for search."""

import re
import unicodedata

_SPACES = re.compile(r"\s+")


def comparison_key(text: str) -> str:
    """Fold a text for comparing: "  Café  NOIR " and "cafe noir" have the same key."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _SPACES.sub(" ", plain.casefold()).strip()
