"""Taking room for a deployment below ``max_hourly_cost``, so that no two projects take the same."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from tuneops import documents, names
from tuneops.azureml import endpoints, running
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.cost import limit
from tuneops.cost.ledger import Ledger
from tuneops.cost.machines import Deployed, wanted_by
from tuneops.cost.projects import at_most, read_projects
from tuneops.cost.room import Room
from tuneops.observed import SUCCEEDED, Endpoint, Observed
from tuneops.policy import FILE, Policy
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.store import ConflictError, Stored, UnreadableError

MAX_TRIES = 10


def find_room(
    services: Services, policy: Policy, release: Release | None, observed: Observed, now: datetime
) -> Room | None:
    """Whether the deployment that comes next has room; None when none does, or nothing limits it.

    So does one that is there and that autoscale may make larger from then on.

    While that can't be told it has none, and what else there is to do for the project goes on.
    """
    if policy.max_hourly_cost is None or release is None:
        return None
    grows = grows_next(release, observed)
    if not grows and not _deploys_next(release, observed):
        return None
    try:
        ledger = _read(services)
        known = ledger.value if ledger else Ledger()
        if known.has(wanted_by(release), now):
            return Room(reserved=True)
        if _was_live(release):
            return Room()
        lack = _lack(services, policy, release, known, observed.endpoint, now, grows=grows)
        return Room(lack=lack)
    except UnavailableError as error:
        if _was_live(release):
            return None
        return Room(lack=f"deployment {release.deployment_name} waits: {error}", known=False)


def reserve(services: Services, release: Release, now: datetime) -> None:
    """Take room for the release's deployment if there is some; else do nothing.

    What runs is listed after the reservations were read, and they are written only if they are
    still the same: so whatever another project deploys is seen as the one or the other.

    Raises:
        UnavailableError: it can't be told now.
    """
    policy = services.policy
    for _ in range(MAX_TRIES):
        stored = _read(services)
        known, etag = (stored.value, stored.etag) if stored else (Ledger(), None)
        if not _was_live(release):
            endpoint = endpoints.observe(services.workspace, release.endpoint, release.project)
            if _lack(services, policy, release, known, endpoint, now):
                return
        ledger = known.reserve(wanted_by(release), now)
        try:
            services.store.write(documents.reservations(services.environment), ledger, etag)
        except ConflictError:
            continue
        return
    raise UnavailableError("many projects deploy at the same time, each takes its turn")


def _deploys_next(release: Release, observed: Observed) -> bool:
    """Whether its deployment is still to be created, behind an endpoint that is there."""
    endpoint = observed.endpoint
    return (
        release.phase == Phase.DEPLOYING
        and endpoint is not None
        and endpoint.deployment(release.deployment_name) is None
    )


def grows_next(release: Release, observed: Observed) -> bool:
    """Whether an earlier release's deployment is to get more instances by autoscale than it may."""
    endpoint, scale = observed.endpoint, release.deployment.autoscale
    if release.phase != Phase.DEPLOYING or endpoint is None or scale is None:
        return False
    found = endpoint.deployment(release.deployment_name)
    if found is None or found.state != SUCCEEDED or found.release == str(release.number):
        return False
    known = observed.scaling(found.name)
    bound = known.settings.get("max", "") if known else ""
    return scale.max > (int(bound) if bound.isdecimal() else found.instance_count)


def _was_live(release: Release) -> bool:
    """Whether it is what was live that is deployed again: that is never refused, but it counts."""
    return release.entered(Phase.LIVE) is not None


def _lack(
    services: Services,
    policy: Policy,
    release: Release,
    ledger: Ledger,
    endpoint: Endpoint | None,
    now: datetime,
    *,
    grows: bool = False,
) -> str:
    if policy.max_hourly_cost is None:
        return ""
    with _checked():
        seen = running.deployments(services.workspace, services.environment)
    wanted = wanted_by(release)
    beside = ledger.beside(wanted, seen, _behind(endpoint, release.project), now)
    beside = _grown(services, beside)
    return limit.lack(policy.max_hourly_cost, policy.prices, wanted, beside, FILE, grows=grows)


def _grown(services: Services, running: Sequence[Deployed]) -> list[Deployed]:
    """What runs, as large as autoscale may make it; what a tag holds may be no project."""
    named = {each.project for each in running if re.fullmatch(names.PROJECT_KEY, each.project)}
    known = read_projects(services, named)
    return [at_most(each, known) for each in running]


def _behind(endpoint: Endpoint | None, project: str) -> Sequence[Deployed]:
    """What stands behind an endpoint."""
    if endpoint is None:
        return []
    return [
        Deployed(
            size=each.instance_type,
            count=each.instance_count,
            endpoint=endpoint.name,
            name=each.name,
            project=project,
        )
        for each in endpoint.deployments
    ]


def _read(services: Services) -> Stored[Ledger] | None:
    with _checked():
        return services.store.read(documents.reservations(services.environment), Ledger)


@contextmanager
def _checked() -> Iterator[None]:
    """What is not known is no reason to give a release up, nor to deploy."""
    try:
        yield
    except (RefusedError, UnavailableError, UnreadableError) as error:
        seconds = error.seconds if isinstance(error, UnavailableError) else 0
        message = f"max_hourly_cost of {FILE} can't be checked: {error}"
        raise UnavailableError(message, seconds) from error
