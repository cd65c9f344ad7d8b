"""Taking an event: what it asks for is put on the queue, and the event is written down.

Its sender waits for one call to storage: where an event has messages, its record goes along with
them, and who works on one writes it down first.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.core.exceptions import AzureError

from tuneops.events.effect import Led
from tuneops.events.record import Arrival, Source, Verdict, arrival, outcome
from tuneops.queue import (
    CommentRequest,
    ProjectRequest,
    PullRequestRequest,
    RepositoryRequest,
)
from tuneops.services import Services

log = logging.getLogger(__name__)

Asked = ProjectRequest | RepositoryRequest | PullRequestRequest | CommentRequest
"""What an event may lead to."""


@dataclass(frozen=True)
class Weighed:
    """What is made of an event, about what, and why; `requests` are what it leads to.

    `gathered` are projects that are looked at together, for all events that concern them.
    """

    verdict: Verdict
    why: str
    subject: str = ""
    requests: tuple[Asked, ...] = ()
    gathered: tuple[str, ...] = ()

    @property
    def projects(self) -> list[str]:
        """The projects that are to be looked at."""
        named = [each.project for each in self.requests if isinstance(each, ProjectRequest)]
        return [*named, *self.gathered]


def take(weighed: Weighed, identifier: str, source: Source, kind: str, services: Services) -> None:
    """Do what an event asks for, and see to it that it is written down.

    `identifier` is its sender's, `kind` what the sender calls it. What fails here its sender
    delivers again, or it stands there as waiting, and the timer finds what it was about.

    Raises:
        AzureError: it can't be done now.
    """
    now = datetime.now(UTC)
    record = arrival(
        identifier,
        now,
        source,
        kind,
        weighed.subject,
        weighed.verdict,
        weighed.why,
        weighed.projects,
    )
    log.info("event %s", record.model_dump_json(exclude={"line"}))
    if weighed.requests:
        _send(weighed.requests, record, services)
        return
    services.ledger.arrived(record)
    if weighed.gathered:
        _look_at_all(record.ticket, services, now)


def _send(requests: tuple[Asked, ...], record: Arrival, services: Services) -> None:
    known = {"event": record.ticket, "unwritten": record}
    try:
        for request in requests:
            services.prompt_queue.send(request.model_copy(update=known))
    except AzureError:
        services.ledger.arrived(record)
        raise


def _look_at_all(ticket: str, services: Services, now: datetime) -> None:
    from tuneops.gathering import look_at_all
    from tuneops.store import SOON

    look_at_all(services, now)
    why = "one look at all projects sees to it"
    record = outcome(ticket, now, "all projects", "merged", why)
    services.ledger.led_to(ticket, record, **SOON)


def written(request: Asked, services: Services) -> Asked:
    """The request of an event that is written down; it is now, if it was not.

    Raises:
        AzureError: it can't be written now; the queue delivers the request again.
    """
    if request.unwritten is None:
        return request
    services.ledger.came(request.unwritten)
    return request.model_copy(update={"unwritten": None})


def tell(request: Asked, led: Led | None, services: Services) -> None:
    """Write down what the event behind a request has led to, where there is one and it is known.

    Raises:
        AzureError: it can't be written now; the queue delivers the request again.
    """
    if not request.event or led is None:
        return
    record = outcome(
        request.event, datetime.now(UTC), _about(request), led.effect, led.why, led.release
    )
    services.ledger.led_to(request.event, record)


def _about(request: Asked) -> str:
    if isinstance(request, ProjectRequest):
        return request.project
    what = "repository"
    if not isinstance(request, RepositoryRequest):
        what = f"pull request {request.number}"
    return " ".join(filter(None, (request.environment, what)))
