"""Telling the commit: one status per project, green when its release is live."""

from collections.abc import Mapping

from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.refusal import refusal
from tuneops.message import Message
from tuneops.notify.links import first
from tuneops.notify.routing import Route
from tuneops.release import Phase

_STATES: Mapping[str, str] = {
    "live": "success",
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


def _said(message: Message) -> str:
    """What fits into the few characters of a status: the figure is worth more than the rest."""
    return "; ".join(filter(None, (message.text, message.figure)))


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
                description=f"{description}: {_said(message)}",
                url=first(message.links),
            )
        except GitHubError as error:
            raise refusal(error, message) from error
        return ""
