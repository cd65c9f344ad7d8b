"""The page in a real browser: it keeps itself current, and keeps nobody out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.storage.blob import BlobServiceClient
from playwright.sync_api import Browser, expect

from tests.browser import barriers, chromium
from tests.cloud import ROOT, Cloud
from tests.test_page import MIXED, card, overview
from tuneops import documents
from tuneops.overview.document import Overview, SourceCard
from tuneops.store import Store

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A functions host with its storage account, whose timer leaves the overview as it is."""
    folder = tmp_path_factory.mktemp("page")
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest["app_settings"]["TUNEOPS_RESYNC_SCHEDULE"] = "0 0 0 1 1 *"
    (folder / "local.yaml").write_text(yaml.safe_dump(manifest))
    running = Cloud(folder / "state")
    given = ("--manifest", str(folder / "local.yaml"))
    running.up("--parts", "storage,platform,functions", *given)
    yield running
    running.down()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser."""
    with chromium() as opened:
        yield opened


def show(cloud: Cloud, whole: Overview) -> str:
    """Store the overview; gives the page's address."""
    connection = cloud.connection["storage"]["connection_string"]
    store = Store(BlobServiceClient.from_connection_string(connection), "tuneops")
    store.update(documents.OVERVIEW, Overview, lambda _: whole)
    return f"{cloud.connection['functions']['base_url']}/"


BROKEN = {"": SourceCard(commit="c" * 40, errors=("finetune/x.yaml: <b>no</b>",))}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nobody_is_kept_out(
    cloud: Cloud, browser: Browser, tmp_path: Path, width: int, scheme: Any
) -> None:
    address = show(cloud, overview(*MIXED, sources=BROKEN))
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert said == []
    page.close()


def test_a_phase_moves_without_a_reload(cloud: Cloud, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(show(cloud, overview(*MIXED, sources=BROKEN)))
    page.evaluate("document.getElementById('p-going').mark = 'kept'")
    page.focus("#p-bot .name")

    moved = [card("bot", "Failed", reason="<script>"), *MIXED[1:], card("new")]
    show(cloud, overview(*moved))
    expect(page.locator("#p-bot .phase")).to_have_text("Failed")
    expect(page.locator("#announcement")).to_have_text("bot is Failed, was Live")
    expect(page.locator("#p-bot .reason")).to_have_text("<script>")
    expect(page.locator("#p-bot .name")).to_be_focused()
    expect(page.locator("#p-new")).to_be_visible()
    expect(page.locator("#errors")).to_have_count(0)
    assert page.evaluate("document.getElementById('p-going').mark") == "kept"

    page.context.set_offline(True)
    expect(page.locator("#connection")).to_have_text("Not connected", timeout=15_000)
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden(timeout=30_000)
    page.close()


def test_it_reads_without_script(cloud: Cloud, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(show(cloud, overview(*MIXED, sources=BROKEN)))
    page.fill("input[name=q]", "training")
    page.click("form.filter button")
    expect(page.locator("#projects tr")).to_have_count(1)
    context.close()
