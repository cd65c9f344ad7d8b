"""The policy from its commit in git to what becomes of a release, with real git and workspace."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import QueueClient

from tests.cloud import Cloud, config
from tests.planned import desired, release
from tuneops import documents, planning
from tuneops.azureml import jobs
from tuneops.policy import InForce, Policy
from tuneops.policy_file import parse_policy
from tuneops.queue import ProjectRequest, PullRequestRequest, RepositoryRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Project, Release
from tuneops.review import review_pull_request
from tuneops.services import Services
from tuneops.status import ProjectStatus, read_status
from tuneops.sync import sync_repository

pytestmark = pytest.mark.slow
POLICY = "../tuneops-policy.yaml"
SERVERLESS = "compute: {name: serverless}\n"


def synced(services: Services) -> tuple[Policy, set[str]]:
    """The policy in force after a look at git, and the projects that are looked at then.

    Another policy has it found out at which of all projects to look: ``*``.
    """
    sync_repository(RepositoryRequest(), services)
    stored = services.store.read(documents.POLICY, InForce)
    assert stored is not None
    return stored.value.policy, asked(services)


def asked(services: Services) -> set[str]:
    """The projects on the queue, ``*`` for all of them; it is empty afterwards."""
    settings = services.settings
    assert settings.storage_connection_string is not None
    connection = settings.storage_connection_string.get_secret_value()
    client = QueueClient.from_connection_string(connection, settings.reconcile_queue)
    sent = [json.loads(base64.b64decode(m.content)) for m in client.receive_messages()]
    found = {"*" if each["kind"] == "projects" else each["project"] for each in sent}
    client.clear_messages()
    return found


def test_a_policy_comes_into_force_with_its_commit(azure: Cloud, working: Services) -> None:
    azure.merge({"one.yaml": config("one"), POLICY: "max_nodes: 2\n"})
    assert synced(working) == (Policy(max_nodes=2), {"one", "*"})
    assert synced(working) == (Policy(max_nodes=2), set())

    broken = azure.merge({POLICY: "max_nodes: many\n"})
    assert synced(working) == (Policy(max_nodes=2), set())
    assert synced(working) == (Policy(max_nodes=2), set())
    (status,) = azure.github(f"commits/{broken}/statuses")
    assert (status["context"], status["state"]) == ("tuneops/policy", "failure")
    assert (
        "tuneops-policy.yaml:1: max_nodes: Input should be a valid integer"
        in (status["description"])
    )
    assert any("max_nodes" in error for error in read_status(working).config_errors)

    azure.merge({POLICY: "max_nodes: 3\n"})
    assert synced(working) == (Policy(max_nodes=3), {"*"})
    azure.merge({POLICY: "#" * (64 * 1024 + 1)})
    assert synced(working) == (Policy(max_nodes=3), set())
    azure.merge({POLICY: None, "one.yaml": None})
    assert synced(working) == (Policy(), {"one", "*"})


def test_a_pull_request_is_held_against_the_policy_that_it_leaves(
    azure: Cloud, working: Services
) -> None:
    serverless = config("idea", compute={"name": "serverless"}, training={})
    head = azure.propose("idea", {"idea.yaml": serverless, POLICY: "max_epochs: 2\n"})
    pull = azure.github("pulls", {"title": "Idea", "head": "idea", "base": "main"})["number"]
    review_pull_request(PullRequestRequest(number=pull), working)
    (status,) = azure.github(f"commits/{head}/statuses")
    assert (status["state"], status["description"]) == ("failure", "can't be carried out: idea")
    (comment,) = azure.github(f"issues/{pull}/comments")
    assert "training.parameters.num_train_epochs: 3 is more than max_epochs" in comment["body"]


def training(services: Services, name: str) -> Release:
    """A release of a project that is planned and has no job yet, as the store has it."""
    made = release(SERVERLESS, name)
    made = made.replace(training=planning.plan(services.workspace, made))
    made = made.advance(Phase.TRAINING, datetime.now(UTC), "planned")
    project = Project(name=name, current=made.number, endpoints=(made.endpoint,))
    services.store.write(documents.desired(name), desired(SERVERLESS, name), etag=None)
    services.store.write(documents.release(name, made.number), made, etag=None)
    services.store.write(documents.project(name), project, etag=None)
    return made


def reconciled(services: Services, name: str, policy: str) -> ProjectStatus:
    """The project after a look at it under this policy."""
    in_force = InForce(policy=parse_policy(policy, "p"))
    services.store.update(documents.POLICY, InForce, lambda _: in_force)
    reconcile_project(ProjectRequest(project=name), services)
    return read_status(services, name).projects[0]


def freeze(hours: int) -> str:
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(hours=hours)
    return f"freeze: [{{from: {start:%FT%TZ}, until: {end:%FT%TZ}, reason: year end}}]\n"


def test_what_is_not_allowed_any_more_is_not_submitted(working: Services) -> None:
    made = training(working, "epochs")
    failed = reconciled(
        working, "epochs", "max_epochs: 2\nallowed_regions: [nowhere]\nallowed_models: [Phi*]\n"
    )
    assert failed.phase == Phase.FAILED
    assert failed.reason.startswith("the policy does not allow it: the workspace is in ")
    assert "; training.parameters.num_train_epochs: 3 is more than max_epochs" in failed.reason
    assert jobs.observe(working.workspace, made.job_name) is None

    still = reconciled(working, "epochs", "max_epochs: 2\n")
    assert still.release is not None
    assert (still.release.number, still.phase) == (1, Phase.FAILED)
    again = reconciled(working, "epochs", "max_epochs: 3\n")
    assert again.release is not None
    assert again.release.number == 2


def test_a_freeze_is_waited_out_before_a_job_is_submitted(working: Services) -> None:
    made = training(working, "frozen")
    waiting = reconciled(working, "frozen", freeze(2))
    assert waiting.phase == Phase.TRAINING
    assert waiting.reason.startswith("frozen until ")
    assert waiting.reason.endswith(" UTC: year end")
    assert jobs.observe(working.workspace, made.job_name) is None
    assert waiting.release is not None
    assert any(":held:" in key for key in waiting.release.messages)

    reconciled(working, "frozen", "")
    assert jobs.observe(working.workspace, made.job_name) is not None


def test_a_first_release_that_may_not_begin_says_why(services: Services) -> None:
    services.store.write(documents.desired("bot"), desired("", "bot"), etag=None)
    for _ in range(2):
        project = reconciled(services, "bot", freeze(2))
        assert project.release is None
        assert project.reason.startswith("frozen until ")
