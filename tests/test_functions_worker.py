"""``function_app.py`` in Microsoft's own worker: it is indexed, and every trigger is invoked."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from tests.config_text import config_of
from tuneops import documents, names
from tuneops.desired import Desired
from tuneops.gitops.repository import FileState, Repository
from tuneops.services import Services
from tuneops.settings import Settings

ROOT = Path(__file__).parents[1]
WORKER = Path(__file__).parent / "functions_worker.py"


def run_worker(
    app_dir: Path, invocations: list[dict[str, Any]], settings: dict[str, str]
) -> dict[str, Any]:
    """What Microsoft's worker answers, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, WORKER, app_dir],
        input=json.dumps(invocations),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **settings},
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def app_settings(settings: Settings) -> dict[str, str]:
    """The settings as the environment of a function app."""
    assert settings.storage_connection_string is not None
    return {
        "AzureWebJobsStorage": settings.storage_connection_string.get_secret_value(),
        "TUNEOPS_SUBSCRIPTION_ID": settings.subscription_id,
        "TUNEOPS_RESOURCE_GROUP": settings.resource_group,
        "TUNEOPS_WORKSPACE": settings.workspace,
        "TUNEOPS_STATE_CONTAINER": settings.state_container,
        "TUNEOPS_DATASETS_CONTAINER": settings.datasets_container,
        "TUNEOPS_PREPARED_CONTAINER": settings.prepared_container,
        "TUNEOPS_RECONCILE_QUEUE": settings.reconcile_queue,
        "TUNEOPS_DELIVER_QUEUE": settings.deliver_queue,
        "TUNEOPS_GITHUB_REPOSITORY": settings.github_repository,
        "TUNEOPS_GITHUB_TOKEN": settings.github_token.get_secret_value(),
        "TUNEOPS_GITHUB_WEBHOOK_SECRET": settings.github_webhook_secret.get_secret_value(),
    }


def webhook(services: Services, secret: str, event: str = "push") -> dict[str, Any]:
    """A push to the tracked branch as GitHub sends it."""
    repository = {"full_name": services.settings.github_repository}
    body = json.dumps({"ref": "refs/heads/main", "repository": repository})
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": "d",
        "x-hub-signature-256": f"sha256={signature}",
    }
    return {
        "function": "github_webhook",
        "data": {"http": {"method": "POST", "headers": headers, "body": body}},
    }


def event(function: str, kind: str, subject: str, **data: Any) -> dict[str, Any]:
    """An event as Event Grid sends it."""
    document = {
        "id": "e",
        "topic": "/topic",
        "subject": subject,
        "eventType": kind,
        "eventTime": "2026-01-02T03:04:05.1234567Z",
        "dataVersion": "1",
        "data": data,
    }
    return {"function": function, "data": {"json": json.dumps(document)}}


def message(**request: Any) -> dict[str, Any]:
    """A message of the queue `reconcile`."""
    return {
        "function": "reconcile",
        "data": {"string": json.dumps(request)},
        "metadata": {"Id": "m", "DequeueCount": "1", "PopReceipt": "r"},
    }


def delivery(**request: Any) -> dict[str, Any]:
    """A message of the queue `deliver`."""
    return {**message(**request), "function": "deliver"}


def order(function: str, project: str, **asked: Any) -> dict[str, Any]:
    """An order for a project."""
    http = {"method": "POST", "params": {"project": project}, "body": json.dumps(asked)}
    return {"function": function, "data": {"http": http}}


def reading(function: str, project: str, **which: str) -> dict[str, Any]:
    """A question about a project."""
    return {"function": function, "data": {"http": {"params": {"project": project, **which}}}}


TIMER = {"function": "resync", "data": {"json": json.dumps({"IsPastDue": False})}}
SWEEP = {**TIMER, "function": "sweep"}
RESTORE = {"method": "POST", "params": {"id": "0123456789ab"}, "body": "{}"}
FORM = {"method": "POST", "params": {"project": "tutor", "action": "suspend"}, "body": ""}
DAILY = {**TIMER, "function": "summary"}


def queued(services: Services) -> list[dict[str, Any]]:
    """What is on the queue now."""
    settings = services.settings
    assert settings.storage_connection_string is not None
    client = QueueClient.from_connection_string(
        settings.storage_connection_string.get_secret_value(), settings.reconcile_queue
    )
    return [json.loads(base64.b64decode(m.content)) for m in client.receive_messages()]


