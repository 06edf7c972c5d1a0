"""Real servers for tests: the product itself, Celery, Redis, a database of its own for each, and where Chromium is."""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg

ROOT = Path(__file__).resolve().parent.parent
OWN_VARIABLES = ("DATABASE_URL", "REDIS_URL", "STAGEBOARD_URL", "STAGEBOARD_DATA", "EMAIL_URL", "PORT", "DEBUG")


def on_postgres() -> bool:
    """Tell whether this run is the one on PostgreSQL."""
    return bool(os.environ.get("DATABASE_URL"))


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def chromium() -> str | None:
    """Return the path of a real Chromium."""
    names = [os.environ.get("CHROMIUM") or "chromium", "chromium-browser", "google-chrome", "chrome"]
    return next(filter(None, map(shutil.which, names)), None)


def wait_until(ready, *, seconds: float = 30, what: str = "the server") -> None:
    """Call `ready` until it is true."""
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            raise TimeoutError(f"{what} was not ready after {seconds} s")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Tell whether somebody listens on that port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Database:
    """A database of its own for one server, named by the environment that a process needs to use it."""

    env: dict[str, str]
    folder: Path
    url: str = ""  # of PostgreSQL; empty for SQLite
    sessions: dict[str, str] = field(default_factory=dict)  # of the people who are logged in, by username

    @property
    def name(self) -> str:
        """Its name on the server of PostgreSQL."""
        return urlsplit(self.url).path[1:]

    def manage(self, *arguments: str, check: bool = True, typed: str = "") -> str:
        """Run a management command on this database and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            input=typed,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def sql(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement on this database (placeholders: %s) and return its rows."""
        if self.url:
            with psycopg.connect(self.url, autocommit=True) as connection:
                cursor = connection.execute(query, parameters)
                return cursor.fetchall() if cursor.description else []
        file = sqlite3.connect(self.folder / "stageboard.sqlite3", timeout=20)
        try:
            with file:
                return file.execute(query.replace("%s", "?"), parameters).fetchall()
        finally:
            file.close()


def environment(folder: Path, database_url: str = "", **more: str) -> dict[str, str]:
    """Return a clean environment for a process of the product."""
    env = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    env |= {"STAGEBOARD_DATA": str(folder), "SECRET_KEY": secrets.token_urlsafe(50), "PYTHONUNBUFFERED": "1"}
    env |= {"STAGEBOARD_STATIC": str(folder.parent / "static"), "STAGEBOARD_LOG": "terminal"}
    if database_url:
        env["DATABASE_URL"] = database_url
    return env | more


def postgres_url(name: str) -> str:
    """Return the address of another database on the server of this run."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def postgres_admin(statement: str) -> None:
    """Run a statement that creates or drops a database."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement)


def new_database(folder: Path, *, like: Database | None = None, migrate: bool = True) -> Database:
    """Make a database of its own: a copy of another one that nobody uses at the moment, or a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    if on_postgres():
        name = f"own_{secrets.token_hex(6)}"
        template = f' TEMPLATE "{like.name}"' if like else ""
        postgres_admin(f'CREATE DATABASE "{name}"{template}')
        made = Database(environment(folder, postgres_url(name)), folder, postgres_url(name))
    else:
        if like:
            for path in like.folder.glob("stageboard.sqlite3*"):
                shutil.copy(path, folder / path.name)
        made = Database(environment(folder), folder)
    if like:
        # Who is logged in there is logged in here; static files that were collected once need not be again.
        made.env |= {name: like.env[name] for name in ("SECRET_KEY", "STAGEBOARD_STATIC")}
        made.sessions |= like.sessions
    elif migrate:
        made.manage("migrate", "--verbosity", "0")
    return made


def drop(made: Database) -> None:
    """Throw a database away."""
    if made.url:
        postgres_admin(f'DROP DATABASE IF EXISTS "{made.name}" WITH (FORCE)')
    else:
        shutil.rmtree(made.folder, ignore_errors=True)


@contextmanager
def database(folder: Path, *, like: Database | None = None, migrate: bool = True) -> Iterator[Database]:
    """Make a database of its own and throw it away when the block ends."""
    made = new_database(folder, like=like, migrate=migrate)
    try:
        yield made
    finally:
        drop(made)


def made_once(name: str, folder: Path, make: Callable[[Path], Database]) -> Database:
    """Make a database in the first of this run's processes that wants it; the others wait for it and get the same."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            made = make(folder / name / "data")
            note.write_text(json.dumps({**asdict(made), "folder": str(made.folder)}))
        known = json.loads(note.read_text())
    return Database(**{**known, "folder": Path(known["folder"])})


def drop_all_made_once(folder: Path) -> None:
    """Throw away what `made_once` made, when the last process of the run is done."""
    for note in folder.glob("*.json"):
        known = json.loads(note.read_text())
        drop(Database(**{**known, "folder": Path(known["folder"])}))
        note.unlink()


@dataclass
class Login:
    """Somebody who may log in."""

    username: str
    password: str
    role: str = ""


@dataclass
class Server:
    """The product, running in a process of its own."""

    url: str
    database: Database
    process: subprocess.Popen[bytes]
    log: Path
    logins: list[Login] = field(default_factory=list)

    def login_of(self, role: str) -> Login:
        """Return a sample login of that role: "Salesperson", "Manager" or "Admin"."""
        return next(login for login in self.logins if login.role.lower().startswith(role.lower()))

    def text(self) -> str:
        """Return what the process printed so far."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, *, with_signal: signal.Signals = signal.SIGINT, seconds: float = 15) -> int:
        """Stop it as Ctrl-C would and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def parsed_logins(printed: str) -> list[Login]:
    """Return the demo logins that `manage.py serve` printed."""
    lines = (line.split() for line in printed.splitlines())
    return [
        Login(words[0], words[2], " ".join(words[3:]).strip("()"))
        for words in lines
        if len(words) >= 4 and words[1] == "password"
    ]


@contextmanager
def serving(used: Database, *arguments: str, **more: str) -> Iterator[Server]:
    """Serve the product on a free port until the block ends."""
    port = free_port()
    env = used.env | {"PORT": str(port), "STAGEBOARD_URL": f"http://127.0.0.1:{port}", **more}
    log = used.folder.parent / f"{used.folder.name}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *arguments], cwd=ROOT, env=env, stdout=output, stderr=output
        )
    server = Server(f"http://127.0.0.1:{port}", used, process, log)
    try:
        # The logins stand below the address, and an empty line below them.
        wait_until(
            lambda: process.poll() is not None or "\n\n" in server.text().partition("Stageboard runs at")[2], seconds=90
        )
        assert process.poll() is None, f"the server did not start:\n{server.text()}"
        server.logins = parsed_logins(server.text())
        yield server
    finally:
        server.stop()


@contextmanager
def redis(port: int = 0) -> Iterator[str]:
    """Run a Redis of its own, on that port or a free one, and yield its address."""
    port = port or free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), what="Redis")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def celery(used: Database, redis_url: str, *arguments: str) -> Iterator[Path]:
    """Run a Celery process (`"worker"`, `"beat"`) on that database and yield the path of its log."""
    log = used.folder.parent / f"{used.folder.name}-celery-{arguments[0]}-{secrets.token_hex(3)}.log"
    command = [sys.executable, "-m", "celery", "-A", "config", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=used.env | {"REDIS_URL": redis_url}, stdout=output, stderr=output
        )
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def reachable(url: str) -> bool:
    """Tell whether a page answers at all, whatever its status."""
    try:
        urlopen(url, timeout=5).close()  # noqa: S310
    except URLError as error:
        return hasattr(error, "code")
    return True
