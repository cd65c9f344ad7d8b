"""Which of the valid rows are used, in the order of the file: the others were there before, or are
beyond the limit."""

import hashlib
from array import array
from itertools import compress

from tuneops.data.checking import CheckedBlock
from tuneops.data.seen import Seen
from tuneops.data.settings import OnDuplicate
from tuneops.data.split import PARTS, SPACE, TRAIN

DROPPED = 255
# For `bytes.translate`: one for each part that is meant, else zero.
_CHOSEN = bytes(part != DROPPED for part in range(256))
_TO_TRAIN = bytes(part < len(PARTS) and PARTS[part] == TRAIN for part in range(256))
_HELD_OUT = bytes(part < len(PARTS) and PARTS[part] != TRAIN for part in range(256))


class Selection:
    """Chooses rows block by block, and knows what their digest is.

    `lowest` and `highest` are the outermost positions of the rows that were chosen.
    """

    def __init__(self, on_duplicate: OnDuplicate = "drop", max_rows: int | None = None) -> None:
        self.rows = self.duplicates = self.left_out = 0
        self.lowest, self.highest = SPACE, -1
        self._on_duplicate = on_duplicate
        self._max_rows = max_rows
        self._seen = Seen()
        self._train_prompts = array("Q")
        self._held_out_prompts = array("Q")
        self._identities, self._parts = hashlib.sha256(), hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of the rows that were chosen, in their order, and their parts."""
        return hashlib.sha256(self._identities.digest() + self._parts.digest()).hexdigest()

    @property
    def shared_prompts(self) -> int:
        """How many training rows have a prompt that a row which is held out has as well."""
        return sum(map(set(self._held_out_prompts).__contains__, self._train_prompts))

    def choose(self, block: CheckedBlock) -> tuple[bytes, list[int]]:
        """The part of each row of the block, `DROPPED` for one that is not used; and the places of
        the duplicates among them."""
        parts = bytearray(block.parts)
        known = self._seen.add_all(block.identities)
        self.duplicates += len(known)
        if self._on_duplicate == "drop":
            for place in known:
                parts[place] = DROPPED
        self._limit(parts)
        self._note(block, bytes(parts))
        return bytes(parts), known

    def _limit(self, parts: bytearray) -> None:
        """Drop what is beyond the limit."""
        if self._max_rows is None:
            return
        left = self._max_rows - self.rows
        for place, part in enumerate(parts):
            if part == DROPPED:
                continue
            if left <= 0:
                parts[place] = DROPPED
                self.left_out += 1
            left -= 1

    def _note(self, block: CheckedBlock, parts: bytes) -> None:
        chosen = parts.translate(_CHOSEN)
        identities = array("Q", compress(block.identities, chosen))
        if not identities:
            return
        self.rows += len(identities)
        self.lowest = min(self.lowest, min(identities))
        self.highest = max(self.highest, max(identities))
        self._identities.update(identities)
        self._parts.update(parts.replace(bytes([DROPPED]), b""))
        self._train_prompts.extend(compress(block.prompts, parts.translate(_TO_TRAIN)))
        self._held_out_prompts.extend(compress(block.prompts, parts.translate(_HELD_OUT)))
