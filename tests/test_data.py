"""Preparing data against Azurite: files, folders, splits, digests; and what can't be used."""

import gzip
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.cloud import jsonl, some_rows
from tests.config_text import config_of
from tests.planned import NOW, release
from tuneops.act import act
from tuneops.actions import PrepareData
from tuneops.config import ProjectConfig
from tuneops.data.errors import DataChangedError, DataError
from tuneops.data.places import NoPlaceError, place
from tuneops.data.prepare import Storage, find_source, prepare
from tuneops.desired import Source
from tuneops.prepared import PreparedData
from tuneops.services import Services


def prepared(services: Services, source: Source, **data: Any) -> PreparedData:
    return prepare(storage_of(services), source, config(**data))


def config(**data: Any) -> ProjectConfig:
    base = config_of("bot")
    return base.model_copy(update={"data": base.data.model_copy(update=data)})


def storage_of(services: Services) -> Storage:
    return Storage(
        blobs=services.blobs,
        datasets=services.settings.datasets_container,
        prepared=services.settings.prepared_container,
        max_bytes=10**6,
    )


def put(services: Services, name: str, content: bytes) -> None:
    container = services.settings.datasets_container
    services.blobs.get_blob_client(container, name).upload_blob(content, overwrite=True)


def found(services: Services) -> Source:
    source = find_source(storage_of(services), config_of("bot"))
    assert source is not None
    return source


def uploaded(services: Services, content: bytes, name: str = "bot/a.jsonl") -> Source:
    put(services, name, content)
    return found(services)


def stored(services: Services, path: str) -> bytes:
    blob = services.blobs.get_blob_client(services.settings.prepared_container, path)
    return bytes(blob.download_blob().readall())


def test_data_is_checked_split_and_stored_under_its_digest(services: Services) -> None:
    content = b"\n".join([jsonl(some_rows(50)), b"", b"nonsense"])
    data = prepared(services, uploaded(services, content), max_invalid_percent=5.0)
    assert (data.train_rows + data.test_rows, data.rejected_rows) == (50, 1)
    assert data.rejections == (
        "bot/a.jsonl:52: is no JSON: invalid literal, expected 'null' at column 1",
    )
    train = stored(services, data.path("train")).splitlines()
    test = stored(services, data.path("test")).splitlines()
    assert (len(train), len(test)) == (data.train_rows, data.test_rows)
    sample = json.loads(stored(services, f"{data.folder}/sample_score.json"))
    (question,) = sample["input_data"]["input_string"]
    assert question == json.loads(test[0])["messages"][:-1]
    rejected = json.loads(stored(services, f"{data.folder}/rejected.jsonl"))
    assert (rejected["line"], rejected["row"]) == (52, "nonsense")
    report = json.loads(stored(services, f"{data.folder}/report.json"))
    assert (report["read"], report["rejected"]) == (51, 1)
    assert report["parts"]["train"]["tokens"] == data.tokens > 0
    page = stored(services, f"{data.folder}/report.html").decode()
    assert "bot/a.jsonl:52: is no JSON" in page


def test_rows_that_are_longer_than_the_config_allows_are_counted(services: Services) -> None:
    source = uploaded(services, jsonl(some_rows(20)))
    config = config_of("bot", "training: {parameters: {max_seq_length: 4}}\n")
    assert prepare(storage_of(services), source, config).cut_rows == 20


def test_what_is_prepared_already_is_not_prepared_again(services: Services) -> None:
    source = uploaded(services, jsonl(some_rows(20)))
    first = prepared(services, source)
    container = services.blobs.get_container_client(services.settings.datasets_container)
    container.delete_blob(source.name)
    assert prepared(services, source) == first


def test_equal_rows_are_stored_once_whatever_file_they_come_in(services: Services) -> None:
    rows = jsonl(some_rows(30))
    first = prepared(services, uploaded(services, rows))
    again = prepared(services, uploaded(services, gzip.compress(rows), "bot/b.jsonl.gz"))
    assert again.digest == first.digest
    assert again.files == first.files
    assert again.folder != first.folder
    assert stored(services, f"{again.folder}/report.json")
    listed = services.blobs.get_container_client(services.settings.prepared_container)
    assert f"{again.folder}/train.jsonl" not in listed.list_blob_names()


def test_a_row_keeps_its_side_when_data_is_added(services: Services) -> None:
    before = prepared(services, uploaded(services, jsonl(some_rows(100))))
    held_out = set(stored(services, before.path("test")).splitlines())
    after = prepared(services, uploaded(services, jsonl(some_rows(200))))
    assert after.digest != before.digest
    assert held_out <= set(stored(services, after.path("test")).splitlines())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"nonsense\n", "has no valid row: bot/a.jsonl:1: is no JSON", id="no-row"),
        pytest.param(jsonl(some_rows(1)), "at least two different rows", id="one-row"),
        pytest.param(jsonl(some_rows(1) * 3), "at least two different rows", id="one-row-thrice"),
        pytest.param(jsonl(some_rows(5)) + b"\nx\ny", "28.57 % bad rows", id="too-many-bad-rows"),
        pytest.param(b"x" * (10**6 + 1), "the limit is 1,000,000", id="too-large"),
    ],
)
def test_data_that_cannot_be_used_says_why(services: Services, content: bytes, reason: str) -> None:
    source = uploaded(services, content)
    with pytest.raises(DataError) as caught:
        prepared(services, source)
    assert reason in str(caught.value)
    prepared_blobs = services.blobs.get_container_client(services.settings.prepared_container)
    assert list(prepared_blobs.list_blob_names()) == []


