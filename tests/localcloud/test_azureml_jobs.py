"""Jobs: submitted through the SDK, run by a node that the tests play, and what they leave."""

import ssl
import uuid
from collections.abc import Iterator

import httpx2
import pytest
from azure.ai.ml import Input, MLClient, dsl
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import PipelineJob
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azureml_server import (
    NodeClient,
    Topic,
    eventually,
    pipeline_body,
    registry_client,
    workspace_path,
)

from localcloud.azureml.nodes import MAX_ATTEMPTS
from localcloud.connection import Connection


@pytest.fixture
def name() -> str:
    return f"job-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def node(azureml: Connection) -> NodeClient:
    return NodeClient(azureml, f"node-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def job(azureml: Connection, rest: httpx2.Client, name: str) -> Iterator[str]:
    """A submitted job; cancelled at the end, so that no later test's node gets it."""
    path = f"{workspace_path(azureml)}/jobs/{name}"
    assert rest.put(path, json=pipeline_body(azureml)).status_code == 201
    yield name
    rest.post(f"{path}/cancel")
    properties = rest.get(path).json()["properties"]
    if properties["status"] == "CancelRequested":
        NodeClient(azureml, "cleaner").put(f"{name}/status", status="Canceled")


def status_of(ml: MLClient, name: str) -> str:
    return str(ml.jobs.get(name).status.value)


def sdk_job(azureml: Connection, name: str, **inputs: object) -> PipelineJob:
    registry = registry_client(azureml)
    component = registry.components.get("chat_completion_pipeline", label="latest")
    model = registry.models.get("Phi-3-mini-4k-instruct", label="latest")

    def fine_tuning() -> dict[str, object]:
        step = component(
            task_name="ChatCompletion",
            mlflow_model_path=Input(type="mlflow_model", path=model.id),
            compute_finetune="gpu-cluster",
            **inputs,
        )
        return {"trained_model": step.outputs.mlflow_model_folder}

    job = dsl.pipeline(fine_tuning, name="fine_tuning")()
    job.name, job.experiment_name, job.tags = name, "tests", {"project": "p"}
    return job


class TestSubmission:
    def test_twice_is_one_job(
        self, azureml: Connection, ml: MLClient, node: NodeClient, name: str
    ) -> None:
        first = ml.jobs.create_or_update(sdk_job(azureml, name, learning_rate=2e-5))
        second = ml.jobs.create_or_update(sdk_job(azureml, name, learning_rate=2e-5))
        assert first.status.value == second.status.value == "Preparing"
        assert [job.name for job in ml.jobs.list()].count(name) == 1
        job = node.next_job()
        assert job["name"] == name
        assert job["literals"]["learning_rate"] == pytest.approx(2e-5)
        assert job["assets"]["mlflow_model_path"].startswith("azureml://registries/azureml/")
        node.complete(job)
        assert status_of(ml, name) == "Completed"

    def test_of_the_same_name_with_other_inputs(
        self, azureml: Connection, rest: httpx2.Client, job: str
    ) -> None:
        path = f"{workspace_path(azureml)}/jobs/{job}"
        answer = rest.put(path, json=pipeline_body(azureml, num_train_epochs=7))
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "UserError"
        assert "existing job's Jobs cannot be changed" in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("properties", "reason"),
        [
            ({"tags": {str(number): "" for number in range(51)}}, "at most 50 tags"),
            ({"tags": {"k" * 101: ""}}, "is too long"),
            ({"tags": {"key": "v" * 1001}}, "The tag 'key' is too long"),
            ({"displayName": "n" * 257}, "at most 256 characters"),
        ],
    )
    def test_beyond_azures_limits(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        name: str,
        properties: dict[str, object],
        reason: str,
    ) -> None:
        body = pipeline_body(azureml)
        body["properties"] |= properties
        answer = rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=body)
        assert answer.status_code == 400, answer.text
        assert reason in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("inputs", "reason"),
        [
            ({"num_train_epoch": 3}, "num_train_epoch"),
            ({"num_train_epochs": "three"}, "'three', which is no integer"),
            ({"num_train_epochs": 0}, "outside of 1"),
            ({"learning_rate": "fast"}, "no number"),
            ({"lr_scheduler_type": "zigzag"}, "must be one of linear"),
            ({"compute_preprocess": "nowhere"}, "Compute 'nowhere' does not exist"),
            ({"seed": "${{parent.inputs.absent}}"}, "bound to"),
            ({"instance_type_preprocess": "Standard_Nope"}, "instance type 'Standard_Nope' is not"),
        ],
    )
    def test_with_wrong_inputs(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        name: str,
        inputs: dict[str, object],
        reason: str,
    ) -> None:
        path = f"{workspace_path(azureml)}/jobs/{name}"
        answer = rest.put(path, json=pipeline_body(azureml, **inputs))
        assert answer.status_code == 400, answer.text
        assert reason in answer.json()["error"]["message"]
        assert rest.get(path).status_code == 404

    def test_of_an_unknown_component(
        self, azureml: Connection, rest: httpx2.Client, name: str
    ) -> None:
        body = pipeline_body(azureml)
        step = body["properties"]["jobs"]["step"]
        step["componentId"] = step["componentId"].rpartition("/")[0] + "/9.9.9"
        answer = rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=body)
        assert answer.status_code == 404
        assert "(version: 9.9.9)" in answer.json()["error"]["message"]

    def test_tags_may_change(self, azureml: Connection, ml: MLClient, job: str) -> None:
        fetched = ml.jobs.get(job)
        fetched.tags = {"note": "kept"}
        ml.jobs.create_or_update(fetched)
        assert ml.jobs.get(job).tags["note"] == "kept"

    def test_updates_add_tags_and_properties(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, job: str
    ) -> None:
        ml.jobs.update(job, tags={"a": "1", "b": "1"}, properties={"p": "1"}, description="d")
        updated = ml.jobs.update(job, tags={"b": "2"}, properties={"q": "2"}, display_name="n")
        assert updated.tags == {"a": "1", "b": "2"}
        assert updated.properties.items() >= {"p": "1", "q": "2", "runSource": "MFE"}.items()
        assert (updated.display_name, updated.description) == ("n", "d")
        path = f"{workspace_path(azureml)}/jobs/{job}"
        body = pipeline_body(azureml)
        body["properties"] |= {"tags": {"c": "3"}, "properties": {"r": "3"}}
        found = rest.put(path, json=body).json()["properties"]
        assert found["tags"] == {"a": "1", "b": "2", "c": "3"}
        assert found["properties"].items() >= {"p": "1", "q": "2", "r": "3"}.items()
        assert (found["displayName"], found["description"]) == ("n", "d")

    def test_updates_of_the_wrong_kind(
        self, azureml: Connection, rest: httpx2.Client, job: str
    ) -> None:
        path = f"/history/v1.0{workspace_path(azureml)}/experiments/tests/runs/{job}"
        for body in ({"tags": {"a": 1}}, {"displayName": 1}, {"hidden": "yes"}):
            assert rest.patch(path, json=body).status_code == 400
        assert rest.get(f"{workspace_path(azureml)}/jobs/{job}").json()["properties"]["tags"] == {}

    def test_what_the_service_adds(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, name: str
    ) -> None:
        body = pipeline_body(azureml)
        body["properties"]["inputs"] = {"seed": {"jobInputType": "literal", "value": "7"}}
        path = f"{workspace_path(azureml)}/jobs/{name}"
        properties = rest.put(path, json=body).json()["properties"]
        rest.post(f"{path}/cancel")
        assert properties["inputs"]["seed"]["description"] is None
        studio = properties["services"]["Studio"]["endpoint"]
        assert studio.endswith(
            f"/runs/{name}?wsid=/subscriptions/{azureml.subscription_id}"
            f"/resourcegroups/{azureml.resource_group}/workspaces/{azureml.workspace}"
        )
        assert str(ml.jobs.get(name).studio_url).startswith(f"{studio}&tid=")

    def test_list_has_pages(self, azureml: Connection, rest: httpx2.Client, job: str) -> None:
        path = f"{workspace_path(azureml)}/jobs"
        first = rest.get(path, params={"api-version": "2024-01-01-preview", "$skip": "0"}).json()
        assert first["value"][0]["name"] == job
        beyond = rest.get(path, params={"api-version": "2024-01-01-preview", "$skip": "9999"})
        assert beyond.json() == {"value": []}


