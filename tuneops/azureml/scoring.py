"""Asking one deployment, whatever the traffic."""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from tuneops import smoke
from tuneops.azureml.errors import MissingRoleError, UnavailableError, asked_pause, azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.permissions.explaining import lacks
from tuneops.release import Release, SampleAnswer
from tuneops.scrub import scrub

MAX_TEXT = 2_000
SCORE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Door:
    """Where an endpoint is asked, what lets in, and on which connections."""

    uri: str
    secret: str = field(repr=False)
    session: requests.Session = field(repr=False)


@dataclass(frozen=True)
class Reply:
    """What a deployment said to one request; the text may hold secrets."""

    status: int
    text: str
    seconds: float
    at: datetime


def ask(workspace: Workspace, release: Release, conversation: smoke.Conversation) -> SampleAnswer:
    """Ask the release's deployment for the next turn and weigh what it says.

    The request is sent without the SDK's ``invoke``, which shares its headers between threads.

    Raises:
        UnavailableError: the endpoint can't be asked now.
    """
    settings = release.config.smoke_test
    body = smoke.request(conversation, settings)
    door = open_door(workspace, release)
    reply = put(door, release, body, release.deployment_name)
    found = smoke.failures(reply.status, reply.seconds, reply.text, settings)
    return SampleAnswer(
        passed=not found,
        status=reply.status,
        seconds=reply.seconds,
        at=reply.at,
        question=scrub(conversation[-1]["content"], [door.secret])[:MAX_TEXT],
        request=scrub(json.dumps(body, ensure_ascii=False), [door.secret])[:MAX_TEXT],
        answer=scrub(reply.text, [door.secret])[:MAX_TEXT],
        failures=found,
    )


def open_door(workspace: Workspace, release: Release) -> Door:
    """Where the release's endpoint is asked now; its key may be changed at any time.

    Raises:
        UnavailableError: the endpoint can't be asked now.
    """
    return door_of(workspace, release.endpoint)


def door_of(workspace: Workspace, endpoint: str) -> Door:
    """Where an endpoint is asked now.

    Raises:
        RefusedError, UnavailableError: the endpoint can't be asked now.
    """
    with azure_errors(f"keys of endpoint {endpoint}"):
        found = workspace.ml.online_endpoints.get(endpoint)
        secret = _secret(workspace.ml.online_endpoints.get_keys(endpoint))
    return Door(str(found.scoring_uri), secret, workspace.session)


def put(door: Door, release: Release, body: Any, deployment: str) -> Reply:
    """Put one request to a deployment of the release's endpoint.

    Raises:
        UnavailableError: the endpoint can't be asked now.
    """
    begun = time.monotonic()
    status, text = _post(door, release, body, deployment)
    return Reply(status, text, time.monotonic() - begun, datetime.now(UTC))


def _secret(credentials: Any) -> str:
    """The key of an endpoint with keys, or the token of one with Microsoft Entra tokens."""
    return str(getattr(credentials, "primary_key", None) or credentials.access_token)


def _post(door: Door, release: Release, body: Any, deployment: str) -> tuple[int, str]:
    """The status and the text of the answer; a time-out counts as 408."""
    headers = {
        "Authorization": f"Bearer {door.secret}",
        "azureml-model-deployment": deployment,
    }
    timeout = release.config.deployment.request_settings.request_timeout_ms / 1000
    try:
        with door.session.post(
            door.uri, json=body, headers=headers, timeout=timeout, stream=True
        ) as got:
            raw = _read(got, time.monotonic() + timeout)
    except (requests.Timeout, ReadTimeoutError):
        return requests.codes.request_timeout, f"no answer in {timeout:g} s"
    except HTTPError:
        return requests.codes.bad_gateway, "the answer broke off"
    except requests.RequestException as error:
        raise UnavailableError(f"scoring {release.endpoint}: {type(error).__name__}") from error
    _check_admitted(got, release)
    return got.status_code, _text(raw)


def _read(answer: requests.Response, deadline: float) -> bytes:
    """The answer's bytes, as many as are taken; one that comes in drops is given up in time."""
    raw = bytearray()
    while piece := answer.raw.read1(MAX_ANSWER_BYTES, decode_content=True):
        raw += piece
        if len(raw) >= MAX_ANSWER_BYTES:
            break
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(raw[:MAX_ANSWER_BYTES])


def _check_admitted(answer: requests.Response, release: Release) -> None:
    """What says nothing about the model: too many requests, or who asks may not."""
    where, status = f"endpoint {release.endpoint}", answer.status_code
    if status == requests.codes.too_many_requests:
        raise UnavailableError(f"{where} has too many requests now", asked_pause(answer.headers))
    if status == requests.codes.unauthorized and release.config.endpoint.auth_mode == "key":
        raise UnavailableError(f"{where} refuses its key with {status}: it was changed just now")
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        missing = lacks(SCORE, where)
        raise MissingRoleError(f"{missing}; or its network keeps TuneOps out ({status})")


def _text(raw: bytes) -> str:
    """The text in a chat-completion model's answer, empty without one; what is no JSON as it is."""
    try:
        payload: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace")
    return text_of(payload)


def text_of(payload: Any) -> str:
    """The text in what a chat-completion model's answer holds, empty without one.

    Half a character, which JSON may name, can be neither stored nor searched: it becomes a "?".
    """
    while isinstance(payload, list | dict):
        payload = next(iter(payload), "") if isinstance(payload, list) else payload.get("output")
    return payload.encode("utf-8", "replace").decode() if isinstance(payload, str) else ""
