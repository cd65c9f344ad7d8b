"""Which running TuneOps a command speaks to: the local cloud, or the one the options name."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote

import httpx2
import typer
from pydantic import BaseModel, ValidationError

from tuneops.reading.releases import ProjectNames
from tuneops.rollback import Answer
from tuneops.settings import WorkspaceSettings
from tuneops.status import ProjectStatus, Status
from tuneops.sweep.view import SweepView

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

STATE = Path(".localcloud")
TIMEOUT_SECONDS = 30
ORDER_SECONDS = 120
"""An order may take several calls to GitHub."""

Read = TypeVar("Read", bound=BaseModel)

StateOption = Annotated[
    Path, typer.Option("--state", envvar="LOCALCLOUD_STATE", help="The local cloud's folder.")
]
UrlOption = Annotated[
    str, typer.Option(envvar="TUNEOPS_URL", help="Address of the function app in Azure.")
]
KeyOption = Annotated[
    str, typer.Option(envvar="TUNEOPS_FUNCTION_KEY", help="A function key of the app.")
]
AccountOption = Annotated[
    str,
    typer.Option(
        envvar="TUNEOPS_STORAGE_ACCOUNT_URL", help="https://ACCOUNT.blob.core.windows.net"
    ),
]


def fail(message: str) -> typer.Exit:
    """Say what is wrong on standard error; raise what this returns, to exit 1."""
    typer.echo(message, err=True)
    return typer.Exit(1)


def read_connection(state: Path) -> dict[str, Any]:
    """What the local cloud says of itself.

    Raises:
        typer.Exit: it was never started.
    """
    try:
        connection: dict[str, Any] = json.loads((state / "connection.json").read_text())
    except (OSError, ValueError) as error:
        raise fail(
            f"no local cloud in {state}: start one with 'tuneops local up', or give --url and --key"
        ) from error
    return connection


class NoAnswerError(Exception):
    """The function app does not say what it was asked; the message says why."""


class LostError(NoAnswerError):
    """It can't be reached, or is in trouble itself: it may answer if it is asked again."""


