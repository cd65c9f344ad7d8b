"""The decision over random histories: no promise is broken, and mistakes would be found."""

import pytest

from tests.simulation.azure import ViolationError
from tests.simulation.effects import EFFECTS
from tests.simulation.histories import Failure, grow, replay
from tests.simulation.planted import MISTAKES, OF_HOSTS, Mistake, found
from tests.simulation.runs import Run, run
from tests.simulation.world import Tally
from tuneops.act import _EFFECTS

pytestmark = pytest.mark.slow
HISTORIES = 3_300
FLEETING = 6
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


@pytest.mark.parametrize(
    "mistake", [each for each in OF_HOSTS if not each.rare], ids=lambda mistake: mistake.name
)
def test_a_split_decision_of_two_hosts_would_be_found(mistake: Mistake) -> None:
    """`make simulate HOSTS=2` looks for the rare ones as well."""
    failure, _ = found(mistake)
    assert failure is not None


def test_two_hosts_with_different_clocks_make_no_split_decision() -> None:
    tally = Tally()
    failures = [failure for seed in range(FLEETING) for failure in grow(seed, tally, hosts=2)]
    assert not failures, "\n".join(map(str, failures))
    assert tally.releases > 150
    assert tally.happenings["a host stands still"] > 20
    assert tally.happenings["a look is left: the lease was lost"] > 2


def test_a_history_of_two_hosts_is_replayed_as_it_was() -> None:
    first, again = list[str](), list[str]()
    assert replay("3/20", first.append, hosts=2) == replay("3/20", again.append, hosts=2)
    assert first == again
    assert any(" host A, release " in each for each in first)
    assert any(" host B, release " in each for each in first)


def test_the_same_seed_gives_the_same_histories() -> None:
    one, other = Tally(), Tally()
    assert [*grow(7, one), *grow(7, other)] == []
    assert one == other
