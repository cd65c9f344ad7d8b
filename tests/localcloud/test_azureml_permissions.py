"""What the identity may do, and that calls are held to it."""

from collections.abc import Iterator

import httpx2
import pytest

from localcloud.azureml.permissions import action_of
from localcloud.azureml.site import Site
from localcloud.connection import Connection

ML = "Microsoft.MachineLearningServices/workspaces"
SCOPE = f"/subscriptions/s/resourceGroups/g/providers/{ML}/w"


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", SCOPE, f"{ML}/read"),
        ("GET", f"{SCOPE}/jobs", f"{ML}/jobs/read"),
        ("PUT", f"{SCOPE}/jobs/j", f"{ML}/jobs/write"),
        ("POST", f"{SCOPE}/jobs/j/cancel", f"{ML}/jobs/cancel/action"),
        (
            "PUT",
            f"{SCOPE}/onlineEndpoints/e/deployments/d",
            f"{ML}/onlineEndpoints/deployments/write",
        ),
        ("DELETE", f"{SCOPE}/onlineEndpoints/e", f"{ML}/onlineEndpoints/delete"),
        (
            "GET",
            f"{SCOPE}/providers/Microsoft.EventGrid/eventSubscriptions",
            "Microsoft.EventGrid/eventSubscriptions/read",
        ),
        ("GET", "/metadata/endpoints", ""),
    ],
)
def test_an_action_is_named_as_roles_name_it(method: str, path: str, action: str) -> None:
    assert action_of(method, path) == action


@pytest.fixture
def admin(azureml: Connection) -> Iterator[httpx2.Client]:
    """Administration of the workspace; the identity may do everything again afterwards."""
    with httpx2.Client(
        base_url=f"{azureml.azureml_url}/_admin",
        headers={"x-compute-key": azureml.compute_key},
        verify=str(azureml.ca_file),
        trust_env=False,
    ) as client:
        yield client
        client.delete("/permissions")


def test_a_call_that_is_not_allowed_is_refused_as_azure_does(
    azureml: Connection, rest: httpx2.Client, admin: httpx2.Client
) -> None:
    workspace = Site(azureml).workspace_path
    listed = f"{workspace}/providers/Microsoft.Authorization/permissions"
    version = {"api-version": "2022-04-01"}
    assert rest.get(listed, params=version).json()["value"][0]["actions"] == ["*"]
    taken = {"notActions": [f"{ML}/computes/*"]}
    assert admin.put("/permissions", json=taken).status_code == 204
    assert rest.get(listed, params=version).json()["value"][0]["notActions"] == [f"{ML}/computes/*"]
    assert rest.get(workspace, params=version).status_code == 200
    refused = rest.get(f"{workspace}/computes", params=version)
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert error["code"] == "AuthorizationFailed"
    assert (
        f"perform action '{ML}/computes/read' over scope '{workspace}/computes'" in error["message"]
    )
    admin.put("/permissions", json={"actions": []})
    assert rest.get(listed, params=version).json()["value"] == []
    assert admin.put("/permissions", json={"nothing": []}).status_code == 400
