"""Traffic that moves step by step: what fails at a step is taken back, and nobody else suffers."""

from contextlib import ExitStack
from typing import Any

import pytest

from tests.cloud import Cloud, config, some_rows
from tests.faults import Faults
from tests.inventory import check_inventory
from tests.load import Load
from tuneops.status import ProjectStatus, ReleaseStatus

pytestmark = [pytest.mark.slow, pytest.mark.soak]

QUICK: dict[str, Any] = {
    "pause_minutes": 0.05,
    "keep_previous": 0,
    "analysis": {"min_requests": 5, "max_latency_increase_percent": None},
}
ROLLOUTS: dict[str, dict[str, Any]] = {
    "well": {"strategy": "shadow", "mirror_percent": 50, **QUICK},
    "badly": {"strategy": "canary", "steps": [20], **QUICK},
}


def steps(seen: ProjectStatus) -> bool:
    """Whether the second release is at a step whose traffic is in place."""
    release = seen.release
    rollout = release.rollout if release and release.number == 2 else None
    return rollout is not None and rollout.since is not None


def newest(seen: ProjectStatus | None) -> ReleaseStatus:
    assert seen is not None
    assert seen.release is not None
    return seen.release


def test_a_good_release_passes_its_steps_and_a_bad_one_is_taken_back(cloud: Cloud) -> None:
    cloud.merge({f"{name}.yaml": config(name) for name in ROLLOUTS})
    for name in ROLLOUTS:
        cloud.upload(f"{name}/chats.jsonl", some_rows())
    before = {name: newest(cloud.until_phase(name, 1, "Live")) for name in ROLLOUTS}
    faults = Faults(cloud.connection)
    with ExitStack() as stack:
        loads = {
            name: stack.enter_context(Load(cloud, release.endpoint))
            for name, release in before.items()
        }
        stack.callback(faults.close)
        twice = {"instance_count": 2}
        cloud.merge(
            {
                f"{name}.yaml": config(name, deployment=twice, rollout=rollout)
                for name, rollout in ROLLOUTS.items()
            }
        )

        seen = cloud.until("badly", steps)
        bad, old = newest(seen), str(before["badly"].deployment)
        assert seen.reason.startswith("20% of the traffic for 0 min")
        assert cloud.traffic(bad.endpoint) == {old: 80, bad.deployment: 20}
        faults.ask("scoring", "fail", f"{bad.endpoint}/{bad.deployment}", status=503, times=10_000)
        cloud.until("well", steps)
        mirrored = cloud.ml.online_endpoints.get(before["well"].endpoint).mirror_traffic

        failed = newest(cloud.until("badly", lambda seen: seen.phase == "Failed"))
        assert failed.reason.startswith("rollout: at 20% of the traffic: ")
        assert " with 503), above 1%" in failed.reason
        assert failed.reason.endswith(f"; all traffic is back on {old}")
        cloud.until("badly", lambda _: cloud.traffic(bad.endpoint) == {old: 100})
        good = newest(cloud.until_phase("well", 2, "Live"))

    assert mirrored == {good.deployment: 50}
    told = [entry.reason for entry in good.history if entry.phase == "Shifting"]
    assert told[1].startswith(f"50% of the requests mirrored to {good.deployment}")
    assert good.rollout is not None
    (judged,) = good.rollout.done
    assert judged.analysis.verdict == "pass"
    assert judged.candidate.requests >= 5
    cloud.until("well", lambda _: cloud.traffic(good.endpoint) == {good.deployment: 100})
    endpoint = cloud.ml.online_endpoints.get(good.endpoint)
    assert not any((endpoint.mirror_traffic or {}).values())
    assert set(loads["badly"].statuses) == {200, 503}
    assert set(loads["well"].statuses) == {200}
    for name, end in (("well", "is live"), ("badly", "failed")):
        titles = cloud.messages(name)
        began = titles.index(f"{name}: release 2 gets its first traffic")
        assert began < titles.index(f"{name}: release 2 {end}")

    cloud.resync()
    assert newest(cloud.status("badly")).number == 2
    check_inventory(cloud, *ROLLOUTS)
