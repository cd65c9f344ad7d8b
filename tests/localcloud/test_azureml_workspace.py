"""The workspace, its registry, its computes, and who may call."""

import os
import ssl
import subprocess
import sys
import time

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import AmlCompute, AmlComputeSshSettings
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azureml_server import LocalCredential, eventually, registry_client, workspace_path

from localcloud.connection import Connection


@pytest.fixture
def registry(azureml: Connection) -> MLClient:
    return registry_client(azureml)


class TestWorkspace:
    def test_get(self, azureml: Connection, ml: MLClient) -> None:
        found = ml.workspaces.get(azureml.workspace)
        assert found.location == "eastus"
        assert found.mlflow_tracking_uri.startswith("azureml://localhost:")
        assert found.mlflow_tracking_uri.endswith(workspace_path(azureml))
        assert found.discovery_url == f"{azureml.azureml_url}/discovery"

    @pytest.mark.parametrize("scope", ["resource_group", "subscription"])
    def test_list(self, azureml: Connection, ml: MLClient, scope: str) -> None:
        assert [item.name for item in ml.workspaces.list(scope=scope)] == [azureml.workspace]
        defaults = ml.workspaces.list(scope=scope, filtered_kinds=["default", "hub"])
        assert [item.id for item in defaults] == [workspace_path(azureml)]
        assert list(ml.workspaces.list(scope=scope, filtered_kinds="project")) == []

    def test_there_are_no_notebooks(self, azureml: Connection, rest: httpx2.Client) -> None:
        found = rest.get(workspace_path(azureml)).json()
        notebooks = found["properties"]["notebookInfo"]
        assert notebooks["notebookPreparationError"]["statusCode"] == 501
        assert found["systemData"]["createdByType"] == "Application"

    def test_fixed_words_of_a_path_may_have_any_case(self, azureml: Connection) -> None:
        path = workspace_path(azureml)
        token = LocalCredential(azureml).get_token(f"{azureml.azureml_url}/.default").token
        with httpx2.Client(
            base_url=azureml.azureml_url,
            verify=ssl.create_default_context(cafile=str(azureml.ca_file)),
            headers={"authorization": f"Bearer {token}"},
            params={"api-version": "2024-10-01"},
        ) as client:
            for words in ("resourceGroups", "providers", "workspaces", "MachineLearningServices"):
                path = path.replace(words, words.upper())
            answer = client.get(f"{path}/COMPUTES/gpu-cluster")
            assert answer.status_code == 200, answer.text
            assert answer.json()["name"] == "gpu-cluster"
            assert client.get(f"{path}/computes/GPU-CLUSTER-2").status_code == 404

    def test_of_another_name_is_not_found(self, ml: MLClient) -> None:
        with pytest.raises(ResourceNotFoundError):
            ml.workspaces.get("other")

    @pytest.mark.soak
    def test_found_by_the_metadata_url_alone(self, azureml: Connection) -> None:
        program = (
            "import sys; sys.path[:0] = sys.argv[1:3]\n"
            "from azureml_server import LocalCredential\n"
            "from localcloud.connection import Connection\n"
            "from azure.ai.ml import MLClient\n"
            "c = Connection.load(sys.argv[3])\n"
            "ml = MLClient(LocalCredential(c), c.subscription_id, c.resource_group, c.workspace,"
            " enable_telemetry=False)\n"
            "print(ml.workspaces.get(c.workspace).name, ml.compute.get('gpu-cluster').size)\n"
        )
        here = os.path.dirname(__file__)
        arguments = [here, os.path.dirname(os.path.dirname(here)), str(azureml.state_dir)]
        environment = {
            **{key: value for key, value in os.environ.items() if key != "AZUREML_CURRENT_CLOUD"},
            "ARM_CLOUD_METADATA_URL": f"{azureml.azureml_url}/metadata/endpoints",
            "REGISTRY_DISCOVERY_ENDPOINT_URL": azureml.azureml_url,
            "REQUESTS_CA_BUNDLE": str(azureml.ca_bundle),
        }
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout.split() == ["ws-test", "STANDARD_NC24ADS_A100_V4"], done.stderr


