"""Weighing what an evaluation set says of a new deployment, alone and beside the live one. Pure.

A mean that keeps to its limit passes, once there are enough answers. One that does not has failed
when chance is no explanation, at the level `DOUBT`; until then it is inconclusive. A question that
the new deployment did not answer counts as 0. Both deployments are compared by the rows that the
live one answered: each row's difference might as well have had the other sign if both were alike.
"""

from collections.abc import Iterable, Iterator
from statistics import fmean

from tuneops.analysis import DOUBT, Finding, Verdict
from tuneops.behaviour.progress import Asked, Comparison, Progress
from tuneops.behaviour.settings import Behaviour, EvaluationSet
from tuneops.chance import low_mean, sign_tail

ROUNDING = 1e-9


def compare(progress: Progress, settings: Behaviour) -> tuple[Comparison, ...]:
    """One comparison for each set."""
    return tuple(
        _compare(asked, wanted, settings.min_rows)
        for asked, wanted in zip(progress.sets, settings.sets, strict=True)
    )


def verdict_of(comparisons: Iterable[Comparison]) -> Verdict:
    """The worst of the sets that are required."""
    return _worst(each.verdict for each in comparisons if each.required)


def vouches(progress: Progress | None, live: str) -> bool:
    """Whether the sets have shown that the new deployment is no worse than this live one."""
    if progress is None or progress.against != live or not live:
        return False
    compared = any(each.required and each.live is not None for each in progress.comparisons)
    return compared and verdict_of(progress.comparisons) == "pass"


def _compare(asked: Asked, wanted: EvaluationSet, least: int) -> Comparison:
    new = [score or 0.0 for score in asked.new.scores]
    pairs = [
        (mine, theirs)
        for mine, theirs in zip(new, asked.live.scores, strict=False)
        if theirs is not None
    ]
    findings = tuple(_findings(asked, wanted, new, pairs, least))
    return Comparison(
        name=asked.name,
        score=asked.score,
        version=asked.version,
        required=wanted.required,
        verdict=_worst(finding.verdict for finding in findings),
        new=fmean(new) if new else None,
        live=fmean(theirs for _, theirs in pairs) if pairs else None,
        findings=findings,
    )


def _findings(
    asked: Asked,
    wanted: EvaluationSet,
    new: list[float],
    pairs: list[tuple[float, float]],
    least: int,
) -> Iterator[Finding]:
    if asked.new.silent:
        said = f"{asked.new.unanswered} questions got no answer ({asked.new.failure})"
        yield Finding(verdict="fail", said=said)
        return
    yield _answered(len(new), asked.rows, least)
    if new and wanted.min_score is not None:
        yield _minimum(new, wanted.min_score)
    if asked.live.silent and not pairs:
        said = f"the live deployment answers nothing to compare with ({asked.live.failure})"
        yield Finding(verdict="pass", said=said)
    elif asked.compared and wanted.max_drop is not None:
        yield _drop(pairs, wanted.max_drop, least)


def _answered(number: int, rows: int, least: int) -> Finding:
    said = f"{number} of {rows} questions were asked"
    if number < least:
        return Finding(verdict="inconclusive", said=f"{said}, fewer than {least}")
    return Finding(verdict="pass", said=said)


def _minimum(scores: list[float], least: float) -> Finding:
    mean = fmean(scores)
    if mean >= least - ROUNDING:
        return Finding(verdict="pass", said=f"{mean:.3g} is at least {least:g}")
    said = f"{mean:.3g} is below {least:g}"
    if low_mean(scores, least) < DOUBT:
        return Finding(verdict="fail", said=said)
    return Finding(verdict="inconclusive", said=f"{said}, which may be chance")


def _drop(pairs: list[tuple[float, float]], allowed: float, least: int) -> Finding:
    if len(pairs) < least:
        said = f"{len(pairs)} answers can be compared with the live ones, fewer than {least}"
        return Finding(verdict="inconclusive", said=said)
    changes = [mine - theirs for mine, theirs in pairs]
    drop = -fmean(changes)
    if drop <= allowed + ROUNDING:
        return Finding(verdict="pass", said=f"{-drop:+.3g} against the live deployment")
    said = f"{drop:.3g} below the live deployment, {allowed:g} may be"
    if sign_tail(changes) < DOUBT:
        return Finding(verdict="fail", said=said)
    return Finding(verdict="inconclusive", said=f"{said}, which may be chance")


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    return "fail" if "fail" in found else "inconclusive" if "inconclusive" in found else "pass"
