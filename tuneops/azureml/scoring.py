"""The smoke test: one request to one deployment, whatever the traffic."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import requests

from tuneops.azureml.errors import UnavailableError, azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.release import Release, SmokeAnswer

MAX_TEXT = 2_000


def smoke_test(workspace: Workspace, release: Release, sample: bytes) -> SmokeAnswer:
    """Ask the release's deployment what `sample` (sample_score.json) holds.

    It passes with status 200 and an answer that is not empty. The request is sent without the
    SDK's ``invoke``, which shares its headers between threads.

    Raises:
        UnavailableError: the endpoint can't be asked now.
    """
    body = json.loads(sample)
    settings = release.config.smoke_test
    body["input_data"]["parameters"] = settings.model_dump(exclude={"attempts"})
    with azure_errors(f"keys of endpoint {release.endpoint}"):
        endpoint = workspace.ml.online_endpoints.get(release.endpoint)
        key = workspace.ml.online_endpoints.get_keys(release.endpoint).primary_key
    begun = time.monotonic()
    status, answer = _post(str(endpoint.scoring_uri), str(key), release, body)
    return SmokeAnswer(
        passed=status == requests.codes.ok and bool(answer.strip()),
        status=status,
        seconds=time.monotonic() - begun,
        at=datetime.now(UTC),
        question=str(body["input_data"]["input_string"][0][-1]["content"])[:MAX_TEXT],
        answer=answer[:MAX_TEXT],
    )


def _post(uri: str, key: str, release: Release, body: Any) -> tuple[int, str]:
    """The status and the text of the answer; a time-out counts as 408."""
    headers = {
        "Authorization": f"Bearer {key}",
        "azureml-model-deployment": release.deployment_name,
    }
    timeout = release.config.deployment.request_settings.request_timeout_ms / 1000
    try:
        response = requests.post(uri, json=body, headers=headers, timeout=timeout)
    except requests.Timeout:
        return requests.codes.request_timeout, f"no answer in {timeout:g} s"
    except requests.RequestException as error:
        raise UnavailableError(f"scoring {release.endpoint}: {type(error).__name__}") from error
    return response.status_code, _answer(response)


def _answer(response: requests.Response) -> str:
    """The text in a chat-completion model's answer, or the body as it is."""
    try:
        payload: Any = response.json()
    except ValueError:
        return response.text
    while isinstance(payload, list) and payload:
        payload = payload[0]
    if isinstance(payload, dict) and "output" in payload:
        payload = payload["output"]
    return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
