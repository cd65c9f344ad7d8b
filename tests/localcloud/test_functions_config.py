"""What the Functions host reads: routes, schedules, durations, host.json."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.functions.host_config import HostConfigError, load_host_config
from localcloud.functions.routes import RouteError, compile_route
from localcloud.functions.schedule import Cron, Interval, parse_schedule
from localcloud.functions.timespan import parse_timespan

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


class TestRoutes:
    @pytest.mark.parametrize(
        ("template", "path", "parameters"),
        [
            ("api/items", "api/Items/", {}),
            ("api/items", "api/item", None),
            ("a.b", "axb", None),
            ("{name}", "x y", {"name": "x y"}),
            ("{name}", "x/y", None),
            ("v{major}.{minor}", "v1.2", {"major": "1", "minor": "2"}),
            ("a/{b?}", "a", {}),
            ("a/{b?}", "a/b", {"b": "b"}),
            ("a/{*rest}", "a/b/c", {"rest": "b/c"}),
            ("a/{*rest}", "a", {}),
            ("{*rest}", "", {}),
            ("/", "", {}),
            ("/", "x", None),
            ("{n:int}", "-12", {"n": "-12"}),
            ("{n:int}", "x", None),
            ("{b:bool}/x", "TRUE/x", {"b": "TRUE"}),
            ("{g:guid}", "123e4567-e89b-12d3-a456-426614174000",
             {"g": "123e4567-e89b-12d3-a456-426614174000"}),
            ("{s:length(2,3)}", "abcd", None),
            ("{s:length(2)}", "ab", {"s": "ab"}),
            ("{s:maxlength(2)?}", "", {}),
        ],
    )  # fmt: skip
    def test_match(self, template: str, path: str, parameters: dict[str, str] | None) -> None:
        assert compile_route(template).match(path) == parameters

    @pytest.mark.parametrize(
        "template", ["{a", "a}", "{a:even}", "{a=3}", "{a?}/b", "{*a}/b", "x{a?}", "{a}/{a}",
                     "{*a:int}", "{a:length}", "{a:length(3,2)}", "{a:length(1,2,3)}", "{a:int(3)}"]
    )  # fmt: skip
    def test_unsupported_template(self, template: str) -> None:
        with pytest.raises(RouteError, match=re.escape(repr(template))):
            compile_route(template)

    def test_the_more_specific_route_comes_first(self) -> None:
        templates = ["{*all}", "items/{name}", "items/{id:int}", "items/new", "items"]
        ranked = sorted(templates, key=lambda template: compile_route(template).rank)
        assert ranked == ["items", "items/new", "items/{id:int}", "items/{name}", "{*all}"]

    @given(st.text(max_size=40))
    def test_any_text_compiles_or_is_refused(self, template: str) -> None:
        try:
            route = compile_route(template)
        except RouteError:
            return
        assert route.template == template


class TestSchedules:
    # The examples of Azure's documentation of NCRONTAB.
    @pytest.mark.parametrize(
        ("text", "first", "second"),
        [
            ("0 */5 * * * *", "2026-01-01 00:05:00", "2026-01-01 00:10:00"),
            ("0 0 * * * *", "2026-01-01 01:00:00", "2026-01-01 02:00:00"),
            ("0 0 9-17 * * *", "2026-01-01 09:00:00", "2026-01-01 10:00:00"),
            ("0 30 9 * * 1-5", "2026-01-01 09:30:00", "2026-01-02 09:30:00"),
            ("0 30 9 * Jan Mon", "2026-01-05 09:30:00", "2026-01-12 09:30:00"),
            ("5,8,10 * * * * *", "2026-01-01 00:00:05", "2026-01-01 00:00:08"),
            ("*/5 * * * *", "2026-01-01 00:05:00", "2026-01-01 00:10:00"),
            ("0 0 0 13 * 5", "2026-02-13 00:00:00", "2026-03-13 00:00:00"),
            ("24:00:00", None, None),
            ("1.00:00:00", "2026-01-02 00:00:00", "2026-01-03 00:00:00"),
            ("00:00:30", "2026-01-01 00:00:30", "2026-01-01 00:01:00"),
        ],
    )
    def test_due_times(self, text: str, first: str | None, second: str | None) -> None:
        if first is None:
            with pytest.raises(ValueError, match=re.escape(repr(text))):
                parse_schedule(text)
            return
        schedule = parse_schedule(text)
        due = schedule.next_after(START)
        assert f"{due:%Y-%m-%d %H:%M:%S}" == first
        assert f"{schedule.next_after(due):%Y-%m-%d %H:%M:%S}" == second

    @pytest.mark.parametrize(
        "text", ["", "x", "* * * *", "60 * * * * *", "0 0 0 31 2 *", "0 0 0 L * *", "@daily",
                 "* * * * * * *", "00:00:00", "0 0 25 * * *", "H * * * * *"]
    )  # fmt: skip
    def test_unusable(self, text: str) -> None:
        with pytest.raises(ValueError, match=re.escape(repr(text.strip() or text))):
            parse_schedule(text)

    @given(st.text(alphabet="0123456789*/,-: .JANSUNL?#", max_size=30))
    def test_any_text_is_a_schedule_or_refused(self, text: str) -> None:
        try:
            schedule = parse_schedule(text)
        except ValueError:
            return
        assert isinstance(schedule, Cron | Interval)
        assert schedule.next_after(START) > START

    @given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
    def test_due_is_always_later(self, moment: datetime) -> None:
        assert moment < parse_schedule("*/7 * * * * *").next_after(moment)


class TestTimeSpans:
    @given(st.timedeltas(timedelta(), timedelta(days=9999)))
    def test_round_trip(self, duration: timedelta) -> None:
        hours, rest = divmod(duration.seconds, 3600)
        text = (
            f"{duration.days}.{hours:02}:{rest // 60:02}:{rest % 60:02}.{duration.microseconds:06}"
        )
        assert abs(parse_timespan(text) - duration) < timedelta(microseconds=2)

    @pytest.mark.parametrize("text", ["", "5", "1:2", "25:00:00", "00:60:00", "00:00:60", "a:b:c"])
    def test_nonsense(self, text: str) -> None:
        with pytest.raises(ValueError, match=re.escape(repr(text))):
            parse_timespan(text)


class TestHostConfig:
    def load(self, directory: Path, document: Any, **settings: str) -> Any:
        """Write host.json and load it."""
        (directory / "host.json").write_text(json.dumps(document))
        return load_host_config(directory, settings)

    def test_defaults(self, tmp_path: Path) -> None:
        config = self.load(tmp_path, {"version": "2.0", "logging": {"x": 1}})
        assert config.extensions.http.route_prefix == "api"
        assert config.extensions.queues.batch_size == 16
        assert config.extensions.queues.max_polling_interval == timedelta(seconds=2)

    def test_values(self, tmp_path: Path) -> None:
        queues = {"batchSize": 1, "visibilityTimeout": "00:00:30", "messageEncoding": "none"}
        document = {"version": "2.0", "extensions": {"queues": queues, "http": {"routePrefix": ""}}}
        extensions = self.load(tmp_path, document).extensions
        assert extensions.queues.batch_size == 1
        assert extensions.queues.visibility_timeout == timedelta(seconds=30)
        assert extensions.queues.message_encoding == "none"
        assert extensions.http.route_prefix == ""

    def test_app_settings_stand_in_for_values(self, tmp_path: Path) -> None:
        queues = {"batchSize": 1, "visibilityTimeout": "00:00:30"}
        document = {"version": "2.0", "extensions": {"queues": queues}}
        at_queues = "AzureFunctionsJobHost__Extensions__queues__"
        settings = {
            f"{at_queues}BatchSize": "4",
            f"{at_queues}maxDequeueCount": "7",
            "AzureFunctionsJobHost__extensions__http__routePrefix": "x",
            "AzureFunctionsJobHost__version__of": "not what a version has",
        }
        extensions = self.load(tmp_path, document, **settings).extensions
        assert (extensions.queues.batch_size, extensions.queues.max_dequeue_count) == (4, 7)
        assert extensions.queues.visibility_timeout == timedelta(seconds=30), "it stays"
        assert extensions.http.route_prefix == "x"
        with pytest.raises(HostConfigError, match="batchSize"):
            self.load(tmp_path, document, **{f"{at_queues}batchSize": "many"})

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({}, "version"),
            ([], "the document"),
            ({"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}, "batchSize"),
            ({"version": "2.0", "extensions": {"queues": {"visibilityTimeout": 3}}}, "TimeSpan"),
        ],
    )
    def test_wrong(self, tmp_path: Path, document: Any, message: str) -> None:
        with pytest.raises(HostConfigError, match=message):
            self.load(tmp_path, document)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(HostConfigError, match=r"host\.json: No such file"):
            load_host_config(tmp_path, {})
