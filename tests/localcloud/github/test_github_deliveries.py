"""Deliveries of webhooks: kept, sent once more, asked for."""

import pytest
from functions_host import wait_for
from github_server import REPOSITORY, Clone, GitHub


class TestDeliveries:
    def test_failure_is_kept_not_repeated_and_can_be_redelivered(
        self, github: GitHub, clone: Clone
    ) -> None:
        github.receiver.status = 503
        clone.commit("new", a="1")
        clone.run("push", "--quiet", "origin", "main")
        github.pushes(1)
        hook = github.get("/hooks")[0]
        path = f"/hooks/{hook['id']}/deliveries"
        (failed,) = wait_for(lambda: [d for d in github.get(path) if d["event"] == "push"])
        assert (failed["status_code"], failed["status"]) == (503, "Service Unavailable")
        github.receiver.status = 200
        github.send("post", f"{path}/{failed['id']}/attempts")
        first, second = github.pushes(2)
        assert first == second
        again = wait_for(lambda: [d for d in github.get(path) if d["redelivery"]])[0]
        assert (again["guid"], again["status"]) == (failed["guid"], "OK")
        detail = github.get(f"{path}/{again['id']}")
        assert detail["request"]["payload"]["after"] == first["after"]
        assert detail["request"]["headers"]["X-Hub-Signature-256"].startswith("sha256=")
        assert detail["response"]["payload"] == "thanks"

    def test_ping(self, github: GitHub) -> None:
        github.send("post", "/hooks/1/pings")
        wait_for(lambda: len(github.receiver.events("ping")) == 2)

    @pytest.mark.parametrize("path", ["/hooks/2", "/hooks/x", "/hooks/1/deliveries/99"])
    def test_unknown(self, github: GitHub, path: str) -> None:
        assert github.raw("GET", REPOSITORY + path).status_code == 404
