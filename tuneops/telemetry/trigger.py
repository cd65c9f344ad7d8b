"""What calls the app's functions, and that each call can be seen from outside.

`function_app` imports this: what a call is observed with is imported by the first one.
"""

import functools
import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

import azure.functions as func

F = TypeVar("F", bound=Callable[..., Any])


class Trigger(Enum):
    """What calls a function."""

    WEBHOOK = "webhook"
    EVENT = "event"
    MESSAGE = "message"
    TIMER = "timer"
    ORDER = "order"
    READING = "reading"


def observed(trigger: Trigger) -> Callable[[F], F]:
    """Makes a function of the app one that can be seen from outside."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, context: func.Context | None = None, **kwargs: Any) -> Any:
            from tuneops.telemetry.invocation import invoked

            with invoked(trigger, function, context, (*args, *kwargs.values())) as told:
                return told(function(*args, **kwargs))

        @functools.wraps(function)
        async def call_async(*args: Any, context: func.Context | None = None, **kwargs: Any) -> Any:
            from tuneops.telemetry.invocation import invoked

            with invoked(trigger, function, context, (*args, *kwargs.values())) as told:
                return told(await function(*args, **kwargs))

        made = call_async if inspect.iscoroutinefunction(function) else call
        _with_context(made, function)
        return made  # type: ignore[return-value]

    return decorate


def _with_context(made: Callable[..., Any], function: Callable[..., Any]) -> None:
    """Let the worker see a parameter `context`, for which it gives what it knows of the call."""
    signature = inspect.signature(function)
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=func.Context)
    parameters = [*signature.parameters.values(), context]
    made.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    made.__annotations__ = {**function.__annotations__, "context": func.Context}
