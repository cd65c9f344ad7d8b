"""A message on the queue ``reconcile``: look at one thing, or find out at which to look."""

import logging
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from tuneops.events.effect import Led
from tuneops.events.taking import Asked, tell, written
from tuneops.gitops.errors import GitHubError
from tuneops.putting_off import AtGitHub, put_off
from tuneops.queue import (
    CommentRequest,
    ProjectRequest,
    ProjectsRequest,
    PullRequestRequest,
    PullRequestsRequest,
    Request,
    RestoreRequest,
    SummaryRequest,
    SweepRequest,
)
from tuneops.services import NoSourceError, Services
from tuneops.storage_refusal import refusals_explained
from tuneops.telemetry import fields

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])

log = logging.getLogger(__name__)


class UnknownKindError(Exception):
    """The message is of a kind that this version does not know."""


@refusals_explained()
def handle(body: bytes, services: Services, inserted: datetime | None = None) -> None:
    """Do what the message asks for; one that can't be read is dropped, since no retry mends it.

    `inserted` is when it was put on the queue, by storage's clock; Microsoft's worker takes the
    zone away, which is always UTC.

    While TuneOps is being updated a host of the earlier version gets messages of the later one,
    too: what it does not know the queue delivers again, to one that does.

    Raises:
        UnknownKindError: another version has sent it.
        AzureError: it can't be done now; the queue delivers the message again.
    """
    try:
        request = _REQUEST.validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "union_tag_invalid":
            raise UnknownKindError(f"this version knows no such request: {body[:200]!r}") from None
        log.error("dropped a message that is no request: %r", body[:200])
        return
    with fields.bound(_named(request)):
        if isinstance(request, Asked):
            request = written(request, services)
        try:
            _do(request, services, inserted.replace(tzinfo=UTC) if inserted else None)
        except NoSourceError as error:
            log.info("dropped %s: %s", request, error)
            if isinstance(request, Asked):
                tell(request, Led("ignored", str(error)), services)
        except GitHubError as error:
            if not isinstance(request, AtGitHub):
                raise
            put_off(request, error, services)


def _named(request: Request) -> dict[str, str]:
    if isinstance(request, ProjectRequest):
        return fields.of_stream(request.project)
    return {fields.ENVIRONMENT: getattr(request, "environment", "")}


def _do(request: Request, services: Services, since: datetime | None) -> None:
    """Each kind imports what it takes: an instance that only just started does one of them."""
    if isinstance(request, ProjectRequest):
        from tuneops.reconcile import reconcile_project

        tell(request, reconcile_project(request, services, since=since), services)
    elif isinstance(request, PullRequestRequest):
        from tuneops.review import review_pull_request

        tell(request, review_pull_request(request, services), services)
    elif isinstance(request, CommentRequest):
        from tuneops.hearing import hear_one

        tell(request, hear_one(request, services), services)
    elif isinstance(request, ProjectsRequest):
        from tuneops.resync import resync_projects

        resync_projects(services)
    elif isinstance(request, PullRequestsRequest):
        from tuneops.resync import resync_pull_requests

        resync_pull_requests(request, services)
    elif isinstance(request, SweepRequest):
        from tuneops.sweep.sweeper import sweep_workspace

        sweep_workspace(request, services)
    elif isinstance(request, RestoreRequest):
        from tuneops.sweep.restorer import restore_swept

        restore_swept(request, services)
    elif isinstance(request, SummaryRequest):
        from tuneops.cost.digest import summarize

        summarize(request, services)
    else:
        from tuneops.sync import sync_repository

        tell(request, sync_repository(request, services), services)
