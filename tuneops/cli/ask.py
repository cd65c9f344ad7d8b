"""``tuneops ask``."""

import sys
import time
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from tuneops import smoke
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.scoring import door_of
from tuneops.azureml.talking import AnswerError
from tuneops.azureml.talking import ask as ask_endpoint
from tuneops.azureml.workspace import Workspace
from tuneops.cli.completion import ProjectArgument
from tuneops.cli.output import JsonOption, plain, print_json
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption, fail
from tuneops.cli.workspaces import settings_of
from tuneops.status import ProjectStatus, ReleaseStatus

MAX_QUESTION = 1024 * 1024


class Answered(BaseModel):
    """What an endpoint answered; without a deployment the traffic has chosen one."""

    project: str
    endpoint: str
    deployment: str
    question: str
    answer: str
    seconds: float


def ask(
    project: ProjectArgument,
    question: Annotated[str, typer.Argument(help="What is asked; - reads standard input.")],
    deployment: Annotated[
        str, typer.Option(help="This deployment, whatever the traffic; 'tuneops show' has names.")
    ] = "",
    system: Annotated[str, typer.Option(help="What the model is told before.")] = "",
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Left out, as the smoke test asks.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Ask a project's live model, and print its answer as it comes.

    In Azure this signs in to the workspace with your own login, which needs to read the endpoint's
    keys; the workspace is that of config.json here, or of TUNEOPS_SUBSCRIPTION_ID and so on.

    Example: tuneops ask support-bot "How do I reset my password?"
    """
    asked = sys.stdin.read(MAX_QUESTION) if question == "-" else question
    if not asked.strip():
        raise typer.BadParameter("the question is empty")
    release = _asked(Target.find(url, key, state).status(project).projects[0], deployment)
    body = _request(release, asked, system, max_new_tokens)
    workspace = Workspace(settings_of(azure=bool(url), state=state))
    limit = release.config.deployment.request_settings.request_timeout_ms / 1000
    begun, pieces = time.monotonic(), []
    try:
        for piece in ask_endpoint(door_of(workspace, release.endpoint), body, deployment, limit):
            pieces.append(piece)
            if not as_json:
                typer.echo(plain(piece), nl=False)
    except (RefusedError, UnavailableError, AnswerError) as error:
        if pieces and not as_json:
            typer.echo()
        raise fail(str(error)) from error
    if not as_json:
        typer.echo()
        return
    answered = Answered(
        project=project,
        endpoint=release.endpoint,
        deployment=deployment,
        question=asked,
        answer="".join(pieces),
        seconds=time.monotonic() - begun,
    )
    print_json(answered)


def _asked(project: ProjectStatus, deployment: str) -> ReleaseStatus:
    """The release whose endpoint is asked: the live one, or for a deployment of its own any."""
    found = project.live or (project.release if deployment else None)
    if found is None:
        raise fail(f"{project.name} has no live model to ask: it is {project.phase}")
    return found


def _request(
    release: ReleaseStatus, question: str, system: str, max_new_tokens: int | None
) -> dict[str, Any]:
    """What the smoke test would send, with this conversation."""
    conversation = [{"role": "system", "content": system}] if system else []
    conversation.append({"role": "user", "content": question})
    changes = {"max_new_tokens": max_new_tokens} if max_new_tokens else {}
    return smoke.request(conversation, release.config.smoke_test.model_copy(update=changes))
