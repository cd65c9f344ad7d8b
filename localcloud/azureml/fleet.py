"""Scoring processes: one per deployment, kept alive for as long as the deployment exists."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import httpx2

from localcloud.azureml.arm import Json
from localcloud.azureml.bodies import duration, whole_number
from localcloud.azureml.deployment_resource import MAX_PROBE_COUNT, PROBE_COUNTS, PROBE_DURATIONS
from localcloud.process import LOOPBACK, free_ports
from localcloud.serving.process import scoring_process

LOG = logging.getLogger(__name__)

POLL_SECONDS = 0.2
STOP_SECONDS = 5.0
FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 0.5, 10.0
CRASHES_ALLOWED = 1
TAIL_LINES = 40


class ScoringFailedError(Exception):
    """The scoring process does not come up; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Container:
    """What a scoring process is started with, and how long it may take to come up, in seconds."""

    model: Path
    environment: Json
    patience: float = field(compare=False)

    @classmethod
    def of(cls, serving: Json) -> Self:
        """The container of a deployment, from what its record says of it."""
        probe = serving.get("readinessProbe", {})
        usual = PROBE_COUNTS["failureThreshold"]
        tries = whole_number(probe, "failureThreshold", usual, 1, MAX_PROBE_COUNT)
        delay, period = (
            duration(probe, name, PROBE_DURATIONS[name]).total_seconds()
            for name in ("initialDelay", "period")
        )
        return cls(Path(serving["folder"]), serving["environmentVariables"], delay + period * tries)


class Server:
    """Runs one model's scoring process and starts it again when it dies."""

    def __init__(self, container: Container, log_file: Path) -> None:
        self.container = container
        self.log_file = log_file
        self.ready = asyncio.Event()
        self.port = 0
        self.in_flight = 0
        self._child: BaseProcess | None = None
        self._starting: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the process listens while it is ready."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Begin to run the process; `ready` is set when it can score."""
        self._task = asyncio.create_task(self._run())

    async def wait_ready(self) -> None:
        """Wait until the process can score.

        Raises:
            ScoringFailedError: it crashed twice or is not ready when its readiness probe gives up.
        """
        if self._task is None:
            raise ScoringFailedError("The scoring process was not started.")
        waiting = asyncio.create_task(self.ready.wait())
        try:
            await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not self.ready.is_set():
            self._task.result()

    async def stop(self) -> None:
        """End the process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end_child()

    async def ask(self, client: httpx2.AsyncClient, body: bytes) -> httpx2.Response:
        """Have a request scored, once the process can.

        Raises:
            httpx2.HTTPError: it does not answer.
        """
        await self.ready.wait()
        headers = {"content-type": "application/json"}
        return await client.post(f"{self.url}/score", content=body, headers=headers)

    async def _run(self) -> None:
        crashes, came_up, backoff = 0, False, FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._launch()
                await self._until_ready()
                came_up, backoff = True, FIRST_BACKOFF_SECONDS
                self.ready.set()
                await self._until_dead()
                LOG.warning("scoring process of %s died; starting it again", self.container.model)
            except ScoringFailedError:
                crashes += 1
                if not came_up and crashes > CRASHES_ALLOWED:
                    raise
            finally:
                self.ready.clear()
                await self._end_child()
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF_SECONDS, backoff * 2)

    async def _launch(self) -> None:
        self.port = free_ports(["scoring"])["scoring"]
        container = self.container
        self._child = scoring_process(
            container.model, self.port, container.environment, self.log_file
        )
        self._starting = asyncio.create_task(asyncio.to_thread(self._child.start))
        await asyncio.shield(self._starting)

    async def _until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.container.patience
        async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
            while asyncio.get_running_loop().time() < deadline:
                if self._child is None or not self._child.is_alive():
                    raise ScoringFailedError(f"The container crashed.\n{self.tail(TAIL_LINES)}")
                if await _answers(client, self.url):
                    return
                await asyncio.sleep(POLL_SECONDS)
        raise ScoringFailedError(f"The container did not become ready.\n{self.tail(TAIL_LINES)}")

    async def _until_dead(self) -> None:
        while self._child is not None and self._child.is_alive():
            await asyncio.sleep(POLL_SECONDS)

    async def _end_child(self) -> None:
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        child, self._child = self._child, None
        if child is not None:
            await asyncio.to_thread(_end, child)

    def tail(self, lines: int) -> str:
        """The last lines of the process's output."""
        return log_tail(self.log_file, lines)


class Fleet:
    """The servers of all deployments, by `ENDPOINT/DEPLOYMENT`."""

    def __init__(self, log_file: Callable[[str], Path], server: type[Server] = Server) -> None:
        self._log_file = log_file
        self._server = server
        self._servers: dict[str, Server] = {}

    def find(self, key: str) -> Server | None:
        """The server that scores for a deployment."""
        return self._servers.get(key)

    def resume(self, key: str, container: Container) -> None:
        """Run a deployment's server again after a restart, without waiting for it."""
        server = self._server(container, self._log_file(key))
        self._servers[key] = server
        server.start()

    async def deploy(self, key: str, container: Container) -> None:
        """Bring up a server and, once it is ready, put it in the place of the one before.

        Raises:
            ScoringFailedError: it does not come up; the one before goes on.
        """
        current = self._servers.get(key)
        if current is not None and current.container == container and current.ready.is_set():
            return
        server = self._server(container, self._log_file(key))
        server.start()
        try:
            await server.wait_ready()
        except BaseException:
            await server.stop()
            raise
        previous = self._servers.get(key)
        self._servers[key] = server
        if previous is not None:
            await previous.stop()

    async def remove(self, key: str) -> None:
        """End a deployment's server and remove its log."""
        server = self._servers.pop(key, None)
        if server is not None:
            await server.stop()
        self._log_file(key).unlink(missing_ok=True)

    async def close(self) -> None:
        """End all servers."""
        servers = list(self._servers.values())
        self._servers.clear()
        await asyncio.gather(*(server.stop() for server in servers))


def log_tail(path: Path, lines: int) -> str:
    """The last lines of a log file, empty when there is none."""
    try:
        content = path.read_bytes()[-262144:].decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(content.splitlines()[-lines:])


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx2.HTTPError:
        return False


def _end(child: BaseProcess) -> None:
    if child.pid is None:
        return
    child.terminate()
    child.join(STOP_SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
