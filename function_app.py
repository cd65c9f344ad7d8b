"""The triggers. Each hands over to its module in ``handlers``.

The host waits for this module before it takes an event, on every new instance. So each trigger
imports its handler itself, when it is first invoked.
"""

import os
from typing import TYPE_CHECKING

import azure.functions as func

from tuneops.page.answer import Answer
from tuneops.page.asked import Asked
from tuneops.page.way import way_in
from tuneops.telemetry.trigger import Trigger, observed

if TYPE_CHECKING:
    from tuneops.services import Services

RESYNC_SCHEDULE = os.environ.get("TUNEOPS_RESYNC_SCHEDULE", "0 */5 * * * *")
SWEEP_SCHEDULE = os.environ.get("TUNEOPS_SWEEP_SCHEDULE", "0 17 * * * *")
SUMMARY_SCHEDULE = os.environ.get("TUNEOPS_SUMMARY_SCHEDULE", "0 0 7 * * *")

PAGE = func.AuthLevel.FUNCTION if way_in(os.environ) == "key" else func.AuthLevel.ANONYMOUS
"""Who opens a page: the host wants a key where nothing else tells people from others."""

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def get_services() -> "Services":
    """The process's services.

    Raises:
        pydantic.ValidationError: a setting is missing or has a wrong value.
    """
    from tuneops import services

    return services.get_services()


