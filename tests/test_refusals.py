"""What Azure ML can't do for a config is said before a job costs anything, as advice.

Through the real SDK, against the local workspace.
"""

import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError
from typer.testing import CliRunner

from localcloud.process import inherited_environment
from tests.cloud import ROOT, Cloud
from tests.faults import Faults
from tests.planned import release, until
from tuneops import names, planning
from tuneops.azureml import compute, endpoints, jobs, registry
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.cli import app
from tuneops.cli.target import local_workspace

pytestmark = pytest.mark.slow

SOON_SECONDS = 30
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def node(azure: Cloud) -> Iterator[httpx2.Client]:
    """The compute node's side of the workspace."""
    connection = azure.connection
    with httpx2.Client(
        base_url=f"{connection['azureml_url']}/_compute",
        headers={"x-compute-key": connection["compute_key"]},
        verify=ssl.create_default_context(cafile=connection["ca_file"]),
        timeout=30,
    ) as client:
        yield client


def test_a_call_that_nobody_answers_is_given_up_soon(
    azure: Cloud, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneops.azureml.transport.READ_SECONDS", 0.2)
    faults.ask("call", "hang", "GET /computes/*", times=9)
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="compute gpu-cluster"):
        compute.observe(Workspace(local_workspace(azure.connection)), "gpu-cluster")
    assert time.monotonic() - begun < SOON_SECONDS


def test_what_azure_can_not_change_is_refused_before_a_job_costs_anything(
    azure: Cloud, workspace: Workspace
) -> None:
    described = "compute: {name: own, cluster: {size: Standard_NC24ads_A100_v4}}\n"
    compute.begin_create(workspace, release(described))
    mine = "endpoint: {name: mine}\n"
    endpoints.begin_create(workspace, release(mine))
    azure.ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="theirs", auth_mode="key")
    ).result()
    identity = (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity"
        "/userAssignedIdentities/i"
    )
    for extra, advice in (
        (
            described.replace("Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"),
            "compute.cluster.size: compute own has standard_nc24ads_a100_v4, which Azure can't",
        ),
        (
            described.replace("size:", "tier: low_priority, size:"),
            "compute.cluster.tier: compute own has dedicated, which Azure can't change",
        ),
        (
            "endpoint: {name: mine, identity: {type: user_assigned, user_assigned_identities:"
            f" [{identity}]}}}}\n",
            "endpoint.identity: endpoint mine has another identity, which Azure can't change",
        ),
        ("endpoint: {name: theirs}\n", "endpoint.name: endpoint theirs exists and was not"),
    ):
        with pytest.raises(RefusedError) as caught:
            planning.plan(workspace, release(extra))
        assert advice in str(caught.value)
    planning.plan(workspace, release(described))
    planning.plan(workspace, release(mine))


def test_only_the_cluster_that_fine_tunes_needs_all_nodes(workspace: Workspace) -> None:
    plan = planning.plan(
        workspace,
        release(
            "compute: {name: serverless, nodes: 2}\n"
            "training: {parameters: {compute_preprocess: cpu-cluster}}\n"
        ),
    )
    assert plan.parameters["num_nodes_finetune"].value == 2


def test_a_cluster_of_ours_gets_the_scale_of_the_config(workspace: Workspace) -> None:
    described = "compute: {name: scaled, cluster: {size: Standard_NC24ads_A100_v4}}\n"
    compute.begin_create(workspace, release(described))
    until(lambda: _scale(workspace) == ("Succeeded", 0, 1, 900))
    changed = release(
        described.replace(
            "}}", ", min_instances: 1, max_instances: 3, idle_time_before_scale_down: 120}}"
        )
    )
    compute.begin_scale(workspace, changed)
    until(lambda: _scale(workspace) == ("Succeeded", 1, 3, 120))
    compute.begin_release_nodes(workspace, "scaled")
    until(lambda: _scale(workspace) == ("Succeeded", 0, 3, 120))


def _scale(workspace: Workspace) -> tuple[str, int, int | None, int | None]:
    seen = compute.observe(workspace, "scaled", "bot")
    assert seen is not None
    assert seen.ours
    return seen.state, seen.min_nodes, seen.max_nodes, seen.idle_seconds


def test_a_config_without_fault_is_planned(workspace: Workspace) -> None:
    plan = planning.plan(workspace, release())
    assert plan.compute_size == "Standard_NC24ads_A100_v4"
    assert plan.base_model.endswith("/models/Phi-3-mini-4k-instruct/versions/1")
    assert plan.parameters["max_seq_length"].origin == "model"


def test_rows_that_are_cut_are_noted(workspace: Workspace) -> None:
    made = release("training: {parameters: {max_seq_length: 512}}\n")
    assert made.data is not None
    plan = planning.plan(workspace, made.replace(data=made.data.replace(cut_rows=1234)))
    (note,) = plan.notes
    assert note.startswith(
        "training.parameters.max_seq_length: about 1,234 rows are longer than 512 tokens"
    )


