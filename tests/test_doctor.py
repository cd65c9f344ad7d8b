"""The doctor beside a local cloud: each thing that is broken is named, and nothing else."""

import base64
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import yaml
from azure.storage.queue import QueueClient
from click.testing import Result
from gidgethub.apps import get_jwt
from typer.testing import CliRunner

from handlers import doctor as handler
from localcloud.connection import Connection
from localcloud.manifest import Manifest
from tests.beside import cloud_beside
from tests.cloud import ROOT, Cloud, config
from tests.faults import Faults
from tests.granted import Roles
from tuneops import documents
from tuneops.cli import app
from tuneops.cli.target import use_local_identity
from tuneops.doctor import examination
from tuneops.doctor.checks import CHECKS
from tuneops.doctor.finding import Finding, Report
from tuneops.gitops.repository import Repository
from tuneops.notify.health import Health
from tuneops.permissions.role import Role
from tuneops.permissions.roles import OPERATOR, REGION, REGISTRY
from tuneops.services import Services
from tuneops.settings import Settings
from tuneops.ticks import Tick

NO_QUOTA = {"standardNDSH100v5Family": 0}
NEVER = "0 0 0 1 1 *"
"""A timer that ticks while a test looks would mend what it has broken."""


class Ward:
    """A local cloud with TuneOps in it, and ways to break and to examine it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.url: str = cloud.connection["functions"]["base_url"]
        self.services = Services(Settings())

    def run(self, *options: str) -> Result:
        """What the command says of it."""
        return CliRunner().invoke(app, ["doctor", "--state", str(self.cloud.state), *options])

    def failed(self, *options: str) -> list[Finding]:
        """What the command finds broken; its exit code says whether that is something."""
        result = self.run("--json", *options)
        found = failures(Report.model_validate_json(result.stdout))
        assert result.exit_code == (1 if found else 0), result.output
        return found

    def examined(self, area: str = "", **changes: Any) -> list[Finding]:
        """What would be found broken in the function app with other settings."""
        services = Services(Settings(**changes))
        url = f"{self.url}/api/doctor"
        return failures(examination.examine(services, os.environ, url, area))

    def azure(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """An answer of Azure Resource Manager, or of the workspace's administration."""
        connection = self.cloud.connection
        headers = self.cloud.authorization | {"x-compute-key": connection["compute_key"]}
        answer = httpx2.request(
            method,
            connection["azureml_url"] + path,
            params={"api-version": "2022-06-15"},
            headers=headers,
            json=body,
            verify=ssl.create_default_context(cafile=connection["ca_file"]),
        )
        assert answer.is_success, answer.text
        return answer

    def app_hook(self, **changes: str) -> None:
        """Change the App's webhook, as its owner does."""
        github = self.cloud.connection["github"]
        signature = get_jwt(
            app_id=str(github["app"]["id"]), private_key=github["app"]["private_key"]
        )
        answer = httpx2.patch(
            f"{github['api_url']}/app/hook/config",
            headers={"Authorization": f"Bearer {signature}"},
            json=changes,
        )
        assert answer.is_success, answer.text

    def push(self, files: dict[str, Any]) -> None:
        """Merge config files, and wait until the branch was read."""
        commit = self.cloud.merge(files)
        until(lambda: self._is_read(commit))

    def _is_read(self, commit: str) -> bool:
        stored = self.services.store.read(documents.repository(""), Repository)
        return stored is not None and stored.value.commit == commit


def failures(report: Report) -> list[Finding]:
    """What is broken."""
    return [finding for finding in report.findings if finding.outcome == "failed"]


