"""The documents tell of what there is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARITY = (ROOT / "docs" / "tutorial-parity.md").read_text()
FILES = sorted(set(re.findall(r"`((?:tuneops|tests|examples)/[\w/]+\.py)`", PARITY)))
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PARITY)))


def test_the_table_names_code_and_tests() -> None:
    assert len(FILES) > 10
    assert len(TESTS) > 10


@pytest.mark.parametrize("name", FILES)
def test_named_file_exists(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize(("name", "test"), TESTS)
def test_named_test_exists(name: str, test: str) -> None:
    tree = ast.parse((ROOT / name).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert test in found


def test_every_step_has_a_test() -> None:
    rows = [line for line in PARITY.splitlines() if line.startswith("| ") and "step |" not in line]
    assert [row for row in rows if "::" not in row] == []
