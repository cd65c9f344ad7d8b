"""The triggers. Each hands over to its module in ``handlers``; nothing heavy is imported here."""

import os

import azure.functions as func

from handlers import (
    config_merged,
    cost,
    dataset_uploaded,
    deliver,
    job_event,
    reconcile,
    resync,
    rollback,
    status,
    summary,
    sweep,
)
from tuneops.services import get_services

RESYNC_SCHEDULE = os.environ.get("TUNEOPS_RESYNC_SCHEDULE", "0 */5 * * * *")
SWEEP_SCHEDULE = os.environ.get("TUNEOPS_SWEEP_SCHEDULE", "0 17 * * * *")
SUMMARY_SCHEDULE = os.environ.get("TUNEOPS_SUMMARY_SCHEDULE", "0 0 7 * * *")

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.function_name("github_webhook")
@app.route(route="github", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def github_webhook(req: func.HttpRequest) -> func.HttpResponse:
    """GitHub's webhook; its signature is the authorisation."""
    code, text = config_merged.handle(req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code)


@app.function_name("on_dataset_uploaded")
@app.event_grid_trigger(arg_name="event")
def on_dataset_uploaded(event: func.EventGridEvent) -> None:
    """Event Grid: a blob was created."""
    dataset_uploaded.handle(event.event_type, event.subject, event.get_json(), get_services())


@app.function_name("on_job_event")
@app.event_grid_trigger(arg_name="event")
def on_job_event(event: func.EventGridEvent) -> None:
    """Event Grid: a job of the workspace completed or changed its state."""
    job_event.handle(event.event_type, event.get_json(), get_services())


@app.function_name("reconcile")
@app.queue_trigger(arg_name="message", queue_name="reconcile", connection="AzureWebJobsStorage")
def on_reconcile(message: func.QueueMessage) -> None:
    """The queue: look at a project or at the repository."""
    reconcile.handle(message.get_body(), get_services())


@app.function_name("deliver")
@app.queue_trigger(arg_name="message", queue_name="deliver", connection="AzureWebJobsStorage")
async def on_deliver(message: func.QueueMessage) -> None:
    """The queue: send people what they are owed."""
    await deliver.handle(message.get_body(), get_services())


@app.function_name("resync")
@app.timer_trigger(arg_name="timer", schedule=RESYNC_SCHEDULE, run_on_startup=False)
def on_timer(timer: func.TimerRequest) -> None:
    """The timer: look at everything."""
    resync.handle(get_services())


@app.function_name("summary")
@app.timer_trigger(arg_name="timer", schedule=SUMMARY_SCHEDULE, run_on_startup=False)
def on_summary_timer(timer: func.TimerRequest) -> None:
    """The daily timer: tell people what runs."""
    summary.handle(get_services())


@app.function_name("cost")
@app.route(route="cost", methods=["GET"])
def get_cost(req: func.HttpRequest) -> func.HttpResponse:
    """What runs and what it costs, in all environments or in ``?environment=NAME``."""
    code, text = cost.handle(req.params.get("environment"), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("status")
@app.route(route="status", methods=["GET"])
def get_status(req: func.HttpRequest) -> func.HttpResponse:
    """All projects, or ``?project=NAME``."""
    code, text = status.handle(req.params.get("project"), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("rollback")
@app.route(route="projects/{project}/rollback", methods=["POST"])
def post_rollback(req: func.HttpRequest) -> func.HttpResponse:
    """An order to go back to an earlier release, by git or by a pin."""
    project = req.route_params["project"]
    code, text = rollback.handle(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("retry")
@app.route(route="projects/{project}/retry", methods=["POST"])
def post_retry(req: func.HttpRequest) -> func.HttpResponse:
    """An order to try what failed or was rolled back again."""
    project = req.route_params["project"]
    code, text = rollback.handle_retry(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("approve")
@app.route(route="projects/{project}/approve", methods=["POST"])
def post_approve(req: func.HttpRequest) -> func.HttpResponse:
    """Approving or rejecting what a release waits for."""
    project = req.route_params["project"]
    code, text = rollback.handle_approval(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule=SWEEP_SCHEDULE, run_on_startup=False)
def on_sweep_timer(timer: func.TimerRequest) -> None:
    """The timer: look for what belongs to nothing."""
    sweep.handle(get_services())


@app.function_name("findings")
@app.route(route="sweep", methods=["GET"])
def get_findings(req: func.HttpRequest) -> func.HttpResponse:
    """What belongs to nothing, as of the last sweep, or with ``?look=now``; nothing is changed."""
    code, text = sweep.handle_findings(req.params.get("look"), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("restore")
@app.route(route="swept/{id}/restore", methods=["POST"])
def post_restore(req: func.HttpRequest) -> func.HttpResponse:
    """An order to bring back what was swept away."""
    identifier = req.route_params["id"]
    code, text = sweep.handle_restore(identifier, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("health")
@app.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app runs and has its settings."""
    get_services()
    return func.HttpResponse("ok")
