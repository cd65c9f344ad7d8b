"""``tuneops doctor``."""

import re
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from tuneops.cli.target import (
    STATE,
    AccountOption,
    KeyOption,
    StateOption,
    Target,
    UrlOption,
    open_storage,
)
from tuneops.doctor.checks import AREAS, CHECKS, IN_THE_COMMAND, settled
from tuneops.doctor.finding import Finding, Outcome, Report
from tuneops.doctor.judging import command as judging
from tuneops.version import VERSION

TIMEOUT_SECONDS = 40
ACCOUNT_SECONDS = 10
WIDTH = max(map(len, CHECKS)) + 2
CHEAPEST = "settings"
"""What is asked of the function app where nothing it says is wanted."""
_LONG = re.compile(r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/")
"""What all ids of resources begin with; JSON has them whole."""
MARKS: dict[Outcome, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
}
PLAIN_MARKS = {"✓": "+", "✗": "x"}
"""For terminals that can't show the others."""


def doctor(
    only: Annotated[str, typer.Option(help=f"One area: {', '.join(AREAS)}.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
    account_url: AccountOption = "",
) -> None:
    """Find what is broken in a running TuneOps, and say how to mend it; exit 1 if something is.

    Example: tuneops doctor --only events
    """
    if only and only not in AREAS:
        raise typer.BadParameter(f"is one of {', '.join(AREAS)}", param_hint="--only")
    target = Target.find(url, key, state)
    report = _examine(target, only)
    if only in ("", "login"):
        mine = _data(account_url, bool(url), state, target.datasets_container)
        report = report.model_copy(update={"findings": (*report.findings, mine)})
    report = report.model_copy(update={"findings": settled(report.findings)})
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _show(report)
    if report.failed:
        raise typer.Exit(1)


def _examine(target: Target, only: str) -> Report:
    """What the function app says of itself, and whether it says anything."""
    area = CHEAPEST if only in IN_THE_COMMAND else only
    status, report, error = _ask(target, area)
    found = judging.judge_answer(status, error, target.url)
    if report:
        found.append(judging.judge_version(report.version, VERSION, target.url))
    theirs = report.findings if report else ()
    shown = [each for each in (*found, *theirs) if each.outcome == "failed" or _is_in(each, only)]
    return Report(version=report.version if report else "", findings=tuple(shown))


def _is_in(finding: Finding, only: str) -> bool:
    return not only or finding.area == only


def _ask(target: Target, area: str) -> tuple[int, Report | None, str]:
    """The status, the report where there is one, and what else went wrong."""
    try:
        answer = httpx2.get(
            f"{target.url}/api/doctor",
            params={"only": area} if area else {},
            headers={"x-functions-key": target.key},
            timeout=TIMEOUT_SECONDS,
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return 0, None, type(error).__name__
    if answer.status_code != httpx2.codes.OK:
        return answer.status_code, None, ""
    try:
        return answer.status_code, Report.model_validate_json(answer.content), ""
    except ValidationError:
        return answer.status_code, None, "and not like TuneOps"


def _data(account_url: str, elsewhere: bool, state: Path, container: str) -> Finding:
    """Whether the login of whoever runs this reads the data."""
    from azure.core.exceptions import AzureError

    if elsewhere and not account_url:
        return judging.judge_no_account()
    seconds = {"connection_timeout": ACCOUNT_SECONDS, "read_timeout": ACCOUNT_SECONDS}
    blobs = open_storage(account_url, state, retry_total=0, **seconds)
    try:
        pages = blobs.get_container_client(container).list_blob_names(results_per_page=1).by_page()
        next(pages, None)
        error = ""
    except AzureError as problem:
        error = str(getattr(problem, "error_code", "") or type(problem).__name__)
    return judging.judge_data(error, container, str(blobs.account_name))


def _show(report: Report) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for finding in report.findings:
        mark, colour = MARKS[finding.outcome]
        mark = mark if console.encoding.startswith("utf") else PLAIN_MARKS.get(mark, mark)
        name = f"{finding.environment}: " if finding.environment else ""
        line = Text.assemble((mark, colour), f" {finding.check:<{WIDTH}}", f"{name}{finding.what}")
        if finding.where:
            line.append(f" ({_LONG.sub('', finding.where)})", "dim")
        console.print(line)
        if finding.mend:
            console.print(Text(f"{'':<{WIDTH + 2}}mend: {finding.mend}"))
    counts = [
        f"{number} {outcome}"
        for outcome in MARKS
        if (number := sum(each.outcome == outcome for each in report.findings))
    ]
    console.print(Text(", ".join(counts)))
