"""Whether a pull request may have a preview, by what stands on the tracked branch. Pure.

Nothing that the pull request itself brings has a say: neither its config, nor its policy.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tuneops.changes import may_change, why_not
from tuneops.config import ProjectConfig
from tuneops.names import family
from tuneops.policy import FILE, Policy
from tuneops.previews.terms import DEFAULT_MAX

NOT_TOLD = f"GitHub does not tell who has pushed to it, which changes of {FILE} asks for"

_TRIED = ("model", "data", "training", "evaluation", "behaviour", "deployment", "smoke_test")
"""What of a config makes a difference to a preview."""


@dataclass(frozen=True)
class Applicant:
    """Who wants a preview: the author's login, and whether the branch is the repository's own.

    `may_write` asks GitHub whether the author may push; `pushers` for the logins of everybody who
    has pushed to the branch, None where that can't be told.
    """

    author: str
    own: bool
    may_write: Callable[[], bool]
    pushers: Callable[[], frozenset[str] | None]


def most(policy: Policy) -> int:
    """How many previews there may be at once."""
    return policy.previews.max if policy.previews else DEFAULT_MAX


def hours(asked: ProjectConfig, tracked: ProjectConfig | None, policy: Policy) -> int:
    """How long a preview lasts: no longer than the policy, or without one the project, allows."""
    if policy.previews:
        return min(asked.preview_hours, policy.previews.max_hours)
    return min(asked.preview_hours, tracked.preview_hours if tracked else 0)


def refusal(
    project: str,
    asked: ProjectConfig,
    tracked: ProjectConfig | None,
    policy: Policy,
    applicant: Applicant,
) -> str:
    """Why there is no preview, empty if there may be one; GitHub is asked only where it matters."""
    if tracked and all(getattr(asked, each) == getattr(tracked, each) for each in _TRIED):
        return f"there is nothing to try: {', '.join(_TRIED)} stay as they are"
    if policy.previews is None and not (tracked and tracked.preview_hours):
        return (
            "the tracked branch does not allow it yet: merge `preview` in the project's config, or "
            f"`previews` in {FILE}, first"
        )
    if not most(policy):
        return f"previews.max of {FILE} is 0"
    if not applicant.own:
        return "it comes from a fork: have somebody who may write push the branch here"
    if not applicant.may_write():
        return f"{applicant.author or 'its author'} may not write to the repository"
    return _rules(project, policy, applicant)


def _rules(project: str, policy: Policy, applicant: Applicant) -> str:
    """Why those who made the branch what it is may not change the project, empty if they may."""
    allowed = may_change(policy.changes, family(project))
    if allowed is None:
        return ""
    pushers = applicant.pushers()
    if pushers is None:
        return NOT_TOLD
    makers = sorted({applicant.author, *pushers})
    reasons = (why_not(allowed, by, project, f"changes of {FILE}") for by in makers)
    return next(filter(None, reasons), "")
