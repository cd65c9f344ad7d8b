"""From uploaded or hub data to what the pipeline takes: checked, split, stored under its digest."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice

from azure.storage.blob import BlobServiceClient, ContainerClient

from tuneops.config import HubData, ProjectConfig
from tuneops.data import hub, upload
from tuneops.data.errors import DataError
from tuneops.data.parts import TEST, TRAIN, VALIDATION, Parts
from tuneops.data.rows import question
from tuneops.release import PreparedData, Source

MAX_QUESTIONS = 20
SAMPLE_PARAMETERS = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200}
SAMPLE, QUESTIONS = "sample_score.json", "questions.jsonl"


@dataclass(frozen=True)
class Storage:
    """Where data comes from and goes to; `max_bytes` bounds what a function prepares."""

    blobs: BlobServiceClient
    datasets: str
    prepared: str
    max_bytes: int


def find_source(storage: Storage, config: ProjectConfig) -> Source | None:
    """The data that the config means now; None while nothing was uploaded.

    For hub data the version is what the config says: which commit that is, `prepare` finds out.
    """
    data = config.data
    if isinstance(data, HubData):
        return Source(name=data.dataset, version=data.revision or "", size=0)
    return upload.newest_source(storage.blobs, storage.datasets, data.path)


def prepare(
    storage: Storage, source: Source, config: ProjectConfig, known_revision: str = ""
) -> PreparedData:
    """Check and split the rows of `source` and store them in the container for prepared data.

    Writes ``PROJECT/DIGEST/train.jsonl``, ``test.jsonl``, ``validation.jsonl`` if there are such
    rows, ``questions.jsonl`` and ``sample_score.json``; doing it again writes the same bytes to
    the same place. `known_revision` is the hub's commit to use when the config names none.

    Raises:
        DataError: the data is too large, too broken or has too few rows.
        DataChangedError: the blob is not the one that `source` names any more.
        DataUnavailableError: the hub can't be read now.
    """
    with _open(storage, source, config, known_revision) as parts:
        target = storage.blobs.get_container_client(storage.prepared)
        return _store(parts, target, f"{config.name}/{parts.digest}")


def _open(
    storage: Storage, source: Source, config: ProjectConfig, known_revision: str
) -> AbstractContextManager[Parts]:
    data = config.data
    if isinstance(data, HubData):
        pinned = known_revision if data.revision is None else ""
        return hub.open_parts(data, pinned or hub.resolve_revision(data), storage.max_bytes)
    return upload.open_parts(storage.blobs, storage.datasets, source, data, storage.max_bytes)


def _store(parts: Parts, target: ContainerClient, folder: str) -> PreparedData:
    for part in parts.parts:
        target.upload_blob(f"{folder}/{part.name}.jsonl", part.lines(), overwrite=True)
    questions = list(islice(_questions(parts), MAX_QUESTIONS))
    if not questions:
        raise DataError("no row of the smoke split has a question to ask")
    lines = (json.dumps(asked, ensure_ascii=False).encode() + b"\n" for asked in questions)
    target.upload_blob(f"{folder}/{QUESTIONS}", lines, overwrite=True)
    target.upload_blob(f"{folder}/{SAMPLE}", sample_score(questions[0]), overwrite=True)
    return PreparedData(
        digest=parts.digest,
        folder=folder,
        revision=parts.revision,
        train_rows=parts.rows(TRAIN),
        validation_rows=parts.rows(VALIDATION),
        test_rows=parts.rows(TEST),
        questions=len(questions),
        rejected_rows=parts.rejected,
        rejections=parts.rejections,
    )


def _questions(parts: Parts) -> Iterator[list[dict[str, str]]]:
    for line in parts.questions():
        asked = question(line)
        if asked:
            yield [message.model_dump() for message in asked]


def sample_score(conversation: list[dict[str, str]]) -> bytes:
    """The tutorial's ``sample_score.json`` for a conversation that ends with a question."""
    body = {
        "input_data": {"input_string": [conversation], "parameters": SAMPLE_PARAMETERS},
        "params": {},
    }
    return json.dumps(body, indent=2, ensure_ascii=False).encode()
