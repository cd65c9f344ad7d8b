"""Events per second of each trigger, and how long one takes, beside one message put on a queue.

    python bench/triggers.py STATE SECONDS

Each trigger is the app's own function, invoked by one thread, with Azurite, GitHub and the
workspace of a local cloud behind it: what the host adds is the host's. The peer is the least that
a trigger can do, one message put on a queue by the SDK; they take turns. The queue's message is a
look at a project that is live and settled, the timer has one such project to look after.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from fleet import LargeFleet
from meter import Meter
from scale import queue, settings
from start import event, message, webhook

import function_app
from tests.cloud import Cloud
from tests.fleet import FOLDER
from tuneops import names
from tuneops.cli.target import use_local_identity
from tuneops.queue import ProjectRequest
from tuneops.services import Services

PROJECT = "p-0000"
DIGEST = "0123456789ab"
DATA = f"/blobServices/default/containers/datasets/blobs/{FOLDER}/a.jsonl"
LEAST = 100

Way = Callable[[], object]


@contextmanager
def settled(state: Path) -> Iterator[tuple[Cloud, Meter]]:
    """A local cloud with one project that is live and settled, and what measures work in it."""
    shutil.rmtree(state, ignore_errors=True)
    cloud = Cloud(state)
    cloud.up("--parts", "storage,platform,azureml")
    try:
        use_local_identity(cloud.connection)
        meter = Meter(settings(cloud), cloud.connection)
        LargeFleet(cloud, meter.services).grow(1)
        yield cloud, meter
    finally:
        cloud.down()


def main(state: Path, seconds: float) -> None:
    """Print what each trigger takes, with its peer at the same time."""
    with settled(state) as (cloud, meter):
        services = meter.services
        function_app.get_services = lambda: services
        repository = cloud.connection["github"]["repository"]
        found = {}
        for name, invoke in triggers(repository).items():
            found[name] = beside(invoke, lambda: put(services), seconds)
            queue(services).clear_messages()
    print(json.dumps(found))


def triggers(repository: str) -> dict[str, Way]:
    """The app's functions with what each is invoked for."""
    known = {each.get_function_name(): each for each in function_app.app.get_functions()}
    job = names.job_name(PROJECT, DIGEST, 1)
    invocations: dict[str, Callable[[], object]] = {
        "github_webhook": lambda: webhook(repository),
        "on_dataset_uploaded": lambda: event("Microsoft.Storage.BlobCreated", DATA, api="PutBlob"),
        "on_job_event": lambda: event(
            "Microsoft.MachineLearningServices.RunCompleted", "s", runId=job
        ),
        "reconcile": lambda: message(kind="project", project=PROJECT),
        "resync": lambda: None,
    }
    return {
        name: lambda name=name, make=make: known[name].get_user_function()(make())
        for name, make in invocations.items()
    }


def put(services: Services) -> None:
    """The least that a trigger can do."""
    services.queue.send(ProjectRequest(project=PROJECT))


def beside(way: Way, peer: Way, seconds: float) -> dict[str, float]:
    """What one invocation takes, in turn with its peer; the first of each is not counted."""
    ways = (way, peer)
    took: tuple[list[float], list[float]] = ([], [])
    for each in ways:
        each()
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(took[0]) < LEAST:
        for each, times in zip(ways, took, strict=True):
            begun = time.perf_counter()
            each()
            times.append(time.perf_counter() - begun)
    own, other = took
    return {
        "events_per_second": round(len(own) / sum(own), 1),
        "p50_ms": round(median(own) * 1000, 1),
        "p99_ms": round(quantiles(own, n=100)[98] * 1000, 1),
        "peer_p50_ms": round(median(other) * 1000, 1),
        "takes_times_the_peer": round(median(own) / median(other), 1),
        "invocations": len(own),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
