"""Areas `compute` and `quota`: what the configs of an environment need in its workspace."""

from collections.abc import Iterator

from tuneops.azureml import compute
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.doctor.finding import Finding, failed, ok, skipped
from tuneops.doctor.judging import machines as judging
from tuneops.doctor.patient import Patient
from tuneops.observed import Cluster


def look(patient: Patient, workspace: Workspace, environment: str) -> Iterator[Finding]:
    """The clusters, then the quota."""
    wanted = patient.wanted(environment)
    if not wanted:
        for check in ("compute.clusters", "quota.serving", "quota.training"):
            yield skipped(check, "there is no config yet", workspace.id)
        return
    group = workspace.id.split("/")[4]
    there: dict[str, Cluster | None] = {}
    named = judging.clusters_of(wanted)
    for name, by in named.items():
        try:
            there[name] = compute.observe(workspace, name, by.project)
        except (RefusedError, UnavailableError) as error:
            yield failed("compute.clusters", str(error), "see the roles of the identity", name)
            continue
        yield judging.judge_cluster(name, there[name], by, group)
    if not named:
        yield ok("compute.clusters", "configs use serverless compute alone", workspace.id)
    try:
        sizes, quotas = compute.sizes(workspace), compute.quotas(workspace)
    except (RefusedError, UnavailableError) as error:
        for check in ("quota.serving", "quota.training"):
            yield skipped(check, f"can't be looked at: {error}", workspace.id)
        return
    for each in wanted:
        yield judging.judge_serving(each, sizes, quotas)
        yield judging.judge_training(each, there, sizes, quotas)
