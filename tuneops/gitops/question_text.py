"""The comment that asks people on a merged pull request. Pure.

All that comes from a config or from Azure stands in code, as in the review's comment.
"""

from tuneops.gitops.commands import WORD
from tuneops.gitops.review_text import code
from tuneops.release import Release
from tuneops.rollout.approval_text import what_text
from tuneops.rollout.question import Question
from tuneops.rollout.text import judgement_text
from tuneops.scrub import scrub


def mark(release: Release, question: Question) -> str:
    """What the comment begins with; nobody sees it."""
    asked = f"{question.share} {question.asked.timestamp():.0f}"
    return f"<!-- tuneops-approval {release.project} {release.number} {asked} -->"


def comment(release: Release, question: Question) -> str:
    """The comment, which begins with its `mark`."""
    project, what = release.project, what_text(question.share)
    title = f"{code(project)}: may release {release.number} get {what}?"
    judged = release.rollout.judged if release.rollout else None
    lines = [mark(release, question), f"#### {title}", ""]
    if judged:
        lines += [code(judgement_text(judged)), ""]
    if question.answer:
        return "\n".join((*lines, code(scrub(str(question.answer)))))
    until = f" until {question.deadline:%Y-%m-%d %H:%M} UTC" if question.deadline else ""
    meant = f"{project} {release.number} {question.share}%"
    order, no = f"`{WORD} approve {meant}`", f"`{WORD} reject {meant}`"
    return "\n".join((*lines, f"Comment {order}{until}, or {no}."))
