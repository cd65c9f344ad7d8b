"""Spans, and how a trace goes on across queues and hours."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tuneops.telemetry.carried import Carrier

TRACER = trace.get_tracer("tuneops")

_W3C = TraceContextTextMapPropagator()


def here() -> Carrier:
    """The place in a trace where work is being done."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return Carrier.model_validate(headers)


def kept(place: Carrier) -> Carrier:
    """The same place, from which on all is kept, even if it was only a timer that has led there."""
    if not place.traceparent:
        return place
    flags = int(place.traceparent[-2:], 16) | TraceFlags.SAMPLED
    return place.replace(traceparent=f"{place.traceparent[:-2]}{flags:02x}")


@contextmanager
def spanned(
    name: str,
    attributes: Mapping[str, str | bool] | None = None,
    context: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """A span within the one that is open, or within the context.

    Of an error it says no more than the kind: texts of other people's may hold secrets.
    """
    span = TRACER.start_span(name, context, attributes=attributes, links=links)
    with trace.use_span(span, True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


@contextmanager
def continued(
    place: Carrier, name: str, attributes: Mapping[str, str | bool] | None = None
) -> Iterator[Span]:
    """A span that goes on from a place, linked to the open span if that is of another trace."""
    open_now, far = trace.get_current_span().get_span_context(), _context(place)
    if not far.is_valid or _same(open_now, far):
        context, links = None, []
    else:
        context = trace.set_span_in_context(NonRecordingSpan(far))
        links = [Link(open_now)] if open_now.is_valid else []
    with spanned(name, attributes, context, links) as span:
        yield span


@contextmanager
def placed(place: Carrier) -> Iterator[None]:
    """Let what is done belong to a place in a trace, or to none if it is empty."""
    token = attach(trace.set_span_in_context(NonRecordingSpan(_context(place))))
    try:
        yield
    finally:
        detach(token)


def told(
    place: Carrier, name: str, begun: datetime, ended: datetime, attributes: Mapping[str, str]
) -> None:
    """A span of something that lasted longer than any process, told when it is over."""
    far = _context(place)
    context = trace.set_span_in_context(NonRecordingSpan(far)) if far.is_valid else None
    span = TRACER.start_span(name, context, attributes=attributes, start_time=_nanoseconds(begun))
    span.end(_nanoseconds(ended))


def _context(place: Carrier) -> SpanContext:
    found = _W3C.extract(place.headers, Context())
    return trace.get_current_span(found).get_span_context()


def _same(one: SpanContext, other: SpanContext) -> bool:
    """Whether both are in one trace, and equally kept."""
    return one.trace_id == other.trace_id and one.trace_flags.sampled == other.trace_flags.sampled


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6) * 1000
