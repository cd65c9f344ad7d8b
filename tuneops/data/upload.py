"""Uploaded data: which blobs a project trains on, and their rows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import BaseModel, ValidationError

from tuneops import names
from tuneops.data.blobs import open_blob
from tuneops.data.blocks import Readable
from tuneops.data.errors import DataChangedError, DataError, storage_errors
from tuneops.data.formats import as_lines, format_of
from tuneops.data.preparation import Input
from tuneops.desired import Source

SUCCESS, MANIFEST = "_SUCCESS", "manifest.json"
"""The blobs that say that a folder is complete; a manifest names its files."""
MAX_MANIFEST_BYTES = 1024 * 1024
MAX_FILES = 10_000


class _File(NamedTuple):
    """A blob, by its name in the container."""

    name: str
    etag: str
    size: int


class _Manifest(BaseModel):
    files: list[str]


def may_be_data(name: str) -> bool:
    """Whether a blob of this name can be training data, or say that a folder is complete."""
    return name.rpartition("/")[2] in (SUCCESS, MANIFEST) or format_of(name) is not None


def newest_source(service: BlobServiceClient, container: str, folder: str) -> Source | None:
    """The newest data under `folder`: a file that lies right in it, or a completed folder.

    A folder counts as a whole, once it has a `_SUCCESS` or a `manifest.json`: it is as new as that
    blob. Of two of the same second the last by name counts.

    Raises:
        DataUnavailableError: the container is not there or may not be read.
    """
    newest: tuple[Any, str, Source] | None = None
    with storage_errors(f"container {container}"):
        found = service.get_container_client(container).list_blobs(name_starts_with=folder)
        for path, blobs in groupby(found, key=lambda blob: blob.name.rpartition("/")[0] + "/"):
            for moment, source in _sources(path, list(blobs), alone=path == folder):
                if newest is None or (moment, source.name) > newest[:2]:
                    newest = (moment, source.name, source)
    return newest[2] if newest else None


def _sources(path: str, blobs: list[Any], *, alone: bool) -> Iterator[tuple[Any, Source]]:
    """The data in one folder; files of their own count where they are `alone`."""
    mark = next((b for b in blobs if b.name in (path + SUCCESS, path + MANIFEST)), None)
    files = [_File(b.name, b.etag, b.size) for b in blobs if format_of(b.name) and b.size]
    if mark:
        files = [file for file in files if file.name != mark.name]
        version = names.digest(mark.name, mark.etag, [list(file) for file in files])
        yield mark.last_modified, Source(name=path, version=version, size=_size(files))
    elif alone:
        moments = {b.name: b.last_modified for b in blobs}
        for file in files:
            yield moments[file.name], Source(name=file.name, version=file.etag, size=file.size)


def inputs(
    service: BlobServiceClient, container: str, source: Source, max_bytes: int
) -> list[Input]:
    """The files of a source, in the order of their names.

    Raises:
        DataError: a completed folder holds no data, or its manifest is wrong.
        DataChangedError: it is not what `source` names any more.
    """
    with storage_errors(f"container {container}"):
        return _inputs(service.get_container_client(container), source, max_bytes)


def _inputs(client: ContainerClient, source: Source, max_bytes: int) -> list[Input]:
    if not source.name.endswith("/"):
        return [_input(client, _File(source.name, source.version, source.size), max_bytes)]
    blobs = [
        blob
        for blob in client.list_blobs(name_starts_with=source.name)
        if "/" not in blob.name.removeprefix(source.name)
    ]
    if [found.version for _, found in _sources(source.name, blobs, alone=False)] != [
        source.version
    ]:
        raise DataChangedError(f"{source.name} was changed")
    files = {
        blob.name: _File(blob.name, blob.etag, blob.size)
        for blob in blobs
        if format_of(blob.name) and blob.size and blob.name != source.name + MANIFEST
    }
    listed = _listed(client, source.name) if _has_manifest(source.name, blobs) else sorted(files)
    missing = [name for name in listed if name not in files]
    if missing:
        raise DataError(f"{source.name}{MANIFEST} names {missing[0]}, which is no data file there")
    if not listed:
        raise DataError(f"{source.name} is complete, but has no data file")
    if len(listed) > MAX_FILES:
        raise DataError(f"{source.name} has more than {MAX_FILES:,} files; put rows together")
    return [_input(client, files[name], max_bytes) for name in listed]


def _input(client: ContainerClient, file: _File, max_bytes: int) -> Input:
    return Input(name=file.name, open=partial(_open, client, file, max_bytes))


@contextmanager
def _open(client: ContainerClient, file: _File, max_bytes: int) -> Iterator[Readable]:
    kind = format_of(file.name)
    if kind is None:
        raise DataError(f"{file.name} has no known format")
    with open_blob(client.get_blob_client(file.name), file.etag, file.size) as raw:
        yield as_lines(raw, kind, file.name, max_bytes)


def _has_manifest(path: str, blobs: Iterable[Any]) -> bool:
    return any(blob.name == path + MANIFEST for blob in blobs)


def _listed(client: ContainerClient, path: str) -> list[str]:
    """The names of the files that a folder's manifest lists."""
    blob = client.get_blob_client(path + MANIFEST)
    content = blob.download_blob(0, MAX_MANIFEST_BYTES).readall()
    try:
        return [path + name for name in _Manifest.model_validate_json(content).files]
    except ValidationError as error:
        raise DataError(
            f'{path}{MANIFEST} must be {{"files": ["a.jsonl", ...]}}, names beside it'
        ) from error


def _size(files: Iterable[_File]) -> int:
    return sum(file.size for file in files)
