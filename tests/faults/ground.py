"""What a fault happens to: a PostgreSQL that may be killed, a Redis, the product's processes, a business with cards."""

import datetime as dt
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import servers
from tests.servers import ROOT, Database

BOOT = "import django; django.setup()\n"
FIRST_CARD = 10_001

PEOPLE = 4
PASSWORD = secrets.token_urlsafe(12)

# A business in UTC, and people to log in.
BUSINESS = """
import json, sys
from django.contrib.auth.models import Group, User
from opportunities.access import GROUPS, Role
from opportunities.models import BusinessSettings

password, people = json.loads(sys.argv[1])
BusinessSettings.objects.filter(pk=1).update(name="Harbor Heating", time_zone="UTC")
for number in range(people):
    user = User.objects.create_user(username=f"seller{number}", password=password)
    user.groups.add(Group.objects.get(name=GROUPS[Role.SALESPERSON]))
"""

# One card by the verb, and as many like it as are wanted, each with its history.
CARDS = """
import json, sys
from django.db import connection
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import RANK_GAP, Event, Opportunity, OpportunityStage
from django.contrib.auth.models import User

count, first = json.loads(sys.argv[1])
actor = User.objects.order_by("pk").first()
stages = list(OpportunityStage.objects.order_by("sequence").values_list("pk", flat=True))
card = pipeline.create(title="Boiler room", stage_id=stages[0], actor=actor, now=timezone.now())
said = {"o": f"OPP-{card.pk}".casefold()}

def copies(model, where, changed):
    columns = [field.column for field in model._meta.concrete_fields if field.column != "id" or "id" in changed]
    given = ", ".join(changed.get(name, f'p."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {given} FROM {table} p, generate_series(0, {count} - 1) n "
            f"WHERE p.{where} = {card.pk} ORDER BY n"
        )

stage = f"(ARRAY{stages})[1 + n % {len(stages)}]"
key = f"replace(p.search_key, 'opp-{card.pk}', 'opp-' || ({first} + n))"
rank = f"p.rank + (n + 1) * {RANK_GAP}"
copies(Opportunity, "id", {"id": f"{first} + n", "stage_id": stage, "search_key": key, "rank": rank})
copies(Event, "opportunity_id", {"opportunity_id": f"{first} + n", "act": "gen_random_uuid()"})
with connection.cursor() as cursor:
    cursor.execute("SELECT setval(pg_get_serial_sequence('opportunities_opportunity', 'id'), %s)", [first + count])
    cursor.execute("ANALYZE")
"""


# SQLite has no generate_series and no arrays: each card by the verb, with the same numbers.
CARDS_ONE_BY_ONE = """
import json, sys
from django.db import connection
from django.utils import timezone
from opportunities import pipeline
from opportunities.models import OpportunityStage
from django.contrib.auth.models import User

count, first = json.loads(sys.argv[1])
actor = User.objects.order_by("pk").first()
stages = list(OpportunityStage.objects.order_by("sequence").values_list("pk", flat=True))
pipeline.create(title="Boiler room", stage_id=stages[0], actor=actor, now=timezone.now())
with connection.cursor() as cursor:
    cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = 'opportunities_opportunity'", [first - 1])
for n in range(count):
    stage = stages[n % len(stages)]
    pipeline.create(title="Boiler room", stage_id=stage, actor=actor, now=timezone.now())
"""


@dataclass
class Finding:
    """One line of the table: what was done, what was found, and what is wrong (nothing, one hopes)."""

    fault: str
    done: str
    found: str = ""
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Cluster:
    """A PostgreSQL of its own, as careful as in production: what it acknowledged is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgres"
        self.port = servers.free_port()
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", str(self.folder), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync")
        self.options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._control("start")

    @property
    def url(self) -> str:
        """Its address."""
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def restart_at_once(self) -> None:
        """Restart it without a word to anybody, as after a crash: it recovers from its log."""
        self._control("restart", "-m", "immediate")

    def stop(self) -> None:
        """End it."""
        self._control("stop", "-m", "immediate")

    def _control(self, *what: str) -> None:
        data = str(self.folder)
        self._run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", f"{data}/log", "-o", self.options, *what)

    def _run(self, program: str, *arguments: str) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        path = str(found[-1]) if found else shutil.which(program)
        if path is None:
            raise SystemExit(f"{program} of PostgreSQL is not here: sudo apt install postgresql")
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        # Its output goes nowhere: a server that is left running would keep a pipe open.
        subprocess.run([*as_user, path, *arguments], cwd="/", check=True, stdout=subprocess.DEVNULL)


class Process:
    """A process of the product, with its children, which may be killed."""

    def __init__(self, command: Sequence[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
            )

    def kill(self) -> None:
        """End it and its children as the kernel ends them: kill -9."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def stop(self, seconds: float = 20) -> tuple[int, float]:
        """Ask it to stop, and tell its exit code and how many seconds it took."""
        began = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds), time.monotonic() - began


