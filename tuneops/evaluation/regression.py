"""Metrics against those of the live release."""

from collections.abc import Iterator
from dataclasses import dataclass

from tuneops.evaluation.checks import Check, inapplicable, judged
from tuneops.evaluation.figures import EVAL_LOSS, figure, unreported
from tuneops.release import Metrics, Phase, Release

SETTING = "max_regression_percent"


@dataclass(frozen=True)
class _Comparison:
    """A metric of a release beside the live one's.

    `worse` is by how much it is worse, `percent` the same in percent of the live one's size; None
    where that is 0.
    """

    metric: str
    new: float
    old: float
    worse: float
    live: Release
    note: str

    @property
    def percent(self) -> float | None:
        if self.worse == 0:
            return 0.0
        return self.worse / abs(self.old) * 100 if self.old else None

    def text(self, limit: str = "") -> str:
        start = f"{self.metric} is {self.new:.4g}"
        there = f"live release {self.live.number}"
        if self.worse == 0:
            return f"{start}, as in {there}{self.note}"
        change = "worse" if self.worse > 0 else "better"
        size = "" if self.percent is None else f"{abs(self.percent):.3g} % "
        return f"{start}, {size}{change} than in {there} ({self.old:.4g}){limit}{self.note}"


def regression(release: Release, live: Release | None, *, registered: bool) -> Iterator[Check]:
    """One check for each metric that must not become worse than the live release's.

    Without any, eval_loss is still compared, for people to see. `registered`: the model is there
    already and passed when it came, so nothing is held against it.
    """
    wanted = release.config.evaluation.max_regression_percent
    metrics = release.metrics or Metrics()
    if live and live.phase == Phase.RETIRED:
        live = None
    for metric in wanted or ((EVAL_LOSS,) if live else ()):
        new = figure(metrics, metric)
        if new is not None:
            yield _check(metric, new, release, live, binding=metric in wanted and not registered)
        elif wanted:
            yield judged(SETTING, metric, good=False, text=unreported(metrics, metric))


def _check(
    metric: str, new: float, release: Release, live: Release | None, *, binding: bool
) -> Check:
    if live is None:
        text = f"{metric} is {new:.4g}, and nothing is live to regress from"
        return inapplicable(SETTING, metric, text, new=new)
    old = figure(live.metrics or Metrics(), metric)
    if old is None:
        text = f"{metric} can't be compared: live release {live.number} did not report it"
        if not binding:
            return inapplicable(SETTING, metric, text, new=new)
        text += f"; leave it out of evaluation.{SETTING} for one release"
        return judged(SETTING, metric, good=False, text=text, new=new)
    evaluation = release.config.evaluation
    worse = old - new if evaluation.prefers_greater(metric) else new - old
    found = _Comparison(metric, new, old, worse, live, _note(release, live))
    allowed = evaluation.max_regression_percent.get(metric)
    if binding and allowed is not None:
        return _held_against(found, allowed, rising=evaluation.prefers_greater(metric))
    text = found.text() + ("" if allowed is None else "; registered already, it passed back then")
    return inapplicable(SETTING, metric, text, new=new, live=old, worse_percent=found.percent)


def _held_against(found: _Comparison, allowed: float, *, rising: bool) -> Check:
    margin = abs(found.old) * allowed / 100
    bound = found.old - margin if rising else found.old + margin
    good = found.new >= bound if rising else found.new <= bound
    return judged(
        SETTING,
        found.metric,
        good=good,
        text=found.text("" if good else f", more than {allowed:g} %"),
        new=found.new,
        live=found.old,
        bound=bound,
        worse_percent=found.percent,
    )


def _note(release: Release, live: Release) -> str:
    """A word of warning when the two were measured on different rows."""
    new, old = (each.data.digest if each.data else "unknown" for each in (release, live))
    return "" if new == old else f"; on other test rows: data {new}, live {old}"
