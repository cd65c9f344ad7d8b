"""``tuneops cost``."""

from typing import Annotated

import httpx2
import typer
from pydantic import ValidationError
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tuneops.cli.output import JsonOption, console, print_json
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption, fail
from tuneops.cost.bill import Bill, Bills
from tuneops.cost.text import price_text, sum_text


def cost(
    environment: Annotated[
        str | None, typer.Option(help="Only this environment; '' is the one without a name.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show what runs and what it costs an hour, by the policy's prices.

    Example: tuneops cost
    """
    bills = _ask(Target.find(url, key, state), environment)
    if as_json:
        print_json(bills)
    else:
        console().print(*map(render, bills.environments), sep="\n\n")


def render(bill: Bill) -> Group:
    """What runs as a table, with its sum below."""
    table = Table(box=None, pad_edge=False)
    for name in ("Project", "Endpoint or cluster", "Deployment", "Machines", "Traffic", "What"):
        table.add_column(name)
    table.add_column(f"{bill.currency} an hour".strip(), justify="right")
    for each in bill.deployments:
        runs = each.deployment
        where = (runs.project, runs.endpoint, runs.name, str(runs), f"{runs.share}%", each.role)
        table.add_row(*where, price_text(each.hourly))
    for node in bill.clusters:
        nodes = node.nodes
        what = nodes.tier.replace("_", " ")
        where = (nodes.project, nodes.cluster, "", str(nodes), "", what)
        table.add_row(*where, price_text(node.hourly))
    return Group(table, *(Text(line) for line in _below(bill)))


def _below(bill: Bill) -> list[str]:
    where = f"{bill.environment}: " if bill.environment else ""
    if bill.problem:
        return [f"{where}{bill.problem}"]
    monthly = f"; {bill.monthly:,.0f} {bill.currency} a month" if bill.monthly else ""
    most = bill.max_hourly_cost
    limit = "" if most is None else f"; max_hourly_cost of deployments is {most:,.2f}"
    lines = [f"{where}{sum_text(bill)}{monthly}{limit}"]
    if bill.total.unpriced:
        lines.append(f"without a price: {', '.join(bill.total.unpriced)}")
    return lines


def _ask(target: Target, environment: str | None) -> Bills:
    """What the running TuneOps says.

    Raises:
        typer.Exit: it does not.
    """
    params = {} if environment is None else {"environment": environment}
    response = target.send_or_fail("GET", "cost", params=params)
    if response.status_code == httpx2.codes.NOT_FOUND and environment is not None:
        raise fail(f"there is no environment {environment!r}")
    if response.status_code != httpx2.codes.OK:
        raise fail(target.refusal(response))
    try:
        return Bills.model_validate_json(response.content)
    except ValidationError as error:
        raise fail(f"{target.url} does not answer like this version of TuneOps") from error
