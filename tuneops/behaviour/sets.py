"""Reading evaluation sets, and keeping the rows that are asked beside the prepared data."""

from collections.abc import Iterable, Iterator

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient

from tuneops import names
from tuneops.behaviour.progress import Asked, Progress
from tuneops.behaviour.rows import Row, parse
from tuneops.behaviour.settings import Behaviour, EvaluationSet
from tuneops.data.errors import DataError, is_no_blob, storage_errors
from tuneops.data.prepare import Storage

MAX_SET_BYTES = 4 * 1024 * 1024
SIDES = 2
"""A question is sent to the new deployment and to the live one."""


def read_sets(storage: Storage, project: str, settings: Behaviour) -> Progress:
    """The sets as they are now, with a copy of what is asked; nothing is asked yet.

    Raises:
        DataError: a set is missing or broken, or has too few rows to be passed.
        DataUnavailableError: the storage can't be read now.
    """
    read = [(wanted, _read(storage, wanted)) for wanted in settings.sets]
    allotted = allot((len(rows) for _, rows in read), settings.max_requests // SIDES)
    sets = []
    for (wanted, rows), number in zip(read, allotted, strict=True):
        asked = min(number, wanted.max_rows)
        _refuse_too_few(wanted, settings, asked, len(rows))
        sets.append(_keep(storage, project, wanted, rows[:asked], len(rows)))
    return Progress(sets=tuple(sets))


def missing(storage: Storage, settings: Behaviour) -> Iterator[str]:
    """What is to be said of the sets that are not there.

    Raises:
        DataUnavailableError: the storage can't be read now.
    """
    for wanted in settings.sets:
        with storage_errors(f"container {storage.datasets}"):
            found = storage.blobs.get_blob_client(storage.datasets, wanted.path).exists()
        if not found:
            where = f"{storage.datasets}/{wanted.path}"
            yield f"evaluation set {wanted.name!r}: {where} is not there: upload it before merging"


def read_kept(storage: Storage, asked: Asked) -> list[Row]:
    """The rows of a set that are asked, as they were when it was read.

    Raises:
        DataError: they are not there any more.
        DataUnavailableError: the storage can't be read now.
    """
    content = _download(storage, storage.prepared, asked.path)
    return [Row.model_validate_json(line) for line in content.splitlines()]


def allot(sizes: Iterable[int], rows: int) -> list[int]:
    """How many rows of each set are asked when so many can be: equal shares.

    What a set leaves of its share goes to those after it.
    """
    wanted = list(sizes)
    given: list[int] = []
    for place, size in enumerate(wanted):
        share = min(size, (rows - sum(given)) // (len(wanted) - place))
        given.append(share)
    return given


def _read(storage: Storage, wanted: EvaluationSet) -> list[Row]:
    try:
        content = _download(storage, storage.datasets, wanted.path)
        return parse(content, wanted.score, wanted.path)
    except DataError as error:
        raise DataError(f"evaluation set {wanted.name!r}: {error}") from error


def _refuse_too_few(wanted: EvaluationSet, settings: Behaviour, asked: int, of: int) -> None:
    """A set that can only be inconclusive, where that fails the release, need not be asked."""
    if asked >= settings.min_rows or not wanted.required or settings.on_inconclusive != "fail":
        return
    raise DataError(
        f"evaluation set {wanted.name!r}: {asked} of {of} rows of {wanted.path} can be asked, "
        f"behaviour.min_rows is {settings.min_rows}: add rows, or change min_rows, max_requests or "
        "the set's max_rows"
    )


def _keep(storage: Storage, project: str, wanted: EvaluationSet, rows: list[Row], of: int) -> Asked:
    """The set, with a copy of the rows that nobody changes: it is named by what is in it."""
    lines = [row.model_dump_json() for row in rows]
    version = names.digest(lines)
    path = f"{project}/behaviour/{version}.jsonl"
    with storage_errors(f"container {storage.prepared}"):
        blob = storage.blobs.get_blob_client(storage.prepared, path)
        blob.upload_blob("\n".join(lines).encode(), overwrite=True)
    return Asked(
        name=wanted.name, score=wanted.score, version=version, path=path, rows=len(rows), of=of
    )


def _download(storage: Storage, container: str, path: str) -> bytes:
    blob = storage.blobs.get_blob_client(container, path)
    with storage_errors(f"container {container}"):
        content = _first_bytes(blob)
    if content is None:
        raise DataError(f"{container}/{path} is not there: upload it, then tuneops retry")
    if len(content) > MAX_SET_BYTES:
        raise DataError(f"{path} is larger than {MAX_SET_BYTES // 1024**2} MiB")
    return content


def _first_bytes(blob: BlobClient) -> bytes | None:
    """A byte more than a set may have, to tell; None when there is no such blob."""
    try:
        size = blob.get_blob_properties().size
        return blob.download_blob(0, MAX_SET_BYTES + 1).readall() if size else b""
    except ResourceNotFoundError as error:
        if is_no_blob(error):
            return None
        raise
