"""What is made of Resource Graph's answers, be they as documented or not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cloud import Cloud
from tuneops import names
from tuneops.azureml import inventory, resource_graph, running
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.cli.target import local_workspace
from tuneops.cost.machines import Deployed

pytestmark = pytest.mark.slow


class Graph:
    """A Resource Graph that gives prepared answers, and keeps what it was asked."""

    def __init__(self) -> None:
        graph = self
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                graph.asked.append(json.loads(body))
                status, answer = graph.answers.pop(0)
                self.send_response(status)
                self.send_header("Retry-After", "7")
                self.end_headers()
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def graph() -> Iterator[Graph]:
    graph = Graph()
    yield graph
    graph.server.shutdown()
    graph.server.server_close()


@pytest.fixture
def asking(azure: Cloud, graph: Graph) -> Workspace:
    """The connection to a workspace whose resources that Resource Graph lists."""
    settings = local_workspace(azure.connection)
    metadata = {**(settings.cloud_metadata or {}), "resource_manager": graph.url}
    return Workspace(settings.model_copy(update={"cloud_metadata": metadata}))


def rows(workspace: Workspace, **changes: Any) -> list[dict[str, Any]]:
    """The workspace, an endpoint of bot's with a deployment, and what is nobody's."""
    properties = {"traffic": {"blue": 100}, "provisioningState": "Succeeded", **changes}
    endpoint = f"{workspace.id}/onlineEndpoints/bot"
    return [
        {"id": workspace.id, "tags": {"tuneops.project": "strange"}},
        {"id": endpoint, "tags": {"tuneops.project": "bot"}, "properties": properties},
        {"id": f"{endpoint}/deployments/blue".upper(), "tags": None, "sku": {"capacity": 1}},
        {"id": f"{workspace.id}/onlineEndpoints/other", "tags": {"team": "x"}},
        {"id": f"{workspace.id}-2/onlineEndpoints/bot", "tags": {"tuneops.project": "far"}},
    ]


def test_the_pages_are_put_together(graph: Graph, asking: Workspace) -> None:
    found = rows(asking)
    graph.answers = [(200, {"data": found})]
    whole = inventory.digests(asking, {})
    assert list(whole) == ["bot"]

    graph.answers = [
        (200, {"data": found[2:], "$skipToken": "more"}),
        (200, {"data": found[:2], "resultTruncated": "false"}),
    ]
    assert inventory.digests(asking, {}) == whole
    assert [body["options"].get("$skipToken") for body in graph.asked] == [None, None, "more"]
    assert {tuple(body["subscriptions"]) for body in graph.asked} == {(asking.id.split("/")[2],)}


def test_a_digest_changes_with_what_stands_behind_it(graph: Graph, asking: Workspace) -> None:
    def digest(found: list[dict[str, Any]]) -> str:
        graph.answers = [(200, {"data": found})]
        return inventory.digests(asking, {})["bot"]

    before = digest(rows(asking))
    assert digest(rows(asking, properties={"AzureAsyncOperationUri": "https://x"})) == before
    assert digest(rows(asking, traffic={"blue": 90, "red": 10})) != before
    grown = rows(asking)
    grown[2]["sku"] = {"capacity": 2}
    assert digest(grown) != before
    assert digest([row for row in rows(asking) if "BLUE" not in row["id"]]) != before


def test_an_endpoint_counts_by_its_name_too(graph: Graph, asking: Workspace) -> None:
    def digests(found: list[dict[str, Any]]) -> dict[str, str]:
        graph.answers = [(200, {"data": found})]
        named = {"bot": ("bot", "gone"), "new": ("far",), "none": ()}
        return inventory.digests(asking, named)

    untagged = rows(asking)
    untagged[1]["tags"] = None
    stolen = rows(asking)
    stolen[1]["tags"] = {"tuneops.project": "thief"}
    seen = [digests(rows(asking)), digests(untagged), digests(stolen)]
    assert len({found["bot"] for found in seen}) == 3
    assert seen[2]["thief"] == seen[2]["bot"]
    nothing = names.digest()
    assert {found[name] for found in seen for name in ("new", "none")} == {nothing}
    untagged[2]["sku"] = {"capacity": 2}
    assert digests(untagged)["bot"] != seen[1]["bot"]


@pytest.mark.parametrize(
    ("status", "answer", "error", "said"),
    [
        pytest.param(200, b"[", RefusedError, "not known", id="no-json"),
        pytest.param(200, {"data": 1}, RefusedError, "not known", id="other-shape"),
        pytest.param(
            200, {"data": []}, MissingRoleError, "role TuneOps Operator", id="sees-nothing"
        ),
        pytest.param(
            200, {"data": [], "resultTruncated": "true"}, RefusedError, "leaves out", id="cut"
        ),
        pytest.param(403, {"error": {}}, MissingRoleError, "role TuneOps Operator", id="forbidden"),
        pytest.param(400, {"error": {}}, RefusedError, "status 400", id="not-understood"),
        pytest.param(429, b"", UnavailableError, "status 429", id="throttled"),
        pytest.param(503, b"", UnavailableError, "status 503", id="down"),
    ],
)
def test_what_went_wrong_is_said(
    graph: Graph, asking: Workspace, status: int, answer: Any, error: type[Exception], said: str
) -> None:
    graph.answers = [(status, answer)]
    with pytest.raises(error, match=said) as caught:
        inventory.digests(asking, {})
    assert type(caught.value) is error
    if status == 429:
        assert getattr(caught.value, "seconds", 0) == 7


def test_pages_without_end_are_refused(graph: Graph, asking: Workspace) -> None:
    page = (200, {"data": [], "$skipToken": "more"})
    graph.answers = [page] * resource_graph.MAX_PAGES
    with pytest.raises(RefusedError, match="more than 50,000"):
        inventory.digests(asking, {})


def test_a_server_that_is_not_there(graph: Graph, asking: Workspace) -> None:
    graph.server.server_close()
    graph.server.shutdown()
    with pytest.raises(UnavailableError, match="does not answer"):
        inventory.digests(asking, {})


def test_what_runs_is_told_by_environment_whatever_azure_leaves_out(
    graph: Graph, asking: Workspace
) -> None:
    """Ids in any case, tags that are lost, what has no size, and what runs on Kubernetes."""
    endpoint = f"{asking.id}/onlineEndpoints/bot"
    a100 = {"instanceType": "Standard_A", "endpointComputeType": "Managed"}
    found = [
        {"id": asking.id},
        {
            "id": endpoint,
            "tags": {"tuneops.project": "eu.bot"},
            "properties": {"traffic": {"Blue": 90, "red": "many"}},
        },
        {"id": f"{endpoint}/deployments/blue".upper(), "sku": {"capacity": 2}, "properties": a100},
        {"id": f"{endpoint}/deployments/red", "sku": {"capacity": None}, "properties": None},
        {"id": f"{endpoint}/deployments/k8s", "properties": {"endpointComputeType": "Kubernetes"}},
        {
            "id": f"{asking.id}/onlineEndpoints/bare/deployments/d",
            "tags": {"tuneops.project": "eu.lost"},
            "sku": "odd",
            "properties": a100,
        },
        {
            "id": f"{asking.id}/onlineEndpoints/us/deployments/d",
            "tags": {"tuneops.project": "us.bot"},
            "properties": a100,
        },
        {"id": f"{asking.id}/onlineEndpoints/others/deployments/d", "properties": a100},
    ]
    graph.answers = [(200, {"data": found})]
    red = Deployed(size="", count=1, endpoint="bot", name="red", project="eu.bot")
    blue = Deployed(
        size="Standard_A", count=2, endpoint="BOT", name="BLUE", project="eu.bot", share=90
    )
    lost = Deployed(size="Standard_A", count=1, endpoint="bare", name="d", project="eu.lost")
    assert running.deployments(asking, "eu") == (blue, red, lost)
    assert {blue.key, red.key} == {"bot/blue", "bot/red"}
