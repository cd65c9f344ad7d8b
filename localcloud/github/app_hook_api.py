"""Endpoints of the App's own webhook: what it is, and its deliveries.

The App's webhook is the first of each repository's here: it is told of all repositories.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from localcloud.github.deliveries import Hook
from localcloud.github.hooks_api import summary
from localcloud.github.hub import Hub
from localcloud.github.records import Delivery
from localcloud.github.rest import Answer, Call

APP_HOOK = 1


class HookConfig(BaseModel):
    """PATCH /app/hook/config"""

    url: Annotated[str | None, Field(min_length=1, max_length=2000)] = None
    secret: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
    content_type: Literal["json"] = "json"
    insecure_ssl: Literal["0", 0] = "0"


class AppHookApi:
    """The webhook of the one App."""

    def __init__(self, hubs: Sequence[Hub]) -> None:
        self._hubs = hubs

    def get_config(self, hub: Hub, call: Call) -> Answer:
        """GET /app/hook/config"""
        known = self._hook()
        return Answer(
            {
                "content_type": "json",
                "insecure_ssl": "0",
                **({"secret": "********", "url": known.url} if known else {}),
            }
        )

    def update_config(self, hub: Hub, call: Call) -> Answer:
        """PATCH /app/hook/config"""
        wanted = call.parse(HookConfig)
        for each in self._hubs:
            each.deliveries.configure(APP_HOOK, wanted.url, wanted.secret)
        return self.get_config(hub, call)

    def list_deliveries(self, hub: Hub, call: Call) -> Answer:
        """GET /app/hook/deliveries, newest first; those that are not sent yet are not listed"""
        found = [
            each
            for known in self._hubs
            for each in known.store.listed(Delivery, str(APP_HOOK))
            if each.delivered_at
        ]
        newest = sorted(found, key=lambda each: (each.delivered_at, each.id), reverse=True)
        return Answer([summary(each) for each in newest])

    def events(self) -> list[str]:
        """What the App subscribes to."""
        known = self._hook()
        return list(known.events) if known else []

    def _hook(self) -> Hook | None:
        return self._hubs[0].deliveries.hooks.get(APP_HOOK)
