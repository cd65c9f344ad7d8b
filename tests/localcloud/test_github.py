"""The GitHub API, with the real git, the real gidgethub and a real webhook receiver."""

import asyncio
import base64
import json
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import gidgethub
import httpx2
import pytest
import uvicorn
from functions_host import make_connection, wait_for
from gidgethub.httpx import GitHubAPI
from gidgethub.sansio import Event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from localcloud.connection import Connection
from localcloud.github.app import create_app
from localcloud.manifest import GitHubSection, Manifest, Webhook

REPOSITORY = "/repos/contoso/models"
NO_COMMIT = "0" * 40

T = TypeVar("T")


@contextmanager
def serving(app: Any, port: int) -> Iterator[None]:
    """An application on a port of 127.0.0.1."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        assert server.started
        yield
    finally:
        server.should_exit = True
        thread.join(15)


@dataclass
class Receiver:
    """A webhook target that keeps what it gets."""

    secret: str
    deliveries: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200

    def app(self) -> Starlette:
        """As a web application."""

        async def receive(request: Request) -> Response:
            body = await request.body()
            self.deliveries.append((dict(request.headers), body))
            return Response("thanks", self.status)

        return Starlette(routes=[Route("/api/github", receive, methods=["POST"])])

    def events(self, name: str) -> list[dict[str, Any]]:
        """The payloads of an event, their signatures checked by gidgethub."""
        events = [Event.from_http(h, b, secret=self.secret) for h, b in list(self.deliveries)]
        return [event.data for event in events if event.event == name]


@dataclass
class GitHub:
    """A running API with its receiver."""

    connection: Connection
    receiver: Receiver

    def call(self, work: Callable[[GitHubAPI], Awaitable[T]], token: str = "") -> T:
        """Use the API through gidgethub."""
        token = token or self.connection.github.token

        async def run() -> T:
            async with httpx2.AsyncClient() as client:
                url = self.connection.github.api_url
                return await work(GitHubAPI(client, "tests", oauth_token=token, base_url=url))

        return asyncio.run(run())

    def get(self, path: str) -> Any:
        """GET within the repository."""
        return self.call(lambda api: api.getitem(REPOSITORY + path))

    def send(self, method: str, path: str, **body: Any) -> Any:
        """Another method within the repository."""

        async def work(api: GitHubAPI) -> Any:
            return await getattr(api, method)(REPOSITORY + path, data=body)

        return self.call(work)

    def raw(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A plain request with the right token."""
        headers = {
            "authorization": f"Bearer {self.connection.github.token}",
            **options.pop("headers", {}),
        }
        url = self.connection.github.api_url + path
        return httpx2.request(method, url, headers=headers, **options)

    def pushes(self, count: int) -> list[dict[str, Any]]:
        """The push events, once there are so many."""
        wait_for(lambda: len(self.receiver.events("push")) >= count)
        return self.receiver.events("push")


@contextmanager
def running_github(connection: Connection, receiver: Receiver) -> Iterator[GitHub]:
    """The API mounted as the platform mounts it."""
    events = ["push", "pull_request", "issue_comment"]
    section = GitHubSection(
        repository="contoso/models", webhooks=[Webhook(path="/api/github", events=events)]
    )
    manifest = Manifest.load(connection.manifest_file).model_copy(update={"github": section})
    github = create_app(connection, manifest)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with github.router.lifespan_context(github):
            yield

    platform = Starlette(routes=[Mount("/github", github)], lifespan=lifespan)
    with serving(platform, connection.ports.platform):
        yield GitHub(connection, receiver)


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    """For an API that is not started yet."""
    return make_connection(tmp_path / "state", tmp_path)


@pytest.fixture
def github(connection: Connection) -> Iterator[GitHub]:
    """A fresh repository behind its API."""
    receiver = Receiver(connection.github.webhook_secret)
    with (
        serving(receiver.app(), connection.ports.functions),
        running_github(connection, receiver) as running,
    ):
        yield running


