"""A webhook from GitHub.

A push to the branch of a source has the source read anew, a pull request to it is looked at, a
comment is heard.
"""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

import gidgethub
from gidgethub.sansio import Event
from pydantic import BaseModel, Field, ValidationError

from handlers import comment_made
from tuneops.queue import PullRequestRequest, RepositoryRequest
from tuneops.services import Services
from tuneops.storage_refusal import StorageRefusedError, refusals_explained

MAX_BODY_BYTES = 5 * 1024 * 1024
LOOKED_AT = ("opened", "reopened", "synchronize", "edited", "ready_for_review", "closed")
"""Of what was edited only the branch matters: anybody may edit a title as often as they like."""

log = logging.getLogger(__name__)


class _Repository(BaseModel):
    full_name: str


class _Push(BaseModel):
    ref: str
    repository: _Repository


class _Branch(BaseModel):
    ref: str


class _Pull(BaseModel):
    base: _Branch


class _PullRequest(BaseModel):
    action: str
    number: int = Field(ge=1, lt=2**53)
    pull_request: _Pull
    repository: _Repository
    changes: dict[str, object] = {}


def handle(headers: Mapping[str, str], body: bytes, services: Services) -> tuple[HTTPStatus, str]:
    """The status and text to answer a delivery with.

    The signature is checked before the body is looked at; only what concerns the branch of a source
    has an effect. A signature that is not ASCII raises TypeError in gidgethub 6.0.
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
    takes = {"push": _push, "pull_request": _pull_request, "issue_comment": comment_made.take}
    take = takes.get(event.event)
    if take is None:
        return HTTPStatus.ACCEPTED, "nothing to do for this event"
    try:
        with refusals_explained():
            return take(event, services)
    except StorageRefusedError as error:
        log.error("delivery %s: %s", json.dumps(event.delivery_id), error.message)
        return HTTPStatus.SERVICE_UNAVAILABLE, str(error.message)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        return HTTPStatus.BAD_REQUEST, f"the {event.event} lacks {fields}"


def _pull_request(event: Event, services: Services) -> tuple[HTTPStatus, str]:
    pull = _PullRequest.model_validate(event.data)
    environments = _environments(pull.repository, pull.pull_request.base.ref, services)
    if not environments:
        return HTTPStatus.ACCEPTED, "not to a tracked branch"
    retold = pull.action == "edited" and "base" not in pull.changes
    if pull.action not in LOOKED_AT or retold:
        return HTTPStatus.ACCEPTED, "nothing changes by this"
    for environment in environments:
        services.queue.send(PullRequestRequest(environment=environment, number=pull.number))
    return HTTPStatus.ACCEPTED, "the pull request is being looked at"


def _push(event: Event, services: Services) -> tuple[HTTPStatus, str]:
    push = _Push.model_validate(event.data)
    heads, _, branch = push.ref.partition("refs/heads/")
    environments = _environments(push.repository, branch, services) if not heads else []
    if not environments:
        return HTTPStatus.ACCEPTED, "not a tracked branch"
    for environment in environments:
        services.queue.send(RepositoryRequest(environment=environment))
    log.info("delivery %s: push to %s", json.dumps(event.delivery_id), branch)
    return HTTPStatus.ACCEPTED, "the repository is being read"


def _environments(repository: _Repository, branch: str, services: Services) -> list[str]:
    """The environments whose source is this branch."""
    return [
        source.environment
        for source in services.settings.config_sources
        if source.reads(repository.full_name, branch)
    ]
