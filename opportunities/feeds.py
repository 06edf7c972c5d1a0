"""A person's calendar feed: its private address, made anew, or switched off. The address is a person and a nonce."""

import secrets
from datetime import datetime

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from opportunities import access
from opportunities.access import Person, Role
from opportunities.models import CalendarFeed
from opportunities.models.quote import make_nonce


def _signer() -> Signer:
    return Signer(sep=".", salt="opportunities.feeds")


def of(person: Person) -> CalendarFeed | None:
    """Return a person's own feed; None where it is switched off."""
    return CalendarFeed.objects.filter(user=person).first()


def switch_on(*, all_cards: bool, actor: Person, now: datetime) -> CalendarFeed:
    """Let a person's calendar program read their dates, or change which; an address that there is stays as it is."""
    access.require(actor, "view")
    feed, _made = CalendarFeed.objects.update_or_create(
        user=actor, defaults={"all_cards": all_cards}, create_defaults={"all_cards": all_cards, "made_at": now}
    )
    return feed


def renew(*, actor: Person, now: datetime) -> CalendarFeed:
    """Make a new address; the old one ends at once. :raises CalendarFeed.DoesNotExist: the feed is switched off."""
    feed = CalendarFeed.objects.get(user=actor)
    feed.nonce, feed.made_at = make_nonce(), now
    feed.save(update_fields=["nonce", "made_at"])
    return feed


def switch_off(*, actor: Person, now: datetime) -> None:
    """End a person's feed; its address is worth nothing any more."""
    CalendarFeed.objects.filter(user=actor).delete()


def token_of(feed: CalendarFeed) -> str:
    """Return the secret part of the address."""
    return _signer().sign(f"{feed.user_id}-{feed.nonce}")


def address(feed: CalendarFeed) -> str:
    """Return the whole address, to paste into a calendar program."""
    return f"{settings.STAGEBOARD_URL}{reverse('opportunities:feed', args=[token_of(feed)])}"


def read(token: str) -> tuple[CalendarFeed, Person]:
    """Return the feed that a token names, and whose it is, with their role as it is now.

    :raises CalendarFeed.DoesNotExist: no such feed (any more), or its person was deactivated or is in no group.
    """
    try:
        named, _dash, nonce = _signer().unsign(token).partition("-")
    except BadSignature:
        raise CalendarFeed.DoesNotExist from None
    person: Person | None = access.RoleBackend().get_user(int(named))
    if person is None or access.role_of(person) is Role.NONE:
        raise CalendarFeed.DoesNotExist
    feed = CalendarFeed.objects.get(user=person)
    if not secrets.compare_digest(feed.nonce, nonce):
        raise CalendarFeed.DoesNotExist
    return feed, person
