"""Pull requests: opened, followed, commented on, merged."""

import json
from typing import Any

import pytest
from functions_host import wait_for
from github_server import NO_COMMIT, REPOSITORY, Clone, GitHub


class TestPulls:
    def open(self, github: GitHub, clone: Clone, branch: str, **files: str) -> dict[str, Any]:
        """Push a branch off main and open a pull request for it."""
        clone.run("checkout", "--quiet", "-b", branch, "origin/main")
        clone.commit(branch, **files)
        clone.run("push", "--quiet", "origin", branch)
        pull: dict[str, Any] = github.send("post", "/pulls", title=branch, head=branch, base="main")
        return pull

    def actions(self, github: GitHub, count: int) -> list[str]:
        """The actions of the pull_request events, once there are so many."""
        wait_for(lambda: len(github.receiver.events("pull_request")) >= count)
        return [event["action"] for event in github.receiver.events("pull_request")]

    @pytest.mark.parametrize(("method", "parents"), [("merge", 2), ("squash", 1)])
    def test_merge(self, github: GitHub, clone: Clone, method: str, parents: int) -> None:
        pull = self.open(github, clone, "x", a="1")
        assert [p["number"] for p in github.get("/pulls?head=contoso:x")] == [1]
        assert github.get("/pulls/1")["mergeable"] is True
        assert [f["filename"] for f in github.get("/pulls/1/files")] == ["a"]
        merged = github.send("put", "/pulls/1/merge", sha=pull["head"]["sha"], merge_method=method)
        assert len(github.get(f"/commits/{merged['sha']}")["parents"]) == parents
        assert github.pushes(2)[1]["after"] == merged["sha"]
        assert self.actions(github, 2) == ["opened", "closed"]
        closed = github.receiver.events("pull_request")[1]["pull_request"]
        assert (closed["merged"], closed["merge_commit_sha"]) == (True, merged["sha"])
        assert (github.get("/pulls"), len(github.get("/pulls?state=closed"))) == ([], 1)
        assert github.raw("GET", f"{REPOSITORY}/pulls/1/merge").status_code == 204

    @pytest.mark.parametrize("method", ["merge", "squash"])
    def test_the_pulls_of_a_commit(self, github: GitHub, clone: Clone, method: str) -> None:
        def pulls(sha: str) -> list[int]:
            return [pull["number"] for pull in github.get(f"/commits/{sha}/pulls")]

        first = self.open(github, clone, "x", a="1")
        second = self.open(github, clone, "y", b="1")
        base, own = first["base"]["sha"], first["head"]["sha"]
        assert (pulls(base), pulls(own), pulls(second["head"]["sha"])) == ([], [1], [2])
        merged = github.send("put", "/pulls/1/merge", merge_method=method)["sha"]
        assert (pulls(merged), pulls(own), pulls(base)) == ([1], [1], [])
        (pull,) = github.get(f"/commits/{merged}/pulls")
        assert (pull["merge_commit_sha"], pull["base"]["ref"]) == (merged, "main")
        github.send("patch", "/pulls/2", state="closed")
        assert pulls(second["head"]["sha"]) == []
        answer = github.raw("GET", f"{REPOSITORY}/commits/{NO_COMMIT}/pulls")
        assert answer.status_code == 422

    def test_comments_send_their_events(self, github: GitHub, clone: Clone) -> None:
        self.open(github, clone, "x", a="1")
        made = github.send("post", "/issues/1/comments", body="one")
        github.send("patch", f"/issues/comments/{made['id']}", body="two")
        github.send("delete", f"/issues/comments/{made['id']}")
        wait_for(lambda: len(github.receiver.events("issue_comment")) == 3)
        events = github.receiver.events("issue_comment")
        assert [event["action"] for event in events] == ["created", "edited", "deleted"]
        assert [event["comment"]["body"] for event in events] == ["one", "two", "two"]
        assert events[1]["changes"] == {"body": {"from": "one"}}
        assert events[0]["issue"]["number"] == 1
        assert events[0]["issue"]["pull_request"]["url"].endswith("/pulls/1")
        assert events[0]["sender"]["login"] == "contoso"

    def test_conflict_is_not_mergeable(self, github: GitHub, clone: Clone) -> None:
        self.open(github, clone, "x", a="1")
        self.open(github, clone, "y", a="2")
        github.send("put", "/pulls/1/merge")
        assert github.get("/pulls/2")["mergeable"] is False
        assert github.raw("PUT", f"{REPOSITORY}/pulls/2/merge", json={}).status_code == 405

    def test_pushes_are_followed(self, github: GitHub, clone: Clone) -> None:
        self.open(github, clone, "x", a="1")
        second = clone.commit("more", b="1")
        clone.run("push", "--quiet", "origin", "x")
        assert github.get("/pulls/1")["head"]["sha"] == second
        clone.run("push", "--quiet", "origin", "x:main")
        assert self.actions(github, 3) == ["opened", "synchronize", "closed"]
        assert github.get("/pulls/1")["merged"] is True

    def test_refusals(self, github: GitHub, clone: Clone) -> None:
        self.open(github, clone, "x", a="1")
        for body in (
            {"title": "t", "head": "x", "base": "main"},
            {"title": "t", "head": "main", "base": "x"},
            {"title": "t", "head": "none", "base": "main"},
            {"title": "t", "base": "main"},
        ):
            answer = github.raw("POST", f"{REPOSITORY}/pulls", json=body)
            assert answer.status_code == 422, json.dumps(body)
        stale = github.raw("PUT", f"{REPOSITORY}/pulls/1/merge", json={"sha": NO_COMMIT})
        assert stale.status_code == 409

    def test_comments(self, github: GitHub, clone: Clone) -> None:
        self.open(github, clone, "x", a="1")
        made = github.send("post", "/issues/1/comments", body="one")
        github.send("patch", f"/issues/comments/{made['id']}", body="two")
        assert [comment["body"] for comment in github.get("/issues/1/comments")] == ["two"]
        github.send("delete", f"/issues/comments/{made['id']}")
        assert github.get("/issues/1/comments") == []
