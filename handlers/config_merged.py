"""A webhook from GitHub.

A push to the branch of a source has the source read anew, a pull request to it is looked at, a
comment is heard.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import gidgethub
from gidgethub.sansio import Event
from pydantic import BaseModel, Field, ValidationError

from handlers import comment_made
from tuneops.events.taking import Weighed, take
from tuneops.hosting import UNRESOLVED
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
    after: str = ""
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
    """The status and text to answer a delivery with; it is written down with what becomes of it."""
    named = {name.lower(): value for name, value in headers.items()}
    status, weighed = _weigh(named, body, services)
    identifier, kind = named.get("x-github-delivery", ""), named.get("x-github-event", "")
    try:
        with refusals_explained():
            take(weighed, identifier, "github", kind, services)
    except StorageRefusedError as error:
        log.error("a delivery is left to GitHub: %s", error.message)
        return HTTPStatus.SERVICE_UNAVAILABLE, str(error.message)
    return status, weighed.why


def _weigh(
    headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, Weighed]:
    """What is made of a delivery.

    The signature is checked before the body is looked at; only what concerns the branch of a source
    has an effect. A signature that is not ASCII raises TypeError in gidgethub 6.0.
    """
    if len(body) > MAX_BODY_BYTES:
        text = f"at most {MAX_BODY_BYTES} bytes are read"
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Weighed("refused", text)
    secret = services.settings.github_webhook_secret.get_secret_value()
    if secret.startswith(UNRESOLVED):
        text = "the webhook's secret can't be read from Key Vault: tuneops doctor"
        return HTTPStatus.SERVICE_UNAVAILABLE, Weighed("refused", text)
    if not headers.get("x-hub-signature-256", "").startswith("sha256="):
        return HTTPStatus.UNAUTHORIZED, Weighed("refused", "the signature does not match")
    try:
        event = Event.from_http(headers, body, secret=secret)
    except (gidgethub.ValidationFailure, TypeError):
        return HTTPStatus.UNAUTHORIZED, Weighed("refused", "the signature does not match")
    except gidgethub.BadRequest:
        return _bad("send JSON with content type application/json")
    except (LookupError, ValueError, RecursionError):
        return _bad("this is no delivery of GitHub's")
    if event.event == "ping":
        return HTTPStatus.OK, Weighed("ignored", "pong")
    weighs = {"push": _push, "pull_request": _pull_request, "issue_comment": comment_made.weigh}
    weigh = weighs.get(event.event)
    if weigh is None:
        return HTTPStatus.ACCEPTED, Weighed("ignored", "nothing to do for this event")
    try:
        return HTTPStatus.ACCEPTED, weigh(event, services)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        return _bad(f"the {event.event} lacks {fields}")


def _bad(why: str) -> tuple[HTTPStatus, Weighed]:
    return HTTPStatus.BAD_REQUEST, Weighed("refused", why)


def _pull_request(event: Event, services: Services) -> Weighed:
    pull = _PullRequest.model_validate(event.data)
    subject = f"{pull.repository.full_name}#{pull.number} {pull.action}"
    environments = _environments(pull.repository, pull.pull_request.base.ref, services)
    if not environments:
        return Weighed("ignored", "not to a tracked branch", subject)
    retold = pull.action == "edited" and "base" not in pull.changes
    if pull.action not in LOOKED_AT or retold:
        return Weighed("ignored", "nothing changes by this", subject)
    requests = (PullRequestRequest(environment=each, number=pull.number) for each in environments)
    return Weighed("taken", "the pull request is being looked at", subject, tuple(requests))


def _push(event: Event, services: Services) -> Weighed:
    push = _Push.model_validate(event.data)
    subject = f"{push.repository.full_name} {push.ref} {push.after[:12]}".strip()
    heads, _, branch = push.ref.partition("refs/heads/")
    environments = _environments(push.repository, branch, services) if not heads else []
    if not environments:
        return Weighed("ignored", "not a tracked branch", subject)
    requests = (RepositoryRequest(environment=environment) for environment in environments)
    return Weighed("taken", "the repository is being read", subject, tuple(requests))


def _environments(repository: _Repository, branch: str, services: Services) -> list[str]:
    """The environments whose source is this branch."""
    return [
        source.environment
        for source in services.settings.config_sources
        if source.reads(repository.full_name, branch)
    ]
