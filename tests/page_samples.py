"""Releases as they are seen on the page: one for each phase, written into the stores."""

import math
from datetime import UTC, datetime, timedelta

from tests.config_text import config_of
from tuneops import documents
from tuneops.actuals import actuals
from tuneops.analysis import DeploymentFigures, Limits, analyse
from tuneops.behaviour.progress import Comparison, Example
from tuneops.behaviour.progress import Progress as Behaviour
from tuneops.curves import Curve
from tuneops.desired import Desired, Source
from tuneops.estimates import Forecast, JobTimes, Span
from tuneops.evaluation.checks import judged
from tuneops.message import Delivery
from tuneops.notify.messages import tell
from tuneops.parameters import Origin, Parameter
from tuneops.prepared import PreparedData
from tuneops.project import Project, start_release
from tuneops.release import (
    Metrics,
    Phase,
    Point,
    Release,
    SampleAnswer,
    Smoke,
    TrainingPlan,
    Trouble,
    Waiting,
)
from tuneops.release_note import note_of
from tuneops.rollout.progress import Judgement
from tuneops.rollout.progress import Progress as Rollout
from tuneops.services import Services
from tuneops.training_progress import TrainingProgress

BEGAN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CANARY = "rollout: {strategy: canary, steps: [5, 25, 50], pause_minutes: 10}\n"
PHASES = (
    Phase.PREPARING,
    Phase.TRAINING,
    Phase.EVALUATING,
    Phase.REGISTERING,
    Phase.DEPLOYING,
    Phase.TESTING,
    Phase.SHIFTING,
    Phase.LIVE,
)
LASTS = dict(zip(PHASES, (2, 95, 1, 1, 12, 2, 36, 0), strict=True))
REASONS = {
    Phase.PREPARING: "the config is new at commit 4f2a91c0",
    Phase.TRAINING: "data, plan and cluster are ready",
    Phase.EVALUATING: "job completed",
    Phase.REGISTERING: "eval_loss 1.236 (7.7 % better than live 1.339)",
    Phase.DEPLOYING: "the model is registered",
    Phase.TESTING: "the deployment is ready",
    Phase.SHIFTING: "5% of the traffic to the new deployment",
    Phase.LIVE: "all traffic goes to the new deployment",
}
STUDIO = "https://ml.azure.com/runs/support-bot-0123456789ab"


def desired(name: str, commit: str = "4f2a91c0" * 5) -> Desired:
    """What git and an upload want."""
    source = Source(name=f"{name}/chats.jsonl", version="0x8DC3A1B2C3D4E5F", size=48_213_004)
    config = config_of(name, CANARY)
    return Desired(
        project=name, commit=commit, path=f"finetune/{name}.yaml", config=config, source=source
    )


def release(name: str, number: int, phase: Phase = Phase.LIVE) -> Release:
    """A release that came to this phase of those under way, with all that it has by then."""
    made = start_release(desired(name), Project(name=name, current=number - 1), "/w", BEGAN)
    found, now = made.replace(history=()), BEGAN + timedelta(days=number)
    for each in PHASES[: PHASES.index(phase) + 1]:
        found = found.replace(phase=each)
        links = {"job": STUDIO} if each == Phase.TRAINING else {}
        found = found.advance(each, now, REASONS[each], links)
        found = _with(found, each, now)
        now += timedelta(minutes=LASTS[each])
    return found.replace(actuals=actuals(found)) if phase == Phase.LIVE else found


def training(name: str, number: int) -> Release:
    """A release in the middle of its training."""
    made = release(name, number, Phase.TRAINING)
    now = datetime.now(UTC)
    losses = tuple((float(step), 1 + 2 * math.exp(-step / 200)) for step in range(20, 430, 10))
    progress = TrainingProgress(
        run="r",
        step=420,
        steps=1200,
        epoch=1.05,
        curves=(Curve(name="loss", points=losses),),
        began=now - timedelta(minutes=30),
        at=now,
        ends_at=now + timedelta(minutes=56),
    )
    waiting = Waiting(reason=f"job {made.job_name} is Running", since=now - timedelta(minutes=30))
    return made.replace(progress=progress, waiting=waiting)


def failed(name: str, number: int, reason: str) -> Release:
    """A release that failed in its training."""
    made = release(name, number, Phase.TRAINING)
    at = made.history[-1].at + timedelta(minutes=7)
    return tell(made.advance(Phase.FAILED, at, reason), "failed", reason, at)


def troubled(made: Release, message: str) -> Release:
    """A release that can't go on now."""
    return made.replace(trouble=Trouble(message=message, since=BEGAN, count=3))


def keep(services: Services, *releases: Release, live: int | None = None) -> None:
    """Write the releases of one project, and the project itself."""
    name = releases[0].project
    wanted = desired(name)
    services.store.update(documents.desired(name), Desired, lambda _: wanted)
    project = Project(name=name, current=releases[-1].number, live=live)
    services.store.update(documents.project(name), Project, lambda _: project)
    for each in releases:
        path = documents.release(name, each.number)
        services.store.write(path, each, etag=None, note=note_of(each).text())


