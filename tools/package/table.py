"""The table of the dependencies: what each takes, what it is for, what needs it."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.package.build import pins
from tools.package.project import deployed
from tools.package.purposes import PURPOSES
from tools.package.target import Target
from tools.package.wheels import downloaded, taken

BEGIN, END = "<!-- table: make package-table -->\n", "<!-- end of table -->"
HEAD = "| Package | MB | What for | Needed by |\n|---|---:|---|---|\n"
NAMED = 3


class TableError(Exception):
    """The table can't be made; the message says why."""


@dataclass(frozen=True)
class Wheel:
    """A dependency as it is put into the package."""

    name: str
    size: int
    requires: tuple[Requirement, ...]

    @classmethod
    def of(cls, archive: ZipFile) -> "Wheel":
        """What the wheel says of itself, and what of it is taken."""
        path = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        said = HeaderParser().parsestr(archive.read(path).decode())
        requires = tuple(map(Requirement, said.get_all("Requires-Dist", [])))
        size = sum(info.file_size for info in archive.infolist() if taken(info))
        return cls(canonicalize_name(said["Name"]), size, requires)


def table(wheels: Iterable[Wheel], root: Path, target: Target) -> str:
    """The table in Markdown, the largest first.

    Raises:
        TableError: nobody has said what a dependency is for, and none of the others needs it.
    """
    known = {wheel.name: wheel for wheel in wheels}
    parents = _parents(known.values(), root, target)
    for name in sorted(known):
        if name not in PURPOSES and not parents[name]:
            raise TableError(f"say in tools/package/purposes.py what {name} is for")
    importers = _importers(root)
    lines = [HEAD]
    for wheel in sorted(known.values(), key=lambda each: (-each.size, each.name)):
        purpose = PURPOSES.get(wheel.name)
        what = purpose.what if purpose else "comes along"
        by = importers[purpose.module] if purpose else parents[wheel.name]
        lines.append(f"| `{wheel.name}` | {wheel.size / 1e6:.1f} | {what} | {_listed(by)} |\n")
    whole = sum(each.size for each in known.values()) / 1e6
    lines.append(f"| all | {whole:.0f} | what is above | the package |\n")
    return "".join(lines)


def write_table(document: Path, root: Path, target: Target) -> None:
    """Make the table in a document anew.

    Raises:
        TableError, WheelError: it can't be made.
    """
    with downloaded(pins(root), target) as found:
        made = table(map(Wheel.of, found), root, target)
    document.write_text(replaced(document.read_text(), made))


def replaced(document: str, made: str) -> str:
    """The document with its table made anew."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise TableError("the document has no place for the table")
    return before + begin + made + end + after


def _listed(names: list[str]) -> str:
    if not names:
        return "what finds it by its name"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:NAMED]) + more


def _parents(wheels: Iterable[Wheel], root: Path, target: Target) -> dict[str, list[str]]:
    """Those that require each of them, at the target and with the extras that are asked for."""
    listed = sorted(wheels, key=lambda each: each.name)
    own = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    extras: dict[str, set[str]] = {}
    for asked in (*map(Requirement, own), *(each for wheel in listed for each in wheel.requires)):
        extras.setdefault(canonicalize_name(asked.name), {""}).update(asked.extras)
    found: dict[str, list[str]] = {wheel.name: [] for wheel in listed}
    for wheel in listed:
        for required in wheel.requires:
            name = canonicalize_name(required.name)
            if name in found and target.needs(required, extras.get(wheel.name, {""})):
                found[name].append(wheel.name)
    return {name: sorted({*by} - {name}) for name, by in found.items()}


def _importers(root: Path) -> dict[str, list[str]]:
    """The modules of ours by what they import of others, at the top or in a function."""
    found: dict[str, list[str]] = {purpose.module: [] for purpose in PURPOSES.values()}
    for name in (each for each in deployed(root) if each.endswith(".py")):
        imported = set(_imported(ast.parse((root / name).read_text())))
        for module, importers in found.items():
            if module and any(f"{each}.".startswith(f"{module}.") for each in imported):
                importers.append(name)
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
