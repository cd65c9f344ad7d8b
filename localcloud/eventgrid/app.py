"""Event Grid's HTTP side: publishing to topics, and a look at the subscriptions."""

import asyncio
import hmac
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import httpx2
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.bodies import BodyError, read_json
from localcloud.connection import Connection
from localcloud.eventgrid.dead_letters import DeadLetters
from localcloud.eventgrid.dispatcher import Dispatcher
from localcloud.eventgrid.events import EventError, parse_events
from localcloud.eventgrid.filters import wants
from localcloud.eventgrid.queue import DeliveryQueue
from localcloud.eventgrid.retry import RetryPolicy
from localcloud.eventgrid.subscriber import Subscriber
from localcloud.manifest import EventSubscription, Manifest

# https://learn.microsoft.com/azure/event-grid/quotas-limits
MOST_BODY_BYTES = 1024 * 1024
# How long Event Grid waits for an acknowledgement.
ACKNOWLEDGE_SECONDS = 30.0

log = logging.getLogger(__name__)


class EventGrid:
    """The topics of the connection and the subscriptions of the manifest."""

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        self._connection = connection
        self._topics = connection.eventgrid.topics
        self._subscriptions = list(manifest.event_subscriptions)
        self._retry_factor = manifest.event_retry_factor
        self._queue = DeliveryQueue(connection.state_dir / "eventgrid.db")
        self._queue.forget_all_but(subscription.name for subscription in self._subscriptions)
        self._dispatchers: dict[str, Dispatcher] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def publish(self, request: Request) -> Response:
        """``POST /{topic}/api/events``: owe events to every subscription that wants them."""
        name = request.path_params["topic"]
        topic = self._topics.get(name)
        if topic is None:
            return _error(404, f"there is no topic {name!r}")
        if not _same(request.headers.get("aeg-sas-key", ""), topic.key):
            return _error(401, "the header aeg-sas-key is missing or is not the topic's key")
        try:
            document = await read_json(request, MOST_BODY_BYTES)
            events = parse_events(document, self._topic_path(name))
        except BodyError as error:
            return _error(error.status, str(error))
        except EventError as error:
            return _error(400, str(error))
        wanted = [
            (subscription, event)
            for event in events
            for subscription in self._subscriptions
            if subscription.topic == name and wants(subscription, event)
        ]
        self._queue.add([(to.name, event) for to, event in wanted], time.time())
        for receiver in {to.name for to, _ in wanted}:
            self._dispatchers[receiver].wake()
        return Response(status_code=200)

    async def status(self, _: Request) -> Response:
        """``GET /_status``: every subscription with its numbers."""
        return JSONResponse({"subscriptions": [self._row(to) for to in self._subscriptions]})

    async def list_subscriptions(self, request: Request) -> Response:
        """``GET /{topic}/_subscriptions``: those of a topic, and whether each was validated."""
        name = request.path_params["topic"]
        return JSONResponse(
            [
                {**each.model_dump(), "validated": self._dispatchers[each.name].is_validated}
                for each in self._subscriptions
                if each.topic == name
            ]
        )

    async def put_subscription(self, request: Request) -> Response:
        """``PUT /{topic}/_subscriptions/{name}``: have it until the next start, as the body says.

        At a start the manifest's subscriptions are those there are.
        """
        if refused := self._refused(request):
            return refused
        try:
            wanted = EventSubscription.model_validate(await read_json(request, MOST_BODY_BYTES))
        except BodyError as error:
            return _error(error.status, str(error))
        except ValidationError as error:
            return _error(400, str(error))
        if (wanted.topic, wanted.name) != (
            request.path_params["topic"],
            request.path_params["name"],
        ):
            return _error(400, "topic and name are not those of the address")
        await self._forget(wanted.name)
        self._subscriptions.append(wanted)
        self._start(wanted)
        return Response(status_code=201)

    async def delete_subscription(self, request: Request) -> Response:
        """``DELETE /{topic}/_subscriptions/{name}``: deliver no more to it until the next start."""
        if refused := self._refused(request):
            return refused
        await self._forget(request.path_params["name"])
        return Response(status_code=204)

    def _refused(self, request: Request) -> Response | None:
        """What to answer whoever may not change the topic's subscriptions."""
        topic = self._topics.get(request.path_params["topic"])
        if topic is None:
            return _error(404, f"there is no topic {request.path_params['topic']!r}")
        if not _same(request.headers.get("aeg-sas-key", ""), topic.key):
            return _error(401, "the header aeg-sas-key is missing or is not the topic's key")
        return None

    async def _forget(self, name: str) -> None:
        """End the deliveries of a subscription, if there is one of the name, and owe it nothing."""
        self._subscriptions = [each for each in self._subscriptions if each.name != name]
        self._queue.forget_all_but(each.name for each in self._subscriptions)
        self._dispatchers.pop(name, None)
        if task := self._tasks.pop(name, None):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _row(self, subscription: EventSubscription) -> dict[str, Any]:
        return {
            "name": subscription.name,
            "topic": subscription.topic,
            "function": subscription.function,
            "validated": self._dispatchers[subscription.name].is_validated,
            **asdict(self._queue.counts(subscription.name)),
        }

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Deliver as long as the application runs."""
        self._dead_letters = DeadLetters(self._connection.storage.connection_string)
        async with httpx2.AsyncClient(timeout=ACKNOWLEDGE_SECONDS, trust_env=False) as self._http:
            for to in self._subscriptions:
                self._start(to)
            try:
                yield
            finally:
                for task in self._tasks.values():
                    task.cancel()
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._dead_letters.close()
        self._queue.close()

    def _start(self, to: EventSubscription) -> None:
        policy = RetryPolicy(
            self._retry_factor, to.max_delivery_attempts, to.event_time_to_live_minutes * 60
        )
        subscriber = Subscriber(to, self._connection.functions, self._http)
        dispatcher = Dispatcher(to.name, subscriber, policy, self._queue, self._dead_letters)
        self._dispatchers[to.name] = dispatcher
        task = asyncio.create_task(dispatcher.run(self._topic_path(to.topic)), name=to.name)
        task.add_done_callback(_end_when_failed)
        self._tasks[to.name] = task

    def _topic_path(self, name: str) -> str:
        return (
            f"/subscriptions/{self._connection.subscription_id}"
            f"/resourceGroups/{self._connection.resource_group}"
            f"/providers/Microsoft.EventGrid/topics/{name}"
        )


def create_app(connection: Connection, manifest: Manifest) -> Starlette:
    """The application; its lifespan delivers the events."""
    grid = EventGrid(connection, manifest)
    return Starlette(
        routes=[
            Route("/_status", grid.status),
            Route("/{topic}/api/events", grid.publish, methods=["POST"]),
            Route("/{topic}/_subscriptions", grid.list_subscriptions),
            *(
                Route("/{topic}/_subscriptions/{name}", endpoint, methods=[method])
                for method, endpoint in (
                    ("PUT", grid.put_subscription),
                    ("DELETE", grid.delete_subscription),
                )
            ),
        ],
        lifespan=grid.lifespan,
    )


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode(), key.encode())


def _error(status: int, message: str) -> Response:
    codes = {400: "BadRequest", 401: "Unauthorized", 404: "NotFound", 413: "PayloadTooLarge"}
    return JSONResponse({"error": {"code": codes[status], "message": message}}, status)


def _end_when_failed(task: "asyncio.Task[None]") -> None:
    """End the process, to be started anew, rather than serve without delivering."""
    if not task.cancelled() and task.exception():
        log.error("deliveries to %s failed", task.get_name(), exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)
