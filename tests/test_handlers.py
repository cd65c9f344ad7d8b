"""What the handlers put on the queue, with real storage."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from azure.storage.queue import QueueClient
from pydantic import SecretStr

from handlers import (
    config_merged,
    dataset_uploaded,
    job_event,
    reconcile,
    resync,
    summary,
    swept,
)
from tests.config_text import config_of
from tuneops import documents, ticks
from tuneops.desired import Desired
from tuneops.gitops.repository import FileState, Repository
from tuneops.names import project_key
from tuneops.queue import ProjectRequest, PullRequestRequest, RepositoryRequest, Request
from tuneops.services import Services
from tuneops.sources import ConfigSource
from tuneops.status import read_status
from tuneops.sweep.finding import Finding
from tuneops.sweep.record import Record
from tuneops.sweep.resource import Kind
from tuneops.ticks import Tick

CREATED = "Microsoft.Storage.BlobCreated"
COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"
CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
JOB = "bot-0123456789ab"
BLOBS = "/blobServices/default/containers/{}/blobs/"


@pytest.fixture
def known(services: Services) -> Services:
    """Services that know the projects bot and twin, which share their data."""
    files = {
        f"finetune/{name}.yaml": FileState(sha=name, project=name, data_path="chats/")
        for name in ("bot", "twin")
    }
    services.store.update(documents.repository(""), Repository, lambda _: Repository(files=files))
    for name in ("bot", "twin"):
        wanted = Desired(project=name, commit="c", path="p", config=config_of(name))
        services.store.update(documents.desired(name), Desired, lambda _, w=wanted: w)
    return services


def requests(services: Services, queue: str = "") -> list[dict[str, Any]]:
    """What is on the queue, `reconcile` unless another is named, which is empty afterwards."""
    settings = services.settings
    assert settings.storage_connection_string is not None
    connection = settings.storage_connection_string.get_secret_value()
    client = QueueClient.from_connection_string(connection, queue or settings.reconcile_queue)
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
    assert dataset_uploaded.handle("e1", kind, subject, data, known) == projects
    assert [request["project"] for request in requests(known)] == projects


@pytest.mark.parametrize(
    ("kind", "data", "project"),
    [
        pytest.param(COMPLETED, {"runId": "bot-0123456789ab"}, "bot", id="completed"),
        pytest.param(CHANGED, {"runId": "bot-0123456789ab-2"}, "bot", id="second-attempt"),
        pytest.param(
            CHANGED, {"runId": "bot-0123456789ab", "runStatus": "Running"}, None, id="under-way"
        ),
        pytest.param(
            CHANGED, {"runId": "bot-0123456789ab", "runStatus": "Failed"}, "bot", id="failed"
        ),
        pytest.param(
            CHANGED, {"runId": "bot-0123456789ab", "runStatus": "Completed"}, None, id="told-twice"
        ),
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
    assert job_event.handle("e1", kind, data, known) == ([project] if project else [])
    assert [request["project"] for request in requests(known)] == ([project] if project else [])


SOURCES = (
    ConfigSource(environment="", repository="contoso/models"),
    ConfigSource(environment="staging", repository="contoso/models", branch="staging"),
    ConfigSource(environment="eu", repository="Contoso/Models", workspace="eu"),
    ConfigSource(environment="labs", repository="contoso/labs"),
)


@pytest.fixture
def several(services: Services) -> Services:
    """Services of four environments, the first without a name."""
    changes = {"sources": SOURCES, "github_repository": None}
    return Services(services.settings.model_copy(update=changes))


def test_the_timer_asks_for_everything(several: Services) -> None:
    resync.handle(several)
    environments = ("", "staging", "eu", "labs")
    assert requests(several) == [
        *({"kind": "repository", "environment": each, "event": ""} for each in environments),
        {"kind": "projects"},
        *({"kind": "pull_requests", "environment": each} for each in environments),
    ]
    assert requests(several, several.settings.deliver_queue) == [{"kind": "mailboxes"}]


def test_the_daily_timer_asks_for_each_environment(several: Services) -> None:
    summary.handle(several)
    asked = requests(several)
    assert [each["environment"] for each in asked] == ["", "staging", "eu", "labs"]
    assert {(each["kind"], each["day"], each["tries"]) for each in asked} == {
        ("summary", datetime.now(UTC).date().isoformat(), 0)
    }


@pytest.mark.parametrize(
    ("event", "repository", "branch", "environments"),
    [
        ("push", "contoso/models", "main", ["", "eu"]),
        ("push", "contoso/models", "staging", ["staging"]),
        ("push", "CONTOSO/labs", "main", ["labs"]),
        ("push", "contoso/models", "other", []),
        ("push", "contoso/other", "main", []),
        ("pull_request", "contoso/models", "main", ["", "eu"]),
        ("pull_request", "contoso/models", "staging", ["staging"]),
        ("pull_request", "contoso/labs", "staging", []),
    ],
)
def test_a_delivery_concerns_the_sources_of_its_branch(
    several: Services, event: str, repository: str, branch: str, environments: list[str]
) -> None:
    body: dict[str, Any] = {"repository": {"full_name": repository}}
    if event == "push":
        body |= {"ref": f"refs/heads/{branch}"}
    else:
        body |= {"action": "opened", "number": 7, "pull_request": {"base": {"ref": branch}}}
    deliver(several, event, body)
    asked = requests(several)
    assert [each["environment"] for each in asked] == environments
    assert {each["kind"] for each in asked} <= {"repository", "pull_request"}


@pytest.mark.parametrize(
    ("changes", "count"), [({"title": {"from": "a"}}, 0), ({"base": {"ref": {"from": "a"}}}, 1)]
)
def test_another_title_asks_for_no_review(
    several: Services, changes: dict[str, Any], count: int
) -> None:
    pull = {"action": "edited", "number": 7, "pull_request": {"base": {"ref": "staging"}}}
    repository = {"full_name": "contoso/models"}
    deliver(several, "pull_request", {**pull, "repository": repository, "changes": changes})
    assert len(requests(several)) == count


def test_a_tag_that_is_called_like_a_branch_is_none(several: Services) -> None:
    body = {"ref": "refs/tags/main", "repository": {"full_name": "contoso/models"}}
    deliver(several, "push", body)
    assert requests(several) == []


def test_a_secret_that_key_vault_did_not_give_opens_nothing(several: Services) -> None:
    reference = SecretStr("@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/s)")
    changed = several.settings.model_copy(update={"github_webhook_secret": reference})
    guessed = Services(changed)
    body = {"ref": "refs/heads/main", "repository": {"full_name": "contoso/models"}}
    deliver(guessed, "push", body, HTTPStatus.SERVICE_UNAVAILABLE)
    assert requests(several) == []


def deliver(
    services: Services, event: str, body: dict[str, Any], expected: int = HTTPStatus.ACCEPTED
) -> None:
    """A delivery as GitHub signs it."""
    content = json.dumps(body).encode()
    secret = services.settings.github_webhook_secret.get_secret_value().encode()
    headers = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "1",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret, content, 'sha256').hexdigest()}",
        "Content-Type": "application/json",
    }
    status, _ = config_merged.handle(headers, content, services)
    assert status == expected


def test_data_is_looked_at_in_every_environment_that_trains_on_it(several: Services) -> None:
    for environment in ("", "staging"):
        key = project_key(environment, "bot")
        files = {"finetune/bot.yaml": FileState(sha="s", project=key, data_path="chats/")}
        read = Repository(environment=environment, files=files)
        several.store.write(documents.repository(environment), read, etag=None)
    subject = BLOBS.format(several.settings.datasets_container) + "chats/a.jsonl"
    found = dataset_uploaded.handle("e1", CREATED, subject, {"api": "PutBlob"}, several)
    assert found == ["bot", "staging.bot"]


def test_a_job_event_of_a_named_environment_has_its_project_looked_at(several: Services) -> None:
    wanted = Desired(project="staging.bot", commit="c", path="p", config=config_of("bot"))
    several.store.write(documents.desired("staging.bot"), wanted, etag=None)
    data = {"runId": "staging_bot-0123456789ab"}
    assert job_event.handle("e1", COMPLETED, data, several) == ["staging.bot"]


@pytest.mark.parametrize(
    "request_",
    [
        RepositoryRequest(environment="gone"),
        PullRequestRequest(environment="gone", number=1),
        ProjectRequest(project="gone.bot"),
    ],
)
def test_a_request_of_a_dropped_environment_has_no_effect(
    several: Services, request_: Request
) -> None:
    wanted = Desired(project="gone.bot", commit="c", path="p", config=config_of("bot"))
    several.store.write(documents.desired("gone.bot"), wanted, etag=None)
    reconcile.handle(request_.model_dump_json().encode(), several)
    assert requests(several) == []
    shown = {documents.cards("gone.bot")}
    assert set(several.store.paths("")) - shown == {documents.desired("gone.bot")}
    (seen,) = read_status(several, "gone.bot").projects
    assert seen.reason == "left as it is: environment gone is not in TUNEOPS_SOURCES"


def test_the_status_tells_of_a_channel_that_is_not_there(several: Services) -> None:
    config = config_of("bot", "notifications: {channels: [ml]}")
    wanted = Desired(project="staging.bot", commit="c", path="p", config=config)
    several.store.write(documents.desired("staging.bot"), wanted, etag=None)
    (seen,) = read_status(several, "staging.bot").projects
    assert seen.unheard == "notifications.channels: TUNEOPS_CHANNELS has no channel 'ml'"


@pytest.mark.parametrize(
    ("workspace", "code"), [pytest.param("eu", 200, id="known"), pytest.param("us", 409, id="gone")]
)
def test_what_was_swept_outlives_its_environment(
    several: Services, workspace: str, code: int
) -> None:
    path = several.of("eu").workspace.id.removesuffix("/eu")
    identifier, moment = "0123456789ab", datetime(2026, 1, 1, tzinfo=UTC)
    finding = Finding(
        id=identifier,
        resource=f"{path}/{workspace}/onlineEndpoints/bot",
        kind=Kind.ENDPOINT,
        label="endpoint bot",
        project="gone.bot",
        why="",
        found_at=moment,
        since=moment,
        seen=moment,
        unused_since=moment,
    )
    record = Record(finding=finding, environment="gone", at=moment, gone_at=moment, parts=())
    several.store.write(documents.swept(identifier), record, etag=None)
    found, said = swept.handle_restore(identifier, {}, b"", several)
    assert found == code, said
    assert [each["kind"] for each in requests(several)] == ["restore"] * (code == 200)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b'{"kind": "project"}', b"\xff", b"[" * 9999]
)
def test_a_message_that_is_no_request_is_dropped(services: Services, body: bytes) -> None:
    reconcile.handle(body, services)
    assert requests(services) == []


def test_a_message_of_a_later_version_is_left_to_that(services: Services) -> None:
    with pytest.raises(reconcile.UnknownKindError, match="later"):
        reconcile.handle(b'{"kind": "later", "environment": ""}', services)


def test_headers_of_any_case_and_absence_are_borne(services: Services) -> None:
    for headers in ({}, {"X-GitHub-Event": "push"}, {"CONTENT-TYPE": "application/json"}):
        status, _ = config_merged.handle(headers, b"{}", services)
        assert status == 401
    assert requests(services) == []


def test_a_delivery_that_is_too_large_is_not_read(services: Services) -> None:
    body = b" " * (config_merged.MAX_BODY_BYTES + 1)
    status, said = config_merged.handle({"X-GitHub-Event": "push"}, body, services)
    assert (status, said) == (413, "at most 5242880 bytes are read")
    assert requests(services) == []


def test_a_timer_notes_when_it_ran_whatever_the_order(services: Services) -> None:
    resync.handle(services)
    first = services.store.read(documents.tick("resync"), Tick)
    assert first is not None
    assert first.value.before is None
    later = first.value.at + timedelta(minutes=5)
    for at in (later, first.value.at, later):
        ticks.note(services.store, "resync", at)
    seen = services.store.read(documents.tick("resync"), Tick)
    assert seen is not None
    assert seen.value == Tick(at=later, before=first.value.at)
