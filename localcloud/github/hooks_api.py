"""Endpoints for webhooks and their deliveries."""

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from localcloud.github.deliveries import Hook
from localcloud.github.hub import Hub
from localcloud.github.records import Delivery
from localcloud.github.rest import Answer, ApiError, Call, not_found
from localcloud.github.shapes import timestamp

Event = Annotated[str, Field(min_length=1)]


class HookConfig(BaseModel):
    """The ``config`` of a webhook."""

    url: Annotated[str, Field(pattern="^https?://", max_length=2000)]
    secret: Annotated[str, Field(max_length=1000)] = ""
    content_type: Literal["json"]
    insecure_ssl: Literal["0", 0] = "0"


class NewHook(BaseModel):
    """POST .../hooks"""

    name: Literal["web"] = "web"
    active: bool = True
    events: list[Event] = ["push"]
    config: HookConfig


class ChangedHook(BaseModel):
    """PATCH .../hooks/{id}: a ``config`` takes the place of the one before, secret and all"""

    active: bool | None = None
    events: list[Event] | None = None
    config: HookConfig | None = None


def list_hooks(hub: Hub, call: Call) -> Answer:
    """GET .../hooks"""
    return Answer([_hook_document(hub, hook) for hook in hub.deliveries.hooks.values()])


def get_hook(hub: Hub, call: Call) -> Answer:
    """GET .../hooks/{id}"""
    return Answer(_hook_document(hub, _hook(hub, call)))


def create_hook(hub: Hub, call: Call) -> Answer:
    """POST .../hooks: GitHub pings a new one"""
    wanted = call.parse(NewHook)
    known = hub.deliveries.hooks.values()
    if any(hook.url == wanted.config.url for hook in known):
        raise ApiError(422, "Validation Failed", ["Hook already exists on this repository"])
    hook = hub.deliveries.create(
        wanted.config.url, tuple(wanted.events), wanted.active, wanted.config.secret
    )
    hub.deliveries.send([hub.deliveries.ping(hook, hub.shapes.repository())])
    return Answer(_hook_document(hub, hook), 201)


def update_hook(hub: Hub, call: Call) -> Answer:
    """PATCH .../hooks/{id}"""
    hook, wanted = _hook(hub, call), call.parse(ChangedHook)
    if wanted.config:
        hook = replace(hook, url=wanted.config.url, secret=wanted.config.secret)
    if wanted.events is not None:
        hook = replace(hook, events=tuple(wanted.events))
    if wanted.active is not None:
        hook = replace(hook, active=wanted.active)
    hub.deliveries.hooks[hook.id] = hook
    return Answer(_hook_document(hub, hook))


def ping_hook(hub: Hub, call: Call) -> Answer:
    """POST .../hooks/{id}/pings"""
    hub.deliveries.send([hub.deliveries.ping(_hook(hub, call), hub.shapes.repository())])
    return Answer(status=204)


def list_deliveries(hub: Hub, call: Call) -> Answer:
    """GET .../hooks/{id}/deliveries, newest first; those that are not sent yet are not listed"""
    deliveries = hub.store.listed(Delivery, str(_hook(hub, call).id))
    return Answer([summary(d) for d in reversed(deliveries) if d.delivered_at])


def get_delivery(hub: Hub, call: Call) -> Answer:
    """GET .../hooks/{id}/deliveries/{delivery}: with request and response"""
    hook, delivery = _hook(hub, call), _delivery(hub, call)
    return Answer(
        {
            **summary(delivery),
            "url": hook.url,
            "request": {
                "headers": delivery.request_headers,
                "payload": json.loads(delivery.payload),
            },
            "response": {
                "headers": delivery.response_headers,
                "payload": delivery.response_body,
            },
        }
    )


def redeliver(hub: Hub, call: Call) -> Answer:
    """POST .../hooks/{id}/deliveries/{delivery}/attempts"""
    hub.deliveries.send([hub.deliveries.again(_delivery(hub, call))])
    return Answer({}, 202)


def _hook(hub: Hub, call: Call) -> Hook:
    hook = hub.deliveries.hooks.get(call.number("id"))
    if hook is None:
        raise not_found()
    return hook


def _delivery(hub: Hub, call: Call) -> Delivery:
    delivery = hub.store.get(Delivery, call.number("delivery"))
    if delivery is None or delivery.key != str(_hook(hub, call).id):
        raise not_found()
    return delivery


def _hook_document(hub: Hub, hook: Hook) -> dict[str, Any]:
    url = f"{hub.shapes.url}/hooks/{hook.id}"
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": list(hook.events),
        "config": {
            "content_type": "json",
            "insecure_ssl": "0",
            "secret": "********",
            "url": hook.url,
        },
        "url": url,
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
    }


def summary(delivery: Delivery) -> dict[str, Any]:
    """A delivery as lists show it."""
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": timestamp(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": None,
        "repository_id": None,
        "throttled_at": None,
    }
