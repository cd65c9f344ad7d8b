"""Azure Monitor's autoscale: its settings, and what they make of deployments' instances.

What is measured are the requests of endpoints. Of any other metric there are no figures, so the
default counts as long as there are fewer instances. Azure keeps a setting when what it scales is
deleted, and so it is here.
"""

import asyncio
import contextlib
import operator
import re
import time
from collections.abc import Iterator
from datetime import timedelta

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json, not_found, page
from localcloud.azureml.autoscale_resource import autoscale_resource, bad, capacity_of
from localcloud.azureml.bodies import read_json
from localcloud.azureml.deployment_resource import MAX_INSTANCES
from localcloud.azureml.deployments import DEPLOYMENTS
from localcloud.azureml.quota import Quota
from localcloud.azureml.scored import MINUTE, Scored
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

KIND = "autoscale"
EVALUATED_SECONDS = 10.0
_TARGET = re.compile(r".*/onlineEndpoints/([^/]+)/deployments/([^/]+)", re.IGNORECASE)
_DURATION = TypeAdapter(timedelta)


_HOLDS = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqual": operator.le,
}


class Autoscale:
    """The routes of autoscale settings, and the loop that follows them."""

    def __init__(self, site: Site, store: Store, quota: Quota, scored: Scored) -> None:
        self._site = site
        self._store = store
        self._quota = quota
        self._scored = scored
        self._scaled_at: dict[str, float] = {}

    def routes(self) -> list[Route]:
        """Routes of the resource group."""
        path = f"{self._site.group_path}/providers/Microsoft.Insights/autoscalesettings"
        one = f"{path}/{{setting}}"
        return [
            Route(path, self.list_settings, methods=["GET"]),
            Route(one, self.get_setting, methods=["GET"]),
            Route(one, self.put_setting, methods=["PUT"]),
            Route(one, self.delete_setting, methods=["DELETE"]),
        ]

    async def list_settings(self, request: Request) -> Response:
        """The settings of the resource group."""
        return page(request, self._store.list(KIND), self._site.url)

    async def get_setting(self, request: Request) -> Response:
        """One setting."""
        return JSONResponse(self._setting(request))

    async def put_setting(self, request: Request) -> Response:
        """Create a setting or change it."""
        name = request.path_params["setting"]
        resource = autoscale_resource(self._site.group_path, name, await read_json(request))
        target = resource["properties"]["targetResourceUri"]
        if self._deployment(target) is None:
            raise not_found("Target resource", target)
        for other in self._store.list(KIND):
            same = other["properties"]["targetResourceUri"].lower() == target.lower()
            if same and other["name"].lower() != name.lower():
                raise bad(f"There is another autoscale setting for {target}: {other['name']}.")
        is_new = self._store.get(KIND, name.lower()) is None
        self._store.put(KIND, name.lower(), resource)
        return JSONResponse(resource, status_code=201 if is_new else 200)

    async def delete_setting(self, request: Request) -> Response:
        """Delete a setting; 204 when it is not there."""
        name = request.path_params["setting"].lower()
        if self._store.get(KIND, name) is None:
            return Response(status_code=204)
        self._store.delete(KIND, name)
        return Response(status_code=200)

    async def evaluate_forever(self) -> None:
        """Follow the settings until cancelled."""
        while True:
            await asyncio.sleep(EVALUATED_SECONDS)
            self.evaluate(time.time())

    def evaluate(self, now: float) -> None:
        """Give each deployment the instances that its setting asks for now."""
        for setting in self._store.list(KIND):
            properties = setting["properties"]
            record = self._deployment(properties["targetResourceUri"])
            if not properties["enabled"] or record is None:
                continue
            if record["resource"]["properties"]["provisioningState"] != "Succeeded":
                continue
            count = record["resource"]["sku"]["capacity"]
            wanted = self._wanted(setting, count, now)
            if wanted != count:
                self._scale(record, wanted)

    def _wanted(self, setting: Json, count: int, now: float) -> int:
        """As the first profile says; scaling out comes before scaling in."""
        profile = setting["properties"]["profiles"][0]
        low, high, usual = capacity_of(profile)
        figures = [(rule, self._figure(rule["metricTrigger"], now)) for rule in profile["rules"]]
        known = [(rule, value) for rule, value in figures if value is not None]
        if not known:
            return max(low, min(max(count, usual), high))
        due = [rule["scaleAction"] for rule, value in known if _holds(rule["metricTrigger"], value)]
        due.sort(key=lambda action: action["direction"] != "Increase")
        wanted = count
        for action in due[:1]:
            rested = now - self._scaled_at.get(setting["name"], 0)
            if rested >= _seconds(action["cooldown"]):
                step = int(action["value"]) * (1 if action["direction"] == "Increase" else -1)
                wanted = int(action["value"]) if action["type"] == "ExactCount" else count + step
                self._scaled_at[setting["name"]] = now
        return max(low, min(wanted, high))

    def _figure(self, trigger: Json, now: float) -> float | None:
        """The average of a metric of requests over the rule's window, None without figures."""
        found = re.fullmatch(r".*/onlineEndpoints/([^/]+)", trigger["metricResourceUri"], re.I)
        if found is None or trigger["metricName"] not in ("RequestsPerMinute", "RequestLatency"):
            return None
        window = int(_seconds(trigger["timeWindow"]))
        minutes = self._scored.minutes(found[1], int(now) - window, int(now))
        asked = sum(minute.requests for minute in minutes)
        if trigger["metricName"] == "RequestsPerMinute":
            return asked / max(1, window // MINUTE)
        return sum(minute.total_ms for minute in minutes) / asked if asked else None

    def _scale(self, record: Json, wanted: int) -> None:
        """Change the instances at once, as far as there is quota for them."""
        count = max(1, min(wanted, MAX_INSTANCES))
        record["resource"]["sku"]["capacity"] = count
        with contextlib.suppress(ArmError):
            self._quota.check_deployment(record)
            record["submitted"]["sku"]["capacity"] = count
            record["serving"]["capacity"] = count
            parts = record["resource"]["id"].split("/")
            self._store.put(DEPLOYMENTS, f"{parts[-3]}/{parts[-1]}", record)

    def _deployment(self, target: str) -> Json | None:
        found = _TARGET.fullmatch(target)
        inside = target.lower().startswith(f"{self._site.workspace_path.lower()}/")
        if found is None or not inside:
            return None
        wanted = f"{found[1]}/{found[2]}".lower()
        return next((each for key, each in self._deployments() if key.lower() == wanted), None)

    def _deployments(self) -> Iterator[tuple[str, Json]]:
        for record in self._store.list(DEPLOYMENTS):
            parts = record["resource"]["id"].split("/")
            yield f"{parts[-3]}/{parts[-1]}", record

    def _setting(self, request: Request) -> Json:
        name = request.path_params["setting"]
        found = self._store.get(KIND, name.lower())
        if found is None:
            raise not_found("Autoscale setting", name)
        return found


def _holds(trigger: Json, value: float) -> bool:
    return bool(_HOLDS[trigger["operator"]](value, trigger["threshold"]))


def _seconds(text: str) -> float:
    return _DURATION.validate_strings(text).total_seconds()
