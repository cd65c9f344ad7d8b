"""A short run of the fault suite; `make chaos` is the long one."""

from pathlib import Path

import pytest

from tests.chaos.driver import Plan, run
from tests.chaos.points import MOMENTS
from tests.chaos.report import complaints, table

pytestmark = [pytest.mark.slow, pytest.mark.soak]
LEAST = 30


def test_a_release_survives_faults_of_all_kinds(tmp_path: Path) -> None:
    plan = Plan(seed=1, rounds=(0,), quick=True)
    rounds = run(plan, tmp_path / "cloud")
    assert complaints(rounds, plan.seed) == [], table(rounds)
    struck = rounds[0].struck
    assert struck.total() >= LEAST, table(rounds)
    assert all(struck[f"host killed {each} an effect"] for each in MOMENTS)
    assert rounds[0].requests > 0
