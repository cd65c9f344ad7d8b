"""Endpoints that read the repository."""

import base64
import textwrap
from typing import Any

from localcloud.github.git import is_path, is_sha
from localcloud.github.history import (
    changed_files,
    commits,
    count,
    merge_base,
    read_commit,
)
from localcloud.github.hub import Hub
from localcloud.github.rest import Answer, ApiError, Call, invalid, not_found
from localcloud.github.trees import Entry, find, list_tree, read_blob

MAX_TREE_ENTRIES = 100_000
MAX_COMPARED_COMMITS = 250
MAX_LISTED_COMMITS = 1000
MAX_COMPARED_FILES = 300
MAX_INLINE_BYTES = 1024 * 1024

_KINDS = {"blob": "file", "tree": "dir", "commit": "submodule"}


def get_user(hub: Hub, call: Call) -> Answer:
    """GET /user"""
    return Answer(hub.shapes.user(hub.shapes.owner))


def get_repository(hub: Hub, call: Call) -> Answer:
    """GET /repos/{owner}/{repo}"""
    return Answer(hub.shapes.repository())


def list_branches(hub: Hub, call: Call) -> Answer:
    """GET .../branches"""
    prefix = "refs/heads/"
    return Answer(
        [
            {
                "name": ref.removeprefix(prefix),
                "commit": {"sha": sha, "url": f"{hub.shapes.url}/commits/{sha}"},
                "protected": False,
            }
            for ref, sha in hub.git.refs().items()
            if ref.startswith(prefix)
        ]
    )


