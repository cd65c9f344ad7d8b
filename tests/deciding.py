"""What is decided about, for tests of decisions: releases, what is desired, what is seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.config_text import config_of
from tuneops import actions
from tuneops.actions import Action
from tuneops.desired import Desired, Source
from tuneops.evaluation.gate import verdict
from tuneops.observed import Cluster, Deployment, Endpoint, Job, Observed
from tuneops.phases.deploying import MAX_REPAIRS
from tuneops.prepared import DataJob, PreparedData
from tuneops.project import Project, start_release
from tuneops.release import Metrics, Phase, Release, SampleAnswer, Smoke, TrainingPlan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(name="bot/a.jsonl", version="1", size=1)
DESIRED = Desired(
    project="bot", commit="c" * 40, path="finetune/bot.yaml", config=config_of("bot"), source=SOURCE
)
UNREGISTERED = PreparedData(digest="d", folder="f", train_rows=9, test_rows=1, questions=3)
DATA = UNREGISTERED.replace(assets={"train": "t", "test": "e"})
PLAN = TrainingPlan(base_model="m", component="c", parameters={}, digest="0123456789ab")
BEGUN = NOW - timedelta(minutes=10)
NEW = start_release(DESIRED, Project(name="bot"), "/workspace", BEGUN)
READY = NEW.replace(data=DATA, training=PLAN, metrics=Metrics(values={"eval_loss": 1.0}))
NAME = READY.deployment_name
OLD = "d-old"
ANSWER = SampleAnswer(
    passed=True, status=200, seconds=1, at=NOW, question="q", request="{}", answer="a"
)
WRONG = ANSWER.replace(passed=False, status=500, failures=("status 500",))
READY_CLUSTER = Cluster("gpu-cluster", "Succeeded")


def at(phase: Phase, **changes: Any) -> Release:
    release = READY.replace(phase=phase, **changes).advance(phase, NOW, "")
    return release.link(job="https://studio/runs/j") if phase == Phase.TRAINING else release


def smoked(*answers: SampleAnswer, **changes: Any) -> Release:
    """In the middle of the smoke test, with these answers so far."""
    smoke = Smoke()
    for answer in answers:
        smoke = smoke.add(answer)
    return at(Phase.TESTING, **changes).replace(smoke=smoke)


def endpoint(
    *deployments: str, traffic: str | None = None, state: str = "Succeeded", **states: str
) -> Endpoint:
    """An endpoint with ready deployments; `states` gives other states, by place: d0, d1, ..."""
    return Endpoint(
        name=READY.endpoint,
        state=state,
        traffic={traffic: 100} if traffic else {},
        deployments=tuple(
            Deployment(name, states.get(f"d{place}", "Succeeded"), "1")
            for place, name in enumerate(deployments)
        ),
    )


def sees(**changes: Any) -> Observed:
    return Observed(live_release=1, **changes)


def tried(phase: Phase) -> Release:
    """A release that was repaired as often as it may be."""
    return at(phase).replace(repairs=MAX_REPAIRS)


def endpoint_with(deployment: Deployment) -> Endpoint:
    return replace(endpoint(), deployments=(deployment,))


def weighed(release: Release, **against: Any) -> Release:
    """The release with its checks, as those of a first release or against another."""
    return release.replace(checks=verdict(release, against.pop("live", None), **against))


GUARDED = config_of("bot", "evaluation: {max_regression_percent: {eval_loss: 5}}\n")
BEFORE = at(Phase.LIVE).replace(number=0)
WORSE = at(Phase.EVALUATING, config=GUARDED, metrics=Metrics(values={"eval_loss": 2.0}))
TAGGED = config_of("bot", "endpoint: {tags: {team: ai}}\n")
CREATES_CLUSTER = config_of("bot", "compute: {cluster: {size: Standard_NC24ads_A100_v4}}\n")
SERVERLESS = config_of("bot", "compute: {name: serverless}\n")
LARGE = NEW.replace(data_job=DataJob(key="0123456789ab"))
THREE_SAMPLES = config_of("bot", "smoke_test: {samples: 3}\n")
LIMITED = config_of("bot", "training: {timeout_hours: 0.5}\n")
OVERRUN = at(Phase.TRAINING, config=LIMITED, overran=True)


def since(minutes: float, status: str = "Running", release: str = "1") -> Job:
    """A job that began to run so long ago."""
    began = NOW - timedelta(minutes=minutes)
    return Job(status, release, created=began, began=began)


def ran_over(more: str = "") -> actions.Fail:
    said = f"job {OVERRUN.job_name} ran for longer than training.timeout_hours (0.5)"
    return actions.Fail(f"{said}{more}")


def matches(action: Action, expected: object) -> bool:
    if isinstance(expected, Phase):
        return isinstance(action, actions.Advance) and action.phase == expected
    return isinstance(action, expected) if isinstance(expected, type) else action == expected


RUNNING = Observed(job=Job("Running", "1"))
RETRAIN = DESIRED.replace(
    config=config_of("bot", "training: {parameters: {num_train_epochs: 9}}\n")
)
RESIZE = DESIRED.replace(config=config_of("bot", "deployment: {instance_count: 3}\n"))
GONE = DESIRED.replace(config=None, source=None)
PROTECTED = config_of("bot", "deletion_protection: true\n")
RETAINED = config_of("bot", "on_removal: retain\n")
SUSPENDED = DESIRED.replace(config=config_of("bot", "suspend: true\n"))
BY_ORDER = {"suspended": "suspended by Ada"}
FINISHES = config_of("bot", "in_flight: finish\ntraining: {parameters: {num_train_epochs: 9}}\n")
