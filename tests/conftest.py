"""What every test gets: a fast password hash, no hashed static names, mails in memory, and real servers on request."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import override_settings

from tests import servers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-story", action="store_true", help="run all browser stories on SQLite, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what means nothing on this database. That is no skip: the other run has it."""
    for item in items:
        # A story's server belongs to its module, so a module stays in one process.
        if "/tests/browser/" in item.path.as_posix():
            item.add_marker("browser")
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
            # The product runs in a process of its own there, which nobody measures.
            item.add_marker("no_cover")

    def belongs_here(item: pytest.Item) -> bool:
        marks = {mark.name for mark in item.iter_markers()}
        if servers.on_postgres():
            return "sqlite_only" not in marks
        if "postgres" in marks:
            return False
        return "browser" not in marks or "sqlite" in marks or bool(config.option.every_story)

    elsewhere = [item for item in items if not belongs_here(item)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if belongs_here(item)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Turn a skip into a failure where nothing may be skipped."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CI is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def test_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use the settings of the product with four differences that only save time."""
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        STATIC_ROOT=tmp_path_factory.mktemp("static"),
        # `client.login()` has no request to judge; the tests of the limit switch it on (fixture login_limit).
        AXES_ENABLED=False,
    ):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    """Use a file on SQLite, as the product does: in memory, threads share locks and leave connections open."""
    if servers.on_postgres():
        request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")
    else:
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(autouse=True)
def no_redis(settings) -> None:
    """Run as the embedded form does: nothing is queued, whatever the environment says."""
    settings.CELERY_BROKER_URL = None


@pytest.fixture
def login_limit(settings):
    """Switch the limit of login attempts on and return it."""
    settings.AXES_ENABLED = True
    return settings.AXES_FAILURE_LIMIT


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real Redis."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not on PATH (sudo apt install redis-server)")
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="session")
def prepared_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Database]:
    """A migrated, empty database, made once; whoever needs one gets a copy."""
    with servers.database(tmp_path_factory.mktemp("prepared") / "data") as made:
        yield made


@pytest.fixture
def own_database(prepared_database: servers.Database, tmp_path: Path) -> Iterator[servers.Database]:
    """A migrated, empty database outside of the test's own, for processes of the product."""
    with servers.database(tmp_path / "data", like=prepared_database) as made:
        yield made
