"""A webhook from GitHub.

A push to the tracked branch has the repository read anew, a pull request to it is looked at.
"""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

import gidgethub
from gidgethub.sansio import Event
from pydantic import BaseModel, Field, ValidationError

from tuneops.queue import PullRequestRequest, RepositoryRequest
from tuneops.services import Services

MAX_BODY_BYTES = 5 * 1024 * 1024
LOOKED_AT = ("opened", "reopened", "synchronize", "edited", "ready_for_review")

log = logging.getLogger(__name__)


class _Repository(BaseModel):
    full_name: str


class _Push(BaseModel):
    ref: str
    repository: _Repository


class _PullRequest(BaseModel):
    action: str
    number: int = Field(ge=1, lt=2**53)
    repository: _Repository


def handle(headers: Mapping[str, str], body: bytes, services: Services) -> tuple[HTTPStatus, str]:
    """The status and text to answer a delivery with.

    The signature is checked before the body is looked at; only a push to the tracked branch of the
    tracked repository has an effect. A signature that is not ASCII raises TypeError in the
    comparison of gidgethub 6.0.
    """
    if len(body) > MAX_BODY_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes are read"
    secret = services.settings.github_webhook_secret.get_secret_value()
    try:
        event = Event.from_http({k.lower(): v for k, v in headers.items()}, body, secret=secret)
    except (gidgethub.ValidationFailure, TypeError):
        return HTTPStatus.UNAUTHORIZED, "the signature does not match"
    except gidgethub.BadRequest:
        return HTTPStatus.BAD_REQUEST, "send JSON with content type application/json"
    except (KeyError, ValueError, RecursionError):
        return HTTPStatus.BAD_REQUEST, "this is no delivery of GitHub's"
    if event.event == "ping":
        return HTTPStatus.OK, "pong"
    take = {"push": _push, "pull_request": _pull_request}.get(event.event)
    if take is None:
        return HTTPStatus.ACCEPTED, "nothing to do for this event"
    try:
        return take(event, services)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        return HTTPStatus.BAD_REQUEST, f"the {event.event} lacks {fields}"


def _pull_request(event: Event, services: Services) -> tuple[HTTPStatus, str]:
    pull = _PullRequest.model_validate(event.data)
    if pull.repository.full_name.lower() != services.settings.github_repository.lower():
        return HTTPStatus.ACCEPTED, "not the tracked repository"
    if pull.action not in LOOKED_AT:
        return HTTPStatus.ACCEPTED, "nothing changes by this"
    services.queue.send(PullRequestRequest(number=pull.number))
    return HTTPStatus.ACCEPTED, "the pull request is being looked at"


def _push(event: Event, services: Services) -> tuple[HTTPStatus, str]:
    push = _Push.model_validate(event.data)
    settings = services.settings
    tracked = (settings.github_repository.lower(), f"refs/heads/{settings.github_branch}")
    if (push.repository.full_name.lower(), push.ref) != tracked:
        return HTTPStatus.ACCEPTED, "not the tracked branch"
    services.queue.send(RepositoryRequest())
    log.info("delivery %s: push to %s", json.dumps(event.delivery_id), settings.github_branch)
    return HTTPStatus.ACCEPTED, "the repository is being read"
