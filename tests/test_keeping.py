"""Backups are restored here, on both databases, by the very commands that people type."""

import subprocess
from pathlib import Path

import pytest

from tests import servers

TITLES = "SELECT id, title, workflow_status FROM opportunities_opportunity ORDER BY id"
COUNTS = (
    "SELECT (SELECT count(*) FROM opportunities_event), (SELECT count(*) FROM opportunities_quoteline), "
    "(SELECT count(*) FROM auth_user), (SELECT count(*) FROM boards_column)"
)


def make(used, *arguments):
    """Type a make command; return its exit code and what it printed."""
    done = subprocess.run(["make", *arguments], cwd=servers.ROOT, env=used.env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def held(used):
    return used.sql(TITLES), used.sql(COUNTS)


@pytest.fixture
def in_use(own_database):
    """The sample business in a database of its own."""
    own_database.env |= {"STAGEBOARD_URL": "http://127.0.0.1:8000"}
    own_database.manage("starter")
    own_database.manage("sample")
    return own_database


def test_what_was_backed_up_is_restored(in_use, tmp_path):
    before = held(in_use)
    code, printed = make(in_use, "backup", f"TO={tmp_path / 'kept'}")
    assert code == 0, printed
    assert "secret" in printed
    (file,) = (tmp_path / "kept").iterdir()
    assert file.stat().st_mode & 0o077 == 0, "only its owner may read it"

    in_use.sql("UPDATE opportunities_opportunity SET title = 'Lost by mistake'")
    in_use.sql("DELETE FROM opportunities_quoteline")
    in_use.sql("CREATE TABLE of_a_newer_version (id integer)")
    code, printed = make(in_use, "restore", f"FILE={file}")
    assert code != 0
    assert "CONFIRM=yes" in printed
    assert in_use.sql(TITLES)[0][1] == "Lost by mistake"

    code, printed = make(in_use, "restore", f"FILE={file}", "CONFIRM=yes")

    assert code == 0, printed
    assert held(in_use) == before
    assert "everything is what its facts say" in printed
    (kept,) = (Path(in_use.env["STAGEBOARD_DATA"]) / "backups").glob("before-restore-*")
    with pytest.raises(Exception, match="of_a_newer_version"):
        in_use.sql("SELECT * FROM of_a_newer_version")
    assert kept.stat().st_size > 0
    # The product runs on what was restored, and it can be backed up again.
    with servers.serving(in_use) as server:
        assert server.process.poll() is None
    assert make(in_use, "backup", f"TO={tmp_path / 'again'}")[0] == 0


def test_an_empty_database_takes_a_backup_without_a_word_of_confirmation(in_use, tmp_path):
    before = held(in_use)
    in_use.manage("backup", "--to", str(tmp_path / "kept"))
    (file,) = (tmp_path / "kept").iterdir()

    with servers.database(tmp_path / "other" / "data", migrate=False) as empty:
        printed = empty.manage("restore", str(file))
        assert held(empty) == before
    assert "Restored" in printed


@pytest.mark.parametrize("damage", ["missing", "of something else", "cut off", "of a newer version"])
def test_a_file_that_is_no_whole_backup_changes_nothing(own_database, tmp_path, damage):
    file = tmp_path / "file.dump"
    if damage == "of a newer version":
        own_database.sql(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('boards', '9999_next', '2030-01-01 00:00:00Z')"
        )
    own_database.manage("backup", "--to", str(tmp_path / "kept"))
    (whole,) = (tmp_path / "kept").iterdir()
    if damage == "of something else":
        file.write_text("no backup")
    elif damage == "cut off":
        file.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    elif damage == "of a newer version":
        file.write_bytes(whole.read_bytes())

    printed = own_database.manage("restore", str(file), "--yes", check=False)

    assert "Nothing was changed" in printed
    assert own_database.sql("SELECT count(*) FROM opportunities_opportunity") == [(0,)]
    if damage == "of a newer version":
        assert "newer version" in printed
