"""What a collector got to know of one release. For tests."""

import re
import time

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.cloud import Cloud
from tests.collector import Collector, said
from tests.e2e.course import COURSE

SECONDS = 20
METRICS = {
    "tuneops.azure.calls",
    "tuneops.deliveries",
    "tuneops.events",
    "tuneops.phase.duration",
    "tuneops.queue.poison",
    "tuneops.reconcile.lag",
    "tuneops.releases.ended",
}
LOOKS = 4
"""At least: of the upload, the job's end, the deployment and the traffic."""

CLOCKS_APART = 2_000_000_000
"""Nanoseconds: a release begins by the storage account's clock, a span by the host's."""
TIMER_SECONDS = 30
"""How often the local cloud's timer comes."""


def between_timers() -> None:
    """Let a timer that is about to come go by: what it finds first, it leads to."""
    since, before, after = time.time() % TIMER_SECONDS, 3, 6
    if not after < since < TIMER_SECONDS - before:
        time.sleep((TIMER_SECONDS + after - since) % TIMER_SECONDS)


def check_one_trace(cloud: Cloud, collector: Collector, project: str, commit: str) -> None:
    """The project's first release is one trace, from the upload until it is live, with no secret.

    A collector gets it in pieces, a few seconds late.
    """
    spans = until_told(collector, project)
    uploaded = next(span for span in collector.spans if span.name == "on_dataset_uploaded")
    own = [span for span in collector.spans if span.trace_id == uploaded.trace_id]
    check_tree(spans, uploaded, [span for span in own if span.name == "reconcile project"])

    phases = sorted((s for s in spans if s.name.startswith("phase ")), key=_begun)
    assert [span.name for span in phases] == [f"phase {each}" for each in COURSE]
    (whole,) = [span for span in spans if span.name == "release"]
    assert (
        said(whole.attributes).items()
        >= {
            "tuneops.phase": "Live",
            "tuneops.project": project,
            "tuneops.release": "1",
            "tuneops.commit": commit,
        }.items()
    )
    assert _begun(phases[0]) == _begun(whole)
    assert phases[-1].end_time_unix_nano == whole.end_time_unix_nano

    named = {span.name for span in spans}
    assert named >= {"reconcile", "deliver", "SubmitJob", "ShiftTraffic"}
    reconciles = [span for span in spans if span.name == "reconcile project"]
    assert len(reconciles) >= LOOKS
    assert {said(each.attributes)["tuneops.project"] for each in reconciles} == {project}
    woken = {link.trace_id for span in reconciles for link in span.links}
    assert woken, "the job's event, or the timer, has woken it as well"
    called = {said(span.attributes).get("url.full", "").partition("?")[0] for span in spans}
    for part in ("/jobs/", "/onlineEndpoints/", "/reconcile/messages", "/repos/contoso/models"):
        assert any(part in each for each in called), part

    lines = [attributes for _, attributes in collector.lines]
    own = [each for each in lines if each.get("tuneops.project") == project]
    assert any(each.get("tuneops.release") == "1" and each["tuneops.commit"] for each in own)
    assert all(each.get("faas.invocation_id") for each in own)
    assert collector.metrics >= METRICS
    for secret in secrets(cloud):
        assert not collector.holds(secret), secret


def check_tree(spans: list[Span], uploaded: Span, looks: list[Span]) -> None:
    """The upload's event is the root, unless a timer's look came upon the upload before its own.

    `looks` are those at the project in the trace of that event.
    """
    begun = min(_begun(span) for span in spans if span.name == "release")
    if not any(_begun(look) <= begun + CLOCKS_APART for look in looks):
        assert uploaded not in spans
        return
    assert [span.name for span in spans if not span.parent_span_id] == [uploaded.name]
    assert uploaded in spans
    assert sorted(span.name for span in without_parent(spans)) == []


def until_told(collector: Collector, project: str) -> list[Span]:
    """All spans of the project's release that has become live, once those around them are over."""
    deadline, spans = time.monotonic() + SECONDS, list[Span]()
    while time.monotonic() < deadline:
        told = collector.spans
        whole = next((s for s in told if s.name == "release" and _project(s) == project), None)
        spans = [span for span in told if whole and span.trace_id == whole.trace_id]
        if spans and not without_parent(spans):
            break
        time.sleep(1)
    assert spans, f"nothing was told of {project} in {SECONDS} s"
    return spans


def without_parent(spans: list[Span]) -> list[Span]:
    """Those within a span that was not told yet."""
    known = {span.span_id for span in spans}
    return [span for span in spans if span.parent_span_id and span.parent_span_id not in known]


def _project(span: Span) -> str:
    return said(span.attributes).get("tuneops.project", "")


def secrets(cloud: Cloud) -> list[str]:
    """All that nobody may see of this cloud, and how signatures begin."""
    connection = cloud.connection
    held = [
        connection["functions"]["key"],
        connection["github"]["token"],
        connection["github"]["webhook_secret"],
        connection["identity"]["signing_key"],
        *re.findall("AccountKey=([^;]+)", connection["storage"]["connection_string"]),
        *re.findall("[A-Za-z0-9+/]{60,}", connection["github"]["app"]["private_key"])[:2],
    ]
    return [*(str(each) for each in held if each), "sig=", "Bearer ", "SharedKey ", "ghs_"]


def _begun(span: Span) -> int:
    return span.start_time_unix_nano
