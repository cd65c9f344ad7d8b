"""Random histories from the command line.

python -m tests.simulation                  somewhat more than 100,000 histories on two processes
python -m tests.simulation SEED/TWIG ...    replays histories, and tells everything of them
python -m tests.simulation --hosts 2        two hosts with clocks of their own look at the project
"""

import argparse
import sys
import time

from tests.simulation.histories import replay
from tests.simulation.planted import unfound
from tests.simulation.runs import run

HISTORIES = {1: 100_800, 2: 20_160}
"""By how many hosts there are; those of two hosts have somewhat more than 10,000 releases."""


def main() -> int:
    """Run or replay; 1 if a promise was broken, or something was never met or found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description="Random histories of a project"
    )
    parser.add_argument("names", nargs="*", metavar="SEED/TWIG", help="histories to replay")
    parser.add_argument("--histories", type=int)
    parser.add_argument("--hosts", type=int, choices=(1, 2), default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed")
    given = parser.parse_args()
    for name in given.names:
        print(f"== {name} ends {replay(name, print, given.hosts)}")
    if given.names:
        return 0
    begin = time.monotonic()
    histories = given.histories or HISTORIES[given.hosts]
    found = run(histories, given.processes, given.first, given.hosts)
    print(*found.lines(), sep="\n")
    print(f"{time.monotonic() - begin:.1f} seconds")
    missed = [] if found.failures else unfound(given.hosts)
    print(*(f"a planted mistake is not found: {name}" for name in missed), sep="\n", end="")
    unmet = found.missing if given.hosts == 1 else []
    return 1 if found.failures or unmet or missed else 0


if __name__ == "__main__":
    sys.exit(main())
