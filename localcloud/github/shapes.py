"""GitHub's JSON for a repository, its commits and their people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from localcloud.github.history import Commit, FileChange, Paths, Person
from localcloud.github.records import (
    Activity,
    CommitComment,
    CommitStatus,
    Deployment,
    DeploymentStatus,
    IssueComment,
    Pull,
    Record,
    Team,
)

JSON = dict[str, Any]


def timestamp(moment: datetime | None) -> str | None:
    """UTC with a ``Z``, as the REST API gives it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else None


@dataclass(frozen=True)
class Shapes:
    """JSON of one repository. There are no web pages: every ``html_url`` is the API's address."""

    api_url: str
    full_name: str
    default_branch: str
    clone_url: str

    @property
    def url(self) -> str:
        """The repository's address in the API."""
        return f"{self.api_url}/repos/{self.full_name}"

    @property
    def owner(self) -> str:
        """The account that owns the repository."""
        return self.full_name.split("/")[0]

    def user(self, login: str) -> JSON:
        """An account."""
        url = f"{self.api_url}/users/{login}"
        return {
            "login": login,
            "id": number_for(login),
            "node_id": f"U_{number_for(login)}",
            "avatar_url": "",
            "url": url,
            "html_url": url,
            "type": "Bot" if login.endswith("[bot]") else "User",
            "site_admin": False,
        }

    def _creator(self, record: Record) -> JSON:
        return self.user(record.creator or self.owner)

    def repository(self) -> JSON:
        """The repository."""
        number = number_for(self.full_name)
        return {
            "id": number,
            "node_id": f"R_{number}",
            "name": self.full_name.split("/")[1],
            "full_name": self.full_name,
            "private": True,
            "owner": self.user(self.owner),
            "html_url": self.url,
            "description": None,
            "fork": False,
            "url": self.url,
            "git_url": self.clone_url,
            "ssh_url": self.clone_url,
            "clone_url": self.clone_url,
            "archived": False,
            "disabled": False,
            "visibility": "private",
            "default_branch": self.default_branch,
        }

    def commit(self, commit: Commit) -> JSON:
        """A commit as ``/commits`` gives it."""
        url = f"{self.url}/commits/{commit.sha}"
        return {
            "sha": commit.sha,
            "node_id": f"C_{commit.sha}",
            "commit": {
                "author": _person(commit.author),
                "committer": _person(commit.committer),
                "message": commit.message,
                "tree": {"sha": commit.tree, "url": f"{self.url}/git/trees/{commit.tree}"},
                "url": f"{self.url}/git/commits/{commit.sha}",
                "comment_count": 0,
                "verification": {
                    "verified": False,
                    "reason": "unsigned",
                    "signature": None,
                    "payload": None,
                },
            },
            "url": url,
            "html_url": url,
            "comments_url": f"{url}/comments",
            "author": self.user(login_of(commit.author)),
            "committer": self.user(login_of(commit.committer)),
            "parents": [
                {
                    "sha": sha,
                    "url": f"{self.url}/commits/{sha}",
                    "html_url": f"{self.url}/commits/{sha}",
                }
                for sha in commit.parents
            ],
        }

    def pushed_commit(self, commit: Commit, paths: Paths, distinct: bool) -> JSON:
        """A commit as a push event gives it; ``distinct`` when no other push had it."""
        return {
            "id": commit.sha,
            "tree_id": commit.tree,
            "distinct": distinct,
            "message": commit.message,
            "timestamp": commit.committer.date.isoformat(),
            "url": f"{self.url}/commits/{commit.sha}",
            "author": _pusher(commit.author),
            "committer": _pusher(commit.committer),
            "added": paths.added,
            "removed": paths.removed,
            "modified": paths.modified,
        }

    def file_change(self, change: FileChange, commit: str) -> JSON:
        """A file as comparisons and commits list it; without its patch."""
        document: JSON = {
            "sha": change.sha,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "contents_url": f"{self.url}/contents/{change.path}?ref={commit}",
        }
        if change.previous_path:
            document["previous_filename"] = change.previous_path
        return document

    def status(self, status: CommitStatus) -> JSON:
        """A commit status."""
        return {
            "id": status.id,
            "node_id": f"SC_{status.id}",
            "url": f"{self.url}/statuses/{status.key}",
            "avatar_url": None,
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": timestamp(status.created_at),
            "updated_at": timestamp(status.created_at),
            "creator": self._creator(status),
        }

    def deployment(self, deployment: Deployment) -> JSON:
        """A deployment."""
        url = f"{self.url}/deployments/{deployment.id}"
        return {
            "id": deployment.id,
            "node_id": f"DE_{deployment.id}",
            "url": url,
            "sha": deployment.key,
            "ref": deployment.ref,
            "task": deployment.task,
            "payload": {},
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": deployment.description,
            "creator": self._creator(deployment),
            "created_at": timestamp(deployment.created_at),
            "updated_at": timestamp(deployment.created_at),
            "statuses_url": f"{url}/statuses",
            "repository_url": self.url,
            "transient_environment": False,
            "production_environment": deployment.environment == "production",
        }

    def deployment_status(self, status: DeploymentStatus, deployment: Deployment) -> JSON:
        """The status of a deployment."""
        url = f"{self.url}/deployments/{deployment.id}"
        return {
            "id": status.id,
            "node_id": f"DS_{status.id}",
            "url": f"{url}/statuses/{status.id}",
            "state": status.state,
            "description": status.description,
            "environment": deployment.environment,
            "environment_url": status.environment_url,
            "log_url": status.log_url,
            "target_url": status.log_url,
            "deployment_url": url,
            "repository_url": self.url,
            "creator": self._creator(status),
            "created_at": timestamp(status.created_at),
            "updated_at": timestamp(status.created_at),
        }

    def commit_comment(self, comment: CommitComment) -> JSON:
        """A comment on a commit."""
        place = {"path": comment.path, "position": comment.position, "line": comment.line}
        return {**self._comment(comment, "comments"), **place, "commit_id": comment.key}

    def issue_comment(self, comment: IssueComment) -> JSON:
        """A comment on an issue or pull request."""
        issue = {"issue_url": f"{self.url}/issues/{comment.key}"}
        association = {"author_association": comment.author_association}
        return {**self._comment(comment, "issues/comments"), **issue, **association}

    def issue(self, pull: Pull) -> JSON:
        """A pull request as the issue that its comments are on."""
        url, pulls = f"{self.url}/issues/{pull.id}", f"{self.url}/pulls/{pull.id}"
        return {
            "id": pull.id,
            "node_id": f"PR_{pull.id}",
            "number": pull.id,
            "url": url,
            "html_url": pulls,
            "comments_url": f"{url}/comments",
            "title": pull.title,
            "body": pull.body,
            "state": pull.key,
            "locked": False,
            "user": self._creator(pull),
            "created_at": timestamp(pull.created_at),
            "updated_at": timestamp(pull.updated_at),
            "closed_at": timestamp(pull.closed_at),
            "pull_request": {
                "url": pulls,
                "html_url": pulls,
                "merged_at": timestamp(pull.merged_at),
            },
        }

    def team(self, team: Team) -> JSON:
        """A team of the owner's."""
        url = f"{self.api_url}/orgs/{self.owner}/teams/{team.key}"
        return {
            "id": team.id,
            "node_id": f"T_{team.id}",
            "url": url,
            "html_url": url,
            "members_url": f"{url}/members{{/member}}",
            "repositories_url": f"{url}/repos",
            "name": team.name,
            "slug": team.key,
            "description": None,
            "privacy": "closed",
            "permission": "pull",
            "parent": None,
        }

    def _comment(self, comment: CommitComment | IssueComment, folder: str) -> JSON:
        url = f"{self.url}/{folder}/{comment.id}"
        return {
            "id": comment.id,
            "node_id": f"CC_{comment.id}",
            "url": url,
            "html_url": url,
            "body": comment.body,
            "user": self._creator(comment),
            "author_association": "OWNER",
            "created_at": timestamp(comment.created_at),
            "updated_at": timestamp(comment.updated_at),
        }

    def activity(self, activity: Activity) -> JSON:
        """A move of a branch."""
        return {
            "id": activity.id,
            "node_id": f"PSH_{activity.id}",
            "before": activity.before,
            "after": activity.after,
            "ref": activity.key,
            "timestamp": timestamp(activity.created_at),
            "activity_type": activity.activity_type,
            "actor": self._creator(activity),
        }

    def pull(self, pull: Pull, mergeable: bool | None) -> JSON:
        """A pull request. ``mergeable`` is None where GitHub does not compute it."""
        url = f"{self.url}/pulls/{pull.id}"
        return {
            "id": pull.id,
            "node_id": f"PR_{pull.id}",
            "number": pull.id,
            "url": url,
            "html_url": url,
            "issue_url": f"{self.url}/issues/{pull.id}",
            "state": pull.key,
            "locked": False,
            "draft": False,
            "title": pull.title,
            "body": pull.body,
            "user": self._creator(pull),
            "head": self._side(pull.head, pull.head_sha),
            "base": self._side(pull.base, pull.base_sha),
            "created_at": timestamp(pull.created_at),
            "updated_at": timestamp(pull.updated_at),
            "closed_at": timestamp(pull.closed_at),
            "merged_at": timestamp(pull.merged_at),
            "merged": pull.merged_at is not None,
            "merge_commit_sha": pull.merge_commit_sha,
            "mergeable": mergeable,
        }

    def _side(self, branch: str, sha: str) -> JSON:
        return {
            "label": f"{self.owner}:{branch}",
            "ref": branch,
            "sha": sha,
            "user": self.user(self.owner),
            "repo": self.repository(),
        }


def number_for(name: str) -> int:
    """A stable number, where GitHub has an id."""
    return crc32(name.encode())


def login_of(person: Person) -> str:
    """An account name for a person that is known by name and address only."""
    local_part = person.email.split("@")[0]
    return re.sub(r"[^A-Za-z0-9-]+", "-", local_part).strip("-") or "unknown"


def _person(person: Person) -> Mapping[str, Any]:
    return {"name": person.name, "email": person.email, "date": timestamp(person.date)}


def _pusher(person: Person) -> Mapping[str, str]:
    return {"name": person.name, "email": person.email, "username": login_of(person)}
