"""Many projects that are live and settled, written into the local cloud's stores. For tests.

A release of each would take hours; what a thousand of them would leave is made here in seconds.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from azure.storage.blob import generate_container_sas
from urllib3 import PoolManager, Retry

from tests.cloud import Cloud, jsonl, some_rows
from tests.config_text import config_of
from tests.planned import come_to
from tuneops import documents, names
from tuneops.azureml import registry
from tuneops.config import ProjectConfig
from tuneops.data.prepare import find_source
from tuneops.desired import Desired
from tuneops.document import Document
from tuneops.gitops.repository import FileState, Repository
from tuneops.looks import Look
from tuneops.overview.document import Card, Cards, Overview
from tuneops.policy import FILE as POLICY_FILE
from tuneops.policy import Policy
from tuneops.project import Project, start_release
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.resync import see_projects
from tuneops.services import Services
from tuneops.unwatched import NOTE

FOLDER = "chats"
THREADS = 16
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=3)
EXTRA = "deployment: {instance_type: Standard_DS3_v2}\n"


@dataclass
class Fleet:
    """Projects p-0000, p-0001, ...; `count` of them.

    Each is as its last look left it: that of the `early` ones was three days ago. Only the `whole`
    ones have a release, so that they can be looked at. The projects are those of an environment,
    with its name before their own.
    """

    azure: Cloud
    services: Services
    early: Container[int] = ()
    whole: Container[int] = range(10)
    count: int = 0
    environment: str = ""

    def grow(self, count: int) -> None:
        """Add projects until there are so many."""
        bare = [f"p-{number:04}" for number in range(self.count, count)]
        added = [names.project_key(self.environment, name) for name in bare]
        self.count = count
        desired = [self._desired(name) for name in added]
        releases = self._releases(desired)
        self._know(added)
        self._serve(releases)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._want, desired))
            views, _ = see_projects(self.services, {})
            model = f"{releases[0].config.model.registry}/{releases[0].config.model.name}"
            newest = releases[0].plan.base_model
            looks = [
                Look(
                    view=views[name],
                    at=LONG_AGO if self._number(name) in self.early else NOW,
                    base_model=model,
                    newest_base_model=newest,
                )
                for name in added
            ]
            list(pool.map(self._remember, releases, looks))
        self._show(added)

    def tag(self, project: str, **tags: str) -> None:
        """Somebody adds tags to a project's endpoint."""
        self._retag(project, lambda before: {**before, **tags})

    def untag(self, project: str) -> None:
        """Somebody takes all tags of a project's endpoint away."""
        self._retag(project, lambda _: {})

    def _retag(self, project: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        name = self.endpoint(project)
        with self._database() as database:
            query = "SELECT body FROM documents WHERE kind = 'endpoints' AND key = ?"
            body = json.loads(database.execute(query, (name,)).fetchone()[0])
            body["tags"] = change(body["tags"])
            update = "UPDATE documents SET body = ? WHERE kind = 'endpoints' AND key = ?"
            database.execute(update, (json.dumps(body), name))

    def lose_deployment(self, project: str) -> None:
        """Somebody deletes what serves a project's model."""
        with self._database() as database:
            where = "kind = 'deployments' AND key LIKE ?"
            database.execute(
                f"DELETE FROM documents WHERE {where}", (f"{self.endpoint(project)}/%",)
            )

    def move(self, project: str) -> None:
        """The config of a project is moved to another file, and the message about it is lost."""
        self._want_otherwise(project, lambda known: known.replace(path=f"{known.path}.moved"))

    def report_drift(self, project: str) -> None:
        """The config of a project says not to heal drift, and the message about it is lost."""

        def change(known: Desired) -> Desired:
            assert known.config is not None
            return known.replace(config=known.config.model_copy(update={"drift": "report"}))

        self._want_otherwise(project, change)

    def leave(self, project: str) -> None:
        """The source of a project is set so that it has the file no more."""
        self._want_otherwise(project, lambda known: known.replace(left="elsewhere"), NOTE)

    def rule(self, **policy: Any) -> None:
        """The environment's policy has changed, and the message about it is lost."""

        def change(known: Repository | None) -> Repository:
            assert known is not None
            state = FileState(sha="policy", policy=Policy(**policy))
            return known.replace(files={**known.files, POLICY_FILE: state})

        self.services.store.update(documents.repository(self.environment), Repository, change)

    def fail(self, project: str) -> None:
        """A newer release than the one that is live fails, and nobody has looked since."""
        store = self.services.store
        live = self.services.release(project, 1)
        assert live is not None
        failed = come_to(live.value.replace(number=2), Phase.FAILED, NOW, "it is a test's")
        store.write(documents.release(project, 2), failed, None)

        def change(known: Project | None) -> Project:
            assert known is not None
            return known.replace(current=2, look=None)

        store.update(documents.project(project), Project, change)

    def _want_otherwise(
        self, project: str, change: Callable[[Desired], Desired], note: str = ""
    ) -> None:
        store = self.services.store
        known = store.read(documents.desired(project), Desired)
        assert known is not None
        store.write(documents.desired(project), change(known.value), known.etag, note=note)

    def close(self) -> None:
        """Leave the workspace empty."""
        with self._database() as database:
            database.execute("DELETE FROM documents WHERE kind IN ('endpoints', 'deployments')")

    def _number(self, name: str) -> int:
        return int(name.rpartition("-")[2])

    def endpoint(self, project: str) -> str:
        """The name of a project's endpoint."""
        return names.endpoint_name(project, self.services.workspace.id)

    def _desired(self, name: str) -> Desired:
        bare = name.rpartition(".")[2]
        config = self._config.model_copy(update={"name": bare})
        path = f"finetune/{bare}.yaml"
        return Desired(project=name, commit=self._commit, path=path, config=config)

    @cached_property
    def _config(self) -> ProjectConfig:
        """What all of them have but for their names: it takes long to read a file."""
        return config_of("any", EXTRA).model_copy(update={"data": config_of(FOLDER).data})

    @cached_property
    def _commit(self) -> str:
        """The branch's newest, so that GitHub takes what is told of it."""
        head = self.services.of(self.environment).github.head()
        assert head is not None
        return head.commit

    def _releases(self, desired: Iterable[Desired]) -> list[Release]:
        services = self.services
        blob = services.blobs.get_blob_client(
            services.settings.datasets_container, f"{FOLDER}/a.jsonl"
        )
        if not blob.exists():
            blob.upload_blob(jsonl(some_rows()))
        source = find_source(services.storage, config_of(FOLDER))
        model = config_of(FOLDER).model
        base = registry.base_model(services.workspace, model.registry, model.name, "latest").id
        plan = TrainingPlan(base_model=base, component="c", parameters={}, digest="0" * 12)
        made = []
        for each in desired:
            wanted = each.replace(source=source)
            project = Project(name=each.project)
            release = start_release(wanted, project, services.workspace.id, LONG_AGO)
            release = come_to(release.replace(training=plan), Phase.LIVE, LONG_AGO, "live")
            made.append(release)
        return made

    def _know(self, added: list[str]) -> None:
        def change(known: Repository | None) -> Repository:
            repository = known or Repository(environment=self.environment)
            files = {
                f"finetune/{name}.yaml": FileState(sha=name, project=name, data_path=f"{FOLDER}/")
                for name in added
            }
            return repository.replace(files={**repository.files, **files})

        self.services.store.update(documents.repository(self.environment), Repository, change)

    def _want(self, desired: Desired) -> None:
        self._put(documents.desired(desired.project), desired)

    @cached_property
    def _container(self) -> tuple[PoolManager, str, str]:
        """The state container, as it is written to without the SDK, which takes twice the time."""
        client = self.services.blobs.get_container_client(self.services.settings.state_container)
        signature = generate_container_sas(
            str(client.account_name),
            client.container_name,
            client.credential.account_key,
            permission="cw",
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        retried = Retry(5, allowed_methods=["PUT"], backoff_factor=0.1)
        return PoolManager(maxsize=THREADS, retries=retried), client.url, signature

    def _put(self, path: str, value: Document, note: str = "") -> None:
        pool, url, signature = self._container
        headers = {"x-ms-blob-type": "BlockBlob"} | ({"x-ms-meta-note": note} if note else {})
        body = value.model_dump_json()
        address = f"{url}/{path}?{signature}"
        answer = pool.request("PUT", address, body=body.encode(), headers=headers)
        assert answer.status == 201, answer.data

    def _remember(self, release: Release, look: Look) -> None:
        name = release.project
        project = Project(
            name=name, current=1, live=1, endpoints=(release.endpoint,), look=look
        ).remember(release)
        self._put(documents.project(name), project, project.note.text())
        if self._number(name) in self.whole:
            self._put(documents.release(name, 1), release)

    def _card(self, name: str) -> Card:
        return Card(name=name, phase=Phase.LIVE)

    def _show(self, added: list[str]) -> None:
        cards: dict[str, dict[str, Card]] = defaultdict(dict)
        for name in added:
            cards[documents.cards(name)][name] = self._card(name)
        store = self.services.store
        for path, of in cards.items():
            store.update(path, Cards, partial(_with_cards, of))
        store.update(documents.OVERVIEW, Overview, lambda known: (known or Overview()).whole({}))

    def _serve(self, releases: list[Release]) -> None:
        rows = []
        for release in releases:
            endpoint = _endpoint(self.services.workspace.id, release)
            deployment = _deployment(endpoint, release)
            record = {"resource": deployment, "submitted": {}, "serving": None}
            rows.append(("endpoints", release.endpoint, json.dumps(endpoint)))
            key = f"{release.endpoint}/{deployment['name']}"
            rows.append(("deployments", key, json.dumps(record)))
        with self._database() as database:
            insert = "INSERT INTO documents (kind, key, body) VALUES (?, ?, ?)"
            database.executemany(insert, rows)

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.azure.state / "azureml" / "workspace.sqlite")


def _with_cards(cards: dict[str, Card], known: Cards | None) -> Cards:
    return (known or Cards()).filled(cards, (), {})


def _endpoint(workspace: str, release: Release) -> dict[str, Any]:
    kind = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    return {
        "id": f"{workspace}/onlineEndpoints/{release.endpoint}",
        "name": release.endpoint,
        "type": kind,
        "location": "eastus",
        "kind": "Managed",
        "tags": release.tags,
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "description": None,
            "properties": {},
            "authMode": "Key",
            "publicNetworkAccess": "Enabled",
            "provisioningState": "Succeeded",
            "scoringUri": "https://nowhere/score",
            "swaggerUri": None,
            "traffic": {release.deployment_name: 100},
            "mirrorTraffic": {},
        },
    }


def _deployment(endpoint: dict[str, Any], release: Release) -> dict[str, Any]:
    return {
        "id": f"{endpoint['id']}/deployments/{release.deployment_name}",
        "name": release.deployment_name,
        "type": f"{endpoint['type']}/deployments",
        "location": "eastus",
        "kind": "Managed",
        "tags": release.tags,
        "sku": {"name": "Default", "tier": "Standard", "capacity": 1},
        "properties": {
            "properties": {},
            "endpointComputeType": "Managed",
            "environmentVariables": {},
            "instanceType": release.config.deployment.instance_type,
            "model": f"azureml:{release.project}:{release.model_version}",
            "provisioningState": "Succeeded",
            "scaleSettings": {"scaleType": "Default"},
        },
    }
