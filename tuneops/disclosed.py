"""Secrets in a file that people write, where whoever reads the repository reads them. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from tuneops.scrub import scrub

SAID = (
    "looks like a secret, and whoever reads the repository reads it: remove it here, have it "
    "replaced where it was issued, and let the container read it with its identity"
)

_KEYS = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{35}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}=="
)
"""Of AWS, of Google, as PEM, of a storage account."""
_NAMES_KEY = re.compile(
    r"(?i)(?:^|[-_.])(?:key|token|secret|sas|credentials?|connection[-_]?string)$"
)
_NAMES_PASSWORD = re.compile(r"(?i)(?:^|[-_.])(?:password|passwd|pwd)$")
_RANDOM = re.compile(r"(?=\S*[0-9])(?=\S*[A-Za-z])[^\s$./{]\S{15,}")
_WORDS = re.compile(r"(?:[A-Za-z]+|[0-9]+)(?:[-_.:](?:[A-Za-z]+|[0-9]+))*")
_PASSWORD = re.compile(r"[^\s$/{]\S{5,}")

Path = tuple[str | int, ...]


def disclosed(content: object) -> Iterator[Path]:
    """Where in the file something looks like a secret; a name that does is not in its path."""
    yield from _in(content, (), "")


def _in(value: Any, path: Path, name: str) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, each in value.items():
            if _is_secret(str(key)):
                yield path
            else:
                yield from _in(each, (*path, key), str(key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _in(each, (*path, number), name)
    elif isinstance(value, str) and (_is_secret(value) or _is_secret_of(name, value)):
        yield path


def _is_secret(text: str) -> bool:
    """Whether it looks like a secret whatever it is called."""
    return bool(_KEYS.search(text)) or scrub(text) != text


def _is_secret_of(name: str, value: str) -> bool:
    """Whether the value of something of this name is a secret, and not the name of one."""
    if _NAMES_PASSWORD.search(name):
        return _PASSWORD.fullmatch(value) is not None
    if not _NAMES_KEY.search(name) or "://" in value or _WORDS.fullmatch(value):
        return False
    return _RANDOM.fullmatch(value) is not None
