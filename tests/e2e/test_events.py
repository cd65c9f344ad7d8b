"""Events are hints: doubled, early, late or lost ones end in the same place."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient
from click.testing import Result
from typer.testing import CliRunner

from tests.cloud import Cloud, config, some_rows
from tests.grid import event, post
from tests.inventory import check_inventory
from tests.simulated import simulated_cloud
from tuneops.cli import app
from tuneops.events.reading import Events
from tuneops.events.record import Event

pytestmark = pytest.mark.slow
JOB_SECONDS = 4.0
"""Long enough for something to happen meanwhile."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud in which nothing is trained: it is about what happens around a training."""
    with simulated_cloud(tmp_path_factory.mktemp("events"), job_seconds=JOB_SECONDS) as running:
        yield running


def webhook(cloud: Cloud, body: bytes, **headers: str) -> httpx2.Response:
    """Post to the webhook as GitHub does, signed unless `headers` say otherwise."""
    secret = cloud.connection["github"]["webhook_secret"].encode()
    signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    given = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": signature,
    }
    sent = {**given, **{name.replace("_", "-"): value for name, value in headers.items()}}
    url = f"{cloud.connection['functions']['base_url']}/api/github"
    return httpx2.post(url, content=body, headers=sent, timeout=30)


def deliver(cloud: Cloud, function: str, *events: dict[str, Any]) -> None:
    """Deliver events to a function as Event Grid does."""
    answer = post(cloud.connection, function, *events)
    assert answer.is_success, answer.text


def blob_created(blob: str) -> dict[str, Any]:
    subject = f"/blobServices/default/containers/datasets/blobs/{blob}"
    return event("Microsoft.Storage.BlobCreated", subject, {"api": "PutBlob"})


def run_completed(job: str) -> dict[str, Any]:
    kind = "Microsoft.MachineLearningServices.RunCompleted"
    return event(
        kind, f"experiments/x/runs/{job}", {"runId": job, "runType": "azureml.PipelineRun"}
    )


def push(cloud: Cloud, commit: str = "0" * 40) -> bytes:
    repository = {"full_name": cloud.connection["github"]["repository"]}
    return json.dumps(
        {"ref": "refs/heads/main", "after": commit, "repository": repository}
    ).encode()


def pull_event(action: str, repository: str) -> bytes:
    pull = {"action": action, "number": 1, "pull_request": {"base": {"ref": "main"}}}
    return json.dumps({**pull, "repository": {"full_name": repository}}).encode()


