"""Looking at what runs in an environment and what it costs an hour."""

from collections.abc import Mapping
from datetime import datetime

from tuneops.azureml import running
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.cost.bill import Bill, ClusterCost, DeploymentCost
from tuneops.cost.machines import sum_of
from tuneops.cost.projects import Known, known_projects, role, under_way
from tuneops.policy import Policy
from tuneops.services import Services


def read_bill(services: Services, now: datetime) -> Bill:
    """The bill of the services' environment; a missing role is a problem that it names.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    known, policy = known_projects(services), services.policy
    bill = _of_the_store(services.environment, known, policy)
    try:
        deployed = running.deployments(services.workspace, services.environment)
        clusters = running.clusters(services.workspace, services.environment)
    except (MissingRoleError, RefusedError) as error:
        return _without(bill, error)
    prices = policy.prices
    total = sum_of((*deployed, *clusters), prices)
    deployed = tuple(sorted(deployed, key=lambda each: (each.project, each.endpoint, -each.share)))
    return bill.replace(
        deployments=tuple(
            DeploymentCost(deployment=each, role=role(each, known, now), hourly=each.hourly(prices))
            for each in deployed
        ),
        clusters=tuple(ClusterCost(nodes=each, hourly=each.hourly(prices)) for each in clusters),
        total=total,
        monthly=total.monthly,
    )


def read_bill_or_problem(services: Services, now: datetime) -> Bill:
    """As `read_bill`; where the workspace can't be asked the bill says so."""
    try:
        return read_bill(services, now)
    except UnavailableError as error:
        known = known_projects(services)
        return _without(_of_the_store(services.environment, known, services.policy), error)


def _of_the_store(environment: str, known: Mapping[str, Known], policy: Policy) -> Bill:
    """What is to be said without asking Azure."""
    newest = [each.newest for each in known.values() if each.newest]
    return Bill(
        environment=environment,
        currency=policy.prices.currency if policy.prices else "",
        max_hourly_cost=policy.max_hourly_cost,
        releases=tuple(under_way(known)),
        at_work=any(not release.phase.ended for release in newest),
    )


def _without(bill: Bill, error: Exception) -> Bill:
    return bill.replace(problem=f"what runs can't be told: {error}")
