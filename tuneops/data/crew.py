"""Checking a stream of lines on all processor cores, the blocks in their order."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from itertools import chain
from mmap import mmap
from typing import NamedTuple, Protocol

from tuneops.data.blocks import MEMORY_BYTES, Filled, LineReader, Readable, views
from tuneops.data.checking import CheckedBlock, Rules, check_block
from tuneops.data.errors import DataUnavailableError

BLOCKS_ALONE = 4
"""From so many blocks on, helpers are worth their start."""
WAITING = 3
"""Blocks that lie ready for each helper."""
WAITING_HERE = 2
"""Blocks checked here that may wait for those before them."""


class Batch(NamedTuple):
    """A checked block with its rows' lines; both are gone when the next one is asked for."""

    block: CheckedBlock
    output: memoryview


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
    reader = LineReader(stream)
    here = [_Here(rules) for _ in range(WAITING_HERE)]
    alone = _together(reader, here, [])
    for done, batch in enumerate(alone, start=1):
        yield batch
        if processes > 1 and done == BLOCKS_ALONE:
            with _crew(processes - 1, rules) as helpers:
                while not all(helper.is_ready() for helper in helpers):
                    batch_meanwhile = next(alone, None)
                    if batch_meanwhile is None:
                        return
                    yield batch_meanwhile
                yield from _together(reader, here, helpers)
            return


def _together(reader: LineReader, here: "list[_Here]", helpers: "list[_Helper]") -> Iterator[Batch]:
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


@contextmanager
def _crew(processes: int, rules: Rules) -> Iterator["list[_Helper]"]:
    with ExitStack() as stack:
        yield [stack.enter_context(_helper(rules)) for _ in range(processes)]


@contextmanager
def _helper(rules: Rules) -> Iterator["_Helper"]:
    with ExitStack() as stack:
        descriptors = [stack.enter_context(_shared_memory()) for _ in range(WAITING)]
        memories = [mmap(each, MEMORY_BYTES) for each in descriptors]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tuneops.data.helper", *map(str, descriptors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        )
        try:
            yield _Helper(process, memories, rules)
        finally:
            process.kill()
            process.communicate()


class _Helper:
    """A process that checks one block after another, in the order in which they were begun."""

    def __init__(
        self, process: subprocess.Popen[bytes], memories: list[mmap], rules: Rules
    ) -> None:
        if process.stdin is None or not isinstance(process.stdout, BufferedReader):
            raise ValueError("the helper has no pipes")
        self._requests, self._results = process.stdin, process.stdout
        self.places = [_There(self, number, memory) for number, memory in enumerate(memories)]
        self._ready = False
        self._send(rules)

    def is_ready(self) -> bool:
        """Whether the process has started."""
        if not self._ready and self.has_said_more():
            self._results.read(1)
            self._ready = True
        return self._ready

    def has_said_more(self) -> bool:
        """Whether there is something to read from it."""
        os.set_blocking(self._results.fileno(), False)
        try:
            return bool(self._results.peek(1))
        finally:
            os.set_blocking(self._results.fileno(), True)

    def begin(self, place: int, filled: Filled) -> None:
        """Have the block checked that was put in this place."""
        self._send((place, filled))

    def found(self) -> CheckedBlock:
        """What was found in the block that was begun first."""
        try:
            found: CheckedBlock = pickle.load(self._results)
        except (EOFError, pickle.UnpicklingError) as error:
            raise DataUnavailableError(
                "a process that checks rows was ended: is there enough memory?"
            ) from error
        return found

    def _send(self, message: object) -> None:
        # One that has ended says so when its result is asked for.
        with suppress(BrokenPipeError):
            pickle.dump(message, self._requests)
            self._requests.flush()


class _There:
    """Blocks are checked by a helper."""

    def __init__(self, helper: _Helper, number: int, memory: mmap) -> None:
        self._helper = helper
        self._number = number
        self._block, self._output = views(memory)

    def begin(self, reader: LineReader) -> bool:
        """Have the next block checked; False at the end of the stream."""
        filled = reader.fill(self._block)
        if filled is None:
            return False
        self._helper.begin(self._number, filled)
        return True

    def is_done(self) -> bool:
        """Whether the helper has told what it found."""
        return self._helper.has_said_more()

    def batch(self) -> Batch:
        """What was found; waits for it."""
        return Batch(self._helper.found(), self._output)


@contextmanager
def _shared_memory() -> Iterator[int]:
    """The descriptor of memory that a process started here can have as well."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("tuneops")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        os.ftruncate(descriptor, MEMORY_BYTES)
        yield descriptor
    finally:
        os.close(descriptor)
