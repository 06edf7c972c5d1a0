"""`manage.py serve`: the product in one process: web server and, where Redis is not used, background jobs."""

import errno
import hashlib
import importlib
import ipaddress
import signal
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, override

import uvicorn
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from opportunities import background

type Login = tuple[str, str, str]


class NotServed(SystemExit):
    """Ends the command with a sentence that says what to do."""


class Server(uvicorn.Server):
    """Says so when it really listens."""

    on_start: Callable[[], None]

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.on_start()


class Command(BaseCommand):
    """Prepares what is missing, then serves until Ctrl-C."""

    help = "Serve the product, and run its background jobs where REDIS_URL is not set."
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--setup", action="store_true", help="first migrate and make the starter setup")
        parser.add_argument("--sample", action="store_true", help="with --setup: fill a fresh database with a sample")

    @override
    def handle(self, *args: Any, host: str, port: int, setup: bool, sample: bool, **options: Any) -> None:
        listening = self.bind(host, port)
        try:
            if setup:
                self.set_up(sample=sample and not settings.PRODUCTION_FORM)
            self.collect_static_files()
            logins = self.sample_logins()
            has_people = get_user_model().objects.exists()
        except (DatabaseError, OSError) as error:
            listening.close()
            raise NotServed(self.in_words(error)) from error
        if logins and not is_loopback(host):
            listening.close()
            raise NotServed(
                "This database holds the sample logins, whose passwords everybody knows, "
                f"so it is not served on {host}. "
                "Serve it on 127.0.0.1, or begin with an empty data folder: "
                "STAGEBOARD_DATA=/path/to/folder make run SAMPLE=no"
            )
        connection.close()
        self.serve(listening, lambda: self.announce(listening, logins, has_people=has_people))

    def bind(self, host: str, port: int) -> socket.socket:
        """Take the port before anything slow is done."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(512)
        except OSError as error:
            listening.close()
            if error.errno == errno.EADDRINUSE:
                raise NotServed(
                    f"Port {port} is taken, perhaps by another Stageboard. Stop it, or choose another port: "
                    f"make run PORT={port + 1}"
                ) from error
            if error.errno == errno.EACCES:
                raise NotServed(
                    f"This user may not open port {port}. Choose one above 1023: make run PORT=8000"
                ) from error
            raise NotServed(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
        except OverflowError as error:
            listening.close()
            raise NotServed(f"{port} is not a port: choose one from 1024 to 65535.") from error
        return listening

    def set_up(self, *, sample: bool) -> None:
        """Migrate, make the starter setup, and fill a database that this very command made with the sample."""
        # A first start that was broken off leaves the mark, so the next one finishes it.
        mark = settings.DATA_DIR / "sample-unfinished"
        settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not MigrationRecorder(connection).has_table()
        if fresh and sample:
            mark.touch()
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Preparing the database ...")
            call_command("migrate", verbosity=0, interactive=False)
        call_command("starter", verbosity=0)
        if sample and mark.exists():
            self.stdout.write("Making the sample business ...")
            call_command("sample", verbosity=0)
        mark.unlink(missing_ok=True)

    def collect_static_files(self) -> None:
        """Collect static files if they changed since the last time."""
        if settings.DEBUG:
            return
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        now = fingerprint([Path(folder) for folder in settings.STATICFILES_DIRS])
        if stamp.exists() and stamp.read_text() == now:
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(now)

    def sample_logins(self) -> list[Login]:
        """Return the demo logins that exist in this database."""
        try:
            module = importlib.import_module("opportunities.sample")
        except ModuleNotFoundError:
            return []
        return list(module.demo_logins())

    def in_words(self, error: Exception) -> str:
        """Say what to do about a database or folder that cannot be used."""
        if "no such table" in str(error) or 'relation "' in str(error):
            return "The database is not prepared yet. Run: python manage.py migrate && python manage.py starter"
        if settings.PRODUCTION_FORM:
            return f"The database of DATABASE_URL cannot be used: {str(error).strip()}"
        return (
            f"The data folder {settings.DATA_DIR} cannot be used ({str(error).strip()}). "
            "Make it writable, or name another: STAGEBOARD_DATA=/path/to/folder make run"
        )

    def announce(self, listening: socket.socket, logins: list[Login], *, has_people: bool) -> None:
        """Print the address, and who can log in."""
        host, port = listening.getsockname()[:2]
        say = self.stdout.write
        say("")
        say(f"Stageboard runs at http://{f'[{host}]' if ':' in host else host}:{port}/   (stop it with Ctrl-C)")
        if logins:
            say("Sample business, log in as:")
            width = max(len(name) for name, _, _ in logins)
            for name, password, role in logins:
                say(f"  {name:<{width}}  password {password}  ({role})")
        elif not has_people:
            say("Nobody can log in yet. In a second terminal: make admin")
        say("")
        self.stdout.flush()

    def serve(self, listening: socket.socket, on_start: Callable[[], None]) -> None:
        """Serve until a signal comes; then give requests three seconds, and the job at work five."""
        config = uvicorn.Config(
            "config.asgi:application",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            server_header=False,
            lifespan="off",
        )
        server = Server(config)
        server.on_start = on_start
        # uvicorn raises the signal again when it is done: as KeyboardInterrupt for both of them.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        stop_jobs = None if settings.CELERY_BROKER_URL else background.start_loop()
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            pass
        finally:
            if stop_jobs:
                stop_jobs()
        self.stdout.write("Stopped.")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def fingerprint(folders: list[Path]) -> str:
    """Return a value that changes when a static file, the code's place or an app with static files changes."""
    seen = hashlib.sha256(sys.version.encode())
    for app in apps.get_app_configs():
        seen.update(f"{app.path} {Path(app.path).stat().st_mtime_ns}\n".encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            stat = path.stat()
            seen.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()
