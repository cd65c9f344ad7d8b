"""What GitHub keeps beside the repository."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ActivityType = Literal["push", "force_push", "branch_creation", "branch_deletion", "pr_merge"]


def now() -> datetime:
    """The time, in whole seconds as GitHub gives it."""
    return datetime.now(UTC).replace(microsecond=0)


class Record(BaseModel):
    """A stored document; ``id`` is given by the store, ``key`` is what it is listed by.

    What nobody is named as the creator of is the owner's.
    """

    model_config = ConfigDict(frozen=True)

    id: int = 0
    key: str
    creator: str | None = None
    created_at: datetime = Field(default_factory=now)


class CommitStatus(Record):
    """A commit status; ``key`` is the commit's SHA."""

    state: Literal["error", "failure", "pending", "success"]
    context: str
    description: str | None
    target_url: str | None


class CommitComment(Record):
    """A comment on a commit; ``key`` is the commit's SHA."""

    body: str
    path: str | None
    position: int | None
    line: int | None
    updated_at: datetime = Field(default_factory=now)


class IssueComment(Record):
    """A comment on an issue or pull request; ``key`` is its number."""

    body: str
    author_association: str = "OWNER"
    updated_at: datetime = Field(default_factory=now)


class Reaction(Record):
    """A reaction to a comment on a pull request; ``key`` is the comment's id."""

    content: str


class Team(Record):
    """A team of the organization; ``key`` is its slug."""

    name: str


class Membership(Record):
    """Somebody is in a team; ``key`` is the team's slug."""

    login: str
    role: Literal["member", "maintainer"]


class Reviewer(BaseModel):
    """Who has to review what goes to an environment, by the id of the account or team."""

    model_config = ConfigDict(frozen=True)

    type: Literal["User", "Team"]
    id: int


class Environment(Record):
    """An environment with its protection rules; ``key`` is its name."""

    wait_timer: int
    prevent_self_review: bool
    reviewers: list[Reviewer]
    deployment_branch_policy: dict[str, bool] | None
    updated_at: datetime = Field(default_factory=now)


class Pull(Record):
    """A pull request; ``id`` is its number and ``key`` its state."""

    key: Literal["open", "closed"] = "open"
    title: str
    body: str | None
    head: str
    head_sha: str
    base: str
    base_sha: str
    updated_at: datetime = Field(default_factory=now)
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None


class Activity(Record):
    """A move of a branch, made by `creator`; ``key`` is the full name of the ref."""

    activity_type: ActivityType
    before: str
    after: str


class Deployment(Record):
    """A deployment of a commit to an environment; ``key`` is the commit's SHA."""

    ref: str
    task: str
    environment: str
    description: str | None


class DeploymentStatus(Record):
    """How a deployment goes; ``key`` is the deployment's id."""

    state: str
    description: str = ""
    log_url: str = ""
    environment_url: str = ""


class Delivery(Record):
    """A webhook delivery; ``key`` is the hook's id. It is pending until ``delivered_at`` is set."""

    guid: str
    event: str
    action: str | None
    payload: str
    redelivery: bool = False
    delivered_at: datetime | None = None
    duration: float = 0
    status: str = ""
    status_code: int = 0
    request_headers: dict[str, str] = {}
    response_headers: dict[str, str] = {}
    response_body: str | None = None
