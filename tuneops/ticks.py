"""When each timer ran last, so that one that has stopped can be seen."""

from datetime import datetime

from tuneops import documents
from tuneops.document import Document
from tuneops.store import Store


class Tick(Document):
    """When a timer ran last, and the time before."""

    at: datetime
    before: datetime | None = None


def note(store: Store, timer: str, now: datetime) -> None:
    """Note that a timer runs; of two at the same time the later one counts."""

    def change(known: Tick | None) -> Tick:
        if known is None:
            return Tick(at=now)
        return known if now <= known.at else Tick(at=now, before=known.at)

    store.update(documents.tick(timer), Tick, change)
