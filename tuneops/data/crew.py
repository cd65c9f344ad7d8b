"""Checking a stream of lines on all processor cores, the blocks in their order."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from typing import NamedTuple, cast

from tuneops.data.blocks import BLOCK_BYTES, Filled, LineReader, Readable
from tuneops.data.checking import CheckedBlock, Rules, check_block

OUTPUT_BYTES = 2 * BLOCK_BYTES
BLOCKS_ALONE = 8
"""After so many blocks other processes are worth their start."""
BLOCK_SECONDS = 300


class Batch(NamedTuple):
    """A checked block with its rows' lines; both are gone when the next one is asked for."""

    block: CheckedBlock
    output: memoryview


def checked_blocks(stream: Readable, rules: Rules, processes: int = 1) -> Iterator[Batch]:
    """Check all lines of the stream; `processes` is how many may do it at the same time.

    Memory that processes share holds the blocks, so that only what was found in them is sent.

    Raises:
        BrokenProcessPool: a process was killed, as happens when memory runs out.
    """
    reader = LineReader(stream)
    for done, batch in enumerate(_alone(reader, rules), start=1):
        yield batch
        if processes > 1 and done == BLOCKS_ALONE:
            yield from _together(reader, rules, processes)
            return


def _alone(reader: LineReader, rules: Rules) -> Iterator[Batch]:
    block, output = memoryview(bytearray(BLOCK_BYTES)), memoryview(bytearray(OUTPUT_BYTES))
    while filled := reader.fill(block):
        yield Batch(check_block(block, filled, output, rules), output)


def _together(reader: LineReader, rules: Rules, processes: int) -> Iterator[Batch]:
    with ExitStack() as stack:
        free = deque(stack.enter_context(_shared_memory()) for _ in range(processes + 2))
        crew = stack.enter_context(ProcessPoolExecutor(processes, get_context("spawn")))
        begun: deque[tuple[SharedMemory, Future[CheckedBlock]]] = deque()
        ended = False
        while True:
            while free and not ended:
                filled = _filled(reader, free[0])
                if filled is None:
                    ended = True
                else:
                    memory = free.popleft()
                    begun.append((memory, crew.submit(_check, memory.name, filled, rules)))
            if not begun:
                return
            memory, future = begun.popleft()
            with _views(memory)[1] as output:
                yield Batch(future.result(timeout=BLOCK_SECONDS), output)
            free.append(memory)


def _filled(reader: LineReader, memory: SharedMemory) -> Filled | None:
    with _views(memory)[0] as block:
        return reader.fill(block)


def _check(name: str, filled: Filled, rules: Rules) -> CheckedBlock:
    """In another process: check the block in this shared memory."""
    block, output = _views(_attached(name))
    with block, output:
        return check_block(block, filled, output, rules)


@lru_cache(maxsize=64)
def _attached(name: str) -> SharedMemory:
    return SharedMemory(name)


@contextmanager
def _shared_memory() -> Iterator[SharedMemory]:
    memory = SharedMemory(create=True, size=BLOCK_BYTES + OUTPUT_BYTES)
    try:
        yield memory
    finally:
        memory.close()
        memory.unlink()


def _views(memory: SharedMemory) -> tuple[memoryview, memoryview]:
    """The part that is read and the part that is written to."""
    with memoryview(cast("memoryview", memory.buf)) as whole:
        return whole[:BLOCK_BYTES], whole[BLOCK_BYTES : BLOCK_BYTES + OUTPUT_BYTES]
