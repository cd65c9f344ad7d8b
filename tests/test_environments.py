"""Several repositories and branches on the local cloud: what concerns one does not the others."""

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from azure.storage.queue import QueueClient

from tests.beside import cloud_beside
from tests.cloud import ROOT, Cloud, config
from tests.delivering import deliver_all
from tuneops import documents
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.policy import InForce
from tuneops.project import Project
from tuneops.queue import ProjectRequest, RepositoryRequest
from tuneops.reconcile import reconcile_project
from tuneops.services import Services
from tuneops.settings import Settings
from tuneops.sources import ConfigSource
from tuneops.status import read_status
from tuneops.sync import sync_repository
from tuneops.unwatched import NOTE

pytestmark = pytest.mark.slow

REPOSITORIES = ("contoso/models", "contoso/labs", "fabrikam/models")
SOURCES = [
    {"environment": "production", "repository": "contoso/models"},
    {"environment": "staging", "repository": "contoso/models", "branch": "staging"},
    {"environment": "labs", "repository": "contoso/labs", "configs": "teams/**"},
    {"environment": "far", "repository": "fabrikam/models"},
]
POLICY = "../tuneops-policy.yaml"


@pytest.fixture(scope="module")
def hub(account: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud of storage and GitHub with three repositories of two owners."""
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest["github"] |= {"more_repositories": list(REPOSITORIES[1:]), "webhooks": []}
    with cloud_beside(account, tmp_path_factory.mktemp("hub"), manifest, "platform") as cloud:
        yield cloud


@pytest.fixture
def services(hub: Cloud) -> Services:
    """What TuneOps works with, as the App, in containers and a queue of its own."""
    github, own = hub.connection["github"], uuid.uuid4().hex[:8]
    storage = hub.connection["storage"]["connection_string"]
    given = {
        "subscription_id": "s",
        "resource_group": "g",
        "workspace": "w",
        "storage_connection_string": storage,
        "state_container": f"state-{own}",
        "reconcile_queue": f"reconcile-{own}",
        "deliver_queue": f"deliver-{own}",
        "github_api_url": github["api_url"],
        "sources": json.dumps(SOURCES),
        "github_app_id": str(github["app"]["id"]),
        "github_app_private_key": github["app"]["private_key"],
        "github_webhook_secret": "secret",
    }
    made = Services(Settings.model_validate(given))
    made.blobs.create_container(made.settings.state_container)
    QueueClient.from_connection_string(storage, made.settings.reconcile_queue).create_queue()
    return made


def otherwise(services: Services, *sources: dict[str, str]) -> Services:
    """The same after a change of the setting."""
    changed = tuple(ConfigSource.model_validate(source) for source in sources)
    return Services(services.settings.model_copy(update={"sources": changed}))


def synced(services: Services, environment: str) -> list[str]:
    """The projects that are looked at after a sync of the environment.

    Another policy has it found out at which of all projects to look: ``*``.
    """
    sync_repository(RepositoryRequest(environment=environment), services)
    deliver_all(services)
    storage = services.settings.storage_connection_string
    assert storage is not None
    client = QueueClient.from_connection_string(
        storage.get_secret_value(), services.settings.reconcile_queue
    )
    sent = [json.loads(base64.b64decode(m.content)) for m in client.receive_messages()]
    client.clear_messages()
    return sorted("*" if each["kind"] == "projects" else each["project"] for each in sent)


def left_in_lists(services: Services) -> list[str]:
    """The projects of which a list of what is desired tells that they are left as they are."""
    listed = services.store.listed(documents.DESIRED)
    return [documents.name_in(each.path) for each in listed if each.note == NOTE]


def contexts(hub: Cloud, commit: str, repository: str) -> dict[str, str]:
    """The newest state by context of a commit's statuses."""
    told = hub.github(f"commits/{commit}/statuses", repository=repository)
    return {each["context"]: each["state"] for each in reversed(told)}


def test_each_source_has_its_projects_its_policy_and_its_complaints(
    hub: Cloud, services: Services
) -> None:
    files: dict[str, Any] = {"bot.yaml": config("bot"), POLICY: "max_nodes: 2\n"}
    hub.merge(files, branch="main")
    assert synced(services, "production") == ["*", "production.bot"]
    broken = {"bot.yaml": config("bot"), POLICY: "max_nodes: 7\n", "cat.yaml": "name: cat\n"}
    commit = hub.merge(broken, branch="staging")
    assert synced(services, "staging") == ["*", "staging.bot"]
    assert synced(services, "production") == []
    assert contexts(hub, commit, REPOSITORIES[0]) == {"tuneops/staging.config": "failure"}

    commit = hub.merge({POLICY: "max_nodes: many\n"}, branch="staging")
    assert synced(services, "staging") == []
    assert contexts(hub, commit, REPOSITORIES[0]) == {"tuneops/staging.policy": "failure"}
    in_force = {
        each: services.store.read(documents.policy(each), InForce)
        for each in ("production", "staging")
    }
    assert {k: v and v.value.policy.max_nodes for k, v in in_force.items()} == {
        "production": 2,
        "staging": 7,
    }
    status = read_status(services)
    assert all(error.startswith("staging: ") for error in status.config_errors)
    assert [source.environment for source in status.sources if source.commit] == [
        "production",
        "staging",
    ]


def test_other_repositories_and_owners_are_read_with_their_own_tokens(
    hub: Cloud, services: Services
) -> None:
    files = {"../teams/a/bot.yaml": config("bot"), "bot.yaml": config("other")}
    commit = hub.merge(files, repository="contoso/labs")
    assert synced(services, "labs") == ["labs.bot"]
    far = hub.merge({"bot.yaml": config("bot"), "bad.yaml": "x"}, repository="fabrikam/models")
    assert synced(services, "far") == ["far.bot"]
    assert contexts(hub, far, "fabrikam/models") == {"tuneops/far.config": "failure"}
    assert contexts(hub, commit, "contoso/labs") == {}
    wanted = services.store.read(documents.desired("labs.bot"), Desired)
    assert wanted is not None
    assert (wanted.value.path, wanted.value.commit) == ("teams/a/bot.yaml", commit)
    assert set(services.tokens) == {"contoso", "fabrikam"}


def test_a_repository_that_can_not_be_read_is_nobody_elses_trouble(
    hub: Cloud, services: Services
) -> None:
    wrong = {"environment": "wrong", "repository": "contoso/gone"}
    several = otherwise(services, wrong, *SOURCES)
    with pytest.raises(GitHubError, match=r"not installed on contoso/gone: .* TUNEOPS_SOURCES"):
        synced(several, "wrong")
    hub.merge({"calm.yaml": config("calm")})
    assert "production.calm" in synced(several, "production")
    with pytest.raises(GitHubError, match="shows no branch main of contoso/gone"):
        synced(several, "wrong")
    kept = several.tokens["contoso"]
    several.of("labs").github.snapshot()
    assert several.tokens["contoso"] is kept


def test_a_changed_setting_takes_nothing_down(hub: Cloud, services: Services) -> None:
    files = {"../teams/b/left.yaml": config("left"), "../teams/c/kept.yaml": config("kept")}
    hub.merge(files, repository="contoso/labs")
    assert {"labs.kept", "labs.left"} <= set(synced(services, "labs"))

    narrow = otherwise(services, {**SOURCES[2], "configs": "teams/c/**"})
    assert "labs.left" in synced(narrow, "labs")
    assert synced(narrow, "labs") == []
    wanted = narrow.store.read(documents.desired("labs.left"), Desired)
    assert wanted is not None
    assert wanted.value.config is not None
    (seen,) = read_status(narrow, "labs.left").projects
    assert seen.reason == (
        "left as it is: teams/b/left.yaml is not in contoso/labs (main, teams/c/**), which the "
        "settings name now"
    )
    reconcile_project(ProjectRequest(project="labs.left"), narrow)
    assert narrow.store.read(documents.project("labs.left"), Project) is None
    assert "labs.left" in left_in_lists(narrow)

    assert "labs.left" in synced(services, "labs")
    assert left_in_lists(services) == []
    (seen,) = read_status(services, "labs.left").projects
    assert not seen.reason.startswith("left as it is")
    hub.merge({"../teams/b/left.yaml": None}, repository="contoso/labs")
    assert synced(services, "labs") == ["labs.left"]
    wanted = services.store.read(documents.desired("labs.left"), Desired)
    assert wanted is not None
    assert (wanted.value.config, wanted.value.left) == (None, "")
