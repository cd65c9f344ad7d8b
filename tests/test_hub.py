"""Data of the hub: a dataset on disk, and a hub on this machine that says which commit is which."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.config_text import config_of
from tests.test_data import storage_of, stored
from tuneops.config import HubData, ProjectConfig
from tuneops.data import job
from tuneops.data.errors import DataError, TooLargeError
from tuneops.data.job import Task
from tuneops.data.prepare import find_source, key_of, prepare
from tuneops.services import Services

pytestmark = pytest.mark.slow
COMMIT = "8049631c405ae6576f93f445c6b8166f76f5505a"
DATASET = "HuggingFaceH4/ultrachat_200k"
SMOKED = {"train": "train_sft", "test": "test_sft", "smoke": "test_gen"}
SPLITS = {"train_sft": 200, "test_sft": 40, "test_gen": 20}


def line(split: str, number: int) -> str:
    messages = [
        {"role": "user", "content": f"{split} question {number}"},
        {"role": "assistant", "content": f"answer {number}"},
    ]
    return json.dumps(
        {"prompt": f"{number}", "prompt_id": f"{split}{number}", "messages": messages}
    )


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset in the working folder, under the name that it has on the hub."""
    folder = tmp_path / DATASET
    folder.mkdir(parents=True)
    for split, count in SPLITS.items():
        rows = "".join(f"{line(split, number)}\n" for number in range(count))
        (folder / f"{split}.jsonl").write_text(rows)
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


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A hub that knows one dataset."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            known = path in (
                f"/api/datasets/{DATASET}",
                f"/api/datasets/{DATASET}/revision/main",
            )
            body = json.dumps({"id": DATASET, "sha": COMMIT} if known else {"error": "no"}).encode()
            self.send_response(200 if known else 404)
            if not known:
                missing = "RevisionNotFound" if DATASET in path else "RepoNotFound"
                self.send_header("X-Error-Code", missing)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def resolved(endpoint: str, dataset: str, revision: str | None) -> str:
    """What `resolve_revision` says in a process whose hub is at `endpoint`."""
    program = (
        "import json, sys\n"
        "from tuneops.config import HubData\n"
        "from tuneops.data import hub\n"
        "try:\n"
        "    print(hub.resolve_revision(HubData.model_validate(json.loads(sys.argv[1]))))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    data = {"source": "huggingface", "dataset": dataset, "revision": revision}
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(data)],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.stdout.strip() or done.stderr


def test_a_revision_is_pinned_to_its_commit(endpoint: str) -> None:
    assert resolved(endpoint, DATASET, None) == COMMIT
    assert resolved(endpoint, DATASET, "main") == COMMIT


def test_what_the_hub_has_not_is_said(endpoint: str) -> None:
    assert "has no revision v9 (data.revision)" in resolved(endpoint, DATASET, "v9")
    assert "is not on the hub, or is private" in resolved(endpoint, "someone/else", None)


def test_a_hub_that_does_not_answer_is_waited_for() -> None:
    assert resolved("http://127.0.0.1:1", DATASET, None).startswith("DataUnavailableError")
