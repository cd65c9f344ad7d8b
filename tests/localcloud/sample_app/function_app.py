"""A small function app with every trigger that the local host serves.

What was invoked is appended to the file named by the app setting RECORD, a JSON line each.
"""

import json
import os
import threading
import time
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
lock = threading.Lock()


def record(**fields: Any) -> None:
    """Note an invocation."""
    with lock, open(os.environ["RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


@app.route(route="items/{name:alpha}/{number:int?}", auth_level=func.AuthLevel.ANONYMOUS)
def items(req: func.HttpRequest) -> func.HttpResponse:
    """Says what it was asked."""
    seen = {
        "method": req.method,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "header": req.headers.get("X-Sample"),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(
        json.dumps(seen),
        status_code=201,
        headers={"X-Answer": "42"},
        mimetype="application/json",
    )


@app.route(methods=["GET"])
async def keyed(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Needs a key; named and routed by its function."""
    return func.HttpResponse(f"{context.function_name} {len(context.invocation_id)}")


@app.route(methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def broken(req: func.HttpRequest) -> func.HttpResponse:
    """Raises."""
    raise RuntimeError("the sample's secret reason")


@app.route(methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="%QUEUE%", connection="AzureWebJobsStorage")
def enqueue(req: func.HttpRequest, out: func.Out[str]) -> str:
    """Sends its body to the queue that `on_work` reads."""
    out.set(req.get_body().decode())
    return "sent"


@app.event_grid_trigger(arg_name="event")
def on_event(event: func.EventGridEvent) -> None:
    """Fails when the event says so."""
    data = event.get_json()
    record(function="on_event", id=event.id, type=event.event_type, data=data)
    if data.get("fail"):
        raise RuntimeError("told to fail")


@app.event_grid_trigger(arg_name="event")
async def on_cloud_event(event: func.CloudEvent) -> None:
    """Takes CloudEvents."""
    record(function="on_cloud_event", id=event.id, type=event.type)


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="AzureWebJobsStorage")
def on_work(message: func.QueueMessage) -> None:
    """Sleeps or fails as the message says."""
    order = message.get_json()
    record(
        function="on_work",
        id=message.id,
        count=message.dequeue_count,
        inserted=message.insertion_time.isoformat(),
        order=order,
    )
    time.sleep(order.get("sleep", 0))
    if order.get("fail"):
        raise RuntimeError("told to fail")
    record(function="on_work", id=message.id, done=True)


@app.timer_trigger(arg_name="timer", schedule="*/1 * * * * *")
def every_second(timer: func.TimerRequest) -> None:
    """Often."""
    record(function="every_second", past_due=timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    """Once a year, and when the host starts."""
    record(function="at_start", past_due=timer.past_due, status=timer.schedule_status)
