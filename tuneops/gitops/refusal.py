"""What a channel to GitHub says when GitHub did not take a message."""

from datetime import UTC, datetime, timedelta

from tuneops.gitops.errors import GitHubError
from tuneops.message import Message
from tuneops.notify.channel import ChannelError

SEEN_AFTER = timedelta(minutes=10)
"""For so long GitHub may know nothing of a commit that was just pushed."""


def refusal(error: GitHubError, message: Message) -> ChannelError:
    """The channel's error; what GitHub says is wrong it never takes, once that can't be too new."""
    old = datetime.now(UTC) - message.at > SEEN_AFTER
    return ChannelError(str(error), permanent=error.permanent and old)
