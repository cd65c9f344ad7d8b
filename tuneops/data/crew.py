"""Checking a stream of lines on all processor cores, the blocks in their order."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from mmap import mmap
from typing import NamedTuple

from tuneops.data.blocks import MEMORY_BYTES, LineReader, Readable, views
from tuneops.data.checking import CheckedBlock, Rules, check_block
from tuneops.data.errors import DataUnavailableError

BLOCKS_ALONE = 4
"""From so many blocks on, helpers are worth their start."""
WAITING = 2
"""Blocks that lie ready for each helper."""


class Batch(NamedTuple):
    """A checked block with its rows' lines; both are gone when the next one is asked for."""

    block: CheckedBlock
    output: memoryview


def checked_blocks(stream: Readable, rules: Rules, processes: int = 1) -> Iterator[Batch]:
    """Check all lines of the stream; `processes` is how many may do it at the same time.

    Helpers are processes of their own, which take a moment to start: until then the work goes on
    here. They share memory with this one, so that only what was found in a block is sent.

    Raises:
        DataUnavailableError: a helper was killed, as happens when memory runs out.
    """
    reader = LineReader(stream)
    alone = _alone(reader, rules)
    for done, batch in enumerate(alone, start=1):
        yield batch
        if processes > 1 and done == BLOCKS_ALONE:
            with _crew(processes, rules) as helpers:
                while not all(helper.is_ready() for helper in helpers):
                    batch_meanwhile = next(alone, None)
                    if batch_meanwhile is None:
                        return
                    yield batch_meanwhile
                yield from _together(reader, helpers)
            return


def _alone(reader: LineReader, rules: Rules) -> Iterator[Batch]:
    block, output = views(mmap(-1, MEMORY_BYTES))
    while filled := reader.fill(block):
        yield Batch(check_block(block, filled, output, rules), output)


def _together(reader: LineReader, helpers: "list[_Helper]") -> Iterator[Batch]:
    free = deque((helper, place) for place in range(WAITING) for helper in helpers)
    begun: deque[tuple[_Helper, int]] = deque()
    while True:
        while free and free[0][0].begin(free[0][1], reader):
            begun.append(free.popleft())
        if not begun:
            return
        helper, place = begun.popleft()
        yield Batch(helper.found(), helper.output(place))
        free.append((helper, place))


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
            [sys.executable, "-m", "tuneops.data.helper", *map(str, descriptors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
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
        if process.stdin is None or process.stdout is None:
            raise ValueError("the helper has no pipes")
        self._requests, self._results = process.stdin, process.stdout
        self._memories = memories
        os.set_blocking(self._results.fileno(), False)
        self._ready = False
        self._send(rules)

    def is_ready(self) -> bool:
        """Whether the process has started."""
        if not self._ready and self._results.read(1):
            os.set_blocking(self._results.fileno(), True)
            self._ready = True
        return self._ready

    def begin(self, place: int, reader: LineReader) -> bool:
        """Have the next block checked in this memory; False at the end of the stream."""
        filled = reader.fill(views(self._memories[place])[0])
        if filled is None:
            return False
        self._send((place, filled))
        return True

    def output(self, place: int) -> memoryview:
        """The rows' lines of the block that was checked in this memory."""
        return views(self._memories[place])[1]

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
