"""``python -m tools.pictures``: walk through docs/tutorial.md, and picture it on the way.

It types what the tutorial says in a folder that looks like a fresh clone, with a local cloud of its
own. What differs between machines does not show: the folder is ``~/tuneops``, the clock UTC.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser import chromium
from tools.pictures import terminal
from tools.pictures.page import shoot
from tools.pictures.tutorial import Shot, TutorialError, Typed, Until, steps
from tuneops.cli.target import NoAnswerError, Target, read_connection

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PICTURES = ROOT / "docs" / "pictures"
FOLDER = ROOT / ".localcloud" / "pictures"
STATE = FOLDER / ".localcloud"
SHOWN_AS = "~/tuneops"
LONGEST_SECONDS = 400
WHO = {"NAME": "Ada", "EMAIL": "ada@contoso.example"}


def main() -> int:
    """Make all pictures anew; gives the exit code."""
    _begin()
    try:
        with chromium() as browser:
            for step in steps(TUTORIAL.read_text()):
                print(f"{time.strftime('%H:%M:%S')} {step}", flush=True)
                _walk(step, browser)
    except TutorialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        _local("down")
    return 0


def _begin() -> None:
    """No earlier cloud, no earlier picture; what was downloaded is kept."""
    if STATE.exists():
        _local("down")
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    STATE.mkdir(parents=True)
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in {line.split("/")[0] for line in tracked.splitlines()}:
        (FOLDER / name).symlink_to(ROOT / name)
    cache = ROOT / ".localcloud" / "cache"
    cache.mkdir(exist_ok=True)
    (STATE / "cache").symlink_to(cache)


def _walk(step: Typed | Until | Shot, browser: Browser) -> None:
    match step:
        case Typed():
            exits = [0] * (len(step.lines) - 1) + [step.exits]
            printed = [(e[0], _type(*e)) for e in zip(step.lines, exits, strict=True)]
            if step.picture:
                drawn = terminal.picture(printed)
                (PICTURES / f"{step.picture}.svg").write_text(drawn)
        case Until():
            _wait(step)
        case Shot():
            shoot(browser, read_connection(STATE)["functions"]["base_url"], step, PICTURES)


def _type(line: str, exits: int) -> str:
    """What a line prints.

    Raises:
        TutorialError: it does not exit as the tutorial says.
    """
    output, code = terminal.run(line, FOLDER, _environment())
    if code != exits:
        raise TutorialError(f"{line}\n{output}\nexits with {code}, not with {exits}")
    return output.replace(str(FOLDER), SHOWN_AS).replace(str(ROOT), SHOWN_AS)


def _environment() -> dict[str, str]:
    """A terminal of nobody in particular."""
    kept = ("HOME", "LANG", "MLFLOW_DISABLE_TELEMETRY", "HF_HOME", "TMPDIR")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **{f"GIT_{role}_{name}": WHO[name] for role in ("AUTHOR", "COMMITTER") for name in WHO},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LOGNAME": WHO["NAME"].lower(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "xterm-256color",
        "TZ": "UTC",
    }


def _wait(wanted: Until) -> None:
    """Look until the project is there.

    Raises:
        TutorialError: it does not come there.
    """
    target = Target.find("", "", STATE)
    deadline = time.monotonic() + LONGEST_SECONDS
    seen = "not known"
    while time.monotonic() < deadline:
        try:
            project = target.project(wanted.project)
        except NoAnswerError:
            project = None
        if project:
            release = project.release
            seen = f"{project.phase}, {release and (release.number, release.phase)}"
            number, phase = (release.number, release.phase) if release else (0, project.phase)
            if (number, phase) == (wanted.release, wanted.phase):
                return
        time.sleep(1)
    raise TutorialError(f"{wanted} did not come; it is {seen}")


def _local(command: str) -> None:
    line = [sys.executable, "-m", "localcloud", command, "--state", str(STATE)]
    subprocess.run(line, cwd=ROOT, check=False)


if __name__ == "__main__":
    sys.exit(main())
