"""Fixtures of the stories: a server with the sample business, and pages of a real Chromium that fail on any error."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect, sync_playwright

from tests import servers
from tests.conftest import folder_of_all
from tests.servers import Database, Login, Server

FAILURES = Path(__file__).parent / "failures"
# The address bar of the window draws two pages of its own for each of ours, which cost more than ours. Chromium heeds
# only the last list of this kind, so the list of Playwright stands here, too.
NOT_NEEDED = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "TcpPortRandomizationWin,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={NOT_NEEDED}",
]
DESKTOP = (1440, 900)
PHONE = (390, 844)

type OpenPage = Callable[..., Page]

# A machine that runs several of these at once is slow, which is no fault of the product.
expect.set_options(timeout=20_000)


@dataclass
class Problems:
    """What went wrong in the pages of one test: errors in the console, blocked by the CSP, 5xx, missing assets."""

    seen: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Let problems pass that match: for stories in which something is meant to fail."""
        self.allowed.append(pattern)

    def left(self) -> list[str]:
        """Return what is not allowed."""
        return [problem for problem in self.seen if not any(re.search(pattern, problem) for pattern in self.allowed)]

    def watch(self, page: Page) -> None:
        """Note what goes wrong in that page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"script error: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # Refusals (4xx) are answers; the response is judged below.
        if message.type == "error" and "Failed to load resource: the server responded" not in message.text:
            self.seen.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        asset = response.request.resource_type in {"script", "stylesheet", "image", "font"}
        if response.status >= 500 or (asset and response.status >= 400):
            self.seen.append(f"response: {response.status} {response.url}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


LOG_IN = """
from django.contrib.auth.models import User
from django.test import Client
for user in User.objects.filter(is_active=True):
    client = Client()
    client.force_login(user, backend="opportunities.access.RoleBackend")
    print(user.username, client.cookies["sessionid"].value)
"""


@pytest.fixture(scope="session")
def starter_database(prepared_database: Database, pytestconfig: pytest.Config) -> Database:
    """The starter setup only: nobody can log in, no business is named. Made once for all processes of the run."""

    def make(folder: Path) -> Database:
        made = servers.new_database(folder, like=prepared_database)
        made.manage("starter")
        return made

    return servers.made_once("starter", folder_of_all(pytestconfig), make)


@pytest.fixture(scope="session")
def sample_database(starter_database: Database, pytestconfig: pytest.Config) -> Database:
    """The sample business with everybody logged in, made once as well; each server gets a copy."""

    def make(folder: Path) -> Database:
        made = servers.new_database(folder, like=starter_database)
        made.manage("sample")
        # Stories of logging in go through the form; the others would, for every server, only wait for the slow hash.
        printed = made.manage("shell", "--no-imports", "-c", LOG_IN)
        made.sessions |= dict(line.split() for line in printed.splitlines())
        return made

    return servers.made_once("sample", folder_of_all(pytestconfig), make)


@pytest.fixture(scope="module")
def server(sample_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product with the sample business, for the stories of one module."""
    folder = tmp_path_factory.mktemp("server")
    with servers.database(folder / "data", like=sample_database) as own, servers.serving(own) as running:
        yield running


@pytest.fixture
def fresh_server(sample_database: Database, tmp_path: Path) -> Iterator[Server]:
    """The same for one story alone, which may change or stop it."""
    with servers.database(tmp_path / "data", like=sample_database) as own, servers.serving(own) as running:
        yield running


@pytest.fixture
def empty_server(starter_database: Database, tmp_path: Path) -> Iterator[Server]:
    """The product with the starter setup only, for one story alone."""
    with servers.database(tmp_path / "data", like=starter_database) as own, servers.serving(own) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, for one module: while Playwright runs, Django's ORM believes it is in async code."""
    path = servers.chromium()
    if not path:
        pytest.skip("Chromium is not on PATH (sudo apt install chromium)")
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
            yield chromium
            chromium.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def problems() -> Problems:
    """What went wrong in this test's pages; a story that provokes something says `problems.allow(...)`."""
    return Problems()


@pytest.fixture
def open_page(request: pytest.FixtureRequest, browser: Browser, problems: Problems) -> Iterator[OpenPage]:
    """Open a page in a browser window of its own; more than one call means more than one person."""
    contexts: list[BrowserContext] = []
    # Made before, so ended after: an open board notices when its server goes.
    for name in {"fresh_server", "empty_server"} & set(request.fixturenames):
        request.getfixturevalue(name)

    def open_page(
        path: str | None = None,
        *,
        user: Login | str | None = None,
        on: Server | None = None,
        viewport: tuple[int, int] = DESKTOP,
        color_scheme: Literal["light", "dark"] = "light",
        has_touch: bool = False,
        scripts: bool = True,
        **options: Any,
    ) -> Page:
        """Open `path` as `user` (a Login, or a role of the sample) on the module's server or another one."""
        target = on or request.getfixturevalue("server")
        if isinstance(user, str):
            user = target.login_of(user)
        context = browser.new_context(
            base_url=target.url,
            viewport={"width": viewport[0], "height": viewport[1]},
            color_scheme=color_scheme,
            has_touch=has_touch,
            java_script_enabled=scripts,
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        problems.watch(page)
        if user and user.username in target.database.sessions:
            session = target.database.sessions[user.username]
            context.add_cookies([{"name": "sessionid", "value": session, "url": target.url, "httpOnly": True}])
        elif user:
            login(page, user.username, user.password)
        if path is not None:
            page.goto(path)
        return page

    yield open_page

    if request.node.stash.get(FAILED, False) or problems.left():
        keep_screenshots(request.node.name, contexts)
    for context in contexts:
        context.close()
    assert not problems.left(), "\n".join(["went wrong in the browser:", *problems.left()])


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """One page at 1440 x 900 on the module's server, not logged in."""
    return open_page()


def login(page: Page, username: str, password: str) -> None:
    """Log in through the form."""
    page.goto("/accounts/login/")
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def keep_screenshots(name: str, contexts: list[BrowserContext]) -> None:
    """Keep what the pages of a failed story showed."""
    FAILURES.mkdir(exist_ok=True)
    pages = [page for context in contexts for page in context.pages]
    for number, page in enumerate(pages, 1):
        file = FAILURES / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}-{number}.png"
        try:
            page.screenshot(path=file, full_page=True)
        except Exception as error:
            print(f"no screenshot of {page.url}: {error}")
