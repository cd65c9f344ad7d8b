"""What pushes send, by the real git, and who may push."""

from pathlib import Path
from typing import Any

import gidgethub
import pytest
from functions_host import wait_for
from gidgethub.httpx import GitHubAPI
from github_server import NO_COMMIT, REPOSITORY, Clone, GitHub, Receiver, running_github, serving

from localcloud.connection import Connection


class TestPushes:
    def test_push_sends_what_github_sends(self, github: GitHub, clone: Clone) -> None:
        before = clone.run("rev-parse", "HEAD")
        first = clone.commit("one", finetune__a="1", b="1")
        second = clone.commit("two\n\nwith a body", finetune__a="2", b=None)
        clone.run("push", "--quiet", "origin", "main")
        (push,) = github.pushes(1)
        assert (push["ref"], push["before"], push["after"]) == ("refs/heads/main", before, second)
        assert (push["created"], push["deleted"], push["forced"]) == (False, False, False)
        assert push["repository"]["full_name"] == "contoso/models"
        assert push["repository"]["default_branch"] == "main"
        assert push["pusher"] == {"name": "ada", "email": "ada@contoso.com"}
        assert [commit["id"] for commit in push["commits"]] == [first, second]
        assert push["commits"][0]["added"] == ["b", "finetune/a"]
        assert push["head_commit"]["message"] == "two\n\nwith a body"
        assert push["head_commit"]["modified"] == ["finetune/a"]
        assert push["head_commit"]["removed"] == ["b"]
        headers, _ = github.receiver.deliveries[-1]
        assert headers["user-agent"].startswith("GitHub-Hookshot/")
        assert headers["content-type"] == "application/json"

    def test_first_start_pings_and_pushes_nothing(self, github: GitHub) -> None:
        wait_for(lambda: github.receiver.events("ping"))
        (ping,) = github.receiver.events("ping")
        assert ping["repository"]["full_name"] == "contoso/models"
        assert github.receiver.events("push") == []

    def test_branches_and_tags_come_and_go(self, github: GitHub, clone: Clone) -> None:
        clone.run("checkout", "--quiet", "-b", "feature/x")
        new = clone.commit("new", a="1")
        clone.run("push", "--quiet", "origin", "feature/x")
        clone.run("tag", "-a", "v1", "-m", "first")
        clone.run("push", "--quiet", "origin", "v1")
        clone.run("push", "--quiet", "origin", ":feature/x")
        created, tag, deleted = github.pushes(3)
        assert (created["created"], created["before"]) == (True, NO_COMMIT)
        assert [commit["id"] for commit in created["commits"]] == [new]
        assert (tag["ref"], tag["head_commit"]["id"]) == ("refs/tags/v1", new)
        assert (deleted["deleted"], deleted["after"]) == (True, NO_COMMIT)
        assert (deleted["head_commit"], deleted["commits"]) == (None, [])

    def test_forced_push(self, github: GitHub, clone: Clone) -> None:
        clone.commit("one", a="1")
        clone.run("push", "--quiet", "origin", "main")
        clone.run("commit", "--quiet", "--amend", "-m", "other")
        clone.run("push", "--quiet", "--force", "origin", "main")
        assert [push["forced"] for push in github.pushes(2)] == [False, True]

    def test_activity_says_who_moved_a_branch(self, github: GitHub, clone: Clone) -> None:
        """By git over files that is the committer; through the API it is who has signed in."""
        start = clone.run("rev-parse", "HEAD")
        first = clone.commit("one", a="1")
        clone.run("push", "--quiet", "origin", "main")
        clone.run("commit", "--quiet", "--amend", "-m", "other")
        clone.run("push", "--quiet", "--force", "origin", "main")
        second = clone.run("rev-parse", "HEAD")
        clone.run("checkout", "--quiet", "-b", "x")
        clone.commit("new", b="1")
        clone.run("push", "--quiet", "origin", "x")
        pull = github.send("post", "/pulls", title="x", head="x", base="main")["number"]
        token = github.raw("POST", "/_user_tokens", json={"login": "bob"}).json()["token"]
        merge = f"{REPOSITORY}/pulls/{pull}/merge"
        merged = github.call(lambda api: api.put(merge, data={}), token)["sha"]
        clone.run("push", "--quiet", "origin", ":x")

        async def listed(api: GitHubAPI, query: str) -> list[Any]:
            found = api.getiter(f"{REPOSITORY}/activity?{query}")
            return [(a["activity_type"], a["actor"]["login"], a["after"]) async for a in found]

        main = [
            ("pr_merge", "bob", merged),
            ("force_push", "ada", second),
            ("push", "ada", first),
        ]
        assert github.call(lambda api: listed(api, "ref=refs/heads/main&per_page=1")) == main
        assert github.call(lambda api: listed(api, "ref=main&direction=asc")) == main[::-1]
        assert github.call(lambda api: listed(api, "actor=bob")) == main[:1]
        kinds = github.call(lambda api: listed(api, "ref=x"))
        assert [kind for kind, _, _ in kinds] == ["branch_deletion", "branch_creation"]
        assert github.get("/activity?ref=main")[-1]["before"] == start
        hooks = f"{REPOSITORY}/hooks"
        with pytest.raises(gidgethub.BadRequest, match="not accessible"):
            github.call(lambda api: api.getitem(hooks), token)

    def test_who_may_write_is_told_and_held(self, github: GitHub, clone: Clone) -> None:
        clone.run("checkout", "--quiet", "-b", "x")
        clone.commit("new", b="1")
        clone.run("push", "--quiet", "origin", "x")
        body = {"login": "eve", "permission": "read"}
        token = github.raw("POST", "/_user_tokens", json=body).json()["token"]
        github.raw("POST", "/_user_tokens", json={"login": "bob"})

        def permission(login: str) -> str:
            return str(github.get(f"/collaborators/{login}/permission")["permission"])

        owner = REPOSITORY.split("/")[-2]
        assert [permission(who) for who in (owner, "bob", "eve")] == ["admin", "write", "read"]
        with pytest.raises(gidgethub.BadRequest, match="Not Found"):
            permission("mallory")
        pulls = f"{REPOSITORY}/pulls"
        new = {"title": "x", "head": "x", "base": "main"}
        number = github.call(lambda api: api.post(pulls, data=new), token)["number"]
        with pytest.raises(gidgethub.BadRequest, match="Must have push access"):
            github.call(lambda api: api.put(f"{pulls}/{number}/merge", data={}), token)

    def test_merged_commits_are_not_distinct_twice(self, github: GitHub, clone: Clone) -> None:
        clone.run("checkout", "--quiet", "-b", "x")
        new = clone.commit("new", a="1")
        clone.run("push", "--quiet", "origin", "x")
        clone.run("push", "--quiet", "origin", "x:main")
        push = github.pushes(2)[1]
        assert [(c["id"], c["distinct"]) for c in push["commits"]] == [(new, False)]

    def test_push_while_the_platform_is_down_is_found_at_its_start(
        self, connection: Connection, tmp_path: Path
    ) -> None:
        receiver = Receiver(connection.github.webhook_secret)
        with serving(receiver.app(), connection.ports.functions):
            with running_github(connection, receiver):
                wait_for(lambda: receiver.events("ping"))
            clone = Clone(connection, tmp_path / "clone")
            new = clone.commit("new", a="1")
            clone.run("push", "--quiet", "origin", "main")
            with running_github(connection, receiver) as github:
                assert [push["after"] for push in github.pushes(1)] == [new]
            with running_github(connection, receiver) as github:
                github.raw("POST", "/_refresh").raise_for_status()
            assert len(receiver.events("push")) == len(receiver.events("ping")) == 1

    def test_first_delivery_waits_for_its_target(self, connection: Connection) -> None:
        receiver = Receiver(connection.github.webhook_secret)
        with running_github(connection, receiver):
            with pytest.raises(AssertionError):
                wait_for(lambda: receiver.deliveries, 1)
            with serving(receiver.app(), connection.ports.functions):
                wait_for(lambda: receiver.events("ping"))
