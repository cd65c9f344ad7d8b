"""Command jobs on the server's side: submitted, handed to a node that the tests play, and ended."""

import ssl
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from azure.ai.ml import MLClient, Output, command
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import (
    AzureBlobDatastore,
    Command,
    Environment,
    JupyterLabJobService,
)
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azureml_server import NodeClient, Topic, eventually, workspace_path

from localcloud.azureml.lifecycle import ENDED
from localcloud.connection import Connection

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


@pytest.fixture
def name() -> str:
    return f"command-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def node(azureml: Connection) -> NodeClient:
    return NodeClient(azureml, f"node-{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def environment(azureml: Connection) -> str:
    """The ARM id of an environment."""
    return f"{workspace_path(azureml)}/environments/tuneops-data/versions/1"


@pytest.fixture(autouse=True)
def prepared(azureml: Connection, ml: MLClient, rest: httpx2.Client) -> Iterator[None]:
    """What the jobs of these tests need; they are cancelled, so that no later test gets them."""
    ml.environments.create_or_update(Environment(name="tuneops-data", version="1", image=IMAGE))
    ml.datastores.create_or_update(datastore(azureml))
    yield
    jobs = f"{workspace_path(azureml)}/jobs"
    for item in rest.get(jobs, params={"listViewType": "All"}).json()["value"]:
        if item["properties"]["status"] not in ENDED:
            rest.post(f"{jobs}/{item['name']}/cancel")


@pytest.fixture
def job(azureml: Connection, rest: httpx2.Client, name: str, environment: str) -> str:
    """A submitted job."""
    path = f"{workspace_path(azureml)}/jobs/{name}"
    answer = rest.put(path, json=command_body(azureml, environment))
    assert answer.status_code == 201, answer.text
    return name


def datastore(connection: Connection, **changes: str) -> AzureBlobDatastore:
    given = {
        "name": "tuneops_prepared",
        "account_name": connection.storage.account,
        "container_name": "prepared",
    }
    return AzureBlobDatastore(**(given | changes))


def command_body(connection: Connection, environment: str, **changes: Any) -> dict[str, Any]:
    """The body that the SDK sends for a command job."""
    data = f"{connection.storage.blob_url}/datasets/x.jsonl"
    place = "azureml://datastores/tuneops_prepared/paths/bot/key"
    properties = {
        "jobType": "Command",
        "experimentName": "commands",
        "command": "run ${{inputs.data}} ${{inputs.rows}} ${{ outputs.out }} ${{outputs.rest}}",
        "environmentId": environment,
        "environmentVariables": {"X": '{"a": 1}'},
        "inputs": {
            "data": {"jobInputType": "uri_file", "uri": data, "mode": "ReadOnlyMount"},
            "rows": {"jobInputType": "literal", "value": "5"},
        },
        "outputs": {
            "out": {"jobOutputType": "uri_folder", "uri": place, "mode": "ReadWriteMount"},
            "rest": {"jobOutputType": "uri_folder"},
        },
    }
    return {"properties": properties | changes}


def code_uri(connection: Connection) -> str:
    """Where the SDK would upload code."""
    host = urlsplit(connection.azureml_url).netloc
    suffix = connection.cloud.metadata.storage_endpoint
    account = f"{host}/storage/{connection.storage.account}.blob.{suffix}"
    return f"https://{account}/code-{uuid.uuid4()}/my code"


def sdk_job(name: str, **more: Any) -> Command:
    given = {"command": "echo ${{inputs.rows}}", "environment": "tuneops-data:1"}
    inputs = {"rows": 5}
    return command(name=name, experiment_name="commands", inputs=inputs, **(given | more))


def status_of(ml: MLClient, name: str) -> str:
    return str(ml.jobs.get(name).status.value)


class TestSubmission:
    def test_through_the_sdk_twice_is_one_job(self, ml: MLClient, name: str) -> None:
        more: dict[str, Any] = {
            "display_name": "Prepare",
            "tags": {"project": "bot"},
            "environment_variables": {"X": '{"a": 1}'},
            "outputs": {"out": Output(type="uri_folder", mode="rw_mount")},
            "compute": "gpu-cluster",
        }
        first = ml.jobs.create_or_update(sdk_job(name, **more))
        second = ml.jobs.create_or_update(sdk_job(name, **more))
        assert first.status.value == second.status.value == "Preparing"
        assert [item.name for item in ml.jobs.list()].count(name) == 1
        kept = ml.jobs.get(name)
        assert kept.type == "command"
        assert kept.command == "echo ${{inputs.rows}}"
        assert kept.inputs["rows"]._data == "5"
        assert kept.environment_variables == {"X": '{"a": 1}'}
        assert kept.compute.endswith("gpu-cluster")
        assert (kept.display_name, kept.tags) == ("Prepare", {"project": "bot"})
        with pytest.raises(HttpResponseError, match="existing job's Command cannot be changed"):
            ml.jobs.create_or_update(sdk_job(name, **{**more, "command": "echo"}))

    @pytest.mark.parametrize("reference", ["tuneops-data@latest", "azureml:tuneops-data:1"])
    def test_environment_by_name(self, ml: MLClient, name: str, reference: str) -> None:
        made = ml.jobs.create_or_update(sdk_job(name, environment=reference))
        assert "tuneops-data" in made.environment

    def test_environment_that_the_sdk_registers_anonymously(self, ml: MLClient, name: str) -> None:
        inline = Environment(image=IMAGE, conda_file={"dependencies": ["python=3.11"]})
        made = ml.jobs.create_or_update(sdk_job(name, environment=inline))
        assert "CliV2AnonymousEnvironment" in made.environment

    def test_on_serverless_compute(self, ml: MLClient, name: str) -> None:
        job = sdk_job(name, instance_type="Standard_DS3_v2", compute="serverless")
        assert ml.jobs.create_or_update(job).resources.instance_type == "Standard_DS3_v2"

    @pytest.mark.parametrize(
        ("changes", "status", "reason"),
        [
            ({"command": ""}, 400, "'command' is required"),
            ({"command": "run ${{inputs.absent}}"}, 400, "refers to '${{inputs.absent}}'"),
            ({"command": "run ${{outputs.data}}"}, 400, "refers to '${{outputs.data}}'"),
            ({"command": "run ${{search_space.x}}"}, 400, "which the job does not have"),
            ({"codeId": "/subscriptions/s/codes/none/versions/1"}, 404, "Code '/subscriptions"),
            ({"environmentId": "azureml:AzureML-none@latest"}, 404, "Environment 'azureml:Azure"),
            ({"computeId": "nowhere"}, 400, "Compute 'nowhere' does not exist"),
            ({"resources": {"instanceType": "Standard_Nope"}}, 400, "'Standard_Nope' is not"),
            ({"resources": {"instanceCount": 2}}, 400, "on one node"),
            ({"inputs": {"a/b": {}}}, 400, "'a/b' is no name"),
            ({"inputs": {"x": {"jobInputType": "odd"}}}, 400, "of type 'odd'"),
            ({"inputs": {"x": {"jobInputType": "uri_file"}}}, 400, "'uri' is required"),
            (
                {"inputs": {"x": {"jobInputType": "uri_file", "uri": "x.txt"}}},
                400,
                "not a reference",
            ),
            ({"outputs": {"x": {"jobOutputType": "odd"}}}, 400, "of type 'odd'"),
            (
                {"outputs": {"x": {"jobOutputType": "uri_folder", "assetName": "a"}}},
                400,
                "registers no outputs",
            ),
            (
                {
                    "outputs": {
                        "x": {
                            "jobOutputType": "uri_folder",
                            "uri": "azureml://datastores/absent/paths/a",
                        }
                    }
                },
                400,
                "in a datastore 'absent'",
            ),
            (
                {"outputs": {"x": {"jobOutputType": "uri_folder", "uri": "https://a.b/c"}}},
                400,
                "in no datastore",
            ),
            ({"environmentVariables": {"X": 1}}, 400, "must be a string"),
            ({"jobType": "Sweep"}, 400, "of type Pipeline and Command only"),
        ],
    )
    def test_with_something_wrong(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        name: str,
        environment: str,
        changes: dict[str, Any],
        status: int,
        reason: str,
    ) -> None:
        path = f"{workspace_path(azureml)}/jobs/{name}"
        body = command_body(azureml, environment, **{"command": "run", **changes})
        answer = rest.put(path, json=body)
        assert answer.status_code == status, answer.text
        assert reason in answer.json()["error"]["message"]
        assert rest.get(path).status_code == 404


class TestRunning:
    def test_what_the_node_is_told(self, azureml: Connection, node: NodeClient, job: str) -> None:
        order = node.next_job()
        assert (order["name"], order["kind"]) == (job, "Command")
        assert order["command"].startswith("run ${{inputs.data}}")
        assert order["literals"] == {"rows": "5"}
        assert order["assets"] == {"data": f"{azureml.storage.blob_url}/datasets/x.jsonl"}
        assert order["variables"] == {"X": '{"a": 1}'}
        assert order["code"] is None
        out, rest_of_it = order["outputs"]["out"], order["outputs"]["rest"]
        assert (out["container"], out["path"], out["folder"]) == ("prepared", "bot/key", None)
        assert rest_of_it["container"].startswith("azureml-blobstore-")
        assert rest_of_it["path"] == f"azureml/{job}/rest"
        assert rest_of_it["folder"].endswith(f"azureml/{job}/rest")

    def test_code_is_given_as_the_accounts_own_address(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        node: NodeClient,
        name: str,
        environment: str,
    ) -> None:
        code = f"{workspace_path(azureml)}/codes/{uuid.uuid4()}/versions/1"
        uri = code_uri(azureml)
        assert rest.put(code, json={"properties": {"codeUri": uri}}).status_code == 201
        body = command_body(azureml, environment, codeId=code)
        assert rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=body).status_code == 201
        container = uri.split("/")[-2]
        assert node.next_job()["code"] == f"{azureml.storage.blob_url}/{container}/my%20code"

    def test_completion_and_its_event(
        self, ml: MLClient, node: NodeClient, job: str, topic: Topic
    ) -> None:
        node.next_job()
        assert status_of(ml, job) == "Running"
        node.put(f"{job}/status", status="Finalizing")
        assert status_of(ml, job) == "Finalizing"
        node.put(f"{job}/status", status="Completed")
        assert status_of(ml, job) == "Completed"
        assert list(ml.jobs.list(parent_job_name=job)) == []

        def completed() -> list[dict[str, Any]]:
            kind = "Microsoft.MachineLearningServices.RunCompleted"
            found = (event["data"] for event in topic.events if event["eventType"] == kind)
            return [data for data in found if data.get("runId") == job]

        eventually(completed)
        (data,) = completed()
        assert data["runType"] == "azureml.scriptrun"
        assert data["experimentName"] == "commands"

    def test_outputs_are_found(
        self, azureml: Connection, rest: httpx2.Client, node: NodeClient, job: str
    ) -> None:
        node.next_job()
        node.put(f"{job}/status", status="Completed")
        workspace = workspace_path(azureml)
        run = rest.post(f"/history/v1.0{workspace}/rundata", json={"runId": job}).json()
        assets = {key: item["assetId"] for key, item in run["runMetadata"]["outputs"].items()}
        path = f"/data/v1.0{workspace}/dataversion/batchGetResolvedUris"
        found = rest.post(path, json={"values": list(assets.values())}).json()["values"]
        uris = {key: found[asset]["uri"] for key, asset in assets.items()}
        places = {key: uri.partition("/datastores/")[2] for key, uri in uris.items()}
        assert places == {
            "out": "tuneops_prepared/paths/bot/key/",
            "rest": f"workspaceblobstore/paths/azureml/{job}/rest/",
        }

    def test_failure_says_why(self, ml: MLClient, node: NodeClient, job: str) -> None:
        node.next_job()
        error = {"code": "UserError", "message": "exit code 3"}
        node.put(f"{job}/status", status="Failed", error=error)
        with pytest.raises(JobException, match="exit code 3"):
            ml.jobs.stream(job)

    def test_cancellation(self, ml: MLClient, node: NodeClient, job: str) -> None:
        node.next_job()
        ml.jobs.begin_cancel(job)
        assert status_of(ml, job) == "CancelRequested"
        assert node.wants_end(job)
        node.put(f"{job}/status", status="Canceled")
        assert status_of(ml, job) == "Canceled"

    def test_new_node_gets_the_job(self, azureml: Connection, node: NodeClient, job: str) -> None:
        assert NodeClient(azureml, "lost").next_job()["name"] == job
        assert node.next_job()["name"] == job

    def test_archived(self, ml: MLClient, job: str) -> None:
        ml.jobs.archive(job)
        archived = ml.jobs.list(list_view_type=ListViewType.ARCHIVED_ONLY)
        assert job in {item.name for item in archived}

    @pytest.mark.parametrize("step", ["", "chat_completion_finetune"])
    def test_fault_that_was_asked_for(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        ml: MLClient,
        environment: str,
        node: NodeClient,
        job: str,
        step: str,
    ) -> None:
        following = f"{workspace_path(azureml)}/jobs/{job}-next"
        rest.put(following, json=command_body(azureml, environment))
        with httpx2.Client(
            base_url=f"{azureml.azureml_url}/_admin",
            headers={"x-compute-key": azureml.compute_key},
            verify=ssl.create_default_context(cafile=str(azureml.ca_file)),
            trust_env=False,
        ) as admin:
            fault = {"work": "job", "outcome": "fail", "target": job, "code": "UserError"}
            assert admin.post("/faults", json={**fault, "step": step}).status_code == 201
        assert node.next_job()["name"] == f"{job}-next"
        assert status_of(ml, job) == "Failed"


