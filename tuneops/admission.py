"""What of a commit is taken, asking GitHub who has brought it where the policy wants to know."""

from collections.abc import Mapping
from functools import cache, cached_property

from tuneops.gitops import authority, moves
from tuneops.gitops.authority import Admitted
from tuneops.gitops.github import GitHub
from tuneops.gitops.moves import Moves
from tuneops.gitops.repository import Repository
from tuneops.gitops.snapshot import Snapshot
from tuneops.services import Services


def admit(
    before: Repository, snapshot: Snapshot, contents: Mapping[str, bytes], services: Services
) -> Admitted:
    """What is taken of the commit; `contents` holds its changed files.

    The first look at a source takes all that is there, and so does the one after the source was
    set otherwise: that is the doing of those who run TuneOps.

    Raises:
        GitHubError: it could not be asked who has brought it.
    """
    another = before.origin and before.origin != services.source.origin
    if another or not before.known_until:
        return Admitted(snapshot, contents, snapshot.commit)
    record = _Record(services.github, before.known_until, snapshot.commit)
    return authority.admit(before, snapshot, contents, record.brought_by)


class _Record:
    """GitHub's record of a branch's moves, asked for once, and only if somebody wants to know."""

    def __init__(self, github: GitHub, start: str, end: str) -> None:
        self._github = github
        self._start, self._end = start, end
        self._files_at = cache(github.files_at)

    def brought_by(self, paths: set[str]) -> dict[str, str]:
        """Who made the files what they are; empty for a file of which that can't be told."""
        return moves.brought_by(paths, self._moves, self._files_at)

    @cached_property
    def _moves(self) -> Moves:
        return self._github.moves(self._start, self._end)
