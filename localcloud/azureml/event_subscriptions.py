"""Event Grid's subscriptions as Azure Resource Manager shows them, at what they tell of.

https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions

The storage account and the workspace have them themselves, so there are no system topics. What is
kept of them, and who delivers, is `localcloud.eventgrid`.
"""

from typing import Any

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json, not_found, page, user_error
from localcloud.azureml.bodies import read_json, section
from localcloud.azureml.site import Site
from localcloud.eventgrid.dead_letters import CONTAINER

KIND = "Microsoft.EventGrid/eventSubscriptions"
DESTINATION = "AzureFunction"
TIMEOUT_SECONDS = 10


class EventSubscriptions:
    """The subscriptions at each scope; a topic of the local Event Grid stands behind each."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._scopes = {"storage": site.storage_path, "workspace": site.workspace_path}

    def routes(self) -> list[Route]:
        """Routes of both scopes."""
        routes = [Route(f"{self._site.group_path}/providers/Microsoft.EventGrid/systemTopics", _no)]
        for topic, scope in self._scopes.items():
            listed = f"{scope}/providers/{KIND}"
            one = f"{listed}/{{name}}"
            routes += [
                Route(listed, self._of(topic, self._list)),
                Route(one, self._of(topic, self._get), methods=["GET"]),
                Route(one, self._of(topic, self._put), methods=["PUT"]),
                Route(one, self._of(topic, self._delete), methods=["DELETE"]),
            ]
        return routes

    @staticmethod
    def _of(topic: str, handle: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            return await handle(topic, request)  # type: ignore[no-any-return]

        return endpoint

    async def _list(self, topic: str, request: Request) -> Response:
        return page(request, await self._resources(topic), self._site.url)

    async def _get(self, topic: str, request: Request) -> Response:
        return JSONResponse(await self._one(topic, request.path_params["name"]))

    async def _put(self, topic: str, request: Request) -> Response:
        name = request.path_params["name"]
        wanted = _subscription(topic, name, await read_json(request))
        await self._ask("PUT", f"{topic}/_subscriptions/{name}", topic, wanted)
        return JSONResponse(await self._one(topic, name), 201)

    async def _delete(self, topic: str, request: Request) -> Response:
        name = request.path_params["name"]
        await self._ask("DELETE", f"{topic}/_subscriptions/{name}", topic)
        return Response(status_code=200)

    async def _one(self, topic: str, name: str) -> Json:
        for each in await self._resources(topic):
            if each["name"].lower() == name.lower():
                return each
        raise not_found("Event subscription", name)

    async def _resources(self, topic: str) -> list[Json]:
        answer = await self._ask("GET", f"{topic}/_subscriptions", topic)
        return [self._resource(topic, each) for each in answer.json()]

    async def _ask(
        self, method: str, path: str, topic: str, body: Json | None = None
    ) -> httpx2.Response:
        connection = self._site.connection
        headers = {"aeg-sas-key": connection.eventgrid.topics[topic].key}
        url = f"{connection.platform_url}/eventgrid/{path}"
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.request(method, url, headers=headers, json=body)
        except httpx2.HTTPError as error:
            message = "Event Grid does not answer."
            raise ArmError(503, "ServiceUnavailable", message) from error
        if not answer.is_success:
            raise user_error(answer.json()["error"]["message"])
        return answer

    def _resource(self, topic: str, known: Json) -> Json:
        scope, storage = self._scopes[topic], self._site.storage_path
        app = f"{self._site.group_path}/providers/Microsoft.Web/sites/tuneops"
        return {
            "id": f"{scope}/providers/{KIND}/{known['name']}",
            "name": known["name"],
            "type": KIND,
            "properties": {
                "topic": scope,
                "provisioningState": "Succeeded" if known["validated"] else "AwaitingManualAction",
                "destination": {
                    "endpointType": DESTINATION,
                    "properties": {
                        "resourceId": f"{app}/functions/{known['function']}",
                        "maxEventsPerBatch": 1,
                    },
                },
                "filter": {
                    "subjectBeginsWith": known["subject_begins_with"],
                    "subjectEndsWith": known["subject_ends_with"],
                    "includedEventTypes": known["event_types"] or None,
                    "advancedFilters": [
                        {
                            "operatorType": each["operator"],
                            "key": each["key"],
                            "values": each["values"],
                        }
                        for each in known["advanced_filters"]
                    ],
                },
                "eventDeliverySchema": "EventGridSchema",
                "retryPolicy": {
                    "maxDeliveryAttempts": known["max_delivery_attempts"],
                    "eventTimeToLiveInMinutes": known["event_time_to_live_minutes"],
                },
                "deadLetterDestination": {
                    "endpointType": "StorageBlob",
                    "properties": {"resourceId": storage, "blobContainerName": CONTAINER},
                },
            },
        }


async def _no(request: Request) -> Response:
    return JSONResponse({"value": []})


def _subscription(topic: str, name: str, body: Json) -> Json:
    """What the local Event Grid is to have.

    Raises:
        ArmError: 400 for what it can't deliver to.
    """
    properties = section(body, "properties")
    destination, filters = section(properties, "destination"), section(properties, "filter")
    if destination.get("endpointType") != DESTINATION:
        raise user_error(f"The local cloud delivers to an {DESTINATION} only.")
    function = str(section(destination, "properties").get("resourceId", "")).rpartition("/")[2]
    retries = section(properties, "retryPolicy")
    given = {
        "event_types": filters.get("includedEventTypes"),
        "subject_begins_with": filters.get("subjectBeginsWith"),
        "subject_ends_with": filters.get("subjectEndsWith"),
        "advanced_filters": [_advanced(each) for each in filters.get("advancedFilters") or []],
        "max_delivery_attempts": retries.get("maxDeliveryAttempts"),
        "event_time_to_live_minutes": retries.get("eventTimeToLiveInMinutes"),
    }
    kept = {key: value for key, value in given.items() if value is not None}
    return {"name": name, "topic": topic, "function": function, **kept}


def _advanced(given: Any) -> Json:
    if not isinstance(given, dict):
        raise user_error("Each of 'advancedFilters' must be an object.", target="advancedFilters")
    return {"operator": given.get("operatorType"), **{k: given.get(k) for k in ("key", "values")}}
