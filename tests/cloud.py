"""A running local cloud, used as a team uses Azure: git, the SDKs and HTTP. For tests."""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2
import jwt
import psutil
import yaml
from azure.ai.ml import MLClient
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from tuneops import documents
from tuneops.notify.mailbox import read_note
from tuneops.queue import ProjectsRequest, PullRequestsRequest, RepositoryRequest
from tuneops.settings import Settings
from tuneops.status import ProjectStatus, Status
from tuneops.store import Store

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".localcloud" / "cache"
HTTP = httpx2.Client(trust_env=False)
"""For what the local cloud serves without TLS: one for all, as each reads all certificates."""
QUICK = {
    "apply_lora": "true",
    "max_steps": 4,
    "logging_steps": 1,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
}


class Person:
    """A person's login: tokens of the tenant that say who it is, as Entra's do."""

    def __init__(self, connection: dict[str, Any], name: str) -> None:
        self._connection = connection
        self._name = name

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """A token for the first scope that lasts an hour."""
        expiry = int(time.time()) + 3600
        claims = {
            "aud": scopes[0].removesuffix("/.default"),
            "tid": self._connection["tenant_id"],
            "oid": str(uuid.uuid5(uuid.NAMESPACE_DNS, self._name)),
            "upn": self._name,
            "exp": expiry,
        }
        key = self._connection["identity"]["signing_key"]
        return AccessToken(jwt.encode(claims, key, algorithm="HS256"), expiry)


