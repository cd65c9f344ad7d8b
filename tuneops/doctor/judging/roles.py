"""Which roles are missing, from what the identity may do and the table of permissions. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tuneops.config import ProjectConfig
from tuneops.doctor.finding import Finding, failed, ok, skipped, warning
from tuneops.doctor.judging.site import grant
from tuneops.permissions.explaining import PAGE
from tuneops.permissions.role import Role
from tuneops.permissions.roles import AUTOSCALE, CLUSTERS, OBSERVER, OPERATOR, REGION
from tuneops.permissions.table import needs_of

_WORKSPACE = "Microsoft.MachineLearningServices/workspaces/read"
_COMPUTES = "Microsoft.MachineLearningServices/workspaces/computes/read"
_METRICS = "Microsoft.Insights/metrics/read"
_OF_MODELS = ("models", "data")

Allows = Callable[[str], bool]


@dataclass(frozen=True)
class Part:
    """What a check looks for: actions of one role, and what they are there for."""

    check: str
    what: str
    role: Role
    actions: tuple[str, ...]
    vital: bool = True


def judge(
    workspace_id: str,
    of_workspace: Allows | None,
    of_group: Allows,
    configs: Iterable[ProjectConfig],
    object_id: str,
) -> list[Finding]:
    """What the identity may do in a workspace and its group; None: there is no workspace."""
    configs = list(configs)
    group = workspace_id.partition("/providers/")[0]
    parts = list(_parts(configs))
    if of_workspace is None:
        return [skipped(part.check, "there is no such workspace", workspace_id) for part in parts]
    found = [_judged(part, of_workspace, workspace_id, object_id) for part in parts]
    observer = Part("roles.observer", "to see who changes what, and events", OBSERVER, (), False)
    found.append(_judged(_whole(observer), of_group, group, object_id))
    if not any(config.deployment.autoscale for config in configs):
        return [*found, skipped("roles.autoscale", "no config has deployment.autoscale", group)]
    autoscale = Part("roles.autoscale", "to set the autoscale of deployments", AUTOSCALE, ())
    return [*found, _judged(_whole(autoscale), of_group, group, object_id)]


def judge_region(error: str, workspace_id: str, object_id: str) -> Finding:
    """Whether the machines of the region can be seen; `error` says that a role is missing."""
    check, subscription = "roles.region", workspace_id.partition("/resourceGroups/")[0]
    if error:
        return failed(check, error, _mend(REGION, object_id, subscription), subscription)
    return ok(check, "sees the machines of the region", subscription)


def _parts(configs: Iterable[ProjectConfig]) -> Iterable[Part]:
    """What is to be allowed in the workspace."""
    named = [need.action for need in needs_of(OPERATOR)]
    of_models = tuple(a for a in named if _thing(a) in _OF_MODELS)
    of_endpoints = tuple(a for a in named if _thing(a) == "onlineEndpoints")
    others = (_WORKSPACE, _COMPUTES, _METRICS, *of_models, *of_endpoints)
    of_jobs = tuple(a for a in named if a not in others and a.startswith("Microsoft.Machine"))
    yield Part("roles.workspace", "to read the workspace", OPERATOR, (_WORKSPACE,))
    yield Part("roles.jobs", "to train", OPERATOR, of_jobs)
    yield Part("roles.models", "to register models", OPERATOR, of_models)
    yield Part("roles.endpoints", "to deploy", OPERATOR, of_endpoints)
    configs = list(configs)
    clusters = Part("roles.compute", "to create the clusters that configs describe", CLUSTERS, ())
    described = any(config.compute.cluster for config in configs)
    seen = Part("roles.compute", "to see clusters", OPERATOR, (_COMPUTES,))
    yield _whole(clusters) if described else seen
    yield Part(
        "roles.metrics",
        "to weigh live figures in rollouts and to see that nobody uses what is swept away",
        OPERATOR,
        (_METRICS,),
        any(config.rollout.strategy != "blue-green" for config in configs),
    )


def _thing(action: str) -> str:
    """What of a workspace an action is about."""
    return action.partition("/workspaces/")[2].partition("/")[0]


def _whole(part: Part) -> Part:
    """The same with all actions of its role."""
    actions = tuple(need.action for need in needs_of(part.role))
    return Part(part.check, part.what, part.role, actions, part.vital)


def _judged(part: Part, allows: Allows, scope: str, object_id: str) -> Finding:
    missing = [action for action in part.actions if not allows(action)]
    if not missing:
        return ok(part.check, f"has what it takes {part.what}", scope)
    said = f"TuneOps may not {', '.join(missing)}, {part.what}"
    mend = _mend(part.role, object_id, scope)
    judged = failed if part.vital else warning
    return judged(part.check, said, mend, scope)


def _mend(role: Role, object_id: str, scope: str) -> str:
    command = grant(role.name, object_id, scope, role.is_custom)
    if not role.is_custom:
        return command
    return f"{command}; where there is no such role, make it of infra/roles.json ({PAGE})"
