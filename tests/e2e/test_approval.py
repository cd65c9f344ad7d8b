"""Releases that wait for a person: by a comment on the pull request, and in a terminal."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from tests.cloud import Cloud, config, some_rows
from tuneops.cli import app
from tuneops.status import ProjectStatus

pytestmark = [pytest.mark.slow, pytest.mark.soak]

ASKS = {"approval": {"before": "traffic", "timeout_minutes": 30}}


def waits(number: int) -> Callable[[ProjectStatus], bool]:
    """Whether this release waits for approval."""

    def there(seen: ProjectStatus) -> bool:
        release = seen.release
        return release is not None and release.number == number and "waits for" in seen.reason

    return there


def test_a_release_waits_for_people(cloud: Cloud) -> None:
    pull = cloud.merge_by_pull("asks", {"asks.yaml": config("asks", rollout=ASKS)})
    cloud.upload("asks/chats.jsonl", some_rows())
    waiting = cloud.until("asks", waits(1))
    assert waiting.release is not None
    assert waiting.reason.startswith("waits for approval of 100% of the traffic until ")
    assert waiting.reason.endswith(" UTC (tuneops approve asks)")
    endpoint, first = waiting.release.endpoint, str(waiting.release.deployment)
    assert cloud.traffic(endpoint) == {first: 0}

    def comments() -> list[str]:
        return [str(each["body"]) for each in cloud.github(f"issues/{pull}/comments")]

    cloud.until(
        "asks", lambda _: any("Comment `/tuneops approve asks 1 100%`" in c for c in comments())
    )
    path, order = f"issues/{pull}/comments", {"body": "/tuneops approve"}
    cloud.github(path, order, token=cloud.token_of("rob", "read"))
    cloud.until(
        "asks", lambda _: any("@rob `nothing was done: rob may not" in c for c in comments())
    )
    assert cloud.traffic(endpoint) == {first: 0}
    cloud.github(path, order, token=cloud.token_of("ada"))
    live = cloud.until_phase("asks", 1, "Live")
    assert live.release is not None
    told = [entry.reason for entry in live.release.history if entry.phase == "Shifting"]
    assert told[-1].startswith("100% of the traffic was approved by ada on ")
    assert cloud.traffic(endpoint) == {first: 100}

    twice = config("asks", rollout=ASKS, deployment={"instance_count": 2})
    cloud.merge({"asks.yaml": twice})
    second = cloud.until("asks", waits(2)).release
    assert second is not None
    assert cloud.traffic(endpoint) == {first: 100, second.deployment: 0}
    rejects = ["approve", "asks", "--reject", "--reason", "too dear", f"--state={cloud.state}"]
    done = CliRunner().invoke(app, rejects)
    assert (done.exit_code, "is rejected by " in done.output) == (0, True), done.output
    failed = cloud.until("asks", lambda seen: seen.phase == "Failed")
    assert failed.release is not None
    reason = failed.release.reason
    assert reason.startswith("rollout: 100% of the traffic was rejected by ")
    assert reason.endswith(f" UTC: too dear; all traffic stays on {first}")
    cloud.until("asks", lambda _: cloud.traffic(endpoint) == {first: 100})

    # A step that can't be judged, as nobody asks the endpoint anything, goes on by hand.
    held = {"strategy": "canary", "steps": [50], "pause_minutes": 0.05}
    held |= {"wait_for_traffic_minutes": 0}
    cloud.merge({"asks.yaml": config("asks", rollout=held, deployment={"instance_count": 3})})
    stuck = cloud.until("asks", waits(3), seconds=240)
    assert stuck.reason.startswith("50% of the traffic for ")
    assert ", held, inconclusive so far " in stuck.reason
    assert stuck.reason.endswith("approval of 100% of the traffic (tuneops approve asks)")
    done = CliRunner().invoke(app, ["approve", "asks", "--share=100", f"--state={cloud.state}"])
    assert done.exit_code == 0, done.output
    cloud.until_phase("asks", 3, "Live")

    titles = [title for title in cloud.messages("asks") if "approv" in title]
    assert titles == [
        "asks: release 1 waits for approval",
        "asks: release 1 is approved",
        "asks: release 2 waits for approval",
        "asks: release 3 is approved",
    ]
