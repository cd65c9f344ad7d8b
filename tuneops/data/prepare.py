"""From the uploaded file to what the pipeline takes: checked, split, stored under its digest."""

import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import IO

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient

from tuneops import names
from tuneops.config import ProjectConfig
from tuneops.data.lines import split_lines
from tuneops.data.rows import Row, RowError, parse_row
from tuneops.data.split import held_out_below, position
from tuneops.release import PreparedData, Source

KEPT_REJECTIONS = 20
SAMPLE_PARAMETERS = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200}

TRAIN, TEST, SAMPLE = "train.jsonl", "test.jsonl", "sample_score.json"


class DataError(Exception):
    """The data can't be trained on; the message says why and what to do."""


class DataChangedError(Exception):
    """The blob was replaced while it was read; the newer one counts."""


class _Checked:
    """The valid rows of a file, spooled to disk, with what was found on the way."""

    def __init__(self, spool: IO[bytes]) -> None:
        self.spool = spool
        self.positions = array("Q")
        self.digest = hashlib.sha256()
        self.rejected = 0
        self.rejections: list[str] = []

    def add(self, row: Row) -> None:
        line = row.line()
        self.spool.write(line)
        self.digest.update(line)
        self.positions.append(position(row.identity))

    def reject(self, line: int, reason: str) -> None:
        self.rejected += 1
        if len(self.rejections) < KEPT_REJECTIONS:
            self.rejections.append(f"line {line}: {reason}")


def newest_source(service: BlobServiceClient, container: str, folder: str) -> Source | None:
    """The newest ``.jsonl`` under `folder`; of two of the same second, the last by name."""
    blobs = service.get_container_client(container).list_blobs(name_starts_with=folder)
    found = [blob for blob in blobs if blob.name.endswith(".jsonl") and blob.size]
    if not found:
        return None
    newest = max(found, key=lambda blob: (blob.last_modified, blob.name))
    return Source(blob=newest.name, etag=newest.etag, size=newest.size)


def prepare(
    service: BlobServiceClient,
    source: Source,
    config: ProjectConfig,
    *,
    datasets: str,
    prepared: str,
    max_bytes: int,
) -> PreparedData:
    """Check and split the rows of `source` and store them in the container `prepared`.

    Writes ``PROJECT/DIGEST/train.jsonl``, ``test.jsonl`` and ``sample_score.json``; doing it again
    writes the same bytes to the same place.

    Raises:
        DataError: the file is too large, too broken or has too few rows.
        DataChangedError: the blob is not the one that `source` names any more.
    """
    if source.size > max_bytes:
        raise DataError(f"{source.blob} has {source.size:,} bytes, the limit is {max_bytes:,}")
    with tempfile.TemporaryFile() as spool:
        checked = _check(split_lines(_chunks(service, datasets, source)), spool)
        _judge(checked, source, config)
        limit = _limit(checked, source, config)
        digest = names.digest(checked.digest.hexdigest(), limit)
        target = service.get_container_client(prepared)
        return _store(checked, limit, target, f"{config.name}/{digest}", digest)


def _chunks(service: BlobServiceClient, container: str, source: Source) -> Iterator[bytes]:
    blob = service.get_blob_client(container, source.blob)
    try:
        yield from blob.download_blob(
            etag=source.etag, match_condition=MatchConditions.IfNotModified
        ).chunks()
    except (ResourceModifiedError, ResourceNotFoundError) as error:
        raise DataChangedError(f"{source.blob} was replaced or deleted") from error


def _check(lines: Iterable[bytes], spool: IO[bytes]) -> _Checked:
    checked = _Checked(spool)
    for number, line in enumerate(lines, start=1):
        if not line.strip() and len(line) < 100:
            continue
        try:
            checked.add(parse_row(line))
        except RowError as error:
            checked.reject(number, str(error))
    return checked


def _judge(checked: _Checked, source: Source, config: ProjectConfig) -> None:
    """Refuse a file with no valid row, or with more bad ones than the config allows."""
    valid = len(checked.positions)
    shown = "; ".join(checked.rejections[:3])
    if not valid:
        raise DataError(f"{source.blob} has no valid row{': ' + shown if shown else ''}")
    percent = 100 * checked.rejected / (valid + checked.rejected)
    if percent > config.data.max_invalid_percent:
        raise DataError(
            f"{source.blob} has {percent:.1f} % bad rows, data.max_invalid_percent allows "
            f"{config.data.max_invalid_percent:g}: {shown}"
        )


def _limit(checked: _Checked, source: Source, config: ProjectConfig) -> int:
    try:
        return held_out_below(checked.positions, config.data.test_percent)
    except ValueError as error:
        raise DataError(f"{source.blob}: {error}") from error


def _store(
    checked: _Checked, limit: int, target: ContainerClient, folder: str, digest: str
) -> PreparedData:
    test_rows = sum(place < limit for place in checked.positions)
    for name, test in ((TRAIN, False), (TEST, True)):
        rows = _side(checked, limit, test=test)
        target.upload_blob(f"{folder}/{name}", rows, overwrite=True)
    sample = sample_score(next(iter(_side(checked, limit, test=True))))
    target.upload_blob(f"{folder}/{SAMPLE}", sample, overwrite=True)
    return PreparedData(
        digest=digest,
        folder=folder,
        train_rows=len(checked.positions) - test_rows,
        test_rows=test_rows,
        rejected_rows=checked.rejected,
        rejections=tuple(checked.rejections),
    )


def _side(checked: _Checked, limit: int, *, test: bool) -> Iterator[bytes]:
    """The lines of the training rows or of the test rows."""
    checked.spool.seek(0)
    for place, line in zip(checked.positions, checked.spool, strict=True):
        if (place < limit) == test:
            yield line


def sample_score(test_line: bytes) -> bytes:
    """The tutorial's ``sample_score.json`` for a test row: its conversation up to the question."""
    question = [message.model_dump() for message in parse_row(test_line).question]
    body = {
        "input_data": {"input_string": [question], "parameters": SAMPLE_PARAMETERS},
        "params": {},
    }
    return json.dumps(body, indent=2, ensure_ascii=False).encode()
