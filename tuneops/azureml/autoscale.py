"""Azure Monitor's autoscale settings of deployments, which Azure ML leaves to it.

They outlive the deployment they are for. See learn.microsoft.com/azure/machine-learning/
how-to-autoscale-endpoints and learn.microsoft.com/rest/api/monitor/autoscale-settings.
"""

import re
from collections.abc import Iterable
from typing import Any

import httpx2
from pydantic import BaseModel, Field, ValidationError

from tuneops import names
from tuneops.azureml import rest
from tuneops.azureml.autoscale_setting import Properties, properties_of, settings_of
from tuneops.azureml.errors import UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.observed import Scaling
from tuneops.permissions.roles import AUTOSCALE
from tuneops.release import Release

API_VERSION = "2022-10-01"
MAX_PAGES = 20


class _Page(BaseModel):
    value: list[dict[str, Any]]
    next: str | None = Field(None, alias="nextLink")


def observe(workspace: Workspace, endpoints: Iterable[str], project: str) -> tuple[Scaling, ...]:
    """The settings of ours for what is, or was, behind some endpoints.

    Raises:
        MissingRoleError: the identity may not read them.
        UnavailableError: they can't be read now.
    """
    those = list(dict.fromkeys(endpoints))
    what, address = f"autoscale settings of project {project}", _address(workspace)
    found: list[Scaling] = []
    for _ in range(MAX_PAGES):
        page = rest.read(_Page, _ask(workspace, what, "GET", address), what)
        some = (_scaling(each, workspace, name, project) for each in page.value for name in those)
        found += filter(None, some)
        if not page.next:
            return tuple(found)
        if not page.next.startswith(f"{workspace.resource_manager}/"):
            break
        address = page.next
    raise UnavailableError(f"{what}: there are too many in the resource group")


def put(workspace: Workspace, release: Release) -> None:
    """Give the release's deployment the autoscale setting of its config.

    Raises:
        MissingRoleError: the identity may not write it.
        RefusedError: Azure does not accept it.
        UnavailableError: it can't be written now.
    """
    name = setting_name(workspace, release.endpoint, release.deployment_name)
    what = f"autoscale setting {name}"
    _ask(workspace, what, "PUT", f"{_address(workspace)}/{name}", _body(workspace, release, name))


def delete(workspace: Workspace, endpoint: str, deployment: str) -> None:
    """Delete the autoscale setting of a deployment, if it has one of ours.

    Raises:
        MissingRoleError: the identity may not delete it.
        UnavailableError: it can't be deleted now.
    """
    name = setting_name(workspace, endpoint, deployment)
    _ask(workspace, f"autoscale setting {name}", "DELETE", f"{_address(workspace)}/{name}")


def setting_id(workspace: Workspace, release: Release) -> str:
    """The ARM id of the setting of the release's deployment."""
    name = setting_name(workspace, release.endpoint, release.deployment_name)
    return f"{_group(workspace)}/{name}"


def setting_name(workspace: Workspace, endpoint: str, deployment: str) -> str:
    """The setting's name, which tells workspaces of one resource group apart."""
    return f"{endpoint}-{deployment}-{names.digest(workspace.id.lower())[:6]}"


def _scaling(
    given: dict[str, Any], workspace: Workspace, endpoint: str, project: str
) -> Scaling | None:
    """A setting of ours for the endpoint, None for any other; one that can't be read says so."""
    properties = given.get("properties")
    target = str(properties.get("targetResourceUri", "")) if isinstance(properties, dict) else ""
    prefix = re.escape(f"{workspace.id}/onlineEndpoints/{endpoint}/deployments/")
    deployment = re.fullmatch(rf"{prefix}([^/]+)", target, re.IGNORECASE)
    tags = given.get("tags")
    if not deployment or not isinstance(tags, dict) or not names.is_ours(tags, project):
        return None
    named = setting_name(workspace, endpoint, deployment[1])
    if str(given.get("name", "")).lower() != named.lower():
        return None
    try:
        return Scaling(endpoint, deployment[1], settings_of(Properties.model_validate(properties)))
    except ValidationError:
        return Scaling(endpoint, deployment[1], {"rules": "another one"})


def _body(workspace: Workspace, release: Release, name: str) -> dict[str, Any]:
    spec = release.deployment
    if spec.autoscale is None:
        raise ValueError(f"release {release.number} has no autoscale settings")
    endpoint = f"{workspace.id}/onlineEndpoints/{release.endpoint}"
    target = f"{endpoint}/deployments/{release.deployment_name}"
    properties = properties_of(name, target, spec.autoscale, spec.first_count)
    return {"location": workspace.region, "tags": release.tags, "properties": properties}


def _address(workspace: Workspace) -> str:
    return f"{workspace.resource_manager}{_group(workspace)}"


def _group(workspace: Workspace) -> str:
    group = workspace.id.partition("/providers/")[0]
    return f"{group}/providers/Microsoft.Insights/autoscalesettings"


def _ask(
    workspace: Workspace, what: str, method: str, address: str, body: dict[str, Any] | None = None
) -> httpx2.Response:
    """Azure's answer; what is deleted may have gone already."""
    url = address if "api-version=" in address else f"{address}?api-version={API_VERSION}"
    return rest.ask(workspace, what, method, url, body, missing=method == "DELETE", role=AUTOSCALE)