class TestCodes:
    def test_found_by_what_is_in_it(self, azureml: Connection, rest: httpx2.Client) -> None:
        codes = f"{workspace_path(azureml)}/codes"
        mark = uuid.uuid4().hex
        kept = {"hash_sha256": mark, "hash_version": 202208}
        body = {"properties": {"codeUri": code_uri(azureml), "properties": kept}}
        made = rest.put(f"{codes}/{mark}/versions/1", json=body).json()
        assert made["properties"]["properties"]["hash_version"] == "202208"
        path = f"{codes}/{uuid.uuid4()}/versions"
        assert rest.get(path, params={"hash": mark}).json() == {"value": [made]}
        assert rest.get(path, params={"hash": "other"}).json() == {"value": []}
        assert rest.get(path).status_code == 404

    def test_path_never_changes(self, azureml: Connection, rest: httpx2.Client) -> None:
        path = f"{workspace_path(azureml)}/codes/{uuid.uuid4()}/versions/1"
        body = {"properties": {"codeUri": code_uri(azureml)}}
        assert rest.put(path, json=body).status_code == 201
        assert rest.put(path, json=body).status_code == 200
        other = rest.put(path, json={"properties": {"codeUri": code_uri(azureml)}})
        assert "Asset paths cannot be updated." in other.json()["error"]["message"]
        elsewhere = rest.put(f"{path}2", json={"properties": {"codeUri": "https://a.b/c"}})
        assert elsewhere.status_code == 400


