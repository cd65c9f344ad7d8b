"""Endpoints for pull requests, within the one repository."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from localcloud.github.changes import ConflictError, merged_tree
from localcloud.github.git import GitError
from localcloud.github.history import changed_files, is_ancestor, merge_base, read_commit
from localcloud.github.hub import Hub
from localcloud.github.reading_api import resolve
from localcloud.github.records import Pull, now
from localcloud.github.rest import Answer, ApiError, Call, invalid, not_found
from localcloud.github.writing_api import merge_commit

Name = Annotated[str, Field(min_length=1, max_length=256)]


class NewPull(BaseModel):
    """POST .../pulls"""

    title: Name
    head: Name
    base: Name
    body: str | None = None


class PullUpdate(BaseModel):
    """PATCH .../pulls/{number}"""

    title: Name | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None


class PullMerge(BaseModel):
    """PUT .../pulls/{number}/merge; rebasing is not offered"""

    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None
    merge_method: Literal["merge", "squash"] = "merge"


def create_pull(hub: Hub, call: Call) -> Answer:
    """POST .../pulls"""
    request = call.parse(NewPull)
    head_name = request.head.removeprefix(f"{hub.shapes.owner}:")
    head, base = hub.git.branch(head_name), hub.git.branch(request.base)
    if head is None or base is None:
        raise invalid("PullRequest", "base" if base is None else "head")
    if is_ancestor(hub.git, head, base):
        raise _refused(f"No commits between {request.base} and {head_name}")
    if any(p.head == head_name and p.base == request.base for p in hub.store.listed(Pull, "open")):
        raise _refused(f"A pull request already exists for {hub.shapes.owner}:{head_name}.")
    pull = Pull(
        creator=call.caller,
        title=request.title,
        body=request.body,
        head=head_name,
        head_sha=head,
        base=request.base,
        base_sha=base,
    )
    with hub.store.transaction():
        pull = hub.store.add(pull)
        owed = hub.pull_event("opened", pull)
    hub.deliveries.send(owed)
    return Answer(hub.shapes.pull(pull, None), 201)


def _refused(message: str) -> ApiError:
    errors = [{"resource": "PullRequest", "code": "custom", "message": message}]
    return ApiError(422, "Validation Failed", errors)


def list_pulls(hub: Hub, call: Call) -> Answer:
    """GET .../pulls?state=open|closed|all&head=OWNER:BRANCH&base=BRANCH&direction=asc|desc

    By the time when they were created, the newest first unless `direction` says otherwise.
    """
    state, direction = call.query.get("state", "open"), call.query.get("direction", "desc")
    if state not in ("open", "closed", "all"):
        raise invalid("PullRequest", "state")
    if direction not in ("asc", "desc"):
        raise invalid("PullRequest", "direction")
    if call.query.get("sort", "created") != "created":
        raise invalid("PullRequest", "sort")
    pulls = hub.store.listed(Pull, None if state == "all" else state)
    if direction == "desc":
        pulls = pulls[::-1]
    head, base = call.query.get("head"), call.query.get("base")
    return Answer(
        [
            hub.shapes.pull(pull, None)
            for pull in pulls
            if head in (None, f"{hub.shapes.owner}:{pull.head}") and base in (None, pull.base)
        ]
    )


def list_pulls_of_commit(hub: Hub, call: Call) -> Answer:
    """GET .../commits/{ref}/pulls: those that merged it, and open ones where it is not merged"""
    sha = resolve(hub, call.path["ref"])
    main = hub.git.branch(hub.shapes.default_branch)
    is_in = main is not None and is_ancestor(hub.git, sha, main)
    found = (pull for pull in reversed(hub.store.listed(Pull)) if _has_commit(hub, pull, sha))
    return Answer(
        [
            hub.shapes.pull(pull, None)
            for pull in found
            if pull.merged_at or (pull.key == "open" and not is_in)
        ]
    )


def _has_commit(hub: Hub, pull: Pull, sha: str) -> bool:
    """Whether a commit is what a pull request was merged as, or one of its own."""
    if sha == pull.merge_commit_sha:
        return True
    before = pull.base_sha
    if pull.merge_commit_sha not in (None, pull.head_sha):
        before = read_commit(hub.git, str(pull.merge_commit_sha)).parents[0]
    return is_ancestor(hub.git, sha, pull.head_sha) and not is_ancestor(hub.git, sha, before)


def get_pull(hub: Hub, call: Call) -> Answer:
    """GET .../pulls/{number}"""
    pull = _pull(hub, call)
    return Answer(hub.shapes.pull(pull, _mergeable(hub, pull)))


def list_pull_files(hub: Hub, call: Call) -> Answer:
    """GET .../pulls/{number}/files"""
    pull = _pull(hub, call)
    base = merge_base(hub.git, pull.base_sha, pull.head_sha)
    files = changed_files(hub.git, base, pull.head_sha)
    return Answer([hub.shapes.file_change(file, pull.head_sha) for file in files])


def update_pull(hub: Hub, call: Call) -> Answer:
    """PATCH .../pulls/{number}: its title and body, or close it"""
    request, pull = call.parse(PullUpdate), _pull(hub, call)
    if request.state == "open" and pull.key == "closed":
        raise _refused("a closed pull request is not opened again here; open a new one")
    texts = request.model_dump(include={"title", "body"}, exclude_none=True)
    pull = pull.model_copy(update={**texts, "updated_at": now()})
    with hub.store.transaction():
        hub.store.replace(pull)
        closes = request.state == "closed" and pull.key == "open"
        owed = hub.close(pull, merged_as=None) if closes else hub.pull_event("edited", pull)
    hub.deliveries.send(owed)
    return Answer(hub.shapes.pull(_pull(hub, call), None))


def merge_pull(hub: Hub, call: Call) -> Answer:
    """PUT .../pulls/{number}/merge"""
    request, pull = call.parse(PullMerge), _pull(hub, call)
    base = hub.git.branch(pull.base)
    if pull.key == "closed" or base is None:
        raise ApiError(405, "Pull Request is not mergeable")
    if request.sha not in (None, pull.head_sha):
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    squash = request.merge_method == "squash"
    source = f"{hub.shapes.owner}/{pull.head}"
    default = (
        f"{pull.title} (#{pull.id})" if squash else f"Merge pull request #{pull.id} from {source}"
    )
    text = request.commit_message if request.commit_message is not None else pull.title
    message = f"{request.commit_title or default}\n\n{text}".strip()
    try:
        commit = merge_commit(hub, base, pull.head_sha, message, call, squash=squash)
    except ApiError:
        raise ApiError(405, "Pull Request is not mergeable") from None
    hub.expect(commit, call.caller, merge=True)
    try:
        with hub.store.transaction():
            owed = hub.close(pull, merged_as=commit)
            hub.git.move_branch(pull.base, commit, base)
    except GitError:
        message = "Base branch was modified. Review and try the merge again."
        raise ApiError(405, message) from None
    hub.deliveries.send(owed)
    hub.refresh()
    return Answer({"sha": commit, "merged": True, "message": "Pull Request successfully merged"})


def check_merged(hub: Hub, call: Call) -> Answer:
    """GET .../pulls/{number}/merge: 204 when it is merged"""
    if _pull(hub, call).merged_at is None:
        raise not_found()
    return Answer(status=204)


def _pull(hub: Hub, call: Call) -> Pull:
    pull = hub.store.get(Pull, call.number("number"))
    if pull is None:
        raise not_found()
    return pull


def _mergeable(hub: Hub, pull: Pull) -> bool | None:
    base = hub.git.branch(pull.base)
    if pull.key == "closed" or base is None:
        return None
    try:
        merged_tree(hub.git, base, pull.head_sha)
    except ConflictError:
        return False
    return True
