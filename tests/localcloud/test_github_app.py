"""The local GitHub as an App sees it: signatures, installation tokens and permissions."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from small_cloud import MANIFEST, small_cloud, write_manifest

from localcloud.connection import Connection

REPOSITORY = "/repos/contoso/models"
LABS, FABRIKAM = "contoso/labs", "fabrikam/models"
OTHER_KEY = rsa.generate_private_key(65537, 2048)
FORBIDDEN = "Resource not accessible by integration"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("platform")
    write_manifest(folder, github={**MANIFEST["github"], "more_repositories": [LABS, FABRIKAM]})
    with small_cloud(folder, "platform") as running:
        yield running


def call(
    connection: Connection, method: str, path: str, token: str, **options: Any
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx2.request(method, connection.github.api_url + path, headers=headers, **options)


def signed(connection: Connection, key: Any = None, **changes: Any) -> str:
    """The App's JSON web token; a claim of None is left out."""
    now = int(time.time())
    app = connection.github.app
    claims = {"iat": now - 60, "exp": now + 540, "iss": str(app.id), **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key or app.private_key, algorithm="RS256")


def installation_token(connection: Connection, owner: str = "contoso") -> str:
    """A new one."""
    number = connection.github.app.installations[owner]
    path = f"/app/installations/{number}/access_tokens"
    answer = call(connection, "POST", path, signed(connection))
    assert answer.status_code == 201
    return str(answer.json()["token"])


def test_an_app_knows_itself_and_its_installation(connection: Connection) -> None:
    app = connection.github.app
    for issuer in (str(app.id), app.client_id):
        said = call(connection, "GET", "/app", signed(connection, iss=issuer)).json()
        assert (said["id"], said["client_id"]) == (app.id, app.client_id)
    path = f"{REPOSITORY}/installation"
    found = call(connection, "GET", path, signed(connection)).json()
    assert (found["id"], found["app_id"]) == (app.installation_id, app.id)
    assert found["permissions"]["statuses"] == "write"


@pytest.mark.parametrize(
    ("claims", "status", "message"),
    [
        ({"exp": -1}, 401, "'Expiration time' claim ('exp') must be a numeric value"),
        ({"exp": None}, 401, "'Expiration time' claim ('exp') must be a numeric value"),
        ({"exp": 700}, 401, "'Expiration time' claim ('exp') is too far in the future"),
        ({"iat": 60}, 401, "'Issued at' claim ('iat') must be an Integer"),
        ({"iat": None}, 401, "'Issued at' claim ('iat') must be an Integer"),
        ({"iss": "7"}, 404, "Integration not found"),
        ({"key": OTHER_KEY}, 401, "A JSON web token could not be decoded"),
    ],
)
def test_a_wrong_signature_or_claim_is_refused(
    connection: Connection, claims: dict[str, Any], status: int, message: str
) -> None:
    now = int(time.time())
    moved = {k: now + v if isinstance(v, int) else v for k, v in claims.items()}
    answer = call(connection, "GET", "/app", signed(connection, **moved))
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)


def test_only_a_signature_opens_the_apps_own_endpoints(connection: Connection) -> None:
    unsigned = jwt.encode({"iss": str(connection.github.app.id)}, "", algorithm="none")
    tokens = (connection.github.token, installation_token(connection), unsigned, "nonsense")
    assert [call(connection, "GET", "/app", token).status_code for token in tokens] == [401] * 4
    assert call(connection, "GET", REPOSITORY, signed(connection)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/repos/contoso/other/installation"),
        ("POST", "/app/installations/7/access_tokens"),
        ("POST", "/app/installations/x/access_tokens"),
    ],
)
def test_what_the_app_is_not_installed_on(connection: Connection, method: str, path: str) -> None:
    answer = call(connection, method, path, signed(connection))
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


