"""Weighing a new deployment's live figures against limits and against the one beside it. Pure.

How sure one can be with few requests:

* Failures are weighed by exact tests, at the level `DOUBT`. Above the absolute limit is what a
  deployment that keeps to the limit would show with a chance below `DOUBT` (binomial tail). Worse
  than the live deployment is what would be seen with a chance below `DOUBT` if both failed equally
  often (Fisher's exact test, one-sided), and which exceeds the allowed increase as well. Failures
  that exceed a limit and may be chance are inconclusive, and so is a single one: 1 of 3 proves
  nothing, 3 of 3 does.
* Azure gives percentiles of times, not times, so there is no test for them. A percentile counts
  once at least three requests lie beyond it: 30 requests for p90, 300 for p99. Until then p90 and
  absolute limits are inconclusive; p99 is not compared, nor is anything with a live deployment that
  had too few requests itself.
* Nothing passes before `min_requests`; what is proven to fail, fails before.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from tuneops.chance import binomial_tail, fisher_tail
from tuneops.document import Document
from tuneops.section import Section

DOUBT = 0.01
PROOF = 2
"""A single failure never proves anything, unless none at all is allowed."""
BEYOND = 3
"""Requests that must lie beyond a percentile before it counts."""
NOISE_MS = 20.0
"""No deployment is called slower for less."""

Verdict = Literal["pass", "fail", "inconclusive"]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_OF_THE_DEPLOYMENT = frozenset({408, 424, 429})
"""Time-out, failure of the model, too busy: 4xx by number, and no fault of who asked."""


class DeploymentFigures(Document):
    """What a deployment's requests came to within some minutes."""

    deployment: str
    minutes: int
    """The length of the window; not all of its minutes need to have had requests."""
    statuses: Mapping[int, int] = {}
    """The number of requests by HTTP status."""
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.statuses.values())

    @property
    def failures(self) -> int:
        """Those that the deployment failed at: 5xx, 408, 424 (its model failed), and 429."""
        return sum(number for status, number in self.statuses.items() if _is_failure(status))

    @property
    def client_errors(self) -> int:
        """Those that were refused as wrong: the other 4xx."""
        refused = {status for status in self.statuses if status >= 400 and not _is_failure(status)}
        return sum(self.statuses[status] for status in refused)


class Limits(Section):
    """What a new deployment's live figures must keep to; a limit that is null is not looked at."""

    min_requests: Annotated[int, Field(ge=1)] = 50
    max_error_percent: Percent | None = 1.0
    """Failed requests of all requests."""
    max_error_increase_percent: Percent | None = 1.0
    """In percentage points above the live deployment; refused requests are weighed as well."""
    max_latency_increase_percent: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 50.0
    """Of p90 and p99, relative to the live deployment."""
    max_p90_ms: Milliseconds | None = None
    max_p99_ms: Milliseconds | None = None


class Finding(Document):
    """What one limit says of the figures; `thin`: there were too few requests to say it."""

    verdict: Verdict
    said: str
    thin: bool = False


