"""Which messages a channel gets, and when. Pure."""

import re
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tuneops.config import Event
from tuneops.message import SEVERITIES, Message, Severity
from tuneops.names import environment_of
from tuneops.phase import Phase
from tuneops.section import Section

OtherEvent = Literal["config_invalid", "orphaned", "swept", "stopped", "restored", "summary"]
"""What is told of no release: of files in git, of sweeps, of what runs and costs."""
HOUR = timedelta(hours=1)
_CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{name!r} is no time zone: write one like Europe/Berlin") from error
    return name


def _clock(value: Any) -> Any:
    """A time of the day; in YAML one without quotes is a number."""
    if isinstance(value, time) or (isinstance(value, str) and re.fullmatch(_CLOCK, value)):
        return value
    raise ValueError('is no time of the day: write hours and minutes in quotes, as "22:00"')


Zone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
Clock = Annotated[
    time,
    BeforeValidator(_clock, json_schema_input_type=Annotated[str, Field(pattern=_CLOCK)]),
]


class QuietHours(Section):
    """Hours of each day in which nobody wants to be disturbed; they may span midnight."""

    begin: Clock
    end: Clock
    timezone: Zone = "UTC"

    @model_validator(mode="after")
    def _some_hours(self) -> "QuietHours":
        if self.begin == self.end:
            raise ValueError("begin and end are the same: leave quiet_hours out, or give hours")
        return self

    def over(self, now: datetime) -> datetime:
        """When they are over; `now` (aware) itself outside of them.

        An end that a clock skips in spring comes as much later; one that it shows twice in autumn
        comes the first time, or the second where that is over.
        """
        local = now.astimezone(ZoneInfo(self.timezone))
        clock = local.time().replace(fold=0)
        spans = self.begin > self.end
        after, before = clock >= self.begin, clock < self.end
        if not (after or before if spans else after and before):
            return now
        day = local.date() + timedelta(days=1 if spans and after else 0)
        end = datetime.combine(day, self.end, local.tzinfo)
        ends = (end.replace(fold=fold).astimezone(now.tzinfo) for fold in (0, 1))
        return next((each for each in ends if each > now), now)


class Route(Section):
    """What goes to a channel; what is left out is no restriction."""

    projects: Annotated[
        tuple[str, ...],
        Field(min_length=1, max_length=100, description="Names of projects; * stands for anything"),
    ] = ("*",)
    environments: Annotated[
        tuple[str, ...] | None, Field(description="'' is the environment without a name")
    ] = None
    events: tuple[Event | OtherEvent, ...] | None = None
    phases: tuple[Phase, ...] | None = None
    severity: Annotated[Severity, Field(description="The least one")] = "info"
    quiet_hours: QuietHours | None = None
    digest: Annotated[
        Literal["hourly", "daily"] | None,
        Field(description="Several messages as one, at the full hour or after midnight"),
    ] = None
    timezone: Annotated[Zone, Field(description="Of the digest's hour or midnight")] = "UTC"
    urgent: Annotated[
        Severity, Field(description="From this severity on, nothing is held back")
    ] = "error"


def meant(message: Message, channel_id: str, name: str, route: Route) -> bool:
    """Whether a message is for the channel with this id, name and route.

    A project may choose among the channels; GitHub shows its releases whatever that is.
    """
    if message.only:
        return message.only == channel_id
    chosen = message.channels is None or name in message.channels or _is_github(channel_id)
    return chosen and wants(route, message)


def left_out(message: Message, route: Route) -> bool:
    """Whether a message that was meant for a channel is not by the route that it has now."""
    return not message.only and not wants(route, message)


def _is_github(channel_id: str) -> bool:
    return channel_id.partition("-")[0] == "github"


def wants(route: Route, message: Message) -> bool:
    """Whether the message is for the channel. One that is of no project is not for some of them."""
    if SEVERITIES.index(message.severity) < SEVERITIES.index(route.severity):
        return False
    environment = message.environment or environment_of(message.project)
    if route.environments is not None and environment not in route.environments:
        return False
    if route.events is not None and message.event not in route.events:
        return False
    if route.phases is not None and message.phase not in route.phases:
        return False
    return any(fnmatchcase(message.project, pattern) for pattern in route.projects)


def due(route: Route, message: Message, now: datetime) -> datetime:
    """When the message may go to the channel, as of `now` (aware): `now` itself, or later."""
    if SEVERITIES.index(message.severity) >= SEVERITIES.index(route.urgent):
        return now
    at = max(now, issue(route, message.at)) if route.digest else now
    return route.quiet_hours.over(at) if route.quiet_hours else at


def issue(route: Route, at: datetime) -> datetime:
    """The time of the digest that what happened `at` is in; it is later than that."""
    zone = ZoneInfo(route.timezone)
    local = at.astimezone(zone)
    if route.digest == "daily":
        midnight = datetime.combine(local.date() + timedelta(days=1), time(), zone)
        return midnight.astimezone(at.tzinfo)
    full = local.replace(minute=0, second=0, microsecond=0).astimezone(at.tzinfo) + HOUR
    return full if full > at else full + HOUR
