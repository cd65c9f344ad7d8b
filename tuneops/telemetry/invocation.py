"""What surrounds each call of a function: its ids, its span, and what came of it as a count."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import azure.functions as func

from tuneops.telemetry import carried, fields, metrics, tracing
from tuneops.telemetry.carried import Carried
from tuneops.telemetry.current import Invocation, being
from tuneops.telemetry.starting import start
from tuneops.telemetry.trigger import Trigger

GITHUB_EVENTS = frozenset({"push", "pull_request", "issue_comment", "ping"})
"""Others count as one: whoever calls the webhook can name what they like."""


@contextmanager
def invoked(
    trigger: Trigger,
    function: Callable[..., Any],
    context: func.Context | None,
    given: tuple[Any, ...],
) -> Iterator[Callable[[Any], Any]]:
    """One call of a function; what is yielded takes the answer, and gives it back."""
    start()
    name = context.function_name if context else function.__name__
    argument = given[0] if given else None
    came = _came_with(trigger, argument)
    invocation = Invocation(came.since)
    answers: list[Any] = []

    def told(answer: Any) -> Any:
        answers.append(answer)
        return answer

    with ExitStack() as stack:
        stack.callback(_count, trigger, name, argument, invocation, answers)
        stack.enter_context(being(invocation))
        stack.enter_context(
            fields.bound({fields.INVOCATION: context.invocation_id if context else ""})
        )
        first = {} if came.traceparent else {fields.ROUTINE: _is_routine(trigger, came)}
        said = {"faas.name": name, "faas.trigger": trigger.value, **first}
        span = stack.enter_context(tracing.continued(came, name, said))
        invocation.traced = span.is_recording()
        yield told


def _came_with(trigger: Trigger, argument: Any) -> Carried:
    """What the trigger brings of a trace, and when what it tells of was so."""
    if trigger is Trigger.MESSAGE:
        return carried.read(argument.get_body())
    at = argument.event_time if trigger is Trigger.EVENT else None
    at = at.replace(tzinfo=at.tzinfo or UTC) if at else datetime.now(UTC)
    return Carried(since=at.isoformat())


def _is_routine(trigger: Trigger, came: Carried) -> bool:
    """Whether a trace begins that is nothing special; a look that was planned is such."""
    planned = trigger is Trigger.MESSAGE and came.since is not None
    return planned or trigger in (Trigger.TIMER, Trigger.READING)


def _count(
    trigger: Trigger, name: str, argument: Any, invocation: Invocation, answers: list[Any]
) -> None:
    if trigger is not Trigger.READING:
        kind = _kind(trigger, name, argument)
        metrics.EVENTS.add(1, {"kind": kind, "result": _result(invocation, answers)})


def _kind(trigger: Trigger, name: str, argument: Any) -> str:
    if trigger is not Trigger.WEBHOOK:
        return name
    said = argument.headers.get("x-github-event", "")
    return said if said in GITHUB_EVENTS else "other"


def _result(invocation: Invocation, answers: list[Any]) -> str:
    """What came of a call: no answer is there if it has raised."""
    if not answers:
        return "failed"
    status = getattr(answers[0], "status_code", HTTPStatus.OK)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "refused"
    if status >= HTTPStatus.BAD_REQUEST:
        return "invalid"
    return "queued" if invocation.sent else "done"
