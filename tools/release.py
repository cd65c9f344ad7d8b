"""What a release says of itself: `python -m tools.release v1.2.3` prints its notes.

The tag has to be that of the version in `tuneops/version.py`, and CHANGELOG.md has to tell of it.
Needs nothing but Python.
"""

import re
import sys
from pathlib import Path

from tuneops.version import VERSION

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


class ReleaseError(Exception):
    """There must be no such release."""


def notes(tag: str, version: str, changelog: str) -> str:
    """What the changelog says of the version that the tag names.

    Raises:
        ReleaseError: the tag is not that of the version, or the changelog does not tell of it.
    """
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, the version in tuneops/version.py {version}")
    heading = re.compile(rf"^## \[?{re.escape(version)}\]?( - \d{{4}}-\d\d-\d\d)?$")
    lines = changelog.splitlines()
    begin = next((n for n, line in enumerate(lines) if heading.match(line)), None)
    if begin is None:
        raise ReleaseError(f"CHANGELOG.md has no heading '## {version} - YYYY-MM-DD'")
    rest = lines[begin + 1 :]
    end = next((n for n, line in enumerate(rest) if line.startswith("## ")), len(rest))
    told = "\n".join(rest[:end]).strip()
    if not told:
        raise ReleaseError(f"CHANGELOG.md says nothing of {version}")
    return told + "\n"


def main(arguments: list[str]) -> int:
    """Print the notes; gives the exit code."""
    if len(arguments) != 1:
        print("usage: python -m tools.release TAG", file=sys.stderr)
        return 2
    try:
        sys.stdout.write(notes(arguments[0], VERSION, CHANGELOG.read_text()))
    except ReleaseError as error:
        print(f"no release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
