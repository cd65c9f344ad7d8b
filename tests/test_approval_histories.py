"""Random histories of a rollout that waits for people: no gate is passed that nobody opened."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_approval import BLUE_GREEN, MIRROR, said
from tests.test_decide import NOW
from tests.test_rollout import at_step, judged, sees
from tuneops import actions
from tuneops.actions import Action
from tuneops.observed import Observed
from tuneops.phases.serving import shift
from tuneops.release import Release
from tuneops.rollout import approval_record, record
from tuneops.rollout.approval_settings import Approval
from tuneops.rollout.question import Said

GATES: tuple[Any, ...] = ([25], [100], [10, 50], [20, 60, 100], "traffic")
SHAPES: tuple[dict[str, Any], ...] = ({}, BLUE_GREEN, MIRROR)


class History:
    """What is done may be lost before it is stored, and people do as they like."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        minutes = self.random.choice((5, 600))
        approval = {"before": self.random.choice(GATES), "timeout_minutes": minutes}
        self.gates = Approval.model_validate(approval).gates
        self.release = at_step(approval=approval, **self.random.choice(SHAPES))
        self.seen = sees()
        self.said: Said | None = None
        self.approved = -1
        self.now = NOW

    def people(self) -> None:
        """Somebody answers, perhaps to what is no question any more, or gives it traffic."""
        question, choice = self.release.approval, self.random.random()
        if question and choice < 0.15:
            share = self.random.choice((question.share, question.share, 20, 100))
            approves = self.random.random() < 0.9
            answered = question.is_met_by(self.said, self.release.number)
            if not answered:
                self.said = said(self.release, approves=approves, share=share)
            if not answered and approves and question.is_open and share == question.share:
                self.approved = share
        elif choice < 0.18 and self.release.rollout is None:
            self.seen = sees(self.random.choice((0, 20, 100)))

    def step(self) -> Action:
        """One pass."""
        self.now += timedelta(seconds=self.random.choice((10, 60, 600)))
        self.people()
        action = shift(self.release, replace(self.seen, said=self.said), self.now)
        changed = self._act(action)
        if self.random.random() < 0.9:
            self.release = changed
        return action

    def _act(self, action: Action) -> Release:
        match action:
            case actions.ShareTraffic(_, share, mirrored):
                if share:
                    self._check(0 if mirrored else share)
                self.seen = sees(mirrored=share) if mirrored else sees(share)
                return record.shared(self.release, action, self.now)
            case actions.ShiftTraffic():
                self._check(100)
                self.seen = sees(100)
            case actions.Advance():
                self._check(100)
            case actions.BeginStep():
                return record.begun(self.release, action, self.now)
            case actions.ReadFigures():
                quiet = self.random.random() < 0.3
                return judged(self.release, action.until, ok=3 if quiet else 100)
            case actions.NextStep():
                return record.passed(self.release)
            case actions.Hold():
                return record.held(self.release, action, self.now)
            case actions.AskPeople():
                return approval_record.asked(self.release, action, self.now)
            case actions.TakeAnswer():
                return approval_record.answered(self.release, action, self.now)
            case actions.LookForAnswers():
                question = self.release.approval
                assert question is not None
                return self.release.replace(approval=question.replace(looked=self.now))
            case actions.Abort():
                return record.aborted(self.release, action)
        return self.release

    def _check(self, share: int) -> None:
        passed = [gate for gate in self.gates if gate <= share]
        assert not passed or self.approved >= max(passed), (share, self.approved)


def new_share(seen: Observed) -> int:
    """What the new deployment has of the traffic."""
    endpoint = seen.endpoint
    return 100 - endpoint.traffic.get("d-old", 0) if endpoint else 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_no_gate_is_passed_that_nobody_opened_and_all_come_to_an_end(seed: int) -> None:
    history = History(seed)
    for _ in range(2000):
        action = history.step()
        if isinstance(action, actions.Fail | actions.Advance):
            break
    assert isinstance(action, actions.Fail | actions.Advance), history.release
    if isinstance(action, actions.Fail):
        assert new_share(history.seen) == 0
