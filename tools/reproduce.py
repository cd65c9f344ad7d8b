"""Whether a commit always gives the same files: `python -m tools.reproduce` builds them twice.

Each time from a clone of its own, at another place, with other times of the files and another mask
of permissions. Needs `build` and its backend beside this Python.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAYS = (("first", 0o022, 1_500_000_000), ("second/of/both", 0o077, 1_600_000_000))
"""Where, with which mask, and how old the files are."""


class BuildError(Exception):
    """It can't be built."""


def built(folder: Path, mask: int, age: int) -> dict[str, str]:
    """The SHA-256 of the wheel, of the source and of the package, by their names.

    Raises:
        BuildError: a step of it failed.
    """
    _run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], ROOT, mask)
    for path in folder.rglob("*"):
        if ".git" not in path.relative_to(folder).parts:
            os.utime(path, (age, age), follow_symlinks=False)
    python = sys.executable
    _run([python, "-m", "build", "--no-isolation", "--outdir", "dist"], folder, mask)
    _run([python, "-m", "tools.package"], folder, mask)
    made = sorted((folder / "dist").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made}


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names of the files that are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _run(line: list[str], folder: Path, mask: int) -> None:
    done = subprocess.run(line, cwd=folder, umask=mask, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise BuildError(f"{' '.join(line)} failed in {folder}: {said}")


def main() -> int:
    """Build, compare and tell; gives the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            one, other = (built(Path(folder, where), mask, age) for where, mask, age in WAYS)
        except BuildError as error:
            print(f"not built: {error}", file=sys.stderr)
            return 2
    for name, digest in one.items():
        print(f"{digest}  {name}")
    if differ := differences(one, other):
        print(f"not the same each time: {', '.join(differ)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
