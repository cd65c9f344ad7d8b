"""Live figures made of what Azure Monitor answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tuneops.analysis import DeploymentFigures
from tuneops.azureml.traffic_metrics import TIMES, _Answer, _figures, _total, _window

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def series(values: list[float | None], **labels: str) -> dict[str, Any]:
    """A series as it is on the wire, from noon on; None where there is no value."""
    return {
        "metadatavalues": [
            {"name": {"value": name, "localizedValue": name}, "value": value}
            for name, value in labels.items()
        ],
        "data": [
            {"timeStamp": f"2026-03-01T12:{minute:02}:00Z"}
            | ({} if value is None else {"average": value})
            for minute, value in enumerate(values)
        ],
    }


def answer(**metrics: list[dict[str, Any]]) -> _Answer:
    value = [
        {"name": {"value": name, "localizedValue": name}, "timeseries": found}
        for name, found in metrics.items()
    ]
    return _Answer.model_validate({"cost": 1, "value": value, "namespace": "n"})


def times(*p90: float | None) -> _Answer:
    return answer(**{TIMES[90]: [series(list(p90), deployment="blue")]})


COUNTS = answer(
    RequestsPerMinute=[
        series([90.0, 0.0, 8.0], deployment="blue", statuscode="200"),
        series([None, 0.0, 2.0], deployment="Blue", statuscode="424"),
        series([5.0, 5.0, 5.0], deployment="green", statuscode="200"),
        series([1.0, 0.0, 0.0], deployment="blue", statuscode="unknown"),
    ]
)


def test_requests_are_added_up_by_status() -> None:
    found = _figures("blue", 3, COUNTS, answer())
    assert found == DeploymentFigures(deployment="blue", minutes=3, statuses={200: 98, 424: 2})
    assert (found.requests, found.failures, found.client_errors) == (100, 2, 0)


def test_a_part_of_a_request_is_one() -> None:
    assert _total(COUNTS) == 116
    assert _total(answer(RequestsPerMinute=[series([0.01, None], deployment="blue")])) == 1
    assert _total(answer(RequestsPerMinute=[series([0.0, None], deployment="blue")])) == 0
    assert _total(answer()) == 0


@pytest.mark.parametrize(
    ("p90", "expected"),
    [
        pytest.param(times(100.0, 5000.0, 1100.0), (91 * 100 + 10 * 1100) / 101, id="by-requests"),
        pytest.param(times(100.0, None, None), 100.0, id="of-minutes-that-have-one"),
        pytest.param(times(None, 5000.0, None), None, id="none-of-minutes-without-requests"),
        pytest.param(answer(), None, id="none"),
    ],
)
def test_percentiles_are_averaged_by_the_minutes_requests(
    p90: _Answer, expected: float | None
) -> None:
    assert _figures("blue", 3, COUNTS, p90).p90_ms == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0, "many"])
def test_what_is_no_number_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        answer(RequestsPerMinute=[series([wrong], deployment="blue")])


@pytest.mark.parametrize(
    ("since", "until", "window"),
    [
        (NOON, NOON + MINUTE, (NOON, NOON + MINUTE)),
        (NOON + 59 * SECOND, NOON + 61 * SECOND, (NOON, NOON + 2 * MINUTE)),
        (NOON - timedelta(days=9), NOON, (NOON - timedelta(days=1), NOON)),
    ],
    ids=["whole", "widened", "cut"],
)
def test_windows(since: datetime, until: datetime, window: tuple[datetime, datetime]) -> None:
    assert _window(since, until) == window
