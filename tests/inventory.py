"""What stands in a local cloud's workspace with our tags, beside what the configs say should."""

import time
from collections import defaultdict
from typing import Any

from tests.cloud import Cloud
from tuneops.names import TAG_PROJECT
from tuneops.status import ProjectStatus

ENDED = ("Completed", "Failed", "Canceled")
SECONDS = 60


def check_inventory(cloud: Cloud, *projects: str) -> None:
    """Look until these projects have in Azure exactly what their configs say, and nothing else."""
    deadline = time.monotonic() + SECONDS
    while (found := _found(cloud, projects)) != (wanted := _wanted(cloud, projects)):
        assert time.monotonic() < deadline, f"there is {found}, there should be {wanted}"
        time.sleep(0.5)


def _found(cloud: Cloud, projects: tuple[str, ...]) -> dict[str, set[str]]:
    """Endpoints, deployments, running jobs and clusters by the project whose tag they carry."""
    found: dict[str, set[str]] = defaultdict(set)

    def count(resource: Any, label: str) -> None:
        project = (resource.tags or {}).get(TAG_PROJECT)
        if project in projects:
            found[project].add(label)

    ml = cloud.ml
    for endpoint in ml.online_endpoints.list():
        count(endpoint, str(endpoint.name))
        for deployment in ml.online_deployments.list(endpoint.name):
            count(deployment, f"{endpoint.name}/{deployment.name}")
    for job in ml.jobs.list():
        if job.status not in ENDED:
            count(job, f"job {job.name}")
    for cluster in ml.compute.list():
        count(cluster, f"cluster {cluster.name}")
    return dict(found)


def _wanted(cloud: Cloud, projects: tuple[str, ...]) -> dict[str, set[str]]:
    """What should be there once the newest release has come to an end."""
    seen = {name: cloud.status(name) for name in projects}
    wanted = {name: _serving(status) for name, status in seen.items() if status}
    return {name: labels for name, labels in wanted.items() if labels}


def _serving(status: ProjectStatus) -> set[str]:
    """The live release's endpoint and deployment, what is kept on purpose, and its own cluster."""
    live, newest = status.live, status.release
    if newest is None:
        return set()
    retired = newest.phase == "Retired"
    serving = newest if retired and "is retained" in newest.reason else live
    if serving is None or (retired and serving is not newest):
        return set()
    wanted = {serving.endpoint, f"{serving.endpoint}/{serving.deployment}"}
    if newest.phase == "Failed" and newest.config.rollout.keep_failed_for_minutes:
        wanted.add(f"{newest.endpoint}/{newest.deployment}")
    if not retired and newest.config.compute.cluster:
        wanted.add(f"cluster {newest.config.compute.name}")
    return wanted
