"""``python -m tests.chaos``: rounds of faults on a local cloud of its own; see docs/chaos.md."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.driver import KINDS, Plan, run
from tests.chaos.points import MOMENTS
from tests.chaos.report import complaints, table

LEAST = 500
"""So many faults have to strike in a whole run."""


def main() -> int:
    """Run rounds; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description="Faults over whole releases.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="only this one")
    parser.add_argument("--rounds", type=int, help="how many")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--stories", default="", help="only these, separated by commas")
    parser.add_argument("--faults", default="", help="only these kinds, or none")
    parser.add_argument("--state", type=Path)
    given = parser.parse_args()
    count = given.rounds or (1 if given.quick else len(MOMENTS))
    numbers = range(count) if given.round is None else [given.round]
    stories = tuple(filter(None, given.stories.split(",")))
    kinds = tuple(kind for kind in KINDS if kind in given.faults.split(","))
    plan = Plan(
        seed=given.seed,
        rounds=tuple(numbers),
        quick=given.quick,
        stories=stories,
        faults=kinds if given.faults else None,
    )
    state = given.state or Path(tempfile.mkdtemp(prefix="chaos-"))
    rounds = run(plan, state.absolute())
    print(table(rounds))
    wrong = complaints(rounds, given.seed)
    struck = sum(each.struck.total() for each in rounds)
    if plan == Plan(seed=given.seed) and struck < LEAST:
        wrong.append(f"only {struck} faults have struck, not {LEAST}")
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
