"""Pipelines of several steps on the server's side: read, handed to a node, and ended."""

import copy
import ssl
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Environment
from azureml_server import NodeClient, eventually, pipeline_body, workspace_path

from localcloud.azureml.lifecycle import ENDED
from localcloud.connection import Connection

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
Change = dict[str, Any]


class Bodies:
    """The bodies that the SDK sends for a parallel step, a command, and a pipeline of both."""

    def __init__(self, connection: Connection, rest: httpx2.Client) -> None:
        self.workspace = workspace_path(connection)
        self._rest = rest
        self._host = urlsplit(connection.azureml_url).netloc
        self._suffix = connection.cloud.metadata.storage_endpoint
        self._account = connection.storage.account
        self.data = f"{connection.storage.blob_url}/datasets/bot/"
        self.code = self._put_code()
        self.environment = f"azureml:{self.workspace}/environments/tuneops-data/versions/1"

    def _put_code(self) -> str:
        path = f"{self.workspace}/codes/{uuid.uuid4()}/versions/1"
        account = f"{self._host}/storage/{self._account}.blob.{self._suffix}"
        uri = f"https://{account}/code-{uuid.uuid4()}/code"
        assert self._rest.put(path, json={"properties": {"codeUri": uri}}).status_code == 201
        return f"azureml:{path}"

    def put_component(self, **spec: Any) -> str:
        """Register an anonymous component; gives its id."""
        path = f"{self.workspace}/components/azureml_anonymous/versions/{uuid.uuid4()}"
        body = {"properties": {"componentSpec": spec, "isAnonymous": True}}
        answer = self._rest.put(path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    @property
    def parallel(self) -> Change:
        """The specification of a parallel component."""
        return {
            "name": "check",
            "type": "parallel",
            "inputs": {"data": {"type": "uri_folder", "mode": "ro_mount"}},
            "outputs": {"checked": {"type": "uri_folder", "mode": "rw_mount"}},
            "resources": {"instance_count": 2},
            "task": {
                "type": "run_function",
                "code": self.code,
                "entry_script": "entry.py",
                "program_arguments": "--out '${{ outputs.checked }}' --allowed_failed_percent 5",
                "environment": self.environment,
            },
            "mini_batch_size": "10",
            "input_data": "${{inputs.data}}",
            "retry_settings": {"timeout": 3600, "max_retries": 1},
            "max_concurrency_per_instance": 2,
            "error_threshold": 0,
            "_source": "BUILDER",
        }

    @property
    def command(self) -> Change:
        """The specification of a command component."""
        return {
            "name": "merge",
            "type": "command",
            "command": "merge ${{inputs.checked}} ${{inputs.rows}} ${{outputs.prepared}}",
            "code": self.code,
            "environment": self.environment,
            "inputs": {
                "checked": {"type": "uri_folder"},
                "rows": {"type": "integer", "default": "5"},
                "seed": {"type": "integer", "optional": True},
            },
            "outputs": {"prepared": {"type": "uri_folder"}, "rest": {"type": "uri_folder"}},
        }

    def pipeline(self, parallel: Change, command: Change) -> Change:
        """The properties of a job whose second step is given first."""
        merge = {
            "type": "command",
            "componentId": self.put_component(**command),
            "inputs": {"checked": bound("${{parent.jobs.check.outputs.checked}}")},
            "outputs": {"prepared": {"value": "${{parent.outputs.prepared}}", "type": "literal"}},
            "environment_variables": {"X": "1"},
            "limits": {"timeout": "PT1M"},
        }
        check = {
            "type": "parallel",
            "componentId": self.put_component(**parallel),
            "inputs": {"data": bound("${{parent.inputs.data}}")},
            "outputs": {"checked": {"mode": "ReadWriteMount", "job_output_type": "uri_folder"}},
            "mini_batch_size": 1,
            "computeId": f"{self.workspace}/computes/gpu-cluster",
        }
        return {
            "jobType": "Pipeline",
            "experimentName": "prepare",
            "jobs": {"merge": merge, "check": check},
            "inputs": {
                "data": {"jobInputType": "uri_folder", "uri": self.data},
                "rows": {"jobInputType": "literal", "value": "7"},
            },
            "outputs": {"prepared": {"jobOutputType": "uri_folder", "mode": "ReadWriteMount"}},
            "settings": {"_source": "DSL"},
        }


def bound(reference: str) -> dict[str, str]:
    return {"job_input_type": "literal", "value": reference}


def changed(properties: Change, path: str, value: object) -> Change:
    """The properties with another value at a dotted path."""
    result = copy.deepcopy(properties)
    *parents, last = path.split(".")
    place = result
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return result


@pytest.fixture
def name() -> str:
    return f"steps-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def node(azureml: Connection) -> NodeClient:
    return NodeClient(azureml, f"node-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def bodies(azureml: Connection, ml: MLClient, rest: httpx2.Client) -> Iterator[Bodies]:
    """What can be submitted; what was is cancelled, so that no later test gets it."""
    ml.environments.create_or_update(Environment(name="tuneops-data", version="1", image=IMAGE))
    yield Bodies(azureml, rest)
    jobs = f"{workspace_path(azureml)}/jobs"
    for item in rest.get(jobs, params={"listViewType": "All"}).json()["value"]:
        if item["properties"]["status"] not in ENDED:
            rest.post(f"{jobs}/{item['name']}/cancel")


@pytest.fixture
def properties(bodies: Bodies) -> Change:
    return bodies.pipeline(bodies.parallel, bodies.command)


@pytest.fixture
def job(bodies: Bodies, rest: httpx2.Client, name: str, properties: Change) -> str:
    """A submitted job."""
    answer = rest.put(f"{bodies.workspace}/jobs/{name}", json={"properties": properties})
    assert answer.status_code == 201, answer.text
    return name


def refused(rest: httpx2.Client, bodies: Bodies, name: str, properties: Change) -> tuple[int, str]:
    """The status and message of the answer to a job."""
    path = f"{bodies.workspace}/jobs/{name}"
    answer = rest.put(path, json={"properties": properties})
    assert rest.get(path).status_code == 404
    return answer.status_code, str(answer.json()["error"]["message"])


class TestSubmission:
    def test_job_as_it_is_answered(self, ml: MLClient, job: str) -> None:
        kept = ml.jobs.get(job)
        assert kept.type == "pipeline"
        assert (kept.jobs["check"].type, kept.jobs["merge"].type) == ("parallel", "command")
        assert kept.jobs["check"].mini_batch_size == 1
        assert kept.properties["azureml.parameters"] == '{"rows": "7"}'
        assert kept.properties["azureml.defaultComputeName"] == "serverless"

    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [
            ("jobs", {}, "no steps"),
            ("jobs.check.type", "sweep", "steps of type command and parallel only"),
            ("jobs.check.type", "command", "unlike its component"),
            ("jobs.check.componentId", None, "'componentId' is required"),
            ("jobs.check.inputs.data", bound("${{parent.inputs.none}}"), "which the job does not"),
            ("jobs.check.inputs.data", bound("a-${{parent.inputs.data}}"), "which the job does"),
            ("jobs.check.inputs.data", bound("${{parent.inputs.rows}}"), "the URI of a uri_folder"),
            ("jobs.check.inputs.other", bound("x"), "inputs that its component does not: other"),
            ("jobs.merge.inputs", {}, "lacks the required input 'checked'"),
            (
                "jobs.merge.inputs.checked",
                bound("${{parent.jobs.check.outputs.none}}"),
                "'jobs.merge.inputs.checked' is bound to",
            ),
            ("jobs.merge.inputs.rows", bound("many"), "which is no integer"),
            (
                "jobs.merge.inputs.rows",
                bound("${{parent.jobs.check.outputs.checked}}"),
                "needs a value of type integer",
            ),
            (
                "jobs.check.inputs.data",
                bound("${{parent.jobs.merge.outputs.prepared}}"),
                "wait for each other",
            ),
            ("jobs.check.inputs.data.mode", "EvalMount", "the modes ReadOnlyMount and Download"),
            ("inputs.data.mode", "Direct", "the modes ReadOnlyMount and Download only"),
            ("inputs.data.uri", "x.txt", "not a reference"),
            (
                "jobs.merge.outputs.prepared.value",
                "${{parent.outputs.none}}",
                "which the job does not have",
            ),
            ("jobs.merge.outputs.none", {}, "has no output 'none'"),
            ("jobs.merge.outputs", {}, "No step produces the job's output 'prepared'"),
            (
                "jobs.check.outputs.checked",
                {"value": "${{parent.outputs.prepared}}"},
                "Several steps produce",
            ),
            ("jobs.check.outputs.checked.mode", "Direct", "the modes ReadWriteMount and Upload"),
            ("jobs.check.outputs.checked.uri", "https://a.b/c", "in no datastore"),
            ("jobs.check.outputs.checked.assetName", "a", "registers no outputs"),
            ("outputs.prepared.uri", "azureml://datastores/none/paths/a", "a datastore 'none'"),
            ("jobs.check.computeId", "nowhere", "Compute 'nowhere' does not exist"),
            ("settings.default_compute", "nowhere", "Compute 'nowhere' does not exist"),
            ("jobs.merge.resources.instance_type", "Standard_Nope", "'Standard_Nope' is not known"),
            ("jobs.merge.resources.instance_count", 2, "runs a command on one node"),
            ("jobs.merge.distribution", {"type": "mpi"}, "does not support 'distribution'"),
            ("jobs.check.partition_keys", ["a"], "does not support 'partition_keys'"),
            ("jobs.check.input_data", "${{inputs.none}}", "must be one of its inputs"),
            ("jobs.check.mini_batch_size", "10kb", "'mini_batch_size' must be a whole number"),
            ("jobs.check.logging_level", "LOUD", "'LOUD' is not one of"),
            ("jobs.check.retry_settings", {"timeout": 0}, "'timeout' must be a whole number"),
            ("settings.continue_on_step_failure", True, "'continue_on_step_failure'"),
            ("settings.default_datastore", "azureml:other", "'workspaceblobstore' only"),
        ],
    )
    def test_with_something_wrong(
        self,
        rest: httpx2.Client,
        bodies: Bodies,
        name: str,
        properties: Change,
        path: str,
        value: object,
        reason: str,
    ) -> None:
        status, message = refused(rest, bodies, name, changed(properties, path, value))
        assert status == 400
        assert reason in message

    @pytest.mark.parametrize(
        ("path", "value", "status", "reason"),
        [
            ("task.entry_script", "../entry.py", 400, "is no Python file in the code folder"),
            ("task.program_arguments", "--x ${{inputs.none}}", 400, "'${{inputs.none}}'"),
            ("task.program_arguments", "--x 'open", 400, "can't be read"),
            ("task.program_arguments", "--error_threshold many", 400, "'error_threshold' must"),
            ("task.append_row_to", "${{outputs.checked}}", 400, "append_row_to is"),
            ("task.append_row_to", "rows.txt", 400, "append_row_to is"),
            ("task.type", "model", 400, "'model' is not one of run_function"),
            ("task.environment", "azureml:none:1", 404, "Environment 'azureml:none:1'"),
            ("task.code", "azureml:none:1", 404, "Code 'azureml:none:1'"),
            ("inputs.data.type", "mltable", 400, "cuts no tables"),
        ],
    )
    def test_with_something_wrong_in_a_parallel_component(
        self,
        rest: httpx2.Client,
        bodies: Bodies,
        name: str,
        path: str,
        value: object,
        status: int,
        reason: str,
    ) -> None:
        job = bodies.pipeline(changed(bodies.parallel, path, value), bodies.command)
        found, message = refused(rest, bodies, name, job)
        assert found == status
        assert reason in message

    @pytest.mark.parametrize(
        ("command", "reason"),
        [
            ("merge ${{inputs.seed}}", "'${{inputs.seed}}', which the job does not have"),
            ("merge $[[--seed ${{inputs.seed}}]]", "has no optional parts"),
        ],
    )
    def test_with_something_wrong_in_a_command(
        self, rest: httpx2.Client, bodies: Bodies, name: str, command: str, reason: str
    ) -> None:
        job = bodies.pipeline(bodies.parallel, bodies.command | {"command": command})
        status, message = refused(rest, bodies, name, job)
        assert status == 400
        assert reason in message

    def test_component_that_is_not_there(
        self, rest: httpx2.Client, bodies: Bodies, name: str, properties: Change
    ) -> None:
        path = f"{bodies.workspace}/components/none/versions/1"
        job = changed(properties, "jobs.check.componentId", path)
        assert refused(rest, bodies, name, job)[0] == 404

    def test_registrys_component_beside_others(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        bodies: Bodies,
        name: str,
        properties: Change,
    ) -> None:
        step = pipeline_body(azureml)["properties"]["jobs"]["step"]
        status, message = refused(rest, bodies, name, changed(properties, "jobs.train", step))
        assert status == 400
        assert "as a pipeline's only step" in message


class TestRunning:
    def test_what_the_node_is_told(
        self, azureml: Connection, node: NodeClient, bodies: Bodies, job: str
    ) -> None:
        order = node.next_job()
        assert (order["name"], order["kind"]) == (job, "Steps")
        check, merge = order["steps"]
        assert (check["name"], merge["name"]) == ("check", "merge")
        assert check["assets"] == {"data": bodies.data}
        assert check["parallel"] == {
            "entry_script": "entry.py",
            "arguments": ["--out", "${{outputs.checked}}", "--allowed_failed_percent", "5"],
            "input": "data",
            "append_row_to": None,
            "size": 1,
            "instances": 2,
            "per_instance": 2,
            "max_retries": 1,
            "timeout": 3600,
            "error_threshold": 0,
            "mini_batch_error_threshold": -1,
            "allowed_failed_percent": 5,
        }
        assert merge["literals"] == {"rows": "5"}
        assert merge["bound"] == {"checked": ["check", "checked"]}
        assert (merge["variables"], merge["seconds"]) == ({"X": "1"}, 60)
        assert merge["code"].startswith(f"{azureml.storage.blob_url}/code-")
        prepared, rest_of_it = merge["outputs"]["prepared"], merge["outputs"]["rest"]
        assert prepared["path"] == f"azureml/{job}/prepared"
        assert prepared["folder"].endswith(f"azureml/{job}/prepared")
        assert rest_of_it["path"].startswith("azureml/")
        assert job not in rest_of_it["path"]
        assert rest_of_it["folder"] is None

    def test_steps_are_right_below_the_job(
        self, ml: MLClient, node: NodeClient, rest: httpx2.Client, bodies: Bodies, job: str
    ) -> None:
        cluster = f"{bodies.workspace}/computes/gpu-cluster"

        def nodes() -> int:
            found = rest.get(cluster).json()["properties"]["properties"]
            return int(found["nodeStateCounts"]["runningNodeCount"])

        node.next_job()
        assert nodes() == 0
        run = node.put(f"{job}/steps/check", status="Running").json()["run"]
        assert nodes() == 1
        (child,) = ml.jobs.list(parent_job_name=job)
        assert (child.name, child.display_name, child.status) == (run, "check", "Running")
        node.put(f"{job}/steps/check", status="Completed")
        assert nodes() == 0
        outputs = rest.post(f"/history/v1.0{bodies.workspace}/rundata", json={"runId": run}).json()[
            "runMetadata"
        ]["outputs"]
        assert outputs["checked"]["assetId"].endswith(f"azureml_{run}_output_checked/versions/1")
        node.put(f"{job}/steps/merge", status="Running")
        node.put(f"{job}/status", status="Failed", error={"code": "UserError", "message": "merge"})
        statuses = {step.display_name: step.status for step in ml.jobs.list(parent_job_name=job)}
        assert statuses == {"check": "Completed", "merge": "Failed"}

    def test_new_node_gets_the_job(self, azureml: Connection, node: NodeClient, job: str) -> None:
        lost = NodeClient(azureml, "lost")
        assert lost.next_job()["name"] == job
        lost.put(f"{job}/steps/check", status="Completed")
        assert node.next_job()["name"] == job
        assert node.put(f"{job}/steps/check", status="Running").is_success

    def test_fault_that_was_asked_for(self, azureml: Connection, ml: MLClient, job: str) -> None:
        with httpx2.Client(
            base_url=f"{azureml.azureml_url}/_admin",
            headers={"x-compute-key": azureml.compute_key},
            verify=ssl.create_default_context(cafile=str(azureml.ca_file)),
            trust_env=False,
        ) as admin:
            fault = {"work": "job", "outcome": "fail", "target": job}
            admin.post("/faults", json={**fault, "step": "chat_completion_finetune"})
        waiting = NodeClient(azureml, "waiting")
        waiting._http.timeout = 1
        with pytest.raises(httpx2.TimeoutException):
            waiting.next_job()
        eventually(lambda: ml.jobs.get(job).status == "Failed")
        assert list(ml.jobs.list(parent_job_name=job)) == []


class TestComponents:
    def test_version_never_changes(self, rest: httpx2.Client, bodies: Bodies) -> None:
        path = bodies.put_component(**bodies.command)
        same = {"properties": {"componentSpec": bodies.command, "tags": {"a": "b"}}}
        again = rest.put(path, json=same)
        assert again.status_code == 200
        kept = again.json()["properties"]
        assert kept["tags"] == {"a": "b"}
        assert kept["componentSpec"]["inputs"]["rows"]["optional"] == "False"
        assert kept["componentSpec"]["inputs"]["seed"]["optional"] == "True"
        other = {"properties": {"componentSpec": bodies.command | {"command": "other"}}}
        assert rest.put(path, json=other).status_code == 409

    def test_through_the_sdk(self, ml: MLClient, bodies: Bodies) -> None:
        version = bodies.put_component(**bodies.parallel).rpartition("/")[2]
        assert version in {item.version for item in ml.components.list("azureml_anonymous")}
        found = ml.components.get("azureml_anonymous", version)
        assert (found.type, found.mini_batch_size) == ("parallel", 10)

    def test_other_types_are_refused(self, rest: httpx2.Client, bodies: Bodies) -> None:
        path = f"{bodies.workspace}/components/nested/versions/1"
        answer = rest.put(path, json={"properties": {"componentSpec": {"type": "pipeline"}}})
        assert answer.status_code == 400
        assert "of type command and parallel only" in answer.json()["error"]["message"]
