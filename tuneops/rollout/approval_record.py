"""A release with what it asks people, and what they say, written down. Pure."""

from datetime import datetime

from tuneops.actions import AskPeople, TakeAnswer, TellOverdue
from tuneops.notify import figures, following
from tuneops.notify.messages import tell
from tuneops.release import Phase, Release
from tuneops.rollout.approval_text import waiting_text, what_text
from tuneops.rollout.question import Question
from tuneops.rollout.text import judgement_text


def asked(release: Release, action: AskPeople, now: datetime) -> Release:
    """With the question; people are told. One that a held step asked already gets an end."""
    known = release.approval
    if known is None or known.share != action.share or not known.is_open:
        known = Question(share=action.share, asked=now)
    question = known.replace(until=action.until)
    said = waiting_text(release.project, question)
    judged = release.rollout.judged if release.rollout else None
    seen = f"; {judgement_text(judged)}" if judged else ""
    release = release.advance(Phase.SHIFTING, now, said).replace(approval=question)
    text = f"endpoint {release.endpoint}, {release.deployment_name}: {said}{seen}"
    return tell(
        release,
        "awaits_approval",
        text,
        now,
        occasion=_occasion(question),
        figure=figures.against_live(release),
        following=following.awaits_approval(release),
    )


def answered(release: Release, action: TakeAnswer, now: datetime) -> Release:
    """With what somebody has said; people are told of an approval, the other ends the release."""
    question = release.approval
    if question is None:
        raise ValueError(f"release {release.number} asks nothing")
    said = f"{what_text(question.share)} was {action.said}"
    release = release.advance(Phase.SHIFTING, now, said)
    release = release.replace(approval=question.replace(answer=action.said))
    if not action.said.approves:
        return release
    return tell(
        release,
        "approved",
        said,
        now,
        occasion=_occasion(question),
        following=following.approved(question.share),
    )


def overdue(release: Release, action: TellOverdue, now: datetime) -> Release:
    """With a question that nobody has answered in time and that stays; people are told."""
    question = release.approval
    if question is None:
        raise ValueError(f"release {release.number} asks nothing")
    release = release.advance(Phase.SHIFTING, now, action.reason)
    release = release.replace(approval=question.replace(overdue=True))
    return tell(
        release,
        "held",
        action.reason,
        now,
        occasion=_occasion(question),
        following=following.awaits_approval(release),
    )


def _occasion(question: Question) -> str:
    return f"{question.share}@{question.asked.isoformat()}"
