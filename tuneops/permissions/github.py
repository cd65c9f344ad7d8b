"""What the GitHub App may do, by the permissions that GitHub offers. Pure.

https://docs.github.com/rest/authentication/permissions-required-for-github-apps
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class AppPermission:
    """A permission at the least level; `level` is read or write.

    Without it, that is what happens; those that are `needed` TuneOps can't do without. What whole
    loops do not ask for says in `unseen` which test does. What is not `given` is tried anyway.
    """

    name: str
    title: str
    level: str
    call: str
    why: str
    without: str
    needed: bool = True
    unseen: str = ""
    given: bool = True

    def __str__(self) -> str:
        """As GitHub's pages call it."""
        return f"{self.title}: {self.level}"


METADATA = AppPermission(
    "metadata",
    "Metadata",
    "read",
    "gitops/approvers.read, github.may_write: GET collaborators/USER/permission",
    "who may approve, and give orders by comments",
    "GitHub gives it to every App",
    unseen="tests/test_hearing.py",
)
CONTENTS = AppPermission(
    "contents",
    "Contents",
    "read",
    "gitops/github.head, snapshot, contents, moves: branches, git/trees, git/blobs, commits, "
    "compare, activity",
    "the configs, who changed them, and by which commit",
    "nothing is read from git",
)
CONTENTS_WRITE = AppPermission(
    "contents",
    "Contents",
    "write",
    "gitops/restoration.propose: POST and PATCH git/refs, PUT contents",
    "tuneops rollback opens a pull request",
    "rollbacks are refused; a pin works without",
    needed=False,
    unseen="tests/test_rollback.py",
)
STATUSES = AppPermission(
    "statuses",
    "Commit statuses",
    "write",
    "gitops/commit_status: POST statuses",
    "a check at each commit",
    "commits have no check; everything else goes on",
)
DEPLOYMENTS = AppPermission(
    "deployments",
    "Deployments",
    "write",
    "gitops/deployment_channel: GET and POST deployments",
    "the environment on GitHub's page shows what is live",
    "it does not; everything else goes on",
)
PULL_REQUESTS = AppPermission(
    "pull_requests",
    "Pull requests",
    "write",
    "gitops/github.proposal, comment, react, merged_pull: pulls, commits/SHA/pulls, issue comments",
    "reviews, questions and answers on pull requests",
    "pull requests have no review and no question is asked there",
)
ACTIONS = AppPermission(
    "actions",
    "Actions",
    "read",
    "gitops/approvers.read: GET environments/NAME",
    "the reviewers of an environment may approve",
    "approval by an environment's reviewers is refused, with the reason",
    needed=False,
    unseen="tests/test_hearing.py",
)
MEMBERS = AppPermission(
    "members",
    "Members (organization)",
    "read",
    "gitops/approvers.read: GET orgs/ORG/teams/TEAM/memberships/USER",
    "a team's members may approve",
    "approval by a team is refused, with the reason",
    needed=False,
    unseen="tests/test_hearing.py",
)

HOOKS = AppPermission(
    "repository_hooks",
    "Webhooks",
    "read",
    "gitops/webhooks.read: GET hooks and their deliveries",
    "the doctor sees a webhook of the repository; that of the App it sees without",
    "such a webhook is taken to be well",
    needed=False,
    given=False,
)

APP_PERMISSIONS = (
    METADATA,
    CONTENTS,
    CONTENTS_WRITE,
    STATUSES,
    DEPLOYMENTS,
    PULL_REQUESTS,
    ACTIONS,
    MEMBERS,
    HOOKS,
)


def highest() -> dict[str, str]:
    """What the App is made with: each permission at the highest level that the table has."""
    given = (each for each in APP_PERMISSIONS if each.given)
    return {each.name: each.level for each in sorted(given, key=lambda each: each.level)}


def lacks_permission(accepted: str, repository: str) -> str:
    """What the App lacks, by what GitHub would accept: ``contents=read``, several by ``;``."""
    titles = {each.name: each.title for each in APP_PERMISSIONS}
    first = accepted.partition(";")[0].split(",")
    wanted = (each.strip().partition("=") for each in first)
    named = ", ".join(f"{titles.get(name, name)}: {level}" for name, _, level in wanted)
    return (
        f"TuneOps lacks {named} in {repository}: give it to the GitHub App (or token) in its "
        "settings, and accept that where it is installed (docs/permissions.md)"
    )
