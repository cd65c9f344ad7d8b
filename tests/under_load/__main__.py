"""Load on the local cloud, with simulated compute; docs/load.md tells of it.

python -m tests.under_load STATE             10,000 events over 500 projects
python -m tests.under_load STATE --quick     600 events over 10 projects
python -m tests.under_load STATE --soak 20   events and releases for so many minutes

Prints what was measured; the exit code is 1 if something is not as it has to be.
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from tests.under_load.figures import line
from tests.under_load.runs import FULL, SMALL, STEADY, burst, soak


def main() -> int:
    """Run one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.under_load", description="Load")
    parser.add_argument("state", type=Path, help="folder of the local cloud; it is made anew")
    parser.add_argument("--quick", action="store_true", help="some hundred events")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="go on for so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, help="at the rate; a fourth more come as a storm")
    parser.add_argument("--projects", type=int)
    parser.add_argument("--rate", type=float, help="events in a second")
    given = parser.parse_args()
    load = STEADY if given.soak else SMALL if given.quick else FULL
    changes = {"seed": given.seed, "projects": given.projects, "rate": given.rate}
    if given.events:
        changes |= {"events": given.events, "storm": given.events // 4}
    load = replace(load, **{key: value for key, value in changes.items() if value is not None})
    state = given.state.absolute()
    shutil.rmtree(state, ignore_errors=True)
    print(load, flush=True)
    failed = False
    for figure in soak(state, given.soak, load) if given.soak else burst(state, load):
        print(line(figure), flush=True)
        failed |= figure.met is False
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
