"""``kill -9`` of the functions host while it delivers: nothing is lost, the order holds."""

import json
import os
import uuid
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient
from pydantic import SecretStr

from localcloud.connection import Connection
from localcloud.provision import provision
from tests.localcloud.functions_host import MANIFEST, ROOT, running_host
from tests.planned import NOW, until
from tests.receiver import receiving
from tuneops import documents
from tuneops.message import Message
from tuneops.notify.mailbox import read_note
from tuneops.notify.post import post
from tuneops.services import Services

pytestmark = pytest.mark.slow
PROJECTS = [f"bot-{n}" for n in range(6)]
EACH = 10


def connection_for(state: Path, services: Services) -> Connection:
    """A host that serves TuneOps with the storage account alone; GitHub does not answer."""
    state.mkdir()
    s = services.settings
    assert s.storage_connection_string is not None
    storage = s.storage_connection_string.get_secret_value()
    settings = {
        "AzureWebJobsStorage": storage,
        "TUNEOPS_SUBSCRIPTION_ID": s.subscription_id,
        "TUNEOPS_RESOURCE_GROUP": s.resource_group,
        "TUNEOPS_WORKSPACE": s.workspace,
        "TUNEOPS_STATE_CONTAINER": s.state_container,
        "TUNEOPS_RECONCILE_QUEUE": s.reconcile_queue,
        "TUNEOPS_GITHUB_API_URL": "http://127.0.0.1:9",
        "TUNEOPS_GITHUB_REPOSITORY": "contoso/models",
        "TUNEOPS_GITHUB_TOKEN": "token",
        "TUNEOPS_GITHUB_WEBHOOK_SECRET": "secret",
        "TUNEOPS_NOTIFY_URLS": json.dumps([each.get_secret_value() for each in s.notify_urls]),
        "TUNEOPS_RESYNC_SCHEDULE": "*/2 * * * * *",
    }
    manifest = state / "manifest.yaml"
    manifest.write_text(yaml.safe_dump({**MANIFEST, "app_settings": settings}))
    connection = provision(state, ROOT, state / "cache", manifest)
    connection.save()
    return connection


def let_leases_end(services: Services) -> None:
    """As time does: the leases of a worker that was killed run out in 20 seconds."""
    container = services.blobs.get_container_client(services.settings.state_container)
    for name in container.list_blob_names(name_starts_with="carriers/"):
        try:
            BlobLeaseClient(container.get_blob_client(name)).break_lease(0)
        except HttpResponseError:
            continue


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.soak)])
def test_nothing_is_lost_or_out_of_order(services: Services, tmp_path: Path, kills: int) -> None:
    with receiving(seconds=0.1) as receiver:
        changes = {"notify_urls": [SecretStr(receiver.url())], "deliver_queue": "deliver"}
        office = Services(services.settings.model_copy(update=changes))
        expected = {
            project: [f"{project}: message {n}" for n in range(EACH)] for project in PROJECTS
        }
        connection = connection_for(tmp_path / "state", office)
        for project, titles in expected.items():
            messages = [
                Message(
                    key=uuid.uuid4().hex,
                    event="live",
                    title=title,
                    text="What happened.",
                    at=NOW,
                    project=project,
                    release=1,
                )
                for title in titles
            ]
            post(office, project, messages, office.people)
        for kill in range(kills):
            with running_host(connection) as host:
                until(lambda: len(receiver.titles) > 45 * (kill + 1) / (kills + 1))  # noqa: B023
                os.killpg(host.process.pid, 9)
            let_leases_end(office)
        assert owed(office), "the last one has something to do"
        with running_host(connection):
            until(lambda: not owed(office))
        for project, titles in expected.items():
            told = [title for title in receiver.titles if title.startswith(f"{project}:")]
            assert list(dict.fromkeys(told)) == titles
            again = [now for before, now in pairwise(told) if before == now]
            assert len(told) == len(titles) + len(again), "what is repeated follows itself"
            assert len(again) <= kills * len(PROJECTS)


def owed(services: Services) -> int:
    listed = services.store.listed(documents.MAILBOXES)
    return sum(read_note(each.note).waiting for each in listed)
