"""What people are told of evaluation sets. Pure."""

from collections.abc import Iterable

from tuneops.behaviour.progress import Comparison, Progress

_SCORES = {"exact_match": "exact match", "rouge_l": "ROUGE-L", "regex": "matches"}


def score_text(comparison: Comparison) -> str:
    """The figures of both deployments: ``exact match 0.82 (live 0.79)``."""
    new = "unknown" if comparison.new is None else f"{comparison.new:.3g}"
    live = "" if comparison.live is None else f" (live {comparison.live:.3g})"
    return f"{_SCORES[comparison.score]} {new}{live}"


def comparison_text(comparison: Comparison) -> str:
    """A set with its figures, and why it is not passed, if so."""
    said = f"{comparison.name}: {score_text(comparison)}"
    if comparison.verdict == "pass":
        return said
    optional = "" if comparison.required else ", which is not required"
    return f"{said}, {comparison.verdict}: {', '.join(comparison.reasons)}{optional}"


def told(progress: Progress | None) -> str:
    """All sets in one line, empty without any."""
    return "; ".join(map(comparison_text, progress.comparisons if progress else ()))


def reasons_text(comparisons: Iterable[Comparison]) -> str:
    """Why a release is not taken further: the required sets that are not passed."""
    against = (each for each in comparisons if each.required and each.verdict != "pass")
    return "; ".join(map(comparison_text, against))


def standing(progress: Progress | None) -> str:
    """How far the sets were asked, for the status; empty before and after that."""
    place = progress.turn if progress else None
    if progress is None or progress.against is None or place is None or progress.comparisons:
        return ""
    asked = progress.sets[place]
    compared = progress.against if asked.compared else ""
    answered = min(len(asked.new.scores), len(asked.live.scores) if compared else asked.rows)
    beside = f" and of {compared}, which is live" if compared else ""
    return f"{asked.name}: asked {answered} of {asked.rows} questions of the new deployment{beside}"
