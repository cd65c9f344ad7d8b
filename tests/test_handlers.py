"""What the handlers put on the queue, with real storage."""

import base64
import json
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from handlers import config_merged, dataset_uploaded, job_event, reconcile, resync
from tests.config_text import config_of
from tuneops import documents
from tuneops.gitops.repository import FileState, Repository
from tuneops.release import Desired
from tuneops.services import Services

CREATED = "Microsoft.Storage.BlobCreated"
COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"
CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
BLOBS = "/blobServices/default/containers/{}/blobs/"


@pytest.fixture
def known(services: Services) -> Services:
    """Services that know the projects bot and twin, which share their data."""
    files = {
        f"finetune/{name}.yaml": FileState(sha=name, project=name, data_path="chats/")
        for name in ("bot", "twin")
    }
    services.store.update(documents.REPOSITORY, Repository, lambda _: Repository(files=files))
    for name in ("bot", "twin"):
        wanted = Desired(project=name, commit="c", path="p", config=config_of(name))
        services.store.update(documents.desired(name), Desired, lambda _, w=wanted: w)
    return services


def requests(services: Services) -> list[dict[str, Any]]:
    """What is on the queue, which is empty afterwards."""
    settings = services.settings
    assert settings.storage_connection_string is not None
    connection = settings.storage_connection_string.get_secret_value()
    client = QueueClient.from_connection_string(connection, settings.reconcile_queue)
    found = [json.loads(base64.b64decode(m.content)) for m in client.receive_messages()]
    client.clear_messages()
    return found


@pytest.mark.parametrize(
    ("kind", "subject", "data", "projects"),
    [
        pytest.param(CREATED, "chats/a.jsonl", {"api": "PutBlob"}, ["bot", "twin"], id="put"),
        pytest.param(CREATED, "chats/a.jsonl", {"api": "PutBlockList"}, ["bot", "twin"], id="list"),
        pytest.param(CREATED, "chats/a.jsonl", {"api": "CreateFile"}, [], id="still-empty"),
        pytest.param(CREATED, "chats/a.csv.gz", {"api": "PutBlob"}, ["bot", "twin"], id="csv"),
        pytest.param(CREATED, "chats/x/_SUCCESS", {"api": "PutBlob"}, ["bot", "twin"], id="mark"),
        pytest.param(CREATED, "chats/a.txt", {"api": "PutBlob"}, [], id="no-data"),
        pytest.param(CREATED, "other/a.jsonl", {"api": "PutBlob"}, [], id="nobodys"),
        pytest.param(CREATED, "chats-2/a.jsonl", {"api": "PutBlob"}, [], id="longer-folder"),
        pytest.param("Microsoft.Storage.BlobDeleted", "chats/a.jsonl", {}, [], id="deleted"),
        pytest.param(CREATED, "chats/a.jsonl", ["PutBlob"], [], id="data-is-a-list"),
    ],
)
def test_uploaded_data_is_looked_at_by_the_projects_that_train_on_it(
    known: Services, kind: str, subject: str, data: object, projects: list[str]
) -> None:
    subject = BLOBS.format(known.settings.datasets_container) + subject
    assert dataset_uploaded.handle(kind, subject, data, known) == projects
    assert [request["project"] for request in requests(known)] == projects


@pytest.mark.parametrize(
    ("kind", "data", "project"),
    [
        pytest.param(COMPLETED, {"runId": "bot-0123456789ab"}, "bot", id="completed"),
        pytest.param(CHANGED, {"runId": "bot-0123456789ab-2"}, "bot", id="second-attempt"),
        pytest.param(COMPLETED, {"runId": "cat-0123456789ab"}, None, id="no-such-project"),
        pytest.param(COMPLETED, {"runId": "0c3ee2e6-e3e0"}, None, id="child-run"),
        pytest.param(COMPLETED, {"runId": ["bot"]}, None, id="run-id-is-a-list"),
        pytest.param(COMPLETED, "nonsense", None, id="no-data"),
        pytest.param("Other", {"runId": "bot-0123456789ab"}, None, id="another-event"),
    ],
)
def test_a_job_event_has_its_project_looked_at(
    known: Services, kind: str, data: object, project: str | None
) -> None:
    assert job_event.handle(kind, data, known) == project
    assert [request["project"] for request in requests(known)] == ([project] if project else [])


def test_the_timer_asks_for_everything(services: Services) -> None:
    resync.handle(services)
    kinds = [{"kind": kind} for kind in ("repository", "projects", "pull_requests")]
    assert requests(services) == kinds


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b'{"kind": "project"}', b"\xff", b"[" * 9999]
)
def test_a_message_that_is_no_request_is_dropped(services: Services, body: bytes) -> None:
    reconcile.handle(body, services)
    assert requests(services) == []


def test_headers_of_any_case_and_absence_are_borne(services: Services) -> None:
    for headers in ({}, {"X-GitHub-Event": "push"}, {"CONTENT-TYPE": "application/json"}):
        status, _ = config_merged.handle(headers, b"{}", services)
        assert status == 401
    assert requests(services) == []
