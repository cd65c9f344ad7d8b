"""The people of one project: they merge, upload and order, and look what becomes of it."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx2
from azure.core.exceptions import AzureError, ResourceExistsError

from tests.chaos.evidence import Expected
from tests.chaos.pace import slowness
from tests.cloud import Cloud, config, jsonl, some_rows
from tests.faults import Faults
from tuneops import documents
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.store import Store

SECONDS = 600
LOOK_SECONDS = 0.3


class NotReachedError(Exception):
    """Something did not come to be in time."""


class Team:
    """One of them; `expected` says how each release has to end."""

    merging = threading.Lock()

    def __init__(self, cloud: Cloud, name: str, faults: Faults) -> None:
        self.cloud = cloud
        self.name = name
        self.faults = faults
        self.expected: list[Expected] = []
        self.deleted_by_hand: set[str] = set()
        """Deployments, as ENDPOINT/DEPLOYMENT."""
        self._store = Store(cloud.blobs, "tuneops")

    # What they do

    def merge(self, **sections: Any) -> str:
        """Merge the project's config, which has these sections."""
        return self._merge({f"{self.name}.yaml": config(self.name, **sections)})

    def remove(self) -> None:
        """Take the project out of git, and look until nothing of it serves."""
        self._merge({f"{self.name}.yaml": None})
        self._until(lambda release: release.phase == Phase.RETIRED, "retired")
        newest = max((each.number for each in self.expected), default=0)
        self.expected = [
            replace(each, phase="Retired", reason="")
            if each.number == newest or each.phase == "Live"
            else each
            for each in self.expected
        ]

    def _merge(self, files: dict[str, Any]) -> str:
        with self.merging:
            return str(self._insist(lambda: self.cloud.merge(files, f"Change {self.name}")))

    def upload(self, rows: Any = None, file: str = "chats.jsonl") -> None:
        """Upload training data."""
        rows = some_rows() if rows is None else rows
        content = rows if isinstance(rows, bytes) else jsonl(rows)
        self._insist(lambda: self._put_once(f"{self.name}/{file}", content))

    def _put_once(self, path: str, content: bytes) -> None:
        """Uploaded again it would be other data: an answer that is lost is no reason to."""
        with suppress(ResourceExistsError):
            self.cloud.blobs.get_blob_client("datasets", path).upload_blob(content)

    def upload_set(self) -> None:
        """Upload an evaluation set that any answer passes."""
        row = b'{"prompt": "What is 1 plus one?", "pattern": "."}\n'
        self._insist(lambda: self.cloud.upload("sets/any.jsonl", row * 3))

    def merge_by_pull(self, **sections: Any) -> int:
        """Merge the project's config by a pull request; gives its number."""
        files: dict[str, Any] = {f"{self.name}.yaml": config(self.name, **sections)}
        with self.merging:
            return int(self._insist(lambda: self.cloud.merge_by_pull(self.name, files)))

    def comment(self, pull: int, text: str) -> None:
        """Say something on a pull request."""
        path, body = f"issues/{pull}/comments", {"body": text}
        self._insist(lambda: self.cloud.github(path, body, token=self.cloud.token_of("ada")))

    def take_traffic(self, release: Release) -> None:
        """Take the traffic from a deployment by hand."""

        def take() -> None:
            endpoints = self.cloud.ml_as("ada@contoso.example").online_endpoints
            endpoint = endpoints.get(release.endpoint)
            endpoint.traffic = {release.deployment_name: 0}
            endpoints.begin_create_or_update(endpoint)

        self._insist(take)

    def delete_by_hand(self, release: Release) -> None:
        """Begin to delete a deployment by hand."""

        def delete() -> None:
            deployments = self.cloud.ml_as("ada@contoso.example").online_deployments
            deployments.begin_delete(release.deployment_name, release.endpoint)

        self.deleted_by_hand.add(f"{release.endpoint}/{release.deployment_name}")
        self._insist(delete)

    def order(self, what: str, **order: Any) -> None:
        """Give an order by the API, until it is taken."""
        functions = self.cloud.connection["functions"]

        def give() -> None:
            answer = httpx2.post(
                f"{functions['base_url']}/api/projects/{self.name}/{what}",
                json={"by": "ada", **order},
                headers={"x-functions-key": functions["key"]},
                timeout=30,
            )
            if not answer.is_success:
                raise OSError(f"{what}: {answer.status_code} {answer.text}")

        self._insist(give)

    # What they expect

    def lives(self, number: int) -> Release:
        """This release has to become live."""
        release = self._until(
            lambda found: found.phase == Phase.LIVE or found.phase.ended, "live", number
        )
        self.expected.append(Expected(self.name, number, "Live"))
        self._settle(number - 1)
        return release

    def fails(self, number: int, reason: str) -> Release:
        """This release has to fail, for this reason."""
        self.expected.append(Expected(self.name, number, "Failed", reason))
        return self._until(lambda found: found.phase.ended, "failed", number)

    def is_superseded(self, number: int) -> Release:
        """This release has to make way before it is live."""
        self.expected.append(Expected(self.name, number, "Superseded"))
        return self._until(lambda found: found.phase.ended, "superseded", number)

    def comes_to(self, number: int, there: Callable[[Release], bool], what: str) -> Release:
        """This release has to come there on its way."""
        return self._until(there, what, number)

    def _settle(self, number: int) -> None:
        """What was live before is superseded from now on."""
        self.expected = [
            Expected(self.name, each.number, "Superseded")
            if each.phase == "Live" and each.number <= number
            else each
            for each in self.expected
        ]

    # What they see: documents, as hosts may be down

    def project(self) -> Project | None:
        """The project's document."""
        found = self._store.read(documents.project(self.name), Project)
        return found.value if found else None

    def releases(self) -> list[Release]:
        """All releases."""
        project = self.project()
        newest = (project.current or 0) if project else 0
        found = (self._release(number) for number in range(1, newest + 1))
        return [release for release in found if release]

    def jobs(self) -> list[Any]:
        """Its jobs in Azure."""
        mine = f"{self.name}-"
        return [job for job in self.cloud.ml.jobs.list() if str(job.name).startswith(mine)]

    def _newest(self) -> Release | None:
        project = self.project()
        return self._release(project.current) if project and project.current else None

    def _release(self, number: int) -> Release | None:
        found = self._store.read(documents.release(self.name, number), Release)
        return found.value if found else None

    def _until(
        self, there: Callable[[Release], bool], what: str, number: int | None = None
    ) -> Release:
        deadline = time.monotonic() + SECONDS * slowness()
        seen: Release | None = None
        while time.monotonic() < deadline:
            try:
                seen = self._release(number) if number else self._newest()
            except AzureError:
                time.sleep(1)
                continue
            if seen and there(seen):
                return seen
            time.sleep(LOOK_SECONDS)
        which = f"release {number}" if number else "the newest release"
        stands = f"{seen.phase}: {seen.reason}, {seen.trouble}, {seen.waiting}" if seen else "none"
        raise NotReachedError(
            f"{which} of {self.name} is not {what} in {SECONDS} s; it is {stands}"
        )

    def until(self, there: Callable[[], bool], what: str) -> None:
        """Look until it is so."""
        deadline = time.monotonic() + SECONDS * slowness()
        while time.monotonic() < deadline:
            try:
                if there():
                    return
            except (AzureError, httpx2.HTTPError):
                pass
            time.sleep(LOOK_SECONDS)
        raise NotReachedError(f"{self.name}: not {what} in {SECONDS} s")

    def _insist(self, do: Callable[[], Any]) -> Any:
        """People try again while storage or a host does not answer."""
        deadline = time.monotonic() + SECONDS * slowness()
        while True:
            try:
                return do()
            except (AzureError, httpx2.HTTPError, OSError, AssertionError) as error:
                if time.monotonic() > deadline:
                    raise NotReachedError(f"{self.name}: {error}") from error
                time.sleep(1)
