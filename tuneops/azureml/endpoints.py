"""Managed online endpoints and their deployments: looked at, and begun to change."""

from azure.core.exceptions import ResourceNotFoundError

from tuneops import names
from tuneops.azureml.errors import azure_errors
from tuneops.azureml.workspace import Workspace, plain
from tuneops.observed import Deployment, Endpoint
from tuneops.release import Release


def observe(workspace: Workspace, name: str, project: str) -> Endpoint | None:
    """The endpoint with its deployments and traffic, or None.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"endpoint {name}"):
        try:
            endpoint = workspace.ml.online_endpoints.get(name)
            found = list(workspace.ml.online_deployments.list(name))
        except ResourceNotFoundError:
            return None
        deployments = tuple(
            Deployment(
                name=str(item.name),
                state=plain(item.provisioning_state),
                release=(item.tags or {}).get(names.TAG_RELEASE, "")
                if names.is_ours(item.tags, project)
                else "",
            )
            for item in found
        )
        return Endpoint(
            name=name,
            state=plain(endpoint.provisioning_state),
            ours=names.is_ours(endpoint.tags, project),
            traffic={key: share for key, share in (endpoint.traffic or {}).items() if share},
            deployments=deployments,
        )


def begin_create(workspace: Workspace, release: Release) -> None:
    """Begin creating the release's endpoint.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    with azure_errors(f"creating endpoint {release.endpoint}"):
        endpoint = ManagedOnlineEndpoint(
            name=release.endpoint,
            description=f"{release.project}, kept by TuneOps",
            auth_mode="key",
            tags=release.tags,
        )
        workspace.ml.online_endpoints.begin_create_or_update(endpoint)


def begin_deploy(workspace: Workspace, release: Release) -> None:
    """Begin creating the release's deployment; it gets no traffic.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.entities import (
        ManagedOnlineDeployment,
        OnlineRequestSettings,
        ProbeSettings,
    )

    spec = release.config.deployment
    requests = spec.request_settings
    with azure_errors(f"creating deployment {release.deployment_name}"):
        deployment = ManagedOnlineDeployment(
            name=release.deployment_name,
            endpoint_name=release.endpoint,
            model=f"azureml:{release.project}:{release.model_version}",
            instance_type=spec.instance_type,
            instance_count=spec.instance_count,
            liveness_probe=ProbeSettings(initial_delay=spec.liveness_probe.initial_delay),
            request_settings=OnlineRequestSettings(
                request_timeout_ms=requests.request_timeout_ms,
                max_concurrent_requests_per_instance=requests.max_concurrent_requests_per_instance,
            ),
            tags=release.tags,
        )
        workspace.ml.online_deployments.begin_create_or_update(deployment)


def begin_shift(workspace: Workspace, endpoint: str, deployment: str) -> None:
    """Begin giving all traffic of the endpoint to one deployment, in one update.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"shifting traffic of {endpoint}"):
        current = workspace.ml.online_endpoints.get(endpoint)
        current.traffic = {deployment: 100}
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
