"""What a timer has looked at again: the projects and pull requests of which something changed.

Whatever the number of projects, Azure is asked for all endpoints of a workspace at once and each
registry for each base model once, the storage account lists four folders, and GitHub is asked for
what it does not count. `looks` says how the projects are chosen and why none is forgotten.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from tuneops import documents, unwatched
from tuneops.azureml import inventory, registry
from tuneops.azureml.errors import MissingRoleError, RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.data import folders
from tuneops.data.errors import DataUnavailableError
from tuneops.gitops.open_pulls import Reviews
from tuneops.gitops.repository import Repository
from tuneops.looks import Note, View, due, read_note
from tuneops.names import digest, environment_of
from tuneops.overview.keeping import fill
from tuneops.policy import InForce
from tuneops.previews.keeping import look_again
from tuneops.previews.reading import read_register
from tuneops.queue import ProjectRequest, PullRequestRequest, PullRequestsRequest
from tuneops.services import Services
from tuneops.store import UnreadableError

NOTHING = digest()
"""The digest of a project of which nothing is in Azure."""
MAX_LOOKS = 1000
"""So many projects in one tick, whichever: a look asks Azure some questions, and Azure Resource
Manager answers 25 reads a second. The others are found again by the next one."""
MAX_REVIEWS = 30
"""So many in one tick: another policy asks for all anew, and each takes some calls to GitHub."""

log = logging.getLogger(__name__)


def resync_projects(services: Services) -> None:
    """Have the projects looked at that changed, or whose turn it is, in all environments."""
    listed = services.store.listed(documents.PROJECTS)
    notes = {documents.name_in(each.path): read_note(each.note) for each in listed}
    views, blind = see_projects(services, notes)
    told = {name: note for name, note in notes.items() if name in views and name not in blind}
    newest = _newest_base_models(services, told)
    chosen = due(views, told, newest, services.now())
    log.info("%d of %d projects are to be looked at", len(chosen), len(views))
    chosen = random.sample(chosen, min(MAX_LOOKS, len(chosen)))
    services.queue.send_all(ProjectRequest(project=name, view=views[name]) for name in chosen)
    fill(services, lambda: documents.desired_projects(services.store.paths(documents.DESIRED)))


def see_projects(services: Services, notes: Mapping[str, Note]) -> tuple[dict[str, View], set[str]]:
    """What is to be seen of every project, and those of which that does not tell enough.

    Where Resource Graph does not show a workspace, its projects can't be told apart: they are all
    to be looked at. While it can't be asked, only what changed elsewhere is seen.
    """
    wanted = _wanted(services)
    views: dict[str, View] = {}
    blind: set[str] = set()
    for workspace, projects in _by_workspace(services, wanted):
        named = {name: notes[name].endpoints for name in projects if name in notes}
        found: dict[str, str] | None = None
        try:
            found = inventory.digests(workspace, named)
        except (MissingRoleError, RefusedError) as error:
            log.warning(
                "%d projects can't be told apart, so all are looked at: %s", len(projects), error
            )
            blind.update(projects)
        except UnavailableError as error:
            log.warning("changes in Azure are looked for the next time: %s", error)
        for name in projects:
            seen = "" if found is None else found.get(name, NOTHING)
            views[name] = View(wanted=wanted[name], found=seen)
    return views, blind


def resync_pull_requests(request: PullRequestsRequest, services: Services) -> None:
    """Have an environment's open pull requests reviewed that have no review of what they are now.

    Raises:
        NoSourceError: the settings have no source for the environment.
        GitHubError: they can't be listed now.
    """
    environment = request.environment
    services = services.of(environment)
    path = documents.reviews(environment)
    stored = services.store.read(path, Reviews)
    known = stored.value if stored else Reviews()
    pages = services.github.open_pulls(known.pages)
    reviews = services.store.update(path, Reviews, lambda known: (known or Reviews()).listed(pages))
    missing = reviews.missing(_repository(services, environment).policy)
    if len(missing) > MAX_REVIEWS:
        log.info("%d pull requests lack a review, the newest are reviewed first", len(missing))
    for number in missing[-MAX_REVIEWS:]:
        services.queue.send(PullRequestRequest(environment=environment, number=number))
    look_again({pull.number: pull.head.sha for pull in reviews.open}, services)


def _wanted(services: Services) -> dict[str, str]:
    """A digest of config, policy, orders and data of every project that is looked after.

    Projects that are gone from git are among them, so that they are seen to their end.
    """
    store = services.store
    paths: dict[str, str] = {}
    rules: dict[str, str] = {}
    for source in services.settings.config_sources:
        environment = source.environment
        rules[environment] = ""
        try:
            policy = store.read(documents.policy(environment), InForce)
            rules[environment] = policy.etag if policy else ""
            files = _repository(services, environment).files.values()
            paths |= {state.project: state.data_path for state in files if state.data_path}
            previews = read_register(services.store, environment).entries
            paths |= {key: entry.data_path for key, entry in previews.items() if entry.data_path}
        except UnreadableError as error:
            log.error("changes of environment %r are not all seen: %s", environment, error)
    data = _data(services, set(paths.values()))
    orders = {documents.name_in(each.path): each.etag for each in store.listed(documents.ORDERS)}
    return {
        name: digest(
            each.etag,
            rules[environment_of(name)],
            orders.get(name, ""),
            data.get(paths.get(name, ""), ""),
        )
        for each in store.listed(documents.DESIRED)
        for name in (documents.name_in(each.path),)
        if each.note != unwatched.NOTE and environment_of(name) in rules
    }


def _data(services: Services, paths: Collection[str]) -> dict[str, str]:
    """A digest of what lies in each data folder."""
    try:
        return folders.digests(services.blobs, services.settings.datasets_container, paths)
    except DataUnavailableError as error:
        log.warning("projects with uploaded data are looked at: %s", error)
        return dict.fromkeys(paths, str(error))


def _by_workspace(
    services: Services, projects: Iterable[str]
) -> Iterable[tuple[Workspace, list[str]]]:
    """The projects of each workspace, which environments may share."""
    workspaces: dict[str, Workspace] = {}
    found: dict[str, list[str]] = defaultdict(list)
    for name in projects:
        workspace = services.of(environment_of(name)).workspace
        workspaces.setdefault(workspace.id.lower(), workspace)
        found[workspace.id.lower()].append(name)
    return [(workspaces[path], names) for path, names in found.items()]


def _newest_base_models(services: Services, notes: Mapping[str, Note]) -> dict[str, str]:
    """The newest versions of the base models that projects would hear of, as far as known."""
    followed = {note.look.base_model: name for name, note in notes.items() if note.look}
    found: dict[str, str] = {}
    for model in sorted(followed.keys() - {""}):
        where, _, name = model.partition("/")
        workspace = services.of(environment_of(followed[model])).workspace
        try:
            found[model] = registry.base_model(workspace, where, name, "latest").id
        except RefusedError as error:
            log.warning("%s", error)
            found[model] = ""
        except UnavailableError as error:
            log.warning("%s", error)
    return found


def _repository(services: Services, environment: str) -> Repository:
    stored = services.store.read(documents.repository(environment), Repository)
    return stored.value if stored else Repository(environment=environment)
