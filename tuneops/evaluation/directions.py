"""Whether more of a metric is better, by the words in its name."""

import re

# fmt: off
_RISING = frozenset({
    "accuracy", "auc", "auroc", "bertscore", "bleu", "chrf", "coherence", "exact", "f1", "fluency",
    "groundedness", "match", "meteor", "precision", "recall", "relevance", "rouge", "rougel",
    "rougelsum", "score", "similarity",
})
_FALLING = frozenset({
    "cer", "error", "errors", "latency", "loss", "losses", "mae", "mape", "mse", "perplexities",
    "perplexity", "rmse", "runtime", "ter", "time", "wer",
})
# fmt: on


def greater_is_better(metric: str) -> bool | None:
    """Whether more of the metric is better, None when its name does not say.

    The name is cut into words, numbers at their ends don't count (`bleu_4`, `rouge1`). One word of
    the lists decides; words of both decide nothing. What is counted per second is better high.
    """
    if metric.lower().endswith("_per_second"):
        return True
    found = words(metric)
    rises, falls = bool(found & _RISING), bool(found & _FALLING)
    return rises if rises != falls else None


def is_loss(metric: str) -> bool:
    """Whether the metric is a loss."""
    return not {"loss", "losses"}.isdisjoint(words(metric))


def words(metric: str) -> set[str]:
    """The words of a metric's name, in lower case, with and without a number at their end."""
    whole = re.split(r"[^a-z0-9]+", metric.lower())
    return {*whole, *(word.rstrip("0123456789") for word in whole)}
