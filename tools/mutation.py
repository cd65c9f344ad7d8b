"""How many changes of the code the tests notice: `python -m tools.mutation` runs mutmut and judges.

What is changed, and which tests have to notice, stands in `pyproject.toml` at `[tool.mutmut]`. Each
mutant that nobody notices is told with its place. Given names (`tuneops.decide.*`), only those are
tried.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = ROOT / "mutants"
ENOUGH = 85.0
"""So many of a hundred have to be noticed."""
NOTICED = frozenset({"killed", "timeout", "caught by type check"})
NOT_TRIED = "not checked"
DIGESTS = ("tuneops.data.", "tuneops.desired.", "tuneops.names.")
"""What names things; all the rest decides."""
_RESULT = re.compile(r"^ +(?P<name>\S+__mutmut_\d+): (?P<status>.+)$")


class MutationError(Exception):
    """It is not known what the tests notice."""


def statuses(results: str) -> dict[str, str]:
    """What became of each mutant, by its name, from `mutmut results --all true`."""
    found = map(_RESULT.match, results.splitlines())
    return {match["name"]: match["status"] for match in found if match}


def module_of(mutant: str) -> str:
    """The module that the mutant is of."""
    return mutant.rpartition(".")[0]


def groups(found: Mapping[str, str]) -> dict[str, list[str]]:
    """The statuses of what decides, and of what names things, as far as they were tried."""
    made: dict[str, list[str]] = {"decisions": [], "digests": []}
    for name, status in found.items():
        made["digests" if name.startswith(DIGESTS) else "decisions"].append(status)
    return {group: each for group, each in made.items() if each}


def share(found: Collection[str]) -> float:
    """How many of a hundred mutants with these statuses were noticed."""
    return 100 * sum(status in NOTICED for status in found) / len(found)


def table(found: Mapping[str, str]) -> Iterator[str]:
    """A line for each module, and one for each group."""
    modules: dict[str, list[str]] = {}
    for name, status in found.items():
        modules.setdefault(module_of(name), []).append(status)
    for title, each in (*sorted(modules.items()), *groups(found).items()):
        yield f"{title:32} {len(each):5} mutants  {share(each):5.1f} % noticed"


def _mutmut(*arguments: str, quiet: bool = True) -> str:
    line = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    done = subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE if quiet else None, text=True)
    if done.returncode:
        raise MutationError(
            f"mutmut {arguments[0]} failed, see above: {(done.stdout or '')[-500:]}"
        )
    return done.stdout or ""


def tried(names: Collection[str]) -> dict[str, str]:
    """Make the mutants anew and have the tests look at them; those of these names, or all.

    Raises:
        MutationError: not all of them were tried.
    """
    shutil.rmtree(MADE, ignore_errors=True)
    _mutmut("run", *names, quiet=False)
    found = statuses(_mutmut("results", "--all", "true"))
    done = {name: status for name, status in found.items() if status != NOT_TRIED}
    if not done or (len(done) < len(found) and not names):
        raise MutationError(f"only {len(done)} of {len(found)} mutants were tried")
    return done


def main(names: list[str]) -> int:
    """Try the mutants and tell; gives the exit code."""
    try:
        found = tried(names)
        missed = [name for name, status in found.items() if status not in NOTICED]
        # Each takes a second to show.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for shown in pool.map(partial(_mutmut, "show"), missed):
                print(shown)
    except MutationError as error:
        print(error, file=sys.stderr)
        return 2
    print(*table(found), sep="\n")
    few = [group for group, each in groups(found).items() if share(each) < ENOUGH]
    for group in few:
        print(f"{group}: fewer than {ENOUGH:g} of 100 are noticed; see above for the others")
    return 1 if few else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
