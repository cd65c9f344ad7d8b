"""What a config would change, set beside the newest release."""

from itertools import count

import pytest

from tests.config_text import config_of
from tuneops import parameters
from tuneops.config import ProjectConfig
from tuneops.outcome import Kind, outcome
from tuneops.release import TrainingPlan

_VERSIONS = count()


def plan_of(config: ProjectConfig, base: str = "phi:1", **tags: str) -> TrainingPlan:
    own: dict[str, parameters.Value] = {
        "compute_finetune": config.compute.name,
        "num_nodes_finetune": config.compute.nodes,
        "mlflow_model_path": base,
        "train_file_path": f"azureml:train:{next(_VERSIONS)}",
    }
    inputs = parameters.effective(own, config.training.parameters, tags)
    return TrainingPlan(base_model=base, component="chat:1", parameters=inputs, digest="")


@pytest.mark.parametrize(
    ("extra", "kind", "changed"),
    [
        pytest.param("", Kind.NOTHING, [], id="same"),
        pytest.param("compute: {nodes: 1}\n", Kind.NOTHING, [], id="default-said-aloud"),
        pytest.param("notifications: {events: [live]}\n", Kind.NOTHING, [], id="notifications"),
        pytest.param("suspend: true\n", Kind.SUSPENDED, [], id="suspended"),
        pytest.param(
            "rollout: {keep_previous_for_minutes: 9}\n",
            Kind.SETTINGS,
            ["rollout.keep_previous_for_minutes: 60 -> 9"],
            id="rollout",
        ),
        pytest.param(
            "endpoint: {tags: {team: ai}}\n",
            Kind.SETTINGS,
            ["endpoint.tags.team:  -> ai"],
            id="endpoint",
        ),
        pytest.param(
            "deployment: {instance_count: 2}\n",
            Kind.REDEPLOY,
            ["deployment.instance_count: 1 -> 2"],
            id="deployment",
        ),
        pytest.param(
            "training: {parameters: {seed: 7}}\ndeployment: {instance_count: 2}\n",
            Kind.TRAIN,
            ["deployment.instance_count: 1 -> 2", "training.parameters.seed:  -> 7"],
            id="parameters",
        ),
        pytest.param(
            "training: {parameters: {num_train_epochs: 3}}\n",
            Kind.SETTINGS,
            ["training.parameters.num_train_epochs:  -> 3"],
            id="the-default-set",
        ),
        pytest.param(
            "compute: {name: other}\n",
            Kind.SETTINGS,
            ["compute.name: gpu-cluster -> other", "input compute_finetune: gpu-cluster -> other"],
            id="another-cluster",
        ),
        pytest.param(
            "compute: {nodes: 2}\n",
            Kind.TRAIN,
            ["compute.nodes: 1 -> 2", "input num_nodes_finetune: 1 -> 2"],
            id="more-nodes",
        ),
    ],
)
def test_changes_of_the_config(extra: str, kind: Kind, changed: list[str]) -> None:
    before, after = config_of("bot"), config_of("bot", extra)
    found = outcome(after, plan_of(after), before, plan_of(before))
    assert found.kind == kind
    assert [f"{each.field}: {each.before} -> {each.after}" for each in found.changes] == changed


def test_changes_elsewhere_train_as_well() -> None:
    config = config_of("bot")
    newer = outcome(config, plan_of(config, "phi:2"), config, plan_of(config, "phi:1"))
    assert newer.kind == Kind.TRAIN
    assert [change.field for change in newer.changes] == ["base model"]
    defaults = plan_of(config, model_specific_defaults="{'weight_decay': '0.5'}")
    tuned = outcome(config, defaults, config, plan_of(config))
    assert tuned.kind == Kind.TRAIN
    assert [change.field for change in tuned.changes] == ["input weight_decay"]


def test_a_project_without_a_release_is_trained() -> None:
    config = config_of("bot")
    assert outcome(config, plan_of(config), None, None).kind == Kind.TRAIN
    assert outcome(config, plan_of(config), config, None).kind == Kind.TRAIN
