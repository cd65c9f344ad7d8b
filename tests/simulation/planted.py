"""Mistakes in the decision, planted one at a time, which the promises have to find."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from tests.simulation import people, sharing
from tests.simulation.histories import Failure, grow
from tests.simulation.world import Tally
from tuneops import clock, decide, drift, healing, permission
from tuneops.phases import (
    behaving,
    deploying,
    overrunning,
    provisioning,
    serving,
    teardown,
    testing,
    training,
)
from tuneops.rollout import approval, steps

TREES = 600


@dataclass(frozen=True)
class Mistake:
    """Text of a module that stands there otherwise; what only `rare` histories find takes long."""

    name: str
    module: ModuleType
    right: str
    wrong: str
    of: tuple[str, ...] = people.CONFIGS
    rare: bool = False
    hosts: int = 1

    @property
    def seeds(self) -> range:
        """Of the trees in which it must be found: those of one kind of projects."""
        return range(people.KINDS.index(self.of), TREES, len(people.KINDS))

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The module's functions do what the wrong text says, in this process."""
        source = inspect.getsource(self.module)
        if source.count(self.right) != 1:
            raise ValueError(f"{self.name}: not once in {self.module.__name__}: {self.right}")
        made = {"__name__": self.module.__name__}
        exec(compile(source.replace(self.right, self.wrong), f"<{self.name}>", "exec"), made)
        own = dict(_functions(vars(self.module), self.module.__name__))
        wrong = dict(_functions(made, self.module.__name__))
        before = {name: each.__code__ for name, each in own.items()}
        for name, each in own.items():
            each.__code__ = wrong[name].__code__
        try:
            yield
        finally:
            for name, code in before.items():
                own[name].__code__ = code


def _functions(names: Mapping[str, Any], module: str) -> Iterator[tuple[str, FunctionType]]:
    """A module's own functions, and those of its classes."""
    for name, each in names.items():
        if getattr(each, "__module__", "") != module:
            continue
        if isinstance(each, FunctionType):
            yield name, each
        elif isinstance(each, type):
            members = vars(each).items()
            yield from ((f"{name}.{m}", f) for m, f in members if isinstance(f, FunctionType))


MISTAKES = (
    Mistake(
        "a deployment with traffic is deleted",
        provisioning,
        "going = keeping.dispensable(observed, spared)",
        "going = [d for d in observed.endpoint.deployments if d.release]",
        of=people.MACHINES,
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
        of=people.ROLLOUTS,
        rare=True,
    ),
    Mistake(
        "a rollout goes on in spite of what failed",
        steps,
        'return Abort(f"rollout: {reasons_text(judged)}")',
        "return NextStep()",
        of=people.ROLLOUTS,
    ),
    Mistake(
        "a rollout leaves its last step out",
        steps,
        "return steps[progress.step] if progress.step < len(steps) else None",
        "return steps[progress.step] if progress.step < len(steps) - 1 else None",
        of=people.ROLLOUTS,
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
        "if release and _trains_for_nobody(release, desired, observed):",
        "if False:",
    ),
    Mistake(
        "a job that never ends is waited for",
        overrunning,
        "return NoteOverrun() if over else None",
        "return None",
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
        'tear_down(doomed, stale, now, now, "")',
        'tear_down([], stale, now, now, "")',
        of=people.MACHINES,
    ),
    Mistake(
        "old endpoints are left behind",
        serving,
        'tear_down(doomed, stale, now, now, "")',
        'tear_down(doomed, [], now, now, "")',
        of=people.MACHINES,
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
        "if verdict.freeze and (ahead or isinstance(action, _BEGINS)):",
        "if False:",
    ),
    Mistake(
        "suspend is not heeded",
        decide,
        "    if desired.standstill:\n        return Idle(desired.standstill)",
        "    if desired.standstill and release is None:\n        return Idle(desired.standstill)",
    ),
    Mistake(
        "a suspension by an order lets a removal take all down",
        decide,
        "    if desired.standstill:\n        return Idle(desired.standstill)",
        "    if desired.standstill and desired.config:\n        return Idle(desired.standstill)",
        rare=True,
    ),
    Mistake(
        "what was rolled back comes back",
        decide,
        "known = desired.source is not None and not rejected",
        "known = desired.source is not None",
        of=people.MACHINES,
        rare=True,
    ),
    Mistake(
        "what lasts is healed without end",
        healing,
        "return Answer.HEALING if len(_recent(release, now)) < MAX_HEALS else Answer.STOPPED",
        "return Answer.HEALING",
        of=people.MACHINES,
    ),
    Mistake(
        "traffic goes to what a failed release made again",
        drift,
        "if deployment is None or endpoint.is_untested(deployment, release.number):",
        "if deployment is None:",
        of=people.ROLLOUTS,
        rare=True,
    ),
    Mistake(
        "what is kept for a while is not come back for",
        teardown,
        "return min(due, key=_pause) if due else Idle(release.reason)",
        "return next((a for a in due if _pause(a) < 0), Idle(release.reason))",
        of=people.ROLLOUTS,
        rare=True,
    ),
    Mistake(
        "what is kept is deleted early",
        provisioning,
        "spared = {} if cramped else",
        "spared = {} if True else",
        of=people.MACHINES,
    ),
    Mistake(
        "what is kept is not taken",
        provisioning,
        "if there := _there(release, observed, endpoint):",
        "if there := '':",
        of=people.MACHINES,
    ),
    Mistake(
        "what is superseded elsewhere keeps the room that is wanted",
        provisioning,
        "return take_down_old(release, observed, spared) if cramped else None",
        "return None",
        of=people.MACHINES,
        rare=True,
    ),
    Mistake(
        "a release that failed leaves behind what is superseded elsewhere",
        teardown,
        "None if own else take_down_old(release, observed, spared),",
        "None,",
        of=people.MACHINES,
    ),
    Mistake(
        "an instance type is tried without end",
        deploying,
        "if not release.instance_types_left:",
        "if False:",
        of=people.MACHINES,
        rare=True,
    ),
    Mistake(
        "an autoscale setting outlives its deployment",
        teardown,
        "if each.key not in there)",
        "if False)",
        of=people.MACHINES,
    ),
    Mistake(
        "room below the limit of costs is not reserved",
        permission,
        "if verdict.room and isinstance(action, CreateDeployment | SetAutoscale):",
        "if False:",
        of=people.MACHINES,
    ),
    Mistake(
        "a share is passed that wants approval",
        approval,
        "any(move.before < each <= move.after for each in gates)",
        "any(move.before < each < move.after for each in gates)",
        of=people.GATES,
    ),
    Mistake(
        "an approval of something else is taken",
        approval,
        "if observed.said and question.is_met_by(observed.said, release.number):",
        "if observed.said and observed.said.approves:",
        of=people.GATES,
    ),
    Mistake(
        "evaluation sets that tell nothing are passed over",
        behaving,
        'if verdict == "inconclusive" and settings.on_inconclusive == "fail":',
        "if False:",
        of=people.GATES,
        rare=True,
    ),
    Mistake(
        "evaluation sets are asked without end",
        behaving,
        "if progress.turn is not None and progress.requests < settings.max_requests:",
        "if progress.turn is not None:",
        of=people.GATES,
    ),
    Mistake(
        "evaluation sets are asked of what was live",
        behaving,
        "    if not asks(release) or observed.served:\n        return None\n",
        "    if not asks(release):\n        return None\n",
        of=people.GATES,
        rare=True,
    ),
)


