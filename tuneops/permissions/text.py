"""docs/permissions.md, made from the table. Pure."""

from collections.abc import Iterable

from tuneops.permissions.github import APP_PERMISSIONS, AppPermission
from tuneops.permissions.people import PEOPLE
from tuneops.permissions.role import Holder, Role
from tuneops.permissions.roles import APP_ROLES, OTHER_ROLES
from tuneops.permissions.scope import DESCRIPTIONS
from tuneops.permissions.table import needs_of

_HEAD = """\
# Permissions

Made from `tuneops/permissions/` by `make permissions`, like
[infra/roles.json](../infra/roles.json), from which Bicep makes the custom roles and gives all of
them. Tests hold the table against the calls that whole loops make at the local cloud: none is
missing, and none is there for nothing.

The app has one identity, and no key in any setting. Its custom roles allow what the code does and
no more; in Azure something of the installation stands behind the name of each, in brackets. Where
custom roles are forbidden, the built-in ones allow the same and more (`INFRA_CUSTOM_ROLES=false`).

A workspace whose storage takes no keys wants more than the code does itself. Bicep gives that too,
of [infra/other-roles.json](../infra/other-roles.json): app and jobs the workspace's own storage,
jobs its images, and whoever runs `azd` the vault's secrets.
"""
_DENIED = """\
## When one is missing

What can't be done waits: no release fails for it, and it goes on once the role is there, which
takes Azure some minutes. The release's reason, its status and the page say

    submitting job bot-1a2b: the identity OBJECT lacks ACTION at RESOURCE: give it the role
    TuneOps Operator at WORKSPACE (docs/permissions.md)

and people are told after five minutes. `tuneops doctor` says it beforehand, with the command that
gives the role.

To see it, take something away at the local cloud's workspace: `PUT /_admin/permissions` with
`{"notActions": ["Microsoft.MachineLearningServices/*/write"]}`, and the `compute_key` of its
`connection.json` in the header `x-compute-key`.
"""


def text() -> str:
    """The whole page."""
    parts = (
        _HEAD,
        "## The app's roles\n",
        _roles(APP_ROLES),
        *(_needs(role) for role in APP_ROLES),
        "## Others' roles\n",
        _roles(OTHER_ROLES, whose=True),
        "## The GitHub App\n",
        _github(),
        _people(),
        _DENIED,
    )
    return "\n".join(parts)


_HOLDERS = {
    Holder.APP: "the app",
    Holder.ENDPOINT: "the endpoints' identity",
    Holder.JOB: "the jobs' identity",
    Holder.EVENT_TOPIC: "the Event Grid topic's identity",
    Holder.DEPLOYER: "GitHub's workflow",
    Holder.PEOPLE: "people who upload",
}


def _roles(roles: Iterable[Role], *, whose: bool = False) -> str:
    rows = (
        (
            *((_HOLDERS[role.holder],) if whose else ()),
            _title(role),
            DESCRIPTIONS[role.scope],
            role.when or "always",
            role.why,
            role.without,
        )
        for role in roles
    )
    head = ("role", "on", "when", "why", "without it")
    return _table(("whose", *head) if whose else head, rows)


def _title(role: Role) -> str:
    known = f"*{role.name}*"
    return f"{known} (custom; or {role.instead})" if role.is_custom else f"{known} `{role.id}`"


def _needs(role: Role) -> str:
    rows = (
        (f"`{need.action}`{' (data)' if need.data else ''}", need.call, need.why, need.unseen)
        for need in needs_of(role)
    )
    table = _table(("action", "needed by", "why", "not recorded at the local cloud as"), rows)
    return f"### {role.name}, on {DESCRIPTIONS[role.scope]}\n\n{table}"


def _github() -> str:
    rows = (
        (str(each), each.call, each.why, each.without + _note(each)) for each in APP_PERMISSIONS
    )
    return _table(("permission", "needed by", "why", "without it"), rows)


def _note(permission: AppPermission) -> str:
    if permission.needed:
        return ""
    return " (optional)" if permission.given else " (not given)"


def _people() -> str:
    intro = "## People\n\nNobody needs a role in Azure to use TuneOps: git says what is wanted.\n\n"
    return intro + _table(("who", "has", "given in"), PEOPLE)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
