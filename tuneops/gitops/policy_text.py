"""What a pull request's comment says of the policy. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from tuneops.changes import may_change
from tuneops.gitops.review_text import code
from tuneops.policy import FILE, Policy
from tuneops.reach import Weighed

MAX_LISTED = 50
_STAYS = (
    "What is live goes on to serve, but nothing new is trained or deployed for them and drift is "
    "not healed."
)


def who_may_merge(
    now: Policy, then: Policy, projects: Iterable[str], *, touches_policy: bool
) -> Iterator[str]:
    """Who may merge it: of the policy by the one in force, of projects by the one it leaves."""
    bound = [(project, may_change(then.changes, project)) for project in projects]
    if touches_policy and now.policy:
        bound.insert(0, (FILE, now.policy.by))
    lines = [
        f"- {code(what)} may be merged by {', '.join(map(code, logins))} alone"
        for what, logins in bound
        if logins
    ]
    if lines:
        yield from ("What somebody else merges is not acted on:", "", *lines, "")


def reach(weighed: Sequence[Weighed]) -> Iterator[str]:
    """The projects that another policy forbids, and those that it allows again."""
    forbidden, allowed = _forbidden(weighed), _allowed(weighed)
    yield f"**{said(weighed)}** among the projects whose configs stay as they are."
    yield ""
    if forbidden:
        yield from (_STAYS, "", "| project | | why |", "|---|---|---|")
        for each in forbidden[:MAX_LISTED]:
            when = "as now" if each.before else "newly"
            yield f"| {code(each.project)} | {when} | {code('; '.join(each.after))} |"
        yield from _rest(forbidden)
        yield ""
    if allowed:
        yield "Allowed again:"
        yield ""
        yield from (f"- {code(each.project)}" for each in allowed[:MAX_LISTED])
        yield from _rest(allowed)
        yield ""


def said(weighed: Sequence[Weighed]) -> str:
    """How many projects it forbids and allows, in a few words."""
    forbidden = _forbidden(weighed)
    newly = sum(not each.before for each in forbidden)
    return (
        f"the policy forbids {len(forbidden)}, {newly} newly, and allows {len(_allowed(weighed))} "
        "again"
    )


def _forbidden(weighed: Sequence[Weighed]) -> list[Weighed]:
    """Those that it forbids, the new ones first."""
    return sorted((each for each in weighed if each.after), key=lambda each: bool(each.before))


def _allowed(weighed: Sequence[Weighed]) -> list[Weighed]:
    return [each for each in weighed if each.before and not each.after]


def _rest(listed: Sequence[Weighed]) -> Iterator[str]:
    if len(listed) > MAX_LISTED:
        yield from ("", f"and {len(listed) - MAX_LISTED} more")
