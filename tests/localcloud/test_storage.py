"""The storage account: what changes in its containers becomes events."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from azure.storage.blob import BlobBlock, ContentSettings
from hypothesis import given
from hypothesis import strategies as st
from small_cloud import (
    DATASETS,
    FunctionApp,
    blobs,
    function_app,
    queues,
    run_cli,
    small_cloud,
    start_cli,
    until,
    write_manifest,
)

from localcloud.connection import Connection
from localcloud.manifest import EventSubscription
from localcloud.storage.blob_events import Blob
from localcloud.storage.snapshot import Snapshot, changes_between
from localcloud.storage.watcher import watched_containers

CREATED, DELETED = "Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with small_cloud(tmp_path_factory.mktemp("storage")) as running:
        yield running


@pytest.fixture(scope="module")
def app(connection: Connection) -> Iterator[FunctionApp]:
    with function_app(connection) as running:
        yield running


@pytest.fixture
def name(app: FunctionApp) -> str:
    """A blob of the test's own, with a name that URLs have to quote."""
    return f"team/{uuid.uuid4().hex[:8]} ü.jsonl"


def events_of(app: FunctionApp, name: str, kind: str = CREATED) -> list[dict]:
    return [event for event in app.events(kind) if event["subject"] == f"{DATASETS}{name}"]


def test_containers_and_queues_of_the_manifest_exist(connection: Connection) -> None:
    with blobs(connection) as service:
        assert {"datasets", "other"} <= {item.name for item in service.list_containers()}
    assert [queue.name for queue in queues(connection).list_queues()] == ["work"]


def test_a_message_that_has_expired_is_gone_and_others_stay(connection: Connection) -> None:
    queue = queues(connection).get_queue_client("work")
    for content, seconds in (("a", 1), ("b", 60), ("c", 1), ("d", 60)):
        queue.send_message(content, time_to_live=seconds)
    until(lambda: [message.content for message in queue.peek_messages(9)] == ["b", "d"])
    first = next(iter(queue.receive_messages()))
    queue.delete_message(first)
    assert [message.content for message in queue.peek_messages(9)] == ["d"]
    queue.clear_messages()


def test_an_upload_raises_the_documented_event(
    connection: Connection, app: FunctionApp, name: str
) -> None:
    client = blobs(connection).get_blob_client("datasets", name)
    written = client.upload_blob(
        b'{"a": 1}\n', content_settings=ContentSettings(content_type="application/jsonl")
    )
    [event] = until(lambda: events_of(app, name))
    assert event["topic"].endswith("/providers/Microsoft.Storage/storageAccounts/devstoreaccount1")
    assert event["metadataVersion"] == "1"
    data = event["data"]
    assert data["api"] == "PutBlob"
    assert data["blobType"] == "BlockBlob"
    assert data["contentLength"] == 9
    assert data["contentType"] == "application/jsonl"
    assert data["eTag"] == written["etag"].strip('"')
    assert unquote(data["url"]) == f"{connection.storage.blob_url}/datasets/{name}"
    assert data["url"].isascii()
    assert {"clientRequestId", "requestId", "sequencer", "storageDiagnostics"} <= data.keys()


def test_a_committed_block_list_is_told_from_a_put(
    connection: Connection, app: FunctionApp, name: str
) -> None:
    client = blobs(connection).get_blob_client("datasets", name)
    client.stage_block("YQ==", b"text")
    client.commit_block_list([BlobBlock("YQ==")])
    [event] = until(lambda: events_of(app, name))
    assert event["data"]["api"] == "PutBlockList"


def test_a_copy_is_told_from_a_put(connection: Connection, app: FunctionApp, name: str) -> None:
    source = blobs(connection).get_blob_client("other", "source")
    source.upload_blob(b"text", overwrite=True)
    blobs(connection).get_blob_client("datasets", name).start_copy_from_url(source.url)
    [event] = until(lambda: events_of(app, name))
    assert event["data"]["api"] == "CopyBlob"


def test_overwriting_raises_an_event_with_a_larger_sequencer(
    connection: Connection, app: FunctionApp, name: str
) -> None:
    client = blobs(connection).get_blob_client("datasets", name)
    client.upload_blob(b"one")
    until(lambda: events_of(app, name))
    client.upload_blob(b"two and more", overwrite=True)
    until(lambda: len(events_of(app, name)) == 2)
    first, second = sorted(events_of(app, name), key=lambda event: event["data"]["sequencer"])
    assert [first["data"]["contentLength"], second["data"]["contentLength"]] == [3, 12]
    assert first["id"] != second["id"]


def test_deleting_raises_an_event(connection: Connection, app: FunctionApp, name: str) -> None:
    client = blobs(connection).get_blob_client("datasets", name)
    client.upload_blob(b"text")
    until(lambda: events_of(app, name))
    client.delete_blob()
    [event] = until(lambda: events_of(app, name, DELETED))
    assert event["data"]["api"] == "DeleteBlob"
    assert event["data"]["sequencer"] > events_of(app, name)[0]["data"]["sequencer"]


