"""How likely it is that chance alone brings about what is seen. Pure; failures to rounding."""

import math
from collections.abc import Callable, Sequence

_NEGLIGIBLE = 1e-17


def binomial_tail(failures: int, requests: int, rate: float) -> float:
    """The chance of at least so many failures when each request fails at this rate, 0 to 1."""
    if failures <= 0 or rate >= 1:
        return 1.0
    if rate <= 0:
        return 0.0
    first = math.exp(
        _log_choose(requests, failures)
        + failures * math.log(rate)
        + (requests - failures) * math.log1p(-rate)
    )
    odds = rate / (1 - rate)
    return _sum(first, failures, requests, lambda i: (requests - i) / (i + 1) * odds)


def fisher_tail(failures: int, requests: int, other_failures: int, other_requests: int) -> float:
    """The chance of at least so many failures, of all there were, here and not at the other.

    It holds if both fail equally often: Fisher's exact test, one-sided.
    """
    total = failures + other_failures
    least, most = max(0, total - other_requests), min(total, requests)
    if failures <= least:
        return 1.0
    first = math.exp(
        _log_choose(requests, failures)
        + _log_choose(other_requests, other_failures)
        - _log_choose(requests + other_requests, total)
    )
    return _sum(
        first,
        failures,
        most,
        lambda i: (requests - i) * (total - i) / ((i + 1) * (other_requests - total + i + 1)),
    )


def low_mean(scores: Sequence[float], mean: float) -> float:
    """The chance of scores from 0 to 1 with so low a mean when the true one is this, 0 to 1.

    Exact when each is 0 or 1; else Hoeffding's bound of it.
    """
    if set(scores) <= {0, 1}:
        return binomial_tail(scores.count(0), len(scores), 1 - mean)
    gap = mean - sum(scores) / len(scores)
    return math.exp(-2 * len(scores) * gap**2) if gap > 0 else 1.0


def sign_tail(differences: Sequence[float]) -> float:
    """The chance of so low a sum if each difference might as well have had the other sign.

    Exact when all that differ do so by as much (the sign test); else Hoeffding's bound of it.
    """
    lower, higher = (sum(sign * each > 0 for each in differences) for sign in (-1, 1))
    if len({abs(each) for each in differences if each}) == 1:
        return binomial_tail(lower, lower + higher, 0.5)
    total = sum(differences)
    return math.exp(-(total**2) / (2 * sum(each**2 for each in differences))) if total < 0 else 1.0


def _sum(first: float, begin: int, end: int, ratio: Callable[[int], float]) -> float:
    """The sum of terms from `begin` to `end`, each the one before times its ratio."""
    total = term = first
    for i in range(begin, end):
        factor = ratio(i)
        term *= factor
        total += term
        if factor < 1 and term < total * _NEGLIGIBLE:
            break
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
