"""The policy from its commit in git to what becomes of a release, with real git and workspace."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import Model
from azure.storage.queue import QueueClient

from tests.cloud import Cloud, config
from tests.delivering import deliver_all
from tests.planned import NOW, come_to, desired, release
from tuneops import documents, names, planning, rollback
from tuneops.azureml import jobs
from tuneops.gitops.review_text import mark
from tuneops.policy import Freeze, InForce, Policy
from tuneops.policy_file import parse_policy
from tuneops.project import Project
from tuneops.queue import ProjectRequest, PullRequestRequest, RepositoryRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release
from tuneops.review import review_pull_request
from tuneops.rollback import RollbackOrder
from tuneops.services import Services
from tuneops.sources import ConfigSource
from tuneops.status import ProjectStatus, read_status
from tuneops.sync import sync_repository

pytestmark = pytest.mark.slow
POLICY = "../tuneops-policy.yaml"
A100 = "Standard_NC24ads_A100_v4"
SERVERLESS = "compute: {name: serverless}\n"


def synced(services: Services) -> tuple[Policy, set[str]]:
    """The policy in force after a look at git, and the projects that are looked at then.

    Another policy has it found out at which of all projects to look: ``*``.
    """
    sync_repository(RepositoryRequest(), services)
    deliver_all(services)
    stored = services.store.read(documents.policy(""), InForce)
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


def test_a_pull_request_is_told_what_can_be_foretold(azure: Cloud, working: Services) -> None:
    def comment(policy: str) -> str:
        azure.propose("priced", {"priced.yaml": config("priced"), POLICY: policy})
        review_pull_request(PullRequestRequest(number=pull), working)
        (comment,) = azure.github(f"issues/{pull}/comments")
        return str(comment["body"])

    azure.propose("priced", {"priced.yaml": config("priced")})
    pull = azure.github("pulls", {"title": "P", "head": "priced", "base": "main"})["number"]
    unprepared = "`not foretold: the data is not prepared yet"
    assert f"| `time and cost` | {unprepared}` |" in comment("max_nodes: 1\n")
    assert f"there is no price of {A100}; add that" in comment("max_estimated_cost: 5\n")
    unchecked = f"{unprepared}; max_estimated_cost of tuneops-policy.yaml is not checked` |"
    assert unchecked in comment(f"max_estimated_cost: 5\nprices: {{per_hour: {{{A100}: 4}}}}\n")


def test_a_pull_request_is_reviewed_for_the_environment_of_its_branch(
    azure: Cloud, working: Services
) -> None:
    azure.branch("staging")
    sources = tuple(
        ConfigSource(environment=name, repository="contoso/models", branch=branch)
        for name, branch in (("production", "main"), ("staging", "staging"))
    )
    several = Services(working.settings.model_copy(update={"sources": sources}))
    head = azure.propose("trial", {"trial.yaml": config("trial", compute={"name": "serverless"})})
    pull = azure.github("pulls", {"title": "T", "head": "trial", "base": "staging"})["number"]
    for source in sources:
        request = PullRequestRequest(environment=source.environment, number=pull)
        review_pull_request(request, several)
    (status,) = azure.github(f"commits/{head}/statuses")
    assert (status["context"], status["state"]) == ("tuneops/plan/staging", "success")
    assert status["description"] == "staging.trial: a model is trained"
    (comment,) = azure.github(f"issues/{pull}/comments")
    assert comment["body"].startswith(mark("staging"))
    assert "| `staging.trial` | `finetune/trial.yaml` |" in comment["body"]
    assert "staging_trial-train:" in comment["body"]


def training(services: Services, name: str) -> Release:
    """A release of a project that is planned and has no job yet, as the store has it."""
    made = release(SERVERLESS, name)
    made = made.replace(training=planning.plan(services.workspace, made))
    return stored(services, made.advance(Phase.TRAINING, datetime.now(UTC), "planned"))


def stored(services: Services, made: Release) -> Release:
    """A release of a project on serverless compute, and the project, as the store has them."""
    name = made.project
    project = Project(name=name, current=made.number, endpoints=(made.endpoint,))
    services.store.write(documents.desired(name), desired(SERVERLESS, name), etag=None)
    services.store.write(documents.release(name, made.number), made, etag=None)
    services.store.write(documents.project(name), project, etag=None)
    return made


def reconciled(services: Services, name: str, policy: str) -> ProjectStatus:
    """The project after a look at it under this policy."""
    in_force = InForce(policy=parse_policy(policy, "p"))
    services.store.update(documents.policy(""), InForce, lambda _: in_force)
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


def test_a_training_that_is_likely_to_cost_too_much_is_not_submitted(working: Services) -> None:
    made = release(SERVERLESS, "costly")
    assert made.data is not None
    stored(working, made.replace(data=made.data.replace(tokens=10**10)))
    prices = f"prices: {{currency: EUR, per_hour: {{{A100}: 4}}}}\n"
    failed = reconciled(working, "costly", prices + "max_estimated_cost: 100\n")
    assert failed.phase == Phase.FAILED
    assert failed.reason.startswith("the policy does not allow it: training: is likely to cost 43,")
    assert failed.release is not None
    assert failed.release.forecast is not None
    assert failed.release.forecast.currency == "EUR"
    assert failed.release.forecast.tokens == 3 * 10**10
    assert failed.release.actuals is not None
    assert failed.release.actuals.note == "no training was begun"
    job = str(failed.release.job)
    assert jobs.observe(working.workspace, job) is None

    still = reconciled(working, "costly", "max_estimated_cost: 1000000\n")
    assert still.release is not None
    assert still.release.number == 1
    again = reconciled(working, "costly", prices + "max_estimated_cost: 1000000\n")
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


def test_a_pin_goes_back_in_a_freeze_and_without_a_look_at_the_data(
    working: Services, tmp_path: Path
) -> None:
    """The first release's model is registered, the second is live, and git wants the second."""
    name, store = "urgent", working.store
    good = release(SERVERLESS, name)
    good = good.replace(training=planning.plan(working.workspace, good), commit="a" * 40)
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    tags = {names.TAG_TRAINING: good.plan.digest}
    working.workspace.ml.models.create_or_update(
        Model(
            name=name,
            version=good.model_version,
            type=AssetTypes.MLFLOW_MODEL,
            path=str(tmp_path),
            tags=tags,
        )
    )
    good = come_to(good, Phase.LIVE, NOW).advance(Phase.SUPERSEDED, NOW, "")
    worse = SERVERLESS + "deployment: {instance_count: 2}\n"
    bad = good.replace(number=2, config=desired(worse, name).config)
    bad = come_to(bad, Phase.LIVE, NOW)
    bad = bad.replace(fingerprint=bad.made_of)
    store.write(documents.release(name, 1), good, None)
    store.write(documents.release(name, 2), bad, None)
    store.write(documents.project(name), Project(name=name, current=2, live=2), None)
    store.write(documents.desired(name), desired(worse, name).replace(source=None), None)
    freeze = Freeze.model_validate(
        {"from": "2020-01-01T00:00Z", "until": "2100-01-01T00:00Z", "reason": "holidays"}
    )
    store.update(documents.policy(""), InForce, lambda _: InForce(policy=Policy(freeze=(freeze,))))
    working.blobs.delete_container(working.settings.datasets_container)

    order = RollbackOrder(action="pin", by="Ada", reason="answers in French")
    assert "pinned to release 1 by Ada" in rollback.pin(name, order, working, NOW).text
    reconcile_project(ProjectRequest(project=name), working)
    (seen,) = read_status(working, name).projects
    assert seen.release is not None
    assert [entry.phase for entry in seen.release.history] == [
        Phase.PREPARING,
        Phase.REGISTERING,
        Phase.DEPLOYING,
    ]
    assert (seen.release.number, seen.release.commit) == (3, good.commit)
    assert seen.release.job == good.job_name
    assert "pinned to release 1 by Ada since 2026-01-01 00:00 UTC: answers in French" in seen.reason
    assert [key for key in seen.release.messages if ":pinned:" in key]
    assert not [j for j in working.workspace.ml.jobs.list() if str(j.name).startswith(name)]

    # Unpinned before it is live: nothing was rolled back, and the freeze holds what git wants.
    rollback.unpin(name, RollbackOrder(action="unpin", by="Ada"), working)
    reconcile_project(ProjectRequest(project=name), working)
    (seen,) = read_status(working, name).projects
    assert (seen.pin, seen.rejected) == (None, ())
    assert seen.release is not None
    assert [key for key in seen.release.messages if ":unpinned:" in key]
