"""Rows that were checked: the good ones spooled to disk, what is wrong with the others noted."""

import hashlib
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from tuneops.data.errors import DataError
from tuneops.data.rows import RowError, parse_row
from tuneops.data.split import position

KEPT_REJECTIONS = 20


class CheckedRows:
    """The valid rows of one file or split, in their order, and where each stands by its hash."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.positions = array("Q")
        self.rejected = 0
        self.rejections: list[str] = []
        self.bytes = 0
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def digest(self) -> str:
        """A digest of the valid rows."""
        return self._digest.hexdigest()

    def check(self, lines: Iterable[bytes], max_bytes: int) -> None:
        """Read all lines; blank ones are no rows.

        Raises:
            DataError: the valid rows come to more than `max_bytes`.
        """
        for number, line in enumerate(lines, start=1):
            if len(line) < 100 and not line.strip():
                continue
            try:
                self._add(line)
            except RowError as error:
                self._reject(number, str(error))
            if self.bytes > max_bytes:
                raise DataError(f"{self.name} has more than {max_bytes:,} bytes of rows, the limit")

    def judge(self, max_invalid_percent: float) -> None:
        """Refuse rows of which none is valid, or too many are not.

        Raises:
            DataError: with the first reasons.
        """
        shown = "; ".join(self.rejections[:3])
        if not len(self):
            raise DataError(f"{self.name} has no valid row{': ' + shown if shown else ''}")
        percent = 100 * self.rejected / (len(self) + self.rejected)
        if percent > max_invalid_percent:
            raise DataError(
                f"{self.name} has {percent:.1f} % bad rows, data.max_invalid_percent allows "
                f"{max_invalid_percent:g}: {shown}"
            )

    def lines(self, low: int = 0, high: int = 2**64) -> Iterator[bytes]:
        """The rows that stand from `low` to below `high`, as lines of JSON."""
        self._spool.seek(0)
        for place, line in zip(self.positions, self._spool, strict=True):
            if low <= place < high:
                yield line

    def count(self, low: int = 0, high: int = 2**64) -> int:
        """How many rows `lines` gives."""
        return sum(low <= place < high for place in self.positions)

    def _add(self, raw: bytes) -> None:
        row = parse_row(raw)
        line = row.line()
        self._spool.write(line)
        self._digest.update(line)
        self.bytes += len(line)
        self.positions.append(position(row.identity))

    def _reject(self, number: int, reason: str) -> None:
        self.rejected += 1
        if len(self.rejections) < KEPT_REJECTIONS:
            self.rejections.append(f"line {number}: {reason}")
