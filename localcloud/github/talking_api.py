"""Endpoints for commit statuses and comments."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from localcloud.github.hub import Hub
from localcloud.github.reading_api import resolve
from localcloud.github.records import CommitComment, CommitStatus, IssueComment, Pull, now
from localcloud.github.rest import Answer, ApiError, Call, not_found

MAX_STATUSES = 1000

Body = Annotated[str, Field(min_length=1, max_length=65_536)]


class NewStatus(BaseModel):
    """POST .../statuses/{sha}"""

    state: Literal["error", "failure", "pending", "success"]
    context: Annotated[str, Field(max_length=255)] = "default"
    description: Annotated[str, Field(max_length=140)] | None = None
    target_url: Annotated[str, Field(pattern="^(https?://.+)?$", max_length=8192)] | None = None


class NewCommitComment(BaseModel):
    """POST .../commits/{sha}/comments"""

    body: Body
    path: str | None = None
    position: int | None = None
    line: int | None = None


class NewIssueComment(BaseModel):
    """POST .../issues/{number}/comments"""

    body: Body


def create_status(hub: Hub, call: Call) -> Answer:
    """POST .../statuses/{sha}"""
    request = call.parse(NewStatus)
    sha = hub.git.object_id(call.path["sha"]) if hub.git.commit_id(call.path["sha"]) else None
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.path['sha']}")
    same = [s for s in hub.store.listed(CommitStatus, sha) if s.context == request.context]
    if len(same) >= MAX_STATUSES:
        message = "This SHA and context has reached the maximum number of statuses."
        raise ApiError(422, "Validation Failed", [message])
    status = hub.store.add(CommitStatus(key=sha, creator=call.caller, **request.model_dump()))
    return Answer(hub.shapes.status(status), 201)


def list_statuses(hub: Hub, call: Call) -> Answer:
    """GET .../commits/{ref}/statuses, newest first"""
    statuses = hub.store.listed(CommitStatus, resolve(hub, call.path["ref"]))
    return Answer([hub.shapes.status(status) for status in reversed(statuses)])


def get_combined_status(hub: Hub, call: Call) -> Answer:
    """GET .../commits/{ref}/status: the newest of each context, and the worst of them"""
    sha = resolve(hub, call.path["ref"])
    newest = {status.context: status for status in hub.store.listed(CommitStatus, sha)}
    return Answer(
        {
            "state": _combined({status.state for status in newest.values()}),
            "sha": sha,
            "total_count": len(newest),
            "statuses": [hub.shapes.status(status) for status in newest.values()],
            "repository": hub.shapes.repository(),
            "commit_url": f"{hub.shapes.url}/commits/{sha}",
            "url": f"{hub.shapes.url}/commits/{sha}/status",
        }
    )


def _combined(states: set[str]) -> str:
    if states & {"error", "failure"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def create_commit_comment(hub: Hub, call: Call) -> Answer:
    """POST .../commits/{sha}/comments"""
    request = call.parse(NewCommitComment)
    sha = resolve(hub, call.path["ref"])
    comment = hub.store.add(CommitComment(key=sha, creator=call.caller, **request.model_dump()))
    return Answer(hub.shapes.commit_comment(comment), 201)


def list_commit_comments(hub: Hub, call: Call) -> Answer:
    """GET .../commits/{sha}/comments"""
    comments = hub.store.listed(CommitComment, resolve(hub, call.path["ref"]))
    return Answer([hub.shapes.commit_comment(comment) for comment in comments])


def create_issue_comment(hub: Hub, call: Call) -> Answer:
    """POST .../issues/{number}/comments; pull requests are the only issues here"""
    request = call.parse(NewIssueComment)
    number = _issue(hub, call)
    comment = hub.store.add(IssueComment(key=number, body=request.body, creator=call.caller))
    return Answer(hub.shapes.issue_comment(comment), 201)


def list_issue_comments(hub: Hub, call: Call) -> Answer:
    """GET .../issues/{number}/comments"""
    comments = hub.store.listed(IssueComment, _issue(hub, call))
    return Answer([hub.shapes.issue_comment(comment) for comment in comments])


def _issue(hub: Hub, call: Call) -> str:
    pull = hub.store.get(Pull, call.number("number"))
    if pull is None:
        raise not_found()
    return str(pull.id)


def get_issue_comment(hub: Hub, call: Call) -> Answer:
    """GET .../issues/comments/{id}"""
    return Answer(hub.shapes.issue_comment(_comment(hub, call)))


def update_issue_comment(hub: Hub, call: Call) -> Answer:
    """PATCH .../issues/comments/{id}"""
    request = call.parse(NewIssueComment)
    changed = _comment(hub, call).model_copy(update={"body": request.body, "updated_at": now()})
    hub.store.replace(changed)
    return Answer(hub.shapes.issue_comment(changed))


def delete_issue_comment(hub: Hub, call: Call) -> Answer:
    """DELETE .../issues/comments/{id}"""
    hub.store.remove(_comment(hub, call))
    return Answer(status=204)


def _comment(hub: Hub, call: Call) -> IssueComment:
    comment = hub.store.get(IssueComment, call.number("id"))
    if comment is None:
        raise not_found()
    return comment
