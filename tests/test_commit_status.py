"""What a commit's status becomes by what people are told."""

import pytest

from tests.planned import NOW, come_to, release
from tuneops.config import Event
from tuneops.gitops.commit_status import state_of
from tuneops.notify.messages import compose
from tuneops.release import Phase


@pytest.mark.parametrize(
    ("phase", "event", "state"),
    [
        (Phase.PREPARING, "queued", "pending"),
        (Phase.TRAINING, "held", "pending"),
        (Phase.SHIFTING, "held", "pending"),
        (Phase.LIVE, "live", "success"),
        (Phase.LIVE, "held", "success"),
        (Phase.LIVE, "newer_base_model", "success"),
        (Phase.LIVE, "pinned", "failure"),
        (Phase.FAILED, "failed", "failure"),
        (Phase.FAILED, "held", "failure"),
        (Phase.RETIRED, "torn_down", "success"),
    ],
)
def test_what_holds_up_what_has_ended_does_not_make_it_pending(
    phase: Phase, event: Event, state: str
) -> None:
    told = compose(come_to(release(), phase, NOW), event, "", NOW)
    assert state_of(told) == state
