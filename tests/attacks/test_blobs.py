"""Events of blobs that lead elsewhere: to other accounts, other addresses, other folders."""

import json
import socket
from typing import Any

import pytest

from handlers import dataset_uploaded
from tests.attacks.site import Site, unchanged
from tests.config_text import config_of
from tuneops.config_file import InvalidConfigError, parse_config
from tuneops.data import upload
from tuneops.data.errors import DataError
from tuneops.desired import Source
from tuneops.services import Services

CREATED = "Microsoft.Storage.BlobCreated"
PLATFORM = "http://169.254.169.254/metadata/identity/oauth2/token"


@pytest.fixture
def spoken_to(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """Every address that something connects to."""
    found: set[Any] = set()
    connect = socket.socket.connect

    def noting(self: socket.socket, address: Any) -> None:
        found.add(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noting)
    return found


def told(site: Site, blob: str, **data: Any) -> dict[str, Any]:
    """The event of a blob in the datasets' container."""
    container = site.services.settings.datasets_container
    return {
        "id": "e-1",
        "eventType": CREATED,
        "subject": f"/blobServices/default/containers/{container}/blobs/{blob}",
        "eventTime": "2026-11-26T18:30:00Z",
        "dataVersion": "1",
        "topic": "/subscriptions/s",
        "data": {"api": "PutBlob", **data},
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.blob.core.windows.net/datasets/chats/a.jsonl",
        "https://devstoreaccount1x.blob.core.windows.net/datasets/chats/a.jsonl",
        "https://evil.example/devstoreaccount2/chats/a.jsonl",
        "https://user@evil.example/chats/a.jsonl",
        PLATFORM,
        "file:///etc/passwd",
        "http://[nonsense/chats/a.jsonl",
    ],
)
def test_an_event_of_another_account_is_refused(site: Site, spoken_to: set[Any], url: str) -> None:
    with unchanged(site.services) as recorded:
        event = told(site, "chats/a.jsonl", url=url)
        assert site.publish("on_dataset_uploaded", event).status_code == 202
    (found,) = recorded
    assert (found.fate, found.arrival.why) == ("refused", "it is about another storage account")
    assert {host for host, *_ in spoken_to} <= {"127.0.0.1"}, "our own storage alone is spoken to"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:10000/devstoreaccount1/datasets/chats/a.jsonl",
        "https://devstoreaccount1.blob.core.windows.net/datasets/chats/a.jsonl",
        "https://devstoreaccount1.dfs.core.windows.net/datasets/chats/a.jsonl",
        None,
        {"href": PLATFORM},
    ],
)
def test_an_event_of_our_account_is_taken(victim: Services, url: Any) -> None:
    subject = f"/blobServices/default/containers/{victim.settings.datasets_container}/blobs/"
    found = dataset_uploaded._weigh(
        CREATED, f"{subject}chats/a.jsonl", {"api": "PutBlob", "url": url}, victim
    )
    assert (found.verdict, found.projects) == ("taken", ["bot"])


@pytest.mark.parametrize(
    "blob",
    [
        "../chats/a.jsonl",
        "%2e%2e/chats/a.jsonl",
        "..\\chats\\a.jsonl",
        "/chats/a.jsonl",
        "//chats/a.jsonl",
        "./chats/a.jsonl",
        "CHATS/a.jsonl",
        "chats\x00/a.jsonl",
        "chats%2fa.jsonl",
        "chats/a.jsonl\x00.txt",
        "chats/a.jsonl/",
        "chats",
        "",
        "x" * 10_000 + ".jsonl",
        "chat\u0455/a.jsonl",
    ],
)
def test_a_blob_whose_name_leaves_its_folder_is_nobodys(site: Site, blob: str) -> None:
    with unchanged(site.services) as recorded:
        assert site.publish("on_dataset_uploaded", told(site, blob)).status_code == 202
    (found,) = recorded
    assert found.fate == "ignored"
    assert found.arrival.subject.isprintable()
    assert len(found.arrival.subject) <= 500


@pytest.mark.parametrize("container", ["", "../state", "tuneops", "datasets/../tuneops", "{}x"])
def test_a_blob_of_another_container_is_nobodys(site: Site, container: str) -> None:
    own = site.services.settings.datasets_container
    event = told(site, "chats/a.jsonl")
    subject = event["subject"].replace(own, container.format(own))
    with unchanged(site.services) as recorded:
        event = {**event, "subject": subject}
        assert site.publish("on_dataset_uploaded", event).status_code == 202
    assert [each.fate for each in recorded] == ["ignored"]


@pytest.mark.parametrize(
    "name", ["../other/a.jsonl", "/etc/passwd", PLATFORM, "..%2fa.jsonl", "a.jsonl\x00"]
)
def test_a_manifest_that_names_what_lies_elsewhere_is_refused(victim: Services, name: str) -> None:
    container = victim.settings.datasets_container
    client = victim.blobs.get_container_client(container)
    for path, text in (
        ("secret/manifest.json", json.dumps({"files": [name]})),
        ("secret/a.jsonl", '{"a": 1}\n'),
        ("other/a.jsonl", '{"a": 1}\n'),
    ):
        client.upload_blob(path, text.encode(), overwrite=True)
    source = upload.newest_source(victim.blobs, container, "secret/")
    assert isinstance(source, Source)
    with unchanged(victim), pytest.raises(DataError, match="is no data file there"):
        upload.inputs(victim.blobs, container, source, 1024)


@pytest.mark.parametrize(
    "data",
    [
        f"{{path: '{PLATFORM}'}}",
        "{path: ../state}",
        "{path: '..%2fstate'}",
        "{path: /state}",
        "{path: 'chats\\..\\state'}",
        "{path: chats//state}",
        "{path: chats/../state}",
        '{path: "chats\\0"}',
        '{path: "chats\\n"}',
        f"{{source: huggingface, dataset: '{PLATFORM}'}}",
        "{source: huggingface, dataset: ../../etc}",
        "{source: huggingface, dataset: a/b, revision: 'https://evil.example'}",
        "{source: huggingface, dataset: a/b, revision: '/../x'}",
        "{source: huggingface, dataset: a/b, splits: {train: 'https://evil.example/a'}}",
        "{source: https, path: chats}",
    ],
)
def test_a_config_that_names_another_place_is_refused(data: str) -> None:
    text = f"name: bot\nmodel: {{name: m}}\ndata: {data}\n"
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(text, "finetune/bot.yaml")
    assert all(each.field.startswith("data") for each in caught.value.errors)
    assert all(each.line == 3 for each in caught.value.errors)


@pytest.mark.parametrize(
    "extra",
    [
        f"endpoint: {{name: '{PLATFORM}'}}\n",
        f"compute: {{name: '{PLATFORM}'}}\n",
        "training: {component: '../component'}\n",
        "endpoint: {identity: {type: user_assigned, user_assigned_identities: ['http://x']}}\n",
        f"notifications: {{channels: ['{PLATFORM}']}}\n",
        f"behaviour: {{sets: [{{name: a, path: '{PLATFORM}'}}]}}\n",
    ],
)
def test_no_field_of_a_config_takes_an_address(extra: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        config_of("bot", extra)
    assert caught.value.errors[0].field.partition(".")[0] == extra.partition(":")[0]
