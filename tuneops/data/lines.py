"""Lines of a stream of bytes, without ever holding more than one of them."""

from collections.abc import Iterable, Iterator

from tuneops.data.rows import MAX_ROW_BYTES

TOO_LONG = b" " * (MAX_ROW_BYTES + 1)
"""Stands for a line that is longer than any row may be: it is refused like one."""


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in `chunks`, without their ends; a byte order mark at the start is dropped.

    A line that grows beyond the largest row is skipped and given as `TOO_LONG`.
    """
    rest = b""
    skipping = False
    at_start = True
    for chunk in chunks:
        if at_start and chunk:
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
            at_start = False
        *ended, rest = (rest + chunk).split(b"\n")
        for line in ended:
            yield TOO_LONG if skipping else line.removesuffix(b"\r")
            skipping = False
        if len(rest) > MAX_ROW_BYTES:
            rest, skipping = b"", True
    if rest or skipping:
        yield TOO_LONG if skipping else rest.removesuffix(b"\r")
