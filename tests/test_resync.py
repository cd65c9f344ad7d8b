"""The resync: what it costs, what it finds, and that nothing is forgotten."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import pytest
from azure.storage.queue import QueueClient

from handlers import config_merged, reconcile, resync
from tests.calls import Calls
from tests.cloud import Cloud, config, jsonl, some_rows
from tests.faults import Faults
from tests.fleet import Fleet
from tuneops import documents
from tuneops.azureml import resource_graph
from tuneops.desired import Desired
from tuneops.gitops.open_pulls import Reviews
from tuneops.orders import Orders, Pin, Retry
from tuneops.queue import ProjectRequest, PullRequestsRequest
from tuneops.reconcile import reconcile_project
from tuneops.resync import resync_projects, resync_pull_requests
from tuneops.services import Services
from tuneops.sources import ConfigSource
from tuneops.status import read_status

pytestmark = pytest.mark.slow
LIST = "POST /providers/Microsoft.ResourceGraph/resources"


def tick(services: Services) -> list[str]:
    """What the timer does, and all that follows from it; gives the projects that were looked at."""
    resync.handle(services)
    return drain(services)


def push(services: Services, commit: str) -> tuple[int, str]:
    """GitHub's webhook tells of a push."""
    repository = {"full_name": services.settings.github_repository}
    told = {"ref": "refs/heads/main", "after": commit, "repository": repository}
    body = json.dumps(told).encode()
    secret = services.settings.github_webhook_secret.get_secret_value().encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": commit,
        "x-hub-signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }
    return config_merged.handle(headers, body, services)


def with_sources(services: Services, *sources: dict[str, str]) -> Services:
    """The same with other sources."""
    changed = tuple(ConfigSource.model_validate(source) for source in sources)
    changes = {"sources": changed, "github_repository": None}
    return Services(services.settings.model_copy(update=changes))


def chosen(services: Services) -> list[str]:
    """The projects that a resync would have looked at; they are not."""
    resync_projects(services)
    client = queue(services)
    bodies = [base64.b64decode(message.content) for message in client.receive_messages()]
    client.clear_messages()
    return sorted(ProjectRequest.model_validate_json(body).project for body in bodies)


def drain(services: Services) -> list[str]:
    """Do all that is on the queue now; gives the projects that were looked at, but for wake-ups."""
    client = queue(services)
    looked_at = []
    while messages := list(client.receive_messages(max_messages=32, visibility_timeout=600)):
        for message in messages:
            client.delete_message(message)
            body = base64.b64decode(message.content)
            if b'"kind":"project"' in body:
                request = ProjectRequest.model_validate_json(body)
                looked_at += [] if request.wake else [request.project]
            reconcile.handle(body, services)
    return sorted(looked_at)


def queue(services: Services) -> QueueClient:
    connection = services.settings.storage_connection_string
    assert connection is not None
    name = services.settings.reconcile_queue
    return QueueClient.from_connection_string(connection.get_secret_value(), name)


@pytest.fixture
def fleet(azure: Cloud, working: Services) -> Iterator[Fleet]:
    """Nothing yet, after a look at an empty repository."""
    tick(working)
    fleet = Fleet(azure, working)
    yield fleet
    fleet.close()


