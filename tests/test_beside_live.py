"""What becomes of the live release, and of what people are owed, while another is the newest."""

import pytest

from tests.planned import NOW, come_to, desired, release
from tuneops import documents
from tuneops.desired import Desired
from tuneops.difference import Part
from tuneops.notify.messages import tell
from tuneops.notify.post import read_mailboxes
from tuneops.orders import Orders, Pin, Suspension
from tuneops.policy import Freeze, InForce, Policy
from tuneops.project import Project
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Metrics, Phase, Release, TrainingPlan
from tuneops.services import Services
from tuneops.status import read_status

pytestmark = pytest.mark.slow

FREEZE = Freeze.model_validate(
    {"from": "2026-01-01T00:00Z", "until": "2100-01-01T00:00Z", "reason": "a century off"}
)
PIN = Pin(id="p", release=1, by="Ada", at=NOW)
BASE = "azureml://registries/azureml-msr/models/m/versions/1"


def made(name: str, number: int, *phases: Phase, extra: str = "") -> Release:
    """A release that was in these phases, each number with a model of its own."""
    plan = TrainingPlan(base_model=BASE, component="c", parameters={}, digest=f"{number:012x}")
    found = release(extra, name).replace(number=number, training=plan, commit=str(number) * 40)
    found = found.replace(metrics=Metrics(values={"eval_loss": 1.0}))
    for phase in phases:
        found = come_to(found, phase, NOW, phase.value)
    return found


class Life:
    """A project with its releases as they are stored."""

    def __init__(
        self, services: Services, git: Desired, live: int | None, *releases: Release
    ) -> None:
        self.services, self.name = services, git.project
        endpoints = tuple({each.endpoint for each in releases})
        newest = releases[-1].number
        project = Project(name=self.name, current=newest, live=live, endpoints=endpoints)
        services.store.write(documents.desired(self.name), git, etag=None)
        services.store.write(documents.project(self.name), project, etag=None)
        for each in releases:
            services.store.write(documents.release(self.name, each.number), each, etag=None)

    def pin(self) -> None:
        self.services.store.write(documents.orders(self.name), Orders(pin=PIN), etag=None)

    def reconcile(self) -> None:
        reconcile_project(ProjectRequest(project=self.name), self.services)

    @property
    def project(self) -> Project:
        stored = self.services.store.read(documents.project(self.name), Project)
        assert stored is not None
        return stored.value

    def release(self, number: int) -> Release:
        stored = self.services.release(self.name, number)
        assert stored is not None
        return stored.value


@pytest.mark.parametrize("newest", [Phase.TRAINING, Phase.FAILED])
def test_the_live_release_retires_with_a_newer_one(working: Services, newest: Phase) -> None:
    name = f"gone-{newest.lower()}"
    git = desired("", name).replace(config=None, source=None)
    life = Life(working, git, 1, made(name, 1, Phase.LIVE), made(name, 2, newest))
    life.reconcile()
    assert [life.release(number).phase for number in (1, 2)] == [Phase.RETIRED, Phase.RETIRED]


@pytest.mark.parametrize("ended", [Phase.LIVE, Phase.SUPERSEDED, Phase.FAILED])
def test_what_a_pin_moves_away_from_is_rejected(working: Services, ended: Phase) -> None:
    """Even if it ended while what had gone of it was deployed again."""
    name = f"pin-{ended.lower()}"
    extra = "deployment: {instance_count: 2}\n"
    phases = (Phase.LIVE,) if ended == Phase.LIVE else (Phase.LIVE, Phase.DEPLOYING, ended)
    target = made(name, 1, Phase.LIVE, Phase.SUPERSEDED)
    moved = made(name, 2, *phases, extra=extra)
    adopting = made(name, 3, Phase.LIVE).adopt(target).replace(adopts=1)
    life = Life(working, desired(extra, name), 2, target, moved, adopting)
    life.pin()
    life.reconcile()
    assert life.project.live == 3
    assert [each.release for each in life.project.rejected] == [2]
    assert life.release(2).rejected.startswith("release 2 was rolled back to release 1 by Ada")


