"""A message on the queue ``reconcile``: look at one thing, or find out at which to look."""

import logging
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from tuneops.cost.digest import summarize
from tuneops.hearing import hear_one
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
from tuneops.reconcile import reconcile_project
from tuneops.resync import resync_projects, resync_pull_requests
from tuneops.review import review_pull_request
from tuneops.services import NoSourceError, Services
from tuneops.storage_refusal import refusals_explained
from tuneops.sweep.restorer import restore_swept
from tuneops.sweep.sweeper import sweep_workspace
from tuneops.sync import sync_repository

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])

log = logging.getLogger(__name__)


class UnknownKindError(Exception):
    """The message is of a kind that this version does not know."""


@refusals_explained()
def handle(body: bytes, services: Services) -> None:
    """Do what the message asks for; one that can't be read is dropped, since no retry mends it.

    While TuneOps is being updated a host of the earlier version gets messages of the later one,
    too: what it does not know the queue delivers again, to one that does.

    Raises:
        UnknownKindError: another version has sent it.
        GitHubError, AzureError: it can't be done now; the queue delivers the message again.
    """
    try:
        request = _REQUEST.validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "union_tag_invalid":
            raise UnknownKindError(f"this version knows no such request: {body[:200]!r}") from None
        log.error("dropped a message that is no request: %r", body[:200])
        return
    try:
        if isinstance(request, ProjectRequest):
            reconcile_project(request, services)
        elif isinstance(request, PullRequestRequest):
            review_pull_request(request, services)
        elif isinstance(request, CommentRequest):
            hear_one(request, services)
        elif isinstance(request, ProjectsRequest):
            resync_projects(services)
        elif isinstance(request, PullRequestsRequest):
            resync_pull_requests(request, services)
        elif isinstance(request, SweepRequest):
            sweep_workspace(request, services)
        elif isinstance(request, RestoreRequest):
            restore_swept(request, services)
        elif isinstance(request, SummaryRequest):
            summarize(request, services)
        else:
            sync_repository(request, services)
    except NoSourceError as error:
        log.info("dropped %s: %s", request, error)
