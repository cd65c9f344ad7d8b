"""Releases, good and bad, while clients ask the endpoint: no request fails through our doing."""

import json
from typing import Any

import pytest

from tests.clients import Clients, asking
from tests.cloud import QUICK, Cloud, config, some_rows
from tests.faults import Faults
from tuneops.config import SmokeTest
from tuneops.smoke import request
from tuneops.status import ProjectStatus, ReleaseStatus

pytestmark = [pytest.mark.slow, pytest.mark.soak]

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
    "keep_previous": 0,
    "analysis": {"max_latency_increase_percent": 400},
}
BEHAVIOUR: dict[str, Any] = {
    "sets": [{"name": "as before", "path": "sets/busy.jsonl", "max_drop": 0.3}],
    "min_rows": 10,
    "max_new_tokens": 8,
}
RETRAINED = {"parameters": {**QUICK, "max_steps": 3}}
TEAPOT = json.dumps({"output": "I am a teapot"})
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

    def releases(self, training: Any = None, **deployment: Any) -> ReleaseStatus:
        """One more release is merged; gives it as soon as its deployment has a name.

        The model is the same again unless another `training` is asked for.
        """
        self._number += 1
        requests = {
            "max_concurrent_requests_per_instance": 100,
            "max_queue_wait_ms": 1000 + self._number,
            "request_timeout_ms": 30_000,
        }
        served = {"request_settings": requests, **deployment}
        wanted = config(NAME, deployment=served, rollout=ROLLOUT)
        if self._number > 1:
            wanted["behaviour"] = BEHAVIOUR
        if training:
            wanted["training"] = training
        self._cloud.merge({f"{NAME}.yaml": wanted})
        if self._number == 1:
            self._cloud.upload(f"{NAME}/chats.jsonl", some_rows())
        return self._seen(lambda release: bool(release.deployment))

    def live(self) -> ReleaseStatus:
        """The newest release, once it is live."""
        return self._seen(lambda release: release.phase == "Live")

    def failed(self) -> ReleaseStatus:
        """The newest release, once it has failed and its deployment is gone."""
        release = self._seen(lambda release: release.phase == "Failed")
        self._cloud.until(
            NAME, lambda _: release.deployment not in (self._cloud.traffic(release.endpoint) or {})
        )
        return release

    def _seen(self, there: Any) -> ReleaseStatus:
        def reached(seen: ProjectStatus) -> bool:
            release = seen.release
            return release is not None and release.number == self._number and there(release)

        found = self._cloud.until(NAME, reached, seconds=300).release
        assert found is not None
        return found


def answers_now(cloud: Cloud, endpoint: str) -> bytes:
    """An evaluation set that holds the live deployment to what it answers now."""
    settings = SmokeTest(
        do_sample=False, temperature=1, top_p=1, max_new_tokens=BEHAVIOUR["max_new_tokens"]
    )
    rows = []
    with asking(cloud, endpoint) as client:
        for question, _ in some_rows(BEHAVIOUR["min_rows"]):
            body = request([{"role": "user", "content": question}], settings)
            answer = client.post("/score", json=body).json()["output"]
            rows.append(json.dumps({"prompt": question, "expected": answer}))
    return "\n".join(rows).encode()


def test_no_client_suffers_from_a_release_but_from_the_faults_of_its_model(cloud: Cloud) -> None:
    team = Team(cloud)
    team.releases()
    endpoint = team.live().endpoint
    cloud.upload("sets/busy.jsonl", answers_now(cloud, endpoint))
    faults = Faults(cloud.connection)
    faults.ask("deployment", "slow", f"{endpoint}/*", seconds=PROVISIONING_SECONDS, times=100)
    with Clients(cloud, endpoint, RATE) as clients:
        team.releases()
        good = team.live()
        assert good.rollout is not None
        steps = [(each.share, each.analysis.verdict) for each in good.rollout.done]
        assert steps == [(10, "pass"), (50, "pass")]

        new = team.releases(training=RETRAINED)
        target = f"{endpoint}/{new.deployment}"
        faults.ask("scoring", "wrong", target, body=TEAPOT, times=1000)
        assert "as before: exact match 0 (live 1), fail" in team.failed().reason

        new = team.releases()
        target = f"{endpoint}/{new.deployment}"
        faults.ask("scoring", "fail", target, status=503, every=10, times=1_000_000)
        failing = team.failed().reason
        assert failing.startswith("rollout: at 10% of the traffic: ")
        assert " failed" in failing
        assert f"; all traffic is back on {good.deployment}" in failing

        new = team.releases()
        target = f"{endpoint}/{new.deployment}"
        faults.ask("scoring", "slow", target, seconds=SLOW_SECONDS, times=1_000_000)
        slow = team.failed()
        assert slow.reason.startswith("rollout: at 10% of the traffic: p90 "), slow.rollout

        team.releases(**NEVER_READY)
        assert "did not become ready" in team.failed().reason
        team.releases(**CRASHING)
        assert "crashed" in team.failed().reason
        struck = faults.struck_with("fail")
    faults.close()

    assert clients.seen.rate > RATE * 0.98
    assert set(clients.seen.failed()) == {"503"}
    assert clients.seen.failed()["503"] == struck
    assert cloud.traffic(endpoint) == {good.deployment: 100}