def test_data_that_is_replaced_meanwhile_is_noticed(services: Services) -> None:
    source = uploaded(services, jsonl(some_rows(9)))
    uploaded(services, jsonl(some_rows(8)))
    with pytest.raises(DataChangedError):
        prepared(services, source)


def test_a_file_of_many_ranges_is_read_whole(services: Services) -> None:
    rows = [(f"What is {n}?", f"{n} " * 900) for n in range(3000)]
    content = jsonl(rows)
    assert len(content) > 2 * 4 * 1024 * 1024
    source = uploaded(services, content)
    storage = replace(storage_of(services), max_bytes=10**9)
    data = prepare(storage, source, config())
    assert data.train_rows + data.test_rows == 3000
    train = [json.loads(row) for row in stored(services, data.path("train")).splitlines()]
    test = [json.loads(row) for row in stored(services, data.path("test")).splitlines()]
    seen = {row["messages"][0]["content"]: row["messages"][1]["content"] for row in train + test}
    assert seen == dict(rows)


def test_a_parquet_file_is_read_from_its_blob(services: Services) -> None:
    from pyarrow import Table
    from pyarrow.parquet import write_table

    rows = some_rows(40)
    buffer = io.BytesIO()
    table = Table.from_pylist([{"prompt": q, "completion": a} for q, a in rows])
    write_table(table, buffer)
    data = prepared(services, uploaded(services, buffer.getvalue(), "bot/a.parquet"))
    assert data.digest == prepared(services, uploaded(services, jsonl(rows), "bot/b.jsonl")).digest


class TestFolders:
    def test_a_folder_is_trained_on_when_it_is_complete(self, services: Services) -> None:
        put(services, "bot/first.jsonl", jsonl(some_rows(4)))
        put(services, "bot/new/part-1.jsonl", jsonl(some_rows(20)))
        put(services, "bot/new/part-2.jsonl", jsonl(some_rows(30)[20:]))
        assert found(services).name == "bot/first.jsonl"
        put(services, "bot/new/_SUCCESS", b"")
        source = found(services)
        assert source.name == "bot/new/"
        data = prepared(services, source)
        whole = prepared(services, uploaded(services, jsonl(some_rows(30)), "bot/whole.jsonl"))
        assert data.digest == whole.digest

    def test_a_manifest_names_the_files(self, services: Services) -> None:
        put(services, "bot/new/b.jsonl", jsonl(some_rows(20)))
        put(services, "bot/new/a.jsonl", jsonl(some_rows(30)[20:]))
        put(services, "bot/new/left-out.jsonl", b"nonsense")
        put(services, "bot/new/manifest.json", b'{"files": ["b.jsonl", "a.jsonl"]}')
        data = prepared(services, found(services))
        assert data.train_rows + data.test_rows == 30
        assert stored(services, f"{data.folder}/report.json")

    def test_the_projects_own_folder_may_be_one(self, services: Services) -> None:
        put(services, "bot/part-1.jsonl", jsonl(some_rows(9)))
        put(services, "bot/_SUCCESS", b"")
        assert found(services).name == "bot/"

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({"manifest.json": b'{"files": ["a.jsonl"]}'}, "names bot/new/a.jsonl, which is no"),
            ({"manifest.json": b"[]"}, 'manifest.json must be {"files"'),
            ({"manifest.json": b'{"files": ["../x.jsonl"]}'}, "which is no data file there"),
            ({"_SUCCESS": b""}, "is complete, but has no data file"),
        ],
    )
    def test_a_folder_that_cannot_be_used_says_why(
        self, services: Services, files: dict[str, bytes], reason: str
    ) -> None:
        for name, content in files.items():
            put(services, f"bot/new/{name}", content)
        with pytest.raises(DataError) as caught:
            prepared(services, found(services))
        assert reason in str(caught.value)

    def test_a_folder_that_changes_meanwhile_is_noticed(self, services: Services) -> None:
        put(services, "bot/new/a.jsonl", jsonl(some_rows(9)))
        put(services, "bot/new/_SUCCESS", b"")
        source = found(services)
        put(services, "bot/new/a.jsonl", jsonl(some_rows(8)))
        with pytest.raises(DataChangedError):
            prepared(services, source)


def test_what_is_prepared_waits_for_no_other_preparation(services: Services) -> None:
    begun = release().replace(source=uploaded(services, jsonl(some_rows(40))))
    with place():
        with pytest.raises(NoPlaceError):
            act(PrepareData(), begun, services, NOW)
        made = prepare(services.storage, begun.source, begun.config)
        assert act(PrepareData(), begun, services, NOW).data == made
