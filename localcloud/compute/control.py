"""The node's connection to the workspace; it outlasts a restart of the workspace's server."""

import logging
import ssl
import time
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import httpx2

from localcloud.connection import Connection

LOG = logging.getLogger(__name__)

LONG_POLL_SECONDS = 40.0
PATIENCE_SECONDS = 120.0
RETRY_SECONDS = 0.5

Json = dict[str, Any]


class Superseded(Exception):  # noqa: N818 - not an error: another node has the job now
    """The workspace has given the job to another node."""


class Control:
    """What a node tells the workspace and asks of it. Every call is retried and idempotent."""

    def __init__(self, connection: Connection) -> None:
        self.node = str(uuid.uuid4())
        context = ssl.create_default_context(cafile=str(connection.ca_file))
        self._client = httpx2.Client(
            base_url=f"{connection.azureml_url}/_compute",
            headers={"x-compute-key": connection.compute_key},
            verify=context,
            timeout=LONG_POLL_SECONDS,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def publish_base_model(self, folder: Path) -> None:
        """Say where the foundation model is."""
        self._send("POST", "/base-model", {"path": str(folder)})

    def next_job(self, running: Collection[str] = ()) -> Json | None:
        """Wait up to 20 seconds for a job that is none of those that run here.

        Raises:
            Superseded: a newer node has taken this one's place.
        """
        answer = self._send("POST", "/next", {"node": self.node, "running": [*running]})
        return answer.json() if answer.status_code == 200 else None

    def is_cancelled(self, job: str) -> bool:
        """Whether the job is to end."""
        answer = self._send("GET", f"/jobs/{job}", params={"node": self.node})
        return bool(answer.json()["cancel"])

    def report_step(self, job: str, step: str, status: str, error: Json | None = None) -> str:
        """A step begins or ends; gives the id of its run."""
        body = {"node": self.node, "status": status, "error": error}
        return str(self._send("PUT", f"/jobs/{job}/steps/{step}", body).json()["run"])

    def log(self, job: str, step: str, **values: object) -> None:
        """Metrics (with their `iteration`) or parameters of a step."""
        body = {"node": self.node, **values}
        self._send("POST", f"/jobs/{job}/steps/{step}/log", body)

    def report_job(self, job: str, status: str, error: Json | None = None) -> None:
        """The job finalizes or ends."""
        body = {"node": self.node, "status": status, "error": error}
        self._send("PUT", f"/jobs/{job}/status", body)

    def _send(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.request(method, path, json=body, params=params)
            except httpx2.TransportError as error:
                if time.monotonic() > deadline:
                    raise
                LOG.info("workspace not reached, trying again: %s", error)
                time.sleep(RETRY_SECONDS)
                continue
            if answer.status_code == 409:
                raise Superseded(answer.json()["error"]["message"])
            if answer.status_code >= 500 and time.monotonic() < deadline:
                time.sleep(RETRY_SECONDS)
                continue
            answer.raise_for_status()
            return answer
