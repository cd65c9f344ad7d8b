"""Traffic that moves step by step: what fails at a step is taken back, and nobody else suffers."""

from contextlib import ExitStack
from typing import Any

import pytest

from tests.cloud import Cloud, config, some_rows
from tests.faults import Faults
from tests.load import Load
from tuneops.status import ProjectStatus, ReleaseStatus

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {
    "pause_minutes": 0.05,
    "analysis": {"min_requests": 5, "max_latency_increase_percent": None},
}
ROLLOUTS: dict[str, dict[str, Any]] = {
    "steps-well": {"strategy": "canary", "steps": [20], **QUICK},
    "steps-badly": {"strategy": "canary", "steps": [20], **QUICK},
    "shadows": {"strategy": "shadow", "mirror_percent": 50, **QUICK},
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

        seen = cloud.until("steps-badly", steps)
        bad, old = newest(seen), before["steps-badly"]
        assert seen.reason.startswith("20% of the traffic for 0 min")
        assert cloud.traffic(bad.endpoint) == {old.deployment: 80, bad.deployment: 20}
        faults.ask("scoring", "fail", f"{bad.endpoint}/{bad.deployment}", status=503, times=10_000)

        failed = newest(cloud.until("steps-badly", lambda seen: seen.phase == "Failed"))
        assert failed.reason.startswith("rollout: at 20% of the traffic: ")
        assert " with 503), above 1%" in failed.reason
        assert failed.reason.endswith(f"; all traffic is back on {old.deployment}")
        cloud.until("steps-badly", lambda _: cloud.traffic(bad.endpoint) == {old.deployment: 100})
        well = newest(cloud.until_phase("steps-well", 2, "Live"))
        shadow = newest(cloud.until_phase("shadows", 2, "Live"))

    for release, said in ((well, "20% of the traffic"), (shadow, "50% of the requests mirrored")):
        told = [entry.reason for entry in release.history if entry.phase == "Shifting"]
        assert told[1].startswith(f"{said} to {release.deployment}")
        assert release.rollout is not None
        (judged,) = release.rollout.done
        assert judged.analysis.verdict == "pass"
        assert judged.candidate.requests >= 5
        assert (cloud.traffic(release.endpoint) or {})[str(release.deployment)] == 100
    assert set(loads["steps-badly"].statuses) == {200, 503}
    assert set(loads["steps-well"].statuses) == {200}
    assert set(loads["shadows"].statuses) == {200}
    for name, end in (("steps-well", "is live"), ("steps-badly", "failed")):
        titles = cloud.messages(name)
        assert titles.index(f"{name}: release 2 gets its first traffic") < titles.index(
            f"{name}: release 2 {end}"
        )

    cloud.resync()
    assert newest(cloud.status("steps-badly")).number == 2
