"""The live feed: tells open boards which cards changed, and nothing else about them.

The history is the feed. One hub a process reads it once a second, and at once when news is spread
(`opportunities.news`). Each watcher, that is an open board, hears of the cards that its person may see and its columns
show. What the cards look like now, the browser asks for itself, and that answer is judged by who asks.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, override

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connections
from django.db.models import Q

from boards.models import Board, ColumnStage
from opportunities import access, news
from opportunities.access import Person, Role, RoleBackend
from opportunities.models import Event, Opportunity

log = logging.getLogger("stageboard.live")

POLL = 1.0
"""How often the history is read, in seconds, when nobody wakes the hub."""

REST = 0.1
"""How long the hub rests after each reading, so that a thousand changes are not a thousand readings."""

WINDOW = 10.0
"""How long an event may take from its number to its commit and still be heard of."""

LOOK_BACK = 1000
"""How many numbers below the newest are looked through for such events."""

MOST = 500
"""Of more changes at once than this, boards only hear that much has changed."""

RECHECK = 10.0
"""How often it is asked whether the person of each watcher is still logged in."""

MOST_OF_ONE = 40
"""How many streams one person may hold open in this process; a browser has six, or a hundred by HTTP/2.

A further board is told once what it missed, and is let go with the word to look again in `LOOK_AGAIN` seconds. So it
lags by a minute at most and holds nothing. Those that were there first stay: if the newest took the place of the
oldest, two tabs above the limit would push each other out for ever.
"""

LOOK_AGAIN = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """A card that changed: its version after that, the stages it is and was in, and whose it is and was."""

    card: int
    version: int
    stages: frozenset[int | None]
    held: tuple[Opportunity, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """How far somebody has heard: up to this event, at this moment (seconds since 1970)."""

    event: int
    moment: int

    @override
    def __str__(self) -> str:
        return f"{self.event}.{self.moment}"

    @classmethod
    def read(cls, text: str) -> "Position | None":
        """Read what a page says of itself."""
        found = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,11})", text)
        return cls(int(found[1]), int(found[2])) if found else None


class Reader:
    """Reads the history on from where it was: every event once, also one that was committed after a later one.

    Numbers are given before the commit, so "all above the last one" would lose some. Every number is looked for until
    a later one has been known for ten seconds.
    """

    def __init__(self) -> None:
        self.mark = 0
        self.seen: dict[int, float] = {}

    @property
    def newest(self) -> int:
        """The highest number known."""
        return max(self.seen, default=self.mark)

    def start(self, at: float) -> None:
        """Begin at what is there now."""
        newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.mark = max(newest - LOOK_BACK, 0)
        self.seen = dict.fromkeys(Event.objects.filter(pk__gt=self.mark).values_list("pk", flat=True), at)

    def read(self, at: float) -> list[Notice] | None:
        """Return what is new at that moment (seconds of any steady clock); None for too much to name."""
        ids = Event.objects.filter(pk__gt=self.mark).order_by("pk").values_list("pk", flat=True)
        fresh = [pk for pk in ids if pk not in self.seen]
        notices: list[Notice] | None = None
        if len(fresh) <= MOST:
            notices = notices_of(Q(pk__in=fresh)) if fresh else []
        self.seen.update(dict.fromkeys(fresh, at))
        self.mark = max((pk for pk, first in self.seen.items() if first < at - WINDOW), default=self.mark)
        self.seen = {pk: first for pk, first in self.seen.items() if pk > self.mark}
        return notices


def since(position: Position) -> list[Notice] | None:
    """Return what happened after that position, and what was still on its way then; None for too much to name."""
    moment = datetime.fromtimestamp(position.moment, UTC) - timedelta(seconds=WINDOW)
    late = Q(pk__gt=position.event - LOOK_BACK, at__gte=moment)
    notices = notices_of(Q(pk__gt=position.event - LOOK_BACK) & (Q(pk__gt=position.event) | late))
    return notices if len(notices) <= MOST else None


def notices_of(which: Q) -> list[Notice]:
    """Read the notices of some events, of one more than can be told at most."""
    rows = (
        Event.objects.filter(which, opportunity__isnull=False)
        .order_by("-pk")
        .values_list(
            "opportunity_id",
            "version",
            "opportunity__stage_id",
            "changes__stage_id",
            "opportunity__salesperson_id",
            "changes__salesperson_id",
        )[: MOST + 1]
    )
    return [
        Notice(
            card=card,
            version=version,
            stages=frozenset({stage, *_both(stages)}),
            held=tuple(Opportunity(salesperson_id=holder) for holder in {person, *_both(people)}),
        )
        for card, version, stage, stages, person, people in rows
    ]


def _both(change: Any) -> list[int | None]:
    """What a field was and became. Whatever else history may hold there must not stop the feed."""
    return [value for value in change if value is None or isinstance(value, int)] if isinstance(change, list) else []


@dataclass(eq=False, slots=True)
class Watcher:
    """An open board. What it has not been sent yet is kept as one message, however slow its line is."""

    board_id: int
    user: Person
    session: str
    since: Position | None = None
    """What the page says that it has heard; None: nothing."""
    tray: bool = False
    """Whether the page shows a tray; without one it shows nothing of cards that are in no column."""
    position: Position | None = None
    """What it has heard; None until it is caught up."""
    cards: dict[int, int] = field(default_factory=dict)
    everything: bool = False
    brief: bool = False
    """Told once what it missed, and let go: its person has `MOST_OF_ONE` boards open already."""
    ended: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, notices: list[Notice] | None, stages: frozenset[int]) -> None:
        """Take in what concerns this board: a named stage is in one of its columns, and the person may see the card."""
        if notices is None:
            self.everything = True
            self.wake.set()
            return
        for notice in notices:
            shown = self.tray or bool(notice.stages & stages)
            if shown and any(access.may_see(self.user, card) for card in notice.held):
                self.cards[notice.card] = max(notice.version, self.cards.get(notice.card, 0))
                self.wake.set()

    def end(self) -> None:
        """Let the stream end."""
        self.ended = True
        self.wake.set()

    def take(self) -> str:
        """Return what is to be sent, as an event of the stream, and forget it."""
        told: dict[str, Any] = {"everything": True} if self.everything else {"cards": self.cards}
        self.cards, self.everything = {}, False
        self.wake.clear()
        retry = f"retry: {LOOK_AGAIN * 1000}\n" if self.brief else ""
        return f"{retry}id: {self.position}\ndata: {json.dumps(told)}\n\n"


def stages_on(board_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return which stages have a column on each board."""
    found: dict[int, set[int]] = {board_id: set() for board_id in board_ids}
    for board_id, stage_id in ColumnStage.objects.filter(board__in=found).values_list("board_id", "stage_id"):
        found[board_id].add(stage_id)
    return {board_id: frozenset(stages) for board_id, stages in found.items()}


