"""Telling GitHub's deployments: each project is an environment, each release deploys to it."""

from collections.abc import Mapping

from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.refusal import refusal
from tuneops.message import Message
from tuneops.notify.routing import Route
from tuneops.release import Phase

_STATES: Mapping[str, str] = {
    "queued": "queued",
    "submitted": "in_progress",
    "trained": "in_progress",
    "shifting": "in_progress",
    "awaits_approval": "pending",
    "approved": "in_progress",
    "live": "success",
    "failed": "failure",
}


class DeploymentChannel:
    """Deployments of the repository that the configs are in; it gets what is a turn of one."""

    id = "github-deployments"
    name = "GitHub deployments"
    route = Route.model_validate({"events": (*_STATES, "torn_down")})

    def __init__(self, github: GitHub) -> None:
        self._github = github

    def send(self, message: Message, thread: str) -> str:
        """Set the status of the deployment of the message's commit.

        Raises:
            ChannelError: GitHub did not take it.
        """
        state = "inactive" if message.phase == Phase.RETIRED else _STATES.get(message.event)
        if state is None:
            return ""
        project, _, title = message.title.partition(": ")
        try:
            self._github.set_deployment(
                message.commit,
                project,
                state=state,
                description=f"{title}: {message.text}",
                url=message.links.get("endpoint", ""),
                log_url=message.links.get("job", ""),
            )
        except GitHubError as error:
            raise refusal(error, message) from error
        return ""
