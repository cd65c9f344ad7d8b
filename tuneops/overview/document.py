"""The document that one read of tells of every project, and of where configs come from. Pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict

from tuneops.document import Document
from tuneops.phase import Phase

Level = Literal["bad", "warn", "busy", "good", "quiet"]
LEVELS: tuple[Level, ...] = ("bad", "warn", "busy", "good", "quiet")
"""What needs people first, first."""

UNREADABLE = "Unreadable"


class Figure(Document):
    """A metric; `before` is that of the model to hold it against, `better` whether it is better."""

    name: str
    value: float
    before: float | None = None
    better: bool | None = None


class Served(Document):
    """What is live: a release with its model, as NAME:VERSION, and what it runs on."""

    release: int
    model: str
    base_model: str
    since: datetime | None = None
    figures: tuple[Figure, ...] = ()
    deployment: str = ""
    instances: str = ""


class Share(Document):
    """How much of the traffic a release has, in percent."""

    release: int
    percent: int


class Card(Document):
    """A project at a glance.

    `release` is the newest of `releases` many, in its phase `since` then; `figures` are its own as
    long as it is not what is `live`. `hourly` is what its deployments cost at most, None without a
    price or a deployment. While it trains, `done` is the part that is done, and `ends` when it is
    likely to end, to the minute. `held`: nothing is done for it, `approval`: it asks people;
    `drifted`, `troubled` and `stalled` (it waits for so long that people were told) say what else
    people may want to know first.
    """

    name: str
    environment: str = ""
    phase: str
    since: datetime | None = None
    reason: str = ""
    release: int | None = None
    releases: int = 0
    commit: str = ""
    data: str = ""
    live: Served | None = None
    figures: tuple[Figure, ...] = ()
    endpoint: str = ""
    traffic: tuple[Share, ...] = ()
    hourly: float | None = None
    currency: str = ""
    done: float | None = None
    ends: datetime | None = None
    preview: int | None = None
    preview_until: datetime | None = None
    pin: int | None = None
    held: bool = False
    approval: bool = False
    drifted: bool = False
    troubled: bool = False
    stalled: bool = False

    @property
    def level(self) -> Level:
        """How much the project needs people."""
        if self.troubled or self.phase in (Phase.FAILED, UNREADABLE):
            return "bad"
        if self.approval or self.drifted or self.stalled or self.pin is not None:
            return "warn"
        if self.held or self.release is None:
            return "quiet"
        if self.phase in (Phase.RETIRED, Phase.SUPERSEDED):
            return "quiet"
        return "good" if self.phase == Phase.LIVE else "busy"


class SourceCard(Document):
    """What was read last of an environment's repository; `refused` says why, by project."""

    commit: str = ""
    errors: tuple[str, ...] = ()
    refused: dict[str, str] = {}


class ChannelCard(Document):
    """How a channel to people fares."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    environment: str = ""
    failing_since: datetime | None = None
    error: str = ""
    waiting: int = 0


class Cards(Document):
    """The cards of some of the projects, by project."""

    cards: dict[str, Card] = {}

    def with_card(self, name: str, card: Card | None) -> "Cards":
        """With the card of a project as it is now; None: there is no such project any more."""
        others = {key: each for key, each in self.cards.items() if key != name}
        if card is None:
            return self.replace(cards=others) if name in self.cards else self
        return self if self.cards.get(name) == card else self.replace(cards={**others, name: card})

    def filled(
        self, cards: Mapping[str, Card], gone: Collection[str], known: Mapping[str, Card]
    ) -> "Cards":
        """With these cards in place of those that were `known`, and without those that are gone.

        A card that somebody has written meanwhile is newer than the one given here.
        """
        kept = {name: each for name, each in self.cards.items() if name not in gone}
        newer = {n: each for n, each in kept.items() if n not in cards or each != known.get(n)}
        filled = {**kept, **cards, **newer}
        return self if filled == self.cards else self.replace(cards=filled)


class Overview(Document):
    """Cards by project, sources by environment.

    The cards are stored in parts of their own; beside the rest there are those that an earlier
    version has written. `complete`: the card of every project is there, which an overview that had
    to be begun anew says only once the resync has put them together.
    """

    cards: dict[str, Card] = {}
    sources: dict[str, SourceCard] = {}
    channels: tuple[ChannelCard, ...] = ()
    complete: bool = False

    def with_source(self, environment: str, source: SourceCard) -> "Overview":
        """With what was read of an environment's repository."""
        return self.replace(sources={**self.sources, environment: source})

    def whole(self, made: Mapping[str, Card]) -> "Overview":
        """Once all cards are in their parts, in place of these that an earlier version had `made`.

        One that such a version has written since then is left for the next time.
        """
        left = {name: each for name, each in self.cards.items() if each != made.get(name)}
        return self.replace(cards=left, complete=True)

    def with_channels(self, channels: Iterable[ChannelCard]) -> "Overview":
        """With how the channels fare."""
        return self.replace(channels=tuple(channels))