@dataclass(frozen=True)
class Target:
    """A running TuneOps."""

    url: str
    key: str
    datasets_container: str = "datasets"

    @classmethod
    def find(cls, url: str, key: str, state: Path) -> "Target":
        """The one at `url` if given, else the local cloud's.

        Raises:
            typer.Exit: there is neither.
        """
        if url:
            return cls(url.rstrip("/"), key)
        functions = read_connection(state)["functions"]
        return cls(functions["base_url"], functions["key"])

    def status(self, project: str | None = None) -> Status:
        """The status of one project, or of all.

        Raises:
            typer.Exit: it can't be had.
        """
        try:
            seen = self.look(project)
        except NoAnswerError as error:
            raise fail(str(error)) from error
        if seen is None:
            raise fail(f"there is no project {project}")
        return seen

    def project(self, name: str) -> ProjectStatus | None:
        """The status of one project, None if there is no such project.

        Raises:
            NoAnswerError: it can't be had.
        """
        seen = self.look(name)
        return seen.projects[0] if seen else None

    def names(self, seconds: float) -> tuple[str, ...]:
        """The names of all projects.

        Raises:
            NoAnswerError: they can't be had within so many seconds.
        """
        return self.fetch("projects", ProjectNames, {}, seconds).projects

    def read(self, path: str, kind: type[Read], params: Mapping[str, Any] | None = None) -> Read:
        """What TuneOps has below ``api/``.

        Raises:
            typer.Exit: it can't be had.
        """
        try:
            return self.fetch(path, kind, params or {}, ORDER_SECONDS)
        except NoAnswerError as error:
            raise fail(str(error)) from error

    def fetch(self, path: str, kind: type[Read], params: Mapping[str, Any], seconds: float) -> Read:
        """What TuneOps has below ``api/``.

        Raises:
            LostError: it does not answer within so many seconds, or with an error of its own.
            NoAnswerError: it can't be had; the message is TuneOps's own, where it gives one.
        """
        response = self._send("GET", path, params=params, timeout=seconds)
        if response.status_code == httpx2.codes.OK:
            return self._parsed(response, kind)
        refused = self.refusal(response)
        with suppress(ValidationError):
            refused = Answer.model_validate_json(response.content).text
        raise (LostError if response.is_server_error else NoAnswerError)(refused)

    def order(self, project: str, what: str, body: dict[str, Any]) -> Answer:
        """Order something for a project: `what` is rollback, retry, approve, suspend or resume.

        Raises:
            typer.Exit: it was refused, or TuneOps does not answer.
        """
        return self.post(f"projects/{quote(project, safe='')}/{what}", body)

    def sweep(self, *, look: bool) -> SweepView:
        """What belongs to nothing, as of the last sweep or of a look now.

        Raises:
            typer.Exit: it can't be had.
        """
        return self.read("sweep", SweepView, {"look": "now"} if look else {})

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """Give an order.

        Raises:
            typer.Exit: it was refused, or TuneOps does not answer.
        """
        response = self.send_or_fail("POST", path, json=body)
        try:
            answer = Answer.model_validate_json(response.content)
        except ValidationError as error:
            raise fail(self.refusal(response)) from error
        if response.status_code != httpx2.codes.OK:
            by_hand = ("By hand:", *answer.commands) if answer.commands else ()
            raise fail("\n".join((answer.text, *by_hand)))
        return answer

    def send_or_fail(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """What TuneOps answers to a request that may take long, whatever its status.

        Raises:
            typer.Exit: it does not answer.
        """
        try:
            return self._send(method, path, timeout=ORDER_SECONDS, **given)
        except NoAnswerError as error:
            raise fail(str(error)) from error

    def refusal(self, response: httpx2.Response) -> str:
        """What an answer means that says nothing itself."""
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            return f"{self.url} refuses the key: give a function key of the app with --key"
        return f"{self.url} answers with status {response.status_code}"

    def _send(self, method: str, path: str, **given: Any) -> httpx2.Response:
        headers = {"x-functions-key": self.key}
        try:
            return httpx2.request(method, f"{self.url}/api/{path}", headers=headers, **given)
        except httpx2.HTTPError as error:
            raise LostError(f"{self.url} does not answer ({type(error).__name__})") from error

    def look(self, project: str | None) -> Status | None:
        """The status of one project, or of all; None if there is no such project.

        Raises:
            LostError: it does not answer, or with an error of its own.
            NoAnswerError: it can't be had.
        """
        if project:
            return self._status({"project": project})
        found = page = self._status({})
        while found and page and page.next:
            page = self._status({"after": page.next})
            more = page.projects if page else []
            found = found.model_copy(update={"projects": found.projects + more, "next": None})
        return found

    def _status(self, params: dict[str, str]) -> Status | None:
        response = self._send("GET", "status", params=params, timeout=TIMEOUT_SECONDS)
        if response.status_code == httpx2.codes.NOT_FOUND and "project" in params:
            return None
        if response.status_code != httpx2.codes.OK:
            kind = LostError if response.is_server_error else NoAnswerError
            raise kind(self.refusal(response))
        return self._parsed(response, Status)

    def _parsed(self, response: httpx2.Response, kind: type[Read]) -> Read:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise NoAnswerError(
                f"{self.url} does not answer like this version of TuneOps"
            ) from error


def open_storage(account_url: str, state: Path, **options: Any) -> "BlobServiceClient":
    """The storage account at `account_url` with your Azure login, else the local cloud's.

    The `options` are the SDK's.

    Raises:
        typer.Exit: there is neither.
    """
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobServiceClient

    if account_url:
        return BlobServiceClient(account_url, DefaultAzureCredential(), **options)
    storage = read_connection(state)["storage"]
    return BlobServiceClient.from_connection_string(storage["connection_string"], **options)


def local_workspace(connection: dict[str, Any]) -> WorkspaceSettings:
    """The local cloud's workspace."""
    return WorkspaceSettings(
        subscription_id=connection["subscription_id"],
        resource_group=connection["resource_group"],
        workspace=connection["workspace"],
        cloud=connection["cloud"]["name"],
        cloud_metadata=connection["cloud"]["metadata"],
    )


def use_local_identity(connection: dict[str, Any]) -> None:
    """Let Azure's SDKs in this process sign in to the local cloud, and trust its certificate."""
    os.environ.update(
        IDENTITY_ENDPOINT=connection["identity"]["endpoint"],
        IDENTITY_HEADER=connection["identity"]["header"],
        AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential",
        ARM_CLOUD_METADATA_URL=f"{connection['azureml_url']}/metadata/endpoints",
        MLFLOW_DISABLE_TELEMETRY="true",
        REQUESTS_CA_BUNDLE=connection["ca_bundle"],
        SSL_CERT_FILE=connection["ca_bundle"],
    )
