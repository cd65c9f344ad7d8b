"""All faults that there are to inject, in one table; a round draws from it by its seed."""

from collections.abc import Mapping
from typing import Any

CALLS = (
    "PUT /jobs/*",
    "GET /jobs/*",
    "POST /jobs/*/cancel",
    "PUT /models/*/versions/*",
    "GET /models/*/versions/*",
    "PUT /data/*/versions/*",
    "GET /data/*/versions/*",
    "PUT /computes/*",
    "GET /computes/*",
    "PUT /onlineEndpoints/*",
    "GET /onlineEndpoints/*",
    "DELETE /onlineEndpoints/*",
    "PUT /onlineEndpoints/*/deployments/*",
    "GET /onlineEndpoints/*/deployments",
    "DELETE /onlineEndpoints/*/deployments/*",
    "POST /onlineEndpoints/*/listKeys",
    "GET /",
    "GET /models/*/versions",
    "GET /registry/models/*/versions",
    "GET /registry/components/*/versions/*",
    "GET /locations/*/usages",
    "GET /locations/*/vmSizes",
    "GET /mlflow/**/metrics/get-history",
    "POST /mlflow/**/runs/search",
    "GET /history/**/details",
    "POST /providers/Microsoft.ResourceGraph/resources",
    "PUT /subscriptions/**/autoscalesettings/*",
)
"""Calls of the workspace that releases are made of; not those of clients to what is live."""

OUTCOMES: Mapping[str, dict[str, Any]] = {
    "429": {"outcome": "fail", "status": 429, "code": "TooManyRequests", "retry_after": 2},
    "500": {"outcome": "fail", "status": 500},
    "503": {"outcome": "fail", "status": 503, "code": "ServiceUnavailable"},
    "hang": {"outcome": "hang"},
    "cut": {"outcome": "cut"},
    "lost answer": {"outcome": "drop"},
}
"""How a call goes wrong."""

POISON: tuple[str | bytes, ...] = (
    "no base64 at all: \u00e9",
    b"nonsense",
    b"{}",
    b"\xff\xfe\x00",
    b"[" * 20_000,
    b'{"kind": "project", "project": "../../x"}',
    b'{"kind": "of another version", "project": "grows-0"}',
    b'{"kind": "project", "project": "' + b"x" * 40_000 + b'"}',
)
"""Messages that nobody can do anything with; text goes on the queue as it is."""
