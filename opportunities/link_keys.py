"""The secret part of a private link: the kind and number of its recipient and their nonce, signed."""

from dataclasses import dataclass

from django.conf import settings
from django.core.signing import Signer
from django.urls import reverse

from opportunities.models import QuoteRecipient, Recipient

type AnyRecipient = QuoteRecipient | Recipient


@dataclass(frozen=True, slots=True)
class Key:
    """What a token names."""

    kind: str
    recipient_id: int
    nonce: str


def _signer() -> Signer:
    return Signer(sep=".", salt="opportunities.links")


def token_of(recipient: AnyRecipient) -> str:
    """Return the secret part of a recipient's link. It stays the same until they get a new nonce."""
    kind = "q" if isinstance(recipient, QuoteRecipient) else "a"
    return _signer().sign(f"{kind}{recipient.pk}-{recipient.nonce}")


def address(recipient: AnyRecipient) -> str:
    """Return the whole address to give to a recipient."""
    return f"{settings.STAGEBOARD_URL}{reverse('opportunities:link', args=[token_of(recipient)])}"


def read(token: str) -> Key:
    """Read a token. :raises BadSignature: it was not made here, or came incomplete."""
    named, _dash, nonce = _signer().unsign(token).partition("-")
    return Key({"q": "quote", "a": "agreement"}[named[0]], int(named[1:]), nonce)
