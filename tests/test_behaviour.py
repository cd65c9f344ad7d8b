"""The behaviour gate: its verdicts and decisions, what is kept of it, and what people read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.config_text import config_of
from tests.deciding import ANSWER, DESIRED, NAME, NOW, OLD, READY, at, endpoint
from tests.planned import come_to
from tests.test_rollout import LATE, judged
from tuneops import actions
from tuneops.analysis import Verdict
from tuneops.behaviour import answers, record, text
from tuneops.behaviour.answers import Answer
from tuneops.behaviour.comparison import compare, verdict_of, vouches
from tuneops.behaviour.progress import MAX_UNANSWERED, Asked, Progress, Side
from tuneops.behaviour.settings import Behaviour, Score
from tuneops.decide import decide
from tuneops.gitops.final_text import section
from tuneops.observed import Observed
from tuneops.project import Project
from tuneops.release import Phase, Release, Smoke, Trouble
from tuneops.rollout.progress import Progress as Rollout
from tuneops.section_file import InvalidConfigError
from tuneops.status import _why

LIMITED = settings(max_examples=60, deadline=None)


# Verdicts


def answered(
    new: list[float | None],
    live: list[float | None] | None = None,
    rows: int = 0,
    kind: Score = "exact_match",
    name: str = "answers",
) -> Asked:
    return Asked(
        name=name,
        score=kind,
        version="v",
        path="p",
        rows=rows or len(new),
        of=rows or len(new),
        compared=live is not None,
        new=Side(scores=tuple(new), failure="status 424"),
        live=Side(scores=tuple(live or ()), failure="status 503"),
    )


def wants(**more: Any) -> Behaviour:
    """One set with these settings, those of the whole section by their own names."""
    whole = {name: more.pop(name) for name in ("min_rows", "on_inconclusive") if name in more}
    return Behaviour.model_validate(
        {"sets": [{"name": "answers", "path": "b/a.jsonl", **more}], **whole}
    )


def right(good: int, of: int) -> list[float | None]:
    return [1.0] * good + [0.0] * (of - good)


@pytest.mark.parametrize(
    ("asked", "wanted", "verdict", "said"),
    [
        pytest.param(answered(right(30, 50)), {}, "pass", "50 of 50 questions", id="no-limit"),
        pytest.param(
            answered(right(9, 10)),
            {},
            "inconclusive",
            "10 of 10 questions were asked, fewer",
            id="few",
        ),
        pytest.param(
            answered(right(80, 100)), {"min_score": 0.8}, "pass", "0.8 is at least 0.8", id="enough"
        ),
        pytest.param(
            answered(right(78, 100)),
            {"min_score": 0.8},
            "inconclusive",
            "0.78 is below 0.8, which may be chance",
            id="below-by-chance",
        ),
        pytest.param(
            answered(right(60, 100)), {"min_score": 0.8}, "fail", "0.6 is below 0.8", id="below"
        ),
        pytest.param(
            answered(right(49, 50)),
            {"min_score": 1},
            "fail",
            "0.98 is below 1",
            id="none-may-be-wrong",
        ),
        pytest.param(
            answered([*right(48, 48), None, None]),
            {"min_score": 0.99},
            "inconclusive",
            "0.96 is below 0.99, which may be chance",
            id="no-answer-is-wrong",
        ),
        pytest.param(
            answered([*right(50, 50), *[None] * MAX_UNANSWERED], rows=100),
            {},
            "fail",
            "5 questions got no answer (status 424)",
            id="silent",
        ),
        pytest.param(
            answered(right(45, 50), right(45, 50)), {}, "pass", "+0 against the live", id="as-good"
        ),
        pytest.param(
            answered(right(43, 50), right(45, 50)), {}, "pass", "-0.04 against", id="little-worse"
        ),
        pytest.param(
            answered(right(42, 50), right(45, 50)),
            {},
            "inconclusive",
            "0.06 below the live deployment, 0.05 may be, which may be chance",
            id="worse-by-chance",
        ),
        pytest.param(
            answered(right(35, 50), right(45, 50)),
            {},
            "fail",
            "0.2 below the live deployment, 0.05 may be",
            id="worse",
        ),
        pytest.param(
            answered(right(35, 50), right(45, 50)), {"max_drop": 0.2}, "pass", "-0.2", id="may-be"
        ),
        pytest.param(
            answered(right(40, 50), [*[None] * 4, *right(36, 46)]),
            {},
            "pass",
            "+0 against",
            id="what-live-did-not-answer",
        ),
        pytest.param(
            answered(right(50, 50), right(9, 10), rows=50),
            {},
            "inconclusive",
            "10 answers can be compared with the live ones, fewer than 20",
            id="few-to-compare",
        ),
        pytest.param(
            answered(right(50, 50), [None] * MAX_UNANSWERED),
            {},
            "pass",
            "the live deployment answers nothing to compare with (status 503)",
            id="live-is-broken",
        ),
        pytest.param(
            answered(right(50, 50), [*right(9, 10), *[None] * MAX_UNANSWERED]),
            {},
            "inconclusive",
            "10 answers can be compared",
            id="live-breaks-down",
        ),
        pytest.param(
            answered([0.3] * 50, [0.9] * 50, kind="rouge_l"), {}, "fail", "0.6 below", id="rouge"
        ),
        pytest.param(
            answered([0.5] * 50, [0.6, 0.5] * 25, kind="rouge_l"),
            {},
            "pass",
            "-0.05",
            id="edge",
        ),
        pytest.param(
            answered([0.2] * 3 + [0.7] * 17, [0.9] * 3 + [0.6] * 17, kind="rouge_l"),
            {"max_drop": 0.01},
            "inconclusive",
            "which may be chance",
            id="rouge-by-chance",
        ),
        pytest.param(
            answered([0.5] * 100, kind="rouge_l"),
            {"min_score": 0.8},
            "fail",
            "0.5 is",
            id="rouge-min",
        ),
    ],
)
def test_verdicts(asked: Asked, wanted: dict[str, Any], verdict: Verdict, said: str) -> None:
    (found,) = compare(Progress(sets=(asked,), against=""), wants(**wanted))
    assert found.verdict == verdict
    assert any(said in reason for reason in found.reasons), found.reasons


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60),
    st.floats(0, 1),
    st.floats(0, 1),
)
@LIMITED
def test_a_mean_that_keeps_to_its_limits_never_fails(
    pairs: list[tuple[float, float]], least: float, allowed: float
) -> None:
    new, live = zip(*pairs, strict=True)
    asked = answered(list(new), list(live), kind="rouge_l")
    wanted = wants(min_score=least, max_drop=allowed, min_rows=1)
    (found,) = compare(Progress(sets=(asked,), against=OLD), wanted)
    assert found.new is not None
    assert found.live is not None
    keeps = found.new >= least - 1e-9 and found.live - found.new <= allowed + 1e-9
    assert (found.verdict == "pass") == keeps


# Decisions

SETS = """
behaviour:
  sets:
    - {name: answers, path: sets/answers.jsonl, min_score: 0.8}
    - {name: base ability, path: sets/general.jsonl, score: rouge_l, required: false}
