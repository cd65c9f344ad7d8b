"""The gate before a model is registered: what stops a model, what does not, and what is said."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config_text import config_of
from tuneops.config_file import InvalidConfigError
from tuneops.desired import Desired, Source
from tuneops.evaluation.checks import Check, Outcome, failures
from tuneops.evaluation.directions import greater_is_better
from tuneops.evaluation.gate import missing, passed, verdict
from tuneops.notify.figures import against_live
from tuneops.prepared import PreparedData
from tuneops.project import Project, start_release
from tuneops.release import Metrics, Phase, Point, Release

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOUND = "max_regression_percent"
UNREPORTED = "was not reported, as when it is NaN"
DATA = PreparedData(digest="d1", folder="f", train_rows=9, test_rows=1)
BOUNDED = {BOUND: {"eval_loss": 5, "rougeL": 10}}


def trained(
    number: int,
    values: dict[str, float],
    evaluation: dict[str, Any] | None = None,
    curves: dict[str, list[float]] | None = None,
    not_finite: tuple[str, ...] = (),
) -> Release:
    """A release whose metrics were read."""
    config = config_of("bot", f"evaluation: {json.dumps(evaluation or {})}\n")
    source = Source(name="bot/a.jsonl", version="1", size=1)
    desired = Desired(project="bot", commit="c", path="p", config=config, source=source)
    courses = {
        name: tuple(Point(step=step, value=value) for step, value in enumerate(course))
        for name, course in (curves or {}).items()
    }
    metrics = Metrics(values=values, curves=courses, not_finite=not_finite)
    made = start_release(desired, Project(name="bot", current=number - 1), "/w", NOW)
    return made.replace(phase=Phase.EVALUATING, metrics=metrics, data=DATA)


LIVE = trained(3, {"eval_loss": 1.0, "rougeL": 0.5}).replace(phase=Phase.LIVE)


def against(release: Release, live: Release | None = None, **options: bool) -> list[str]:
    return failures(verdict(release, live, **options))


def one(release: Release, name: str, live: Release | None = None, **options: bool) -> Check:
    """The first check of that name."""
    return next(check for check in verdict(release, live, **options) if check.name == name)


@pytest.mark.parametrize(
    ("metrics", "thresholds", "said"),
    [
        pytest.param({"loss": 1.0}, {"loss": {"max": 1.0}}, [], id="at-the-bound"),
        pytest.param({"loss": 2.0}, {"loss": {"max": 1.0}}, ["loss is 2, above 1"], id="above"),
        pytest.param({"f1": 0.1}, {"f1": {"min": 0.5}}, ["f1 is 0.1, below 0.5"], id="below"),
        pytest.param({"f1": 0.6}, {"f1": {"min": 0.5, "max": 0.9}}, [], id="between"),
        pytest.param(
            {"f1": 1.0}, {"f1": {"min": 0.5, "max": 0.9}}, ["f1 is 1, above 0.9"], id="too-good"
        ),
        pytest.param({}, {"loss": {"max": 1.0}}, [f"loss {UNREPORTED}"], id="missing"),
        pytest.param({"eval_loss": 9.0}, {}, [], id="nothing-asked"),
        pytest.param(
            {"train_loss": 1.0}, {}, [f"eval_loss {UNREPORTED}"], id="the-loss-always-counts"
        ),
        pytest.param(
            {"f1": 0.9, "eval_runtime": 3.0},
            {"f1": {"min": 0.5}},
            [f"eval_loss {UNREPORTED}"],
            id="evaluated-and-the-loss-was-dropped",
        ),
        pytest.param(
            {"eval_runtime": 3.0, "train_runtime": 3.0},
            {"eval_loss": {"max": 1.0}},
            [f"eval_loss {UNREPORTED}", f"train_loss {UNREPORTED}"],
            id="each-is-said-once",
        ),
        pytest.param(
            {"eval_loss": 1.0, "train_runtime": 3.0},
            {},
            [f"train_loss {UNREPORTED}"],
            id="trained-and-the-loss-was-dropped",
        ),
    ],
)
def test_thresholds(
    metrics: dict[str, float], thresholds: dict[str, object], said: list[str]
) -> None:
    release = trained(1, metrics, {"thresholds": thresholds})
    assert against(release) == said


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_keeps_no_threshold(value: float) -> None:
    release = trained(
        1, {"eval_loss": value}, {"thresholds": {"eval_loss": {"min": -10, "max": 10}}}
    )
    assert against(release) == ["eval_loss is not a number: NaN or infinite was logged"]


@pytest.mark.parametrize(
    ("metrics", "outcome", "text"),
    [
        pytest.param(
            {"eval_loss": 1.05, "rougeL": 0.45},
            Outcome.PASSED,
            "eval_loss is 1.05, 5 % worse than in live release 3 (1)",
            id="at-the-bounds",
        ),
        pytest.param(
            {"eval_loss": 0.8, "rougeL": 0.9},
            Outcome.PASSED,
            "eval_loss is 0.8, 20 % better than in live release 3 (1)",
            id="better",
        ),
        pytest.param(
            {"eval_loss": 1.0, "rougeL": 0.9},
            Outcome.PASSED,
            "eval_loss is 1, as in live release 3",
            id="the-same",
        ),
        pytest.param(
            {"eval_loss": 1.2, "rougeL": 0.9},
            Outcome.FAILED,
            "eval_loss is 1.2, 20 % worse than in live release 3 (1), more than 5 %",
            id="worse",
        ),
        pytest.param(
            {"rougeL": 0.9}, Outcome.FAILED, f"eval_loss {UNREPORTED}", id="the-new-one-is-missing"
        ),
    ],
)
def test_regression(metrics: dict[str, float], outcome: Outcome, text: str) -> None:
    check = one(trained(4, metrics, BOUNDED), BOUND, LIVE)
    assert (check.outcome, check.text) == (outcome, text)


def test_a_metric_of_which_more_is_better_regresses_downwards() -> None:
    release = trained(4, {"eval_loss": 1.0, "rougeL": 0.4}, BOUNDED)
    assert against(release, LIVE) == [
        "rougeL is 0.4, 20 % worse than in live release 3 (0.5), more than 10 %"
    ]
    *_, check = (c for c in verdict(release, LIVE) if c.name == BOUND)
    assert (check.new, check.live, check.bound) == (0.4, 0.5, 0.45)


def test_the_figures_say_how_far_it_went() -> None:
    check = one(trained(4, {"eval_loss": 1.2, "rougeL": 1.0}, BOUNDED), BOUND, LIVE)
    assert (check.new, check.live, check.bound) == (1.2, 1.0, 1.05)
    assert check.worse_percent == pytest.approx(20)


@pytest.mark.parametrize("live", [None, LIVE.replace(phase=Phase.RETIRED)])
def test_without_a_live_release_nothing_regresses_and_the_history_says_so(
    live: Release | None,
) -> None:
    release = trained(1, {"eval_loss": 9.0, "rougeL": 0.1}, BOUNDED)
    checks = verdict(release, live)
    assert failures(checks) == []
    assert "eval_loss is 9, and nothing is live to regress from" in passed(checks)
    assert against(trained(1, {"eval_loss": 9.0}, BOUNDED), live) == [f"rougeL {UNREPORTED}"]


def test_a_live_release_without_the_metric_can_not_be_compared_with() -> None:
    live = LIVE.replace(metrics=Metrics(values={"eval_loss": 1.0}))
    release = trained(4, {"eval_loss": 1.0, "rougeL": 0.9}, BOUNDED)
    (said,) = against(release, live)
    assert said == (
        "rougeL can't be compared: live release 3 did not report it; leave it out of "
        "evaluation.max_regression_percent for one release"
    )
    assert len(against(release, live.replace(metrics=None))) == 2


def test_other_test_rows_are_compared_all_the_same_and_named() -> None:
    release = trained(4, {"eval_loss": 1.2, "rougeL": 0.9}, BOUNDED)
    release = release.replace(data=DATA.replace(digest="d2"))
    (said,) = against(release, LIVE)
    assert said.endswith("more than 5 %; on other test rows: data d2, live d1")


def test_going_back_to_a_registered_model_is_not_held_up() -> None:
    worse = trained(4, {"eval_loss": 2.0, "rougeL": 0.1}, BOUNDED)
    assert against(worse, LIVE, registered=True) == []
    said = passed(verdict(worse, LIVE, registered=True))
    assert "100 % worse than in live release 3 (1); registered already, it passed" in said
    strict = {**BOUNDED, "thresholds": {"eval_loss": {"max": 1.5}}}
    strictly = trained(4, {"eval_loss": 2.0, "rougeL": 0.1}, strict)
    assert against(strictly, LIVE, registered=True) == ["eval_loss is 2, above 1.5"]


def test_from_zero_anything_worse_is_a_regression() -> None:
    live = LIVE.replace(metrics=Metrics(values={"eval_loss": 0.0, "rougeL": 0.5}))
    release = trained(4, {"eval_loss": 0.01, "rougeL": 0.5}, BOUNDED)
    (said,) = against(release, live)
    assert said == "eval_loss is 0.01, worse than in live release 3 (0), more than 5 %"


def test_people_read_the_change_even_where_nothing_bounds_it() -> None:
    release = trained(4, {"eval_loss": 1.1, "train_loss": 0.9})
    checks = verdict(release, LIVE)
    assert failures(checks) == []
    said = against_live(release.replace(checks=checks))
    assert said == "eval_loss 1.1 (live 1, +10.0 %), train_loss 0.9"
    assert passed(checks).endswith("eval_loss is 1.1, 10 % worse than in live release 3 (1)")


FALLING = [5.0 - 0.4 * step for step in range(11)]


@pytest.mark.parametrize(
    ("values", "curves", "settings", "said"),
    [
        pytest.param(
            {"eval_loss": 1.4}, {"loss": FALLING}, {"max_gap_percent": 10}, "", id="at-the-gap"
        ),
        pytest.param(
            {"eval_loss": 2.0},
            {"loss": FALLING},
            {"max_gap_percent": 10},
            "eval_loss is 2 and the last training loss 1.4: more than 10 % above it",
            id="a-gap",
        ),
        pytest.param(
            {"eval_loss": 2.0, "train_loss": 1.0},
            {},
            {"max_gap_percent": 50},
            "the last training loss 1: more than 50 % above it",
            id="no-course-of-the-loss",
        ),
        pytest.param(
            {"eval_loss": 2.0},
            {},
            {"max_gap_percent": 50},
            "no training loss was logged to compare eval_loss 2 with",
            id="no-training-loss",
        ),
        pytest.param(
            {"train_loss": 2.0},
            {},
            {"max_gap_percent": 50},
            f"eval_loss {UNREPORTED}",
            id="no-eval-loss",
        ),
        pytest.param(
            {"eval_loss": 1.3},
            {"eval_loss": [2.0, 1.0, 1.3], "loss": FALLING},
            {"max_rise_percent": 20},
            "eval_loss ended at 1.3, its lowest was 1 at step 1: a rise of more than 20 %, "
            "while the training loss fell to 1",
            id="a-rise",
        ),
        pytest.param(
            {"eval_loss": 1.1},
            {"eval_loss": [2.0, 1.0, 1.1]},
            {"max_rise_percent": 20},
            "",
            id="a-small-rise",
        ),
        pytest.param({"eval_loss": 1.1}, {}, {"max_rise_percent": 0}, "", id="evaluated-once"),
    ],
)
def test_overfitting(
    values: dict[str, float],
    curves: dict[str, list[float]],
    settings: dict[str, float],
    said: str,
) -> None:
    found = against(trained(1, values, {"overfitting": settings}, curves))
    assert bool(found) == bool(said)
    assert said in "; ".join(found)


RISING = list(reversed(FALLING))


@pytest.mark.parametrize(
    ("course", "outcome"),
    [
        pytest.param(FALLING, Outcome.PASSED, id="falls"),
        pytest.param(RISING, Outcome.FAILED, id="rises"),
        pytest.param([*FALLING[:-1], 40.0], Outcome.PASSED, id="one-spike-at-the-end"),
        pytest.param([0.1, *FALLING[1:]], Outcome.PASSED, id="one-dip-at-the-start"),
        pytest.param([*[2.0] * 90, *[9.0] * 10], Outcome.FAILED, id="goes-astray-at-the-end"),
        pytest.param([1.0, 1.3, 0.8, 1.2] * 5, Outcome.PASSED, id="only-noise"),
        pytest.param([0.01] * 10 + [0.05] * 10, Outcome.PASSED, id="next-to-nothing"),
        pytest.param([1.0] * 4 + [9.0] * 5, Outcome.NOT_APPLICABLE, id="too-few-to-tell"),
        pytest.param([], Outcome.NOT_APPLICABLE, id="none"),
    ],
)
def test_divergence(course: list[float], outcome: Outcome) -> None:
    release = trained(1, {"eval_loss": 1.0}, curves={"loss": course})
    check = one(release, "divergence.max_rise_percent")
    assert check.outcome == outcome, check.text


def test_a_loss_that_was_no_number_on_its_way_is_a_divergence() -> None:
    release = trained(1, {"eval_loss": 1.0, "loss": 1.0}, not_finite=("grad_norm", "loss"))
    assert against(release) == ["loss is not a number: NaN or infinite was logged"]
    overflow = trained(1, {"eval_loss": 1.0}, not_finite=("grad_norm",))
    assert against(overflow) == []


def test_the_rise_that_counts_can_be_set() -> None:
    settings = {"divergence": {"max_rise_percent": 1000}}
    assert against(trained(1, {"eval_loss": 1.0}, settings, {"loss": RISING})) == []


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        ("eval_loss", False),
        ("mean_perplexity", False),
        ("perplexities", False),
        ("eval_runtime", False),
        ("word_error_rate", False),
        ("eval_accuracy", True),
        ("rougeL", True),
        ("rouge1", True),
        ("rougeLsum", True),
        ("bleu_4", True),
        ("exact_match", True),
        ("f1", True),
        ("f1_score_macro", True),
        ("eval_samples_per_second", True),
        ("gpt_fluency", True),
        ("time_to_match", None),
        ("verbosity", None),
    ],
)
def test_which_way_is_better_is_in_the_name(metric: str, better: bool | None) -> None:
    assert greater_is_better(metric) == better


@pytest.mark.parametrize(
    ("evaluation", "said"),
    [
        (
            "{max_regression_percent: {verbosity: 5}}",
            "f:4: evaluation.max_regression_percent: verbosity: say in evaluation."
            "greater_is_better whether more of it is better (verbosity: true) or worse (false)",
        ),
        (
            "{greater_is_better: {rougel: false}, max_regression_percent: {rougeL: 5}}",
            "f:4: evaluation: greater_is_better.rougel: there is no such metric in "
            "max_regression_percent",
        ),
        (
            "{max_regression_percent: {f1: true}}",
            "max_regression_percent.f1: is true or false, where a number",
        ),
        ("{max_regression_percent: {f1: -1}}", "max_regression_percent.f1: Input should be gr"),
        ("{max_regression_percent: {f1: .inf}}", "max_regression_percent.f1: Input should be"),
        ("{overfitting: {max_gap: 1}}", "unknown key; did you mean 'max_gap_percent'?"),
        ("{divergence: {max_rise_percent: true}}", "true or false, where a number is wanted"),
    ],
)
def test_settings_that_can_not_be_weighed_are_refused(evaluation: str, said: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        config_of("bot", f"evaluation: {evaluation}\n")
    assert said.removeprefix("f:") in str(caught.value)


def test_a_config_says_which_way_an_unknown_metric_goes() -> None:
    settings = {"greater_is_better": {"verbosity": False}, BOUND: {"verbosity": 5}}
    live = LIVE.replace(metrics=Metrics(values={"verbosity": 1.0}))
    assert against(trained(4, {"eval_loss": 1, "verbosity": 0.5}, settings), live) == []
    assert len(against(trained(4, {"eval_loss": 1, "verbosity": 2.0}, settings), live)) == 1


@pytest.mark.parametrize(
    ("values", "evaluation", "awaited"),
    [
        ({}, {}, ["eval_loss"]),
        ({"f1": 1.0}, {"thresholds": {"f1": {"min": 0}}}, []),
        ({"eval_loss": 1.0}, BOUNDED, ["rougeL"]),
        ({"eval_loss": 1.0}, {"overfitting": {"max_gap_percent": 1}}, ["train_loss"]),
        ({"f1": 1.0, "eval_runtime": 1.0}, {"thresholds": {"f1": {"min": 0}}}, ["eval_loss"]),
    ],
)
def test_what_may_still_come_is_awaited(
    values: dict[str, float], evaluation: dict[str, Any], awaited: list[str]
) -> None:
    release = trained(1, values, evaluation)
    assert missing(release.metrics or Metrics(), release.config.evaluation) == awaited


def test_nothing_more_comes_of_a_metric_that_was_no_number() -> None:
    assert missing(Metrics(not_finite=("eval_loss",)), trained(1, {}).config.evaluation) == []


NAMES = st.sampled_from(["eval_loss", "train_loss", "loss", "rougeL", "eval_runtime"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY = st.dictionaries(NAMES, st.floats())
COURSES = st.dictionaries(NAMES, st.lists(FINITE, min_size=2, max_size=40))
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "thresholds": st.dictionaries(NAMES, st.fixed_dictionaries({"max": FINITE}), max_size=2),
        "max_regression_percent": st.dictionaries(NAMES, st.floats(0, 1000), max_size=2),
        "overfitting": st.fixed_dictionaries(
            {"max_gap_percent": st.floats(0, 1000), "max_rise_percent": st.floats(0, 1000)}
        ),
    },
)


@given(ANY, ANY, COURSES, SETTINGS, st.booleans())
def test_whatever_was_logged_there_is_a_verdict_that_json_keeps(
    new: dict[str, float],
    old: dict[str, float],
    curves: dict[str, list[float]],
    settings: dict[str, Any],
    registered: bool,
) -> None:
    release = trained(4, new, settings, curves)
    live = trained(3, old).replace(phase=Phase.LIVE)
    checks = verdict(release, live, registered=registered)
    assert checks
    assert all(check.text for check in checks)
    again = [Check.model_validate_json(check.model_dump_json()) for check in checks]
    assert again == list(checks)
    asked = {*settings.get("thresholds", {}), *settings.get("max_regression_percent", {})}
    if any(not math.isfinite(new.get(name, math.nan)) for name in asked):
        assert failures(checks)


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6), st.floats(0, 1000))
def test_a_regression_is_what_is_worse_by_more_than_was_allowed(
    new: float, old: float, allowed: float
) -> None:
    live = LIVE.replace(metrics=Metrics(values={"eval_loss": old, "f1": old}))
    settings = {BOUND: {"eval_loss": allowed, "f1": allowed}}
    loss, score = (
        check.outcome == Outcome.FAILED
        for check in verdict(trained(4, {"eval_loss": new, "f1": new}, settings), live)
        if check.name == BOUND
    )
    assert not (loss and score)
    if new <= old:
        assert not loss
    if new >= old:
        assert not score
    if new > old * (1 + allowed / 100) * 1.0001:
        assert loss
    if new < old * (1 - allowed / 100) * 0.9999:
        assert score
