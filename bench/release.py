"""A release beside the tutorial's script on one local cloud: calls of Azure ML, and times.

    python bench/release.py STATE

Calls are counted where they arrive, in the workspace's own log: neither what the compute nodes ask
nor what pointing the SDK at another cloud adds. Both use a cluster that is there. The script is
examples/tutorial.py, unchanged; deleting its endpoint at the end is left out of its calls, and so
are its uploads, which go to storage. TuneOps looks every `POLL_SECONDS`, as the SDK does at
deployments, and its timers do not run meanwhile; its status is asked for every `LOOK_SECONDS`, as
its page does. The script runs once before all, uncounted: the first deployment of a local cloud
waits for libraries that all later ones share. The first release creates an endpoint, as the script
does; the second one is of other parameters, in the endpoint that is there.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.cloud import QUICK, ROOT, Cloud, config, jsonl, some_rows

NAME = "beside"
POLL_SECONDS = 5
LOOK_SECONDS = 2.0
NEVER = "0 0 3 29 2 *"
CLUSTER = {"name": "gpu-cluster-big", "size": "Standard_NC24rs_v3", "max_nodes": 1}
SPLITS = {"train_sft": 60, "test_sft": 8, "test_gen": 1}
LINE = re.compile(r"(\S+ \S+) INFO localcloud\.azureml\.requests: (\w+) (\S*) \d+$")
NOT_COUNTED = re.compile(r"^/(_compute|_admin|metadata|storage|health)\b")

Figures = dict[str, float]


class Call(NamedTuple):
    """A request that the workspace has answered."""

    at: float
    method: str
    path: str


class Log:
    """What the workspace answers from now on."""

    def __init__(self, cloud: Cloud) -> None:
        self._file = cloud.state / "logs" / "azureml.log"
        self._begin = self._file.stat().st_size

    def calls(self) -> list[Call]:
        """What was answered until now, in order."""
        with self._file.open() as file:
            file.seek(self._begin)
            found = [match for line in file if (match := LINE.match(line.rstrip()))]
        calls = [Call(_time(each[1]), each[2], each[3]) for each in found]
        return [call for call in calls if not NOT_COUNTED.match(call.path)]


def main(state: Path) -> None:
    """Measure, and print what was found."""
    with release_cloud(state) as cloud:
        tutorial(cloud, "before")
        cloud.upload(f"{NAME}/chats.jsonl", some_rows(sum(SPLITS.values())))
        found = {
            "first": released(cloud, 1, QUICK),
            "second": released(cloud, 2, {**QUICK, "learning_rate": 2e-3}),
            "tutorial": tutorial(cloud, "beside"),
        }
    print(json.dumps(found))


@contextmanager
def release_cloud(state: Path) -> Iterator[Cloud]:
    """A local cloud in which nothing happens by a timer."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest["computes"].append(CLUSTER)
    manifest["app_settings"] |= {
        "TUNEOPS_RESYNC_SCHEDULE": NEVER,
        "TUNEOPS_SWEEP_SCHEDULE": NEVER,
        "TUNEOPS_POLL_SECONDS": str(POLL_SECONDS),
    }
    file = state / "manifest.yaml"
    file.write_text(yaml.safe_dump(manifest))
    cloud = Cloud(state, LOOK_SECONDS)
    cloud.up("--manifest", str(file))
    try:
        yield cloud
    finally:
        cloud.down()


def released(cloud: Cloud, number: int, parameters: dict[str, Any]) -> Figures:
    """Merge, wait for the release to be live, and tell what that took."""
    log = Log(cloud)
    cloud.merge({f"{NAME}.yaml": config(NAME, training={"parameters": parameters})})
    release = cloud.until_phase(NAME, number, "Live").release
    assert release is not None
    live = next(each.at.timestamp() for each in release.history if each.phase == "Live")
    cloud.until_true(lambda: cloud.traffic(release.endpoint) == {release.deployment: 100})
    cloud.until_idle()
    calls = [call for call in log.calls() if call.at <= live]
    workspace = sqlite3.connect(cloud.state / "azureml" / "workspace.sqlite")
    query = "SELECT ended / 1000.0 FROM runs WHERE id = ?"
    (ended,) = workspace.execute(query, (release.job,)).fetchone()
    deployed = next(c.at for c in calls if c.method == "PUT" and "/deployments/" in c.path)
    return {
        **counted(calls),
        "job_end_to_deployment_seconds": _beyond(workspace, ended, deployed),
        "job_end_to_live_seconds": _beyond(workspace, ended, live),
        "azure_itself_seconds": round(live - ended - _beyond(workspace, ended, live), 2),
    }


def counted(calls: list[Call]) -> Figures:
    """How many calls there were, and how many of them read again what was read before.

    Before: since the last call that may have changed something, which is any but a GET.
    """
    known: set[str] = set()
    again = 0
    for call in calls:
        if call.method == "GET":
            again += call.path in known
            known.add(call.path)
        else:
            known.clear()
    return {"calls": len(calls), "read_again": again}


def tutorial(cloud: Cloud, name: str) -> Figures:
    """The script's calls, without those that delete its endpoint; it runs in a folder so called."""
    folder = cloud.state / name
    folder.mkdir()
    _write_splits(folder)
    known = cloud.connection
    ids = {
        "subscription_id": known["subscription_id"],
        "resource_group": known["resource_group"],
        "workspace_name": known["workspace"],
    }
    (folder / "config.json").write_text(json.dumps(ids))
    log = Log(cloud)
    line = [sys.executable, str(ROOT / "examples" / "tutorial.py"), str(folder)]
    subprocess.run(line, cwd=folder, env=_environment(known), check=True, stdout=sys.stderr)
    calls = log.calls()
    deletes = [call.method for call in calls].index("DELETE")
    return counted(calls[:deletes])


def _environment(known: dict[str, Any]) -> dict[str, str]:
    """What points Azure's SDKs at the local cloud."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("AZUREML_")}
    return {
        **own,
        "ARM_CLOUD_METADATA_URL": f"{known['azureml_url']}/metadata/endpoints",
        "REGISTRY_DISCOVERY_ENDPOINT_URL": known["azureml_url"],
        "REQUESTS_CA_BUNDLE": known["ca_bundle"],
        "SSL_CERT_FILE": known["ca_bundle"],
        "IDENTITY_ENDPOINT": known["identity"]["endpoint"],
        "IDENTITY_HEADER": known["identity"]["header"],
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _write_splits(folder: Path) -> None:
    """The same rows that TuneOps trains on, in the shape of ultrachat_200k."""
    rows = iter(jsonl(some_rows(sum(SPLITS.values()))).decode().splitlines(keepends=True))
    for split, count in SPLITS.items():
        (folder / f"{split}.jsonl").write_text("".join(next(rows) for _ in range(count)))


def _beyond(workspace: sqlite3.Connection, begun: float, ended: float) -> float:
    """The seconds of a span in which no operation of Azure's ran."""
    rows = workspace.execute("SELECT body FROM documents WHERE kind = 'operations'").fetchall()
    operations = [json.loads(body) for (body,) in rows]
    spans = sorted(
        (_moment(each["startTime"]), _moment(each["endTime"]))
        for each in operations
        if "endTime" in each
    )
    at, idle = begun, 0.0
    for start, end in spans:
        idle += max(0.0, min(start, ended) - at)
        at = min(max(at, end), ended)
    return round(idle + max(0.0, ended - at), 2)


def _time(text: str) -> float:
    """The time of a line of a log, which is this machine's."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").timestamp()


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
