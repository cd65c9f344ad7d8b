"""Timer triggers: due times that survive a restart."""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.functions.meta import Datum
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_pascal

from localcloud.functions.app import AppError, Function
from localcloud.functions.invocation import InvocationFailedError, Invoker
from localcloud.functions.schedule import parse_schedule

# The clock is looked at this often, so that a machine that slept is noticed.
CLOCK_SECONDS = 10.0
LATE = timedelta(seconds=CLOCK_SECONDS + 5)

# The Functions host remembers no timer that runs more often.
MONITORED_PERIOD = timedelta(minutes=1)

log = logging.getLogger(__name__)


class TimerStatus(BaseModel):
    """What is remembered of a timer; Azure's ScheduleStatus and the schedule's text."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, frozen=True)

    schedule: str
    last: datetime | None
    next: datetime
    last_updated: datetime


_STATUSES = TypeAdapter(dict[str, TimerStatus])


class TimerStore:
    """The timers' statuses in one file. A damaged file counts as an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._statuses = self._load()

    def get(self, name: str) -> TimerStatus | None:
        """The status that was put last, also before a restart."""
        return self._statuses.get(name)

    def put(self, name: str, status: TimerStatus) -> None:
        """Remember a status."""
        self._statuses[name] = status
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_bytes(_STATUSES.dump_json(self._statuses, indent=2, by_alias=True))
        draft.replace(self._path)

    def _load(self) -> dict[str, TimerStatus]:
        try:
            return _STATUSES.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            log.warning("%s is not read: %s", self._path, error)
            return {}


class Timer:
    """One timer function; never two invocations at once."""

    def __init__(self, function: Function, store: TimerStore, invoker: Invoker) -> None:
        self._function = function
        self._store = store
        self._invoker = invoker
        self._text = function.trigger.setting("schedule")
        try:
            self._schedule = parse_schedule(self._text)
        except ValueError as error:
            raise AppError(f"function {function.name}: schedule {error}") from None
        self._last: datetime | None = None

    async def run(self) -> None:
        """Invoke the function whenever it is due, until cancelled."""
        now = datetime.now(UTC)
        due = self._resume(now)
        if due <= now or self._function.trigger.settings.get("runOnStartup"):
            due = await self._fire(past_due=due <= now)
        while True:
            await _sleep_until(due)
            due = await self._fire(past_due=datetime.now(UTC) - due > LATE)

    def _resume(self, now: datetime) -> datetime:
        """When the timer is due first: in the past if it was missed while the host was down."""
        known = self._store.get(self._function.name)
        if known and known.schedule == self._text and self._is_monitored(now):
            self._last = known.last
            return known.next
        return self._plan(now)

    def _is_monitored(self, now: datetime) -> bool:
        first = self._schedule.next_after(now)
        frequent = self._schedule.next_after(first) - first < MONITORED_PERIOD
        return not frequent and self._function.trigger.settings.get("useMonitor") is not False

    def _plan(self, now: datetime) -> datetime:
        due = self._schedule.next_after(now)
        status = TimerStatus(schedule=self._text, last=self._last, next=due, last_updated=now)
        self._store.put(self._function.name, status)
        return due

    async def _fire(self, past_due: bool) -> datetime:
        """Invoke the function. Returns when it is due next."""
        started = datetime.now(UTC)
        data = Datum(json.dumps(self._request(past_due)), "json")
        try:
            await self._invoker.invoke(self._function, data)
        except InvocationFailedError:
            log.warning("%s failed; it runs again when it is due", self._function.name)
        self._last = started
        return self._plan(datetime.now(UTC))

    def _request(self, past_due: bool) -> Mapping[str, Any]:
        status = self._store.get(self._function.name)
        return {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status.model_dump(mode="json", by_alias=True, exclude={"schedule"})
            if status
            else {},
            "IsPastDue": past_due,
        }


async def _sleep_until(moment: datetime) -> None:
    while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
        await asyncio.sleep(min(left, CLOCK_SECONDS))
