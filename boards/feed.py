"""The stream of an open board, outside of Django's request: an idle board holds no thread and no connection.

Django judges the request like any other: login, rights, headers, log line. Its view then leaves a watcher on the
ticket that came with the request, and what it answers becomes the head of a stream. Without a ticket (WSGI, tests)
there is none.
"""

import asyncio
import logging
import re
import signal
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from boards.live import Watcher, hub

log = logging.getLogger("stageboard.live")

HEARTBEAT = 15.0
"""After so many seconds of silence a comment is sent: proxies keep the line, and browsers notice a dead one."""

TICKET = "stageboard.ticket"

_PATH = re.compile(r"/boards/\d+/events/")

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class Ticket:
    """Comes with a request that can become a stream; the view leaves the watcher here."""

    watcher: Watcher | None = None


def with_streams(application: Application) -> Application:
    """Serve the application, and streams where its view leaves a watcher on the ticket."""

    async def serve(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _PATH.fullmatch(scope["path"]):
            await application(scope, receive, send)
            return
        ticket = Ticket()
        head: Message | None = None

        async def pass_on(message: Message) -> None:
            nonlocal head
            if ticket.watcher is None:
                await send(message)
            elif message["type"] == "http.response.start":
                head = message

        await application({**scope, TICKET: ticket}, receive, pass_on)
        if ticket.watcher is not None and head is not None:
            await stream(head, ticket.watcher, receive, send)

    return serve


async def stream(head: Message, watcher: Watcher, receive: Receive, send: Send) -> None:
    """Send what the watcher hears until the browser goes, the person logs out, or the server stops.

    A person's boards beyond the limit hear once what they missed.
    """
    end_with_the_server()
    head["headers"] = [(name, value) for name, value in head["headers"] if name.lower() != b"content-length"]
    await send(head)
    gone = asyncio.create_task(_until_gone(receive, watcher))
    try:
        await hub.join(watcher)
        while not watcher.ended:
            await send({"type": "http.response.body", "body": await _next(watcher), "more_body": True})
            if watcher.brief:
                break
    except Exception:
        # The browser comes again by itself, and says then what it has heard last.
        log.warning("the stream of a board broke off", exc_info=True)
    finally:
        hub.leave(watcher)
        gone.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _next(watcher: Watcher) -> bytes:
    try:
        await asyncio.wait_for(watcher.wake.wait(), HEARTBEAT)
    except TimeoutError:
        return b":\n\n"
    return b"" if watcher.ended else watcher.take().encode()


async def _until_gone(receive: Receive, watcher: Watcher) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.end()


_knows_the_end = False


def end_with_the_server() -> None:
    """Have streams end when the server is told to stop; it would wait for them in vain."""
    global _knows_the_end
    if _knows_the_end or threading.current_thread() is not threading.main_thread():
        return
    _knows_the_end = True
    loop = asyncio.get_running_loop()

    def ending(before: Any) -> Callable[[int, Any], Any]:
        def end(number: int, frame: Any) -> Any:
            if not loop.is_closed():
                loop.call_soon_threadsafe(hub.end)
            return before(number, frame)

        return end

    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, ending(before))
