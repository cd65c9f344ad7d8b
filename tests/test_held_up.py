"""What Azure refuses or fails at, from the SDK's answer to the status that a person reads."""

import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import httpx2
import pytest
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import Model

from handlers import resync
from tests.cloud import Cloud
from tests.faults import Faults
from tests.granted import Roles
from tests.planned import NOW, come_to, desired, release, until
from tuneops import documents, planning
from tuneops.azureml import (
    activity,
    autoscale,
    compute,
    endpoints,
    event_subscriptions,
    jobs,
    registry,
)
from tuneops.clock import utc_now
from tuneops.data.prepare import find_source
from tuneops.difference import Answer, Difference, Part
from tuneops.permissions.role import Role
from tuneops.permissions.roles import (
    AUTOSCALE,
    BLOBS,
    CLUSTERS,
    OBSERVER,
    OPERATOR,
    QUEUES,
    REGION,
    REGISTRY,
)
from tuneops.project import Project
from tuneops.queue import ProjectRequest, ProjectsRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.services import Services
from tuneops.status import ProjectStatus, read_status

pytestmark = pytest.mark.slow
ML = "Microsoft.MachineLearningServices"
SERVERLESS = "compute: {name: serverless}\n"
CLUSTER = "compute: {name: created, cluster: {size: Standard_NC24ads_A100_v4}}\n"


def begin(
    services: Services, made: Release, extra: str, clock: Callable[[], datetime] = utc_now
) -> Callable[[], ProjectStatus]:
    """Begin with this release; each call reconciles its project and gives the status."""
    name = made.project
    endpoints = (made.endpoint,)
    project = Project(name=name, current=made.number, endpoints=endpoints)
    services.store.write(documents.desired(name), desired(extra, name), etag=None)
    services.store.write(documents.release(name, made.number), made, etag=None)
    services.store.write(documents.project(name), project, etag=None)

    def reconcile() -> ProjectStatus:
        reconcile_project(ProjectRequest(project=name), services, clock)
        (found,) = read_status(services).projects
        return found

    return reconcile


def deploying(services: Services, folder: Path, name: str, extra: str) -> Release:
    """A release whose model is registered: an MLflow model without a flavour."""
    made = release(f"endpoint: {{name: {name}}}\n{SERVERLESS}{extra}", name)
    made = made.replace(training=planning.plan(services.workspace, made))
    (folder / "MLmodel").write_text("flavors: {}\n")
    model = Model(
        name=name, version=made.model_version, type=AssetTypes.MLFLOW_MODEL, path=str(folder)
    )
    services.workspace.ml.models.create_or_update(model)
    return come_to(made, Phase.DEPLOYING, NOW, "registered")


