"""``python -m tools.pictures``: walk through docs/tutorial.md, and picture it on the way."""

import shutil
import sys
import time

from playwright.sync_api import Browser

from tests.browser import chromium
from tools.pictures import terminal
from tools.pictures.page import shoot
from tools.pictures.tutorial import Shot, TutorialError, Typed, Until, steps
from tools.pictures.walk import ROOT, Walk
from tuneops.cli.target import read_connection

TUTORIAL = ROOT / "docs" / "tutorial.md"
PICTURES = ROOT / "docs" / "pictures"


def main() -> int:
    """Make all pictures anew; gives the exit code."""
    walk = Walk(ROOT / ".localcloud" / "pictures")
    walk.begin()
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    try:
        with chromium() as browser:
            for step in steps(TUTORIAL.read_text()):
                print(f"{time.strftime('%H:%M:%S')} {step}", flush=True)
                _go(step, walk, browser)
    except TutorialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        walk.end()
    return 0


def _go(step: Typed | Until | Shot, walk: Walk, browser: Browser) -> None:
    match step:
        case Typed():
            printed = walk.type(step)
            if step.picture:
                drawn = terminal.picture(printed)
                (PICTURES / f"{step.picture}.svg").write_text(drawn)
        case Until():
            walk.wait(step)
        case Shot():
            shoot(browser, read_connection(walk.state)["functions"]["base_url"], step, PICTURES)


if __name__ == "__main__":
    sys.exit(main())
