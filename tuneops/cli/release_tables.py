"""Tables of one release."""

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tuneops.behaviour.text import score_text
from tuneops.cli.output import plain
from tuneops.estimate_text import beside
from tuneops.estimates import Actuals
from tuneops.parameters import Origin, Parameter
from tuneops.status import ReleaseStatus

_WHO = {
    Origin.TUNEOPS: "TuneOps",
    Origin.DEFAULT: "default of the tutorial",
    Origin.MODEL: "model_specific_defaults",
    Origin.CONFIG: "config",
}


def table(*names: str, rows: Iterable[Iterable[str]] = ()) -> Table:
    """A table without a frame; its cells are text, never markup."""
    made = Table(*names, box=None, pad_edge=False, show_header=any(names))
    for row in rows:
        made.add_row(*(Text(plain(cell)) for cell in row))
    return made


def course(release: ReleaseStatus) -> list[RenderableType]:
    """The release's tables, a blank line before each; what is empty is left out."""
    made = [part(release) for part in (history, checks, sets, estimates)]
    return [each for table in made if table.row_count for each in ("", table)]


def history(release: ReleaseStatus) -> Table:
    """The phases with their times."""
    rows = ((f"{e.at.astimezone():%H:%M:%S}", e.phase, e.reason) for e in release.history)
    return table("At", "Phase", "Why", rows=rows)


def checks(release: ReleaseStatus) -> Table:
    """What the checks of the metrics found."""
    rows = ((each.name, each.outcome.replace("_", " "), each.text) for each in release.checks)
    return table("Check", "Outcome", "Why", rows=rows)


def sets(release: ReleaseStatus) -> Table:
    """What the evaluation sets say, beside the live deployment."""
    found = release.behaviour.comparisons if release.behaviour else ()
    rows = ((each.name, each.verdict, score_text(each)) for each in found)
    return table("Evaluation set", "Verdict", "Scores", rows=rows)


def estimates(release: ReleaseStatus) -> Table:
    """What was foretold, beside what came so far."""
    rows = beside(release.forecast, release.actuals or Actuals())
    return table("", "Forecast", "Came", rows=rows)


def inputs(parameters: Mapping[str, Parameter]) -> Table:
    """The pipeline's inputs, and who decided each."""
    rows = ((name, str(p.value), _WHO[p.origin]) for name, p in sorted(parameters.items()))
    return table("Input", "Value", "Decided by", rows=rows)
