"""The call of a function that is under way, and what its messages carry of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tuneops.telemetry import metrics, tracing

OLDEST = timedelta(days=8)
"""A message lives a week at most; whatever says that it is older is not believed."""


@dataclass
class Invocation:
    """One call: when what it is about was so, if that is known, and how many messages it sent."""

    since: datetime | None
    sent: int = 0
    traced: bool = False


_CURRENT: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def outgoing(planned: timedelta | None) -> dict[str, str]:
    """What a message is to carry that is sent now; empty where nothing is traced.

    It is about what this call is about, unless it is `planned` for its own time.
    """
    invocation = _CURRENT.get()
    if invocation is None:
        return {}
    invocation.sent += 1
    if not invocation.traced:
        return {}
    now = datetime.now(UTC)
    since = (invocation.since or now) if planned is None else now + planned
    return {**tracing.here().headers, "since": since.isoformat()}


def observe_lag() -> None:
    """Measure how long what this call is about has waited for being looked at."""
    invocation = _CURRENT.get()
    if invocation is None or invocation.since is None:
        return
    lag = datetime.now(UTC) - invocation.since
    if lag < OLDEST:
        metrics.RECONCILE_LAG.record(max(0.0, lag.total_seconds()))


@contextmanager
def being(invocation: Invocation) -> Iterator[None]:
    """Let this be the call that is under way."""
    token = _CURRENT.set(invocation)
    try:
        yield
    finally:
        _CURRENT.reset(token)
