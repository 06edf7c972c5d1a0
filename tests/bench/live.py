"""What idle boards cost: `python -m tests.bench.live` opens 200 of them on a server of its own, and then moves cards.

On SQLite, or on PostgreSQL by `.ci/on-postgres .venv/bin/python -m tests.bench.live`; `--redis` starts one.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests import servers

# A person may have forty boards open.
PEOPLE = """
from django.contrib.auth.models import Group, User
from django.test import Client
from opportunities.access import GROUPS, Role

for number in range(%d):
    user = User.objects.create_user(username=f"watcher{number}")
    user.groups.add(Group.objects.get(name=GROUPS[Role.MANAGER]))
    client = Client()
    client.force_login(user, backend="opportunities.access.RoleBackend")
    print(user.username, client.cookies["sessionid"].value)
"""
A_PERSON = 40


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description="Measure idle boards.")
    parser.add_argument("--boards", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30, help="how long they idle")
    parser.add_argument("--redis", action="store_true")
    return parser.parse_args()


class Board:
    """An open board, as the server sees one: a stream that is read."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self.task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    async def listen(self, url: str, session: str) -> None:
        """Open the stream and note when something comes."""
        host, port = urlsplit(url).hostname, urlsplit(url).port
        reader, writer = await asyncio.open_connection(host, port)
        head = f"GET /boards/1/events/?tray=1 HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: sessionid={session}\r\n\r\n"
        writer.write(head.encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    self.heard.append((time.monotonic(), line))
                    self.ready.set()
        finally:
            writer.close()


def used(process: psutil.Process) -> tuple[float, float, int]:
    """Return memory of its own in MB, seconds of CPU, and threads."""
    times = process.cpu_times()
    return process.memory_full_info().uss / 1e6, times.user + times.system, process.num_threads()


MOVE = """
import sys
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import Opportunity, OpportunityStage
stages = list(OpportunityStage.objects.filter(columns__board=1).values_list("pk", flat=True))
cards = Opportunity.objects.filter(workflow_status="prospect", stage__in=stages, archived_at=None).order_by("pk")
print("ready", flush=True)
for line, card in zip(sys.stdin, list(cards)[:10] * 2):
    stage = stages[0] if card.stage_id != stages[0] else stages[1]
    moved = pipeline.move(opportunity_id=card.pk, stage_id=stage, actor=None, now=timezone.now())
    card.stage_id = stage
    print(card.pk, flush=True)
"""


async def measure(server: servers.Server, given: argparse.Namespace) -> None:
    """Open the boards, let them idle, move cards from another process, and print what it took."""
    process = psutil.Process(server.process.pid)
    sessions = list(server.database.sessions.values())
    warm = Board()
    warm.task = asyncio.create_task(warm.listen(server.url, sessions[0]))
    await warm.ready.wait()
    await asyncio.sleep(3)
    memory, cpu, threads = used(process)
    await asyncio.sleep(given.seconds)
    alone = used(process)[1] - cpu
    boards = [Board() for _ in range(given.boards - 1)]
    started = time.monotonic()
    # As people come: not all in the same moment, which would measure the threads of 200 requests at once.
    for place, board in enumerate(boards, start=1):
        board.task = asyncio.create_task(board.listen(server.url, sessions[place // A_PERSON]))
        await board.ready.wait()
    opened = time.monotonic() - started
    await asyncio.sleep(3)
    memory_open, cpu, threads_open = used(process)
    await asyncio.sleep(given.seconds)
    idle = used(process)[1] - cpu
    print(f"{given.boards} boards opened in {opened:.1f} s")
    print(f"memory {memory:.1f} -> {memory_open:.1f} MB: {(memory_open - memory) * 1000 / len(boards):.0f} kB a board")
    print(f"threads {threads} -> {threads_open}")
    print(f"idle CPU: one board {100 * alone / given.seconds:.2f} %, all {100 * idle / given.seconds:.2f} % of a core")
    delays = await moved(server, [warm, *boards])
    print(
        f"from commit to stream: p50 {delays[len(delays) // 2] * 1000:.0f} ms, "
        f"p95 {delays[len(delays) * 95 // 100] * 1000:.0f} ms, heard {len(delays)} of {20 * given.boards}"
    )
    for board in [warm, *boards]:
        if board.task is not None:
            board.task.cancel()


async def moved(server: servers.Server, boards: list[Board]) -> list[float]:
    """Move twenty cards, one a second and a half, and return all delays in order."""
    mover = await asyncio.create_subprocess_exec(
        ".venv/bin/python",
        "manage.py",
        "shell",
        "--no-imports",
        "-c",
        MOVE,
        cwd=servers.ROOT,
        env=server.database.env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert mover.stdin is not None
    assert mover.stdout is not None
    await mover.stdout.readline()
    delays = []
    for _ in range(20):
        before = [len(board.heard) for board in boards]
        mover.stdin.write(b"\n")
        await mover.stdin.drain()
        await mover.stdout.readline()
        done = time.monotonic()
        await asyncio.sleep(1.37)
        for board, count in zip(boards, before, strict=True):
            delays += [max(moment - done, 0.0) for moment, _line in board.heard[count : count + 1]]
    mover.stdin.close()
    await mover.wait()
    return sorted(delays)


def main() -> None:
    """Make a sample business, serve it, measure."""
    given = arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = stack.enter_context(servers.database(folder / "data"))
        made.manage("starter")
        made.manage("sample")
        printed = made.manage("shell", "--no-imports", "-c", PEOPLE % (given.boards // A_PERSON + 1))
        made.sessions |= dict(line.split() for line in printed.splitlines())
        more = {"REDIS_URL": stack.enter_context(servers.redis())} if given.redis else {}
        made.env |= more
        server = stack.enter_context(servers.serving(made))
        asyncio.run(measure(server, given))


if __name__ == "__main__":
    main()
