"""The databases of a run and the product in front of each, served as in production: uvicorn, one process."""

import datetime as dt
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import psycopg

from tests import servers
from tests.bench import data
from tests.bench.client import Client, log_in

SELLERS = 9
PASSWORD = secrets.token_urlsafe(12)

# Three stages more than the starter setup has, a column each, and people to log in.
PREPARE = """
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.utils import timezone
from boards.models import Board, Column, ColumnStage
from opportunities.access import GROUPS, Role
from opportunities.models import BusinessSettings, OpportunityStage, OpportunityStatus
import json, sys

password, sellers = json.loads(sys.argv[1])
now = timezone.now()
BusinessSettings.objects.filter(pk=1).update(name="Bench", time_zone="UTC", swept_until=now.date())
board = Board.objects.get(is_default=True)
for place in (6, 7, 8):
    stage = OpportunityStage.objects.create(name=f"Step {place}", sequence=place, probability=95, stale_after_days=30)
    column = Column.objects.create(board=board, name=stage.name, sequence=place)
    ColumnStage.objects.create(board=board, column=column, stage=stage)
hashed = make_password(password)
group = Group.objects.get(name=GROUPS[Role.SALESPERSON])
people = [
    User.objects.create(username=f"seller{n}", first_name=f"Sal{n}", last_name="Seller", password=hashed)
    for n in range(sellers)
]
for user in people:
    user.groups.add(group)
rows = OpportunityStatus.objects.all()
print(json.dumps({
    "board": board.pk,
    "stages": list(board.columns.values_list("stages", flat=True)),
    "columns": list(board.columns.values_list("pk", flat=True)),
    "sellers": [user.pk for user in people],
    "statuses": {"default": rows.get(is_default=True).pk, "won": rows.filter(won=True)[0].pk},
}))
"""


@dataclass
class Business:
    """One size and shape: its database, its server, and the people who are logged in."""

    size: int
    shape: data.Shape
    url: str
    board: int
    columns: list[int]
    stages: list[int]
    clients: list[Client] = field(default_factory=list)
    process: psutil.Process | None = None

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        return f"{self.size}.{self.shape}"

    def sql(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Ask the database directly."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def cpu_seconds(self) -> float:
        """CPU time that the web process has used, all its threads together."""
        assert self.process is not None
        if sys.platform == "linux":
            # The clock of another process, exact to the nanosecond; psutil knows hundredths of a second.
            return time.clock_gettime_ns((~self.process.pid << 3) | 2) / 1e9
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Memory of the web process that is its own, in bytes."""
        assert self.process is not None
        return int(self.process.memory_full_info().uss)


@contextmanager
def businesses(sizes: list[int], shapes: list[data.Shape]) -> Iterator[list[Business]]:
    """Make every business of the run and serve each of them until the block ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="stageboard-bench-")))
        base = stack.enter_context(_database("base"))
        env = servers.environment(folder / "data", base)
        env |= {"DJANGO_SETTINGS_MODULE": "tests.bench.settings", "STAGEBOARD_LOG": "json"}
        for command in (["migrate", "-v0"], ["starter", "-v0"], ["collectstatic", "-v0", "--no-input"]):
            _run([sys.executable, "manage.py", *command], env)
        known = json.loads(_run([sys.executable, "-c", BOOT + PREPARE, json.dumps([PASSWORD, SELLERS])], env))
        clients = _log_everybody_in(folder, env)
        made = [_made(stack, base, size, shape, known) for size in sizes for shape in shapes]
        for business in made:
            _process, port = stack.enter_context(_served(folder, env | {"DATABASE_URL": business.url}))
            business.process = _process
            business.clients = [client.at(port) for client in clients]
        yield made
        for business in made:
            for client in business.clients:
                client.close()


BOOT = "import django; django.setup()\n"


def _made(stack: ExitStack, base: str, size: int, shape: data.Shape, known: dict[str, Any]) -> Business:
    url = stack.enter_context(_database(f"{size}_{shape}", template=base))
    setup = data.Setup(tuple(known["stages"]), known["statuses"], tuple(known["sellers"]))
    with psycopg.connect(url, autocommit=True) as connection:
        data.fill(connection, size=size, shape=shape, setup=setup, now=dt.datetime.now(dt.UTC))
    return Business(size, shape, url, known["board"], known["columns"], known["stages"])


@contextmanager
def _database(name: str, template: str = "") -> Iterator[str]:
    name = f"bench_{name}_{secrets.token_hex(4)}"
    like = f' TEMPLATE "{template.rpartition("/")[2]}"' if template else ""
    servers.postgres_admin(f'CREATE DATABASE "{name}"{like}')
    try:
        yield servers.postgres_url(name)
    finally:
        servers.postgres_admin(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=servers.ROOT, env=env, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip().rpartition("\n")[2]


def _log_everybody_in(folder: Path, env: dict[str, str]) -> list[Client]:
    """Log in once; the sessions come along when the database is copied."""
    with _served(folder, env) as (_process, port):
        return [log_in(port, f"seller{number}", PASSWORD) for number in range(SELLERS)]


@contextmanager
def _served(folder: Path, env: dict[str, str]) -> Iterator[tuple[psutil.Process, int]]:
    port = servers.free_port()
    env = env | {"STAGEBOARD_URL": f"http://127.0.0.1:{port}"}
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "3"]
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=servers.ROOT, env=env, stdout=output, stderr=output)
    try:
        servers.wait_until(lambda: process.poll() is not None or servers.answers(port), what="uvicorn")
        if process.poll() is not None:
            raise SystemExit(f"the server did not start:\n{log.read_text()}")
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
