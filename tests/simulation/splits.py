"""What a split decision is: two hosts do what contradicts, or the same twice.

None of these must ever happen, whatever clocks say, whoever stands still and wherever one dies:

- Something is done by a host that has not the turn, or by documents that are not those stored.
- What is done depends on who does it: by the right time it would not be. So no host sees a
  time-out, the end of a pause or of a question before another one would.
- What is written down happened at another time.
- A write undoes one that its writer has not seen.
- A release ends in two ways: its phase moves as no release's may.
- An endpoint, a deployment or a cluster is made that is there.
- Traffic goes forth and back: a share that was left is given again, while the same is wanted.
- Two messages have one key and say different things.

`promises` has what must hold of any number of hosts, such as one job and one model for a training.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.simulation.azure import ViolationError
from tests.simulation.world import World
from tuneops import actions
from tuneops.actions import Action
from tuneops.phase import TRANSITIONS, Phase
from tuneops.release import Release

if TYPE_CHECKING:
    from tests.simulation.sharing import SharedTurn

TOLERANCE = timedelta(seconds=2)
"""As far as hosts may be wrong about the time: what whole seconds and many machines leave open."""


class SplitError(ViolationError):
    """A split decision."""


@dataclass
class Record:
    """What was told by its key, and which traffic each release was given since it was deployed,
    while one commit was wanted."""

    told: dict[str, str] = field(default_factory=dict)
    traffic: dict[int, tuple[object, tuple[str, ...]]] = field(default_factory=dict)

    def fork(self) -> "Record":
        """A copy that goes its own way."""
        return Record(dict(self.told), dict(self.traffic))


def does(turn: "SharedTurn", action: Action, release: Release | None) -> None:
    """What must hold when an effect begins."""
    _has_its_turn(turn, action)
    if turn.decision:
        _is_decided_by_the_time(*turn.decision)
    if not turn.knows_all:
        raise SplitError(f"{action} by what is not stored any more")
    said, real = turn.now, turn.world.now
    if abs(said - real) > TOLERANCE:
        raise SplitError(f"at {real:%m-%d %H:%M:%S} a host says that it is {said:%m-%d %H:%M:%S}")
    _makes_nothing_twice(turn.world, action, release)


def overwrites(turn: "SharedTurn", document: int) -> None:
    """What must hold when a document is about to be written: no write undoes another."""
    if not turn.knows(document):
        raise SplitError("a write undoes what its writer has not seen")


def writes(turn: "SharedTurn", release: Release) -> None:
    """What must hold when a release is about to be stored."""
    _has_its_turn(turn, release.phase)
    before = turn.world.releases.get(release.number)
    moves = before is not None and before.phase != release.phase
    if before and moves and release.phase not in TRANSITIONS[before.phase]:
        raise SplitError(f"release {release.number} is {before.phase}, and now {release.phase}")
    told = turn.sharing.record.told
    for message in release.outbox:
        text = f"{message.title}: {message.text}"
        if told.setdefault(message.key, text) != text:
            raise SplitError(f"{message.key}: {told[message.key]!r}, and {text!r}")


def done(turn: "SharedTurn", action: Action, release: Release) -> None:
    """What must hold after an effect: the shares of a rollout follow each other."""
    record, number = turn.sharing.record, release.number
    if isinstance(action, actions.Advance) and action.phase == Phase.DEPLOYING:
        record.traffic.pop(number, None)
    moves = isinstance(action, actions.ShareTraffic | actions.ShiftTraffic)
    if not moves or release.phase != Phase.SHIFTING:
        return
    wanted = (turn.seen.desired.commit, turn.seen.desired.adopts)
    before, given = record.traffic.get(number, (wanted, ()))
    given = given if before == wanted else ()
    share = str(_essence(action))
    if share in given[:-1]:
        raise SplitError(f"traffic goes forth and back: {given}, then {share}")
    if given[-1:] != (share,):
        record.traffic[number] = (wanted, (*given, share))


def _is_decided_by_the_time(
    action: Action, again: Callable[[datetime], Action], real: datetime
) -> None:
    wanted = _essence(action)
    for part in (0, -1, 1, -0.5, 0.5, -0.25, 0.25, -0.75, 0.75):
        if _essence(again(real + TOLERANCE * part)) == wanted:
            return
    raise SplitError(f"{action}, and by the right time {again(real)}")


def _makes_nothing_twice(world: World, action: Action, release: Release | None) -> None:
    azure = world.azure
    endpoint = azure.endpoints.get(release.endpoint) if release else None
    match action:
        case actions.CreateEndpoint():
            twice = endpoint is not None
        case actions.CreateDeployment():
            assert release is not None
            twice = (
                endpoint is not None and endpoint.deployment(release.deployment_name) is not None
            )
        case actions.CreateCluster():
            twice = azure.cluster is not None
        case _:
            twice = False
    if twice:
        raise SplitError(f"{action} of what is there")


def _has_its_turn(turn: "SharedTurn", what: object) -> None:
    if not turn.is_its_turn:
        raise SplitError(f"{what} by a host whose turn it is not")


def _essence(action: Action) -> tuple[object, ...]:
    """What is done, without why and until when: to wait is nothing."""
    if isinstance(action, actions.Wait | actions.Idle):
        return ()
    named = ("phase", "share", "mirrored", "name", "part", "endpoint", "answer", "live")
    return (type(action).__name__, *(getattr(action, each, None) for each in named))
