"""The releases of a project, newest first, by what stands beside their documents. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tuneops.page.texts import MAX_NAME, lasted, line
from tuneops.release_note import ReleaseNote, read_note
from tuneops.store import Listed

SIZE = 50


@dataclass(frozen=True)
class Row:
    """One release; `note` is empty where an earlier version wrote its document."""

    number: int
    note: ReleaseNote
    lasted: str
    metric: str

    @property
    def reached(self) -> str:
        """How far a release came that came to nothing."""
        return self.note.reached if self.note.phase in ("Failed", "Superseded") else ""


@dataclass(frozen=True)
class Listing:
    """Some of the releases; `newer` and `older` are what `before` is for those beside them."""

    rows: tuple[Row, ...]
    count: int
    newer: int | None
    older: int | None


def listing(found: Iterable[Listed], before: int | None, now: datetime) -> Listing:
    """The newest releases, or the newest of those with a number below `before`."""
    notes = {number: each.note for each in found if (number := number_in(each.path)) is not None}
    numbers = sorted(notes, reverse=True)
    older = [number for number in numbers if before is None or number < before]
    shown = older[:SIZE]
    newer = [number for number in numbers if before is not None and number >= before]
    return Listing(
        rows=tuple(_row(number, read_note(notes[number]), now) for number in shown),
        count=len(numbers),
        newer=_begin_of_newer(newer),
        older=shown[-1] if len(older) > SIZE else None,
    )


def trained_before(found: Iterable[Listed], number: int) -> int | None:
    """The last release before this number that has metrics, as far as is known beside it."""
    before = ((number_in(each.path) or number, each.note) for each in found)
    known = (other for other, note in before if other < number and read_note(note).metric)
    return max(known, default=None)


def number_in(path: str) -> int | None:
    """The number of the release whose document has this path."""
    name = path.rpartition("/")[2].removesuffix(".json")
    return int(name) if name.isascii() and name.isdecimal() else None


def _begin_of_newer(newer: Sequence[int]) -> int | None:
    """What `before` is for the page before this one, of all `newer` ones, newest first."""
    if not newer:
        return None
    return newer[-SIZE] + 1 if len(newer) >= SIZE else newer[0] + 1


def _row(number: int, note: ReleaseNote, now: datetime) -> Row:
    metric = ""
    if note.value is not None:
        metric = f"{line(note.metric, MAX_NAME)} {note.value:.4g}"
    until = note.ended or now
    return Row(
        number=number,
        note=note,
        lasted=lasted((until - note.began).total_seconds()) if note.began else "",
        metric=metric,
    )
