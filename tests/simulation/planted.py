"""Mistakes in the decision, planted one at a time, which the promises have to find."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType

from tests.simulation.histories import Failure, grow
from tests.simulation.world import Tally
from tuneops import decide, drift, healing, permission
from tuneops.phases import deploying, serving, teardown, testing, training
from tuneops.rollout import steps


@dataclass(frozen=True)
class Mistake:
    """Text of a module that stands there otherwise."""

    name: str
    module: ModuleType
    right: str
    wrong: str
    of_rollouts: bool = False

    @property
    def seeds(self) -> range:
        """Of the trees in which it must be found; every third one has rollouts."""
        return range(2, 300, 3) if self.of_rollouts else range(100)

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The module's functions do what the wrong text says, in this process."""
        source = inspect.getsource(self.module)
        if source.count(self.right) != 1:
            raise ValueError(f"{self.name}: not once in {self.module.__name__}: {self.right}")
        made = {"__name__": self.module.__name__}
        exec(compile(source.replace(self.right, self.wrong), self.name, "exec"), made)
        own = [
            (name, each)
            for name, each in vars(self.module).items()
            if isinstance(each, FunctionType) and each.__module__ == self.module.__name__
        ]
        before = [each.__code__ for _, each in own]
        for name, each in own:
            each.__code__ = made[name].__code__
        try:
            yield
        finally:
            for (_, each), code in zip(own, before, strict=True):
                each.__code__ = code


MISTAKES = (
    Mistake(
        "a deployment with traffic is deleted",
        deploying,
        "for deployment in observed.dispensable:",
        "for deployment in observed.endpoint.deployments:",
    ),
    Mistake(
        "the smoke test is left out",
        testing,
        "if failed is None:\n        return RunSmokeTest()",
        "if failed is None:\n        return Advance(Phase.SHIFTING, '')",
    ),
    Mistake(
        "one failed answer is as good as one that passed",
        testing,
        "if len(smoke.answers) >= asked:",
        "if len(smoke.answers) + smoke.attempts >= asked:",
    ),
    Mistake(
        "traffic is not taken back from what failed",
        decide,
        "and (back := take_back(release, observed)):",
        "and (back := None):",
        of_rollouts=True,
    ),
    Mistake(
        "a rollout goes on in spite of what failed",
        steps,
        'return Abort(f"rollout: {reasons_text(judged)}")',
        "return NextStep()",
        of_rollouts=True,
    ),
    Mistake(
        "a rollout leaves its last step out",
        steps,
        "return steps[progress.step] if progress.step < len(steps) else None",
        "return steps[progress.step] if progress.step < len(steps) - 1 else None",
    ),
    Mistake(
        "metrics that failed are passed over",
        training,
        "if against := failures(checks):",
        "if against := ():",
    ),
    Mistake(
        "a job that is not wanted any more runs on",
        decide,
        "if job_to_cancel(release, observed) and not release.trains_like(desired):",
        "if False:",
    ),
    Mistake(
        "an earlier job of the name is not waited for",
        training,
        "if job.unsuccessful and job.release != str(release.number):",
        "if job.release != str(release.number):",
    ),
    Mistake(
        "old deployments are left behind",
        serving,
        "gone = tear_down(doomed, stale,",
        "gone = tear_down([], stale,",
    ),
    Mistake(
        "old endpoints are left behind",
        serving,
        "gone = tear_down(doomed, stale,",
        "gone = tear_down(doomed, [],",
    ),
    Mistake(
        "an endpoint outlives its config",
        teardown,
        'if endpoints and last.on_removal == "delete":',
        'if endpoints and last.on_removal == "retain":',
    ),
    Mistake(
        "a freeze holds nothing back",
        permission,
        "if verdict.freeze and isinstance(action, _BEGINS):",
        "if False:",
    ),
    Mistake(
        "suspend is not heeded",
        decide,
        '    if desired.config.suspend:\n        return Idle(f"suspended by',
        '    if desired.config.suspend and release is None:\n        return Idle(f"suspended by',
    ),
    Mistake(
        "what was rolled back comes back",
        decide,
        "known = desired.source is not None and not rejected",
        "known = desired.source is not None",
    ),
    Mistake(
        "what lasts is healed without end",
        healing,
        "return Answer.HEALING if len(_recent(release, now)) < MAX_HEALS else Answer.STOPPED",
        "return Answer.HEALING",
    ),
    Mistake(
        "traffic goes to what a failed release made again",
        drift,
        "if deployment is None or endpoint.is_untested(deployment, release.number):",
        "if deployment is None:",
    ),
    Mistake(
        "what is kept for a while is not come back for",
        teardown,
        "return min(due, key=_pause) if due else Idle(release.reason)",
        "return next((a for a in due if _pause(a) < 0), Idle(release.reason))",
    ),
)


def found(mistake: Mistake) -> tuple[Failure | None, int]:
    """The first history that breaks a promise with this mistake, and how many there were."""
    tally = Tally()
    with mistake.planted():
        for seed in mistake.seeds:
            failure = next(grow(seed, tally), None)
            if failure:
                return failure, tally.histories + 1
    return None, tally.histories
