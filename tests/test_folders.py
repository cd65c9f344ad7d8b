"""Digests of the folders that training data lies in."""

from typing import Any

import pytest
from azure.storage.blob import BlobProperties

from tuneops.data.errors import DataUnavailableError
from tuneops.data.folders import digests, digests_of
from tuneops.services import Services


def blob(name: str, etag: str = "1", size: int = 1) -> BlobProperties:
    return BlobProperties(name=name, ETag=etag, **{"Content-Length": size})


FOLDERS = ("bot/", "bot/more/", "empty/", "other/")


def test_a_folder_has_the_digest_of_what_lies_in_it_however_deep() -> None:
    found = digests_of(
        [
            blob("a.jsonl"),
            blob("bot/a.jsonl", size=7),
            blob("bot/more/deep/b.csv"),
            blob("x/a.csv"),
        ],
        FOLDERS,
    )
    assert found == {"bot/": "d8f9c10f8408", "bot/more/": "39a071dc5f85"}


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        pytest.param(blob("bot/notes.md"), True, id="what-is-no-data"),
        pytest.param(blob("elsewhere/b.jsonl"), True, id="in-another-folder"),
        pytest.param(blob("bot.jsonl"), True, id="in-none"),
        pytest.param(blob("bot/b.jsonl"), False, id="another-file"),
        pytest.param(blob("bot/set/_SUCCESS"), False, id="a-folder-is-complete"),
    ],
)
def test_a_folders_digest_is_of_its_data_alone(changed: BlobProperties, same: bool) -> None:
    before = [blob("bot/a.jsonl")]
    for blobs in ([changed, *before], [*before, changed]):
        assert (digests_of(blobs, FOLDERS) == digests_of(before, FOLDERS)) is same


@pytest.mark.parametrize("change", [{"etag": "2"}, {"size": 2}, {"name": "bot/b.jsonl"}])
def test_a_folders_digest_is_of_names_versions_and_sizes(change: dict[str, Any]) -> None:
    before: dict[str, Any] = {"name": "bot/a.jsonl"}
    assert digests_of([blob(**before)], FOLDERS) != digests_of([blob(**(before | change))], FOLDERS)


def test_a_containers_folders_are_read_from_storage(services: Services) -> None:
    service, container = services.blobs, services.settings.datasets_container
    datasets = service.get_container_client(container)
    for name in ("bot/a.jsonl", "bot/more/b.csv", "bot/notes.md", "x/a.csv"):
        datasets.upload_blob(name, b"{}\n")
    found = digests(service, container, FOLDERS)
    assert found == digests_of(datasets.list_blobs(), FOLDERS)
    assert [*found] == ["bot/", "bot/more/"]


def test_a_container_that_is_not_there_is_named(services: Services) -> None:
    with pytest.raises(DataUnavailableError, match=r"^container gone does not exist; create it$"):
        digests(services.blobs, "gone", FOLDERS)
