"""Patterns for paths: which files of a repository are meant. Pure."""

from fnmatch import fnmatchcase

ANY_FOLDERS = "**"


def check(pattern: str) -> str:
    """The pattern, if it can match a file of a repository.

    Raises:
        ValueError: it can't; the message says why.
    """
    parts = pattern.split("/")
    if pattern.startswith("/") or not all(parts) or {".", ".."} & set(parts):
        raise ValueError(f"{pattern!r} must be a path from the top of the repository, like 'a/**'")
    wrong = next((part for part in parts if ANY_FOLDERS in part and part != ANY_FOLDERS), None)
    if wrong:
        raise ValueError(f"{wrong!r} in {pattern!r}: ** must stand alone between slashes")
    return pattern


def matches(path: str, pattern: str) -> bool:
    """Whether a file is meant: ``*`` is anything within a folder's name, ``**`` any folders.

    A pattern that ends in ``**`` means all files below.
    """
    parts = path.split("/")
    reached = {0}
    for wanted in pattern.split("/"):
        if wanted == ANY_FOLDERS:
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {
                at + 1 for at in reached if at < len(parts) and fnmatchcase(parts[at], wanted)
            }
        if not reached:
            return False
    return len(parts) in reached
