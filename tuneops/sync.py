"""Reading the repository: which projects want something else than before."""

import logging
from datetime import UTC, datetime

from tuneops import documents
from tuneops.gitops.repository import Repository, changed_files, is_skipped, read_commit
from tuneops.notify import outbox
from tuneops.policy import InForce
from tuneops.queue import ProjectRequest, RepositoryRequest
from tuneops.release import Desired
from tuneops.services import Services
from tuneops.store import BusyError

BUSY_SECONDS = 3

log = logging.getLogger(__name__)


def sync_repository(request: RepositoryRequest, services: Services) -> None:
    """Read the configs at the head of the tracked branch and have changed projects looked at.

    The head is read under a lease, so that of two syncs the later one sees the later commit. The
    policy is written first, then what is desired, and the repository's own document last: after a
    crash the same changes are found again. Another policy concerns all projects.

    Raises:
        GitHubError: the repository can't be read now; the queue delivers the request again.
    """
    try:
        with services.store.lease(documents.REPOSITORY, Repository()) as lease:
            stored = services.store.read(documents.REPOSITORY, Repository)
            before = stored.value if stored else Repository()
            now, desired = _read(before, services)
            services.store.update(documents.POLICY, InForce, lambda _: InForce(policy=now.policy))
            for wanted in desired:
                _remember(wanted, services)
            delivered = outbox.deliver(now.outbox, services.channels, datetime.now(UTC))
            after = now.replace(outbox=outbox.unsettled(delivered))
            if stored and after != before:
                services.store.write(documents.REPOSITORY, after, stored.etag, lease)
    except BusyError:
        services.queue.send(request, BUSY_SECONDS)
        return
    changed = {wanted.project for wanted in desired}
    concerns_all = request.all_projects or now.policy != before.policy
    for name in sorted(changed | (_known(services) if concerns_all else set())):
        services.queue.send(ProjectRequest(project=name))


def _read(before: Repository, services: Services) -> tuple[Repository, list[Desired]]:
    snapshot = services.github.snapshot()
    if is_skipped(snapshot.message):
        log.info("commit %s says tuneops: skip", snapshot.commit)
        return before.replace(commit=snapshot.commit), []
    changed = changed_files(before, snapshot)
    contents = services.github.contents(f for f in snapshot.files if f.path in changed)
    log.info(
        "commit %s: %d configs, %d changed", snapshot.commit, len(snapshot.files), len(changed)
    )
    return read_commit(before, snapshot, contents, datetime.now(UTC))


def _remember(wanted: Desired, services: Services) -> None:
    """Store what git says of a project; the commit changes only when the config does."""

    def change(known: Desired | None) -> Desired:
        if known and (known.config, known.path) == (wanted.config, wanted.path):
            return known
        removed = known and wanted.config is None and (known.config or known.removed)
        return wanted.replace(removed=removed or None)

    services.store.update(documents.desired(wanted.project), Desired, change)


def _known(services: Services) -> set[str]:
    """Every project that there is or was, so that the gone ones are seen to their end."""
    paths = services.store.paths("desired/")
    return {path.removeprefix("desired/").removesuffix(".json") for path in paths}
