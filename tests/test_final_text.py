"""What a release took, and the comment that says so: foreign text has no meaning in it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planned import NOW, come_to, desired, release
from tests.test_forecast import A100, PRICES, plan
from tuneops.actuals import NOT_BEGUN, NOT_ENDED, NOT_TOLD, actuals
from tuneops.estimates import JobTimes
from tuneops.forecast import forecast
from tuneops.gitops.final_text import MARK, MAX_COMMENT, comment, section
from tuneops.gitops.pulls import Pull, merged_by
from tuneops.project import MAX_TRAININGS, Project, start_release
from tuneops.release import Metrics, Phase, Point, Release, SampleAnswer, Smoke

ORDER = (
    Phase.TRAINING,
    Phase.EVALUATING,
    Phase.REGISTERING,
    Phase.DEPLOYING,
    Phase.TESTING,
    Phase.SHIFTING,
    Phase.LIVE,
)
TRAINED = Metrics(
    values={"eval_loss": 1.25, "epoch": 2.0},
    curves={"loss": (Point(step=1, value=2), Point(step=40, value=1))},
    times=JobTimes(release="1", seconds=1800, loop_seconds=1500),
)


def until(end: Phase, metrics: Metrics | None = TRAINED, **given: Any) -> Release:
    """A release that was ten minutes in each phase until it came to this end."""
    made = release()
    assert made.data is not None
    data = made.data.replace(tokens=1000)
    made = made.replace(training=plan(num_train_epochs=3, **given), data=data, metrics=metrics)
    made = made.replace(forecast=forecast(made.plan, data, prices=PRICES))
    at = NOW
    for phase in ORDER:
        at += timedelta(minutes=10)
        if phase == end:
            return come_to(made, end, at, "all traffic goes to d-1")
        made = made.advance(phase, at, "next")
    return come_to(made, end, at, "it was not good enough")


def test_a_training_is_counted_by_its_nodes_and_the_price_of_the_forecast() -> None:
    came = actuals(until(Phase.LIVE, nodes=2))
    assert (came.rows, came.tokens, came.steps) == (20, 2000, 40)
    assert (came.seconds, came.gpu_hours) == (1800, 1.0)
    assert (came.price, came.cost, came.currency) == (3.67, 3.67, "USD")
    assert came.live_seconds == 4200
    assert set(came.phases.values()) == {600}
    assert came.measured is not None
    assert came.measured.around_seconds == 2400
    assert came.measured.loop_seconds == 1500
    assert came.measured.kind.size == A100.lower()


@pytest.mark.parametrize(
    ("made", "seconds", "note"),
    [
        pytest.param(
            until(Phase.LIVE, TRAINED.replace(times=JobTimes(release="7", seconds=60))),
            0,
            "no training: job bot-d of release 7 was there already",
            id="adopted",
        ),
        pytest.param(
            until(Phase.LIVE, TRAINED.replace(times=JobTimes(release="1"))),
            None,
            NOT_TOLD,
            id="without-times",
        ),
        pytest.param(until(Phase.FAILED, None), None, NOT_ENDED, id="no-metrics"),
        pytest.param(
            release().advance(Phase.FAILED, NOW, "no data"), 0, NOT_BEGUN, id="never-trained"
        ),
    ],
)
def test_what_is_not_counted_says_why(made: Release, seconds: float | None, note: str) -> None:
    came = actuals(made)
    assert (came.seconds, came.note, came.cost) == (seconds, note, None)


def test_a_job_that_failed_has_its_cost_and_foretells_nothing() -> None:
    made = until(Phase.TRAINING, None).advance(Phase.FAILED, NOW + timedelta(hours=1), "no memory")
    came = actuals(made.replace(metrics=TRAINED.replace(values={})))
    assert (came.seconds, came.cost, came.tokens) == (1800, 3.67 / 2, None)
    assert (came.note, came.measured) == (NOT_ENDED, None)


def test_what_a_release_took_does_not_grow_after_its_first_end() -> None:
    live = until(Phase.LIVE)
    later = live.advance(Phase.DEPLOYING, NOW + timedelta(days=9), "has gone")
    later = come_to(later, Phase.LIVE, NOW + timedelta(days=10), "again")
    assert actuals(later) == actuals(live)


def test_a_project_remembers_its_last_trainings_once_each() -> None:
    live = until(Phase.LIVE)
    live = live.replace(actuals=actuals(live))
    project = Project(name="bot").remember(live).remember(live)
    assert len(project.trainings) == 1
    for number in range(20):
        again = live.replace(training=plan().replace(digest=f"d{number}"))
        project = project.remember(again.replace(actuals=actuals(again)))
    assert len(project.trainings) == MAX_TRAININGS
    assert project.trainings[-1].job == "bot-d19"
    started = start_release(desired(), project, "/w", NOW)
    assert started.trainings == project.trainings


@pytest.mark.parametrize(
    ("end", "forbidden", "answers"),
    [
        (Phase.LIVE, False, False),
        (Phase.FAILED, False, False),
        (Phase.FAILED, True, True),
        (Phase.SUPERSEDED, False, True),
    ],
)
def test_new_data_alone_is_no_answer_to_a_change(
    end: Phase, forbidden: bool, answers: bool
) -> None:
    first = release()
    assert first.answers_change
    ended = come_to(first, end, NOW).replace(forbidden=forbidden)
    project = Project(name="bot").remember(ended)
    assert start_release(desired(), project, "/w", NOW).answers_change is answers
    changed = desired().replace(commit="1" * 40)
    assert start_release(changed, project, "/w", NOW).answers_change


def test_a_section_says_what_came_beside_what_was_foretold() -> None:
    live = until(Phase.LIVE)
    live = live.link(endpoint="https://studio/endpoint", job="https://studio/job?wsid=/a&b=1")
    live = live.replace(actuals=actuals(live), smoke=Smoke(answers=(answer("1?", "1."),)))
    before = live.replace(number=4, metrics=Metrics(values={"eval_loss": 1.5}))
    text = section(live.replace(number=5), before)
    for said in (
        "#### `bot`: release 5 is live",
        "`all traffic goes to d-1`",
        "| metric | value | change against release 4 |",
        "| `eval_loss` | 1.25 | -0.25 |",
        "Smoke test (passed, 0.5 s):",
        "- question `1?`",
        "- answer `1.`",
        "| GPU hours | 0.05 to 0.33, likely 0.13 | 0.5 |",
        "| time to Live | 18 to 110 min, likely 38 | 70 min |",
        "Times: Preparing 10 min, Training 10 min",
        "Links: [job](https://studio/job?wsid=/a&b=1), [endpoint](https://studio/endpoint)",
    ):
        assert said in text


def answer(question: str, said: str, *failures: str) -> SampleAnswer:
    return SampleAnswer(
        passed=not failures,
        status=200,
        seconds=0.5,
        at=NOW,
        question=question,
        request="",
        answer=said,
        failures=failures,
    )


@given(st.text(max_size=800), st.text(max_size=800), st.text(max_size=400), st.text(max_size=60))
def test_foreign_text_stays_in_code(said: str, reason: str, url: str, metric: str) -> None:
    bad = f"{said} `<img src=x> [a](http://b) @octocat | <!-- {MARK} ghp_{'x' * 36}"
    failed = until(Phase.FAILED, Metrics(values={metric: 1.0}))
    failed = failed.advance(Phase.FAILED, NOW, reason + bad).link(job=url, report="javascript:x")
    failed = failed.replace(smoke=Smoke(failed=answer(bad, bad, bad)))
    text = section(failed.replace(actuals=actuals(failed)), None)
    outside = re.sub(r"`[^`\n]*`", "", re.sub(r"\]\(https?://[^()\s<>@`]*\)", "", text))
    assert not re.search(r"[<>@`]|https?://|javascript|ghp_", outside)
    assert "ghp_x" not in text


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30_000), max_size=9))
def test_a_comment_is_never_too_long(sections: dict[str, str]) -> None:
    text = comment(sections)
    assert text.startswith(MARK)
    assert len(text) <= 65_536
    assert MAX_COMMENT < 65_536


def pull(number: int, merge: str, **changes: Any) -> Pull:
    given = {"number": number, "base": {"ref": "main"}, "merge_commit_sha": merge}
    return Pull.model_validate({**given, "merged_at": f"2026-01-0{number}T00:00:00Z", **changes})


@pytest.mark.parametrize(
    ("pulls", "number"),
    [
        pytest.param([], None, id="none"),
        pytest.param([pull(1, "c", merged_at=None)], None, id="open"),
        pytest.param([pull(1, "c", base={"ref": "dev"})], None, id="to-another-branch"),
        pytest.param([pull(1, "x"), pull(2, "c")], 2, id="merged-as-it"),
        pytest.param([pull(2, "x"), pull(1, "y")], 1, id="first-that-has-it"),
    ],
)
def test_the_pull_request_of_a_commit(pulls: list[Pull], number: int | None) -> None:
    assert merged_by(pulls, "c", "main") == number
