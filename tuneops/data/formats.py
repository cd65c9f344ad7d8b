"""File formats: by a file's name, and any of them as lines of JSON."""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple

import orjson

from tuneops.data.blocks import Readable
from tuneops.data.errors import DataError, TooLargeError
from tuneops.data.rows import MAX_ROW_BYTES, REFUSED

CONTAINERS = ("jsonl", "json", "csv", "tsv", "parquet")
_SUFFIXES = {".ndjson": "jsonl", **{f".{name}": name for name in CONTAINERS}}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
PARQUET_ROWS = 64
TEXT_CHARACTERS = 256 * 1024


class _BrokenError(ValueError):
    """What is wrong with a file, without its name."""


class Format(NamedTuple):
    """A container, one of `CONTAINERS`, and how it is compressed: "", "gzip" or "zstd"."""

    container: str
    compression: str = ""


def format_of(name: str) -> Format | None:
    """The format that a file's name says, None when it is no data file.

    Parquet compresses by itself; one that is compressed again is none of ours.
    """
    plain, dot, last = name.lower().rpartition(".")
    compression = _COMPRESSIONS.get(dot + last, "")
    if compression:
        _, dot, last = plain.rpartition(".")
    container = _SUFFIXES.get(dot + last)
    if container is None or (container == "parquet" and compression):
        return None
    return Format(container, compression)


def as_lines(raw: io.RawIOBase, kind: Format, name: str, max_bytes: int) -> Readable:
    """What is in the file as lines of JSON, one for each row.

    Reading it raises DataError when it is broken, TooLargeError when it has more than `max_bytes`,
    unpacked.
    """
    plain = Guarded(_decompressed(raw, kind.compression), name, max_bytes)
    if kind.container == "jsonl":
        return plain
    rows = _ROWS[kind.container](plain, raw)
    return Guarded(LinesOf(rows), name, 8 * max_bytes)


class LinesOf(io.RawIOBase):
    """Lines that are made one by one, to be read as a stream."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as the next line goes."""
        if not self._rest:
            self._rest = memoryview(next(self._lines, b""))
        size = min(len(self._rest), len(buffer))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Guarded(io.RawIOBase):
    """A stream that says in our words what is wrong with it, and ends what goes on for ever."""

    def __init__(self, stream: Readable, name: str, max_bytes: int) -> None:
        self._stream = stream
        self._name = name
        self._max_bytes = max_bytes
        self._left = max_bytes

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """As the stream does.

        Raises:
            DataError: it is broken.
            TooLargeError: it is longer than is allowed.
        """
        try:
            size = self._stream.readinto(buffer) or 0
        except EOFError as error:
            raise DataError(f"{self._name} ends too early: upload it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._name} is no gzip file, or is damaged ({error})") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self._name} is not UTF-8 text ({error.reason})") from error
        except (csv.Error, _BrokenError) as error:
            raise DataError(f"{self._name}: {error}") from error
        except _broken_elsewhere() as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise DataError(f"{self._name} is damaged: {reason}") from error
        self._left -= size
        if self._left < 0:
            raise TooLargeError(f"{self._name} holds more than {self._max_bytes:,} bytes")
        return size


def _broken_elsewhere() -> tuple[type[Exception], ...]:
    """What zstd and pyarrow raise; they are asked only where they are loaded."""
    zstd = sys.modules.get("backports.zstd") or sys.modules.get("compression.zstd")
    arrow = sys.modules.get("pyarrow")
    return tuple(
        kind
        for kind in (getattr(zstd, "ZstdError", None), getattr(arrow, "ArrowException", None))
        if kind
    )


def _decompressed(raw: io.RawIOBase, compression: str) -> Readable:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=io.BufferedReader(raw), mode="rb")
    if compression == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        return io.BufferedReader(zstd.ZstdFile(io.BufferedReader(raw)))
    return raw


