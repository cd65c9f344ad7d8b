"""The decision over random histories: no promise is broken, and mistakes would be found."""

import pytest

from tests.simulation.azure import ViolationError
from tests.simulation.effects import EFFECTS
from tests.simulation.histories import Failure, grow, replay
from tests.simulation.planted import MISTAKES, Mistake, found
from tests.simulation.runs import Run, run
from tests.simulation.world import Tally
from tuneops.act import _EFFECTS

pytestmark = pytest.mark.slow
HISTORIES = 3_300
"""`make simulate` drives 100,000, and looks for the rare mistakes as well."""


@pytest.fixture(scope="module")
def driven() -> Run:
    return run(HISTORIES, processes=2)


def test_random_histories_keep_every_promise(driven: Run) -> None:
    assert driven.tally.histories >= HISTORIES
    assert not driven.failures, "\n".join(map(str, driven.failures))


def test_histories_are_distinct(driven: Run) -> None:
    """A few may take the same steps at the same times by chance."""
    assert len(driven.tally.distinct) > 0.999 * driven.tally.histories


def test_every_action_and_most_transitions_are_met(driven: Run) -> None:
    """`make simulate` meets them all."""
    assert {what for what in driven.missing if " -> " not in what} == set()
    assert len(driven.missing) <= 3


def test_every_effect_is_modelled() -> None:
    assert EFFECTS.keys() == _EFFECTS.keys()


@pytest.mark.parametrize(
    "mistake", [each for each in MISTAKES if not each.rare], ids=lambda mistake: mistake.name
)
def test_a_mistake_in_the_decision_is_found(mistake: Mistake) -> None:
    failure, _ = found(mistake)
    assert failure is not None


def test_a_failure_is_replayed_by_its_name() -> None:
    mistake = MISTAKES[0]
    failure, _ = found(mistake)
    assert isinstance(failure, Failure)
    with mistake.planted(), pytest.raises(ViolationError) as again:
        replay(failure.name, print)
    assert str(again.value) == failure.what


def test_the_same_seed_gives_the_same_histories() -> None:
    one, other = Tally(), Tally()
    assert [*grow(7, one), *grow(7, other)] == []
    assert one == other