class Clone:
    """A working copy, used as anybody would."""

    def __init__(self, connection: Connection, directory: Path) -> None:
        self.directory = directory
        self.run(
            "clone", "--quiet", str(connection.github.repository_path), str(directory), cwd="."
        )

    def run(self, *arguments: str, cwd: str | Path | None = None) -> str:
        """A git command."""
        environment = {
            **os.environ,
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@contoso.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@contoso.com",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        ended = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout.strip()

    def commit(self, message: str, **files: str | None) -> str:
        """Write (or with None, remove) files whose names have `__` for a slash. Returns the SHA."""
        for name, text in files.items():
            path = self.directory / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.run("add", "--all")
        self.run("commit", "--quiet", "--message", message)
        return self.run("rev-parse", "HEAD")


@pytest.fixture
def clone(github: GitHub, tmp_path: Path) -> Clone:
    """A clone of the fresh repository."""
    return Clone(github.connection, tmp_path / "clone")


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


class TestManners:
    def test_wrong_token(self, github: GitHub) -> None:
        with pytest.raises(gidgethub.BadRequest, match="Bad credentials") as caught:
            github.call(lambda api: api.getitem(REPOSITORY), token="wrong")
        assert caught.value.status_code == 401
        bare = httpx2.get(f"{github.connection.github.api_url}{REPOSITORY}")
        assert (bare.status_code, bare.json()["message"]) == (401, "Requires authentication")

    def test_etag_saves_the_body_and_the_rate(self, github: GitHub) -> None:
        first = github.raw("GET", REPOSITORY)
        tag = {"if-none-match": first.headers["etag"]}
        second = github.raw("GET", REPOSITORY, headers=tag)
        assert (second.status_code, second.content) == (304, b"")
        remaining = [int(r.headers["x-ratelimit-remaining"]) for r in (first, second)]
        assert remaining[0] == remaining[1]
        url = f"{github.connection.github.api_url}/_requests"
        owner = {"authorization": f"Bearer {github.connection.github.token}"}
        counts = httpx2.get(url, headers=owner).json()
        assert counts[f"GET {REPOSITORY} 304"] == 1
        assert counts[f"GET {REPOSITORY} 200"] >= 1

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/nothing"),
            ("GET", "/repos/other/models"),
            ("PATCH", REPOSITORY),
            ("GET", f"{REPOSITORY}/branches/none"),
            ("GET", f"{REPOSITORY}/branches/--help"),
            ("GET", f"{REPOSITORY}/branches/a..b"),
            ("GET", f"{REPOSITORY}/commits/--all"),
            ("GET", f"{REPOSITORY}/git/blobs/--help"),
            ("GET", f"{REPOSITORY}/git/blobs/{NO_COMMIT}"),
            ("GET", f"{REPOSITORY}/git/trees/main:x"),
            ("GET", f"{REPOSITORY}/contents/..%2f..%2fetc"),
            ("GET", f"{REPOSITORY}/contents/none"),
            ("GET", f"{REPOSITORY}/compare/main"),
            ("GET", f"{REPOSITORY}/pulls/1"),
            ("GET", f"{REPOSITORY}/issues/1/comments"),
        ],
    )
    def test_not_found_in_githubs_shape(self, github: GitHub, method: str, path: str) -> None:
        answer = github.raw(method, path)
        assert answer.status_code == 404
        assert answer.json()["status"] == "404"
        assert {"message", "documentation_url"} <= answer.json().keys()

    @pytest.mark.parametrize("body", [b"{", b"[]", b"3", b"[" * 50_000])
    def test_nonsense_is_a_bad_request(self, github: GitHub, body: bytes) -> None:
        answer = github.raw("POST", f"{REPOSITORY}/pulls", content=body)
        assert answer.status_code == 400

    def test_lists_come_in_pages(self, github: GitHub, clone: Clone) -> None:
        sha = clone.run("rev-parse", "HEAD")
        for number in range(5):
            github.send("post", f"/statuses/{sha}", state="success", context=f"c{number}")

        async def contexts(api: GitHubAPI) -> list[str]:
            url = f"{REPOSITORY}/commits/{sha}/statuses?per_page=2"
            return [status["context"] async for status in api.getiter(url)]

        assert github.call(contexts) == ["c4", "c3", "c2", "c1", "c0"]