def _json(plain: Guarded, raw: io.RawIOBase) -> Iterator[bytes]:
    """The items of a list; what begins otherwise is taken as JSON Lines."""
    text = io.TextIOWrapper(io.BufferedReader(plain), encoding="utf-8-sig")
    scan = _Scan(text)
    if scan.peek() != "[":
        yield from (line.encode() for line in scan.rest())
        return
    yield from scan.items()


class _Scan:
    """The items of a JSON list, without ever holding much more than one of them."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._buffer = ""
        self._decode = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """The next character that is no white space, "" at the end."""
        while True:
            self._buffer = self._buffer.lstrip()
            if self._buffer or not self._more():
                return self._buffer[:1]

    def rest(self) -> Iterator[str]:
        """Everything that was not read yet, in pieces."""
        yield self._buffer
        while piece := self._text.read(TEXT_CHARACTERS):
            yield piece

    def items(self) -> Iterator[bytes]:
        """Each item as one line of JSON, as it is written."""
        self._skip()
        if self.peek() == "]":
            self._skip()
        else:
            yield self._item()
            while self.peek() == ",":
                self._skip()
                self.peek()
                yield self._item()
            if self.peek() != "]":
                raise _BrokenError("the list of rows is not closed, or its items are not separated")
            self._skip()
        if self.peek():
            raise _BrokenError("something stands behind the list of rows")

    def _item(self) -> bytes:
        while True:
            try:
                _, end = self._decode(self._buffer)
            except RecursionError as error:
                raise _BrokenError("a row is nested too deeply") from error
            except ValueError as error:
                if len(self._buffer) > MAX_ROW_BYTES or not self._more():
                    raise _BrokenError(f"a row is no JSON, or too large: {error}"[:300]) from error
                continue
            if end == len(self._buffer) and self._more():
                continue  # a number may go on
            item, self._buffer = self._buffer[:end], self._buffer[end:]
            return b"%b\n" % item.replace("\n", " ").replace("\r", " ").encode()

    def _skip(self) -> None:
        self._buffer = self._buffer[1:]

    def _more(self) -> bool:
        piece = self._text.read(TEXT_CHARACTERS)
        self._buffer += piece
        return bool(piece)


def _table(delimiter: str) -> Callable[[Guarded, io.RawIOBase], Iterator[bytes]]:
    def rows(plain: Guarded, raw: io.RawIOBase) -> Iterator[bytes]:
        csv.field_size_limit(MAX_ROW_BYTES)
        text = io.TextIOWrapper(io.BufferedReader(plain), encoding="utf-8-sig", newline="")
        reader = csv.reader(_short_lines(text), delimiter=delimiter, strict=True)
        header = next(reader, None)
        if not header:
            raise _BrokenError("has no header with the names of the columns")
        if len(set(header)) < len(header):
            raise _BrokenError("has two columns of the same name")
        for row in reader:
            if len(row) == len(header):
                yield _line(dict(zip(header, row, strict=True)))
            elif row:
                yield refused(f"has {len(row)} fields, the header has {len(header)}")

    return rows


def _short_lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_ROW_BYTES + 1):
        if len(line) > MAX_ROW_BYTES:
            raise _BrokenError(f"a line is longer than {MAX_ROW_BYTES // 1024} KiB")
        yield line


def _parquet(plain: Guarded, raw: io.RawIOBase) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(raw, pre_buffer=False)
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, use_threads=False):
            for row in batch.to_pylist():
                yield _line(row)
    except OSError as error:
        if error.errno is not None:
            raise
        # So pyarrow says that what it reads is damaged.
        raise _BrokenError(f"is damaged: {error}"[:300]) from error


def _line(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        return refused(f"can't be written as JSON: {error}")


def refused(reason: str) -> bytes:
    """A line that stands for a row that is refused already, for this reason."""
    return b"%b%b\n" % (REFUSED, reason.replace("\n", " ").encode("utf-8", "replace"))


_ROWS: dict[str, Callable[[Guarded, io.RawIOBase], Iterator[bytes]]] = {
    "json": _json,
    "csv": _table(","),
    "tsv": _table("\t"),
    "parquet": _parquet,
}
