"""The numbers that people call things by are primary keys; this lets them begin at 1001."""

from typing import Any

FIRST = 1001
NUMBERED = ("opportunities_opportunity", "opportunities_quote", "opportunities_job", "opportunities_agreement")


def begin_numbers(connection: Any) -> None:
    """Let each numbered table begin at 1001, where it has not gone further already. Safe to repeat."""
    with connection.cursor() as cursor:
        present = set(connection.introspection.table_names(cursor))
        for table in (name for name in NUMBERED if name in present):
            cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}")  # noqa: S608 - our own table names
            if cursor.fetchone()[0] >= FIRST - 1:
                continue
            if connection.vendor == "postgresql":
                cursor.execute(f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH {FIRST}")
            else:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, FIRST - 1])
