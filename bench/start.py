"""How soon the function app is there: its import beside that of azure.ai.ml, and what each trigger
takes when it is invoked for the first time.

    python bench/start.py STATE_FOLDER RUNS

Each figure is the median of fresh processes that take turns: seconds of processor time, MB that the
system counts for the process. The app has to import azure.functions, which Microsoft's worker has
imported before it asks for the app: `in_worker` is what comes on top of that.
"""

import asyncio
import hashlib
import hmac
import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import psutil

HERE = Path(__file__).parent
ROOT = HERE.parent
APP, SDK = "function_app", "azure.ai.ml"
LIBRARY = "azure.functions"
SECRET, REPOSITORY = "secret", "bench/models"
DATA = "/blobServices/default/containers/datasets/blobs/chats/a.jsonl"
JOB = "tuneops-bot-0123456789ab-1"

IMPORT = """
import importlib, sys, time
for other in sys.argv[2:]:
    importlib.import_module(other)
begun = time.process_time()
importlib.import_module(sys.argv[1])
seconds = time.process_time() - begun
import psutil
print('{"seconds": %f, "memory": %f}' % (seconds, psutil.Process().memory_info().rss / 1e6))
"""
"""Imports nothing before that a module would otherwise be the first to import."""

Figures = dict[str, float]


def invoked(name: str) -> Figures:
    """What the app's import takes, and then a trigger's first invocation."""
    begun = time.process_time()
    app = import_module(APP)
    ready = time.process_time()
    functions = {each.get_function_name(): each for each in app.app.get_functions()}
    answer = functions[name].get_user_function()(INVOCATIONS[name]())
    if inspect.iscoroutine(answer):
        asyncio.run(answer)
    ended = time.process_time()
    memory = psutil.Process().memory_info().rss / 1e6
    return {"app": ready - begun, "invocation": ended - ready, "memory": memory}


def webhook(repository: str = REPOSITORY) -> Any:
    """A push to the tracked branch of the repository."""
    from azure.functions import HttpRequest

    body = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": repository}}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": uuid4().hex,
        "x-hub-signature-256": f"sha256={signature}",
    }
    return HttpRequest("POST", "http://localhost/api/github", headers=headers, body=body)


def _page() -> Any:
    from azure.functions import HttpRequest

    return HttpRequest("GET", "http://localhost/", headers={}, body=b"")


def event(kind: str, subject: str, **data: str) -> Any:
    """An event of Event Grid's."""
    from datetime import UTC, datetime

    from azure.functions import EventGridEvent

    return EventGridEvent(
        id=uuid4().hex,
        data=data,
        topic="/t",
        subject=subject,
        event_type=kind,
        event_time=datetime.now(UTC),
        data_version="1",
    )


def message(**request: str) -> Any:
    """A message of a queue."""
    from azure.functions import QueueMessage

    return QueueMessage(id="m", body=json.dumps(request).encode())


INVOCATIONS: dict[str, Callable[[], Any]] = {
    "github_webhook": webhook,
    "on_dataset_uploaded": lambda: event("Microsoft.Storage.BlobCreated", DATA, api="PutBlob"),
    "on_job_event": lambda: event("Microsoft.MachineLearningServices.RunCompleted", "s", runId=JOB),
    "reconcile": lambda: message(kind="project", project="stranger"),
    "deliver": lambda: message(kind="deliver", channel="github", stream="stranger"),
    "resync": lambda: None,
    "summary": lambda: None,
    "sweep": lambda: None,
    "page": _page,
    "status": _page,
}


def measured(runs: int, ways: dict[str, list[str]], environment: dict[str, str]) -> dict[str, Any]:
    """The figures of each way, from processes of their own that take turns."""
    found: dict[str, list[Figures]] = {way: [] for way in ways}
    for turn in range(runs + 1):
        for way, arguments in ways.items():
            line = [sys.executable, *arguments]
            done = subprocess.run(
                line, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            if turn:  # the first one may compile modules
                found[way].append(json.loads(done.stdout.splitlines()[-1]))
    return found


def beside_sdk(runs: int, environment: dict[str, str], *before: str) -> dict[str, float]:
    """The app beside the SDK, on top of what is imported `before`: all figures are medians."""
    ways = {name: ["-c", IMPORT, name, *before] for name in (APP, SDK)}
    ways["before"] = ["-c", IMPORT, *(before or ("sys",))]
    found = measured(runs, ways, environment)
    had = median(run["memory"] for run in found["before"]) if before else 0
    app, sdk = found[APP], found[SDK]
    pairs = list(zip(app, sdk, strict=True))
    return {
        "app_seconds": round(median(run["seconds"] for run in app), 3),
        "sdk_seconds": round(median(run["seconds"] for run in sdk), 3),
        "app_takes_of_sdk": round(median(a["seconds"] / b["seconds"] for a, b in pairs), 3),
        "app_memory_mb": round(median(run["memory"] for run in app) - had, 1),
        "sdk_memory_mb": round(median(run["memory"] for run in sdk) - had, 1),
        "app_mb_less": round(median(b["memory"] - a["memory"] for a, b in pairs), 1),
    }


def app_settings(connection: str) -> dict[str, str]:
    """The settings of an app that has storage and nothing else."""
    return {
        "AzureWebJobsStorage": connection,
        "TUNEOPS_SUBSCRIPTION_ID": "0" * 8,
        "TUNEOPS_RESOURCE_GROUP": "bench",
        "TUNEOPS_WORKSPACE": "bench",
        "TUNEOPS_GITHUB_REPOSITORY": REPOSITORY,
        "TUNEOPS_GITHUB_TOKEN": "none",
        "TUNEOPS_GITHUB_WEBHOOK_SECRET": SECRET,
        "TUNEOPS_PAGE_URL": "http://127.0.0.1",
    }


def main(state: Path, runs: int) -> dict[str, Any]:
    """All that is measured."""
    from blobs import storage

    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": path}
    results: dict[str, Any] = {
        "runs": runs,
        "alone": beside_sdk(runs, environment),
        "in_worker": beside_sdk(runs, environment, LIBRARY),
    }
    with storage(state, HERE / "words.txt") as connection:
        environment |= app_settings(connection)
        ways = {name: [str(HERE / "start.py"), "invoke", name] for name in INVOCATIONS}
        found = measured(runs, ways, environment)
    results["first_invocation"] = {
        name: {
            "seconds": round(median(run["app"] + run["invocation"] for run in each), 3),
            "memory_mb": round(median(run["memory"] for run in each)),
        }
        for name, each in found.items()
    }
    return results


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["invoke", name]:
            print(json.dumps(invoked(name)))
        case [state, runs]:
            print(json.dumps(main(Path(state), int(runs)), indent=2))
