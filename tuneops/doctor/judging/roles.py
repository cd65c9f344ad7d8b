"""Which roles are missing, from what the identity may do. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tuneops.config import ProjectConfig
from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.doctor.judging.site import grant

_ML = "Microsoft.MachineLearningServices/workspaces"
_SCIENTIST = "AzureML Data Scientist"

Allows = Callable[[str], bool]


@dataclass(frozen=True)
class Need:
    """Actions that a part of TuneOps needs, and the built-in role that allows them."""

    check: str
    what: str
    role: str
    actions: tuple[str, ...]
    vital: bool = True


WORKSPACE = Need("roles.workspace", "to read the workspace", _SCIENTIST, (f"{_ML}/read",))
ALWAYS = (
    Need(
        "roles.jobs",
        "to train",
        _SCIENTIST,
        (f"{_ML}/jobs/read", f"{_ML}/jobs/write", f"{_ML}/jobs/cancel/action"),
    ),
    Need(
        "roles.models",
        "to register models",
        _SCIENTIST,
        (f"{_ML}/models/versions/read", f"{_ML}/models/versions/write"),
    ),
    Need(
        "roles.endpoints",
        "to deploy",
        _SCIENTIST,
        (
            f"{_ML}/onlineEndpoints/write",
            f"{_ML}/onlineEndpoints/delete",
            f"{_ML}/onlineEndpoints/listKeys/action",
            f"{_ML}/onlineEndpoints/deployments/write",
            f"{_ML}/onlineEndpoints/deployments/delete",
            f"{_ML}/onlineEndpoints/deployments/getLogs/action",
        ),
    ),
)
METRICS = Need(
    "roles.metrics",
    "to weigh live figures in rollouts and to see that nobody uses what is swept away",
    "Monitoring Reader",
    ("Microsoft.Insights/metrics/read",),
)
COMPUTE = Need("roles.compute", "to see clusters", _SCIENTIST, (f"{_ML}/computes/read",))
NEW_COMPUTE = Need(
    "roles.compute",
    "to create the clusters that configs describe",
    "AzureML Compute Operator",
    (f"{_ML}/computes/read", f"{_ML}/computes/write"),
)
AUTOSCALE = Need(
    "roles.autoscale",
    "to set the autoscale of deployments",
    "Monitoring Contributor",
    ("Microsoft.Insights/autoscalesettings/read", "Microsoft.Insights/autoscalesettings/write"),
)


def judge(
    workspace_id: str,
    of_workspace: Allows | None,
    of_group: Allows,
    configs: Iterable[ProjectConfig],
    object_id: str,
) -> list[Finding]:
    """What the identity may do in a workspace and its group; None: there is no workspace."""
    configs = list(configs)
    described = any(config.compute.cluster for config in configs)
    weighed = any(config.rollout.strategy != "blue-green" for config in configs)
    metrics = replace(METRICS, vital=weighed)
    needs = [WORKSPACE, *ALWAYS, NEW_COMPUTE if described else COMPUTE, metrics]
    if of_workspace is None:
        return [skipped(need.check, "there is no such workspace", workspace_id) for need in needs]
    found = [_judged(need, of_workspace, workspace_id, object_id) for need in needs]
    group = workspace_id.partition("/providers/")[0]
    if any(config.deployment.autoscale for config in configs):
        return [*found, _judged(AUTOSCALE, of_group, group, object_id)]
    return [*found, skipped("roles.autoscale", "no config has deployment.autoscale", group)]


def _judged(need: Need, allows: Allows, scope: str, object_id: str) -> Finding:
    missing = [action for action in need.actions if not allows(action)]
    if not missing:
        return ok(need.check, f"has what it takes {need.what}", scope)
    said = f"TuneOps may not {', '.join(missing)}, {need.what}"
    mend = grant(need.role, object_id, scope)
    if not need.vital:
        return warning(need.check, said, mend, scope)
    return failed(need.check, said, mend, scope)
