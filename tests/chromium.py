"""Where Chromium is, and how it gets here: from the system, or as Playwright's own. For tests."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""What systems call it."""
PACKAGES = ("chromium", "fonts-dejavu-core")
OWN = Path(__file__).parents[1] / ".localcloud" / "cache" / "playwright"
"""Where Playwright's own is kept."""
HELP = "install Chromium, or run: .venv/bin/python -m tests.chromium"


def find() -> str | None:
    """The browser that answers, the system's first."""
    return next(filter(_answers, filter(None, map(shutil.which, NAMES))), None) or _own()


def install() -> str | None:
    """Have a browser; gives where it is, None when neither way leads to one."""
    return find() or (_of_the_system() and find()) or (_of_playwright() and find()) or None


def _own() -> str | None:
    """Playwright's own."""
    os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(OWN))
    if not Path(os.environ["PLAYWRIGHT_BROWSERS_PATH"]).exists():
        return None
    with sync_playwright() as playwright:
        file = playwright.chromium.executable_path
    return file if _answers(file) else None


def _answers(file: str) -> bool:
    """Whether it is a browser, and no script that says how to get one."""
    try:
        return subprocess.run([file, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _of_the_system() -> bool:
    """Debian's package. Ubuntu's of that name has no browser in it."""
    if not shutil.which("apt-get") or platform.freedesktop_os_release().get("ID") != "debian":
        return False
    root = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    if os.geteuid() != 0:
        root = ["sudo", "-n", *root]
    return _run([*root, "update"]) and _run(
        [*root, "install", "-y", "--no-install-recommends", *PACKAGES]
    )


def _of_playwright() -> bool:
    OWN.mkdir(parents=True, exist_ok=True)
    return _run([sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"])


def _run(line: list[str]) -> bool:
    try:
        return subprocess.run(line, stdout=subprocess.DEVNULL, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    found = install()
    print(found or f"There is no Chromium, so the tests of the page will be left out: {HELP}")
