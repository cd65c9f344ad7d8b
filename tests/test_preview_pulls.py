"""Previews from a pull request to what is left of them: real git, workspace and the local GitHub.

There is no node, so a job that is submitted stays queued.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from handlers import dataset_uploaded, job_event
from handlers import reconcile as handler
from tests.cloud import QUICK, Cloud, config, jsonl, some_rows
from tests.delivering import deliver_all
from tests.planned import until
from tests.test_policy_in_force import synced
from tuneops import documents, names
from tuneops.azureml import jobs
from tuneops.desired import Desired
from tuneops.gitops.repository import Repository, read_commit
from tuneops.gitops.snapshot import Origin
from tuneops.names import job_name
from tuneops.orders import Orders, Pin
from tuneops.previews import keeping, text
from tuneops.previews.reading import read_register
from tuneops.queue import ProjectRequest, PullRequestRequest, PullRequestsRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release
from tuneops.resync import resync_pull_requests
from tuneops.review import review_pull_request
from tuneops.services import Services
from tuneops.status import read_status
from tuneops.store import Store

pytestmark = pytest.mark.slow
POLICY = "../tuneops-policy.yaml"
SERVERLESS = {"compute": {"name": "serverless"}}
TRIED = {"preview": {"hours": 5}, **SERVERLESS}


@pytest.fixture(autouse=True)
def tracked(azure: Cloud, working: Services) -> None:
    """A project that allows previews, and data for it; it is not begun itself."""
    run = working.settings.state_container
    files = {"bot.yaml": config("bot", **TRIED), "cat.yaml": config("cat"), "../run.txt": run}
    azure.merge({**files, POLICY: ""})
    synced(working)
    upload(working, "bot")
    drain(working)


def upload(services: Services, name: str) -> None:
    container = services.blobs.get_container_client(services.settings.datasets_container)
    container.upload_blob(f"{name}/chats.jsonl", jsonl(some_rows()), overwrite=True)


def drain(services: Services, *, do: bool = False) -> list[str]:
    """Empty the queue, `do` what is due on it as well; gives the kinds and names asked for.

    It is done once more when what people are told is delivered, as a preview's end waits for that.
    """
    connection = services.settings.storage_connection_string
    assert connection is not None
    name = services.settings.reconcile_queue
    client = QueueClient.from_connection_string(connection.get_secret_value(), name)
    found = []
    while messages := list(client.receive_messages(max_messages=32, visibility_timeout=600)):
        for message in messages:
            client.delete_message(message)
            body = base64.b64decode(message.content)
            found.append(body.decode())
            if do:
                handler.handle(body, services)
    if do:
        deliver_all(services)
        for body in found:
            handler.handle(body.encode(), services)
    client.clear_messages()
    return found


def steps(number: int, **sections: Any) -> dict[str, Any]:
    """The project's config with another training."""
    return config("bot", training={"parameters": {**QUICK, "max_steps": number}}, **sections)


def opened(
    azure: Cloud, branch: str, files: dict[str, Any], login: str = "", run: str = ""
) -> tuple[int, str]:
    """A pull request of these files, by its number, and its head."""
    head = azure.propose(branch, files)
    token = azure.token_of(login) if login else ""
    body = {"title": branch, "head": branch, "base": "main"}
    return int(azure.github("pulls", body, token=token)["number"]), head


def review(services: Services, number: int) -> None:
    review_pull_request(PullRequestRequest(number=number), services)


def close(azure: Cloud, number: int) -> None:
    azure.github(f"pulls/{number}", {"state": "closed"}, method="PATCH")


def look(services: Services, key: str, hours: float = 0) -> None:
    """Reconcile it, so many hours from now, until nothing more is to be done, and is told."""
    later = datetime.now(UTC) + timedelta(hours=hours)

    def is_over() -> bool:
        before, rested = versions(services, key), not under_way(services, key)
        reconcile_project(ProjectRequest(project=key), services, lambda: later)
        deliver_all(services)
        return rested and versions(services, key) == before

    until(is_over)


