"""Endpoints that say who somebody is: permissions, and the teams of the organization."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from localcloud.github.hub import Hub
from localcloud.github.people import Permission
from localcloud.github.records import Membership, Team
from localcloud.github.rest import Answer, Call, invalid, not_found


class NewToken(BaseModel):
    """POST /_user_tokens"""

    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,38}$")]
    permission: Permission = "write"


class NewTeam(BaseModel):
    """POST /orgs/{org}/teams"""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,99}$")]


class NewMembership(BaseModel):
    """PUT /orgs/{org}/teams/{team}/memberships/{username}"""

    role: Literal["member", "maintainer"] = "member"


def create_token(hub: Hub, call: Call) -> Answer:
    """POST /_user_tokens, for tests: a token of somebody who may push and merge, or less"""
    request = call.parse(NewToken)
    text = hub.people.add(request.login, request.permission)
    return Answer({"login": request.login, "token": text}, 201)


def get_permission(hub: Hub, call: Call) -> Answer:
    """GET .../collaborators/{username}/permission"""
    login = call.path["username"]
    permission = hub.people.permission(login)
    if permission is None:
        raise not_found()
    user = {**hub.shapes.user(login), "role_name": permission}
    return Answer({"permission": permission, "role_name": permission, "user": user})


def create_team(hub: Hub, call: Call) -> Answer:
    """POST /orgs/{org}/teams"""
    name = call.parse(NewTeam).name
    slug = name.lower().replace(" ", "-")
    _organization(hub, call)
    if hub.store.listed(Team, slug):
        raise invalid("Team", "name", "already_exists")
    return Answer(hub.shapes.team(hub.store.add(Team(key=slug, name=name))), 201)


def put_membership(hub: Hub, call: Call) -> Answer:
    """PUT /orgs/{org}/teams/{team}/memberships/{username}"""
    team, login, role = _team(hub, call), call.path["username"], call.parse(NewMembership).role
    if hub.people.permission(login) is None:
        raise not_found()
    for known in _memberships(hub, call):
        hub.store.remove(known)
    made = hub.store.add(Membership(key=team.key, login=login, role=role))
    return Answer(_shape(hub, made))


def get_membership(hub: Hub, call: Call) -> Answer:
    """GET /orgs/{org}/teams/{team}/memberships/{username}"""
    found = _memberships(hub, call)
    if not found:
        raise not_found()
    return Answer(_shape(hub, found[0]))


def delete_membership(hub: Hub, call: Call) -> Answer:
    """DELETE /orgs/{org}/teams/{team}/memberships/{username}"""
    found = _memberships(hub, call)
    if not found:
        raise not_found()
    hub.store.remove(found[0])
    return Answer(status=204)


def _organization(hub: Hub, call: Call) -> None:
    """Only the main repository's owner has teams."""
    if call.path["org"] != hub.shapes.owner:
        raise not_found()


def _team(hub: Hub, call: Call) -> Team:
    _organization(hub, call)
    found = hub.store.listed(Team, call.path["team"])
    if not found:
        raise not_found()
    return found[0]


def _memberships(hub: Hub, call: Call) -> list[Membership]:
    team, login = _team(hub, call), call.path["username"].lower()
    return [e for e in hub.store.listed(Membership, team.key) if e.login.lower() == login]


def _shape(hub: Hub, membership: Membership) -> dict[str, Any]:
    teams = f"{hub.shapes.api_url}/orgs/{hub.shapes.owner}/teams"
    url = f"{teams}/{membership.key}/memberships/{membership.login}"
    return {"url": url, "role": membership.role, "state": "active"}
