"""What a look at a project costs, and a step of a release.

    python bench/reconcile.py STATE RUNS

The look is at a project that is live and settled; its peer is what a script would ask the SDK for
to see the same: the endpoint, its deployments and the model's archived versions. The steps are
those of a release from the first look until its job is submitted, so data is prepared among them;
another release goes before, uncounted, since the first one of a process imports what all need.
"""

import base64
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from meter import Figures, Meter
from scale import queue
from triggers import PROJECT, settled

from handlers import reconcile
from tests.cloud import QUICK, Cloud, config, some_rows
from tuneops import names
from tuneops.queue import ProjectRequest, RepositoryRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase
from tuneops.services import Services

FIRST, SECOND = "stepped-first", "stepped"


class Steps(logging.Handler):
    """Counts the actions that a look performs."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """An action is logged with its project."""
        self.count += record.levelno == logging.INFO and record.msg == "project %s: %s"


def main(state: Path, runs: int) -> None:
    """Print the medians."""
    with settled(state) as (cloud, meter):
        request = ProjectRequest(project=PROJECT)
        peer = script(meter.services)
        reconcile_project(request, meter.services)
        peer()
        looks, peers = [], []
        for _ in range(runs):
            looks.append(meter.measure(lambda: reconcile_project(request, meter.services)))
            peers.append(meter.measure(peer))
        stepped(cloud, meter, FIRST)
        steps = stepped(cloud, meter, SECOND)
    took = [a["cpu_seconds"] / b["cpu_seconds"] for a, b in zip(looks, peers, strict=True)]
    found: dict[str, Any] = {
        "look": figures(looks),
        "peer": figures(peers),
        "look_takes_cpu_of_peer": round(median(took), 2),
        "step": steps,
    }
    print(json.dumps(found))


def figures(found: list[Figures]) -> Figures:
    """Medians of what a piece of work took."""
    return {
        "cpu_ms": round(median(each["cpu_seconds"] for each in found) * 1000),
        "storage_calls": median(each["storage_calls"] for each in found),
        "azure_calls": median(each["azure_calls"] for each in found),
    }


def script(services: Services) -> Callable[[], None]:
    """What a script asks for, by a client of its own."""
    workspace = services.workspace
    settings = services.settings
    ml = MLClient(
        workspace._credential,
        settings.subscription_id,
        settings.resource_group,
        settings.workspace,
        cloud=settings.cloud,
        cloud_metadata=settings.cloud_metadata,
        enable_telemetry=False,
    )
    endpoint = names.endpoint_name(PROJECT, workspace.id)

    def ask() -> None:
        ml.online_endpoints.get(endpoint)
        list(ml.online_deployments.list(endpoint))
        try:
            list(ml.models.list(name=PROJECT, list_view_type=ListViewType.ARCHIVED_ONLY))
        except Exception as error:
            if "NotFound" not in type(error).__name__:
                raise

    return ask


def stepped(cloud: Cloud, meter: Meter, name: str) -> Figures:
    """What a step costs on average, from the first look at a release until its job is there."""
    services = meter.services
    cloud.upload(f"{name}/chats.jsonl", some_rows())
    cloud.merge({f"{name}.yaml": config(name, training={"parameters": QUICK})})
    reconcile.handle(RepositoryRequest().model_dump_json().encode(), services)
    steps, log = Steps(), logging.getLogger("tuneops.reconcile")
    log.setLevel(logging.INFO)
    log.addHandler(steps)
    costs = meter.measure(lambda: drain(services))
    log.removeHandler(steps)
    release = services.release(name, 1)
    assert release
    assert release.value.phase == Phase.TRAINING
    return {
        "steps": steps.count,
        "cpu_ms": round(costs["cpu_seconds"] * 1000 / steps.count),
        "storage_calls": round(costs["storage_calls"] / steps.count, 1),
        "azure_calls": round(costs["azure_calls"] / steps.count, 1),
    }


def drain(services: Services) -> None:
    """Handle what is due."""
    client = queue(services)
    while messages := list(client.receive_messages(visibility_timeout=600)):
        for message in messages:
            client.delete_message(message)
            reconcile.handle(base64.b64decode(message.content), services)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