def under_way(services: Services, key: str) -> bool:
    """Whether the preview's endpoint is being created or deleted."""
    found = services.workspace.ml.online_endpoints.list()
    states = [each.provisioning_state for each in found if each.tags[names.TAG_PROJECT] == key]
    return any(state != "Succeeded" for state in states)


def wanted(services: Services, key: str) -> Desired:
    stored = services.store.read(documents.desired(key), Desired)
    assert stored is not None
    return stored.value


def newest(services: Services, key: str) -> Release:
    project = read_status(services, key).projects[0]
    assert project.release is not None
    stored = services.release(key, project.release.number)
    assert stored is not None
    return stored.value


def told(azure: Cloud, number: int, name: str = "bot") -> str:
    """What the pull request is told of the project's preview, in its one comment."""
    start = text.mark(f"{name}~{number}")
    bodies = [str(each["body"]) for each in azure.github(f"issues/{number}/comments")]
    found = [body for body in bodies if body.startswith(start)]
    assert len(found) < 2
    return found[0] if found else ""


def versions(services: Services, key: str) -> dict[str, str]:
    """The ETags of a preview's documents, by path."""
    return {each.path: each.etag for each in services.store.listed("") if key in each.path}


def of(services: Services, key: str) -> list[str]:
    """The documents that there are of a preview."""
    return list(versions(services, key))


def status_of(services: Services, job: str) -> str:
    seen = jobs.observe(services.workspace, job)
    return seen.status if seen else ""


def test_one_job_serves_the_preview_and_the_merge(azure: Cloud, working: Services) -> None:
    branch = f"one-{working.settings.state_container}"
    number, head = opened(azure, branch, {"bot.yaml": steps(2, **TRIED)})
    key = f"bot~{number}"
    review(working, number)
    assert "is being made" in told(azure, number)
    desired = wanted(working, key)
    review(working, number)
    assert wanted(working, key) == desired
    assert (desired.commit, desired.by) == (head, "contoso")

    look(working, key)
    first = newest(working, key)
    assert first.phase == Phase.TRAINING
    assert status_of(working, first.job_name)
    assert first.job_name == job_name("bot", first.plan.digest, 1)
    assert "preview of" not in told(azure, number)
    assert f"Release 1, commit {head[:12]}" in told(azure, number)

    azure.propose(branch, {"bot.yaml": steps(3, **TRIED)})
    review(working, number)
    look(working, key)
    second = newest(working, key)
    assert (second.number, second.phase) == (2, Phase.TRAINING)
    assert second.job_name != first.job_name
    assert status_of(working, first.job_name) in ("CancelRequested", "Canceled")

    azure.github(f"pulls/{number}/merge", {}, method="PUT")
    synced(working)
    look(working, "bot")
    real = newest(working, "bot")
    assert (real.phase, real.job_name) == (Phase.TRAINING, second.job_name)
    assert not real.submitted
    review(working, number)
    look(working, key)
    assert status_of(working, second.job_name) not in ("", "CancelRequested", "Canceled")
    assert f"pull request {number} was merged" in told(azure, number)
    assert of(working, key) == []
    assert read_register(working.store, "").entries == {}
    assert newest(working, "bot").phase == Phase.TRAINING


def test_a_closed_pull_request_ends_what_it_alone_wants(azure: Cloud, working: Services) -> None:
    run = working.settings.state_container
    pulls = [
        opened(azure, f"{name}-{run}", {"bot.yaml": steps(5, **TRIED), f"../{name}.txt": run})[0]
        for name in ("left", "right")
    ]
    for number in pulls:
        review(working, number)
        look(working, f"bot~{number}")
    left, right = pulls
    job = newest(working, f"bot~{left}").job_name
    assert newest(working, f"bot~{right}").job_name == job

    close(azure, left)
    drain(working)
    resync_pull_requests(PullRequestsRequest(), working)
    drain(working, do=True)
    look(working, f"bot~{left}")
    assert of(working, f"bot~{left}") == []
    assert status_of(working, job) not in ("CancelRequested", "Canceled")
    close(azure, right)
    review(working, right)
    drain(working, do=True)
    assert status_of(working, job) in ("CancelRequested", "Canceled")
    look(working, f"bot~{right}")
    assert of(working, f"bot~{right}") == []
    assert "was closed" in told(azure, right)
    assert "A new push" not in told(azure, right)