class TestReading:
    @pytest.fixture
    def head(self, clone: Clone) -> str:
        """The head of main after a push of two files."""
        head = clone.commit("files", finetune__a_yaml="name: a\n", README="hello\n")
        clone.run("push", "--quiet", "origin", "main")
        return head

    def test_branch_tree_and_blob(self, github: GitHub, head: str) -> None:
        assert github.get("")["default_branch"] == "main"
        assert github.get("/branches/main")["commit"]["sha"] == head
        assert [branch["name"] for branch in github.get("/branches")] == ["main"]
        assert github.get("/git/ref/heads/main")["object"] == {
            "sha": head,
            "type": "commit",
            "url": f"{github.connection.github.api_url}{REPOSITORY}/git/commits/{head}",
        }
        tree = github.get(f"/git/trees/{head}?recursive=1")
        entries = {entry["path"]: entry for entry in tree["tree"]}
        assert {path: entry["type"] for path, entry in entries.items()} == {
            "README": "blob",
            "finetune": "tree",
            "finetune/a_yaml": "blob",
        }
        assert entries["finetune/a_yaml"]["size"] == 8
        blob = github.get(f"/git/blobs/{entries['finetune/a_yaml']['sha']}")
        assert base64.b64decode(blob["content"]) == b"name: a\n"
        assert len(github.get("/git/trees/main")["tree"]) == 2

    def test_contents(self, github: GitHub, head: str) -> None:
        file = github.get(f"/contents/finetune/a_yaml?ref={head}")
        assert base64.b64decode(file["content"]) == b"name: a\n"
        assert (file["type"], file["size"], file["name"]) == ("file", 8, "a_yaml")
        assert [e["path"] for e in github.get("/contents/finetune")] == ["finetune/a_yaml"]
        assert [e["type"] for e in github.get("/contents")] == ["file", "dir"]
        raw = {"accept": "application/vnd.github.raw+json"}
        answer = github.raw("GET", f"{REPOSITORY}/contents/README", headers=raw)
        assert answer.content == b"hello\n"

    def test_commit_and_comparison(self, github: GitHub, clone: Clone, head: str) -> None:
        commit = github.get(f"/commits/{head[:10]}")
        assert (commit["sha"], commit["commit"]["author"]["name"]) == (head, "Ada")
        assert {f["filename"]: f["status"] for f in commit["files"]} == {
            "README": "added",
            "finetune/a_yaml": "added",
        }
        clone.run("mv", "README", "README.txt")
        new = clone.commit("rename")
        clone.run("push", "--quiet", "origin", "HEAD:feature/x")
        comparison = github.get("/compare/main...feature/x")
        assert (comparison["status"], comparison["ahead_by"]) == ("ahead", 1)
        assert comparison["merge_base_commit"]["sha"] == head
        (file,) = comparison["files"]
        assert (file["status"], file["previous_filename"]) == ("renamed", "README")
        assert github.get(f"/compare/{new}...main")["status"] == "behind"
        assert [c["sha"] for c in github.get("/commits?path=finetune")] == [head]


