"""The parts of the local cloud: how each is started and how to see that it works."""

import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

import localcloud
from localcloud.connection import Connection

PART_NAMES = ("storage", "platform", "azureml", "compute", "functions")
PROBE_SECONDS = 2.0

# The environment variable by which the processes of a local cloud are known; its value is the
# state directory. It is not LOCALCLOUD_STATE, which people set in their own shells.
MARK = "LOCALCLOUD_PART_OF"

# What a part writes when it has no HTTP server of its own.
READY_FILES = {"storage": "storage.ready", "compute": "compute.ready"}


@dataclass(frozen=True)
class Part:
    """One part: a Python module of this package, run as a process."""

    name: str
    connection: Connection

    @property
    def command(self) -> list[str]:
        """The command line. ``-P`` keeps the working directory out of the import path."""
        state = str(self.connection.state_dir)
        return [sys.executable, "-P", "-m", f"localcloud.{self.name}", "--state", state]

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return log_file(self.connection.state_dir, self.name)

    @property
    def environment(self) -> Mapping[str, str]:
        """What it gets besides the environment of the supervisor."""
        common = base_environment(self.connection.state_dir)
        return {**common, **self._identity()} if self.name == "functions" else common

    def _identity(self) -> dict[str, str]:
        """A managed identity, and trust in the servers of the local cloud."""
        bundle = str(self.connection.ca_bundle)
        return {
            "IDENTITY_ENDPOINT": self.connection.identity.endpoint,
            "IDENTITY_HEADER": self.connection.identity.header,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "REQUESTS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
        }

    @property
    def ready_file(self) -> Path | None:
        """The file that says that the part is ready, for a part without ``/health``."""
        name = READY_FILES.get(self.name)
        return self.connection.state_dir / name if name else None

    def is_healthy(self) -> bool:
        """Whether it answers now, or has said that it is ready."""
        if self.ready_file:
            return self.ready_file.exists()
        try:
            return _get(self._health_url(), self.connection.ca_file).is_success
        except httpx2.HTTPError:
            return False

    def _health_url(self) -> str:
        base = {
            "platform": self.connection.platform_url,
            "azureml": self.connection.azureml_url,
            "functions": self.connection.functions.base_url,
        }[self.name]
        return f"{base}/health"


def base_environment(state_dir: Path) -> dict[str, str]:
    """What every process of the local cloud gets, and hands on to its children."""
    exceptions = [os.environ.get("NO_PROXY", ""), "127.0.0.1", "localhost"]
    no_proxy = ",".join(filter(None, exceptions))
    return {
        MARK: str(state_dir),
        "PYTHONPATH": str(Path(localcloud.__file__).parents[1]),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(state_dir / "tmp"),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def log_file(state_dir: Path, part: str) -> Path:
    """Where a part's output goes."""
    return state_dir / "logs" / f"{part}.log"


def _get(url: str, ca_file: Path) -> httpx2.Response:
    context = ssl.create_default_context(cafile=str(ca_file))
    return httpx2.get(url, verify=context, timeout=PROBE_SECONDS, trust_env=False)
