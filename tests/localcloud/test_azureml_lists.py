"""Lists with the filters that the SDK sends."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import Data, Environment, Model
from azure.ai.ml.entities._job.job import Job
from azureml_server import pipeline_body, workspace_path

from localcloud.connection import Connection

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
VIEWS = (ListViewType.ACTIVE_ONLY, ListViewType.ARCHIVED_ONLY, ListViewType.ALL)


@pytest.fixture(scope="module")
def own() -> str:
    """What the names of this module's things begin with."""
    return f"listed-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def jobs(azureml: Connection, ml: MLClient, rest: httpx2.Client, own: str) -> Iterator[str]:
    """A pipeline job and a command job that share a tag."""
    ml.environments.create_or_update(Environment(name=own, version="1", image=IMAGE))
    command = {
        "jobType": "Command",
        "command": "true",
        "environmentId": f"{workspace_path(azureml)}/environments/{own}/versions/1",
        "tags": {own: "b", "other": "x"},
        "properties": {"kind": "small"},
    }
    pipeline = pipeline_body(azureml)["properties"] | {"tags": {own: "a"}}
    path = f"{workspace_path(azureml)}/jobs/{own}"
    bodies = {"pipeline": pipeline, "command": command}
    for name, body in bodies.items():
        assert rest.put(f"{path}-{name}", json={"properties": body}).is_success
    yield own
    for name in bodies:
        rest.post(f"{path}-{name}/cancel")


def names(found: Any) -> list[str]:
    return [str(item.name).rpartition("-")[2] for item in found]


class TestJobs:
    def test_by_tag(self, ml: MLClient, jobs: str) -> None:
        assert names(ml.jobs.list(tag=jobs)) == ["command", "pipeline"]
        assert names(ml.jobs.list(tag=f"{jobs}=a")) == ["pipeline"]
        assert names(ml.jobs.list(tag=f"{jobs},other=x")) == ["command"]
        assert names(ml.jobs.list(tag=f"{jobs}=c")) == []

    def test_by_type_and_property(self, ml: MLClient, jobs: str) -> None:
        assert names(ml.jobs.list(tag=jobs, job_type="Pipeline")) == ["pipeline"]
        assert names(ml.jobs.list(tag=jobs, job_type="Sweep")) == []
        assert names(ml.jobs.list(tag=jobs, properties="kind=small")) == ["command"]

    def test_no_job_is_a_schedules(self, ml: MLClient, jobs: str) -> None:
        assert names(ml.jobs.list(tag=jobs, schedule_defined=False)) == ["command", "pipeline"]
        assert names(ml.jobs.list(tag=jobs, schedule_defined=True)) == []
        assert names(ml.jobs.list(tag=jobs, scheduled_job_name="nightly")) == []

    def test_by_view(self, ml: MLClient, jobs: str) -> None:
        def viewed() -> list[list[str]]:
            return [names(ml.jobs.list(tag=jobs, list_view_type=view)) for view in VIEWS]

        ml.jobs.archive(f"{jobs}-command")
        assert viewed() == [["pipeline"], ["command"], ["command", "pipeline"]]
        ml.jobs.restore(f"{jobs}-command")
        assert viewed() == [["command", "pipeline"], [], ["command", "pipeline"]]

    def test_cancelled_by_tag(self, ml: MLClient, jobs: str) -> None:
        for poller in ml.jobs.begin_cancel("", tag=jobs):
            poller.wait(10)
        found: list[Job] = list(ml.jobs.list(tag=jobs))
        assert {str(job.status.value) for job in found} == {"Canceled"}


class TestModels:
    @pytest.fixture
    def model(self, azureml: Connection, ml: MLClient, own: str) -> str:
        """A model with a version in each of two stages."""
        (azureml.state_dir / "azureml" / "workspaceblobstore" / own).mkdir(
            parents=True, exist_ok=True
        )
        for version, stage in (("1", "Production"), ("2", "Development")):
            ml.models.create_or_update(model_of(own, version, stage))
        return own

    def test_by_stage(self, ml: MLClient, model: str) -> None:
        def staged(stage: str | None) -> list[str]:
            return [str(item.version) for item in ml.models.list(model, stage=stage)]

        assert (staged(None), staged("Production")) == (["2", "1"], ["1"])
        ml.models.create_or_update(model_of(model, "2", "Production"))
        assert ml.models.get(model, "2").stage == "Production"
        assert (staged("Production"), staged("Archived")) == (["2", "1"], [])

    def test_by_view(self, ml: MLClient, model: str) -> None:
        def viewed() -> list[list[str]]:
            lists = (ml.models.list(model, list_view_type=view) for view in VIEWS)
            return [[str(item.version) for item in found] for found in lists]

        ml.models.archive(model, version="1")
        assert viewed() == [["2"], ["1"], ["2", "1"]]
        ml.models.restore(model, version="1")
        assert viewed() == [["2", "1"], [], ["2", "1"]]
        ml.models.archive(model)
        archived = ml.models.list(list_view_type=ListViewType.ARCHIVED_ONLY)
        assert model in {item.name for item in archived}
        assert model not in {item.name for item in ml.models.list()}
        ml.models.restore(model)

    def test_by_tags_and_version(
        self, azureml: Connection, rest: httpx2.Client, model: str
    ) -> None:
        path = f"{workspace_path(azureml)}/models/{model}/versions"

        def found(**query: str) -> list[str]:
            asked = {"api-version": "2023-08-01-preview", **query}
            return [item["name"] for item in rest.get(path, params=asked).json()["value"]]

        assert found(tags="v=1") == ["1"]
        assert found(tags="v", version="2") == ["2"]
        assert found(tags="w") == []


def test_data_by_view(ml: MLClient, own: str) -> None:
    ml.data.create_or_update(Data(name=own, version="1", type="uri_file", path="https://host/a"))
    ml.data.archive(own, version="1")
    lists = [ml.data.list(own, list_view_type=view) for view in VIEWS]
    assert [[item.version for item in found] for found in lists] == [[], ["1"], ["1"]]


def test_a_view_that_there_is_not(azureml: Connection, rest: httpx2.Client) -> None:
    query = {"api-version": "2024-01-01-preview", "listViewType": "Some"}
    answer = rest.get(f"{workspace_path(azureml)}/jobs", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"]["target"] == "listViewType"


def model_of(name: str, version: str, stage: str) -> Model:
    path = f"azureml://datastores/workspaceblobstore/paths/{name}"
    return Model(
        name=name,
        version=version,
        stage=stage,
        tags={"v": version},
        type="custom_model",
        path=path,
    )
