"""Sweeps of the local workspace: found, told, deleted, brought back; and what must not go."""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from azure.ai.ml import command
from azure.ai.ml.entities import AmlCompute, Environment, ManagedOnlineEndpoint
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobLeaseClient
from pydantic import SecretStr

from handlers import sweep, swept
from tests.cloud import HTTP, Cloud
from tests.delivering import deliver_all
from tests.faults import Faults
from tests.fleet import Fleet
from tests.planned import come_to, until
from tests.test_resync import queue
from tuneops import documents, names
from tuneops.audit.reading import read_recent
from tuneops.azureml import arm
from tuneops.desired import Desired
from tuneops.orders import Orders, Pin, Suspension
from tuneops.project import Project
from tuneops.queue import RepositoryRequest, RestoreRequest, SweepRequest
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.sweep import sweeper
from tuneops.sweep.finding import Finding, Findings
from tuneops.sweep.record import Record
from tuneops.sweep.restorer import restore_swept
from tuneops.sweep.survey import examine
from tuneops.sweep.sweeper import sweep_workspace
from tuneops.sweep.view import SweepView
from tuneops.sync import sync_repository

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)
STRAY, BUSY = "stray-endpoint", "busy-endpoint"


class Clock:
    """A time that tests move; it begins now, as what Azure measures does."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Team:
    """A team with some projects that are live, and a TuneOps that tells them of its sweeps."""

    def __init__(self, azure: Cloud, services: Services, fleet: Fleet) -> None:
        url = azure.connection["inbox_url"].replace("http://", "json://")
        told = {"notify_urls": [SecretStr(url)], "metrics_delay_seconds": 0}
        self.azure = azure
        self.fleet = fleet
        self.services = Services(services.settings.model_copy(update=told))
        self.clock = Clock()

    def sweep(self, hours: float = 0) -> tuple[Finding, ...]:
        """The timer's sweep, so many hours later; gives what was found.

        What people are told is delivered, and that is noted.
        """
        self.clock.now += timedelta(hours=hours)
        sweep_workspace(SweepRequest(), self.services, self.clock)
        deliver_all(self.services, self.clock)
        sweep_workspace(SweepRequest(only="tell"), self.services, self.clock)
        return self.findings.findings

    def sweep_for(self, hours: int) -> tuple[Finding, ...]:
        """Sweeps once a day, the least that tells whether something was used."""
        for _ in range(hours // 24):
            self.sweep(24)
        return self.findings.findings

    @property
    def findings(self) -> Findings:
        path = documents.findings(self.services.workspace.id)
        stored = self.services.store.read(path, Findings)
        assert stored
        return stored.value

    def told(self) -> list[str]:
        """The titles of what people were told of sweeps."""
        inbox = HTTP.get(self.azure.connection["inbox_url"]).json()
        titles = [str(item["body"]["title"]) for item in inbox]
        return [title for title in titles if title.startswith(("sweep", "restore"))]

    def retire(self, project: str) -> None:
        """The project was removed from git and retired, as far as the store knows."""
        store, name = self.services.store, documents.desired(project)
        desired = store.read(name, Desired)
        assert desired
        removed = desired.value.replace(config=None, removed=desired.value.config)
        store.write(name, removed, desired.etag)
        release = self.services.release(project, 1)
        assert release
        retired = come_to(release.value, Phase.RETIRED, self.clock.now, "removed")
        store.write(documents.release(project, 1), retired, release.etag)

    def release(self, project: str) -> Release:
        stored = self.services.release(project, 1)
        assert stored
        return stored.value

    def stray(self, name: str = STRAY, **tags: str) -> None:
        """An endpoint that was begun before a crash, and is in no document."""
        endpoint = ManagedOnlineEndpoint(name=name, tags={**self.release("p-0000").tags, **tags})
        self.azure.ml.online_endpoints.begin_create_or_update(endpoint).result()

    def there(self, name: str = STRAY) -> bool:
        try:
            self.azure.ml.online_endpoints.get(name)
        except ResourceNotFoundError:
            return False
        return True

    def remove(self, name: str) -> None:
        self.azure.ml.online_endpoints.begin_delete(name).result()

    def restore(self, identifier: str) -> tuple[HTTPStatus, str]:
        body = json.dumps({"by": "Ada", "reason": "demo"}).encode()
        code, text = swept.handle_restore(identifier, {}, body, self.services)
        return code, json.loads(text)["text"]

    def record(self, identifier: str) -> Record:
        stored = self.services.store.read(documents.swept(identifier), Record)
        assert stored
        return stored.value

    def bring_back(self, identifier: str) -> Record:
        """Go on with a restoration to its end."""

        def ended() -> bool:
            restore_swept(RestoreRequest(id=identifier), self.services)
            return not self.record(identifier).note

        until(ended)
        deliver_all(self.services, self.clock)
        return self.record(identifier)

    def asked(self) -> list[dict[str, Any]]:
        """What is on the queue, be it for later, which is empty afterwards."""
        client = queue(self.services)
        found = [json.loads(base64.b64decode(m.content)) for m in client.receive_messages()]
        client.clear_messages()
        return found


@pytest.fixture
def team(azure: Cloud, working: Services) -> Iterator[Team]:
    sync_repository(RepositoryRequest(), working)
    fleet = Fleet(azure, working)
    fleet.grow(4)
    team = Team(azure, working, fleet)
    queue(working).clear_messages()
    HTTP.delete(azure.connection["inbox_url"])
    yield team
    for name in [str(each.name) for each in azure.ml.online_endpoints.list()]:
        if not name.startswith("p-"):
            team.remove(name)
    fleet.close()


def test_what_a_crash_left_is_told_kept_for_its_grace_swept_and_brought_back(team: Team) -> None:
    assert team.sweep() == ()
    assert team.findings.total == 8
    team.stray()
    (found,) = team.sweep()
    assert (found.label, found.project, found.left) == (f"endpoint {STRAY}", "p-0000", "")
    assert found.why == "finetune/p-0000.yaml has another endpoint"
    assert found.told_at
    before = len(team.told())
    assert team.told()[-1] == "sweep of ws-tuneops: 1 resource belongs to nothing"

    assert team.sweep_for(48) == team.findings.findings
    assert team.there()
    (found,) = team.sweep(24)
    until(lambda: not team.there())
    record = team.record(found.id)
    assert record.parts[0]["properties"]["authMode"] == "Key"
    assert team.restore(found.id)[0] == HTTPStatus.CONFLICT
    waiting = queue(team.services).get_queue_properties().approximate_message_count
    assert waiting == 2, "a look whether it has gone, and one whether somebody was told"
    team.asked()

    assert team.sweep() == ()
    assert team.told()[before:] == [f"sweep: endpoint {STRAY} of p-0000 was deleted"]
    assert team.sweep() == ()
    assert team.findings.total == 8

    code, said = team.restore(found.id)
    assert (code, said) == (HTTPStatus.OK, f"endpoint {STRAY} of p-0000 is being brought back")
    entries = read_recent(team.services.store, "p-0000", 5).entries
    assert [(e.action, e.what, e.by, e.outcome) for e in entries] == [
        ("restore", f"endpoint {STRAY}", "Ada", "accepted"),
        ("restore", f"endpoint {STRAY}", "Ada", "refused"),
    ]
    assert team.asked() == [{"kind": "restore", "id": found.id}]
    team.sweep()
    assert team.asked() == [{"kind": "restore", "id": found.id}], "a lost message is made up for"
    restored = team.bring_back(found.id)
    assert restored.restoration
    assert restored.restoration.state == "restored", restored.restoration.said
    endpoint = team.azure.ml.online_endpoints.get(STRAY)
    assert endpoint.tags.items() >= team.release("p-0000").tags.items()
    assert endpoint.tags[names.TAG_KEEP].startswith("restored by Ada on ")
    assert team.told()[before + 1 :] == [f"restore: endpoint {STRAY} of p-0000 was restored"]
    restore_swept(RestoreRequest(id=found.id), team.services)
    assert team.sweep_for(72) == ()
    assert team.there()
    assert len(team.told()) == before + 2


def test_what_is_gone_from_git_goes_with_all_that_is_behind_it(team: Team) -> None:
    team.retire("p-0001")
    endpoint = team.fleet.endpoint("p-0001")
    (found,) = team.sweep()
    assert (found.label, found.why) == (
        f"endpoint {endpoint}",
        "finetune/p-0001.yaml was removed from git",
    )
    team.sweep_for(72)
    until(lambda: not team.there(endpoint))
    assert len(team.record(found.id).parts) == 2
    assert team.sweep() == ()
    team.restore(found.id)
    failed = team.bring_back(found.id).restoration
    assert failed
    assert failed.state == "failed"
    assert "p-0001" in failed.said, "there is no such model in this workspace"
    team.remove(endpoint)


def leave_behind(team: Team, project: str, name: str, commit: str = "") -> None:
    """A deployment like the live one, which gets no traffic."""
    endpoint, release = team.fleet.endpoint(project), team.release(project)
    with sqlite3.connect(team.azure.state / "azureml" / "workspace.sqlite") as database:
        body = "replace(replace(body, ?, ?), ?, ?)"
        copied = f"SELECT kind, ?, {body} FROM documents WHERE key = ?"
        changes = (release.deployment_name, name, release.commit, commit or release.commit)
        live = f"{endpoint}/{release.deployment_name}"
        insert = f"INSERT INTO documents (kind, key, body) {copied}"
        database.execute(insert, (f"{endpoint}/{name}", *changes, live))


def test_a_deployment_without_traffic_goes_alone(team: Team) -> None:
    """It is neither live nor kept, and no reconcile has taken it down."""
    endpoint, live = team.fleet.endpoint("p-0002"), team.release("p-0002").deployment_name
    before = f"{endpoint}/d-left-behind"
    leave_behind(team, "p-0002", "d-left-behind")
    (found,) = team.sweep()
    assert (found.label, found.proof) == (f"deployment {before}", "0% of the traffic, no requests")
    assert found.why == "it is neither live nor kept"
    team.sweep_for(72)
    until(lambda: list(team.azure.traffic(endpoint) or {}) == [live])
    assert team.sweep() == ()
    assert team.told()[1:] == [f"sweep: deployment {before} of p-0002 was deleted"]


def test_what_is_used_again_or_is_to_be_kept_is_left(team: Team) -> None:
    team.clock.now -= 72 * HOUR
    team.stray(BUSY)
    (first,) = team.sweep()
    team.sweep_for(48)
    measured(team, 3)
    (used,) = team.sweep(24)
    assert used.left.startswith("it is in use: 3 requests since ")
    assert team.there(BUSY)
    (quiet,) = team.sweep(24)
    assert (quiet.id, quiet.left) == (first.id, "")
    assert quiet.since == team.clock.now
    assert len(team.told()) == 2
    endpoint = team.azure.ml.online_endpoints.get(BUSY)
    endpoint.tags[names.TAG_KEEP] = "for the demo"
    team.azure.ml.online_endpoints.begin_create_or_update(endpoint).result()
    assert team.sweep(24) == ()
    assert team.sweep_for(72) == ()
    assert team.there(BUSY)


def test_what_azure_does_not_delete_is_told_once_and_tried_on(team: Team, faults: Faults) -> None:
    team.stray()
    team.sweep()
    refusal = "DELETE /onlineEndpoints/*"
    faults.ask("call", "fail", refusal, status=403, times=2)
    before = len(team.told())
    team.sweep_for(72)
    (found,) = team.sweep(1)
    assert found.stuck
    assert team.there()
    assert team.told()[before:] == ["sweep of ws-tuneops: 1 resource belongs to nothing"]
    team.sweep(1)
    until(lambda: not team.there())
    assert len(team.told()) == before + 1


def test_another_installations_is_told_once_and_left(team: Team) -> None:
    """Its project, its commit or its release is not known here."""
    team.stray("project", **{names.TAG_PROJECT: "elsewhere"})
    team.stray("commit", **{names.TAG_COMMIT: "e" * 40})
    team.stray("release", **{names.TAG_RELEASE: "7"})
    found = {each.label.partition(" ")[2]: each for each in team.sweep()}
    assert {name: each.why for name, each in found.items()} == {
        "project": "there is no project 'elsewhere' here",
        "commit": "release 1 of p-0000 has not made it",
        "release": "release 7 of p-0000 has not made it",
    }
    assert all("another installation" in each.left for each in found.values())
    team.retire("p-0001")
    leave_behind(team, "p-0001", "d-theirs", "e" * 40)
    theirs = next(each for each in team.sweep() if each.project == "p-0001")
    assert theirs.left.endswith("d-theirs was made by another installation")
    team.sweep_for(72)
    assert all(team.there(name) for name in (*found, team.fleet.endpoint("p-0001")))
    assert len(team.told()) == 2


def test_an_empty_store_sweeps_nothing(team: Team) -> None:
    team.stray()
    team.sweep()
    empty = team.services.settings.state_container + "-new"
    team.services.blobs.create_container(empty)
    renewed = team.services.settings.model_copy(update={"state_container": empty})
    team.services = Services(renewed)
    assert team.sweep() == ()
    assert team.sweep_for(72) == ()
    assert team.there()
    view = SweepView.model_validate_json(swept.handle_findings("now", team.services)[1])
    assert [each.due_at for each in view.workspaces[0].found] == [None] * len(
        view.workspaces[0].found
    )


def test_too_much_at_once_stops_it(team: Team) -> None:
    for number in range(4):
        team.retire(f"p-000{number}")
    assert len(team.sweep()) == 4
    team.sweep_for(72)
    assert team.findings.stopped.startswith("4 of the 8 resources with TuneOps's tags would go")
    assert [title for title in team.told() if "stopped" in title] == [
        "sweep of ws-tuneops is stopped"
    ]
    assert all(team.there(team.fleet.endpoint(f"p-000{number}")) for number in range(4))


def test_a_kill_at_any_step_ends_in_the_same_place(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.stray()
    (found,) = team.sweep()
    team.sweep_for(72 - 24)
    team.clock.now += 24 * HOUR
    delete = arm.begin_delete

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    def die_afterwards(*arguments: Any) -> None:
        delete(*arguments)
        raise Killed

    steps: tuple[tuple[Any, str, Callable[..., None]], ...] = (
        (sweeper._Sweep, "_record", die),
        (arm, "begin_delete", die),
        (arm, "begin_delete", die_afterwards),
    )
    for where, name, killed in steps:
        assert team.there()
        with monkeypatch.context() as patched:
            patched.setattr(where, name, killed)
            with pytest.raises(Killed):
                team.sweep()
    team.sweep()
    until(lambda: not team.there())
    assert team.sweep() == ()
    assert team.sweep() == ()
    assert team.told()[1:] == [f"sweep: endpoint {STRAY} of p-0000 was deleted"]
    assert team.record(found.id).gone_at


def test_nothing_goes_while_the_project_is_busy_or_pinned_or_git_has_moved_on(team: Team) -> None:
    team.stray()
    team.sweep()
    team.sweep_for(48)
    store, path = team.services.store, documents.project("p-0000")
    with store.lease(path, Project(name="p-0000")):
        assert len(team.sweep(24)) == 1
    assert team.there()
    pin = Pin(id="p", release=1, by="Ada", at=team.clock.now)
    held = Suspension(id="s", by="Ada", at=team.clock.now)
    for orders in (Orders(pin=pin), Orders(suspension=held)):
        store.update(documents.orders("p-0000"), Orders, lambda _, now=orders: now)
        assert team.sweep() == ()
    store.update(documents.orders("p-0000"), Orders, lambda _: Orders())
    assert len(team.sweep()) == 1, "it is found anew, and has the whole grace"
    assert len(team.told()) == 2
    team.sweep_for(48)
    team.azure.merge({"note.txt": "Something new."})
    assert len(team.sweep(24)) == 1
    assert team.there()


def test_nothing_goes_once_its_turn_is_lost(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.stray()
    team.sweep()
    team.sweep_for(48)
    project = team.services.state.get_blob_client(documents.project("p-0000"))

    def examined_for_too_long(*given: Any) -> Any:
        BlobLeaseClient(project).break_lease(lease_break_period=0)
        return examine(*given)

    with monkeypatch.context() as slow:
        slow.setattr(sweeper, "examine", examined_for_too_long)
        assert len(team.sweep(24)) == 1
    assert team.azure.ml.online_endpoints.get(STRAY).provisioning_state == "Succeeded"
    team.sweep()
    until(lambda: not team.there())


@pytest.mark.soak
def test_clusters_go_when_no_config_names_them_and_they_have_no_nodes(team: Team) -> None:
    tags = team.release("p-0000").tags
    for name, least in (("idle-box", 0), ("busy-box", 1)):
        cluster = AmlCompute(
            name=name, size="Standard_DS3_v2", min_instances=least, max_instances=1, tags=tags
        )
        team.azure.ml.compute.begin_create_or_update(cluster).result()
    assert "it was in use until" in team.sweep()[0].left
    found = {each.label: each.left for each in team.sweep(25)}
    assert found["cluster idle-box"] == ""
    assert found["cluster busy-box"] == "it has 1 nodes: see what they run, then delete it"
    (idle,) = (each for each in team.findings.findings if not each.left)
    team.sweep_for(72)
    until(lambda: "idle-box" not in {each.name for each in team.azure.ml.compute.list()})
    team.sweep()
    team.restore(idle.id)
    restored = team.bring_back(idle.id).restoration
    assert restored
    assert restored.state == "restored", restored.said
    again = team.azure.ml.compute.get("idle-box")
    assert (again.size.lower(), again.max_instances) == ("standard_ds3_v2", 1)
    assert "cluster idle-box" not in {each.label for each in team.sweep()}
    for name in ("idle-box", "busy-box"):
        team.azure.ml.compute.begin_delete(name).result()


def test_a_job_that_no_release_waits_for_is_cancelled(team: Team) -> None:
    ml, release = team.azure.ml, team.release("p-0000")
    ml.environments.create_or_update(Environment(name="plain", version="1", image="python"))
    job = command(command="true", environment="plain:1", compute="gpu-cluster", tags=release.tags)
    job.name = names.job_name("p-0000", "a" * 12, 1)
    ml.jobs.create_or_update(job)
    (found,) = team.sweep()
    assert found.label == f"job {job.name}"
    assert found.why == "no release of p-0000 waits for it"
    team.sweep_for(72)
    until(lambda: ml.jobs.get(job.name).status == "Canceled")
    assert team.sweep() == ()
    assert team.told()[1:] == [f"sweep: job {job.name} of p-0000 was cancelled"]
    code, said = team.restore(found.id)
    assert code == HTTPStatus.CONFLICT
    assert "tuneops retry" in said


def test_nobody_to_tell_nothing_to_delete(team: Team) -> None:
    silent = team.services.settings.model_copy(update={"notify_urls": []})
    team.services = Services(silent)
    team.stray()
    team.sweep()
    team.sweep_for(72)
    assert team.there()
    off = Services(silent.model_copy(update={"sweep": "off"}))
    assert swept.handle_findings("then", off)[0] == HTTPStatus.BAD_REQUEST
    sweep.handle(off)
    assert team.asked() == [{"kind": "sweep", "environment": "", "only": ""}]
    assert team.restore("f" * 12)[0] == HTTPStatus.NOT_FOUND
    assert team.restore("../../etc")[0] == HTTPStatus.NOT_FOUND


def measured(team: Team, count: int) -> None:
    """Azure Monitor has counted requests some minutes ago."""
    minute = int((datetime.now(UTC) - timedelta(minutes=10)).timestamp()) // 60 * 60
    body = {"counts": [[200, "200", count]], "total_ms": 1.0, "times_ms": [1.0] * count}
    with sqlite3.connect(team.azure.state / "azureml" / "workspace.sqlite") as database:
        insert = "INSERT INTO scored (endpoint, deployment, minute, body) VALUES (?, ?, ?, ?)"
        database.execute(insert, (BUSY, "blue", minute, json.dumps(body)))
