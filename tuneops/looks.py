"""Which projects a resync has looked at: those of which something changed since their last look.

Pure. A resync does not look at every project. It lists what all of them depend on and makes two
digests of it for each: of what is `wanted` (config, policy, orders, data) and of what was `found`
in Azure. They go with the request to look at the project. The look that ends with nothing to do
now, and it alone, writes them into the project's document; whatever changes the project erases
them first.

So a project is left alone only after a whole look that began after what is seen now had been seen.
A message that is lost, a worker that dies in the middle and a step that could not be done all leave
a project without a look, and the next resync asks for one. Digests are only ever compared with
those of an earlier resync, so a list that lags behind costs a second look at most.

What no list shows, such as a model that was archived, or what was changed and changed back while a
look was under way, is found by the looks that every project gets in its turn: in each resync some
get one that have waited longest, and a day at least.
"""

import heapq
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import ValidationError

from tuneops.document import Document

LOST_AFTER = timedelta(seconds=60)
"""So long after its time the message of a wake-up counts as lost."""
TURN_AFTER = timedelta(days=1)
TURNS = 2
"""So many in a resync at least."""
ROUND = 200
"""In so many resyncs every project has its turn: there are 288 in a day."""
MAX_ENDPOINTS = 20
"""So many are noted: a note is small. An older one counts as long as it carries its tag."""


class View(Document):
    """What a resync sees of a project, as digests; `found` is empty when Azure could not say."""

    wanted: str
    found: str = ""


class Look(Document):
    """The last look that found nothing to do now, and what had been seen before it.

    `newest_base_model` is what that look saw as the newest version of `base_model`
    (``REGISTRY/NAME``), which is empty where no newer one matters.
    """

    view: View
    at: datetime
    base_model: str = ""
    newest_base_model: str = ""


class Note(Document):
    """What stands beside a project's document, so that a list of them tells.

    `endpoints` are the project's by name, as somebody may take their tags away.
    """

    wake_at: datetime | None = None
    look: Look | None = None
    endpoints: tuple[str, ...] = ()

    def text(self) -> str:
        """The note as ASCII."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(said, separators=(",", ":"))


def read_note(text: str) -> Note:
    """A note from its text; one that can't be read says nothing, so its project is looked at."""
    try:
        return Note.model_validate_json(text or "{}")
    except ValidationError:
        return Note()


def due(
    views: Mapping[str, View],
    notes: Mapping[str, Note],
    newest_base_models: Mapping[str, str],
    now: datetime,
) -> list[str]:
    """The projects to look at, of all those that there are `views` of, by name.

    `newest_base_models` are the ids by ``REGISTRY/NAME``; a model that is not in it was not asked
    for, or its registry could not say.
    """
    changed, settled = [], []
    for name, view in views.items():
        note = notes.get(name, Note())
        if note.look is None or _differs(note, note.look, view, newest_base_models, now):
            changed.append(name)
        elif now - note.look.at >= TURN_AFTER:
            settled.append((note.look.at, name))
    count = max(TURNS, math.ceil(len(views) / ROUND))
    turns = [name for _, name in heapq.nsmallest(count, settled)]
    return sorted(changed + turns)


def _differs(
    note: Note, look: Look, view: View, newest_base_models: Mapping[str, str], now: datetime
) -> bool:
    """Whether something is not as it was before the last look, or its wake-up was lost."""
    newest = newest_base_models.get(look.base_model, look.newest_base_model)
    return (
        look.view.wanted != view.wanted
        or bool(view.found and look.view.found != view.found)
        or look.newest_base_model != newest
        or (note.wake_at is not None and note.wake_at + LOST_AFTER < now)
    )
