"""Which permission of an App each endpoint asks for, as GitHub documents it.

https://docs.github.com/rest/authentication/permissions-required-for-github-apps
"""

import re
from typing import NamedTuple

LEVELS = ("none", "read", "write")
PERMISSIONS = {
    "actions": "read",
    "contents": "write",
    "deployments": "write",
    "members": "read",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""What the App may do where it is installed."""


class Wanted(NamedTuple):
    """A permission at the least level."""

    name: str
    level: str

    def __str__(self) -> str:
        return f"{self.name}={self.level}"


_BELOW_REPOSITORY: tuple[tuple[str, str], ...] = (
    (r"(/collaborators/.*)?", "metadata"),
    (r"/commits/.+/pulls|/pulls(?!/\d+/merge).*|/issues/.*", "pull_requests"),
    (r"/commits/.+/status(es)?|/statuses/.*", "statuses"),
    (r"/deployments.*", "deployments"),
    (r"/environments.*", "actions"),
    (r"/hooks.*", "repository_hooks"),
    (
        r"/activity|/branches.*|/commits.*|/git/.*|/contents.*|/compare/.*|/merges|/pulls/\d+/merge",
        "contents",
    ),
)


def wanted(method: str, path: str) -> Wanted:
    """What a call below a repository asks for; `path` is what follows the repository's name.

    GitHub lets an App change an environment with another permission, which ours does not have.
    """
    level = "read" if method in ("GET", "HEAD") else "write"
    found = (name for pattern, name in _BELOW_REPOSITORY if re.fullmatch(pattern, path))
    return Wanted(next(found, "metadata"), level)


def suffices(given: str, level: str) -> bool:
    """Whether a permission at one level is enough where another is asked for."""
    return LEVELS.index(given) >= LEVELS.index(level)