class TestEnvironments:
    def test_version_is_immutable(self, ml: MLClient) -> None:
        kept = ml.environments.get("tuneops-data", "1")
        assert kept.image == IMAGE
        ml.environments.create_or_update(
            Environment(name="tuneops-data", version="1", image=IMAGE, tags={"note": "new"})
        )
        with pytest.raises(ResourceExistsError, match="its image cannot be changed"):
            ml.environments.create_or_update(
                Environment(name="tuneops-data", version="1", image="other")
            )

    def test_listed(self, ml: MLClient) -> None:
        assert "tuneops-data" in {item.name for item in ml.environments.list()}
        assert [item.version for item in ml.environments.list("tuneops-data")] == ["1"]
        with pytest.raises(ResourceNotFoundError):
            ml.environments.get("tuneops-data", "99")


class TestDatastores:
    def test_life_of_one(self, azureml: Connection, ml: MLClient) -> None:
        made = ml.datastores.create_or_update(datastore(azureml, name="other"))
        assert made.container_name == "prepared"
        assert "other" in {item.name for item in ml.datastores.list()}
        assert ml.datastores.get_default().name == "workspaceblobstore"
        changed = datastore(azureml, name="other", container_name="elsewhere")
        assert ml.datastores.create_or_update(changed).container_name == "elsewhere"
        again = datastore(azureml, name="other", account_name=made.account_name)
        assert ml.datastores.create_or_update(again).container_name == "prepared"
        ml.datastores.delete("other")
        with pytest.raises(ResourceNotFoundError):
            ml.datastores.get("other")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"account_name": "another"}, "account 'another' does not exist"),
            ({"name": "workspaceblobstore"}, "is not valid"),
            ({"name": "with-dash"}, "is not valid"),
        ],
    )
    def test_refused(
        self, azureml: Connection, ml: MLClient, changes: dict[str, str], reason: str
    ) -> None:
        with pytest.raises(HttpResponseError, match=reason):
            ml.datastores.create_or_update(datastore(azureml, **changes))

    def test_data_in_it_is_an_input(
        self,
        azureml: Connection,
        rest: httpx2.Client,
        node: NodeClient,
        environment: str,
        name: str,
    ) -> None:
        uri = "azureml://datastores/tuneops_prepared/paths/bot/a b.jsonl"
        inputs = {"data": {"jobInputType": "uri_file", "uri": uri}}
        body = command_body(azureml, environment, inputs=inputs, command="cat ${{inputs.data}}")
        assert rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=body).status_code == 201
        expected = f"{azureml.storage.blob_url}/prepared/bot/a%20b.jsonl"
        assert node.next_job()["assets"] == {"data": expected}


