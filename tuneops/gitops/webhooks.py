"""The webhooks that GitHub tells of pushes by, and what became of their deliveries."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import gidgethub
from gidgethub.abc import GitHubAPI
from pydantic import AwareDatetime, BaseModel, TypeAdapter

MAX_DELIVERIES = 30
_UNSEEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


class Delivery(BaseModel):
    """One delivery; the code is 0 when there was no answer, `status` says why."""

    event: str
    status: str = ""
    status_code: int = 0
    delivered_at: AwareDatetime


class Webhook(BaseModel):
    """Where a webhook goes, what it tells of, and its last deliveries, newest first.

    `url` has no query and no login, which may be secrets; it is empty where there is none.
    """

    url: str
    events: tuple[str, ...] = ()
    active: bool = True
    deliveries: tuple[Delivery, ...] = ()


class Webhooks(BaseModel):
    """That of the App, None for a token, and those of the repository, None if they are unseen."""

    of_app: Webhook | None = None
    of_repository: tuple[Webhook, ...] | None = None


class _Config(BaseModel):
    url: str | None = None


class _App(BaseModel):
    events: tuple[str, ...] = ()


class _Hook(BaseModel):
    id: int
    events: tuple[str, ...] = ()
    active: bool = True
    config: _Config = _Config()


async def read(api: GitHubAPI, repository: str, signature: str) -> Webhooks:
    """The webhooks that could tell of the repository; the `signature` is an App's.

    Raises:
        gidgethub.GitHubException, httpx2.HTTPError: GitHub could not be asked.
    """
    of_app = await _of_app(api, signature) if signature else None
    return Webhooks(of_app=of_app, of_repository=await _of_repository(api, repository))


async def _of_app(api: GitHubAPI, signature: str) -> Webhook:
    config = _Config.model_validate(await api.getitem("/app/hook/config", jwt=signature))
    if not config.url:
        return Webhook(url="")
    app = _App.model_validate(await api.getitem("/app", jwt=signature))
    newest = f"/app/hook/deliveries?per_page={MAX_DELIVERIES}"
    deliveries = await api.getitem(newest, jwt=signature)
    return Webhook(url=_bare(config.url), events=app.events, deliveries=_deliveries(deliveries))


async def _of_repository(api: GitHubAPI, repository: str) -> tuple[Webhook, ...] | None:
    try:
        hooks = await api.getitem(f"{repository}/hooks?per_page=100")
    except gidgethub.BadRequest as error:
        if error.status_code in _UNSEEN:
            return None
        raise
    found = []
    for hook in TypeAdapter(list[_Hook]).validate_python(hooks):
        newest = f"{repository}/hooks/{hook.id}/deliveries?per_page={MAX_DELIVERIES}"
        deliveries = _deliveries(await api.getitem(newest))
        found.append(
            Webhook(
                url=_bare(hook.config.url or ""),
                events=hook.events,
                active=hook.active,
                deliveries=deliveries,
            )
        )
    return tuple(found)


def _deliveries(answer: Any) -> tuple[Delivery, ...]:
    return tuple(TypeAdapter(list[Delivery]).validate_python(answer))


def _bare(url: str) -> str:
    """The address without what may be a secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}" if parts.hostname else ""