class TestRunning:
    def test_steps_metrics_and_events(
        self, azureml: Connection, ml: MLClient, node: NodeClient, job: str, topic: Topic
    ) -> None:
        given = node.next_job()
        assert status_of(ml, job) == "Running"
        for step in ("preprocess", "finetune"):
            node.put(f"{job}/steps/{step}", status="Running")
            node.log(f"{job}/steps/{step}", metrics={"loss": 0.5}, iteration=1)
            node.put(f"{job}/steps/{step}", status="Completed")
        node.complete(given)
        (pipeline,) = ml.jobs.list(parent_job_name=job)
        assert pipeline.display_name == "step"
        steps = list(ml.jobs.list(parent_job_name=pipeline.name))
        assert [step.display_name for step in steps] == ["preprocess", "finetune"]
        assert {step.status for step in (pipeline, *steps)} == {"Completed"}
        assert {step.creation_context.created_at for step in steps} <= {
            ml.jobs.get(step.name).creation_context.created_at for step in steps
        }
        ids = {job, pipeline.name, *(step.name for step in steps)}

        def completed() -> set[str]:
            kind = "Microsoft.MachineLearningServices.RunCompleted"
            return {e["data"].get("runId") for e in topic.events if e["eventType"] == kind}

        eventually(lambda: ids <= completed())
        last = next(e for e in reversed(topic.events) if e["data"].get("runId") == job)
        assert last["subject"].endswith(f"/runs/{job}")
        assert topic.keys == {azureml.eventgrid.topics["workspace"].key}
        assert len({e["id"] for e in topic.events}) == len(topic.events)

    def test_failure_says_why(self, ml: MLClient, node: NodeClient, job: str, topic: Topic) -> None:
        node.next_job()
        error = {"code": "UserError", "message": "row 7 has no messages"}
        node.put(f"{job}/steps/preprocess", status="Failed", error=error)
        node.put(f"{job}/status", status="Failed", error=error)
        assert status_of(ml, job) == "Failed"
        with pytest.raises(JobException, match="row 7 has no messages"):
            ml.jobs.stream(job)
        eventually(
            lambda: any(
                e["data"].get("runId") == job and e["data"].get("runStatus") == "Failed"
                for e in topic.events
            )
        )

    def test_an_ended_job_stays_ended(self, ml: MLClient, node: NodeClient, job: str) -> None:
        node.complete(node.next_job())
        node.put(f"{job}/status", status="Failed")
        ml.jobs.begin_cancel(job)
        assert status_of(ml, job) == "Completed"


