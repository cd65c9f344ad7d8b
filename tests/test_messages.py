"""What people get, from a release's beginning to its end: the whole of each message, as text.

`tests/golden/messages.txt` has them to read. After a change of words it is written anew by
`TUNEOPS_WRITE_GOLDEN=1 pytest tests/test_messages.py`.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from tests.config_text import config_of
from tuneops import actions, healing
from tuneops.actuals import actuals
from tuneops.analysis import DeploymentFigures
from tuneops.behaviour.progress import Comparison
from tuneops.behaviour.progress import Progress as Behaviour
from tuneops.cause import brought
from tuneops.config import Event
from tuneops.desired import Desired, Source
from tuneops.difference import Answer, Difference, Part
from tuneops.estimates import Forecast, JobTimes, Span
from tuneops.evaluation.gate import verdict
from tuneops.message import Message
from tuneops.notify import endings, pins, turns
from tuneops.notify.channels import words
from tuneops.notify.following import GOES_ON
from tuneops.notify.links import linked, places
from tuneops.notify.messages import _SEVERITIES, _TITLES
from tuneops.notify.why import cause_of
from tuneops.orders import Orders, Pin, Retry
from tuneops.pinning import mark, pinned
from tuneops.prepared import PreparedData
from tuneops.project import Project, start_release
from tuneops.release import Metrics, Phase, Point, Release, SampleAnswer, TrainingPlan
from tuneops.rollout import approval_record, record
from tuneops.rollout.progress import Judgement, Progress
from tuneops.rollout.question import Said

GOLDEN = Path(__file__).parent / "golden" / "messages.txt"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PLACES = places("https://tuneops.example/", "https://api.github.com", "contoso/models")
STUDIO = "https://ml.azure.com"
COMMIT = "1a2b3c4d" * 5
CANARY = """\
rollout: {strategy: canary, approval: {before: [100]}}
evaluation: {max_regression_percent: {eval_loss: 5}}
"""
MERGE = "Merge pull request #12 from contoso/faq\n\nTrain on the new FAQ"


def wanted(number: int = 2, extra: str = CANARY, message: str = MERGE) -> Desired:
    return Desired(
        project="bot",
        commit=COMMIT,
        path="finetune/bot.yaml",
        config=config_of("bot", extra),
        source=Source(name=f"bot/2026-0{number}.jsonl", version=str(number), size=1),
        brought=brought(COMMIT, message, "ada"),
    )


def begun(
    desired: Desired,
    before: Release | None = None,
    orders: Orders | None = None,
    at: datetime = NOW,
) -> Release:
    project = Project(name="bot", current=before.number if before else None)
    made = start_release(desired, project, "/w", at)
    made = made.replace(cause=cause_of(desired, before, orders or Orders()))
    return turns.queued(made, at)


def trained(release: Release, loss: float, at: datetime, live: Release | None = None) -> Release:
    """Its data prepared, its job done, its metrics weighed."""
    digest = f"{release.number}123456789ab"
    data = PreparedData(digest=digest, folder="f", train_rows=4812, test_rows=512, tokens=900_000)
    model = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/13"
    plan = TrainingPlan(base_model=model, component="c", parameters={}, digest=digest)
    hours = Span(low=2.1 * 3600, likely=3.8 * 3600, high=7 * 3600)
    forecast = Forecast(
        seconds=hours,
        live_seconds=hours.plus(Span(low=900, likely=1800, high=5400)),
        cost=hours.times(3.9 / 3600),
        price=3.9,
        currency="EUR",
    )
    release = release.replace(data=data, training=plan, forecast=forecast)
    release = release.link(report="https://store.example/prepared/f/report.html")
    release = release.advance(Phase.TRAINING, at, "the plan is ready")
    job = f"{STUDIO}/runs/{release.job_name}"
    release = turns.submitted(release.link(job=job), at)
    done = at + 3 * HOUR
    release = release.advance(Phase.EVALUATING, done, "the job completed")
    course = tuple(Point(step=step, value=loss + 1 / (step + 1)) for step in range(0, 100, 10))
    values = {"eval_loss": loss, "train_loss": loss - 0.1}
    metrics = Metrics(values=values, curves={"loss": course}, times=JobTimes(seconds=9_900))
    release = release.replace(metrics=metrics)
    return turns.trained(release.replace(checks=verdict(release, live)), done)


def deployed(release: Release, at: datetime) -> Release:
    for phase in (Phase.REGISTERING, Phase.DEPLOYING, Phase.TESTING, Phase.SHIFTING):
        release = release.advance(phase, at, "it goes on")
    compared = Comparison(
        name="faq",
        score="exact_match",
        version="1",
        required=True,
        verdict="pass",
        new=0.84,
        live=0.79,
    )
    return release.replace(behaviour=Behaviour(sets=(), comparisons=(compared,)))


def live(release: Release, at: datetime, before: Release | None = None) -> Release:
    release = release.advance(Phase.LIVE, at, "all traffic goes to it")
    release = release.link(endpoint=f"{STUDIO}/endpoints/{release.endpoint}")
    release = release.replace(actuals=actuals(release))
    return endings.ended(release, before, release.reason, at)


def failed(release: Release, reason: str, at: datetime, before: Release | None) -> Release:
    return endings.ended(release.advance(Phase.FAILED, at, reason), before, reason, at)


def figures(name: str, ok: int, bad: int = 0) -> DeploymentFigures:
    return DeploymentFigures(
        deployment=name, minutes=10, statuses={200: ok, 500: bad} if bad else {200: ok}, p90_ms=820
    )


def judged(release: Release, old: str, at: datetime, bad: int = 0) -> Release:
    read = actions.ReadFigures(old, at - 10 * MINUTE, at)
    both = {
        release.deployment_name: figures(release.deployment_name, 310 - bad, bad),
        old: figures(old, 905),
    }
    return record.judged(release, read, both)


LIVE = live(deployed(trained(begun(wanted(1, "")), 1.53, NOW), NOW + 4 * HOUR), NOW + 5 * HOUR)
OLD = LIVE.deployment_name
DAY = NOW + timedelta(days=1)


def at_a_step() -> Release:
    """The second release at the first step of its canary."""
    release = deployed(trained(begun(wanted(), LIVE, at=DAY), 1.412, DAY, LIVE), DAY + 4 * HOUR)
    release = record.shared(release, actions.ShareTraffic(OLD, 5), DAY + 4 * HOUR)
    return record.begun(release, actions.BeginStep(OLD, 5), DAY + 4 * HOUR)


def canary() -> Release:
    """From queued to live, with the approval of a person and figures that do not tell at first."""
    now, release = DAY + 5 * HOUR, judged(at_a_step(), OLD, DAY + 5 * HOUR)
    release = record.held(release, actions.Hold("rollout: not clear after 70 min"), now)
    for _ in range(2):
        release = record.passed(judged(release, OLD, now))
    release = judged(release, OLD, now)
    release = approval_record.asked(release, actions.AskPeople(100, now + 24 * HOUR), now)
    question = release.approval
    assert question is not None
    said = Said(
        release=2, share=100, asked=question.asked, approves=True, by="grace", at=now + MINUTE
    )
    release = approval_record.answered(release, actions.TakeAnswer(said), now + MINUTE)
    return turns.superseded(
        live(record.passed(release), now + 2 * MINUTE, LIVE),
        f"{LIVE.endpoint}/{OLD}",
        now + HOUR,
    )


def aborted() -> Release:
    """A rollout whose new deployment fails requests."""
    now = DAY + 5 * HOUR
    release = judged(at_a_step(), OLD, now, bad=31)
    progress = release.rollout
    assert progress is not None
    assert isinstance(progress.judged, Judgement)
    reason = f"rollout: at 5% of the traffic: {', '.join(progress.judged.analysis.reasons)}"
    release = turns.aborted(record.aborted(release, actions.Abort(reason)), now)
    return failed(release, f"{reason}; all traffic is back on {OLD}", now + MINUTE, LIVE)


def worse() -> Release:
    """A model whose metrics are worse than the live one's."""
    release = trained(begun(wanted(), LIVE, at=DAY), 1.9, DAY, LIVE)
    (reason,) = [check.text for check in release.checks if check.outcome == "failed"]
    return failed(release, f"evaluation: {reason}", DAY + 3 * HOUR, LIVE)