class Cloud:
    """One local cloud in its own folder; whoever waits for something looks every `look_seconds`."""

    def __init__(self, state: Path, look_seconds: float = 0.3) -> None:
        self.state = state
        self.look_seconds = look_seconds

    def up(self, *options: str) -> None:
        """Start it, or what of it does not run."""
        self._command("up", "--cache", str(CACHE), "--app", str(ROOT), *options)
        self.load()

    def load(self) -> None:
        """Read how to reach it."""
        self.connection: dict[str, Any] = json.loads((self.state / "connection.json").read_text())

    def down(self) -> None:
        """End it."""
        self._command("down")

    def _command(self, name: str, *options: str) -> None:
        line = [sys.executable, "-m", "localcloud", name, "--state", str(self.state), *options]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    # What a team does

    def merge(
        self,
        files: dict[str, dict[str, Any] | str | None],
        subject: str = "Change",
        *,
        branch: str = "main",
        repository: str = "",
        by: str = "Ada",
    ) -> str:
        """Commit files (None: delete) to a tracked branch; gives the commit.

        A branch that is not there yet begins as ``main``; no repository means the main one.
        `by` is who pushes: their login is the same in lower case.
        """
        work = self.work(repository)
        self._git("-C", str(work), "fetch", "-q", "origin")
        known = self._git("-C", str(work), "ls-remote", "origin", f"refs/heads/{branch}")
        start = f"origin/{branch}" if known else "origin/main"
        self._git("-C", str(work), "checkout", "-q", "--no-track", "-B", branch, start)
        self._commit(work, files, subject, by)
        self._git("-C", str(work), "push", "-q", "origin", f"HEAD:{branch}")
        return self._git("-C", str(work), "rev-parse", "HEAD").strip()

    def branch(self, name: str) -> None:
        """Push a branch as the main one is."""
        work = self.work()
        self._git("-C", str(work), "push", "-q", "origin", f"origin/main:refs/heads/{name}")

    def work(self, repository: str = "") -> Path:
        """A working copy of the repository."""
        github = self.connection["github"]
        name = repository or github["repository"]
        work = self.state / "work" / name
        if not work.exists():
            self._git("clone", "-q", github["repositories"][name], str(work))
        return work

    def _commit(
        self,
        work: Path,
        files: dict[str, dict[str, Any] | str | None],
        subject: str,
        by: str = "Ada",
    ) -> None:
        for name, content in files.items():
            path = work / "finetune" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                text = content if isinstance(content, str) else yaml.safe_dump(content)
                path.write_text(text)
        who = ("-c", f"user.name={by}", "-c", f"user.email={by.lower()}@contoso.example")
        self._git("-C", str(work), "add", "-A")
        self._git("-C", str(work), *who, "commit", "-qm", subject)

    def revert(self) -> str:
        """Revert the newest commit of the tracked branch; gives the commit that does."""
        work = str(self.work())
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@contoso.example")
        self._git("-C", work, "fetch", "-q", "origin")
        self._git("-C", work, "checkout", "-q", "--no-track", "-B", "main", "origin/main")
        self._git("-C", work, *who, "revert", "--no-edit", "HEAD")
        self._git("-C", work, "push", "-q", "origin", "HEAD:main")
        return self._git("-C", work, "rev-parse", "HEAD").strip()

    def propose(self, branch: str, files: dict[str, dict[str, Any] | str | None]) -> str:
        """Commit files to a branch off the tracked one; gives the commit."""
        work = self.work()
        self._git("-C", str(work), "fetch", "-q", "origin")
        known = self._git("-C", str(work), "ls-remote", "origin", f"refs/heads/{branch}")
        start = f"origin/{branch}" if known else "origin/main"
        self._git("-C", str(work), "checkout", "-q", "-B", "proposal", start)
        self._commit(work, files, "Propose")
        self._git("-C", str(work), "push", "-q", "origin", f"HEAD:{branch}")
        return self._git("-C", str(work), "rev-parse", "HEAD").strip()

    def merge_by_pull(self, branch: str, files: dict[str, dict[str, Any] | str | None]) -> int:
        """Propose files in a pull request and merge it; gives its number."""
        self.propose(branch, files)
        pull = self.github("pulls", {"title": branch, "head": branch, "base": "main"})
        self.github(f"pulls/{pull['number']}/merge", {}, method="PUT")
        return int(pull["number"])

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upload(self, path: str, rows: list[tuple[str, str]] | bytes) -> None:
        """Upload training data: questions and answers, or bytes as they are."""
        content = rows if isinstance(rows, bytes) else jsonl(rows)
        self.blobs.get_blob_client("datasets", path).upload_blob(content, overwrite=True)

    def status(self, project: str) -> ProjectStatus | None:
        """The project's status, None while it is unknown."""
        answer = HTTP.get(
            f"{self.connection['functions']['base_url']}/api/status",
            params={"project": project},
            headers={"x-functions-key": self.connection["functions"]["key"]},
            timeout=30,
        )
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return Status.model_validate_json(answer.content).projects[0]

    def until(
        self, project: str, reached: Callable[[ProjectStatus], bool], seconds: float = 240
    ) -> ProjectStatus:
        """Look at the project until `reached`."""
        deadline = time.monotonic() + seconds
        seen: ProjectStatus | None = None
        while time.monotonic() < deadline:
            try:
                seen = self.status(project)
            except (httpx2.HTTPError, AssertionError):
                seen = None
            if seen and reached(seen):
                return seen
            time.sleep(self.look_seconds)
        raise AssertionError(f"not reached in {seconds} s: {seen and seen.model_dump_json()}")

    def until_true(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Look until it is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not so in {seconds} s"
            time.sleep(self.look_seconds)

    def until_phase(
        self, project: str, number: int, phase: str, seconds: float = 240
    ) -> ProjectStatus:
        """Look at the project until this release is in this phase; another end is a failure."""

        def there(seen: ProjectStatus) -> bool:
            if seen.release is None or seen.release.number != number:
                return False
            if seen.release.phase != phase and seen.release.phase in ("Failed", "Retired"):
                raise RuntimeError(seen.release.model_dump_json(indent=1))
            return seen.release.phase == phase

        return self.until(project, there, seconds)

    def resync(self) -> None:
        """Have everything looked at, as the timer does, and wait until that is over.

        Messages that are due later, such as a project's next look in an hour, stay on the queue.
        """
        for request in (RepositoryRequest(), ProjectsRequest(), PullRequestsRequest()):
            text = request.model_dump_json()
            self.queue.send_message(base64.b64encode(text.encode()).decode())
        self.until_idle()

    def until_idle(self, seconds: float = 240) -> None:
        """Look at the queue until nothing on it is due, and nothing changes for a while.

        A message that is being handled counts, but is not shown, like one that is due later.
        """
        deadline = time.monotonic() + seconds
        quiet, before = 0, -1
        while quiet < 8:
            assert time.monotonic() < deadline, "the queue does not become quiet"
            count = self.queue.get_queue_properties().approximate_message_count
            due = self.queue.peek_messages(max_messages=1)
            quiet = 0 if due or count != before else quiet + 1
            before = count
            time.sleep(0.3)

    # What Azure and GitHub say

    @cached_property
    def blobs(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(
            self.connection["storage"]["connection_string"]
        )

    @cached_property
    def queue(self) -> QueueClient:
        return QueueClient.from_connection_string(
            self.connection["storage"]["connection_string"], "reconcile"
        )

    @property
    def ml(self) -> MLClient:
        """A client for now: the SDK knows one cloud at a time in a process.

        A person's, so that what TuneOps does itself can be told from it.
        """
        os.environ.update(
            IDENTITY_ENDPOINT=self.connection["identity"]["endpoint"],
            IDENTITY_HEADER=self.connection["identity"]["header"],
            AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential",
        )
        return self.ml_as("tests@contoso.example")

    @property
    def authorization(self) -> dict[str, str]:
        """The header of a request to Azure Resource Manager."""
        person = Person(self.connection, "ada@contoso.example")
        token = person.get_token(
            f"{self.connection['cloud']['metadata']['resource_manager']}/.default"
        )
        return {"Authorization": f"Bearer {token.token}"}

    def autoscale_settings(self) -> list[dict[str, Any]]:
        """All settings of Azure Monitor that scale something in the resource group."""
        connection = self.connection
        group = f"/subscriptions/{connection['subscription_id']}/resourceGroups/"
        answer = httpx2.get(
            f"{connection['azureml_url'].rstrip('/')}{group}{connection['resource_group']}"
            "/providers/Microsoft.Insights/autoscalesettings",
            params={"api-version": "2022-10-01"},
            headers=self.authorization,
            verify=ssl.create_default_context(cafile=connection["ca_file"]),
            timeout=30,
        )
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    def ml_as(self, person: str) -> MLClient:
        """A client for now that is signed in as a person, by their user name."""
        return self._client(Person(self.connection, person))

    def _client(self, credential: TokenCredential) -> MLClient:
        os.environ["REQUESTS_CA_BUNDLE"] = self.connection["ca_bundle"]
        return MLClient(
            credential,
            self.connection["subscription_id"],
            self.connection["resource_group"],
            self.connection["workspace"],
            cloud=self.connection["cloud"]["name"],
            cloud_metadata=self.connection["cloud"]["metadata"],
            enable_telemetry=False,
        )

    def jobs(self, project: str) -> list[str]:
        """The names of the project's pipeline jobs."""
        return [
            str(job.name)
            for job in self.ml.jobs.list()
            if (job.tags or {}).get("tuneops.project") == project
        ]

    def inputs(self, job: str) -> dict[str, str]:
        """The files that the job's one step was given, by input."""
        (step,) = self.ml.jobs.get(job).jobs.values()
        given = {name: each._data for name, each in step.inputs.items()}
        return {name: str(each.path) for name, each in given.items() if hasattr(each, "path")}

    def models(self, project: str) -> list[str]:
        """The versions of the project's model."""
        try:
            return [str(model.version) for model in self.ml.models.list(name=project)]
        except ResourceNotFoundError:
            return []

    def traffic(self, endpoint: str) -> dict[str, int] | None:
        """The endpoint's deployments with their traffic; None when there is no endpoint."""
        try:
            shares = self.ml.online_endpoints.get(endpoint).traffic or {}
            found = self.ml.online_deployments.list(endpoint)
            return {str(item.name): shares.get(item.name, 0) for item in found}
        except ResourceNotFoundError:
            return None

    def until_told(self, stream: str = "", seconds: float = 60) -> None:
        """Look until nobody is owed anything of a project, or of anything."""
        store = Store(self.blobs, "tuneops")
        prefix = documents.mailboxes(stream) if stream else documents.MAILBOXES
        deadline = time.monotonic() + seconds
        while waiting := [e.path for e in store.listed(prefix) if read_note(e.note).waiting]:
            assert time.monotonic() < deadline, waiting
            time.sleep(0.2)

    def messages(self, project: str) -> list[str]:
        """The titles of what people were told of the project, in order, once all is delivered."""
        self.until_told(project)
        told = HTTP.get(self.connection["inbox_url"]).json()
        titles = [str(item["body"]["title"]) for item in told]
        return [title for title in titles if title.startswith(f"{project}:")]

    def github(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        method: str = "POST",
        *,
        repository: str = "",
        token: str = "",
    ) -> Any:
        """An answer of GitHub's API, to a POST if there is a body and nothing else is said."""
        github = self.connection["github"]
        answer = HTTP.request(
            "GET" if body is None else method,
            f"{github['api_url']}/repos/{repository or github['repository']}/{path}",
            headers={"Authorization": f"Bearer {token or github['token']}"},
            json=body,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def token_of(self, login: str, permission: str = "write") -> str:
        """A token of somebody who may push and merge, or has another permission."""
        github = self.connection["github"]
        answer = HTTP.post(
            f"{github['api_url']}/_user_tokens",
            headers={"Authorization": f"Bearer {github['token']}"},
            json={"login": login, "permission": permission},
        )
        assert answer.is_success, answer.text
        return str(answer.json()["token"])

    def kill(self, module: str) -> None:
        """``kill -9`` a part of this cloud."""
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if module in line and str(self.state) in line:
                os.kill(process.pid, signal.SIGKILL)


def app_settings(cloud: Cloud, **changes: Any) -> Settings:
    """Settings of a TuneOps that signs in as this cloud's GitHub App, and what is different."""
    github = cloud.connection["github"]
    given = {
        "subscription_id": "s",
        "resource_group": "g",
        "workspace": "w",
        "github_api_url": github["api_url"],
        "github_repository": github["repository"],
        "github_app_id": str(github["app"]["id"]),
        "github_app_private_key": github["app"]["private_key"],
        "github_webhook_secret": "secret",
    }
    return Settings(**{**given, **changes})


def jsonl(rows: list[tuple[str, str]]) -> bytes:
    """Questions and answers as training data."""
    lines = (
        json.dumps(
            {
                "messages": [
                    {"content": question, "role": "user"},
                    {"content": answer, "role": "assistant"},
                ]
            }
        )
        for question, answer in rows
    )
    return "\n".join(lines).encode()


def some_rows(count: int = 24) -> list[tuple[str, str]]:
    """A few different rows."""
    return [(f"What is {n} plus one?", f"{n + 1}.") for n in range(count)]


ANSWERS_IN = {"request_settings": {"request_timeout_ms": 10_000}}
"""How long a deployment without traffic is left to answer its last requests."""


def config(name: str, **sections: Any) -> dict[str, Any]:
    """A project's config with a training of seconds, and nothing superseded kept for long."""
    deployment = {**ANSWERS_IN, **sections.pop("deployment", {})}
    return {
        "name": name,
        "model": {"name": "Phi-3-mini-4k-instruct"},
        "data": {"path": name},
        "training": {"parameters": QUICK},
        "smoke_test": {"max_new_tokens": 16, "do_sample": False},
        "rollout": {"keep_previous": 0},
        "deployment": deployment,
        **sections,
    }
