"""What the decision says in each case of the tables, word for word.

The tables tell which action is due; `tests/golden/decisions.txt` has all that is in it: reasons,
pauses, patience, whom it is about. After a change of those it is written anew by
`TUNEOPS_WRITE_GOLDEN=1 make test TESTS=tests/test_decided.py`, and its difference is to be read.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests import (
    test_approval,
    test_behaviour,
    test_decide,
    test_decide_changes,
    test_drift,
    test_keeping,
    test_permission,
    test_provisioning,
    test_rollback,
    test_rollout,
)
from tests.deciding import DESIRED, NOW, at
from tuneops.actions import Action
from tuneops.behaviour.comparison import Comparison
from tuneops.decide import decide, look_after
from tuneops.evaluation.checks import Check
from tuneops.healing import on_drift
from tuneops.observed import Observed
from tuneops.phases.serving import shift
from tuneops.policy import Verdict
from tuneops.release import Phase, Release

GOLDEN = Path(__file__).parent / "golden" / "decisions.txt"
Case = tuple[str, Action | None]
"""The name of a row, and what is decided."""


def rows(test: Callable[..., None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of the table that a test takes: the name of each, and its values by theirs."""
    (table,) = (mark for mark in test.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    names, params = table.args
    for param in params:
        yield param.id, dict(zip(names, param.values, strict=True))


def decided(
    release: Release | None, observed: Observed, now: datetime = NOW, **desired: object
) -> Action:
    """What is decided of a release that was made of what is desired."""
    wanted = DESIRED.replace(config=release.config if release else DESIRED.config, **desired)
    known = release and release.replace(fingerprint=wanted.fingerprint)
    return decide(wanted, known, observed, now)


def the_course() -> Iterator[Case]:
    for name, row in rows(test_decide.test_transitions):
        yield name, decide(DESIRED, row["release"], row["observed"], NOW)


def what_is_desired_changes() -> Iterator[Case]:
    for name, row in rows(test_decide_changes.test_changes_of_what_is_desired):
        yield name, decide(row["desired"], row["release"], row["observed"], NOW)


def the_behaviour_gate() -> Iterator[Case]:
    for name, row in rows(test_behaviour.test_decisions):
        yield name, decided(row["release"], row["observed"], adopts=row["release"].adopts)


def instance_types() -> Iterator[Case]:
    for name, row in rows(test_provisioning.test_what_comes_next):
        yield name, decided(row["release"], row["observed"], adopts=row["release"].adopts)


def the_rollout() -> Iterator[Case]:
    for name, row in rows(test_rollout.test_steps):
        yield name, decided(row["release"], row["observed"], row["now"])


def what_is_desired_changes_in_a_rollout() -> Iterator[Case]:
    for name, row in rows(test_rollout.test_what_comes_in_between):
        yield name, decide(row["desired"], row["release"], row["observed"], NOW)


def a_rollout_with_people() -> Iterator[Case]:
    for name, row in rows(test_approval.test_a_rollout_with_people):
        yield name, shift(row["release"], row["observed"], row["now"])


def what_is_desired_changes_while_people_are_asked() -> Iterator[Case]:
    for name, row in rows(test_approval.test_what_comes_in_between):
        release = row["release"].replace(fingerprint="of-before")
        yield name, decide(row["desired"], release, row["observed"], NOW)


def what_is_kept() -> Iterator[Case]:
    for name, row in rows(test_keeping.test_what_the_live_release_keeps):
        wanted, release = test_keeping.wanting(row["extra"])
        yield name, decide(wanted, release, row["observed"], NOW)


def what_goes_before_another_deployment() -> Iterator[Case]:
    for name, row in rows(test_keeping.test_before_another_deployment_is_made):
        release = at(Phase.DEPLOYING, number=2).replace(provisioning=row["provisioning"])
        yield name, decide(DESIRED, release, row["observed"], NOW)


def drift_is_healed() -> Iterator[Case]:
    for name, row in rows(test_drift.test_differences):
        yield name, on_drift("heal", row["release"], row["observed"], NOW)


def drift_while_the_newest_release_came_to_nothing() -> Iterator[Case]:
    for name, row in rows(test_drift.test_differences):
        yield name, look_after(DESIRED, row["release"], row["observed"], NOW)


def a_pin() -> Iterator[Case]:
    for name, row in rows(test_rollback.test_decisions_under_a_pin):
        yield name, decide(test_rollback.HELD, row["release"], row["observed"], NOW)


def what_was_rolled_back() -> Iterator[Case]:
    for name, row in rows(test_rollback.test_what_was_rejected_stays_out):
        source = row["release"].source.replace(version="other")
        release = row["release"].replace(fingerprint="other", source=source)
        observed = replace(row["observed"], rejected=test_rollback.BAD)
        yield name, decide(DESIRED, release, observed, NOW)


def the_policy_forbids_it() -> Iterator[Case]:
    yield from _under(test_permission.FORBIDDEN)


def the_policy_freezes_it() -> Iterator[Case]:
    yield from _under(test_permission.FROZEN)


def _under(verdict: Verdict) -> Iterator[Case]:
    for name, row in rows(test_permission.test_decisions_under_a_policy):
        yield name, decided(row["release"], replace(row["observed"], verdict=verdict))


TABLES = (
    the_course,
    what_is_desired_changes,
    the_behaviour_gate,
    instance_types,
    the_rollout,
    what_is_desired_changes_in_a_rollout,
    a_rollout_with_people,
    what_is_desired_changes_while_people_are_asked,
    what_is_kept,
    what_goes_before_another_deployment,
    drift_is_healed,
    drift_while_the_newest_release_came_to_nothing,
    a_pin,
    what_was_rolled_back,
    the_policy_forbids_it,
    the_policy_freezes_it,
)


def said(action: Action | None) -> str:
    """The action with all that is not as by default."""
    if action is None:
        return "nothing"
    named = (
        f"{field.name}={_value(getattr(action, field.name))}"
        for field in fields(action)
        if field.default is MISSING or getattr(action, field.name) != field.default
    )
    return f"{type(action).__name__}({', '.join(named)})"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{'; '.join(map(_value, value))}]"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Check):
        return f"{value.name} {value.outcome.value}"
    return f"{value.name} {value.verdict}" if isinstance(value, Comparison) else str(value)


def rendered(table: Callable[[], Iterator[Case]]) -> str:
    title = table.__name__.replace("_", " ")
    lines = (f"{name}: {said(action)}" for name, action in table())
    return "\n".join((f"== {title}", *lines)) + "\n"


@pytest.fixture(scope="module")
def golden() -> str:
    if os.environ.get("TUNEOPS_WRITE_GOLDEN"):
        GOLDEN.write_text("\n".join(map(rendered, TABLES)))
    return GOLDEN.read_text()


@pytest.mark.parametrize("table", TABLES)
def test_each_decision_says_just_this(golden: str, table: Callable[[], Iterator[Case]]) -> None:
    title, *lines = rendered(table).splitlines()
    (known,) = (part for part in golden.split("\n\n") if part.startswith(f"{title}\n"))
    assert lines == known.rstrip().splitlines()[1:]
