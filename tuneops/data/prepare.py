"""From uploaded or hub data to what the pipeline takes, in the container for prepared data."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import ValidationError

from tuneops import names, smoke
from tuneops.config import ProjectConfig, SmokeTest
from tuneops.data import hub, preparation, upload
from tuneops.data.errors import DataError, TooLargeError, storage_errors
from tuneops.data.outputs import BlobFolder, Sink
from tuneops.data.preparation import (
    MAX_QUESTIONS,
    REJECTED,
    REPORT_HTML,
    REPORT_JSON,
    Input,
    Prepared,
    RowSource,
    Wanted,
)
from tuneops.data.rows import Message
from tuneops.data.settings import HubData
from tuneops.data.split import PARTS, TEST, TRAIN, VALIDATION
from tuneops.desired import Source
from tuneops.prepared import PreparedData

SAMPLE, QUESTIONS, PREPARED = "sample_score.json", "questions.jsonl", "prepared.json"
DESCRIPTIONS = {REJECTED, REPORT_JSON, REPORT_HTML, QUESTIONS, SAMPLE}
"""The files that describe the rows; `PREPARED` is written last."""


@dataclass(frozen=True)
class Storage:
    """Where an environment's data comes from and goes to.

    `max_bytes` bounds what a function prepares.
    """

    blobs: BlobServiceClient
    datasets: str
    prepared: str
    max_bytes: int
    processes: int = 1
    environment: str = ""

    def project(self, config: ProjectConfig) -> str:
        """The project whose config this is; what is prepared for it stands below its name."""
        return names.project_key(self.environment, config.name)


def find_source(storage: Storage, config: ProjectConfig) -> Source | None:
    """The data that the config means now; None while nothing was uploaded.

    For hub data the version is what the config says: which commit that is, `prepare` finds out.
    """
    data = config.data
    if isinstance(data, HubData):
        return Source(name=data.dataset, version=data.revision or "", size=0)
    return upload.newest_source(storage.blobs, storage.datasets, data.path)


def prepared(
    storage: Storage, source: Source, config: ProjectConfig, revision: str = ""
) -> PreparedData | None:
    """What `prepare` has made already of just this, if it has.

    Raises:
        DataUnavailableError: it can't be read now.
    """
    with storage_errors(f"container {storage.prepared}"):
        target = storage.blobs.get_container_client(storage.prepared)
        return _read(target, f"{_folder(storage, source, config, revision)}/{PREPARED}")


def prepare(
    storage: Storage, source: Source, config: ProjectConfig, revision: str = ""
) -> PreparedData:
    """Check and split the rows of `source` and store them in the container for prepared data.

    All that is made stands below ``PROJECT/KEY``, where the key names the source and how it is
    prepared: what is there already is not made again. Files of equal rows are stored once: of
    those only the report is new. `revision` is the commit of a hub dataset.

    Raises:
        TooLargeError: a job has to prepare it.
        DataError: the data is too broken or has too few rows.
        DataChangedError: the blob is not the one that `source` names any more.
        DataUnavailableError: it can't be read now.
    """
    with storage_errors(f"container {storage.prepared}"):
        return _prepare(storage, source, config, revision)


def _prepare(
    storage: Storage, source: Source, config: ProjectConfig, revision: str
) -> PreparedData:
    project = storage.project(config)
    folder = _folder(storage, source, config, revision)
    target = storage.blobs.get_container_client(storage.prepared)
    done = _read(target, f"{folder}/{PREPARED}")
    if done:
        return done
    with BlobFolder.open(target, folder) as sink:
        inputs = _inputs(storage, source, config, revision)
        data = make(inputs, config, sink, source.name, folder, revision, storage.processes)
        before = _read(target, _by_digest(project, data.digest))
        known = before is not None and _exist(target, before.files.values())
        files = before.files if before and known else data.files
        sink.commit(DESCRIPTIONS | (set() if known else {f"{part}.jsonl" for part in PARTS}))
    data = data.replace(files=files)
    _write(target, _by_digest(project, data.digest), data)
    _write(target, f"{folder}/{PREPARED}", data)
    return data


def _folder(storage: Storage, source: Source, config: ProjectConfig, revision: str) -> str:
    return f"{storage.project(config)}/{key_of(source, config, revision)}"


def make(
    inputs: Sequence[RowSource],
    config: ProjectConfig,
    sink: Sink,
    source: str,
    folder: str,
    revision: str = "",
    processes: int = 1,
) -> PreparedData:
    """Write the rows of `inputs` and what describes them to `sink`, and say what they are.

    Raises:
        DataError: the data is too broken or has too few rows.
    """
    made = preparation.prepare(inputs, wanted(config), sink, source, processes=processes)
    asked = _questions(config, revision, made)
    sink.write(QUESTIONS, b"".join(json.dumps(q).encode() + b"\n" for q in asked))
    sink.write(SAMPLE, sample_score(asked[0], config.smoke_test))
    return _described(made, folder, revision, len(asked))


def files_of(storage: Storage, source: Source) -> tuple[str, ...]:
    """The names of a completed folder's files in it, in their order; none for a single file.

    Raises:
        DataError, DataChangedError: see `upload.inputs`.
    """
    if not source.name.endswith("/"):
        return ()
    found = upload.inputs(storage.blobs, storage.datasets, source, storage.max_bytes)
    return tuple(each.name.removeprefix(source.name) for each in found)


def key_of(source: Source, config: ProjectConfig, revision: str = "") -> str:
    """Names data and how it is prepared; `revision` is the commit of a hub dataset."""
    length = config.training.parameters.max_seq_length
    deciding = {"data": config.data.model_dump(), "max_seq_length": length}
    return names.digest(source.model_dump(), revision, deciding)


def wanted(config: ProjectConfig) -> Wanted:
    """How a config's data is prepared."""
    data = config.data
    common: dict[str, Any] = {
        "shape": data.shape,
        "max_invalid_percent": data.max_invalid_percent,
        "on_duplicate": data.on_duplicate,
        "max_seq_length": config.training.parameters.max_seq_length or -1,
    }
    if isinstance(data, HubData):
        return Wanted(**common)
    return Wanted(
        **common,
        max_rows=data.max_rows,
        test_percent=data.test_percent,
        validation_percent=data.validation_percent,
        sample_percent=data.sample_percent,
    )


