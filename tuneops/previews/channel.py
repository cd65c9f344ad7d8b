"""Telling a pull request of its previews: one comment each, made anew of what is stored."""

from datetime import UTC, datetime

from azure.core.exceptions import AzureError

from tuneops import documents
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.refusal import refusal
from tuneops.message import Message
from tuneops.names import family
from tuneops.notify.channel import ChannelError
from tuneops.notify.routing import Route
from tuneops.previews import text
from tuneops.previews.wanted import at_its_time
from tuneops.project import Project
from tuneops.release import Release
from tuneops.store import Store, UnreadableError


class PreviewChannel:
    """The comment on a preview; whatever the message is about, it says how the preview is now."""

    id = "github-previews"
    name = "GitHub comments on previews"
    route = Route()

    def __init__(self, github: GitHub, store: Store, where: tuple[str, str]) -> None:
        self._github = github
        self._store = store
        self._where = where

    def send(self, message: Message, thread: str) -> str:
        """Let the comment be what is stored of the preview that the message is of.

        Raises:
            ChannelError: GitHub did not take it, or what is stored can't be read.
        """
        try:
            self.tell(message.key.partition(":")[0])
        except GitHubError as error:
            raise refusal(error, message) from error
        except (UnreadableError, AzureError) as error:
            raise ChannelError(f"what is stored can't be read: {type(error).__name__}") from error
        return ""

    def tell(self, key: str) -> None:
        """Let the comment be what is stored of a preview.

        Raises:
            GitHubError: GitHub did not take it.
            UnreadableError: what is stored can't be read.
        """
        wanted = self._store.read(documents.desired(key), Desired)
        if wanted is None or wanted.value.preview is None:
            return
        now = datetime.now(UTC)
        said = text.state(
            at_its_time(wanted.value, now),
            self._release(key, live=False),
            self._release(family(key), live=True),
            self._where,
        )
        self._github.comment(wanted.value.preview.number, text.mark(key), said)

    def _release(self, project: str, *, live: bool) -> Release | None:
        known = self._store.read(documents.project(project), Project)
        number = known and (known.value.live if live else known.value.current)
        found = self._store.read(documents.release(project, number), Release) if number else None
        return found.value if found else None
