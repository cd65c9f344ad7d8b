"""Managed online endpoints and their deployments: looked at, and begun to change."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tuneops import names
from tuneops.azureml import reasons
from tuneops.azureml.errors import NoMachinesError, azure_errors
from tuneops.azureml.identity import identity_of
from tuneops.azureml.transport import afresh, whether
from tuneops.azureml.workspace import Workspace, plain
from tuneops.config import Probe, RequestSettings
from tuneops.observed import FAILED, Deployment, Endpoint
from tuneops.release import Release
from tuneops.section import Section

if TYPE_CHECKING:
    from azure.ai.ml.entities import ManagedOnlineDeployment, ProbeSettings


def observe(workspace: Workspace, name: str, project: str) -> Endpoint | None:
    """The endpoint with its deployments and traffic, or None.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"endpoint {name}"):
        try:
            found = list(workspace.ml.online_deployments.list(name))
            endpoint = workspace.ml.online_endpoints.get(name)
        except ResourceNotFoundError:
            return None
        return Endpoint(
            name=name,
            state=plain(endpoint.provisioning_state),
            ours=names.is_ours(endpoint.tags, project),
            auth_mode=str(endpoint.auth_mode),
            public_network_access=plain(endpoint.public_network_access or "enabled").lower(),
            identities=_user_assigned(endpoint.identity),
            tags=dict(endpoint.tags or {}),
            lost_tags=names.lost_tags(endpoint.tags),
            traffic=_shares(endpoint.traffic),
            mirror_traffic=_shares(endpoint.mirror_traffic),
            deployments=tuple(_deployment(workspace, item, name, project) for item in found),
        )


def under_way(workspace: Workspace, release: Release) -> Deployment | None:
    """The release's deployment, by name and state, while an operation on it is under way.

    It takes one call.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"endpoint {release.endpoint}"):
        try:
            found = list(workspace.ml.online_deployments.list(release.endpoint))
        except ResourceNotFoundError:
            return None
    seen = (Deployment(str(each.name), plain(each.provisioning_state), "") for each in found)
    own = (each for each in seen if each.name == release.deployment_name)
    return next((each for each in own if not each.settled), None)


def begin_create(workspace: Workspace, release: Release) -> None:
    """Begin creating the release's endpoint.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    spec = release.config.endpoint
    with azure_errors(f"creating endpoint {release.endpoint}"):
        endpoint = ManagedOnlineEndpoint(
            name=release.endpoint,
            description=f"{release.project}, kept by TuneOps",
            auth_mode=spec.auth_mode,
            public_network_access=spec.public_network_access,
            identity=identity_of(spec.identity),
            tags={**spec.tags, **release.tags},
        )
        workspace.ml.online_endpoints.begin_create_or_update(endpoint)


def begin_update(workspace: Workspace, release: Release) -> None:
    """Begin giving the release's endpoint the settings of its config; traffic stays as it is.

    Tags of others stay, and those of ours that it has lost come back.

    Raises:
        RefusedError: the workspace does not accept them.
        UnavailableError: the workspace can't be asked now.
    """
    spec = release.config.endpoint
    with azure_errors(f"changing endpoint {release.endpoint}"):
        with afresh():
            current = workspace.ml.online_endpoints.get(release.endpoint)
        current.auth_mode = spec.auth_mode
        current.public_network_access = spec.public_network_access
        current.tags = {**release.tags, **(current.tags or {}), **spec.tags}
        workspace.ml.online_endpoints.begin_create_or_update(current)


def begin_deploy(workspace: Workspace, release: Release) -> None:
    """Begin creating the release's deployment; it gets no traffic.

    Raises:
        NoMachinesError: there is no quota or capacity for its instance type.
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    tags = {**release.config.deployment.tags, **release.tags}
    with azure_errors(f"creating deployment {release.deployment_name}"):
        deployment = _described(release, tags)
        try:
            with whether():  # its endpoint is there: the SDK asks for that before (1.35)
                workspace.ml.online_deployments.begin_create_or_update(deployment)
        except HttpResponseError as error:
            if reason := reasons.of_shortage(error):
                raise NoMachinesError(reason) from error
            raise


def begin_redeploy(workspace: Workspace, release: Release) -> None:
    """Begin giving the release's deployment its settings again; tags of others stay.

    Raises:
        RefusedError: the workspace does not accept them.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"changing deployment {release.deployment_name}"):
        with afresh():
            current = workspace.ml.online_deployments.get(release.deployment_name, release.endpoint)
        tags = {**release.tags, **(current.tags or {}), **release.config.deployment.tags}
        deployment = _described(release, tags)
        if release.deployment.autoscale:
            deployment.instance_count = release.deployment.autoscale.within(current.instance_count)
        workspace.ml.online_deployments.begin_create_or_update(deployment)


