"""Runs rounds: projects go through their stories while faults strike, and then all has to be well."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.chaos.checks import check
from tests.chaos.disturbing import Disturber
from tests.chaos.evidence import Evidence
from tests.chaos.gathering import gather
from tests.chaos.hosts import Hosts
from tests.chaos.pace import slowness
from tests.chaos.points import MOMENTS
from tests.chaos.report import Round
from tests.chaos.stories import COMMON, FIRST, OTHER, STORIES
from tests.chaos.team import Team
from tests.cloud import ROOT, Cloud
from tests.faults import Faults
from tests.simulated import ROOM

KINDS = ("points", "calls", "kills", "clocks", "messages", "events", "parts")
SETTLE_SECONDS = 90
QUICK_STORIES = ("grows", "breaks")
POLICY = {"max_hourly_cost": 10_000, "prices": {"per_hour": {OTHER: 3.67, FIRST: 6.98}}}
PARTS = "storage,platform,azureml,compute"


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    seed: int = 1
    rounds: tuple[int, ...] = (0, 1, 2)
    quick: bool = False
    stories: tuple[str, ...] = ()
    faults: tuple[str, ...] = KINDS

    @property
    def chosen(self) -> tuple[str, ...]:
        """The stories of each round."""
        return self.stories or (QUICK_STORIES if self.quick else tuple(STORIES))


@contextmanager
def running_cloud(state: Path) -> Iterator[Cloud]:
    """A local cloud without a host."""
    state.mkdir(parents=True, exist_ok=True)
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest["app_settings"] |= {
        "TUNEOPS_POLL_SECONDS": "1",
        "TUNEOPS_RESYNC_SCHEDULE": "*/10 * * * * *",
        "TUNEOPS_MAX_UPLOAD_BYTES": "20000",
    }
    manifest |= {"simulated_compute": {"job_seconds": 0.5}, "limits": ROOM}
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    cloud, before = Cloud(state), dict(os.environ)
    cloud.up("--manifest", str(state / "manifest.yaml"), "--parts", PARTS)
    try:
        yield cloud
    finally:
        cloud.down()
        os.environ.clear()
        os.environ.update(before)


def run(plan: Plan, state: Path) -> list[Round]:
    """Run the rounds."""
    with running_cloud(state) as cloud, Hosts(cloud, plan.seed) as hosts:
        cloud.merge({"../tuneops-policy.yaml": POLICY})
        return [_round(plan, number, cloud, hosts) for number in plan.rounds]


def _round(plan: Plan, number: int, cloud: Cloud, hosts: Hosts) -> Round:
    """One round: every story in a project of its own, all at once."""
    done = Round(number)
    began = time.monotonic()
    faults = Faults(cloud.connection)
    teams = [Team(cloud, f"{name}-{number}", faults) for name in plan.chosen]
    moment = MOMENTS[number % len(MOMENTS)]
    effects = sorted(COMMON.union(*(STORIES[name].meets for name in plan.chosen)))
    points = [(effect, moment) for effect in effects if "points" in plan.faults]
    hosts.points.arm(points)
    done.asked[f"host killed {moment} an effect"] += len(points)
    disturber = Disturber(
        cloud, hosts, faults, teams, plan.seed, number, kinds=plan.faults, quick=plan.quick
    )
    with disturber, ThreadPoolExecutor(len(teams)) as pool:
        tales = [pool.submit(STORIES[name].tell, team) for name, team in zip(plan.chosen, teams, strict=True)]
        unreached = [str(error) for tale in tales if (error := tale.exception())]
    for line in unreached:
        print(line, flush=True)
    print(f"round {number}: stories told after {time.monotonic() - began:.0f} s", flush=True)
    _settle(cloud, teams, disturber, done, unreached)
    with ThreadPoolExecutor(len(teams)) as pool:
        gone = [pool.submit(team.remove) for team in teams]
        unreached = [str(error) for each in gone if (error := each.exception())]
    struck = hosts.points.disarm()
    done.struck[f"host killed {moment} an effect"] += len(struck)
    done.unmet = {*points} - struck
    done.asked += disturber.asked
    done.struck += disturber.struck
    for kind, (asked, strikes) in faults.struck_by_kind().items():
        done.asked[kind] += asked
        done.struck[kind] += strikes
    _settle(cloud, teams, disturber, done, unreached)
    faults.close()
    print(f"round {number}: over after {time.monotonic() - began:.0f} s, hosts died {hosts.deaths}, unmet {done.unmet}", flush=True)
    return done


def _settle(
    cloud: Cloud, teams: list[Team], disturber: Disturber, done: Round, unreached: list[str]
) -> None:
    """Look until all is well, or the time for that is over; what is wrong then is wrong."""
    deadline = time.monotonic() + SETTLE_SECONDS * slowness()
    began = time.monotonic()
    while True:
        evidence: Evidence = gather(cloud, teams, disturber.sender.sent)
        evidence.unreached = unreached
        found = check(evidence)
        if not any(found.values()) or time.monotonic() > deadline:
            break
        if time.monotonic() > began + 20:
            print({name: lines[:3] for name, lines in found.items() if lines}, flush=True)
            time.sleep(5)
        time.sleep(1)
    done.add(evidence, found)
