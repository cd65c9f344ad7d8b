"""Endpoints that commit to a branch."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from localcloud.github.changes import (
    ConflictError,
    Identity,
    make_commit,
    merged_tree,
    tree_with_file,
    tree_without_file,
)
from localcloud.github.git import NO_OBJECT, GitError, is_path
from localcloud.github.history import is_ancestor, read_commit
from localcloud.github.hub import Hub
from localcloud.github.reading_api import content_entry
from localcloud.github.rest import Answer, ApiError, Call, invalid, not_found
from localcloud.github.trees import find

Text = Annotated[str, Field(min_length=1, max_length=65_536)]


class Person(BaseModel):
    """``author`` and ``committer`` of a request."""

    name: Annotated[str, Field(pattern=r"^[^<>\n\x00]+$")]
    email: Annotated[str, Field(pattern=r"^[^<>\s\x00]+$")]
    date: AwareDatetime | None = None

    def identity(self) -> Identity:
        """For git."""
        date: datetime | None = self.date
        return Identity(self.name, self.email, date)


class FileChange(BaseModel):
    """What writing and deleting a file have in common."""

    message: Text
    branch: str | None = None
    sha: str | None = None
    author: Person | None = None
    committer: Person | None = None


class FileWrite(FileChange):
    """PUT .../contents/{path}"""

    content: str


class Merge(BaseModel):
    """POST .../merges"""

    base: Text
    head: Text
    commit_message: Text | None = None


def put_contents(hub: Hub, call: Call) -> Answer:
    """PUT .../contents/{path}: write a file, as one commit on a branch"""
    change = call.parse(FileWrite)
    try:
        content = base64.b64decode("".join(change.content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(422, "content is not valid Base64") from None
    path, branch, head = _target(hub, call, change)
    before = find(hub.git, head, path)
    if before and before.kind == "tree":
        raise ApiError(422, f"{path} is a directory")
    if before and change.sha is None:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if (before.sha if before else None) != change.sha:
        raise ApiError(409, f"{path} does not match {change.sha}")
    commit = _commit(hub, call, branch, head, tree_with_file(hub.git, head, path, content), change)
    after = find(hub.git, commit, path)
    document = {
        "content": content_entry(hub, after, path, commit) if after else None,
        "commit": hub.shapes.commit(read_commit(hub.git, commit)),
    }
    return Answer(document, 200 if before else 201)


def delete_contents(hub: Hub, call: Call) -> Answer:
    """DELETE .../contents/{path}: remove a file, as one commit on a branch"""
    change = call.parse(FileChange)
    path, branch, head = _target(hub, call, change)
    before = find(hub.git, head, path)
    if before is None or before.kind != "blob":
        raise not_found()
    if change.sha is None:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if before.sha != change.sha:
        raise ApiError(409, f"{path} does not match {change.sha}")
    commit = _commit(hub, call, branch, head, tree_without_file(hub.git, head, path), change)
    document: dict[str, Any] = {
        "content": None,
        "commit": hub.shapes.commit(read_commit(hub.git, commit)),
    }
    return Answer(document)


def _target(hub: Hub, call: Call, change: FileChange) -> tuple[str, str, str]:
    """The path, the branch and the branch's head."""
    path = call.path["path"].strip("/")
    if not is_path(path):
        raise ApiError(422, "path contains a malformed path component")
    branch = change.branch or hub.shapes.default_branch
    head = hub.git.branch(branch)
    if head is None:
        raise ApiError(404, f"Branch {branch} not found")
    return path, branch, head


def _commit(hub: Hub, call: Call, branch: str, head: str, tree: str, change: FileChange) -> str:
    committer = (change.committer or change.author or _person(call)).identity()
    author = change.author.identity() if change.author else committer
    commit = make_commit(hub.git, tree, [head], change.message, author, committer)
    advance(hub, call, branch, commit, head)
    return commit


def _person(call: Call) -> Person:
    return Person(name=call.caller, email=f"{call.caller}@users.noreply.localhost")


def advance(hub: Hub, call: Call, branch: str, commit: str, head: str) -> None:
    """Move a branch on for the caller and send the events.

    Raises:
        ApiError: 409 when somebody else was faster.
    """
    hub.expect(commit, call.caller)
    try:
        hub.git.move_branch(branch, commit, head)
    except GitError:
        raise ApiError(409, f"{branch} is at another commit than expected") from None
    hub.refresh()


def merge_branches(hub: Hub, call: Call) -> Answer:
    """POST .../merges: merge one branch (or commit) into another branch"""
    request = call.parse(Merge)
    base = hub.git.branch(request.base)
    if base is None:
        raise ApiError(404, "Base does not exist")
    head = hub.git.commit_id(request.head)
    if head is None:
        raise ApiError(404, "Head does not exist")
    if is_ancestor(hub.git, head, base):
        return Answer(status=204)
    message = request.commit_message or f"Merge {request.head} into {request.base}"
    commit = merge_commit(hub, base, head, message, call, squash=False)
    advance(hub, call, request.base, commit, base)
    return Answer(hub.shapes.commit(read_commit(hub.git, commit)), 201)


def merge_commit(hub: Hub, base: str, head: str, message: str, call: Call, *, squash: bool) -> str:
    """A commit of the caller's that brings ``head`` into ``base``; no branch moves.

    Raises:
        ApiError: 409 when they conflict.
    """
    try:
        tree = merged_tree(hub.git, base, head)
    except ConflictError:
        raise ApiError(409, "Merge conflict") from None
    parents = [base] if squash else [base, head]
    return make_commit(hub.git, tree, parents, message, _person(call).identity())


def create_ref(hub: Hub, call: Call) -> Answer:
    """POST .../git/refs: make a branch"""
    request = call.parse(NewRef)
    branch = request.ref.removeprefix("refs/heads/")
    if branch == request.ref or hub.git.object_id(request.sha) != request.sha:
        raise invalid("Reference", "ref" if branch == request.ref else "sha")
    if hub.git.branch(branch):
        raise ApiError(422, "Reference already exists")
    advance(hub, call, branch, request.sha, NO_OBJECT)
    return Answer(_ref(hub, request.ref, request.sha), 201)


def update_ref(hub: Hub, call: Call) -> Answer:
    """PATCH .../git/refs/heads/{branch}: let a branch point to another commit"""
    request = call.parse(RefUpdate)
    branch = call.path["ref"].removeprefix("heads/")
    head = hub.git.branch(branch) if branch != call.path["ref"] else None
    if head is None:
        raise ApiError(422, "Reference does not exist")
    if hub.git.object_id(request.sha) != request.sha:
        raise ApiError(422, "Object does not exist")
    if not request.force and not is_ancestor(hub.git, head, request.sha):
        raise ApiError(422, "Update is not a fast forward")
    advance(hub, call, branch, request.sha, head)
    return Answer(_ref(hub, f"refs/heads/{branch}", request.sha))


def _ref(hub: Hub, name: str, sha: str) -> dict[str, Any]:
    target = {"sha": sha, "type": "commit", "url": f"{hub.shapes.url}/git/commits/{sha}"}
    return {
        "ref": name,
        "node_id": f"REF_{name}",
        "url": f"{hub.shapes.url}/git/{name}",
        "object": target,
    }


class NewRef(BaseModel):
    """POST .../git/refs"""

    ref: Text
    sha: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class RefUpdate(BaseModel):
    """PATCH .../git/refs/heads/{branch}"""

    sha: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    force: bool = False
