"""A release whose data is prepared, for tests that go on from there."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.config_text import config_of
from tuneops.release import Desired, PreparedData, Project, Release, Source, start_release

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def release(extra: str = "") -> Release:
    """The first release of a project with `extra` YAML in its config."""
    desired = Desired(
        project="bot",
        commit="0" * 40,
        path="finetune/bot.yaml",
        config=config_of("bot", extra),
        source=Source(name="bot/a.jsonl", version="1", size=1),
    )
    data = PreparedData(
        digest="d" * 12,
        folder="bot/dddd",
        train_rows=20,
        test_rows=4,
        assets={
            "train": "azureml://datastores/workspaceblobstore/paths/train.jsonl",
            "test": "azureml://datastores/workspaceblobstore/paths/test.jsonl",
        },
    )
    return start_release(desired, Project(name="bot"), "/w", NOW).replace(data=data)


def until(reached: Callable[[], bool]) -> None:
    """Look until it is so, for 20 seconds."""
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.2)