def test_a_pin_is_told_of_once(working: Services) -> None:
    """Not by the newest release, which has failed, and by the live one as well."""
    name = "told-once"
    target = made(name, 1, Phase.LIVE)
    failed = made(name, 2, Phase.FAILED).replace(adopts=1)
    life = Life(working, desired("deployment: {instance_count: 2}\n", name), 1, target, failed)
    life.pin()
    life.reconcile()
    told = [m.key for number in (1, 2) for m in life.release(number).outbox if m.event == "pinned"]
    assert told == [f"{name}:2:pinned:p{'0' * 40}"]


def test_a_suspension_holds_all_until_it_is_resumed_and_is_told_of_once(working: Services) -> None:
    """Be it that the config is removed meanwhile: what is live serves on."""
    name = "stands-still"
    git = desired("deployment: {instance_count: 2}\n", name)
    life = Life(working, git, 1, made(name, 1, Phase.LIVE), made(name, 2, Phase.FAILED))
    held = Suspension(id="s", by="Ada", at=NOW, reason="look at it first")
    orders = documents.orders(name)
    working.store.write(orders, Orders(suspension=held), etag=None)
    life.reconcile()
    working.store.update(
        documents.desired(name), Desired, lambda _: git.replace(config=None, source=None)
    )
    life.reconcile()
    assert [life.release(number).phase for number in (1, 2)] == [Phase.LIVE, Phase.FAILED]
    assert (life.project.current, life.project.suspension) == (2, held)
    (seen,) = read_status(working, name).projects
    assert (seen.suspension, seen.reason) == (held, str(held))

    working.store.update(documents.desired(name), Desired, lambda _: git)
    resumed = Orders(resumed="resumed by Grace")
    working.store.update(orders, Orders, lambda _: resumed)
    life.reconcile()
    assert (life.project.current, life.project.suspension) == (3, None)
    told = [(m.key, m.text) for m in life.release(2).outbox]
    assert told == [
        (f"{name}:2:suspended:s", str(held)),
        (f"{name}:2:resumed:s", "resumed by Grace"),
    ]


@pytest.mark.parametrize("upload", [False, True])
def test_a_release_whose_data_is_gone_makes_way(working: Services, upload: bool) -> None:
    """It neither looks for it each second, nor keeps newer data waiting by `in_flight`."""
    name = f"no-data-{upload}".lower()
    git = desired("in_flight: finish\n", name).replace(source=None)
    begun = release("", name).replace(data=None)
    life = Life(working, git, None, begun)
    if upload:
        datasets = working.blobs.get_container_client(working.settings.datasets_container)
        datasets.upload_blob(f"{name}/b.jsonl", b"{}\n")
    life.reconcile()
    assert life.release(1).phase == Phase.SUPERSEDED
    assert life.release(1).reason == f"{name}/a.jsonl was replaced or deleted"
    assert life.project.current == (2 if upload else 1)


def test_the_live_release_is_looked_after_while_a_freeze_holds_the_next(working: Services) -> None:
    name = "frozen"
    rules = InForce(policy=Policy(freeze=[FREEZE]))
    working.store.write(documents.policy(""), rules, etag=None)
    git = desired("deployment: {instance_count: 2}\n", name)
    life = Life(working, git, 1, made(name, 1, Phase.LIVE), made(name, 2, Phase.SUPERSEDED))
    life.reconcile()
    drift = life.release(1).drift
    assert drift is not None
    assert [each.part for each in drift.differences] == [Part.ENDPOINT_GONE]


def test_what_a_release_owes_is_posted_before_the_next_one_begins(working: Services) -> None:
    name = "owed"
    live = tell(tell(made(name, 1, Phase.LIVE), "trained", "", NOW), "live", "", NOW)
    life = Life(working, desired("deployment: {instance_count: 2}\n", name), 1, live)
    life.reconcile()
    assert all(message.posted for n in (1, 2) for message in life.release(n).outbox)
    box = read_mailboxes(working.store, name)["github"]
    keys = [letter.key for letter in box.owed]
    assert keys[:3] == [f"{name}:1:trained", f"{name}:1:live", f"{name}:2:queued"]
    life.reconcile()
    assert [letter.key for letter in read_mailboxes(working.store, name)["github"].owed] == keys
