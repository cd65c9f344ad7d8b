"""What a release waits for a person to say, and what was said, as it is stored."""

from datetime import datetime

from tuneops.document import Document


class Said(Document):
    """What somebody said to one question, of one release: that it may go on, or that it may not.

    `share` and `asked` are the question's. `comment` is the id of the comment that says it, if one
    does.
    """

    release: int
    share: int
    asked: datetime
    approves: bool
    by: str
    at: datetime
    reason: str = ""
    comment: int | None = None

    def __str__(self) -> str:
        verb = "approved" if self.approves else "rejected"
        why = f": {self.reason}" if self.reason else ""
        return f"{verb} by {self.by} on {self.at:%Y-%m-%d %H:%M} UTC{why}"


class Question(Document):
    """Whether a release may get its next share of the traffic.

    `share` is in percent, 0 for mirrored requests. `until`: when an answer comes too late; None for
    a step that is held, which has no end of its own. `overdue`: it came too late, and is waited for
    all the same. `pull` is the merged pull request that it can be answered at, 0 if there is none,
    None if that is not known yet; `looked`: when its comments were looked at last.
    """

    share: int
    asked: datetime
    until: datetime | None = None
    overdue: bool = False
    pull: int | None = None
    looked: datetime | None = None
    answer: Said | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered yet."""
        return self.answer is None

    @property
    def deadline(self) -> datetime | None:
        """When an answer comes too late, None if it never does."""
        return None if self.overdue else self.until

    @property
    def is_of_held_step(self) -> bool:
        """Whether it is only asked because a step can't be judged."""
        return self.until is None

    def is_met_by(self, said: Said | None, release: int) -> bool:
        """Whether this is what was said to it; `release` is the one that asks."""
        return said is not None and (said.release, said.share, said.asked) == (
            release,
            self.share,
            self.asked,
        )
