"""Clusters of the workspace: their names, nodes, quota and life, through the SDK."""

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest
import yaml
from azure.ai.ml import MLClient, command
from azure.ai.ml.entities import (
    AmlCompute,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
)
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azureml_server import (
    NodeClient,
    admin_client,
    eventually,
    make_connection,
    ml_client,
    pipeline_body,
    rest_client,
    running,
    workspace_path,
)

from localcloud.connection import Connection

SIZE = "Standard_DS3_v2"
T4, T4S = "Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family"
CLUSTERS = [
    {"name": "workers", "size": SIZE, "max_nodes": 2},
    {"name": "warm", "size": SIZE, "min_nodes": 2, "max_nodes": 2},
    {"name": "gpus", "size": "Standard_NC24ads_A100_v4"},
]
QUOTAS = {T4S: 12, "TotalDedicatedCores": 80, "TotalLowPriorityCores": 8}
BASE = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A workspace with some clusters and little quota."""
    connection = make_connection(tmp_path_factory.mktemp("clusters"))
    manifest = connection.state_dir / "manifest.yaml"
    declared = yaml.safe_load(manifest.read_text()) | {"computes": CLUSTERS, "quotas": QUOTAS}
    manifest.write_text(yaml.safe_dump(declared))
    with running(connection, "azureml", connection.ports.azureml):
        yield connection


@pytest.fixture
def ml(site: Connection) -> MLClient:
    return ml_client(site)


@pytest.fixture
def rest(site: Connection) -> Iterator[httpx2.Client]:
    with rest_client(site) as client:
        yield client


@pytest.fixture
def name() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


def counted(rest: httpx2.Client, site: Connection, cluster: str) -> tuple[int, int, int]:
    """How many nodes of a cluster there are, run jobs, and are idle."""
    found = rest.get(f"{workspace_path(site)}/computes/{cluster}").json()
    properties = found["properties"]["properties"]
    states = properties["nodeStateCounts"]
    return properties["currentNodeCount"], states["runningNodeCount"], states["idleNodeCount"]


def allocation(rest: httpx2.Client, site: Connection, cluster: str) -> tuple[str, str]:
    """Whether the nodes of a cluster are those that it wants, and since when."""
    found = rest.get(f"{workspace_path(site)}/computes/{cluster}").json()
    properties = found["properties"]["properties"]
    return properties["allocationState"], properties["allocationStateTransitionTime"]


def nodes(ml: MLClient, cluster: str) -> list[tuple[str, str | None]]:
    """The state and the job of each node; the SDK keeps them under the names of the wire."""
    found = map(vars, ml.compute.list_nodes(cluster))
    return [(node["nodeState"], node["runId"]) for node in found]


class TestNames:
    @pytest.mark.parametrize("name", ["ab", "a" * 33, "1cluster", "gpu_cluster", "cluster-", "a.b"])
    def test_refused(self, ml: MLClient, name: str) -> None:
        with pytest.raises(HttpResponseError, match="between 3 and 32 characters") as refusal:
            ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE))
        assert refusal.value.status_code == 400
        assert refusal.value.error.code == "UserError"

    @pytest.mark.parametrize("name", ["gpu", "A-1", "a" * 32])
    def test_taken(self, ml: MLClient, name: str) -> None:
        ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE))
        found = ml.compute.get(name)
        assert (found.name, found.provisioning_state) == (name, "Creating")
        ml.compute.begin_delete(name)


class TestNodes:
    def test_of_a_cluster_that_keeps_some(
        self, site: Connection, ml: MLClient, rest: httpx2.Client
    ) -> None:
        assert nodes(ml, "warm") == [("idle", None)] * 2
        assert len({vars(node)["nodeId"] for node in ml.compute.list_nodes("warm")}) == 2
        assert counted(rest, site, "warm") == (2, 0, 2)

    def test_that_run_a_command(
        self, site: Connection, ml: MLClient, rest: httpx2.Client, name: str
    ) -> None:
        ml.environments.create_or_update(Environment(name="plain", version="1", image=IMAGE))
        job = command(name=name, command="true", environment="plain:1", compute="workers")
        ml.jobs.create_or_update(job)
        assert counted(rest, site, "workers") == (0, 0, 0)
        node = NodeClient(site, name)
        assert node.next_job()["name"] == name
        assert nodes(ml, "workers") == [("running", name)]
        assert counted(rest, site, "workers") == (1, 1, 0)
        assert counted(rest, site, "warm") == (2, 0, 2)
        node.put(f"{name}/status", status="Completed")
        assert not nodes(ml, "workers")

    def test_that_run_a_pipeline(
        self, site: Connection, ml: MLClient, rest: httpx2.Client, name: str
    ) -> None:
        path = f"{workspace_path(site)}/jobs/{name}"
        assert rest.put(path, json=pipeline_body(site, compute_finetune="warm")).is_success
        node = NodeClient(site, name)
        assert node.next_job()["name"] == name
        assert nodes(ml, "warm") == [("running", name), ("idle", None)]
        ml.jobs.begin_cancel(name)
        assert counted(rest, site, "warm") == (2, 1, 1)
        node.put(f"{name}/status", status="Canceled")
        assert counted(rest, site, "warm") == (2, 0, 2)

    def test_change_with_jobs_and_with_the_scale(
        self, site: Connection, ml: MLClient, rest: httpx2.Client, name: str
    ) -> None:
        times = [allocation(rest, site, "gpus")[1]]
        path = f"{workspace_path(site)}/jobs/{name}"
        assert rest.put(path, json=pipeline_body(site, compute_finetune="gpus")).is_success
        assert allocation(rest, site, "gpus") == ("Steady", times[0])
        node = NodeClient(site, name)
        node.next_job()
        times.append(allocation(rest, site, "gpus")[1])
        node.put(f"{name}/status", status="Canceled")
        times.append(allocation(rest, site, "gpus")[1])
        cluster = ml.compute.get("gpus")
        cluster.tags = {"team": "a"}
        ml.compute.begin_update(cluster)
        assert allocation(rest, site, "gpus") == ("Steady", times[-1])
        cluster.min_instances = 1
        ml.compute.begin_update(cluster)
        times.append(allocation(rest, site, "gpus")[1])
        assert times == sorted(set(times))
        assert nodes(ml, "gpus") == [("idle", None)]

    def test_of_a_cluster_that_is_being_created(
        self, site: Connection, ml: MLClient, rest: httpx2.Client, name: str
    ) -> None:
        ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE, min_instances=1))
        found = rest.get(f"{workspace_path(site)}/computes/{name}").json()
        assert found["properties"]["properties"]["allocationState"] is None
        assert not nodes(ml, name)
        eventually(lambda: nodes(ml, name) == [("idle", None)])
        ml.compute.begin_delete(name)
        assert not nodes(ml, name)

    def test_of_a_cluster_that_is_not_there(self, ml: MLClient) -> None:
        with pytest.raises(ResourceNotFoundError):
            list(ml.compute.list_nodes("absent"))


def used(ml: MLClient, pool: str) -> int:
    """The cores of a pool that are in use."""
    usages = [vars(usage) for usage in ml.compute.list_usage()]
    return sum(usage["currentValue"] for usage in usages if usage["name"]["value"] == pool)


@pytest.fixture
def clusters(ml: MLClient) -> Iterator[Callable[..., AmlCompute]]:
    """Make clusters and wait until they are ready; they are deleted at the end."""
    made = []

    def make(size: str, **given: object) -> AmlCompute:
        name = f"c-{uuid.uuid4().hex[:8]}"
        ml.compute.begin_create_or_update(AmlCompute(name=name, size=size, **given))
        made.append(name)
        eventually(lambda: ml.compute.get(name).provisioning_state != "Creating")
        return ml.compute.get(name)

    yield make
    for name in made:
        ml.compute.begin_delete(name)


class TestQuota:
    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            pytest.param(
                {"size": T4, "min_instances": 4, "max_instances": 4},
                f"{T4S} vCPU quota of 12 and cannot accomodate for at least 4",
                id="family",
            ),
            pytest.param(
                {"size": "Standard_NC16as_T4_v3"},
                f"{T4S} vCPU quota of 12 and cannot accomodate for at least 1",
                id="not-even-one",
            ),
            pytest.param(
                {"size": "Standard_NC96ads_A100_v4"},
                "a total vCPU quota of 80 and cannot accomodate for at least 1",
                id="all-families",
            ),
            pytest.param(
                {"size": T4, "tier": "low_priority", "min_instances": 3, "max_instances": 3},
                "a total vCPU quota of 8 and cannot accomodate for at least 3",
                id="low-priority",
            ),
        ],
    )
    def test_that_can_never_do_fails_the_cluster(
        self,
        site: Connection,
        rest: httpx2.Client,
        clusters: Callable[..., AmlCompute],
        asked: dict[str, object],
        reason: str,
    ) -> None:
        failed = clusters(**asked)
        assert failed.provisioning_state == "Failed"
        assert failed.provisioning_errors == "ClusterMinNodesExceedCoreQuota"
        raw = rest.get(f"{workspace_path(site)}/computes/{failed.name}").json()
        assert reason in raw["properties"]["provisioningErrors"][0]["error"]["message"]

    def test_that_can_never_do_refuses_the_scale(
        self, ml: MLClient, clusters: Callable[..., AmlCompute]
    ) -> None:
        cluster = clusters(T4, max_instances=4)
        cluster.min_instances = 4
        with pytest.raises(HttpResponseError, match="ClusterMinNodesExceedCoreQuota"):
            ml.compute.begin_update(cluster)
        assert ml.compute.get(cluster.name).min_instances == 0
        assert not nodes(ml, cluster.name)

    def test_is_used_by_nodes(self, ml: MLClient, clusters: Callable[..., AmlCompute]) -> None:
        before = used(ml, "TotalDedicatedCores")
        cluster = clusters(T4, max_instances=4)
        assert used(ml, T4S) == 0
        cluster.min_instances = 2
        ml.compute.begin_update(cluster)
        assert used(ml, T4S) == 8
        assert used(ml, "TotalDedicatedCores") == before + 8
        ml.compute.begin_delete(cluster.name)
        assert used(ml, T4S) == 0

    def test_of_low_priority_nodes_is_their_own(
        self, ml: MLClient, clusters: Callable[..., AmlCompute]
    ) -> None:
        before = used(ml, "TotalDedicatedCores")
        clusters(T4, tier="low_priority", min_instances=2, max_instances=2)
        assert used(ml, "TotalLowPriorityCores") == 8
        assert used(ml, T4S) == 0
        assert used(ml, "TotalDedicatedCores") == before

    def test_that_others_use_leaves_a_cluster_with_fewer_nodes(
        self,
        site: Connection,
        ml: MLClient,
        rest: httpx2.Client,
        clusters: Callable[..., AmlCompute],
    ) -> None:
        first, second = (clusters(T4, max_instances=2) for _ in range(2))
        for cluster in (second, first):
            cluster.min_instances = 2
            ml.compute.begin_update(cluster)
        assert nodes(ml, second.name) == [("idle", None)] * 2
        assert nodes(ml, first.name) == [("idle", None)]
        path = f"{workspace_path(site)}/computes/{first.name}"
        short = rest.get(path).json()["properties"]["properties"]
        assert (short["currentNodeCount"], short["targetNodeCount"]) == (1, 2)
        assert short["allocationState"] == "Resizing"
        assert short["errors"][0]["error"]["code"] == "ClusterCoreQuotaReached"
        assert used(ml, T4S) == 12

        ml.compute.begin_delete(second.name)
        assert allocation(rest, site, first.name)[0] == "Steady"
        assert rest.get(path).json()["properties"]["properties"]["errors"] is None

    @pytest.mark.slow
    def test_that_clusters_use_is_not_there_for_deployments(
        self, ml: MLClient, clusters: Callable[..., AmlCompute], name: str
    ) -> None:
        clusters(T4, min_instances=2, max_instances=2)
        ml.online_endpoints.begin_create_or_update(
            ManagedOnlineEndpoint(name=name, auth_mode="key")
        ).result()
        asked = ManagedOnlineDeployment(
            name="blue", endpoint_name=name, model=BASE, instance_type=T4, instance_count=1
        )
        with pytest.raises(HttpResponseError, match=r"usage/limit: 8/12\. Additional needed: 8"):
            ml.online_deployments.begin_create_or_update(asked).result()
        ml.online_endpoints.begin_delete(name)


class TestDeletion:
    @pytest.fixture(autouse=True)
    def takes_its_time(self, site: Connection, name: str) -> Iterator[None]:
        with admin_client(site) as admin:
            fault = {"work": "compute-deletion", "outcome": "slow", "target": name, "seconds": 5}
            assert admin.post("/faults", json=fault).status_code == 201
            yield

    def test_while_it_is_being_created(self, ml: MLClient, name: str) -> None:
        creation = ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE))
        ml.compute.begin_delete(name)
        assert ml.compute.get(name).provisioning_state == "Deleting"
        with pytest.raises(HttpResponseError, match="OperationCanceled"):
            creation.result()
        eventually(lambda: name not in {cluster.name for cluster in ml.compute.list()})
        with pytest.raises(ResourceNotFoundError):
            ml.compute.get(name)

    def test_under_way_keeps_others_from_changing_it(self, ml: MLClient, name: str) -> None:
        cluster = AmlCompute(name=name, size=SIZE)
        ml.compute.begin_create_or_update(cluster)
        ml.compute.begin_delete(name)
        with pytest.raises(ResourceExistsError, match="is Deleting"):
            ml.compute.begin_create_or_update(cluster)

    def test_of_a_cluster_that_is_not_there(self, ml: MLClient) -> None:
        with pytest.raises(ResourceNotFoundError):
            ml.compute.begin_delete("absent")


@pytest.mark.slow
def test_what_is_under_way_at_a_crash_goes_on_after_the_restart(tmp_path: Path) -> None:
    connection = make_connection(tmp_path)
    serve = partial(running, connection, "azureml", connection.ports.azureml)
    computes = f"{workspace_path(connection)}/computes"
    size = {"computeType": "AmlCompute", "properties": {"vmSize": SIZE}}
    with serve() as process, rest_client(connection) as rest:
        ml = ml_client(connection)
        begun = [
            rest.put(f"{computes}/new", json={"properties": size}),
            rest.delete(f"{computes}/gpu-cluster", params={"underlyingResourceAction": "Delete"}),
        ]
        operations = [answer.headers["azure-asyncoperation"] for answer in begun]
        assert states(ml) == {"new": "Creating", "gpu-cluster": "Deleting"}
        process.kill()
        process.wait()
    with serve(), rest_client(connection) as rest:
        eventually(
            lambda: {rest.get(each).json()["status"] for each in operations} == {"Succeeded"}
        )
        assert states(ml) == {"new": "Succeeded"}


def states(ml: MLClient) -> dict[str, str]:
    """The provisioning state of each cluster."""
    return {cluster.name: cluster.provisioning_state for cluster in ml.compute.list()}
