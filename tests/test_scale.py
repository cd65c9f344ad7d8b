"""What keeps the work bounded when there are many projects: pages, parts, places, shared looks."""

import base64
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.storage.queue import QueueClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from handlers import dataset_uploaded, project_page, status
from tests.cloud import jsonl, some_rows
from tests.config_text import config_of
from tests.page_samples import failed, keep, release, training
from tests.served import served
from tuneops import documents
from tuneops.azureml.resource_graph import MAX_PAGES, PAGE_ROWS
from tuneops.cli.target import Target
from tuneops.data.places import NoPlaceError, place
from tuneops.desired import Desired
from tuneops.gathering import DELAY, MANY, SHARED, Gathered, look_at_all
from tuneops.gitops.github import MAX_PULL_PAGES
from tuneops.gitops.repository import FileState, Repository
from tuneops.gitops.snapshot import File
from tuneops.gitops.tree import MAX_FILES, SIDE_BY_SIDE
from tuneops.looks import ROUND, TURN_AFTER, TURNS, Look, Note, View, due
from tuneops.notify.health import Health
from tuneops.notify.mailbox import Mailbox
from tuneops.notify.reminding import remind
from tuneops.page.asked import Asked
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase
from tuneops.resync import MAX_LOOKS
from tuneops.services import Services
from tuneops.sources import MAX_SOURCES
from tuneops.status import Status, read_status
from tuneops.store import reading_once

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WANTED = Desired(project="bot", commit="c" * 40, path="p", config=config_of("bot"))
STORAGE = "azure.core.pipeline.policies.http_logging_policy"