@pytest.mark.parametrize(
    ("extra", "advice"),
    [
        pytest.param(
            "compute: {name: nowhere}\n",
            "compute.name: the workspace has no compute nowhere; describe it under compute.cluster",
            id="compute-absent",
        ),
        pytest.param(
            "compute: {name: t4-cluster}\n",
            "compute.name: the model can't be fine-tuned on Standard_NC4as_T4_v3; choose one of"
            " Standard_NC24ads_A100_v4",
            id="compute-not-allowed",
        ),
        pytest.param(
            "compute: {name: cpu-cluster}\n",
            "compute.name: the model can't be fine-tuned on Standard_DS3_v2; choose one of"
            " Standard_NC24ads_A100_v4",
            id="compute-without-gpu",
        ),
        pytest.param(
            "compute: {name: serverless, instance_types: {finetune: Standard_DS3_v2}}\n",
            "compute.instance_types.finetune: the model can't be fine-tuned on Standard_DS3_v2;"
            " choose one of Standard_NC24ads_A100_v4",
            id="size-without-gpu",
        ),
        pytest.param(
            "compute: {gpus_per_node: 4}\n",
            "compute.gpus_per_node is 4, Standard_NC24ads_A100_v4 has 1; leave it out",
            id="too-many-gpus",
        ),
        pytest.param(
            "compute: {nodes: 2}\n",
            "compute.nodes: compute gpu-cluster has at most 1 nodes, 2 are asked for",
            id="too-many-nodes",
        ),
        pytest.param(
            "compute: {name: new, cluster: {size: Standard_NC24rs_v3}}\n",
            "compute.cluster.size: Standard_NC24rs_v3 was retired by Azure on 2025-09-30; choose"
            " Standard_NC24ads_A100_v4",
            id="size-retired",
        ),
        pytest.param(
            "compute: {name: new, cluster: {size: Standard_NC24ads_A100}}\n",
            "the region has no size Standard_NC24ads_A100; available are Standard_NC24ads_A100_v4",
            id="size-unknown",
        ),
        pytest.param(
            "compute: {name: serverless, nodes: 2,"
            " instance_types: {finetune: Standard_ND96isr_H100_v5}}\n",
            "needs 192 cores of family standardNDSH100v5Family, the quota is 96; ask for more",
            id="quota-of-the-training",
        ),
        pytest.param(
            "compute: {name: new, nodes: 3, cluster: {size: Standard_NC24ads_A100_v4,"
            " max_instances: 3, tier: low_priority}}\n",
            "needs 72 cores of family TotalLowPriorityCores, the quota is 48; ask for more",
            id="quota-of-low-priority",
        ),
        pytest.param(
            "compute: {name: serverless, instance_types: {preprocess: Standard_D12_v9}}\n",
            "compute.instance_types.preprocess: the region has no size Standard_D12_v9; available"
            " are Standard_D12_v2",
            id="size-of-another-step",
        ),
        pytest.param(
            "deployment: {instance_type: Standard_NC6s_v3}\n",
            "deployment.instance_type: Standard_NC6s_v3 was retired by Azure on 2025-09-30",
            id="deployment-retired",
        ),
        pytest.param(
            "deployment: {instance_type: Standard_F4s_v2}\n",
            "deployment.instance_type: the model can't be served on Standard_F4s_v2; choose one of",
            id="deployment-not-allowed",
        ),
        pytest.param(
            "deployment: {instance_type: Standard_NC40ads_H100_v5, instance_count: 3}\n",
            "needs 160 cores of family StandardNCadsH100v5Family, the quota is 120",
            id="quota-of-the-deployment",
        ),
        pytest.param(
            "training: {parameters: {compute_finetune: t4-cluster}}\n",
            "training.parameters.compute_finetune: the model can't be fine-tuned on"
            " Standard_NC4as_T4_v3",
            id="another-cluster-for-one-step",
        ),
        pytest.param(
            "training: {parameters: {compute_preprocess: nowhere}}\n",
            "training.parameters.compute_preprocess: the workspace has no compute nowhere",
            id="no-cluster-for-one-step",
        ),
        pytest.param(
            "training: {parameters: {num_nodes_finetune: 3}}\n",
            "training.parameters.num_nodes_finetune: compute gpu-cluster has at most 1 nodes",
            id="nodes-by-parameter",
        ),
        pytest.param(
            "compute: {name: new, cluster: {size: Standard_NC24ads_A100_v4, max_instances: 2}}\n"
            "training: {parameters: {num_nodes_finetune: 3}}\n",
            "training.parameters.num_nodes_finetune: compute new has at most 2 nodes",
            id="nodes-of-a-cluster-to-be-made",
        ),
        pytest.param(
            "training: {parameters: {number_of_gpu_to_use_finetuning: 2}}\n",
            "training.parameters.number_of_gpu_to_use_finetuning is 2, Standard_NC24ads_A100_v4"
            " has 1",
            id="gpus-by-parameter",
        ),
        pytest.param(
            "compute: {name: serverless}\n"
            "training: {parameters: {instance_type_finetune: Standard_NC6s_v3}}\n",
            "training.parameters.instance_type_finetune: Standard_NC6s_v3 was retired by Azure",
            id="size-by-parameter",
        ),
        pytest.param(
            "training: {component: fine_tune_everything}\n",
            "training.component: az ml component list --registry-name azureml shows them",
            id="component-absent",
        ),
        pytest.param(
            "training: {component: chat_completion}\n",
            "training.component: did you mean chat_completion_pipeline",
            id="component-near",
        ),
        pytest.param(
            "training: {component_version: 9.9.9}\n",
            "training.component_version: there is 0.0.57",
            id="component-version-absent",
        ),
    ],
)
def test_refused_with_advice(workspace: Workspace, extra: str, advice: str) -> None:
    with pytest.raises(RefusedError) as caught:
        planning.plan(workspace, release(extra))
    assert advice in str(caught.value)


