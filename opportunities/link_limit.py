"""How often a private link, and an address on the network, may be asked: a counter a minute in Django's cache.

With Redis the cache is shared, so the limits hold over all processes; without, each process counts for itself. A cache
that does not answer lets people in: a customer who cannot sign costs more than a guess that cannot succeed.
"""

import hashlib
import logging
from datetime import datetime

from django.core.cache import cache

log = logging.getLogger(__name__)

SECONDS = 60
PER_TOKEN = 60
"""Requests a minute by one link; a page takes three."""
PER_ADDRESS = 180
"""Requests a minute from one address, by whichever links: an office shares one."""


def wait(token: str, client: str, now: datetime) -> int:
    """Count a request; answer for how many seconds to wait, 0 for none. The token itself is not kept."""
    minute, past = divmod(int(now.timestamp()), SECONDS)
    secret = hashlib.sha256(token.encode()).hexdigest()[:32]
    where = hashlib.sha256(client.encode()).hexdigest()[:32]
    asked = ((f"link:{secret}:{minute}", PER_TOKEN), (f"link-from:{where}:{minute}", PER_ADDRESS))
    over = [_count(key) > most for key, most in asked]
    return SECONDS - past if any(over) else 0


def _count(key: str) -> int:
    try:
        cache.add(key, 0, timeout=2 * SECONDS)
        return cache.incr(key)
    except Exception as error:
        log.warning("The counter of private links is not to be had.", extra={"why": type(error).__name__})
        return 0
