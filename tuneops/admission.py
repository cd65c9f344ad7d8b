"""What of a commit is taken, asking GitHub who has brought it where the policy wants to know."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from tuneops.gitops import authority, moves
from tuneops.gitops.authority import Admitted
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
    if another or not before.commit:
        return Admitted(snapshot, contents, snapshot.commit)
    record = _Record(services, before.judged or before.commit, snapshot.commit)
    admitted = authority.admit(before, snapshot, contents, record.brought_by)
    return replace(admitted, judged=record.known_until)


class _Record:
    """GitHub's record of a branch's moves, asked for once, and only if somebody wants to know."""

    def __init__(self, services: Services, start: str, end: str) -> None:
        self._github = services.github
        self._start, self._end = start, end
        self._moves: Moves | None = None
        self._files_at = cache(services.github.files_at)

    def brought_by(self, paths: set[str]) -> dict[str, str]:
        """Who made the files what they are; empty for a file of which that can't be told."""
        if self._moves is None:
            self._moves = self._github.moves(self._start, self._end)
        return moves.brought_by(paths, self._moves, self._files_at)

    @property
    def known_until(self) -> str:
        """Where to begin the next time."""
        return self._end if self._moves is None or self._moves.whole else self._start
