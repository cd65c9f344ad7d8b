"""Endpoints of the App: itself, its installation and the installation's tokens."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from localcloud.connection import GitHub
from localcloud.github.hub import Hub
from localcloud.github.permissions import PERMISSIONS
from localcloud.github.rest import Answer, Call, not_found
from localcloud.github.shapes import timestamp
from localcloud.github.tokens import InstallationTokens


class Lifetime(BaseModel):
    """PUT /_installation_tokens"""

    seconds: Annotated[int, Field(ge=0, le=3600)]
    permissions: dict[str, Literal["write", "read", "none"]] = {}
    """What differs from the App's own."""


class AppsApi:
    """The one App, installed at every owner's on all repositories."""

    def __init__(
        self, github: GitHub, tokens: InstallationTokens, events: Callable[[], list[str]]
    ) -> None:
        self._app = github.app
        self._repositories = github.repositories
        self._tokens = tokens
        self._events = events

    def get_app(self, hub: Hub, call: Call) -> Answer:
        """GET /app"""
        return Answer(
            {
                "id": self._app.id,
                "client_id": self._app.client_id,
                "slug": self._app.slug,
                "node_id": f"A_{self._app.id}",
                "owner": hub.shapes.user(hub.shapes.owner),
                "name": self._app.slug,
                "description": "",
                "html_url": f"{hub.shapes.api_url}/apps/{self._app.slug}",
                "permissions": PERMISSIONS,
                "events": self._events(),
                "installations_count": len(self._app.installations),
            }
        )

    def get_installation(self, hub: Hub, call: Call) -> Answer:
        """GET /repos/{owner}/{repo}/installation"""
        if f"{call.path['owner']}/{call.path['repo']}" not in self._repositories:
            raise not_found()
        return Answer(self._installation(hub, call.path["owner"]))

    def _installation(self, hub: Hub, owner: str) -> dict[str, Any]:
        number = self._app.installations[owner]
        return {
            "id": number,
            "account": hub.shapes.user(owner),
            "repository_selection": "selected",
            "access_tokens_url": f"{hub.shapes.api_url}/app/installations/{number}/access_tokens",
            "app_id": self._app.id,
            "app_slug": self._app.slug,
            "target_type": "User",
            "permissions": self._granted(self._tokens.permissions),
            "events": self._events(),
            "suspended_at": None,
        }

    @staticmethod
    def _granted(permissions: Mapping[str, str]) -> dict[str, str]:
        return {name: level for name, level in permissions.items() if level != "none"}

    def create_token(self, hub: Hub, call: Call) -> Answer:
        """POST /app/installations/{id}/access_tokens"""
        number = call.number("id")
        owners = [owner for owner, known in self._app.installations.items() if known == number]
        if not owners:
            raise not_found()
        token = self._tokens.issue(owners[0])
        document = {
            "token": token.text,
            "expires_at": timestamp(token.expires_at),
            "permissions": self._granted(token.permissions),
            "repository_selection": "selected",
        }
        return Answer(document, 201)

    def list_tokens(self, hub: Hub, call: Call) -> Answer:
        """GET /_installation_tokens, for tests: when each ends, oldest first"""
        ends = [{"expires_at": timestamp(token.expires_at)} for token in self._tokens.issued]
        return Answer(ends)

    def set_lifetime(self, hub: Hub, call: Call) -> Answer:
        """PUT /_installation_tokens, for tests: how long the next ones live, what they may do"""
        wanted = call.parse(Lifetime)
        self._tokens.lifetime = timedelta(seconds=wanted.seconds)
        self._tokens.permissions = {**PERMISSIONS, **wanted.permissions}
        return Answer(status=204)

    def revoke_tokens(self, hub: Hub, call: Call) -> Answer:
        """DELETE /_installation_tokens, for tests: none that was issued is taken any more"""
        self._tokens.revoke()
        return Answer(status=204)