def test_a_container_without_subscription_raises_nothing(
    connection: Connection, app: FunctionApp, name: str
) -> None:
    blobs(connection).get_blob_client("other", name).upload_blob(b"text")
    blobs(connection).get_blob_client("datasets", name).upload_blob(b"text")
    until(lambda: events_of(app, name))
    assert not [event for event in app.events() if "/containers/other/" in event["subject"]]


@pytest.mark.soak
def test_many_blobs_at_once_raise_one_event_each(connection: Connection, app: FunctionApp) -> None:
    folder = uuid.uuid4().hex
    container = blobs(connection).get_container_client("datasets")
    for number in range(300):
        container.upload_blob(f"{folder}/{number}", b"text")

    def subjects() -> list[str]:
        return [event["subject"] for event in app.events(CREATED) if folder in event["subject"]]

    until(lambda: len(subjects()) >= 300, 60)
    assert len(set(subjects())) == len(subjects()) == 300


@pytest.mark.slow
def test_a_restart_loses_no_blob_no_message_and_no_event(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    state = tmp_path_factory.mktemp("restart") / "state"
    try:
        first = start_cli(state, "storage")
        client = blobs(first).get_blob_client("datasets", "kept")
        client.upload_blob(b"text")
        queues(first).create_queue("kept").send_message("text")
        # There is no topic yet: the event waits. Azurite saves what it holds when it ends.
        assert run_cli("down", state).returncode == 0
        second = start_cli(state, "storage,platform")
        assert second.identity == first.identity
        with function_app(second) as app:
            [event] = until(lambda: events_of(app, "kept"))
            assert blobs(second).get_blob_client("datasets", "kept").download_blob().readall()
            [message] = queues(second).get_queue_client("kept").receive_messages()
            assert message.content == "text"
        assert run_cli("down", state).returncode == 0
        third = start_cli(state, "storage,platform")
        with function_app(third) as app:
            blobs(third).get_blob_client("datasets", "next").upload_blob(b"text")
            until(lambda: events_of(app, "next"))
            assert not events_of(app, "kept")
            assert events_of(app, "next")[0]["data"]["sequencer"] > event["data"]["sequencer"]
    finally:
        run_cli("down", state)


@pytest.mark.soak
def test_storage_in_memory_is_gone_when_it_has_ended(tmp_path: Path) -> None:
    state = tmp_path / "state"
    write_manifest(tmp_path, storage={"containers": ["datasets"], "in_memory": True})
    try:
        client = blobs(start_cli(state, "storage")).get_blob_client("datasets", "lost")
        client.upload_blob(b"text")
        assert client.download_blob().readall() == b"text"
        assert [path.name for path in (state / "azurite").iterdir()] == ["lock"]
        assert run_cli("down", state).returncode == 0
        again = blobs(start_cli(state, "storage"))
        assert not again.get_blob_client("datasets", "lost").exists()
        assert again.get_container_client("datasets").exists(), "what the manifest has is there"
    finally:
        run_cli("down", state)


ETAGS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"))


def as_blobs(etags: dict[str, str]) -> dict[str, Blob]:
    return {
        name: Blob("datasets", name, etag, "text/plain", "BlockBlob", 1)
        for name, etag in etags.items()
    }


@given(before=ETAGS, now=ETAGS)
def test_accepting_the_changes_leads_from_one_listing_to_the_next(
    before: dict[str, str], now: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    snapshot = Snapshot(tmp_path_factory.mktemp("snapshot") / "watcher.db")
    snapshot.accept(as_blobs(before).values(), [])
    changes = changes_between(snapshot.blobs("datasets"), as_blobs(now))
    assert {blob.name for blob in changes.created} == {
        name for name in now if before.get(name) != now[name]
    }
    snapshot.accept(changes.created, changes.deleted)
    assert snapshot.blobs("datasets") == as_blobs(now)
    snapshot.close()


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        pytest.param([], set(), id="nobody listens"),
        pytest.param([DATASETS, DATASETS + "team/"], {"datasets"}, id="one container twice"),
        pytest.param(["/blobServices/default/containers/data"], None, id="a prefix of a name"),
        pytest.param([DATASETS, ""], None, id="no filter means all"),
    ],
)
def test_watched_containers(prefixes: list[str], expected: set[str] | None) -> None:
    subscriptions = [
        EventSubscription(name=f"s-{n}", topic="storage", function="f", subject_begins_with=prefix)
        for n, prefix in enumerate(prefixes)
    ]
    other = EventSubscription(name="jobs", topic="workspace", function="f")
    assert watched_containers([*subscriptions, other]) == expected
