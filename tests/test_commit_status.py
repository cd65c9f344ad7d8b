"""What a commit's status becomes by what people are told."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.planned import NOW, come_to, release
from tuneops.config import Event
from tuneops.gitops.commit_status import state_of
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.refusal import refusal
from tuneops.notify.messages import compose
from tuneops.release import Phase


@pytest.mark.parametrize(
    ("phase", "event", "state"),
    [
        (Phase.PREPARING, "queued", "pending"),
        (Phase.TRAINING, "held", "pending"),
        (Phase.SHIFTING, "held", "pending"),
        (Phase.DEPLOYING, "torn_down", "pending"),
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


@pytest.mark.parametrize(
    ("permanent", "minutes", "for_good"),
    [
        pytest.param(False, 99, False, id="is-down"),
        pytest.param(True, 0, False, id="a-commit-that-may-be-too-new"),
        pytest.param(True, 11, True, id="a-commit-that-github-has-not"),
    ],
)
def test_what_github_calls_wrong_is_given_up_in_time(
    permanent: bool, minutes: int, for_good: bool
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    message = compose(release(), "queued", "", at)
    assert refusal(GitHubError("no such commit", permanent), message).permanent is for_good
