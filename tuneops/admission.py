"""What of a commit is taken: what the policy lets those change who have brought it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from tuneops.gitops import authority, moves
from tuneops.gitops.moves import Moves
from tuneops.gitops.repository import Refusal, Repository
from tuneops.gitops.snapshot import Snapshot
from tuneops.policy import FILE as POLICY_FILE
from tuneops.services import Services


@dataclass(frozen=True)
class Admitted:
    """The commit as it is taken, with the contents of what is new in it.

    `brought` is who brought the files of which the policy asks for that.
    """

    snapshot: Snapshot
    contents: Mapping[str, bytes]
    judged: str
    refused: dict[str, Refusal] = field(default_factory=dict)
    brought: dict[str, str] = field(default_factory=dict)

    def noted(self, before: Repository, now: Repository, at: datetime) -> Repository:
        """The repository as it was read, with what was not taken, and word of that."""
        noted = now.replace(refused=self.refused, judged=self.judged)
        told = authority.complaints(before, noted, at)
        return noted.replace(outbox=(*noted.outbox, *told))


def admit(
    before: Repository, snapshot: Snapshot, contents: Mapping[str, bytes], services: Services
) -> Admitted:
    """What is taken of the commit; `contents` holds its changed files.

    Raises:
        GitHubError: it could not be asked who has brought it.
    """
    another = before.origin and before.origin != services.source.origin
    if another or not before.commit:
        return Admitted(snapshot, contents, snapshot.commit)
    record = _Record(services, before.judged or before.commit, snapshot.commit)
    found = authority.changes(before, snapshot, contents)
    own = [change for change in found if change.path == POLICY_FILE]
    others = [change for change in found if change.path != POLICY_FILE]
    policy = before.policy
    brought = authority.known(found, before)
    brought |= record.brought_by(authority.questions(policy, own, before))
    refused = authority.judge(policy, own, brought)
    if not refused:
        policy = authority.next_policy(before, snapshot, contents)
    brought |= record.brought_by(authority.questions(policy, others, before))
    refused |= authority.judge(policy, others, brought)
    return Admitted(
        authority.without(before, snapshot, refused),
        {path: content for path, content in contents.items() if path not in refused},
        record.known_until,
        refused,
        brought,
    )


class _Record:
    """GitHub's record of a branch's moves, asked for once, and only if somebody wants to know."""

    def __init__(self, services: Services, start: str, end: str) -> None:
        self._github = services.github
        self._start, self._end = start, end
        self._moves: Moves | None = None
        self._files_at = cache(services.github.files_at)

    def brought_by(self, paths: set[str]) -> dict[str, str]:
        """Who made the files what they are; empty for a file of which that can't be told."""
        if not paths:
            return {}
        if self._moves is None:
            self._moves = self._github.moves(self._start, self._end)
        return moves.brought_by(paths, self._moves, self._files_at)

    @property
    def known_until(self) -> str:
        """Where to begin the next time."""
        return self._end if self._moves is None or self._moves.whole else self._start
