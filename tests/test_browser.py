"""The browser of the tests: where there is none they are left out, and never in CI."""

from pathlib import Path

import pytest

from tests import chromium as installed
from tests.browser import chromium


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A computer without a browser; gives the folder that is looked for one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    for name in ("CI", "TUNEOPS_REQUIRE_BROWSER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("CI", "true", pytest.fail.Exception),
        ("TUNEOPS_REQUIRE_BROWSER", "1", pytest.fail.Exception),
        ("CI", "", pytest.skip.Exception),
    ],
)
def test_without_a_browser(
    nothing_installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    outcome: type[BaseException],
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(outcome, match=r"no Chromium.*-m tests\.chromium"), chromium():
        pass


def test_a_script_that_only_says_how_to_get_one_is_no_browser(nothing_installed: Path) -> None:
    for name, line in (("chromium", "exit 1"), ("google-chrome", "echo Google Chrome 150")):
        script = nothing_installed / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
    assert installed.find() == str(nothing_installed / "google-chrome")