"""
CONFIG = config_of("bot", SETS)
WANTED = DESIRED.replace(config=CONFIG)
SMOKED = at(Phase.TESTING, config=CONFIG, smoke=Smoke(answers=(ANSWER,)))
BESIDE = Observed(endpoint=endpoint(OLD, NAME, traffic=OLD), live_release=0)
ALONE = Observed(endpoint=endpoint(NAME), live_release=None)
GENERAL = answered([0.5] * 50, [0.5] * 50, kind="rouge_l", name="base ability")


def with_sets(first: Asked, second: Asked = GENERAL, **more: Any) -> Release:
    return SMOKED.replace(behaviour=Progress(sets=(first, second), **{"against": OLD, **more}))


def kept(release: Release) -> Release:
    """The release once what its sets say was kept."""
    assert release.behaviour is not None
    comparisons = compare(release.behaviour, release.config.behaviour)
    return release.replace(behaviour=release.behaviour.replace(comparisons=comparisons))


GOOD = with_sets(answered(right(45, 50), right(44, 50)))
HALF = with_sets(answered(right(20, 20), right(10, 10), rows=50))
BAD = with_sets(answered(right(20, 50), right(44, 50)))
DOUBTFUL = with_sets(answered(right(38, 50), right(38, 50)))
PAUSED = Side(scores=(1.0,), attempts=1, not_before=NOW + timedelta(seconds=4))
CONTINUES = config_of("bot", SETS + "  on_inconclusive: continue\n")
UNREAD = SMOKED.replace(phase=Phase.PREPARING)

TRANSITIONS = [
    pytest.param(UNREAD, Observed(), actions.ReadSets(), id="read-before-training"),
    pytest.param(
        UNREAD.replace(training=None), Observed(), actions.PlanTraining(), id="not-planned-yet"
    ),
    pytest.param(SMOKED, BESIDE, actions.ReadSets(), id="not-read"),
    pytest.param(with_sets(GENERAL, against=None), BESIDE, actions.BeginSets(OLD), id="begin"),
    pytest.param(with_sets(GENERAL, against=None), ALONE, actions.BeginSets(""), id="first"),
    pytest.param(HALF, BESIDE, actions.AskSets(), id="half"),
    pytest.param(HALF, ALONE, actions.BeginSets(""), id="live-has-gone"),
    pytest.param(
        with_sets(GOOD.behaviour.sets[0], answered([], [], rows=9)),
        BESIDE,
        actions.AskSets(),
        id="the-second-set",
    ),
    pytest.param(
        HALF.replace(behaviour=HALF.behaviour.replace(requests=1_000)),
        BESIDE,
        actions.KeepComparisons,
        id="budget-is-used-up",
    ),
    pytest.param(
        with_sets(answered([], [], rows=50).replace(new=PAUSED, live=PAUSED)),
        BESIDE,
        actions.Wait("answers: a question is asked again", 4),
        id="both-are-left-alone",
    ),
    pytest.param(
        with_sets(answered([], [], rows=50).replace(live=PAUSED)),
        BESIDE,
        actions.AskSets(),
        id="one-is-left-alone",
    ),
    pytest.param(GOOD, BESIDE, actions.KeepComparisons, id="all-answered"),
    pytest.param(kept(GOOD), BESIDE, Phase.SHIFTING, id="good"),
    pytest.param(kept(BAD), BESIDE, actions.Fail, id="bad"),
    pytest.param(kept(DOUBTFUL), BESIDE, actions.Fail, id="doubtful"),
    pytest.param(
        kept(DOUBTFUL.replace(config=CONTINUES)), BESIDE, Phase.SHIFTING, id="doubtful-may-go-on"
    ),
    pytest.param(kept(BAD.replace(config=CONTINUES)), BESIDE, actions.Fail, id="bad-may-not"),
    pytest.param(
        kept(with_sets(GOOD.behaviour.sets[0], answered([0.1] * 50, [0.9] * 50, kind="rouge_l"))),
        BESIDE,
        Phase.SHIFTING,
        id="not-required",
    ),
    pytest.param(
        with_sets(answered([None] * MAX_UNANSWERED, [], rows=50)),
        BESIDE,
        actions.KeepComparisons,
        id="silent-is-asked-no-more",
    ),
    pytest.param(SMOKED.replace(adopts=1), BESIDE, Phase.SHIFTING, id="pin"),
    pytest.param(SMOKED, replace(BESIDE, served=True), Phase.SHIFTING, id="a-way-back"),
    pytest.param(
        come_to(come_to(SMOKED, Phase.LIVE, NOW, ""), Phase.TESTING, NOW, ""),
        BESIDE,
        Phase.SHIFTING,
        id="it-was-live-and-had-gone",
    ),
    pytest.param(
        SMOKED.replace(smoke=Smoke()), BESIDE, actions.RunSmokeTest(), id="smoke-test-first"
    ),
]


@pytest.mark.parametrize(("release", "observed", "expected"), TRANSITIONS)
def test_decisions(release: Release, observed: Observed, expected: Any) -> None:
    wanted = WANTED.replace(config=release.config, adopts=release.adopts)
    release = release.replace(fingerprint=wanted.fingerprint)
    found = decide(wanted, release, observed, NOW)
    if isinstance(expected, Phase):
        assert isinstance(found, actions.Advance)
        assert found.phase == expected
    elif isinstance(expected, type):
        assert isinstance(found, expected), found
    else:
        assert found == expected


def test_a_failure_has_the_figures_of_both() -> None:
    found = decide(WANTED, kept(BAD).replace(fingerprint=WANTED.fingerprint), BESIDE, NOW)
    assert found == actions.Fail(
        "behaviour: answers: exact match 0.4 (live 0.88), fail: 0.4 is below 0.8, 0.48 below the "
        "live deployment, 0.05 may be"
    )


@pytest.mark.parametrize(
    ("release", "live", "requests", "goes_on"),
    [
        pytest.param(kept(GOOD), OLD, 3, True, id="passed"),
        pytest.param(kept(GOOD), "another", 3, False, id="against-another"),
        pytest.param(GOOD, OLD, 3, False, id="not-compared"),
        pytest.param(kept(DOUBTFUL), OLD, 3, False, id="inconclusive"),
        pytest.param(
            kept(with_sets(answered(right(50, 50)), answered([0.5] * 50, kind="rouge_l"))),
            OLD,
            3,
            False,
            id="alone",
        ),
    ],
)
def test_thin_traffic_goes_by_the_sets(
    release: Release, live: str, requests: int, goes_on: bool
) -> None:
    extra = "rollout: {strategy: canary, on_insufficient_traffic: behaviour}\n"
    config = config_of("bot", SETS + extra)
    wanted = WANTED.replace(config=config)
    release = release.replace(config=config, fingerprint=wanted.fingerprint)
    release = come_to(release, Phase.SHIFTING, NOW, "").replace(
        behaviour=release.behaviour.replace(against=live) if release.behaviour else None
    )
    release = record_of_canary(release, requests)
    seen = Observed(
        endpoint=replace(endpoint(OLD, NAME), traffic={OLD: 95, NAME: 5}), live_release=0
    )
    found = decide(wanted, release, seen, LATE)
    assert isinstance(found, actions.NextStep if goes_on else actions.Hold)
    failing = judged(release, LATE, ok=30, failed=1)
    assert isinstance(decide(wanted, failing, seen, LATE), actions.Hold)


def record_of_canary(release: Release, requests: int) -> Release:
    return judged(release.replace(rollout=Rollout(since=NOW, shifts=1)), LATE, ok=requests)


# What is kept and told


def test_known_answers_of_the_live_deployment_are_not_asked_again() -> None:
    read = with_sets(answered([], [], rows=50), answered([], [], rows=50, kind="rouge_l"))
    live = kept(GOOD).replace(number=7)
    assert live.behaviour is not None
    begun = record.begun(read, NAME, live).behaviour
    assert begun is not None
    assert begun.against == NAME
    first, second = begun.sets
    assert (first.reused, first.live.scores) == (7, live.behaviour.sets[0].new.scores)
    assert (second.reused, second.live.scores) == (7, (0.5,) * 50)
    assert first.open == ("new",)
    others = [
        live.replace(config=config_of("bot", SETS + "  max_new_tokens: 9\n")),
        live.replace(behaviour=live.behaviour.with_set(0, GENERAL)),
        live.replace(behaviour=live.behaviour.with_set(0, answered([None, *right(49, 49)]))),
        live.replace(behaviour=live.behaviour.with_set(0, answered(right(9, 10)))),
        live.replace(behaviour=None),
        None,
    ]
    for other in others:
        again = record.begun(read, NAME, other).behaviour
        assert again is not None
        assert again.sets[0].reused is None
        assert again.sets[0].open == ("new", "live")
    other_deployment = record.begun(read, OLD, live).behaviour
    assert other_deployment is not None
    assert other_deployment.sets[0].reused is None


def test_beginning_again_keeps_the_count_of_requests() -> None:
    used = HALF.replace(behaviour=HALF.behaviour.replace(requests=31))
    begun = record.begun(used, "", None).behaviour
    assert begun is not None
    assert (begun.against, begun.requests) == ("", 31)
    assert [each.open for each in begun.sets] == [("new",), ("new",)]


def test_what_is_deployed_again_is_asked_again_unless_it_was_live() -> None:
    again = come_to(kept(GOOD), Phase.DEPLOYING, NOW, "it has gone").behaviour
    assert again is not None
    assert (again.against, again.comparisons, again.requests) == (None, (), 0)
    live = come_to(kept(GOOD), Phase.LIVE, NOW, "")
    assert come_to(live, Phase.DEPLOYING, NOW, "it has gone").behaviour == live.behaviour


def test_a_project_remembers_what_was_live() -> None:
    project = Project(name="bot").promote(READY, NOW).promote(READY, NOW)
    assert project.served == (READY.plan.digest,)
    assert project.live == READY.number
    assert project.live_deployment == f"{READY.endpoint}/{NAME}"


def test_what_people_read() -> None:
    assert text.told(kept(GOOD).behaviour) == (
        "answers: exact match 0.9 (live 0.88); base ability: ROUGE-L 0.5 (live 0.5)"
    )
    assert text.told(None) == text.told(GOOD.behaviour) == text.standing(GOOD.behaviour) == ""
    assert text.standing(HALF.behaviour) == (
        f"answers: asked 10 of 50 questions of the new deployment and of {OLD}, which is live"
    )
    alone = with_sets(answered(right(20, 20), rows=50), against="")
    assert text.standing(alone.behaviour) == (
        "answers: asked 20 of 50 questions of the new deployment"
    )
    assert verdict_of(kept(BAD).behaviour.comparisons) == "fail"
    assert vouches(kept(GOOD).behaviour, OLD)


def test_the_final_comment_and_the_status_have_the_scores() -> None:
    live = kept(GOOD).link(**{"answers of answers": "https://a.example/1-answers.jsonl"})
    said = section(come_to(live, Phase.LIVE, NOW, "all traffic goes to it"), None)
    assert "| `answers` | exact match 0.9 (live 0.88) | pass |" in said
    assert "Links: [answers of answers](https://a.example/1-answers.jsonl)" in said
    half = live.replace(behaviour=HALF.behaviour)
    assert _why(half, "").startswith("answers: asked 10 of 50 questions")
    held = half.replace(trouble=Trouble(message="too many requests", since=NOW, count=1))
    assert _why(held, "") == "too many requests"


def test_the_worst_answers_first() -> None:
    def said(row: int, deployment: str, value: float | None) -> Answer:
        return Answer(
            row=row,
            deployment=deployment,
            question="q" * 999,
            expected="e",
            answer="a",
            score=value,
            status=200,
            seconds=1,
        )

    found = [said(row, NAME, value) for row, value in enumerate([1, 0, 0.5, None, 0.2], start=1)]
    found += [said(row, OLD, value) for row, value in enumerate([1, 0, 1, 1], start=1)]
    worst = answers.worst(found, NAME)
    assert [(each.row, each.score, each.live_score) for each in worst] == [
        (4, 0, 1),
        (3, 0.5, 1),
        (2, 0, 0),
    ]
    assert len(worst[0].question) == 300


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("behaviour: {sets: [{name: a1, path: bot/a.jsonl}]}", "lies in data.path"),
        ("behaviour: {sets: [{name: a1, path: bot/x/a.jsonl}]}", "lies in data.path"),
        ("rollout: {on_insufficient_traffic: behaviour}", "give behaviour.sets"),
    ],
)
def test_what_a_config_may_not_say(extra: str, said: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        config_of("bot", extra)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given_set", "said"),
    [
        ({"path": "../a.jsonl"}, "match pattern"),
        ({"path": "/a.jsonl"}, "match pattern"),
        ({"path": "sets/a.csv"}, "match pattern"),
        ({"name": "a/b"}, "match pattern"),
        ({"max_drop": 5}, "less than or equal to 1"),
        ({"min_score": True}, "valid number"),
        ({"min_score": float("nan")}, "finite number"),
        ({"score": "bleu"}, "'exact_match', 'rouge_l' or 'regex'"),
        ({"max_rows": 501}, "less than or equal to 500"),
    ],
)
def test_what_a_set_may_not_say(given_set: dict[str, Any], said: str) -> None:
    good = {"name": "answers", "path": "sets/a.jsonl"}
    assert Behaviour.model_validate({"sets": [good]}).sets[0].max_drop == 0.05
    with pytest.raises(ValidationError, match=said):
        Behaviour.model_validate({"sets": [{**good, **given_set}]})
    with pytest.raises(ValidationError, match="two sets have the name 'answers'"):
        Behaviour.model_validate({"sets": [good, good]})
