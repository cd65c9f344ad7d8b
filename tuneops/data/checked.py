"""Checked blocks of a file, kept in two files: what was found, and the rows' lines."""

import pickle
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tuneops.data.checking import Batch, CheckedBlock, Rules
from tuneops.data.errors import DataError
from tuneops.data.preparation import RowSource

FOUND, ROWS, REFUSED = ".found", ".rows", ".refused"


def keep(source: RowSource, rules: Rules, folder: Path, processes: int = 1) -> None:
    """Check a file and keep what was found in `folder`; a reason if it can't be read at all.

    Raises:
        DataUnavailableError: it can't be read now.
    """
    place = folder / source.name.replace("/", "_")
    with ExitStack() as stack:
        found = stack.enter_context(_at(place, FOUND).open("wb"))
        rows = stack.enter_context(_at(place, ROWS).open("wb"))
        try:
            for block, output in source.batches(rules, processes):
                rows.write(output[: block.written])
                pickle.dump(block, found)
        except DataError as error:
            _at(place, REFUSED).write_text(str(error))


@dataclass(frozen=True)
class CheckedInput:
    """A file that was checked elsewhere, with `keep`."""

    name: str
    folder: Path
    part: None = None

    def batches(self, rules: Rules, processes: int) -> Iterator[Batch]:
        """Its blocks in their order; the split is the one of these rules.

        Raises:
            DataError: the file can't be used, or was not checked.
        """
        place = self.folder / self.name.replace("/", "_")
        if _at(place, REFUSED).exists():
            raise DataError(_at(place, REFUSED).read_text())
        if not _at(place, FOUND).exists():
            raise DataError(f"{self.name} was not checked: is it still there?")
        with _at(place, FOUND).open("rb") as found, _at(place, ROWS).open("rb") as rows:
            while found.peek(1):
                block: CheckedBlock = pickle.load(found)
                block.parts = array("B", map(rules.split.side, block.identities))
                yield Batch(block, memoryview(rows.read(block.written)))


def _at(place: Path, suffix: str) -> Path:
    return place.with_name(place.name + suffix)
