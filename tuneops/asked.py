"""What is asked on a merged pull request, and which of its comments were answered, as stored."""

from datetime import datetime

from tuneops import documents
from tuneops.document import Document
from tuneops.release import Release
from tuneops.services import Services


class Asked(Document):
    """A release that asks on a pull request, and since when."""

    release: int
    at: datetime


class Asking(Document):
    """What is asked on a pull request, by project."""

    questions: dict[str, Asked] = {}


class Heard(Document):
    """The comments with a command that were answered, and the ETag of all of them then."""

    comments: tuple[int, ...] = ()
    etag: str = ""


def register(pull: int, release: Release, services: Services) -> None:
    """Note that the release's question can be answered on the pull request."""
    question = release.approval
    if question is None:
        raise ValueError("the release asks nothing")
    asked = Asked(release=release.number, at=question.asked)

    def change(known: Asking | None) -> Asking:
        questions = known.questions if known else {}
        return Asking(questions={**questions, release.project: asked})

    services.store.update(documents.asking(services.source.repository, pull), Asking, change)
