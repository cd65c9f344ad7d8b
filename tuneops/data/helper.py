"""`python -m tuneops.data.helper DESCRIPTOR...`: checks blocks for `tuneops.data.helpers`.

Its memories are the descriptors; rules and then blocks come on standard input, what was found goes
to standard output. It ends with its input.
"""

import gc
import pickle
import sys
from contextlib import suppress
from mmap import mmap

from tuneops.data.blocks import MEMORY_BYTES, keep_freed_memory, views
from tuneops.data.checking import Rules, check_block


def main(descriptors: list[int]) -> None:
    """Check block after block."""
    gc.disable()  # rows make no cycles, so looking for some is lost time
    keep_freed_memory()
    memories = [mmap(descriptor, MEMORY_BYTES) for descriptor in descriptors]
    requests, results = sys.stdin.buffer, sys.stdout.buffer
    results.write(b"!")
    results.flush()
    rules: Rules = pickle.load(requests)
    while True:
        place, filled = pickle.load(requests)
        block, output = views(memories[place])
        pickle.dump(check_block(block, filled, output, rules), results)
        results.flush()


if __name__ == "__main__":
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        main(list(map(int, sys.argv[1:])))
