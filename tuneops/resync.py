"""What a timer has looked at again: the projects and pull requests of which something changed.

Whatever the number of projects, Azure is asked for all endpoints at once and each registry for each
base model once, the storage account lists three folders, and GitHub is asked for what it does not
count. `looks` says how the projects are chosen and why none is forgotten.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from tuneops import documents, names
from tuneops.azureml import inventory, registry
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.data import folders
from tuneops.data.errors import DataUnavailableError
from tuneops.gitops.pulls import Reviews
from tuneops.gitops.repository import Repository
from tuneops.looks import Note, View, due, read_note
from tuneops.policy import InForce
from tuneops.queue import ProjectRequest, PullRequestRequest
from tuneops.services import Services

NOTHING = names.digest()
"""The digest of a project of which nothing is in Azure."""

log = logging.getLogger(__name__)


def resync_projects(services: Services) -> None:
    """Have the projects looked at that changed, or whose turn it is."""
    views, told_apart = see_projects(services)
    notes = {}
    if told_apart:
        listed = services.store.listed(documents.PROJECTS)
        notes = {documents.name_in(each.path): read_note(each.note) for each in listed}
    newest = _newest_base_models(services, notes.values())
    chosen = due(views, notes, newest, datetime.now(UTC))
    log.info("%d of %d projects are looked at", len(chosen), len(views))
    for name in chosen:
        services.queue.send(ProjectRequest(project=name, view=views[name]))


def see_projects(services: Services) -> tuple[dict[str, View], bool]:
    """What is to be seen of every project, and whether that tells which have changed in Azure.

    It does not where Resource Graph does not show the workspace: then every project is to be looked
    at. While it can't be asked, only what changed elsewhere is seen.
    """
    wanted = _wanted(services)
    told_apart, found = True, None
    try:
        found = inventory.digests(services.workspace)
    except (MissingRoleError, RefusedError) as error:
        log.warning("every project is looked at, since they can't be told apart: %s", error)
        told_apart = False
    except UnavailableError as error:
        log.warning("changes in Azure are looked for the next time: %s", error)
    views = {
        name: View(wanted=digest, found="" if found is None else found.get(name, NOTHING))
        for name, digest in wanted.items()
    }
    return views, told_apart


def resync_pull_requests(services: Services) -> None:
    """Have the open pull requests reviewed that have no review of what they are now.

    Raises:
        GitHubError: they can't be listed now; the queue delivers the request again.
    """
    stored = services.store.read(documents.REVIEWS, Reviews)
    known = stored.value if stored else Reviews()
    pages = services.github.open_pulls(known.pages)
    reviews = services.store.update(
        documents.REVIEWS, Reviews, lambda known: (known or Reviews()).listed(pages)
    )
    for number in reviews.missing(_repository(services).policy):
        services.queue.send(PullRequestRequest(number=number))


def _wanted(services: Services) -> dict[str, str]:
    """A digest of config, policy and data of every project that there is or was."""
    paths = {s.project: s.data_path for s in _repository(services).files.values() if s.data_path}
    try:
        settings = services.settings
        data = folders.digests(services.blobs, settings.datasets_container, set(paths.values()))
    except DataUnavailableError as error:
        log.warning("projects with uploaded data are looked at: %s", error)
        data = dict.fromkeys(paths.values(), str(error))
    policy = services.store.read(documents.POLICY, InForce)
    rules = policy.etag if policy else ""
    return {
        name: names.digest(each.etag, rules, data.get(paths.get(name, ""), ""))
        for each in services.store.listed(documents.DESIRED)
        for name in (documents.name_in(each.path),)
    }


def _newest_base_models(services: Services, notes: Iterable[Note]) -> dict[str, str]:
    """The newest versions of the base models that projects would hear of, as far as known."""
    found: dict[str, str] = {}
    for model in sorted({note.look.base_model for note in notes if note.look} - {""}):
        where, _, name = model.partition("/")
        try:
            found[model] = registry.base_model(services.workspace, where, name, "latest").id
        except RefusedError as error:
            log.warning("%s", error)
            found[model] = ""
        except UnavailableError as error:
            log.warning("%s", error)
    return found


def _repository(services: Services) -> Repository:
    stored = services.store.read(documents.REPOSITORY, Repository)
    return stored.value if stored else Repository()
