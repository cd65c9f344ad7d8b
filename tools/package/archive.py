"""Writing a zip that has the same bytes whenever it is made of the same files."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

Content = Callable[[], bytes]
"""Reads a file when it is its turn."""

OLDEST = 315_532_800
"""A zip knows no time before 1980."""
FILE = 0o100644 << 16
UNIX = 3


def write_zip(entries: Mapping[str, Content], path: Path, epoch: int) -> int:
    """Write the entries, sorted by name, all of one time and mode; gives their size in bytes."""
    when = time.gmtime(max(epoch, OLDEST))[:6]
    size = 0
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            info = ZipInfo(name, when)
            info.create_system, info.external_attr = UNIX, FILE
            info.compress_type = ZIP_DEFLATED
            content = entries[name]()
            archive.writestr(info, content)
            size += len(content)
    return size
