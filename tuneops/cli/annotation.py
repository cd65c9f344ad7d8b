"""What GitHub Actions shows beside the line that it is about. Pure."""

import re
from pathlib import Path

TITLE = "TuneOps"
_LINE = re.compile(r"(\d+): ?")


def annotation(file: Path | None, problem: str) -> str:
    """The workflow command for a problem of a file, whose text begins with the file and the line.

    Foreign text stands escaped in it: it can't be a command of its own.
    """
    if file is None:
        return f"::error title={TITLE}::{_data(problem)}"
    text = problem.removeprefix(f"{file}:").lstrip()
    found = _LINE.match(text)
    place = f"file={_property(str(file))},line={found[1] if found else 1}"
    return f"::error {place},title={TITLE}::{_data(text[found.end() :] if found else text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