def broken_data() -> Release:
    """Data that can't be read, of the first release there is; a secret stands in it."""
    reason = 'bot/2026-01.jsonl, line 3: no JSON: {"password": "hunter2hunter2", /home/ada/x.py'
    return failed(begun(wanted(1, "")), reason, NOW + MINUTE, None)


def unanswered() -> Release:
    """A container that does not answer, in a release that was tried again."""
    worse_one = worse()
    orders = Orders(retry=Retry(release=2, by="grace", at=DAY))
    release = trained(begun(wanted(), worse_one, orders, DAY), 1.4, DAY, LIVE)
    for phase in (Phase.REGISTERING, Phase.DEPLOYING, Phase.TESTING):
        release = release.advance(phase, DAY + 4 * HOUR, "it goes on")
    answer = SampleAnswer(
        passed=False, status=500, seconds=1.2, at=DAY, question="q", request="{}", answer=""
    )
    release = release.replace(smoke=release.smoke.add(answer).add(answer).add(answer))
    reason = "the smoke test failed: status 500: CUDA out of memory"
    return failed(release, reason, DAY + 5 * HOUR, LIVE)


def rollback() -> Iterator[Message]:
    """A pin to the first release, and its end once git agrees."""
    pin = Pin(id="p", release=1, by="ada", at=DAY, reason="answers in French")
    bad = canary()
    release = begun(pinned(wanted(), LIVE), bad, Orders(pin=pin), DAY + 6 * HOUR).adopt(LIVE)
    release = release.advance(Phase.REGISTERING, DAY + 6 * HOUR, "the model is adopted")
    release = pins.pinned(release, pin, mark(pin, wanted()), DAY + 6 * HOUR, COMMIT)
    for phase in (Phase.DEPLOYING, Phase.TESTING, Phase.SHIFTING):
        release = release.advance(phase, DAY + 6 * HOUR, "it goes on")
    release = live(release, DAY + 7 * HOUR, bad)
    agrees = f"finetune/bot.yaml at {COMMIT[:8]} agrees with release 3, which is live"
    release = pins.unpinned(release, pin, agrees, DAY + 8 * HOUR, COMMIT)
    yield from pins.live_again(release, pin, agrees, DAY + 8 * HOUR, COMMIT).outbox


