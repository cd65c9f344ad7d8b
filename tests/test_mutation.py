"""What is made of mutmut's results, and that it changes and runs what is there."""

import tomllib
from pathlib import Path

import pytest

from tools.mutation import groups, share, statuses, table

ROOT = Path(__file__).parents[1]
RESULTS = """\
    tuneops.decide.x_decide__mutmut_1: killed
    tuneops.decide.x_decide__mutmut_2: survived
    tuneops.data.seen.xǁSeenǁadd_all__mutmut_1: timeout
    tuneops.data.folders.x_digests__mutmut_1: no tests
    tuneops.names.x_tags__mutmut_3: killed
    tuneops.names.x_tags__mutmut_4: not checked
"""


def test_what_was_noticed_is_counted_for_decisions_and_digests() -> None:
    found = statuses(RESULTS)
    assert found["tuneops.data.seen.xǁSeenǁadd_all__mutmut_1"] == "timeout"
    assert groups(found) == {
        "decisions": ["killed", "survived"],
        "digests": ["timeout", "no tests", "killed", "not checked"],
    }
    assert {group: share(each) for group, each in groups(found).items()} == {
        "decisions": 50.0,
        "digests": 50.0,
    }
    lines = [line.split() for line in table(found)]
    assert ["tuneops.decide", "2", "mutants", "50.0", "%", "noticed"] in lines
    assert [line[0] for line in lines[-2:]] == ["decisions", "digests"]


@pytest.mark.parametrize("key", ["only_mutate", "also_copy", "pytest_add_cli_args_test_selection"])
def test_what_is_changed_and_run_is_there(key: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    for name in settings[key]:
        path, _, test = name.partition("::")
        found = list(ROOT.glob(path))
        assert found, name
        assert not test or f"def {test}(" in found[0].read_text(), name