@pytest.mark.parametrize(
    ("extra", "call", "action", "role"),
    [
        pytest.param(
            SERVERLESS,
            "GET /registry/**",
            f"{ML}/registries/models/versions/read",
            "TuneOps Registry Reader",
            id="registry",
        ),
        pytest.param(
            "",
            "GET /computes/gpu-cluster",
            f"{ML}/workspaces/computes/read",
            "TuneOps Operator",
            id="cluster-read",
        ),
        pytest.param(
            CLUSTER,
            "PUT /computes/*",
            f"{ML}/workspaces/computes/write",
            "TuneOps Cluster Operator",
            id="cluster-create",
        ),
        pytest.param(
            f"{SERVERLESS}training: {{parameters: {{seed: 4}}}}\n",
            "PUT /jobs/*",
            f"{ML}/workspaces/jobs/write",
            "TuneOps Operator",
            id="job",
        ),
    ],
)
def test_a_missing_role_is_named_with_where_to_grant_it(
    working: Services, faults: Faults, extra: str, call: str, action: str, role: str
) -> None:
    scope = f"{working.workspace.id}/its/resource"
    said = (
        f"The client 'c' with object id 'o' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )
    faults.ask("call", "fail", call, status=403, code="AuthorizationFailed", message=said)
    reconcile = begin(working, release(extra), extra)
    held = reconcile()
    assert f"the identity o lacks {action} at {scope}: give it the role {role} " in held.reason
    assert held.phase in (Phase.PREPARING, Phase.TRAINING)
    granted = reconcile()
    assert "role" not in granted.reason
    assert granted.phase in (Phase.PREPARING, Phase.TRAINING)


def test_quota_that_may_not_be_seen_is_not_checked(working: Services, faults: Faults) -> None:
    faults.ask("call", "fail", "GET /locations/*/usages", status=403, code="AuthorizationFailed")
    plan = planning.plan(working.workspace, release(SERVERLESS))
    assert len(plan.notes) == 2
    assert all("is not known and was not checked" in note for note in plan.notes)


def test_throttling_is_waited_out_without_holding_the_worker(
    working: Services, faults: Faults
) -> None:
    more = {"status": 429, "code": "TooManyRequests", "retry_after": 300}
    faults.ask("call", "fail", "GET /registry/**", **more)
    begun = utc_now()
    begin(working, release(SERVERLESS), SERVERLESS)()
    assert utc_now() - begun < timedelta(seconds=5)
    project = working.store.read(documents.project("bot"), Project)
    assert project is not None
    assert project.value.wake is not None
    assert project.value.wake.at >= begun + timedelta(seconds=300)


def test_a_job_that_never_ends_is_cancelled_when_its_time_is_over(
    azure: Cloud, working: Services, faults: Faults
) -> None:
    extra = f"{SERVERLESS}training: {{timeout_hours: 24}}\n"
    made = release(extra, "endless")
    made = made.replace(training=planning.plan(working.workspace, made))
    made = come_to(made, Phase.TRAINING, utc_now(), "the data is ready")
    hours = [0.0]
    reconcile = begin(working, made, extra, lambda: utc_now() + timedelta(hours=hours[0]))
    faults.ask("job", "hang", made.job_name)
    reconcile()
    give_to_a_node(azure)
    for hours[0] in (0, 23.9):
        assert reconcile().reason == f"job {made.job_name} is Running"
    hours[0] = 24
    said = f"job {made.job_name} ran for longer than training.timeout_hours (24)"
    assert ended(reconcile) == said
    assert working.workspace.ml.jobs.get(made.job_name).status == "Canceled"


def give_to_a_node(azure: Cloud) -> None:
    """A node takes jobs until there is none to be had in a second: what is left hangs."""
    taken: list[str] = []
    with suppress(httpx2.ReadTimeout):
        while True:
            answer = httpx2.post(
                f"{azure.connection['azureml_url']}/_compute/next",
                json={"node": "n", "running": taken},
                headers={"x-compute-key": azure.connection["compute_key"]},
                verify=ssl.create_default_context(cafile=azure.connection["ca_file"]),
                timeout=1,
                trust_env=False,
            )
            taken.append(answer.json()["name"])


@pytest.mark.parametrize(
    ("name", "code", "said", "advice", "times"),
    [
        pytest.param(
            "no-quota",
            "OutOfQuota",
            "Not enough quota available for Standard_NC24ads_A100_v4.",
            "ask for more quota, or choose a smaller deployment.instance_type",
            1,
            id="quota",
        ),
        pytest.param(
            "no-image",
            "ImageBuildFailure",
            "Image build failed, see the build log.",
            "the model's conda.yaml can't be installed",
            1,
            id="image",
        ),
        pytest.param(
            "not-ready",
            "ResourceNotReady",
            "User container has crashed or terminated.",
            "more time with deployment.liveness_probe.initial_delay",
            1,
            id="container-without-log",
        ),
        pytest.param("odd", "BadArgument", "The subscription is odd.", "", 1, id="unknown-code"),
        pytest.param("canceled", "OperationCanceled", "Try again.", "", 5, id="tried-again"),
    ],
)
def test_a_deployment_that_fails_says_why(
    working: Services,
    faults: Faults,
    tmp_path: Path,
    name: str,
    code: str,
    said: str,
    advice: str,
    times: int,
) -> None:
    made = deploying(working, tmp_path, name, "")
    faults.ask("deployment", "fail", f"{name}/*", times=times, status=400, code=code, message=said)
    extra = f"endpoint: {{name: {name}}}\n{SERVERLESS}"
    failed = ended(begin(working, made, extra, hurrying()))
    assert failed.startswith(f"deployment {made.deployment_name} failed: {code}: {said}")
    assert advice in failed
    assert faults.struck == times


def test_a_container_that_crashes_shows_the_end_of_its_log(
    working: Services, tmp_path: Path
) -> None:
    crashing = "deployment: {environment_variables: {PYTHONHOME: /nowhere}}\n"
    made = deploying(working, tmp_path, "crashing", crashing)
    failed = ended(begin(working, made, f"endpoint: {{name: crashing}}\n{SERVERLESS}{crashing}"))
    assert failed.startswith(
        f"deployment {made.deployment_name} failed: ResourceNotReady: The container crashed; its"
        " log ends with: "
    )
    assert "No module named 'encodings'" in failed
    assert "more time with deployment.liveness_probe.initial_delay" in failed


def hurrying() -> Callable[[], datetime]:
    """A clock by which minutes pass between two looks."""
    begun = utc_now()
    looks = count(1)
    return lambda: begun + timedelta(minutes=1) * next(looks)


def test_other_instance_types_are_tried_when_there_are_no_machines(
    working: Services, faults: Faults, tmp_path: Path
) -> None:
    """The first lacks quota when it is provisioned, the second as soon as it is asked for."""
    types = ("Standard_NC40ads_H100_v5", "Standard_NC96ads_A100_v4", "Standard_NC24ads_A100_v4")
    extra = (
        f"deployment: {{instance_count: 3, instance_type: {types[0]}, "
        f"alternative_instance_types: [{types[1]}, {types[2]}]}}\n"
    )
    made = deploying(working, tmp_path, "elsewhere", extra)
    (note,) = (each for each in made.plan.notes if "quota" in each)
    assert "deployment.instance_type: Standard_NC40ads_H100_v5 needs 160 cores" in note
    second = f"PUT /onlineEndpoints/elsewhere/deployments/{made.deployment_name_on(types[1])}"
    faults.ask("call", "fail", second, times=2, status=400, code="OutOfQuota", message="None left.")
    broken = {"status": 400, "code": "BadArgument", "message": "Unable to download user model."}
    third = f"elsewhere/{made.deployment_name_on(types[2])}"
    faults.ask("deployment", "fail", third, **broken)

    extra = f"endpoint: {{name: elsewhere}}\n{SERVERLESS}{extra}"
    reconcile = begin(working, made, extra, hurrying())
    failed = ended(reconcile)
    assert failed.startswith(f"deployment {made.deployment_name_on(types[2])} failed: BadArgument")
    assert "the registered model is whole" in failed
    seen = reconcile().release
    assert seen is not None
    assert seen.instance_type == types[2]
    first, other = seen.provisioning.lacking
    assert (first.instance_type, other.instance_type) == types[:2]
    assert "Current usage/limit: 0/120. Additional needed: 160." in first.reason
    assert other.reason == "OutOfQuota: None left."
    assert faults.struck == 3
    until(
        lambda: reconcile() and not list(working.workspace.ml.online_deployments.list("elsewhere"))
    )


def ended(reconcile: Callable[[], ProjectStatus]) -> str:
    """Reconcile until the release has failed; why it has."""
    seen: list[ProjectStatus] = []

    def failed() -> bool:
        seen.append(reconcile())
        return seen[-1].phase == Phase.FAILED

    until(failed)
    assert seen[-1].release is not None
    return seen[-1].release.reason


def test_what_is_live_is_looked_at_after_a_newer_release_has_failed(working: Services) -> None:
    extra = "endpoint: {name: kept}\n"
    made = release(extra, "kept")
    plan = TrainingPlan(base_model="m", component="c", parameters={}, digest="0123456789ab")
    serving = come_to(made.replace(training=plan), Phase.LIVE, NOW, "all traffic goes to it")
    failed = made.replace(number=2).advance(Phase.FAILED, NOW, "evaluation: no")
    reconcile = begin(working, failed, extra)
    working.store.write(documents.release("kept", 1), serving, etag=None)
    project = working.store.read(documents.project("kept"), Project)
    assert project is not None
    both = project.value.replace(live=1)
    working.store.write(documents.project("kept"), both, project.etag)

    for _ in range(2):
        seen = reconcile()
        assert seen.phase == Phase.FAILED
        assert seen.live is not None
        assert seen.live.drift is not None
        assert [str(each) for each in seen.live.drift.differences] == ["endpoint kept is gone"]
        assert seen.live.drift.answer == Answer.REPORTED
        assert len(seen.live.messages) == 1
        assert seen.live.phase == Phase.LIVE


def test_who_changed_something_is_told_as_far_as_the_log_tells(
    azure: Cloud, working: Services, faults: Faults
) -> None:
    made = release("endpoint: {name: watched}\n", "watched")
    plan = TrainingPlan(base_model="m", component="c", parameters={}, digest="0123456789ab")
    made = come_to(made.replace(training=plan), Phase.LIVE, utc_now() - timedelta(hours=1))
    differs = [Difference(part=part, what="", found="") for part in (Part.ENDPOINT, Part.TRAFFIC)]

    def changes() -> tuple[str, ...]:
        return activity.last_changes(working.workspace, made, differs, utc_now())

    endpoints.begin_create(working.workspace, made)
    assert changes() == ()
    azure.ml_as("ada@contoso.example").online_endpoints.begin_delete("watched")
    endpoints.begin_delete(working.workspace, "watched")
    (said,) = changes()
    assert said.startswith("endpoint deleted by ada@contoso.example at ")

    log = "GET /subscriptions/**/eventtypes/management/values"
    faults.ask("call", "fail", log, status=403, code="AuthorizationFailed")
    faults.ask("call", "drop", log)
    assert changes() == ()
    assert changes() == ()
    assert faults.struck == 2
    assert changes() == (said,)


FIRST_CALLS: dict[Role, Callable[[Services], object]] = {
    OPERATOR: lambda s: jobs.observe(s.workspace, "a-job"),
    REGION: lambda s: compute.sizes(s.workspace),
    OBSERVER: lambda s: event_subscriptions.listed(s.workspace, s.workspace.id),
    CLUSTERS: lambda s: compute.begin_create(s.workspace, release(CLUSTER)),
    AUTOSCALE: lambda s: autoscale.observe(s.workspace, ["e"], "bot"),
    REGISTRY: lambda s: registry.base_model(s.workspace, "azureml", "Phi-3-mini-4k-instruct", "1"),
    BLOBS: lambda s: find_source(s.storage, release().config),
    QUEUES: lambda s: resync.handle(s),
}
"""The first call that needs each role."""


def by_identity(working: Services, azure: Cloud) -> Services:
    """The same services, which reach the storage account by their roles."""
    account = azure.connection["storage"]
    uris = {"blob_service_uri": "door_blob_url", "queue_service_uri": "door_queue_url"}
    changes = {name: account[door] for name, door in uris.items()}
    no_key = {"storage_connection_string": None, **changes}
    return Services(working.settings.model_copy(update=no_key))


@pytest.mark.parametrize("without", FIRST_CALLS, ids=lambda role: role.name)
def test_the_first_call_without_a_role_says_which_is_missing_where(
    working: Services, azure: Cloud, without: Role
) -> None:
    call = FIRST_CALLS[without]
    with Roles(azure.connection).all_but(without):
        with pytest.raises(Exception, match="give it the role") as caught:
            call(by_identity(working, azure))
        said = str(caught.value)
        assert re.search(rf"lacks \S+ at .+: give it the role {without.name} (at|there)", said)
        assert "docs/permissions.md" in said
    with Roles(azure.connection).all_but():
        call(by_identity(working, azure))


def test_a_queue_that_is_missing_is_made_with_the_same_role(
    working: Services, azure: Cloud
) -> None:
    settings = by_identity(working, azure).settings.model_copy(
        update={"reconcile_queue": f"{working.settings.reconcile_queue}-new"}
    )
    roles = Roles(azure.connection)
    with roles.all_but():
        Services(settings).queue.send(ProjectsRequest())
    done = roles.calls()
    assert "Microsoft.Storage/storageAccounts/queueServices/queues/write" in done["actions"]