@contextmanager
def storage_calls(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What storage is asked while the block lasts."""
    found: list[str] = []
    caplog.clear()
    with caplog.at_level(logging.INFO, logger=STORAGE):
        yield found
    found += [each.message for each in caplog.records if "Request method" in each.message]


def queued(services: Services) -> list[str]:
    """What can be taken from the queue now, or is on its way there; it is empty afterwards."""
    connection = services.settings.storage_connection_string
    assert connection is not None
    name = services.settings.reconcile_queue
    client = QueueClient.from_connection_string(connection.get_secret_value(), name)
    count = client.get_queue_properties().approximate_message_count
    taken = [base64.b64decode(each.content).decode() for each in client.receive_messages()]
    client.clear_messages()
    return [*taken, *["later"] * ((count or 0) - len(taken))]


@given(st.integers(1, 500))
@settings(max_examples=10, deadline=None)
def test_every_project_has_its_turn_within_as_many_resyncs(count: int) -> None:
    seen, begun = View(wanted="w", found="f"), NOW - TURN_AFTER
    notes = {f"p{n}": Note(look=Look(view=seen, at=begun)) for n in range(count)}
    rounds = 0
    while chosen := due(dict.fromkeys(notes, seen), notes, {}, NOW):
        assert len(chosen) <= max(TURNS, count // ROUND + 1)
        notes |= {name: Note(look=Look(view=seen, at=NOW)) for name in chosen}
        rounds += 1
    assert rounds <= ROUND


def test_data_of_many_projects_is_looked_at_once_whatever_the_number_of_files(
    services: Services,
) -> None:
    files = {
        f"{n}.yaml": FileState(sha="s", project=f"p-{n}", data_path="shared/")
        for n in range(MANY + 1)
    }
    services.store.write(documents.repository(""), Repository(files=files), None)
    prefix = f"/blobServices/default/containers/{services.settings.datasets_container}/blobs/"
    for number in range(20):
        subject = f"{prefix}shared/{number}.jsonl"
        created = "Microsoft.Storage.BlobCreated"
        found = dataset_uploaded.handle(str(number), created, subject, {"api": "PutBlob"}, services)
        assert len(found) == MANY + 1
    assert queued(services) == ["later"]


def test_a_shared_look_begins_after_all_who_share_it(services: Services) -> None:
    asked = (0.0, 1.0, SHARED.total_seconds() - 1, SHARED.total_seconds() + 1)
    for seconds in asked:
        look_at_all(services, NOW + timedelta(seconds=seconds))
    assert queued(services) == ["later"] * 2
    assert SHARED < DELAY


@pytest.mark.parametrize("left", [b"{", Gathered(at=NOW + timedelta(days=1)).model_dump_json()])
def test_what_stands_there_of_an_earlier_look_keeps_none_back(
    services: Services, left: bytes
) -> None:
    container = services.blobs.get_container_client(services.settings.state_container)
    container.upload_blob(documents.GATHERED, left)
    look_at_all(services, NOW)
    look_at_all(services, NOW)
    assert queued(services) == ["later"]


def test_a_look_that_can_not_be_noted_is_asked_for_all_the_same(services: Services) -> None:
    noted = services.state.upload_blob(documents.GATHERED, b"{")
    noted.acquire_lease()
    look_at_all(services, NOW)
    look_at_all(services, NOW)
    assert queued(services) == ["later"] * 2


def test_who_asks_for_a_look_waits_for_no_silent_storage(services: Services, storage: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = "{}:{}".format(*silent.getsockname())
        blobs = re.sub(r"BlobEndpoint=http://[^/]+", f"BlobEndpoint=http://{host}", storage)
        changed = {"storage_connection_string": SecretStr(blobs)}
        begun = time.monotonic()
        with pytest.raises(AzureError):
            look_at_all(Services(services.settings.model_copy(update=changed)), NOW)
    assert time.monotonic() - begun < 4


def test_the_status_comes_in_pages_that_the_command_puts_together(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"p-{number}" for number in range(5)]
    for name in names:
        services.store.write(documents.desired(name), WANTED.replace(project=name), None)
    monkeypatch.setattr(status, "PAGE", 2)
    first = Status.model_validate_json(status.handle(None, services)[1])
    assert ([each.name for each in first.projects], first.next) == (names[:2], "p-1")
    with served(services) as (url, answered):
        seen = Target(url, "").status()
        assert [each.name for each in seen.projects] == names
        assert (len(answered), seen.next) == (3, None)
        assert [each.name for each in Target(url, "").status("p-4").projects] == ["p-4"]
    assert read_status(services) == seen


def test_a_page_of_the_status_that_is_just_full_has_no_next(services: Services) -> None:
    services.store.write(documents.desired("bot"), WANTED, None)
    assert read_status(services, limit=1).next is None
    assert read_status(services, "bot", limit=1).next is None
    assert read_status(services, after="bot", limit=1).projects == []


def test_mailboxes_are_listed_once(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        services.store.write(documents.mailbox("teams", f"p-{number}"), Mailbox(), None)
    path = documents.health("teams", "")
    services.store.write(path, Health(channel="teams", last_success=NOW), None)
    with storage_calls(caplog) as asked:
        remind(services, NOW)
    assert sum("comp=" in each for each in asked) == 1 + 2, "the channels are listed twice"


def test_a_page_reads_each_document_once(
    services: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEOPS_PAGE_URL", "http://127.0.0.1:7071")
    keep(services, release("bot", 1), training("bot", 2), live=1)
    seen = Asked("/projects/bot", headers={"host": "127.0.0.1"}, parameters={"project": "bot"})
    project_page.handle(seen, services)
    with storage_calls(caplog) as asked:
        assert project_page.handle(seen, services).status == 200
    assert len(asked) == len(set(asked)) <= 12


def test_what_is_read_once_is_read_again_afterwards_and_before_it_is_changed(
    services: Services,
) -> None:
    store, path = services.store, documents.project("bot")
    store.write(path, Project(name="bot"), None)
    with reading_once():
        assert store.read(path, Project) == store.read(path, Project)
        store.update(path, Project, lambda _: Project(name="bot", current=1))
        store.update(path, Project, lambda known: Project(name="bot", live=known and known.current))
    found = store.read(path, Project)
    assert found is not None
    assert found.value.live == 1


@pytest.mark.parametrize(
    ("newest", "seconds"),
    [(training("bot", 2), 2), (failed("bot", 2, "no"), 10), (release("bot", 2), 10)],
    ids=["training", "failed", "live"],
)
def test_a_page_is_asked_for_less_often_while_nothing_is_under_way(
    services: Services, monkeypatch: pytest.MonkeyPatch, newest: Any, seconds: int
) -> None:
    monkeypatch.setenv("TUNEOPS_PAGE_URL", "http://127.0.0.1:7071")
    keep(services, release("bot", 1), newest, live=1)
    for number in ("", "2"):
        parameters = {"project": "bot", "number": number}
        asked = Asked("/", headers={"host": "127.0.0.1"}, parameters=parameters)
        handle = project_page.handle_release if number else project_page.handle
        assert f'data-every="{seconds}"' in handle(asked, services).body.decode()


def test_data_waits_for_a_place_and_nobody_waits_with_it(services: Services) -> None:
    store = services.store
    store.write(documents.desired("bot"), WANTED, None)
    data = services.blobs.get_container_client(services.settings.datasets_container)
    data.upload_blob("bot/a.jsonl", jsonl(some_rows()))
    with place():
        with pytest.raises(NoPlaceError), place():
            pass
        reconcile_project(ProjectRequest(project="bot"), services)
    waits = services.release("bot", 1)
    assert waits is not None
    assert (waits.value.phase, waits.value.data, waits.value.trouble) == (
        Phase.PREPARING,
        None,
        None,
    )
    assert queued(services) == ["later"]
    reconcile_project(ProjectRequest(project="bot"), services)
    goes_on = services.release("bot", 1)
    assert goes_on is not None
    assert goes_on.value.data is not None


class Blobs(BaseHTTPRequestHandler):
    """GitHub's blobs, each of which says its id; `most` were asked for at the same time."""

    lock, now, most = Lock(), 0, 0

    def do_GET(self) -> None:
        with Blobs.lock:
            Blobs.now += 1
            Blobs.most = max(Blobs.most, Blobs.now)
        time.sleep(0.02)
        with Blobs.lock:
            Blobs.now -= 1
        sha = self.path.rpartition("/")[2]
        body = json.dumps({"content": base64.b64encode(sha.encode()).decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_files_of_a_push_are_read_side_by_side(services: Services) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blobs)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        changed = services.settings.model_copy(update={"github_api_url": address})
        files = [File(f"finetune/{number}.yaml", f"sha-{number}") for number in range(40)]
        found = Services(changed).github.contents(files)
    finally:
        server.shutdown()
        server.server_close()
    assert found == {file.path: file.sha.encode() for file in files}
    assert 1 < Blobs.most <= SIDE_BY_SIDE


def test_the_document_says_what_the_code_bounds() -> None:
    root = Path(__file__).parents[1]
    said = (root / "docs" / "scale.md").read_text()
    host = json.loads((root / "host.json").read_text())["extensions"]["queues"]
    for bound in (
        f"{MAX_SOURCES} sources, {MAX_FILES:,} configs",
        f"{MAX_PULL_PAGES} pages of 100 open pull requests",
        f"at most {MAX_LOOKS:,} in a tick",
        f"{status.PAGE} projects to a page",
        f"turn within {ROUND} ticks",
        f"up to {MANY}; more share one resync in {SHARED.seconds} seconds",
        f"{MAX_PAGES * PAGE_ROWS:,}\nendpoints and deployments",
        f"| {host['batchSize']}, {host['newBatchThreshold']} |",
        f"| {host['maxDequeueCount']}, {int(host['visibilityTimeout'][-2:])} s |",
    ):
        assert bound in said, bound
