"""Telling the commit: one status per project, green when its release is live."""

from collections.abc import Mapping

from tuneops.gitops.github import GitHub, GitHubError
from tuneops.gitops.refusal import refusal
from tuneops.message import Message
from tuneops.notify.routing import Route
from tuneops.release import Phase

_STATES: Mapping[str, str] = {
    "live": "success",
    "torn_down": "success",
    "drifted": "success",
    "failed": "failure",
    "config_invalid": "failure",
    "pinned": "failure",
    "unpinned": "failure",
}
"""Where git is not followed, its commit has failed; what follows the end of a pin says more."""
_ENDED: Mapping[str, str] = {
    Phase.LIVE: "success",
    Phase.RETIRED: "success",
    Phase.FAILED: "failure",
}


def state_of(message: Message) -> str:
    """The status that a message means; what came to an end stays so, whatever holds it up later."""
    return _STATES.get(message.event) or _ENDED.get(message.phase, "pending")


class CommitStatusChannel:
    """Commit statuses of the repository that the configs are in."""

    id = "github"
    name = "GitHub commit statuses"
    route = Route()

    def __init__(self, github: GitHub) -> None:
        self._github = github

    def send(self, message: Message, thread: str) -> str:
        """Set the status of the message's commit.

        Raises:
            ChannelError: GitHub did not take it.
        """
        subject, _, description = message.title.partition(": ")
        try:
            self._github.set_status(
                message.commit,
                state=state_of(message),
                context=f"tuneops/{subject}",
                description=f"{description}: {message.text}",
                url=next(iter(message.links.values()), ""),
            )
        except GitHubError as error:
            raise refusal(error, message) from error
        return ""
