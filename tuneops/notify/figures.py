"""The figure that matters in a message, with its change. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from tuneops.behaviour.text import score_text
from tuneops.estimate_text import duration, spanned
from tuneops.estimate_text import number as rounded
from tuneops.estimates import Actuals, Forecast, Span
from tuneops.evaluation.checks import Check, Outcome
from tuneops.evaluation.figures import EVAL_LOSS, TRAIN_LOSS
from tuneops.release import Phase, Release
from tuneops.rollout.text import judgement_text

MAX_SHOWN = 3
MAX_ALL = 6
MAX_PERCENT = 1_000
_FIRST = (EVAL_LOSS, TRAIN_LOSS, "exact_match", "rougeL", "loss")


def shown_metrics(metrics: Iterable[str]) -> list[str]:
    """The names of some metrics, those that matter first."""
    known = set(metrics)
    first = [name for name in _FIRST if name in known]
    return (first + sorted(known - set(first)))[:MAX_ALL]


def metrics_text(metrics: Mapping[str, float]) -> str:
    """The metrics that matter first, in one line."""
    said = ", ".join(change_text(name, metrics[name]) for name in shown_metrics(metrics))
    return said or "no metrics were logged"


def against_live(release: Release, before: Release | None = None) -> str:
    """The metrics that matter with their change against the live model.

    Those that the config sets bounds for go first. `before` is the release that was live, where the
    checks of the metrics do not say.
    """
    values = release.metrics.values if release.metrics else {}
    old = before.metrics.values if before and before.metrics else {}
    known = {**old, **{c.metric: c.live for c in release.checks if c.live is not None}}
    evaluation = release.config.evaluation
    bound = (*evaluation.max_regression_percent, *evaluation.thresholds)
    names = dict.fromkeys((*(name for name in bound if name in values), *shown_metrics(values)))
    said = (change_text(name, values[name], known.get(name)) for name in list(names)[:MAX_SHOWN])
    return ", ".join(said)


def change_text(
    name: str, value: float, live: float | None = None, bound: float | None = None
) -> str:
    """A figure beside the live model's and its bound: ``eval_loss 1.412 (live 1.53, -7.7 %)``."""
    beside = []
    if live is not None:
        beside.append("as live" if value == live else f"live {live:.4g}")
        percent = (value - live) / abs(live) * 100 if live else 0.0
        if value != live and 0.05 <= abs(percent) < MAX_PERCENT:
            beside.append(f"{percent:+.1f} %")
    if bound is not None:
        beside.append(f"bound {bound:.4g}")
    return f"{name} {value:.4g}" + (f" ({', '.join(beside)})" if beside else "")


def scores(release: Release) -> str:
    """What the evaluation sets gave, beside what they give of the live model."""
    comparisons = release.behaviour.comparisons if release.behaviour else ()
    return "; ".join(f"{each.name}: {score_text(each)}" for each in comparisons)


def foretold(release: Release) -> str:
    """What the training is likely to take and to cost."""
    forecast = release.forecast or Forecast()
    time = f"training {spanned(forecast.seconds)}" if forecast.seconds and forecast.trains else ""
    return "; ".join(filter(None, (time, _cost(forecast))))


def came(release: Release) -> str:
    """What a release took that has come to its end, beside what was foretold."""
    return "; ".join(_came(release.actuals or Actuals(), release.forecast or Forecast()))


def of_failure(release: Release) -> str:
    """The figure that speaks against a release that failed; empty where none does."""
    bad = [check for check in release.checks if check.outcome == Outcome.FAILED]
    rollout, behaviour = release.rollout, release.behaviour
    if bad:
        return ", ".join(dict.fromkeys(_broken(check) for check in bad))
    if rollout and rollout.aborted and rollout.judged:
        return judgement_text(rollout.judged)
    if behaviour and any(each.verdict != "pass" for each in behaviour.comparisons):
        return scores(release)
    if release.smoke.failed and release.entered(Phase.SHIFTING) is None:
        answer = release.smoke.failed
        return f"status {answer.status} after {answer.seconds:.1f} s, try {release.smoke.attempts}"
    return ""


def _broken(check: Check) -> str:
    """A figure with the bound that it has broken; without one that says why there is none."""
    if check.new is None:
        return check.text
    return change_text(check.metric, check.new, check.live, check.bound)


def _cost(forecast: Forecast) -> str:
    cost = forecast.cost
    if cost is None or not forecast.trains:
        return ""
    low, likely, high = map(rounded, (cost.low, cost.likely, cost.high))
    return f"cost {low} to {high} {forecast.currency}, likely {likely}"


def _came(took: Actuals, forecast: Forecast) -> Iterator[str]:
    if took.live_seconds is not None:
        yield f"live after {duration(took.live_seconds)}{_of_time(forecast.live_seconds)}"
    if took.seconds:
        yield f"training {duration(took.seconds)}{_of_time(forecast.seconds)}"
    if took.cost:
        yield f"training cost {rounded(took.cost)} {took.currency}{_of_money(forecast.cost)}"


def _of_time(span: Span | None) -> str:
    return f" (foretold {spanned(span)})" if span else ""


def _of_money(span: Span | None) -> str:
    if span is None:
        return ""
    return f" (foretold {rounded(span.low)} to {rounded(span.high)}, likely {rounded(span.likely)})"
