"""Asking people whether a release may get its next share of the traffic, and looking for answers.

A GitHub that does not answer holds nothing up: the question stands in the status too, and a rollout
that waits has to go on being watched.
"""

import logging
from datetime import datetime

from azure.core.exceptions import AzureError

from tuneops import asked, hearing
from tuneops.gitops import question_text
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.pull_request_channel import ASKED, PullRequestChannel
from tuneops.message import Message
from tuneops.release import Release
from tuneops.rollout.question import Question
from tuneops.services import NoSourceError, Services
from tuneops.store import BusyError, ConflictError, UnreadableError

log = logging.getLogger(__name__)


def posted(release: Release, services: Services, now: datetime) -> Release:
    """With the question, or its answer, owed to the pull request that the release came by."""
    question = _question(release)
    if question.pull is None:
        release = release.replace(approval=question.replace(pull=_find_pull(release, services)))
    until = question.until.isoformat() if question.until else ""
    key = (release.project, release.number, ASKED, question.asked.isoformat(), until)
    return release.tell(
        Message(
            key=":".join(map(str, (*key, "answered" if question.answer else ""))),
            event=ASKED,
            phase=release.phase,
            title=f"{release.project}: release {release.number}",
            text=question_text.comment(release, _question(release)),
            at=now,
            commit=release.commit,
            path=release.path,
            only=PullRequestChannel.id,
        )
    )


def looked(release: Release, services: Services, now: datetime) -> Release:
    """With the comments followed that were written where it is asked."""
    question = _question(release)
    pull = _find_pull(release, services) if question.pull is None else question.pull
    try:
        if pull:
            hearing.hear_all(pull, services)
    except (
        GitHubError,
        BusyError,
        ConflictError,
        UnreadableError,
        NoSourceError,
        AzureError,
    ) as error:
        log.warning("project %s: comments are looked for later: %s", release.project, error)
    return release.replace(approval=question.replace(pull=pull, looked=now))


def _find_pull(release: Release, services: Services) -> int | None:
    """The pull request to ask at: 0 if there is none, None if GitHub does not say now."""
    try:
        number = services.github.merged_pull(release.commit, release.path)
    except GitHubError as error:
        log.warning("project %s: its pull request is looked for later: %s", release.project, error)
        return None
    if number:
        asked.register(number, release, services)
    return number or 0


def _question(release: Release) -> Question:
    if release.approval is None:
        raise ValueError(f"release {release.number} asks nothing")
    return release.approval