@pytest.mark.soak
def test_it_is_over_in_its_time_and_begins_anew_with_a_push(
    azure: Cloud, working: Services
) -> None:
    branch = f"time-{working.settings.state_container}"
    number, _ = opened(azure, branch, {"bot.yaml": steps(6, **{**TRIED, "preview": {"hours": 99}})})
    key = f"bot~{number}"
    review(working, number)
    look(working, key, hours=4.9)
    assert newest(working, key).phase == Phase.TRAINING
    pin = Pin(id="p", release=1, reason="mine", by="mallory", at=datetime.now(UTC))
    working.store.write(documents.orders(key), Orders(pin=pin), etag=None)

    look(working, key, hours=5.1)
    assert of(working, key) == []
    said = told(azure, number)
    assert "its time was over at" in said
    assert "A new push begins it anew." in said
    review(working, number)
    look(working, key, hours=5.2)
    assert (of(working, key), told(azure, number)) == ([], said)

    azure.propose(branch, {"bot.yaml": steps(7, **TRIED)})
    review(working, number)
    assert wanted(working, key).config
    close(azure, number)
    review(working, number)
    look(working, key)
    assert of(working, key) == []
    assert "was taken down" in told(azure, number)
    assert read_register(working.store, "").entries == {}


def test_nobody_grants_themselves_a_preview(azure: Cloud, working: Services) -> None:
    run = working.settings.state_container
    grasping = {**steps(2, preview=True), "name": "cat", "data": {"path": "cat"}}
    greedy = {"cat.yaml": grasping, POLICY: "previews: {max: 50}\n"}
    number, _ = opened(azure, f"greedy-{run}", greedy)
    review(working, number)
    assert "the tracked branch does not allow it yet" in told(azure, number, "cat")

    reader, _ = opened(azure, f"reader-{run}", {"bot.yaml": steps(8, **TRIED)}, "bob")
    azure.token_of("bob", "read")
    review(working, reader)
    assert "`bob may not write to the repository`" in told(azure, reader)

    azure.merge({POLICY: "changes: [{projects: [bot], by: [ada, carol]}]\npolicy: {by: [ada]}\n"})
    synced(working)
    files = {"bot.yaml": steps(9, **TRIED)}
    carols, _ = opened(azure, f"carol-{run}", files, "carol")
    review(working, carols)
    assert wanted(working, f"bot~{carols}").by == "carol"
    bobs, _ = opened(azure, f"bob-{run}", {**files, "../b.txt": run}, "dave")
    review(working, bobs)
    assert "bot was changed by dave, who is not in changes" in told(azure, bobs)
    assert set(read_register(working.store, "").entries) == {f"bot~{carols}"}
    for each in (number, reader, carols, bobs):
        close(azure, each)


def test_a_fork_gets_none(azure: Cloud, working: Services) -> None:
    branch = f"fork-{working.settings.state_container}"
    number, _ = opened(azure, branch, {"bot.yaml": steps(10, **TRIED)})
    proposal = working.github.proposal(number)
    assert proposal is not None
    assert proposal.origin == Origin("contoso", "contoso/models", branch)
    forked = replace(proposal, origin=Origin("contoso", "eve/models", branch))
    contents = working.github.contents(forked.snapshot.files)
    repository = Repository()
    _, own = read_commit(repository, forked.snapshot, contents, datetime.now(UTC))
    own = [each for each in own if each.path in forked.touched]
    assert keeping.review_previews(forked, own, repository.policy, working, broken=False)
    assert "it comes from a fork" in told(azure, number)
    assert of(working, f"bot~{number}") == []
    close(azure, number)


