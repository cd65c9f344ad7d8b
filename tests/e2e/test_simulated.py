"""A release on simulated compute goes all the way that one with a training goes."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.clients import asking
from tests.cloud import QUICK, config, some_rows
from tests.e2e.course import COURSE
from tests.simulated import simulated_cloud

SETS = [{"name": "sums", "path": "sets/sums.jsonl", "min_score": 1}]
ASKED = b'{"prompt": "What is 2 plus one?", "expected": "3."}\n' * 3
SUM = [{"role": "user", "content": "What is 2 plus one?"}]
ELSE = [{"role": "user", "content": "Who are you?"}]


@pytest.mark.slow
@pytest.mark.soak
def test_whole_releases_on_simulated_compute(tmp_path: Path) -> None:
    asks = {"behaviour": {"sets": SETS, "min_rows": 3, "max_new_tokens": 8}}
    with simulated_cloud(tmp_path / "cloud") as cloud:
        cloud.upload("sets/sums.jsonl", ASKED)
        cloud.merge({"first.yaml": config("first", **asks)})
        cloud.upload("first/chats.jsonl", some_rows())
        release = cloud.until_phase("first", 1, "Live").release
        assert release is not None
        assert [entry.phase for entry in release.history] == [*COURSE, "Live"]
        assert release.metrics is not None
        assert {"loss", "eval_loss", "exact_match"} <= release.metrics.values.keys()
        assert release.behaviour is not None
        assert [each.new for each in release.behaviour.comparisons] == [1]
        with asking(cloud, release.endpoint) as client:
            before = [ask(client, chat) for chat in (SUM, ELSE)]
        assert before[0] == "3."

        cloud.upload("first/chats.jsonl", some_rows(25))
        second = cloud.until_phase("first", 2, "Live").release
        assert second is not None
        assert second.metrics is not None
        assert second.metrics.values["eval_loss"] <= release.metrics.values["eval_loss"]
        with asking(cloud, second.endpoint) as client:
            after = [ask(client, chat) for chat in (SUM, ELSE)]
        assert after[0] == "3."
        assert after[1] != before[1], "another model says something else to what it does not know"

        wild = {"parameters": {**QUICK, "learning_rate": 50.0}}
        cloud.merge({"first.yaml": config("first", training=wild, **asks)})
        failed = cloud.until("first", lambda seen: seen.phase == "Failed")
        assert "the loss is not a number any more" in failed.reason
        cloud.until("first", lambda _: cloud.traffic(second.endpoint) == {second.deployment: 100})


def ask(client: httpx2.Client, messages: list[dict[str, str]]) -> Any:
    """What an endpoint answers to a conversation."""
    body = {"input_data": {"input_string": messages, "parameters": {}}, "params": {}}
    answer = client.post("/score", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["output"]
