"""Runs rounds: projects go through stories while faults strike; then all has to be well."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from localcloud.leftovers import leftovers
from tests.chaos.checks import check
from tests.chaos.disturbing import Disturber
from tests.chaos.evidence import Evidence
from tests.chaos.gathering import gather
from tests.chaos.hosts import Hosts
from tests.chaos.pace import slowness
from tests.chaos.points import MOMENTS, Point
from tests.chaos.report import Round
from tests.chaos.stories import COMMON, FIRST, OTHER, STORIES
from tests.chaos.team import Team
from tests.clients import Clients
from tests.cloud import ROOT, Cloud
from tests.faults import Faults
from tests.simulated import ROOM

KINDS = ("points", "calls", "kills", "clocks", "messages", "events", "parts")
QUICK_KINDS = ("points", "calls", "messages", "events", "parts")
QUICK_STORIES = ("breaks",)
PARTS = "storage,platform,azureml,compute"
POLICY = {"max_hourly_cost": 10_000, "prices": {"per_hour": {OTHER: 3.67, FIRST: 6.98}}}
SETTINGS = {
    "TUNEOPS_POLL_SECONDS": "1",
    "TUNEOPS_RESYNC_SCHEDULE": "*/30 * * * * *",
    "TUNEOPS_MAX_UPLOAD_BYTES": "20000",
}
JOB_SECONDS = 0.5
SETTLE_SECONDS = 90
TELL_AFTER_SECONDS = 20
RATE, QUICK_RATE = 20, 5
"""Requests of clients in a second."""
BUSY: dict[str, Any] = {
    "request_settings": {
        "max_concurrent_requests_per_instance": 100,
        "max_queue_wait_ms": 5_000,
        "request_timeout_ms": 10_000,
    }
}


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    seed: int = 1
    rounds: tuple[int, ...] = (0, 1, 2)
    quick: bool = False
    stories: tuple[str, ...] = ()
    faults: tuple[str, ...] | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The stories of each round."""
        return self.stories or (QUICK_STORIES if self.quick else tuple(STORIES))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of faults."""
        if self.faults is not None:
            return self.faults
        return QUICK_KINDS if self.quick else KINDS

    def kinds_of(self, number: int) -> tuple[str, ...]:
        """The kinds of faults in a round; one that was not planned has only points to meet."""
        return self.kinds if number in self.rounds else ("points",)

    def stories_of(self, number: int, points: Iterable[Point]) -> tuple[str, ...]:
        """The stories of a round; in one that was not planned those that meet its points."""
        effects = {effect for effect, _ in points}
        meeting = tuple(name for name in self.chosen if effects & STORIES[name].meets)
        return self.chosen if number in self.rounds else meeting or self.chosen

    def points(self, number: int) -> list[Point]:
        """Where hosts are to die in a round: each effect at one moment, at all in three rounds.

        A quick run has one round, in which effects take turns.
        """
        if "points" not in self.kinds:
            return []
        effects = sorted(COMMON.union(*(STORIES[name].meets for name in self.chosen)))
        turns = range(len(effects)) if self.quick else [0] * len(effects)
        return [
            (effect, MOMENTS[(number + turn) % len(MOMENTS)])
            for effect, turn in zip(effects, turns, strict=True)
        ]


def run(plan: Plan, state: Path) -> list[Round]:
    """Run the rounds, and one more if there are points left that none of several has met.

    A call that is answered with a fault, or a host that dies elsewhere, may have done all that an
    effect was to do, which then is not done again: in the one more hosts die at the points alone.
    """
    with _cloud(state) as cloud, Hosts(cloud, plan.seed) as hosts:
        cloud.merge({"../tuneops-policy.yaml": POLICY})
        faults = Faults(cloud.connection)
        front = Team(cloud, "front", faults)
        front.merge(deployment=BUSY)
        front.upload()
        endpoint = front.lives(1).endpoint
        rounds: list[Round] = []
        unmet: list[Point] = []
        ahead = deque(plan.rounds)
        while ahead:
            number = ahead.popleft()
            points = [*unmet, *(plan.points(number) if number in plan.rounds else ())]
            with Clients(cloud, endpoint, QUICK_RATE if plan.quick else RATE) as clients:
                one = _Round(plan, number, points, cloud, hosts, faults, front)
                done = one.run()
            evidence = Evidence(answers=_by_status(clients.seen.answers))
            done.requests = clients.seen.sent
            done.note(check(evidence))
            rounds.append(done)
            unmet = one.unmet
            if unmet and 1 < len(rounds) == len(plan.rounds):
                ahead.append(number + 1)
        left = [f"{moment} {effect}" for effect, moment in unmet]
        rounds[-1].note({"effects at which no host was killed": left})
        faults.close()
        rounds[-1].cpu_seconds = _cpu_seconds(state)
        return rounds


class _Round:
    """One round: every story in a project of its own, all at once, beside one that is live."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        points: list[Point],
        cloud: Cloud,
        hosts: Hosts,
        faults: Faults,
        front: Team,
    ) -> None:
        self._plan, self._number, self._points = plan, number, points
        self.unmet: list[Point] = []
        self._cloud, self._hosts, self._faults, self._front = cloud, hosts, faults, front
        self._tales = {
            Team(cloud, f"{name}-{number}", faults): STORIES[name].tell
            for name in plan.stories_of(number, points)
        }
        self._done = Round(number)
        self._began = time.monotonic()

    def run(self) -> Round:
        """Let it all happen, then look twice: as it was wanted, and when it is taken away."""
        plan, teams = self._plan, [*self._tales, self._front]
        self._hosts.points.arm(self._points)
        disturber = Disturber(
            self._cloud,
            self._hosts,
            self._faults,
            list(self._tales),
            plan.seed,
            self._number,
            kinds=plan.kinds_of(self._number),
            quick=plan.quick,
        )
        with disturber:
            tales = [lambda each=team, tell=tell: tell(each) for team, tell in self._tales.items()]
            unreached = _all_at_once([*tales, self._release_front])
        self._say("the stories are told")
        self._settle(teams, disturber, unreached)
        unreached = _all_at_once([team.remove for team in self._tales])
        struck = self._hosts.points.disarm()
        self._settle(teams, disturber, unreached)
        self._count(struck, disturber)
        self._faults.forget()
        self._say("all is looked at")
        return self._done

    def _release_front(self) -> None:
        """What clients ask gets a new release."""
        self._front.merge(deployment={**BUSY, "instance_count": self._number + 2})
        self._front.lives(len(self._front.releases()) + 1)

    def _settle(self, teams: list[Team], disturber: Disturber, unreached: list[str]) -> None:
        """Look until all is well, or the time for that is over; what is wrong then is wrong."""
        began = time.monotonic()
        told = TELL_AFTER_SECONDS
        while True:
            evidence = gather(self._cloud, teams, disturber.sender.sent)
            evidence.unreached = unreached
            found = check(evidence)
            lasted = time.monotonic() - began
            if not any(found.values()) or lasted > SETTLE_SECONDS * slowness():
                break
            if lasted > told:
                told = 2 * told
                self._say(f"not well yet: {[line for lines in found.values() for line in lines]}")
            time.sleep(1)
        self._done.add(evidence, found)

    def _count(self, struck: set[Point], disturber: Disturber) -> None:
        done = self._done
        for moment in MOMENTS:
            kind = f"host killed {moment} an effect"
            done.asked[kind] += sum(each[1] == moment for each in self._points)
            done.struck[kind] += sum(each[1] == moment for each in struck)
        done.asked += disturber.asked
        done.struck += disturber.struck
        for kind, (asked, strikes) in self._faults.struck_by_kind().items():
            done.asked[kind] += asked
            done.struck[kind] += strikes
        self.unmet = sorted(set(self._points) - struck)

    def _say(self, what: str) -> None:
        passed = time.monotonic() - self._began
        print(f"round {self._number}, {passed:.0f} s: {what}", file=sys.stderr, flush=True)


def _all_at_once(deeds: Iterable[Callable[[], None]]) -> list[str]:
    """Do all of them side by side; gives what went wrong."""
    deeds = list(deeds)
    with ThreadPoolExecutor(len(deeds)) as pool:
        done = [pool.submit(deed) for deed in deeds]
        return [f"{error}" for each in done if (error := each.exception())]


def _by_status(answers: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for said, count in answers.items():
        status = said.partition(" ")[0]
        found[status] = found.get(status, 0) + count
    return found


def _cpu_seconds(state: Path) -> float:
    """What the local cloud and its hosts have taken of the processor so far."""
    total = 0.0
    for process in leftovers(state):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def _cloud(state: Path) -> Iterator[Cloud]:
    """A local cloud with simulated compute and no host."""
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest["app_settings"] |= SETTINGS
    manifest |= {"simulated_compute": {"job_seconds": JOB_SECONDS}, "limits": ROOM}
    state.mkdir(parents=True, exist_ok=True)
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    cloud, before = Cloud(state), dict(os.environ)
    cloud.up("--manifest", str(state / "manifest.yaml"), "--parts", PARTS)
    try:
        yield cloud
    finally:
        cloud.down()
        os.environ.clear()
        os.environ.update(before)
