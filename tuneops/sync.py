"""Reading the repository: which projects want something else than before.

Where nothing was pushed since the last time, GitHub is asked one question that it does not count.
"""

import logging
from datetime import UTC, datetime
from functools import partial

from tuneops import documents, names
from tuneops.admission import admit
from tuneops.credit import credited, explained
from tuneops.desired import Desired
from tuneops.events.effect import Led, read_led
from tuneops.events.record import remembered
from tuneops.gitops import outage
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.repository import (
    Reading,
    Repository,
    changed_files,
    is_skipped,
    read_commit,
    reading_of,
)
from tuneops.notify.post import post
from tuneops.overview.keeping import keep_source
from tuneops.policy import InForce
from tuneops.queue import ProjectRequest, ProjectsRequest, RepositoryRequest
from tuneops.services import Services
from tuneops.store import BusyError
from tuneops.unwatched import NOTE, left_alone

BUSY_SECONDS = 3
ASK_AGAIN_SECONDS = 10
"""GitHub's record of a push may be seen a little after the push itself."""

log = logging.getLogger(__name__)


def sync_repository(request: RepositoryRequest, services: Services) -> Led | None:
    """Read the configs at the head of a source's branch and have changed projects looked at.

    The head is read under a lease, so that of two syncs the later one sees the later commit. The
    policy is written first, then what is desired, and the repository's own document last: after a
    crash the same changes are found again. Another policy concerns all projects of the source.

    Gives what came of it; None while another worker is at it, after whom the request comes again.

    Raises:
        NoSourceError: the settings have no such source.
        GitHubError: the repository can't be read now.
    """
    services = services.of(request.environment)
    path, policy = documents.repository(request.environment), documents.policy(request.environment)
    initial = Repository(environment=request.environment)
    try:
        with services.store.lease(path, initial) as lease:
            stored = services.store.read(path, Repository)
            before = stored.value if stored else initial
            try:
                now, desired = _read(before.replace(outage=None), services)
            except GitHubError as error:
                noted = _note_outage(before, error, services)
                if stored and noted != before:
                    services.store.write(path, noted, stored.etag, lease)
                raise
            services.store.update(policy, InForce, lambda _: InForce(policy=now.policy))
            for wanted in desired:
                _remember(wanted, services)
            stream = names.stream_of(request.environment, "repository")
            post(services, stream, now.outbox, services.channels)
            after = now.replace(outbox=())
            if desired or now.policy != before.policy:
                after = after.replace(moved_by=remembered(before.moved_by, request.event))
            if stored and after != before:
                services.store.write(path, after, stored.etag, lease)
    except BusyError:
        services.queue.send(request, BUSY_SECONDS)
        return None
    if any(not e.told for e in now.refused.values()) and now.refused != before.refused:
        services.queue.send(request, ASK_AGAIN_SECONDS)
    changed = sorted({wanted.project for wanted in desired})
    services.queue.send_all(ProjectRequest(project=name, event=request.event) for name in changed)
    if now.policy != before.policy:
        services.queue.send(ProjectsRequest())
    keep_source(services, after)
    again = request.event in before.moved_by
    return read_led(after.commit, changed, policy=now.policy != before.policy, again=again)


def _note_outage(before: Repository, error: GitHubError, services: Services) -> Repository:
    """What is remembered of a repository that can't be read; people are told once if that lasts."""
    now, environment = datetime.now(UTC), before.environment
    lasts = outage.lasting(before.outage, str(error), now)
    told = outage.news(before.outage, lasts, environment, services.source.repository, now)
    post(services, names.stream_of(environment, "repository"), told, services.people)
    noted = before.replace(outage=lasts)
    keep_source(services, noted)
    return noted


def _read(before: Repository, services: Services) -> tuple[Repository, list[Desired]]:
    """The repository as it is now, and what is desired otherwise; nothing, where git is as before.

    An ETag is worth as much as the token that it was got with, so the commit is compared as well.
    While it is not known who brought a change, that is asked anew.
    """
    source, now = services.source, datetime.now(UTC)
    of = names.digest(services.settings.github_api_url, source.origin)
    known = None if before.unanswered else reading_of(before, of, now)
    head = services.github.head(known.etag if known else "")
    if head is None:
        return before, []
    if known and head.commit == before.commit:
        return before.replace(reading=known.replace(etag=head.etag)), []
    before = before.replace(reading=Reading(of=of, etag=head.etag, at=now))
    if is_skipped(head.message):
        log.info("commit %s says tuneops: skip", head.commit)
        return before.replace(commit=head.commit, judged=before.known_until), []
    snapshot = services.github.snapshot(head)
    changed = changed_files(before, snapshot)
    contents = services.github.contents(f for f in snapshot.files if f.path in changed)
    log.info(
        "commit %s: %d configs, %d changed", snapshot.commit, len(snapshot.files), len(changed)
    )
    admitted = admit(before, snapshot, contents, services)
    after, desired = read_commit(before, admitted.snapshot, admitted.contents, now)
    after = admitted.noted(before, after, now)
    desired = [each.replace(by=admitted.brought.get(each.path)) for each in desired]
    if before.origin and before.origin != source.origin:
        desired = [each if each.config else left_alone(each, source) for each in desired]
    brought = partial(services.github.brought, head.commit)
    desired = credited(desired, before.commit, head, brought)
    return after.replace(origin=source.origin, outbox=explained(after.outbox, head)), desired


def _remember(wanted: Desired, services: Services) -> None:
    """Store what git says of a project; the commit changes only when the config does.

    Who has brought the same once more has brought it.
    """

    def change(known: Desired | None) -> Desired:
        if known and wanted.left:
            return known.replace(left=wanted.left)
        same = known and (known.config, known.path) == (wanted.config, wanted.path)
        if known and same and not known.left:
            return known if wanted.by is None else known.replace(by=wanted.by)
        removed = known and wanted.config is None and (known.config or known.removed)
        return wanted.replace(removed=removed or None)

    note = NOTE if wanted.left else ""
    services.store.update(documents.desired(wanted.project), Desired, change, note)
