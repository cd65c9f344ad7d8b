"""The page over many projects, beside reading all their documents, by the function app over HTTP.

    python bench/page.py STATE PROJECTS RELEASES RUNS

Both are asked in turn, so that the ratio holds when the machine's speed changes.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from tests.cloud import Cloud
from tests.config_text import config_of
from tests.planned import come_to, release
from tuneops import documents
from tuneops.desired import Desired
from tuneops.overview.keeping import fill
from tuneops.project import Project
from tuneops.release import Metrics, Phase, Point, Release, TrainingPlan
from tuneops.services import Services
from tuneops.settings import Settings

NOW = datetime.now(UTC)
THREADS = 8
PLAN = TrainingPlan(base_model="base", component="component", parameters={}, digest="0" * 12)


def main(state: Path, projects: int, releases: int, runs: int) -> None:
    """Measure, and print the seconds of each way; the first round warms the host up."""
    cloud = Cloud(state)
    cloud.up("--parts", "storage,platform,functions")
    try:
        seed(cloud, projects, releases // projects)
        functions = cloud.connection["functions"]
        with httpx2.Client(
            base_url=functions["base_url"], headers={"x-functions-key": functions["key"]}
        ) as client:
            rounds = [[timed(client, "/"), timed(client, "/api/status")] for _ in range(runs + 1)]
    finally:
        cloud.down()
    page, documents_read = zip(*rounds[1:], strict=True)
    print(json.dumps({"page": page, "all_documents": documents_read}))


def timed(client: httpx2.Client, path: str) -> float:
    """The seconds that an answer takes."""
    begun = time.perf_counter()
    client.get(path, timeout=120).raise_for_status()
    return time.perf_counter() - begun


def seed(cloud: Cloud, projects: int, releases: int) -> None:
    """Write what so many projects with so many releases each leave, and the overview of them."""
    services = Services(
        Settings(
            subscription_id="s",
            resource_group="g",
            workspace="w",
            storage_connection_string=cloud.connection["storage"]["connection_string"],
            github_repository=cloud.connection["github"]["repository"],
            github_token="token",
            github_webhook_secret="secret",
        )
    )
    config = config_of("bot", "deployment: {instance_type: Standard_DS3_v2}\n")
    names = [f"bot-{number:03}" for number in range(projects)]

    def write(name: str) -> None:
        own = config.model_copy(update={"name": name})
        wanted = Desired(project=name, commit="c" * 40, path="p", config=own)
        services.store.write(documents.desired(name), wanted, None)
        for number in range(1, releases + 1):
            made = live(name, number)
            services.store.write(documents.release(name, number), made, None)
        project = Project(name=name, current=releases, live=releases)
        services.store.write(documents.project(name), project, None)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, names))
    fill(services, lambda: names)


def live(name: str, number: int) -> Release:
    """A release with a past and with metrics."""
    curve = tuple(Point(step=step, value=1 / (step + 1)) for step in range(100))
    metrics = Metrics(values={"eval_loss": 1.2, "exact_match": 0.9}, curves={"loss": curve})
    made = release(name=name).replace(number=number, training=PLAN, metrics=metrics)
    for place, phase in enumerate((Phase.TRAINING, Phase.DEPLOYING, Phase.TESTING, Phase.LIVE)):
        made = come_to(made, phase, NOW + timedelta(minutes=place), f"it came to {phase}")
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