OF_HOSTS = (
    Mistake(
        "a host goes by its own clock",
        clock,
        "        if self._last is None:\n            return self._own()",
        "        if self._own:\n            return self._own()",
        hosts=2,
    ),
    Mistake(
        "a host that has stood still is not told what time it is",
        clock,
        "        known = self._at(elapsed) if self._last else said\n",
        "        if self._last:\n            return\n        known = said\n",
        hosts=2,
    ),
    Mistake(
        "a lease that was lost is taken for held",
        sharing,
        "        if self.holder is not turn:",
        "        if False:",
        rare=True,
        hosts=2,
    ),
    Mistake(
        "something is done without the lease",
        sharing,
        "        self.sharing.hold(self)\n        if self.now - before",
        "        self.sharing.tell(self.host)\n        if self.now - before",
        rare=True,
        hosts=2,
    ),
    Mistake(
        "what was decided long ago is done",
        sharing,
        "        if self.now - before > STOOD_STILL:",
        "        if False:",
        of=people.MACHINES,
        hosts=2,
    ),
    Mistake(
        "something is written without the lease",
        sharing,
        "        self.sharing.hold(self)\n        self._write(release.number)",
        "        self._write(release.number)",
        hosts=2,
    ),
    Mistake(
        "a write asks for neither the lease nor the ETag",
        sharing,
        "        self.sharing.hold(self)\n        self._write(release.number)",
        "        self._etags[release.number] = self.sharing.etags.get(release.number, 0)",
        hosts=2,
    ),
)
"""Mistakes that only two hosts show."""


def unfound(hosts: int = 1) -> list[str]:
    """The names of the rare mistakes, or of those that several hosts show, that nothing finds."""
    looked_for = OF_HOSTS if hosts > 1 else [each for each in MISTAKES if each.rare]
    return [each.name for each in looked_for if found(each)[0] is None]


def found(mistake: Mistake) -> tuple[Failure | None, int]:
    """The first history that breaks a promise with this mistake, and how many there were."""
    tally = Tally()
    with mistake.planted():
        for seed in mistake.seeds:
            failure = next(grow(seed, tally, mistake.hosts), None)
            if failure:
                return failure, tally.histories + 1
    return None, tally.histories
