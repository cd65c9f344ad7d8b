"""Timer schedules: NCRONTAB expressions and intervals."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from croniter import CroniterError, croniter

from localcloud.functions.timespan import parse_timespan

# What NCRONTAB allows; croniter knows more (such as L and H) that Azure would refuse.
_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec sun mon tue wed thu fri sat"
_FIELD = re.compile(rf"(?:[\d*/,-]|{_NAMES.replace(' ', '|')})+", re.ASCII | re.IGNORECASE)


class Schedule(Protocol):
    """When a timer is due."""

    def next_after(self, moment: datetime) -> datetime:
        """The first time later than ``moment`` (UTC)."""


@dataclass(frozen=True)
class Interval:
    """Due again and again after the same time."""

    period: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """One period later."""
        return moment + self.period


@dataclass(frozen=True)
class Cron:
    """An NCRONTAB expression; unlike in crontab, day of month and day of week must both match."""

    expression: str

    def next_after(self, moment: datetime) -> datetime:
        """The first second later than ``moment`` that the expression names."""
        times = croniter(self.expression, moment, day_or=False, second_at_beginning=True)
        due: datetime = times.get_next(datetime)
        return due


def parse_schedule(text: str) -> Schedule:
    """The schedule of a timer trigger: six cron fields (seconds first), five, or a TimeSpan.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions

    Raises:
        ValueError: it is neither, or names a date that never comes.
    """
    fields = text.split()
    if len(fields) == 1:
        return _interval(fields[0])
    if len(fields) not in (5, 6) or not all(_FIELD.fullmatch(field) for field in fields):
        raise ValueError(f"{text!r} is not an NCRONTAB expression of six fields, nor a TimeSpan")
    schedule = Cron(" ".join(fields))
    try:
        schedule.next_after(datetime.now(UTC))
    except (CroniterError, ArithmeticError) as error:
        raise ValueError(f"{text!r} is not an NCRONTAB expression: {error}") from None
    return schedule


def _interval(text: str) -> Interval:
    period = parse_timespan(text)
    if period < timedelta(seconds=1):
        raise ValueError(f"{text!r}: a timer runs at most once a second")
    return Interval(period)
