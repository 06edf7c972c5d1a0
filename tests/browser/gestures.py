"""What people do on a board, as a browser sees it: drag with the mouse, drag with a finger, and look at the order."""

from playwright.sync_api import FloatRect, Locator, Page


def order(page: Page, column: int) -> list[str]:
    """The numbers of the cards in a column, counted from the left without the tray."""
    return (
        column_at(page, column)
        .locator(".cards > .card")
        .evaluate_all("cards => cards.map(card => card.dataset.number)")
    )


def column_at(page: Page, place: int) -> Locator:
    """A column, counted from the left without the tray."""
    return page.locator(".column:not(.tray)").nth(place)


def card_at(page: Page, column: int, place: int = 0) -> Locator:
    """A card by its place."""
    return column_at(page, column).locator(".cards > .card").nth(place)


def focused_card(page: Page) -> str | None:
    """The number of the card that has the focus."""
    return page.evaluate("document.activeElement.closest('.card')?.dataset.number")


def box(target: Locator) -> FloatRect:
    """Where an element stands; it must stand somewhere."""
    target.scroll_into_view_if_needed()
    found = target.bounding_box()
    assert found is not None
    return found


def lift(page: Page, card: Locator) -> None:
    """Take a card with the mouse and begin to drag it."""
    start = box(card)
    x, y = start["x"] + start["width"] / 2, start["y"] + 14
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3, y + 3)
    page.mouse.move(x + 6, y + 6)


def carry(page: Page, target: Locator, *, below: float = 14) -> None:
    """Carry what is held to just below the upper edge of an element, with the small last moves that hands make."""
    end = target.bounding_box()
    assert end is not None
    x, y = end["x"] + end["width"] / 2, end["y"] + below
    page.mouse.move(x, y, steps=10)
    for step in range(3):
        page.mouse.move(x + step % 2, y + 1)
        page.wait_for_timeout(60)


def drag(page: Page, card: Locator, target: Locator, *, below: float = 14) -> None:
    """Drag a card onto an element and let it go."""
    lift(page, card)
    carry(page, target, below=below)
    page.mouse.up()


class Finger:
    """One finger on the screen, through the protocol of Chromium: Playwright has no touch drag."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.x = self.y = 0.0

    def _send(self, kind: str, points: list[dict[str, float]]) -> None:
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def press(self, card: Locator, *, hold: int = 350) -> None:
        """Put the finger on a card and keep it there."""
        start = box(card)
        self.x, self.y = start["x"] + 120, start["y"] + 20
        self._send("touchStart", [{"x": self.x, "y": self.y}])
        self.page.wait_for_timeout(hold)

    def slide(self, x: float, y: float, *, steps: int = 12, pause: int = 30) -> None:
        """Move the finger over the glass."""
        from_x, from_y = self.x, self.y
        for step in range(1, steps + 1):
            self.x = from_x + (x - from_x) * step / steps
            self.y = from_y + (y - from_y) * step / steps
            self._send("touchMove", [{"x": self.x, "y": self.y}])
            self.page.wait_for_timeout(pause)

    def lift(self) -> None:
        """Take the finger away."""
        self._send("touchEnd", [])
