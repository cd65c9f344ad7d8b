"""Azure Resource Graph: the queries that list endpoints and deployments, and their pages."""

from typing import Any

import httpx2
import pytest
from azureml_server import workspace_path

from localcloud.connection import Connection

URL = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
TYPE = "microsoft.machinelearningservices/workspaces/onlineendpoints"


@pytest.fixture(scope="module")
def names() -> list[str]:
    return [f"graph-{letter}" for letter in "abc"]


@pytest.fixture
def endpoints(azureml: Connection, rest: httpx2.Client, names: list[str]) -> list[str]:
    """Three endpoints, in the order of their names."""
    for name in names:
        path = f"{workspace_path(azureml)}/onlineEndpoints/{name}"
        body = {"location": "eastus", "tags": {"own": name}, "properties": {"authMode": "Key"}}
        answer = rest.put(path, json=body)
        assert answer.is_success, answer.text
    return names


def ask(rest: httpx2.Client, query: str, **options: Any) -> httpx2.Response:
    return rest.post(URL, json={"query": query, "options": options})


def ours(connection: Connection) -> str:
    prefix = f"{workspace_path(connection)}/onlineEndpoints/GRAPH-"
    return f"resources | where type in~ ('{TYPE}') | where id startswith '{prefix}'"


def test_a_page_and_what_comes_after_it(
    azureml: Connection, rest: httpx2.Client, endpoints: list[str]
) -> None:
    query = f"{ours(azureml)} | project id, tags, properties | order by id asc"
    first = ask(rest, query, **{"$top": 2}).json()
    assert (first["totalRecords"], first["count"], first["resultTruncated"]) == (3, 2, "false")
    rest_of_it = ask(rest, query, **{"$top": 2, "$skipToken": first["$skipToken"]}).json()
    assert "$skipToken" not in rest_of_it
    rows = [*first["data"], *rest_of_it["data"]]
    assert [row["tags"] for row in rows] == [{"own": name} for name in endpoints]
    assert [set(row) for row in rows] == [{"id", "tags", "properties"}] * 3
    assert {row["properties"]["authMode"] for row in rows} == {"Key"}


def test_all_columns_and_no_rows_of_another_subscription(
    azureml: Connection, rest: httpx2.Client, endpoints: list[str]
) -> None:
    (row,) = ask(rest, f"{ours(azureml)} | where name =~ '{endpoints[1].upper()}'").json()["data"]
    assert (row["type"], row["resourceGroup"], row["kind"]) == (TYPE, "rg-test", "Managed")
    other = {"query": "resources", "subscriptions": ["00000000-0000-0000-0000-000000000000"]}
    assert rest.post(URL, json=other).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "UserError"),
        ({"query": "resourcechanges"}, "InvalidQuery"),
        ({"query": "resources | summarize count()"}, "InvalidQuery"),
        ({"query": "resources | where secret =~ 'a'"}, "InvalidQuery"),
        ({"query": "resources | where id in~ 'a'"}, "InvalidQuery"),
        ({"query": "resources | where id in~ ('a', b)"}, "InvalidQuery"),
        ({"query": "resources | where id =~ 'a' or id =~ 'b'"}, "InvalidQuery"),
        ({"query": "resources | project name | order by id asc"}, "InvalidQuery"),
        ({"query": "resources", "options": {"$top": 1001}}, "UserError"),
        ({"query": "resources", "options": {"resultFormat": "table"}}, "UserError"),
        ({"query": "resources", "options": {"$skipToken": "?"}}, "BadRequest"),
        ({"query": "resources", "subscriptions": "x"}, "BadRequest"),
    ],
)
def test_what_is_not_offered_is_refused(
    rest: httpx2.Client, body: dict[str, Any], code: str, endpoints: list[str]
) -> None:
    answer = rest.post(URL, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
