"""Checking a stream of lines on all processor cores, the blocks in their order."""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from mmap import mmap
from typing import Protocol

from tuneops.data.blocks import MEMORY_BYTES, LineReader, Readable, keep_freed_memory, views
from tuneops.data.checking import Batch, CheckedBlock, Rules, check_block
from tuneops.data.helpers import Helper, helpers_of

BLOCKS_ALONE = 4
"""From so many blocks on, helpers are worth their start."""
WAITING_HERE = 2
"""Blocks checked here that may wait for those before them."""


class _Place(Protocol):
    """Memory in which one block after another is checked."""

    def begin(self, reader: LineReader) -> bool:
        """Begin with the next block; False at the end of the stream."""

    def is_done(self) -> bool:
        """Whether the block is checked, if it is the first of all that were begun."""

    def batch(self) -> Batch:
        """What was found, once it is."""


def checked_blocks(stream: Readable, rules: Rules, processes: int = 1) -> Iterator[Batch]:
    """Check all lines of the stream; `processes` is how many may do it at the same time.

    All but this one are helpers, which take a moment to start: until then the work goes on here.
    They share memory with this one, so that only what was found in a block is sent.

    Raises:
        DataUnavailableError: a helper was killed, as happens when memory runs out.
    """
    keep_freed_memory()
    reader = LineReader(stream)
    here = [_Here(rules) for _ in range(WAITING_HERE)]
    alone = _together(reader, here, [])
    for done, batch in enumerate(alone, start=1):
        yield batch
        if processes > 1 and done == BLOCKS_ALONE:
            with helpers_of(rules, processes - 1) as helpers:
                while not all(helper.is_ready() for helper in helpers):
                    batch_meanwhile = next(alone, None)
                    if batch_meanwhile is None:
                        return
                    yield batch_meanwhile
                yield from _together(reader, here, helpers)
            return


def _together(reader: LineReader, here: "list[_Here]", helpers: list[Helper]) -> Iterator[Batch]:
    """The blocks in their order.

    Helpers get as many as they have places for; one is checked here instead of waiting for them.
    """
    free = deque[_Place](
        chain.from_iterable(zip(*(helper.places for helper in helpers), strict=True))
    )
    own = deque[_Place](here)
    begun = deque[_Place]()
    while True:
        while free and free[0].begin(reader):
            begun.append(free.popleft())
        if own and not (begun and begun[0].is_done()) and own[0].begin(reader):
            begun.append(own.popleft())
        elif begun:
            place = begun.popleft()
            yield place.batch()
            (own if place in here else free).append(place)
        else:
            return


class _Here:
    """Blocks are checked in this process, at once."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._block, self._output = views(mmap(-1, MEMORY_BYTES))
        self._found = CheckedBlock()

    def begin(self, reader: LineReader) -> bool:
        """Check the next block; False at the end of the stream."""
        filled = reader.fill(self._block)
        if filled is None:
            return False
        self._found = check_block(self._block, filled, self._output, self._rules)
        return True

    def is_done(self) -> bool:
        """Always."""
        return True

    def batch(self) -> Batch:
        """What was found."""
        return Batch(self._found, self._output)
