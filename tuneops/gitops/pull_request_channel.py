"""Telling the merged pull request what became of its projects: one comment, a section for each.

What the comment says is kept in a document of the pull request. A project adds its section to that
under the document's lease and then lets the comment be what the document says, so that projects
that end at the same moment make one comment and lose nothing.
"""

from azure.core.exceptions import AzureError

from tuneops import documents
from tuneops.document import Document
from tuneops.gitops import final_text
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.refusal import refusal
from tuneops.message import Message
from tuneops.notify.channel import ChannelBusyError, ChannelError
from tuneops.notify.routing import Route
from tuneops.store import BusyError, ConflictError, Store, UnreadableError

CONCLUDED = "concluded"
"""The event of messages that are for this channel alone."""
ASKED = "asked"
"""As `CONCLUDED`, of a comment by itself, whose first line tells it from others."""


class Told(Document):
    """A project's section, and the key of the message that it is from."""

    key: str
    text: str


class PullRequest(Document):
    """What a merged pull request has been told, by project."""

    sections: dict[str, Told] = {}


class PullRequestChannel:
    """Comments on merged pull requests; a commit that came by none is left alone.

    It gets what is for it alone.
    """

    id = "github-pull-requests"
    name = "GitHub pull requests"
    route = Route(events=())

    def __init__(self, github: GitHub, repository: str, store: Store) -> None:
        self._github = github
        self._repository = repository
        self._store = store

    def send(self, message: Message, thread: str) -> str:
        """Put the message into the final comment of the pull request that its commit came by.

        Raises:
            ChannelError: GitHub or the store did not take it, or another project is at it now.
        """
        if message.event not in (CONCLUDED, ASKED):
            return ""
        try:
            number = self._github.merged_pull(message.commit, message.path)
            if number is not None and message.event == ASKED:
                self._github.comment(number, message.text.partition("\n")[0], message.text)
            elif number is not None:
                self._tell(number, message)
        except GitHubError as error:
            raise refusal(error, message) from error
        except (BusyError, ConflictError) as error:
            raise ChannelBusyError("another project tells the pull request now") from error
        except (UnreadableError, AzureError) as error:
            raise ChannelError(f"what it was told can't be read: {type(error).__name__}") from error
        return ""

    def _tell(self, number: int, message: Message) -> None:
        path = documents.pull_request(self._repository, number)
        project = message.key.partition(":")[0]
        with self._store.lease(path, PullRequest()) as lease:
            stored = self._store.read(path, PullRequest)
            known, etag = (stored.value, stored.etag) if stored else (PullRequest(), None)
            told = Told(key=message.key, text=message.text)
            known = known.replace(sections={**known.sections, project: told})
            written = self._store.write(path, known, etag, lease)
            texts = {name: each.text for name, each in known.sections.items()}
            self._github.comment(number, final_text.MARK, final_text.comment(texts))
        after = self._store.read(path, PullRequest)
        if after is None or after.etag != written.etag:
            raise ChannelBusyError("another project has told the pull request meanwhile")