@pytest.mark.parametrize("name", ["gpu-cluster", "cpu-cluster"])
def test_no_retired_size_is_offered(workspace: Workspace, name: str) -> None:
    with pytest.raises(RefusedError) as caught:
        planning.plan(
            workspace,
            release(f"compute: {{name: {name}}}\ndeployment: {{instance_type: Standard_F4s_v2}}\n"),
        )
    assert not re.search(r"Standard_NC\d+r?s_v3", str(caught.value))


@pytest.mark.parametrize(
    ("name", "version", "advice"),
    [
        ("Phi-3-mini-instruct", "latest", "model.name: did you mean Phi-3-mini-4k-instruct"),
        ("phi-3-mini-4k-instruct", "1", "model.name: did you mean Phi-3-mini-4k-instruct"),
        ("Phi-3-mini-4k-instruct", "7", "model.version: there is 1"),
        ("llama", "latest", "model.name: az ml model list --registry-name azureml shows them"),
    ],
)
def test_model_that_the_registry_has_not(
    workspace: Workspace, name: str, version: str, advice: str
) -> None:
    with pytest.raises(RefusedError, match=f"model {name} in registry azureml") as caught:
        registry.base_model(workspace, "azureml", name, version)
    assert advice in str(caught.value)


def test_a_registry_that_is_not_there_is_refused(workspace: Workspace) -> None:
    with pytest.raises(RefusedError, match=r"^model.registry: there is no registry azurml; "):
        registry.base_model(workspace, "azurml", "Phi-3-mini-4k-instruct", "latest")


def test_a_cluster_that_failed_to_provision_is_refused(
    workspace: Workspace, faults: Faults
) -> None:
    code = "ClusterMinNodesExceedCoreQuota"
    faults.ask("compute", "fail", "broken", status=400, code=code, message="24 cores of 0")
    broken = release("compute: {name: broken, cluster: {size: Standard_NC24ads_A100_v4}}\n")
    compute.begin_create(workspace, broken)
    until(lambda: workspace.ml.compute.get("broken").provisioning_state == "Failed")
    with pytest.raises(RefusedError) as caught:
        planning.plan(workspace, broken)
    assert str(caught.value) == (
        f"compute.name: compute broken failed to provision: {code} (ask for more quota of its"
        " size, or choose a smaller one); repair or delete it, or name another one"
    )


def test_quota_in_use_is_waited_for_and_a_deployment_beyond_it_says_so(
    azure: Cloud, workspace: Workspace
) -> None:
    """An instance counts 1.2 times, rounded up: one of 40 cores takes 80 of the 120."""
    ours = names.tags("bot", 1, "c")
    azure.ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="crowded", auth_mode="key", tags=ours)
    ).result()
    first, second = (
        ManagedOnlineDeployment(
            name=name,
            endpoint_name="crowded",
            model=registry.base_model(workspace, "azureml", "Phi-3-mini-4k-instruct", "1").id,
            instance_type="Standard_NC40ads_H100_v5",
            instance_count=1,
            tags=ours,
        )
        for name in ("first", "second")
    )
    # Without a node the base model is never there: this deployment stays under way.
    workspace.ml.online_deployments.begin_create_or_update(first)
    with pytest.raises(UnavailableError, match=r"needs 80 cores .* 40 of 120 are free"):
        planning.plan(workspace, release("deployment: {instance_type: Standard_NC40ads_H100_v5}\n"))
    with pytest.raises(HttpResponseError, match="OutOfQuota"):
        azure.ml.online_deployments.begin_create_or_update(second).result()

    endpoint = endpoints.observe(workspace, "crowded", "bot")
    assert endpoint is not None
    failed = endpoint.deployment("second")
    assert failed is not None
    assert failed.state == "Failed"
    assert failed.error.startswith("OutOfQuota: Not enough quota available")


