"""Uploaded data: the newest .jsonl of the project's folder, split by hash."""

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tuneops import names
from tuneops.config import UploadedData
from tuneops.data.checked import CheckedRows
from tuneops.data.errors import DataChangedError, DataError
from tuneops.data.lines import split_lines
from tuneops.data.parts import TEST, TRAIN, VALIDATION, Part, Parts
from tuneops.data.split import Limits, limits
from tuneops.release import Source


def newest_source(service: BlobServiceClient, container: str, folder: str) -> Source | None:
    """The newest ``.jsonl`` under `folder`; of two of the same second, the last by name."""
    blobs = service.get_container_client(container).list_blobs(name_starts_with=folder)
    found = [blob for blob in blobs if blob.name.endswith(".jsonl") and blob.size]
    if not found:
        return None
    newest = max(found, key=lambda blob: (blob.last_modified, blob.name))
    return Source(name=newest.name, version=newest.etag, size=newest.size)


@contextmanager
def open_parts(
    service: BlobServiceClient, container: str, source: Source, data: UploadedData, max_bytes: int
) -> Iterator[Parts]:
    """The rows of the blob, checked and divided; they lie on disk until the block ends.

    Raises:
        DataError: the file is too large, too broken or has too few rows.
        DataChangedError: the blob is not the one that `source` names any more.
    """
    if source.size > max_bytes:
        raise DataError(f"{source.name} has {source.size:,} bytes, the limit is {max_bytes:,}")
    with CheckedRows(source.name) as rows:
        # Rows grow a little when prompt and prompt_id are filled in.
        rows.check(split_lines(_chunks(service, container, source)), 2 * max_bytes)
        rows.judge(data.max_invalid_percent)
        try:
            divided = limits(rows.positions, data.test_percent, data.validation_percent)
        except ValueError as error:
            raise DataError(f"{source.name}: {error}") from error
        yield _parts(rows, divided)


def _parts(rows: CheckedRows, divided: Limits) -> Parts:
    ranges = {
        TRAIN: (divided.validation, 2**64),
        VALIDATION: (divided.test, divided.validation),
        TEST: (0, divided.test),
    }
    parts = (
        Part(name, rows.count(low, high), lambda low=low, high=high: rows.lines(low, high))  # type: ignore[misc]
        for name, (low, high) in ranges.items()
    )
    return Parts(
        parts=tuple(part for part in parts if part.rows),
        digest=names.digest(rows.digest, divided.test, divided.validation),
        questions=lambda: rows.lines(0, divided.test),
        rejected=rows.rejected,
        rejections=tuple(rows.rejections),
    )


def _chunks(service: BlobServiceClient, container: str, source: Source) -> Iterator[bytes]:
    blob = service.get_blob_client(container, source.name)
    try:
        yield from blob.download_blob(
            etag=source.version, match_condition=MatchConditions.IfNotModified
        ).chunks()
    except (ResourceModifiedError, ResourceNotFoundError) as error:
        raise DataChangedError(f"{source.name} was replaced or deleted") from error
