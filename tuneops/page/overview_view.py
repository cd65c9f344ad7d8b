"""The overview as the page shows it: what needs people first, filtered, counted, added up. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tuneops.overview.document import (
    LEVELS,
    Card,
    ChannelCard,
    Level,
    Overview,
    SourceCard,
)
from tuneops.phase import Phase
from tuneops.sources import ConfigSource

MAX_ROWS = 300
MAX_TEXT = 100
NO_ENVIRONMENT = "-"
"""What a filter calls the environment without a name."""


@dataclass(frozen=True)
class Filter:
    """What people want to see; empty is everything."""

    environment: str = ""
    phase: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filter":
        """The filter of an address."""
        given = (query.get(name, "").strip()[:MAX_TEXT] for name in ("environment", "phase", "q"))
        return cls(*given)

    def shows(self, card: Card) -> bool:
        """Whether the project is one of those that are wanted."""
        if self.environment and self.environment != (card.environment or NO_ENVIRONMENT):
            return False
        if self.phase and self.phase != card.phase:
            return False
        words = (card.name, card.endpoint, card.reason, card.commit, card.live and card.live.model)
        text = "\n".join(word for word in words if word).lower()
        return all(word in text for word in self.text.lower().split())

    def __bool__(self) -> bool:
        return bool(self.environment or self.phase or self.text)


@dataclass(frozen=True)
class Row:
    """A project; `tags` say in a word what is the matter with it."""

    card: Card
    level: Level
    reason: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceLine:
    """Where the configs of an environment come from, and what was read last."""

    source: ConfigSource
    read: SourceCard


@dataclass(frozen=True)
class View:
    """All that the page shows; `more` projects are left out, `total` are there in all."""

    rows: tuple[Row, ...]
    more: int
    total: int
    counts: Mapping[Level, int]
    costs: Mapping[str, float]
    unpriced: int
    sources: tuple[SourceLine, ...]
    channels: tuple[ChannelCard, ...]
    environments: tuple[str, ...]
    phases: tuple[str, ...]
    filter: Filter = field(default_factory=Filter)
    complete: bool = True

    @property
    def errors(self) -> tuple[tuple[str, str], ...]:
        """What is wrong with config files, each with its environment."""
        return tuple(
            (line.source.environment, error) for line in self.sources for error in line.read.errors
        )

    @property
    def failing(self) -> tuple[ChannelCard, ...]:
        """The channels that take nothing."""
        return tuple(each for each in self.channels if each.failing_since)


def view(overview: Overview | None, sources: Collection[ConfigSource], wanted: Filter) -> View:
    """What to show of an overview; None: there is none yet."""
    known = overview or Overview()
    environments = {source.environment for source in sources}
    rows = [_row(card, known, environments) for card in known.cards.values()]
    shown = sorted((row for row in rows if wanted.shows(row.card)), key=_order)
    return View(
        rows=tuple(shown[:MAX_ROWS]),
        more=max(0, len(shown) - MAX_ROWS),
        total=len(rows),
        counts={level: sum(row.level == level for row in rows) for level in LEVELS},
        costs=_costs(known.cards.values()),
        unpriced=sum(
            card.live is not None and card.hourly is None for card in known.cards.values()
        ),
        sources=tuple(
            SourceLine(each, known.sources.get(each.environment, SourceCard())) for each in sources
        ),
        channels=known.channels,
        environments=tuple(sorted({card.environment for card in known.cards.values()})),
        phases=tuple(sorted({card.phase for card in known.cards.values()}, key=_phase_order)),
        filter=wanted,
        complete=known.complete,
    )


def _row(card: Card, overview: Overview, environments: Collection[str]) -> Row:
    """The project, with what its own documents don't say."""
    if card.environment not in environments:
        reason = "left as it is: its environment is not in the settings any more"
        return Row(card, "quiet", reason, ("on hold",))
    source = overview.sources.get(card.environment, SourceCard())
    refused = source.refused.get(card.name, "")
    reason = "; ".join(filter(None, (card.reason, refused)))
    level: Level = "warn" if refused and card.level != "bad" else card.level
    return Row(card, level, reason, tuple(_tags(card, refused)))


def _tags(card: Card, refused: str) -> Iterable[str]:
    said = {
        "trouble": card.troubled,
        "waits for approval": card.approval,
        "drifted": card.drifted,
        "held up": card.stalled,
        f"pinned to release {card.pin}": card.pin is not None,
        "config refused": refused,
        "on hold": card.held,
    }
    return (tag for tag, applies in said.items() if applies)


def _order(row: Row) -> tuple[int, bool, str]:
    """What needs people comes first; previews after the projects that they are of."""
    return LEVELS.index(row.level), row.card.preview is not None, row.card.name


def _costs(cards: Iterable[Card]) -> dict[str, float]:
    """What all of it costs in an hour at most, by currency."""
    sums: dict[str, float] = {}
    for card in cards:
        if card.hourly is not None:
            sums[card.currency] = sums.get(card.currency, 0.0) + card.hourly
    return dict(sorted(sums.items()))


def _phase_order(phase: str) -> tuple[int, str]:
    known: list[str] = list(Phase)
    return (known.index(phase) if phase in known else -1), phase
