"""What GitHub's own records say of somebody who approves."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote

import gidgethub
from gidgethub.abc import GitHubAPI
from pydantic import BaseModel

from tuneops.approvals import Approver

_WRITES = ("admin", "write")
_HIDDEN = "GitHub does not show TuneOps {what}: grant its App or token the permission {grant}"


class HiddenError(Exception):
    """TuneOps may not see what decides who may approve; the message says what is missing."""


class _Permission(BaseModel):
    permission: str


class _Reviewer(BaseModel):
    login: str = ""
    slug: str = ""


class _Reviewed(BaseModel):
    type: Literal["User", "Team"]
    reviewer: _Reviewer


class _Rule(BaseModel):
    type: str
    prevent_self_review: bool = False
    reviewers: list[_Reviewed] = []


class _Environment(BaseModel):
    protection_rules: list[_Rule] = []


class _Membership(BaseModel):
    state: str


async def read(
    api: GitHubAPI, repository: str, login: str, environments: Sequence[str]
) -> Approver:
    """What is known of somebody; the first of the environments that has reviewers counts.

    Raises:
        HiddenError: TuneOps lacks a permission.
        gidgethub.GitHubException, httpx2.HTTPError: GitHub could not be asked.
    """
    path = f"{repository}/collaborators/{quote(login, safe='')}/permission"
    found = await _get(api, path, f"what {login} may do", "Metadata: read")
    writes = found is not None and _Permission.model_validate(found).permission in _WRITES
    for environment in environments:
        rule = await _review(api, repository, environment)
        if rule:
            reviews = await _is_among(api, repository, login, rule.reviewers)
            return Approver(login, writes, reviews, rule.prevent_self_review)
    return Approver(login, writes)


async def _review(api: GitHubAPI, repository: str, environment: str) -> _Rule | None:
    """The rule that an environment has required reviewers, if it has some."""
    path = f"{repository}/environments/{quote(environment, safe='')}"
    found = await _get(api, path, f"the environment {environment}", "Actions: read")
    rules = _Environment.model_validate(found).protection_rules if found else []
    return next((rule for rule in rules if rule.type == "required_reviewers"), None)


async def _is_among(
    api: GitHubAPI, repository: str, login: str, reviewers: Sequence[_Reviewed]
) -> bool:
    """Whether somebody is one of the reviewers, or in one of their teams."""
    people = {each.reviewer.login.lower() for each in reviewers if each.type == "User"}
    if login.lower() in people:
        return True
    owner = repository.split("/")[2]
    for team in (each.reviewer.slug for each in reviewers if each.type == "Team"):
        path = f"/orgs/{owner}/teams/{quote(team, safe='')}/memberships/{quote(login, safe='')}"
        found = await _get(api, path, f"the team {team}", "Members: read of the organization")
        if found is not None and _Membership.model_validate(found).state == "active":
            return True
    return False


async def _get(api: GitHubAPI, path: str, what: str, grant: str) -> Any:
    """What is at a path, None if there is nothing."""
    try:
        return await api.getitem(path)
    except gidgethub.RateLimitExceeded:
        raise
    except gidgethub.BadRequest as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return None
        if error.status_code == HTTPStatus.FORBIDDEN and "rate limit" not in str(error).lower():
            raise HiddenError(_HIDDEN.format(what=what, grant=grant)) from error
        raise