def test_there_are_as_many_as_the_policy_has_room_for(azure: Cloud, working: Services) -> None:
    run = working.settings.state_container
    azure.merge({POLICY: "previews: {max: 1, max_hours: 2}\n"})
    synced(working)
    files = {"cat.yaml": config("cat", preview={"hours": 100}, data={"path": f"cat-{run}"})}
    first, _ = opened(azure, f"first-{run}", {"bot.yaml": steps(11, **TRIED)})
    second, _ = opened(azure, f"second-{run}", files)
    for number in (first, second):
        review(working, number)
    entries = read_register(working.store, "").entries
    assert [each.state for each in entries.values()] == ["on", "waits"]
    assert [each.hours for each in entries.values()] == [2, 2]
    assert f"1 of 1 places are taken, by `bot~{first}`" in told(azure, second, "cat")

    close(azure, first)
    drain(working)
    review(working, first)
    drain(working, do=True)
    look(working, f"bot~{first}")
    assert of(working, f"bot~{first}") == []
    key = f"cat~{second}"
    assert read_register(working.store, "").entries[key].state == "on"
    assert "there is no training data in" in told(azure, second, "cat").lower()
    assert read_status(working, key).projects[0].reason.startswith("waiting for data, until")

    container = working.settings.datasets_container
    subject = f"/blobServices/default/containers/{container}/blobs/cat-{run}/chats.jsonl"
    upload(working, f"cat-{run}")
    created = ("Microsoft.Storage.BlobCreated", subject, {"api": "PutBlob"}, working)
    assert dataset_uploaded.handle("e1", *created) == [key]
    drain(working)
    digest = "0123456789ab"
    completed = "Microsoft.MachineLearningServices.RunCompleted"
    of_job = {"runId": job_name("cat", digest, 1)}
    assert job_event.handle("e2", completed, of_job, working) == [key, "cat"]
    asked = [ProjectRequest.model_validate_json(each).project for each in drain(working)]
    assert asked == [key, "cat"]

    azure.merge({POLICY: "previews: {max: 0}\n"})
    synced(working)
    review(working, second)
    drain(working, do=True)
    assert of(working, key) == []
    assert "previews.max of tuneops-policy.yaml is 0" in told(azure, second, "cat")
    close(azure, second)


def crashing(monkeypatch: pytest.MonkeyPatch, name: str) -> set[tuple[str, bool]]:
    """Let this method of the store fail for each path once before and once after it is done."""
    real: Callable[..., Any] = getattr(Store, name)
    failed: set[tuple[str, bool]] = set()

    def crash(store: Store, path: str, *arguments: Any, **named: Any) -> Any:
        for after in (False, True):
            if (path, after) not in failed:
                failed.add((path, after))
                if after:
                    real(store, path, *arguments, **named)
                raise ConnectionError(path)
        return real(store, path, *arguments, **named)

    monkeypatch.setattr(Store, name, crash)
    return failed


@pytest.mark.soak
def test_a_crash_on_the_way_ends_in_the_same_place(
    azure: Cloud, working: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = working.settings.state_container
    number, head = opened(azure, f"crash-{run}", {"bot.yaml": steps(12, **TRIED)})
    key = f"bot~{number}"

    def insist(do: Callable[[], None]) -> None:
        for _ in range(20):
            try:
                return do()
            except ConnectionError:
                continue
        raise AssertionError("it does not come to an end")

    failed = crashing(monkeypatch, "update")
    insist(lambda: review(working, number))
    assert {path for path, _ in failed} >= {documents.previews(""), documents.desired(key)}
    monkeypatch.undo()
    entry = read_register(working.store, "").entries[key]
    desired = wanted(working, key)
    assert (entry.state, entry.head, desired.commit) == ("on", head, head)
    assert desired.preview is not None
    assert desired.preview.until == entry.until
    review(working, number)
    assert (read_register(working.store, "").entries[key], wanted(working, key)) == (entry, desired)
    look(working, key)

    close(azure, number)
    crashing(monkeypatch, "update")
    insist(lambda: review(working, number))
    monkeypatch.undo()
    reconcile_project(ProjectRequest(project=key), working)
    until(lambda: not under_way(working, key))
    reconcile_project(ProjectRequest(project=key), working)
    deliver_all(working)
    failed = crashing(monkeypatch, "delete")
    insist(lambda: reconcile_project(ProjectRequest(project=key), working))
    assert len(failed) == 16
    assert of(working, key) == []
    assert read_register(working.store, "").entries == {}
    assert "was closed" in told(azure, number)