def only(found: list[Finding], check: str) -> Finding:
    """The one thing that is broken, which says how to mend it."""
    assert [finding.check for finding in found] == [check], found
    assert found[0].mend
    return found[0]


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def ward(account: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A healthy TuneOps with one project, whose data nobody has uploaded."""
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest["quotas"] = NO_QUOTA
    manifest["app_settings"] |= {
        "TUNEOPS_RESYNC_SCHEDULE": NEVER,
        "TUNEOPS_SWEEP_SCHEDULE": NEVER,
        "TUNEOPS_SUMMARY_SCHEDULE": NEVER,
    }
    state, before = tmp_path_factory.mktemp("doctor"), dict(os.environ)
    with cloud_beside(account, state, manifest, "platform", "azureml", "functions") as cloud:
        connection = Connection.load(state)
        os.environ |= Manifest.load(connection.manifest_file).app_environment(connection)
        use_local_identity(cloud.connection)
        ward = Ward(cloud)
        ward.push({"bot.yaml": config("bot", rollout={"strategy": "canary"})})
        yield ward
    os.environ.clear()
    os.environ.update(before)


def test_a_healthy_one_has_nothing_broken(ward: Ward) -> None:
    result = ward.run()
    assert result.exit_code == 0, result.output
    assert "✗" not in result.output
    assert "✓ webhook.deliveries" in result.output
    assert "✓ roles.metrics" in result.output


def test_wrong_settings_are_named_each_by_itself(ward: Ward) -> None:
    found = ward.examined(
        state_container="gone",
        reconcile_queue="lost",
        workspace="ws-renamed",
        github_branch="away",
    )
    where = {
        "settings.workspace": "/workspaces/ws-renamed",
        "storage.containers": "container gone",
        "queues.exists": "queue lost",
        "repository.branch": "branch away",
    }
    assert [finding.check for finding in found] == list(where)
    for finding in found:
        assert where[finding.check] in finding.where
        assert finding.mend


@pytest.mark.parametrize(
    "changes",
    [
        {"github_app_id": "", "github_app_private_key": "", "github_token": "ghp_wrong"},
        {"github_app_private_key": "none"},
        {"github_repository": "contoso/gone"},
    ],
)
def test_a_way_into_github_that_is_closed_is_named(ward: Ward, changes: dict[str, Any]) -> None:
    found = ward.examined("github", **changes) + ward.examined("webhook", **changes)
    found += ward.examined("repository", **changes)
    only(found, "github.login")
    assert "ghp_wrong" not in found[0].model_dump_json()


def test_of_several_environments_the_broken_one_is_named(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNEOPS_GITHUB_REPOSITORY")
    monkeypatch.delenv("TUNEOPS_GITHUB_BRANCH")
    repository = ward.cloud.connection["github"]["repository"]
    sources = [
        {"environment": "production", "repository": repository},
        {"environment": "staging", "repository": repository, "workspace": "ws-staging"},
    ]
    finding = only(ward.examined(sources=sources), "settings.workspace")
    assert finding.environment == "staging"
    assert "/workspaces/ws-staging" in finding.where


def test_a_reference_that_azure_did_not_resolve_is_named(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://kv-contoso.vault.azure.net/secrets/s)"
    monkeypatch.setenv("TUNEOPS_GITHUB_TOKEN", reference)
    finding = only(ward.examined("settings", github_token=""), "settings.secrets")
    assert finding.where == "TUNEOPS_GITHUB_TOKEN"
    assert "kv-contoso" in finding.mend


def test_settings_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneops.settings.CONFIG_JSON", ())
    for name in [name for name in os.environ if name.startswith("TUNEOPS_")]:
        monkeypatch.delenv(name)

    def unusable() -> Services:
        return Services(Settings(github_webhook_secret="secret-value"))

    code, text = handler.handle(None, "http://localhost/api/doctor", unusable)
    assert code == 200
    finding = only(failures(Report.model_validate_json(text)), "settings.valid")
    assert "TUNEOPS_WORKSPACE is missing" in finding.what
    assert "secret-value" not in text


def test_a_wrong_function_key_is_named(ward: Ward) -> None:
    only(ward.failed("--url", ward.url, "--key", "wrong"), "app.key")


def test_a_container_that_everybody_may_read_is_named(ward: Ward) -> None:
    container = ward.services.blobs.get_container_client("prepared")
    container.set_container_access_policy({}, public_access="blob")
    try:
        only(ward.failed(), "storage.public")
    finally:
        container.set_container_access_policy({})


def test_a_webhook_that_goes_elsewhere_is_named(ward: Ward) -> None:
    ward.app_hook(url="https://other.example/api/github?code=secret-code")
    try:
        finding = only(ward.failed(), "webhook.address")
    finally:
        ward.app_hook(url=f"{ward.url}/api/github")
    assert "https://other.example/api/github" in finding.what
    assert "secret-code" not in finding.model_dump_json()


def test_a_wrong_webhook_secret_is_named(ward: Ward) -> None:
    ward.app_hook(secret="another")
    try:
        ward.cloud.merge({"readme.txt": "a delivery"})
        until(lambda: ward.failed("--only", "webhook"))
        only(ward.failed(), "webhook.secret")
    finally:
        ward.app_hook(secret=ward.cloud.connection["github"]["webhook_secret"])
    ward.push({"readme.txt": None})
    until(lambda: not ward.failed("--only", "webhook"))


IN_VAIN: dict[str, dict[str, Any]] = {
    "quota.serving": {"deployment": {"instance_type": "Standard_ND96isr_H100_v5"}},
    "compute.clusters": {"compute": {"name": "no-cluster"}},
    "registry.component": {"training": {"component": "no_pipeline"}},
    "registry.model": {"model": {"name": "Phi-3-mini-none"}},
    "repository.configs": {"modle": {}},
}
"""What breaks each, in a config of its own."""


def test_what_configs_ask_for_in_vain_is_named(ward: Ward) -> None:
    names = {check: check.replace(".", "-") for check in IN_VAIN}
    ward.push({f"{name}.yaml": {**config(name), **IN_VAIN[check]} for check, name in names.items()})
    try:
        found = ward.failed()
    finally:
        ward.push({f"{name}.yaml": None for name in names.values()})
    assert sorted(finding.check for finding in found) == sorted(IN_VAIN)
    for finding in found:
        assert f"finetune/{names[finding.check]}.yaml" in finding.where
        assert finding.mend


@pytest.mark.parametrize(
    ("without", "check"),
    [(OPERATOR, "roles.workspace"), (REGION, "roles.region"), (REGISTRY, "registry.model")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_missing_role_is_named_beforehand(ward: Ward, without: Role, check: str) -> None:
    with Roles(ward.cloud.connection).all_but(without):
        found = {finding.check: finding for finding in ward.failed()}
    finding = found.pop(check)
    assert set(found) <= {"registry.component"}
    assert without.name in f"{finding.what} {finding.mend}"
    if without is not REGISTRY:
        assert f"starts_with(roleName, '{without.name}')" in finding.mend
        assert " --assignee-object-id " in finding.mend
        assert finding.where in finding.mend


def test_all_roles_of_the_table_are_enough(ward: Ward) -> None:
    with Roles(ward.cloud.connection).all_but():
        assert ward.failed() == []


@contextmanager
def changed_subscription(
    ward: Ward, source: str, name: str, change: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """An event subscription is another one in the meantime."""
    path = f"{source}/providers/Microsoft.EventGrid/eventSubscriptions/{name}"
    known = ward.azure("GET", path).json()
    ward.azure("DELETE", path)
    changed = json.loads(json.dumps(known))
    change(changed["properties"])
    if changed != known:
        ward.azure("PUT", path, changed)
    try:
        yield
    finally:
        ward.azure("PUT", path, known)


def test_a_missing_event_subscription_is_named(ward: Ward) -> None:
    group = ward.services.workspace.id.partition("/providers/")[0]
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"
    with changed_subscription(ward, account, "dataset-uploaded", lambda _: None):
        finding = only(ward.failed(), "events.data")
    assert f"--source-resource-id {account}" in finding.mend


def test_an_event_subscription_that_leaves_events_out_is_named(ward: Ward) -> None:
    def leave_out(properties: dict[str, Any]) -> None:
        properties["filter"]["includedEventTypes"].pop()

    with changed_subscription(ward, ward.services.workspace.id, "job-event", leave_out):
        finding = only(ward.failed(), "events.jobs")
    assert "job-event leaves out" in finding.what
    until(lambda: not ward.failed("--only", "events"))


def test_messages_that_were_given_up_are_named(ward: Ward) -> None:
    connection = ward.cloud.connection["storage"]["connection_string"]
    poison = QueueClient.from_connection_string(connection, "reconcile-poison")
    poison.create_queue()
    text = json.dumps({"kind": "project", "project": "bot"})
    poison.send_message(base64.b64encode(text.encode()).decode())
    try:
        finding = only(ward.failed(), "queues.poison")
    finally:
        poison.delete_queue()
    assert "1 message was given up (project bot)" in finding.what


def test_a_timer_that_has_stopped_is_named(ward: Ward) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    tick = Tick(at=hour_ago, before=hour_ago - timedelta(minutes=5))
    ward.services.store.update(documents.tick("resync"), Tick, lambda _: tick)
    try:
        only(ward.failed(), "timers.resync")
    finally:
        ward.services.store.delete(documents.tick("resync"))


def test_a_channel_that_takes_nothing_is_named(ward: Ward) -> None:
    now, store = datetime.now(UTC), ward.services.store
    ill = Health(channel="slack.oncall", name="oncall", failing_since=now, error="answers 500")
    path = documents.health(ill.channel, "")
    store.update(path, Health, lambda _: ill)
    try:
        finding = only(ward.failed(), "channels.delivery")
    finally:
        store.delete(path)
    assert finding.where == "oncall"


def test_an_azure_that_does_not_answer_holds_nothing_up(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "CHECK_SECONDS", 1.6)
    faults = Faults(ward.cloud.connection)
    faults.ask("call", "slow", "GET /providers/Microsoft.Authorization/permissions", seconds=4)
    began = time.monotonic()
    try:
        found = ward.examined("roles")
    finally:
        faults.close()
    assert time.monotonic() - began < 4
    assert {finding.check.partition(".")[0] for finding in found} == {"roles"}
    assert found[0].what == "no answer within 2 s"


def test_one_area_is_looked_at_alone(ward: Ward) -> None:
    report = Report.model_validate_json(ward.run("--json", "--only", "clock").stdout)
    assert [finding.check for finding in report.findings] == ["clock.skew"]
    mine = Report.model_validate_json(ward.run("--json", "--only", "login").stdout)
    assert [finding.check for finding in mine.findings] == ["login.data"]
    assert ward.run("--only", "nothing").exit_code == 2


def test_it_is_healthy_again_and_then_does_not_answer(ward: Ward) -> None:
    assert ward.failed() == []
    ward.cloud.kill("localcloud.functions")
    only(ward.failed(), "app.answers")


def test_every_finding_is_explained() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    explained = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert explained == list(CHECKS)