def events_of(cloud: Cloud, project: str) -> list[Event]:
    """What became of the events that concern a project."""
    line = ["events", project, "--json", "--limit=1000", f"--state={cloud.state}"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    return Events.model_validate_json(done.stdout).events


def test_doubled_early_and_late_events_still_make_one_of_everything(cloud: Cloud) -> None:
    commit = cloud.merge({"once.yaml": config("once")})
    assert webhook(cloud, push(cloud, commit)).status_code == 202
    assert webhook(cloud, push(cloud, commit)).status_code == 202
    cloud.until("once", lambda seen: seen.phase == "Waiting for data")
    cloud.upload("once/chats.jsonl", some_rows())
    deliver(cloud, "on_dataset_uploaded", *[blob_created("once/chats.jsonl")] * 20)

    training = cloud.until_phase("once", 1, "Training").release
    assert training is not None
    assert training.job is not None
    deliver(cloud, "on_job_event", *[run_completed(training.job)] * 3)
    release = cloud.until_phase("once", 1, "Live").release
    assert release is not None
    deliver(cloud, "on_job_event", *[run_completed(training.job)] * 3)
    deliver(cloud, "on_dataset_uploaded", blob_created("once/chats.jsonl"))
    cloud.until_idle()

    assert cloud.jobs("once") == [release.job]
    assert len(cloud.models("once")) == 1
    assert cloud.traffic(release.endpoint) == {release.deployment: 100}
    project = cloud.status("once")
    assert project is not None
    assert project.release is not None
    assert project.release.number == 1
    kinds = [title.removeprefix("once: release 1 is ") for title in cloud.messages("once")]
    assert kinds == ["queued", "training", "trained", "live"]
    fates = {each.deliveries: each.fate for each in events_of(cloud, "once")}
    assert fates.keys() >= {1, 3, 20}
    assert set(fates.values()) <= {"acted", "merged"}


def test_a_completion_that_no_event_tells_of_is_found(cloud: Cloud) -> None:
    """The queue's own wake-ups carry a release on; the job's events are dropped on the way."""
    cloud.merge({"silent.yaml": config("silent")})
    cloud.upload("silent/chats.jsonl", some_rows())
    cloud.until_phase("silent", 1, "Training")
    cloud.kill("localcloud.platform")
    cloud.until_phase("silent", 1, "Live")


def test_a_lost_webhook_and_a_lost_wake_up_are_found_by_the_timer(cloud: Cloud) -> None:
    cloud.merge({"late.yaml": config("late")})
    cloud.upload("late/chats.jsonl", some_rows())
    cloud.until_phase("late", 1, "Training")
    cloud.queue.clear_messages()
    cloud.until_phase("late", 1, "Live", seconds=180)


@pytest.mark.soak
def test_a_host_that_is_killed_twice_loses_nothing(cloud: Cloud) -> None:
    name = "killed"
    cloud.merge({f"{name}.yaml": config(name)})
    cloud.until(name, lambda seen: seen.phase == "Waiting for data")
    cloud.upload(f"{name}/chats.jsonl", some_rows())
    for seconds in (1.0, 7.0):
        time.sleep(seconds)
        cloud.kill("localcloud.functions")
    release = cloud.until_phase(name, 1, "Live", seconds=200).release
    assert release is not None
    assert cloud.jobs(name) == [release.job]
    assert len(cloud.models(name)) == 1
    assert cloud.traffic(release.endpoint) == {release.deployment: 100}
    check_inventory(cloud, name)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"{}", {"x_hub_signature_256": "sha256=" + "0" * 64}, 401, id="wrong-hmac"),
        pytest.param(b"{}", {"x_hub_signature_256": "nonsense"}, 401, id="no-hmac-at-all"),
        pytest.param(b"{}", {"x_hub_signature_256": "sha256=\u00e9"}, 401, id="hmac-not-ascii"),
        pytest.param(b"x" * (6 * 1024 * 1024), {}, 413, id="too-large"),
        pytest.param(b"{nonsense", {}, 400, id="no-json"),
        pytest.param(b"[" * 100_000, {}, 400, id="deep-json"),
        pytest.param(b"\xff\xfe", {}, 400, id="no-utf-8"),
        pytest.param(b"{}", {}, 400, id="push-without-fields"),
        pytest.param(b"[]", {}, 400, id="push-is-a-list"),
        pytest.param(b"{}", {"content_type": "text/plain"}, 400, id="wrong-content-type"),
        pytest.param(b"{}", {"x_github_event": "star"}, 202, id="unknown-event"),
        pytest.param(b"{}", {"x_github_event": "ping"}, 200, id="ping"),
        pytest.param(b"{}", {"x_github_event": "pull_request"}, 400, id="pull-without-fields"),
        pytest.param(
            pull_event("labeled", "contoso/models"),
            {"x_github_event": "pull_request"},
            202,
            id="pull-that-changes-nothing",
        ),
        pytest.param(
            pull_event("opened", "another/one"),
            {"x_github_event": "pull_request"},
            202,
            id="pull-of-another-repository",
        ),
    ],
)
def test_deliveries_are_answered_rightly(
    cloud: Cloud, body: bytes, headers: dict[str, str], status: int
) -> None:
    encoded: Any = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = webhook(cloud, body, **encoded)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_a_pull_request_is_told_what_merging_it_would_do(cloud: Cloud) -> None:
    cloud.merge({"base.yaml": config("base")})
    head = cloud.propose("idea", {"idea.yaml": config("idea")})
    pull = cloud.github("pulls", {"title": "Idea", "head": "idea", "base": "main"})["number"]
    (text,) = comments_of(cloud, pull, head, "success")
    assert "| `idea` | `finetune/idea.yaml` | a model is trained |" in text
    assert "`base`" not in text

    broken = {"idea.yaml": {**config("idea"), "modle": {}}, "base.yaml": None}
    head = cloud.propose("idea", broken)
    (text,) = comments_of(cloud, pull, head, "failure")
    assert "did you mean 'model'?" in text
    assert "| `base` | `finetune/base.yaml` | its endpoint is deleted" in text

    small = config("idea", deployment={"instance_type": "Standard_F4s_v2"})
    head = cloud.propose("idea", {"idea.yaml": small})
    (text,) = comments_of(cloud, pull, head, "failure")
    assert "the model can't be served on Standard_F4s_v2; choose one of" in text

    done = planned_by_a_workflow(cloud, pull)
    assert done.exit_code == 1
    assert "the model can't be served on Standard_F4s_v2" in done.output
    (text,) = comments_of(cloud, pull, head, "failure")
    assert f"### TuneOps plan for {head[:12]}" in text
    assert "| its endpoint is deleted; models and data stay |" in text

    cloud.propose("idea", {"idea.yaml": config("idea"), "base.yaml": config("base", suspend=True)})
    done = planned_by_a_workflow(cloud, pull, "--json")
    assert done.exit_code == 2
    kinds = {each["project"]: each["outcome"]["kind"] for each in json.loads(done.stdout)}
    assert kinds == {"idea": "train", "base": "suspended"}


def planned_by_a_workflow(cloud: Cloud, pull: int, *options: str) -> Result:
    """What a workflow's step says on a pull request, in the working copy that was proposed."""
    github = cloud.connection["github"]
    environment = {
        "GITHUB_API_URL": github["api_url"],
        "GITHUB_REPOSITORY": github["repository"],
        "GITHUB_TOKEN": github["token"],
    }
    where = ["--against", "origin/main", "--pull", str(pull), "--state", str(cloud.state)]
    line = ["plan", str(cloud.work() / "finetune"), *where, *options]
    return CliRunner().invoke(app, line, env=environment)


def comments_of(cloud: Cloud, pull: int, head: str, state: str) -> list[str]:
    """The comments on a pull request, once its head has the plan's status."""

    def planned() -> bool:
        statuses = cloud.github(f"commits/{head}/statuses")
        return {s["state"] for s in statuses if s["context"] == "tuneops/plan"} == {state}

    deadline = time.monotonic() + 60
    while not planned():
        assert time.monotonic() < deadline, cloud.github(f"commits/{head}/statuses")
        time.sleep(0.3)
    return [str(each["body"]) for each in cloud.github(f"issues/{pull}/comments")]


def test_a_message_that_is_no_request_is_dropped(cloud: Cloud) -> None:
    for nonsense in (b"nonsense", b"{}", b'{"kind": "project", "project": "../x"}'):
        cloud.queue.send_message(base64.b64encode(nonsense).decode())
    cloud.until_idle()
    poison = cloud.connection["storage"]["connection_string"]
    with pytest.raises(ResourceNotFoundError):
        QueueClient.from_connection_string(poison, "reconcile-poison").get_queue_properties()