def get_branch(hub: Hub, call: Call) -> Answer:
    """GET .../branches/{branch}"""
    name = call.path["branch"]
    sha = hub.git.branch(name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    url = f"{hub.shapes.url}/branches/{name}"
    return Answer(
        {
            "name": name,
            "commit": hub.shapes.commit(read_commit(hub.git, sha)),
            "_links": {"self": url, "html": url},
            "protected": False,
        }
    )


def list_commits(hub: Hub, call: Call) -> Answer:
    """GET .../commits?sha=&path="""
    start = call.query.get("sha") or hub.shapes.default_branch
    sha = hub.git.commit_id(start)
    if sha is None:
        raise not_found()
    path = call.query.get("path", "").strip("/")
    if path and not is_path(path):
        raise invalid("Commit", "path")
    found = commits(hub.git, sha, limit=MAX_LISTED_COMMITS, path=path)
    return Answer([hub.shapes.commit(commit) for commit in found])


def get_commit(hub: Hub, call: Call) -> Answer:
    """GET .../commits/{ref}"""
    sha = resolve(hub, call.path["ref"])
    if "github.sha" in call.accept or "v3.sha" in call.accept:
        return Answer(sha.encode())
    commit = read_commit(hub.git, sha)
    files = changed_files(hub.git, commit.parents[0] if commit.parents else None, sha)
    added, deleted = sum(f.additions for f in files), sum(f.deletions for f in files)
    return Answer(
        {
            **hub.shapes.commit(commit),
            "stats": {"additions": added, "deletions": deleted, "total": added + deleted},
            "files": [hub.shapes.file_change(f, sha) for f in files[:MAX_COMPARED_FILES]],
        }
    )


def get_ref(hub: Hub, call: Call) -> Answer:
    """GET .../git/ref/{ref}, such as heads/main"""
    name = f"refs/{call.path['ref']}"
    sha = hub.git.refs().get(name)
    if sha is None:
        raise not_found()
    kind = "commit" if hub.git.object_id(sha) == sha else "tag"
    target = {"sha": sha, "type": kind, "url": f"{hub.shapes.url}/git/{kind}s/{sha}"}
    return Answer(
        {
            "ref": name,
            "node_id": f"REF_{name}",
            "url": f"{hub.shapes.url}/git/{name}",
            "object": target,
        }
    )


def get_tree(hub: Hub, call: Call) -> Answer:
    """GET .../git/trees/{sha}?recursive=1; also of a commit, branch or tag"""
    name = call.path["sha"]
    tree = hub.git.object_id(name, "tree") if is_sha(name) else None
    if tree is None:
        tree = hub.git.object_id(resolve(hub, name), "tree")
    if tree is None:
        raise not_found()
    entries = list_tree(hub.git, tree, "recursive" in call.query)
    return Answer(
        {
            "sha": tree,
            "url": f"{hub.shapes.url}/git/trees/{tree}",
            "tree": [_tree_entry(hub, entry) for entry in entries[:MAX_TREE_ENTRIES]],
            "truncated": len(entries) > MAX_TREE_ENTRIES,
        }
    )


def get_blob(hub: Hub, call: Call) -> Answer:
    """GET .../git/blobs/{sha}"""
    sha = call.path["sha"]
    content = read_blob(hub.git, sha) if is_sha(sha) else None
    if content is None:
        raise not_found()
    if call.wants_raw:
        return Answer(content)
    return Answer(
        {
            "sha": sha,
            "node_id": f"B_{sha}",
            "size": len(content),
            "url": f"{hub.shapes.url}/git/blobs/{sha}",
            "content": encoded(content),
            "encoding": "base64",
        }
    )


def get_contents(hub: Hub, call: Call) -> Answer:
    """GET .../contents/{path}?ref=: a file, or a list of a directory's entries"""
    ref = call.query.get("ref") or hub.shapes.default_branch
    commit = hub.git.commit_id(ref.removeprefix("refs/heads/").removeprefix("refs/tags/"))
    if commit is None:
        raise ApiError(404, f"No commit found for the ref {ref}")
    path = call.path.get("path", "").strip("/")
    if not path:
        return Answer(_directory(hub, commit, "", commit))
    entry = find(hub.git, commit, path) if is_path(path) else None
    if entry is None:
        raise not_found()
    if entry.kind == "tree":
        return Answer(_directory(hub, entry.sha, f"{path}/", commit))
    content = read_blob(hub.git, entry.sha) or b""
    if call.wants_raw:
        return Answer(content)
    inline = len(content) <= MAX_INLINE_BYTES
    return Answer(
        {
            **content_entry(hub, entry, path, commit),
            "content": encoded(content) if inline else "",
            "encoding": "base64" if inline else "none",
        }
    )


def _directory(hub: Hub, tree: str, prefix: str, commit: str) -> list[dict[str, Any]]:
    entries = list_tree(hub.git, tree, recursive=False)
    return [content_entry(hub, entry, prefix + entry.path, commit) for entry in entries]


def content_entry(hub: Hub, entry: Entry, path: str, commit: str) -> dict[str, Any]:
    """A file or directory as ``/contents`` describes it, without its content."""
    url = f"{hub.shapes.url}/contents/{path}?ref={commit}"
    folder = "trees" if entry.kind == "tree" else "blobs"
    git_url = f"{hub.shapes.url}/git/{folder}/{entry.sha}"
    return {
        "type": "symlink" if entry.mode == "120000" else _KINDS[entry.kind],
        "name": path.rsplit("/", 1)[-1],
        "path": path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": url,
        "html_url": url,
        "git_url": git_url,
        "download_url": None,
        "_links": {"self": url, "git": git_url, "html": url},
    }


def compare(hub: Hub, call: Call) -> Answer:
    """GET .../compare/{base}...{head}"""
    base_name, separator, head_name = call.path["range"].partition("...")
    if not separator:
        raise not_found()
    base, head = resolve(hub, base_name), resolve(hub, head_name)
    ancestor = merge_base(hub.git, base, head)
    if ancestor is None:
        raise ApiError(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead, behind = count(hub.git, head, f"^{base}"), count(hub.git, base, f"^{head}")
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    new = commits(hub.git, head, f"^{base}", limit=MAX_COMPARED_COMMITS)[::-1]
    files = changed_files(hub.git, ancestor, head)[:MAX_COMPARED_FILES]
    url = f"{hub.shapes.url}/compare/{base_name}...{head_name}"
    return Answer(
        {
            "url": url,
            "html_url": url,
            "status": status.get((ahead > 0, behind > 0), "diverged"),
            "ahead_by": ahead,
            "behind_by": behind,
            "total_commits": ahead,
            "base_commit": hub.shapes.commit(read_commit(hub.git, base)),
            "merge_base_commit": hub.shapes.commit(read_commit(hub.git, ancestor)),
            "commits": [hub.shapes.commit(commit) for commit in new],
            "files": [hub.shapes.file_change(file, head) for file in files],
        }
    )


def resolve(hub: Hub, name: str) -> str:
    """The commit that a branch, tag or SHA stands for.

    Raises:
        ApiError: there is none: 422 for a SHA, 404 for a name, as GitHub answers.
    """
    sha = hub.git.commit_id(name)
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {name}") if is_sha(name) else not_found()
    return sha


def encoded(content: bytes) -> str:
    """Base64 in lines of 60 characters, as GitHub sends contents."""
    return "".join(f"{line}\n" for line in textwrap.wrap(base64.b64encode(content).decode(), 60))


def _tree_entry(hub: Hub, entry: Entry) -> dict[str, Any]:
    document: dict[str, Any] = {
        "path": entry.path,
        "mode": entry.mode,
        "type": entry.kind,
        "sha": entry.sha,
    }
    if entry.kind == "blob":
        document["size"] = entry.size
    if entry.kind != "commit":
        document["url"] = f"{hub.shapes.url}/git/{entry.kind}s/{entry.sha}"
    return document
