"""Identity: what makes a new release, a new training, a new deployment, and what does not."""

from datetime import UTC, datetime

import pytest

from tests.config_text import config_of
from tests.planned import come_to
from tuneops import names
from tuneops.azureml.jobs import display_name
from tuneops.desired import Desired, Source
from tuneops.estimates import Actuals, Kind, Measured
from tuneops.parameters import ModelDefaultsError, Origin, TrainingParameters, effective, values
from tuneops.project import Project, start_release
from tuneops.release import Phase, Release, TrainingPlan, Waiting

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(name="bot/a.jsonl", version="1", size=1)


def desired(extra: str = "", source: Source = SOURCE) -> Desired:
    config = config_of("bot", extra)
    return Desired(project="bot", commit="c", path="p", config=config, source=source)


def release(extra: str = "") -> Release:
    made = start_release(desired(extra), Project(name="bot"), "/w", NOW)
    plan = TrainingPlan(base_model="m", component="c", parameters={}, digest="0123456789ab")
    return made.replace(training=plan)


@pytest.mark.parametrize(
    ("extra", "new"),
    [
        pytest.param("notifications: {events: [live]}\n", False, id="notifications"),
        pytest.param("compute: {nodes: 1}\n", False, id="a-default-said-aloud"),
        pytest.param("suspend: true\n", False, id="suspend"),
        pytest.param("in_flight: finish\n", False, id="in-flight"),
        pytest.param("on_removal: retain\ndeletion_protection: true\n", False, id="removal"),
        pytest.param("deployment: {instance_count: 2}\n", True, id="deployment"),
        pytest.param("training: {parameters: {seed: 7}}\n", True, id="parameters"),
        pytest.param("evaluation: {thresholds: {loss: {max: 1}}}\n", True, id="evaluation"),
    ],
)
def test_what_makes_a_new_release(extra: str, new: bool) -> None:
    assert (desired(extra).fingerprint != desired().fingerprint) == new


def test_uploaded_data_makes_a_new_release() -> None:
    assert desired(source=SOURCE.replace(version="2")).fingerprint != desired().fingerprint


def test_a_deployment_setting_changes_the_deployment_alone() -> None:
    one, two = release(), release("deployment: {instance_count: 2}\n")
    assert one.deployment_name != two.deployment_name
    assert (one.job_name, one.model_version) == (two.job_name, two.model_version)


def test_documents_come_back_from_json() -> None:
    made = release()
    assert Release.model_validate_json(made.model_dump_json()) == made


def test_names_keep_azure_mls_rules() -> None:
    made = release()
    assert made.job_name == "bot-0123456789ab"
    assert names.project_of_job(made.job_name) == "bot"
    assert names.project_of_job(names.job_name("a-b", "0" * 12, 3)) == "a-b"
    assert names.project_of_job("something else") is None
    assert 3 <= len(made.deployment_name) <= 32
    assert 0 < int(made.model_version) < 2**31
    assert len(names.endpoint_name("a" * 24, "/workspace")) <= 32


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert names.digest({"a": 1, "b": 2}) == names.digest({"b": 2, "a": 1})
    assert names.digest({"a": 1}) != names.digest({"a": 2})


def after(*releases: Release) -> Project:
    """The project that has had these releases."""
    project = Project(name="bot")
    for each in releases:
        project = project.replace(current=each.number).remember(each)
    return project


def test_parameters_of_the_config_win_over_the_models_and_these_over_the_tutorials() -> None:
    tags = {"model_specific_defaults": "{'learning_rate': 1e-4, 'seed': 3, 'other': 1}"}
    inputs = effective({"num_nodes_finetune": 1}, TrainingParameters(seed=4), tags)
    found = {name: inputs[name] for name in ("learning_rate", "seed", "num_nodes_finetune")}
    assert values(found) == {"learning_rate": 1e-4, "seed": 4, "num_nodes_finetune": 1}
    assert [parameter.origin for parameter in found.values()] == [
        Origin.MODEL,
        Origin.CONFIG,
        Origin.TUNEOPS,
    ]
    assert "other" not in inputs


@pytest.mark.parametrize(
    "tag", ["__import__('os')", "[1]", "{'seed': 'x'}", "(" * 5000, "{'learning_rate': -1}"]
)
def test_a_hostile_tag_is_refused(tag: str) -> None:
    with pytest.raises(ModelDefaultsError):
        effective({}, TrainingParameters(), {"model_specific_defaults": tag})


def test_a_wrong_default_of_the_model_can_be_overridden() -> None:
    tags = {"model_specific_defaults": "{'learning_rate': -1, 'apply_lora': 'True'}"}
    inputs = effective({}, TrainingParameters(learning_rate=1e-5), tags)
    assert inputs["learning_rate"].value == 1e-5
    assert inputs["apply_lora"].value == "true"
    with pytest.raises(ModelDefaultsError, match=r"set training\.parameters\.learning_rate"):
        effective({}, TrainingParameters(), tags)