class TestTalking:
    def test_statuses(self, github: GitHub, clone: Clone) -> None:
        sha = clone.run("rev-parse", "HEAD")
        assert github.get("/commits/main/status")["state"] == "pending"
        github.send("post", f"/statuses/{sha}", state="pending", context="a", description="d" * 140)
        github.send("post", f"/statuses/{sha}", state="success", context="a", target_url="http://x")
        assert github.get(f"/commits/{sha}/status")["state"] == "success"
        github.send("post", f"/statuses/{sha}", state="error", context="b")
        combined = github.get("/commits/main/status")
        assert (combined["state"], combined["total_count"]) == ("failure", 2)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"state": "done"},
            {"state": "success", "description": "d" * 141},
            {"state": "success", "target_url": "ftp://x"},
        ],
    )
    def test_wrong_status(self, github: GitHub, clone: Clone, body: dict[str, str]) -> None:
        sha = clone.run("rev-parse", "HEAD")
        with pytest.raises(gidgethub.InvalidField, match="Validation Failed"):
            github.send("post", f"/statuses/{sha}", **body)
        answer = github.raw("POST", f"{REPOSITORY}/statuses/{NO_COMMIT}", json={"state": "error"})
        assert answer.status_code == 422

    def test_commit_comments(self, github: GitHub, clone: Clone) -> None:
        sha = clone.run("rev-parse", "HEAD")
        made = github.send("post", f"/commits/{sha}/comments", body="hello")
        assert made["commit_id"] == sha
        assert [comment["body"] for comment in github.get("/commits/main/comments")] == ["hello"]


class TestWriting:
    def test_file_is_written_changed_and_deleted(self, github: GitHub, clone: Clone) -> None:
        path = "/contents/finetune/a.yaml"
        content = base64.b64encode(b"one").decode()
        made = github.send("put", path, message="add", content=content)
        with pytest.raises(gidgethub.InvalidField):
            github.send("put", path, message="again", content=content)
        stale = github.raw(
            "PUT",
            REPOSITORY + path,
            json={"message": "stale", "content": content, "sha": NO_COMMIT},
        )
        assert stale.status_code == 409
        changed = github.send(
            "put",
            path,
            message="change",
            content=base64.b64encode(b"two").decode(),
            sha=made["content"]["sha"],
            author={"name": "Bob", "email": "bob@contoso.com"},
        )
        clone.run("pull", "--quiet")
        assert (clone.directory / "finetune/a.yaml").read_text() == "two"
        assert clone.run("log", "-1", "--format=%an %s") == "Bob change"
        github.send("delete", path, message="remove", sha=changed["content"]["sha"])
        pushes = github.pushes(3)
        assert [p["head_commit"]["added"] for p in pushes] == [["finetune/a.yaml"], [], []]
        assert pushes[2]["head_commit"]["removed"] == ["finetune/a.yaml"]

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("a", {"message": "m", "content": "?"}),
            ("a", {"content": ""}),
            (".git/config", {"message": "m", "content": ""}),
            ("a//b", {"message": "m", "content": ""}),
            ("a%00b", {"message": "m", "content": ""}),
            ("a", {"message": "m", "content": "", "author": {"name": "<x>", "email": "e"}}),
        ],
    )
    def test_what_is_not_written(self, github: GitHub, path: str, body: dict[str, Any]) -> None:
        answer = github.raw("PUT", f"{REPOSITORY}/contents/{path}", json=body)
        assert answer.status_code == 422

    def test_merge_of_branches(self, github: GitHub, clone: Clone) -> None:
        clone.run("checkout", "--quiet", "-b", "x")
        clone.commit("x", x="1")
        clone.run("push", "--quiet", "origin", "x")
        merged = github.send("post", "/merges", base="main", head="x")
        assert len(merged["parents"]) == 2
        body = {"base": "main", "head": "x"}
        assert github.raw("POST", f"{REPOSITORY}/merges", json=body).status_code == 204
        body = {"base": "main", "head": "y"}
        assert github.raw("POST", f"{REPOSITORY}/merges", json=body).status_code == 404
        push = github.pushes(2)[1]
        assert (push["ref"], push["after"]) == ("refs/heads/main", merged["sha"])


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
