"""What people are told of a question. Pure."""

from datetime import datetime

from tuneops.rollout.question import Question
from tuneops.rollout.text import share_text


def what_text(share: int) -> str:
    """What is asked for."""
    return share_text(share, mirrored=False) if share else "a mirror of the requests"


def about(release: int | None, share: int | None) -> str:
    """What an answer says it is about, if anything."""
    which = f"release {release}" if release else ""
    return ", ".join(filter(None, (which, "" if share is None else what_text(share))))


def waiting_text(project: str, question: Question) -> str:
    """What is waited for, and how it is answered in a terminal."""
    until = f" until {_minute(question.deadline)}" if question.deadline else ""
    return f"waits for approval of {what_text(question.share)}{until} (tuneops approve {project})"


def timed_out_text(question: Question) -> str:
    """That nobody has answered in time."""
    until = f" by {_minute(question.until)}" if question.until else ""
    return f"{what_text(question.share)} was not approved{until}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
