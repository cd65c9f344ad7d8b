"""Training data in local files."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tuneops.data.blocks import Readable
from tuneops.data.errors import DataError
from tuneops.data.formats import CONTAINERS, as_lines, format_of
from tuneops.data.preparation import Input

UNLIMITED = 2**62
Progress = Callable[[int], None]


def inputs(path: Path, progress: Progress = lambda size: None) -> list[Input]:
    """A file, or the data files of a folder in the order of their names.

    `progress` is told how many bytes were read just now.

    Raises:
        DataError: there is no such data.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and format_of(file.name))
        if not files:
            raise DataError(f"{path} has no data file: none ends in .{', .'.join(CONTAINERS)}")
    elif not path.is_file():
        raise DataError(f"{path} is no file")
    elif format_of(path.name) is None:
        raise DataError(
            f"{path} has no known format: its name must end in .{', .'.join(CONTAINERS)}, perhaps "
            "with .gz or .zst behind it"
        )
    else:
        files = [path]
    return [Input(name=str(file), open=partial(_open, file, progress)) for file in files]


def size(path: Path) -> int:
    """The bytes of a file, or of all in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def _open(file: Path, progress: Progress) -> Iterator[Readable]:
    kind = format_of(file.name)
    if kind is None:
        raise DataError(f"{file} has no known format")
    try:
        with _Counted(file, progress) as raw:
            yield as_lines(raw, kind, str(file), UNLIMITED)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from error


class _Counted(io.FileIO):
    """A file that tells how far it was read."""

    def __init__(self, file: Path, progress: Progress) -> None:
        super().__init__(file)
        self._progress = progress

    def readinto(self, buffer: Any, /) -> int:
        got = super().readinto(buffer) or 0
        self._progress(got)
        return got