class Ground:
    """The business that one fault happens to. Whatever was started is killed at the end."""

    def __init__(self, database: Database, cluster: Cluster | None, stack: ExitStack) -> None:
        self.database, self.cluster, self.stack = database, cluster, stack
        self.redis_port = servers.free_port()
        self.env = dict(database.env)

    # What is there

    def make_cards(self, count: int) -> None:
        """Make so many open cards, spread over all stages."""
        self.script(CARDS if self.database.url else CARDS_ONE_BY_ONE, count, FIRST_CARD)

    def make_due(self, count: int, *, beginning: int = 0) -> None:
        """Make the forecast date of so many cards yesterday: the next sweep is to settle them."""
        ids = (FIRST_CARD + beginning, FIRST_CARD + beginning + count - 1)
        yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        self.sql(
            "UPDATE opportunities_opportunity SET forecast_date = %s WHERE id BETWEEN %s AND %s", (f"{yesterday}", *ids)
        )

    # Processes

    def redis(self) -> Process:
        """Start Redis, on the same port each time."""
        self.env["REDIS_URL"] = f"redis://127.0.0.1:{self.redis_port}/0"
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        process = self._start([*command, "--save", "", "--appendonly", "no"], "redis")
        servers.wait_until(lambda: servers.answers(self.redis_port), what="Redis")
        return process

    def worker(self) -> Process:
        """Start a Celery worker, as in docs/deploy."""
        command = ["-m", "celery", "-A", "config", "worker", "--loglevel", "INFO", "--concurrency", "2"]
        process = self._start([sys.executable, *command], "worker")
        servers.wait_until(lambda: b" ready." in process.log.read_bytes(), seconds=90, what="the worker")
        return process

    def beat(self) -> Process:
        """Start a beat of Celery in a hurry: every few seconds instead of minutes."""
        name = secrets.token_hex(3)
        schedule = str(self.database.folder / f"schedule-{name}")
        command = ["-m", "celery", "-A", "tests.faults.quick_beat", "beat", "--schedule", schedule]
        return self._start([sys.executable, *command, "--pidfile=", "--loglevel", "INFO"], "beat")

    def web(self) -> int:
        """Serve the product as in production, and tell the port."""
        port = servers.free_port()
        command = ["-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
        self.env["STAGEBOARD_URL"] = f"http://127.0.0.1:{port}"
        process = self._start([sys.executable, *command, "--no-access-log", "--log-level", "warning"], "web")
        servers.wait_until(lambda: servers.answers(port), seconds=90, what="uvicorn")
        self.web_log = process.log
        return port

    def hurried(self, *arguments: str, name: str, **more: str) -> Process:
        """Start a command of manage.py, without Celery, whose jobs run every few seconds instead of minutes."""
        return self._start([sys.executable, "-m", "tests.faults.hurried", *arguments], name, **more)

    def _start(self, command: Sequence[str], name: str, **more: str) -> Process:
        process = Process(command, self.env | more, self.database.folder.parent / f"{name}-{secrets.token_hex(3)}.log")
        self.stack.callback(process.kill)
        return process

    # Looking

    def sql(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Ask the database directly."""
        return self.database.sql(query, parameters)

    def number(self, query: str, parameters: Sequence[object] = ()) -> int:
        """Ask the database for one number."""
        return int(self.sql(query, parameters)[0][0])

    def script(self, text: str, *given: object) -> Any:
        """Run a piece of Python in the product, and return what its last line says, if that is JSON."""
        command = [sys.executable, "-c", BOOT + text, json.dumps(given)]
        env = self.env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=400)
        if done.returncode:
            raise SystemExit(f"a script failed:\n{done.stderr}")
        last = done.stdout.strip().rpartition("\n")[2]
        return json.loads(last) if last else None

    def expired(self) -> int:
        """How many cards the clock has settled."""
        return self.number("SELECT count(*) FROM opportunities_event WHERE kind = 'expired'")

    def wait_for(self, ready: Any, what: str, seconds: float = 900, pause: float = 0.2) -> float:
        """Wait until it is so, and tell how many seconds that took."""
        began = time.monotonic()
        limit = began + seconds
        while not ready():
            if time.monotonic() > limit:
                raise TimeoutError(f"{what}: not after {seconds:.0f} s")
            time.sleep(pause)
        return time.monotonic() - began

    def wrong_in_the_books(self) -> list[str]:
        """Run `manage.py check_integrity`, and return what it finds."""
        said = self.database.manage("check_integrity", check=False).strip()
        return [] if "everything is what its facts say" in said else said.splitlines()[-6:]

    def wrongly_settled(self, due: int) -> list[str]:
        """Cards that are due but not settled exactly once, with one entry of history each."""
        rows = self.sql(
            "SELECT o.id, o.workflow_status, count(e.id) FROM opportunities_opportunity o LEFT JOIN "
            "opportunities_event e ON e.opportunity_id = o.id AND e.kind = 'expired' WHERE o.id >= %s AND o.id < %s "
            "GROUP BY 1, 2 HAVING o.workflow_status <> 'expired' OR count(e.id) <> 1 LIMIT 5",
            (FIRST_CARD, FIRST_CARD + due),
        )
        return [f"OPP-{pk} is {status} with {count} expiries in its history" for pk, status, count in rows]


def base(folder: Path) -> Database:
    """Make the business that every fault gets a copy of."""
    made = servers.new_database(folder / "base" / "data")
    made.env |= {"STAGEBOARD_STATIC": str(folder / "static"), "DJANGO_SETTINGS_MODULE": "config.settings"}
    made.manage("starter", "-v0")
    made.manage("collectstatic", "-v0", "--no-input")
    with ExitStack() as stack:
        Ground(made, None, stack).script(BUSINESS, PASSWORD, PEOPLE)
    return made


@contextmanager
def ground(base: Database, cluster: Cluster, folder: Path) -> Iterator[Ground]:
    """Make a copy of the base business for one fault."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.database(folder / secrets.token_hex(3) / "data", like=base))
        yield Ground(database, cluster, stack)