def test_a_step_says_who_made_it(
    azureml: Connection, rest: httpx2.Client, node: NodeClient, job: str
) -> None:
    node.next_job()
    step = node.put(f"{job}/steps/preprocess", status="Running").json()["run"]
    jobs = f"{workspace_path(azureml)}/jobs"
    found = rest.get(f"{jobs}/{step}").json()
    assert set(found) == {"id", "name", "type", "systemData"}
    whole = rest.get(f"{jobs}/{job}").json()["systemData"]
    assert found["systemData"]["createdBy"] == whole["createdBy"]
    assert found["systemData"]["createdByType"] == whole["createdByType"] == "Application"
    assert found["systemData"]["createdAt"] >= whole["createdAt"]


def test_a_pipeline_has_no_services_to_show(
    azureml: Connection, ml: MLClient, rest: httpx2.Client, job: str
) -> None:
    assert ml.jobs.show_services(job) is None
    with pytest.raises(ResourceNotFoundError):
        ml.jobs.show_services("absent")
    path = f"/history/v1.0{workspace_path(azureml)}/runs/{job}/serviceinstances"
    assert rest.get(f"{path}/first").status_code == rest.get(f"{path}/%C2%B2").status_code == 400


class TestCancellation:
    def test_before_a_node_has_it(self, ml: MLClient, job: str) -> None:
        ml.jobs.begin_cancel(job).wait(10)
        assert status_of(ml, job) == "Canceled"

    def test_while_it_runs(self, ml: MLClient, node: NodeClient, job: str) -> None:
        node.next_job()
        node.put(f"{job}/steps/finetune", status="Running")
        assert not node.wants_end(job)
        ml.jobs.begin_cancel(job)
        assert status_of(ml, job) == "CancelRequested"
        assert node.wants_end(job)
        node.put(f"{job}/status", status="Canceled")
        assert status_of(ml, job) == "Canceled"
        (pipeline,) = ml.jobs.list(parent_job_name=job)
        steps = list(ml.jobs.list(parent_job_name=pipeline.name))
        assert [step.status for step in (pipeline, *steps)] == ["Canceled", "Canceled"]


