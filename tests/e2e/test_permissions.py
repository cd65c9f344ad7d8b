"""Least privilege: whole loops with the documented roles, without keys, and with one role missing.

What the loops do is held against the table of permissions, both ways.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from tests.cloud import QUICK, ROOT, Cloud, config, jsonl, some_rows
from tests.granted import Roles
from tuneops.cli import app
from tuneops.doctor.finding import Report
from tuneops.permissions.github import APP_PERMISSIONS, CONTENTS, STATUSES, AppPermission
from tuneops.permissions.role import Role, covers
from tuneops.permissions.roles import (
    APP_ROLES,
    AUTOSCALE,
    BLOBS,
    CLUSTERS,
    OPERATOR,
    QUEUES,
    REGION,
    REGISTRY,
)
from tuneops.permissions.table import NEEDS

pytestmark = [pytest.mark.slow, pytest.mark.soak]

ADA = "ada@contoso.example"
DOORS = {
    "AzureWebJobsStorage__blobServiceUri": "${storage.door_blob_url}",
    "AzureWebJobsStorage__queueServiceUri": "${storage.door_queue_url}",
    "TUNEOPS_MAX_UPLOAD_BYTES": "20000",
}
METRICS = "Microsoft.Insights/metrics/read"
CLUSTER = {"size": "Standard_NC24ads_A100_v4"}
NOTED = {(each.name, each.level) for each in APP_PERMISSIONS if not each.unseen}


class Team:
    """A local cloud whose TuneOps has no key, and its roles."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.roles = Roles(cloud.connection)
        self.functions = cloud.connection["functions"]
        self.log = cloud.state / "logs" / "functions.log"

    def get(self, path: str) -> httpx2.Response:
        """An answer of the function app."""
        headers = {"x-functions-key": self.functions["key"]}
        url = f"{self.functions['base_url']}/api/{path}"
        return httpx2.get(url, headers=headers, timeout=60)

    def github(self, method: str, path: str, body: Any = None) -> Any:
        """An answer of GitHub to the App's owner, outside the repository."""
        github = self.cloud.connection["github"]
        headers = {"Authorization": f"Bearer {github['token']}"}
        url = f"{github['api_url']}{path}"
        answer = httpx2.request(method, url, headers=headers, json=body).raise_for_status()
        return answer.json() if answer.content else None

    @contextmanager
    def app_without(self, permission: AppPermission) -> Iterator[None]:
        """The App's tokens lack a permission for a while."""
        lower = "read" if (permission.name, permission.level) == ("contents", "write") else "none"
        for changes in ({permission.name: lower}, {}):
            self.github("PUT", "/_installation_tokens", {"seconds": 3600, "permissions": changes})
            self.github("DELETE", "/_installation_tokens")
            if changes:
                yield

    def doctor(self) -> Report:
        """What the doctor says."""
        line = ["doctor", "--state", str(self.cloud.state), "--json"]
        return Report.model_validate_json(CliRunner().invoke(app, line).stdout)

    def until_logged(self, pattern: str) -> None:
        """Look at the function app's log until it says so."""
        self.cloud.until_true(lambda: bool(re.search(pattern, self.log.read_text())))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A local cloud with all documented roles, and none besides."""
    state, before = tmp_path_factory.mktemp("roles"), dict(os.environ)
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    del manifest["app_settings"]["AzureWebJobsStorage"]
    manifest["app_settings"] |= DOORS
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    cloud = Cloud(state)
    cloud.up("--manifest", str(state / "manifest.yaml"))
    try:
        team = Team(cloud)
        team.roles.give()
        yield team
    finally:
        cloud.down()
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.timeout(1800)
def test_the_documented_roles_are_enough_and_none_is_there_for_nothing(team: Team) -> None:
    cloud = team.cloud
    own = {
        "compute": {"name": "own", "cluster": CLUSTER},
        "deployment": {"autoscale": {"max": 2}},
        "drift": "report",
    }
    cloud.merge_by_pull("own", {"own.yaml": config("own", **own)})
    entra = {"auth_mode": "aad_token"}
    token = config("token", endpoint=entra)
    cloud.merge({"token.yaml": token})
    rows = some_rows(400)
    cloud.upload("own/chats.jsonl", some_rows())
    cloud.upload("token/chats.jsonl", some_rows(25))
    cloud.upload("large/week/1.jsonl", rows[:250])
    cloud.upload("large/week/2.jsonl", jsonl(rows[250:]))
    cloud.upload("large/week/_SUCCESS", b"")
    first = cloud.until_phase("own", 1, "Live", seconds=400).release
    assert first is not None
    before = cloud.until_phase("token", 1, "Live", seconds=400).release
    assert before is not None
    slowly = {"parameters": {**QUICK, "max_steps": 600}}
    large = config("large", compute={"name": "serverless", "nodes": 2}, training=slowly)
    cloud.merge({"large.yaml": large})
    cloud.until("large", lambda seen: seen.phase == "Training", seconds=400)
    cloud.merge({"large.yaml": None})

    for path in ("logs?of=deployment", "logs?of=job", "metrics"):
        assert team.get(f"projects/own/releases/1/{path}").is_success
    assert team.get("cost").is_success
    assert team.get("sweep?look=now").is_success
    assert not [each for each in team.doctor().findings if each.outcome == "failed"]

    endpoint = cloud.ml_as(ADA).online_endpoints.get(first.endpoint)
    del endpoint.tags["tuneops.release"]
    cloud.ml_as(ADA).online_endpoints.begin_create_or_update(endpoint).result()
    cloud.resync()
    cloud.until("own", lambda seen: "drifted" in seen.reason)

    changed = {"environment_variables": {"A": "b"}}
    quick = {"strategy": "canary", "pause_minutes": 0.05, "keep_previous": 0}
    second = own | {"deployment": {**own["deployment"], **changed}}
    cloud.merge(
        {
            "own.yaml": config("own", rollout=quick, **second),
            "token.yaml": config("token", endpoint=entra, deployment=changed),
        }
    )
    cloud.until_phase("token", 2, "Live", seconds=400)
    cloud.until("token", lambda _: len(cloud.traffic(before.endpoint) or ()) == 1, seconds=300)
    cloud.until_true(lambda: METRICS in team.roles.calls()["actions"], 300)
    cloud.merge({"own.yaml": None, "token.yaml": None})
    for name in ("own", "token", "large"):
        cloud.until(name, lambda seen: seen.phase == "Retired", seconds=300)

    done = team.roles.calls()
    called = [*done["actions"], *done["dataActions"]]
    table = [need for need in NEEDS if need.role in APP_ROLES]
    assert team.roles.unknown_calls() == [], "give it a row in tuneops/permissions"
    needless = [
        need.action
        for need in table
        if not need.unseen and not any(covers(need.action, action) for action in called)
    ]
    assert needless == [], "nobody calls it: take it away, or say in `unseen` who does"

    asked = {tuple(each.split("=")) for each in team.github("GET", "/_permissions")}
    documented = {(each.name, each.level) for each in APP_PERMISSIONS}
    reads = {(name, "read") for name, level in documented if level == "write"}
    assert asked <= documented | reads
    assert asked >= NOTED


BROKEN: dict[Role, dict[str, Any]] = {
    OPERATOR: {},
    REGION: {},
    REGISTRY: {},
    CLUSTERS: {"compute": {"name": "another", "cluster": CLUSTER}},
    AUTOSCALE: {"deployment": {"autoscale": {"max": 2}}},
}
"""What a config has so that it needs the role."""


@pytest.mark.parametrize("without", BROKEN, ids=lambda role: role.name)
def test_a_release_says_which_role_it_waits_for_and_goes_on_with_it(
    team: Team, without: Role
) -> None:
    cloud, name = team.cloud, f"no-{without.name.split()[1].lower()}"
    team.roles.give(without)
    try:
        cloud.upload(f"{name}/chats.jsonl", some_rows())
        cloud.merge({f"{name}.yaml": config(name, **BROKEN[without])})
        said = rf"lacks \S+ at .+: give it the role {without.name} (there|at .+) \(docs/perm"
        cloud.until(name, lambda seen: bool(re.search(said, seen.reason)), seconds=300)
        found = [each for each in team.doctor().findings if each.outcome == "failed"]
        assert any(without.name in f"{each.what} {each.mend}" for each in found), found
    finally:
        team.roles.give()
    cloud.until(name, lambda seen: "lacks" not in seen.reason, seconds=300)
    cloud.merge({f"{name}.yaml": None})
    cloud.until(name, lambda seen: seen.phase == "Retired", seconds=300)


@pytest.mark.parametrize("without", [BLOBS, QUEUES], ids=lambda role: role.name)
def test_without_the_storage_account_whoever_asks_is_told_which_role_is_missing(
    team: Team, without: Role
) -> None:
    cloud, name = team.cloud, f"no-{without.name.split()[1].lower()}s"
    said = rf"lacks Microsoft.Storage/\S+ at .+: give it the role {without.name} at the storage"
    team.roles.give(without)
    try:
        cloud.upload(f"{name}/chats.jsonl", some_rows())
        cloud.merge({f"{name}.yaml": config(name)})
        team.until_logged(said)
        if without is BLOBS:
            answer = team.get("status")
            assert answer.status_code == 503
            assert re.search(said, answer.json()["error"])
        else:
            deliveries = cloud.github("hooks/1/deliveries")
            delivery = cloud.github(f"hooks/1/deliveries/{deliveries[0]['id']}")
            assert delivery["status_code"] == 503
            assert re.search(said, json.dumps(delivery["response"]))
        found = [each for each in team.doctor().findings if each.outcome == "failed"]
        assert any(f"--role '{without.name}'" in each.mend for each in found), found
    finally:
        team.roles.give()
    cloud.resync()
    _goes_on(cloud, name)


@pytest.mark.parametrize("permission", [CONTENTS, STATUSES], ids=str)
def test_without_a_permission_of_the_app_it_is_named(team: Team, permission: AppPermission) -> None:
    name = f"no-{permission.name}"
    with team.app_without(permission):
        team.cloud.upload(f"{name}/chats.jsonl", some_rows())
        team.cloud.merge({f"{name}.yaml": config(name)})
        team.until_logged(rf"TuneOps lacks {re.escape(str(permission))} in contoso/models: give it")
        found = [each for each in team.doctor().findings if each.outcome == "failed"]
        assert any(permission.name in each.what for each in found), found
    team.cloud.resync()
    _goes_on(team.cloud, name)


def _goes_on(cloud: Cloud, name: str) -> None:
    """The release has come to its training; then the project ends."""
    cloud.until(name, lambda seen: seen.phase in ("Training", "Evaluating", "Live"), seconds=300)
    cloud.merge({f"{name}.yaml": None})
    cloud.until(name, lambda seen: seen.phase == "Retired", seconds=300)
