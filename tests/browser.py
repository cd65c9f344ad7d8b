"""A real browser, and what it has to say of a page. For tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests import chromium as installed

PICTURES = Path(__file__).parents[1] / "test-artifacts"
SERIOUS = ("serious", "critical")
WIDTHS = {"phone": 390, "desktop": 1280}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""
_FOCUSABLE = """() => [...document.querySelectorAll(
  "a[href], button, summary, select, textarea, [tabindex='0'], input:not([type=hidden])"
)].filter((each) => each.checkVisibility()).map((each) => each.outerHTML.slice(0, 200))"""
_FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  if (at === document.body) return null;
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [at.outerHTML.slice(0, 200), seen];
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window. Where there is none the test is left out, but never in CI."""
    file = installed.find()
    if file is None:
        _leave_out(f"there is no Chromium: {installed.HELP}")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=file, chromium_sandbox=os.geteuid() != 0
            )
        except Error as error:
            _leave_out(f"{file} does not start: {error.message[:1000]}")
        try:
            yield browser
        finally:
            browser.close()


def _leave_out(reason: str) -> None:
    required = os.environ.get("CI") == "true" or os.environ.get("TUNEOPS_REQUIRE_BROWSER") == "1"
    (pytest.fail if required else pytest.skip)(reason)


def barriers(page: Page) -> list[str]:
    """What axe finds that keeps people out, with the first element that it is found at."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in violations
        if each["impact"] in SERIOUS
    ]


@dataclass
class Listener:
    """What a browser complains of on the pages of a context."""

    context: BrowserContext
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.add_init_script(_VIOLATIONS)
        self.context.on("console", lambda message: self.said.append(message.text))
        self.context.on("weberror", lambda error: self.said.append(str(error.error)))

    def complaints(self) -> list[str]:
        """On the console, of errors, and of what the content security policy forbids."""
        violations: list[Any] = [page.evaluate("window.violations") for page in self.context.pages]
        return [*self.said, *(str(each) for found in violations for each in found)]


def looks(page: Page, name: str) -> dict[str, list[str]]:
    """What is wrong with the page at each width and in each scheme; keeps a picture of each."""
    wrong = {}
    for device, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 844})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            look = f"{name}-{device}-{scheme}"
            page.screenshot(path=PICTURES / f"{look}.png", full_page=True)
            found = barriers(page)
            needed = page.evaluate("document.documentElement.scrollWidth")
            found += [f"is {needed} pixels wide"] if needed > width else []
            wrong |= {look: found} if found else {}
    return wrong


def not_by_tab(page: Page) -> list[str]:
    """What of a page Tab does not lead to, or where one does not see that it did."""
    wanted: list[str] = page.evaluate(_FOCUSABLE)
    page.evaluate("document.activeElement.blur()")
    seen = {}
    for _ in range(len(wanted) + 10):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None:
            break
        element, visible = focused
        seen[element] = visible
    missed = [each for each in wanted if each not in seen]
    return [*missed, *(f"focus unseen: {each}" for each, visible in seen.items() if not visible)]
