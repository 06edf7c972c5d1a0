"""`make screenshots`: pictures of the product with the sample business, in a real Chromium.

Without arguments it writes those of the README to docs/images. `--all FOLDER` takes every screen to look at: 1440 and
390 pixels wide, by day and by night.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests import servers
from tests.browser.conftest import DESKTOP, FLAGS, PHONE, login

IMAGES = servers.ROOT / "docs" / "images"

SIZES = {width: (width, height) for width, height in (DESKTOP, (1280, 720), PHONE)}

type Colours = Literal["light", "dark"]


@dataclass(frozen=True)
class Shot:
    """One picture: a screen, how wide, by day or by night."""

    screen: str
    width: int
    colours: Colours

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.screen}-{self.colours}-{self.width}.png"


def board(page: Page) -> None:
    """The default board with its sums."""
    page.goto("/")
    page.locator(".card").first.wait_for()
    page.locator(".column-sums .sum").first.wait_for()
    width = page.viewport_size["width"] if page.viewport_size else 0
    if width == PHONE[0]:
        page.locator("#stage-bar a").nth(1).click()
        page.wait_for_timeout(600)


def drag(page: Page) -> None:
    """A card without an amount in the hand: the last column refuses it and says why, the zones are there."""
    board(page)
    card = page.locator(".card", has_text="Furnace replacement").first
    card.scroll_into_view_if_needed()
    page.locator("#board").evaluate("board => { board.scrollLeft = 0.9 * (board.scrollWidth - board.clientWidth) }")
    page.wait_for_timeout(400)
    column = 1 if page.locator("#stage-bar").is_visible() else 3
    target = page.locator(".column").nth(column).locator(".card").nth(1)
    start, end = card.bounding_box(), target.bounding_box()
    if start is None or end is None:
        raise RuntimeError("the card or its target is not on the screen")
    grip = start["x"] + start["width"] - 60
    page.mouse.move(grip, start["y"] + 12)
    page.mouse.down()
    page.mouse.move(grip + 6, start["y"] + 12, steps=2)
    page.mouse.move(end["x"] + 60, end["y"] + 20, steps=10)
    for step in range(3):
        page.mouse.move(end["x"] + 61 + step, end["y"] + 21)
        page.wait_for_timeout(80)
    page.wait_for_timeout(700)


def panel(page: Page) -> None:
    """An opportunity, beside the board or as a page of its own."""
    board(page)
    title = page.locator(".card-title", has_text="Clinic ventilation")
    title.scroll_into_view_if_needed()
    title.click()
    page.get_by_role("heading", name="Clinic ventilation").first.wait_for()
    page.wait_for_timeout(500)


def cards(page: Page) -> None:
    """The list of the same cards."""
    page.goto("/")
    page.goto(page.url.rstrip("/").partition("?")[0] + "/list/")
    page.locator("table").first.wait_for()


def calendar(page: Page) -> None:
    """The month of the same cards; on a phone with the day below it."""
    page.goto("/")
    page.goto(page.url.rstrip("/").partition("?")[0] + "/calendar/")
    page.locator(".month").wait_for()


def void(page: Page) -> None:
    """What voiding a card would take along, and what stands in the way."""
    board(page)
    page.locator(".card", has_text="Clubhouse heating").locator("a.card-title").press("m")
    page.locator("#dialog").get_by_role("link", name="Void…").click()
    page.get_by_role("heading", name="Void “Clubhouse heating”?").wait_for()


def admin(page: Page) -> None:
    """The table of stages in the settings."""
    page.goto("/admin/opportunities/opportunitystage/")
    page.locator("#result_list").wait_for()


SCREENS: dict[str, Callable[[Page], None]] = {
    "board": board,
    "drag": drag,
    "panel": panel,
    "list": cards,
    "calendar": calendar,
    "void": void,
    "admin": admin,
}

README = (
    Shot("board", 1280, "light"),
    Shot("panel", 1280, "dark"),
    Shot("board", 390, "light"),
    Shot("calendar", 1280, "light"),
    Shot("void", 1280, "light"),
)

ALL = tuple(
    Shot(screen, width, colours) for screen in SCREENS for width in (1440, 390) for colours in ("light", "dark")
)


@contextmanager
def sample() -> Iterator[servers.Server]:
    """The product with the sample business, on SQLite, as `make run` starts it."""
    with TemporaryDirectory(prefix="stageboard-") as folder, servers.database(Path(folder) / "data") as made:
        made.manage("starter")
        made.manage("sample")
        with servers.serving(made) as running:
            yield running


def take(browser: Browser, server: servers.Server, shots: tuple[Shot, ...], folder: Path) -> None:
    """Take the pictures, as the admin of the sample."""
    user = server.login_of("admin")
    state = None
    for shot in shots:
        width, height = SIZES[shot.width]
        context = browser.new_context(
            base_url=server.url,
            viewport={"width": width, "height": height},
            color_scheme=shot.colours,
            has_touch=width == PHONE[0],
            reduced_motion="reduce",
            storage_state=state,
        )
        page = context.new_page()
        if state is None:
            login(page, user.username, user.password)
            state = context.storage_state()
        SCREENS[shot.screen](page)
        # An open board never rests: it listens for what others do.
        page.wait_for_load_state("load")
        page.wait_for_timeout(600)
        page.screenshot(path=folder / shot.name)
        print(f"{shot.name}: {(folder / shot.name).stat().st_size // 1000} kB", flush=True)
        if shot.screen == "drag":
            page.keyboard.press("Escape")
            page.mouse.up()
        context.close()


def main() -> int:
    """Take the README's pictures, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots")
    parser.add_argument("--all", metavar="FOLDER", help="every screen, into this folder")
    given = parser.parse_args()
    chromium = servers.chromium()
    if not chromium:
        print("Chromium is not on PATH: sudo apt install chromium", file=sys.stderr)
        return 1
    os.environ.pop("DATABASE_URL", None)
    folder = Path(given.all) if given.all else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with sample() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        take(browser, server, ALL if given.all else README, folder)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
