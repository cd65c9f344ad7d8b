"""The dependencies: wheels for the target, checked by their hashes, and the files in them."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile, ZipInfo

from tools.package.archive import Content
from tools.package.target import Pin, Target

SITE = ".python_packages/lib/site-packages"
"""Where the Functions host looks for them."""
LEFT_OUT_FOLDERS = {"tests"}
LEFT_OUT_ENDINGS = (".h", ".hpp", ".pxd", ".pxi", ".pyx")
LEFT_OUT_FILES = ("pyarrow/*flight*",)
"""What tests a library or is for compiling against it, and a part that nobody imports, of 33 MB."""


class WheelError(Exception):
    """A dependency can't be had; the message says which."""


@contextmanager
def downloaded(pins: Iterable[Pin], target: Target) -> Iterator[list[ZipFile]]:
    """The wheels of the target, by name, as pip brings them and has checked their hashes.

    Raises:
        WheelError: one is not to be had, or its hash is none of the lock's.
    """
    with TemporaryDirectory() as folder, ExitStack() as stack:
        wanted = Path(folder) / "requirements.txt"
        needed = [pin for pin in pins if target.needs(pin.requirement)]
        wanted.write_text("".join(f"{pin.line}\n" for pin in needed))
        line = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        line += ["--no-deps", "--only-binary=:all:", "--require-hashes", *target.pip_options]
        line += [f"--dest={folder}", f"--requirement={wanted}"]
        done = subprocess.run(line, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise WheelError(done.stderr.strip())
        yield [stack.enter_context(ZipFile(path)) for path in sorted(Path(folder).glob("*.whl"))]


def merged(wheels: Iterable[ZipFile]) -> dict[str, Content]:
    """The files that the wheels install, as they lie among the dependencies.

    Raises:
        WheelError: two wheels have the same file, with different content.
    """
    found: dict[str, Content] = {}
    for wheel in wheels:
        for place, content in _contents(wheel):
            if place in found and found[place]() != content():
                raise WheelError(f"{wheel.filename} has another {place} than an earlier wheel")
            found[place] = content
    return found


def _contents(wheel: ZipFile) -> Iterator[tuple[str, Content]]:
    for info in filter(taken, wheel.infolist()):
        yield _place(info.filename), partial(wheel.read, info)


def taken(info: ZipInfo) -> bool:
    """Whether a file of a wheel is taken along."""
    return not info.is_dir() and bool(_place(info.filename))


def _place(name: str) -> str:
    """Where a file of a wheel goes; empty for what is not taken along, as scripts are."""
    parts = name.split("/")
    if parts[0].endswith(".data"):
        if parts[1] not in ("purelib", "platlib"):
            return ""
        parts = parts[2:]
    place = "/".join(parts)
    left_out = LEFT_OUT_FOLDERS & set(parts[:-1]) or place.endswith(LEFT_OUT_ENDINGS)
    return "" if left_out or any(fnmatch(place, each) for each in LEFT_OUT_FILES) else place