def test_services_are_not_started_and_say_so(ml: MLClient, node: NodeClient, name: str) -> None:
    services = {"lab": JupyterLabJobService()}
    made = ml.jobs.create_or_update(sdk_job(name, services=services))
    assert made.services["lab"].status == "Failed"
    assert {"lab", "Studio", "Tracking"} == set(made.services)
    assert node.next_job()["name"] == name
    shown = ml.jobs.show_services(name)
    assert shown is not None
    assert set(shown) == {"lab"}
    assert (shown["lab"].type, shown["lab"].status) == ("JupyterLab", "Failed")
    assert shown["lab"].error == "The local cloud starts no services in jobs."
    assert ml.jobs.show_services(name, node_index=1) is None


def test_a_limit_of_time_cancels_and_says_so(
    ml: MLClient, node: NodeClient, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job = sdk_job(name)
    job.set_limits(timeout=90)
    ml.jobs.create_or_update(job)
    assert node.next_job()["seconds"] == 90
    message = "Job took longer than its limit of 90 s."
    node.put(f"{name}/status", status="Canceled", error={"code": "UserError", "message": message})
    assert status_of(ml, name) == "Canceled"
    ml.jobs.stream(name)
    assert message in capsys.readouterr().out
    run = ml.jobs._runs_operations.get_run(name)
    assert run.cancelation_reason == run.error.error.message == message
