"""How an endpoint's requests may be shared out among its deployments."""

import random
from collections.abc import Mapping, Sequence

from localcloud.azureml.arm import Json, user_error

MAX_MIRROR_PERCENT = 50


def check_traffic(traffic: Json, deployments: Sequence[Json]) -> dict[str, int]:
    """The percentages by deployment, if Azure would take them.

    Raises:
        ArmError: 400 unless they name deployments that succeeded and sum up to 0 or 100.
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


def choose(traffic: Mapping[str, int], dice: random.Random) -> str | None:
    """A deployment, at random by weight; None when none has a positive weight."""
    positive = {name: weight for name, weight in traffic.items() if weight > 0}
    if not positive:
        return None
    return dice.choices(list(positive), list(positive.values()))[0]


def _percentages(
    given: Json, field: str, highest: int, deployments: Sequence[Json]
) -> dict[str, int]:
    states = {
        record["resource"]["name"]: record["resource"]["properties"]["provisioningState"]
        for record in deployments
    }
    for name, percent in given.items():
        if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= highest:
            message = f"'{field}.{name}' must be a whole number from 0 to {highest}."
            raise user_error(message, target=field)
        if name not in states:
            message = f"'{field}' names deployment '{name}', which does not exist."
            raise user_error(message, target=field)
        if percent and states[name] not in ("Succeeded", "Updating"):
            message = f"Deployment '{name}' cannot get traffic: it is {states[name]}."
            raise user_error(message, target=field)
    return dict(given)
