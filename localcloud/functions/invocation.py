"""Calling functions: arguments in, one line in the log, outputs sent."""

import asyncio
import contextvars
import functools
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import azure.functions as func
from azure.functions.meta import Datum

from localcloud.functions.app import RETURN, Function
from localcloud.functions.converters import converter
from localcloud.functions.queue_storage import QueueStorage

log = logging.getLogger(__name__)

T = TypeVar("T")


class InvocationFailedError(Exception):
    """The function raised; the log has its traceback."""


class Out(func.Out[T], Generic[T]):
    """An output parameter."""

    def __init__(self) -> None:
        self._value: T | None = None

    def set(self, val: T) -> None:
        """What is to be sent when the function has succeeded."""
        self._value = val

    def get(self) -> T | None:  # type: ignore[override]
        """What was set last."""
        return self._value


@dataclass(frozen=True)
class TraceContext:
    """W3C trace context; empty, as nothing here traces."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryContext:
    """The retry policy's state: there is none."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: Exception | None = None


@dataclass(frozen=True)
class Context:
    """The parameter ``context``, with the fields of ``azure.functions.Context``."""

    invocation_id: str
    function_name: str
    function_directory: Path
    thread_local_storage: threading.local
    trace_context: TraceContext = TraceContext()
    retry_context: RetryContext = RetryContext()


class Invoker:
    """Runs functions: coroutines on the event loop, plain functions in threads."""

    def __init__(self, queues: QueueStorage, threads: int) -> None:
        self._queues = queues
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._local = threading.local()

    async def invoke(
        self, function: Function, data: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> Any:
        """Call the function and send its outputs. Returns what it returned.

        Args:
            data: the trigger's data, as the host hands it to Microsoft's worker.
            metadata: the trigger's metadata likewise.

        Raises:
            InvocationFailedError: it raised, or an output could not be sent.
        """
        invocation = str(uuid.uuid4())
        started = time.monotonic()
        try:
            result = await self._run(function, invocation, data, metadata or {})
        except Exception as error:
            _log_outcome(function, invocation, started, error)
            raise InvocationFailedError(function.name) from error
        _log_outcome(function, invocation, started, None)
        return result

    async def _run(
        self, function: Function, invocation: str, data: Datum, metadata: Mapping[str, Datum]
    ) -> Any:
        arguments: dict[str, Any] = {function.trigger.name: _decode(function, data, metadata)}
        if function.wants_context:
            arguments["context"] = Context(
                invocation, function.name, function.directory, self._local
            )
        outs = {output.name: Out[Any]() for output in function.outputs if output.name != RETURN}
        result = await self._call(function, invocation, arguments | outs)
        for output in function.outputs:
            value = result if output.name == RETURN else outs[output.name].get()
            if output.type == "queue" and value is not None:
                await asyncio.to_thread(self._queues.send_output, output, value)
        return result

    async def _call(self, function: Function, invocation: str, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            return await function.call(**arguments)

        def in_thread() -> Any:
            self._local.invocation_id = invocation
            return function.call(**arguments)

        run = functools.partial(contextvars.copy_context().run, in_thread)
        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def _decode(function: Function, data: Datum, metadata: Mapping[str, Datum]) -> Any:
    if function.trigger_type is str:
        return data.value.decode() if isinstance(data.value, bytes) else data.value
    if function.trigger_type is bytes:
        return data.value.encode() if isinstance(data.value, str) else data.value
    return converter(function.trigger.type).decode(data, trigger_metadata=metadata)


def _log_outcome(
    function: Function, invocation: str, started: float, error: Exception | None
) -> None:
    milliseconds = round((time.monotonic() - started) * 1000)
    line = (function.name, invocation, function.trigger.type, milliseconds)
    if error is None:
        log.info("%s %s %s %d ms succeeded", *line)
    else:
        log.error("%s %s %s %d ms failed", *line, exc_info=error)