class Analysis(Document):
    """The verdict with what led to it."""

    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands behind the verdict: what failed, what is not clear, or all that passed."""
        return tuple(each.said for each in self.findings if each.verdict == self.verdict)

    @property
    def thin(self) -> bool:
        """Whether it is inconclusive for want of requests alone: nothing speaks against it."""
        return self.verdict == "inconclusive" and all(
            each.thin for each in self.findings if each.verdict == self.verdict
        )


def analyse(
    candidate: DeploymentFigures, live: DeploymentFigures | None, limits: Limits
) -> Analysis:
    """Weigh the candidate; without a live deployment, or one without requests, alone.

    Any limit that is broken fails; else anything that is not clear yet is inconclusive.
    """
    findings = tuple(_findings(candidate, live if live and live.requests else None, limits))
    verdicts = {finding.verdict for finding in findings}
    verdict: Verdict = (
        "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    )
    return Analysis(verdict=verdict, findings=findings)


def _findings(
    candidate: DeploymentFigures, live: DeploymentFigures | None, limits: Limits
) -> Iterator[Finding]:
    yield _traffic(candidate, limits.min_requests)
    if not candidate.requests:
        return
    if limits.max_error_percent is not None:
        yield _error_rate(candidate, limits.max_error_percent)
    if live and limits.max_error_increase_percent is not None:
        allowed = limits.max_error_increase_percent
        errors = (candidate.failures, live.failures)
        yield _increase("failed", errors, (candidate.requests, live.requests), allowed)
        errors = (candidate.client_errors, live.client_errors)
        yield _increase("were refused", errors, (candidate.requests, live.requests), allowed)
    yield from _times(candidate, live, limits)


def _traffic(candidate: DeploymentFigures, least: int) -> Finding:
    said = f"{_requests(candidate.requests)} in {candidate.minutes} min"
    if candidate.requests < least:
        return Finding(verdict="inconclusive", said=f"{said}, fewer than {least}", thin=True)
    return Finding(verdict="pass", said=said)


def _error_rate(candidate: DeploymentFigures, limit: float) -> Finding:
    failures, requests = candidate.failures, candidate.requests
    said = f"{_share(failures, requests)} failed"
    if failures:
        failed = sorted(
            (status, n) for status, n in candidate.statuses.items() if _is_failure(status)
        )
        said += f" ({', '.join(f'{n} with {status}' for status, n in failed)})"
    if failures * 100 <= limit * requests:
        return Finding(verdict="pass", said=f"{said}, at most {limit:g}% may")
    is_proof = failures >= PROOF or limit == 0
    if is_proof and binomial_tail(failures, requests, limit / 100) < DOUBT:
        return Finding(verdict="fail", said=f"{said}, above {limit:g}%")
    return Finding(verdict="inconclusive", said=f"{said}, above {limit:g}%, which may be chance")


def _increase(
    what: str, errors: tuple[int, int], requests: tuple[int, int], allowed: float
) -> Finding:
    """Weigh a share of the candidate's requests against the live deployment's, in this order."""
    rate, before = (100 * number / of for number, of in zip(errors, requests, strict=True))
    said = (
        f"{_share(errors[0], requests[0])} {what}, {_share(errors[1], requests[1])} of the live "
        "deployment"
    )
    if rate - before <= allowed:
        return Finding(verdict="pass", said=said)
    said = f"{said}: more than {allowed:g} points above"
    is_proof = errors[0] >= PROOF
    if is_proof and fisher_tail(errors[0], requests[0], errors[1], requests[1]) < DOUBT:
        return Finding(verdict="fail", said=said)
    return Finding(verdict="inconclusive", said=f"{said}, which may be chance")


def _times(
    candidate: DeploymentFigures, live: DeploymentFigures | None, limits: Limits
) -> Iterator[Finding]:
    increase = limits.max_latency_increase_percent
    for percent, most in ((90, limits.max_p90_ms), (99, limits.max_p99_ms)):
        found = _percentile(candidate, percent)
        before = _percentile(live, percent) if live and increase is not None else None
        if found is not None and most is not None:
            verdict: Verdict = "fail" if found > most else "pass"
            said = f"p{percent} is {found:.0f} ms, at most {most:.0f} ms may be"
            yield Finding(verdict=verdict, said=said)
        if found is not None and before is not None and increase is not None:
            yield _slowdown(percent, found, before, increase)
        if found is None and (most is not None or (percent == 90 and before is not None)):
            said = f"too few requests with a time to tell p{percent}"
            yield Finding(verdict="inconclusive", said=said, thin=True)


def _slowdown(percent: int, found: float, before: float, increase: float) -> Finding:
    said = f"p{percent} is {found:.0f} ms, {before:.0f} ms of the live deployment"
    if found <= max(before * (1 + increase / 100), before + NOISE_MS):
        return Finding(verdict="pass", said=said)
    return Finding(verdict="fail", said=f"{said}: more than {increase:g}% above")


def _percentile(figures: DeploymentFigures, percent: int) -> float | None:
    """The percentile, if there were enough requests to tell it."""
    if figures.requests * (100 - percent) < BEYOND * 100:
        return None
    return figures.p90_ms if percent == 90 else figures.p99_ms


def _share(number: int, of: int) -> str:
    return f"{number} of {_requests(of)} ({100 * number / of:.3g}%)"


def _requests(number: int) -> str:
    return f"{number} request" if number == 1 else f"{number} requests"


def _is_failure(status: int) -> bool:
    return status >= 500 or status in _OF_THE_DEPLOYMENT