def test_every_trigger_runs_in_microsofts_worker(services: Services) -> None:
    # The data folder of one project is known, and that another is desired.
    files = {"finetune/bot.yaml": FileState(sha="s", project="bot", data_path="chats/")}
    services.store.update(documents.repository(""), Repository, lambda _: Repository(files=files))
    wanted = Desired(project="tutor", commit="c", path="p", config=config_of("tutor"))
    services.store.update(documents.desired("tutor"), Desired, lambda _: wanted)
    job = names.job_name("tutor", names.digest("inputs"), 1)
    container = services.settings.datasets_container
    blob = f"/blobServices/default/containers/{container}/blobs/chats/a.jsonl"
    invocations = [
        webhook(services, "secret"),
        webhook(services, "wrong"),
        event("on_dataset_uploaded", "Microsoft.Storage.BlobCreated", blob, api="PutBlob"),
        event("on_job_event", "Microsoft.MachineLearningServices.RunCompleted", "s", runId=job),
        message(kind="nonsense"),
        message(kind="project", project="stranger"),
        delivery(kind="deliver", channel="github", stream="stranger"),
        TIMER,
        {"function": "status", "data": {"http": {}}},
        {"function": "status", "data": {"http": {"query": {"project": "stranger"}}}},
        {"function": "health", "data": {"http": {}}},
        order("rollback", "stranger", action="pin"),
        order("rollback", "tutor", action="unpin"),
        order("retry", "tutor"),
        order("approve", "tutor", reject=True),
        order("suspend", "tutor"),
        order("resume", "tutor"),
        {"function": "audit", "data": {"http": {"query": {"project": "tutor"}}}},
        SWEEP,
        {"function": "findings", "data": {"http": {}}},
        {"function": "events", "data": {"http": {}}},
        {"function": "restore", "data": {"http": RESTORE}},
        DAILY,
        {"function": "cost", "data": {"http": {"query": {"environment": "stranger"}}}},
        {"function": "page", "data": {"http": {}}},
        {"function": "page_static", "data": {"http": {"params": {"file": "style.css"}}}},
        {"function": "project_page", "data": {"http": {"params": {"project": "tutor"}}}},
        {"function": "release_page", "data": {"http": {"params": {"project": "x", "number": "1"}}}},
        {"function": "projects", "data": {"http": {}}},
        reading("releases", "tutor"),
        reading("release", "tutor", number="latest"),
        reading("metrics", "stranger", number="1"),
        reading("logs", "tutor", number="x"),
        {"function": "page_action", "data": {"http": FORM}},
        {"function": "doctor", "data": {"http": {"query": {"only": "stranger"}}}},
    ]
    answer = run_worker(ROOT, invocations, app_settings(services.settings))
    results = answer["results"]
    unknown = invocations.index(message(kind="nonsense"))
    statuses = ["Failure" if n == unknown else "Success" for n in range(len(invocations))]
    assert [result["status"] for result in results] == statuses, results
    assert [result.get("code") for result in results] == [
        *(202, 401),
        *(None, None, None, None, None, None),
        *(200, 404, 200),
        *(404, 409, 409, 409, 200, 200, 200),
        *(None, 200, 200, 404),
        *(None, 404),
        *(200, 200),
        *(200, 404),
        *(200, 200, 404, 404, 404, 403),
        400,
    ]
    seen = json.loads(results[8]["body"])["projects"]
    assert [project["name"] for project in seen] == ["tutor"]
    assert {invocation["function"] for invocation in invocations} == answer["functions"].keys()
    levels = {name: bindings[0].get("authLevel") for name, bindings in answer["functions"].items()}
    anybody = {"github_webhook", "health", "page_static"}
    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == anybody
    assert set(levels.values()) == {"ANONYMOUS", "FUNCTION", None}
    asked = sorted((r["kind"], r.get("project", "")) for r in queued(services))
    assert asked == [
        ("project", "bot"),
        *[("project", "tutor")] * 3,
        ("projects", ""),
        ("pull_requests", ""),
        *[("repository", "")] * 2,
        ("summary", ""),
        ("sweep", ""),
    ]


HEADER = "import azure.functions as func\napp = func.FunctionApp()\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(
            HEADER + "@app.route()\ndef f(req: func.QueueMessage) -> func.HttpResponse: ...",
            "do not match the corresponding function parameter",
            id="annotation",
        ),
        pytest.param(
            HEADER + "@app.timer_trigger(arg_name='t', schedule='0 * * * * *')\ndef f(x): ...",
            "declared in Python but not in the function definition",
            id="arg_name",
        ),
        pytest.param(
            HEADER + "@app.route()\ndef f(req): ...\n@app.route(route='g')\ndef f(req): ...",
            "Function f does not have a unique function name",
            id="name",
        ),
    ],
)
def test_the_worker_refuses_a_wrong_app(tmp_path: Path, script: str, reason: str) -> None:
    (tmp_path / "function_app.py").write_text(script)
    assert reason in run_worker(tmp_path, [], {})["error"]
