"""The repository with everything that GitHub keeps beside it, and what follows from a push."""

import logging
import threading
from collections.abc import Sequence

from localcloud.github.deliveries import Deliveries
from localcloud.github.git import Git
from localcloud.github.history import is_ancestor
from localcloud.github.people import People
from localcloud.github.push_events import activity, moves, push_payload
from localcloud.github.records import Delivery, IssueComment, Pull, now
from localcloud.github.shapes import Shapes
from localcloud.github.store import Store

BRANCH_PREFIX = "refs/heads/"

log = logging.getLogger(__name__)


class Hub:
    """What every endpoint works with."""

    def __init__(
        self, git: Git, shapes: Shapes, store: Store, deliveries: Deliveries, people: People
    ) -> None:
        self.git = git
        self.people = people
        self.shapes = shapes
        self.store = store
        self.deliveries = deliveries
        self._refreshing = threading.Lock()
        self._expected: dict[str, tuple[str, bool]] = {}

    def start(self) -> None:
        """Send what is owed: pings at the very first start, pushes made while it was down."""
        if not self.store.refs():
            with self.store.transaction():
                self.store.save_refs(self.git.refs())
                for hook in self.deliveries.hooks.values():
                    self.deliveries.ping(hook, self.shapes.repository())
        self.deliveries.start()
        self.refresh()

    def stop(self) -> None:
        """End the deliveries and close the store."""
        self.deliveries.stop()
        self.store.close()

    def expect(self, commit: str, login: str, *, merge: bool = False) -> None:
        """Say who is about to move a branch to a commit, and whether by merging a pull request.

        What nobody said this of was pushed by the committer of its newest commit.
        """
        self._expected[commit] = login, merge

    def refresh(self) -> None:
        """Compare the refs with those seen last, and send an event for each that moved.

        The new refs and the deliveries are one transaction: none is lost, none is sent twice.
        """
        with self._refreshing:
            before, after = self.store.refs(), self.git.refs()
            moved = list(moves(before, after))
            if not moved:
                return
            expected = [self._expected.pop(move.after, ("", False)) for move in moved]
            payloads = [
                push_payload(self.git, self.shapes, move, before, login)
                for move, (login, _) in zip(moved, expected, strict=True)
            ]
            with self.store.transaction():
                self.store.save_refs(after)
                owed = [d for p in payloads for d in self.deliveries.record("push", p)]
                for payload, (_, merge) in zip(payloads, expected, strict=True):
                    if payload["ref"].startswith(BRANCH_PREFIX):
                        self.store.add(activity(payload, merge=merge))
                for move in moved:
                    if move.ref.startswith(BRANCH_PREFIX):
                        owed += self._follow(
                            move.ref.removeprefix(BRANCH_PREFIX), after.get(move.ref)
                        )
        self.deliveries.send(owed)
        log.info("moved: %s", ", ".join(f"{move.ref} {move.after[:7]}" for move in moved))

    def pull_event(self, action: str, pull: Pull) -> list[Delivery]:
        """Keep a pull_request event."""
        return self.deliveries.record(
            "pull_request",
            {
                "action": action,
                "number": pull.id,
                "pull_request": self.shapes.pull(pull, None),
                "repository": self.shapes.repository(),
                "sender": self.shapes.user(self.shapes.owner),
            },
        )

    def comment_event(
        self, action: str, comment: IssueComment, sender: str, before: str | None = None
    ) -> list[Delivery]:
        """Keep an issue_comment event; `before` is the text of a comment that was edited."""
        pull = self.store.get(Pull, int(comment.key))
        changes = {} if before is None else {"changes": {"body": {"from": before}}}
        payload = {
            "action": action,
            **changes,
            "issue": self.shapes.issue(pull) if pull else None,
            "comment": self.shapes.issue_comment(comment),
            "repository": self.shapes.repository(),
            "sender": self.shapes.user(sender),
        }
        return self.deliveries.record("issue_comment", payload)

    def _follow(self, branch: str, sha: str | None) -> Sequence[Delivery]:
        """Let the open pull requests of a branch that moved follow it."""
        owed: list[Delivery] = []
        for pull in self.store.listed(Pull, "open"):
            if branch == pull.head:
                owed += self._follow_head(pull, sha)
            elif branch == pull.base and sha and is_ancestor(self.git, pull.head_sha, sha):
                owed += self.close(pull, merged_as=sha)
        return owed

    def _follow_head(self, pull: Pull, sha: str | None) -> list[Delivery]:
        if sha is None:
            return self.close(pull, merged_as=None)
        moved = pull.model_copy(update={"head_sha": sha, "updated_at": now()})
        self.store.replace(moved)
        return self.pull_event("synchronize", moved)

    def close(self, pull: Pull, merged_as: str | None) -> list[Delivery]:
        """Close a pull request and keep its event."""
        moment = now()
        closed = pull.model_copy(
            update={
                "key": "closed",
                "closed_at": moment,
                "updated_at": moment,
                "merged_at": moment if merged_as else None,
                "merge_commit_sha": merged_as,
            }
        )
        self.store.replace(closed)
        return self.pull_event("closed", closed)
