"""Data of the hub: a dataset on disk, and datasets of a hub on this machine."""

import io
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.config_text import config_of
from tests.hub_server import COMMIT, Hub
from tests.test_data import storage_of, stored
from tuneops.config import ProjectConfig
from tuneops.data import job
from tuneops.data.errors import DataError, DataUnavailableError, TooLargeError
from tuneops.data.hub import resolve_revision
from tuneops.data.job import Task
from tuneops.data.prepare import find_source, key_of, prepare, revision_of
from tuneops.data.settings import HubData
from tuneops.prepared import PreparedData
from tuneops.services import Services
from tuneops.settings import Settings

pytestmark = pytest.mark.slow
DATASET = "HuggingFaceH4/ultrachat_200k"
SMOKED = {"train": "train_sft", "test": "test_sft", "smoke": "test_gen"}
SPLITS = {"train_sft": 200, "test_sft": 40, "test_gen": 20}
README = b"""---
configs:
- config_name: default
  data_files:
  - {split: train_sft, path: data/train_sft*}
  - {split: test_sft, path: data/test_sft*}
---
"""
COUNTED = README.replace(
    b"configs:",
    b"""dataset_info:
  splits:
  - {name: train_sft, num_bytes: 20000, num_examples: 200}
  - {name: test_sft, num_bytes: 4000, num_examples: 40}
configs:""",
)


def turns(split: str, number: int) -> list[dict[str, str]]:
    return [
        {"content": f"{split} question {number}", "role": "user"},
        {"content": f"answer {number}", "role": "assistant"},
    ]


def row(split: str, number: int) -> dict[str, object]:
    prompt = {"prompt": f"{number}", "prompt_id": f"{split}{number}"}
    return {**prompt, "messages": turns(split, number)}


def as_jsonl(split: str, count: int) -> bytes:
    return "".join(f"{json.dumps(row(split, number))}\n" for number in range(count)).encode()


def as_parquet(split: str, first: int, end: int) -> bytes:
    from pyarrow import Table, parquet

    file = io.BytesIO()
    rows = [row(split, number) for number in range(first, end)]
    parquet.write_table(Table.from_pylist(rows), file)
    return file.getvalue()


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset in the working folder, under the name that it has on the hub."""
    folder = tmp_path / DATASET
    folder.mkdir(parents=True)
    for split, count in SPLITS.items():
        (folder / f"{split}.jsonl").write_bytes(as_jsonl(split, count))
    files = [{"split": split, "path": f"{split}.jsonl"} for split in SPLITS]
    configs = json.dumps([{"config_name": "default", "data_files": files}])
    (folder / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
    monkeypatch.chdir(tmp_path)
    return folder


def config(**more: object) -> ProjectConfig:
    given = {"source": "huggingface", "dataset": DATASET, "splits": SMOKED, **more}
    data = HubData.model_validate(given)
    return config_of("bot").model_copy(update={"data": data})


def test_splits_of_a_dataset_are_sampled_and_stored(on_disk: Path, services: Services) -> None:
    wanted = config(sample_percent=50)
    source = find_source(storage_of(services), wanted)
    assert source is not None
    data = prepare(storage_of(services), source, wanted, revision=COMMIT)
    assert data.revision == COMMIT
    assert 60 <= data.train_rows <= 140
    assert 8 <= data.test_rows <= 32
    train = stored(services, data.path("train")).splitlines()
    assert len(train) == data.train_rows
    assert all(b"train_sft question" in row for row in train)
    sample = json.loads(stored(services, f"{data.folder}/sample_score.json"))
    (conversation,) = sample["input_data"]["input_string"]
    assert conversation[-1]["content"].startswith("test_gen question")
    assert prepare(storage_of(services), source, wanted, revision=COMMIT) == data


def test_a_split_that_is_not_there_is_named(on_disk: Path, services: Services) -> None:
    wanted = config(splits={"train": "train_all", "test": "test_sft"})
    source = find_source(storage_of(services), wanted)
    assert source is not None
    with pytest.raises(DataError, match="train_all"):
        prepare(storage_of(services), source, wanted, revision=COMMIT)


def test_a_split_that_is_too_large_is_left_to_a_job(
    on_disk: Path, services: Services, tmp_path: Path
) -> None:
    storage = replace(storage_of(services), max_bytes=1000)
    wanted = config(sample_percent=50)
    source = find_source(storage, wanted)
    assert source is not None
    with pytest.raises(TooLargeError, match=f"split train_sft of {DATASET} holds more than 1,000"):
        prepare(storage, source, wanted, revision=COMMIT)

    folder = f"bot/{key_of(source, wanted, COMMIT)}"
    task = Task(config=wanted, source=source.name, folder=folder, revision=COMMIT)
    job.run(task, tmp_path / "out")
    for made in (tmp_path / "out").iterdir():
        blob = services.blobs.get_blob_client(storage.prepared, f"{folder}/{made.name}")
        blob.upload_blob(made.read_bytes())
    found = prepare(storage, source, wanted, revision=COMMIT)
    assert found.folder == folder
    alone = services.settings.model_copy(update={"prepared_container": f"{storage.prepared}-2"})
    services.blobs.create_container(alone.prepared_container)
    roomy = replace(storage_of(services), prepared=alone.prepared_container)
    assert prepare(roomy, source, wanted, revision=COMMIT) == found


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with one dataset in several forms, and some that can't be used."""
    parquet = {
        "data/train_sft-00000-of-00002.parquet": as_parquet("train_sft", 0, 100),
        "data/train_sft-00001-of-00002.parquet": as_parquet("train_sft", 100, 200),
        "data/test_sft-00000-of-00001.parquet": as_parquet("test_sft", 0, 40),
    }
    jsonl = {f"data/{split}.jsonl": as_jsonl(split, count) for split, count in SPLITS.items()}
    damaged = {**parquet, "data/train_sft-00000-of-00002.parquet": b"PAR1 nothing PAR1"}
    serving = Hub(
        datasets={
            DATASET: {"README.md": README, **parquet},
            "some/counted": {"README.md": COUNTED, **parquet},
            "some/lines": {"README.md": README, **jsonl},
            "some/damaged": {"README.md": README, **damaged},
            "some/gated": {"README.md": README, **parquet},
            "some/pictures": {"README.md": b"# Nothing to read", "cat.svg": b"<svg/>"},
            "some/scripted": {"README.md": b"# Old", "scripted.py": b"raise SystemExit"},
        },
        gated={"some/gated"},
        silent={"some/silent"},
    )
    file = "data/test_sft-00000-of-00001.parquet"
    away = f"{serving.url}/datasets/{DATASET}/resolve/{COMMIT}/{file}"
    path = tmp_path_factory.mktemp("machine") / "secret.parquet"
    path.write_bytes(parquet[file])
    for name, there in (("some/elsewhere", away), ("some/machine", str(path))):
        readme = README.replace(b"data/test_sft*", there.encode())
        serving.datasets[name] = {"README.md": readme, **parquet}
    yield serving
    serving.close()


