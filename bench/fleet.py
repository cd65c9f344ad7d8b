"""Projects for `scale.py`: what so many of them leave in the store, in Azure and in git."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property

from tests.fleet import THREADS, Fleet
from tests.planned import come_to
from tuneops import documents
from tuneops.audit.entry import Caller, Page, make_entry
from tuneops.desired import Desired
from tuneops.notify.letter import Settled
from tuneops.notify.mailbox import Mailbox
from tuneops.overview.document import Card
from tuneops.overview.keeping import make_card
from tuneops.release import Metrics, Phase, Point, Release

NOW = datetime.now(UTC)
CHANNEL = "github-status"
CURVE = tuple(Point(step=step, value=1 / (step + 1)) for step in range(100))
METRICS = Metrics(values={"eval_loss": 1.2, "exact_match": 0.9}, curves={"loss": CURVE})
PAST = (Phase.TRAINING, Phase.DEPLOYING, Phase.TESTING, Phase.LIVE)
CALLER = Caller("ada", "entra", "page")
ORDERED_EVERY = 100
"""Of so many projects one has an order in the audit."""


class LargeFleet(Fleet):
    """Projects with metrics, a past, mailboxes, and an order now and then."""

    def grow(self, count: int) -> None:
        """Add projects until there are so many."""
        first = self.count
        super().grow(count)
        names = [f"p-{number:04}" for number in range(first, count)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._tell, names))
            list(pool.map(self._order, names[::ORDERED_EVERY]))

    def _releases(self, desired: Iterable[Desired]) -> list[Release]:
        return [_lived(release) for release in super()._releases(desired)]

    def _card(self, name: str) -> Card:
        return self._first.replace(name=name)

    @cached_property
    def _first(self) -> Card:
        """The card of the first project; the others are as long."""
        made = make_card("p-0000", self.services, None)
        assert made is not None
        return made

    def _tell(self, project: str) -> None:
        settled = tuple(
            Settled(key=f"{project}:{n}", event="live", title="is live", at=NOW, sent_at=NOW)
            for n in range(8)
        )
        box = Mailbox(settled=settled)
        self._put(documents.mailbox(CHANNEL, project), box, box.note.text())

    def _order(self, project: str) -> None:
        entry = make_entry(f"{project}-1", project, "retry", CALLER, NOW)
        page = Page(entries=(entry.end("accepted", "done", NOW),))
        self._put(documents.audit(project, f"{NOW:%Y-%m}", 1), page)


def _lived(release: Release) -> Release:
    """The release with metrics, as it came to be live phase by phase."""
    made = release.replace(metrics=METRICS, history=())
    for place, phase in enumerate(PAST):
        at = NOW - timedelta(days=1, minutes=len(PAST) - place)
        made = come_to(made, phase, at, f"it came to {phase}")
    return made
