"""GitHub's webhook to the function app: one per repository, or the one of the App.

https://docs.github.com/rest/repos/webhooks and https://docs.github.com/rest/apps/webhooks
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import gidgethub
import httpx2
from gidgethub.httpx import GitHubAPI
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from infra.hooks.problems import HookError

PATH = "/api/github"
EVENTS = ("push", "pull_request", "issue_comment")
TIMEOUT_SECONDS = 30

T = TypeVar("T")


class _Config(BaseModel):
    url: str | None = None


class _Hook(BaseModel):
    id: int
    config: _Config = _Config()


class _App(BaseModel):
    events: tuple[str, ...] = ()
    html_url: str = ""


def of_repository(
    api_url: str, repository: str, token: SecretStr, address: str, secret: SecretStr
) -> str:
    """Have one webhook of the repository come to the address; says what was done.

    It is found by its address, so that this can be run as often as one likes.

    Raises:
        HookError: GitHub does not let us, or can't be asked.
    """
    hooks = f"/repos/{repository}/hooks"
    wanted = {"active": True, "events": list(EVENTS), "config": _config(address, secret)}

    async def work(api: GitHubAPI) -> str:
        found = [_Hook.model_validate(hook) async for hook in api.getiter(f"{hooks}?per_page=100")]
        ours = next((hook for hook in found if hook.config.url == address), None)
        if ours is None:
            await api.post(hooks, data={"name": "web", **wanted})
            return f"{repository}: the webhook is made"
        await api.patch(f"{hooks}/{ours.id}", data=wanted)
        return f"{repository}: the webhook is up to date"

    return _ask(api_url, repository, token, work)


def of_app(
    api_url: str, app_id: str, key: SecretStr, address: str, secret: SecretStr, replace: bool
) -> str:
    """Have the webhook of the App come to the address; says what was done.

    An App has one webhook: one that goes elsewhere is left alone unless it is to be replaced.

    Raises:
        HookError: it goes elsewhere, or GitHub does not let us, or can't be asked.
    """
    from gidgethub.apps import get_jwt
    from jwt.exceptions import PyJWTError

    what = f"the GitHub App {app_id}"
    try:
        signature = get_jwt(app_id=app_id, private_key=key.get_secret_value().replace("\\n", "\n"))
    except (ValueError, PyJWTError) as error:
        raise HookError(f"{what}: TUNEOPS_GITHUB_APP_PRIVATE_KEY is no private key") from error

    async def work(api: GitHubAPI) -> str:
        known = _Config.model_validate(await api.getitem("/app/hook/config", jwt=signature))
        if known.url and known.url != address and not replace:
            raise HookError(
                f"the webhook of {what} goes to {known.url.partition('?')[0]}: an App has one"
                " webhook, so use an App of its own, or set INFRA_REPLACE_APP_WEBHOOK=true"
            )
        await api.patch("/app/hook/config", data=_config(address, secret), jwt=signature)
        app = _App.model_validate(await api.getitem("/app", jwt=signature))
        missing = [event for event in EVENTS if event not in app.events]
        done = f"the webhook of {what} comes here"
        if missing:
            done += f"; subscribe the App to {', '.join(missing)} at {app.html_url or 'GitHub'}"
        return done

    return _ask(api_url, what, None, work)


def repositories_of(sources: str) -> list[str]:
    """The repositories that TUNEOPS_SOURCES names, each once.

    Raises:
        HookError: it is no list of sources.
    """

    class Source(BaseModel):
        repository: str

    try:
        found = TypeAdapter(list[Source]).validate_json(sources)
    except ValidationError as error:
        raise HookError("TUNEOPS_SOURCES is no JSON list of {repository, ...}") from error
    return list(dict.fromkeys(source.repository for source in found))


def _config(address: str, secret: SecretStr) -> dict[str, str]:
    return {
        "url": address,
        "content_type": "json",
        "secret": secret.get_secret_value(),
        "insecure_ssl": "0",
    }


def _ask(
    api_url: str, what: str, token: SecretStr | None, work: Callable[[GitHubAPI], Awaitable[T]]
) -> T:
    async def session() -> T:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            given: dict[str, Any] = {"oauth_token": token.get_secret_value()} if token else {}
            return await work(GitHubAPI(client, "tuneops", base_url=api_url.rstrip("/"), **given))

    try:
        return asyncio.run(session())
    except (gidgethub.GitHubException, httpx2.HTTPError) as error:
        said = f"{type(error).__name__}: {error}"[:300]
        raise HookError(
            f"{what}: GitHub refuses the webhook or can't be asked ({said}); it takes the"
            " permission Webhooks: write on the repository (admin:repo_hook for a classic token)"
        ) from error
    except (ValidationError, KeyError, TypeError) as error:
        raise HookError(f"{what}: an unexpected answer ({type(error).__name__})") from error
