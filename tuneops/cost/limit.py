"""The limit ``max_hourly_cost``: what it does not allow, in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from tuneops.cost.machines import Deployed, Machines, sum_of
from tuneops.prices import Prices

MAX_NAMED = 3
TOLERANCE = 1e-6
"""Sums of prices are not exact."""


def alone(
    limit: float | None, prices: Prices | None, choices: Mapping[str, Machines], file: str
) -> Iterator[str]:
    """Why one of these, by the field that names it, may not be deployed even if nothing else is."""
    if limit is None:
        return
    for field, wanted in choices.items():
        yield from _alone(limit, prices, field, wanted, file)


def _alone(
    limit: float, prices: Prices | None, field: str, wanted: Machines, file: str
) -> Iterator[str]:
    cost = wanted.hourly(prices)
    if prices is None or cost is None:
        yield (
            f"max_hourly_cost of {file}: there is no price of {wanted.size}, which {field} asks "
            "for; add that of one instance's hour to prices.per_hour there"
        )
    elif cost > limit + TOLERANCE:
        yield (
            f"deployment: {wanted} cost {cost:,.2f} {prices.currency} an hour, which is more than "
            f"max_hourly_cost of {file}; stay at {limit:,.2f} with fewer or other instances"
        )


def lack(
    limit: float,
    prices: Prices | None,
    wanted: Deployed,
    beside: Sequence[Deployed],
    file: str,
    *,
    grows: bool = False,
) -> str:
    """Why this deployment may not be created beside those there are, empty if it may.

    `grows`: it is there, and may not become as large as that.
    """
    nameless = [each for each in (wanted, *beside) if each.hourly(prices) is None]
    if prices is None or nameless:
        named = ", ".join(f"{each} ({each.endpoint}/{each.name})" for each in nameless[:MAX_NAMED])
        more = f" and {len(nameless) - MAX_NAMED} more" if len(nameless) > MAX_NAMED else ""
        return (
            f"deployment {wanted.name} waits: max_hourly_cost of {file} can't be checked, as there "
            f"is no price of {named}{more}; add that of one instance's hour to prices.per_hour "
            "there"
        )
    needs, runs = sum_of([wanted], prices).hourly, sum_of(beside, prices).hourly
    if needs + runs <= limit + TOLERANCE:
        return ""
    own = sum_of((each for each in beside if each.project == wanted.project), prices).hourly
    size, then = (" at its autoscale.max", "may grow") if grows else ("", "is created")
    of_own = f", {own:,.2f} of it the project's own" if own else ""
    return (
        f"deployment {wanted.name} waits: it costs {needs:,.2f} {prices.currency} an hour{size}, "
        f"what runs or is about to costs {runs:,.2f} already{of_own}, and max_hourly_cost of "
        f"{file} is {limit:,.2f}; it {then} once enough of that has gone, or the policy allows more"
    )