class TestAuthentication:
    @pytest.mark.parametrize(
        "claims",
        [
            pytest.param({"exp": int(time.time()) - 3600}, id="expired"),
            pytest.param({"aud": "https://vault.azure.net"}, id="for another resource"),
            pytest.param({"tid": "other"}, id="of another tenant"),
        ],
    )
    def test_wrong_token(
        self, azureml: Connection, rest: httpx2.Client, claims: dict[str, object]
    ) -> None:
        token = LocalCredential(azureml, **claims).get_token(azureml.azureml_url).token
        answer = rest.get(workspace_path(azureml), headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.json()["error"]["message"]

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer a.b.c", "Basic dTpw"])
    def test_no_token(self, azureml: Connection, rest: httpx2.Client, header: str) -> None:
        answer = rest.get(workspace_path(azureml), headers={"authorization": header})
        assert answer.status_code == 401

    def test_forged_token(self, azureml: Connection, rest: httpx2.Client) -> None:
        token = LocalCredential(azureml).get_token(azureml.azureml_url).token
        forged = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
        answer = rest.get(workspace_path(azureml), headers={"authorization": f"Bearer {forged}"})
        assert answer.status_code == 401

    def test_the_compute_nodes_routes_need_its_key(self, rest: httpx2.Client) -> None:
        assert rest.post("/_compute/next", json={"node": "n"}).status_code == 401


class TestErrors:
    def test_unknown_route(self, azureml: Connection, rest: httpx2.Client) -> None:
        answer = rest.get(f"{workspace_path(azureml)}/schedules")
        assert answer.status_code == 404
        assert "/schedules" in answer.json()["error"]["message"]
        log = (azureml.state_dir / "logs" / "azureml.log").read_text()
        assert "no route: GET" in log
        assert "/schedules api-version=2024-01-01-preview" in log

    def test_missing_api_version(self, azureml: Connection, rest: httpx2.Client) -> None:
        answer = rest.get(workspace_path(azureml), params={"api-version": ""})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "MissingApiVersionParameter"

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
    def test_body_that_is_no_object(
        self, azureml: Connection, rest: httpx2.Client, body: bytes
    ) -> None:
        answer = rest.put(f"{workspace_path(azureml)}/jobs/x", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "InvalidRequestContent"

    def test_body_that_is_too_large(self, azureml: Connection, rest: httpx2.Client) -> None:
        answer = rest.put(f"{workspace_path(azureml)}/jobs/x", content=b" " * 5_000_000)
        assert answer.status_code == 413

    def test_requests_are_counted_by_operation(
        self, azureml: Connection, rest: httpx2.Client
    ) -> None:
        operation = "GET /jobs/{job}"
        before = rest.get("/_admin/requests").json().get(operation, 0)
        for name in ("a", "b"):
            assert rest.get(f"{workspace_path(azureml)}/jobs/{name}").status_code == 404
        assert rest.get("/_admin/requests").json()[operation] == before + 2


class TestRegistry:
    def test_foundation_model(self, registry: MLClient) -> None:
        model = registry.models.get("Phi-3-mini-4k-instruct", label="latest")
        assert model.id == "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
        assert "tiny" in model.tags["stand_in"]
        assert "Standard_NC24ads_A100_v4" in model.tags["finetune_compute_allow_list"]

    def test_lists(self, registry: MLClient) -> None:
        (model,) = registry.models.list()
        assert (model.name, model.latest_version) == ("Phi-3-mini-4k-instruct", "1")
        (component,) = registry.components.list()
        assert component.name == "chat_completion_pipeline"
        (version,) = registry.models.list(name=model.name)
        assert version.version == "1"
        (found,) = registry.components.list(name=component.name)
        assert found.version == component.latest_version

    def test_pipeline_component(self, registry: MLClient) -> None:
        component = registry.components.get("chat_completion_pipeline", label="latest")
        assert component.inputs["num_train_epochs"].type == "integer"
        assert component.inputs["mlflow_model_path"].optional
        assert set(component.outputs) == {"pytorch_model_folder", "mlflow_model_folder"}

    def test_what_is_not_there(self, registry: MLClient) -> None:
        with pytest.raises(ResourceNotFoundError):
            registry.models.get("Phi-4", version="1")
        with pytest.raises(ResourceNotFoundError):
            registry.components.get("chat_completion_pipeline", version="0.0.0")

    def test_of_another_name_is_not_found(self, rest: httpx2.Client) -> None:
        answer = rest.get("/registrymanagement/v1.0/registries/other/discovery")
        assert answer.status_code == 404


class TestComputes:
    def test_of_the_manifest(self, ml: MLClient) -> None:
        compute = ml.compute.get("gpu-cluster")
        assert compute.provisioning_state == "Succeeded"
        sizes = {size.name.upper(): size.gpus for size in ml.compute.list_sizes()}
        assert sizes[compute.size.upper()] == 1
        assert sizes["STANDARD_NC96ADS_A100_V4"] == 4

    def test_created_and_deleted(self, ml: MLClient) -> None:
        cluster = AmlCompute(name="second", size="standard_nc48ads_a100_v4", max_instances=2)
        poller = ml.compute.begin_create_or_update(cluster)
        assert ml.compute.get("second").provisioning_state == "Creating"
        assert poller.result().provisioning_state == "Succeeded"
        assert {"gpu-cluster", "second"} <= {item.name for item in ml.compute.list()}
        ml.compute.begin_delete("second").wait()
        eventually(lambda: "second" not in {item.name for item in ml.compute.list()})

    def test_of_unknown_size(self, ml: MLClient) -> None:
        with pytest.raises(HttpResponseError, match="Standard_Nothing"):
            ml.compute.begin_create_or_update(AmlCompute(name="third", size="Standard_Nothing"))


def test_a_cluster_that_is_being_created_is_busy(azureml: Connection, rest: httpx2.Client) -> None:
    path = f"{workspace_path(azureml)}/computes/busy"
    body = {
        "properties": {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS3_v2"}}
    }
    first = rest.put(path, json=body)
    assert first.status_code == 201
    assert rest.put(path, json=body).status_code == 409
    status = first.headers["Azure-AsyncOperation"]
    eventually(lambda: rest.get(status).json()["status"] == "Succeeded")
    assert rest.put(path, json=body).status_code == 200


class TestClusterRules:
    @pytest.fixture
    def path(self, azureml: Connection, rest: httpx2.Client) -> str:
        """A cluster that is there."""
        path = f"{workspace_path(azureml)}/computes/ruled"
        rest.put(path, json=cluster_body(vmSize="Standard_DS3_v2"))
        state = lambda: rest.get(path).json()["properties"]["provisioningState"]  # noqa: E731
        eventually(lambda: state() == "Succeeded")
        return path

    def test_scale_settings_alone_leave_the_rest(self, rest: httpx2.Client, path: str) -> None:
        scale = {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT5M"}
        answer = rest.put(path, json=cluster_body(scaleSettings=scale))
        assert answer.status_code == 200, answer.text
        cluster = answer.json()["properties"]["properties"]
        assert (cluster["vmSize"], cluster["scaleSettings"]) == ("STANDARD_DS3_V2", scale)

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"vmSize": "Standard_DS4_v2"}, "can't be changed"),
            ({"scaleSettings": {"minNodeCount": 9, "maxNodeCount": 4}}, "is above maxNodeCount"),
        ],
    )
    def test_refused(
        self, rest: httpx2.Client, path: str, asked: dict[str, object], reason: str
    ) -> None:
        answer = rest.put(path, json=cluster_body(**asked))
        assert answer.status_code == 400
        assert reason in answer.json()["error"]["message"]

    def test_what_was_asked_for_is_shown(self, ml: MLClient) -> None:
        ssh = AmlComputeSshSettings(admin_username="ada", admin_password="Secret-1234")
        cluster = AmlCompute(
            name="logged", size="Standard_DS3_v2", ssh_public_access_enabled=True, ssh_settings=ssh
        )
        made = ml.compute.begin_create_or_update(cluster).result()
        assert made.ssh_public_access_enabled is True
        assert (made.ssh_settings.admin_username, made.ssh_settings.admin_password) == ("ada", None)


def cluster_body(**cluster: object) -> dict[str, object]:
    return {"properties": {"computeType": "AmlCompute", "properties": cluster}}


def test_list_pages_go_on_to_the_number_that_is_asked_for(
    azureml: Connection, rest: httpx2.Client
) -> None:
    path = f"{workspace_path(azureml)}/data/many"
    for number in range(53):
        body = {"properties": {"dataType": "uri_file", "dataUri": f"https://x/{number}"}}
        assert rest.put(f"{path}/versions/{number}", json=body).status_code == 201
    first = rest.get(f"{path}/versions", params={"$top": 52}).json()
    assert len(first["value"]) == 50
    rest.params = {}
    last = rest.get(first["nextLink"]).json()
    assert len(last["value"]) == 2
    assert "nextLink" not in last
