"""What a list of a project's releases tells of each without its document being read. Pure."""

import json
from datetime import datetime

from pydantic import ValidationError

from tuneops.document import Document
from tuneops.notify.messages import shown_metrics
from tuneops.release import Release
from tuneops.scrub import scrub

MAX_REASON = 160
MAX_METRIC = 60


class ReleaseNote(Document):
    """What stands beside a release's document.

    `reached` is the last phase that it came to before its end, `ended` when it came to that first.
    `metric` is the one that matters most, of those that were logged.
    """

    phase: str = ""
    reached: str = ""
    commit: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    metric: str = ""
    value: float | None = None
    rejected: bool = False
    adopts: int | None = None

    def text(self) -> str:
        """The note as ASCII."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(said, separators=(",", ":"))


def note_of(release: Release) -> ReleaseNote:
    """The note of a release as it is now."""
    history = release.history
    ends = [entry for entry in history if entry.phase.ended]
    reached = [entry.phase for entry in history if not entry.phase.ended]
    values = release.metrics.values if release.metrics else {}
    metric = next(iter(shown_metrics(values)), "")
    return ReleaseNote(
        phase=release.phase,
        reached=reached[-1] if reached else "",
        commit=release.commit,
        began=history[0].at if history else None,
        ended=ends[0].at if ends else None,
        reason=scrub(release.reason)[:MAX_REASON],
        metric=metric[:MAX_METRIC],
        value=values.get(metric),
        rejected=bool(release.rejected),
        adopts=release.adopts,
    )


def read_note(text: str) -> ReleaseNote:
    """A note from its text; one that can't be read, or was not written, says nothing."""
    try:
        return ReleaseNote.model_validate_json(text or "{}")
    except ValidationError:
        return ReleaseNote()
