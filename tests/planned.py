"""A release whose data is prepared, for tests that go on from there."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.config_text import config_of
from tuneops.desired import Desired, Source
from tuneops.prepared import PreparedData
from tuneops.project import Project, start_release
from tuneops.release import Phase, Release

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def desired(extra: str = "", name: str = "bot") -> Desired:
    """What git and an upload want of a project with `extra` YAML in its config."""
    return Desired(
        project=name,
        commit="0" * 40,
        path=f"finetune/{name}.yaml",
        config=config_of(name, extra),
        source=Source(name=f"{name}/a.jsonl", version="1", size=1),
    )


def release(extra: str = "", name: str = "bot") -> Release:
    """The first release of that project."""
    data = PreparedData(
        digest="d" * 12,
        folder=f"{name}/dddd",
        train_rows=20,
        test_rows=4,
        assets={
            "train": "azureml://datastores/workspaceblobstore/paths/train.jsonl",
            "test": "azureml://datastores/workspaceblobstore/paths/test.jsonl",
        },
    )
    wanted = desired(extra, name)
    return start_release(wanted, Project(name=name), "/w", NOW).replace(data=data)


def come_to(made: Release, phase: Phase, at: datetime, reason: str = "") -> Release:
    """The release in this phase, whichever way it came there."""
    return made.replace(phase=phase).advance(phase, at, reason)


def until(reached: Callable[[], bool], seconds: float = 60) -> None:
    """Look until it is so, for a minute unless it is said otherwise: machines are slow at times."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.2)
