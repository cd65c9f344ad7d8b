"""Somebody who has the page open in a browser while a release goes its way. For tests."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Listener, chromium, looks, not_by_tab
from tests.cloud import Cloud
from tests.e2e.course import COURSE
from tuneops.page.offers import DONE
from tuneops.release import SampleAnswer

SOON = 20_000.0
"""Milliseconds until an open page shows what is so: it looks every ten seconds at the latest."""
TRIES = 8
"""Something may go on while two pages are read, one after the other."""
PHASES = ("Waiting for data", *COURSE, "Live")
"""Those before the first look, and a short one between two, are not seen."""
_WATCH = """(project) => {
  window.kept = true;
  const phase = () => document.querySelector(`[data-project="${project}"]`).dataset.phase;
  window.phases = [phase()];
  new MutationObserver(() => {
    if (phase() !== window.phases.at(-1)) window.phases.push(phase());
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""
_TEXT = """() => {
  const main = document.querySelector("main").cloneNode(true);
  for (const each of main.querySelectorAll(".stage, form")) each.remove();
  return main.textContent.replace(/\\s+/g, " ").trim();
}"""
"""What is to be read, without what goes by the clock."""


@contextmanager
def watching(cloud: Cloud, project: str, subtests: pytest.Subtests) -> Iterator[None]:
    """Have the page open while the project's first release goes live; then look through it."""
    with ExitStack() as opened:
        watcher = None
        with subtests.test("a browser shows the page"):
            watcher = Watcher(cloud, project, opened.enter_context(chromium()))
        yield
        if watcher is None:
            return
        with subtests.test("the phases move without a reload"):
            watcher.check_moves()
        with subtests.test("a project's and a release's page show it"):
            watcher.check_contents()
        with subtests.test("nobody is kept out"):
            watcher.check_looks()
        with subtests.test("it reads without script"):
            watcher.check_without_script()
        with subtests.test("a project is suspended and resumed by forms"):
            watcher.check_orders()


class Watcher:
    """Who watches one project."""

    def __init__(self, cloud: Cloud, project: str, browser: Browser) -> None:
        self._cloud, self._project, self._browser = cloud, project, browser
        base = cloud.connection["functions"]["base_url"]
        self._addresses = {
            "overview": f"{base}/",
            "project": f"{base}/projects/{project}",
            "release": f"{base}/projects/{project}/releases/1",
        }
        self._context = browser.new_context()
        self._listener = Listener(self._context)
        self._pages = {name: self._open(name) for name in ("overview", "project")}
        for page in self._pages.values():
            shown = page.locator(f"[data-project={project}]")
            expect(shown).to_have_attribute("data-phase", PHASES[0], timeout=SOON)
            page.evaluate(_WATCH, project)

    def _open(self, name: str) -> Page:
        page = self._context.new_page()
        page.goto(self._addresses[name])
        return page

    def check_moves(self) -> None:
        """Both pages have come to what is live, by themselves."""
        for page in self._pages.values():
            shown = page.locator(f"[data-project={self._project}]")
            expect(shown).to_have_attribute("data-phase", "Live", timeout=SOON)
            assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
            assert page.evaluate("window.kept") is True
            phases = page.evaluate("window.phases")
            assert [each for each in PHASES if each in phases] == phases
            assert {PHASES[0], "Live"} < set(phases), "nothing was seen on the way"
        project = self._pages["project"]
        expect(project.locator("#releases tr")).to_have_count(1)

    def check_contents(self) -> None:
        """The curves, the smoke test, and what people were told."""
        self._pages["release"] = release = self._open("release")
        self._cloud.until_told(self._project)
        status = self._cloud.status(self._project)
        assert status is not None
        assert status.release is not None
        (answer,) = status.release.smoke.answers
        for name, place in (("project", "#shown-1"), ("release", "#training")):
            check_curves(self._pages[name], place)
        check_answer(release, answer)
        told = release.locator("#told .message")
        expect(told.filter(has_text=f"{self._project}: release 1 is live")).to_be_visible()
        waits = told.filter(has_not_text=re.compile(r": sent \d\d "))
        expect(waits).to_have_count(0, timeout=SOON)

    def check_looks(self) -> None:
        """All pages on a phone and a desk, in the light and the dark, and by keyboard."""
        for name, page in self._pages.items():
            page.bring_to_front()
            assert looks(page, f"live-{name}") == {}
            assert not_by_tab(page) == []
        assert self._listener.complaints() == []

    def check_without_script(self) -> None:
        """The same is to be read."""
        context = self._browser.new_context(java_script_enabled=False)
        page = context.new_page()
        for name, address in self._addresses.items():
            for _ in range(TRIES):
                page.goto(address)
                read, shown = page.evaluate(_TEXT), self._pages[name].evaluate(_TEXT)
                if read == shown:
                    break
                self._pages[name].wait_for_timeout(SOON / TRIES)
            assert read == shown
        context.close()

    def check_orders(self) -> None:
        """By the forms of one page; the other shows what came of it, without a reload."""
        page, overview = self._pages["project"], self._pages["overview"]
        row = overview.locator(f"#p-{self._project}")
        page.locator("#action-suspend button").click()
        page.get_by_label("Why").fill("a look in peace")
        page.get_by_role("button", name="Suspend").click()
        expect(page.get_by_role("status").first).to_have_text(DONE["suspend"])
        expect(row).to_contain_text("a look in peace", timeout=SOON)
        page.locator("#action-resume").get_by_label("Why").fill("seen")
        page.locator("#action-resume button").click()
        expect(page.get_by_role("status").first).to_have_text(DONE["resume"])
        expect(row).not_to_contain_text("a look in peace", timeout=SOON)
        orders = page.locator("#audit tr")
        expect(orders).to_have_count(2)
        expect(orders.first).to_contain_text(
            re.compile("resume.*seen.*this computer.*accepted", re.DOTALL)
        )
        assert self._listener.complaints() == []


def check_curves(page: Page, place: str) -> None:
    """The training's loss is drawn there, with axes that say what they measure."""
    chart = page.locator(f"{place} svg.chart")
    expect(chart).to_be_visible()
    points = str(chart.locator("polyline").first.get_attribute("points")).split()
    assert len(points) > 1
    assert len(set(points)) == len(points)
    assert chart.locator(".chart-name").all_text_contents() == ["loss", "step"]
    assert chart.locator(".chart-tick").count() >= 4


def check_answer(page: Page, answer: SampleAnswer) -> None:
    """The smoke test's question and answer are to be read."""
    for role, text in (("question", answer.question), ("answer", answer.answer)):
        said = page.locator(f"#tests blockquote.{role} .pre").first
        assert said.text_content() == (text or "(empty)")
