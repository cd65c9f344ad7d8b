"""What stands between a release and its next share of the traffic, when a person has a say. Pure.

A question is asked once everything else is well, so people see the figures. While it is open the
traffic stays as it is. What was said in the last moment is found before it counts as too late.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops.actions import (
    Abort,
    Action,
    AskPeople,
    LookForAnswers,
    TakeAnswer,
    TellOverdue,
    Wait,
)
from tuneops.observed import Observed
from tuneops.release import Phase, Release
from tuneops.rollout.approval_settings import Approval
from tuneops.rollout.approval_text import timed_out_text, waiting_text, what_text
from tuneops.rollout.question import Question

LOOK_EVERY = timedelta(minutes=1)
"""How often comments are looked for, in case their event was lost."""
GRACE = 2 * LOOK_EVERY


@dataclass(frozen=True)
class Move:
    """From one share of the traffic to the next: 0 is mirrored requests, -1 is nothing at all."""

    before: int
    after: int


def gate(release: Release, observed: Observed, move: Move, now: datetime) -> Action | None:
    """What is to be done before the move; None: nothing."""
    if not _is_asked_for(release, observed, move):
        return None
    question = release.approval
    settings = release.config.rollout.approval or Approval()
    if question is None or question.share != move.after:
        return AskPeople(move.after, now + timedelta(minutes=settings.timeout_minutes))
    if question.is_open and question.is_of_held_step:
        return AskPeople(move.after, now + timedelta(minutes=settings.timeout_minutes))
    return answered(release, question, observed, now)


def let_go(release: Release, observed: Observed, move: Move, now: datetime) -> Action | None:
    """As `gate`, of a step that is held because it can't be judged; it waits without an end."""
    question = release.approval
    if question is None or question.share != move.after:
        return AskPeople(move.after, None)
    return answered(release, question, observed, now)


def refused(release: Release, observed: Observed) -> Action | None:
    """What is to be done at once when somebody has said no, whatever else is to be waited for."""
    question, said = release.approval, observed.said
    if question and question.answer and not question.answer.approves:
        return Abort(f"rollout: {what_text(question.share)} was {question.answer}")
    if question and question.is_open and said and not said.approves:
        return TakeAnswer(said) if question.is_met_by(said, release.number) else None
    return None


def answered(
    release: Release, question: Question, observed: Observed, now: datetime
) -> Action | None:
    """What is to be done until somebody approves; None: somebody has. `refused` comes first."""
    if question.answer:
        return None
    if observed.said and question.is_met_by(observed.said, release.number):
        return TakeAnswer(observed.said)
    due = (question.looked or question.asked) + LOOK_EVERY
    if question.pull != 0 and now >= due:
        return LookForAnswers()
    late = question.deadline + GRACE if question.deadline else None
    if late and now >= late:
        holds = (release.config.rollout.approval or Approval()).on_timeout == "hold"
        said = timed_out_text(question)
        return TellOverdue(f"rollout: {said}") if holds else Abort(f"rollout: {said}")
    wakes = (late, due if question.pull != 0 else None)
    wake = min((each for each in wakes if each), default=now + LOOK_EVERY)
    return Wait(waiting_text(release.project, question), (wake - now).total_seconds())


def _is_asked_for(release: Release, observed: Observed, move: Move) -> bool:
    """Whether config or policy want a person to be asked; of a pin, an emergency, nobody is.

    What was live once has been approved: it is only brought back.
    """
    if release.adopts is not None or release.entered(Phase.LIVE):
        return False
    settings = release.config.rollout.approval
    gates = (settings.gates if settings else frozenset()) | observed.verdict.demand.gates
    return any(move.before < each <= move.after for each in gates)