class TestLostNodes:
    def test_a_new_node_gets_the_job(
        self, azureml: Connection, ml: MLClient, node: NodeClient, job: str
    ) -> None:
        lost = NodeClient(azureml, "lost")
        assert lost.next_job()["name"] == job
        assert node.next_job()["name"] == job
        assert lost.put(f"{job}/status", status="Completed").status_code == 409
        assert status_of(ml, job) == "Running"

    def test_what_the_lost_node_logged_is_forgotten(
        self, azureml: Connection, rest: httpx2.Client, node: NodeClient, job: str
    ) -> None:
        lost = NodeClient(azureml, "lost")
        lost.next_job()
        lost.log(f"{job}/steps/finetune", metrics={"loss": 9.0}, iteration=50)
        lost.log(f"{job}/steps/finetune", params={"seed": "1"})
        node.next_job()
        node.log(f"{job}/steps/finetune", metrics={"loss": 1.0}, iteration=1)
        assert node.log(f"{job}/steps/finetune", params={"seed": "2"}).is_success
        path = f"/mlflow/v2.0{workspace_path(azureml)}/api/2.0/mlflow/metrics/get-history"
        history = rest.get(path, params={"run_id": job, "metric_key": "loss"}).json()["metrics"]
        assert [metric["value"] for metric in history] == [1.0]

    def test_an_answer_that_was_lost_is_given_again(self, node: NodeClient, job: str) -> None:
        assert node.next_job()["name"] == node.next_job()["name"] == job

    def test_lost_too_often_is_failed(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, job: str
    ) -> None:
        for number in range(MAX_ATTEMPTS):
            assert NodeClient(azureml, f"lost-{number}").next_job()["name"] == job
        path = f"{workspace_path(azureml)}/jobs/{job}-next"
        rest.put(path, json=pipeline_body(azureml))
        last = NodeClient(azureml, "last")
        assert last.next_job()["name"] == f"{job}-next"
        assert status_of(ml, job) == "Failed"
        last.put(f"{job}-next/status", status="Canceled")


def test_a_job_is_archived_and_restored(ml: MLClient, job: str) -> None:
    ml.jobs.archive(job)
    archived = ml.jobs.list(list_view_type=ListViewType.ARCHIVED_ONLY)
    assert job in {item.name for item in archived}
    assert job not in {item.name for item in ml.jobs.list()}
    ml.jobs.restore(job)
    assert job in {item.name for item in ml.jobs.list()}


def test_what_is_not_there(ml: MLClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        ml.jobs.get("absent")
    with pytest.raises(HttpResponseError):
        ml.jobs.begin_cancel("absent")


def test_a_cluster_has_a_node_while_a_job_runs(
    azureml: Connection, rest: httpx2.Client, job: str
) -> None:
    def nodes() -> int:
        cluster = rest.get(f"{workspace_path(azureml)}/computes/gpu-cluster").json()
        return int(cluster["properties"]["properties"]["currentNodeCount"])

    assert nodes() == 0
    with httpx2.Client(
        base_url=f"{azureml.azureml_url}/_compute",
        headers={"x-compute-key": azureml.compute_key},
        verify=ssl.create_default_context(cafile=str(azureml.ca_file)),
    ) as node:
        me = {"node": uuid.uuid4().hex}
        assert node.post("/next", json=me).json()["name"] == job
        assert nodes() == 1
        node.put(f"/jobs/{job}/status", json={**me, "status": "Completed"})
    assert nodes() == 0
