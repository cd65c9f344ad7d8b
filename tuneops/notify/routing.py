"""Which messages a channel gets, and when. Pure."""

from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from tuneops.config import Event
from tuneops.message import SEVERITIES, Message, Severity
from tuneops.names import environment_of
from tuneops.phase import Phase
from tuneops.section import Section


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{name!r} is no time zone: write one like Europe/Berlin") from error
    return name


class QuietHours(Section):
    """Hours of each day in which nobody wants to be disturbed; they may span midnight."""

    begin: time
    end: time
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_known_zone)] = "UTC"

    @model_validator(mode="after")
    def _some_hours(self) -> "QuietHours":
        if self.begin == self.end:
            raise ValueError("begin and end are the same: leave quiet_hours out, or give hours")
        return self

    def over(self, now: datetime) -> datetime:
        """When they are over; `now` (aware) itself outside of them."""
        local = now.astimezone(ZoneInfo(self.timezone))
        clock = local.time().replace(tzinfo=None)
        spans = self.begin > self.end
        within = (
            clock >= self.begin or clock < self.end if spans else self.begin <= clock < self.end
        )
        if not within:
            return now
        day = local.date() + timedelta(days=1 if spans and clock >= self.begin else 0)
        return datetime.combine(day, self.end, local.tzinfo).astimezone(now.tzinfo)


class Route(Section):
    """What goes to a channel; what is left out is no restriction."""

    projects: Annotated[
        tuple[str, ...],
        Field(min_length=1, max_length=100, description="Names of projects; * stands for anything"),
    ] = ("*",)
    environments: Annotated[
        tuple[str, ...] | None, Field(description="'' is the environment without a name")
    ] = None
    events: tuple[Event, ...] | None = None
    phases: tuple[Phase, ...] | None = None
    severity: Annotated[Severity, Field(description="The least one")] = "info"
    quiet_hours: QuietHours | None = None
    digest: Annotated[
        Literal["hourly", "daily"] | None,
        Field(description="Several messages as one, at the full hour or after midnight (UTC)"),
    ] = None
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


def _is_github(channel_id: str) -> bool:
    return channel_id.partition("-")[0] == "github"


def wants(route: Route, message: Message) -> bool:
    """Whether the message is for the channel. One that is of no project is not for some of them."""
    if SEVERITIES.index(message.severity) < SEVERITIES.index(route.severity):
        return False
    if route.environments is not None and environment_of(message.project) not in route.environments:
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
    at = max(now, _issue(route, message.at)) if route.digest else now
    return route.quiet_hours.over(at) if route.quiet_hours else at


def _issue(route: Route, at: datetime) -> datetime:
    """The time of the digest that what happened `at` is in."""
    if route.digest == "hourly":
        return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
