"""Endpoints for webhooks and their deliveries."""

import json
from typing import Any

from localcloud.github.deliveries import Hook
from localcloud.github.hub import Hub
from localcloud.github.records import Delivery
from localcloud.github.rest import Answer, Call, not_found
from localcloud.github.shapes import timestamp


def list_hooks(hub: Hub, call: Call) -> Answer:
    """GET .../hooks"""
    return Answer([_hook_document(hub, hook) for hook in hub.deliveries.hooks.values()])


def get_hook(hub: Hub, call: Call) -> Answer:
    """GET .../hooks/{id}"""
    return Answer(_hook_document(hub, _hook(hub, call)))


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
        "active": True,
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
