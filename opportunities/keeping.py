"""Backup and restore of the whole database: one dated file, checked before it replaces anything.

SQLite is copied by its own online backup, PostgreSQL dumped in its custom format by pg_dump; both while the product
runs. A restore is all or nothing.
"""

import os
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.migrations.loader import MigrationLoader

SQLITE_HEADER = b"SQLite format 3\x00"
POSTGRES_HEADER = b"PGDMP"


class CannotKeep(Exception):
    """A sentence that says why a backup or restore is not done, and what to do."""


def back_up(folder: Path, now: datetime, *, prefix: str = "stageboard") -> Path:
    """Write a backup into the folder and return its file; only the owner may read it. :raises CannotKeep: why not."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ending = "sqlite3" if _is_sqlite() else "dump"
    target = folder / f"{prefix}-{now:%Y%m%d-%H%M%S}.{ending}"
    if target.exists():
        raise CannotKeep(f"{target} is there already. Try again in a second.")
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if _is_sqlite():
            _copy(_sqlite_file(), part)
        else:
            _run(["pg_dump", "--format", "custom", "--no-owner", "--no-privileges", "--file", str(part)])
        _applied_in(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def check(file: Path) -> None:
    """Look whether a file is a whole backup for this database, and of no newer version.

    :raises CannotKeep: why it is not.
    """
    unknown = _applied_in(file) - set(MigrationLoader(None).disk_migrations)
    if unknown:
        names = ", ".join(sorted(".".join(each) for each in unknown))
        raise CannotKeep(f"{file} was made by a newer version of Stageboard: this one does not know {names}.")


def _applied_in(file: Path) -> set[tuple[str, str]]:
    """Read a whole backup, and return which of our migrations it holds. :raises CannotKeep: it is not whole."""
    if not file.is_file():
        raise CannotKeep(f"There is no file {file}.")
    with file.open("rb") as opened:
        header = opened.read(len(SQLITE_HEADER))
    if _is_sqlite():
        if header != SQLITE_HEADER:
            raise CannotKeep(f"{file} is no backup of an SQLite database.")
        return _check_sqlite(file)
    if not header.startswith(POSTGRES_HEADER):
        raise CannotKeep(f"{file} is no backup by pg_dump in its custom format.")
    return _check_postgres(file)


def is_in_use() -> bool:
    """Tell whether the database holds tables, so that a restore would overwrite something."""
    return bool(connections["default"].introspection.table_names())


def restore(file: Path) -> None:
    """Put a checked backup in the place of the whole database, or leave that as it was. :raises CannotKeep: why not."""
    check(file)
    connections.close_all()
    if _is_sqlite():
        _sqlite_file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy(file, _sqlite_file())
        return
    script = _run(["pg_restore", "--no-owner", "--no-privileges", "--file", "-", str(file)], connect=False)
    anew = b"SET lock_timeout = '10s'; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
    theirs = b"ALTER SCHEMA public OWNER TO pg_database_owner;\n"
    psql = ["psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set", "ON_ERROR_STOP=1", "--file", "-"]
    _run(psql, typed=anew + theirs + script)


def _is_sqlite() -> bool:
    return connections["default"].vendor == "sqlite"


def _sqlite_file() -> Path:
    return Path(str(connections["default"].settings_dict["NAME"]))


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        raise CannotKeep(f"There is no database at {source} yet.")
    try:
        with (
            closing(sqlite3.connect(source, timeout=20)) as reading,
            closing(sqlite3.connect(target, timeout=20)) as writing,
        ):
            reading.backup(writing)
            # The copy is one file, whole by itself; the product switches its own database back when it opens it.
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise CannotKeep(f"SQLite cannot copy {source} to {target}: {error}.") from error


def _check_sqlite(file: Path) -> set[tuple[str, str]]:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            said = opened.execute("PRAGMA integrity_check").fetchone()[0]
            applied = {(app, name) for app, name in opened.execute("SELECT app, name FROM django_migrations")}
    except sqlite3.Error as error:
        raise CannotKeep(f"{file} is no backup of Stageboard, or is damaged: {error}.") from error
    if said != "ok":
        raise CannotKeep(f"{file} is damaged: {said}.")
    return {each for each in applied if each[0] in OURS}


def _check_postgres(file: Path) -> set[tuple[str, str]]:
    """Read the whole file as its restore would, and find the migrations in it."""
    script = _run(
        ["pg_restore", "--data-only", "--table", "django_migrations", "--file", "-", str(file)], connect=False
    )
    _run(["pg_restore", "--file", os.devnull, str(file)], connect=False)
    rows = (line.split("\t") for line in script.decode().splitlines())
    applied = {(row[1], row[2]) for row in rows if len(row) == 4 and row[0].isdigit()}
    if not applied:
        raise CannotKeep(f"{file} is no backup of Stageboard: it holds no migrations.")
    return {each for each in applied if each[0] in OURS}


OURS = frozenset({"opportunities", "boards"})
"""The apps whose migrations tell the version; those of Django come with it."""


def _run(command: Sequence[str], *, typed: bytes = b"", connect: bool = True) -> bytes:
    """Run a client of PostgreSQL; the password goes by its environment, where no list of processes shows it."""
    told: dict[str, Any] = connections["default"].settings_dict
    env = {**os.environ}
    if connect:
        names = {"PGDATABASE": "NAME", "PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
        env |= {name: str(told[key]) for name, key in names.items() if told.get(key)}
    try:
        done = subprocess.run(command, env=env, input=typed, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CannotKeep(f"{command[0]} is not on PATH. Debian, Ubuntu: sudo apt install postgresql-client") from error
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        raise CannotKeep(f"{command[0]} failed: {words}")
    return done.stdout