def welcome(asked: Iterable[tuple[str, int, int]], moment: datetime) -> dict[tuple[str, int, int], Person]:
    """Of sessions, persons and boards, return those that still belong together, with the persons as they are now."""
    asked = set(asked)
    sessions = {
        session.session_key: session.get_decoded()
        for session in Session.objects.filter(session_key__in={key for key, _, _ in asked}, expire_date__gt=moment)
    }
    people = {user_id: RoleBackend().get_user(user_id) for user_id in {user_id for _, user_id, _ in asked}}
    boards: dict[int, set[int]] = {
        user_id: set(
            Board.objects.visible_to(user)
            .filter(pk__in={board_id for _, asked_by, board_id in asked if asked_by == user_id})
            .values_list("pk", flat=True)
        )
        for user_id, user in people.items()
        if user is not None and access.role_of(user) is not Role.NONE
    }
    return {
        (key, user_id, board_id): people[user_id]
        for key, user_id, board_id in asked
        if board_id in boards.get(user_id, ()) and _is_session_of(sessions.get(key), people[user_id])
    }


def _is_session_of(session: dict[str, Any] | None, user: Person) -> bool:
    """Tell whether the session is that person's, and was begun with the password that they have."""
    if session is None or session.get(SESSION_KEY) != str(user.pk):
        return False
    hashes = {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()}
    return session.get(HASH_SESSION_KEY) in hashes