def _with(made: Release, phase: Phase, now: datetime) -> Release:
    """The release with what it has once it is in the phase."""
    if phase == Phase.TRAINING:
        return _planned(made, now)
    if phase == Phase.EVALUATING:
        checks = (
            judged(
                "max_regression_percent", "eval_loss", good=True, text="eval_loss 1.236 is fine"
            ),
        )
        return made.replace(metrics=_metrics(made.number), checks=checks)
    if phase == Phase.SHIFTING:
        return _tested(made, now)
    if phase == Phase.LIVE:
        told = tell(made, "live", "endpoint support-bot-1a2b3c now answers with it", now)
        *before, last = told.outbox
        sent = last.replace(deliveries={"slack": Delivery(attempts=1, sent_at=now)})
        return told.replace(outbox=(*before, sent))
    return made


def _planned(made: Release, now: datetime) -> Release:
    inputs = {
        "num_train_epochs": Parameter(value=3, origin=Origin.CONFIG),
        "learning_rate": Parameter(value=2e-5 / made.number, origin=Origin.CONFIG),
        "lr_scheduler_type": Parameter(value="cosine", origin=Origin.DEFAULT),
    }
    plan = TrainingPlan(
        base_model="azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/13",
        component="azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.65",
        parameters=inputs,
        digest=f"{made.number:012x}",
        compute_size="Standard_NC24ads_A100_v4",
    )
    data = PreparedData(
        digest="9c1f0d2e7a41",
        folder=f"{made.project}/9c1f0d2e7a41",
        train_rows=18_204,
        test_rows=960,
        tokens=5_402_118,
        rejected_rows=37,
        duplicate_rows=212,
        cut_rows=14,
        cut_tokens=8_800,
    )
    forecast = Forecast(
        rows=18_204,
        tokens=16_206_354,
        steps=1200,
        seconds=Span(low=4200, likely=5600, high=7900),
        gpu_hours=Span(low=1.2, likely=1.6, high=2.2),
        price=3.67,
        cost=Span(low=4.3, likely=5.7, high=8.1),
        currency="USD",
        live_seconds=Span(low=6000, likely=8400, high=12_000),
        basis="3 earlier trainings on Standard_NC24ads_A100_v4",
    )
    return made.replace(training=plan, data=data, forecast=forecast)


def _metrics(number: int) -> Metrics:
    steps = range(10, 1201, 10)
    loss = tuple(
        Point(step=s, value=1 + 2 * math.exp(-s / 200) + 0.04 * math.sin(s)) for s in steps
    )
    held_out = tuple(
        Point(step=s, value=1.2 + 1.8 * math.exp(-s / 220)) for s in range(100, 1201, 100)
    )
    values = {
        "eval_loss": 1.34 - number / 100,
        "train_loss": 1.31,
        "loss": 1.01,
        "epoch": 3.0,
        "learning_rate": 0.0,
        "train_runtime": 5502.0,
        "rougeL": 0.41 + number / 100,
    }
    times = JobTimes(release=str(number), seconds=5700, loop_seconds=5502)
    return Metrics(values=values, curves={"loss": loss, "eval_loss": held_out}, times=times)


def _tested(made: Release, now: datetime) -> Release:
    answer = SampleAnswer(
        passed=True,
        status=200,
        seconds=1.8,
        at=now,
        question="How do I reset my password?",
        request="{}",
        answer="Open Settings, choose Security and then Reset password.\n\n  1. You get a mail.\n"
        "  2. Follow its link within an hour.",
    )
    compared = Comparison(
        name="faq",
        score="exact_match",
        version="v",
        required=True,
        verdict="pass",
        new=0.82,
        live=0.79,
    )
    worst = Example(
        row=3, question="Which plans are there?", expected="Free, Team", answer="Free", score=0.0
    )
    return made.replace(
        smoke=Smoke(answers=(answer,)),
        behaviour=Behaviour(sets=(), comparisons=(compared,), worst={"faq": (worst,)}),
        rollout=_rollout(made, now),
    )


def _rollout(made: Release, now: datetime) -> Rollout:
    done = []
    for place, share in enumerate((5, 25, 50)):
        since = now + timedelta(minutes=12 * place)
        new = DeploymentFigures(deployment="new", minutes=10, statuses={200: 400 * share // 5})
        live = DeploymentFigures(deployment="live", minutes=10, statuses={200: 9000, 500: 3})
        done.append(
            Judgement(
                share=share,
                since=since,
                until=since + timedelta(minutes=10),
                candidate=new,
                live=live,
                analysis=analyse(new, live, Limits()),
            )
        )
    return Rollout(step=3, done=tuple(done))
