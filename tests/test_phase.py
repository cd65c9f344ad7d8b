"""The table of transitions, which a release can't leave, and its drawing."""

from datetime import UTC, datetime
from itertools import product

import pytest

from tests.deciding import READY
from tuneops import diagram
from tuneops.phase import TRANSITIONS, Phase

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("before", "after"), product(Phase, Phase))
def test_a_release_keeps_to_the_table(before: Phase, after: Phase) -> None:
    release = READY.replace(phase=before)
    if after == before or after in TRANSITIONS[before]:
        assert release.advance(after, NOW, "").phase == after
    else:
        with pytest.raises(ValueError, match=f"that is {before} can't become {after}"):
            release.advance(after, NOW, "")


def test_what_is_under_way_can_end_at_any_time() -> None:
    for phase in Phase:
        ends = {after for after in TRANSITIONS[phase] if after.ended and after != Phase.LIVE}
        assert phase.ended or ends == {Phase.FAILED, Phase.SUPERSEDED, Phase.RETIRED}


def test_the_drawing_has_every_transition() -> None:
    """One that leaves the box is there for every phase in it."""
    drawn = {tuple(line.split(":")[0].split(" --> ")) for line in _arrows()}
    boxed = {phase.value for phase in Phase if not phase.ended}
    wide = {(phase, after) for box, after in drawn if box == diagram.UNDER_WAY for phase in boxed}
    found = {pair for pair in drawn | wide if not {diagram.UNDER_WAY, "[*]"} & set(pair)}
    assert found == {(before, after) for before, to in TRANSITIONS.items() for after in to}


def _arrows() -> list[str]:
    return [line.strip() for line in diagram.mermaid().splitlines() if "-->" in line]


def test_a_document_without_a_place_for_it_is_told() -> None:
    with pytest.raises(ValueError, match="no Mermaid block"):
        diagram.replaced("# Rollout\n")
