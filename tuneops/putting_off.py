"""What GitHub keeps from being done now, and is tried again later.

The timer would find it all by itself. So only what an event has led to is tried again here, that it
is done soon after GitHub is back and its fate known; and not without end.
"""

import logging

from tuneops.events.effect import Led
from tuneops.events.taking import tell
from tuneops.gitops.errors import GitHubError
from tuneops.queue import (
    CommentRequest,
    PullRequestRequest,
    PullRequestsRequest,
    RepositoryRequest,
)
from tuneops.services import Services

FIRST_SECONDS, LONGEST_SECONDS = 15, 300
MAX_TRIES = 30
"""For two hours."""

AtGitHub = RepositoryRequest | PullRequestRequest | CommentRequest | PullRequestsRequest
"""What is done at GitHub."""

log = logging.getLogger(__name__)


def put_off(request: AtGitHub, error: GitHubError, services: Services) -> None:
    """Have the request come again later, or leave it to the timer.

    Raises:
        AzureError: it can't be done now; the queue delivers the request again.
    """
    if isinstance(request, PullRequestsRequest) or not request.event:
        log.warning("%s is left to the next tick: %s", request, error)
        return
    if request.tries >= MAX_TRIES or error.permanent:
        log.error("%s is given up: %s", request, error)
        why = f"GitHub could not be asked, and the timer looks again: {error}"
        tell(request, Led("merged", why), services)
        return
    seconds = pause(request.tries)
    log.warning("%s comes again in %d s: %s", request, seconds, error)
    services.queue.send(request.model_copy(update={"tries": request.tries + 1}), seconds)


def pause(tries: int) -> int:
    """The seconds to wait after so many tries and one more."""
    return min(LONGEST_SECONDS, FIRST_SECONDS << tries)