def test_an_installation_does_what_it_may_and_no_more(connection: Connection) -> None:
    token = installation_token(connection)
    branch = call(connection, "GET", f"{REPOSITORY}/branches/main", token).json()
    commit = branch["commit"]["sha"]
    made = call(
        connection, "POST", f"{REPOSITORY}/statuses/{commit}", token, json={"state": "success"}
    )
    assert made.status_code == 201
    assert made.json()["creator"]["login"] == "tuneops[bot]"
    assert made.json()["creator"]["type"] == "Bot"
    for method, path in (
        ("GET", "/user"),
        ("GET", f"{REPOSITORY}/hooks"),
        ("POST", f"{REPOSITORY}/hooks/1/pings"),
        ("GET", "/_installation_tokens"),
    ):
        answer = call(connection, method, path, token)
        assert (answer.status_code, answer.json()["message"]) == (403, FORBIDDEN)
    assert call(connection, "GET", "/repos/contoso/other", token).status_code == 404


def test_an_installation_may_write_contents_or_only_read_them(connection: Connection) -> None:
    lives = {"seconds": 3600}
    owner, refs = connection.github.token, f"{REPOSITORY}/git/refs"
    head = call(connection, "GET", f"{REPOSITORY}/branches/main", owner).json()["commit"]["sha"]
    branch = {"ref": "refs/heads/of-the-app", "sha": head}
    for contents, status in (("read", 403), ("write", 201)):
        body = {**lives, "permissions": {"contents": contents}}
        call(connection, "PUT", "/_installation_tokens", owner, json=body).raise_for_status()
        token = installation_token(connection)
        assert call(connection, "POST", refs, token, json=branch).status_code == status
    assert call(connection, "POST", refs, token, json=branch).status_code == 422
    path = f"{refs}/heads/of-the-app"
    text = {"message": "Say", "content": "YQ==", "branch": "of-the-app"}
    written = call(connection, "PUT", f"{REPOSITORY}/contents/a.txt", token, json=text)
    assert written.status_code == 201
    for force, status in ((False, 422), (True, 200)):
        body = {"sha": head, "force": force}
        moved = call(connection, "PATCH", path, token, json=body)
        assert moved.status_code == status
    assert moved.json()["object"]["sha"] == head
    missing = call(connection, "PATCH", f"{refs}/heads/none", token, json=body)
    assert (missing.status_code, missing.json()["message"]) == (422, "Reference does not exist")


def test_an_installation_sees_its_owners_repositories_alone(connection: Connection) -> None:
    for name in (LABS, FABRIKAM):
        found = call(connection, "GET", f"/repos/{name}/installation", signed(connection)).json()
        owner = name.split("/")[0]
        assert found["id"] == connection.github.app.installations[owner]
        assert found["account"]["login"] == owner
    seen = {
        owner: [
            name
            for name in ("contoso/models", LABS, FABRIKAM)
            if call(connection, "GET", f"/repos/{name}/branches/main", token).status_code == 200
        ]
        for owner in ("contoso", "fabrikam")
        for token in (installation_token(connection, owner),)
    }
    assert seen == {"contoso": ["contoso/models", LABS], "fabrikam": [FABRIKAM]}


def test_repositories_keep_apart_what_is_theirs(connection: Connection) -> None:
    token = connection.github.token
    for name in (LABS, FABRIKAM):
        main = call(connection, "GET", f"/repos/{name}/branches/main", token).json()
        path = f"/repos/{name}/statuses/{main['commit']['sha']}"
        call(connection, "POST", path, token, json={"state": "success", "context": name})
    told = call(connection, "GET", f"/repos/{LABS}/commits/main/statuses", token).json()
    assert [each["context"] for each in told] == [LABS]


def test_tokens_end(connection: Connection) -> None:
    owner = connection.github.token
    token = installation_token(connection)
    assert call(connection, "GET", REPOSITORY, token).status_code == 200
    call(connection, "DELETE", "/_installation_tokens", owner).raise_for_status()
    assert call(connection, "GET", REPOSITORY, token).status_code == 401
    for seconds, status in ((0, 401), (3600, 200)):
        body = {"seconds": seconds}
        call(connection, "PUT", "/_installation_tokens", owner, json=body).raise_for_status()
        token = installation_token(connection)
        assert call(connection, "GET", REPOSITORY, token).status_code == status
