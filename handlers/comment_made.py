"""A comment on a pull request, of which GitHub's webhook told: it may hold a command."""

from gidgethub.sansio import Event
from pydantic import BaseModel, Field

from tuneops.events.taking import Weighed
from tuneops.gitops.commands import parse
from tuneops.queue import CommentRequest
from tuneops.services import Services


class _Repository(BaseModel):
    full_name: str


class _Issue(BaseModel):
    number: int = Field(ge=1, lt=2**53)
    pull_request: dict[str, object] | None = None


class _Comment(BaseModel):
    id: int = Field(ge=1, lt=2**63)
    body: str | None = None


class _Made(BaseModel):
    action: str
    issue: _Issue
    comment: _Comment
    repository: _Repository


def weigh(event: Event, services: Services) -> Weighed:
    """Have the comment heard if it seems to order something; what it says is read from GitHub.

    Only a new comment counts: what is edited or deleted later has been heard.
    """
    made = _Made.model_validate(event.data)
    subject = f"{made.repository.full_name}#{made.issue.number} comment {made.comment.id}"
    new = made.action == "created" and made.issue.pull_request is not None
    if not new or parse(made.comment.body or "") is None:
        return Weighed("ignored", "no command", subject)
    name = made.repository.full_name.lower()
    sources = services.settings.config_sources
    source = next((each for each in sources if each.repository.lower() == name), None)
    if source is None:
        return Weighed("ignored", "not a tracked repository", subject)
    request = CommentRequest(
        environment=source.environment, number=made.issue.number, comment=made.comment.id
    )
    return Weighed("taken", "the comment is being read", subject, (request,))
