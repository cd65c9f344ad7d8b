"""What the load suite computes of what it measured, and the events that it plans."""

from collections import Counter

import pytest

from tests.under_load.figures import at_most, exactly, growth, line, percentile
from tests.under_load.plan import DUPLICATES, plan


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_a_percentile_is_a_value_that_so_many_are_not_above(percent: float, value: float) -> None:
    assert percentile(range(100, 0, -1), percent) == value
    assert percentile([], percent) == 0


def test_growth_is_that_of_the_line_through_the_points() -> None:
    assert growth([(10.0, 5.0), (20.0, 7.0), (30.0, 9.0)]) == pytest.approx(4)
    assert growth([(0.0, 5.0), (1.0, 9.0), (2.0, 5.0)]) == pytest.approx(0)
    assert growth([(0.0, 5.0)]) == 0


def test_a_bound_that_is_not_met_is_said() -> None:
    assert at_most("p99", 50.0, 50.0).met
    assert not at_most("p99", 50.1, 50.0).met
    assert line(exactly("lost", 1, 0)).endswith("NOT MET")
    assert line(exactly("lost", 0, 0)).endswith("met")


def test_a_seed_decides_which_events_come() -> None:
    events = list(plan(7, 4_000, 100, 0.1))
    assert events == list(plan(7, 4_000, 100, 0.1)) != list(plan(8, 4_000, 100, 0.1))
    again = [event for event in events if event.again]
    assert len(again) == pytest.approx(4_000 * DUPLICATES, rel=0.2)
    assert {event.id for event in again} <= {event.id for event in events if not event.again}
    assert not any(event.change for event in again)


def test_each_project_gets_its_first_data_and_some_change_once_more() -> None:
    changed = [event for event in plan(7, 4_000, 100, 0.1) if event.change]
    uploads = Counter(event.project for event in changed if event.kind == "upload")
    assert set(uploads) == set(range(100))
    assert {event.kind for event in changed} == {"upload", "push"}
    assert 100 < len(changed) < 400
    assert len([e for e in plan(7, 4_000, 100, 0.0) if e.change]) == 100
