"""Asking GitHub's REST API, signed in; what goes wrong is a `GitHubError`."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache as cached
from http import HTTPStatus
from typing import TypeVar

import gidgethub
import httpx2
from gidgethub.abc import CACHE_TYPE
from gidgethub.httpx import GitHubAPI
from pydantic import ValidationError

from tuneops.gitops.errors import GitHubError
from tuneops.gitops.login import Login, LoginError
from tuneops.permissions.github import lacks_permission

TIMEOUT_SECONDS = 10
NOT_ACCESSIBLE = "Resource not accessible"
"""What GitHub says where a permission is missing, and not where there are too many requests."""

T = TypeVar("T")


class Session:
    """The way to one repository at the API's address, which may have a path of its own."""

    def __init__(self, api_url: str, repository: str, login: Login) -> None:
        self._api_url = api_url
        self._repository = repository
        self._login = login

    def run(self, work: Callable[[GitHubAPI], Awaitable[T]], cache: CACHE_TYPE | None = None) -> T:
        """The work's result; what is in the `cache` is asked for only if it has changed.

        Raises:
            GitHubError: GitHub could not be asked, or answered what it should not have.
        """
        return asyncio.run(self._explained(work, cache))

    async def _explained(
        self, work: Callable[[GitHubAPI], Awaitable[T]], cache: CACHE_TYPE | None
    ) -> T:
        refused: list[str] = []
        try:
            return await self._signed_in(work, cache, refused)
        except LoginError as error:
            raise GitHubError(str(error)) from error
        except gidgethub.HTTPException as error:
            if refused and NOT_ACCESSIBLE in str(error):
                said = lacks_permission(refused[-1], self._repository)
                raise GitHubError(said) from error
            permanent = error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
            raise GitHubError(f"{type(error).__name__}: {error}"[:300], permanent) from error
        except (gidgethub.GitHubException, httpx2.HTTPError) as error:
            raise GitHubError(f"{type(error).__name__}: {error}"[:300]) from error
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise GitHubError(f"unexpected answer ({type(error).__name__})") from error

    async def _signed_in(
        self,
        work: Callable[[GitHubAPI], Awaitable[T]],
        cache: CACHE_TYPE | None,
        refused: list[str],
    ) -> T:
        """The work's result; begun again, once, with a new token if GitHub refuses the old."""
        async with self._api(cache, refused) as api:
            token = api.oauth_token = await self._login.token(api)
            try:
                return await work(api)
            except gidgethub.BadRequest as error:
                if error.status_code != HTTPStatus.UNAUTHORIZED:
                    raise
                self._login.refused(token)
            api.oauth_token = await self._login.token(api)
            return await work(api)

    @asynccontextmanager
    async def _api(self, cache: CACHE_TYPE | None, refused: list[str]) -> AsyncIterator[GitHubAPI]:
        """The API; `refused` gets the permissions that GitHub wants where it forbids something."""

        async def note(answer: httpx2.Response) -> None:
            accepted = answer.headers.get("x-accepted-github-permissions")
            if accepted and answer.status_code == HTTPStatus.FORBIDDEN:
                refused.append(accepted)

        async with httpx2.AsyncClient(
            timeout=TIMEOUT_SECONDS, verify=_trust(), event_hooks={"response": [note]}
        ) as client:
            yield GitHubAPI(client, "tuneops", base_url=self._api_url, cache=cache)


@cached
def _trust() -> ssl.SSLContext:
    """Which certificates are trusted; it takes longer to read them than to ask GitHub."""
    return httpx2.create_ssl_context()