@pytest.mark.parametrize(
    ("count", "page"),
    [
        pytest.param(50, 50, id="small-pages"),
        pytest.param(1000, 1000, id="azures-pages", marks=pytest.mark.soak),
    ],
)
def test_the_calls_grow_with_what_changed(
    azure: Cloud,
    working: Services,
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    page: int,
) -> None:
    """A project has two resources, of which Azure shows as many as fit on a page."""
    monkeypatch.setattr(resource_graph, "PAGE_ROWS", page)
    first, second, middle, added, last = (
        f"p-{number:04}" for number in (0, 1, count // 2, count, count + 1)
    )
    fleet.early = (0, 1, count, count + 1)
    fleet.whole = (*fleet.early, count // 2)
    fleet.grow(count)
    calls = Calls(azure.connection)
    assert tick(working) == [first, second]
    before = calls.take()
    assert before.total() <= 25, before
    fleet.tag(middle, owner="somebody")
    assert tick(working) == [middle]
    calls.take()
    assert tick(working) == []
    assert calls.take().total() <= 10

    fleet.grow(2 * count)
    calls.take()
    assert tick(working) == [added, last]
    after = calls.take()
    assert after - before == {LIST: 2 * count // page}, (before, after)


def test_what_changed_is_looked_at_and_nothing_is_forgotten(
    working: Services, fleet: Fleet, faults: Faults
) -> None:
    fleet.grow(4)
    first, second, third, fourth = (f"p-000{number}" for number in range(4))
    assert tick(working) == []

    # Messages are lost, and a look that was not asked for by a resync settles nothing.
    fleet.tag(second, owner="somebody")
    for _ in range(2):
        resync.handle(working)
        resync_projects(working)
        queue(working).clear_messages()
    reconcile_project(ProjectRequest(project=second), working)
    assert tick(working) == [second]
    fleet.move(third)
    assert tick(working) == [third]
    assert tick(working) == []

    # Resource Graph is asked in vain: for now, then for good.
    fleet.move(second)
    fleet.tag(third, owner="somebody")
    faults.ask("call", "fail", LIST, status=429)
    assert tick(working) == [second]
    assert tick(working) == [second, third]
    faults.ask("call", "fail", LIST, status=403)
    assert tick(working) == [first, second, third, fourth]
    assert tick(working) == [first, second, third, fourth]
    assert tick(working) == []

    fleet.lose_deployment(fourth)
    assert tick(working) == [fourth]
    (seen,) = read_status(working, fourth).projects
    assert seen.phase == "Failed"
    assert tick(working) == []

    container = working.blobs.get_container_client(working.settings.datasets_container)
    container.upload_blob("chats/_notes.txt", b"no data")
    assert tick(working) == []
    container.upload_blob("chats/b.jsonl", jsonl(some_rows()))
    assert tick(working) == [first, second, third, fourth]


def test_so_many_are_looked_at_in_one_tick_and_none_is_forgotten(
    working: Services, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneops.resync.MAX_LOOKS", 2)
    fleet.grow(5)
    fleet.rule(max_nodes=9)
    ticks = [tick(working) for _ in range(4)]
    assert [len(looked_at) for looked_at in ticks] == [2, 2, 1, 0]
    assert sorted(chain(*ticks)) == [f"p-000{number}" for number in range(5)]


def test_orders_are_followed_though_the_message_about_them_was_lost(
    working: Services, fleet: Fleet
) -> None:
    fleet.grow(3)
    _, second, third = (f"p-000{number}" for number in range(3))
    pin = Pin(id="one", release=1, by="Ada", at=datetime.now(UTC))
    working.store.write(documents.orders(second), Orders(pin=pin), None)
    retry = Retry(release=9, by="Ada", at=datetime.now(UTC))
    working.store.write(documents.orders(third), Orders(retry=retry), None)
    assert tick(working) == [second, third]

    # Git wants what it was pinned to, so the look took the pin back.
    left = working.store.read(documents.orders(second), Orders)
    assert left is not None
    assert left.value.pin is None
    assert tick(working) == [second]
    assert tick(working) == []


def test_drift_that_stays_is_looked_at_once(working: Services, fleet: Fleet) -> None:
    fleet.grow(2)
    first, second = "p-0000", "p-0001"
    fleet.report_drift(first)
    fleet.report_drift(second)
    fleet.fail(second)
    assert tick(working) == [first, second]
    assert tick(working) == []
    for name in (first, second):
        fleet.untag(name)
        assert tick(working) == [name]
        live = working.release(name, 1)
        assert live is not None
        assert live.value.drift is not None
        assert tick(working) == []
        fleet.tag(name, owner="somebody")
        assert tick(working) == [name]
        assert tick(working) == []


def test_each_environment_is_looked_at_by_itself(azure: Cloud, working: Services) -> None:
    azure.branch("staging")
    here = {"environment": "", "repository": "contoso/models"}
    there = {"environment": "staging", "repository": "contoso/models", "branch": "staging"}
    both = with_sources(working, here, there)
    tick(both)
    fleet, staging = Fleet(azure, both), Fleet(azure, both, environment="staging")
    fleet.grow(2)
    staging.grow(2)
    one, two = "staging.p-0000", "staging.p-0001"
    calls = Calls(azure.connection)
    assert tick(both) == []
    asked = calls.take()
    assert asked[LIST] == 1
    assert asked["GET /repos/contoso/models/branches/{branch:path} 304"] == 2

    fleet.move("p-0001")
    staging.tag(one, owner="somebody")
    assert tick(both) == ["p-0001", one]
    staging.rule(max_nodes=9)
    assert tick(both) == [one, two]
    assert tick(both) == []

    # Resource Graph does not show the workspace of one of them.
    assert chosen(with_sources(working, here, {**there, "workspace": "far"})) == [one, two]
    staging.tag(one, owner="somebody else")
    staging.tag(two, owner="somebody else")
    assert chosen(with_sources(working, here)) == []
    staging.leave(two)
    assert chosen(both) == [one]
    fleet.close()

    head = azure.propose("later", {"later.yaml": config("later")})
    pull = azure.github("pulls", {"title": "Later", "head": "later", "base": "staging"})["number"]
    resync_pull_requests(PullRequestsRequest(), both)
    resync_pull_requests(PullRequestsRequest(environment="staging"), both)
    drain(both)
    assert plans(azure, head, "tuneops/plan/staging") == ["success"]
    assert plans(azure, head) == []
    reviews = both.store.read(documents.reviews("staging"), Reviews)
    assert reviews is not None
    assert list(reviews.value.reviewed) == [pull]


def test_a_lost_webhook_is_made_up_for(azure: Cloud, working: Services) -> None:
    tick(working)
    calls = Calls(azure.connection)
    azure.merge({"lost.yaml": config("lost")})
    assert tick(working)[0] == "lost"
    assert tick(working) == []
    asked = calls.take()
    assert asked["GET /repos/contoso/models/git/trees/{sha:path} 200"] == 1
    assert asked["GET /repos/contoso/models/branches/{branch:path} 304"] == 1


def test_twenty_pushes_are_read_once(azure: Cloud, working: Services) -> None:
    tick(working)
    for number in range(20):
        nodes = {"compute": {"nodes": 1 + number % 2}}
        commit = azure.merge({"often.yaml": config("often", **nodes)})
        assert push(working, commit)[0] == 202
    calls = Calls(azure.connection)
    looked_at = drain(working)
    asked = calls.take()
    assert looked_at == ["often"]
    assert asked["GET /repos/contoso/models/branches/{branch:path} 200"] == 1
    assert asked["GET /repos/contoso/models/branches/{branch:path} 304"] == 19
    assert asked["GET /repos/contoso/models/git/trees/{sha:path} 200"] == 1
    wanted = working.store.read(documents.desired("often"), Desired)
    assert wanted is not None
    assert wanted.value.commit == commit


def test_a_pull_request_that_no_webhook_told_of_is_reviewed(
    azure: Cloud, working: Services
) -> None:
    azure.merge({"base.yaml": config("base")})
    head = azure.propose("unseen", {"unseen.yaml": config("unseen")})
    pull = azure.github("pulls", {"title": "Unseen", "head": "unseen", "base": "main"})["number"]
    tick(working)
    assert plans(azure, head) == ["success"]
    tick(working)
    assert plans(azure, head) == ["success"]

    head = azure.propose("unseen", {"unseen.yaml": {**config("unseen"), "modle": {}}})
    tick(working)
    assert plans(azure, head) == ["failure"]

    azure.merge({"../tuneops-policy.yaml": "max_nodes: 2\n"})
    tick(working)
    tick(working)
    assert plans(azure, head) == ["failure", "failure"]
    calls = Calls(azure.connection)
    tick(working)
    assert not [name for name in calls.take() if "statuses" in name]

    reviews = working.store.read(documents.reviews(""), Reviews)
    assert reviews is not None
    assert list(reviews.value.reviewed) == [pull]


@pytest.mark.soak
def test_many_pull_requests_are_listed_in_pages(azure: Cloud, working: Services) -> None:
    azure.merge({"many.yaml": config("many")})
    azure.propose("many-0", {"many.yaml": None})
    branches = [f"many-{number}" for number in range(101)]
    refs = [f"refs/remotes/origin/many-0:refs/heads/{branch}" for branch in branches[1:]]
    azure._git("-C", str(azure.work()), "push", "-q", "origin", *refs)
    for branch in branches:
        azure.github("pulls", {"title": branch, "head": branch, "base": "main"})

    calls = Calls(azure.connection)
    pages = working.github.open_pulls({})
    numbers = [pull.number for page in pages.values() for pull in page.pulls]
    assert numbers == sorted(numbers)
    assert len(numbers) >= 101
    assert working.github.open_pulls(pages) == pages
    asked = {name: count for name, count in calls.take().items() if "pulls" in name}
    name = "GET /repos/contoso/models/pulls"
    assert asked == {f"{name} 200": 2, f"{name} 304": 2}


def plans(azure: Cloud, head: str, context: str = "tuneops/plan") -> list[str]:
    """What the plan says of a commit, newest first."""
    statuses = azure.github(f"commits/{head}/statuses")
    return [each["state"] for each in statuses if each["context"] == context]
