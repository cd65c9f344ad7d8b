"""What a config becomes in Azure ML: sent by the product, read back through the SDK."""

import logging
from pathlib import Path

import pytest
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import Model
from azure.storage.blob import ContainerClient

from tests.cloud import Cloud
from tests.planned import release, until
from tuneops import planning
from tuneops.azureml import compute, data_jobs, endpoints, jobs
from tuneops.azureml.workspace import Workspace
from tuneops.data.job import TASK, Task
from tuneops.data.settings import HubData, Splits
from tuneops.prepared import DataJob

pytestmark = pytest.mark.slow

IDENTITY = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity"
    "/userAssignedIdentities/reader"
)
COMMIT = "c" * 40
SPLITS = Splits(train="train", test="test")
CLIENT = "11111111-2222-3333-4444-555555555555"


def test_a_cluster(workspace: Workspace) -> None:
    made = release(
        "compute: {name: sent, cluster: {size: Standard_NC24ads_A100_v4, max_instances: 2,"
        " idle_time_before_scale_down: 300, tier: low_priority, tags: {team: ai},"
        f" identity: {{type: user_assigned, user_assigned_identities: [{IDENTITY}]}}}}}}\n"
    )
    compute.begin_create(workspace, made)
    sent = workspace.ml.compute.get("sent")
    assert sent.size == "STANDARD_NC24ADS_A100_V4"
    assert (sent.min_instances, sent.max_instances) == (0, 2)
    assert sent.idle_time_before_scale_down == 300
    assert sent.tier == "low_priority"
    assert sent.tags == {"team": "ai", **made.tags}
    (identity,) = sent.identity.user_assigned_identities
    assert identity.resource_id == IDENTITY


def test_a_job_for_data_of_the_hub(
    azure: Cloud, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.contoso.example")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    made = release("compute: {name: cpu-cluster}\n")
    data = HubData(source="huggingface", dataset="contoso/chats", splits=SPLITS)
    config = made.config.model_copy(update={"data": data})
    made = made.replace(config=config, data=None, data_job=DataJob(key="k" * 12, revision=COMMIT))
    task = Task(config=config, source="contoso/chats", folder="bot/key", revision=COMMIT)
    account = azure.connection["storage"]["connection_string"]
    container = ContainerClient.from_connection_string(account, "prepared")
    data_jobs.submit(workspace, made, task, "", container)
    sent = workspace.ml.jobs.get(made.data_job_name)
    assert sent.command == "python -m tuneops.data.job ${{outputs.prepared}}"
    assert not sent.inputs
    assert Task.model_validate_json(sent.environment_variables.pop(TASK)) == task
    assert sent.environment_variables == {"HF_ENDPOINT": "https://hub.contoso.example"}
    assert sent.limits.timeout == data_jobs.MAX_SECONDS
    assert sent.outputs["prepared"].path.endswith("/datastores/tuneops_prepared/paths/bot/key")


def test_a_job_for_data_that_is_there_stays_whatever_would_differ(
    azure: Cloud, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    made = release("compute: {name: cpu-cluster}\n")
    data = HubData(source="huggingface", dataset="contoso/chats", splits=SPLITS)
    config = made.config.model_copy(update={"data": data})
    data_job = DataJob(key="j" * 12, revision=COMMIT)
    made = made.replace(config=config, data=None, data_job=data_job)
    task = Task(config=config, source="contoso/chats", folder="bot/other", revision=COMMIT)
    account = azure.connection["storage"]["connection_string"]
    container = ContainerClient.from_connection_string(account, "prepared")
    data_jobs.submit(workspace, made, task, "", container)
    caplog.set_level(logging.INFO, "tuneops")
    data_jobs.submit(workspace, made, task.model_copy(update={"source": "more"}), "", container)
    assert "it is there already" in caplog.text
    assert "cannot be changed" in caplog.text
    there = workspace.ml.jobs.get(made.data_job_name)
    assert Task.model_validate_json(there.environment_variables[TASK]) == task


def test_a_job(workspace: Workspace) -> None:
    made = release(
        "compute: {name: serverless, identity: {type: managed, client_id: " + CLIENT + "}}\n"
        "training: {parameters: {learning_rate: 0.00002, compute_preprocess: cpu-cluster}}\n"
    )
    made = made.replace(training=planning.plan(workspace, made))
    jobs.submit(workspace, made)
    sent = workspace.ml.jobs.get(made.job_name)
    assert sent.display_name == jobs.display_name(made)
    assert sent.experiment_name == "chat_completion_Phi-3-mini-4k-instruct"
    assert sent.tags == made.tags
    assert sent.settings.force_rerun is True
    assert sent.settings.continue_on_step_failure is False
    assert list(sent.outputs) == ["trained_model"]
    assert sent.identity.client_id == CLIENT
    (step,) = sent.jobs.values()
    given = {name: each._data for name, each in step.inputs.items()}
    assert float(given["learning_rate"]) == 2e-5
    assert given["compute_preprocess"] == "cpu-cluster"
    assert given["compute_finetune"] == "serverless"
    assert given["instance_type_finetune"] == "Standard_NC24ads_A100_v4"
    assert "instance_type_preprocess" not in given


def test_an_endpoint_and_its_deployment(workspace: Workspace, tmp_path: Path) -> None:
    made = release(
        "endpoint: {name: sent, auth_mode: aad_token, public_network_access: disabled,"
        f" identity: {{type: user_assigned, user_assigned_identities: [{IDENTITY}]}},"
        " tags: {team: ai}}\n"
        "deployment: {instance_count: 2, egress_public_network_access: disabled,"
        " request_settings: {request_timeout_ms: 60000, max_queue_wait_ms: 2000},"
        " liveness_probe: {initial_delay: 900}, readiness_probe: {period: 20},"
        " environment_variables: {MODE: quiet}, tags: {team: ai}}\n"
    )
    made = made.replace(training=planning.plan(workspace, made))
    endpoints.begin_create(workspace, made)
    endpoint = workspace.ml.online_endpoints.get("sent")
    assert endpoint.auth_mode == "aad_token"
    assert str(endpoint.public_network_access).lower().endswith("disabled")
    assert endpoint.tags == {"team": "ai", **made.tags}
    (identity,) = endpoint.identity.user_assigned_identities
    assert identity.resource_id == IDENTITY
    seen = endpoints.observe(workspace, "sent", "bot")
    assert seen is not None
    assert seen.identities == {IDENTITY.lower()}

    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    model = Model(
        name="bot",
        version=made.model_version,
        type=AssetTypes.MLFLOW_MODEL,
        path=str(tmp_path),
    )
    workspace.ml.models.create_or_update(model)
    until(lambda: workspace.ml.online_endpoints.get("sent").provisioning_state == "Succeeded")
    endpoints.begin_deploy(workspace, made)
    sent = workspace.ml.online_deployments.get(made.deployment_name, "sent")
    assert (sent.instance_type, sent.instance_count) == ("Standard_NC24ads_A100_v4", 2)
    assert sent.egress_public_network_access.lower() == "disabled"
    assert sent.request_settings.request_timeout_ms == 60_000
    assert sent.request_settings.max_concurrent_requests_per_instance == 1
    assert sent.request_settings.max_queue_wait_ms == 2_000
    assert (sent.liveness_probe.initial_delay, sent.liveness_probe.period) == (900, 10)
    assert (sent.readiness_probe.initial_delay, sent.readiness_probe.period) == (10, 20)
    assert sent.environment_variables == {"MODE": "quiet"}
    assert sent.tags == {"team": "ai", **made.tags}
