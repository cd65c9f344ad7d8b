"""The host as one web application, with its listeners and timers in the background."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.functions import eventgrid_triggers
from localcloud.functions.app import TRIGGERS, Function
from localcloud.functions.eventgrid_triggers import EventGridTriggers
from localcloud.functions.host_config import HostConfig
from localcloud.functions.http_triggers import HttpTriggers
from localcloud.functions.invocation import Invoker
from localcloud.functions.keys import Keys
from localcloud.functions.queue_storage import QueueStorage
from localcloud.functions.queue_triggers import QueueListener
from localcloud.functions.timer_triggers import Timer, TimerStore

ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
HEALTH_PATH = "/health"
STATUS_PATH = "/admin/host/status"
THREADS = 16
EVENT_THREADS = 2
"""Event Grid can wait, people can't: on Azure each has instances of its own."""
DRAIN_SECONDS = 4.0

log = logging.getLogger(__name__)


class Host:
    """The functions of one app, ready to be served."""

    def __init__(
        self,
        functions: list[Function],
        config: HostConfig,
        keys: Keys,
        settings: Mapping[str, str],
        timers_file: Path,
        triggers: Collection[str] = TRIGGERS,
    ) -> None:
        """Prepare the functions that have one of these triggers.

        Raises:
            AppError: a trigger can't be served.
        """
        queues = QueueStorage(settings, config.extensions.queues.message_encoding)
        self._functions = functions
        self._triggers = triggers
        self._keys = keys
        self._invoker = Invoker(queues, THREADS)
        self._http = HttpTriggers(
            self._with("httpTrigger"),
            config.extensions.http.route_prefix,
            keys,
            self._invoker,
            settings,
        )
        self._eventgrid = EventGridTriggers(
            self._with("eventGridTrigger"), keys, Invoker(queues, EVENT_THREADS)
        )
        self._listeners = [
            QueueListener(function, config.extensions.queues, queues, self._invoker)
            for function in self._with("queueTrigger")
        ]
        store = TimerStore(timers_file)
        self._timers = [
            Timer(function, store, self._invoker) for function in self._with("timerTrigger")
        ]

    def site(self) -> Starlette:
        """The web application. Its lifespan runs the listeners and timers."""
        routes = [
            Route(STATUS_PATH, self._status, methods=["GET"]),
            Route(
                eventgrid_triggers.PATH,
                self._eventgrid.respond,
                methods=eventgrid_triggers.METHODS,
            ),
        ]
        if not self._http.serves("GET", HEALTH_PATH):
            routes.append(Route(HEALTH_PATH, self._health, methods=["GET"]))
        routes.append(Route("/{path:path}", self._http.respond, methods=ALL_METHODS))
        return Starlette(routes=routes, lifespan=lambda _: self.working())

    def _with(self, trigger: str) -> list[Function]:
        wanted = trigger if trigger in self._triggers else ""
        return [function for function in self._functions if function.trigger.type == wanted]

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Listeners and timers work inside the block."""
        loops = [
            *(asyncio.create_task(listener.run()) for listener in self._listeners),
            *(asyncio.create_task(timer.run()) for timer in self._timers),
        ]
        for loop in loops:
            loop.add_done_callback(_end_with)
        served = [each.name for each in self._functions if each.trigger.type in self._triggers]
        log.info("serving %s", ", ".join(served))
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await self._drain(loops)

    async def _drain(self, loops: list[asyncio.Task[None]]) -> None:
        """Let running invocations end. A message of one that does not is handed out again."""
        drains = [asyncio.create_task(listener.drain()) for listener in self._listeners]
        if waiting := [*loops, *drains]:
            await asyncio.wait(waiting, timeout=DRAIN_SECONDS)

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"state": "Running"})

    async def _status(self, request: Request) -> Response:
        """The host's status, as the real host gives it to those who have the key."""
        if not self._keys.allow(request):
            return Response(status_code=401)
        names = [function.name for function in self._functions]
        return JSONResponse({"state": "Running", "errors": [], "functions": names})


def _end_with(loop: asyncio.Task[None]) -> None:
    """A host without one of its loops is of no use: end it, to be started anew."""
    if not loop.cancelled() and (error := loop.exception()):
        log.critical("a listener or timer has ended", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
