"""Releases, good and bad, while clients ask the endpoint: no request fails through our doing."""

from typing import Any

import pytest

from tests.clients import Clients
from tests.cloud import Cloud, config, some_rows
from tests.faults import Faults
from tuneops.status import ProjectStatus, ReleaseStatus

pytestmark = pytest.mark.slow

NAME = "busy"
RATE = 50
PROVISIONING_SECONDS = 3
"""Long enough to ask for faults of a deployment before anybody asks the deployment."""
SLOW_SECONDS = 10
"""More than ten times what an answer takes even on a busy machine."""
ROLLOUT: dict[str, Any] = {
    "strategy": "canary",
    "steps": [10, 50],
    "pause_minutes": 0.05,
    "analysis": {"max_latency_increase_percent": 400},
}
SMOKE = {
    "max_new_tokens": 16,
    "do_sample": False,
    "attempts": 1,
    "expect": {"does_not_contain": ["I am a teapot"]},
}
NEVER_READY = {
    "environment_variables": {"LOADS": "anew, for seconds"},
    "readiness_probe": {"initial_delay": 1, "period": 1, "failure_threshold": 1},
}
CRASHING = {"environment_variables": {"PYTHONHOME": "/nowhere"}}


class Team:
    """People who release the same model again and again, each time served a little differently."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._number = 0

    def releases(self, **deployment: Any) -> ReleaseStatus:
        """One more release is merged; gives it as soon as its deployment has a name."""
        self._number += 1
        requests = {
            "max_concurrent_requests_per_instance": 100,
            "max_queue_wait_ms": 1000 + self._number,
        }
        served = {"request_settings": requests, **deployment}
        wanted = config(NAME, deployment=served, rollout=ROLLOUT, smoke_test=SMOKE)
        self._cloud.merge({f"{NAME}.yaml": wanted})
        if self._number == 1:
            self._cloud.upload(f"{NAME}/chats.jsonl", some_rows())
        return self._seen(lambda release: bool(release.deployment))

    def live(self) -> ReleaseStatus:
        """The newest release, once it is live."""
        return self._seen(lambda release: release.phase == "Live")

    def failed(self) -> str:
        """Why the newest release has failed, once that is so and its deployment is gone."""
        release = self._seen(lambda release: release.phase == "Failed")
        self._cloud.until(
            NAME, lambda _: release.deployment not in (self._cloud.traffic(release.endpoint) or {})
        )
        return release.reason

    def _seen(self, there: Any) -> ReleaseStatus:
        def reached(seen: ProjectStatus) -> bool:
            release = seen.release
            return release is not None and release.number == self._number and there(release)

        found = self._cloud.until(NAME, reached, seconds=300).release
        assert found is not None
        return found


def test_no_client_suffers_from_a_release_but_from_the_faults_of_its_model(cloud: Cloud) -> None:
    team = Team(cloud)
    team.releases()
    endpoint = team.live().endpoint
    faults = Faults(cloud.connection)
    faults.ask("deployment", "slow", f"{endpoint}/*", seconds=PROVISIONING_SECONDS, times=100)
    with Clients(cloud, endpoint, RATE) as clients:
        team.releases()
        good = team.live()
        assert good.rollout is not None
        steps = [(each.share, each.analysis.verdict) for each in good.rollout.done]
        assert steps == [(10, "pass"), (50, "pass")]

        new = team.releases()
        target = f"{endpoint}/{new.deployment}"
        teapot = '{"output": "I am a teapot"}'
        faults.ask("scoring", "wrong", target, body=teapot, times=1000)
        assert team.failed().startswith("smoke test: ")

        new = team.releases()
        target = f"{endpoint}/{new.deployment}"
        faults.ask("scoring", "fail", target, status=503, every=10, times=1_000_000)
        failing = team.failed()
        assert failing.startswith("rollout: at 10% of the traffic: ")
        assert " failed" in failing
        assert f"; all traffic is back on {good.deployment}" in failing

        new = team.releases()
        target = f"{endpoint}/{new.deployment}"
        faults.ask("scoring", "slow", target, seconds=SLOW_SECONDS, times=1_000_000)
        slow = team.failed()
        assert slow.startswith("rollout: at 10% of the traffic: p90 ")

        team.releases(**NEVER_READY)
        assert "did not become ready" in team.failed()
        team.releases(**CRASHING)
        assert "crashed" in team.failed()
        struck = faults.struck_with("fail")
    faults.close()

    assert clients.seen.rate > RATE * 0.98
    assert set(clients.seen.failed()) == {"503"}
    assert clients.seen.failed()["503"] == struck
    assert cloud.traffic(endpoint) == {good.deployment: 100}
