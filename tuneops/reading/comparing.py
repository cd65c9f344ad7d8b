"""Two releases of a project, set side by side. Pure."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from tuneops.estimate_text import beside
from tuneops.estimates import Actuals
from tuneops.outcome import Change, changes
from tuneops.status import ReleaseStatus


class Figure(BaseModel):
    """A number of both, and by how many percent of the first the second is more."""

    name: str
    a: float | None
    b: float | None
    change_percent: float | None = None


class Comparison(BaseModel):
    """What differs between release `a` and release `b`, and the figures of both."""

    project: str
    a: int
    b: int
    same_model: bool
    parameters: tuple[Change, ...]
    data: tuple[Change, ...]
    metrics: tuple[Figure, ...]
    scores: tuple[Figure, ...]
    took: tuple[Change, ...]


def compare(project: str, a: ReleaseStatus, b: ReleaseStatus) -> Comparison:
    """Set release `b` beside release `a`."""
    plans = [each.training.digest for each in (a, b) if each.training]
    return Comparison(
        project=project,
        a=a.number,
        b=b.number,
        same_model=len(plans) == 2 and plans[0] == plans[1],
        parameters=tuple(changes(a.config, b.config, a.training, b.training)),
        data=tuple(_differing(_data(a), _data(b))),
        metrics=tuple(_figures(_metrics(a), _metrics(b))),
        scores=tuple(_figures(_scores(a), _scores(b))),
        took=tuple(_took(a, b)),
    )


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Change]:
    for name in a:
        if a[name] != b[name]:
            yield Change(field=name, before=a[name], after=b[name])


def _data(release: ReleaseStatus) -> dict[str, str]:
    found = release.data
    return {
        "data": release.source,
        "data digest": found.digest if found else "",
        "training rows": f"{found.train_rows:,}" if found else "",
        "validation rows": f"{found.validation_rows:,}" if found else "",
        "test rows": f"{found.test_rows:,}" if found else "",
    }


def _metrics(release: ReleaseStatus) -> dict[str, float]:
    return release.metrics.values if release.metrics else {}


def _scores(release: ReleaseStatus) -> dict[str, float]:
    found = release.behaviour.comparisons if release.behaviour else ()
    return {f"{each.name}: {each.score}": each.new for each in found if each.new is not None}


def _figures(a: Mapping[str, float], b: Mapping[str, float]) -> Iterator[Figure]:
    for name in sorted(a.keys() | b.keys()):
        first, second = a.get(name), b.get(name)
        change = None
        if first and second is not None:
            change = 100 * (second - first) / abs(first)
        yield Figure(name=name, a=first, b=second, change_percent=change)


def _took(a: ReleaseStatus, b: ReleaseStatus) -> Iterator[Change]:
    """Time, GPU hours and cost of both, be they equal or not."""
    first, second = (
        {name: came for name, _, came in beside(None, each.actuals or Actuals())} for each in (a, b)
    )
    for name in dict.fromkeys([*first, *second]):
        yield Change(field=name, before=first.get(name, ""), after=second.get(name, ""))
