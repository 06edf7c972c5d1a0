"""The stream of an open board over a real line: who gets it, when it ends, and what outages do to it."""

import http.client
import json
import queue
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisGone

from tests import servers
from tests.servers import Server

pytestmark = pytest.mark.browser

PEOPLE = {"admin": "ann", "manager": "mark", "salesperson": "sam"}


LINES: list[tuple[socket.socket, http.client.HTTPConnection, http.client.HTTPResponse]] = []


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    """Leave no line open."""
    yield
    while LINES:
        hang_up_line(*LINES.pop())


def hang_up_line(line: socket.socket, *rest: http.client.HTTPConnection | http.client.HTTPResponse) -> None:
    """Close a line, under whoever reads from it."""
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    for each in rest:
        each.close()


class Client:
    """A browser without a screen: one person on one server."""

    def __init__(self, server: Server, username: str) -> None:
        self.address = urlsplit(server.url)
        self.cookie = f"sessionid={server.database.sessions[username]}"

    def get(self, path: str) -> http.client.HTTPResponse:
        """Ask for a page; the answer is open still."""
        return self._ask("GET", path, None, {"Cookie": self.cookie})

    def _ask(self, verb: str, path: str, body: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        line = http.client.HTTPConnection(self.address.hostname or "", self.address.port, timeout=30)
        line.request(verb, path, body, headers)
        answer = line.getresponse()
        LINES.append((line.sock, line, answer))
        return answer

    def post(self, path: str, **fields: object) -> int:
        """Send a form, with a token as a page has it; answers the status."""
        page = self.get("/boards/1/")
        text = page.read().decode()
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', text)[0]
        cookie = next(value for name, value in page.getheaders() if name == "Set-Cookie" and "csrftoken" in value)
        headers = {
            "Cookie": f"{self.cookie}; {cookie.split(';')[0]}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self._ask("POST", path, urlencode({"csrfmiddlewaretoken": token, **fields}), headers).status


class Stream:
    """An open board: what it hears, and when."""

    def __init__(self, client: Client, query: str = "tray=1") -> None:
        self.answer = client.get(f"/boards/1/events/?{query}")
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while line := self.answer.readline():
                if line.startswith(b"data: "):
                    self.heard.put(json.loads(line[6:]))
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # The line was closed while it was read; Python's reader then trips over its own file that is gone.
        self.ended.set()

    def close(self) -> None:
        """Close the page."""
        for line in LINES:
            if line[2] is self.answer:
                with suppress(OSError):
                    line[0].shutdown(socket.SHUT_RDWR)

    def next(self, seconds: float = 20) -> dict[str, Any]:
        """Wait for what it hears next."""
        return self.heard.get(timeout=seconds)

    def hears(self, card: int, seconds: float) -> float:
        """Wait until it hears of the card; answers after how long."""
        started = time.monotonic()
        while str(card) not in self.next(seconds).get("cards", {}):
            assert time.monotonic() < started + seconds
        return time.monotonic() - started


@contextmanager
def stream(server: Server, role: str = "manager") -> Iterator[Stream]:
    """Open a board, caught up."""
    opened = Stream(Client(server, PEOPLE[role]))
    try:
        opened.next()
        yield opened
    finally:
        opened.close()


def a_card(server: Server) -> tuple[int, int]:
    """A card of the first column, and the stage of the second."""
    first, second = (
        row[0]
        for row in server.database.sql(
            "SELECT stage_id FROM boards_columnstage m JOIN boards_column c ON c.id = m.column_id "
            "WHERE c.board_id = 1 ORDER BY c.sequence LIMIT 2"
        )
    )
    (card,) = server.database.sql(
        "SELECT id FROM opportunities_opportunity WHERE stage_id = %s AND archived_at IS NULL AND closed_kind = '' "
        "AND decided_on IS NULL AND workflow_status = 'prospect' ORDER BY rank LIMIT 1",
        [first],
    )[0]
    return card, second


def move_first_card(server: Server, by: str = "ann") -> tuple[int, float]:
    """Move a card; answers which, and how long the person waited."""
    card, stage = a_card(server)
    client = Client(server, by)
    started = time.monotonic()
    assert client.post(f"/boards/1/cards/{card}/move/", stage=stage) == 302
    return card, time.monotonic() - started


def test_the_stream_is_for_people_who_are_logged_in_and_is_never_kept(server):
    with stream(server) as opened:
        headers = dict(opened.answer.getheaders())
        assert opened.answer.status == 200
        assert headers["Content-Type"].startswith("text/event-stream")
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Content-Length" not in headers
    stranger = Client(server, "mark")
    stranger.cookie = "sessionid=nobody"
    assert stranger.get("/boards/1/events/").status == 302
    assert Client(server, "mark").get("/boards/999/events/").status == 404


@pytest.mark.sqlite
def test_a_stream_hears_of_a_move_within_a_moment(server):
    with stream(server) as opened:
        card, _waited = move_first_card(server)
        opened.hears(card, 20)


def test_idle_boards_hold_no_thread_and_no_connection(fresh_server):
    status = Path(f"/proc/{fresh_server.process.pid}/status")

    def threads() -> int:
        return int(re.findall(r"Threads:\s+(\d+)", status.read_text())[0])

    client = Client(fresh_server, "mark")
    first = Stream(client)
    first.next()
    before = threads()
    opened = [first, *(Stream(client) for _ in range(39))]
    for each in opened[1:]:
        each.next(20)
    one_too_many = Stream(client, "since=0.0")

    assert threads() <= before + 3
    one_too_many.next(20)
    assert one_too_many.ended.wait(10), "it is told what it missed, and looks again in a minute"
    assert not any(each.ended.is_set() for each in opened)
    if fresh_server.database.url:
        name = urlsplit(fresh_server.database.url).path[1:]
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        assert fresh_server.database.sql(count, [name])[0][0] <= 11  # the pool, and this question


@pytest.mark.sqlite
def test_a_server_that_stops_does_not_wait_for_open_boards(fresh_server):
    opened = Stream(Client(fresh_server, "mark"))
    opened.next()
    started = time.monotonic()

    assert fresh_server.stop() == 0

    assert time.monotonic() - started < 20
    assert opened.ended.wait(20)
    assert "Traceback" not in fresh_server.text()


def test_two_web_processes_hear_of_each_other_with_redis_and_without(sample_database, tmp_path):
    port = servers.free_port()
    redis_url = f"redis://127.0.0.1:{port}/0"
    with (
        servers.database(tmp_path / "data", like=sample_database) as own,
        servers.serving(own, REDIS_URL=redis_url) as here,
        servers.serving(own, REDIS_URL=redis_url) as there,
    ):
        with servers.redis(port), stream(there) as opened:
            time.sleep(2)  # the hub finds Redis
            for _ in range(3):
                card, _waited = move_first_card(here)
                opened.hears(card, 20)

            with pytest.raises(RedisGone):
                Redis.from_url(redis_url).shutdown(nosave=True)
                Redis.from_url(redis_url).ping()
            card, waited = move_first_card(here)
            opened.hears(card, 20)
            assert waited < 10, "nobody waits for a Redis that is away"
        with servers.redis(port), stream(there) as opened:
            time.sleep(3)
            for _ in range(3):
                card, _waited = move_first_card(here)
                opened.hears(card, 20)


@pytest.mark.postgres
def test_open_boards_survive_a_database_that_is_away(fresh_server):
    name = urlsplit(fresh_server.database.url).path[1:]
    with stream(fresh_server) as opened:
        servers.postgres_admin(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            with psycopg.connect(servers.postgres_url("postgres"), autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            time.sleep(4)
            assert not opened.ended.is_set()
        finally:
            servers.postgres_admin(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        servers.wait_until(lambda: Client(fresh_server, "ann").get("/boards/1/").status == 200, seconds=40)

        card, _waited = move_first_card(fresh_server)

        assert opened.hears(card, 30)
        assert fresh_server.text().count("open boards hear nothing for now") == 1