def test_failed_job_says_which_step_failed_and_why(
    workspace: Workspace, node: httpx2.Client
) -> None:
    made = release()
    made = made.replace(training=planning.plan(workspace, made))
    jobs.submit(workspace, made)
    job = node.post("/next", json={"node": "n"}).json()["name"]
    error = {"code": "UserError", "message": "line 3 of the training file is no JSON"}
    failed = {"node": "n", "status": "Failed", "error": error}
    for report in (f"/jobs/{job}/steps/data_preprocess", f"/jobs/{job}/status"):
        assert node.put(report, json=failed).is_success
    seen = jobs.observe(workspace, job)
    assert seen is not None
    assert seen.error == f"step data_preprocess failed: {error['message']}"


def test_what_is_not_there_is_none(workspace: Workspace) -> None:
    assert compute.observe(workspace, "nowhere") is None
    assert jobs.observe(workspace, "no-job") is None
    assert endpoints.observe(workspace, "no-endpoint", "bot") is None


def test_a_workspace_that_does_not_answer_is_waited_for(azure: Cloud) -> None:
    connection = {**azure.connection, "cloud": {**azure.connection["cloud"], "name": "GoneCloud"}}
    connection["cloud"]["metadata"] = {
        **azure.connection["cloud"]["metadata"],
        "resource_manager": "https://localhost:1/",
    }
    with pytest.raises(UnavailableError, match="compute gpu-cluster"):
        compute.observe(Workspace(local_workspace(connection)), "gpu-cluster")


def test_plan_shows_every_input_with_who_decided_it(azure: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "bot.yaml"
    file.write_text(
        "name: bot\nmodel: {name: Phi-3-mini-4k-instruct}\ndata: {path: bot}\n"
        "training: {parameters: {seed: 7}}\n"
    )
    command = [Path(sys.executable).with_name("tuneops"), "plan", file, "--state", azure.state]
    # A process of its own: the SDK's pollers of other tests print dots.
    done = subprocess.run(
        [*command, "--json"],
        cwd=ROOT,
        env=inherited_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    ((shown, outcome),) = ((each["plan"], each["outcome"]) for each in json.loads(done.stdout))
    assert outcome == {"kind": "train", "changes": []}
    assert shown["base_model"].endswith("/Phi-3-mini-4k-instruct/versions/1")
    (note,) = shown["notes"]
    assert note.startswith("what runs is not known")
    assert note.endswith("does not answer (ConnectError)")
    assert shown["parameters"]["seed"] == {"value": 7, "origin": "config"}
    assert shown["parameters"]["max_seq_length"] == {"value": 256, "origin": "model"}
    assert shown["parameters"]["lr_scheduler_type"] == {"value": "cosine", "origin": "default"}
    assert shown["parameters"]["compute_finetune"] == {"value": "gpu-cluster", "origin": "tuneops"}

    table = CliRunner().invoke(app, ["plan", str(tmp_path), "--state", str(azure.state)])
    assert table.exit_code == 2
    assert "model_specific_defaults" in table.output
    assert "1 x Standard_NC24ads_A100_v4" in table.output


def test_plan_holds_configs_against_the_policy(azure: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "finetune"
    folder.mkdir()
    (folder / "bot.yaml").write_text(
        "name: bot\nmodel: {name: Phi-3-mini-4k-instruct}\ndata: {path: bot}\n"
    )
    policy = tmp_path / "tuneops-policy.yaml"
    command = ["plan", str(folder), "--state", str(azure.state)]
    for text, code, said in (
        ("max_epochs: 2\n", 1, "bot.yaml: training.parameters.num_train_epochs"),
        ("max_epoch: 2\n", 1, "did you mean 'max_epochs'?"),
        ("max_epochs: 3\n", 2, "a model is trained"),
        ("changes: [{by: [ada]}]\npolicy: {by: [ada]}\n", 2, "may be merged by ada alone"),
    ):
        policy.write_text(text)
        done = CliRunner().invoke(app, command)
        assert (done.exit_code, said in done.output) == (code, True), done.output


def test_plan_of_what_can_not_be_done_exits_with_advice(azure: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "bot.yaml"
    file.write_text(
        "name: bot\nmodel: {name: Phi-3-mini-4k-instruct}\ndata: {path: bot}\n"
        "deployment: {instance_type: Standard_NC6s_v3}\n"
    )
    done = CliRunner().invoke(app, ["plan", str(file), "--state", str(azure.state)])
    assert done.exit_code == 1
    assert "was retired by Azure on 2025-09-30; choose" in done.output
