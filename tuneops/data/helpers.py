"""Processes that check blocks in memory that they share with this one: `tuneops.data.helper`."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from mmap import mmap

from tuneops.data.blocks import MEMORY_BYTES, Filled, LineReader, views
from tuneops.data.checking import Batch, CheckedBlock, Rules
from tuneops.data.errors import DataUnavailableError

WAITING = 3
"""Blocks that lie ready for each helper."""


@contextmanager
def helpers_of(rules: Rules, count: int) -> Iterator["list[Helper]"]:
    """So many helpers, which are ended with the context."""
    with ExitStack() as stack:
        yield [stack.enter_context(_helper(rules)) for _ in range(count)]


@contextmanager
def _helper(rules: Rules) -> Iterator["Helper"]:
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
            yield Helper(process, memories, rules)
        finally:
            process.kill()
            process.communicate()


class Helper:
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

    def __init__(self, helper: Helper, number: int, memory: mmap) -> None:
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
