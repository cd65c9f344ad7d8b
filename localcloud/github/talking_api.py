"""Endpoints for commit statuses and comments."""

from datetime import datetime
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
    association = hub.people.association(call.caller, hub.shapes.owner)
    with hub.store.transaction():
        comment = hub.store.add(
            IssueComment(
                key=number,
                body=request.body,
                creator=call.caller,
                author_association=association,
            )
        )
        owed = hub.comment_event("created", comment, call.caller)
    hub.deliveries.send(owed)
    return Answer(hub.shapes.issue_comment(comment), 201)


def list_issue_comments(hub: Hub, call: Call) -> Answer:
    """GET .../issues/{number}/comments?since="""
    comments = hub.store.listed(IssueComment, _issue(hub, call))
    since = _since(call)
    comments = [each for each in comments if since is None or each.updated_at >= since]
    return Answer([hub.shapes.issue_comment(comment) for comment in comments])


def _since(call: Call) -> datetime | None:
    text = call.query.get("since")
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise ApiError(422, "Invalid request: since is no timestamp") from None


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
    before = _own_comment(hub, call)
    changed = before.model_copy(update={"body": request.body, "updated_at": now()})
    with hub.store.transaction():
        hub.store.replace(changed)
        owed = hub.comment_event("edited", changed, call.caller, before.body)
    hub.deliveries.send(owed)
    return Answer(hub.shapes.issue_comment(changed))


def delete_issue_comment(hub: Hub, call: Call) -> Answer:
    """DELETE .../issues/comments/{id}"""
    comment = _own_comment(hub, call)
    with hub.store.transaction():
        hub.store.remove(comment)
        owed = hub.comment_event("deleted", comment, call.caller)
    hub.deliveries.send(owed)
    return Answer(status=204)


def _own_comment(hub: Hub, call: Call) -> IssueComment:
    """A comment that the caller may change: their own, or any with the permission to write."""
    comment = _comment(hub, call)
    weak = hub.people.permission(call.caller) in ("read", "none")
    if weak and comment.creator != call.caller:
        raise ApiError(403, "Must have admin rights to Repository.")
    return comment


def _comment(hub: Hub, call: Call) -> IssueComment:
    comment = hub.store.get(IssueComment, call.number("id"))
    if comment is None:
        raise not_found()
    return comment
