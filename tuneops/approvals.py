"""Rules of the policy about what a person has to approve, and who may. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from tuneops.changes import MAX_NAMED, AboutProjects
from tuneops.names import is_preview
from tuneops.rollout.approval_settings import Before, gates

KEY = "approvals of tuneops-policy.yaml"

ENTRA = "entra:"
"""Stands before the name with which somebody signs in with Entra ID."""

Person = Annotated[
    str,
    Field(
        max_length=206,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?|entra:[^\s\x00-\x1f\x7f]{1,200})$",
    ),
]
Approvers = Annotated[
    tuple[Person, ...] | None,
    Field(
        min_length=1,
        max_length=100,
        description="Who may approve: logins on GitHub, if they may write to the repository, and "
        "for the page names in Entra ID as entra:ada@contoso.com; left out, the required reviewers "
        "of the environment on GitHub, without such all who may write",
        examples=[["ada", "entra:grace@contoso.com"]],
    ),
]


class ApprovalRule(AboutProjects):
    """What a person has to approve of some projects, whatever their configs say."""

    before: Before = "traffic"
    by: Approvers = None
    not_by_author: Annotated[
        bool, Field(description="Who opened the pull request may not approve it")
    ] = False
    function_key: Annotated[
        bool | None,
        Field(
            description="Whether who has the function's key may approve with tuneops approve; left "
            "out, if the rule has neither by nor not_by_author"
        ),
    ] = None

    @property
    def takes_key(self) -> bool:
        """Whether who has the function's key may approve."""
        if self.function_key is not None:
            return self.function_key
        return self.by is None and not self.not_by_author


@dataclass(frozen=True)
class Demand:
    """What the rules about a project come to; of several the strictest, and all whom they name."""

    gates: frozenset[int] = frozenset()
    by: tuple[str, ...] = ()
    not_by_author: bool = False
    takes_key: bool = True


NO_DEMAND = Demand()


@dataclass(frozen=True)
class Approver:
    """What GitHub knows of somebody who approves.

    `reviews`: whether they are a required reviewer of the environment, None if it has none;
    `not_own`: its reviewers may not approve what is their own.
    """

    login: str
    writes: bool
    reviews: bool | None = None
    not_own: bool = False


def demanded(rules: Iterable[ApprovalRule], project: str) -> Demand:
    """What the rules ask of a project; of a preview, which serves nobody, they ask nothing."""
    if is_preview(project):
        return NO_DEMAND
    about = [rule for rule in rules if rule.concerns(project)]
    return Demand(
        gates=frozenset().union(*(gates(rule.before) for rule in about)),
        by=tuple(dict.fromkeys(login for rule in about for login in rule.by or ())),
        not_by_author=any(rule.not_by_author for rule in about),
        takes_key=all(rule.takes_key for rule in about),
    )


def why_not(approver: Approver, demand: Demand, author: str) -> str:
    """Why somebody may not approve, empty if they may; `author` opened the pull request.

    Whom the policy names may, without names the environment's reviewers, without these who may
    write. GitHub does not tell cases of a login apart.
    """
    login = approver.login.lower()
    own = demand.not_by_author or approver.not_own
    if own and login == author.lower():
        return "who opened the pull request may not approve it"
    if demand.by:
        if login not in {each.lower() for each in demand.by}:
            more = ", ..." if len(demand.by) > MAX_NAMED else ""
            return f"{KEY} want {' or '.join(demand.by[:MAX_NAMED])}{more} to approve it"
    elif approver.reviews is not None:
        return "" if approver.reviews else "only a required reviewer of the environment may"
    return "" if approver.writes else "only who may write to the repository may"


def why_not_without_github(demand: Demand, entra: str) -> str:
    """Why somebody may not approve of whom GitHub tells nothing, empty if they may.

    `entra` is the name of who has signed in with Entra ID, empty for a function key. Whether that
    is who opened the pull request can't be told.
    """
    if demand.takes_key:
        return ""
    named = f"{ENTRA}{entra}".lower() in {each.lower() for each in demand.by}
    if entra and named and not demand.not_by_author:
        return ""
    who = f"{ENTRA}{entra} is not named there: " if entra and not named else ""
    return (
        f"{KEY} want a comment by somebody who may: {who}write '/tuneops approve' on the pull "
        "request"
    )
