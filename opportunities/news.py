"""Says that history has grown, so that open boards look at once instead of within a second.

The events in the database are the truth, and every web process reads them once a second anyway. So this may fail, and
it takes no time from the act: it lights a lamp in this process, and a thread of its own rings at Redis for the others.
"""

import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger("stageboard.live")

CHANNEL = "stageboard.news"

_listeners: set[Callable[[], object]] = set()
_told = threading.Event()
_starting = threading.Lock()
_ringer: threading.Thread | None = None


def spread() -> None:
    """Tell all web processes after the commit that there is news; after a rollback nobody hears of it."""
    transaction.on_commit(_tell, robust=True)


def listen(listener: Callable[[], object]) -> Callable[[], None]:
    """Call back (in any thread) when this process has news; returns the function that ends it."""
    _listeners.add(listener)
    return lambda: _listeners.discard(listener)


def _tell() -> None:
    for listener in list(_listeners):
        listener()
    if settings.REDIS_URL:
        _told.set()
        _keep_ringing()


def _keep_ringing() -> None:
    """Start the thread once a process; a forked worker finds it ended and starts its own."""
    global _ringer
    if _ringer is not None and _ringer.is_alive():
        return
    with _starting:
        if _ringer is None or not _ringer.is_alive():
            _ringer = threading.Thread(target=_ring, name="news", daemon=True)
            _ringer.start()


def _ring() -> None:
    from redis import RedisError

    while True:
        _told.wait()
        _told.clear()
        try:
            _redis(settings.REDIS_URL).publish(CHANNEL, "")
        except RedisError:
            log.debug("Redis is away: boards hear of it within a second", exc_info=True)


@lru_cache(maxsize=1)
def _redis(url: str) -> "Redis":
    from redis import Redis

    return Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)
