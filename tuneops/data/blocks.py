"""Whole lines of a stream, read block by block into memory that is used again and again."""

from collections.abc import Iterator
from io import BytesIO
from mmap import mmap
from typing import NamedTuple, Protocol

from tuneops.data.rows import MAX_ROW_BYTES

BLOCK_BYTES = MAX_ROW_BYTES + 256 * 1024
"""Room for the longest line and then some."""
OUTPUT_BYTES = 2 * BLOCK_BYTES
MEMORY_BYTES = BLOCK_BYTES + OUTPUT_BYTES
SEARCHED_BYTES = 96 * 1024
KEPT_BYTES = 512 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Readable(Protocol):
    """A binary stream that fills a buffer: a file, a decompressor, a blob."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read up to the buffer's size; the number of bytes, 0 at the end."""


class Filled(NamedTuple):
    """What a block holds: the first `size` bytes are whole lines.

    `cut`: the block's only line is longer than any row may be, and is left out.
    """

    size: int
    cut: bool = False


class LineReader:
    """Fills buffers of `BLOCK_BYTES` with the lines of a stream, in their order."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._rest = b""
        self._at_start = True
        self._ended = False

    def fill(self, buffer: memoryview) -> Filled | None:
        """Put the next lines into the buffer; None at the end of the stream.

        The last line of the stream may lack its end. A byte order mark at the start is dropped.
        """
        size = len(self._rest)
        buffer[:size] = self._rest
        self._rest = b""
        while not self._ended and size < len(buffer):
            got = self._stream.readinto(buffer[size:]) or 0
            self._ended = not got
            size += got
            if self._at_start and size >= len(BYTE_ORDER_MARK):
                size = self._without_mark(buffer, size)
        if self._ended:
            return Filled(size) if size else None
        whole = _last_end(buffer[:size])
        if not whole:
            return self._skip_line()
        self._rest = bytes(buffer[whole:size])
        return Filled(whole)

    def _without_mark(self, buffer: memoryview, size: int) -> int:
        self._at_start = False
        mark = len(BYTE_ORDER_MARK)
        if buffer[:mark] != BYTE_ORDER_MARK:
            return size
        buffer[: size - mark] = bytes(buffer[mark:size])
        return size - mark

    def _skip_line(self) -> Filled:
        """Pass over what is left of a line that is too long."""
        scratch = memoryview(bytearray(SEARCHED_BYTES))
        while got := self._stream.readinto(scratch) or 0:
            _, end, rest = bytes(scratch[:got]).partition(b"\n")
            if end:
                self._rest = rest
                return Filled(0, cut=True)
        self._ended = True
        return Filled(0, cut=True)


def keep_freed_memory() -> None:
    """Let this process keep what a piece's rows have taken for those of the next piece.

    The allocator of Linux gives memory back as soon as 128 KiB of it are free, and each page of it
    costs when it is had again; but once a larger piece was freed, it keeps twice as much.
    """
    bytes(KEPT_BYTES)


def views(memory: mmap) -> tuple[memoryview, memoryview]:
    """The part of `MEMORY_BYTES` that is read and the part that is written to."""
    whole = memoryview(memory)
    return whole[:BLOCK_BYTES], whole[BLOCK_BYTES:MEMORY_BYTES]


def pieces(block: memoryview, filled: Filled) -> Iterator[list[bytes]]:
    """The lines of a filled block with their ends, some at a time.

    They are copied out in small pieces, which stay in the processor's cache while they are read.
    """
    start, size = 0, SEARCHED_BYTES
    while start < filled.size:
        piece = bytes(block[start : min(start + size, filled.size)])
        start += len(piece)
        found = BytesIO(piece).readlines()  # finds the ends faster than `split` does
        if start < filled.size and not found[-1].endswith(b"\n"):
            start -= len(found.pop())
        if found:
            yield found
        size = SEARCHED_BYTES if found else 2 * size


def _last_end(view: memoryview) -> int:
    """The size of what ends with the last line end in the view; 0 without one."""
    end = len(view)
    while end > 0:
        start = max(0, end - SEARCHED_BYTES)
        found = bytes(view[start:end]).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
