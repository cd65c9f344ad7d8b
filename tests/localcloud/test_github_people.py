"""Who somebody is on the local GitHub: permissions, teams, environments' reviewers, reactions."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from small_cloud import small_cloud

from localcloud.connection import Connection

REPOSITORY = "/repos/contoso/models"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with small_cloud(tmp_path_factory.mktemp("platform"), "platform") as running:
        yield running


def call(
    connection: Connection, method: str, path: str, body: Any = None, token: str = ""
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token or connection.github.token}"}
    url = connection.github.api_url + path
    return httpx2.request(method, url, headers=headers, json=body)


def person(connection: Connection, login: str, permission: str) -> str:
    body = {"login": login, "permission": permission}
    return str(call(connection, "POST", "/_user_tokens", body).json()["token"])


def pull(connection: Connection, branch: str) -> int:
    """A pull request that adds a file."""
    head = call(connection, "GET", f"{REPOSITORY}/branches/main").json()["commit"]["sha"]
    ref = {"ref": f"refs/heads/{branch}", "sha": head}
    call(connection, "POST", f"{REPOSITORY}/git/refs", ref).raise_for_status()
    content = {"message": branch, "content": "eA==", "branch": branch}
    path = f"{REPOSITORY}/contents/{branch}.txt"
    call(connection, "PUT", path, content).raise_for_status()
    made = {"title": branch, "head": branch, "base": "main"}
    return int(call(connection, "POST", f"{REPOSITORY}/pulls", made).json()["number"])


def test_permissions_are_those_of_the_person(connection: Connection) -> None:
    tokens = {who: person(connection, who, who) for who in ("write", "read", "none")}
    for who in tokens:
        found = call(connection, "GET", f"{REPOSITORY}/collaborators/{who}/permission").json()
        assert (found["permission"], found["role_name"], found["user"]["login"]) == (who, who, who)
    admin = call(connection, "GET", f"{REPOSITORY}/collaborators/contoso/permission").json()
    assert admin["permission"] == "admin"
    unknown = call(connection, "GET", f"{REPOSITORY}/collaborators/nobody/permission")
    assert unknown.status_code == 404
    number, status = pull(connection, "permissions"), "statuses/" + "0" * 40
    for who, may in (("write", 422), ("read", 403), ("none", 403)):
        answer = call(
            connection, "POST", f"{REPOSITORY}/{status}", {"state": "success"}, tokens[who]
        )
        assert answer.status_code == may
    comments = f"{REPOSITORY}/issues/{number}/comments"
    said = {w: call(connection, "POST", comments, {"body": w}, tokens[w]).json() for w in tokens}
    assert {who: each["author_association"] for who, each in said.items()} == {
        "write": "COLLABORATOR",
        "read": "COLLABORATOR",
        "none": "NONE",
    }
    others = f"{REPOSITORY}/issues/comments/{said['read']['id']}"
    edits = [call(connection, "PATCH", others, {"body": "x"}, tokens[w]) for w in ("none", "write")]
    assert [each.status_code for each in edits] == [403, 200]
    assert edits[1].json()["user"]["login"] == "read"


def test_comments_are_listed_since_and_have_reactions(connection: Connection) -> None:
    number = pull(connection, "reactions")
    comments = f"{REPOSITORY}/issues/{number}/comments"
    made = call(connection, "POST", comments, {"body": "x"}).json()
    for since, count in ((made["updated_at"], 1), ("2100-01-01T00:00:00Z", 0)):
        assert len(call(connection, "GET", f"{comments}?since={since}").json()) == count
    assert call(connection, "GET", f"{comments}?since=x").status_code == 422
    reactions = f"{REPOSITORY}/issues/comments/{made['id']}/reactions"
    answers = [call(connection, "POST", reactions, {"content": c}) for c in ("-1", "-1", "no")]
    assert [each.status_code for each in answers] == [201, 200, 422]
    (reaction,) = call(connection, "GET", reactions).json()
    assert (reaction["content"], reaction["user"]["login"]) == ("-1", "contoso")


def test_environments_have_reviewers(connection: Connection) -> None:
    bob = person(connection, "bob", "read")
    call(connection, "POST", "/orgs/contoso/teams", {"name": "Model owners"}).raise_for_status()
    member = "/orgs/contoso/teams/model-owners/memberships/bob"
    assert call(connection, "GET", member).status_code == 404
    assert call(connection, "PUT", member, {}).json()["state"] == "active"
    assert call(connection, "GET", member, token=bob).json()["role"] == "member"
    assert call(connection, "PUT", member, {}, token=bob).status_code == 403
    user = call(connection, "GET", f"{REPOSITORY}/collaborators/bob/permission").json()["user"]
    path = f"{REPOSITORY}/environments/production"
    assert call(connection, "GET", path).status_code == 404
    rules = {
        "prevent_self_review": True,
        "reviewers": [{"type": "User", "id": user["id"]}, {"type": "Team", "id": 1}],
    }
    assert call(connection, "PUT", path, rules).status_code == 200
    (rule,) = call(connection, "GET", path).json()["protection_rules"]
    assert (rule["type"], rule["prevent_self_review"]) == ("required_reviewers", True)
    found = [(each["type"], each["reviewer"].get("slug")) for each in rule["reviewers"]]
    assert found == [("User", None), ("Team", "model-owners")]
    unknown = {"reviewers": [{"type": "User", "id": 1}]}
    assert call(connection, "PUT", path, unknown).status_code == 422
    listed = call(connection, "GET", f"{REPOSITORY}/environments").json()
    assert [each["name"] for each in listed["environments"]] == ["production"]
    assert call(connection, "DELETE", path).status_code == 204
    assert call(connection, "DELETE", member).status_code == 204
    assert call(connection, "GET", member).status_code == 404
