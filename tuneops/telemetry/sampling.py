"""Which traces are kept: all that lead to something, and a share of what is routine.

What is not kept is recorded all the same, so that its calls are counted.
"""

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, get_value
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState

from tuneops.telemetry.fields import ROUTINE


class Sampling(Sampler):
    """Keeps a trace if its first span is no routine, or by chance; then all of it."""

    def __init__(self, share: float) -> None:
        self._chance = TraceIdRatioBased(share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See `Sampler`; nothing is said of what exporters do."""
        if get_value(_SUPPRESS_INSTRUMENTATION_KEY, parent_context):
            return SamplingResult(Decision.DROP)
        parent = trace.get_current_span(parent_context).get_span_context()
        routine = (attributes or {}).get(ROUTINE)
        if routine is None and parent.is_valid:
            keep = parent.trace_flags.sampled
        elif routine:
            chance = self._chance.should_sample(None, trace_id, name).decision
            keep = chance is Decision.RECORD_AND_SAMPLE
        else:
            keep = True
        decision = Decision.RECORD_AND_SAMPLE if keep else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, parent.trace_state)

    def get_description(self) -> str:
        """See `Sampler`."""
        return f"Sampling({self._chance.rate})"
