"""Endpoints for environments and their protection rules.

A rule that waits and one about branches are kept as they are given; no workflow runs here that
they could hold up. Teams are those of the main repository's owner.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from localcloud.github.hub import Hub
from localcloud.github.records import Environment, Reviewer, Team, now
from localcloud.github.rest import Answer, Call, invalid, not_found
from localcloud.github.shapes import number_for, timestamp

BranchPolicy = dict[Literal["protected_branches", "custom_branch_policies"], bool]


class EnvironmentUpdate(BaseModel):
    """PUT .../environments/{name}"""

    wait_timer: Annotated[int, Field(ge=0, le=43_200)] = 0
    prevent_self_review: bool = False
    reviewers: Annotated[list[Reviewer], Field(max_length=6)] | None = None
    deployment_branch_policy: dict[
        Literal["protected_branches", "custom_branch_policies"], bool
    ] | (None) = None


def list_environments(hub: Hub, call: Call) -> Answer:
    """GET .../environments"""
    found = hub.store.listed(Environment)
    shapes = [_shape(hub, each) for each in found]
    return Answer({"total_count": len(found), "environments": shapes})


def get_environment(hub: Hub, call: Call) -> Answer:
    """GET .../environments/{name}"""
    return Answer(_shape(hub, _environment(hub, call)))


def put_environment(hub: Hub, call: Call) -> Answer:
    """PUT .../environments/{name}: make it, or replace its rules"""
    request, name = call.parse(EnvironmentUpdate), call.path["name"]
    reviewers = request.reviewers or []
    if any(_reviewer(hub, each) is None for each in reviewers):
        raise invalid("Environment", "reviewers")
    known = hub.store.listed(Environment, name)
    fields = {**request.model_dump(), "reviewers": reviewers, "updated_at": now()}
    if known:
        made = known[0].model_copy(update=fields)
        hub.store.replace(made)
    else:
        made = hub.store.add(Environment(key=name, **fields))
    return Answer(_shape(hub, made))


def delete_environment(hub: Hub, call: Call) -> Answer:
    """DELETE .../environments/{name}"""
    hub.store.remove(_environment(hub, call))
    return Answer(status=204)


def _environment(hub: Hub, call: Call) -> Environment:
    found = hub.store.listed(Environment, call.path["name"])
    if not found:
        raise not_found()
    return found[0]


def _reviewer(hub: Hub, reviewer: Reviewer) -> dict[str, Any] | None:
    """The account or team with its id, None if there is none."""
    if reviewer.type == "User":
        login = next((e for e in hub.people.logins if number_for(e) == reviewer.id), None)
        return hub.shapes.user(login) if login else None
    team = hub.store.get(Team, reviewer.id)
    return hub.shapes.team(team) if team else None


def _shape(hub: Hub, environment: Environment) -> dict[str, Any]:
    url = f"{hub.shapes.url}/environments/{environment.key}"
    reviewers = [
        {"type": each.type, "reviewer": shown}
        for each in environment.reviewers
        if (shown := _reviewer(hub, each))
    ]
    rules: list[dict[str, Any]] = []
    if environment.wait_timer:
        rules.append({"type": "wait_timer", "wait_timer": environment.wait_timer})
    if reviewers:
        own = environment.prevent_self_review
        rule = {"type": "required_reviewers", "prevent_self_review": own, "reviewers": reviewers}
        rules.append(rule)
    if environment.deployment_branch_policy:
        rules.append({"type": "branch_policy"})
    return {
        "id": environment.id,
        "node_id": f"EN_{environment.id}",
        "name": environment.key,
        "url": url,
        "html_url": url,
        "created_at": timestamp(environment.created_at),
        "updated_at": timestamp(environment.updated_at),
        "protection_rules": [
            {"id": number, "node_id": f"GA_{environment.id}_{number}", **rule}
            for number, rule in enumerate(rules, start=1)
        ],
        "deployment_branch_policy": environment.deployment_branch_policy,
    }
