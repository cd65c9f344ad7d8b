"""The queues: names of what is to be looked at, or delivered, at once or after a while."""

import base64
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from pydantic import BaseModel, ConfigDict, Field

from tuneops.events.record import TICKET, Arrival
from tuneops.inheriting import inheriting
from tuneops.looks import View
from tuneops.names import DIGEST, ENVIRONMENT, PROJECT_KEY, STREAM
from tuneops.telemetry.current import outgoing

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient

MAX_DELAY_SECONDS = 7 * 24 * 3600
SIDE_BY_SIDE = 8
CHANNEL = r"^[^/\\\x00-\x1f]{1,100}$"


class _OfEvent(BaseModel):
    """What an event may have led to: `event` is its ticket.

    `unwritten` is its record, until somebody works on the request, who writes it down first.
    `tries` counts those in vain.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event: str = Field("", pattern=TICKET)
    unwritten: Arrival | None = Field(None, exclude_if=lambda record: record is None)
    tries: int = Field(0, ge=0, exclude_if=lambda tries: tries == 0)


class ProjectRequest(_OfEvent):
    """Look at one project; `wake` is set when the project itself asked for this message.

    `view` is what a resync had seen of it.
    """

    kind: Literal["project"] = "project"
    project: str = Field(pattern=PROJECT_KEY)
    wake: str | None = None
    view: View | None = None


class ProjectsRequest(BaseModel):
    """Find out which of all projects are to be looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["projects"] = "projects"


class RepositoryRequest(_OfEvent):
    """Read an environment's configs."""

    kind: Literal["repository"] = "repository"
    environment: str = Field("", pattern=ENVIRONMENT)


class PullRequestRequest(_OfEvent):
    """Say on a pull request what merging it would do in an environment."""

    kind: Literal["pull_request"] = "pull_request"
    environment: str = Field("", pattern=ENVIRONMENT)
    number: int = Field(ge=1, lt=2**53)


class CommentRequest(_OfEvent):
    """Follow what a comment on a pull request orders."""

    kind: Literal["comment"] = "comment"
    environment: str = Field("", pattern=ENVIRONMENT)
    number: int = Field(ge=1, lt=2**53)
    comment: int = Field(ge=1, lt=2**63)


class PullRequestsRequest(BaseModel):
    """Find out which of an environment's open pull requests have no review yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["pull_requests"] = "pull_requests"
    environment: str = Field("", pattern=ENVIRONMENT)


class SweepRequest(BaseModel):
    """Find what belongs to nothing in an environment's workspace, and sweep it away in its time.

    `only` to look, and delete nothing; or only to tell people, and to note who was told.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["sweep"] = "sweep"
    environment: str = Field("", pattern=ENVIRONMENT)
    only: Literal["", "look", "tell"] = ""


class RestoreRequest(BaseModel):
    """Bring back a little more of what was swept away."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["restore"] = "restore"
    id: str = Field(pattern=DIGEST)


class SummaryRequest(BaseModel):
    """Tell people what runs in an environment on a day; `tries` counts those in vain."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["summary"] = "summary"
    environment: str = Field("", pattern=ENVIRONMENT)
    day: date
    tries: int = Field(0, ge=0)

    def again(self) -> "SummaryRequest":
        """The same after one more try in vain."""
        return self.model_copy(update={"tries": self.tries + 1})


Request = (
    ProjectRequest
    | ProjectsRequest
    | RepositoryRequest
    | PullRequestRequest
    | PullRequestsRequest
    | SweepRequest
    | RestoreRequest
    | SummaryRequest
    | CommentRequest
)


class DeliverRequest(BaseModel):
    """Deliver what a channel is owed of a stream; `wake` is set when the mailbox has asked for it.

    This and `MailboxesRequest` go on a queue of their own: nobody waits for a slow receiver.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["deliver"] = "deliver"
    channel: str = Field(pattern=CHANNEL)
    stream: str = Field(pattern=STREAM)
    wake: str | None = None


class MailboxesRequest(BaseModel):
    """Find the mailboxes that owe something and that nobody will come for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["mailboxes"] = "mailboxes"


Delivering = DeliverRequest | MailboxesRequest


class RequestQueue:
    """Sends requests; the Functions host delivers them, at least once and in any order."""

    def __init__(self, client: "QueueClient") -> None:
        self._client = client

    def send(self, request: Request | Delivering, delay_seconds: float = 0) -> None:
        """Put a request on the queue, to be delivered after the delay; a missing queue is made.

        The text is base64, which is what the Functions host reads by default. Beside the request
        it has what the trace goes on from, which earlier versions ignore.
        """
        planned = timedelta(seconds=delay_seconds) if getattr(request, "wake", None) else None
        said = request.model_dump(mode="json") | outgoing(planned)
        body = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
        text = base64.b64encode(body.encode()).decode()
        delay = min(max(0, round(delay_seconds)), MAX_DELAY_SECONDS - 60)
        try:
            self._client.send_message(text, visibility_timeout=delay)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                self._client.create_queue()
            self._client.send_message(text, visibility_timeout=delay)

    def send_all(self, requests: Iterable[Request]) -> None:
        """Put many on the queue, some of them at the same time, each in the caller's context."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(inheriting(self.send), requests))