def sample_score(conversation: list[Message], settings: SmokeTest) -> bytes:
    """The tutorial's ``sample_score.json`` for a conversation that ends with a question."""
    body = smoke.request(conversation, settings)
    return json.dumps(body, indent=2, ensure_ascii=False).encode()


def revision_of(config: ProjectConfig, known: str) -> str:
    """The commit of a hub dataset: `known` if the config leaves it open; empty for uploaded data.

    Raises:
        DataError: the hub has no such dataset or revision.
        DataUnavailableError: the hub can't be asked now.
    """
    data = config.data
    if not isinstance(data, HubData):
        return ""
    pinned = known if data.revision is None else ""
    return pinned or hub.resolve_revision(data)


def _inputs(storage: Storage, source: Source, config: ProjectConfig, revision: str) -> list[Input]:
    if isinstance(config.data, HubData):
        return hub.inputs(config.data, revision, storage.max_bytes)
    if source.size > storage.max_bytes:
        raise TooLargeError(
            f"{source.name} has {source.size:,} bytes, the limit is {storage.max_bytes:,}"
        )
    return upload.inputs(storage.blobs, storage.datasets, source, storage.max_bytes)


def _questions(config: ProjectConfig, revision: str, made: Prepared) -> list[list[Message]]:
    """What the smoke test may ask: rows that are held out, or the split that the config names."""
    if isinstance(config.data, HubData) and config.data.splits.smoke:
        asked = hub.questions(config.data, revision, MAX_QUESTIONS)
        if not asked:
            raise DataError("no row of the smoke split has a question to ask")
        return asked
    return list(made.questions)


def _described(made: Prepared, folder: str, revision: str, questions: int) -> PreparedData:
    report = made.report
    rows = {part: report.parts[part].rows if part in report.parts else 0 for part in PARTS}
    return PreparedData(
        digest=report.digest[: names.DIGEST_LENGTH],
        folder=folder,
        files={part: f"{folder}/{part}.jsonl" for part in report.parts},
        revision=revision,
        train_rows=rows[TRAIN],
        validation_rows=rows[VALIDATION],
        test_rows=rows[TEST],
        tokens=report.parts[TRAIN].tokens,
        cut_rows=report.over_length.rows if report.over_length else 0,
        cut_tokens=report.over_length.tokens if report.over_length else 0,
        questions=questions,
        rejected_rows=report.rejected,
        duplicate_rows=report.duplicates,
        rejections=tuple(example for reason in report.reasons for example in reason.examples)[:20],
    )


def _by_digest(project: str, digest: str) -> str:
    return f"{project}/digests/{digest}.json"


def _read(container: ContainerClient, path: str) -> PreparedData | None:
    """A description that was written before; one that can't be read counts as none."""
    try:
        content = container.download_blob(path).readall()
        return PreparedData.model_validate_json(content)
    except (ResourceNotFoundError, ValidationError):
        return None


def _write(container: ContainerClient, path: str, data: PreparedData) -> None:
    container.upload_blob(path, data.model_dump_json().encode(), overwrite=True)


def _exist(container: ContainerClient, paths: Iterable[str]) -> bool:
    return all(container.get_blob_client(path).exists() for path in paths)
