"""How an endpoint's requests may be shared out among its deployments."""

import random
from collections.abc import Mapping, Sequence

from localcloud.azureml.arm import Json, user_error

MAX_MIRROR_PERCENT = 50


def check_traffic(traffic: Json, deployments: Sequence[Json]) -> dict[str, int]:
    """The percentages by deployment, if Azure would take them.

    Raises:
        ArmError: 400 unless they name deployments that serve and sum up to 0 or 100.
    """
    weights = _percentages(traffic, "traffic", 100, deployments)
    total = sum(weights.values())
    if total not in (0, 100):
        raise user_error(
            f"The traffic percentages must sum up to 0 or 100, not {total}.", target="traffic"
        )
    return weights


def check_mirror_traffic(
    mirror: Json, traffic: Mapping[str, int], deployments: Sequence[Json]
) -> dict[str, int]:
    """The percentage that one deployment gets a copy of, if Azure would take it.

    Raises:
        ArmError: 400 for more than one deployment, more than 50 %, or one with live traffic.
    """
    weights = _percentages(mirror, "mirrorTraffic", MAX_MIRROR_PERCENT, deployments)
    if len(weights) > 1:
        raise user_error("Only one deployment can get mirrored traffic.", target="mirrorTraffic")
    for name in weights:
        if traffic.get(name):
            raise user_error(
                f"Deployment '{name}' can get live traffic or mirrored traffic, not both.",
                target="mirrorTraffic",
            )
    return weights


def check_unused(endpoint: Json, deployment: str) -> None:
    """Make sure that a deployment gets no requests, live or mirrored.

    Raises:
        ArmError: 400 when it does.
    """
    for field, kind in (("traffic", "traffic"), ("mirrorTraffic", "mirrored traffic")):
        percent = endpoint["properties"][field].get(deployment, 0)
        if percent:
            raise user_error(
                f"Deployment '{deployment}' gets {percent}% of the {kind} of endpoint "
                f"'{endpoint['name']}'. Set its {kind} to 0 before you delete it.",
                target=field,
            )


def forget(endpoint: Json, deployment: str) -> None:
    """Drop a deployment from the shares of an endpoint."""
    for field in ("traffic", "mirrorTraffic"):
        endpoint["properties"][field].pop(deployment, None)


def choose(traffic: Mapping[str, int], dice: random.Random) -> str | None:
    """A deployment, at random by weight; None when none has a positive weight."""
    positive = {name: weight for name, weight in traffic.items() if weight > 0}
    if not positive:
        return None
    return dice.choices(list(positive), list(positive.values()))[0]


def _percentages(
    given: Json, field: str, highest: int, deployments: Sequence[Json]
) -> dict[str, int]:
    known = {record["resource"]["name"]: record for record in deployments}
    for name, percent in given.items():
        if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= highest:
            message = f"'{field}.{name}' must be a whole number from 0 to {highest}."
            raise user_error(message, target=field)
        if name not in known:
            message = f"'{field}' names deployment '{name}', which does not exist."
            raise user_error(message, target=field)
        if percent:
            _check_serving(known[name], field)
    return dict(given)


def _check_serving(deployment: Json, field: str) -> None:
    """A deployment that an update failed on goes on as it was, and may get traffic."""
    resource = deployment["resource"]
    state = resource["properties"]["provisioningState"]
    if state == "Deleting" or deployment["serving"] is None:
        message = f"Deployment '{resource['name']}' cannot get traffic: it is {state}."
        raise user_error(message, target=field)
