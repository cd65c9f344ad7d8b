"""What ``max_hourly_cost`` would make of a config if it were deployed now."""

from collections.abc import Iterable, Iterator

from tuneops.azureml import running
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.cost import limit
from tuneops.cost.machines import Deployed, wanted_by
from tuneops.names import environment_of
from tuneops.policy import FILE, Policy
from tuneops.release import Release


def notes(workspace: Workspace, release: Release, policies: Iterable[Policy]) -> tuple[str, ...]:
    """What there is to say of a release with a training plan: that may be over when it deploys."""
    limited = [policy for policy in policies if policy.max_hourly_cost is not None]
    if not limited:
        return ()
    wanted = wanted_by(release)
    try:
        seen = running.deployments(workspace, environment_of(release.project))
    except (RefusedError, UnavailableError) as error:
        return (f"max_hourly_cost of {FILE} is not checked against what runs: {error}",)
    if any(each.key == wanted.key for each in seen):
        return ()
    return tuple(_lacking(limited, wanted, [each for each in seen if not _goes(each, wanted)]))


def _lacking(policies: Iterable[Policy], wanted: Deployed, beside: list[Deployed]) -> Iterator[str]:
    for policy in policies:
        if policy.max_hourly_cost is not None:
            found = limit.lack(policy.max_hourly_cost, policy.prices, wanted, beside, FILE)
            if found:
                yield f"as things are now, {found}"


def _goes(each: Deployed, wanted: Deployed) -> bool:
    """Whether it makes way: what the endpoint has besides what serves is deleted first."""
    return each.endpoint.lower() == wanted.endpoint.lower() and not each.share