def drift() -> Release:
    """What is live was changed by hand and is brought back; the registry has a newer model."""
    changed = (Difference(part=Part.TRAFFIC, what="traffic", found="none", wanted=OLD),)
    by = ("traffic by grace@contoso.com on 2026-03-02 14:02 UTC",)
    release = LIVE.replace(outbox=())
    noted = healing.note(release, actions.NoteDrift(changed, Answer.HEALING), by, DAY)
    over = healing.over(noted, DAY + MINUTE)
    stopped = healing.note(over, actions.NoteDrift(changed, Answer.STOPPED), (), DAY + HOUR)
    newer = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/14"
    found = turns.newer_base_model(stopped.replace(reported_base_model=newer), DAY + HOUR)
    waits = turns.held(
        found, "job bot-1 is Queued since 2026-03-03 09:00 UTC", DAY + HOUR, "1", GOES_ON
    )
    gone = waits.advance(Phase.RETIRED, DAY + 2 * HOUR, "the config was removed from git")
    return endings.ended(gone, None, gone.reason, DAY + 2 * HOUR)


STORIES = {
    "A first release": LIVE.outbox,
    "A canary that a person approves": canary().outbox,
    "A canary that fails requests": aborted().outbox[-2:],
    "A model that is worse": worse().outbox[-2:],
    "Data that can't be read": broken_data().outbox,
    "Tried again, and no answer": (unanswered().outbox[0], unanswered().outbox[-1]),
    "A pin": tuple(rollback()),
    "Drift, a long wait, and the end": drift().outbox,
}


def body(message: Message) -> str:
    """What all channels show below the title."""
    named = (*words.facts(message), *words.links(message))
    return "\n".join([words.clean(message.text), *(f"{name}: {text}" for name, text in named)])


def rendered() -> str:
    told = []
    for story, messages in STORIES.items():
        told.append(f"{'=' * 80}\n{story}\n{'=' * 80}\n")
        for each in messages:
            only = f" (for {each.only} alone)" if each.only else ""
            head = f"[{each.severity}] {each.title}{only}"
            told.append(f"{head}\n{body(linked(each, PLACES))}\n")
    return "\n".join(told)


def test_people_get_just_these_messages() -> None:
    if os.environ.get("TUNEOPS_WRITE_GOLDEN"):
        GOLDEN.write_text(rendered())
    assert rendered() == GOLDEN.read_text()


ALL = [message for messages in STORIES.values() for message in messages]
OTHERS = {"suspended", "resumed"}


def test_every_event_has_a_title_and_a_story() -> None:
    assert set(_TITLES) == set(get_args(Event))
    assert set(_SEVERITIES) <= set(get_args(Event))
    assert {each.event for each in ALL} >= set(get_args(Event)) - OTHERS


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.key)
def test_every_message_says_why_and_holds_no_secret(message: Message) -> None:
    assert message.why
    assert message.model
    assert (message.project, message.release is None) == ("bot", False)
    text = message.model_dump_json()
    assert "hunter2" not in text
    assert "/home/" not in text


def test_the_courses_of_the_losses_go_with_what_has_them() -> None:
    drawn = {each.event: [curve.name for curve in each.curves] for each in canary().outbox}
    assert drawn["queued"] == drawn["shifting"] == []
    assert drawn["trained"] == drawn["live"] == ["loss"]


def test_a_rollout_that_has_no_traffic_yet_is_told_of_at_its_end_alone() -> None:
    waits = canary().replace(outbox=(), rollout=Progress(aborted="100% was rejected by grace"))
    assert turns.aborted(waits, NOW).outbox == ()
    assert turns.aborted(waits.replace(rollout=Progress(aborted="no", shifts=1)), NOW).outbox


def test_each_turn_is_told_once() -> None:
    for messages in STORIES.values():
        keys = [message.key for message in messages]
        assert len(keys) == len(set(keys))
    for told_twice in (turns.queued, turns.submitted, turns.trained):
        assert told_twice(canary(), NOW).outbox == canary().outbox
