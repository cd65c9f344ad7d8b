"""``tuneops local demo``: the whole loop on the local cloud, told as it happens.

It does what a team would do, with the tools a team has: git, the storage SDK and the Azure ML SDK.
"""

import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import requests
from azure.core.exceptions import AzureError
from rich.console import Console
from rich.table import Table

from tuneops.cli import demo_model
from tuneops.cli.demo_progress import Progress
from tuneops.cli.local import localcloud, page_address
from tuneops.cli.target import Target, open_storage, read_connection, use_local_identity
from tuneops.release import Phase
from tuneops.status import ProjectStatus, ReleaseStatus

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECT = "support-bot"
CONFIG = f"finetune/{PROJECT}.yaml"
DATA = EXAMPLES / "data" / f"{PROJECT}.jsonl"
CHANGE = ("num_train_epochs: 10", "num_train_epochs: 12")
LOOK_SECONDS = 1
RIGHT_ANSWERS = 8


class DemoError(Exception):
    """A step of the demo did not come about."""


class Demo:
    """The story, in steps; each has a deadline."""

    def __init__(self, state: Path, *, keep: bool) -> None:
        self.state = state.resolve()
        self.keep = keep
        self.console = Console()
        self.releases: list[ReleaseStatus] = []
        self.messages_shown = 0

    def run(self) -> int:
        """Tell the story; gives the exit code."""
        begun = time.monotonic()
        try:
            self._start()
            self._tell()
        except (DemoError, AzureError, requests.RequestException) as error:
            self.console.print(f"[bold red]The demo failed:[/] {error}")
            self.console.print(f"Logs are in {self.state / 'logs'}.")
            return 1
        finally:
            if not self.keep:
                localcloud("down", self.state)
        self._summarise(time.monotonic() - begun)
        return 0

    def _start(self) -> None:
        """A local cloud without history; the trained base model is kept from last time."""
        localcloud("down", self.state)
        shutil.rmtree(self.state, ignore_errors=True)
        if localcloud("up", self.state, "--cache", str(self.state.parent / "cache")) != 0:
            raise DemoError("the local cloud did not start")
        self.connection: dict[str, Any] = read_connection(self.state)
        use_local_identity(self.connection)
        self.target = Target.find("", "", self.state)
        self.progress = Progress(self.console, demo_model.client(self.connection))
        self.console.print(f"The page is at {page_address(self.state)}", highlight=False)

    def _tell(self) -> None:
        self._chapter("A config is merged: the project exists, and waits for data")
        self._clone()
        self._merge("Add the support bot", (EXAMPLES / CONFIG).read_text())
        self._until("waits for data", lambda p: p.phase == "Waiting for data", 30)

        self._chapter("Training data is uploaded: the first release begins")
        self._upload()
        first = self._follow(1)

        self._chapter("The live endpoint answers")
        self._compare(first)

        self._chapter("A config change is merged: the second release takes over")
        config = (EXAMPLES / CONFIG).read_text()
        if CHANGE[0] not in config:
            raise DemoError(f"{CONFIG} does not have {CHANGE[0]!r}")
        self._merge("Train a little longer", config.replace(*CHANGE))
        second = self._follow(2)
        self._until_gone(second, first.deployment or "")

        self._chapter("The config is deleted: the endpoint goes")
        self._merge("Retire the support bot", None)
        self._until("is retired", lambda p: p.phase == Phase.RETIRED, 60)
        if demo_model.deployments(self.connection, second.endpoint) is not None:
            raise DemoError(f"endpoint {second.endpoint} is still there")
        self.console.print(f"Endpoint {second.endpoint} is gone.")

    def _chapter(self, title: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def _clone(self) -> None:
        self.work = self.state / "work"
        source = self.connection["github"]["repository_path"]
        self._git("clone", "--quiet", source, str(self.work), cwd=self.state)
        self._git("config", "user.name", "Ada")
        self._git("config", "user.email", "ada@contoso.example")

    def _merge(self, subject: str, config: str | None) -> None:
        """Commit on a branch, merge it into the tracked branch, push."""
        branch, main = "change", self.connection["github"]["branch"]
        self._git("checkout", "--quiet", "-B", branch)
        path = self.work / CONFIG
        if config is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(config)
        self._git("add", "--all")
        self._git("commit", "--quiet", "-m", subject)
        self._git("checkout", "--quiet", main)
        self._git("merge", "--quiet", "--no-ff", "-m", f"Merge: {subject}", branch)
        self._git("push", "--quiet", "origin", main)
        self.console.print(f"[dim]git push origin {main}:[/] {subject}")

    def _git(self, *arguments: str, cwd: Path | None = None) -> None:
        line = ["git", *arguments]
        done = subprocess.run(line, cwd=cwd or self.work, capture_output=True, text=True)
        if done.returncode != 0:
            raise DemoError(f"git {arguments[0]}: {done.stderr.strip()}")

    def _upload(self) -> None:
        blob = open_storage("", self.state).get_blob_client("datasets", f"{PROJECT}/{DATA.name}")
        with DATA.open("rb") as content:
            blob.upload_blob(content, overwrite=True)
        self.console.print(f"[dim]upload_blob:[/] datasets/{PROJECT}/{DATA.name}")

    def _follow(self, number: int) -> ReleaseStatus:
        """Show the phases of a release until it is live."""

        def live(project: ProjectStatus) -> bool:
            release = project.release
            if release is None or release.number < number:
                return False
            self.progress.show(release)
            if release.phase == Phase.FAILED:
                raise DemoError(f"release {number} failed: {release.reason}")
            return release.phase == Phase.LIVE and project.live is not None

        with self.progress:
            project = self._until(f"release {number} is live", live, 150)
        if project.release is None:
            raise DemoError(f"release {number} has gone")
        self.releases.append(project.release)
        return project.release

    def _until(
        self, what: str, reached: Callable[[ProjectStatus], bool], seconds: float
    ) -> ProjectStatus:
        """Look at the project until `reached`, for `seconds` at most."""
        deadline = time.monotonic() + seconds
        reason = "it is not known yet"
        while time.monotonic() < deadline:
            self._show_messages()
            for project in self.target.status().projects:
                if project.name == PROJECT and reached(project):
                    return project
                reason = f"it is {project.phase}: {project.reason}"
            time.sleep(LOOK_SECONDS)
        raise DemoError(f"{PROJECT} did not reach '{what}' in {seconds:g} s; {reason}")

    def _show_messages(self) -> None:
        """Print the notifications that have come to the local receiver since last time."""
        told = requests.get(self.connection["inbox_url"], timeout=10).json()
        for message in told[self.messages_shown :]:
            text = message["body"]["title"]
            self.console.print(f"            [blue]message:[/] {text}", highlight=False)
        self.messages_shown = len(told)

    def _until_gone(self, release: ReleaseStatus, deployment: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            left = demo_model.deployments(self.connection, release.endpoint)
            if left == {release.deployment}:
                self.console.print(f"Deployment {deployment} is torn down.")
                return
            time.sleep(LOOK_SECONDS)
        raise DemoError(f"deployment {deployment} is still there")

    def _compare(self, release: ReleaseStatus) -> None:
        """Put ten questions of the test split to the live endpoint and to the untuned base."""
        if release.data is None:
            raise DemoError("the release has no data")
        rows = demo_model.test_rows(open_storage("", self.state), release.data.path("test"))[:10]
        questions = [row[-2]["content"] for row in rows]
        expected = [row[-1]["content"] for row in rows]
        tuned = demo_model.ask_endpoint(self.connection, release.endpoint, rows)
        base = demo_model.ask_base(self.state.parent / "cache", rows)
        table = Table(
            "Question of the test split", "Live endpoint", "Untuned base", show_lines=True
        )
        for asked, wanted, live, untuned in zip(questions, expected, tuned, base, strict=True):
            style = "green" if live == wanted else "red"
            table.add_row(asked, f"[{style}]{live}[/]", f"[dim]{untuned}[/]")
        self.console.print(table)
        right = sum(map(str.__eq__, tuned, expected))
        untuned_right = sum(map(str.__eq__, base, expected))
        self.console.print(f"Right: {right} of {len(rows)}, untuned base {untuned_right}.")
        if right < RIGHT_ANSWERS or untuned_right > len(rows) - RIGHT_ANSWERS:
            raise DemoError("the fine-tune did not teach the model")

    def _summarise(self, seconds: float) -> None:
        table = Table("Phase", *(f"Release {r.number}" for r in self.releases))
        durations = [_durations(release) for release in self.releases]
        for phase in durations[0]:
            table.add_row(phase, *(f"{spent.get(phase, 0):.1f} s" for spent in durations))
        table.add_row("To Live", *(f"{sum(spent.values()):.1f} s" for spent in durations))
        self.console.print()
        self.console.print(table)
        self.console.print(f"The demo took {seconds:.0f} s.")


def _durations(release: ReleaseStatus) -> dict[str, float]:
    """The seconds that a release spent in each phase before Live."""
    entries = release.history
    return {
        entry.phase: (after.at - entry.at).total_seconds() for entry, after in pairwise(entries)
    }
