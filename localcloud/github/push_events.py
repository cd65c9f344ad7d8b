"""Push events: what moved in the repository since it was looked at last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.github.git import NO_OBJECT, Git
from localcloud.github.history import (
    Commit,
    Paths,
    commits,
    is_ancestor,
    read_commit,
    touched_paths,
)
from localcloud.github.records import Activity, ActivityType
from localcloud.github.shapes import Shapes, login_of

# GitHub lists no more commits of one push.
MAX_COMMITS = 2048


@dataclass(frozen=True)
class RefMove:
    """A branch or tag that was made, moved or deleted; 40 zeros stand for no commit."""

    ref: str
    before: str
    after: str


def moves(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[RefMove]:
    """The refs that differ."""
    for ref in sorted(before.keys() | after.keys()):
        old, new = before.get(ref, NO_OBJECT), after.get(ref, NO_OBJECT)
        if old != new:
            yield RefMove(ref, old, new)


def push_payload(
    git: Git, shapes: Shapes, move: RefMove, known: Mapping[str, str], login: str = ""
) -> dict[str, Any]:
    """The payload of a push.

    https://docs.github.com/webhooks/webhook-events-and-payloads#push

    Args:
        known: the refs before the push, whose commits are not new.
        login: who made it; without one it is the committer, since git over files asks nobody.
    """
    created, deleted = move.before == NO_OBJECT, move.after == NO_OBJECT
    head = None if deleted else _commit_of(git, move.after)
    fresh = _commits(git, move.after, known.values()) if head else []
    pushed = fresh if created or not head else _commits(git, move.after, [move.before])
    distinct = {commit.sha for commit in fresh}
    paths = touched_paths(git, {c.sha: c for c in [*pushed, *([head] if head else [])]}.values())
    sender = login or (login_of(head.committer) if head else shapes.owner)
    return {
        "ref": move.ref,
        "before": move.before,
        "after": move.after,
        "repository": {**shapes.repository(), "master_branch": shapes.default_branch},
        "pusher": {
            "name": sender,
            "email": head.committer.email if head else None,
        },
        "sender": shapes.user(sender),
        "created": created,
        "deleted": deleted,
        "forced": not (created or deleted) and not _fast_forward(git, move),
        "base_ref": None,
        "compare": f"{shapes.url}/compare/{move.before[:12]}...{move.after[:12]}",
        "commits": [
            shapes.pushed_commit(commit, paths.get(commit.sha, Paths()), commit.sha in distinct)
            for commit in pushed
        ],
        "head_commit": head
        and shapes.pushed_commit(head, paths.get(head.sha, Paths()), head.sha in distinct),
    }


def activity(payload: Mapping[str, Any], *, merge: bool) -> Activity:
    """What is remembered of the move that a push's payload tells of."""
    kinds: dict[ActivityType, bool] = {
        "branch_creation": payload["created"],
        "branch_deletion": payload["deleted"],
        "force_push": payload["forced"],
        "pr_merge": merge,
    }
    return Activity(
        key=payload["ref"],
        creator=payload["sender"]["login"],
        activity_type=next((kind for kind, is_it in kinds.items() if is_it), "push"),
        before=payload["before"],
        after=payload["after"],
    )


def _commit_of(git: Git, sha: str) -> Commit | None:
    """The commit that a branch or (annotated) tag stands for."""
    found = git.object_id(sha)
    return read_commit(git, found) if found else None


def _commits(git: Git, head: str, without: Iterable[str]) -> list[Commit]:
    """The newest commits of a history that are not in others; oldest first."""
    excluded = (f"^{sha}" for sha in set(without) if git.object_id(sha))
    return commits(git, head, *excluded, limit=MAX_COMMITS)[::-1]


def _fast_forward(git: Git, move: RefMove) -> bool:
    old, new = git.object_id(move.before), git.object_id(move.after)
    return bool(old and new and is_ancestor(git, old, new))
