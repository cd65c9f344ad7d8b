"""docs/tutorial.md is walked through in a local cloud, as a new user would; and there all commands
of the other documents that only read are typed as well.
"""

import re
import shlex
import shutil
from collections.abc import Iterator

import pytest

from tests import typed
from tests.documents import ROOT
from tools.pictures.tutorial import Shot, Typed, steps
from tools.pictures.walk import Walk

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(1800)]

PROJECT = "support-bot"
READS = {
    "tuneops status": (0,),
    "tuneops releases": (0,),
    "tuneops show": (0,),
    "tuneops logs": (0,),
    "tuneops metrics": (0,),
    "tuneops compare": (0,),
    "tuneops ask": (0,),
    "tuneops cost": (0,),
    "tuneops plan": (0, 2),
    "tuneops audit": (0,),
    "tuneops sweep": (0,),
    "tuneops doctor": (0,),
}
"""Commands that change nothing, and what they may exit with.

The tutorial has rollbacks, retries and suspensions, tests/test_docs.py what asks nobody; approvals
are in tests/e2e/test_approval.py, restorations in tests/e2e/test_sweep.py.
"""
ELSEWHERE = {"url", "key", "account_url", "watch", "month", "azure", "against", "environment"}
"""Options that name another cloud, another time, or never end."""


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """Somebody in a fresh clone."""
    walk = Walk(tmp_path_factory.mktemp("walk") / "tuneops")
    walk.begin()
    yield walk
    walk.end()


def lines() -> dict[str, tuple[int, ...]]:
    """What is typed of the other documents, for the tutorial's project and its releases."""
    found = {}
    for block, words in typed.of("tuneops"):
        if block.file.name == "tutorial.md" or words[0] in typed.GLOBAL:
            continue
        name, own = typed.command_of(tuple(word.strip("[]") for word in words))
        if name in READS:
            found[shlex.join([*name.split(), *fitting(name, own)])] = READS[name]
    return found


def fitting(name: str, own: list[str]) -> list[str]:
    """The words without options of other places, of a release that there is."""
    params = typed.COMMANDS[name].params
    flags = {opt: each for each in params for opt in (*each.opts, *each.secondary_opts)}
    kept: list[str] = []
    words = iter(own)
    for word in words:
        option = flags.get(word)
        if option is not None and option.name in ELSEWHERE:
            if not option.is_flag:
                next(words)
        elif word.isdigit() and kept[-1:] != ["--limit"]:
            kept.append("1" if word == "11" else "2")
        else:
            kept.append(PROJECT if re.fullmatch(r"PROJECT|bot", word) else word)
    return kept


def test_the_tutorial_goes_as_it_says(walk: Walk) -> None:
    for step in steps((ROOT / "docs" / "tutorial.md").read_text()):
        if isinstance(step, Shot):
            continue
        if not isinstance(step, Typed):
            walk.wait(step)
            continue
        if any(" rm " in line for line in step.lines):
            shutil.copytree(walk.folder / "models" / "finetune", walk.folder / "finetune")
            for line, exits in lines().items():
                print(line, flush=True)
                walk.run(line, *exits)
        walk.type(step)
