"""The daily summary, in words. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from tuneops.cost.bill import Bill
from tuneops.cost.machines import Deployed

MAX_LINES = 50


def title(bill: Bill) -> str:
    """The summary in a few words."""
    where = bill.environment or "TuneOps"
    if bill.problem:
        return f"{where}: what runs is not known"
    return f"{where}: {sum_text(bill)}"


def sum_text(bill: Bill) -> str:
    """What all of it costs in an hour, and how much of it has no price."""
    if not (bill.deployments or bill.nodes):
        return "nothing runs"
    left_out = len(bill.total.unpriced)
    if not bill.currency:
        return "the policy has no prices for what runs"
    without = f", and {left_out} without a price" if left_out else ""
    return f"{bill.total.hourly:,.2f} {bill.currency} an hour{without}"


def body(bill: Bill, before: Sequence[Deployed] | None) -> str:
    """The whole summary; `before` is what ran the day before, None if that is not known."""
    lines = [bill.problem] if bill.problem else list(_what_runs(bill))
    if before is not None and not bill.problem:
        lines += _section("Changed since the last summary:", changes(before, bill.running))
    lines += _section("Releases that are not live:", bill.releases)
    return "\n".join(lines)


def changes(before: Iterable[Deployed], now: Iterable[Deployed]) -> list[str]:
    """What came, what went, and what has another size."""
    then, there = ({each.key: each for each in some} for some in (before, now))
    came = [f"new: {_named(each)}" for key, each in there.items() if key not in then]
    went = [f"gone: {_named(each)}" for key, each in then.items() if key not in there]
    other = [
        f"{each.project}: {each.endpoint}/{each.name}, {then[key]} became {each}"
        for key, each in there.items()
        if key in then and (then[key].size, then[key].count) != (each.size, each.count)
    ]
    return [*came, *went, *other]


def price_text(hourly: float | None) -> str:
    """What something costs in an hour."""
    return "no price" if hourly is None else f"{hourly:,.2f}"


def _what_runs(bill: Bill) -> Iterator[str]:
    monthly = f"; {bill.monthly:,.0f} {bill.currency} a month" if bill.monthly else ""
    yield f"{sum_text(bill)}{monthly}"
    if bill.max_hourly_cost is not None:
        yield f"max_hourly_cost of deployments: {bill.max_hourly_cost:,.2f} {bill.currency}"
    yield from _section(
        "Deployments:",
        [
            f"{_named(each.deployment)}, {each.deployment.share}% of the traffic, {each.role}: "
            f"{price_text(each.hourly)}"
            for each in bill.deployments
        ],
    )
    yield from _section(
        "Clusters:",
        [
            f"{each.nodes.project}: {each.nodes.cluster}, {each.nodes} ({each.nodes.tier}): "
            f"{price_text(each.hourly)}"
            for each in bill.nodes
        ],
    )
    yield from _section("Without a price, so not in the sum:", bill.total.unpriced)


def _section(heading: str, items: Sequence[str]) -> list[str]:
    """Items under a heading, so many at most: channels cut long messages anywhere."""
    if not items:
        return []
    more = [f"- and {len(items) - MAX_LINES} more"] if len(items) > MAX_LINES else []
    return ["", heading, *(f"- {item}" for item in items[:MAX_LINES]), *more]


def _named(each: Deployed) -> str:
    return f"{each.project}: {each.endpoint}/{each.name}, {each}"