def begin_shift(workspace: Workspace, endpoint: str, deployment: str) -> None:
    """Begin giving all traffic of the endpoint to one deployment, in one update; none is mirrored.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    begin_share(workspace, endpoint, {deployment: 100}, {})


def begin_share(
    workspace: Workspace, endpoint: str, traffic: Mapping[str, int], mirror: Mapping[str, int]
) -> None:
    """Begin sharing out the traffic of the endpoint, and mirroring it, in one update.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"shifting traffic of {endpoint}"):
        with afresh():
            current = workspace.ml.online_endpoints.get(endpoint)
        current.traffic = dict(traffic)
        current.mirror_traffic = dict(mirror)
        workspace.ml.online_endpoints.begin_create_or_update(current)


def begin_delete_deployment(workspace: Workspace, endpoint: str, deployment: str) -> None:
    """Begin deleting a deployment; Azure refuses it while the deployment has traffic.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"deleting deployment {deployment}"):
        workspace.ml.online_deployments.begin_delete(deployment, endpoint)


def begin_delete(workspace: Workspace, endpoint: str) -> None:
    """Begin deleting an endpoint with all its deployments.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"deleting endpoint {endpoint}"):
        workspace.ml.online_endpoints.begin_delete(endpoint)


def _deployment(workspace: Workspace, found: Any, endpoint: str, project: str) -> Deployment:
    ours = names.is_ours(found.tags, project)
    state = plain(found.provisioning_state)
    failed = ours and state == FAILED
    error = reasons.of_deployment(workspace, endpoint, found) if failed else ""
    return Deployment(
        name=str(found.name),
        state=state,
        error=error,
        transient=reasons.is_transient(error),
        lacking=reasons.is_shortage(error),
        release=(found.tags or {}).get(names.TAG_RELEASE, "") if ours else "",
        instance_type=str(found.instance_type or ""),
        instance_count=found.instance_count or 1,
        model=_model(str(found.model or "")),
        settings=_settings(found),
        tags=dict(found.tags or {}),
        lost_tags=names.lost_tags(found.tags),
        other_owner="" if ours else (found.tags or {}).get(names.TAG_PROJECT, ""),
    )


def _described(release: Release, tags: dict[str, str]) -> "ManagedOnlineDeployment":
    from azure.ai.ml.entities import ManagedOnlineDeployment, OnlineRequestSettings

    spec = release.deployment
    return ManagedOnlineDeployment(
        name=release.deployment_name,
        endpoint_name=release.endpoint,
        model=f"azureml:{release.model_name}:{release.model_version}",
        instance_type=spec.instance_type,
        instance_count=spec.first_count,
        liveness_probe=_probe(spec.liveness_probe),
        readiness_probe=_probe(spec.readiness_probe),
        request_settings=OnlineRequestSettings(**spec.request_settings.model_dump()),
        environment_variables=dict(spec.environment_variables),
        egress_public_network_access=spec.egress_public_network_access,
        tags=tags,
    )


def _settings(found: Any) -> dict[str, str]:
    """A deployment's settings by their paths in the config; what Azure does not say is left out.

    So is `max_queue_wait_ms`: Azure has deprecated it and need not keep it.
    """
    said = {
        "instance_type": found.instance_type,
        "instance_count": found.instance_count,
        "egress_public_network_access": found.egress_public_network_access,
        **_fields("request_settings", RequestSettings, found.request_settings),
        **_fields("liveness_probe", Probe, found.liveness_probe),
        **_fields("readiness_probe", Probe, found.readiness_probe),
        **{
            f"environment_variables.{name}": value
            for name, value in (found.environment_variables or {}).items()
        },
    }
    del said["request_settings.max_queue_wait_ms"]
    return {path: plain(value) for path, value in said.items() if value is not None}


def _fields(path: str, section: type[Section], found: Any) -> dict[str, object]:
    return {f"{path}.{name}": getattr(found, name, None) for name in section.model_fields}


def _model(identifier: str) -> str:
    """NAME:VERSION of a model by its ARM id, empty for what is none."""
    match = re.search(r"/models/([^/]+)/versions/([^/]+)$", identifier)
    return f"{match[1]}:{match[2]}" if match else ""


def _shares(traffic: Mapping[str, int] | None) -> dict[str, int]:
    return {name: share for name, share in (traffic or {}).items() if share}


def _user_assigned(identity: Any) -> frozenset[str]:
    """The ids of an endpoint's user-assigned identities, in lower case."""
    assigned = getattr(identity, "user_assigned_identities", None) or ()
    return frozenset(str(each.resource_id).lower() for each in assigned)


def _probe(probe: Probe) -> "ProbeSettings":
    from azure.ai.ml.entities import ProbeSettings

    return ProbeSettings(**probe.model_dump())
