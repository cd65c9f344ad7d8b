"""Deploying: the endpoint and the deployment behind it. Pure."""

from datetime import datetime

from tuneops.actions import (
    Action,
    Advance,
    CreateEndpoint,
    DeleteDeployment,
    Fail,
    RepairEndpoint,
    SetAutoscale,
    UpdateEndpoint,
    Wait,
)
from tuneops.drift import is_known, scaling_differences
from tuneops.observed import SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.phases import provisioning
from tuneops.release import Phase, Release

MAX_REPAIRS = 2


def deploy(release: Release, observed: Observed, now: datetime) -> Action:
    """The endpoint and the deployment behind it, without traffic."""
    endpoint = observed.endpoint
    if observed.awaited:
        return _await(observed.awaited)
    if endpoint is None:
        return CreateEndpoint()
    if not is_known(release, endpoint):
        return Fail(f"endpoint {endpoint.name} exists and was not created by this project")
    if endpoint.state != SUCCEEDED:
        return await_endpoint(release, endpoint)
    if _differs(endpoint, release):
        return UpdateEndpoint()
    if not release.instance_types_left:
        return Fail(provisioning.shortages(release))
    deployment = endpoint.deployment(release.deployment_name)
    if deployment is None:
        return provisioning.begin(release, observed, endpoint, now)
    serves = endpoint.takes_traffic(deployment.name) or (
        f"{endpoint.name}/{deployment.name}" == observed.live_deployment
    )
    return _await_deployment(release, deployment, observed, now, serves=serves)


def await_endpoint(release: Release, endpoint: Endpoint) -> Action:
    """Wait for the end of a change of the endpoint; what Azure failed at is done again."""
    if not endpoint.broken:
        return Wait(f"endpoint {endpoint.name} is {endpoint.state}", patience=SLOW)
    if release.repairs < MAX_REPAIRS:
        return RepairEndpoint()
    return Fail(
        f"endpoint {endpoint.name} is {endpoint.state}: see why in the studio, then repair or "
        "delete it, or set endpoint.name to another name"
    )


def _await(deployment: Deployment) -> Wait:
    return Wait(f"deployment {deployment.name} is {deployment.state}", patience=SLOW)


def _differs(endpoint: Endpoint, release: Release) -> bool:
    """Whether the endpoint has other settings than the config, or has lost tags of ours."""
    wanted = release.config.endpoint
    settings = (endpoint.auth_mode, endpoint.public_network_access)
    tags = {name.lower(): value for name, value in endpoint.tags.items()}
    same = settings == (wanted.auth_mode, wanted.public_network_access)
    return (
        bool(endpoint.lost_tags)
        or not same
        or any(tags.get(name.lower()) != value for name, value in wanted.tags.items())
    )


def _await_deployment(
    release: Release, deployment: Deployment, observed: Observed, now: datetime, *, serves: bool
) -> Action:
    """What failed under an earlier release goes, unless it `serves` all the same."""
    if not deployment.settled:
        return _await(deployment)
    if deployment.state == SUCCEEDED:
        once_more = release.provisioning.scalings < MAX_REPAIRS
        if once_more and any(scaling_differences(release, observed)):
            return SetAutoscale()
        on = f" on {release.instance_type}" if release.provisioning.lacking else ""
        return Advance(Phase.TESTING, f"deployment {deployment.name} is ready{on}")
    if deployment.release != str(release.number) and not serves:
        return DeleteDeployment(deployment.name)
    if deployment.transient or serves:
        return provisioning.again(release, deployment, now)
    if deployment.lacking:
        return provisioning.elsewhere(release, deployment, observed)
    return Fail(provisioning.failure(deployment))
