"""The GitHub API on a port, with a webhook receiver and clones of its repository."""

import asyncio
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import uvicorn
from functions_host import wait_for
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