def test_the_display_name_follows_the_tutorials_rule() -> None:
    own = {"number_of_gpu_to_use_finetuning": 4}
    given = effective(
        own, TrainingParameters(), {"model_specific_defaults": "{'max_seq_length': 256}"}
    )
    made = release()
    made = made.replace(training=made.plan.replace(parameters=given))
    expected = "Phi-3-mini-4k-instruct-bot-bs4-cosine-ds2-lora-save_limit-1-seqlen256"
    assert display_name(made) == expected


@pytest.mark.parametrize(
    ("extra", "base_model", "component"),
    [
        pytest.param("", "m", "c", id="the-same"),
        pytest.param("deployment: {instance_count: 3}\n", "m", "c", id="another-deployment"),
        pytest.param("training: {component_version: 0.0.9}\n", "m", "", id="a-version-is-named"),
        pytest.param("training: {component: other}\n", "m", "", id="another-component"),
    ],
)
def test_what_latest_meant_stays_until_the_config_says_else(
    extra: str, base_model: str, component: str
) -> None:
    made = start_release(desired(extra), after(release()), "/w", NOW)
    assert (made.pins.base_model, made.pins.component) == (base_model, component)


def test_going_back_to_an_earlier_model_goes_back_to_its_version() -> None:
    planned = release()
    other = desired("training: {component: other}\n")
    second = start_release(other, after(planned), "/w", NOW)
    second = second.replace(training=planned.plan.replace(component="d"))
    third = start_release(desired(), after(planned, second), "/w", NOW)
    assert third.pins.component == "c"
    assert third.pins.base_model == "m"


def test_following_the_latest_model_pins_nothing_but_the_component() -> None:
    followed = desired()
    assert followed.config is not None
    model = followed.config.model.model_copy(update={"follow": "latest"})
    followed = followed.replace(config=followed.config.model_copy(update={"model": model}))
    made = start_release(followed, after(release()), "/w", NOW)
    assert (made.pins.base_model, made.pins.component) == ("", "c")


def test_a_default_that_is_written_down_changes_nothing() -> None:
    plain, written = (desired(extra) for extra in ("", "evaluation: {}\nsuspend: false\n"))
    spelled = desired("deployment: {instance_count: 1}\nendpoint: {auth_mode: key}\n")
    assert plain.fingerprint == written.fingerprint == spelled.fingerprint
    assert plain.fingerprint != desired("endpoint: {auth_mode: aad_token}\n").fingerprint


@pytest.mark.parametrize(
    ("ends", "changes", "answered"),
    [
        pytest.param([Phase.LIVE], {}, "b", id="live"),
        pytest.param([Phase.FAILED], {}, "b", id="failed"),
        pytest.param([Phase.FAILED], {"forbidden": True}, "a", id="forbidden"),
        pytest.param([Phase.SUPERSEDED], {}, "a", id="superseded-on-its-way"),
        pytest.param(
            [Phase.LIVE, Phase.DEPLOYING, Phase.SUPERSEDED],
            {},
            "b",
            id="superseded-once-live",
        ),
        pytest.param([Phase.LIVE], {"adopts": 1}, "a", id="pinned"),
    ],
)
def test_what_answers_a_change_of_the_config(
    ends: list[Phase], changes: dict[str, object], answered: str
) -> None:
    made = release().replace(commit="b", **changes)
    for phase in ends:
        made = come_to(made, phase, NOW)
    project = Project(name="bot", current=1, answered="a").remember(made)
    assert project.answered == answered
    next_one = start_release(desired().replace(commit="b"), project, "/w", NOW)
    assert next_one.answers_change == (answered != "b")


def test_a_release_that_came_upon_a_job_forgets_nothing_of_it() -> None:
    kind = Kind(base_model="m", size="s", lora=False, precision="32")
    own = Measured(job="j", kind=kind, gpus=1, tokens=9, seconds=9.0, around_seconds=60.0)
    found = own.replace(around_seconds=0.0)
    first, second = (release().replace(actuals=Actuals(measured=each)) for each in (own, found))
    assert after(first, second).trainings == (own,)
    assert after(second, first).trainings == (own,)


def test_why_it_failed_is_said_beside_what_is_still_waited_for() -> None:
    busy = release().replace(waiting=Waiting(reason="deployment d answers", since=NOW))
    assert busy.why == "deployment d answers"
    failed = busy.advance(Phase.FAILED, NOW, "eval_loss is 3").replace(waiting=busy.waiting)
    assert failed.why == "eval_loss is 3; deployment d answers"
    assert failed.replace(waiting=None).why == "eval_loss is 3"
