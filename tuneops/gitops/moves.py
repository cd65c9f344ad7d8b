"""Who moved the tracked branch, as GitHub's record of its activity has it.

A commit's author and committer are whatever its maker writes; who pushed or merged is what GitHub
knows of the one who was signed in.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

import gidgethub
from gidgethub.abc import GitHubAPI
from pydantic import BaseModel

MAX_READ = 500
NO_COMMIT = "0" * 40
"""What a branch was before it began."""
MAX_COMPARED = 30
_NONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""The answers of a GitHub that has no such record, or does not show it."""


@dataclass(frozen=True)
class Move:
    """The branch went from one commit to another; `by` is a login, empty when not known."""

    before: str
    after: str
    by: str


@dataclass(frozen=True)
class Moves:
    """What moved the branch to where it is, newest first; `whole`: from where it was asked for."""

    found: tuple[Move, ...] = ()
    whole: bool = False


class _Actor(BaseModel):
    login: str


class _Activity(BaseModel):
    before: str
    after: str
    actor: _Actor | None = None


async def read(api: GitHubAPI, repository: str, branch: str, start: str, end: str) -> Moves:
    """The moves from one commit of the branch to a later one, as far as they are known."""
    where = urlencode({"ref": f"refs/heads/{branch}", "per_page": 100})
    found: list[Move] = []
    wanted, looked = end, 0
    try:
        async for entry in api.getiter(f"{repository}/activity?{where}"):
            activity = _Activity.model_validate(entry)
            looked += 1
            if looked > MAX_READ or (found and activity.after != wanted):
                break
            if activity.after != wanted:
                continue
            by = activity.actor.login if activity.actor else ""
            found.append(Move(activity.before, activity.after, by))
            wanted = activity.before
            if wanted == start:
                return Moves(tuple(found), whole=True)
    except gidgethub.BadRequest as error:
        if error.status_code not in _NONE or _is_limit(error):
            raise
    return Moves(tuple(found))


def _is_limit(error: gidgethub.BadRequest) -> bool:
    """Whether GitHub has been asked too much, of which the secondary limit is a mere 403."""
    return isinstance(error, gidgethub.RateLimitExceeded) or "rate limit" in str(error).lower()


def brought_by(
    paths: Collection[str],
    moves: Moves,
    files_at: Callable[[str], Mapping[str, str] | None],
) -> dict[str, str]:
    """Who made each of the changed files what it is: the last one who changed it.

    Empty for a file of which that can't be told, as when the branch has moved too often since.
    `files_at` gives the files at a commit by path, None for one that has gone.
    """
    everybody = {move.by for move in moves.found}
    if moves.whole and len(everybody) == 1:
        return dict.fromkeys(paths, everybody.pop())
    found: dict[str, str] = {}
    after = files_at(moves.found[0].after) if moves.found and paths else None
    for move in moves.found[:MAX_COMPARED]:
        left = [path for path in paths if path not in found]
        before = files_at(move.before) if left and after is not None else None
        if before is None or after is None:
            break
        found |= {path: move.by for path in left if before.get(path) != after.get(path)}
        after = before
    return {path: found.get(path, "") for path in paths}
