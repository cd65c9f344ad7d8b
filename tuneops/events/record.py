"""What is recorded of an event: that it came, and what came of it. Pure.

An event is recorded when it comes, with what was made of it at once; what looks at a project,
a repository or a pull request because of it adds what that led to. Together they are its fate.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, computed_field

from tuneops.audit.entry import clean
from tuneops.document import Document

Source = Literal["github", "storage", "workspace"]
Verdict = Literal["taken", "ignored", "refused"]
Effect = Literal["acted", "merged", "ignored", "refused"]
Fate = Literal["waiting", "acted", "merged", "ignored", "refused"]

MAX_ID, MAX_PROJECTS, MAX_REMEMBERED = 100, 50, 10
TICKET = r"^(\d{10}:[!-~]{1,100})?$"
"""Names an event by the hour at which it came and its own id; messages carry it, if one has led to
them."""


class Arrival(Document):
    """An event came: `subject` is what it is about, `why` says what was made of it at once."""

    line: Literal["arrival"] = "arrival"
    id: str
    at: datetime
    source: Source
    type: str
    subject: str = ""
    verdict: Verdict
    why: str = ""
    projects: tuple[str, ...] = ()

    @property
    def ticket(self) -> str:
        """By what messages name it."""
        return f"{self.at.astimezone(UTC):%Y%m%d%H}:{self.id}"


class Outcome(Document):
    """What an event has led to: `about` is a project, or what else was looked at."""

    line: Literal["outcome"] = "outcome"
    id: str
    at: datetime
    about: str
    effect: Effect
    why: str
    release: int | None = None


class Event(Document):
    """All that is known of an event; it came as often as `deliveries` says."""

    arrival: Arrival
    deliveries: int = 1
    outcomes: tuple[Outcome, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def fate(self) -> Fate:
        """What became of it; `waiting` while nothing has been looked at because of it."""
        if self.arrival.verdict != "taken":
            return self.arrival.verdict
        found = {each.effect for each in self.outcomes}
        order: tuple[Effect, ...] = ("acted", "merged", "refused", "ignored")
        return next((effect for effect in order if effect in found), "waiting")

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects that it has to do with."""
        looked_at = (each.about for each in self.outcomes)
        return tuple(dict.fromkeys((*self.arrival.projects, *looked_at)))


_LINE: TypeAdapter[Arrival | Outcome] = TypeAdapter(
    Annotated[Arrival | Outcome, Field(discriminator="line")]
)


def arrival(
    identifier: str,
    at: datetime,
    source: Source,
    kind: str,
    subject: str,
    verdict: Verdict,
    why: str,
    projects: Iterable[str] = (),
) -> Arrival:
    """The record of an event that came; foreign text is cut and cleaned."""
    named = list(projects)
    more = f", of {len(named)} projects" if len(named) > MAX_PROJECTS else ""
    return Arrival(
        id=clean_id(identifier),
        at=at,
        source=source,
        type=clean(kind, MAX_ID),
        subject=clean(subject),
        verdict=verdict,
        why=clean(why + more),
        projects=tuple(named[:MAX_PROJECTS]),
    )


def outcome(
    ticket: str, at: datetime, about: str, effect: Effect, why: str, release: int | None = None
) -> Outcome:
    """The record of what an event has led to."""
    return Outcome(
        id=ticket.partition(":")[2],
        at=at,
        about=about,
        effect=effect,
        why=clean(why),
        release=release,
    )


def remembered(tickets: tuple[str, ...], ticket: str) -> tuple[str, ...]:
    """The last tickets, with this one as the newest, if it is one.

    A document that they are written with tells a look that comes again that it had acted before.
    """
    if not ticket or ticket in tickets:
        return tickets
    return (*tickets, ticket)[-MAX_REMEMBERED:]


def text_of(record: Arrival | Outcome) -> bytes:
    """A record as a line."""
    return record.model_dump_json().encode() + b"\n"


def fold(lines: Iterable[bytes]) -> list[Event]:
    """The events that lines tell of, as they came; a line that can't be read is left out.

    A line that stands there twice was written once: the answer to it was lost. An outcome whose
    arrival is not there is left out.
    """
    arrivals: dict[str, list[Arrival]] = {}
    outcomes: dict[str, list[Outcome]] = {}
    for line in dict.fromkeys(lines):
        try:
            read = _LINE.validate_json(line)
        except ValidationError:
            continue
        if isinstance(read, Arrival):
            arrivals.setdefault(read.id, []).append(read)
        else:
            outcomes.setdefault(read.id, []).append(read)
    return [
        Event(arrival=_best(came), deliveries=len(came), outcomes=tuple(outcomes.get(name, ())))
        for name, came in arrivals.items()
    ]


def _best(came: list[Arrival]) -> Arrival:
    """Of several deliveries the first that was taken, else the first."""
    return next((each for each in came if each.verdict == "taken"), came[0])


def clean_id(text: str) -> str:
    """An id as it may stand in a ticket; `-` where there is none."""
    return re.sub(r"[^!-~]", "", text[:MAX_ID]) or "-"