@app.function_name("github_webhook")
@app.route(route="api/github", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@observed(Trigger.WEBHOOK)
def github_webhook(req: func.HttpRequest) -> func.HttpResponse:
    """GitHub's webhook; its signature is the authorisation."""
    from handlers import config_merged

    code, text = config_merged.handle(req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code)


@app.function_name("on_dataset_uploaded")
@app.event_grid_trigger(arg_name="event")
@observed(Trigger.EVENT)
def on_dataset_uploaded(event: func.EventGridEvent) -> None:
    """Event Grid: a blob was created."""
    from handlers import dataset_uploaded

    dataset_uploaded.handle(
        event.id, event.event_type, event.subject, event.get_json(), get_services()
    )


@app.function_name("on_job_event")
@app.event_grid_trigger(arg_name="event")
@observed(Trigger.EVENT)
def on_job_event(event: func.EventGridEvent) -> None:
    """Event Grid: a job of the workspace completed or changed its state."""
    from handlers import job_event

    job_event.handle(event.id, event.event_type, event.get_json(), get_services())


@app.function_name("reconcile")
@app.queue_trigger(arg_name="message", queue_name="reconcile", connection="AzureWebJobsStorage")
@observed(Trigger.MESSAGE)
def on_reconcile(message: func.QueueMessage) -> None:
    """The queue: look at a project or at the repository."""
    from handlers import reconcile

    reconcile.handle(message.get_body(), get_services(), message.insertion_time)


@app.function_name("deliver")
@app.queue_trigger(arg_name="message", queue_name="deliver", connection="AzureWebJobsStorage")
@observed(Trigger.MESSAGE)
async def on_deliver(message: func.QueueMessage) -> None:
    """The queue: send people what they are owed."""
    from handlers import deliver

    await deliver.handle(message.get_body(), get_services())


@app.function_name("resync")
@app.timer_trigger(arg_name="timer", schedule=RESYNC_SCHEDULE, run_on_startup=False)
@observed(Trigger.TIMER)
def on_timer(timer: func.TimerRequest) -> None:
    """The timer: look at everything."""
    from handlers import resync

    resync.handle(get_services())


@app.function_name("summary")
@app.timer_trigger(arg_name="timer", schedule=SUMMARY_SCHEDULE, run_on_startup=False)
@observed(Trigger.TIMER)
def on_summary_timer(timer: func.TimerRequest) -> None:
    """The daily timer: tell people what runs."""
    from handlers import summary

    summary.handle(get_services())


@app.function_name("cost")
@app.route(route="api/cost", methods=["GET"])
@observed(Trigger.READING)
def get_cost(req: func.HttpRequest) -> func.HttpResponse:
    """What runs and what it costs, in all environments or in ``?environment=NAME``."""
    from handlers import cost

    code, text = cost.handle(req.params.get("environment"), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("status")
@app.route(route="api/status", methods=["GET"])
@observed(Trigger.READING)
def get_status(req: func.HttpRequest) -> func.HttpResponse:
    """All projects in pages, ``?after=`` the last ``next``, or ``?project=NAME``."""
    from handlers import status

    asked, after = req.params.get("project"), req.params.get("after", "")
    code, text = status.handle(asked, get_services(), after)
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("projects")
@app.route(route="api/projects", methods=["GET"])
@observed(Trigger.READING)
def get_projects(req: func.HttpRequest) -> func.HttpResponse:
    """The names of all projects."""
    from handlers import releases

    code, text = releases.handle_names(get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("releases")
@app.route(route="api/projects/{project}/releases", methods=["GET"])
@observed(Trigger.READING)
def get_releases(req: func.HttpRequest) -> func.HttpResponse:
    """A project's releases, the newest first: ``?limit=N``, and ``?before=N`` for more."""
    from handlers import releases

    project = req.route_params["project"]
    code, text = releases.handle_page(project, req.params, get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("release")
@app.route(route="api/projects/{project}/releases/{number}", methods=["GET"])
@observed(Trigger.READING)
def get_release(req: func.HttpRequest) -> func.HttpResponse:
    """All of one release; ``latest`` is the newest."""
    from handlers import releases

    where = req.route_params
    code, text = releases.handle_release(where["project"], where["number"], get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("metrics")
@app.route(route="api/projects/{project}/releases/{number}/metrics", methods=["GET"])
@observed(Trigger.READING)
def get_metrics(req: func.HttpRequest) -> func.HttpResponse:
    """What a release's training has logged, with its curves."""
    from handlers import releases

    where = req.route_params
    code, text = releases.handle_metrics(where["project"], where["number"], get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("logs")
@app.route(route="api/projects/{project}/releases/{number}/logs", methods=["GET"])
@observed(Trigger.READING)
def get_logs(req: func.HttpRequest) -> func.HttpResponse:
    """The next piece of a log: ``?of=job|data|deployment``, and ``?after=`` the last ``next``."""
    from handlers import releases

    project, number = req.route_params["project"], req.route_params["number"]
    code, text = releases.handle_log(project, number, req.params, get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("rollback")
@app.route(route="api/projects/{project}/rollback", methods=["POST"])
@observed(Trigger.ORDER)
def post_rollback(req: func.HttpRequest) -> func.HttpResponse:
    """An order to go back to an earlier release, by git or by a pin."""
    from handlers import rollback

    project = req.route_params["project"]
    code, text = rollback.handle(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("retry")
@app.route(route="api/projects/{project}/retry", methods=["POST"])
@observed(Trigger.ORDER)
def post_retry(req: func.HttpRequest) -> func.HttpResponse:
    """An order to try what failed or was rolled back again."""
    from handlers import rollback

    project = req.route_params["project"]
    code, text = rollback.handle_retry(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("approve")
@app.route(route="api/projects/{project}/approve", methods=["POST"])
@observed(Trigger.ORDER)
def post_approve(req: func.HttpRequest) -> func.HttpResponse:
    """Approving or rejecting what a release waits for."""
    from handlers import rollback

    project = req.route_params["project"]
    code, text = rollback.handle_approval(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("suspend")
@app.route(route="api/projects/{project}/suspend", methods=["POST"])
@observed(Trigger.ORDER)
def post_suspend(req: func.HttpRequest) -> func.HttpResponse:
    """An order to have everything of a project stay as it is."""
    from handlers import rollback

    project = req.route_params["project"]
    code, text = rollback.handle_suspend(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("resume")
@app.route(route="api/projects/{project}/resume", methods=["POST"])
@observed(Trigger.ORDER)
def post_resume(req: func.HttpRequest) -> func.HttpResponse:
    """An order to have a suspended project go on."""
    from handlers import rollback

    project = req.route_params["project"]
    code, text = rollback.handle_resume(project, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("audit")
@app.route(route="api/audit", methods=["GET"])
@observed(Trigger.READING)
def get_audit(req: func.HttpRequest) -> func.HttpResponse:
    """Who ordered what, of ``?project=NAME`` or of all, in ``?month=2026-11`` or this one."""
    from handlers import audit

    code, text = audit.handle(req.params.get("project"), req.params.get("month"), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("events")
@app.route(route="api/events", methods=["GET"])
@observed(Trigger.READING)
def get_events(req: func.HttpRequest) -> func.HttpResponse:
    """What became of the events of a day, as JSON."""
    from handlers import events

    code, text = events.handle(req.params, get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule=SWEEP_SCHEDULE, run_on_startup=False)
@observed(Trigger.TIMER)
def on_sweep_timer(timer: func.TimerRequest) -> None:
    """The timer: look for what belongs to nothing."""
    from handlers import sweep

    sweep.handle(get_services())


@app.function_name("findings")
@app.route(route="api/sweep", methods=["GET"])
@observed(Trigger.READING)
def get_findings(req: func.HttpRequest) -> func.HttpResponse:
    """What belongs to nothing, as of the last sweep, or with ``?look=now``; nothing is changed."""
    from handlers import swept

    code, text = swept.handle_findings(req.params.get("look"), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("restore")
@app.route(route="api/swept/{id}/restore", methods=["POST"])
@observed(Trigger.ORDER)
def post_restore(req: func.HttpRequest) -> func.HttpResponse:
    """An order to bring back what was swept away."""
    from handlers import swept

    identifier = req.route_params["id"]
    code, text = swept.handle_restore(identifier, req.headers, req.get_body(), get_services())
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("doctor")
@app.route(route="api/doctor", methods=["GET"])
@observed(Trigger.READING)
def get_doctor(req: func.HttpRequest) -> func.HttpResponse:
    """What is broken and how to mend it, everywhere or in ``?only=AREA``; nothing is changed."""
    from handlers import doctor

    code, text = doctor.handle(req.params.get("only"), req.url, get_services)
    return func.HttpResponse(text, status_code=code, mimetype="application/json")


@app.function_name("health")
@app.route(route="api/health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@observed(Trigger.READING)
def get_health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app runs and has its settings."""
    get_services()
    return func.HttpResponse("ok")


@app.function_name("page")
@app.route(route="/", methods=["GET"], auth_level=PAGE)
@observed(Trigger.READING)
def get_page(req: func.HttpRequest) -> func.HttpResponse:
    """The page: all projects."""
    from handlers import page

    return _response(page.handle(_asked(req), get_services()))


@app.function_name("project_page")
@app.route(route="projects/{project}", methods=["GET"], auth_level=PAGE)
@observed(Trigger.READING)
def get_project_page(req: func.HttpRequest) -> func.HttpResponse:
    """The page of a project: its releases."""
    from handlers import project_page

    return _response(project_page.handle(_asked(req), get_services()))


@app.function_name("release_page")
@app.route(route="projects/{project}/releases/{number}", methods=["GET"], auth_level=PAGE)
@observed(Trigger.READING)
def get_release_page(req: func.HttpRequest) -> func.HttpResponse:
    """The page of a release."""
    from handlers import project_page

    return _response(project_page.handle_release(_asked(req), get_services()))


@app.function_name("page_static")
@app.route(route="static/{file}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@observed(Trigger.READING)
def get_static(req: func.HttpRequest) -> func.HttpResponse:
    """A file that pages link, which holds no data."""
    from handlers import page

    return _response(page.static(req.route_params["file"], req.params.get("v", "")))


@app.function_name("page_action")
@app.route(route="projects/{project}/actions/{action}", methods=["GET", "POST"], auth_level=PAGE)
@observed(Trigger.ORDER)
def page_action(req: func.HttpRequest) -> func.HttpResponse:
    """An order from the page, by a form of its own; to open it leads back to the page."""
    from handlers import page_actions

    return _response(page_actions.handle(_asked(req), get_services()))


def _asked(req: func.HttpRequest) -> Asked:
    """What a browser asks for."""
    headers = {name.lower(): value for name, value in req.headers.items()}
    return Asked(req.url, req.method, headers, req.params, req.route_params, req.get_body())


def _response(answer: Answer) -> func.HttpResponse:
    """What a browser is answered."""
    return func.HttpResponse(answer.body, status_code=answer.status, headers=answer.all_headers)
