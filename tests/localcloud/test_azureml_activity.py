"""The activity log: who did what to endpoints, deployments and models."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineEndpoint
from azureml_server import LocalCredential, workspace_path

from localcloud.azureml import activity
from localcloud.azureml.activity import Activity
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.connection import Connection

ADA = "ada@contoso.example"
PROVIDER = "Microsoft.MachineLearningServices"
HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


def log(connection: Connection, rest: httpx2.Client, wanted: str, **query: str) -> httpx2.Response:
    """The answer to a filter."""
    return rest.get(
        f"/subscriptions/{connection.subscription_id}/providers/microsoft.insights"
        "/eventtypes/management/values",
        params={"api-version": "2015-04-01", "$filter": wanted, **query},
    )


def events(connection: Connection, rest: httpx2.Client, terms: str) -> list[dict[str, Any]]:
    """The events since an hour that a filter's last term asks for, newest first."""
    answer = log(connection, rest, f"eventTimestamp ge '{HOUR_AGO}' and {terms}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def test_it_tells_who_did_what_to_what(
    azureml: Connection, ml: MLClient, rest: httpx2.Client
) -> None:
    name = f"ep-{uuid.uuid4().hex[:8]}"
    uri = f"{workspace_path(azureml)}/onlineEndpoints/{name}"
    ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name)).result()
    ml.online_endpoints.get_keys(name)
    ada = LocalCredential(azureml, upn=ADA, name="Ada", oid=str(uuid.uuid4()))
    token = ada.get_token(azureml.azureml_url).token
    rest.delete(uri, headers={"authorization": f"Bearer {token}"})
    rest.put(f"{uri}/deployments/blue", json={})

    deleted, _, asked, _, created, begun = events(azureml, rest, f"resourceUri eq '{uri.upper()}'")
    assert deleted["operationName"]["value"] == f"{PROVIDER}/workspaces/onlineEndpoints/delete"
    assert deleted["caller"] == ADA
    assert deleted["claims"]["name"] == "Ada"
    assert deleted["resourceId"] == uri
    assert deleted["httpRequest"]["method"] == "DELETE"
    assert (deleted["status"]["value"], deleted["subStatus"]["value"]) == ("Accepted", "202")
    action = f"{PROVIDER}/workspaces/onlineEndpoints/listKeys/action"
    assert asked["operationName"]["value"] == action
    assert asked["status"]["value"] == "Succeeded"
    assert created["caller"] != ADA
    assert begun["status"]["value"] == "Started"
    assert begun["correlationId"] == created["correlationId"]
    assert begun["eventTimestamp"] <= created["eventTimestamp"]

    same = events(azureml, rest, f"correlationId eq '{created['correlationId']}'")
    assert [event["eventDataId"] for event in same] == [
        created["eventDataId"],
        begun["eventDataId"],
    ]
    (failed, _) = events(azureml, rest, f"resourceUri eq '{uri}/deployments/blue'")
    assert failed["status"]["value"] == "Failed"
    assert failed["resourceType"]["value"] == f"{PROVIDER}/workspaces/onlineEndpoints/deployments"
    group = events(azureml, rest, f"resourceGroupName eq '{azureml.resource_group}'")
    assert failed in group
    assert failed in events(azureml, rest, f"resourceProvider eq '{PROVIDER}'")


def test_a_span_and_a_selection(azureml: Connection, ml: MLClient, rest: httpx2.Client) -> None:
    ml.online_endpoints.begin_delete(f"ep-{uuid.uuid4().hex[:8]}")
    span = f"eventTimestamp ge '{HOUR_AGO}' and eventTimestamp le '{HOUR_AGO}'"
    assert log(azureml, rest, span).json()["value"] == []
    since = f"eventTimestamp ge '{HOUR_AGO}'"
    first = log(azureml, rest, since, **{"$select": "caller,status"}).json()["value"][0]
    assert set(first) == {"caller", "status"}


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "resourceUri eq '/subscriptions/s'",
        "eventTimestamp ge 'yesterday'",
        "eventTimestamp ge '2015-01-01T00:00:00Z'",
        "eventTimestamp ge 'HOUR_AGO' and caller eq 'ada'",
        "eventTimestamp ge 'HOUR_AGO' and resourceUri ne 'x'",
        "eventTimestamp ge 'HOUR_AGO' or resourceUri eq 'x'",
        "eventTimestamp ge 'HOUR_AGO' and resourceUri eq 'x' and correlationId eq 'y'",
    ],
)
def test_other_filters_are_refused(azureml: Connection, rest: httpx2.Client, wanted: str) -> None:
    answer = log(azureml, rest, wanted.replace("HOUR_AGO", HOUR_AGO))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadRequest"


def test_it_is_kept_and_bounded(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, azureml: Connection
) -> None:
    monkeypatch.setattr(activity, "MAX_EVENTS", 3)
    for start in (0, 3):
        store = Store(tmp_path / "workspace.sqlite")
        kept = Activity(Site(azureml), store)
        for number in range(start, start + 3):
            kept.add({"n": number})
        assert [record["event"]["n"] for record in store.list(activity.KIND)] == [
            start,
            start + 1,
            start + 2,
        ]
        store.close()
