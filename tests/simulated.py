"""A local cloud with TuneOps on simulated compute: whole releases without a training. For tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from localcloud.azureml.cores import POOLS
from tests.cloud import ROOT, Cloud

ROOM = {"endpoints": 1000, "deployments": 1000}
CORES = dict.fromkeys(POOLS, 1_000_000)
"""As many machines as there are deployments."""


def subscription_for(function: str) -> dict[str, Any]:
    """What `infra/local.yaml` has reach a function."""
    subscriptions = _manifest()["event_subscriptions"]
    return next(each for each in subscriptions if each["function"] == function)


@contextmanager
def simulated_cloud(
    state: Path,
    *,
    job_seconds: float = 0.2,
    settings: dict[str, str] | None = None,
    in_memory: bool = False,
    **changes: Any,
) -> Iterator[Cloud]:
    """The whole local cloud, until the block ends.

    Args:
        job_seconds: how long a job takes.
        settings: app settings that are different from those of `infra/local.yaml`.
        in_memory: storage keeps nothing on the disk.
        changes: other sections of the manifest.
    """
    manifest = _manifest()
    manifest["app_settings"] |= settings or {}
    manifest["storage"]["in_memory"] = in_memory
    manifest |= {"simulated_compute": {"job_seconds": job_seconds}, "limits": ROOM, "quotas": CORES}
    manifest |= changes
    state.mkdir(parents=True, exist_ok=True)
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    running, before = Cloud(state), dict(os.environ)
    running.up("--manifest", str(state / "manifest.yaml"))
    try:
        yield running
    finally:
        running.down()
        os.environ.clear()
        os.environ.update(before)


def _manifest() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())  # type: ignore[no-any-return]
