"""Endpoints for deployments and their statuses."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from localcloud.github.hub import Hub
from localcloud.github.reading_api import resolve
from localcloud.github.records import Deployment, DeploymentStatus
from localcloud.github.rest import Answer, ApiError, Call, not_found

Url = Annotated[str, Field(pattern="^(https?://.+)?$", max_length=8192)]
Name = Annotated[str, Field(min_length=1, max_length=255)]


class NewDeployment(BaseModel):
    """POST .../deployments"""

    ref: Annotated[str, Field(min_length=1)]
    task: Name = "deploy"
    auto_merge: bool = True
    required_contexts: list[str] | None = None
    payload: dict[str, Any] | str = ""
    environment: Name = "production"
    description: Annotated[str, Field(max_length=140)] | None = None


class NewDeploymentStatus(BaseModel):
    """POST .../deployments/{id}/statuses"""

    state: Literal["error", "failure", "inactive", "in_progress", "queued", "pending", "success"]
    description: Annotated[str, Field(max_length=140)] = ""
    log_url: Url = ""
    environment_url: Url = ""
    auto_inactive: bool = True


def create_deployment(hub: Hub, call: Call) -> Answer:
    """POST .../deployments; contexts that are required, and merging first, are not known here."""
    request = call.parse(NewDeployment)
    if request.required_contexts:
        raise ApiError(409, "Conflict: Commit status checks failed")
    sha = resolve(hub, request.ref)
    made = Deployment(
        key=sha,
        creator=call.caller,
        ref=request.ref,
        task=request.task,
        environment=request.environment,
        description=request.description,
    )
    return Answer(hub.shapes.deployment(hub.store.add(made)), 201)


def list_deployments(hub: Hub, call: Call) -> Answer:
    """GET .../deployments?sha=&ref=&task=&environment=, newest first"""
    fields = {"sha": "key", "ref": "ref", "task": "task", "environment": "environment"}
    wanted = {fields[name]: call.query[name] for name in fields.keys() & call.query.keys()}
    found = [
        each
        for each in hub.store.listed(Deployment)
        if all(getattr(each, field) == value for field, value in wanted.items())
    ]
    return Answer([hub.shapes.deployment(each) for each in reversed(found)])


def create_deployment_status(hub: Hub, call: Call) -> Answer:
    """POST .../deployments/{id}/statuses; a success makes others of its environment inactive"""
    deployment = _deployment(hub, call)
    request = call.parse(NewDeploymentStatus)
    fields = request.model_dump(exclude={"auto_inactive"})
    status = hub.store.add(DeploymentStatus(key=str(deployment.id), creator=call.caller, **fields))
    if request.auto_inactive and request.state == "success":
        for other in hub.store.listed(Deployment):
            if other.id != deployment.id and other.environment == deployment.environment:
                _retire(hub, other)
    return Answer(hub.shapes.deployment_status(status, deployment), 201)


def list_deployment_statuses(hub: Hub, call: Call) -> Answer:
    """GET .../deployments/{id}/statuses, newest first"""
    deployment = _deployment(hub, call)
    statuses = hub.store.listed(DeploymentStatus, str(deployment.id))
    return Answer([hub.shapes.deployment_status(each, deployment) for each in reversed(statuses)])


def _retire(hub: Hub, deployment: Deployment) -> None:
    statuses = hub.store.listed(DeploymentStatus, str(deployment.id))
    if statuses and statuses[-1].state == "success":
        hub.store.add(DeploymentStatus(key=str(deployment.id), state="inactive"))


def _deployment(hub: Hub, call: Call) -> Deployment:
    found = hub.store.get(Deployment, call.number("id"))
    if found is None:
        raise not_found()
    return found
