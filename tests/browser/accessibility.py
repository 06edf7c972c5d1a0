"""What axe-core finds on a page that has come to rest."""

import json
import time

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE

# A dialog that is still fading in has pale text, which is no fault. What never ends (a skeleton that breathes) is not
# waited for. What sets out while axe is at work spoils the measurement as well; it is told by its event.
AT_REST = """
async (context) => {
  const moving = () => document.getAnimations().some((each) =>
    each.playState === "running" && each.effect.getComputedTiming().endTime !== Infinity);
  if (moving()) return null;
  let moved = false;
  const note = () => { moved = true; };
  for (const kind of ["animationstart", "transitionrun"]) document.addEventListener(kind, note, true);
  const found = await axe.run(context ?? document, { resultTypes: ["violations"], preload: false });
  for (const kind of ["animationstart", "transitionrun"]) document.removeEventListener(kind, note, true);
  return moved || moving() ? null : JSON.stringify(found.violations);
}
"""


LOOKS = [pytest.param(DESKTOP, "light", id="desk-light"), pytest.param(PHONE, "dark", id="phone-dark")]
"""Rules about room depend on the size of the screen, those about contrast on the scheme: each is measured in both."""


def violations(page: Page, *, within: str | None = None) -> list[str]:
    """Every rule of accessibility that the page breaks, or the part of it that a selector names; one line each."""
    limit = time.monotonic() + 20
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    # The Content-Security-Policy forbids page.wait_for_function, so the page is asked again and again.
    while (found := page.evaluate(AT_REST, within)) is None:
        assert time.monotonic() < limit, "the page did not come to rest, so nothing was measured"
        page.wait_for_timeout(20)
    return [
        f"{rule['id']} ({rule['impact']}) at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in json.loads(found)
        for node in rule["nodes"]
    ]
