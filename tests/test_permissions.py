"""The table of permissions: what is made from it, and what people read when one is missing."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.azureml import grants, storage_actions
from localcloud.github import permissions as local_github
from tests.cloud import ROOT
from tools.permissions import FILES
from tuneops.permissions.explaining import explained, lacks, of_storage, role_for
from tuneops.permissions.github import APP_PERMISSIONS, highest, lacks_permission
from tuneops.permissions.role import Need, Role, covers
from tuneops.permissions.roles import (
    APP_ROLES,
    BLOBS,
    CLUSTERS,
    OPERATOR,
    QUEUES,
    REGION,
    REGISTRY,
    ROLES,
)
from tuneops.permissions.scope import Scope, place
from tuneops.permissions.storage_calls import action_of
from tuneops.permissions.table import NEEDS, actions_of, needs_of

ML = "Microsoft.MachineLearningServices"
GROUP = "/subscriptions/s/resourceGroups/g"
WORKSPACE = f"{GROUP}/providers/{ML}/workspaces/w"
KNOWN = (ROOT / "tests" / "golden" / "azure_actions.txt").read_text().lower().splitlines()


@pytest.mark.parametrize("path", FILES)
def test_what_is_made_from_the_table_is_as_it_makes_it(path: str) -> None:
    assert (ROOT / path).read_text() == FILES[path](), "make permissions"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: f"{role.holder}-{role.name}")
def test_each_role_is_for_something_and_allows_it(role: Role) -> None:
    needs = needs_of(role)
    assert needs
    assert role.is_custom != bool(role.allowed)
    for need in needs:
        allowed = role.allowed or actions_of(role, data=need.data)
        assert any(covers(pattern, need.action) for pattern in allowed), need.action
    assert len({(need.action, need.call) for need in needs}) == len(needs)


def test_ids_of_built_in_roles_are_ids() -> None:
    ids = {role.name: role.id for role in ROLES if not role.is_custom}
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in ids.values())
    assert len(set(ids.values())) == len(ids)


def test_azure_knows_every_action_of_a_custom_role() -> None:
    """Azure refuses a role with an action that it does not list: look it up, then note it there."""
    custom = [action for role in ROLES if role.is_custom for action in actions_of(role)]
    unknown = [a for a in custom if not any(covers(a, known) for known in KNOWN)]
    assert unknown == []
    assert not any(actions_of(role, data=True) for role in ROLES if role.is_custom)


def test_no_role_gives_what_the_app_must_not_have() -> None:
    dangerous = (
        f"{ML}/workspaces/write",
        f"{ML}/workspaces/delete",
        f"{ML}/workspaces/listKeys/action",
        f"{ML}/workspaces/computes/listKeys/action",
        f"{ML}/workspaces/computes/applicationaccess/action",
        f"{ML}/workspaces/connections/listsecrets/action",
        f"{ML}/workspaces/datastores/listsecrets/action",
        f"{ML}/registries/assets/write",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Storage/storageAccounts/listKeys/action",
    )
    patterns = [p for role in APP_ROLES for p in (*role.allowed, *actions_of(role))]
    assert not [(d, p) for d in dangerous for p in patterns if covers(p, d)]


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.role.holder}-{need.action}")
def test_the_call_that_needs_a_permission_is_in_the_code(need: Need) -> None:
    found = re.match(r"([a-z_]+(?:/[a-z_]+)+)(?:\.([\w.]+))?(?:, |: )", need.call)
    if found:
        source = ROOT / "tuneops" / f"{found[1]}.py"
        assert source.is_file(), need.call
        named = (found[2] or "").split(".")[-1]
        assert f"def {named}" in source.read_text() or not named, need.call
    for path in re.findall(r"tests/\w+\.py", need.unseen):
        assert (ROOT / path).is_file()


def refused(action: str, scope: str) -> str:
    """What Azure Resource Manager says."""
    return (
        f"The client 'x' with object id 'oid-7' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )


@pytest.mark.parametrize(
    ("action", "scope", "role", "where"),
    [
        (f"{ML}/workspaces/jobs/write", f"{WORKSPACE}/jobs/j", OPERATOR, "at the workspace"),
        (f"{ML}/workspaces/read", WORKSPACE, OPERATOR, "there"),
        (f"{ML}/workspaces/computes/write", f"{WORKSPACE}/computes/c", CLUSTERS, "the workspace"),
        (f"{ML}/locations/vmSizes/read", "/subscriptions/s/providers/x", REGION, "subscription"),
        (f"{ML}/registries/models/versions/read", f"{GROUP}/registries/r", REGISTRY, "there"),
        (f"{ML}/workspaces/what/is/new/action", WORKSPACE, OPERATOR, "there"),
    ],
)
def test_a_refusal_names_who_lacks_what_and_the_role(
    action: str, scope: str, role: Role, where: str
) -> None:
    said = explained(refused(action, scope))
    assert said.startswith(f"the identity oid-7 lacks {action} at {scope}: give it the role ")
    assert f"{role.name} " in said
    assert said.endswith(f"{where} (docs/permissions.md)")


def test_a_refusal_without_an_action_names_the_role_that_is_likely() -> None:
    assert "TuneOps Operator at the workspace" in explained("Forbidden")
    assert "TuneOps Region Reader at the subscription" in explained("Forbidden", REGION)
    assert "a role with that there" in lacks("Microsoft.Unknown/x/read", GROUP)


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.role.holder}-{need.action}")
def test_each_action_leads_to_a_role_that_allows_it(need: Need) -> None:
    action = need.action.replace("*", "write")
    role = role_for(action)
    if need.role in APP_ROLES:
        assert role is not None
        allowed = role.allowed or actions_of(role) + actions_of(role, data=True)
        assert any(covers(pattern, action) for pattern in allowed)


CALLS = [
    ("blob", "GET", "/c?restype=container", "containers/read"),
    ("blob", "GET", "/c?restype=container&comp=list", "containers/blobs/read"),
    ("blob", "GET", "/c/a/b.json", "containers/blobs/read"),
    ("blob", "PUT", "/c/a/b.json?comp=lease", "containers/blobs/write"),
    ("blob", "DELETE", "/c/a/b.json", "containers/blobs/delete"),
    ("blob", "PUT", "/c?restype=container", "containers/write"),
    ("queue", "GET", "/q?comp=metadata", "queues/read"),
    ("queue", "PUT", "/q", "queues/write"),
    ("queue", "POST", "/q/messages", "queues/messages/write"),
    ("queue", "GET", "/q/messages?peekonly=true", "queues/messages/read"),
    ("queue", "GET", "/q/messages", "queues/messages/process/action"),
    ("queue", "DELETE", "/q/messages/1?popreceipt=x", "queues/messages/delete"),
]


@pytest.mark.parametrize(("service", "method", "path", "action"), CALLS)
def test_calls_of_storage_are_named_alike_here_and_at_the_local_cloud(
    service: str, method: str, path: str, action: str
) -> None:
    bare, _, query = path.partition("?")
    asked = dict(pair.split("=") for pair in query.split("&")) if query else {}
    full = f"Microsoft.Storage/storageAccounts/{service}Services/{action}"
    kind = "container c" if service == "blob" else "queue q"
    for base in (f"https://acc.{service}.core.windows.net", "https://localhost:1/acc"):
        found = action_of(service, method, f"{base}{path}", asked)  # type: ignore[arg-type]
        assert found == (full, f"{kind} of acc")
    local = storage_actions.of_blobs if service == "blob" else storage_actions.of_queues
    assert local(method, bare, asked).action == full
    role = BLOBS if service == "blob" else QUEUES
    said = of_storage(
        service,  # type: ignore[arg-type]
        method,
        f"https://acc.{service}.core.windows.net{path}",
        asked,
        "AuthorizationPermissionMismatch",
        "oid-7",
    )
    assert said is not None
    assert said.startswith(f"the identity oid-7 lacks {full} at {kind} of acc: give it the role")
    assert f"{role.name} at the storage account" in said


def test_a_refusal_of_storage_that_no_role_mends_is_left_as_it_is() -> None:
    url = "https://acc.blob.core.windows.net/c/b"
    assert of_storage("blob", "GET", url, {}, "AuthenticationFailed") is None
    said = of_storage("blob", "GET", url, {}, "AuthorizationFailure")
    assert said is not None
    assert "its network keeps TuneOps out" in said


_WORD = st.sampled_from(["A", "b", "read", "x-1"])
_PATTERN = st.lists(_WORD | st.just("*"), min_size=1, max_size=5).map("/".join)
_ACTION = st.lists(_WORD, min_size=1, max_size=5).map("/".join)


@settings(max_examples=50, deadline=None)
@given(_PATTERN, _ACTION)
def test_patterns_mean_the_same_here_and_at_the_local_cloud(pattern: str, action: str) -> None:
    assert covers(pattern, action) == grants.covers(pattern, action)
    assert covers(pattern, action) == covers(pattern.upper(), action.lower())
    assert covers("*", action)
    if "*" not in pattern:
        assert covers(pattern, action) == (pattern.lower() == action.lower())


def test_a_star_between_slashes_may_stand_for_nothing() -> None:
    assert covers("A/workspaces/*/read", "A/workspaces/read")
    assert covers("A/workspaces/*/read", "A/workspaces/jobs/x/read")
    assert not covers("A/workspaces/*/read", "A/workspaces/jobs/write")


@pytest.mark.parametrize(
    ("scope", "resource", "found"),
    [
        (Scope.WORKSPACE, f"{WORKSPACE}/jobs/j", WORKSPACE),
        (Scope.RESOURCE_GROUP, f"{WORKSPACE}/jobs/j", GROUP),
        (Scope.SUBSCRIPTION, WORKSPACE, "/subscriptions/s"),
        (Scope.VAULT, WORKSPACE, "the key vault"),
        (Scope.WORKSPACE, "a scoring address", "the workspace"),
    ],
)
def test_the_scope_of_a_resource(scope: Scope, resource: str, found: str) -> None:
    assert place(scope, resource) == found


def test_the_app_at_the_local_github_has_what_the_table_has() -> None:
    assert highest() == local_github.PERMISSIONS
    assert {each.level for each in APP_PERMISSIONS} == {"read", "write"}


def test_what_github_wants_is_said() -> None:
    said = lacks_permission("contents=read", "contoso/models")
    assert said.startswith("TuneOps lacks Contents: read in contoso/models: give it to the GitHub")
    several = lacks_permission("pull_requests=write, contents=write; issues=write", "a/b")
    assert "Pull requests: write, Contents: write in a/b" in several


def test_documents_link_the_page() -> None:
    assert "permissions.md" in Path(ROOT, "docs", "troubleshooting.md").read_text()
