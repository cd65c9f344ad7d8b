"""The package: the project's files, alone or with its dependencies beside them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tools.package import bytecode, project, wheels
from tools.package.archive import Content, write_zip
from tools.package.target import Pin, Target, read_pins
from tuneops.version import VERSION

REQUIREMENTS = "requirements.txt"
MAX_MB = 500
"""Unzipped: Functions has to bring all of it to each new instance."""


@dataclass(frozen=True)
class Package:
    """What was built."""

    path: Path
    files: int
    size: int

    @property
    def mb(self) -> float:
        """What it takes unzipped."""
        return self.size / 1e6

    @property
    def digest(self) -> str:
        """The SHA-256 of the zip."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def build(root: Path, folder: Path) -> Package:
    """The package for a remote build, which installs the dependencies in Azure."""
    return _written(_own(root), folder / f"tuneops-{VERSION}.zip", project.epoch(root))


def build_whole(root: Path, folder: Path, target: Target) -> Package:
    """The package with the dependencies in it, for one Python on Linux.

    It has bytecode as well if that Python is the one that builds it.

    Raises:
        WheelError: a dependency has no wheel for it, or not the one of the lock.
    """
    name = f"tuneops-{VERSION}-python{target.python}-linux-x86_64.zip"
    with wheels.downloaded(pins(root), target) as found:
        others = {f"{wheels.SITE}/{place}": read for place, read in wheels.merged(found).items()}
        entries = _own(root) | others
        if bytecode.is_possible(target):
            entries |= bytecode.bytecode(entries)
        return _written(entries, folder / name, project.epoch(root))


def pins(root: Path) -> list[Pin]:
    """What Functions is to install."""
    return read_pins((root / REQUIREMENTS).read_text())


def _own(root: Path) -> dict[str, Content]:
    return {name: (root / name).read_bytes for name in project.deployed(root)}


def _written(entries: dict[str, Content], path: Path, epoch: int) -> Package:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    size = write_zip(entries, unfinished, epoch)
    unfinished.replace(path)
    return Package(path, len(entries), size)