@pytest.fixture(scope="module")
def away(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """A process whose hub this is: the hub's libraries ask which one when they are imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        # Where other tests have trained, the hub's libraries were told to stay at home.
        patch.setenv("HF_HUB_OFFLINE", "0")
        patch.setenv("HF_DATASETS_OFFLINE", "0")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("huggingface")))
        # The SDK leaves the name of the last test's cloud, which a new process can't know.
        patch.delenv("AZUREML_CURRENT_CLOUD", raising=False)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            process.submit(os.getpid).result()
            yield process


def prepared(settings: Settings, wanted: ProjectConfig) -> PreparedData:
    """What becomes of the dataset."""
    storage = storage_of(Services(settings))
    source = find_source(storage, wanted)
    assert source is not None
    return prepare(storage, source, wanted, revision_of(wanted, ""))


@pytest.mark.parametrize(
    ("dataset", "options", "train", "test"),
    [
        pytest.param(DATASET, {}, 200, 40, id="all"),
        pytest.param(DATASET, {"max_rows": 30}, 30, 30, id="first-rows"),
        pytest.param("some/counted", {"sample_percent": 25}, 50, 10, id="share-of-known-count"),
        pytest.param(
            "some/counted", {"sample_percent": 25, "max_rows": 20}, 20, 10, id="share-and-first"
        ),
        pytest.param("some/lines", {"max_rows": 30}, 30, 30, id="first-lines"),
    ],
)
def test_rows_are_streamed_as_far_as_they_are_used(
    hub: Hub,
    away: Executor,
    services: Services,
    dataset: str,
    options: dict[str, object],
    train: int,
    test: int,
) -> None:
    wanted = config(dataset=dataset, splits={"train": "train_sft", "test": "test_sft"}, **options)
    hub.read.clear()
    data = away.submit(prepared, services.settings, wanted).result()
    assert (data.revision, data.train_rows, data.test_rows) == (COMMIT, train, test)
    for part, split, count in (("train", "train_sft", train), ("test", "test_sft", test)):
        rows = map(json.loads, stored(services, data.path(part)).splitlines())
        assert [row["messages"] for row in rows] == [
            turns(split, number) for number in range(count)
        ]
    second_half = f"{dataset}/data/train_sft-00001-of-00002.parquet"
    assert (second_half in hub.read) == (train > 100)

    hub.read.clear()
    assert away.submit(prepared, services.settings, wanted).result() == data
    assert hub.read == []


@pytest.mark.parametrize(
    ("dataset", "problem", "said"),
    [
        (
            "some/gated",
            DataError,
            "is a gated dataset on the Hub. You must be authenticated to access it.",
        ),
        ("some/pictures", DataError, "No (supported) data files found"),
        ("some/elsewhere", DataError, "Data files don't belong to some/elsewhere"),
        ("some/machine", DataError, "Data files don't belong to some/machine"),
        ("some/scripted", DataError, "Dataset scripts are no longer supported"),
        ("some/damaged", DataError, "Parquet file size is 17 bytes"),
        ("some/absent", DataError, "is not on the hub, or is private: set HF_TOKEN"),
        ("some/silent", DataUnavailableError, "the hub does not answer"),
    ],
)
def test_a_dataset_that_can_not_be_used_says_why(
    away: Executor, services: Services, dataset: str, problem: type[Exception], said: str
) -> None:
    wanted = config(dataset=dataset, splits={"train": "train_sft", "test": "test_sft"})
    with pytest.raises(problem, match=re.escape(said)) as caught:
        away.submit(prepared, services.settings, wanted).result()
    assert dataset in str(caught.value)


def resolved(revision: str | None) -> str:
    """The commit of a revision."""
    data = {"source": "huggingface", "dataset": DATASET, "revision": revision}
    return resolve_revision(HubData.model_validate(data))


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_revision_is_pinned_to_its_commit(away: Executor, revision: str | None) -> None:
    assert away.submit(resolved, revision).result() == COMMIT


def test_a_revision_that_the_hub_has_not_is_said(away: Executor) -> None:
    with pytest.raises(DataError, match=r"has no revision v9 \(data.revision\)"):
        away.submit(resolved, "v9").result()
