"""Quotes, jobs and agreements are numbered from 1001; on PostgreSQL a trigram index finds any part of their search key."""

from django.db import migrations

from opportunities.numbers import begin_numbers

TABLES = ("opportunities_quote", "opportunities_job", "opportunities_agreement")


def begin(apps, schema_editor):
    begin_numbers(schema_editor.connection)


def add_trigram_indexes(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        if cursor.fetchone() is None:
            return  # a server without the contrib modules searches by scanning
        for table in TABLES:
            cursor.execute(f"CREATE INDEX {table}_trigram ON {table} USING gin (search_key gin_trgm_ops)")


def drop_trigram_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(f"DROP INDEX IF EXISTS {table}_trigram")


class Migration(migrations.Migration):
    dependencies = [("opportunities", "0007_documents")]

    operations = [
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(add_trigram_indexes, drop_trigram_indexes),
    ]
