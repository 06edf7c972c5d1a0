"""What every test gets: a fast password hash, no hashed static names, mails in memory, and real servers on request."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
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

    def belongs_here(item: pytest.Item) -> bool:
        marks = {mark.name for mark in item.iter_markers()}
        if servers.on_postgres():
            return "sqlite_only" not in marks and needs_a_database(item)
        if "postgres" in marks:
            return False
        return "browser" not in marks or "sqlite" in marks or bool(config.option.every_story)

    elsewhere = [item for item in items if not belongs_here(item)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if belongs_here(item)]


def needs_a_database(item: pytest.Item) -> bool:
    """Tell whether the database can make a difference. A pure rule is tested once, in the run on SQLite.

    pytest-django lets no other test ask the database; what is left are the tests that start processes.
    """
    asks = {"db", "transactional_db", "prepared_database"} & set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(name) for name in ("django_db", "browser", "postgres"))
    module = vars(getattr(item, "module", None) or object)
    return bool(asks) or marked or "servers" in module or "subprocess" in module


def is_measured(item: pytest.Item) -> bool:
    """Tell whether the coverage of a test counts: measuring makes it slower by half, so each line is measured once.

    The run on SQLite measures, the one on PostgreSQL only what runs nowhere else. What a browser story shows happens
    in processes of the product, which nobody measures.
    """
    return not item.get_closest_marker("browser") and (
        not servers.on_postgres() or bool(item.get_closest_marker("postgres"))
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Measure the coverage only of what counts; fixtures included, unlike the mark `no_cover` of pytest-cov."""
    plugin = item.config.pluginmanager.get_plugin("_cov")
    controller = plugin.cov_controller if plugin else None
    if controller and controller.started != is_measured(item):
        (controller.resume if is_measured(item) else controller.pause)()
    return (yield)


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
    """Use the settings of the product with five differences that only save time."""
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        STATIC_ROOT=tmp_path_factory.mktemp("static"),
        # What serves static files is asynchronous, so each request of a test client would start an event loop.
        MIDDLEWARE=[name for name in settings.MIDDLEWARE if name != "servestatic.middleware.ServeStaticMiddleware"],
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


def folder_of_all(config: pytest.Config) -> Path:
    """A folder that all processes of this run share."""
    own: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return (own.parent if hasattr(config, "workerinput") else own) / "made-once"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Throw away the databases that the processes of this run shared."""
    if not hasattr(session.config, "workerinput"):
        servers.drop_all_made_once(folder_of_all(session.config))


@pytest.fixture(scope="session")
def prepared_database(pytestconfig: pytest.Config) -> servers.Database:
    """A migrated, empty database, made once for all processes of the run; whoever needs one gets a copy."""

    def make(folder: Path) -> servers.Database:
        made = servers.new_database(folder)
        # Two servers that start at the same time would both collect the static files into the one folder.
        made.manage("shell", "--no-imports", "-c", COLLECT)
        return made

    return servers.made_once("prepared", folder_of_all(pytestconfig), make)


COLLECT = "from opportunities.management.commands import serve; serve.Command().collect_static_files()"


@pytest.fixture
def own_database(prepared_database: servers.Database, tmp_path: Path) -> Iterator[servers.Database]:
    """A migrated, empty database outside of the test's own, for processes of the product."""
    with servers.database(tmp_path / "data", like=prepared_database) as made:
        yield made
