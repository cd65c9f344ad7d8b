"""Weighing live figures: what passes, what fails, and what may be chance."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneops.analysis import Analysis, DeploymentFigures, Limits, Verdict, analyse
from tuneops.chance import binomial_tail, fisher_tail

ORDER: list[Verdict] = ["pass", "inconclusive", "fail"]
LIMITS = Limits()


def figures(requests: int, failed: int = 0, refused: int = 0, **times: float) -> DeploymentFigures:
    statuses = {200: requests - failed - refused, 400: refused, 424: failed}
    return DeploymentFigures(deployment="blue", minutes=10, statuses=statuses, **times)


def said(found: Analysis) -> str:
    return "; ".join(found.reasons)


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        (200, "answered"),
        (400, "refused"),
        (404, "refused"),
        (408, "failed"),
        (413, "refused"),
        (424, "failed"),
        (429, "failed"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_whose_fault_a_status_is(status: int, counted: str) -> None:
    found = DeploymentFigures(deployment="blue", minutes=1, statuses={status: 3})
    assert found.requests == 3
    assert found.failures == (3 if counted == "failed" else 0)
    assert found.client_errors == (3 if counted == "refused" else 0)


@pytest.mark.parametrize(
    ("candidate", "live", "verdict", "reason"),
    [
        pytest.param(
            figures(0),
            figures(900),
            "inconclusive",
            "0 requests in 10 min, fewer than 50",
            id="none",
        ),
        pytest.param(
            figures(49), figures(900), "inconclusive", "49 requests in 10 min, fewer than", id="few"
        ),
        pytest.param(
            figures(50), figures(900), "pass", "0 of 50 requests (0%) failed", id="enough"
        ),
        pytest.param(figures(50), None, "pass", "50 requests in 10 min", id="alone"),
        pytest.param(figures(50), figures(0), "pass", "at most 1% may", id="beside-an-idle-one"),
        pytest.param(
            figures(3, 1), figures(900), "inconclusive", "which may be chance", id="one-of-three"
        ),
        pytest.param(
            figures(1, 1), None, "inconclusive", "1 of 1 request (100%) failed", id="the-only-one"
        ),
        pytest.param(
            figures(3, 3),
            None,
            "fail",
            "3 of 3 requests (100%) failed (3 with 424), above 1%",
            id="all-three",
        ),
        pytest.param(
            figures(60, 1),
            figures(900),
            "inconclusive",
            "1 of 60 requests (1.67%) failed",
            id="odd",
        ),
        pytest.param(
            figures(1000, 10), figures(9000, 90), "pass", "(1%) failed", id="at-the-limit"
        ),
        pytest.param(figures(1000, 40), figures(9000, 90), "fail", "above 1%", id="too-many"),
        pytest.param(
            figures(1000, 9),
            figures(9000),
            "pass",
            "0 of 9000 requests (0%) of the live",
            id="some",
        ),
        pytest.param(
            figures(200, 0, refused=20),
            figures(1800, 0, refused=18),
            "fail",
            "20 of 200 requests (10%) were refused, 18 of 1800 requests (1%) of the live "
            "deployment: more than 1 points above",
            id="refuses-more",
        ),
        pytest.param(
            figures(20, 0, refused=1),
            figures(1800),
            "inconclusive",
            "more than 1 points above, which may be chance",
            id="refuses-one-more",
        ),
        pytest.param(
            figures(100, p90_ms=290), figures(900, p90_ms=200), "pass", "p90 is 290 ms", id="slower"
        ),
        pytest.param(
            figures(100, p90_ms=301),
            figures(900, p90_ms=200),
            "fail",
            "p90 is 301 ms, 200 ms of the live deployment: more than 50% above",
            id="too-slow",
        ),
        pytest.param(
            figures(100, p90_ms=25), figures(900, p90_ms=6), "pass", "p90 is 25 ms", id="noise"
        ),
        pytest.param(
            figures(100, p90_ms=200, p99_ms=9000),
            figures(900, p90_ms=200, p99_ms=200),
            "pass",
            "p90 is 200 ms",
            id="too-few-for-p99",
        ),
        pytest.param(
            figures(300, p90_ms=200, p99_ms=9000),
            figures(900, p90_ms=200, p99_ms=200),
            "fail",
            "p99 is 9000 ms",
            id="enough-for-p99",
        ),
        pytest.param(
            figures(100), figures(900, p90_ms=200), "inconclusive", "to tell p90", id="no-times-yet"
        ),
        pytest.param(
            figures(100, p90_ms=900),
            figures(20, p90_ms=200),
            "pass",
            "100 requests",
            id="live-idles",
        ),
    ],
)
def test_verdicts(
    candidate: DeploymentFigures, live: DeploymentFigures | None, verdict: Verdict, reason: str
) -> None:
    found = analyse(candidate, live, LIMITS)
    assert found.verdict == verdict, found
    assert reason in said(found)


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        pytest.param(Limits(max_p90_ms=400), "fail", id="p90"),
        pytest.param(Limits(max_p90_ms=600), "pass", id="p90-kept"),
        pytest.param(Limits(max_p99_ms=900), "inconclusive", id="p99-not-known-yet"),
        pytest.param(Limits(max_error_percent=None), "pass", id="errors-do-not-count"),
        pytest.param(Limits(min_requests=101), "inconclusive", id="more-requests"),
    ],
)
def test_limits(limits: Limits, verdict: Verdict) -> None:
    candidate = figures(100, 0, p90_ms=500, p99_ms=800)
    assert analyse(candidate, None, limits).verdict == verdict


def test_a_limit_of_nothing_allows_nothing() -> None:
    assert analyse(figures(1000, 1), None, Limits(max_error_percent=0)).verdict == "fail"


@pytest.mark.parametrize(
    "wrong", [{"min_requests": 0}, {"max_error_percent": 101}, {"max_p90_ms": 0}]
)
def test_limits_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(wrong)


NUMBERS = st.integers(0, 400)


@st.composite
def some_figures(draw: st.DrawFn) -> DeploymentFigures:
    good, failed, refused = draw(st.tuples(NUMBERS, NUMBERS, NUMBERS))
    time = st.none() | st.floats(1, 5000)
    return figures(good + failed + refused, failed, refused, p90_ms=draw(time), p99_ms=draw(time))


@given(candidate=some_figures(), live=st.none() | some_figures(), more=st.integers(1, 50))
def test_more_failures_never_better_a_verdict(
    candidate: DeploymentFigures, live: DeploymentFigures | None, more: int
) -> None:
    before = analyse(candidate, live, LIMITS).verdict
    good, failed = candidate.statuses[200], candidate.statuses[424]
    turned = min(more, good)
    statuses = {**candidate.statuses, 200: good - turned, 424: failed + turned}
    after = analyse(candidate.replace(statuses=statuses), live, LIMITS).verdict
    assert ORDER.index(after) >= ORDER.index(before)


@given(candidate=some_figures(), live=st.none() | some_figures(), slower=st.floats(0, 5000))
def test_slower_answers_never_better_a_verdict(
    candidate: DeploymentFigures, live: DeploymentFigures | None, slower: float
) -> None:
    before = analyse(candidate, live, Limits(max_p90_ms=900)).verdict
    p90, p99 = ((time and time + slower) for time in (candidate.p90_ms, candidate.p99_ms))
    after = analyse(candidate.replace(p90_ms=p90, p99_ms=p99), live, Limits(max_p90_ms=900)).verdict
    assert ORDER.index(after) >= ORDER.index(before)


@given(same=some_figures())
def test_one_that_is_as_the_live_one_is_no_worse(same: DeploymentFigures) -> None:
    limits = Limits(max_error_percent=None, min_requests=1)
    assert analyse(same, same, limits).verdict != "fail"


@given(live=st.none() | some_figures())
def test_without_requests_nothing_is_known(live: DeploymentFigures | None) -> None:
    assert analyse(figures(0), live, LIMITS).verdict == "inconclusive"


@given(candidate=some_figures(), live=st.none() | some_figures())
def test_a_verdict_has_reasons(
    candidate: DeploymentFigures, live: DeploymentFigures | None
) -> None:
    found = analyse(candidate, live, LIMITS)
    assert found.reasons
    assert Analysis.model_validate_json(found.model_dump_json()) == found


@given(requests=st.integers(1, 120), data=st.data(), percent=st.integers(1, 99))
def test_the_binomial_tail_is_exact(requests: int, data: st.DataObject, percent: int) -> None:
    failures = data.draw(st.integers(0, requests))
    rate = Fraction(percent, 100)
    exact = sum(
        comb(requests, k) * rate**k * (1 - rate) ** (requests - k)
        for k in range(failures, requests + 1)
    )
    assert binomial_tail(failures, requests, percent / 100) == pytest.approx(float(exact), rel=1e-9)


@given(here=st.integers(1, 120), there=st.integers(1, 120), data=st.data())
def test_fishers_tail_is_exact(here: int, there: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, here)), data.draw(st.integers(0, there))
    total = a + b
    ways = sum(comb(here, k) * comb(there, total - k) for k in range(a, min(total, here) + 1))
    exact = Fraction(ways, comb(here + there, total))
    assert fisher_tail(a, here, b, there) == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize(("requests", "failures"), [(1_000_000, 10_500), (1_000_000, 999_999)])
def test_many_requests_take_no_time(requests: int, failures: int) -> None:
    assert binomial_tail(failures, requests, 0.01) < 1e-5
    assert fisher_tail(failures, requests, requests // 100, requests) < 0.01
