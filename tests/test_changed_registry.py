"""The live component decides which inputs a job may have, and the live model where it trains."""

import os
import sys
from collections.abc import Iterator

import pytest
import yaml

from localcloud.connection import Connection
from localcloud.parts import Part
from localcloud.process import start_child
from tests.cloud import ROOT, Cloud
from tests.conftest import CLUSTERS
from tests.planned import release, until
from tuneops import planning
from tuneops.azureml import jobs
from tuneops.azureml.errors import RefusedError
from tuneops.azureml.workspace import Workspace
from tuneops.cli.target import local_workspace, use_local_identity

pytestmark = pytest.mark.slow
COMPONENT = "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.57"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose registry is that of `tests.changed_registry`."""
    state = tmp_path_factory.mktemp("changed")
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    (state / "manifest.yaml").write_text(yaml.safe_dump({**manifest, "computes": CLUSTERS}))
    cloud = Cloud(state)
    before = dict(os.environ)
    cloud.up("--parts", "platform", "--manifest", str(state / "manifest.yaml"))
    part = Part("azureml", Connection.load(state))
    process = start_child(
        [sys.executable, "-m", "tests.changed_registry", "--state", state],
        log_file=part.log_file,
        environment=part.environment,
    )
    try:
        until(part.is_healthy)
        use_local_identity(cloud.connection)
        yield Workspace(local_workspace(cloud.connection))
    finally:
        process.terminate()
        process.wait()
        cloud.down()
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.parametrize(
    ("extra", "advice"),
    [
        pytest.param(
            "training: {parameters: {apply_ort: true}}\n",
            f"training.parameters.apply_ort: {COMPONENT} has no such input; leave it out, or set"
            " training.component_version to a version that has it",
            id="input-absent",
        ),
        pytest.param(
            "training: {parameters: {deepspeed_stage: 3}}\n",
            f"training.parameters.deepspeed_stage: {COMPONENT} has no such input",
            id="input-with-a-default-of-ours",
        ),
        pytest.param(
            "training: {parameters: {learning_rate: 0.01}}\n",
            f"training.parameters.learning_rate: {COMPONENT} takes at most 0.001, not 0.01",
            id="number-too-large",
        ),
        pytest.param(
            "training: {parameters: {optim: adafactor}}\n",
            f"training.parameters.optim: {COMPONENT} takes adamw_hf, adamw_torch, not 'adafactor'",
            id="choice-absent",
        ),
        pytest.param(
            "compute: {name: cpu-cluster}\n",
            "compute.name: Standard_DS3_v2 has no GPU; choose one of Standard_NC",
            id="no-gpu",
        ),
        pytest.param(
            "compute: {name: serverless, instance_types: {finetune: Standard_D12_v2}}\n",
            "compute.instance_types.finetune: Standard_D12_v2 has no GPU; choose one of",
            id="no-gpu-serverless",
        ),
    ],
)
def test_refused_with_its_name(changed: Workspace, extra: str, advice: str) -> None:
    with pytest.raises(RefusedError) as caught:
        planning.plan(changed, release(extra))
    assert str(caught.value).startswith(advice)


def test_a_default_that_the_component_does_not_know_is_left_out(changed: Workspace) -> None:
    made = release("compute: {name: t4-cluster}\n")
    made = made.replace(training=planning.plan(changed, made))
    assert made.plan.parameters["apply_deepspeed"].origin == "default"
    assert not {"deepspeed_stage", "max_seq_length"} & made.plan.parameters.keys()
    jobs.submit(changed, made)
    (step,) = changed.ml.jobs.get(made.job_name).jobs.values()
    assert step.inputs.keys() == made.plan.parameters.keys()