class Hub:
    """Reads for all watchers of this process, in a thread of its own, as long as there are any."""

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self.reader: Reader | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")
        self._wake = asyncio.Event()
        self._checked = 0.0
        self._failing = False

    async def join(self, watcher: Watcher) -> None:
        """Tell the watcher what it missed, and everything from now on, if its person has not too many open already.

        :raises Exception: the database is away.
        """
        if self._task is None or self._task.done():
            self.reader, self._wake, self._checked = None, asyncio.Event(), time.monotonic()
            self._task = asyncio.create_task(self._run())
        watcher.brief = sum(each.user.pk == watcher.user.pk for each in self.watchers) >= MOST_OF_ONE
        if not watcher.brief:
            self.watchers.add(watcher)
        position, missed, stages = await self._in_thread(self._catch_up, watcher)
        watcher.position = position
        watcher.hear(missed, stages)
        watcher.wake.set()

    def leave(self, watcher: Watcher) -> None:
        """Tell the watcher nothing more."""
        self.watchers.discard(watcher)
        if not self.watchers:
            self._wake.set()

    def end(self) -> None:
        """Let all streams end: the server stops."""
        for watcher in self.watchers:
            watcher.end()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        forget = news.listen(partial(loop.call_soon_threadsafe, self._wake.set))
        redis_task = asyncio.create_task(self._hear_redis()) if settings.REDIS_URL else None
        try:
            while self.watchers:
                await self._round()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL)
                self._wake.clear()
        finally:
            forget()
            if redis_task is not None:
                redis_task.cancel()

    async def _round(self) -> None:
        """Read once and pass it on; a database that is away is asked again."""
        try:
            boards = {watcher.board_id for watcher in self.watchers}
            notices, stages, position = await self._in_thread(self._read, boards)
            for watcher in self.watchers:
                if watcher.position is not None:
                    watcher.position = position
                watcher.hear(notices, stages.get(watcher.board_id, frozenset()))
            if time.monotonic() > self._checked + RECHECK:
                self._checked = time.monotonic()
                await self._recheck()
            self._failing = False
            if notices != []:
                await asyncio.sleep(REST)
        except Exception:
            if not self._failing:
                log.exception("open boards hear nothing for now: the history cannot be read")
            self._failing = True

    async def _recheck(self) -> None:
        """End the streams of those who logged out, left, or may not see the board any more."""
        asked = {watcher: (watcher.session, watcher.user.pk, watcher.board_id) for watcher in self.watchers}
        left = await self._in_thread(welcome, asked.values(), datetime.now(UTC))
        for watcher, names in asked.items():
            if names in left:
                watcher.user = left[names]
            else:
                watcher.end()

    def _read(self, boards: set[int]) -> tuple[list[Notice] | None, dict[int, frozenset[int]], Position]:
        reader, moment = self._started(), int(time.time())
        notices = reader.read(time.monotonic())
        return notices, stages_on(boards) if notices else {}, Position(reader.newest, moment)

    def _catch_up(self, watcher: Watcher) -> tuple[Position, list[Notice] | None, frozenset[int]]:
        reader, moment = self._started(), int(time.time())
        position = Position(reader.newest, moment)
        missed = since(watcher.since) if watcher.since is not None else None
        return position, missed, stages_on([watcher.board_id])[watcher.board_id]

    def _started(self) -> Reader:
        if self.reader is None:
            reader = Reader()
            reader.start(time.monotonic())
            self.reader = reader
        return self.reader

    async def _in_thread[T](self, call: Callable[..., T], *arguments: Any) -> T:
        """Call in the hub's thread, which holds no connection between two calls."""

        def closing() -> T:
            try:
                return call(*arguments)
            finally:
                connections.close_all()

        return await asyncio.get_running_loop().run_in_executor(self._thread, closing)

    async def _hear_redis(self) -> None:
        """Wake the hub when another process has news. While Redis is away, it reads once a second all the same."""
        from redis import RedisError
        from redis.asyncio import Redis

        while True:
            with suppress(RedisError, OSError):
                async with (
                    Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2) as client,
                    client.pubsub() as channel,
                ):
                    await channel.subscribe(news.CHANNEL)
                    async for _message in channel.listen():
                        self._wake.set()
            await asyncio.sleep(1)


hub = Hub()
"""The hub of this process."""
