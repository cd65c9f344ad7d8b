"""MLflow tracking of the workspace: through MLflow's client and through Azure's own plugin."""

import os
import subprocess
import sys
import uuid

import httpx2
import pytest
from azure.ai.ml import MLClient
from azureml_server import LocalCredential, NodeClient, pipeline_body, workspace_path
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from localcloud.azureml.mlflow_filter import FilterError, parse_filter
from localcloud.connection import Connection

OFFLINE = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
PLUGIN_PROGRAM = """
import sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
run = client.get_run(sys.argv[2])
steps = client.search_runs(
    [run.info.experiment_id], f"tags.mlflow.rootRunId = '{run.info.run_id}'"
)
print(run.info.status, run.data.metrics["loss"], [
    step.info.run_name for step in steps if step.data.metrics and step.info.run_id != sys.argv[2]
])
"""


@pytest.fixture
def finished_job(azureml: Connection, rest: httpx2.Client) -> str:
    """A job whose step `finetune` logged a falling loss."""
    name = f"job-{uuid.uuid4().hex[:8]}"
    path = f"{workspace_path(azureml)}/jobs/{name}"
    assert rest.put(path, json=pipeline_body(azureml)).status_code == 201
    node = NodeClient(azureml, f"node-{name}")
    job = node.next_job()
    node.put(f"{name}/steps/finetune", status="Running")
    for step, loss in enumerate((3.0, 2.0, 1.0)):
        node.log(f"{name}/steps/finetune", metrics={"loss": loss}, iteration=step)
    node.log(f"{name}/steps/finetune", params={"learning_rate": "0.003"})
    node.put(f"{name}/steps/finetune", status="Completed")
    node.complete(job)
    return name


@pytest.fixture
def client(azureml: Connection, ml: MLClient, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    token = LocalCredential(azureml).get_token(azureml.azureml_url).token
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azureml.ca_bundle))
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    uri = ml.workspaces.get(azureml.workspace).mlflow_tracking_uri
    return MlflowClient(uri.replace("azureml://", "https://"))


class TestReading:
    def test_metrics_are_on_the_step_and_on_the_job(
        self, client: MlflowClient, finished_job: str
    ) -> None:
        run = client.get_run(finished_job)
        assert run.info.status == "FINISHED"
        assert run.data.metrics == {"loss": 1.0}
        (pipeline,) = client.search_runs(
            [run.info.experiment_id], f"tags.mlflow.parentRunId = '{finished_job}'"
        )
        steps = client.search_runs(
            [run.info.experiment_id], f"tags.mlflow.parentRunId = '{pipeline.info.run_id}'"
        )
        assert [step.info.run_name for step in steps] == ["finetune"]
        assert steps[0].data.params == {"learning_rate": "0.003"}
        history = client.get_metric_history(steps[0].info.run_id, "loss")
        assert [(item.step, item.value) for item in history] == [(0, 3.0), (1, 2.0), (2, 1.0)]

    def test_what_is_not_there(self, client: MlflowClient) -> None:
        with pytest.raises(MlflowException, match="not found"):
            client.get_run("absent")
        assert client.get_experiment_by_name("absent") is None

    def test_filters(self, client: MlflowClient, finished_job: str) -> None:
        experiment = client.get_run(finished_job).info.experiment_id

        def found(text: str) -> set[str]:
            runs = client.search_runs([experiment], text)
            return {run.info.run_id for run in runs}

        assert finished_job in found("metrics.loss < 1.5 and attributes.status = 'FINISHED'")
        assert finished_job not in found("metrics.loss > 1.5")
        with pytest.raises(MlflowException, match="Invalid filter"):
            found("metrics.loss <")

    def test_needs_a_token(
        self, client: MlflowClient, finished_job: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "wrong")
        with pytest.raises(MlflowException, match="InvalidAuthenticationToken"):
            client.get_run(finished_job)


def test_writing(client: MlflowClient) -> None:
    experiment = client.create_experiment(f"mine-{uuid.uuid4().hex[:8]}")
    run = client.create_run(experiment, run_name="by hand").info.run_id
    client.log_metric(run, "loss", 2.0, step=1)
    client.log_batch(run, [Metric("loss", 1.0, 1, 2), Metric("nan", float("nan"), 1, 1)])
    client.log_batch(run, params=[Param("seed", "1")])
    client.set_tag(run, "kind", "test")
    client.set_terminated(run, "FAILED")
    found = client.get_run(run)
    assert found.info.status == "FAILED"
    assert found.info.run_name == "by hand"
    assert found.data.metrics == {"loss": 1.0}
    assert found.data.params == {"seed": "1"}
    assert found.data.tags["kind"] == "test"
    with pytest.raises(MlflowException, match="already"):
        client.log_param(run, "seed", "2")


@pytest.mark.slow
def test_azures_plugin_with_the_managed_identity(
    azureml: Connection, ml: MLClient, identity_endpoint: str, finished_job: str
) -> None:
    environment = {
        **os.environ,
        **OFFLINE,
        "IDENTITY_ENDPOINT": identity_endpoint,
        "IDENTITY_HEADER": azureml.identity.header,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "ARM_CLOUD_METADATA_URL": f"{azureml.azureml_url}/metadata/endpoints",
        "AZUREML_CURRENT_CLOUD": azureml.cloud.name,
        "REQUESTS_CA_BUNDLE": str(azureml.ca_bundle),
    }
    uri = ml.workspaces.get(azureml.workspace).mlflow_tracking_uri
    done = subprocess.run(
        [sys.executable, "-c", PLUGIN_PROGRAM, uri, finished_job],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "FINISHED 1.0 ['finetune']", done.stderr


class TestFilterParser:
    def test_comparison(self) -> None:
        (term,) = parse_filter("tags.`mlflow.parentRunId` = 'a''"[:-1])
        assert (term.kind, term.key, term.operator, term.value) == (
            "tags",
            "mlflow.parentRunId",
            "=",
            "a",
        )
        assert term.holds("a")
        assert not term.holds("b")
        assert not term.holds(None)

    @pytest.mark.parametrize(
        ("text", "value", "holds"),
        [
            ("params.p LIKE 'a%'", "abc", True),
            ("params.p LIKE 'A%'", "abc", False),
            ("params.p ILIKE 'A_C'", "abc", True),
            ("params.p LIKE '[a]%'", "abc", False),
            ("metrics.m >= 2", 2.0, True),
            ("metrics.m != 2", 2.0, False),
            ("metrics.m > 1e-3", "text", False),
        ],
    )
    def test_operators(self, text: str, value: object, holds: bool) -> None:
        assert [term.holds(value) for term in parse_filter(text)] == [holds]

    def test_no_filter_lets_everything_through(self) -> None:
        assert parse_filter("  ") == []

    @given(st.text(max_size=80))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            terms = parse_filter(text)
        except FilterError:
            return
        assert all(term.holds("x") in (True, False) for term in terms)

    @given(st.lists(st.sampled_from(["metrics.a > 1", "tags.b = 'x AND y'", "c != 'd'"])))
    def test_terms_joined_by_and(self, terms: list[str]) -> None:
        assert len(parse_filter(" and ".join(terms))) == len(terms)
