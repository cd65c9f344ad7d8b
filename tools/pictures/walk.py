"""Walking through a document: typing what it says in a folder that looks like a fresh clone."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.pictures import terminal
from tools.pictures.tutorial import TutorialError, Typed, Until
from tuneops.cli.target import NoAnswerError, Target

ROOT = Path(__file__).parents[2]
SHOWN_AS = "~/tuneops"
LONGEST_SECONDS = 400
WHO = {"NAME": "Ada", "EMAIL": "ada@contoso.example"}


class Walk:
    """A folder with a local cloud of its own, and somebody who types there.

    What differs between machines does not show: the folder is ``~/tuneops``, the clock UTC.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".localcloud"

    def begin(self) -> None:
        """Have the folder, without an earlier cloud; what was downloaded is kept."""
        if self.state.exists():
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.state.mkdir(parents=True)
        tracked = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for name in {line.split("/")[0] for line in tracked.splitlines()}:
            (self.folder / name).symlink_to(ROOT / name)
        cache = ROOT / ".localcloud" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        (self.state / "cache").symlink_to(cache)

    def end(self) -> None:
        """Stop the cloud."""
        line = [sys.executable, "-m", "localcloud", "down", "--state", str(self.state)]
        subprocess.run(line, cwd=ROOT, check=False)

    def type(self, step: Typed) -> list[tuple[str, str]]:
        """Type the lines; gives each with what it has printed.

        Raises:
            TutorialError: one does not exit as the document says.
        """
        exits = [0] * (len(step.lines) - 1) + [step.exits]
        return [(line, self.run(line, code)) for line, code in zip(step.lines, exits, strict=True)]

    def run(self, line: str, *exits: int) -> str:
        """What a line prints.

        Raises:
            TutorialError: it exits with something else.
        """
        output, code = terminal.run(line, self.folder, _environment())
        if code not in exits:
            raise TutorialError(f"{line}\n{output}\nexits with {code}, not with {exits}")
        return output.replace(str(self.folder), SHOWN_AS).replace(str(ROOT), SHOWN_AS)

    def wait(self, wanted: Until) -> None:
        """Look until the project is there.

        Raises:
            TutorialError: it does not come there.
        """
        target = Target.find("", "", self.state)
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
