"""Who gets a message, and when: quiet hours, digests, and clocks that jump."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneops.message import Message
from tuneops.notify.routing import QuietHours, Route, due, issue, wants

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
]


def message(**said: object) -> Message:
    given = {"key": "k", "event": "live", "title": "", "text": "", "at": datetime(2026, 1, 1)}
    return Message.model_validate({**given, "project": "staging.bot", "phase": "Live", **said})


def moment(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("route", "said", "wanted"),
    [
        pytest.param({}, {}, True, id="all"),
        pytest.param({}, {"project": ""}, True, id="all-of-none"),
        pytest.param({"projects": ["staging.*"]}, {}, True, id="pattern"),
        pytest.param({"projects": ["bot"]}, {}, False, id="other-project"),
        pytest.param({"projects": ["staging.*"]}, {"project": ""}, False, id="of-none"),
        pytest.param({"environments": ["staging"]}, {}, True, id="environment"),
        pytest.param({"environments": [""]}, {}, False, id="nameless"),
        pytest.param({"environments": [""]}, {"project": "bot"}, True, id="of-nameless"),
        pytest.param(
            {"environments": ["labs"]}, {"project": "", "environment": "labs"}, True, id="sweep"
        ),
        pytest.param({"events": ["failed", "live"]}, {}, True, id="event"),
        pytest.param({"events": ["failed"]}, {}, False, id="other-event"),
        pytest.param({"events": ["orphaned"]}, {"event": "orphaned"}, True, id="of-no-release"),
        pytest.param({"phases": ["Live"]}, {}, True, id="phase"),
        pytest.param({"phases": ["Live"]}, {"phase": ""}, False, id="of-no-phase"),
        pytest.param({"severity": "warning"}, {}, False, id="too-little"),
        pytest.param({"severity": "warning"}, {"severity": "error"}, True, id="more"),
    ],
)
def test_who_gets_a_message(
    route: dict[str, object], said: dict[str, object], wanted: bool
) -> None:
    assert wants(Route.model_validate(route), message(**said)) is wanted


@pytest.mark.parametrize(
    ("begin", "end", "zone", "now", "over"),
    [
        pytest.param("22:00", "07:00", "UTC", "2026-01-01T21:59", "", id="before"),
        pytest.param("22:00", "07:00", "UTC", "2026-01-01T22:00", "2026-01-02T07:00", id="evening"),
        pytest.param(
            "22:00", "07:00", "UTC", "2026-01-02T00:00", "2026-01-02T07:00", id="midnight"
        ),
        pytest.param("22:00", "07:00", "UTC", "2026-01-02T06:59", "2026-01-02T07:00", id="morning"),
        pytest.param("22:00", "07:00", "UTC", "2026-01-02T07:00", "", id="at-the-end"),
        pytest.param("12:00", "13:00", "UTC", "2026-01-01T12:30", "2026-01-01T13:00", id="noon"),
        pytest.param("12:00", "13:00", "UTC", "2026-01-01T11:59", "", id="before-noon"),
        pytest.param(
            "22:00", "07:00", "Europe/Berlin", "2026-07-01T21:00", "2026-07-02T05:00", id="zone"
        ),
        pytest.param(
            "22:00", "07:00", "Europe/Berlin", "2026-03-28T22:00", "2026-03-29T05:00", id="spring"
        ),
        pytest.param(
            "22:00", "02:30", "Europe/Berlin", "2026-03-28T22:00", "2026-03-29T01:30", id="skipped"
        ),
        pytest.param(
            "22:00", "02:30", "Europe/Berlin", "2026-10-25T00:10", "2026-10-25T00:30", id="twice"
        ),
        pytest.param(
            "22:00", "02:30", "Europe/Berlin", "2026-10-25T01:10", "2026-10-25T01:30", id="again"
        ),
    ],
)
def test_quiet_hours_end(begin: str, end: str, zone: str, now: str, over: str) -> None:
    quiet = QuietHours.model_validate({"begin": begin, "end": end, "timezone": zone})
    assert quiet.over(moment(now)) == moment(over or now)


CLOCKS = st.times().map(lambda at: at.replace(second=0, microsecond=0))
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC)
)
"""Also in the hours that clocks skip or repeat."""
CHANGES = st.sampled_from(["2026-03-29T00:00", "2026-10-25T00:00", "2026-04-04T14:00"]).flatmap(
    lambda at: st.integers(0, 240).map(lambda minutes: moment(at) + timedelta(minutes=minutes))
)


@settings(max_examples=100)
@given(CLOCKS, CLOCKS, st.sampled_from(ZONES), MOMENTS | CHANGES)
def test_quiet_hours_do_end_and_are_over_then(
    begin: time, end: time, zone: str, now: datetime
) -> None:
    if begin == end:
        return
    quiet = QuietHours(begin=begin, end=end, timezone=zone)
    over = quiet.over(now)
    assert now <= over <= now + DAY + HOUR
    assert quiet.over(over) == over
    assert over.tzinfo is now.tzinfo


@settings(max_examples=100)
@given(st.sampled_from(["hourly", "daily"]), st.sampled_from(ZONES), MOMENTS | CHANGES)
def test_a_digest_comes_soon_at_the_full_hour_or_at_midnight(
    digest: str, zone: str, at: datetime
) -> None:
    route = Route.model_validate({"digest": digest, "timezone": zone})
    comes = issue(route, at)
    assert at < comes <= at + (2 * HOUR if digest == "hourly" else DAY + HOUR)
    local = comes.astimezone(ZoneInfo(zone))
    if digest == "daily":
        assert local.time() == time()
        assert local.date() == at.astimezone(ZoneInfo(zone)).date() + DAY


@pytest.mark.parametrize(
    ("route", "severity", "now", "expected"),
    [
        pytest.param({}, "info", "2026-01-01T23:10", "2026-01-01T23:10", id="at-once"),
        pytest.param(
            {"digest": "hourly"}, "info", "2026-01-01T23:10", "2026-01-02T00:00", id="hour"
        ),
        pytest.param(
            {"digest": "hourly"}, "error", "2026-01-01T23:10", "2026-01-01T23:10", id="bad"
        ),
        pytest.param({"digest": "daily"}, "info", "2026-01-01T23:10", "2026-01-02T00:00", id="day"),
        pytest.param(
            {"digest": "daily"}, "info", "2026-01-03T09:00", "2026-01-03T09:00", id="late"
        ),
        pytest.param(
            {"digest": "daily", "timezone": "Asia/Kathmandu"},
            "info",
            "2026-01-01T23:10",
            "2026-01-02T18:15",
            id="elsewhere",
        ),
        pytest.param(
            {"digest": "daily", "quiet_hours": {"begin": "22:00", "end": "07:00"}},
            "warning",
            "2026-01-01T23:10",
            "2026-01-02T07:00",
            id="both",
        ),
        pytest.param(
            {"urgent": "warning", "quiet_hours": {"begin": "22:00", "end": "07:00"}},
            "warning",
            "2026-01-01T23:10",
            "2026-01-01T23:10",
            id="urgent",
        ),
    ],
)
def test_when_a_message_may_go(
    route: dict[str, object], severity: str, now: str, expected: str
) -> None:
    told = message(severity=severity, at=moment("2026-01-01T23:10"))
    assert due(Route.model_validate(route), told, moment(now)) == moment(expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"begin": 1320, "end": "07:00"}, "write hours and minutes in quotes"),
        ({"begin": "22:00Z", "end": "07:00"}, "is no time of the day"),
        ({"begin": "24:00", "end": "07:00"}, "is no time of the day"),
        ({"begin": "22:00\n", "end": "07:00"}, "is no time of the day"),
        ({"begin": "07:00", "end": "07:00"}, "begin and end are the same"),
        ({"begin": "22:00", "end": "07:00", "timezone": "Mars"}, "'Mars' is no time zone"),
        ({"begin": "22:00", "end": "07:00", "timezone": "../../etc/passwd"}, "is no time zone"),
    ],
)
def test_what_are_no_quiet_hours(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        QuietHours.model_validate(given)
